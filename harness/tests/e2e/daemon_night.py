#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A night of the lab: many jobs on four virtual racks, of which some crash, hang, flood or lose a board, and one rack that is broken.
HILBENCH_NIGHT_JOBS: how many (default 60; the whole is 200)."""
import http.client
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import check, finish
from _lab import FAILS, PASSES, RIG, Lab, case, environment_of, nothing_runs, processes_of_jobs, waits

JOBS = int(os.environ.get("HILBENCH_NIGHT_JOBS", "60"))
SEED = int(os.environ.get("HILBENCH_NIGHT_SEED", str(random.SystemRandom().randrange(1 << 30))))
BAD_RIG = "v4"
QUARANTINE_AFTER = 4  # bench errors in a row
MOST_IN_A_ROW = 2  # that are made on a good rack: it may have one of its own besides
CONFIG = """jobs: {silence_limit: 10s, grace: 3s, retries: 1, output_limit: 256MiB, free_space: 16MiB}
health: {quarantine_after: @AFTER@, recovery_after: 0s, check_interval: 60s}
""".replace("@AFTER@", str(QUARANTINE_AFTER))
LONG = "\n".join([waits(4)] * 3)  # time to be struck, which ends it; never silent for long
KINDS = {  # kind: (share, step, outcomes that are right)
    "passes": (66, PASSES, {"passed"}),
    "fails": (12, FAILS, {"failed"}),
    "crashes": (6, LONG, {"error", "passed"}),  # a retry on which nobody falls passes
    "hangs": (4, waits(4), {"error", "passed"}),
    "loses a board": (12, waits(2), {"error", "passed"}),
}
ONCE = ("hangs",)  # kinds whose second run is left alone: each takes the whole of the silence limit


class BrokenRack(threading.Thread):
    """Kills every board of the rack whose rig file is this one, as soon as it is there."""

    def __init__(self, rig_file):
        super().__init__(daemon=True)
        self.rig_file, self.ended, self.kills = rig_file, threading.Event(), 0

    def run(self):
        while not self.ended.wait(0.1):
            for pid, (name, _) in processes_of_jobs().items():
                if name == "vboard" and self.is_mine(pid):
                    self.kills += 1
                    kill(pid, signal.SIGKILL)

    def is_mine(self, pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                parent = file.read().rsplit(")", 1)[1].split()[1]
            with open(f"/proc/{parent}/cmdline", "rb") as file:
                return self.rig_file.encode() in file.read()
        except OSError:
            return False


def kill(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Gremlin(threading.Thread):
    """Kills runners and boards of the jobs that are to suffer."""

    def __init__(self, lab, kinds):
        super().__init__(daemon=True)
        self.lab, self.kinds, self.done, self.ended = lab, kinds, {}, threading.Event()  # done: job by mark
        self.hits = {"crashes": 0, "hangs": 0, "loses a board": 0}
        self.in_a_row = {}  # rig: boards lost since a run was seen on it that nobody disturbs

    def run(self):
        while not self.ended.wait(0.2):
            try:
                self.look()
            except (OSError, RuntimeError, ValueError, http.client.HTTPException):
                pass

    def look(self):
        running = self.lab.get("/jobs?state=running&limit=100")["jobs"]
        rig_of = {f"job-{job['id']}-run-{run['id']}": (job["id"], run["rig"]) for job in running for run in self.lab.job(job["id"])["runs"]
                  if run["state"] == "running"}
        for pid, (name, mark) in processes_of_jobs(self.lab.state).items():
            run = mark.rsplit("-", 1)[0]  # the last part is the daemon's
            if run in rig_of:
                self.strike(pid, name, mark, *rig_of[run])

    def strike(self, pid, name, mark, job, rig):
        kind = self.kinds.get(job)
        if mark in self.done or rig == BAD_RIG or (kind in ONCE and job in self.done.values()):
            return
        if kind == "crashes" and name == "hilbench":
            self.hit(pid, signal.SIGSEGV, kind, mark, job)
        elif kind == "hangs" and name == "hilbench":
            self.hit(pid, signal.SIGSTOP, kind, mark, job)
        elif kind == "loses a board" and name == "vboard" and self.in_a_row.get(rig, 0) < MOST_IN_A_ROW:
            self.hit(pid, signal.SIGKILL, kind, mark, job)
            self.in_a_row[rig] = self.in_a_row.get(rig, 0) + (mark in self.done)
        elif kind in ("passes", "fails"):
            self.in_a_row[rig] = 0  # more in a row would make a good rack a bad one, and rightly

    def hit(self, pid, number, kind, mark, job):
        if environment_of(pid).get(b"HILBENCH_JOB", b"").decode() != mark:
            return
        kill(pid, number)
        self.hits[kind] += 1
        self.done[mark] = job


def plan(random_):
    kinds = [kind for kind, (share, _, _) in KINDS.items() for _ in range(max(1, share * JOBS // 100))]
    while len(kinds) < JOBS:
        kinds.append("passes")
    random_.shuffle(kinds)
    return kinds[:JOBS]


def submit_all(lab, kinds, submitted):
    """submitted: kind by job, from the moment on at which it is known."""
    for number, kind in enumerate(kinds):
        name = f"night.{kind.replace(' ', '-')}.{number}"
        status, job = lab.submit({"cases/night.yaml": case(name, KINDS[kind][1])}, title=f"{kind} {number}", pool="virtual", key=f"night-{number}")
        if status != 201:
            raise RuntimeError(f"submission {number}: {status} {job}")
        submitted[job["id"]] = kind


def wait_for_the_end(lab, submitted, within):
    limit = time.monotonic() + within
    while time.monotonic() < limit:
        open_jobs = lab.get("/jobs?state=active&limit=1000")["jobs"]
        if not open_jobs:
            return []
        time.sleep(0.5)
    return [job["id"] for job in open_jobs if job["id"] in submitted]


def look_at_results(lab, submitted):
    jobs = {job["id"]: job for job in lab.all_jobs()}
    wrong = [(number, kind, jobs[number]["outcome"], jobs[number]["reason"]) for number, kind in submitted.items()
             if jobs.get(number, {}).get("outcome") not in KINDS[kind][2]]
    check("night: every job has the outcome that its kind must have", not wrong, wrong[:4])
    lost = []
    for number, kind in submitted.items():
        detail = lab.job(number)
        if kind in ("passes", "fails") and detail["counts"]["total"] != 1:
            lost.append((number, detail["counts"]))
        if not detail["runs"] or any(run["state"] != "done" for run in detail["runs"]):
            lost.append((number, detail["runs"]))
    check("night: no verdict is lost or doubled", not lost, lost[:3])
    blamed = [number for number, kind in submitted.items() if kind != "fails" and jobs[number]["outcome"] == "failed"]
    check("night: nothing that the bench did is a failure of the product", not blamed, blamed)


def look_at_rigs(lab, gremlin, broken):
    rigs = lab.rigs()
    check("night: the broken rack is quarantined with its reason", rigs[BAD_RIG]["health"] == "quarantined" and rigs[BAD_RIG]["reason"], rigs[BAD_RIG])
    others = {name: (rig["health"], rig["reason"]) for name, rig in rigs.items() if name != BAD_RIG and rig["health"] == "quarantined"}
    check("night: no other rack is", not others, others)
    check("night: no lease is left", not any(rig["lease"] for rig in rigs.values()), [rig["lease"] for rig in rigs.values()])
    status, answer = lab.submit({"a.yaml": case("refused")}, rig=BAD_RIG)
    check("night: a job for the broken rack is refused at once with the reason", status == 422 and "quarantine" in str(answer), (status, answer))
    check("night: misfortune struck", all(gremlin.hits.values()) and broken.kills, (gremlin.hits, broken.kills))


def files_left(folder, within=90):
    """They go away behind the answer that the job is done."""
    limit = time.monotonic() + within
    while True:
        left = [os.path.join(place, name) for place, _, names in os.walk(folder) for name in names]
        if not left or time.monotonic() > limit:
            return left
        time.sleep(0.1)


def night(lab, random_, bad_file):
    submitted = {}
    gremlin, broken = Gremlin(lab, submitted), BrokenRack(bad_file)
    gremlin.start()
    broken.start()
    submit_all(lab, plan(random_), submitted)
    left = wait_for_the_end(lab, submitted, 60 + 6 * JOBS)
    check("night: every job is in a final state", not left, left)
    gremlin.ended.set()
    broken.ended.set()
    look_at_results(lab, submitted)
    look_at_rigs(lab, gremlin, broken)
    rest = nothing_runs(lab.state)
    check("night: no process is left", not rest, rest)
    left = files_left(lab.state + "/jobs")
    check("night: no working directory is left", not left, left[:5])
    status = lab.stop()
    check("night: the daemon ends when asked", status == 0, f"{status}: {lab.log()[-300:]}")
    breaches, text = lab.check_books(deep=True)
    check("night: the books are consistent", breaches == 0, text)


def main():
    random_ = random.Random(SEED)
    print(f"# {JOBS} jobs, seed {SEED}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        bad_file = os.path.join(folder, "broken.yaml")
        shutil.copy(RIG, bad_file)
        with Lab(os.path.join(folder, "lab"), {"v1": RIG, "v2": RIG, "v3": RIG, BAD_RIG: bad_file}, CONFIG) as lab:
            night(lab, random_, bad_file)
    finish()


if __name__ == "__main__":
    main()
