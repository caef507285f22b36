#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon killed at random moments of a night: after each restart the books are consistent, and nothing that was acknowledged is lost.
HILBENCH_KILLS: how many (default 25; the whole is 100)."""
import http.client
import os
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import check, finish
from _lab import FAILS, PASSES, Lab, case, nothing_runs

KILLS = int(os.environ.get("HILBENCH_KILLS", "25"))
SEED = int(os.environ.get("HILBENCH_NIGHT_SEED", str(random.SystemRandom().randrange(1 << 30))))
CONFIG = """jobs: {silence_limit: 30s, grace: 3s, retries: 3, free_space: 16MiB}
health: {quarantine_after: 100, recovery_after: 0s, check_interval: 60s}
"""
AHEAD = 8  # jobs that wait or run at any time


class Client(threading.Thread):
    """Submits as long as it may; what was acknowledged must be there for ever."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.lab, self.ended, self.acknowledged, self.cancelled, self.number = lab, threading.Event(), {}, set(), 0

    def run(self):
        while not self.ended.is_set():
            try:
                if len(self.lab.get("/jobs?state=active&limit=100")["jobs"]) < AHEAD:
                    self.submit()
                else:
                    time.sleep(0.05)
            except (OSError, RuntimeError, ValueError, http.client.HTTPException):
                time.sleep(0.02)  # the daemon is away, or died in the middle of its answer

    def submit(self):
        self.number += 1
        good = self.number % 5 != 0
        status, job = self.lab.submit({"a.yaml": case(f"kill.{self.number}", PASSES if good else FAILS)}, title=f"kill {self.number}",
                                      key=f"kill-{self.number}")
        if status in (200, 201):
            self.acknowledged[job["id"]] = (self.number, good)
            if self.number % 11 == 0:
                self.cancelled.add(job["id"])  # also when the daemon dies before it answers: then it may be either
                self.lab.post(f"/jobs/{job['id']}/cancel")


def kill_again_and_again(lab, random_, client):
    breaches, missing, slow = [], [], []
    for _ in range(KILLS):
        time.sleep(random_.random() * random_.choice([0.05, 0.3, 1.5]))
        known = dict(client.acknowledged)
        lab.kill()
        status, text = lab.check_books()
        if status != 0:
            breaches.append(text)
        begin = time.monotonic()
        lab.start()
        slow.append(time.monotonic() - begin)
        there = {job["id"] for job in lab.all_jobs()}
        missing += [job for job in known if job not in there]
    return breaches, missing, slow


def wait_for_the_end(lab, within):
    limit = time.monotonic() + within
    jobs = [None]
    while jobs and time.monotonic() < limit:
        jobs = lab.get("/jobs?state=active&limit=1000")["jobs"]
        time.sleep(0.2)
    return [job["id"] for job in jobs]


def look_at_results(lab, client):
    wrong, doubled = [], []
    for number, (_, good) in client.acknowledged.items():
        job = lab.job(number)
        wanted = {"passed" if good else "failed"} | ({"cancelled"} if number in client.cancelled else set())
        if job["outcome"] not in wanted:
            wrong.append((number, job["outcome"], job["reason"], [(run["outcome"], run["reason"]) for run in job["runs"]]))
        if job["outcome"] in ("passed", "failed") and job["counts"]["total"] != 1:
            doubled.append((number, job["counts"]))
    check("kill: every acknowledged job came to its right end", not wrong, wrong[:3])
    check("kill: no verdict is lost or doubled", not doubled, doubled[:3])


def main():
    random_ = random.Random(SEED)
    print(f"# {KILLS} kills, seed {SEED}", flush=True)
    with tempfile.TemporaryDirectory() as folder, Lab(folder, 4, CONFIG) as lab:
        client = Client(lab)
        client.start()
        breaches, missing, slow = kill_again_and_again(lab, random_, client)
        client.ended.set()
        client.join(90)
        check(f"kill: after each of {KILLS} kills the books are consistent", not breaches, breaches[:1])
        check("kill: nothing acknowledged is lost", not missing, missing[:5])
        print(f"# {len(client.acknowledged)} jobs acknowledged; restart to answer: median {sorted(slow)[len(slow) // 2] * 1000:.0f} ms", flush=True)
        left = wait_for_the_end(lab, 360)
        check("kill: every job is in a final state", not left, left)
        look_at_results(lab, client)
        rest = nothing_runs(lab.state)
        check("kill: no process is left", not rest, rest)
        check("kill: the daemon ends when asked", lab.stop() == 0, lab.log()[-300:])
        status, text = lab.check_books(deep=True)
        check("kill: the books are consistent at the end", status == 0, text)
    finish()


if __name__ == "__main__":
    main()
