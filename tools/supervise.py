#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""supervise.py --name NAME --timeout SECONDS [--log FILE] -- COMMAND…

Runs one part of a test run in a session of its own, with no input, and sees to it that nothing outlives it: every
orphan of the command becomes a child of this process (PR_SET_CHILD_SUBREAPER), whoever started it. What is still there
when the command has ended is stopped and reported. The same happens when this process is told to end, and when its
parent dies.

Speaks the test protocol (docs/reference/test-protocol.md): adds "not ok NAME - …" for a timeout and for leftovers.
Exit status: the command's (128 + signal when it died by one), 124 after a timeout.
"""
import argparse
import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
GRACE_S = 2.0
SETTLE_S = 5.0  # a loaded machine takes that long to end what was told to


def descendants():
    """{pid: command line} of every living process below this one."""
    parents, living = {}, {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            if fields[0] in "ZX":
                continue
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                living[int(entry)] = file.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        except OSError:
            continue
        parents[int(entry)] = int(fields[1])
    ours = {}
    for pid in living:
        above = pid
        while above in parents and above != os.getpid():
            above = parents[above]
        if above == os.getpid() and pid != os.getpid():
            ours[pid] = living[pid]
    return ours


def reap(main_pid, status):
    """Collects ended children; the status of the command once it has ended, else None."""
    while True:
        try:
            pid, wait_status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == main_pid:
            status = os.waitstatus_to_exitcode(wait_status)


def end_all(main_pid, status):
    """Ends every descendant, first politely. Descendants of what is ended may appear only then, so it looks again."""
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGKILL):
        limit = time.monotonic() + GRACE_S
        told = set()
        while time.monotonic() < limit:
            status = reap(main_pid, status)
            rest = descendants()
            if not rest:
                return status
            for pid in rest.keys() - told:
                told.add(pid)
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)
    return status


def settle(main_pid, status):
    """What is left a moment after the command ended: children that are just ending are no leftovers."""
    limit = time.monotonic() + SETTLE_S
    while True:
        status = reap(main_pid, status)
        rest = descendants()
        if not rest or time.monotonic() > limit:
            return status, rest
        time.sleep(0.02)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--timeout", type=float, required=True)
    parser.add_argument("--log", help="append the command's output here as well")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    command = options.command[1:] if options.command[:1] == ["--"] else options.command

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    parent = os.getppid()
    told = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _: told.append(received))

    def defaults():
        # A shell starts background commands with SIGINT ignored; tests of Ctrl-C need it.
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)

    log = open(options.log, "ab") if options.log else None
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT if log else None,
                             start_new_session=True, preexec_fn=defaults)
    limit = time.monotonic() + options.timeout
    status = None
    lines = []
    while status is None and not told and time.monotonic() < limit and os.getppid() == parent:
        time.sleep(0.02)
        status = reap(child.pid, status)
    if status is None:
        if time.monotonic() >= limit:
            lines.append(f"not ok {options.name} - not finished after {options.timeout:g} s")
        end_all(child.pid, None)
        status = 128 + told[0] if told else 124
    else:
        status, rest = settle(child.pid, status)
        for pid, text in sorted(rest.items()):
            lines.append(f"not ok {options.name}: leaves nothing running - process {pid}: {text[:160]}")
        end_all(child.pid, status)
        if status < 0:
            status = 128 - status
    for line in lines:
        if log:
            log.write(line.encode() + b"\n")
        else:
            print(line, flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
