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
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _e2e import BIN, OUT, ROOT, check, finish, ok, skip  # noqa: E402

HILBENCH = os.path.join(BIN, "hilbench")
VIRTUAL = os.path.join(ROOT, "rigs/virtual.yaml")
TC375 = os.path.join(ROOT, "rigs/tc375-rack.yaml")
ENVIRONMENT = {**os.environ, "HILBENCH_LOCKS": OUT}


STARTED = set()  # process numbers


def rig(*words, file=VIRTUAL, prefix=(), **options):
    begin = time.monotonic()
    with subprocess.Popen([*prefix, HILBENCH, "rig", "--rig", file, *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          **{"stdin": subprocess.DEVNULL, "env": ENVIRONMENT, **options}) as process:
        STARTED.add(str(process.pid))
        try:
            out, err = process.communicate(timeout=150)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            err += " (did not end)"
    return subprocess.CompletedProcess(process.args, process.returncode, out, err), time.monotonic() - begin


def rig_in_time(limit_s, *words, **options):
    """A promise of so many seconds is one of the program; what a loaded machine adds is not of it: the best of three counts."""
    for _ in range(3):
        done, took = rig(*words, **options)
        if took < limit_s:
            break
    return done, took


def report(done):
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {"resources": [], "state": done.stderr}


def of(result, kind, role=None):
    return [r for r in result["resources"] if r["kind"] == kind and role in (None, r["role"])]


# ---- check ----

def check_virtual():
    done, took = rig_in_time(8, "check", "--json")
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
        done, took = rig_in_time(8, "check", "--json", file=TC375, prefix=[*prefix, *inner])
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
        self.identity, self.on, self.mute, self.commands, self.switched_at = identity, on, mute, [], []
        self.selected = "1"
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
                    if command.startswith("INST:NSEL "):
                        self.selected = command.split(" ")[1]
                    if command.startswith("OUTP "):
                        self.on = command.endswith("ON")
                        self.switched_at.append(time.monotonic())
                    answer = {"*IDN?": self.identity, "SYST:ERR?": '0,"No error"', "OUTP?": str(int(self.on)), "*OPC?": "1", "INST:NSEL?": self.selected,
                              "MEAS:VOLT?": "12.0" if self.on else "0.0", "MEAS:CURR?": "0.1" if self.on else "0.0"}.get(command)
                    if answer is not None:
                        answers.append(answer)
                if answers and not self.mute:
                    lines.write((";".join(answers) + "\n").encode())

    def close(self):
        self.listener.close()


def rig_text(name, console="{driver: pty, path: /dev/null}", more=""):
    """One board whose parts are named as they are; nothing of it is reached over a network."""
    path = os.path.join(OUT, name + ".yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"name: {name}\ntester: {{address: 127.0.0.1, logical_address: 0x0e80}}\nroles:\n  zgw:\n    driver: board\n"
                   f"    address: 127.0.0.2\n    power: {{driver: command, on: [/bin/true], off: [/bin/true]}}\n    console: {console}\n{more}")
    return path


def check_consoles():
    """What is no serial port, is not there, or carries a reset line that cannot work."""
    for name, console, problem, remedy in [
            ("a null device", "{driver: serial, device: /dev/null}", "is no serial port", "console.device"),
            ("a plain file", f"{{driver: serial, device: {HILBENCH}}}", "is no serial port", "console.device"),
            ("a missing pseudo-terminal", "{driver: pty, path: /tmp/hilbench-no-such-pty}", "no such pseudo-terminal", "console.path"),
            ("a missing port", "{driver: serial, device: /dev/serial/by-id/none}", "no such device", "USB")]:
        found = of(report(rig("check", "--json", file=rig_text("parts", console))[0]), "console")
        good = found and found[0]["state"] == "bad" and problem in found[0]["problem"] and remedy in found[0]["remedy"]
        check(f"rig check: {name} as a console", good and ("pty" not in console or "USB" not in found[0]["remedy"]), found)
    path = rig_text("parts", "{driver: serial, device: /dev/serial/by-id/none}", "    reset: {driver: serial, line: dtr}\n")
    found = of(report(rig("check", "--json", file=path)[0]), "reset")
    check("rig check: a reset line is as bad as its port", found and found[0]["state"] == "bad" and found[0]["remedy"], found)


def running(path):
    """Whether a process whose number stands in the file still runs (a zombie does not)."""
    with open(path, encoding="ascii") as file:
        number = int(file.read())
    try:
        with open(f"/proc/{number}/stat", encoding="ascii", errors="replace") as file:
            text = file.read()
    except OSError:
        return False
    return text[text.rindex(")") + 2] not in "ZX"


def soon(condition):
    limit = time.monotonic() + 60
    while not condition() and time.monotonic() < limit:
        time.sleep(0.02)
    return condition()


def interrupted():
    """A signal ends `check` and `selftest` with all that they started: 130, and nobody else is blamed."""
    told, program = os.path.join(OUT, "told"), os.path.join(OUT, "hangs")
    with open(program, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\ncase $1 in --version) echo Open On-Chip Debugger 0.12.0; exit;; esac\n"
                   f"sleep 300 & echo $! > {told}.new; mv {told}.new {told}; wait\n")
    os.chmod(program, 0o755)
    rigs = {"check": rig_text("hangs", more=f"    probe: {{driver: openocd, config: [/dev/null], target: t, program: {program}}}\n"),
            "selftest": rig_text("hangs-power")}
    with open(rigs["selftest"], encoding="utf-8") as file:
        text = file.read().replace("on: [/bin/true]", f"on: [{program}]").replace("{driver: pty, path: /dev/null}", "{driver: tcp, address: \"PLACE\"}")
    with socket.create_server(("127.0.0.1", 0)) as console:
        with open(rigs["selftest"], "w", encoding="utf-8") as file:
            file.write(text.replace("PLACE", "127.0.0.1:%d" % console.getsockname()[1]))
        for verb, path in rigs.items():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if os.path.exists(told):
                    os.remove(told)
                with subprocess.Popen([HILBENCH, "rig", "--rig", path, verb], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                      env=ENVIRONMENT) as process:
                    STARTED.add(str(process.pid))
                    begun = soon(lambda: os.path.exists(told) or process.poll() is not None) and os.path.exists(told)
                    process.send_signal(number)
                    out, _ = process.communicate(timeout=100)
                check(f"rig {verb}: {number.name} ends it with 130", begun and process.returncode == 130 and "interrupted" in out, (begun, process.returncode, out))
                check(f"rig {verb}: {number.name} blames nobody", not re.search(r"^bad +(power|supply|boot)", out, re.M), out)
                check(f"rig {verb}: {number.name} leaves nothing that it started", begun and soon(lambda: not running(told)), out)


def readable():
    """No name is empty, and no variable is shown as it stands in the file."""
    for words in (["list"], ["check"]):
        done, _ = rig(*words)
        check(f"rig {words[0]}: the rack's number is N, with a legend", "${" not in done.stdout and "127.N." in done.stdout and "\nN: " in done.stdout,
              done.stdout[-300:])
    probes = of(report(rig("check", "--json")[0]), "probe")
    check("rig check: a probe has a name", probes and not any(p["name"].rstrip().endswith(("openocd", ":")) for p in probes), probes)
    done, _ = rig("list", file=TC375)
    check("rig list: the real rack is shown", done.returncode == 0 and "zgw" in done.stdout, done)
    prefix = namespace()
    if prefix:
        result = report(rig("check", "--json", file=TC375, prefix=prefix)[0])
        check("rig check: the TC375 boards have a probe each, the Linux one has none",
              {r["role"] for r in of(result, "probe")} == {r["role"] for r in of(result, "adapter")} == {"zgw", "ecu"}, result)


def lock_refuses():
    """Every verb that touches a board is refused while somebody has the rig, and says who."""
    config = os.path.join(ROOT, "rigs/openocd/vboard.cfg")
    path = rig_text("held", "{driver: pty, path: /dev/pts/0}", "    reset: {driver: command, pulse: [/bin/true]}\n"
                    f"    probe: {{driver: openocd, config: [{config}], target: t}}\n")
    holder_program = "import fcntl,sys,time;f=open(sys.argv[1],'w');fcntl.flock(f,fcntl.LOCK_EX);f.write('somebody (process 1) since today: a test\\n');f.flush();" \
                     "print('held',flush=True);time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", holder_program, os.path.join(OUT, "hilbench-held.lock")], stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        for words in (["power", "zgw", "off"], ["power", "zgw", "on"], ["power", "zgw", "cycle"], ["power", "zgw", "status"], ["reset", "zgw"],
                      ["console", "zgw", "--for", "1s"], ["probe", "zgw", "identify"], ["probe", "zgw", "halt"], ["net"], ["cleanup"], ["selftest"]):
            done, took = rig(*words, file=path)
            check(f"rig {' '.join(words)}: refused while somebody has the rig, with his name",
                  done.returncode == 3 and "somebody (process 1)" in done.stdout + done.stderr and took < 60, done)
        holder.kill()


def words_first():
    """Nothing is started for words that are wrong: no folder, no board."""
    for name, words in [("a length of nothing", ["dump", "0x20000000", "0", "/tmp/x"]), ("a unit that is none", ["dump", "0x20000000", "64Kib", "/tmp/x"]),
                        ("a length over the end", ["dump", "0xfffffff0", "64KiB", "/tmp/x"]), ("a file that is not there", ["load", "0x20000000", "/none"]),
                        ("a place that takes no file", ["dump", "0x20000000", "4", "/none/x"]), ("a file to compare", ["compare", "0x20000000", "/none"]),
                        ("bytes that are none", ["write", "0x20000000", "0g"]), ("a kind of reset", ["reset", "warm"])]:
        trace = os.path.join(OUT, "trace")
        done, _ = rig("probe", "zgw", *words, prefix=["strace", "-f", "-e", "trace=execve", "-o", trace] if shutil.which("strace") else ())
        started = os.path.exists(trace) and any("vboard" in line for line in open(trace, encoding="utf-8", errors="replace"))
        check(f"rig probe: {name} is told before a board starts", done.returncode == 2 and done.stderr.startswith("hilbench rig: ") and not started, done)


def probe_files():
    image, dump = os.path.join(OUT, "image64"), os.path.join(OUT, "dump64")
    with open(image, "wb") as file:
        file.write(bytes(range(256)) * 4)
    done, _ = rig("probe", "zgw", "dump", "0x20000000", "64KiB", dump)
    check("rig probe: dump takes a size", done.returncode == 0 and os.path.getsize(dump) == 65536, done)
    done, _ = rig("probe", "zgw", "compare", "0x20000000", dump)
    check("rig probe: compare finds what is equal", done.returncode == 0 and "is what" in done.stdout, done)
    done, _ = rig("probe", "zgw", "compare", "0x20000000", image)
    check("rig probe: compare finds what differs", done.returncode == 1 and "differ from byte 1 on" in done.stderr, done)
    done, _ = rig("probe", "zgw", "load", "0x30000000", image)
    check("rig probe: a refused load is the board's, with the address", done.returncode == 1 and "refuses" in done.stderr and "30000000h" in done.stderr, done)
    path = os.path.join(OUT, "no-adapter.yaml")
    with open(VIRTUAL, encoding="utf-8") as file:
        text = file.read().replace('jtag: "${jtag}"', "jtag: /nonexistent/socket").replace("openocd/vboard.cfg", os.path.join(ROOT, "rigs/openocd/vboard.cfg"))
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    done, _ = rig("probe", "zgw", "identify", file=path)
    named = re.search(r"see (\S+)", done.stderr)
    kept = named and os.path.exists(named[1])
    check("rig probe: the log that an error names is there", done.returncode == 3 and kept, done)
    if kept:
        os.remove(named[1])


# ---- from one user to the next ----

def gdb_server():
    """A probe by qemu's own server: what it says is printed as lines, what it does not know or do is said."""
    qemu = shutil.which("qemu-system-x86_64")
    if not qemu:
        skip("rig probe: a GDB server", "qemu-system-x86_64 is not installed")
        return
    with tempfile.TemporaryDirectory(prefix="hilbench-gdb-") as folder:
        socket_path = os.path.join(folder, "gdb")
        files = [rig_text(name, more=f"    probe: {{driver: gdb, address: {socket_path}{more}}}\n") for name, more in (("gdb", ""), ("physical", ", physical: true"))]
        # Commands are answered when the machine is made and it listens for a debugger.
        with subprocess.Popen([qemu, "-accel", "tcg", "-m", "16", "-nodefaults", "-display", "none", "-S", "-gdb", f"unix:{socket_path},server=on,wait=off",
                               "-qmp", "stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as machine:
            try:
                machine.stdout.readline()
                machine.stdin.write(b'{"execute": "qmp_capabilities"}\n')
                machine.stdin.flush()
                machine.stdout.readline()
                done, _ = rig("probe", "zgw", "identify", file=files[0])
                check("rig probe: what a GDB server does not know is no number", done.returncode == 0 and "IDCODE not known, unique id not known" in done.stdout, done)
                done, _ = rig("probe", "zgw", "command", "info", "registers", file=files[0])
                lines = done.stdout.splitlines()
                check("rig probe: a monitor command prints lines", done.returncode == 0 and len(lines) > 5 and any(line.startswith("EIP=") for line in lines)
                      and "\\x0a" not in done.stdout, done)
                done, _ = rig("probe", "zgw", "write", "0xfec00000", "05", file=files[0])
                check("rig probe: a write that qemu drops is no success", done.returncode == 3 and "physical: true" in done.stderr, done)
                done, _ = rig("probe", "zgw", "write", "0xfec00000", "05", file=files[1])
                read, _ = rig("probe", "zgw", "read", "0xfec00000", "1", file=files[1])
                check("rig probe: with physical addresses a device register is written", done.returncode == 0 and read.stdout.startswith("fec00000 05 "), (done, read))
            finally:
                machine.kill()


def items(done):
    try:
        result = json.loads(done.stdout)
        return result["ok"], {item["resource"]: item for item in result["items"]}
    except (ValueError, KeyError):
        return None, {}


def cleanup_virtual():
    mark = f"job-{os.getpid()}"
    environment = {**ENVIRONMENT, "HILBENCH_JOB": mark}
    left = [subprocess.Popen([sys.executable, "-c", program], env=environment) for program in
            ("import time; time.sleep(600)", "import signal,time; signal.signal(15, signal.SIG_IGN); time.sleep(600)")]
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env={**ENVIRONMENT, "HILBENCH_JOB": mark + "0"})
    time.sleep(0.3)
    done, _ = rig("cleanup", "--json", env=environment)
    good, found = items(done)
    check("rig cleanup: what a job left is ended and told", done.returncode == 0 and good and
          all(f"process {p.pid}" in found and p.wait(30) is not None for p in left), done)
    check("rig cleanup: another job's process lives", other.poll() is None, done)
    done, _ = rig("cleanup", "--json", env={**ENVIRONMENT, "HILBENCH_CLEANUP": mark + "0", "HILBENCH_JOB": mark})
    check("rig cleanup: who has the mark as HILBENCH_CLEANUP ends it too", done.returncode == 0 and f"process {other.pid}" in items(done)[1]
          and other.wait(30) is not None, done)
    other.kill()
    other.wait()
    done, _ = rig("cleanup", env={k: v for k, v in ENVIRONMENT.items() if k != "HILBENCH_JOB"})
    check("rig cleanup: without a mark nobody is looked for", done.returncode == 0 and "not set" in done.stdout, done)


def cleanup_real():
    master, slave = pty.openpty()
    supply = Supply(on=True)
    path = write_rig("cleaned", supply.address, os.ttyname(slave))
    os.close(slave)
    done, _ = rig("cleanup", "--json", file=path)
    good, found = items(done)
    check("rig cleanup: a board is switched off, and that is read back", done.returncode == 0 and good and not supply.on and
          "read back" in found.get("power zgw", {}).get("message", "") and found.get("console zgw", {}).get("ok"), done)
    supply.mute = True
    done, took = rig_in_time(20, "cleanup", "--json", file=path)
    good, found = items(done)
    check("rig cleanup: a supply that says nothing is told within 20 s", done.returncode == 3 and good is False and took < 20 and
          found.get("power zgw", {}).get("ok") is False and "console zgw" in found, (took, done))
    supply.close()
    os.close(master)
    prefix = namespace()
    if prefix:
        script = ("ip link set lo up; ip link add rack0 type dummy 2>/dev/null && ip link set rack0 up && "
                  "ip address add 192.168.10.1/24 dev rack0 && ip address add 192.168.1.200/24 dev rack0; exec \"$@\"")
        done, took = rig_in_time(20, "cleanup", "--json", file=TC375, prefix=[*prefix, "sh", "-c", script, "sh"])
        good, found = items(done)
        wanted = {f"{part} {role}" for role in ("vmg", "zgw", "ecu") for part in ("power", "console")} | {"bus can0", "reset zgw", "reset ecu"}
        check("rig cleanup: nothing connected: every item, within 20 s", done.returncode == 3 and good is False and took < 20 and wanted <= set(found), (took, done))


def selftest():
    done, _ = rig("selftest", "--json")
    good, found = items(done)
    check("rig selftest: the virtual rack passes", done.returncode == 0 and good and all(found.get(f"boot {r}", {}).get("ok") for r in ("vmg", "zgw", "ecu"))
          and "WHB7ZGW0000000091" in found.get("identity zgw", {}).get("message", "") and found.get("bus can0", {}).get("ok") and "off zgw" in found, done)
    path = os.path.join(OUT, "broken.yaml")
    with open(VIRTUAL, encoding="utf-8") as file:
        virtual = file.read().replace("openocd/vboard.cfg", os.path.join(ROOT, "rigs/openocd/vboard.cfg"))
    for name, text, resource in [("another chip", virtual.replace("0x6731048cc3c02165", "0x6731048cc3c02166"), "probe zgw"),
                                 ("a board that does not connect", virtual.replace("target: \"127.${rack}.1.1:3496\"", "target: \"127.${rack}.1.1:3999\""), "boot zgw")]:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done, took = rig_in_time(20, "selftest", "--json", "--within", "4s", file=path)
        good, found = items(done)
        check(f"rig selftest: {name} is found", text != virtual and done.returncode == 3 and good is False and found.get(resource, {}).get("ok") is False
              and took < 20, (took, done))
    with open(path, "w", encoding="utf-8") as file:
        file.write("name: x\n")
    for verb in ("cleanup", "selftest"):
        done, _ = rig(verb, "--json", file=path)
        check(f"rig {verb}: a rig file that is none is a usage error", done.returncode == 2 and path in done.stderr, done)


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
    check("rig power: a cycle is off for a second", supply.switched_at[-1] - supply.switched_at[-2] >= 1.0, supply.switched_at)
    switched = [c for c in supply.commands if c.startswith("OUTP ")]
    check("rig power: cycle is off and on again", done.returncode == 0 and switched[-2:] == ["OUTP OFF", "OUTP ON"], switched)
    done, _ = rig("reset", "zgw", file=path)
    check("rig reset: without a reset line it is said", done.returncode == 3 and "has no `reset`" in done.stderr, done.stderr)
    supply.identity = "OTHER,PSU-9,1,1.0"
    found = of(report(rig("check", "--json", file=path)[0]), "supply")
    check("rig check: another instrument is told", found and found[0]["state"] == "bad" and "PSU-9" in found[0]["problem"], found)
    supply.mute = True
    done, took = rig_in_time(8, "check", "--json", file=path)
    found = of(report(done), "supply")
    check("rig check: an instrument that says nothing is told within 8 s", took < 8 and found and found[0]["state"] == "bad", (took, found))
    supply.close()
    held = os.open(console, os.O_RDWR | os.O_NOCTTY)
    found = of(report(rig("check", "--json", file=path)[0]), "console")
    check("rig check: who has a console open is told", found and f"process {os.getpid()}" in found[0]["problem"], found)
    console_of_real_board(master, path)
    os.close(held)
    os.close(master)


def wait_for_lock(path, pid):
    """Until the process has the rig, and says so."""
    lock = os.path.join(OUT, "hilbench-" + os.path.splitext(os.path.basename(path))[0] + ".lock")
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        try:
            with open(lock, encoding="utf-8") as file:
                if f"process {pid}" in file.read():
                    return
        except OSError:
            pass
        time.sleep(0.02)


def console_on_a_full_disk(master, path):
    for name, words, place in (("log", ["--log", "/dev/full"], "/dev/full"), ("output", [], "standard output")):
        with open("/dev/full" if not words else os.devnull, "wb") as output, \
                subprocess.Popen([HILBENCH, "rig", "--rig", path, "console", "zgw", "--for", "100s", *words], stdin=subprocess.PIPE,
                                 stdout=output, stderr=subprocess.PIPE, env=ENVIRONMENT) as process:
            STARTED.add(str(process.pid))
            process.stdin.write(b"hello\n")  # who hears it has its console open
            process.stdin.flush()
            heard = b""
            limit = time.monotonic() + 60
            while not heard.endswith(b"\n") and time.monotonic() < limit:
                if select.select([master], [], [], 0.2)[0]:
                    heard += os.read(master, 4096)
            os.write(master, b"from the board\n")
            said = process.communicate(timeout=150)[1].decode()
        check(f"rig console: a full disk: the {name} is named, and why", process.returncode == 3 and said.count("\n") == 1
              and f"to {place}: No space left on device" in said, (process.returncode, said))


def console_of_real_board(master, path):
    log = os.path.join(OUT, "console.log")
    if os.path.exists(log):  # it is appended to
        os.unlink(log)
    with subprocess.Popen([HILBENCH, "rig", "--rig", path, "console", "zgw", "--for", "100s", "--log", log], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT) as process:
        STARTED.add(str(process.pid))
        process.stdin.write(b"to the board\x00\xff\n")
        process.stdin.flush()
        heard = b""
        limit = time.monotonic() + 60
        while not heard.endswith(b"\n") and time.monotonic() < limit:
            if select.select([master], [], [], 0.2)[0]:
                heard += os.read(master, 4096)
        os.write(master, b"from the board \x01\xfe\n")
        out = process.stdout.readline()
        process.terminate()
        out += process.communicate(timeout=60)[0]
    with open(log, "rb") as file:
        logged = file.read()
    check("rig console: bytes to the board as they are", heard == b"to the board\x00\xff\n", heard)
    check("rig console: bytes of the board as they are, also in the log", out == b"from the board \x01\xfe\n" == logged, (out, logged))
    console_on_a_full_disk(master, path)
    holder = subprocess.Popen([HILBENCH, "rig", "--rig", path, "console", "zgw", "--for", "200s"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    try:
        STARTED.add(str(holder.pid))
        wait_for_lock(path, holder.pid)
        done, _ = rig("power", "zgw", "status", file=path)
        check("rig power: the second user is told who has the rig", done.returncode == 3 and f"process {holder.pid}" in done.stderr, done.stderr)
        result = report(rig("check", "--json", file=path)[0])
        check("rig check: a rig in use is left alone", of(result, "lock")[0]["state"] == "warning" and of(result, "supply")[0]["state"] == "not asked",
              result)
    finally:
        holder.terminate()
        holder.wait(60)


# ---- virtual boards ----

def virtual_boards():
    done, took = rig("power", "zgw", "cycle")
    check("rig power: a virtual board boots, and again after a cycle", done.returncode == 0 and done.stdout.count("is on, booted") == 2 and took > 1, done)
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
        go, said = os.pipe()
        pid, master = pty.fork()
        if pid == 0:
            os.read(go, 1)
            os.execve(HILBENCH, [HILBENCH, "rig", "--rig", VIRTUAL, "console", "zgw", "--time"], ENVIRONMENT)
        STARTED.add(str(pid))
        before = termios.tcgetattr(master)
        os.write(said, b"!")
        os.close(go)
        os.close(said)
        out, raw, limit = b"", False, time.monotonic() + 60
        while b"stage=activated" not in out and time.monotonic() < limit:
            if select.select([master], [], [], 0.2)[0]:
                out += os.read(master, 65536)
            raw = raw or not termios.tcgetattr(master)[3] & termios.ICANON
        if name == "Ctrl-]":
            os.write(master, b"\x1d")
        else:
            os.kill(pid, 15)
        after, status = None, None
        while status is None and time.monotonic() < limit + 30:
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
        check(f"rig console: at a terminal, ended by {name}", status == (0 if name == "Ctrl-]" else 130) and raw and b"stage=activated" in out, (status, raw, out[-200:]))
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
check_consoles()
readable()
lock_refuses()
virtual_boards()
words_first()
probe_files()
gdb_server()
cleanup_virtual()
cleanup_real()
selftest()
interrupted()
at_terminal()
bad_use()
left = [name for name in os.listdir("/tmp") if name.startswith("hilbench-rig-") and name.split("-")[2] in STARTED]
check("rig: nothing is left behind", STARTED and not left, left)
ok("rig: all commands were tried")
finish()
