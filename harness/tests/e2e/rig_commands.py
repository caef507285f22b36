# SPDX-License-Identifier: Apache-2.0
"""`hilbench rig` by hand: check of the virtual rack and of a real one with nothing connected, power, reset, console, probe, net.

The real rack's file names addresses of a private network; it is only looked at inside an empty network namespace.
"""
import json
import os
import pty
import re
import select
import shutil
import socket
import subprocess
import sys
import termios
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _e2e import BIN, OUT, ROOT, check, finish, ok, skip  # noqa: E402

HILBENCH = os.path.join(BIN, "hilbench")
VIRTUAL = os.path.join(ROOT, "rigs/virtual.yaml")
TC375 = os.path.join(ROOT, "rigs/tc375-rack.yaml")
ENVIRONMENT = {**os.environ, "HILBENCH_LOCKS": OUT}


def rig(*words, file=VIRTUAL, prefix=(), **options):
    begin = time.monotonic()
    done = subprocess.run([*prefix, HILBENCH, "rig", "--rig", file, *words], capture_output=True, text=True, timeout=90, env=ENVIRONMENT,
                          **{"stdin": subprocess.DEVNULL, **options})
    return done, time.monotonic() - begin


def report(done):
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {"resources": [], "state": done.stderr}


def of(result, kind, role=None):
    return [r for r in result["resources"] if r["kind"] == kind and role in (None, r["role"])]


# ---- check ----

def check_virtual():
    done, took = rig("check", "--json")
    result = report(done)
    bad = [r for r in result["resources"] if r["state"] in ("bad", "warning") and r["kind"] != "capture"]
    check("rig check: the virtual rack is as it should be", done.returncode == 0 and not bad and took < 8, f"{done.returncode} {took:.1f} s {bad}")
    kinds = {r["kind"] for r in result["resources"]}
    check("rig check: programs, files, identities, buses, links and boards are named",
          {"program", "object", "identity", "bus", "link", "board", "address", "lock"} <= kinds, kinds)
    boards = of(result, "board")
    check("rig check: a virtual board is not asked, and it is said why",
          boards and all(b["state"] == "not asked" and "not powered" in b["problem"] for b in boards), boards)


def namespace():
    """A prefix that runs a program in a network of its own, or None."""
    prefix = ["unshare", "--map-root-user", "--user", "--net"] if os.geteuid() else ["unshare", "--net"]
    works = shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    return prefix if works else None


def check_nothing_connected():
    prefix = namespace()
    if not prefix:
        skip("rig check: a real rack with nothing connected", "no network namespaces here")
        return
    script = ("ip link set lo up; ip link add rack0 type dummy 2>/dev/null && ip link set rack0 up && "
              "ip address add 192.168.10.1/24 dev rack0 && ip address add 192.168.1.200/24 dev rack0; exec \"$@\"")
    for name, inner in (("no network", []), ("a network in which nobody answers", ["sh", "-c", script, "sh"])):
        done, took = rig("check", "--json", file=TC375, prefix=[*prefix, *inner])
        result = report(done)
        check(f"rig check: a real rack with {name} ends within 8 s", done.returncode == 1 and took < 8, f"{done.returncode} {took:.1f} s {done.stderr}")
        for role in ("vmg", "zgw", "ecu"):
            named = {r["kind"] for r in result["resources"] if r["role"] == role}
            check(f"rig check: {name}: every resource of {role} is named", {"supply", "console", "board"} <= named, named)
        bad = [r for r in result["resources"] if r["state"] == "bad"]
        mute = [r for r in bad if not r["problem"] or not r["remedy"]]
        check(f"rig check: {name}: what is wrong comes with what to do", bad and not mute, mute)
        check(f"rig check: {name}: supplies and consoles are bad, boards are not asked",
              all(r["state"] == "bad" for r in of(result, "supply") + of(result, "console"))
              and all(r["state"] == "not asked" for r in of(result, "board")), bad)
        check(f"rig check: {name}: no look had to be given up", not any("did not come to an end" in r["problem"] for r in bad), bad)


# ---- a rack of simulated instruments ----

class Supply:
    """A supply of two channels that answers, is another one, or says nothing."""

    def __init__(self, identity="SIMULATED,PSU-2,1,1.0", on=False, mute=False):
        self.identity, self.on, self.mute, self.commands = identity, on, mute, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, client.makefile("rwb", buffering=0) as lines:
            for line in lines:
                answers = []
                for command in line.decode().strip().split(";"):
                    command = command.lstrip(":")
                    self.commands.append(command)
                    if command.startswith("OUTP "):
                        self.on = command.endswith("ON")
                    answer = {"*IDN?": self.identity, "SYST:ERR?": '0,"No error"', "OUTP?": str(int(self.on)), "*OPC?": "1",
                              "MEAS:VOLT?": "12.0" if self.on else "0.0", "MEAS:CURR?": "0.1" if self.on else "0.0"}.get(command)
                    if answer is not None:
                        answers.append(answer)
                if answers and not self.mute:
                    lines.write((";".join(answers) + "\n").encode())

    def close(self):
        self.listener.close()


def write_rig(name, supply, console, more=""):
    path = os.path.join(OUT, name + ".yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"""name: {name}
tester: {{address: 127.0.0.1, logical_address: 0x0e80}}
roles:
  zgw:
    driver: board
    address: 127.0.0.2
    power: {{driver: scpi, address: "{supply}", channel: 1, voltage: 12V, identity: PSU-2}}
    console: {{driver: pty, path: {console}}}
{more}""")
    return path


def check_instruments():
    master, slave = pty.openpty()
    console = os.ttyname(slave)
    os.close(slave)
    supply = Supply()
    path = write_rig("instruments", supply.address, console)
    result = report(rig("check", "--json", file=path)[0])
    found = of(result, "supply")
    check("rig check: a supply tells who it is and whether it is on", found and found[0]["state"] == "ok" and "output off" in found[0]["found"]
          and "PSU-2" in found[0]["found"], found)
    changed = [c for c in supply.commands if c.startswith(("OUTP ", "VOLT ", "CURR ", "*RST"))]
    check("rig check: nothing was switched", not changed, changed)
    board = of(result, "board")
    check("rig check: a board without power is not asked", board and board[0]["state"] == "not asked" and "not powered" in board[0]["problem"], board)
    done, _ = rig("power", "zgw", "status", file=path)
    check("rig power: status", done.returncode == 0 and "zgw is off" in done.stdout and "PSU-2" in done.stdout, done)
    done, _ = rig("power", "zgw", "on", file=path)
    check("rig power: on stays on", done.returncode == 0 and "zgw is on: 12.000 V" in done.stdout and supply.on, done)
    done, _ = rig("power", "zgw", "cycle", file=path)
    switched = [c for c in supply.commands if c.startswith("OUTP ")]
    check("rig power: cycle is off and on again", done.returncode == 0 and switched[-2:] == ["OUTP OFF", "OUTP ON"], switched)
    done, _ = rig("reset", "zgw", file=path)
    check("rig reset: without a reset line it is said", done.returncode == 3 and "has no `reset`" in done.stderr, done.stderr)
    supply.identity = "OTHER,PSU-9,1,1.0"
    found = of(report(rig("check", "--json", file=path)[0]), "supply")
    check("rig check: another instrument is told", found and found[0]["state"] == "bad" and "PSU-9" in found[0]["problem"], found)
    supply.mute = True
    done, took = rig("check", "--json", file=path)
    found = of(report(done), "supply")
    check("rig check: an instrument that says nothing is told within 8 s", took < 8 and found and found[0]["state"] == "bad", (took, found))
    supply.close()
    held = os.open(console, os.O_RDWR | os.O_NOCTTY)
    found = of(report(rig("check", "--json", file=path)[0]), "console")
    check("rig check: who has a console open is told", found and f"process {os.getpid()}" in found[0]["problem"], found)
    console_of_real_board(master, path)
    os.close(held)
    os.close(master)


def console_of_real_board(master, path):
    log = os.path.join(OUT, "console.log")
    with subprocess.Popen([HILBENCH, "rig", "--rig", path, "console", "zgw", "--for", "5s", "--log", log], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT) as process:
        process.stdin.write(b"to the board\x00\xff\n")
        process.stdin.flush()
        heard = b""
        limit = time.monotonic() + 5
        while not heard.endswith(b"\n") and time.monotonic() < limit:
            if select.select([master], [], [], 0.2)[0]:
                heard += os.read(master, 4096)
        os.write(master, b"from the board \x01\xfe\n")
        out, _ = process.communicate(timeout=20)
    with open(log, "rb") as file:
        logged = file.read()
    check("rig console: bytes to the board as they are", heard == b"to the board\x00\xff\n", heard)
    check("rig console: bytes of the board as they are, also in the log", out == b"from the board \x01\xfe\n" == logged, (out, logged))
    holder = subprocess.Popen([HILBENCH, "rig", "--rig", path, "console", "zgw", "--for", "20s"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    try:
        time.sleep(0.7)
        done, _ = rig("power", "zgw", "status", file=path)
        check("rig power: the second user is told who has the rig", done.returncode == 3 and f"process {holder.pid}" in done.stderr, done.stderr)
        result = report(rig("check", "--json", file=path)[0])
        check("rig check: a rig in use is left alone", of(result, "lock")[0]["state"] == "warning" and of(result, "supply")[0]["state"] == "not asked",
              result)
    finally:
        holder.terminate()
        holder.wait(10)


# ---- virtual boards ----

def virtual_boards():
    done, _ = rig("power", "zgw", "cycle")
    check("rig power: a virtual board boots, and again after a cycle", done.returncode == 0 and done.stdout.count("is on, booted") == 2, done)
    done, _ = rig("reset", "zgw", "--kind", "external")
    check("rig reset: a virtual board boots again", done.returncode == 0 and "was reset" in done.stdout, done)
    done, _ = rig("net")
    check("rig net: the gateways answer", done.returncode == 0 and "WHB7ZGW0000000091" in done.stdout and "entity    vmg" in done.stdout, done)
    if not shutil.which("openocd"):
        skip("rig probe", "OpenOCD is not installed")
        return
    done, _ = rig("probe", "zgw", "identify")
    check("rig probe: identify", done.returncode == 0 and "slot zgw" in done.stdout, done)
    image, dump = os.path.join(OUT, "image"), os.path.join(OUT, "dump")
    with open(image, "wb") as file:
        file.write(bytes(range(256)))
    done, _ = rig("probe", "zgw", "read", "0xF0000490", "16")
    check("rig probe: read", done.returncode == 0 and "zgw" in done.stdout, done)
    for words in (["write", "0x20000000", "01 02", "0304"], ["load", "0x20000000", image], ["dump", "0x20000000", "64", dump], ["halt"], ["resume"],
                  ["reset"], ["command", "version"]):
        done, _ = rig("probe", "zgw", *words)
        check(f"rig probe: {words[0]}", done.returncode == 0, done)
    check("rig probe: a dump has its length", os.path.getsize(dump) == 64, os.path.getsize(dump))
    done, _ = rig("probe", "zgw", "read", "0x1", "4")
    check("rig probe: what the board refuses is the board's", done.returncode == 1 and "refuses" in done.stderr, done)


def at_terminal():
    """A person: raw while it lasts, restored at the end, by Ctrl-] and by a signal."""
    for name in ("Ctrl-]", "SIGTERM"):
        pid, master = pty.fork()
        if pid == 0:
            os.execve(HILBENCH, [HILBENCH, "rig", "--rig", VIRTUAL, "console", "zgw", "--time"], ENVIRONMENT)
        before = termios.tcgetattr(master)
        out, raw, limit = b"", False, time.monotonic() + 20
        while b"stage=activated" not in out and time.monotonic() < limit:
            if select.select([master], [], [], 0.2)[0]:
                out += os.read(master, 65536)
            raw = raw or not termios.tcgetattr(master)[3] & termios.ICANON
        if name == "Ctrl-]":
            os.write(master, b"\x1d")
        else:
            os.kill(pid, 15)
        after, status = None, None
        while status is None and time.monotonic() < limit + 10:
            if select.select([master], [], [], 0.1)[0]:
                try:
                    out += os.read(master, 65536)
                except OSError:
                    pass
            try:
                after = termios.tcgetattr(master)
            except termios.error:
                pass
            done, code = os.waitpid(pid, os.WNOHANG)
            status = os.waitstatus_to_exitcode(code) if done else None
        os.close(master)
        check(f"rig console: at a terminal, ended by {name}", status == 0 and raw and b"stage=activated" in out, (status, raw, out[-200:]))
        check(f"rig console: the terminal is as before after {name}", after == before, (before[3], after and after[3]))
    lines = [line for line in out.splitlines() if b"stage=" in line]
    check("rig console: --time stamps each line", lines and all(re.match(rb"\d\d:\d\d:\d\d\.\d{6} ", line) for line in lines), lines[:3])


def bad_use():
    for name, words, text in [
            ("an unknown verb", ["powr", "zgw", "on"], 'did you mean "power"'), ("an unknown role", ["power", "zwg", "on"], 'did you mean "zgw"'),
            ("an unknown way of switching", ["power", "zgw", "of"], 'did you mean "o'), ("a missing word", ["power", "zgw"], "ROLE on|off"),
            ("an unknown verb of a probe", ["probe", "zgw", "raed", "0", "4"], 'did you mean "read"'),
            ("an address that is none", ["probe", "zgw", "read", "here", "4"], "must be a number"),
            ("an unknown kind of reset", ["reset", "zgw", "--kind", "sytem"], 'did you mean "system"'),
            ("an option of another verb", ["list", "--json"], "does not go with"), ("a time without a unit", ["console", "zgw", "--for", "3"], "--for takes"),
            ("a log that cannot be written", ["console", "zgw", "--log", "/none/here"], "cannot write")]:
        done, _ = rig(*words)
        check(f"rig: {name} is told", done.returncode == 2 and text in done.stderr, f"{done.returncode} {done.stderr}")
    done, _ = rig("check", file="/none.yaml")
    check("rig: a missing rig file is told", done.returncode == 2 and "/none.yaml" in done.stderr, done)


check_virtual()
check_nothing_connected()
check_instruments()
virtual_boards()
at_terminal()
bad_use()
left = [name for name in os.listdir("/tmp") if name.startswith("hilbench-rig-") and not os.path.exists("/proc/" + name.split("-")[2])]
check("rig: nothing is left behind", not left, left)
ok("rig: all commands were tried")
finish()
