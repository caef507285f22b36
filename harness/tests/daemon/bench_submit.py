#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""From the command to the first step of a case: `hilbench submit --wait` on an idle rack of a daemon, beside `hilbench run` on the same rack.

usage: bench_submit.py HILBENCH HILBENCHD RIG [ROUNDS]

Both times are taken by one clock: CLOCK_MONOTONIC before the command is started, and the stamp of the first step.begin in the run's journal.
The two take turns. Medians are printed; nothing is judged.
"""
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

CASE = "- id: bench.first-step\n  title: First step\n  steps:\n    - note: here\n"


def first_step_ns(lines):
    for line in lines:
        event = json.loads(line)
        if event["kind"] == "step.begin":
            return event["t"]
    raise RuntimeError("the run had no step")


def by_run(hilbench, rig, folder, number):
    out = os.path.join(folder, f"run-{number}")
    begin_ns = time.monotonic_ns()
    subprocess.run([hilbench, "run", "--rig", rig, "--out", out, "case.yaml"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(out, "events.jsonl"), encoding="utf-8") as journal:
        return first_step_ns(journal) - begin_ns


def wait_until_free(hilbench, folder, environment):
    """Until no rig is in use: what is measured is an idle rack."""
    while True:
        told = subprocess.run([hilbench, "status", "--rigs", "--json"], cwd=folder, env=environment, check=True, capture_output=True)
        if all(rig["lease"] is None for rig in json.loads(told.stdout)):
            return
        time.sleep(0.05)


def by_submit(hilbench, folder, environment, number):
    wait_until_free(hilbench, folder, environment)
    begin_ns = time.monotonic_ns()
    done = subprocess.run([hilbench, "submit", "--wait", "case.yaml"], cwd=folder, env=environment, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"submit: {done.returncode} {done.stdout} {done.stderr}")
    job = re.match(r"job (\d+)", done.stdout).group(1)
    out = os.path.join(folder, f"fetched-{number}")
    subprocess.run([hilbench, "fetch", "--out", out, job, "events.jsonl"], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    [run] = [name for name in os.listdir(out) if name.startswith("run-")]
    with open(os.path.join(out, run, "events.jsonl"), encoding="utf-8") as journal:
        return first_step_ns(journal) - begin_ns


def start_daemon(hilbenchd, rig, folder):
    config = os.path.join(folder, "hilbenchd.yaml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(f"state: {folder}/state\nrigs:\n  v1: {{file: {json.dumps(os.path.realpath(rig))}}}\n")
    with open(os.path.join(folder, "hilbenchd.log"), "wb") as log:
        return subprocess.Popen([hilbenchd, "--config", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def main():
    hilbench, hilbenchd, rig = (os.path.realpath(path) for path in sys.argv[1:4])
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 15
    figures = {"run": [], "submit": []}
    with tempfile.TemporaryDirectory(prefix="hilbench-submit-") as folder:
        environment = dict(os.environ, HILBENCH_SOCKET=os.path.join(folder, "state/hilbenchd.sock"))
        with open(os.path.join(folder, "case.yaml"), "w", encoding="utf-8") as file:
            file.write(CASE)
        daemon = start_daemon(hilbenchd, rig, folder)
        try:
            while subprocess.run([hilbench, "status"], env=environment, capture_output=True, check=False).returncode != 0:
                if daemon.poll() is not None:
                    raise RuntimeError("hilbenchd does not start")
                time.sleep(0.05)
            by_submit(hilbench, folder, environment, "warm")
            for number in range(rounds):
                figures["run"].append(by_run(hilbench, rig, folder, number))
                figures["submit"].append(by_submit(hilbench, folder, environment, number))
        finally:
            daemon.terminate()
            daemon.wait(60)
    medians = {name: statistics.median(values) / 1e6 for name, values in figures.items()}
    for name, values in figures.items():
        print(f"hilbench {name:6} to first step: median {medians[name]:.1f} ms, {min(values) / 1e6:.1f} to {max(values) / 1e6:.1f} ms, n {len(values)}")
    print(f"submit above run: {medians['submit'] - medians['run']:.1f} ms (wanted: at most 60 ms)")


if __name__ == "__main__":
    main()
