#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A relay at a GPIO line, on the kernel's simulated chip (gpio-sim), where there is one: it needs root and CONFIG_GPIO_SIM, which Debian's
own kernels are built without, so neither this machine nor the virtual machine of kernel_can.py usually has it."""
import glob
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import check, finish, skip
from _pty_console import PtyConsole
from _rack import HILBENCH

FOLDER = "/sys/kernel/config/gpio-sim"
LABEL, LINE = "hilbench-relays", 3


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


class Chip:
    """Eight lines; value(line) is what the line is driven to."""

    def __enter__(self):
        self.device = f"{FOLDER}/hilbench-{os.getpid()}"
        self.bank = f"{self.device}/bank0"
        os.mkdir(self.device)
        os.mkdir(self.bank)
        write(f"{self.bank}/num_lines", "8")
        write(f"{self.bank}/label", LABEL)
        write(f"{self.device}/live", "1")
        return self

    def value(self, line):
        found = glob.glob(f"/sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio{line}/value")
        with open(found[0], encoding="ascii") as file:
            return file.read().strip()

    def __exit__(self, *_):
        write(f"{self.device}/live", "0")
        os.rmdir(self.bank)
        os.rmdir(self.device)


def run(folder, chip, active_low):
    rig, case = os.path.join(folder, "rig.yaml"), os.path.join(folder, "case.yaml")
    console = PtyConsole(os.path.join(folder, "tty"))
    write(rig, "name: gpio\ntester: {address: 127.0.0.1, logical_address: 0x0e80}\nroles:\n  zgw:\n    driver: board\n    address: 192.0.2.1\n"
               f"    power: {{driver: gpio, chip: {LABEL}, line: {LINE}, active_low: {active_low}, on_delay: 5ms, off_at_end: true}}\n"
               f"    console: {{driver: pty, path: {console.path}}}\n")
    write(case, "- {id: a, title: a, steps: [{board.power_on: zgw}, {wait: 1s}]}\n")
    process = subprocess.Popen([HILBENCH, "run", "--rig", rig, "--out", os.path.join(folder, "run"), case], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    on = "0" if active_low == "true" else "1"
    seen, limit = False, time.monotonic() + 10
    while process.poll() is None and time.monotonic() < limit:
        seen = seen or chip.value(LINE) == on
        time.sleep(0.01)
    said = process.communicate(timeout=10)[0]
    console.unplug()
    name = "active low" if active_low == "true" else "active high"
    check(f"a relay at a GPIO line, {name}: a case runs", process.returncode == 0, said)
    check(f"a relay at a GPIO line, {name}: the line is driven", seen, said)


if not os.path.isdir(FOLDER) or not os.access(FOLDER, os.W_OK):
    skip("a relay at a GPIO line", "this kernel has no gpio-sim (Debian's is built without CONFIG_GPIO_SIM), or this is not root")
else:
    for low in ("false", "true"):
        with tempfile.TemporaryDirectory() as work, Chip() as relays:
            run(work, relays, low)
finish()
