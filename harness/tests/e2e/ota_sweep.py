#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Updates cut at every operation: a small one without a violation, planted defects found and replayed by their ids, bad usage."""
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import BIN, OUT, check, finish

HILBENCH = os.path.join(BIN, "hilbench")
CLASSES = {"T0", "T1", "T2", "T3", "T4", "E0", "E1", "E2", "E3"}


def hilbench(*arguments, limit_s=120):
    return subprocess.run([HILBENCH, "sweep", *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                          timeout=limit_s)


def sweep(name, *arguments):
    """Exit status, sweep.json and the directory."""
    directory = os.path.join(OUT, name)
    run = hilbench("ota", "--out", directory, *arguments)
    try:
        with open(os.path.join(directory, "sweep.json"), encoding="utf-8") as file:
            return run.returncode, json.load(file), directory
    except OSError:
        return run.returncode, {"end": {}, "violations": [], "groups": []}, run.stderr + run.stdout


def clean(name, *arguments):
    status, result, directory = sweep(name, *arguments)
    end = result["end"]
    check(f"{name}: no violation", status == 0 and end.get("violations") == 0 and end.get("complete") and end.get("played", 0) > 0,
          f"status {status}: {result['violations'][:3] or directory}")
    return result, directory


def check_update():
    result, directory = clean("update", "--size", "8KiB")
    end = result["end"]
    check("every operation was reached", end.get("operations") == result["begin"]["total"], f"{end} {result['begin']}")
    check("every phase and class was tried", all(end["phases"].values()) and set(end["classes"]) == CLASSES and all(end["classes"].values()),
          f"{end.get('phases')} {end.get('classes')}")
    check("cuts are new states or states seen before", end["points"] == end["played"] + end["settled"] + end["same"], end)
    check("each flash has operations", {"transfer.bank.program", "erase.bank.erase", "activate.ucb.program", "confirm.dflash.program"} <=
          {group["name"] for group in result["groups"]}, [group["name"] for group in result["groups"]])
    suite = ElementTree.parse(os.path.join(directory, "junit.xml")).getroot()
    cases = [case.get("name") for case in suite.iter("testcase")]
    check("junit.xml has a case for each group", len(cases) == len(result["groups"]) and all("sweep.ota.zgw.update." in c for c in cases), cases)


def check_planted(fault, invariant, *arguments):
    status, result, problem = sweep(fault, "--fault", fault, *arguments)
    found = [violation for violation in result["violations"] if violation["invariant"] == invariant]
    if not check(f"{fault} is found", status == 1 and found, f"status {status}: {result['violations'][:3] or problem}"):
        return
    identifier = found[0]["id"]
    replays = [hilbench("ota", "--point", identifier) for _ in range(2)]
    check(f"{identifier} replays", replays[0].returncode == 1 and found[0]["text"] in replays[0].stdout and "power on" in replays[0].stdout,
          f"status {replays[0].returncode}: {replays[0].stdout[-300:]} {replays[0].stderr}")
    check(f"{fault}: the same point is the same every time", replays[0].stdout == replays[1].stdout, "the timelines differ")
    healthy = re.sub(re.escape(fault), "none", identifier)
    check(f"{healthy} has no violation", hilbench("ota", "--point", healthy).returncode == 0, "it has")


def check_usage():
    for words, expected in [([], "ota"), (["bus"], "ota"), (["ota", "--scenario", "updat"], "update"), (["ota", "--fault", "ota-swap-no-cop"],
                            "ota-swap-no-copy"), (["ota", "--size", "3"], "KiB"), (["ota", "--size", "3MiB"], "2MiB"), (["ota", "--jobs", "0"], "--jobs"),
                            (["ota", "--point", "zgw.update"], "id"), (["ota", "--classes", "T9"], "T9"), (["ota", "--ops", "9-3"], "9-3"),
                            (["ota", "--phases", "never"], "never"), (["ota", "--swap-entry", "16"], "15"), (["ota", "--nonsense"], "--nonsense"),
                            (["ota", "--pairs", "--random", "3"], "--random"), (["ota", "more"], "more"),
                            (["ota", "--point", "zgw.update.8k.s1.a0.orig.none.999999a"], "operation")]:
        out = [] if "--point" in words or not words or words[0] != "ota" else ["--out", os.path.join(OUT, "usage")]
        run = hilbench(*words, *out)
        check(f"refused: sweep {' '.join(words)}", run.returncode == 2 and expected in run.stderr, f"status {run.returncode}: {run.stderr}")
    taken = hilbench("ota", "--size", "8KiB", "--ops", "0", "--out", os.path.join(OUT, "update"))
    check("results of before are not overwritten", taken.returncode == 2, f"status {taken.returncode}: {taken.stderr}")


check_update()
clean("rollback", "--scenario", "rollback", "--size", "8KiB", "--phases", "before,during", "--classes", "T1,T3,T4,E1,E3")
clean("full swap block", "--size", "8KiB", "--target", "ecu", "--bank", "b", "--swap-entry", "15", "--phases", "during", "--classes", "T2,T3,E2")
clean("watchdog", "--size", "8KiB", "--reset")
clean("three cuts", "--size", "8KiB", "--random", "25")
check_planted("ota-torn-marker-trusted", 3, "--size", "8KiB", "--phases", "before,during", "--classes", "T3")
check_planted("ota-swap-old-first", 1, "--size", "8KiB", "--phases", "after")
check_planted("ota-counter-before-confirm", 4, "--size", "8KiB")
check_planted("ota-mapped-erase", 5, "--size", "8KiB", "--bank", "b")
check_usage()
finish()
