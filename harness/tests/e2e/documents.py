#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the documents show is what the programs accept: every YAML example of the documents passes `hilbench check`, and the
generated step reference is the one that this version generates."""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import BIN, OUT, ROOT, RUN, check, finish, skip

HILBENCH = os.path.join(BIN, "hilbench")
EXAMPLE = re.compile(r"```yaml title=(\S+)\n(.*?)```", re.S)


def hilbench(*arguments):
    return subprocess.run([HILBENCH, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def documents():
    for folder, _, names in os.walk(os.path.join(ROOT, "docs")):
        for name in sorted(names):
            if name.endswith(".md"):
                yield os.path.join(folder, name)


# What is refused by the checker is refused by the schema that editors use, and the other way round.
AGREE = [
    ("testcase", True, "- id: a\n  steps: [{wait: 5ms}, {uds.request: {role: zgw, data: '22 f1 90', expect: {response: '62 f1 90 ..'}}}]\n"),
    ("testcase", True, "- id: a\n  setup: []\n  timeout: 1.5s\n  steps: [rack.ready]\n"),
    ("testcase", False, "- id: a\n  steps: []\n"),
    ("testcase", False, "- id: a\n  steps: [{repeat: {times: 2, steps: []}}]\n"),
    ("testcase", False, "- id: a\n  timeout: 0s\n  steps: [rack.ready]\n"),
    ("testcase", False, "- id: a\n  steps: [{board.boot: {role: zgw, within: 0.0ms}}]\n"),
    ("testcase", False, "- id: a\n  steps: [{board.boot: {role: zgw, stage: rtso}}]\n"),
    ("testcase", False, "- id: a\n  steps: [{wait.event: {event: nonsense}}]\n"),
    ("testcase", False, "- id: a\n  steps: [{uds.request: {role: zgw, data: 0310}}]\n"),
    ("testcase", False, "- id: a\n  steps: [{uds.request: {role: zgw, data: '22', expect: {response: {bytes: '62 .. 01'}}}}]\n"),
    ("testcase", False, "- id: a\n  params: {x: [1, 1]}\n  steps: [rack.ready]\n"),
    ("rig", True, "ADDRESS: 127.${rack}.1.1"), ("rig", True, "ENDPOINT: 127.0.0.1:13400"),
    ("rig", False, "ADDRESS: 127.0.0.256"), ("rig", False, "ADDRESS: localhost"),
    ("rig", False, "ENDPOINT: 127.0.0.1:70000"), ("rig", False, "ENDPOINT: 127.0.0.1"), ("rig", False, "ENDPOINT: 127.0.0.1:0"),
]
RIG = """name: r
tester: {address: "TESTER", logical_address: 0x0e80}
roles:
  zgw: {driver: vboard, bootloader: bootloader, application: zgw, address: 127.0.0.1, plain: "PLAIN"}
"""


def rig_text(change):
    key, value = change.split(": ", 1)
    return RIG.replace("TESTER", value if key == "ADDRESS" else "127.0.0.1").replace("PLAIN", value if key == "ENDPOINT" else "127.0.0.1:1")


def check_schemas():
    try:
        import jsonschema  # pylint: disable=import-outside-toplevel
        import yaml  # pylint: disable=import-outside-toplevel
    except ImportError as missing:
        skip("schema and checker agree", f"no Python module {missing.name}")
        return
    accepts = {}
    for kind in ("testcase", "rig"):
        schema = json.loads(hilbench("schema", kind).stdout)
        jsonschema.Draft202012Validator.check_schema(schema)
        accepts[kind] = jsonschema.Draft202012Validator(schema).is_valid
    good, path = os.path.join(OUT, "good.yaml"), os.path.join(OUT, "agree.yaml")
    with open(good, "w", encoding="utf-8") as file:
        file.write("- id: a\n  steps: [rack.ready]\n")
    for number, (kind, valid, text) in enumerate(AGREE, 1):
        text = rig_text(text) if kind == "rig" else text
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        status = hilbench("check", *(["--rig", path, good] if kind == "rig" else [path])).returncode
        by_schema = accepts[kind](yaml.safe_load(text))
        check(f"schema and checker agree, {kind} {number}",
              (status == 0) == valid and by_schema == valid, f"{text!r}: check {status}, schema {by_schema}, wanted {valid}")
    for folder, kind in (("testcases", "testcase"), ("rigs", "rig")):
        for base, _, names in os.walk(os.path.join(ROOT, folder)):
            for name in sorted(names):
                if not name.endswith(".yaml"):
                    continue
                with open(os.path.join(base, name), encoding="utf-8") as file:
                    check(f"{name} fits the schema", accepts[kind](yaml.safe_load(file)), "it does not")


def main():
    found = 0
    for document in documents():
        with open(document, encoding="utf-8") as file:
            text = file.read()
        for title, body in EXAMPLE.findall(text):
            found += 1
            place = os.path.join(OUT, title)
            with open(place, "w", encoding="utf-8") as file:
                file.write(body)
            result = hilbench("check", place)
            wrong_on_purpose = title.startswith("wrong")
            check(f"{os.path.relpath(document, ROOT)}: {title}", (result.returncode == 2) if wrong_on_purpose else (result.returncode == 0),
                  f"status {result.returncode}: {result.stderr or result.stdout}")
    check("the documents have examples", found > 0, "none found")
    reference = os.path.join(ROOT, "docs/reference/steps.md")
    if os.path.exists(reference):
        with open(reference, encoding="utf-8") as file:
            check("docs/reference/steps.md is what `hilbench steps --markdown` prints", file.read() == hilbench("steps", "--markdown").stdout,
                  "run: build/bin/hilbench steps --markdown > docs/reference/steps.md")


def check_faults():
    """The firmware's, the driver's and the page's names of faults are the same ones."""
    names = {}
    for path, form in (("firmware/faults/fault.h", r'X\(FAULT_\w+, "([a-z-]+)"\)'),
                       ("harness/rig/drivers/vboard_params.c", r'vboard_faults\[\] = \{(.*?)NULL'),
                       ("docs/reference/faults.md", r"^\| `([a-z-]+)` \|")):
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            found = re.findall(form, file.read(), re.S | re.M)
        names[path] = set(re.findall(r'"([a-z-]+)"', found[0])) if path.endswith(".c") and found else set(found)
    check("the names of faults are the same everywhere", len(set(map(frozenset, names.values()))) == 1 and all(names.values()), names)


def check_journal():
    """Every kind and field of the rack's journal stands on the journal's page."""
    path = os.path.join(RUN, "events.jsonl")
    if not os.path.exists(path):
        skip("the journal's page knows every field", "no run of the rack")
        return
    known, unknown = {}, set()
    with open(os.path.join(ROOT, "docs/reference/journal.md"), encoding="utf-8") as file:
        for line in file:
            if line.startswith("| `"):
                for kind in re.findall(r"`([^`]+)`", line.split("|")[1]):
                    known[kind] = set(re.findall(r"`([a-z_0-9]+)`", line.split("|", 3)[3]))
    shared = known.get("doip", set())
    with open(path, encoding="utf-8") as file:
        for event in map(json.loads, file):
            fields = known.get(event["kind"])
            if fields is None:
                unknown.add(event["kind"])
                continue
            if event["kind"] in ("doip.tx", "doip.rx"):
                fields = fields | shared
            unknown.update(f"{event['kind']}.{name}" for name in event.get("data", {}) if name not in fields)
    check("the journal's page knows every field", not unknown, sorted(unknown))


main()
check_faults()
check_journal()
check_schemas()
finish()
