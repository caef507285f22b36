#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Stands in for hilbench: does what a plan says, and leaves what a run leaves.

A plan is a text file among the job's files; each line is for every rig, or begins with "@NAME " for one rig only:
    case ID VERDICT [CAUSE[:ERRNO] [SECONDS [MESSAGE]]]   mend ID   board ROLE   exit N   crash   hang   flood   wait SECONDS   big MEGABYTES
"vanish" ends the run before it has written anything.
The rig verbs do what RIGFILE.VERB says: "fail", "hang", a number of seconds; absent: all is well. What was done is appended to RIGFILE.log.
"""
import json
import os
import signal
import sys
import time

EXIT = {"pass": 0, "fail": 1, "inconclusive": 4, "skipped": 0}


def option(arguments, name):
    return arguments[arguments.index(name) + 1] if name in arguments else None


def plan_lines(paths, rig):
    for path in paths:
        names = sorted(os.path.join(path, n) for n in os.listdir(path)) if os.path.isdir(path) else [path]
        for name in names:
            if name.endswith(".plan"):
                with open(name) as file:
                    for line in file:
                        words = line.split()
                        if words and words[0].startswith("@"):
                            if rig and words[0][1:] != rig:
                                continue
                            words = words[1:]
                        if words:
                            yield words


def attempt(number, verdict, cause, complete=True, message="as planned", errno=None):
    one = {"attempt": number, "complete": complete, "verdict": verdict, "duration_ns": 1000000, "message": message}
    if cause:
        one["cause"] = cause
    if errno:
        one["errno"] = errno
    return one


def case(name, verdict, cause, attempts):
    one = {"id": name, "title": name, "file": "fake.plan", "line": 1, "verdict": verdict, "duration_ns": 1000000,
           "attempts": attempts, "measurements": [], "started": "2026-01-01T00:00:00.000Z", "message": "as planned"}
    if cause:
        one["cause"] = cause
    return one


def results(cases, planned, complete, boards, interrupted=False):
    counts = {"total": len(cases), "flaky": 0}
    for name in ("pass", "skipped", "inconclusive", "fail", "error"):
        counts[name] = sum(c["verdict"] == name for c in cases)
    run = {"virtual": True, "duration_ns": 1000000, "complete": complete, "interrupted": interrupted, "journal_cut": False,
           "clock_moved_ns": 0, "planned_cases": planned, "started": "2026-01-01T00:00:00.000Z"}
    if boards:
        run["boards_given_up"] = [{"board": b, "message": "its driver ended"} for b in boards]
    worst = max((c["verdict"] for c in cases), key=["pass", "skipped", "inconclusive", "fail", "error"].index, default="pass")
    return {"format": 1, "run": run, "verdict": worst, "counts": counts, "cases": cases, "measurements": []}


def write_reports(directory, data):
    for name, text in (("junit.xml", "<testsuites/>\n"), ("report.html", "<!doctype html>\n"), ("results.json", json.dumps(data))):
        with open(os.path.join(directory, name + ".tmp"), "w") as file:
            file.write(text)
        os.rename(os.path.join(directory, name + ".tmp"), os.path.join(directory, name))


def read_journal(path):
    cases, planned, boards = [], 0, []
    with open(path) as file:
        for line in file:
            event = json.loads(line)
            if event["kind"] == "run.begin":
                planned = event["data"]["planned"]
                ids = event["data"]["ids"]
            elif event["kind"] == "case.end":
                cases.append(event["data"]["fake"])
            elif event["kind"] == "board":
                boards.append(event["data"]["board"])
    for name in ids[len(cases):]:
        one = case(name, "skipped", None, [attempt(1, "skipped", None)])
        one["not_begun"] = True
        cases.append(one)
    return cases, planned, boards


class Interrupted(Exception):
    pass


def interrupt(number, frame):
    raise Interrupted


class Run:
    def __init__(self, out, ids):
        self.journal = open(os.path.join(out, "events.jsonl"), "x")
        self.out, self.cases, self.boards, self.ids, self.status, self.number = out, [], [], ids, 0, 0
        self.emit("run.begin", {"planned": len(ids), "ids": ids, "cases": [{"id": i} for i in ids]})

    def emit(self, kind, data):
        self.number += 1
        self.journal.write(json.dumps({"n": self.number, "t": self.number, "channel": "run", "kind": kind, "data": data}, separators=(",", ":")) + "\n")
        self.journal.flush()

    def add(self, words):
        name, verdict = words[1], words[2]
        cause = words[3] if len(words) > 3 and words[3] != "-" else {"fail": "dut"}.get(verdict)
        cause, _, errno = cause.partition(":") if cause else (None, "", None)
        if len(words) > 4:
            time.sleep(float(words[4]))
        message = " ".join(words[5:]) or "as planned"
        self.end(case(name, verdict, cause, [attempt(1, verdict, cause, message=message, errno=errno)]))
        status = EXIT.get(verdict, 2 if cause == "testcase" else 3)
        self.worsen(status)

    def mend(self, name):
        self.end(case(name, "pass", None, [attempt(1, "error", "bench"), attempt(2, "pass", None)]))
        self.worsen(3)

    def end(self, one):
        self.cases.append(one)
        self.emit("case.end", {"id": one["id"], "attempt": 1, "verdict": one["verdict"], "fake": one})

    def worsen(self, status):
        if [0, 4, 1, 2, 3].index(status) > [0, 4, 1, 2, 3].index(self.status):
            self.status = status

    def do(self, words):
        word = words[0]
        if word == "case":
            self.add(words)
        elif word == "mend":
            self.mend(words[1])
        elif word == "board":
            self.boards.append(words[1])
            self.emit("board", {"board": words[1]})
            self.worsen(3)
        elif word == "exit":
            print("leaving early", flush=True)
            os._exit(int(words[1]))
        elif word == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif word == "hang":
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            time.sleep(1000)
        elif word == "flood":
            while True:
                print("x" * 100000)
        elif word == "big":
            with open(os.path.join(self.out, "capture.pcapng"), "wb") as file:
                for _ in range(int(words[1])):
                    file.write(b"x" * 1000000)
        elif word == "wait":
            time.sleep(float(words[1]))


def wanted(arguments, lines):
    ids = list(dict.fromkeys(w[1] for w in lines if w[0] in ("case", "mend")))
    file = option(arguments, "--cases-from")
    if file:
        with open(file) as source:
            chosen = source.read().split()
        return [i for i in ids if i in chosen]
    return ids


def do_run(arguments):
    rig = os.path.basename(option(arguments, "--rig")).removesuffix(".yaml")
    out, paths = option(arguments, "--out"), arguments[arguments.index("--") + 1:]
    os.makedirs(out, exist_ok=True)
    signal.signal(signal.SIGINT, interrupt)
    lines = list(plan_lines(paths, rig))
    if ["vanish"] in lines:
        os.kill(os.getpid(), signal.SIGKILL)
    for words in lines:
        if words[0] == "refuse":  # at its start, with a long explanation
            print("hilbench run: the parameter fault cannot be bogus: it must be any of " + ", ".join(f"fault-{i}" for i in range(2000)), flush=True)
            return 2
    run = Run(out, wanted(arguments, lines))
    interrupted = False
    try:
        for words in lines:
            if words[0] not in ("case", "mend") or words[1] in run.ids:
                run.do(words)
    except Interrupted:
        interrupted = True
    cases, planned, boards = read_journal(os.path.join(out, "events.jsonl"))
    write_reports(out, results(cases, planned, not interrupted, boards, interrupted))
    print("done on", rig, os.environ.get("HILBENCH_JOB"), flush=True)
    return 130 if interrupted else run.status


def do_list(arguments):
    if any(w[0] == "unlistable" for w in plan_lines(arguments[arguments.index("--") + 1:], "")):
        return 2
    lines = plan_lines(arguments[arguments.index("--") + 1:], "")
    print(json.dumps([{"id": i} for i in wanted([], lines)]))
    return 0


def do_report(arguments):
    arguments = [word for word in arguments if word != "--portable"]
    if arguments[0] == "--merge":
        merged, lost = {}, []
        planned = 0
        os.makedirs(arguments[1], exist_ok=True)
        for word in arguments[2:]:
            directory = word.split("=", 1)[1]
            if not os.path.exists(os.path.join(directory, "events.jsonl")):
                with open(os.path.join(directory, "end.json")) as file:
                    lost.append(json.load(file))
                continue
            cases, count, _ = read_journal(os.path.join(directory, "events.jsonl"))
            planned += count
            for one in cases:
                merged[one["id"]] = one
        data = results(list(merged.values()), planned, True, [])
        data["lost"] = lost
        data["of"] = [word.split("=", 1)[0] for word in arguments[2:]]
        write_reports(arguments[1], data)
        return 0
    cases, planned, boards = read_journal(os.path.join(arguments[0], "events.jsonl"))
    write_reports(arguments[0], results(cases, planned, False, boards))
    return 0


def do_rig(arguments):
    file, verb = option(arguments, "--rig"), arguments[2]
    with open(file + ".log", "a") as log:
        log.write(f"{verb} {os.environ.get('HILBENCH_CLEANUP' if verb == 'cleanup' else 'HILBENCH_JOB', '-')}\n")
    behave = ""
    if os.path.exists(f"{file}.{verb}"):
        with open(f"{file}.{verb}") as source:
            behave = source.read().strip()
    if behave == "hang":
        time.sleep(1000)
    good = behave != "fail"
    if behave and good:
        time.sleep(float(behave))
    print(json.dumps({"ok": good, "items": [{"resource": "power zgw", "ok": good, "message": "off" if good else "stays on"}]}))
    return 0 if good else 3


def main():
    verbs = {"run": do_run, "list": do_list, "report": do_report, "rig": do_rig}
    sys.exit(verbs[sys.argv[1]](sys.argv[2:]))


main()
