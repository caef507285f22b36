#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Rules that every tracked file keeps. Prints lines of the test protocol; status 1 when a rule is broken.

check-repository.py [--fix-format]
"""
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), ".."))

# Which folder may include which; a folder's own files are always allowed. Longest prefix decides.
MAY_INCLUDE = {
    "harness/base": [],
    "harness/proto": ["harness/base"],
    "harness/link": ["harness/base"],
    "harness/rig": ["harness/base", "harness/proto", "harness/link"],
    "harness/lang": ["harness/base"],
    "harness/run": ["harness/base", "harness/proto", "harness/link", "harness/rig", "harness/lang"],
    "harness/report": ["harness/base"],
    "harness/gate": ["harness/base"],
    "harness/daemon": ["harness"],
    "harness/daemon/role.h": [],
    "harness/daemon/book": ["harness/base", "harness/daemon/role.h"],
    "harness/daemon/job": ["harness/base", "harness/report"],
    "harness/daemon/lab": ["harness/base", "harness/rig", "harness/link", "harness/report", "harness/daemon/book", "harness/daemon/job"],
    "harness/daemon/http": ["harness/base", "harness/daemon/role.h"],
    "harness/daemon/api": ["harness/base", "harness/report", "harness/daemon/role.h", "harness/daemon/book", "harness/daemon/job", "harness/daemon/lab",
                           "harness/daemon/http"],
    "harness/cli": ["harness"],
    "harness/tests": ["harness"],
    "harness/fuzz": ["harness"],
    "firmware/port.h": [],
    "firmware/core": ["firmware/port.h", "firmware/faults"],
    "firmware/faults": ["firmware/port.h"],
    "firmware/boot": ["firmware/port.h", "firmware/faults", "firmware/core", "firmware/app"],
    "firmware/app": ["firmware/port.h", "firmware/faults", "firmware/core"],
    "firmware/port": ["firmware/port.h", "firmware/faults", "firmware/silicon"],
    "firmware/silicon": [],
    "firmware/sweep": ["firmware"],
    "firmware/tests": ["firmware"],
}
# What a microcontroller's toolchain gives without an operating system.
CORE_SYSTEM_HEADERS = {"stdint.h", "stdbool.h", "stddef.h", "stdarg.h", "limits.h", "stdalign.h", "inttypes.h", "string.h"}
SOURCE = re.compile(r"(\.[ch]|\.py|\.sh|\.ya?ml|/meson\.build|^meson\.build|^meson_options\.txt|^bench|^\.ci/run)$")
# One machine's directories and registries' hosts: what a checkout must not depend on.
PLACES = re.compile(
    r"(?<![\w.])/(?:root|work|home/\w+|Users/\w+|usr/local/cuda)/"
    r"|\b(?:deb|security|snapshot|ftp[\w.]*|httpredir)\.debian\.org|\barchive\.ubuntu\.com|\bpypi\.org|\bpythonhosted\.org"
    r"|\bregistry\.npmjs\.org|\bcrates\.io|\bproxy\.golang\.org")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def tracked():
    listing = subprocess.run(["git", "-c", "safe.directory=*", "-C", ROOT, "ls-files", "-z"], capture_output=True, check=True)
    names = [name for name in listing.stdout.decode().split("\0") if name]
    return [name for name in names if os.path.isfile(os.path.join(ROOT, name))]


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8", errors="replace") as file:
        return file.read()


def folder_of(path):
    fitting = [folder for folder in MAY_INCLUDE if path == folder or path.startswith(folder + "/")]
    return max(fitting, key=len, default=None)


def resolve(including, name):
    """The tracked place of an included file, or None. Folders that meson may give as include directories come last."""
    for base in (os.path.dirname(including), "", "harness", "firmware", "firmware/core"):
        place = os.path.normpath(os.path.join(base, name))
        if os.path.isfile(os.path.join(ROOT, place)):
            return place
    return None


def include_problems(path, text):
    folder = folder_of(path)
    if folder is None:
        return
    for number, (kind, name) in ((text.count("\n", 0, m.start()) + 1, m.groups()) for m in INCLUDE.finditer(text)):
        if kind == "<":
            if folder == "firmware/core" and name not in CORE_SYSTEM_HEADERS and not name.startswith(("mbedtls/", "psa/", "zlib.h")):
                yield f"{path}:{number}: firmware/core includes <{name}>"
            continue
        target = resolve(path, name)
        if target is None:
            continue
        side, other = path.split("/")[0], target.split("/")[0]
        target_folder = folder_of(target)
        if {side, other} == {"harness", "firmware"}:
            yield f"{path}:{number}: {side}/ includes {target}"
        elif target_folder != folder and not any(
                target == allowed or target.startswith(allowed + "/") for allowed in MAY_INCLUDE[folder]):
            yield f"{path}:{number}: {folder} may not include {target}"


def includes(files):
    return [problem for path in files if path.endswith((".c", ".h")) for problem in include_problems(path, read(path))]


def licences(files):
    return [f"{path}: no SPDX-License-Identifier in its first three lines" for path in files
            if SOURCE.search(path) and not path.startswith(("docs/", "fixtures/vectors/")) and "/corpus/" not in path
            and "SPDX-License-Identifier: Apache-2.0" not in "\n".join(read(path).splitlines()[:3])]


def places(files):
    problems = []
    for path in files:
        if path.endswith((".png", ".der", ".bin")) or "/corpus/" in path:
            continue
        for number, line in enumerate(read(path).splitlines(), 1):
            found = PLACES.search(line)
            if found:
                problems.append(f"{path}:{number}: names {found.group(0)}")
    return problems


def links(files):
    problems = []
    for path in files:
        if not path.endswith(".md"):
            continue
        text = re.sub(r"```.*?```", "", read(path), flags=re.S)
        for target in LINK.findall(text):
            target = target.split("#")[0]
            if target and "://" not in target and not target.startswith("mailto:"):
                place = os.path.normpath(os.path.join(ROOT, os.path.dirname(path), target))
                if not os.path.exists(place):
                    problems.append(f"{path}: link to {target}, which is not there")
    return problems


def layout(files, fix):
    program = shutil.which("clang-format-19")
    if not program:
        return None
    sources = [path for path in files if path.endswith((".c", ".h"))]
    if not sources:
        return []
    if fix:
        subprocess.run([program, "-i", *sources], cwd=ROOT, check=True)
    result = subprocess.run([program, "--dry-run", "-Werror", *sources], cwd=ROOT, capture_output=True, text=True, check=False)
    problems = re.findall(r"^(\S+?:\d+):\d+: error: code should be clang-formatted", result.stderr, re.M)
    if result.returncode != 0 and not problems:
        problems = [result.stderr.strip()[:200] or f"clang-format: status {result.returncode}"]
    first_of_each = {}
    for problem in problems:
        first_of_each.setdefault(problem.split(":")[0], problem)
    return list(first_of_each.values())


def shell(files):
    if not shutil.which("shellcheck"):
        return None
    scripts = [path for path in files if path.endswith(".sh") or re.match(r"#!\s*(/usr)?/bin/(env )?(ba)?sh\b", read(path)[:40])]
    result = subprocess.run(["shellcheck", "-f", "gcc", *scripts], cwd=ROOT, capture_output=True, text=True, check=False)
    return result.stdout.splitlines()


def report(name, problems, tool=None):
    if problems is None:
        print(f"skip {name} - {tool} is not installed")
        return False
    if not problems:
        print(f"ok {name}")
        return False
    for problem in problems:
        print(f"  {problem}")
    print(f"not ok {name} - {len(problems)} problems, the first: {problems[0]}")
    return True


def main():
    files = tracked()
    bad = [
        report("include directions", includes(files)),
        report("licence lines", licences(files)),
        report("no path of one machine and no registry's host", places(files)),
        report("links between documents", links(files)),
        report("source layout", layout(files, "--fix-format" in sys.argv[1:]), "clang-format-19"),
        report("shell scripts", shell(files), "shellcheck"),
    ]
    return 1 if any(bad) else 0


if __name__ == "__main__":
    sys.exit(main())
