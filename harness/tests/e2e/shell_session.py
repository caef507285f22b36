# SPDX-License-Identifier: Apache-2.0
"""`hilbench shell` through a pseudo-terminal and a pipe: a day at the board, completion, Ctrl-C, breaks, saving."""
import fcntl
import json
import os
import pty
import pwd
import re
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _e2e import BIN, OUT, ROOT, check, finish, not_ok  # noqa: E402
from _rack import children  # noqa: E402

HILBENCH = os.path.join(BIN, "hilbench")
RIG = os.path.join(ROOT, "rigs/virtual.yaml")
STATE = os.path.join(OUT, "state")
ENVIRONMENT = dict(os.environ, XDG_STATE_HOME=STATE, TERM="xterm")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-B0-2]|\x1b[=>]|[\x07\r]")
PROMPT = r"(?:hilbench|[\w.-]+ (?:(?:\d+/\d+|\d+\.[\w.\[\]]+)(?: failed)?|end))> $"
LONG_S = 120

CASES = """\
cases:
  - id: shell.breaks
    title: Its second check is wrong on purpose
    timeout: 150s
    setup:
      - rack.ready:
    steps:
      - tester.connect: {role: zgw}
      - doip.activate: {expect: {code: 0x11}}
      - uds.request: {role: zgw, data: "22 f1 90", save: {vin: response}}
    always:
      - note: "put back"
  - id: shell.passes
    title: Nothing is wrong here
    steps:
      - wait: 10ms
"""


class Terminal:
    """A program on a pseudo-terminal of 100 columns."""

    def __init__(self, *arguments):
        self.process, self.fd = pty.fork()
        if self.process == 0:
            try:
                os.chdir(ROOT)
                os.execve(HILBENCH, [HILBENCH, *arguments], ENVIRONMENT)
            finally:
                os._exit(127)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        self.raw = ""
        self.seen = 0

    def send(self, text):
        os.write(self.fd, text.encode())

    def _read(self, within_s):
        if not select.select([self.fd], [], [], within_s)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.raw += data.decode("utf-8", "replace")
        return bool(data)

    @property
    def text(self):
        return ESCAPES.sub("", self.raw)

    def expect(self, pattern, within_s=LONG_S):
        """Waits for the pattern behind what was expected before; returns the text up to its end."""
        limit = time.monotonic() + within_s
        while True:
            found = re.compile(pattern, re.M).search(self.text, self.seen)
            if found:
                passed = self.text[self.seen:found.end()]
                self.seen = found.end()
                return passed
            left = limit - time.monotonic()
            if left <= 0 or (not self._read(min(left, 0.5)) and self._ended()):
                raise AssertionError(f"no {pattern!r} in {self.text[self.seen:][-400:]!r}")

    def _ended(self):
        return os.waitid(os.P_PID, self.process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def command(self, line, pattern=None, within_s=LONG_S):
        """Types a line and waits for the pattern (behind the echo) and the next prompt."""
        self.send(line + "\n")
        self.expect(re.escape(line.strip().splitlines()[-1].strip()[-20:]))
        text = self.expect(pattern, within_s) if pattern else ""
        return text + self.expect(PROMPT, within_s)

    def end(self):
        """Reads to the end: the exit status."""
        limit = time.monotonic() + LONG_S
        while time.monotonic() < limit and not self._ended():
            self._read(0.2)
        while self._read(0.1):
            pass
        if not self._ended():
            os.kill(self.process, signal.SIGKILL)
        status = os.waitpid(self.process, 0)[1]
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def tried(name, action):
    """Runs a scenario; what it missed is its failure."""
    try:
        action()
    except (AssertionError, OSError, ValueError, subprocess.TimeoutExpired) as error:
        not_ok(name, error)
    else:
        check(name, True, "")


def shell(out, *arguments):
    terminal = Terminal("shell", "--rig", RIG, "--out", os.path.join(OUT, out), *arguments)
    terminal.expect(PROMPT)
    return terminal


def events(out):
    with open(os.path.join(OUT, out, "events.jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def must(condition, what):
    if not condition:
        raise AssertionError(what)


def case_file():
    path = os.path.join(OUT, "breaks.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(CASES)
    return path


def a_day():
    """Power, boot, activation, the VIN; a case that fails, a look, on; all of it becomes a case."""
    saved = os.path.join(OUT, "a-day.yaml")
    terminal = shell("day")
    terminal.command("boards", r"zgw +off")
    terminal.command("board.power_on zgw", r"ok  board.power_on")
    terminal.command("rack.ready", r"ok  rack.ready")
    terminal.command("boards", r"zgw +on .*ready")
    terminal.command("tester.connect role: zgw", r"ok  tester.connect")
    terminal.command("doip.activate source: 0x0e80 expect: {code: 0x10}", r"ok  doip.activate")
    terminal.command("set did = f1 90")
    terminal.command("uds.request role: zgw data: 22 ${did} save: {vin: response}", r"vin = 62 f1 90")
    terminal.command("results", r"response: 62 f1 90")
    terminal.command("note \"VIN ${vin}\"", r"ok  note")
    terminal.command("- repeat:\n    times: 2\n    steps:\n      - wait: 5ms\n", r"ok  repeat")
    terminal.command("doip.activate expect: {code: 0x11}", r"typed:\d+:24: code: expected 0x11, got 0x10")
    terminal.command("save " + saved, "saved in")
    terminal.command("load " + case_file() + " shell.breaks", r"at  1 ")
    terminal.command("until tester.connect", r"at  2 ")
    terminal.command("continue", r"breaks.yaml:9:34: code: expected 0x11, got 0x10")
    terminal.command("boards", r"zgw +on")
    terminal.command("uds.request role: zgw data: 3e 00", r"response: 7e 00")
    terminal.command("continue", r"shell.breaks: fail")
    terminal.send("quit\n")
    must(terminal.end() == 1, "a case failed, so the status is 1")
    kinds = [e["data"]["name"] for e in events("day") if e["kind"] == "step.begin"]
    must(kinds.count("uds.request") == 3 and kinds.count("note") == 2, f"the journal has {kinds}")
    must([e for e in events("day") if e["kind"] == "run.end"], "the journal has no end")
    must(os.path.exists(os.path.join(OUT, "day/report.html")), "there is no report")
    done = subprocess.run([HILBENCH, "check", "--rig", RIG, saved], capture_output=True, text=True, timeout=240, cwd=ROOT)
    must(done.returncode == 0, "check: " + done.stdout + done.stderr)
    done = subprocess.run([HILBENCH, "run", "--rig", RIG, "--out", os.path.join(OUT, "day-again"), saved], capture_output=True, text=True,
                          timeout=240, cwd=ROOT, stdin=subprocess.DEVNULL)
    must(done.returncode == 0, "the saved case: " + done.stdout + done.stderr)


def completes():
    terminal = shell("complete")
    terminal.send("tester.con\t")
    terminal.expect("tester.connect ")
    terminal.send("ro\t zg\t trans\t pl\t source: 0x0\x01")
    terminal.expect("role: +zgw +transport: +plain")
    terminal.send("\x03")
    terminal.expect(PROMPT)
    terminal.send("board.\t\t")
    terminal.expect(r"board.power_on")
    terminal.send("\x03")
    terminal.expect(PROMPT)
    terminal.command("set answer = 42")
    terminal.send("note \"${ans\t\"\n")
    terminal.expect("ok  note")
    terminal.expect(PROMPT)
    terminal.send("\x04")
    must(terminal.end() == 0, "Ctrl-D ends a clean session with 0")
    texts = [e["data"].get("text") for e in events("complete") if e["kind"] == "note"]
    must("42" in texts, f"notes {texts}")


def interrupts():
    terminal = shell("interrupt")
    terminal.send("wait 100s\n")
    waits_for(lambda: began("interrupt", "wait"), "the step does not begin")
    begin = time.monotonic()
    terminal.send("\x03")
    terminal.expect("interrupted")
    terminal.expect(PROMPT)
    must(time.monotonic() - begin < 30, "Ctrl-C took too long")
    terminal.send("garbage that is given up")
    terminal.expect("given up")
    terminal.send("\x03")
    terminal.expect(PROMPT)
    terminal.command("wait 10ms", "ok  wait")
    terminal.send("quit\n")
    must(terminal.end() == 0, "an interrupted step is no failure")


def keeps_the_line():
    """What happens meanwhile is printed above the line, which stays."""
    terminal = shell("watch")
    terminal.command("watch console zgw", "watched: console zgw")
    terminal.command("board.param role: zgw name: boot.ssw_ms value: 2000", "ok  board.param")
    terminal.command("board.power_on zgw", "ok  board.power_on")
    terminal.send("note \"half a ")
    terminal.expect("half a ")
    terminal.expect("console.line")
    terminal.expect("half a ")
    terminal.expect("stage=server")
    terminal.expect("half a ")
    terminal.send("line\"\n")
    terminal.expect("ok  note")
    terminal.command("unwatch")
    terminal.command("events 5 power", "power.on")
    terminal.send("quit\n")
    terminal.end()
    texts = [e["data"].get("text") for e in events("watch") if e["kind"] == "note"]
    must("half a line" in texts, f"notes {texts}")


def remembers():
    path = os.path.join(STATE, "hilbench/history")
    terminal = shell("history")
    terminal.command("note \"to be kept\"", "ok  note")
    terminal.command(" note \"not to be kept\"", "ok  note")
    terminal.send("\x10")
    terminal.expect("to be kept")
    terminal.send("\x03")
    terminal.expect(PROMPT)
    terminal.send("quit\n")
    terminal.end()
    with open(path, encoding="utf-8") as file:
        text = file.read()
    texts = [e["data"].get("text", "") for e in events("history") if e["kind"] == "step.begin"]
    must(any("to be kept" in t for t in texts) and not any("not to" in t for t in texts), f"the journal has {texts}")
    texts = [e["data"]["text"] for e in events("history") if e["kind"] == "note"]
    must("to be kept" in texts and not any("not to" in t for t in texts), f"the notes are {texts}")
    must("to\\040be\\040kept" in text or "to be kept" in text, "the history lacks a line")
    must("not\\040to" not in text and "not to" not in text, "the history has a line that begins with a blank")
    must(stat.S_IMODE(os.stat(path).st_mode) == 0o600, "others may read the history")


def breaks_a_run():
    out = os.path.join(OUT, "run-break")
    terminal = Terminal("run", "--rig", RIG, "--out", out, "--break-on-failure", case_file())
    terminal.expect("step 3 of 4 failed")
    terminal.expect("expected: code: 0x11")
    terminal.expect(PROMPT)
    terminal.command("uds.request role: zgw data: 22 f1 90", "response: 62 f1 90")
    terminal.command("load x", "belongs to `hilbench shell`")
    terminal.command("list", r"!.* 3 ")
    terminal.send("continue\n")
    terminal.expect(r"pass +shell.passes")
    must(terminal.end() == 1, "what failed stays failed")
    verdicts = {e["data"]["id"]: e["data"]["verdict"] for e in events("run-break") if e["kind"] == "case.end"}
    must(verdicts == {"shell.breaks": "fail", "shell.passes": "pass"}, verdicts)
    terminal = Terminal("run", "--rig", RIG, "--out", out + "2", "--break-on-failure", case_file())
    terminal.expect("step 3 of 4 failed")
    terminal.expect(PROMPT)
    terminal.send("quit\n")
    must(terminal.end() == 130, "who quits has interrupted the run")
    notes = [e["data"].get("text") for e in events("run-break2") if e["kind"] == "note"]
    must("put back" in notes, "`always` did not run")
    done = subprocess.run([HILBENCH, "run", "--break-on-failure", case_file()], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT)
    must(done.returncode == 2 and "terminal" in done.stderr, "without a terminal it is wrong usage: " + done.stderr)


def piped(out, lines, within_s=240):
    return subprocess.run([HILBENCH, "shell", "--rig", RIG, "--out", os.path.join(OUT, out)], input=lines, capture_output=True,
                          timeout=within_s, cwd=ROOT, env=ENVIRONMENT)


def waits_for(condition, what, within_s=LONG_S):
    limit = time.monotonic() + within_s
    while not condition():
        must(time.monotonic() < limit, what)
        time.sleep(0.05)


def began(out, step):
    try:
        return any(e["kind"] == "step.begin" and e["data"]["name"] == step for e in events(out))
    except (OSError, ValueError):
        return False


def was_ended(out, status, boards):
    end = [e for e in events(out) if e["kind"] == "run.end"]
    must(status == 130, f"{out}: status {status}")
    must(end and end[0]["data"]["status"] == 130 and end[0]["data"]["interrupted"], f"{out}: the journal ends with {end}")
    waits_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in boards), f"{out}: boards are left")
    must(os.path.exists(os.path.join(OUT, out, "report.html")), f"{out}: there is no report")


def ended_by_signals():
    for number in (signal.SIGTERM, signal.SIGHUP):
        out = f"ended-{number.name}"
        with subprocess.Popen([HILBENCH, "shell", "--rig", RIG, "--out", os.path.join(OUT, out)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, cwd=ROOT, env=ENVIRONMENT) as process:
            process.stdin.write(b"rack.ready\nwait 200s\n")
            process.stdin.flush()
            waits_for(lambda out=out: began(out, "wait"), "the step does not begin")
            boards = children(process.pid)
            must(boards, "there are no boards")
            process.send_signal(number)
            was_ended(out, process.wait(timeout=LONG_S), boards)
        terminal = shell(out + "-prompt")
        terminal.command("rack.ready", "ok  rack.ready")
        boards = children(terminal.process)
        os.kill(terminal.process, number)
        was_ended(out + "-prompt", terminal.end(), boards)


def rig_commands_end():
    for arguments, number in ((["can", "--watch"], signal.SIGINT), (["can", "--watch"], signal.SIGTERM), (["console", "zgw"], signal.SIGINT),
                              (["console", "zgw"], signal.SIGTERM)):
        with subprocess.Popen([HILBENCH, "rig", "--rig", RIG, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, cwd=ROOT) as process:
            must(process.stdout.readline(), f"{arguments} says nothing")
            process.send_signal(number)
            status = process.wait(timeout=LONG_S)
            must(status == 130, f"rig {arguments} ended by {number.name}: status {status}")
    done = subprocess.run([HILBENCH, "rig", "--rig", RIG, "console", "zgw", "--for", "500ms"], stdin=subprocess.DEVNULL, capture_output=True, timeout=LONG_S,
                          cwd=ROOT)
    must(done.returncode == 0, f"time that ran out: status {done.returncode}")


def begun_again():
    """What failed before `restart` counts, whatever comes then."""
    path = os.path.join(OUT, "once.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("- id: shell.once\n  title: Its board is off at first\n  steps:\n    - tester.connect: {role: zgw}\n    - wait: 1ms\n")
    for out, then, wanted in (("again-passed", "continue", {"total": 2, "pass": 1, "fail": 1}), ("again-left", "next", {"total": 2, "fail": 1, "error": 1})):
        done = piped(out, f"load {path}\ncontinue\nrack.ready\nrestart\n{then}\n".encode())
        must(done.returncode == 1, f"{out}: status {done.returncode}")
        with open(os.path.join(OUT, out, "results.json"), encoding="utf-8") as file:
            counts = json.load(file)["counts"]
        must({key: counts[key] for key in wanted} == wanted, f"{out}: {counts}")


NESTED = """\
- id: shell.nested
  title: A block in it
  steps:
    - wait: 1ms
    - repeat: {times: 2, steps: [{wait: 1ms}, {note: "in the block"}, {retry: {times: 2, steps: [{note: "deep"}]}}]}
    - note: "behind the block"
"""
LOOKED = """\
- id: shell.looked
  title: Its block fails in every round
  setup:
    - rack.ready:
    - tester.connect: {role: zgw}
    - doip.activate: {source: 0x0e80}
  steps:
    - poll: {every: 10ms, within: 60s, steps: [{uds.request: {role: zgw, data: "22 f1 90", save: {vin: response}}}]}
    - repeat:
        times: 3
        steps:
          - uds.request: {role: zgw, data: "22 f1 8c", save: {serial: response}}
          - uds.request: {role: zgw, data: "22 f1 90", expect: {response: "62 f1 91"}}
  always:
    - note: "put back"
"""


def nested_file():
    path = os.path.join(OUT, "nested.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(NESTED)
    return path


def slips():
    """What was mistyped is told with what it may have been."""
    nested_file()
    for line, said in (("power zwg on", r'typed:1:7: .*"zwg" \(did you mean "zgw"\?\)'), ("board.power_on zwg", r'"zwg" \(did you mean "zgw"\?\)'),
                       ("power zgw onn", r'"onn" .*\(did you mean "on"\?\)'), ("vars al", r'"al" .*\(did you mean "all"\?\)'),
                       ("watch nonsense", r'typed:1:7: "nonsense" is no protocol'), ("watch consol", r'\(did you mean "console"\?\)'),
                       ("watch zgw nonsense", r'typed:1:11: "nonsense"'), ("watch 'x*y'", r"fits no channel"), ("events 5 dopi", r'\(did you mean "doip"\?\)'),
                       ("help wiat", r'\(did you mean "wait"\?\)'), ("load nofile.yaml", r'typed:1:6: there is no file "nofile.yaml"'),
                       (f"load {OUT}/nestde.yaml", r'there is no file ".*nestde.yaml" \(did you mean "nested.yaml"\?\)'),
                       (f"load {OUT}/nowhere/x.yaml", "no such directory")):
        done = piped("slips", (line + "\n").encode())
        text = done.stdout.decode()
        must(done.returncode == 2 and re.search(said, text), f"{line}: status {done.returncode}, {text[-600:]!r}")
        must("watched:" not in text, f"{line} watches")
        shutil.rmtree(os.path.join(OUT, "slips"))
    done = piped("slips", b"watch console zgw tls.* link:* tester:mine can:can0 board:zgw case step.end *\n")
    must(done.returncode == 0 and b"watched:" in done.stdout, done.stdout)
    done = subprocess.run([HILBENCH, "shell", "--rgi", "x"], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT, timeout=LONG_S)
    must(done.returncode == 2 and 'did you mean "--rig"' in done.stderr, done.stderr)


def breaks_by_id():
    done = piped("ids", f"load {nested_file()}\nlist\nbreak steps/1/0\nbreak steps/2\nlist\ncontinue\nbreak shell.nested/steps/2\nbreak steps/1/0\ncontinue\n".encode())
    text = done.stdout.decode()
    must(done.returncode == 0, f"status {done.returncode}")
    must("steps/1/0" in text and "steps/2 " in text, f"the list has no ids: {text}")
    must("stops before step 2.repeat.1\n" in text and re.search(r"^at  2\.repeat\[1\]\.1  .*wait: ", text, re.M), text)
    must("stops before step 3\n" in text and "no longer stops before step 3" in text and "no longer stops before step 2.repeat.1" in text, text)
    must("shell.nested: pass" in text, text)


def steps_in_blocks():
    """Every way to go on inside of blocks, and where it leads."""
    nested_file()
    terminal = shell("nested")
    terminal.command(f"load {OUT}/nested.yaml", r"^at  1 ")
    for line, said in (("finish", "does not stand in a block"), ("leave", "does not stand in a block"), ("break 2.4", "1 to 3 in 2"),
                       ("break 1.1", r"step 1 \(wait\) has no block"), ("break 2.repeat[x].1", r"2\.repeat\[3\]\.1"),
                       ("next", r"ok  wait"), ("step", r"^at  2\.repeat\[1\]\.1  .*:5 "), ("next", r"^at  2\.repeat\[1\]\.2 "),
                       ("list", r"^> +2\.2 .*note"), ("note \"looked around\"", "ok  note"), ("where", r"^in  2  .* repeat, round 1 of 2"),
                       ("next", r"^at  2\.repeat\[1\]\.3 "), ("step", r"^at  2\.repeat\[1\]\.3\.retry\[1\]\.1 "),
                       ("where", r"^in  2\.repeat\[1\]\.3 .* retry, round 1 of 2"), ("finish", r"^at  2\.repeat\[2\]\.1 "),
                       ("until 2.1", r"^at  3 .*\n(.*\n)*step 2.repeat.1 did not come any more"), ("restart", r"^at  1 "),
                       ("break 2.repeat[2].2", "stops before step 2.repeat\\[2\\].2"), ("continue", r"^at  2\.repeat\[2\]\.2 "),
                       ("until 2.3.1", r"^at  2\.repeat\[2\]\.3\.retry\[1\]\.1 "), ("leave", r"step 2\.repeat\[2\]\.3 failed(.*\n)+given up"),
                       ("leave", r"step 2 failed"), ("retry", r"^at  2\.repeat\[2\]\.2 "), ("finish", r"^at  3 "), ("until note", "no step to come"), ("step 3", "`step` takes nothing behind it"), ("break", r"^stops before step 2\.repeat\[2\]\.2 "), ("continue", "shell.nested: pass")):
        terminal.command(line, said)
    terminal.send("quit\n")
    terminal.end()


def breaks_inside():
    """A run stands at the very step of a block that failed, with what it knows; looked into, mended and gone on with."""
    path = os.path.join(OUT, "looked.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(LOOKED)
    out = os.path.join(OUT, "run-inside")
    terminal = Terminal("run", "--rig", RIG, "--out", out, "--break-on-failure", path)
    terminal.expect(r"step 5\.repeat\[1\]\.2 of 5 failed: uds.request")
    terminal.expect("actual: +.*62 f1 90")
    terminal.expect(PROMPT)
    terminal.command("vars", "serial = 62 f1 8c")
    terminal.command("results", "response: 62 f1 90")
    terminal.command("where", r"^in  5 .* repeat, round 1 of 3")
    terminal.command("uds.request role: zgw data: 22 f1 90", "response: 62 f1 90")
    terminal.command("retry", r"step 5\.repeat\[1\]\.2 failed")
    terminal.command("next", r"^at  5\.repeat\[2\]\.1 ")
    terminal.command("finish", r"step 5\.repeat\[2\]\.2 failed")
    terminal.send("quit\n")
    must(terminal.end() == 130, "who quits has interrupted the run")
    seen = events("run-inside")
    ends = [e["data"] for e in seen if e["kind"] == "case.end"]
    must(ends and ends[0]["verdict"] == "fail" and ends[0]["message"].startswith("round 1 of 3: "), ends)
    must([e for e in seen if e["kind"] == "note" and e["data"]["text"] == "put back"], "`always` did not run")


def hexadecimal():
    done = piped("hex", b"rack.ready\nwatch uds can.error\ntester.connect role: zgw\ndoip.activate source: 0x0e80 save: {c: code}\nresults\n"
                 b"uds.request role: zgw data: 22 ff ff expect: {positive: false} save: {n: nrc}\n")
    text = done.stdout.decode()
    must(done.returncode == 0, f"status {done.returncode}: {text[-500:]}")
    must("code: 0x10" in text and "c = 0x10" in text and "source: 0x" in text, text[-900:])
    must("nrc: 0x31" in text and "n = 0x31" in text and "nrc 0x31" in text, text[-900:])


def completes_cases():
    path = case_file()
    terminal = shell("complete-cases")
    terminal.send(f"load {path} shell.pa\t\n")
    terminal.expect("shell.passes: Nothing is wrong here")
    terminal.expect(PROMPT)
    terminal.send("continue\n")
    terminal.expect("shell.passes: pass")
    terminal.send("quit\n")
    must(terminal.end() == 0, "the completed case did not pass")


def two_hundred():
    lines = "".join(f"note \"line {i}\"\n" for i in range(200))
    done = piped("many", lines.encode())
    must(done.returncode == 0, done.stderr)
    texts = [e["data"]["text"] for e in events("many") if e["kind"] == "note"]
    must(texts == [f"line {i}" for i in range(200)], f"{len(texts)} notes")


def malformed():
    bad = [b"nonsense", b"wait", b"wait: [", b"", b"wait 5", b"wait {for: 1ms, for: 2ms}", b"- - -", b"note \"open", b"", b"uds.request role: zgw dta: 22",
           b"\xff\xfe\x00\x01", b"set", b"set 1x = 2", b"set x = [1", b"set x = ${nothing}", b"note ${nothing}", b"break 1", b"until", b"load /nowhere",
           b"load /dev/zero", b"save", b"save /nowhere/x.yaml", b"power zgw sideways", b"events 0", b"watch " + b"a " * 40, b"x" * 2000000, b"- note: &a b",
           b"retry", b"next", b"continue", b"board.power_on nobody", b"help nonsense", b"unwatch nothing", b"}{", b": : :", b"'", b""]
    done = piped("malformed", b"\n".join(bad) + b"\nnote \"still here\"\n")
    text = done.stdout.decode("utf-8", "replace")
    must(done.returncode == 2, f"status {done.returncode}: {done.stderr[-300:]}")
    must("ok  note" in text, "the shell did not go on")
    must(len(re.findall(r"^typed:\d+:\d+: ", text, re.M)) >= 25, text[-2000:])
    must([e for e in events("malformed") if e["kind"] == "note" and e["data"]["text"] == "still here"], "the step behind them did not run")


def two_users():
    """A rack that is not virtual: a board whose console is a listener here."""
    locks, path = os.path.join(OUT, "locks"), os.path.join(OUT, "real.yaml")
    os.makedirs(locks, exist_ok=True)
    ENVIRONMENT["HILBENCH_LOCKS"] = locks
    with socket.create_server(("127.0.0.1", 0)) as console:
        port = console.getsockname()[1]
        with open(path, "w", encoding="utf-8") as file:
            file.write("name: bench nine\ntester: {address: 127.0.0.1, logical_address: 0x0e80}\nroles:\n"
                       "  zgw: {driver: board, address: 127.0.0.1, logical_address: 0x91, plain: \"127.0.0.1:1\",\n"
                       f"    console: {{driver: tcp, address: \"127.0.0.1:{port}\"}}, power: {{driver: command, on: [/bin/true], off: [/bin/true]}}}}\n")
        first = Terminal("shell", "--rig", path, "--out", os.path.join(OUT, "user-one"))
        first.expect(PROMPT)
        for command in ("run", "shell"):
            begin = time.monotonic()
            done = subprocess.run([HILBENCH, command, "--rig", path, "--out", os.path.join(OUT, "user-two-" + command), *([case_file()] * (command == "run"))],
                                  capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=ROOT, env=ENVIRONMENT, timeout=150)
            must(done.returncode == 3 and time.monotonic() - begin < 60, f"{command}: status {done.returncode}")
            wanted = f"taken by {pwd.getpwuid(os.getuid()).pw_name} (process {first.process}) since "
            must(wanted in done.stderr and "hilbench shell" in done.stderr, done.stderr)
        os.kill(first.process, signal.SIGKILL)
        first.end()
        second = Terminal("shell", "--rig", path, "--out", os.path.join(OUT, "user-three"))
        second.expect(PROMPT)
        second.send("quit\n")
        must(second.end() == 0, "after the first was killed the rack is free")
    must(os.listdir(locks) == [], "a lock is left")


def main():
    os.makedirs(OUT, exist_ok=True)
    for name, action in (("a day at the board, saved as a case", a_day), ("completion", completes), ("Ctrl-C", interrupts),
                         ("the typed line survives what is watched", keeps_the_line), ("history", remembers),
                         ("a run breaks at a failure", breaks_a_run), ("200 steps from a pipe", two_hundred), ("malformed input", malformed),
                         ("two users of a rack", two_users), ("ended by signals", ended_by_signals),
                         ("rig commands ended by signals", rig_commands_end), ("begun again", begun_again), ("slips of the pen", slips),
                         ("breaks by id", breaks_by_id), ("steps in blocks", steps_in_blocks),
                         ("a run breaks in a block", breaks_inside), ("hexadecimal", hexadecimal), ("completion of cases", completes_cases)):
        if len(sys.argv) < 2 or sys.argv[1] in name:
            tried("shell: " + name, action)
    finish()


main()
