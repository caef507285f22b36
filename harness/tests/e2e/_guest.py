# SPDX-License-Identifier: Apache-2.0
"""Boots Debian's own kernel in qemu (emulated, so neither KVM nor root is needed) with programs of this checkout in it, and passes on the
lines of the test protocol that its first process prints. What is unpacked of the packages is kept in build/vm.

HILBENCH_VM_KERNEL names another kernel package (default: the one that linux-image-amd64 depends on), HILBENCH_VM_SECONDS another deadline of
the virtual machine."""
import fcntl
import os
import re
import shutil
import subprocess
import sys
import threading
import time

from _e2e import OUT, ROOT, check, not_ok, ok, skip

CACHE = os.path.join(ROOT, "build/vm")
PROGRAMS = os.path.join(CACHE, "meson")
GUEST = os.path.join(ROOT, "harness/tests/vm")
BUILD_S, BOOT_S = 400, int(os.environ.get("HILBENCH_VM_SECONDS", "700"))
COMMAND_LINE = "console=ttyS0 loglevel=2 panic=-1 nokaslr mitigations=off tsc=reliable random.trust_cpu=on"
PASSED, FAILED = 1, 3  # what qemu makes of the 0 or 1 that the guest writes to isa-debug-exit


class Guest:
    """One virtual machine: `name` precedes its lines, `init` of harness/tests/vm is its first process, `programs` are built from there,
    `files` are (file of this machine, place in the guest), `devices` are more words for qemu."""

    def __init__(self, name, init, programs, files=(), devices=()):
        self.name, self.init, self.programs, self.files, self.devices = name, init, programs, files, devices
        self.seen = []

    def build(self):
        """None, or why not. Guests that run side by side build in one directory: one after the other."""
        with open(os.path.join(CACHE, ".build-lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return self.build_alone()

    def build_alone(self):
        """The plain build has no test programs, and the instrumented one is slow on an emulated processor."""
        if not os.path.exists(os.path.join(PROGRAMS, "build.ninja")):
            shutil.rmtree(PROGRAMS, ignore_errors=True)
            done = subprocess.run(["meson", "setup", "-Dtests=true", PROGRAMS, ROOT], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BUILD_S)
            if done.returncode != 0:
                shutil.rmtree(PROGRAMS, ignore_errors=True)
                return done.stdout[-400:]
        targets = [f"harness/tests/vm/{program}" for program in self.programs]
        done = subprocess.run(["ninja", "-C", PROGRAMS, *targets], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BUILD_S)
        return None if done.returncode == 0 else done.stdout[-400:]

    def make_image(self, kernel, image):
        """None, or why there is no image; the second value tells whether that is a skip."""
        command = [sys.executable, os.path.join(ROOT, "tools/vm/make-image.py"), "--cache", CACHE, "--out", image, "--kernel-link", kernel]
        if os.environ.get("HILBENCH_VM_KERNEL"):
            command += ["--kernel", os.environ["HILBENCH_VM_KERNEL"]]
        added = [f"{GUEST}/{self.init}=init", f"{GUEST}/guest.sh=etc/guest.sh", *(f"{source}={place}" for source, place in self.files),
                 *(f"{PROGRAMS}/harness/tests/vm/{program}" for program in self.programs)]
        for addition in added:
            command += ["--add", addition]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=400)
        if done.returncode == 0:
            return None, False
        return (done.stderr.strip().splitlines() or ["no reason given"])[-1], done.returncode == 3

    def qemu_command(self, qemu, kernel, image):
        return [qemu, "-M", "q35", "-accel", "tcg", "-cpu", "qemu64", "-smp", "1", "-m", "256", "-nodefaults", "-no-user-config", "-display", "none",
                "-no-reboot", "-serial", "stdio", "-kernel", kernel, "-initrd", image, "-append", COMMAND_LINE,
                "-device", "isa-debug-exit,iobase=0xf4,iosize=4", *self.devices]

    def pass_on(self, line):
        """A line of the guest ("@ok …") in this script's name; others go to the log as they are."""
        match = re.fullmatch(r"@(ok|not ok|skip) (.*?)(?: - (.*))?", line)
        if not match:
            print("  " + line, flush=True)
            return
        verdict, name, reason = match.groups()
        self.seen.append(verdict)
        if verdict == "ok":
            ok(f"{self.name}: {name}")
        else:
            (skip if verdict == "skip" else not_ok)(f"{self.name}: {name}", reason or "no reason given")

    def boot(self, command):
        """Runs the guest to its end; its exit status, whether it came to its end, and whether it was stopped."""
        ended, late = False, False
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
                self.pass_on(line)
            status = machine.wait()
        finally:
            deadline.cancel()
            if machine.poll() is None:
                machine.kill()
                machine.wait()
        return status, ended, late

    def run(self):
        qemu = shutil.which("qemu-system-x86_64")
        if not qemu:
            skip(self.name, "qemu-system-x86_64 is not installed")
            return
        if os.uname().machine != "x86_64":
            skip(self.name, "the guest runs this machine's programs, and only an x86-64 kernel is booted")
            return
        os.makedirs(CACHE, exist_ok=True)
        kernel, image = os.path.join(OUT, "vmlinuz"), os.path.join(OUT, "initrd")
        complaint = self.build()
        if complaint:
            not_ok(f"{self.name}: the guest's programs are built", complaint)
            return
        reason, to_skip = self.make_image(kernel, image)
        if reason:
            (skip if to_skip else not_ok)(self.name, reason)
            return
        began = time.monotonic()
        status, ended, late = self.boot(self.qemu_command(qemu, kernel, image))
        print(f"  the virtual machine ran {time.monotonic() - began:.1f} s")
        os.unlink(image)
        wanted = FAILED if "not ok" in self.seen else PASSED
        check(f"{self.name}: the guest comes to its end and says the same by its exit status", ended and status == wanted and "ok" in self.seen,
              f"it was stopped after {BOOT_S} s" if late else f"qemu's status is {status}, not {wanted}, after {len(self.seen)} lines")
