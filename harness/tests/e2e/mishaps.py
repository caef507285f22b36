#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A run that something happens to: a board's silicon killed, the runner interrupted or killed, a full disk, a bad rig file, five racks at once."""
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import check, finish
from _rack import HILBENCH, RIG, arguments_of, children, command, is_alive, name_of, results_of, run_rack, start_rack

QUICK = ["doip.activation.default*", "doip.udp.power-mode"]
LONG = ["doip.timers.*"]


def wait_until(condition, within_s):
    limit = time.monotonic() + within_s
    while time.monotonic() < limit:
        if condition():
            return True
        time.sleep(0.02)
    return False


def events_of(out):
    """Whole lines of the journal, parsed; raises if one is damaged."""
    path = os.path.join(out, "run", "events.jsonl")
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        text = file.read()
    return [json.loads(line) for line in text.splitlines()]


def begun(out, kind):
    path = os.path.join(out, "run", "events.jsonl")
    try:
        with open(path, encoding="utf-8") as file:
            return f'"{kind}"' in file.read()
    except OSError:
        return False


def waits_in_a_step(out):
    """The step behind the note has begun."""
    path = os.path.join(out, "run", "events.jsonl")
    try:
        with open(path, encoding="utf-8") as file:
            kinds = [json.loads(line)["kind"] for line in file if line.endswith("\n")]
    except OSError:
        return False
    return "note" in kinds and "step.begin" in kinds[kinds.index("note") :]


def nothing_left(pids):
    return wait_until(lambda: not any(is_alive(pid) for pid in pids), 60)


def next_run_works(name):
    with tempfile.TemporaryDirectory() as out:
        status, results = run_rack(out, QUICK)
        check(f"{name}: the next run works", status == 0 and results, f"status {status}")


def killed_vboard():
    with tempfile.TemporaryDirectory() as out:
        run = start_rack(out, LONG)
        wait_until(lambda: begun(out, "tcp.opened"), 60)
        below = children(run.pid)
        victims = [pid for pid in below if name_of(pid) == "vboard" and "zgw" in arguments_of(pid)]
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        run.communicate(timeout=300)
        results = results_of(out) or {"cases": []}
        attempts = [attempt for case in results["cases"] for attempt in case["attempts"]]
        bench = [a for a in attempts if a["verdict"] == "error" and a.get("cause") == "bench"]
        check("a killed vboard is an error, cause bench, and never a failure of the product",
              victims and bench and not any(a["verdict"] == "fail" for a in attempts), [(a["verdict"], a.get("cause"), a.get("message")) for a in attempts])
        check("a killed vboard leaves nothing behind", nothing_left(below), [name_of(p) for p in below if is_alive(p)])


WAITING_CASES = """\
defaults: {timeout: 150s}
cases:
- {id: e.absent, title: A, steps: [rack.ready: , tester.connect: {role: zgw}, doip.activate: , note: now, doip.absent: 40s]}
- {id: e.expect, title: B, steps: [rack.ready: , tester.connect: {role: zgw}, doip.activate: , note: now, doip.expect: {type: announcement, within: 40s}]}
- {id: e.request, title: C, steps: [rack.ready: , tester.connect: {role: zgw}, doip.activate: , note: now, {uds.request: {role: zgw, data: "3e 80", silent: true, margin: 40s}}]}
- {id: e.open, title: D, steps: [rack.ready: , tester.connect: {role: zgw}, doip.activate: , note: now, tester.expect_open: {for: 40s}]}
"""


def killed_while_a_step_waits(board):
    """Whatever a step waits for: the death of a board's silicon is the bench's error."""
    with tempfile.TemporaryDirectory() as out:
        path = os.path.join(out, "cases.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(WAITING_CASES)
        for case in ("e.absent", "e.expect", "e.request", "e.open"):
            own = os.path.join(out, case)
            os.mkdir(own)
            line = command(own, [case], paths=(path,)) + ["--retry", "0"]
            run = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            wait_until(lambda: waits_in_a_step(own), 60)
            time.sleep(0.3)  # from the begin of the step to its wait; it waits much longer
            for pid in children(run.pid):
                if name_of(pid) == "vboard" and board in arguments_of(pid):
                    os.kill(pid, signal.SIGKILL)
            text = run.communicate(timeout=300)[0]
            check(f"a vboard ({board}) killed during {case} is a bench error", run.returncode == 3, f"status {run.returncode}: {text[-200:]}")


def stopped_vbus():
    """A bus that stands still must not pass for a bus on which nobody sends."""
    with tempfile.TemporaryDirectory() as out:
        path = os.path.join(out, "cases.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("- {id: e.still, title: S, requires: [can], timeout: 150s, steps: [rack.ready: , note: now, can.absent: {id: 0x7aa, for: 60s, since: now}]}\n")
        line = command(out, ["e.still"], paths=(path,)) + ["--retry", "0"]
        run = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wait_until(lambda: waits_in_a_step(out), 60)
        time.sleep(1.5)  # so that the bus may have given a sign of life; the step waits much longer
        for pid in children(run.pid):
            if name_of(pid) == "vbus":
                os.kill(pid, signal.SIGSTOP)
        text = run.communicate(timeout=300)[0]
        check("a bus that stands still is a bench error", run.returncode == 3, f"status {run.returncode}: {text[-200:]}")


def killed_vboard_for_good():
    """Every vboard of the zgw is killed as soon as it is seen: no retry can mend that."""
    with tempfile.TemporaryDirectory() as out:
        run = start_rack(out, QUICK)
        while run.poll() is None:
            for pid in children(run.pid):
                if name_of(pid) == "vboard" and "zgw" in arguments_of(pid):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        run.communicate()
        check("a rack that cannot be had ends with status 3", run.returncode == 3, f"status {run.returncode}")


def interrupted(number, name, status):
    with tempfile.TemporaryDirectory() as out:
        run = start_rack(out, LONG)
        wait_until(lambda: begun(out, "tcp.opened"), 60)
        below = children(run.pid)
        run.send_signal(number)
        run.communicate(timeout=300)
        events = events_of(out)
        junit = os.path.join(out, "run", "junit.xml")
        check(f"{name}: status {status}", run.returncode == status, f"status {run.returncode}")
        check(f"{name}: the journal ends with run.end", events and events[-1]["kind"] == "run.end", events[-1:])
        check(f"{name}: reports are written", os.path.exists(junit) and xml.parse(junit).getroot() is not None and results_of(out), "")
        check(f"{name}: no process is left", nothing_left(below), [name_of(p) for p in below if is_alive(p)])


def killed_runner():
    with tempfile.TemporaryDirectory() as out:
        run = start_rack(out, LONG)
        wait_until(lambda: begun(out, "tcp.opened"), 60)
        below = children(run.pid)
        run.kill()
        run.wait()
        check("a killed runner leaves no process", below and nothing_left(below), [name_of(p) for p in below if is_alive(p)])
        check("a killed runner leaves whole journal lines", len(events_of(out)) > 3, "")
        again = subprocess.run([HILBENCH, "report", os.path.join(out, "run")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        check("reports can be made from what a killed runner left", results_of(out) is not None, again.stdout)
    next_run_works("a killed runner")


def full_disk():
    """A limit on the size of files stands for the full disk: writes fail in the middle of the journal."""
    with tempfile.TemporaryDirectory() as out:
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        run = subprocess.Popen(command(out, ["doip.header.*"]), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=limit)
        text = run.communicate(timeout=300)[0]
        events = events_of(out)
        check("a full disk ends the run as a bench error", run.returncode == 3, f"status {run.returncode}: {text[-300:]}")
        check("a full disk leaves a whole journal", [e["n"] for e in events] == list(range(1, len(events) + 1)), "")
        check("a full disk is named", re.search("(?i)no space|file too large|full|write", text), text[-300:])


def bad_rigs():
    with open(RIG, encoding="utf-8") as file:
        rig = file.read()
    damages = {
        "unknown key": (rig.replace("roles:", "rolls:", 1), 2, r":\d+:\d+: .*(rolls|roles)"),
        "missing program": (rig.replace("application: zgw", "application: zgw-that-is-not", 1), (2, 3), "zgw-that-is-not"),
        "broken YAML": (rig + "\n  - [", 2, r":\d+:\d+: "),
        "duplicate key": (rig + "\nname: twice\n", 2, r":\d+:\d+: .*name"),
    }
    for name, (text, status, pattern) in damages.items():
        with tempfile.TemporaryDirectory() as out:
            path = os.path.join(out, "rig.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            done = subprocess.run(command(out, QUICK, rig=path), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            right = done.returncode in (status if isinstance(status, tuple) else (status,)) and re.search(pattern, done.stdout)
            check(f"rig file with {name}: clear error", right, f"status {done.returncode}: {done.stdout[-300:]}")


def bad_cases():
    head = "- id: a.b\n  title: T\n  steps:\n"
    wrong = {
        "misspelt key": (head + "    - tester.connect: {role: zgw, transprot: tls}\n", r":4:\d+: .*transprot.*transport"),
        "wrong unit": (head + "    - wait: 5min5\n", r":4:\d+: "),
        "missing unit": (head + "    - wait: 50\n", r":4:\d+: .*ms"),
        "duplicate key": ("- id: a.b\n  title: T\n  title: U\n  steps: []\n", r":3:\d+: .*title"),
        "undefined variable": (head + "    - tester.connect: {role: \"${rolle}\"}\n", r":4:\d+: .*rolle"),
        "unknown step": (head + "    - doip.activat: {}\n", r":4:\d+: .*doip\.activate"),
    }
    for name, (text, pattern) in wrong.items():
        with tempfile.TemporaryDirectory() as work:
            path = os.path.join(work, "case.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            done = subprocess.run([HILBENCH, "check", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            check(f"check finds {name}", done.returncode == 2 and re.search(re.escape(path) + pattern, done.stdout), f"status {done.returncode}: {done.stdout}")


def side_by_side():
    with tempfile.TemporaryDirectory() as work:
        outs = [os.path.join(work, str(n)) for n in range(5)]
        for out in outs:
            os.mkdir(out)
        runs = [start_rack(out, QUICK) for out in outs]
        texts = [run.communicate(timeout=300)[0] for run in runs]
        check("five racks run side by side", all(run.returncode == 0 for run in runs), [(r.returncode, t[-200:]) for r, t in zip(runs, texts) if r.returncode])


def run_text(text, *more, rig=RIG):
    """Runs cases given as text: (status, what was said, results, root of junit.xml)."""
    with tempfile.TemporaryDirectory() as out:
        path = os.path.join(out, "case.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run(command(out, rig=rig, paths=list(more) + [path]), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=300, check=False)
        junit = os.path.join(out, "run", "junit.xml")
        size = sum(entry.stat().st_size for entry in os.scandir(os.path.join(out, "run"))) if os.path.isdir(os.path.join(out, "run")) else 0
        return done.returncode, done.stdout, results_of(out), xml.parse(junit).getroot() if os.path.exists(junit) else None, size


READY = "- {{id: {0}, title: {0}, setup: [{{rack.ready: {{within: {1}}}}}], steps: [{{note: x}}]}}\n"


def dead_board():
    """The third case does not wait for a board that failed the first two; one that powers it does."""
    ready = READY.replace("rack.ready: {{", "rack.ready: {{roles: [zgw], ")
    text = ready.format("a", "1500ms") + ready.format("b", "1500ms") + ready.format("c", "30s")
    text += "- {id: d, title: d, steps: [{board.power_off: zgw}, {rack.ready: {roles: [zgw], within: 700ms}}]}\n" + ready.format("e", "30s")
    status, said, results, _, _ = run_text(text, "--param", "zgw:fault=no-boot")
    cases = {case["id"]: case for case in (results or {"cases": []})["cases"]}
    check("firmware that does not boot is a failure of the product", status == 1 and len(cases) == 5 and
          all((case["verdict"], case.get("cause")) == ("fail", "dut") for case in cases.values()), said)
    check("a dead board is given up", all(cases[name]["duration_ns"] < 25 * 10**9 and "since case a; not tried again" in cases[name]["message"] for name in "ce"), said)
    check("a dead board that a case powers is tried again", "not tried again" not in cases["d"]["message"], said)
    check("a dead board is named at the end", re.search(r"Board zgw was given up \d+\.\d+ s after the begin, since case a", said), said)


def flooding_console():
    status, said, _, _, size = run_text("- {id: a, title: a, setup: [{rack.ready: {}}], steps: [{wait: 3s}]}\n", "--param", "zgw:fault=console-flood")
    check("a flooding console hides no boot", status == 0, said)
    check("a flooding console leaves a small run", 0 < size < 12_000_000, f"{size} bytes")


def run_that_cannot_start():
    with socket.create_server(("127.0.0.1", 0)) as used, tempfile.TemporaryDirectory() as work:
        with open(RIG, encoding="utf-8") as file:
            rig = file.read()
        port = used.getsockname()[1]
        damages = {
            "missing program": (rig.replace("application: zgw", "application: zgw-that-is-not", 1), "zgw-that-is-not"),
            "used port": (re.sub(r'plain: .*', f'plain: "127.0.0.1:{port}"', rig, count=1), f"127.0.0.1:{port}"),
        }
        for name, (text, word) in damages.items():
            path = os.path.join(work, "rig.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            _, said, results, junit, _ = run_text(READY.format("a", "1s"), rig=path)
            errors = [case.find("error") for case in junit.iter("testcase") if case.get("name") == "run"] if junit is not None else []
            check(f"junit.xml says why a run could not start: {name}", errors and errors[0].get("type") == "infrastructure" and word in errors[0].get("message"), said)
            check(f"results.json says why a run could not start: {name}", results and word in results["run"]["error"]["message"], said)


def selection_and_repeat():
    cases = READY.format("a", "60s") + "- {id: b, title: b, steps: [{wait.event: {event: power.off, role: vmg, within: 100ms}}]}\n" + READY.format("c", "60s")
    status, said, results, junit, _ = run_text(cases, "--stop-at-failure")
    skipped = [case.get("name") for case in junit.iter("testcase") if case.find("skipped") is not None] if junit is not None else []
    check("a run may stop at a failure", status == 1 and results and results["run"]["complete"], said)
    check("a case that was not begun is a skipped one", skipped == ["c"], skipped)
    status, said, results, _, _ = run_text(READY.format("a", "60s"), "--repeat", "2")
    check("a repeated run is whole", status == 0 and "were begun" not in said and results["run"]["begun_cases"] == 2, said)
    check("--repeat 0 is refused", run_text(READY.format("a", "60s"), "--repeat", "0")[0] == 2, "")
    with tempfile.TemporaryDirectory() as out:
        os.mkdir(os.path.join(out, "run"))
        with open(os.path.join(out, "run", "junit.xml"), "w", encoding="utf-8") as file:
            file.write("<mine/>")
        status, _ = run_rack(out, QUICK)
        check("results of another run are not written over", status == 2 and os.listdir(os.path.join(out, "run")) == ["junit.xml"], f"status {status}")


killed_vboard()
killed_while_a_step_waits("vmg")
killed_while_a_step_waits("zgw")
stopped_vbus()
killed_vboard_for_good()
dead_board()
flooding_console()
run_that_cannot_start()
selection_and_repeat()
interrupted(signal.SIGINT, "SIGINT", 130)
interrupted(signal.SIGTERM, "SIGTERM", 130)
killed_runner()
full_disk()
bad_rigs()
bad_cases()
side_by_side()
finish()
