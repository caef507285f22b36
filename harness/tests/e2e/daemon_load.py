#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Fifty live viewers and 20,000 events a second from four runs: no event is lost in a journal, every viewer that reads sees every line, one that does not is dropped with a
notice, and the daemon's memory stays bounded."""
import http.client
import os
import re
import shutil
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import check, finish
from _lab import HILBENCHD, RIG, Connection, Lab

SECONDS = float(os.environ.get("HILBENCH_LOAD_SECONDS", "8"))
CONFIG = """jobs: {output_limit: 4GiB, free_space: 16MiB, grace: 2s}
"""
HEAVY = (14000, 1000)  # events a second, bytes of a frame
LIGHT = (2000, 60)


class Viewer(threading.Thread):
    """Counts the journal lines that it is sent."""

    def __init__(self, lab, run, woken=None):
        """woken: until then it takes only as much as keeps its connection, far less than it may be behind."""
        super().__init__(daemon=True)
        self.lab, self.run_id, self.woken, self.lines, self.dropped, self.ended, self.error = lab, run, woken, 0, False, False, None

    def run(self):
        try:
            connection = Connection(self.lab.socket, 120)
            connection.request("GET", f"/api/v1/runs/{self.run_id}/events")
            answer = connection.getresponse()
            tail = b""
            while data := answer.read1(1 << 15 if self.woken and not self.woken.wait(1) else 1 << 18):
                text = tail + data
                cut = text.rfind(b"\n") + 1
                self.lines += text[:cut].count(b'data: {"n":')
                self.dropped = self.dropped or b"event: dropped" in text
                self.ended = self.ended or b"event: end" in text
                tail = text[cut:]
            connection.close()
        except (OSError, ValueError, http.client.HTTPException) as error:
            self.error = error


def memory_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) / 1024


def programs(folder):
    """A folder of programs in which hilbench is the stand-in."""
    os.makedirs(folder)
    shutil.copy(HILBENCHD, os.path.join(folder, "hilbenchd"))
    target = os.path.join(folder, "hilbench")
    shutil.copy(os.path.join(os.path.dirname(os.path.abspath(__file__)), "_fast_bench.py"), target)
    os.chmod(target, 0o755)
    return os.path.join(folder, "hilbenchd")


def submit(lab, rig, rate, size, until=""):
    text = f'cases:\n  - id: load\n    title: "rate={rate} seconds={SECONDS} size={size}{until}"\n    steps: [wait: 1s]\n'
    status, job = lab.submit({"a.yaml": text}, rig=rig, title=f"load {rig}")
    if status != 201:
        raise RuntimeError(f"{status} {job}")
    return job["id"]


def run_of(lab, job):
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        runs = [run["id"] for run in lab.job(job)["runs"] if run["state"] != "starting"]
        if runs:
            return runs[0]
        time.sleep(0.02)
    raise RuntimeError(f"job {job} does not run: {lab.job(job)}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        import _lab  # pylint: disable=import-outside-toplevel # the daemon of this test is a copy beside the stand-in
        _lab.HILBENCHD = programs(os.path.join(folder, "bin"))
        with Lab(os.path.join(folder, "lab"), {f"v{n}": RIG for n in range(1, 5)}, CONFIG) as lab:
            before = memory_of(lab.process.pid)
            seen = os.path.join(folder, "seen")
            jobs = [submit(lab, "v1", *HEAVY, f" until={seen}")] + [submit(lab, f"v{n}", *LIGHT) for n in (2, 3, 4)]
            runs = [run_of(lab, job) for job in jobs]
            woken = threading.Event()
            slow, fast = [Viewer(lab, runs[0], woken) for _ in range(6)], [Viewer(lab, runs[0]) for _ in range(8)]
            viewers = slow + fast + [Viewer(lab, runs[1 + n % 3]) for n in range(36)]
            for viewer in viewers:
                viewer.start()
            most, answers, limit = before, [], time.monotonic() + SECONDS + 300
            while time.monotonic() < limit and any(lab.job(job)["state"] != "done" for job in jobs):
                begin = time.monotonic()
                lab.get("/rigs")
                answers.append(time.monotonic() - begin)
                most = max(most, memory_of(lab.process.pid))
                # The heavy run goes on until the daemon has shown all of it to those who read, and those who did not have been told.
                if all(viewer.dropped or viewer.lines >= int(HEAVY[0] * SECONDS) for viewer in fast):
                    woken.set()
                if woken.is_set() and not any(viewer.is_alive() for viewer in slow):
                    with open(seen, "w", encoding="ascii"):
                        pass
                time.sleep(0.25)
            woken.set()
            for viewer in viewers:
                viewer.join(max(0.0, limit + 60 - time.monotonic()))
            report(lab, jobs, runs, viewers, before, most, answers)
    finish()


def report(lab, jobs, runs, viewers, before, most, answers):
    wanted = {run: int(rate * SECONDS) + 4 for run, (rate, _) in zip(runs, [HEAVY, LIGHT, LIGHT, LIGHT])}
    stored = {}
    for run in runs:
        status, journal = lab.ask("GET", f"/api/v1/runs/{run}/artefacts/events.jsonl", timeout=180)
        numbers = [int(m) for m in re.findall(rb'^\{"n":(\d+)', journal, re.M)] if status == 200 else []
        stored[run] = numbers == list(range(1, wanted[run] + 1))
    check("load: every job passed", all(lab.job(job)["outcome"] == "passed" for job in jobs), [(lab.job(job)["outcome"], lab.job(job)["reason"]) for job in jobs])
    check("load: no event is lost in a journal", all(stored.values()), stored)
    fast = [viewer for viewer in viewers if not viewer.woken and not viewer.dropped]
    wrong = [(viewer.run_id, viewer.lines, wanted[viewer.run_id], viewer.ended, str(viewer.error)) for viewer in fast
             if viewer.lines != wanted[viewer.run_id] or not viewer.ended]
    check("load: a viewer that reads sees every event once, and the end", fast and not wrong, wrong[:3])
    slow = [viewer for viewer in viewers if viewer.woken]
    check("load: a viewer that does not read is dropped with a notice", all(viewer.dropped for viewer in slow),
          [(viewer.lines, viewer.dropped, str(viewer.error)) for viewer in slow])
    check("load: the daemon's memory stays bounded", most - before < 96, f"{before:.1f} MiB before, {most:.1f} MiB at most")
    answers.sort()
    print(f"# memory {before:.1f} MiB before, {most:.1f} MiB at most; {len(fast)} viewers kept up, {sum(v.dropped for v in viewers)} dropped; "
          f"GET /rigs meanwhile: median {answers[len(answers) // 2] * 1000:.1f} ms, longest {answers[-1] * 1000:.1f} ms", flush=True)


if __name__ == "__main__":
    main()
