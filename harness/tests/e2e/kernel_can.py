#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""SocketCAN on a real kernel: boots Debian's own in qemu (emulated, so neither KVM nor root is needed) with CAN
interfaces of five kinds, runs the harness's CAN programs on it and passes on what they say. The machine that runs this
needs no CAN in its own kernel. What is unpacked of the packages is kept in build/vm.

HILBENCH_VM_KERNEL names another kernel package (default: the one that linux-image-amd64 depends on), HILBENCH_VM_SECONDS
another deadline of the virtual machine."""
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
from _e2e import OUT, ROOT, check, finish, not_ok, ok, skip

NAME = "kernel CAN"
CACHE = os.path.join(ROOT, "build/vm")
PROGRAMS = os.path.join(CACHE, "meson")
GUEST_PROGRAMS = [f"harness/tests/vm/{name}" for name in ("gs_usb_emulator", "isotp_oracle", "secoc_loop", "can_plain", "can_classic", "can_adapter")]
BUILD_S, BOOT_S = 240, int(os.environ.get("HILBENCH_VM_SECONDS", "200"))
COMMAND_LINE = "console=ttyS0 loglevel=2 panic=-1 nokaslr mitigations=off tsc=reliable random.trust_cpu=on"
PASSED, FAILED = 1, 3  # what qemu makes of the 0 or 1 that the guest writes to isa-debug-exit


def build():
    """The guest's programs: the plain build has no test programs, and the instrumented one is slow on an emulated processor."""
    if not os.path.exists(os.path.join(PROGRAMS, "build.ninja")):
        shutil.rmtree(PROGRAMS, ignore_errors=True)
        done = subprocess.run(["meson", "setup", "-Dtests=true", PROGRAMS, ROOT], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BUILD_S)
        if done.returncode != 0:
            shutil.rmtree(PROGRAMS, ignore_errors=True)
            return done.stdout[-400:]
    done = subprocess.run(["ninja", "-C", PROGRAMS, *GUEST_PROGRAMS], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BUILD_S)
    return None if done.returncode == 0 else done.stdout[-400:]


def make_image(kernel, image):
    """None, or why there is no image; the second value tells whether that is a skip."""
    command = [sys.executable, os.path.join(ROOT, "tools/vm/make-image.py"), "--cache", CACHE, "--out", image, "--kernel-link", kernel]
    if os.environ.get("HILBENCH_VM_KERNEL"):
        command += ["--kernel", os.environ["HILBENCH_VM_KERNEL"]]
    command += ["--add", os.path.join(ROOT, "harness/tests/vm/init.sh") + "=init", "--add", os.path.realpath(shutil.which("ip") or "/sbin/ip") + "=sbin/ip"]
    for program in GUEST_PROGRAMS:
        command += ["--add", os.path.join(PROGRAMS, program)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=400)
    if done.returncode == 0:
        return None, False
    return (done.stderr.strip().splitlines() or ["no reason given"])[-1], done.returncode == 3


def qemu_command(qemu, kernel, image):
    return [qemu, "-M", "q35", "-accel", "tcg", "-cpu", "qemu64", "-smp", "1", "-m", "256", "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-serial", "stdio", "-kernel", kernel, "-initrd", image, "-append", COMMAND_LINE,
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
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
    """Runs the guest to its end; its exit status, whether it came to its end, and how many lines of each kind it printed."""
    seen, ended, late = [], False, False
    machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def too_late():
        nonlocal late
        late = True
        machine.kill()

    deadline = threading.Timer(BOOT_S, too_late)
    deadline.start()
    try:
        for raw in machine.stdout:
            line = raw.decode("utf-8", "replace").strip()
            ended = ended or line == "@done"
            pass_on(line, seen)
        status = machine.wait()
    finally:
        deadline.cancel()
        if machine.poll() is None:
            machine.kill()
            machine.wait()
    return status, ended, seen, late


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
    complaint = build()
    if complaint:
        not_ok(f"{NAME}: the guest's programs are built", complaint)
        return
    reason, to_skip = make_image(kernel, image)
    if reason:
        (skip if to_skip else not_ok)(NAME, reason)
        return
    began = time.monotonic()
    status, ended, seen, late = boot(qemu_command(qemu, kernel, image))
    print(f"  the virtual machine ran {time.monotonic() - began:.1f} s")
    os.unlink(image)
    wanted = FAILED if "not ok" in seen else PASSED
    check(f"{NAME}: the guest comes to its end and says the same by its exit status", ended and status == wanted and "ok" in seen,
          f"it was stopped after {BOOT_S} s" if late else f"qemu's status is {status}, not {wanted}, after {len(seen)} lines")


if __name__ == "__main__":
    # Told to end, the machine is ended too: sys.exit() runs what "finally" holds.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
    finish()
