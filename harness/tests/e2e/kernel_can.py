#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""SocketCAN on a real kernel: boots Debian's own in qemu with CAN interfaces of five kinds, runs the harness's CAN programs on it and passes
on what they say. The machine that runs this needs no CAN in its own kernel."""
import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import finish
from _guest import Guest

PROGRAMS = ("gs_usb_emulator", "isotp_oracle", "secoc_loop", "can_plain", "can_classic", "can_adapter")
CONTROLLERS = ["-object", "can-bus,id=c0", "-device", "kvaser_pci,canbus=c0", "-device", "kvaser_pci,canbus=c0"]

if __name__ == "__main__":
    # Told to end, the machine is ended too: sys.exit() runs what "finally" holds.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    Guest("kernel CAN", "init.sh", PROGRAMS, [(os.path.realpath(shutil.which("ip") or "/sbin/ip"), "sbin/ip")], CONTROLLERS).run()
    finish()
