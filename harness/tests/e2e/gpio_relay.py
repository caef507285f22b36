#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A relay at a GPIO line, a serial console and a reset line on a real kernel's USB drivers: Debian's kernel in qemu, with an FT232R and an
FT230X that exist only as a program (harness/tests/vm/ftdi_emulator.c). What is tried is harness/tests/vm/usb_serial.sh."""
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import finish
from _guest import Guest
from _rack import HILBENCH

if __name__ == "__main__":
    # Told to end, the machine is ended too: sys.exit() runs what "finally" holds.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    Guest("kernel USB", "usb_serial.sh", ("ftdi_emulator", "gpio_hold"), [(HILBENCH, "bin/hilbench")]).run()
    finish()
