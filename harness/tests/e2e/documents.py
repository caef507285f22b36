#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the documents show is what the programs accept: every YAML example of the documents passes `hilbench check`, and the
generated step reference is the one that this version generates."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import BIN, OUT, ROOT, check, finish

HILBENCH = os.path.join(BIN, "hilbench")
EXAMPLE = re.compile(r"```yaml title=(\S+)\n(.*?)```", re.S)


def hilbench(*arguments):
    return subprocess.run([HILBENCH, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def documents():
    for folder, _, names in os.walk(os.path.join(ROOT, "docs")):
        for name in sorted(names):
            if name.endswith(".md"):
                yield os.path.join(folder, name)


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


main()
finish()
