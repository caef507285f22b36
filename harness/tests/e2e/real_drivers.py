#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Drivers for real instruments around virtual boards: a simulated SCPI supply, consoles by pty, a reset by command. Cases run through
them end to end; then the instruments misbehave, and the harness has to say so, in time, and work again."""
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import ROOT, check, finish
from _rack import CASES, HILBENCH, RIG
from _real_bench import RealBench

RUN_LIMIT_S = 150
# Those that need nothing but the three boards.
FOLDERS = [os.path.join(CASES, name) for name in ("doip", "uds", "tls")]
READY = "- {{id: {0}, title: {0}, setup: [{{rack.ready: {{roles: [vmg], within: {1}}}}}], steps: [{{note: x}}]}}\n"


class Run:
    """One run of hilbench: status, said, cases (id -> result), events, seconds."""

    def __init__(self, bench, text=None, selection=(), paths=(), meanwhile=None, busy=False):
        bench.supply.wait_client(busy)  # that of the run before is gone
        with tempfile.TemporaryDirectory() as out:
            paths = list(paths)
            if text:
                paths.append(os.path.join(out, "case.yaml"))
                with open(paths[-1], "w", encoding="utf-8") as file:
                    file.write(text)
            words = [HILBENCH, "run", "--rig", bench.rig, "--out", os.path.join(out, "run")]
            for pattern in selection:
                words += ["--case", pattern]
            begin = time.monotonic()
            process = subprocess.Popen(words + paths, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            self.directory = os.path.join(out, "run")
            if meanwhile:
                threading.Thread(target=meanwhile, args=(self,), daemon=True).start()
            try:
                self.said = process.communicate(timeout=RUN_LIMIT_S)[0]
            except subprocess.TimeoutExpired:
                process.kill()
                self.said = process.communicate()[0] + " (hung)"
            self.seconds = time.monotonic() - begin
            self.status = process.returncode
            self.events = self.read_events()
            self.cases = {}
            if os.path.exists(os.path.join(self.directory, "results.json")):
                with open(os.path.join(self.directory, "results.json"), encoding="utf-8") as file:
                    self.cases = {case["id"]: case for case in json.load(file)["cases"]}
            self.reports = read_reports(self.directory)
            self.consoles = {}
            for role in bench.names:
                log = os.path.join(self.directory, f"console-{role}.log")
                if os.path.exists(log):
                    with open(log, "rb") as file:
                        self.consoles[role] = file.read()

    def read_events(self):
        try:
            with open(os.path.join(self.directory, "events.jsonl"), encoding="utf-8") as file:
                return [json.loads(line) for line in file if line.endswith("\n")]
        except OSError:
            return []

    def of(self, kind, channel=None):
        return [event for event in self.events if event["kind"] == kind and channel in (None, event["ch"])]

    def case(self, name):
        case = self.cases.get(name, {})
        return (case.get("verdict"), case.get("cause")), case.get("message") or ""

    def wait_event(self, kind, name=None, within_s=60):
        limit = time.monotonic() + within_s
        while time.monotonic() < limit:
            if any(event["kind"] == kind and name in (None, event.get("data", {}).get("name")) for event in self.read_events()):
                return True
            time.sleep(0.05)
        return False


def cases_through_instruments(bench):
    run = Run(bench, selection=["doip.activation.default*", "uds.*", "tls.handshake.*"], paths=FOLDERS)
    check("cases run through real drivers", run.status == 0 and len(run.cases) >= 8, run.said)
    check("what the supply was told is in the journal", {"voltage_mv": 12000, "current_limit_ma": 2000} in [e.get("data") for e in run.of("supply.set", "board:zgw")], "no supply.set")
    check("the supply is switched off at the end", not any(channel.on for channel in bench.supply.channels), "still on")
    check("the console's log is what the board printed", b"@boot stage=server" in run.consoles.get("zgw", b""), run.consoles.keys())
    first = {}
    for event in run.events:
        if event["ch"] == "board:zgw" and event["kind"] in ("power.on", "boot.stage"):
            first.setdefault(event["kind"], event["n"])
    check("power on comes before the first stage", first.get("power.on", 9) < first.get("boot.stage", 0), first)


def steps_of_power(bench):
    text = """
- id: power
  title: the steps of power
  timeout: 120s
  setup: [{rack.ready: {}}]
  steps:
    - power.measure: {role: zgw, expect: {voltage_mv: {in_range: [11900, 12100]}, current_ma: 350}, save: {ma: current_ma}}
    - power.set: {role: zgw, voltage: 9.5V, current_limit: 1500mA}
    - power.measure: {role: zgw, expect: {voltage_mv: 9500}}
    - power.profile: {role: zgw, levels: [{voltage: 6V, ramp: 1s, hold: 100ms}, {voltage: 0V, hold: 20ms}]}
    - power.measure: {role: zgw, expect: {voltage_mv: 12000}}
    - power.cycle: {role: zgw, off_for: 50ms, below: 1V}
    - board.boot: {role: zgw, within: 30s}
    - board.reset: zgw
    - console.expect: {role: zgw, matches: "^@boot stage=ssw .*boot=", within: 30s}
    - board.boot: {role: zgw, within: 30s}
    - board.hold: ecu
    - board.release: ecu
    - board.boot: {role: ecu, within: 30s}
    - console.send: {role: zgw, text: status}
- {id: after, title: after, setup: [{rack.ready: {}}], steps: [{power.measure: {role: zgw, expect: {voltage_mv: 12000, current_ma: {at_least: 300}}}}]}
- {id: bad, title: bad, setup: [{rack.ready: {}}], steps: [{board.param: {role: zgw, name: doip.max_sockets, value: 1}}]}
- {id: high, title: high, setup: [{rack.ready: {}}], steps: [{power.set: {role: zgw, voltage: 60V}}]}
- {id: last, title: last, setup: [{rack.ready: {}}], steps: [{note: x}]}
"""
    run = Run(bench, text)
    check("steps of power", run.case("power")[0][0] == "pass", run.said)
    check("the next case has the nominal voltage", run.case("after")[0][0] == "pass", run.said)
    check("a board of its own settings takes no parameter", run.case("bad")[0] == ("error", "testcase"), run.case("bad"))
    check("what the supply refuses is told with its words", run.case("high")[0] == ("error", "bench") and "-222" in run.case("high")[1] and "VOLT 60.000" in run.case("high")[1], run.case("high"))
    check("after a refusal the next case works", run.case("last")[0][0] == "pass", run.said)
    levels = [event["data"].get("voltage_mv") for event in run.of("supply.set", "board:zgw")]
    check("levels of a profile are in the journal", "9500 6000 0 12000" in " ".join(str(level) for level in levels), levels)
    ramp = [float(message.split()[1]) for message in bench.supply.heard if message.startswith("VOLT ")]
    down = [volts for volts in ramp if 6 < volts < 9.5]
    check("a ramp has steps between", len(down) >= 3 and down == sorted(down, reverse=True), ramp[:60])
    check("a reset by command reaches the board", bench.boards["zgw"].resets >= 1, bench.boards["zgw"].resets)


def measured_into_the_timeline(folder):
    with RealBench(folder, dialect="list", number=232, measure_every="20ms") as bench:
        run = Run(bench, READY.format("a", "30s").replace("{note: x}", "{repeat: {times: 10, steps: [{wait.event: {event: supply.measure, role: vmg, since: now, within: 30s}}]}}"))
        samples = [event["data"] for event in run.of("supply.measure", "board:vmg")]
        check("list dialect: a case runs", run.status == 0, run.said)
        check("list dialect: channels are in lists", "OUTP ON,(@1)" in bench.supply.heard and not any("NSEL" in message for message in bench.supply.heard), bench.supply.heard[:20])
        check("measured into the timeline", len([s for s in samples if s == {"voltage_mv": 12000, "current_ma": 350}]) >= 8, f"{len(samples)}: {samples[:5]}")

        def trip(run):
            run.wait_event("step.begin", "wait")
            bench.supply.trip_now(1)

        run = Run(bench, READY.format("a", "30s").replace("note: x", "wait: 5s") + READY.format("b", "30s"), meanwhile=trip)
        check("a protection that trips in the middle is the bench's", run.status == 3 and run.of("supply.trip", "board:vmg") and
              re.search(r"error +a .*\n.*did its protection trip.*cause: bench", run.said), run.said)
        check("after a trip the case is repeated, and the next one works", all(run.case(name)[0][0] == "pass" for name in "ab"), run.said)
        gone_while_measured(bench)


def gone_while_measured(bench):
    """Later than any answer of it: whoever measures sees it, and the boards cannot be switched off at the end."""
    def pull(run):
        run.wait_event("supply.measure")
        bench.supply.cut_for = lambda message: True

    run = Run(bench, READY.format("a", "15s").replace("note: x", "wait: 60s"), meanwhile=pull)
    notes = [event["data"]["text"] for event in run.of("note", "board:vmg")]
    check("a supply that is unplugged in the middle is in the journal", any("gives no measurement any more" in text and bench.supply.address in text for text in notes), notes)
    check("a supply that is unplugged in the middle is the bench's", run.status == 3 and run.seconds < 45 and re.search(
        r"error +a .*\n.*board vmg: no measurement for .* s: power supply .*cause: bench", run.said), run.said)
    check("a board that cannot be switched off at the end is told", re.search(
        r"^hilbench: vmg: the power could not be switched off at the end: power supply .*; the board may still have power$", run.said, re.M) and
        bench.supply.channels[0].on, run.said)
    left_on_in_reports("a board that cannot be switched off", run.reports, run.said)
    bench.supply.heal()
    run = Run(bench, READY.format("a", "10s"))
    check("a supply that was plugged in again", run.status == 0 and not bench.supply.channels[0].on, run.said)


def read_reports(directory):
    texts = {}
    for name in ("results.json", "junit.xml", "report.html"):
        try:
            with open(os.path.join(directory, name), encoding="utf-8") as file:
                texts[name] = file.read()
        except OSError as error:
            texts[name] = str(error)
    return texts


def left_on_in_reports(name, texts, said):
    """The run's error in every report, beside the verdicts of its cases."""
    for file, text in texts.items():
        check(f"{name} is in {file}", re.search(
            r"(vmg: the power could not be switched off at the end: |the power could not be switched off at the end: vmg: )[^\n<]*; the board may still have power", text), said)
    check(f"{name} is an error of the run in results.json", re.search(r'"at_end": *true', texts["results.json"]), texts["results.json"][:2000])
    check(f"{name} is a testcase of its own in junit.xml", re.search(
        r'<testcase name="run".*?<error message="[^"]*may still have power', texts["junit.xml"], re.S), texts["junit.xml"][:2000])


def hilbench(bench, *words, lines="", change=("", "")):
    """At a rack that says it is real, as one at which somebody switches by hand; with a change of its rig file."""
    path = bench.rig + ".hand"
    with open(bench.rig, encoding="utf-8") as file:
        text = re.sub(r"^virtual: true.*\n", "", file.read(), flags=re.M)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(*change))
    return subprocess.run([HILBENCH, *words[:1], "--rig", path, *words[1:]], input=lines, capture_output=True, text=True, timeout=RUN_LIMIT_S)


def by_hand(bench):
    """Every board of this bench has `off_at_end: true`."""
    vmg = bench.supply.channels[0]
    done = hilbench(bench, "rig", "power", "vmg", "on")
    check("switched on by hand it stays on", done.returncode == 0 and "vmg is on: 12.000 V" in done.stdout and vmg.on, done)
    bench.supply.unit_for = lambda message: "MEAS" in message
    done = hilbench(bench, "rig", "power", "vmg", "status")
    bench.supply.heal()
    check("a wrong unit is an error of rig power status", done.returncode == 3 and "which is not in V" in done.stderr, done)
    with tempfile.TemporaryDirectory() as out:
        done = hilbench(bench, "shell", "--out", os.path.join(out, "kept"), "--leave-powered", lines="board.power_on vmg\n")
        check("--leave-powered wins over off_at_end", done.returncode == 0 and "left as they are" in done.stdout and vmg.on, done)
        done = hilbench(bench, "shell", "--out", os.path.join(out, "off"), lines="board.power_on vmg\n")
        check("without it the shell switches off", done.returncode == 0 and not vmg.on, done)
        bench.supply.refuses = lambda message: message == "OUTP OFF" and vmg.on
        done = hilbench(bench, "shell", "--out", os.path.join(out, "stuck"), lines="board.power_on vmg\n")
        bench.supply.refuses = None
        check("a shell that cannot switch off says so", done.returncode == 3 and vmg.on and
              re.search(r"^hilbench: .*could not be switched off at the end.*vmg: .*refuses \"OUTP OFF\"", done.stderr, re.M), done)
        left_on_in_reports("a board that a shell cannot switch off", read_reports(os.path.join(out, "stuck")), done)
    done = hilbench(bench, "rig", "power", "vmg", "off")
    check("switched off by hand", done.returncode == 0 and not vmg.on, done)


def channel_that_is_not_there(bench):
    """The channel that is selected meanwhile is another board's."""
    vmg, role, wrong = bench.supply.channels[0], bench.names[2], ("channel: 3", "channel: 9")
    hilbench(bench, "rig", "power", "vmg", "on")
    for verb in ("off", "status", "on"):
        heard = len(bench.supply.heard)
        done = hilbench(bench, "rig", "power", role, verb, change=wrong)
        check(f"rig power {verb} with a channel that the supply does not have", done.returncode == 3 and 'refuses "INST:NSEL 9": -224' in done.stderr, done)
        strange = [message for message in bench.supply.heard[heard:] if message.startswith(("OUTP", "VOLT", "CURR", "MEAS"))]
        check(f"rig power {verb}: the other board's channel hears nothing", vmg.on and not strange, strange)
    done = hilbench(bench, "rig", "check", change=wrong)
    check("rig check tells it", done.returncode != 0 and re.search(rf'bad +supply +{role} .*\n.*refuses "INST:NSEL 9"', done.stdout), done)
    hilbench(bench, "rig", "power", "vmg", "off")


def fault(bench, name, pattern, limit_s):
    """A run with a faulty instrument, then one with a healthy one."""
    run = Run(bench, READY.format("a", "30s"))
    (verdict, message) = run.case("a")
    said = message + run.said
    check(f"{name}: the bench's error, named", verdict in (("error", "bench"), ("skipped", None)) and run.status == 3 and re.search(pattern, said), said)
    check(f"{name}: in time", run.seconds < limit_s, f"{run.seconds:.1f} s")
    bench.supply.heal()
    run = Run(bench, READY.format("a", "30s"))
    check(f"{name}: the next run works", run.status == 0, run.said)


def faults_of_the_supply(bench):
    supply = bench.supply
    supply.slow_s, supply.slow_for = 600, lambda message: "MEAS" in message
    fault(bench, "slow answer", r'no answer to "INST:NSEL 1;:MEAS:VOLT', 120)
    supply.unit_for = lambda message: "MEAS" in message
    fault(bench, "wrong unit", r'answers "MEAS:VOLT\?" with ".* OHM", which is not in V', 90)
    supply.garbage_for = lambda message: "OPC" in message
    fault(bench, "garbage", r'answers "\*OPC\?" with what is no text: "\\xff', 90)
    supply.cut_for = lambda message: "MEAS" in message
    fault(bench, "disconnect in the middle of an answer", r"closed the connection in the middle of the answer", 90)
    supply.trip = True
    fault(bench, "protection that trips at once", r"output switched itself off", 90)
    identity, supply.identity = supply.identity, "OTHER,THING,1,1"
    run = Run(bench, READY.format("a", "30s"))
    supply.identity = identity
    check("another instrument at the address", run.status == 3 and 'it is "OTHER,THING,1,1", not a "SIM4040"' in run.said, run.said)
    supply.channels[0].load = lambda volts: 50.0
    run = Run(bench, READY.format("a", "30s"))
    supply.channels[0].load = lambda volts: 0.35
    check("a short circuit is told with the limit", run.status == 3 and "current limit of 2.000 A holds it down" in run.said, run.said)


def second_client(bench):
    import socket
    host, port = bench.supply.address.split(":")
    with socket.create_connection((host, int(port))):
        run = Run(bench, READY.format("a", "30s"), busy=True)
        check("a supply that somebody else holds", run.status == 3 and "is another program connected" in run.said and run.seconds < 60, f"{run.seconds:.1f} s {run.said}")
    run = Run(bench, READY.format("a", "30s"))
    check("a supply that is free again", run.status == 0, run.said)


def consoles(bench):
    console = bench.boards["vmg"].console
    noise = random.Random(7)
    console.scramble = lambda data: bytes(noise.randrange(256) for _ in range(max(1, len(data) // 2)))
    run = Run(bench, READY.format("a", "2500ms"))
    console.scramble = None
    check("a wrong baud rate is the bench's, with a hint", run.case("a")[0] == ("error", "bench") and "is its baud rate another one" in run.case("a")[1], run.case("a"))

    def unplug(run):
        run.wait_event("step.begin", "wait")
        console.unplug()

    run = Run(bench, READY.format("a", "30s").replace("note: x", "wait: 20s") + READY.format("b", "30s"), meanwhile=unplug)
    check("a console that is unplugged in the middle", run.case("a")[0] == ("error", "bench") and "tty-vmg" in run.case("a")[1], run.case("a"))
    check("the next case says why it has no console", run.case("b")[0] == ("error", "bench") and "is it plugged in" in run.case("b")[1], run.case("b"))
    console.plug()
    run = Run(bench, READY.format("a", "30s"))
    check("plugged in again, the next run works", run.status == 0, run.said)


def wrong_rig_files(folder):
    """Each mistake in the parts of a board is found by `hilbench check --rig`, with its place."""
    with open(RIG, encoding="utf-8") as file:
        virtual = file.read()
    role = "    driver: board\n    address: 127.0.0.1\n    power: {%s}\n    console: {%s}\n%s"
    good = ("driver: scpi, address: \"127.0.0.1:5025\", voltage: 12V, current_limit: 2A", "driver: tcp, address: \"127.0.0.1:7001\"", "")
    head = "name: t\ntester: {address: 127.0.0.1, logical_address: 0x0e80}\nroles:\n  zgw:\n"
    wrong = {
        "no unit": ((good[0].replace("12V", "12"), good[1], ""), r":7:\d+: `voltage` must be"),
        "wrong unit": ((good[0].replace("2A", "2V"), good[1], ""), r":7:\d+: `current_limit` must be a current"),
        "unknown driver": (("driver: spci", good[1], ""), r':7:\d+: unknown driver "spci".*scpi'),
        "key of another driver": ((good[0] + ", chip: x", good[1], ""), r":7:\d+: driver scpi has no `chip`"),
        "no address": (("driver: scpi", good[1], ""), r"lacks `address`"),
        "no device": ((good[0], "driver: serial", ""), r":8:\d+: console: driver serial lacks `device`"),
        "program without path": (("driver: command, on: [relay, on], off: [/bin/false]", good[1], ""), r"must be a program with its path"),
        "reset line of no port": ((good[0], good[1], "    reset: {driver: serial, line: dtr}\n"), r"needs a `console` with driver serial"),
        "no console": (("driver: gpio, chip: gpiochip9, line: 3", None, ""), r"lacks `console`"),
        "parameter": ((good[0], good[1], "    params: {a: 1}\n"), r"`params` is for virtual boards"),
    }
    path = os.path.join(folder, "wrong.yaml")
    for name, (parts, pattern) in wrong.items():
        text = head + role % parts if parts[1] else head + f"    driver: board\n    address: 127.0.0.1\n    power: {{{parts[0]}}}\n"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run([HILBENCH, "check", "--rig", path], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        check(f"rig file: {name}", done.returncode == 2 and re.search(re.escape(path), done.stdout) and re.search(pattern, done.stdout), f"{done.returncode}: {done.stdout}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(virtual.replace("    driver: vboard\n", "    driver: vboard\n    power: {driver: command, on: [/bin/true], off: [/bin/true]}\n", 1))
    done = subprocess.run([HILBENCH, "check", "--rig", path], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    check("rig file: power of a virtual board", done.returncode == 2 and "driver board, not vboard" in done.stdout, done.stdout)


def shipped_rig_file():
    path = os.path.join(ROOT, "rigs/tc375-rack.yaml")
    done = subprocess.run([HILBENCH, "check", "--rig", path, *FOLDERS, os.path.join(CASES, "boot"), os.path.join(CASES, "can")], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    check("the shipped rig file of a real rack is right", done.returncode == 0, done.stdout)
    with tempfile.TemporaryDirectory() as out:
        begin = time.monotonic()
        done = subprocess.run([HILBENCH, "run", "--rig", path, "--out", os.path.join(out, "run"), "--case", "doip.activation.default*", *FOLDERS],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=150, check=False)
        check("with nothing connected a run ends with the bench's error", done.returncode == 3 and time.monotonic() - begin < 100, f"{done.returncode}: {done.stdout}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        wrong_rig_files(folder)
        shipped_rig_file()
        with RealBench(folder) as bench:
            cases_through_instruments(bench)
            steps_of_power(bench)
            by_hand(bench)
            channel_that_is_not_there(bench)
            faults_of_the_supply(bench)
            second_client(bench)
            consoles(bench)
    with tempfile.TemporaryDirectory() as folder:
        measured_into_the_timeline(folder)
    finish()


main()
