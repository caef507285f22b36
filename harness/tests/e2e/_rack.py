# SPDX-License-Identifier: Apache-2.0
"""Runs of hilbench on the virtual rack for the end-to-end scripts."""
import json
import os
import subprocess

from _e2e import BIN, ROOT

HILBENCH = os.path.join(BIN, "hilbench")
RIG = os.path.join(ROOT, "rigs/virtual.yaml")
CASES = os.path.join(ROOT, "testcases")
RUN_LIMIT_S = 400  # whoever hangs is found; a loaded machine takes its time


def command(out, selection=(), params=None, rig=RIG, paths=(CASES,)):
    """The command line of one run into the directory `out`/run."""
    line = [HILBENCH, "run", "--rig", rig, "--out", os.path.join(out, "run")]
    for pattern in selection:
        line += ["--case", pattern]
    for name, value in (params or {}).items():
        line += ["--param", f"{name}={value}"]
    return line + list(paths)


def results_of(out):
    """results.json of a run, or None."""
    try:
        with open(os.path.join(out, "run", "results.json"), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def run_rack(out, selection=(), params=None, **more):
    """Runs to the end: (exit status, results or None)."""
    done = subprocess.run(command(out, selection, params, **more), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, timeout=RUN_LIMIT_S, check=False)
    return done.returncode, results_of(out)


def start_rack(out, selection=(), params=None, **more):
    """Starts a run; the caller waits for it."""
    return subprocess.Popen(command(out, selection, params, **more), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def children(pid):
    """Process ids below pid."""
    below = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as stat:
                    text = stat.read()
            except OSError:
                continue
            below.setdefault(int(text[text.rindex(")") + 2 :].split()[1]), []).append(int(entry))
    found = list(below.get(pid, ()))
    for child in found:
        found += below.get(child, ())
    return found


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def arguments_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().decode("utf-8", "replace").split("\0")
    except OSError:
        return []


def is_alive(pid):
    """A process that runs (a zombie does not count)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            text = file.read()
    except OSError:
        return False
    return text[text.rindex(")") + 2] != "Z"
