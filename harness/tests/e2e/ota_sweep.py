#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Updates cut at every operation: small ones without a violation, a planted defect found and replayed by its id (ota_planted.py has all), bad usage."""
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import BIN, OUT, check, finish

HILBENCH = os.path.join(BIN, "hilbench")
CLASSES = {"T0", "T1", "T2", "T3", "T4", "E0", "E1", "E2", "E3"}


def hilbench(*arguments, limit_s=400):
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


def load(*names):
    with open(os.path.join(*names), encoding="utf-8") as file:
        return json.load(file)


def read(*names):
    with open(os.path.join(*names), encoding="utf-8") as file:
        return file.read()


def check_unfinished():
    directory = os.path.join(OUT, "unfinished")
    run = hilbench("ota", "--size", "256KiB", "--limit-time", "1s", "--out", directory)
    check("a sweep that was not finished has status 4", run.returncode == 4, f"status {run.returncode}: {run.stderr}")
    check("it says so", "NOT FINISHED" in run.stdout and "inconclusive" in run.stdout and "pass" not in run.stdout, run.stdout)
    results = load(directory, "results.json")
    check("results.json: inconclusive", results["verdict"] == "inconclusive" and results["run"]["status"] == 4
          and not results["run"]["ota_sweep"]["done"]["complete"], results["run"])
    errors = [error.get("type") for error in ElementTree.parse(os.path.join(directory, "junit.xml")).getroot().iter("error")]
    check("junit.xml: errors of type inconclusive", errors and set(errors) == {"inconclusive"}, errors)
    page = read(directory, "report.html")
    check("report.html: inconclusive, not finished", "inconclusive" in page and "not finished" in page, "it does not say so")


def check_reports():
    directory = os.path.join(OUT, "reports")
    begin = time.monotonic()
    run = hilbench("ota", "--size", "8KiB", "--ops", "100-140", "--fault", "ota-torn-marker-trusted", "--seed", "5", "--out", directory)
    took_s = time.monotonic() - begin
    results, sweep_json, page = load(directory, "results.json"), load(directory, "sweep.json"), read(directory, "report.html")
    told = results["run"]["ota_sweep"]
    cases = results["cases"]
    check("the rig of a sweep is sweep", results["run"]["rig"] == "sweep", results["run"]["rig"])
    check("reports tell the options", told["options"]["fault"] == "ota-torn-marker-trusted" and told["options"]["seed"] == 5
          and told["options"]["size"] == 8192 and told["options"]["policy"] == "orig", told["options"])
    end = dict(sweep_json["end"])
    del end["kind"]
    check("reports tell the counts of sweep.json", told["done"] == end and end["states"] > 0, f"{told['done']} {end}")
    total_s = sum(case["duration_ns"] for case in cases) / 1e9
    run_s = results["run"]["duration_ns"] / 1e9
    check("durations are real", all(case["duration_ns"] > 0 for case in cases if case["verdict"] == "pass")
          and 0.05 * end["seconds"] < total_s < 1.5 * end["seconds"] and 0.9 * end["seconds"] < run_s < took_s + 1, f"{total_s} {run_s} {took_s} of {end['seconds']}")
    check("report.html speaks of a sweep, not of a rack", "A sweep in virtual time" in page and "TLS are real" not in page
          and "done.states" in page and "ota-torn-marker-trusted" in page, "it does not")
    properties = {item.get("name"): item.get("value") for item in
                  ElementTree.parse(os.path.join(directory, "junit.xml")).getroot().find("testsuite").find("properties")}
    check("junit.xml has the figures", properties.get("done.points") == str(end["points"]) and properties.get("done.classes.T3") ==
          str(end["classes"]["T3"]) and properties.get("options.size") == "8192", properties)
    check("a verdict at the end", ("verdict     fail" in run.stdout) == (run.returncode == 1), run.stdout)


def check_selection():
    """What would cut nothing is refused, and nothing stays behind."""
    directory = os.path.join(OUT, "selection")
    for words, expected in [("--ops 100000", "0 to 164"), ("--ops 140-100000", "0 to 164"), ("--ops 4294967296", "is no operation"),
                            ("--ops 99999999999999999999", "is no operation"), ("--ops 0,-1", "is no operation"), ("--ops 5-2", "ends before"),
                            ("--phases during --classes E0 --ops 100-110", "nothing would be cut: 11 programs"),
                            ("--random 3 --phases during --classes E0 --ops 100-110", "nothing would be cut"), ("--classes T9", "E0 to E3"),
                            ("--classes T1,", "E0 to E3"), ("--phases before,foo", "before, during, after"), ("--target foo", "zgw, ecu"),
                            ("--scenario foo", "update, rollback, confirm, resume"), ("--fault late-announcement", "ota-swap-no-copy"),
                            ("--fault ota-signature-ignored", "rack"), ("--fault ota-target-ignored", "rack")]:
        run = hilbench("ota", "--size", "8KiB", "--out", directory, *words.split())
        check(f"refused: {words}", run.returncode == 2 and expected in run.stderr and not run.stdout and not os.path.exists(directory),
              f"status {run.returncode}: {run.stdout} {run.stderr}")
    for cuts, expected in [("5bT1", "12dT3x1"), ("99999b", "0 to 164"), ("5dE1x1", "E classes")]:
        run = hilbench("ota", "--point", f"zgw.update.8k.s1.a0.orig.none.{cuts}")
        check(f"refused: point {cuts}", run.returncode == 2 and expected in run.stderr and not run.stdout, f"{run.stdout!r} {run.stderr}")


def check_random():
    directory = os.path.join(OUT, "triples")
    run = hilbench("ota", "--size", "8KiB", "--random", "3", "--ops", "20-60", "--out", directory)
    end = load(directory, "sweep.json")["end"]
    check("three triples: as many operations as were cut", run.returncode == 0 and end["operations"] <= 3 and end["triples"] == 3
          and f"{end['operations']} of 165 cut first, in 3 of 3 triples" in run.stdout and f"cuts        {end['points']}:" in run.stdout, run.stdout)


def check_output():
    place = os.path.join(OUT, "a-file")
    with open(place, "w", encoding="utf-8"):
        pass
    for out in [place, os.path.join(place, "below")]:
        run = hilbench("ota", "--size", "8KiB", "--ops", "0", "--out", out)
        check(f"--out {os.path.basename(out)}: found before anything runs", run.returncode == 3 and out in run.stderr and not run.stdout,
              f"status {run.returncode}: {run.stdout} {run.stderr}")


def folders(base):
    return [name for name in os.listdir(base) if name.startswith("hilbench-sweep")]


def limited(kib, base, *arguments):
    """With files of at most so many KiB; Python ignores SIGXFSZ and so would what it starts."""
    def prepare():
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (kib * 1024, kib * 1024))
    return subprocess.run([HILBENCH, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=300,
                          env={**os.environ, "TMPDIR": base}, preexec_fn=prepare)


def check_limits():
    base = os.path.join(OUT, "temporary")
    os.makedirs(base)
    run = limited(40, base, "sweep", "ota", "--out", os.path.join(OUT, "limited"))
    check("images that cannot be written: status 3, nothing stays", run.returncode == 3 and "older.swpg" in run.stderr and not folders(base),
          f"status {run.returncode}: {run.stderr} {folders(base)}")
    run = limited(9, base, "sweep", "ota", "--size", "8KiB", "--ops", "0-3", "--out", os.path.join(OUT, "limited-reports"))
    check("reports that cannot be written: status 3, no results", run.returncode == 3 and "limited-reports" in run.stderr and
          "results " not in run.stdout and not folders(base), f"status {run.returncode}: {run.stdout} {run.stderr} {folders(base)}")


def check_killed():
    base = os.path.join(OUT, "killed")
    os.makedirs(base)
    environment = {**os.environ, "TMPDIR": base}
    with subprocess.Popen([HILBENCH, "sweep", "ota", "--out", os.path.join(OUT, "killed-out")], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=environment) as run:
        begin = time.monotonic()
        while not (folders(base) and os.path.exists(os.path.join(OUT, "killed-out"))) and time.monotonic() < begin + 90:
            time.sleep(0.05)
        run.kill()
    check("a killed sweep leaves its folder", len(folders(base)) == 1, folders(base))
    stranger = os.path.join(base, "hilbench-sweep-mine")
    os.mkdir(stranger)
    subprocess.run([HILBENCH, "sweep", "ota", "--size", "8KiB", "--ops", "0", "--out", os.path.join(OUT, "after-kill")], check=False, timeout=300,
                   stdout=subprocess.DEVNULL, env=environment)
    check("the next sweep removes it, and nothing else", folders(base) == ["hilbench-sweep-mine"], folders(base))


check_update()
check_unfinished()
check_reports()
check_selection()
check_random()
check_output()
check_limits()
check_killed()
clean("rollback", "--scenario", "rollback", "--size", "8KiB", "--phases", "before,during", "--classes", "T1,T3,T4,E1,E3")
clean("full swap block", "--size", "8KiB", "--target", "ecu", "--bank", "b", "--swap-entry", "15", "--phases", "during", "--classes", "T2,T3,E2")
clean("watchdog", "--size", "8KiB", "--reset")
clean("three cuts", "--size", "8KiB", "--random", "25")
check_planted("ota-torn-marker-trusted", 3, "--size", "8KiB", "--phases", "before,during", "--classes", "T3")
check_usage()
finish()
