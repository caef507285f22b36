#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The units under a real systemd: boots Debian's kernel in qemu (emulated, so neither KVM nor root is needed) with this machine's own systemd as its first
process, installs hilbench there by the commands of docs/how-to/run-a-lab.md, and passes on what harness/tests/vm/systemd_guest.sh says: start, socket
activation, jobs under the units' hardening, watchdog, kill, stop, timer. What runs there is $HILBENCH_BIN and $HILBENCH_SHARE, moved to /usr/local.

HILBENCH_VM_SYSTEMD_SECONDS is another deadline of the virtual machine."""
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import BIN, OUT, ROOT, SHARE, check, finish, not_ok, ok, skip
from _lab import case, waits

VM = os.path.join(ROOT, "harness/tests/vm")
sys.path.insert(0, VM)
from guest_root import GuestRoot, NoPackage

NAME = "systemd"
CACHE = os.path.join(ROOT, "build/vm")
HOW_TO = os.path.join(ROOT, "docs/how-to/run-a-lab.md")
PREFIX = "/usr/local"
LIMIT_S = int(os.environ.get("HILBENCH_VM_SYSTEMD_SECONDS", "520"))
STEP_S = 270  # the guest itself waits for nothing as long as that: without a line for so long it hangs
COMMAND_LINE = ("console=ttyS0 loglevel=2 panic=-1 nokaslr mitigations=off tsc=reliable random.trust_cpu=on systemd.show_status=no systemd.log_level=notice "
                "systemd.unit=hilbench-try.target")
# (name of the package, whether every Debian that will do has it)
PACKAGES = [("systemd", True), ("libsystemd-shared", False), ("openocd", True)]
PROGRAMS = ["bash", "sh", "cat", "chgrp", "chmod", "cp", "cut", "grep", "head", "id", "install", "ip", "ls", "mkdir", "mount", "rm", "sed", "sleep", "tail",
            "tee", "test", "tr", "umount", "useradd", "wc"]
TARGET = "[Unit]\nDescription=the machine of this test\nRequires=basic.target\nAfter=basic.target\nWants=hilbench-try.service multi-user.target\n"
SERVICE = """[Unit]
Description=what is tried
DefaultDependencies=no
After=basic.target
[Service]
Type=exec
ExecStart=/srv/systemd_guest.sh
StandardOutput=append:/dev/ttyS0
StandardError=append:/dev/ttyS0
"""
# A rig of this machine: its serial port, two CAN controllers on one wire, a supply that is a program. ttyS2 is the other end of ttyS1's wire.
BOX = """name: box
tester: {address: 127.0.0.1, logical_address: 0x0e80}
roles:
  box:
    driver: board
    logical_address: 0x0e00
    address: 127.0.0.2
    vin: WHB7B0X0000000E00
    eid: "02 00 00 00 0e 00"
    power: {driver: command, on: [/usr/local/bin/box-on], off: [/usr/bin/true]}
    console: {driver: serial, device: /dev/ttyS1, baud: 115200}
buses:
  can0: {driver: socketcan, interface: can0, nominal: 250000}
  can1: {driver: socketcan, interface: can1, nominal: 250000}
"""
BOX_ON = """#!/bin/bash
if touch /etc/hilbench/written /usr/local/bin/written; then echo "it could write" >&2; exit 1; fi 2>/dev/null
echo "read-only" >/run/hilbench/box-saw-read-only
printf '@boot stage=server t_us=1 boot=1 reason=power-on\\r\\n' >/dev/ttyS2
"""
BOX_CASE = """cases:
  - id: box
    title: the serial port and the CAN controllers of this machine
    timeout: 60s
    steps:
      - board.boot: {role: box, stage: server}
      - can.status: {bus: can1}
      - can.send: {bus: can0, id: 0x123, data: "01 02 03"}
      - can.expect: {bus: can1, id: 0x123, within: 5s, expect: {data: "01 02 03"}}
"""
PROBE = "      - probe.identify: {role: vmg, expect: {slot: vmg}}"


def blocks(page):
    """What the how-to's section on the service has: the configuration, the commands of root, the permission for CAN."""
    section = page.split("\n## As a service\n")[1].split("\n## ")[0]
    config = re.search(r"```yaml\n(state: .*?)```", section, re.S).group(1)
    commands = re.search(r"As root:\n\n((?:    .*\n)+)", section).group(1)
    drop_in = re.search(r"```ini\n# (/\S+)\n(.*?)```", section, re.S)
    return config, re.sub(r"^    ", "", commands, flags=re.M), drop_in.groups()


def small_rack():
    """The virtual rack with its first board alone: what an emulated processor brings up, and looks at, in a short time."""
    with open(os.path.join(ROOT, "rigs/virtual.yaml"), encoding="utf-8") as file:
        head, rest = file.read().split("\nroles:\n")
    first = re.match(r"  \w+:\n(?:    .*\n)+", rest).group(0)
    return head.replace("name: virtual", "name: small").replace("relay, power, console, ota", "power, console") + "\nroles:\n" + first


def add_hilbench(guest):
    guest.add_tree(BIN, f"{PREFIX}/bin")
    for folder, _, files in os.walk(SHARE):
        for name in files:
            path = os.path.join(folder, name)
            place = os.path.join(f"{PREFIX}/share/hilbench", os.path.relpath(path, SHARE))
            if "/systemd/" in place:
                # The build of the tests has another prefix.
                with open(path, encoding="utf-8") as file:
                    guest.add_data(place, file.read().replace(os.path.dirname(BIN), PREFIX))
            elif "/packages/" not in place or re.search(r"-1\.0\.0\.", name):
                guest.add_file(path, place, False)
    guest.add_file(os.path.join(ROOT, "docs/reference/daemon.md"), f"{PREFIX}/share/doc/hilbench/daemon.md")


def add_test(guest):
    with open(HOW_TO, encoding="utf-8") as file:
        config, commands, (drop_in, drop_in_text) = blocks(file.read())
    guest.add_data("/srv/as-documented.yaml", config)
    guest.add_data("/srv/hilbenchd.yaml", "health: {check_interval: 30s}\n" + re.sub(r"  v2: .*\n", "", config).replace("/virtual.yaml", "/small.yaml") + "  box: {file: rigs/box.yaml}\n")
    guest.add_data(f"{PREFIX}/share/hilbench/rigs/small.yaml", small_rack())
    guest.add_data("/srv/install.sh", commands, 0o755)
    guest.add_data(drop_in, drop_in_text)
    guest.add_data("/etc/hilbench/rigs/box.yaml", BOX)
    guest.add_data("/etc/hilbench/nightly.conf", "HILBENCH_NIGHTLY_OPTIONS=--pool small\n")
    guest.add_data("/usr/local/bin/box-on", BOX_ON, 0o755)
    long = case("waits", "      - note: under way\n" + waits(45))
    for path, text in {"/srv/cases/rack.yaml": case("rack"), "/srv/cases/probe.yaml": case("probe", PROBE), "/srv/cases/box.yaml": BOX_CASE, "/srv/cases/waits.yaml": long,
                       "/etc/hilbench/testcases/night.yaml": long}.items():
        guest.add_data(path, text)
    guest.add_file(os.path.join(VM, "systemd_guest.sh"), "/srv/systemd_guest.sh")
    guest.add_data("/etc/systemd/system/hilbench-try.target", TARGET)
    guest.add_data("/etc/systemd/system/hilbench-try.service", SERVICE)


def add_system(guest):
    for name, needed in PACKAGES:
        try:
            guest.add_package(name)
        except NoPackage:
            if needed:
                raise
    for name in PROGRAMS + ["true", "touch", "date", "readlink", "dirname"]:
        path = shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin")
        if path:
            guest.add_file(path)
    for name in ("passwd", "group"):
        guest.add_file(f"/usr/share/base-passwd/{name}.master", f"/etc/{name}")
    for path in ("/etc/login.defs", "/etc/os-release"):
        if os.path.exists(path):
            guest.add_file(path)
    guest.add_data("/etc/machine-id", "")
    guest.add_data("/etc/fstab", "")
    guest.add_data("/etc/hostname", "lab\n")
    guest.add_data("/etc/systemd/journald.conf.d/quick.conf", "[Journal]\nStorage=volatile\nAudit=no\n")


def make_image(kernel, image):
    """None, or why there is no image; the second value tells whether that is a skip."""
    command = [sys.executable, os.path.join(ROOT, "tools/vm/make-image.py"), "--cache", CACHE, "--out", image, "--kernel-link", kernel,
               "--add", os.path.join(VM, "systemd_init.sh") + "=init"]
    if os.environ.get("HILBENCH_VM_KERNEL"):
        command += ["--kernel", os.environ["HILBENCH_VM_KERNEL"]]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=400)
    if done.returncode != 0:
        return (done.stderr.strip().splitlines() or ["no reason given"])[-1], done.returncode == 3
    guest = GuestRoot(ROOT)
    try:
        add_hilbench(guest)
        add_test(guest)
        add_system(guest)
    except NoPackage as error:
        return str(error), True
    data = guest.bytes()
    with open(image, "ab") as file:
        # Not compressed: that would cost the emulated processor more than the reading does.
        file.write(bytes(-file.tell() % 4) + data)
    print(f"  the guest's root file system has {len(data) >> 20} MiB")
    return None, False


def qemu_command(qemu, kernel, image):
    wire = os.path.join(OUT, "wire")
    return [qemu, "-M", "q35", "-accel", "tcg", "-cpu", "qemu64", "-smp", "2", "-m", "3072", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-serial", "stdio", "-chardev", f"socket,id=a,path={wire},server=on,wait=off", "-chardev", f"socket,id=b,path={wire}",
            "-serial", "chardev:a", "-serial", "chardev:b", "-kernel", kernel, "-initrd", image, "-append", COMMAND_LINE,
            "-object", "can-bus,id=c0", "-device", "kvaser_pci,canbus=c0", "-device", "kvaser_pci,canbus=c0"]


def pass_on(line, seen):
    """A line of the guest ("@ok …") in this script's name; others go to the log as they are."""
    match = re.fullmatch(r"@(ok|not ok|skip) (.*?)(?: - (.*))?", line)
    if not match:
        print("  " + line, flush=True)
        return
    verdict, name, reason = match.groups()
    seen.append(verdict)
    if verdict == "ok":
        ok(f"{NAME}: {name}")
    else:
        (skip if verdict == "skip" else not_ok)(f"{NAME}: {name}", reason or "no reason given")


def boot(command):
    """Runs the guest to its end; whether it came there, its lines of the protocol, whether it was too late, and for how long it had said nothing."""
    seen, ended, late, heard = [], False, False, time.monotonic()
    machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def too_late():
        nonlocal late
        late = True
        machine.kill()

    deadline = threading.Timer(LIMIT_S, too_late)
    deadline.start()
    try:
        for raw in machine.stdout:
            line = raw.decode("utf-8", "replace").strip()
            ended = ended or line == "@done"
            pass_on(line, seen)
            heard = heard if late else time.monotonic()
        quiet = time.monotonic() - heard
        machine.wait()
    finally:
        deadline.cancel()
        if machine.poll() is None:
            machine.kill()
            machine.wait()
    return ended, seen, late, quiet


def main():
    qemu = shutil.which("qemu-system-x86_64")
    if not qemu:
        skip(NAME, "qemu-system-x86_64 is not installed")
        return
    if os.uname().machine != "x86_64":
        skip(NAME, "the guest runs this machine's programs, and only an x86-64 kernel is booted")
        return
    os.makedirs(CACHE, exist_ok=True)
    kernel, image = os.path.join(OUT, "vmlinuz"), os.path.join(OUT, "initrd")
    reason, to_skip = make_image(kernel, image)
    if reason:
        (skip if to_skip else not_ok)(NAME, reason)
        return
    began = time.monotonic()
    ended, seen, late, quiet = boot(qemu_command(qemu, kernel, image))
    print(f"  the virtual machine ran {time.monotonic() - began:.1f} s")
    os.unlink(image)
    if late and not ended and "not ok" not in seen and quiet < STEP_S:
        skip(f"{NAME}: the guest comes to its end", f"this machine emulates too slowly: {len(seen)} lines in {LIMIT_S} s, all well")
        return
    check(f"{NAME}: the guest comes to its end", ended and "ok" in seen, f"it was stopped after {LIMIT_S} s" if late else f"it ended after {len(seen)} lines")


if __name__ == "__main__":
    # Told to end, the machine is ended too: sys.exit() runs what "finally" holds.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
    finish()
