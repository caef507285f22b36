# SPDX-License-Identifier: Apache-2.0
"""`hilbench trace` over the rack's own run: what it shows, leaves out, follows and converts, read by other tools."""
import csv
import fcntl
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _e2e import BIN, OUT, ROOT, RUN, check, finish, not_ok, ok, skip  # noqa: E402

HILBENCH = os.path.join(BIN, "hilbench")
JOURNAL = os.path.join(RUN, "events.jsonl")


def trace(*arguments, path=RUN):
    return subprocess.run([HILBENCH, "trace", *arguments, path], capture_output=True, text=True, timeout=240)


def events():
    with open(JOURNAL, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def shows_everything(journal):
    done = trace()
    lines = done.stdout.rstrip("\n").split("\n")
    check("trace: a line for every event", done.returncode == 0 and len(lines) == len(journal), f"{len(lines)} of {len(journal)}")
    done = trace("--format", "json")
    check("trace: the format json gives the events back", [json.loads(line) for line in done.stdout.rstrip("\n").split("\n")] == journal, "they differ")


def filters(journal):
    # More than one if the rack was set up anew after an error of the bench.
    hosts = {e["data"]["plain"].split(":")[0] for e in journal if e["ch"] == "board:zgw" and e["kind"] == "boot.stage" and "plain" in e["data"]}
    wanted = [e for e in journal if e["kind"].startswith("tls.") and
              ("zgw" in e["ch"].split(":")[-1].split("-") or (e["ch"].startswith("tester:") and e["data"].get("peer", "").split(":")[0] in hosts))]
    done = trace("--board", "zgw", "--protocol", "tls")
    check("trace: a board's links are its own, and what testers do with it", len(done.stdout.rstrip("\n").split("\n")) == len(wanted) > 0,
          f"{len(done.stdout.splitlines())} of {len(wanted)}")
    shown = [json.loads(line) for line in trace("--board", "zgw", "--format", "json").stdout.splitlines()]
    talks = {kind: [e for e in shown if e["ch"].startswith("tester:") and e["kind"].startswith(kind)] for kind in ("uds.", "doip.", "tcp.")}
    check("trace: what testers say to a board is shown with it", all(talks.values()), {kind: len(found) for kind, found in talks.items()})
    others = [e for e in shown if e["ch"].startswith("tester:") and e["data"].get("peer", "").split(":")[0] not in {"", *hosts} and
              0x91 not in (e["data"].get("source"), e["data"].get("target"))]
    check("trace: and nothing that they say to another", not others, others[:2])
    wanted = [e for e in journal if e["ch"] == "board:zgw" and e["kind"] == "console.line"]
    done = trace("--board", "zgw", "--protocol", "console")
    check("trace: by board and protocol", len(done.stdout.splitlines()) == len(wanted) > 0, f"{len(done.stdout.splitlines())} of {len(wanted)}")
    begin = journal[0]["t"]
    wanted = [e for e in journal if 1e9 <= e["t"] - begin <= 2e9]
    done = trace("--from", "1s", "--to", "2s")
    check("trace: by time", len(done.stdout.splitlines()) == len(wanted), f"{len(done.stdout.splitlines())} of {len(wanted)}")
    case = next(e for e in journal if e["kind"] == "case.begin")["data"]["id"]
    done = trace("--case", case, "--kind", "case.*")
    wanted = [e["kind"] for e in journal if e["kind"].startswith("case.") and e["data"].get("id") == case]  # more than two if it was tried again
    check("trace: by case", [line.split()[2] for line in done.stdout.splitlines()] == wanted, done.stdout)


def table(journal):
    done = trace("--format", "csv")
    rows = list(csv.reader(io.StringIO(done.stdout, newline="")))
    check("trace: csv has a row an event", len(rows) == len(journal) + 1 and all(len(row) == len(rows[0]) for row in rows),
          f"{len(rows)} rows of {len(journal)} events")


def can_log():
    path = os.path.join(OUT, "trace.log")
    done = trace("--format", "candump", "-o", path)
    with open(path, encoding="ascii") as ours, open(os.path.join(RUN, "can.log"), encoding="ascii") as theirs:
        same = sorted(ours) == sorted(theirs)
    check("trace: candump gives the rig's can.log", done.returncode == 0 and same, done.stderr)
    try:
        import can
    except ImportError:
        skip("trace: python-can reads the log", "python-can is not installed")
        return
    count = sum(1 for _ in can.CanutilsLogReader(path))
    with open(path, encoding="ascii") as file:
        check("trace: python-can reads the log", count == len(file.readlines()) > 0, f"{count} frames")


def wireshark(journal):
    if not shutil.which("tshark"):
        skip("trace: tshark reads the capture", "tshark is not installed")
        return
    path = os.path.join(OUT, "trace.pcapng")
    done = trace("--format", "pcapng", "-o", path)

    def count(expression):
        read = subprocess.run(["tshark", "-r", path, "-Y", expression, "-T", "fields", "-e", "frame.number"], capture_output=True, text=True,
                              timeout=400)
        return len(read.stdout.splitlines())

    frames = sum(e["kind"] in ("can.rx", "can.tx") for e in journal)
    check("trace: tshark finds every CAN frame", done.returncode == 0 and count("can || canfd") == frames > 0, f"{count('can || canfd')} of {frames}")
    wanted = sum(e["kind"] in ("doip", "doip.tx", "doip.rx") and e["data"].get("hex", "")[4:8] == "0005" for e in journal)
    found = count("doip.type == 0x0005")
    check("trace: tshark finds the routing activations", 0 < found <= wanted and wanted - found <= wanted // 10, f"{found} of {wanted}")


def follow():
    path = os.path.join(OUT, "growing.jsonl")
    event = {"n": 1, "t": 1000, "clock": "user", "u": 1, "ch": "run", "kind": "run.begin", "data": {"realtime_offset_ns": 0}}
    with open(path, "w", encoding="utf-8") as file:
        reader = subprocess.Popen([HILBENCH, "trace", "--follow", path], stdout=subprocess.PIPE, text=True)
        try:
            file.write(json.dumps(event) + "\n")
            line = json.dumps({**event, "n": 2, "kind": "note", "ch": "case", "data": {"text": "half a line is not read"}}) + "\n"
            file.write(line[:30])
            file.flush()
            first = reader.stdout.readline()
            file.write(line[30:])
            file.flush()
            second = reader.stdout.readline()
            file.write(json.dumps({**event, "n": 3, "kind": "run.end"}) + "\n")
            file.flush()
            status = reader.wait(timeout=150)
        finally:
            if reader.poll() is None:
                reader.kill()
            rest = reader.stdout.read()
    check("trace: follows a journal line by line, and ends with the run",
          "run.begin" in first and "half a line" in second and "run.end" in rest and status == 0, f"{first!r} {second!r} {rest!r} {status}")


def interrupted():
    path = os.path.join(OUT, "open.jsonl")
    with open(path, "w", encoding="utf-8") as file:
        reader = subprocess.Popen([HILBENCH, "trace", "--follow", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        file.write(json.dumps({"n": 1, "t": 1000, "clock": "user", "u": 1, "ch": "run", "kind": "run.begin", "data": {}}) + "\n")
        file.flush()
        reader.stdout.readline()  # it follows now
        reader.send_signal(signal.SIGINT)
        try:
            status = reader.wait(timeout=150)
        finally:
            if reader.poll() is None:
                reader.kill()
    check("trace: Ctrl-C ends it", status == 0, status)


def runner(out):
    """A run that takes a minute, as far as its step."""
    path = os.path.join(OUT, out + ".yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("- id: trace.waits\n  title: Takes its time\n  timeout: 200s\n  steps:\n    - wait: 150s\n")
    process = subprocess.Popen([HILBENCH, "run", "--rig", os.path.join(ROOT, "rigs/virtual.yaml"), "--out", os.path.join(OUT, out), path],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
    journal = os.path.join(OUT, out, "events.jsonl")
    limit = time.monotonic() + 120
    while time.monotonic() < limit:
        if os.path.exists(journal):
            with open(journal, encoding="utf-8") as file:
                if '"step.begin"' in file.read():
                    break
        time.sleep(0.1)
    return process, journal


def held(journal):
    with open(journal, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def killed():
    out = os.path.join(OUT, "killed")
    shutil.rmtree(out, ignore_errors=True)
    process, journal = runner("killed")
    try:
        check("trace: a run holds its journal", held(journal), "nobody holds it")
        unknown = subprocess.Popen([HILBENCH, "trace", "--follow", "--board", "nobody", out], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        reader = subprocess.Popen([HILBENCH, "trace", "--follow", out], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        reader.stdout.readline()
        time.sleep(1)
        check("trace: a name that a run does not have yet is no error", unknown.poll() is None, unknown.poll())
        process.kill()
        process.wait(timeout=150)
        try:
            said = reader.communicate(timeout=150)[1]
            unknown.communicate(timeout=150)
        except subprocess.TimeoutExpired:
            said = "still there"
        for one in (reader, unknown):
            if one.poll() is None:
                one.kill()
                one.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    check("trace: a run that was killed is not followed for ever", reader.returncode == 3 and "killed" in said, f"{reader.returncode} {said}")
    check("trace: nobody holds its journal then", not held(journal), "it is held")
    begin = time.monotonic()  # one that waited for the run would be ended after a minute
    done = trace("--follow", path=out)
    check("trace: nor is one that was killed before", done.returncode == 3 and "killed" in done.stderr and time.monotonic() - begin < 55, done.stderr)
    old = os.path.join(OUT, "old.jsonl")
    with open(old, "w", encoding="utf-8") as file:
        file.write(json.dumps({"n": 1, "t": 1, "clock": "user", "u": 1, "ch": "run", "kind": "run.begin", "data": {}}) + "\n")
    os.utime(old, (time.time() - 61, time.time() - 61))
    done = trace("--follow", path=old)
    check("trace: without a lock a journal that was silent for a minute has ended", done.returncode == 3 and "run.begin" in done.stdout, done.stderr)


def unknown_names(journal):
    for option, word, near, has in (("--board", "zgv", '"zgw"', "vmg"), ("--board", "nope", "", "zgw"), ("--case", "nope", "", "")):
        done = trace(option, word)
        check(f"trace: {option} {word} is told", done.returncode == 2 and f'"{word}"' in done.stderr and near in done.stderr and has in done.stderr and
              "it has" in done.stderr and not done.stdout, f"{done.returncode} {done.stderr}")
    path = os.path.join(OUT, "ended.jsonl")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(event) + "\n" for event in (journal[0], journal[-1]))
    done = trace("--follow", "--case", "nope", path=path)
    check("trace: a followed run that ended without the case", done.returncode == 2 and '"nope"' in done.stderr, f"{done.returncode} {done.stderr}")


def finds_nothing():
    path = os.path.join(OUT, "short.jsonl")
    event = {"t": 1000, "clock": "user", "u": 1, "ch": "run", "data": {}}
    with open(path, "w", encoding="utf-8") as file:
        for n, (kind, channel, t) in enumerate((("run.begin", "run", 0), ("boot.stage", "board:zgw", 1500000000), ("run.end", "run", 2000000000)), 1):
            file.write(json.dumps({**event, "n": n, "kind": kind, "ch": channel, "t": 1000 + t}) + "\n")
    for name, arguments, lines, words in [
            ("a kind", ["--kind", "boot.stge"], 0, ['no event has the kind "boot.stge" (did you mean "boot.stage"?)', "has run.begin, boot.stage, run.end"]),
            ("one of two kinds", ["--kind", "boot.*", "--kind", "tls.*"], 1, ['no event has the kind "tls.*"']),
            ("a channel", ["--channel", "board:zgv"], 0, ['no event has the channel "board:zgv" (did you mean "board:zgw"?)', "has run, board:zgw"]),
            ("a protocol", ["--protocol", "secoc"], 0, ["no event is of protocol secoc", "the journal has steps, boot"]),
            ("a time behind the end", ["--from", "3s"], 0, ["nothing matches", "ends at 2.000000 s", "--from 3.000000 s"]),
            ("what is never together", ["--kind", "boot.stage", "--from", "1600ms"], 0, ["nothing matches", "fits all of them"]),
            ("what is there", ["--kind", "boot.stage", "--to", "1500ms"], 1, [])]:
        done = trace(*arguments, path=path)
        check(f"trace: what is found and what not: {name}",
              done.returncode == 0 and len(done.stdout.splitlines()) == lines and all(word in done.stderr for word in words)
              and bool(words) == bool(done.stderr), f"{done.returncode} {done.stdout} {done.stderr}")


def bad_use():
    for name, arguments, path, status, text in [
            ("an unknown protocol", ["--protocol", "lin"], RUN, 2, "there are steps"),
            ("an unknown format", ["--format", "xml"], RUN, 2, "there are text"),
            ("pcapng without a file", ["--format", "pcapng"], RUN, 2, "needs -o"),
            ("a bad time", ["--from", "5"], RUN, 2, "--from 5"),
            ("an end before the begin", ["--from", "3s", "--to", "1s"], RUN, 2, "--from 3s is not before --to 1s"),
            ("an end at the begin", ["--from", "1000ms", "--to", "1s"], RUN, 2, "no time is left"),
            ("no such run", [], os.path.join(OUT, "none"), 2, "cannot read"),
            ("output on a full disk", ["-o", "/dev/full"], RUN, 3, "cannot write")]:
        done = trace(*arguments, path=path)
        if done.returncode == status and text in done.stderr:
            ok(f"trace: {name} is told")
        else:
            not_ok(f"trace: {name} is told", f"{done.returncode} {done.stderr}")
    shell = subprocess.Popen([HILBENCH, "trace", RUN], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    shell.stdout.readline()
    shell.stdout.close()
    check("trace: a reader that has seen enough is no error", shell.wait(timeout=150) == 0 and not shell.stderr.read(), shell.returncode)


if not os.path.exists(JOURNAL):
    skip("trace", "there is no run of the rack")
else:
    journal = events()
    shows_everything(journal)
    filters(journal)
    table(journal)
    can_log()
    wireshark(journal)
    follow()
    interrupted()
    killed()
    unknown_names(journal)
    finds_nothing()
    bad_use()
finish()
