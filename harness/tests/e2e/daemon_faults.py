#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What may happen to a daemon: a full disk, a damaged database, a second daemon, an expired lease, a client that dies, names that want out."""
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import check, finish, skip
from _lab import HILBENCHD, Lab, case, nothing_runs, waits

SMALL = "HILBENCH_TEST_SMALL_DISK"  # set in the copy of this script that has a mount namespace of its own
HEARTBEATS = "leases: {heartbeat: 3s}\n"  # three may be missed: what is asked meanwhile must be asked within them


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def digest_of(text):
    return {"sha256": hashlib.sha256(text.encode()).hexdigest()}


def until(condition, within):
    limit = time.monotonic() + within
    while time.monotonic() < limit and not condition():
        time.sleep(0.05)


def second_start(lab):
    """Starts another daemon on the same state: (status, what it said)."""
    done = subprocess.run([HILBENCHD, "--config", lab.config], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=180, check=False)
    return done.returncode, done.stdout


def two_daemons():
    with tempfile.TemporaryDirectory() as folder, Lab(folder, 1) as lab:
        status, said = second_start(lab)
        check("two daemons: the second ends and names the first", status == 3 and str(lab.process.pid) in said, (status, said))
        check("two daemons: the first one answers as before", lab.ask("GET", "/healthz")[0] == 200, "no answer")


def damage(path, kind):
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        if kind == "cut off":
            file.truncate(size // 2)
        elif kind == "no database":
            file.write(b"this is not a database file at all")
        else:
            file.seek(4096)
            file.write(os.urandom(3 * 4096))


def damaged_database():
    for kind in ("cut off", "no database", "pages of garbage"):
        with tempfile.TemporaryDirectory() as folder:
            lab = Lab(folder, 1)
            with lab:
                job = lab.submit({"a.yaml": case("one")})[1]
                lab.wait_job(job["id"])
            path = os.path.join(lab.state, "book.sqlite")
            damage(path, kind)
            before = digest(path)
            status, said = second_start(lab)
            check(f"damaged database, {kind}: it is said at the start", status == 3 and "book.sqlite" in said, (status, said))
            check(f"damaged database, {kind}: the file stays as it is", digest(path) == before, "it was written to")


def expired_lease():
    with tempfile.TemporaryDirectory() as folder, Lab(folder, 1, HEARTBEATS) as lab:
        status, answer = lab.post("/rigs/v1/lease", {"for": "1h", "heartbeat": True, "note": "looking"})
        check("lease: given", status == 201, (status, answer))
        secret, number = answer["secret"], answer["lease"]["id"]
        check("lease: a second person is told who has it", lab.post("/rigs/v1/lease", {"for": "1h", "heartbeat": False})[0] == 409, "not refused")
        check("lease: a wrong secret is no heartbeat", lab.post(f"/leases/{number}/heartbeat", {"secret": "x" * 40})[0] in (403, 404, 410), "taken")
        check("lease: a heartbeat keeps it", lab.post(f"/leases/{number}/heartbeat", {"secret": secret})[0] == 200, "refused")
        job = lab.submit({"a.yaml": case("waits.for.lease")})[1]
        check("lease: a job waits and says for what", lab.job(job["id"])["state"] == "queued" and lab.job(job["id"])["waiting_for"], lab.job(job["id"]))
        done = lab.wait_job(job["id"])
        check("lease: without heartbeats it ends, and the job gets the rig", done["outcome"] == "passed", done)
        check("lease: what is over cannot be used", lab.post(f"/leases/{number}/heartbeat", {"secret": secret})[0] == 410, "taken")


def names_that_want_out():
    with tempfile.TemporaryDirectory() as folder, Lab(folder, 1) as lab:
        blob = lab.upload(case("x"))["sha256"]
        for path in ("../x.yaml", "/etc/x.yaml", "a/../../x.yaml", "", "a//b.yaml", "a/./b.yaml", "a\u0000b.yaml", "x" * 5000):
            status, answer = lab.post("/jobs", {"title": "t", "files": [{"path": path, "sha256": blob}], "paths": [path]})
            check(f"submission: the path {path[:20]!r} is refused", status == 400, (status, answer))
        job = lab.submit({"a.yaml": case("names")})[1]
        done = lab.wait_job(job["id"])
        run = done["runs"][0]["id"]
        for name in ("../../../../book.sqlite", "..%2f..%2f..%2fbook.sqlite", "%2e%2e/%2e%2e/book.sqlite", "..%5cbook.sqlite", "%00"):
            status, _ = lab.ask("GET", f"/api/v1/runs/{run}/artefacts/{name}")
            check(f"artefacts: the name {name!r} is refused", status in (400, 404), status)


def disk_is_said_to_be_full():
    with tempfile.TemporaryDirectory() as folder, Lab(folder, 1, "jobs: {free_space: 1024GiB}\n") as lab:
        data = case("full").encode()
        status, answer = lab.ask("PUT", f"/api/v1/blobs/{hashlib.sha256(data).hexdigest()}", data)
        check("disk: with less free than wanted a file is refused with the reason", status == 507 and b"free" in answer, (status, answer))
        status, answer = lab.post("/jobs", {"title": "t", "files": [{"path": "a.yaml", "sha256": "0" * 64}], "paths": ["a.yaml"]})
        check("disk: with less free than wanted a new job is refused with the reason", status == 507 and "free" in str(answer), (status, answer))
        check("disk: the status says it", lab.get("/status")["accepts_jobs"] is False, lab.get("/status"))


def fill(path):
    """Until nothing more fits."""
    with open(path, "ab", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65536)
        except OSError:
            pass


def small_file_system(disk, size):
    """Only in a mount namespace of its own."""
    os.makedirs(disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], check=True)


def queue_on_a_full_disk(disk):
    """What waits goes on waiting, what breaks is tried again, and no rig is blamed."""
    small_file_system(disk, "256m")  # what the ended runs give back is less than what has to be free
    with Lab(os.path.join(disk, "lab"), 2, "jobs: {free_space: 128MiB, grace: 3s, retries: 2}\nhealth: {quarantine_after: 1}\n") as lab:
        text = case("waiting")
        busy = [lab.submit({"a.yaml": case(f"busy.{n}", waits(15))})[1]["id"] for n in range(2)]
        queued = [lab.submit({"a.yaml": text})[1]["id"] for _ in range(4)]
        until(lambda: all(lab.job(number)["state"] == "running" for number in busy), 180)
        filler = os.path.join(disk, "filler")
        fill(filler)
        status, answer = lab.post("/jobs", {"title": "t", "files": [dict(digest_of(text), path="a.yaml")], "paths": ["a.yaml"]})
        check("queue on a full disk: a new job is refused at once, in a unit that reads well",
              status == 507 and "free" in str(answer) and "need 128 MiB" in str(answer), (status, answer))
        rest = nothing_runs(lab.state)
        check("queue on a full disk: the runs that ran were ended", not rest, rest)
        jobs = [lab.job(number) for number in queued]
        check("queue on a full disk: no queued job was begun", all(job["state"] == "queued" and not job["runs"] for job in jobs), jobs)
        check("queue on a full disk: they say what they wait for", all(job["waiting_for"].startswith("disk space: ") for job in jobs), jobs)
        os.unlink(filler)
        jobs = [lab.wait_job(number) for number in queued + busy]
        check("queue on a full disk: with space again all goes on", all(job["outcome"] == "passed" for job in jobs),
              [(job["outcome"], job["reason"]) for job in jobs])
        reasons = [run["reason"] for job in jobs[len(queued):] for run in job["runs"][:-1]]
        check("queue on a full disk: what was ended says why and was tried again",
              reasons and all(reason.startswith("no space on the host: ") for reason in reasons), reasons)
        health = {name: (rig["health"], rig["reason"]) for name, rig in lab.rigs().items()}
        check("queue on a full disk: no rig is blamed", all(state == "healthy" for state, _ in health.values()), health)
    check("queue on a full disk: the books are consistent", lab.check_books(deep=True)[0] == 0, lab.check_books(deep=True))


def really_full_disk(disk):
    """In a mount namespace of its own, on a file system of 48 MiB."""
    small_file_system(disk, "48m")
    lab = Lab(os.path.join(disk, "lab"), 1, "jobs: {free_space: 8MiB, grace: 3s, retries: 0}\n")
    with lab:
        first = lab.submit({"a.yaml": case("before")})[1]
        lab.wait_job(first["id"])
        running = lab.submit({"a.yaml": case("during", waits(200), timeout="250s")})[1]
        until(lambda: lab.job(running["id"])["state"] == "running", 180)
        filler = os.path.join(disk, "filler")
        fill(filler)
        status, answer = lab.ask("POST", "/api/v1/jobs", {"title": "t", "files": [], "paths": ["a.yaml"]})
        check("full disk: a new job is refused", status in (400, 507), (status, answer))
        for attempt in range(10):  # what the run that is ended here gives back makes room for a moment
            fill(filler)
            data = case(f"after.{attempt}").encode()
            status, answer = lab.ask("PUT", f"/api/v1/blobs/{hashlib.sha256(data).hexdigest()}", data)
            if status == 507:
                break
        check("full disk: a new file is refused", status == 507, (status, answer))
        rest = nothing_runs(lab.state, 120)  # by itself it would take longer
        check("full disk: the run that ran was ended", not rest, rest)
        os.unlink(filler)
        done = lab.wait_job(running["id"])
        check("full disk: its job has its end, and it is the bench's", done["outcome"] == "error", (done["outcome"], done["reason"]))
        check("full disk: what was stored is whole", lab.job(first["id"])["outcome"] == "passed" and lab.check_books(deep=True)[0] == 0, lab.check_books(deep=True))
        again = lab.submit({"a.yaml": case("again")})
        check("full disk: with space again jobs are taken", again[0] == 201 and lab.wait_job(again[1]["id"])["outcome"] == "passed", again)
    check("full disk: the books are consistent", lab.check_books(deep=True)[0] == 0, lab.check_books(deep=True))


def small_disk():
    """Runs this script again where it may mount."""
    way = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run(way + ["true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        skip("full disk", "this machine allows no mount namespace")
        return
    done = subprocess.run(way + [sys.executable, os.path.abspath(__file__)], env=dict(os.environ, **{SMALL: "1"}), stdout=subprocess.PIPE, text=True,
                          timeout=480, check=False)
    print(done.stdout, end="", flush=True)
    check("full disk: the test came to its end", done.returncode in (0, 1), done.returncode)


def main():
    if os.environ.get(SMALL):
        with tempfile.TemporaryDirectory() as folder:
            for name, test in (("disk", really_full_disk), ("queue", queue_on_a_full_disk)):
                try:
                    test(os.path.join(folder, name))
                finally:
                    subprocess.run(["umount", "--lazy", os.path.join(folder, name)], check=False)
        finish()
    two_daemons()
    damaged_database()
    expired_lease()
    names_that_want_out()
    disk_is_said_to_be_full()
    small_disk()
    finish()


if __name__ == "__main__":
    main()
