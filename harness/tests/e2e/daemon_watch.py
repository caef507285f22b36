#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A person's shell on a rig of the daemon, and those who look on: a quick observer, a slow one, one on the command line; a daemon that is
restarted meanwhile, a disk that is full, and the end of the lease, of which everybody is told."""
import fcntl
import http.client
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import check, finish, not_ok
from _lab import HILBENCH, Connection, Lab, case, name_of, waits
from _rack import children

LIMIT_S = 180
PROMPT = "hilbench> "
LINE = b'{"kind":"note","n":%07d,"text":"' + b"x" * 950 + b'"}\n'
KEPT = 64 << 20
# With gaps for a beat that comes late on a loaded machine.
CONFIG = "health: {recovery_after: 0s}\nleases: {heartbeat: 5s}\n"


def until(what, within=LIMIT_S):
    limit = time.monotonic() + within
    while time.monotonic() < limit:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    return None


class Shell:
    """hilbench shell on a pseudo-terminal."""

    def __init__(self, lab, folder, out, rig="v1"):
        self.out = os.path.join(folder, out)
        environment = {name: value for name, value in os.environ.items() if name not in ("HILBENCH_URL", "HILBENCH_TOKEN")}
        environment.update(HILBENCH_SOCKET=lab.socket, XDG_STATE_HOME=os.path.join(folder, "xdg"), TERM="xterm")
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(folder)
                os.execve(HILBENCH, [HILBENCH, "shell", "--daemon", rig, "--out", self.out], environment)
            finally:
                os._exit(127)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
        self.text, self.seen, self.status = "", 0, None

    def read(self, within=0.1):
        if not select.select([self.fd], [], [], within)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.text += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-B0-2]|\x1b[=>]|[\x07\r]", "", data.decode("utf-8", "replace"))
        return bool(data)

    def expect(self, what, within=LIMIT_S):
        """Waits for the text behind what was expected before."""
        limit = time.monotonic() + within
        while time.monotonic() < limit:
            at = self.text.find(what, self.seen)
            if at >= 0:
                self.seen = at + len(what)
                return True
            self.read()
        return False

    def send(self, line):
        os.write(self.fd, (line + "\n").encode())

    def do(self, line):
        """Types a line and waits for what it is done with."""
        self.send(line)
        return self.expect(line.strip()[-20:]) and self.expect(PROMPT)

    def journal(self):
        with open(os.path.join(self.out, "events.jsonl"), "rb") as file:
            return file.read()

    def helper(self):
        return [pid for pid in children(self.pid) if name_of(pid) == "hilbench-lease"]

    def wait(self):
        """Reads to the end; the exit status."""
        limit = time.monotonic() + LIMIT_S
        while time.monotonic() < limit:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                while self.read():
                    pass
                return self.status
            self.read()
        return None

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


class Observer(threading.Thread):
    """Follows the events of a lease as a browser does: comes back behind what it had, and remembers every line."""

    def __init__(self, lab, lease, query=""):
        super().__init__(daemon=True)
        self.path, self.address = lab.socket, f"/api/v1/leases/{lease}/events{query}"
        self.lines, self.last, self.end, self.dropped, self.status = [], None, None, None, None
        self.size = 0  # of the lines
        self.start()

    def take(self, block):
        fields = [line.split(b": ", 1) for line in block.split(b"\n") if b": " in line]
        data = [value for key, value in fields if key == b"data"]
        kind = dict(fields).get(b"event")
        self.last = dict(fields).get(b"id", self.last)
        if kind == b"line":
            self.lines += data
            self.size += sum(len(line) + 1 for line in data)
        elif kind == b"end":
            self.end = json.loads(data[0])
        elif kind == b"dropped":
            self.dropped = json.loads(data[0])

    def follow(self):
        connection = Connection(self.path, LIMIT_S)
        try:
            connection.request("GET", self.address, headers={"Last-Event-ID": self.last.decode()} if self.last else {})
            answer = connection.getresponse()
            self.status, rest = answer.status, b""
            if answer.status != 200:
                return
            while part := answer.read1(65536):
                blocks = (rest + part).split(b"\n\n")
                rest = blocks.pop()
                for block in blocks:
                    self.take(block)
        except (OSError, http.client.HTTPException):
            pass  # the daemon is away, or was killed in the middle of it
        finally:
            connection.close()

    def run(self):
        while not (self.end or self.dropped or self.status not in (None, 200, 503)):
            self.follow()
            time.sleep(0.1)

    def bytes(self):
        return b"".join(line + b"\n" for line in self.lines)


class Sleeper(threading.Thread):
    """An observer who takes a few words a second, until it is woken."""

    def __init__(self, lab, lease, query=""):
        super().__init__(daemon=True)
        self.woken = threading.Event()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(lab.socket)
        self.socket.sendall(f"GET /api/v1/leases/{lease}/events{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        self.socket.settimeout(LIMIT_S)
        self.text = self.socket.recv(200)
        self.start()

    def run(self):
        while not self.text.endswith(b"0\r\n\r\n"):
            part = self.socket.recv(1 << 20 if self.woken.is_set() else 16384)  # less, and the daemon takes it for dead
            if not part:
                break
            self.text += part
            self.woken.wait(1)

    def wake(self):
        """Everything until the end of the stream."""
        self.woken.set()
        self.join(LIMIT_S)
        self.socket.close()
        return self.text


def lease_of(lab, rig="v1"):
    return lab.rigs()[rig]["lease"]


def send(lab, lease, secret, begin, lines, **more):
    return lab.ask("POST", f"/api/v1/leases/{lease}/journal?from={begin}", lines,
                   dict({"Content-Type": "application/x-ndjson", "Hilbench-Lease-Secret": secret}, **more))


def kept_files(lab):
    return [name for _, _, names in os.walk(os.path.join(lab.state, "leases")) for name in names]


# ---- a shell and those who look on ----

class Watch:
    """hilbench rig watch, its output in files."""

    def __init__(self, lab, folder, *arguments):
        environment = dict(os.environ, HILBENCH_SOCKET=lab.socket, XDG_STATE_HOME=os.path.join(folder, "xdg"))
        self.out, self.err = (os.path.join(folder, f"watch.{name}") for name in ("out", "err"))
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen([HILBENCH, "rig", "watch", "v1", *arguments], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=err)

    def shown(self):
        """Lines so far."""
        with open(self.out, "rb") as file:
            return file.read().count(b"\n")

    def result(self):
        """Waits for the end; exit status, output and errors."""
        try:
            status = self.process.wait(LIMIT_S)
        finally:
            self.process.kill()
        with open(self.out, encoding="utf-8") as out, open(self.err, encoding="utf-8") as err:
            return status, out.read(), err.read()


def session(lab, folder):
    live = []
    ears = threading.Thread(target=hear_rigs, args=(lab, live), daemon=True)
    ears.start()
    shell = Shell(lab, folder, "session")
    try:
        watched_session(lab, folder, shell, live)
    finally:
        shell.close()


def hear_rigs(lab, live):
    """What the rig's events say of it."""
    connection = Connection(lab.socket, LIMIT_S)
    try:
        connection.request("GET", "/api/v1/events")
        answer = connection.getresponse()
        while line := answer.readline():
            if line.startswith(b"data: ") and b'"lease"' in line:
                live.append(json.loads(line[6:]))
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()


def watched_session(lab, folder, shell, live):
    check("shell: it has the rig", shell.expect(PROMPT), shell.text[-400:])
    lease = until(lambda: (lease_of(lab) or {}).get("watchable") and lease_of(lab))
    if not check("lease: watchable with the first lines", lease, lease_of(lab)):
        return
    number = lease["id"]
    check("lease: told to those who look at the rig", until(lambda: any(rig["lease"] and rig["lease"].get("watchable") for rig in live)), live[-1:])
    found = lab.get(f"/leases/{number}")
    check("lease: shown with its rig", found["rig"] == "v1" and found["watchable"] is True and found["kind"] == "person" and "secret" not in found, found)
    quick, few = Observer(lab, number), Observer(lab, number, "?level=summary")
    command = Watch(lab, folder)
    check("shell: works while it is watched", shell.do("wait 20ms") and shell.do("board.boot {role: vmg}"), shell.text[-400:])
    check("observer: sees what was typed", until(lambda: b'"board.boot"' in quick.bytes()), quick.bytes()[-300:])
    shell.do(" set token = hb_0123456789abcdefghij")  # with a blank before it: for no journal
    check("shell: speaks TLS", shell.do("board.boot {role: zgw}") and shell.do("tester.connect {role: zgw, transport: tls, identity: tester}") and b'"tls.' in shell.journal(),
          shell.text[-400:])
    restarted(lab, shell, quick)
    shell.do("wait 30ms")
    # It comes back by itself, within seconds; who is away when the lease ends is told the end, and no more.
    check("rig watch: comes back to a daemon that was killed", until(lambda: command.shown() == len(shell.journal().splitlines())),
          f"{command.shown()} of {len(shell.journal().splitlines())}")
    check("observer of the summary: comes back to it too", until(lambda: any(b"30ms" in line for line in few.lines)), few.lines[-1:])
    shell.send("quit")
    check("shell: ends as ever", shell.wait() == 0, f"{shell.status} {shell.text[-300:]}")
    quick.join(LIMIT_S)
    few.join(LIMIT_S)
    journal = shell.journal()
    check("observer: has the whole journal, to its last line, also over a restart", quick.bytes() == journal,
          f"{len(quick.bytes())} of {len(journal)}, {quick.dropped}")
    check("observer: is told that it is over, and why", quick.end and quick.end["state"] == "over" and "given back" in quick.end["reason"], quick.end)
    lines = journal.splitlines()
    check("observer of the summary: fewer lines, in order, and the end", 0 < len(few.lines) < len(lines) and few.end
          and few.lines == [line for line in lines if line in set(few.lines)] and not any(json.loads(line)["kind"] == "console.line" for line in few.lines),
          f"{len(few.lines)} of {len(lines)}, {few.end}")
    status, out, err = command.result()
    check("rig watch: prints what happens, decoded, and why it ends", status == 0 and "power.on" in out and "run.end" in out and "given back" in err,
          f"{status} {out[-200:]} {err}")
    check("rig watch: no line twice or missing", len(out.splitlines()) == len(lines), f"{len(out.splitlines())} of {len(lines)}")
    with open(os.path.join(shell.out, "capture.pcapng"), "rb") as file:  # where they belong
        secrets = re.findall(rb"(?:CLIENT|SERVER)_[A-Z_0-9]+ [0-9a-f]{64} ([0-9a-f]{64,96})", file.read())
    leaked = [word for word in secrets + [b"hb_01234", b"PRIVATE KEY", b"TRAFFIC_SECRET", b"CLIENT_RANDOM"] if word in journal.lower() or word in journal]
    check("journal: no token, key or TLS secret", secrets and not leaked, f"{len(secrets)} secrets of TLS, {leaked}")
    over = lab.ask("GET", f"/api/v1/leases/{number}/events")[0]
    check("lease: over, nobody watches any more", over == 410 and until(lambda: not kept_files(lab)) is not None, f"{over} {kept_files(lab)}")
    check("lease: gone from what is shown", until(lambda: lab.ask("GET", f"/api/v1/leases/{number}")[0] == 410), "it is not")


def restarted(lab, shell, quick):
    """The helper asks where it goes on, the observer comes back, and the shell noticed nothing."""
    before = lease_of(lab)["id"]
    lab.stop()
    check("shell: works while the daemon is away", shell.do("wait 25ms"), shell.text[-300:])
    lab.start()
    check("restart: the lease goes on", (lease_of(lab) or {}).get("id") == before, lease_of(lab))
    check("restart: it is watchable at once", lease_of(lab)["watchable"] is True, lease_of(lab))
    check("restart: what happened meanwhile comes after it", until(lambda: quick.bytes() == shell.journal()),
          f"{len(quick.bytes())} of {len(shell.journal())}")
    os.kill(lab.process.pid, signal.SIGSTOP)
    check("stuck daemon: the shell works", shell.do("wait 24ms"), shell.text[-300:])
    os.kill(lab.process.pid, signal.SIGCONT)
    check("stuck daemon: what happened meanwhile comes after it", until(lambda: quick.bytes() == shell.journal()),
          f"{len(quick.bytes())} of {len(shell.journal())}")
    lab.kill()
    shell.do("wait 26ms")
    lab.start()
    # Torn off, not ended: the observer is there again, no line is missing and none comes twice.
    check("killed: the same", until(lambda: quick.bytes() == shell.journal()), f"{len(quick.bytes())} of {len(shell.journal())}")


# ---- a holder that sends much ----

def locked(lab, rig="v1"):
    status, lease = lab.post(f"/rigs/{rig}/lease", {"for": "10min"})
    if status != 201:
        raise RuntimeError(f"lease: {status} {lease}")
    return lease["lease"]["id"], lease["secret"]


def free(lab, rig="v1"):
    return until(lambda: lease_of(lab, rig) is None)


def masses(lab):
    number, secret = locked(lab)
    check("lock without a shell: cannot be watched", lab.get(f"/leases/{number}")["watchable"] is False and lease_of(lab)["watchable"] is False, lease_of(lab))
    early = Observer(lab, number)
    sent, portion, begin = b"", (1 << 20) // len(LINE % 0), 0
    sleeper = None
    for turn in range(84):  # more than what is kept, and a piece of it
        lines = b"".join(LINE % (turn * portion + n) for n in range(portion))
        status, answer = send(lab, number, secret, begin, lines)
        if status != 200 or json.loads(answer)["next"] != begin + len(lines):
            not_ok("masses: taken", f"{status} {answer!r}")
            return
        begin += len(lines)
        sent += lines
        if turn == 0:
            sleeper = Sleeper(lab, number)
        until(lambda: begin - early.size < KEPT // 2 or early.dropped)  # else the quick one would be slow
    size = sum(os.path.getsize(os.path.join(lab.state, "leases", str(number), name)) for name in kept_files(lab))
    check("masses: the newest 64 MiB are kept", KEPT - (10 << 20) < size <= KEPT, size)
    late = Observer(lab, number)
    check("masses: who comes late gets what is left", until(lambda: late.lines and late.lines[-1] + b"\n" == sent[-len(LINE % 0):]),
          f"{len(late.bytes())} {late.dropped}")
    check("masses: … from the first line on that is kept, without a gap", sent.endswith(late.bytes()) and len(late.bytes()) == size, f"{len(late.bytes())} of {size}")
    check("masses: the quick one has everything", until(lambda: early.size == len(sent)) and early.bytes() == sent,
          f"{len(early.bytes())} of {len(sent)}, {early.dropped}")
    slow = sleeper.wake()
    check("masses: the slow one is told that it is behind", b"event: dropped" in slow and b"too slow" in slow and slow.count(b"event: line") < 80,
          f"{len(slow)} {slow[-300:]!r}")
    status, text = lab.ask("GET", f"/api/v1/leases/{number}/events", headers={"Last-Event-ID": str(len(LINE % 0))})
    check("masses: who comes back too late is told so", status == 200 and b"event: dropped" in text and b"no longer kept" in text, text[-200:])
    status, text = lab.ask("GET", f"/api/v1/leases/{number}/events?from={begin - 3}")
    check("masses: no line begins there", status == 200 and b"no line begins" in text, text[-200:])
    wrong_requests(lab, number, secret, begin)
    check("lease: given back", lab.ask("DELETE", f"/api/v1/leases/{number}", {"secret": secret})[0] == 202, "refused")
    for name, one in (("quick", early), ("late", late)):
        one.join(LIMIT_S)
        check(f"masses: the {name} one is told of the end", one.end and one.end["state"] == "over", f"{one.end} {one.dropped}")
    status, _ = send(lab, number, secret, begin, LINE % 0)
    check("journal: not after the end", status == 410, status)
    check("masses: nothing is left of it", until(lambda: not kept_files(lab)) is not None and free(lab), kept_files(lab))


def wrong_requests(lab, number, secret, begin):
    line = LINE % 1
    for name, status, arguments, headers in (
            ("another secret", 403, (begin, line), {"Hilbench-Lease-Secret": "x" * 43}), ("no secret", 400, (begin, line), {"Hilbench-Lease-Secret": ""}),
            ("half a line", 400, (begin, line[:-1]), {}), ("no object", 400, (begin, b"x\n"), {}), ("a zero", 400, (begin, b"{\0}\n"), {}),
            ("JSON", 415, (begin, line), {"Content-Type": "application/json"}), ("no number", 400, ("x", line), {}), ("too much", 413, (begin, line * 1200), {})):
        got, answer = send(lab, number, secret, *arguments, **headers)
        check(f"journal: {name} is refused", got == status and b'"error"' in answer, f"{got} {answer[:200]!r}")
    got, answer = send(lab, number, secret, 7, line)
    check("journal: elsewhere is 409, with where it goes on", got == 409 and json.loads(answer)["next"] == begin, f"{got} {answer!r}")
    got, answer = send(lab, number, secret, begin, b"")
    check("journal: nothing is a question", (got, answer and json.loads(answer)) == (200, {"next": begin}), f"{got} {answer!r}")
    check("lease: unknown ones are 404", {lab.ask(*one)[0] for one in (("GET", "/api/v1/leases/999999"), ("GET", "/api/v1/leases/999999/events"))} == {404}
          and send(lab, 999999, secret, 0, line)[0] == 404, "others")


# ---- what hinders the helper ----

def stopped_shell(lab, folder):
    """A shell that neither works nor reads: it is watched all the same, and one that is killed is given back."""
    shell = Shell(lab, folder, "killed")
    try:
        check("second shell: it has the rig", shell.expect(PROMPT), shell.text[-300:])
        lease = until(lambda: (lease_of(lab) or {}).get("watchable") and lease_of(lab))
        observer = Observer(lab, lease["id"])
        shell.do("wait 21ms")
        os.kill(shell.pid, signal.SIGSTOP)
        check("stopped shell: what it did is seen", until(lambda: observer.bytes() and observer.bytes() == shell.journal()), f"{len(observer.bytes())}")
        too_long_a_line(lab, shell, lease["id"], observer)
        os.kill(shell.pid, signal.SIGKILL)
        os.kill(shell.pid, signal.SIGCONT)
        shell.wait()
        observer.join(LIMIT_S)
        check("killed shell: who watches has all of it and is told", observer.end and observer.last == str(len(shell.journal())).encode()
              and observer.bytes().splitlines()[-1] == shell.journal().splitlines()[-1], f"{observer.end} {observer.last} of {len(shell.journal())}")
        check("killed shell: the rig is free", free(lab), lease_of(lab))
    finally:
        shell.close()


def too_long_a_line(lab, shell, lease, observer):
    """Longer than the daemon takes at once: left out, and what follows it comes."""
    with open(os.path.join(shell.out, "events.jsonl"), "ab") as file:
        file.write(b'{"kind":"long","text":"' + b"y" * (5 << 19) + b'"}\n')
        file.flush()
        check("long line: it is left out", until(lambda: observer.last == str(len(shell.journal())).encode()), f"{observer.last} of {len(shell.journal())}")
        file.write(b'{"kind":"after"}\n')
    check("long line: what comes behind it is seen", until(lambda: observer.lines[-1] == b'{"kind":"after"}'), observer.lines[-1][:100])
    left_out = [line for line in observer.lines if b"left-out" in line]
    check("long line: it is said", left_out and b"yyy" not in observer.bytes() and lab.get(f"/leases/{lease}")["watchable"], left_out[:3])


def full_disk(folder):
    """No room from the start: the shell works, says once that nobody sees it, and the daemon answers 507."""
    with Lab(os.path.join(folder, "full"), 1, "jobs: {free_space: 1024GiB}\n" + CONFIG) as lab:
        number, secret = locked(lab)
        status, answer = send(lab, number, secret, 0, LINE % 0)
        check("full disk: 507 with the reason", status == 507 and json.loads(answer)["error"]["code"] == "no_space", f"{status} {answer!r}")
        check("full disk: not watchable", lab.get(f"/leases/{number}")["watchable"] is False, "it is")
        lab.ask("DELETE", f"/api/v1/leases/{number}", {"secret": secret})
        free(lab)
        shell = Shell(lab, folder, "unseen")
        try:
            check("full disk: the shell works", shell.expect(PROMPT) and shell.do("wait 22ms"), shell.text[-300:])
            check("full disk: the shell is told", until(lambda: shell.read() and False or "nobody can watch this session for now" in shell.text),
                  shell.text[-400:])
            shell.send("quit")
            check("full disk: the shell ends as ever", shell.wait() == 0 and shell.text.count("nobody can watch") == 1, f"{shell.status} {shell.text[-300:]}")
        finally:
            shell.close()


def sweeping(lab):
    """What a daemon left of a lease that is over goes at the next start."""
    number, secret = locked(lab)
    send(lab, number, secret, 0, LINE % 0)
    lab.kill()
    left = os.path.join(lab.state, "leases", "4711")
    os.makedirs(left)
    with open(os.path.join(left, "00000000000000000000.jsonl"), "wb") as file:
        file.write(LINE % 0)
    with open(os.path.join(lab.state, "leases", str(number), "00000000000000000000.jsonl"), "ab") as file:
        file.write(b'{"torn')
    lab.start()
    check("start: leftovers of other leases are removed", until(lambda: not os.path.exists(left)) is not None, os.listdir(os.path.dirname(left)))
    status, answer = send(lab, number, secret, len(LINE % 0), LINE % 1)
    check("start: a torn line is forgotten, the rest goes on", status == 200 and json.loads(answer)["next"] == 2 * len(LINE % 0), f"{status} {answer!r}")
    lab.ask("DELETE", f"/api/v1/leases/{number}", {"secret": secret})
    free(lab)
    check("start: the books are in order", lab.check_books()[0] == 0, lab.check_books()[1])


def watch_a_job(lab, folder):
    command = Watch(lab, folder, "--wait", "--json")
    job = lab.submit({"one.yaml": case("watch.one", waits(4))}, rig="v1")[1]
    status, out, err = command.result()
    kinds = [json.loads(line)["kind"] for line in out.splitlines()]
    check("rig watch: the run of a job as well", status == 0 and "run.begin" in kinds and "run.end" in kinds and "passed" in err,
          f"{status} {kinds[-3:]} {err}")
    lab.wait_job(job["id"])
    free(lab)
    status, _, err = Watch(lab, folder).result()
    check("rig watch: nobody has it", status == 3 and "nobody has v1" in err, f"{status} {err}")


def main():
    folder = tempfile.mkdtemp(prefix="daemon-watch-")
    try:
        with Lab(os.path.join(folder, "lab"), 1, CONFIG) as lab:
            session(lab, folder)
            free(lab)
            masses(lab)
            stopped_shell(lab, folder)
            sweeping(lab)
            watch_a_job(lab, folder)
            check("log: nothing internal", "internal" not in lab.log() and "answered twice" not in lab.log(), lab.log()[-500:])
        full_disk(folder)
    except (RuntimeError, KeyError, OSError, subprocess.TimeoutExpired) as error:
        not_ok("watch", f"{type(error).__name__}: {error}")
        if "--keep" in sys.argv:
            raise
    finally:
        if "--keep" not in sys.argv:
            shutil.rmtree(folder, ignore_errors=True)
    finish()


main()
