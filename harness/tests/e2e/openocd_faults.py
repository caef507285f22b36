#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The debug probe by the real OpenOCD, and what happens to it: ended, hung, no adapter, no program, another board. Each is an error of the
bench within its deadline, and the next case works."""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import ROOT, check, finish, not_ok
from _rack import HILBENCH, RIG, children, is_alive, name_of

LIMIT_S = 300
FOLDER = tempfile.TemporaryDirectory(prefix="openocd-faults-")
CASES = """\
defaults: {timeout: 150s}
cases:
- {id: f.hit, title: A, steps: [FIRST board.boot: {role: zgw, stage: rtos}, probe.identify: zgw, note: now, wait: PAUSE, HIT]}
- {id: f.next, title: B, steps: [board.boot: {role: zgw, stage: rtos}, probe.write: {role: zgw, address: 0x20000000, word: 7}, probe.read: {role: zgw, address: 0x20000000, expect: {word: 7}}]}
"""
READ = "probe.read: {role: zgw, address: 0x20000000}"
DUMP = "probe.dump: {role: zgw, address: 0x20000000, length: 64KiB, file: ram.bin}"


def wait_until(condition, within_s):
    limit = time.monotonic() + within_s
    while time.monotonic() < limit:
        if condition():
            return True
        time.sleep(0.02)
    return False


class Run:
    """One run of two cases in a directory of its own; `change` makes the rig file, `prepare` is called with the run before it starts; `pause`
    is how long the case leaves the probe alone before it uses it."""

    def __init__(self, hit, change=lambda text: text, name="r", first="", prepare=lambda run: None, pause="100ms"):
        self.out = tempfile.mkdtemp(dir=FOLDER.name)
        folder = os.path.join(self.out, name)
        os.mkdir(folder)
        with open(RIG, encoding="utf-8") as file:
            text = file.read().replace("openocd/vboard.cfg", os.path.join(ROOT, "rigs/openocd/vboard.cfg"))
        self.rig, cases = os.path.join(folder, "rig.yaml"), os.path.join(folder, "cases.yaml")
        for path, content in ((self.rig, change(text)), (cases, CASES.replace("HIT", hit).replace("FIRST ", first).replace("PAUSE", pause))):
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)
        self.run_folder = os.path.join(folder, "run")
        prepare(self)
        self.process = subprocess.Popen([HILBENCH, "run", "--rig", self.rig, "--out", self.run_folder, "--retry", "0", cases],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.text = ""

    def events(self):
        try:
            with open(os.path.join(self.run_folder, "events.jsonl"), encoding="utf-8") as file:
                return [json.loads(line) for line in file if line.endswith("\n")]
        except OSError:
            return []

    def kinds(self):
        return [event["kind"] for event in self.events()]

    def reached(self, kind, count=1):
        return wait_until(lambda: self.kinds().count(kind) >= count, 90)

    def child(self, name, argument=""):
        """The one child of that name."""
        for pid in children(self.process.pid):
            if name_of(pid) == name:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if argument.encode() in file.read():
                        return pid
        raise ValueError(f"the run has no {name}: {self.kinds()[-3:]}")

    def finish(self):
        """Cases by id: (verdict, cause, message, seconds)."""
        try:
            self.text = self.process.communicate(timeout=LIMIT_S)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.text = self.process.communicate()[0] + " (hung)"
        ended = [event["data"] for event in self.events() if event["kind"] == "case.end"]
        return {c["id"]: (c["verdict"], c.get("cause"), c.get("message") or "", c["duration_ns"] / 1e9) for c in ended}


def expect(name, run, words, within_s, verdict="error", cause="bench"):
    cases = run.finish()
    hit, then = cases.get("f.hit", ("", "", "", 0)), cases.get("f.next", ("", "", "", 0))
    good = hit[0] == verdict and hit[1] == cause and all(word in hit[2] for word in words) and hit[3] < within_s
    check(f"{name}: {verdict}, cause {cause}, that says why, in time", good, f"{hit} {run.text[-200:]}")
    return then


def expect_next(name, run, words, within_s):
    then = expect(name, run, words, within_s)
    check(f"{name}: the next case works", then[0] == "pass", then)


def ended_while_idle():
    run = Run(READ, pause="5s")
    run.reached("note")
    os.kill(run.child("openocd"), signal.SIGKILL)
    cases = run.finish()
    check("OpenOCD killed while nobody uses it is started anew", cases.get("f.hit", "?")[0] == "pass" and cases["f.next"][0] == "pass" and
          run.kinds().count("probe.connect") == 2 and run.kinds().count("probe.lost") == 1, (cases, run.kinds().count("probe.connect")))


def ended_in_a_verb():
    run = Run(DUMP, lambda text: text.replace("target: vb.mem", "target: vb.mem\n      deadline: 60s"), pause="5s")
    run.reached("note")
    openocd, adapter = run.child("openocd"), run.child("vboard", "\0zgw\0")
    os.kill(adapter, signal.SIGSTOP)  # so that the dump cannot end before the kill
    wait_until(lambda: any("probe.dump" in str(e.get("data", {}).get("name")) for e in run.events() if e["kind"] == "step.begin"), 60)
    time.sleep(0.1)
    os.kill(openocd, signal.SIGKILL)
    os.kill(adapter, signal.SIGCONT)
    expect_next("OpenOCD killed in the middle of a dump", run, ["signal 9", "zgw"], 90)
    left = os.listdir(run.run_folder)
    check("a dump that failed leaves no file", not any(name.startswith("ram.bin") for name in left), left)


def hung():
    run = Run(READ, lambda text: text.replace("target: vb.mem", "target: vb.mem\n      deadline: 10s"), pause="5s")
    run.reached("note")
    pid = run.child("openocd")
    os.kill(pid, signal.SIGSTOP)
    expect_next("OpenOCD hung", run, ["did not answer in time"], 90)
    check("the hung OpenOCD is gone", not is_alive(pid), "it lives")


def adapter_hangs():
    run = Run(READ, lambda text: text.replace("target: vb.mem", "target: vb.mem\n      deadline: 10s"), pause="5s")
    run.reached("note")
    pid = run.child("vboard", "\0zgw\0")
    os.kill(pid, signal.SIGSTOP)
    run.reached("case.end")
    os.kill(pid, signal.SIGCONT)
    then = expect("the adapter hangs", run, ["did not answer in time", "adapter"], 90)
    check("the adapter hangs: the next case works", then[0] == "pass", then)


def adapter_dies():
    run = Run(READ, pause="5s")
    run.reached("note")
    os.kill(run.child("vboard", "\0zgw\0"), signal.SIGKILL)
    expect_next("the adapter dies with its board", run, [], 90)


def wrong_identity():
    changes = {
        "IDCODE": ("idcode: 0x4ba00477", "idcode: 0x4ba00478", "its IDCODE is 0x4ba00477, not 0x4ba00478"),
        "unique id": ("0x6731048cc3c02165", "0x6731048cc3c02166", "its unique id is 0x6731048cc3c02165"),
        "slot": ("0xF0000490, value: zgw", "0xF0000490, value: zgw-2", 'it says that it is in slot "zgw", not "zgw-2"'),
    }
    for name, (right, wrong, message) in changes.items():
        run = Run("probe.write: {role: zgw, address: 0x20000000, word: 1}", lambda text, a=right, b=wrong: text.replace(a, b))
        then = expect(f"another board ({name})", run, ["another board answers", message], 90)
        check(f"another board ({name}): nothing is ever written", then[0] == "error" and "probe.write" not in run.kinds(), then)


def chip_with_another_idcode():
    """OpenOCD only logs a surprise; it is the chip that is asked."""
    run = Run(READ, lambda text: text.replace("doip.max_sockets: 4\n      doip.max_data", "debug.idcode: 0x12345677\n      doip.max_data"))
    expect("a chip with another IDCODE", run, ["its IDCODE is 0x12345677"], 90)


def plugged_into_another_board():
    """The probe's cable is at the VMG: every write for the gateway is refused, the VMG's memory stays as it was."""
    def swap(text):
        head, zgw = text.split("  zgw:\n", 1)
        return head + "  zgw:\n" + zgw.replace('jtag: "${jtag}"', f'jtag: "{swap.path}"', 1)
    swap.path = ""
    for name, more, words in (("", "board.boot: {role: vmg, stage: rtos}, ", "another board answers"), (" without power", "", "plugged into another one")):
        with tempfile.TemporaryDirectory() as folder:
            swap.path = os.path.join(folder, "jtag")
            run = Run(READ, swap, first=more, prepare=lambda run: os.symlink(os.path.join(run.run_folder, "jtag-vmg.sock"), swap.path))
            then = expect(f"a probe that is plugged into another board{name}", run, [words], 90)
            check(f"a probe that is plugged into another board{name}: nothing is written", then[0] == "error" and "probe.write" not in run.kinds(), then)


def missing():
    run = Run(READ, lambda text: text.replace('jtag: "${jtag}"', "jtag: /nonexistent/socket"))
    expect("no adapter", run, ["ended with status 1", "openocd-zgw.log"], 90)
    refused_start("no program", lambda text: text.replace("driver: openocd", "driver: openocd\n      program: /nonexistent/openocd"),
                  "there is no program /nonexistent/openocd")
    run = Run(READ, lambda text: text.replace("target: vb.mem", "target: vb.memory"))
    expect("no such target", run, ['no target "vb.memory", but: vb.mem'], 90)
    refused_start("no such configuration", lambda text: text.replace(os.path.join(ROOT, "rigs/openocd/vboard.cfg"), "no-such.cfg"),
                  "there is no configuration no-such.cfg")


def refused_start(name, change, words):
    """Known before anything starts, with its place in the rig file: by the run, and by the check."""
    run = Run(READ, change)
    run.finish()
    place = re.escape(run.rig) + r":\d+:\d+: .*" + re.escape(words)
    check(f"{name}: a run is refused", run.process.returncode == 2 and re.search(place, run.text) and "case.begin" not in run.kinds(), run.text)
    done = subprocess.run([HILBENCH, "check", "--rig", run.rig, os.path.join(os.path.dirname(run.rig), "cases.yaml")], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    check(f"{name}: the check tells", done.returncode == 2 and re.search(place, done.stdout), done.stdout)
    done = subprocess.run([HILBENCH, "rig", "--rig", run.rig, "check", "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    probes = [r for r in json.loads(done.stdout)["resources"] if r["kind"] == "probe"]
    check(f"{name}: rig check calls it bad", done.returncode == 1 and all(p["state"] == "bad" and p["remedy"] for p in probes) and probes, probes)


FAKE = """#!/bin/sh
echo "Info : Listening on port {port} for tcl connections" >&2
exec sleep 60
"""


def another_server(name, answer, words, deadline="30s"):
    """What listens there is no OpenOCD, or one without an adapter."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        try:
            connection = listener.accept()[0]
            with connection:
                while connection.recv(65536):
                    connection.sendall(answer)
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "openocd")
        with open(program, "w", encoding="utf-8") as file:
            file.write(FAKE.format(port=listener.getsockname()[1]))
        os.chmod(program, 0o755)
        run = Run(READ, lambda text: text.replace("driver: openocd", f"driver: openocd\n      deadline: {deadline}\n      program: {program}"))
        expect(f"a server that answers {name}", run, words, 90)
    listener.close()


SCRIPTED = """#!/usr/bin/python3
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(f"Info : Listening on port {listener.getsockname()[1]} for tcl connections", file=sys.stderr, flush=True)
connection = listener.accept()[0]
rest = b""
while part := connection.recv(65536):
    rest += part
    while b"\\x1a" in rest:
        command, rest = rest.split(b"\\x1a", 1)
        answer = "0 =1" if b"was_examined" in command else "0 0x4ba00477" if b"rig_idcode" in command else "0 "
        if WORD in command:
            print(LOG, file=sys.stderr, flush=True)
            answer = ANSWER
        connection.sendall(answer.encode() + b"\\x1a")
"""


def scripted(name, word, log, answer, hit, words, verdict="fail", cause="dut"):
    """An OpenOCD that words an error as the real one does when it is in luck, or on other chips."""
    with tempfile.TemporaryDirectory() as folder:
        program, image = os.path.join(folder, "openocd"), os.path.join(folder, "image.bin")
        with open(program, "w", encoding="utf-8") as file:
            file.write(SCRIPTED.replace("WORD", repr(word.encode())).replace("LOG", repr(log)).replace("ANSWER", repr(answer)))
        os.chmod(program, 0o755)
        with open(image, "wb") as file:
            file.write(bytes(8192))
        run = Run(hit.replace("IMAGE", image), lambda text: re.sub(r"\n *(unique_id|slot): .*", "", text)
                  .replace("driver: openocd", f"driver: openocd\n      program: {program}"))
        expect(name, run, words, 40, verdict=verdict, cause=cause)


def refused_in_other_words():
    load = "probe.load: {role: zgw, address: 0x20000000, file: IMAGE}"
    compare = "probe.compare: {role: zgw, address: 0x20000000, file: IMAGE}"
    hidden = "Error: JTAG-DP STICKY ERROR\nError: Failed to write memory and, additionally, failed to find out where"
    scripted("a refused load that does not know where", "load_image", hidden, "-107 ", load, ["refuses", "20000000h"])
    scripted("a refused load of which only the access port tells", "load_image", "Error: JTAG-DP STICKY ERROR", "-107 ", load, ["refuses", "20000000h"])
    scripted("a refused dump", "dump_image", "Error: JTAG-DP STICKY ERROR\nError: Failed to read memory at 0x20000400", "-107 ", compare, ["refuses", "20000400h"])
    command = 'probe.command: {role: zgw, command: "rig_flash_write 0xA0000000 {1}"}'
    scripted("a refused command that says where", "capture", "", "1 refused: the flash at 0xA0000000: protected", command, ["refuses", "A0000000h"])
    scripted("a refused flash by OpenOCD's own driver", "capture", "Error: failed erasing sectors 0 to 1", "1 ", command, ["refuses", "failed erasing"])
    scripted("an adapter that is lost in a load", "load_image", "Error: Failed to write memory and, additionally, failed to find out where", "-107 ", load,
             ["lost its adapter"], "error", "bench")


def hostile_names():
    """No text of a user is ever read as Tcl or by a shell."""
    with tempfile.TemporaryDirectory() as folder:
        mark = os.path.join(folder, "mark")
        evil = f"[exec touch {mark}] $x {{ \\\"'; exec touch {mark}; #"
        file = f"a {evil.replace('/', '_')}.bin"
        hit = "probe.dump: " + json.dumps({"role": "zgw", "address": 0x20000000, "length": "16B", "file": file})

        def change(text):
            """One adapter is that of one role."""
            before, name, behind = text.partition("\n  zgw:\n")
            return before + name + behind.replace("driver: openocd", "driver: openocd\n      adapter_serial: " + json.dumps(evil), 1)

        run = Run(hit, lambda text: change(text).replace('{jtag: "${jtag}"}', "{jtag: \"${jtag}\", other: " + json.dumps(evil.replace("$", "")) + "}"), name="a [b] {c} $d")
        cases = run.finish()
        check("names with blanks, brackets, braces and commands in them are only names",
              cases.get("f.hit", "?")[0] == "pass" and cases["f.next"][0] == "pass" and not os.path.exists(mark) and
              os.path.getsize(os.path.join(run.run_folder, file)) == 16, (cases, run.text[-300:]))


def without_power():
    run = Run("board.power_off: zgw, " + READ)
    then = expect("a board without power", run, ["has no power", "20000000h"], 40, verdict="fail", cause="dut")
    check("a board without power: the next case works", then[0] == "pass", then)


def refused_access():
    run = Run("probe.read: {role: zgw, address: 0x30000000}")
    then = expect("an address where nothing is", run, ["refuses an access at 30000000h"], 40, verdict="fail", cause="dut")
    check("an address where nothing is: the next case works", then[0] == "pass", then)


def runner_killed():
    run = Run(READ, pause="50s")
    run.reached("note")
    pid = run.child("openocd")
    run.process.kill()
    run.process.communicate()
    check("OpenOCD dies with the runner", pid and wait_until(lambda: not is_alive(pid), 60), pid)


def main():
    for scenario in (ended_while_idle, ended_in_a_verb, hung, adapter_hangs, adapter_dies, wrong_identity, chip_with_another_idcode,
                     plugged_into_another_board, missing, hostile_names, without_power, refused_access, refused_in_other_words, runner_killed):
        try:
            scenario()
        except (OSError, KeyError, subprocess.SubprocessError, ValueError) as problem:
            not_ok(scenario.__name__, repr(problem))
    another_server("nothing", b"\x1a", ["lost its adapter"])
    another_server("nonsense", b"HTTP/1.1 400 Bad Request\r\n\x1a", ["lost its adapter"])
    another_server("without end", b"0 " + b"x" * 100, ["did not answer in time"], deadline="4s")
    FOLDER.cleanup()
    finish()


if __name__ == "__main__":
    main()
