#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`hilbench rig can` opens buses, and that may set bit rates: on a real rig it is for one at a time, as everything else."""
import fcntl
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import ROOT, check, finish
from _rack import HILBENCH

BENCH = 3
NAME = re.compile(r"^name: .*$", re.M)


def can(folder, path):
    return subprocess.run([HILBENCH, "rig", "--rig", path, "can"], env=dict(os.environ, HILBENCH_LOCKS=folder), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=200, check=False)


def main():
    with tempfile.TemporaryDirectory(prefix="hilbench-can-lock-") as folder:
        path, lock = os.path.join(folder, "rig.yaml"), os.path.join(folder, "hilbench-can-lock.lock")
        with open(path, "w", encoding="utf-8") as file:
            with open(os.path.join(ROOT, "rigs/tc375-rack.yaml"), encoding="utf-8") as rack:
                file.write(NAME.sub("name: can-lock", rack.read()).replace("interface: can0", "interface: hilbench-no")
                           .replace("192.168.1.", "127.0.0."))
        with open(lock, "w", encoding="utf-8") as held:
            held.write("ada (process 1) since yesterday: a long measurement\n")
            held.flush()
            fcntl.flock(held, fcntl.LOCK_EX)
            done = can(folder, path)
            check("rig can: who has the rig is named, and no bus is opened", done.returncode == BENCH and "is taken by ada" in done.stderr
                  and "hilbench-no" not in done.stderr, f"{done.returncode} {done.stderr}")
        done = can(folder, path)
        check("rig can: the bus is opened when nobody has the rig", "taken" not in done.stderr and "hilbench-no" in done.stderr, done.stderr)
        check("rig can: the rig is free afterwards", not os.path.exists(lock), os.listdir(folder))
    finish()


if __name__ == "__main__":
    main()
