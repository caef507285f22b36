#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Turns other programs' results into lines of the test protocol (docs/reference/test-protocol.md).

test-lines.py meson TESTLOG_JSON [OUTPUT_DIRECTORY]   meson's log: every test case of a Check program counts as one test
test-lines.py junit JUNIT_XML                         every test case of a JUnit file counts as one test
test-lines.py script NAME STATUS LOG                  the lines that a script printed, with its name before them
"""
import json
import os
import re
import sys
import xml.etree.ElementTree as ElementTree

CHECK_SUMMARY = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.M)
CHECK_CASE = re.compile(r"^(\S+:\d+):([FE]):([^:]*):([^:]*):(-?\d+): (.*)$", re.M)
LINE = re.compile(r"^(ok|not ok|skip) (.+)$", re.M)


def one_line(text):
    return " ".join((text or "").split())[:300]


def put(kind, name, reason=""):
    name = one_line(name).replace(" - ", ": ")
    print(f"{kind} {name} - {one_line(reason)}" if reason or kind == "skip" else f"{kind} {name}")


def last_line(text):
    lines = [line for line in (text or "").splitlines() if line.strip()]
    return lines[-1] if lines else "no output"


def why(entry):
    """The line that says best why a program failed."""
    text = (entry.get("stderr") or "") + "\n" + (entry.get("stdout") or "")
    for pattern in (r"^.*(?:AddressSanitizer|LeakSanitizer|runtime error|UndefinedBehavior).*$", r"^.*Assertion.*failed.*$"):
        found = re.search(pattern, text, re.M)
        if found:
            return found.group(0)
    return last_line(text)


def meson_program(entry):
    name = re.sub(r"^[^/]*?:[^/]*? / |^hilbench:", "", entry["name"]).strip()
    result = entry["result"]
    output = entry.get("stdout") or ""
    failed_before = 0
    checks = [tuple(map(int, found.groups())) for found in CHECK_SUMMARY.finditer(output)]
    own = [(kind, text) for kind, text in LINE.findall(output)] if not checks else [(k, t) for k, t in LINE.findall(output) if k == "skip"]
    for kind, text in own:
        subject, _, reason = text.partition(" - ")
        put(kind, f"{name}: {subject}", reason)
        failed_before += kind == "not ok"
    if checks:
        total, bad = sum(c[0] for c in checks), sum(c[1] + c[2] for c in checks)
        for number in range(total - bad):
            put("ok", f"{name} {number + 1}")
        cases = CHECK_CASE.findall(output)
        for number in range(bad):
            where, _, group, case, loop, text = cases[number] if number < len(cases) else ("", "", "", f"failure {number + 1}", "0", "")
            put("not ok", f"{name}: {group}/{case}" + (f"[{loop}]" if loop != "0" else ""), f"{where} {text}")
        failed_before += bad
    if result == "SKIP":
        put("skip", name, last_line(output))
    elif result in ("OK", "EXPECTEDFAIL"):
        if not checks and not own:
            put("ok", name)
    elif not failed_before:
        put("not ok", name, f"{result.lower()}, exit status {entry.get('returncode')}: {why(entry)}")
    return failed_before or result not in ("OK", "EXPECTEDFAIL", "SKIP")


def meson(path, output_directory=None):
    with open(path, encoding="utf-8", errors="replace") as file:
        entries = [json.loads(line) for line in file if line.strip()]
    if not entries:
        put("not ok", "unit tests", "meson ran none")
    for entry in entries:
        failed = meson_program(entry)
        if failed and output_directory:
            name = re.sub(r"[^\w.-]+", "_", entry["name"]) + ".log"
            with open(os.path.join(output_directory, name), "w", encoding="utf-8") as file:
                file.write((entry.get("stdout") or "") + "\n--- stderr\n" + (entry.get("stderr") or ""))


def junit(path):
    seen = set()
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = case.get("name") or "?"
        if case.get("classname") and case.get("classname") not in name:
            name = f"{case.get('classname')}.{name}"
        bad = next((child for child in case if child.tag in ("failure", "error")), None)
        skipped = case.find("skipped")
        if name in seen:
            put("not ok", f"rack: {name}", "more than one test case has this name")
        elif bad is not None:
            put("not ok", f"rack: {name}", f"{bad.tag}: {bad.get('message') or bad.text}")
        elif skipped is not None:
            put("skip", f"rack: {name}", skipped.get("message") or skipped.text or "no reason given")
        else:
            put("ok", f"rack: {name}")
        seen.add(name)
    if not seen:
        put("not ok", "rack", "junit.xml has no test case")


def script(name, status, path):
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = LINE.findall(file.read())
    failed = False
    for kind, text in lines:
        subject, _, reason = text.partition(" - ")
        if kind != "ok" and not reason:
            reason = "no reason given"
        put(kind, subject if subject.startswith(name) else f"{name}: {subject}", reason)
        failed |= kind == "not ok"
    if status != 0 and not failed:
        put("not ok", name, f"exit status {status}; see {path}")
    elif not lines:
        put("not ok", name, f"it printed no result; see {path}")


if __name__ == "__main__":
    if sys.argv[1] == "meson":
        meson(*sys.argv[2:])
    elif sys.argv[1] == "junit":
        junit(sys.argv[2])
    else:
        script(sys.argv[2], int(sys.argv[3]), sys.argv[4])
