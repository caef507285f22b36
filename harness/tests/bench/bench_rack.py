#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a virtual rack costs: processor time of an idle rack, resident memory of the runner and of each board.

usage: bench_rack.py HILBENCH RIG [TESTCASES]

Without TESTCASES a rack idles for ten seconds; with them, that suite runs and the peak memory is of the whole run.
Figures are read from /proc; nothing is judged.
"""
import collections
import os
import subprocess
import sys
import tempfile
import time

IDLE_SECONDS = 10
IDLE_CASE = f"""\
- id: bench.idle
  title: A rack that does nothing
  timeout: 60s
  steps:
    - rack.ready:
    - note: idle begins
    - wait: {IDLE_SECONDS + 3}s
"""
TICKS = os.sysconf("SC_CLK_TCK")


def processes():
    """pid -> (parent, name, cpu seconds) of all processes."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as stat:
                text = stat.read()
        except OSError:
            continue
        name = text[text.index("(") + 1 : text.rindex(")")]
        fields = text[text.rindex(")") + 2 :].split()
        found[int(entry)] = (int(fields[1]), name, (int(fields[11]) + int(fields[12])) / TICKS)
    return found


def family(root):
    """The processes below and including root."""
    everyone = processes()
    wanted = {root}
    grew = True
    while grew:
        more = {pid for pid, (parent, _, _) in everyone.items() if parent in wanted} - wanted
        wanted |= more
        grew = bool(more)
    return {pid: everyone[pid] for pid in wanted if pid in everyone}


def peak_kib(pid):
    """Peak resident memory, KiB; 0 when the process is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def watch(child, peaks, until):
    """Notes peaks by process name until `until` says so or the child ends."""
    while child.poll() is None and not until():
        for pid, (_, name, _) in family(child.pid).items():
            peaks[name] = max(peaks[name], peak_kib(pid))
        time.sleep(0.25)


def main():
    hilbench, rig = sys.argv[1:3]
    suite = sys.argv[3:]
    peaks = collections.defaultdict(int)
    with tempfile.TemporaryDirectory() as work:
        case = os.path.join(work, "idle.yaml")
        with open(case, "w", encoding="ascii") as file:
            file.write(IDLE_CASE)
        out = os.path.join(work, "out")
        child = subprocess.Popen(
            [hilbench, "run", "--rig", rig, "--out", out] + (suite or [case]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        if suite:
            watch(child, peaks, lambda: False)
        else:
            journal = os.path.join(out, "events.jsonl")
            idles = lambda: os.path.exists(journal) and "idle begins" in open(journal, encoding="utf-8").read()
            watch(child, peaks, idles)
            time.sleep(1)
            before = {pid: cpu for pid, (_, _, cpu) in family(child.pid).items()}
            started = time.monotonic()
            end = started + IDLE_SECONDS
            watch(child, peaks, lambda: time.monotonic() > end)
            after = family(child.pid)
            seconds = time.monotonic() - started
            used = sum(cpu - before.get(pid, 0) for pid, (_, _, cpu) in after.items())
            print(f"idle rack: {100 * used / seconds:.2f} % of a core over {seconds:.0f} s, {len(after)} processes (wanted: at most 2 %)")
        status = child.wait()
    for name, kib in sorted(peaks.items()):
        print(f"peak resident memory  {name:<12} {kib / 1024:6.1f} MiB (wanted: at most 32 MiB)")
    return 0 if status in (0, 1) else 1


if __name__ == "__main__":
    sys.exit(main())
