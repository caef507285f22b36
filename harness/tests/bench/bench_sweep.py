#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Points a second of an update's sweep, and how long the sweep of a 256 KiB image takes at that rate.

bench_sweep.py HILBENCH
"""
import json
import os
import subprocess
import sys
import tempfile

LIMIT_S = 600  # for every operation, phase and class of a 256 KiB image on two cores

with tempfile.TemporaryDirectory() as out:
    # A fifth of all operations, evenly: early cuts cost more than late ones.
    ranges = ",".join(f"{first}-{first + 7}" for first in range(0, 1200, 40))
    run = subprocess.run([sys.argv[1], "sweep", "ota", "--ops", ranges, "--out", os.path.join(out, "sweep")], capture_output=True, text=True,
                         check=False)
    if run.returncode != 0:
        sys.exit(f"status {run.returncode}\n{run.stdout}{run.stderr}")
    with open(os.path.join(out, "sweep/sweep.json"), encoding="utf-8") as file:
        result = json.load(file)
end = result["end"]
full_s = end["seconds"] * result["begin"]["total"] / end["operations"]
print(f"{end['points'] / end['seconds']:.0f} cuts a second, {end['played'] / end['seconds']:.0f} of them told to the end, {os.cpu_count()} cores")
print(f"{end['boots'] / end['seconds']:.0f} boots a second")
print(f"256 KiB, all operations, phases and classes: {full_s:.0f} s (limit {LIMIT_S} s)")
sys.exit(0 if full_s <= LIMIT_S else 1)
