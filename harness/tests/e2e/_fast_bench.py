#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Stands in for hilbench where a lab is tested for load: a run that writes journal events at a given rate. `rate=N seconds=S size=B` stand in the title of the case; with
`until=FILE` it does not end before that file is there."""
import json
import os
import re
import sys
import time

PLAN = re.compile(r'rate=(\d+) seconds=([\d.]+) size=(\d+)(?: until=([^\s"]+))?')
HOLD_S = 300  # for whoever forgot the file


def event(number, kind, data, channel="run"):
    return json.dumps({"n": number, "t": time.monotonic_ns(), "clock": "user", "u": 1000, "ch": channel, "kind": kind, "data": data},
                      separators=(",", ":")) + "\n"


def run(arguments):
    out = arguments[arguments.index("--out") + 1]
    with open([a for a in arguments if a.endswith(".yaml") and os.path.isfile(a)][-1], encoding="utf-8") as file:
        rate, seconds, size, until = PLAN.search(file.read()).groups()
    rate, total = int(rate), int(int(rate) * float(seconds))
    os.makedirs(out, exist_ok=True)
    filler = "0" * int(size)
    with open(os.path.join(out, "events.jsonl"), "w", encoding="ascii") as journal:
        journal.write(event(1, "run.begin", {"version": "0", "utc": "2026-01-01T00:00:00Z", "realtime_offset_ns": time.time_ns() - time.monotonic_ns(), "rig": "fast",
                                             "rig_file": "fast.yaml", "virtual": True, "seed": 1, "arguments": [], "host": "h", "repeat": 1,
                                             "stop_at_failure": False, "cases": [{"id": "load", "title": "load", "file": "a.yaml", "line": 1}]}))
        journal.write(event(2, "case.begin", {"id": "load", "title": "load", "file": "a.yaml", "line": 1, "attempt": 1, "of": 1, "index": 1}, "case"))
        number, begin = 2, time.monotonic()
        while number < total + 2:
            due = min(total + 2, 2 + int((time.monotonic() - begin) * rate))
            lines = []
            while number < due:
                number += 1
                lines.append(event(number, "can.rx", {"id": 256, "data": filler}, "can:can0"))
            journal.write("".join(lines))
            journal.flush()
            time.sleep(0.005)
        limit = time.monotonic() + HOLD_S
        while until and not os.path.exists(until) and time.monotonic() < limit:
            time.sleep(0.05)
        journal.write(event(number + 1, "case.end", {"id": "load", "attempt": 1, "verdict": "pass", "cause": "", "duration_ns": 1}, "case"))
        journal.write(event(number + 2, "run.end", {"status": 0, "interrupted": False, "clock_moved_ns": 0}))
    with open(os.path.join(out, "results.json"), "w", encoding="ascii") as file:
        json.dump({"format": 1, "run": {"version": "0", "host": "h", "rig": "fast", "rig_file": "fast.yaml", "virtual": True, "seed": 1, "arguments": [],
                                        "started": "2026-01-01T00:00:00.000Z", "ended": "2026-01-01T00:00:01.000Z", "duration_ns": 1, "status": 0, "complete": True,
                                        "interrupted": False, "journal_cut": False, "planned_cases": 1},
                   "verdict": "pass", "counts": {"total": 1, "pass": 1, "skipped": 0, "inconclusive": 0, "fail": 0, "error": 0, "flaky": 0},
                   "cases": [{"id": "load", "title": "load", "file": "a.yaml", "line": 1, "verifies": [], "tags": [], "params": {}, "verdict": "pass",
                              "duration_ns": 1, "attempts": [{"attempt": 1, "complete": True, "verdict": "pass", "duration_ns": 1}]}], "measurements": []}, file)
    return 0


def main():
    arguments = sys.argv[1:]
    if arguments and arguments[0] == "run":
        return run(arguments)
    if "--json" in arguments:
        print('{"ok": true, "items": []}')
    if arguments and arguments[0] == "report" and "--merge" in arguments:
        out = arguments[arguments.index("--merge") + 1]
        os.makedirs(out, exist_ok=True)
        for name in ("results.json", "junit.xml", "report.html"):
            with open(os.path.join(out, name), "w", encoding="ascii") as file:
                file.write("{}")
    return 0


sys.exit(main())
