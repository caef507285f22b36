#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The bench's own part of a CAN bus: a node of ours that is bus-off or a bus that hangs is the bench's error, an identifier that
two send is the test case's, one offset turns the journal's stamps into those of can.log, and nothing of a killed watcher stays."""
import glob
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import check, finish
from _rack import HILBENCH, RIG, children, command, name_of, results_of

OFF = """    - rack.ready:
    - secoc.pdu: {id: 0x110, layout: profile1, data_id: 0x0101, authentic_bytes: 4, last: 5}
    - can.error: {action: short}
    - can.send: {id: 0x6f0, data: "11", within: 300ms, expect: {sent: 0}}
    - poll: {within: 20s, every: 20ms, steps: [{can.status: {expect: {state: bus-off}}}]}
"""
SHARED = """    - rack.ready:
    - secoc.pdu: {id: 0x101, layout: demo}
    - secoc.sweep: {id: 0x101, mode: forgeries, count: 20000}
"""
SHORT = """    - rack.ready:
    - can.absent: {id: 0x7aa, for: 20s}
"""
CASES = [  # name, steps, cause, message
    ("absent", OFF + "    - can.absent: {id: 0x7aa, for: 100ms}\n", "bench", "bench's own node on can:can0 is bus-off"),
    ("expect", OFF + "    - can.expect: {id: 0x7aa, within: 100ms}\n", "bench", "bench's own node on can:can0 is bus-off"),
    ("monitor", OFF + "    - can.monitor: {for: 100ms, expect: {frames: 0}}\n", "bench", "bench's own node on can:can0 is bus-off"),
    ("silent", OFF + '    - isotp.request: {data: "3e 00", silent: true}\n', "bench", "bench's own node on can:can0 is bus-off"),
    ("request", OFF + '    - isotp.request: {data: "3e 00", expect: {result: N_TIMEOUT_A}}\n', "bench", "bench's own node on can:can0 is bus-off"),
    ("receive", OFF + "    - isotp.receive: {within: 100ms, silent: true}\n", "bench", "bench's own node on can:can0 is bus-off"),
    ("uds", OFF + "    - secoc.read: {id: 0x110}\n", "bench", "bench's own node on can:can0 is bus-off"),
    ("ignored", OFF + '    - secoc.send: {id: 0x110, data: "01", verdict: ignored}\n', "bench", "bus-off"),
    ("recovered", OFF + "    - can.restore:\n    - wait: 100ms\n    - can.absent: {id: 0x7aa, for: 100ms, since: case}\n", "bench", "bus-off meanwhile"),
    ("shared", SHARED, "testcase", "secoc.send_ms"),
    ("late", SHORT, "testcase", "the time of the case was over"),
]


def deaf_bench():
    with tempfile.TemporaryDirectory() as out:
        path = os.path.join(out, "cases.yaml")
        with open(path, "w", encoding="utf-8") as file:
            for name, steps, _, _ in CASES:
                file.write(f"- id: b.{name}\n  title: T\n  requires: [can, virtual]\n  timeout: {'6s' if name == 'late' else '60s'}\n  steps:\n{steps}")
        run = subprocess.run(command(out, paths=(path,)) + ["--retry", "0"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             timeout=400, check=False)
        results = results_of(out)
        cases = {case["id"]: case for case in results["cases"]} if results else {}
        for name, _, cause, message in CASES:
            case = cases.get(f"b.{name}", {})
            right = case.get("verdict") == "error" and case.get("cause") == cause and message in case.get("message", "")
            check(f"{name}: an error of the {cause}", right, f"{case.get('verdict')} {case.get('cause')}: {case.get('message')} {run.stderr[-200:]}")
        swept = results["sweeps"][0] if results and results.get("sweeps") else {}
        check("a sweep that broke off tells what it counted", swept.get("complete") is False and swept.get("virtual") is True, swept)
        stamps(os.path.join(out, "run"))


def stamps(run):
    frames, log, offset = [], [], 0
    with open(os.path.join(run, "events.jsonl"), encoding="utf-8") as file:
        for line in file:
            event = json.loads(line)
            if event["kind"] == "run.begin":
                offset = event["data"]["realtime_offset_ns"]
            if event["kind"] in ("can.rx", "can.tx"):
                frames.append(event["t"] + offset)
    with open(os.path.join(run, "can.log"), encoding="utf-8") as file:
        for line in file:
            whole, part = re.match(r"\((\d+)\.(\d{9})\) ", line).groups()
            log.append(int(whole) * 10**9 + int(part))
    check(f"can.log has the journal's stamps, all {len(log)} to the nanosecond", len(log) > 100 and log == frames, f"{len(log)} and {len(frames)}")


def hanging_bus():
    """Stopped as soon as it is there: it never tells its load."""
    with tempfile.TemporaryDirectory() as out:
        path = os.path.join(out, "cases.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("- {id: b.hangs, title: T, requires: [can], timeout: 150s, steps: [can.absent: {id: 0x7aa, for: 100s, since: now}]}\n")
        run = subprocess.Popen(command(out, paths=(path,)) + ["--retry", "0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
        begin, stopped = time.monotonic(), False
        while not stopped and time.monotonic() < begin + 60:
            journal = os.path.join(out, "run", "events.jsonl")
            if os.path.exists(journal) and '"case.begin"' in open(journal, encoding="utf-8").read():
                for pid in children(run.pid):
                    if name_of(pid) == "vbus":
                        os.kill(pid, signal.SIGSTOP)
                        stopped = True
            time.sleep(0.01)
        begin = time.monotonic()
        text = run.communicate(timeout=200)[0]
        took = time.monotonic() - begin
        check("a bus that hangs is a bench error, long before the step ends", run.returncode == 3 and took < 60, f"status {run.returncode}, {took:.1f} s: {text[-200:]}")


def folders(watcher):
    """Those of one process: other scripts use rigs meanwhile."""
    return set(glob.glob(f"/tmp/hilbench-rig-{watcher.pid}-*"))


def killed_watcher():
    """What it leaves behind is for the next one to remove, whoever that is."""
    watcher = subprocess.Popen([HILBENCH, "rig", "--rig", RIG, "can", "--watch"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    watcher.stdout.readline()
    left = folders(watcher)
    living = subprocess.run([HILBENCH, "rig", "--rig", RIG, "can"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    check("a watcher's folder stays while it lives", living.returncode == 0 and len(left) == 1 and left == folders(watcher), f"{living.stdout} {living.stderr} {left}")
    watcher.kill()
    watcher.wait()
    watcher.stdout.close()
    again = subprocess.run([HILBENCH, "rig", "--rig", RIG, "can"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    check("the next start removes what a killed one left", again.returncode == 0 and not folders(watcher), f"{again.stdout}{again.stderr} {folders(watcher)}")


deaf_bench()
hanging_bus()
killed_watcher()
finish()
