#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The command line of the lab against a real hilbenchd with two virtual racks: what is submitted, waited for, cancelled, run again and fetched;
rigs in the hands of people; tokens; a daemon that is restarted under those who wait."""
import glob
import json
import os
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import check, finish
from _lab import FAILS, HILBENCH, PASSES, Lab, case, waits
from _rack import children, is_alive, name_of

DUT, USAGE, BENCH, INTERRUPTED = 1, 2, 3, 130
LIMIT_S = 240


class Desk:
    """Where somebody works: a folder with test cases, and commands from there."""

    def __init__(self, folder, lab):
        self.folder, self.lab = folder, lab
        os.makedirs(folder)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("HILBENCH_")}
        self.environment.update(HILBENCH_SOCKET=lab.socket, XDG_STATE_HOME=os.path.join(folder, "state"))
        for name in ("HILBENCH_PROGRAMS", "HILBENCH_FIXTURES"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def start(self, *arguments, **more):
        environment = dict(self.environment, **more.pop("environment", {}))
        return subprocess.Popen([HILBENCH, *arguments], cwd=self.folder, env=environment, stdin=more.pop("stdin", subprocess.DEVNULL),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

    def run(self, *arguments, **more):
        given = more.pop("input", None)
        process = self.start(*arguments, stdin=subprocess.PIPE if given is not None else subprocess.DEVNULL, **more)
        try:
            out, err = process.communicate(given, timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            err += "(ended by the test)"
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def submit(self, *arguments):
        """The number of a job that is not waited for."""
        done = self.run("submit", *arguments)
        found = re.match(r"job (\d+)", done.stdout)
        if not found:
            raise RuntimeError(f"submit {arguments}: {done.returncode} {done.stdout} {done.stderr}")
        return int(found.group(1))


def said(done):
    return f"{done.returncode}: {done.stdout[-400:]} {done.stderr[-400:]}"


def until(what, within=120):
    limit = time.monotonic() + within
    while time.monotonic() < limit:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    return None


def free(lab, rig):
    return until(lambda: lab.rigs()[rig]["lease"] is None) is not None


def line_of(stream):
    """The next line of a process, and nothing behind it: communicate() gets the rest. What came until then when none comes any more."""
    line, limit = b"", time.monotonic() + LIMIT_S
    while not line.endswith(b"\n") and select.select([stream], [], [], max(0.0, limit - time.monotonic()))[0]:
        part = os.read(stream.fileno(), 1)
        if not part:
            break
        line += part
    return line.decode()


def job_of(process):
    """Number of the job that a submit which waits says first."""
    return int(re.match(r"job (\d+)", line_of(process.stdout)).group(1))


# ---- jobs ----

def waiting(desk, lab):
    done = desk.run("submit", "--wait", "--out", "passed", "--title", "first", "--series", "s1", "cases/pass.yaml")
    check("submit --wait: passing cases give 0", done.returncode == 0 and re.search(r"^pass +t\.pass \(", done.stdout, re.M), said(done))
    xml = subprocess.run(["xmllint", "--noout", os.path.join(desk.folder, "passed/junit.xml")], capture_output=True, text=True, check=False)
    check("submit --out: JUnit is well-formed", xml.returncode == 0 and os.path.exists(os.path.join(desk.folder, "passed/report.html")), xml.stderr)
    done = desk.run("submit", "--wait", "--out", "passed", "cases")
    check("submit --wait: a failure gives 1 and names file, line and column", done.returncode == DUT
          and re.search(r"^cases/fail\.yaml:\d+:\d+: fail \(dut\): t\.fail: ", done.stdout, re.M), said(done))
    with open(os.path.join(desk.folder, "passed/results.json"), encoding="utf-8") as file:
        check("submit --out: replaces an earlier job's results", len(json.load(file)["cases"]) == 2, "they are the earlier ones")
    done = desk.run("submit", "--wait", "--param", "zgw:fault=bogus", "--out", "refused", "cases/pass.yaml")
    check("submit --wait: what a run refuses at its start is told from its beginning", done.returncode == USAGE and 'cannot be "bogus"' in done.stdout, said(done))
    with open(os.path.join(desk.folder, "refused/junit.xml"), encoding="utf-8") as file:
        text = file.read()
        check("submit --out: JUnit of a refused job has an error that says why", "<error " in text and "bogus" in text, text)
    check("a refused job names its reports", len(lab.get("/jobs?limit=1")["jobs"]) == 1
          and lab.job(lab.get("/jobs?limit=1")["jobs"][0]["id"])["reports"] == ["junit.xml", "report.html", "results.json"], "")
    before = lab.get("/jobs?limit=1")["jobs"][0]["id"]
    desk.write("wrong.yaml", "- id: t.wrong\n  steps:\n    - board.bot: {role: vmg}\n")
    done = desk.run("submit", "wrong.yaml", "cases")
    check("submit: what is wrong is said with its place, and nothing is sent", done.returncode == USAGE and "wrong.yaml:3:7: " in done.stderr
          and lab.get("/jobs?limit=1")["jobs"][0]["id"] == before, said(done))
    done = desk.run("submit", "--case", "nothing.*", "cases")
    check("submit: no case fits", done.returncode == USAGE and "no case fits" in done.stderr, said(done))
    done = desk.run("submit", "--rig", "v9", "cases")
    check("submit: a rig that is not there is refused", done.returncode == USAGE and "v9" in done.stderr, said(done))


def board_of(lab, number, role):
    """The process of a virtual board of the job's run, by the mark that all have which the run started; 0: none yet."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as marks, open(f"/proc/{pid}/cmdline", "rb") as words:
                if f"HILBENCH_JOB=job-{number}-".encode() in marks.read() and f"--name\0{role}\0".encode() in words.read():
                    return int(pid)
        except OSError:
            continue
    return 0


def mended(desk, lab):
    """The bench loses a board in the first attempt; the second one passes."""
    process = desk.start("submit", "--wait", "--retry", "1", "--retries", "0", "mid.yaml")
    number = until(lambda: next((job["id"] for job in lab.get("/jobs?state=running")["jobs"]), None))
    until(lambda: any((run["progress"] or {}).get("step") for run in lab.job(number)["runs"]))
    os.kill(until(lambda: board_of(lab, number, "zgw")), signal.SIGKILL)
    out, err = process.communicate(timeout=LIMIT_S)
    check("submit --wait: what a further attempt made good is 0, and told", process.returncode == 0 and f"job {number} passed" in out
          and re.search(r"^further attempts were needed: run 1 on v\d: a further attempt made good what the bench broke: ", out, re.M), f"{process.returncode} {out} {err}")


def names_of(lab, number):
    return [file["path"] for file in lab.job(number)["files"]]


def files(desk, lab):
    number = desk.submit("--case", "t.pass", "--key", "twice", os.path.join(desk.folder, "cases"))
    check("submit: names below the current directory are relative to it", names_of(lab, number) == ["cases/fail.yaml", "cases/pass.yaml"],
          names_of(lab, number))
    check("submit: the same key makes one job", desk.submit("--case", "t.pass", "--key", "twice", "cases") == number, "two jobs")
    long_key = "jenkins-" + "folder/" * 12 + "7"
    check("submit: a key may be longer than the daemon takes", desk.submit("--key", long_key, "--case", "t.pass", "cases")
          == desk.submit("--key", long_key, "--case", "t.pass", "cases"), "two jobs")
    os.makedirs(os.path.join(desk.folder, "elsewhere"))
    moved = Desk.__new__(Desk)
    moved.folder, moved.lab, moved.environment = os.path.join(desk.folder, "elsewhere"), lab, desk.environment
    done = moved.run("submit", "--case", "t.pass", "../cases", "../elsewhere/../cases/./pass.yaml")
    number = int(re.match(r"job (\d+)", done.stdout).group(1))
    check("submit: with files elsewhere, names are relative to what they have in common", names_of(lab, number) == ["fail.yaml", "pass.yaml"]
          and f"relative to {desk.folder}/cases/" in done.stderr, f"{names_of(lab, number)} {said(done)}")
    desk.run("submit", "--wait", "--case", "t.pass", "cases")


# ---- files that cases name ----

INSTALLS = """defaults: {{timeout: 120s, requires: [ota, flash, zgw], setup: [{{rack.ready: }}, {{tester.connect: {{role: zgw}}}}, {{doip.activate: }}]}}
cases:
  - id: {id}
    title: An own package is installed, and a fixture is known
    params: {{package: [{package}]}}
    steps:
      - package.build: {{package: zgw-1.1.0, name: fixture}}
      - ota.install: {{role: zgw, package: "${{package}}", expect: {{nrc: 0}}}}
      - bank.expect: {{role: zgw, bank: other, version: 1.2.0}}
    always:
      - board.power_off: zgw
      - flash.factory: zgw
"""
LOADS = """cases:
  - id: own.memory
    title: A file in memory
    steps:
      - board.boot: {role: zgw, stage: rtos}
      - probe.load: {role: zgw, address: 0x20000000, file: data/patch.bin}
      - probe.compare: {role: zgw, address: 0x20000000, file: data/patch.bin}
      - probe.dump: {role: zgw, address: 0x20000000, length: 64B, file: ram.bin}
      - probe.compare: {role: zgw, address: 0x20000000, file: ram.bin}
"""
NAMES = "cases:\n  - id: names.one\n    title: Names a file\n    steps:\n      - board.boot: {{role: zgw}}\n      - {step}\n"


def build(desk, path, version="1.2.0", size=20000):
    """An own package, signed with a key of the fixtures."""
    with open(os.path.join(desk.folder, "software.bin"), "wb") as file:
        file.write(os.urandom(size))
    os.makedirs(os.path.dirname(os.path.join(desk.folder, path)), exist_ok=True)
    done = desk.run("package", "build", "--target", "zgw", "--version", version, "--counter", "9", "--sequence", "9", "--key", "keys/ota-1.key",
                    "--key-id", "1", "-o", path, "software.bin")
    if done.returncode != 0:
        raise RuntimeError(f"package build: {said(done)}")


def own(desk, lab):
    """Packages and data of a case travel with it: what becomes of them here is of no matter to a job that waits."""
    build(desk, "packages/own.swpg")
    with open(os.path.join(desk.folder, "packages/own.swpg"), "rb") as file:
        package = file.read()
    desk.write("own/install.yaml", INSTALLS.format(id="own.install", package="packages/own.swpg"))
    holders = [desk.submit("--rig", rig, "slow.yaml") for rig in ("v1", "v2")]
    until(lambda: all(lab.job(number)["state"] == "running" for number in holders))
    gone = desk.submit("--rig", "v1", "own")
    other = Desk.__new__(Desk)
    other.folder, other.lab, other.environment = os.path.join(desk.folder, "elsewhere"), lab, desk.environment
    elsewhere = other.submit("--rig", "v2", "--directory", desk.folder, "own/install.yaml")
    check("submit: a package that a case names travels under its name, the fixtures do not", names_of(lab, gone)
          == ["own/install.yaml", "packages/own.swpg"] == names_of(lab, elsewhere), (names_of(lab, gone), names_of(lab, elsewhere)))
    os.unlink(os.path.join(desk.folder, "packages/own.swpg"))
    for number in holders:
        desk.run("cancel", str(number))
    done = lab.wait_job(gone)
    check("submit: a job passes with the package that was deleted since", done["outcome"] == "passed", f"{done} {desk.run('log', str(gone)).stdout[-600:]}")
    check("submit --directory: the same from another folder", lab.wait_job(elsewhere)["outcome"] == "passed", lab.job(elsewhere))
    build(desk, "packages/own.swpg", "1.3.0")
    rerun = desk.run("rerun", "--wait", str(gone))
    number = int(re.match(r"job (\d+)", rerun.stdout).group(1))
    check("rerun: the package that the job had, not the one that is there now", rerun.returncode == 0 and lab.job(number)["files"] == lab.job(gone)["files"],
          said(rerun))
    status, body = lab.ask("GET", f"/api/v1/jobs/{number}/files/packages/own.swpg")
    check("submit: what travelled can be fetched", status == 200 and body == package, (status, len(body)))
    done = desk.run("submit", "--wait", "--rig", "v1", "own")
    check("submit: the same name with other bytes is another package", done.returncode == DUT and "another version" in done.stdout, said(done))
    desk.write("own/memory.yaml", LOADS)
    os.makedirs(os.path.join(desk.folder, "data"), exist_ok=True)
    with open(os.path.join(desk.folder, "data/patch.bin"), "wb") as file:
        file.write(os.urandom(64))
    number = desk.submit("own/memory.yaml")
    os.unlink(os.path.join(desk.folder, "data/patch.bin"))
    done = lab.wait_job(number)
    check("submit: files that a probe reads travel, what it dumps does not", done["outcome"] == "passed"
          and names_of(lab, number) == ["data/patch.bin", "own/memory.yaml"], f"{done} {desk.run('log', str(number)).stdout[-600:]}")
    os.unlink(os.path.join(desk.folder, "own/memory.yaml"))
    spread_with_package(desk, lab)


def spread_with_package(desk, lab):
    for rig in ("v1", "v2"):  # it takes those that are free when it begins
        free(lab, rig)
    desk.write("own/install.yaml", INSTALLS.format(id="own.spread", package="./packages//own.swpg, zgw-1.1.0"))
    build(desk, "packages/own.swpg")
    number = desk.submit("--pool", "virtual", "--spread", "2", "own")
    os.unlink(os.path.join(desk.folder, "packages/own.swpg"))
    done = lab.wait_job(number)
    check("submit --spread: every part has the package", len(done["runs"]) == 2 and done["counts"]["pass"] == 1 and done["counts"]["fail"] == 1
          and names_of(lab, number) == ["own/install.yaml", "packages/own.swpg"], done)


def refused(desk, lab, what, step, words):
    before = lab.get("/jobs?limit=1")["jobs"][0]["id"]
    desk.write("names.yaml", NAMES.format(step=step))
    done = desk.run("submit", "names.yaml")
    check(f"submit: {what} is refused with its place", done.returncode == USAGE and re.search(r"names\.yaml:6:\d+: ", done.stderr)
          and all(word in done.stderr for word in words) and lab.get("/jobs?limit=1")["jobs"][0]["id"] == before, said(done))


def cannot_travel(desk, lab):
    def package(name):
        return f"ota.install: {{role: zgw, package: {name}}}"
    desk.write("packages/private.swpg", "x" * 262140 + "-----BEGIN PRIVATE KEY-----\nMC4C")
    desk.write("packages/unreadable.swpg", "x")
    os.chmod(os.path.join(desk.folder, "packages/unreadable.swpg"), 0)
    desk.write("my/ota-7.key", "-----BEGIN PRIVATE KEY-----\n")
    with open(os.path.join(desk.folder, "packages/large.swpg"), "wb") as file:
        file.truncate((1 << 20) + 1)
    refused(desk, lab, "a package that is missing", package("packages/none.swpg"), ["packages/none.swpg: there is no such file here"])
    refused(desk, lab, "a directory", package("packages/"), ["it is a directory"])
    refused(desk, lab, "a device far above", "probe.load: {role: zgw, address: 0, file: \"./../../../../../../../dev/null\"}", ['a path with ".."'])
    refused(desk, lab, "a path that leaves the folder", package("../desk/packages/large.swpg"), ['a path with ".."', "--directory"])
    refused(desk, lab, "an absolute path", package(os.path.join(desk.folder, "packages/large.swpg")), ["an absolute path does not travel"])
    refused(desk, lab, "a package above the daemon's limit", package("packages/large.swpg"), ["packages/large.swpg: ", "1048576 bytes", "jobs.upload_limit"])
    refused(desk, lab, "a key that is no fixture", "ota.install: {role: zgw, package: zgw-1.1.0, mutate: +sign, key: my/ota-7.key}",
            ["my/ota-7.key: a private key does not travel", "fixtures of the lab"])
    refused(desk, lab, "a private key that is named as something else", package("packages/private.swpg"), ["it holds a private key"])
    if os.geteuid() != 0:
        refused(desk, lab, "what cannot be read", package("packages/unreadable.swpg"), ["Permission denied"])
    os.mkfifo(os.path.join(desk.folder, "packages/pipe"))
    refused(desk, lab, "a pipe", package("packages/pipe"), ["it is no regular file"])
    desk.write("names.yaml", NAMES.format(step="ota.install: {role: zgw, package: zgw-1.1.0, mutate: +sign, key: ota-1}"))
    number = desk.submit("names.yaml")
    check("submit: keys of the fixtures are named as before, and do not travel", names_of(lab, number) == ["names.yaml"], names_of(lab, number))
    desk.run("cancel", str(number))
    desk.write("names.yaml", NAMES.format(step=package("packages/none.swpg")) + "  - id: names.other\n    title: Names none\n    steps:\n"
               "      - wait: 1ms\n")
    done = desk.run("submit", "--case", "names.other", "--wait", "names.yaml")
    check("submit: only the files of the cases that were asked for count", done.returncode == 0, said(done))


def queue(desk, lab):
    """Two jobs hold the racks; what waits behind them is looked at."""
    holders = [desk.submit("--rig", rig, "slow.yaml") for rig in ("v1", "v2")]
    until(lambda: all(lab.job(number)["state"] == "running" for number in holders))
    desk.write("edited.yaml", case("t.before"))
    edited = desk.submit("--rig", "v1", "edited.yaml")
    urgent = desk.submit("--rig", "v1", "--priority", "50", "cases/pass.yaml")
    given_up = desk.submit("--rig", "v2", "cases/pass.yaml")
    desk.write("edited.yaml", case("t.after", FAILS))
    done = desk.run("cancel", str(given_up))
    check("cancel: a queued job is over at once", done.returncode == 0 and until(lambda: lab.job(given_up)["outcome"] == "cancelled")
          and not lab.job(given_up)["runs"], said(done))
    done = desk.run("status")
    check("status: daemon, rigs and queue at a glance", done.returncode == 0 and f"job {holders[0]}" in done.stdout and "2 running" in done.stdout
          and f"{edited}  queued" in done.stdout, said(done))
    for number in holders:
        desk.run("cancel", str(number))
    check("cancel: a running job ends, and its rig is free again", all(lab.wait_job(n)["outcome"] == "cancelled" for n in holders)
          and free(lab, "v1") and free(lab, "v2"), [lab.job(n) for n in holders])
    done = desk.run("cancel", str(holders[0]))
    check("cancel: not twice", done.returncode == USAGE, said(done))
    first, second = lab.wait_job(urgent), lab.wait_job(edited)
    check("submit --priority: more is sooner", first["started"] <= second["started"] and first["outcome"] == "passed", (first, second))
    check("submit: a later edit does not change a queued job", second["outcome"] == "passed", second)
    listed = json.loads(desk.run("jobs", "--json", "--limit", "2").stdout)
    check("jobs --json: as the API has them", [job["id"] for job in listed] == [given_up, urgent], listed)
    listed = desk.run("jobs", "--state", "active")
    check("jobs --state: nothing is active", listed.returncode == 0 and len(listed.stdout.splitlines()) == 1, said(listed))


def again(desk, lab):
    number = desk.submit("cases")
    lab.wait_job(number)
    done = desk.run("rerun", "--wait", str(number))
    other = int(re.match(r"job (\d+)", done.stdout).group(1))
    check("rerun: the same cases again", done.returncode == DUT and lab.job(other)["counts"]["total"] == 2
          and lab.job(other)["rerun_of"] == number, said(done))
    done = desk.run("rerun", "--failed", "--wait", str(number))
    other = int(re.match(r"job (\d+)", done.stdout).group(1))
    check("rerun --failed: only what did not pass", done.returncode == DUT and lab.job(other)["counts"]["total"] == 1
          and "t.pass" not in done.stdout, said(done))
    passed = desk.submit("cases/pass.yaml")
    lab.wait_job(passed)
    done = desk.run("rerun", "--failed", str(passed))
    check("rerun --failed: nothing failed", done.returncode == USAGE, said(done))
    done = desk.run("fetch", "--out", "fetched", str(number))
    names = {os.path.basename(path) for path in glob.glob(os.path.join(desk.folder, "fetched/**"), recursive=True)}
    check("fetch: reports and files of the runs", done.returncode == 0 and {"junit.xml", "results.json", "report.html", "events.jsonl"} <= names,
          f"{names} {said(done)}")
    done = desk.run("fetch", "--out", "one", str(number), "events.jsonl", "nothing.bin")
    check("fetch: a name that no run has", done.returncode == USAGE and "nothing.bin" in done.stderr
          and len(glob.glob(os.path.join(desk.folder, "one/run-*/events.jsonl"))) == 1, said(done))
    done = desk.run("log", str(number))
    check("log: what the runs printed", done.returncode == 0 and "t.fail" in done.stdout and "../out" not in done.stdout, said(done))
    done = desk.run("status", str(number))
    check("status JOB: with its runs", done.returncode == 0 and f"job {number}  failed" in done.stdout and "  run " in done.stdout, said(done))


def spread(desk, lab):
    for rig in ("v1", "v2"):
        free(lab, rig)
    for i in range(4):
        desk.write(f"many/{i}.yaml", case(f"many.{i}", waits(1)))
    done = desk.run("submit", "--wait", "--pool", "virtual", "--spread", "2", "--out", "spread", "many")
    job = lab.get("/jobs?limit=1")["jobs"][0]
    rigs = {run["rig"] for run in lab.job(job["id"])["runs"]}
    count = subprocess.run(["xmllint", "--xpath", "count(//testcase)", os.path.join(desk.folder, "spread/junit.xml")], capture_output=True, text=True,
                           check=False).stdout.strip()
    check("submit --spread: two racks, one report", done.returncode == 0 and rigs == {"v1", "v2"} and count == "4", f"{rigs} {count} {said(done)}")
    check("submit --spread: each case is told with its rack", all(re.search(rf"many\.{i} \([^)]*\)  v[12]$", done.stdout, re.M) for i in range(4)),
          said(done))


def signals(desk, lab):
    process = desk.start("submit", "--wait", "--cancel-on-signal", "--rig", "v1", "--out", "cancelled", "slow.yaml")
    number = job_of(process)
    until(lambda: lab.job(number)["state"] == "running")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=LIMIT_S)
    check("submit --cancel-on-signal: a signal cancels the job", process.returncode == INTERRUPTED
          and lab.wait_job(number)["outcome"] == "cancelled" and free(lab, "v1"), f"{process.returncode} {lab.job(number)}")
    process = desk.start("submit", "--wait", "--rig", "v1", "mid.yaml")
    number = job_of(process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT_S)
    check("submit --wait: without it the job goes on, and that is said", process.returncode == INTERRUPTED and f"job {number} goes on" in err
          and lab.wait_job(number)["outcome"] == "passed", f"{process.returncode} {err}")


def restart(desk, lab):
    """kill -9 of the daemon under those who wait."""
    process = desk.start("submit", "--wait", "--rig", "v1", "--out", "restarted", "mid.yaml", "cases/pass.yaml")
    number = job_of(process)
    follower = desk.start("log", "--follow", str(number))
    begun = line_of(follower.stdout)  # it is there
    lab.kill()
    away = line_of(process.stderr)  # said when it has been away for a while
    lab.start()
    out, err = process.communicate(timeout=LIMIT_S)
    check("submit --wait: a restart of the daemon does not end it", process.returncode == 0 and "t.mid" in out and "t.pass" in out
          and "is hilbenchd running?; it is waited for" in away and os.path.exists(os.path.join(desk.folder, "restarted/junit.xml")),
          f"{process.returncode} {out[-300:]} {away} {err[-300:]}")
    check("submit --wait: each case is told once", out.count(" t.mid (") == 1 and out.count(" t.pass (") == 1, out)
    log, _ = follower.communicate(timeout=LIMIT_S)
    whole = desk.run("log", str(number)).stdout
    check("log --follow: the whole log once, across the restart", follower.returncode == 0 and begun and begun + log == whole and "t.mid" in log,
          f"{follower.returncode} {begun + log[-300:]} beside {whole[-300:]}")
    done = desk.run("submit", "--follow", "cases/fail.yaml")
    check("submit --follow: what the run prints, and its status", done.returncode == DUT and "t.fail" in done.stdout and "../out" not in done.stdout, said(done))


# ---- rigs ----

def locking(desk, lab):
    done = desk.run("rig", "lock", "v1", "--for", "5min", "--note", "a cable is changed")
    stored = os.path.join(desk.folder, "state/hilbench/leases/v1")
    check("rig lock: the secret is ours alone", done.returncode == 0 and stat.S_IMODE(os.stat(stored).st_mode) == 0o600
          and json.load(open(stored, encoding="utf-8"))["secret"] not in done.stdout, said(done))
    other = desk.run("rig", "lock", "v1")
    check("rig lock: who has it is told", other.returncode == BENCH and "v1 is locked by " in other.stderr, said(other))
    done = desk.run("status", "--rigs")
    check("status --rigs: who has it", lab.rigs()["v1"]["lease"]["holder"] in done.stdout, said(done))
    stranger = desk.run("rig", "unlock", "v1", environment={"XDG_STATE_HOME": os.path.join(desk.folder, "other")})
    check("rig unlock: not without the secret", stranger.returncode == USAGE and lab.rigs()["v1"]["lease"], said(stranger))
    done = desk.run("rig", "unlock", "v1")
    check("rig unlock: it is free again", done.returncode == 0 and free(lab, "v1") and not os.path.exists(stored), said(done))
    done = desk.run("rig", "lock", "v1", "--", "sh", "-c", 'test -r "$HILBENCH_RIG_FILE" && echo "$HILBENCH_JOB"; exit 7')
    check("rig lock -- COMMAND: its status, its environment, and the lease ends with it", done.returncode == 7 and "lease-" in done.stdout
          and free(lab, "v1"), said(done))
    desk.run("rig", "lock", "v2")
    done = desk.run("rig", "unlock", "v2", "--force")
    check("rig unlock --force: an admin takes it", done.returncode == 0 and free(lab, "v2"), said(done))


def helper_of(process):
    """Whoever sends the heartbeats of a client."""
    found = until(lambda: [pid for pid in children(process.pid) if name_of(pid) == "hilbench-lease"])
    if not found:
        raise RuntimeError(f"process {process.pid} has no helper")
    return found[0]


def killed(desk, lab):
    process = desk.start("rig", "lock", "v1", "--", "sleep", "100")
    sleeper = until(lambda: [pid for pid in children(process.pid) if name_of(pid) == "sleep"])
    until(lambda: lab.rigs()["v1"]["lease"])
    process.kill()
    process.communicate()
    check("rig lock: kill -9 of the client frees the rig and ends the command", free(lab, "v1")
          and not any(is_alive(pid) for pid in sleeper or [0]), lab.rigs()["v1"])
    process = desk.start("rig", "lock", "v1", "--", "sleep", "100")
    helper = helper_of(process)
    until(lambda: lab.rigs()["v1"]["lease"])
    for pid in (process.pid, helper):
        os.kill(pid, signal.SIGSTOP)  # neither lives nor dies
    check("rig lock: without heartbeats the lease is over", free(lab, "v1"), lab.rigs()["v1"])
    for pid in (process.pid, helper):
        os.kill(pid, signal.SIGCONT)
    _, err = process.communicate(timeout=LIMIT_S)
    check("rig lock: a lost lease ends the command, and is said", process.returncode == BENCH and "the lease of v1 is lost" in err,
          f"{process.returncode} {err}")


def overdue(desk, lab):
    """At the deadline the daemon cleans the rig while the client learns that its lease is over: both end the command, nobody the clean-up."""
    deaf = ("-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(900)")
    for name, command in (("a command", ("sleep", "904")), ("a command that is deaf to SIGTERM", (sys.executable, *deaf))):
        for _ in range(3):
            process = desk.start("rig", "lock", "v1", "--for", "1s", "--", *command)
            pids = until(lambda: [pid for pid in children(process.pid) if name_of(pid) != "hilbench-lease"])
            _, err = process.communicate(timeout=LIMIT_S)
            rig = free(lab, "v1") and lab.rigs()["v1"]
            check(f"rig lock: at its deadline {name} is ended, and the rig is clean and healthy", process.returncode == BENCH and "lease of v1 is lost" in err
                  and rig and rig["health"] == "healthy" and not any(is_alive(pid) for pid in pids or [0]), f"{process.returncode} {err} {lab.rigs()['v1']}")


LEAVES = "sleep 901 >/dev/null 2>&1 & sleep 902 >/dev/null 2>&1 & kill -STOP $!; echo $(jobs -p) $$; exec sleep 903"


def under_lease(desk, rig="v1"):
    """A lease whose command leaves a process that runs and one that is stopped: (client, helper, pids)."""
    process = desk.start("rig", "lock", rig, "--", "bash", "-c", LEAVES)
    pids = [int(word) for word in line_of(process.stdout).split()]
    return process, helper_of(process), pids


def ended(pids):
    return len(pids) == 3 and not any(is_alive(pid) for pid in pids)


def end(pids):
    for pid in pids:
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


def left_behind(desk, lab):
    """Nothing that was started under a lease lives when the rig is handed out again, however the lease ended."""
    done = desk.run("rig", "lock", "v1", "--", "bash", "-c", LEAVES.replace("exec sleep 903", "exit 5"))
    pids = [int(word) for word in done.stdout.split()]
    check("rig lock: what its command leaves in the background ends", done.returncode == 5 and free(lab, "v1") and ended(pids), f"{pids} {said(done)}")
    end(pids)
    process, _, pids = under_lease(desk)
    process.kill()
    process.communicate()
    check("rig lock: what is left ends after kill -9 of the client", free(lab, "v1") and ended(pids), (pids, lab.rigs()["v1"]))
    end(pids)
    process, helper, pids = under_lease(desk)
    os.kill(helper, signal.SIGKILL)
    process.communicate(timeout=LIMIT_S)
    check("rig lock: what is left ends after kill -9 of its helper", process.returncode == BENCH and free(lab, "v1") and ended(pids),
          (pids, lab.rigs()["v1"]))
    end(pids)
    # Both are found out when heartbeats are missed.
    (dead, dead_helper, dead_pids), (process, helper, pids) = under_lease(desk, "v2"), under_lease(desk)
    for pid in (dead_helper, dead.pid):
        os.kill(pid, signal.SIGKILL)
    for pid in [process.pid, helper, *pids]:
        os.kill(pid, signal.SIGSTOP)
    dead.communicate()
    check("rig lock: what is left ends after kill -9 of client and helper", free(lab, "v2") and ended(dead_pids), (dead_pids, lab.rigs()["v2"]))
    end(dead_pids)
    check("rig lock: what is left ends after SIGSTOP of client, helper and command", free(lab, "v1") and ended(pids), (pids, lab.rigs()["v1"]))
    for pid in (process.pid, helper):
        os.kill(pid, signal.SIGCONT)
    process.communicate(timeout=LIMIT_S)
    end(pids)
    check("rig lock: the rig is healthy after all of that", lab.rigs()["v1"]["health"] == "healthy", lab.rigs()["v1"])


def told(desk, lab):
    """What a person is told of rigs, refusals and mistakes."""
    desk.run("rig", "lock", "v1", "--for", "5min", "--note", "a cable is changed")
    holder, deadline = (lab.rigs()["v1"]["lease"][key] for key in ("holder", "deadline"))
    done = desk.run("status", "--rigs")
    check("status: a lock with its holder, its end and its note", re.search(
        rf"^v1 .* locked by {holder} until .*{deadline[11:16]} UTC \(a cable is changed\)", done.stdout, re.M), said(done))
    done = desk.run("rig", "lock", "v1")
    check("rig lock: of a taken rig is told who has it, until when and why", done.returncode == BENCH and f"locked by {holder} until" in done.stderr
          and "(a cable is changed)" in done.stderr, said(done))
    waiter = desk.start("rig", "lock", "v1", "--wait", "--", "true")
    time.sleep(0.5)  # it does not end by itself
    waiting_still = waiter.poll() is None
    desk.run("rig", "unlock", "v1")
    waiter.communicate(timeout=LIMIT_S)
    check("rig lock --wait: gets it when it is given back", waiting_still and waiter.returncode == 0 and free(lab, "v1"), waiter.returncode)
    desk.run("rig", "lock", "v1", "--for", "1s")
    until(lambda: lab.rigs()["v1"]["lease"] is None)
    desk.run("rig", "lock", "v2", "--", "true")
    check("rig lock: what is stored of a lease that is over goes away", not os.path.exists(os.path.join(desk.folder, "state/hilbench/leases/v1"))
          and free(lab, "v2"), "it is there")
    done = desk.run("rig", "lock", "v1", environment={"XDG_STATE_HOME": "/proc/x"})
    check("rig lock: not taken where it cannot be stored", done.returncode == BENCH and lab.rigs()["v1"]["lease"] is None
          and not [entry for entry in lab.get("/rigs/v1/health?limit=5")["entries"] if "/proc/x" in entry["text"]], said(done))
    done = desk.run("rig", "lock", "v1", "--for", "100h")
    check("rig lock: the limit in its own unit", done.returncode == USAGE and "at most 8h" in done.stderr, said(done))
    done = desk.run("submit", "--requires", "nosuch", "cases")
    check("submit: a refusal has a line for each rig", done.returncode == USAGE and re.search(r"v1: has no nosuch$", done.stderr, re.M)
          and re.search(r"^v2: has no nosuch$", done.stderr, re.M), said(done))
    for words in (("rig", "unlock", "v9"), ("jobs", "--rig", "v9")):
        done = desk.run(*words)
        check(f"{words[0]}: an unknown rig is told", done.returncode == USAGE and "no rig" in done.stderr and "v9" in done.stderr, said(done))
    done = desk.run("fetch", "--out", "none", "9999")
    check("fetch: what fails leaves no folder", done.returncode == USAGE and not os.path.exists(os.path.join(desk.folder, "none")), said(done))
    holder = desk.submit("--rig", "v1", "slow.yaml")
    queued = desk.submit("--rig", "v1", "cases/pass.yaml")
    done = desk.run("fetch", "--out", "none", str(queued))
    check("fetch: a job without files", done.returncode == BENCH and "no files" in done.stderr
          and not os.path.exists(os.path.join(desk.folder, "none")), said(done))
    desk.run("cancel", str(queued))
    desk.run("cancel", str(holder))
    lab.wait_job(holder)
    desk.write("two/a.yaml", case("two.a"))
    desk.write("two/b.yaml", case("two.b", waits(90)))  # it is cancelled
    running = desk.submit("--rig", "v1", "two")
    counts = until(lambda: lab.job(running)["counts"]["pass"] == 1 and lab.job(running)["counts"])
    check("status: the counts of a job while it runs", counts and counts["planned"] == 2 and lab.job(running)["state"] == "running", counts)
    listed = [job for job in json.loads(desk.run("jobs", "--json").stdout) if job["id"] == running]
    done = desk.run("jobs", "--state", "active")
    check("jobs: how far a job is", listed and listed[0]["counts"]["pass"] == 1 and "[1/2]" in done.stdout, f"{listed} {said(done)}")
    desk.run("cancel", str(running))
    lab.wait_job(running)
    free(lab, "v1")
    first = desk.submit("--key", "edited", "--rig", "v1", "cases/pass.yaml")
    lab.wait_job(first)
    same = desk.run("submit", "--key", "edited", "--rig", "v1", "cases/pass.yaml")
    desk.write("cases/pass.yaml", case("t.pass", PASSES) + "# edited\n")
    other = desk.run("submit", "--key", "edited", "--rig", "v1", "cases/pass.yaml")
    desk.write("cases/pass.yaml", case("t.pass", PASSES))
    check("submit --key: the same submission is the same job, another one is refused", same.stdout == f"job {first}\n" and same.returncode == 0
          and other.returncode != 0 and f"job {first}\n" != other.stdout and str(first) in other.stderr, said(same) + said(other))


def shell(desk, lab):
    done = desk.run("shell", "--daemon", "v2", "--out", "shell", input="board.boot: {role: vmg}\nquit\n")
    check("shell --daemon: works on the rig, tells where its file is, and gives it back", done.returncode == 0 and "rigs/virtual.yaml" in done.stdout
          and os.path.exists(os.path.join(desk.folder, "shell/junit.xml")) and free(lab, "v2"), said(done))
    process = desk.start("shell", "--daemon", "v2", "--out", "shell-2", stdin=subprocess.PIPE)
    until(lambda: lab.rigs()["v2"]["lease"])
    refused = desk.run("rig", "lock", "v2")
    check("shell --daemon: nobody else gets the rig meanwhile", refused.returncode == BENCH, said(refused))
    desk.run("rig", "unlock", "v2", "--force")
    until(lambda: process.poll() is not None)  # its input stays open
    out, err = process.communicate(timeout=LIMIT_S)
    check("shell --daemon: a lease that is lost ends the session with a message", process.returncode == BENCH and "the lease of v2 is lost" in out + err,
          f"{process.returncode} {out[-300:]} {err[-300:]}")
    free(lab, "v2")


def health(desk, lab):
    done = desk.run("rig", "quarantine", "v2", "its", "supply", "smells")
    began = time.monotonic()
    refused = desk.run("submit", "--wait", "--rig", "v2", "cases/pass.yaml")
    check("rig quarantine: it is refused at once with the reason", done.returncode == 0 and refused.returncode == USAGE
          and "its supply smells" in refused.stderr and time.monotonic() - began < 30, said(refused))
    done = desk.run("rig", "recover", "v2", "--wait")
    check("rig recover --wait: back by a self-test", done.returncode == 0 and lab.rigs()["v2"]["health"] == "healthy", said(done))


# ---- who may, and where ----

def tokens(desk, lab):
    made = {role: desk.run("token", "add", f"ci-{role}", role, "--expires", "1d").stdout.strip() for role in ("viewer", "operator")}
    listed = desk.run("token", "list")
    check("token: made and listed, without the token itself", "ci-operator" in listed.stdout and made["operator"]
          and made["operator"] not in listed.stdout, said(listed))
    tcp = {"HILBENCH_URL": f"http://127.0.0.1:{lab.port()}"}
    done = desk.run("submit", "--wait", "cases/pass.yaml", environment=dict(tcp, HILBENCH_TOKEN=made["operator"]))
    check("token: an operator submits over TCP", done.returncode == 0, said(done))
    done = desk.run("submit", "cases/pass.yaml", environment=dict(tcp, HILBENCH_TOKEN=made["viewer"]))
    check("token: a viewer may not", done.returncode == USAGE and "does not let you" in done.stderr, said(done))
    taken = desk.run("token", "add", "ci-viewer", "viewer")
    desk.run("token", "add", "short", "viewer", "--expires", "1s")
    marked = until(lambda: re.search(r"short  \(expired\)$", desk.run("token", "list").stdout, re.M))
    replaced = desk.run("token", "add", "short", "operator")
    check("token: an expired one is marked, and makes room for another of its name", taken.returncode == USAGE and marked
          and replaced.returncode == 0, said(taken) + said(replaced))
    check("token list --json: as the API has them", "short" in [token["name"] for token in json.loads(desk.run("token", "list", "--json").stdout)], "")
    desk.write("token", made["operator"] + "\n")
    os.chmod(os.path.join(desk.folder, "token"), 0o600)
    number = re.search(r"^ *(\d+) +operator", listed.stdout, re.M).group(1)
    done = desk.run("jobs", "--token-file", "token", "--url", tcp["HILBENCH_URL"])
    check("token: from a file", done.returncode == 0, said(done))
    desk.run("token", "remove", number)
    done = desk.run("jobs", environment=dict(tcp, HILBENCH_TOKEN=made["operator"]))
    check("token: a removed one is refused, and never printed", done.returncode == USAGE and "does not know the token" in done.stderr
          and made["operator"] not in done.stderr, said(done))
    done = desk.run("jobs", environment={"HILBENCH_URL": "http://lab.example:8480", "HILBENCH_TOKEN": "secret"})
    check("token: not in the clear over a network", done.returncode == USAGE and "use https" in done.stderr, said(done))


def nobody(desk):
    done = desk.run("status", environment={"HILBENCH_SOCKET": "/nowhere/sock"})
    check("no daemon: that is said", done.returncode == BENCH and "no daemon answers at /nowhere/sock: is hilbenchd running?" in done.stderr, said(done))
    done = desk.run("jobs", "--url", "ftp://lab")
    check("no daemon: a URL of something else", done.returncode == USAGE, said(done))


def main():
    folder = tempfile.mkdtemp(prefix="hilbench-cli-")
    try:
        with Lab(os.path.join(folder, "lab"), rigs=2, config="listen: {address: '127.0.0.1:0'}\n"
                 "leases: {heartbeat: 2s}\njobs: {grace: 10s, upload_limit: 1MiB}\n") as lab:
            desk = Desk(os.path.join(folder, "desk"), lab)
            desk.write("cases/pass.yaml", case("t.pass", PASSES))
            desk.write("cases/fail.yaml", case("t.fail", FAILS))
            desk.write("slow.yaml", case("t.slow", waits(90)))  # always cancelled
            desk.write("mid.yaml", case("t.mid", waits(3)))
            for part in (waiting, mended, files, own, cannot_travel, queue, again, spread, signals, restart, locking, killed, overdue, left_behind, told, shell, health):
                part(desk, lab)
            tokens(desk, lab)
            nobody(desk)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    finish()


if __name__ == "__main__":
    main()
