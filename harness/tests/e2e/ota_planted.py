#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every planted defect of updates is found by a narrow sweep, its id alone shows the same, and healthy firmware passes the same sweep."""
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import BIN, OUT, check, finish

HILBENCH = os.path.join(BIN, "hilbench")
LIMIT_S = 400
AT_ONCE = 2
BASE = ["--ops", "0", "--phases", "before"]  # what a scenario without a cut shows already
RESUME = ["--size", "128KiB", "--ops", "440-447", "--phases", "during", "--classes", "T3", "--samples", "24"]

# (fault, invariant, where the id ends, the sweep's options): docs/reference/sweep.md says why it takes those.
PLANTED = [
    ("ota-resume-unsure", 6, r"\.44\ddT3x\d+", RESUME),
    ("ota-torn-marker-trusted", 3, r"\.\d+(b|dT3x1)", ["--size", "8KiB", "--ops", "116-124", "--phases", "before,during", "--classes", "T3"]),
    ("ota-swap-old-first", 1, r"\.\d+a", ["--size", "8KiB", "--ops", "116-124", "--phases", "after"]),
    ("ota-swap-no-copy", 3, r"\.base", ["--size", "8KiB", *BASE]),
    ("ota-copy-wrong-address", 3, r"\.base", ["--size", "8KiB", *BASE]),
    ("ota-mapped-erase", 5, r"\.base", ["--size", "8KiB", "--bank", "b", *BASE]),
    ("ota-confirm-before-verify", 6, r"\.base", ["--size", "8KiB", *BASE]),
    ("ota-counter-before-confirm", 4, r"\.base", ["--size", "8KiB", *BASE]),
    ("ota-block-wrap-01", 9, r"\.base", ["--size", "32KiB", *BASE]),
    ("ota-no-rollback", 3, r"\.base", ["--scenario", "rollback", "--size", "8KiB", *BASE]),
]


def hilbench(*arguments):
    return subprocess.run([HILBENCH, "sweep", "ota", *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=LIMIT_S)


def sweep(name, options):
    """Exit status, sweep.json, what was said."""
    directory = os.path.join(OUT, name)
    run = hilbench("--jobs", "1", "--out", directory, *options)
    try:
        with open(os.path.join(directory, "sweep.json"), encoding="utf-8") as file:
            return run.returncode, json.load(file), run.stderr
    except (OSError, ValueError):
        return run.returncode, {"end": {}, "violations": []}, run.stderr + run.stdout


def judge_planted(fault, invariant, ending, options):
    """A list of (name, whether it is so, why not)."""
    status, result, said = sweep(fault, ["--fault", fault, *options])
    found = [v for v in result["violations"] if v["invariant"] == invariant and re.search(re.escape(fault) + ending + "$", v["id"])]
    first = found[0] if found else {"id": "", "text": ""}
    yield f"{fault} is found, by I{invariant}: {first['id']}", status == 1 and bool(found), f"status {status}: {result['violations'][:3] or said}"
    if not found:
        return
    replay = hilbench("--point", first["id"])
    shown = re.search(rf"(?:VIOLATION|violated:) +I{invariant}:? {re.escape(first['text'])}", replay.stdout)
    yield f"{first['id']} alone shows I{invariant} again", replay.returncode == 1 and bool(shown), \
        f"status {replay.returncode}: {replay.stdout[-300:]} {replay.stderr}"
    healthy = hilbench("--point", first["id"].replace(fault, "none"))
    yield f"{fault}: healthy firmware has no violation at that point", healthy.returncode == 0, f"status {healthy.returncode}: {healthy.stdout[-300:]}"


def judge_healthy(options):
    status, result, said = sweep("healthy-" + re.sub(r"\W+", "-", "".join(options)).strip("-"), options)
    end = result["end"]
    right = status == 0 and end.get("violations") == 0 and end.get("complete") and not result["violations"]
    yield f"healthy firmware: sweep {' '.join(options)} has no violation", right, f"status {status}: {end} {result['violations'][:3] or said}"


def jobs():
    for planted in PLANTED:
        yield lambda planted=planted: list(judge_planted(*planted))
    for options in dict.fromkeys(tuple(planted[3]) for planted in PLANTED):
        yield lambda options=options: list(judge_healthy(list(options)))


with ThreadPoolExecutor(AT_ONCE) as pool:
    for findings in pool.map(lambda job: job(), list(jobs())):
        for finding in findings:
            check(*finding)
finish()
