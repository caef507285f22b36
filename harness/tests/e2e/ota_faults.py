#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Flash files that cannot be made, saved or read: the bench's error with the file's name, nobody killed, and the board works afterwards."""
import json
import os
import re
import resource
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import BIN, check, finish, skip
from _rack import command, results_of

RUN_LIMIT_S = 300
HEADER = 4096  # of a flash file; the image follows
READY = "rack.ready: , tester.connect: {role: zgw}, doip.activate: "
BOOTED = ["{board.boot: {role: zgw}}", "{tester.connect: {role: zgw}}", "doip.activate: ", "{ota.state: {role: zgw, expect: {version: 1.0.0, state: idle}}}"]
BOARDS = 4  # of the rack; each has a flash file


def run_cases(out, text, prefix=(), **more):
    """Runs cases given as text, each once: (status, what was said, results)."""
    path = os.path.join(out, "cases.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    line = [*prefix, *command(out, paths=(path,)), "--retry", "0"]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=RUN_LIMIT_S, check=False, **more)
    return done.returncode, done.stdout, results_of(out)


def case(name, *steps):
    steps = steps or ("{note: x}",)
    return f"- {{id: {name}, title: {name}, requires: [flash], setup: [{READY}], steps: [{', '.join(steps)}]}}\n"


def verdicts(results):
    """By case: (verdict, cause, message)."""
    return {c["id"]: (c["attempts"][-1]["verdict"], c["attempts"][-1].get("cause"), c["attempts"][-1].get("message", "")) for c in (results or {"cases": []})["cases"]}


def told(out, said):
    """What hilbench said, and what the boards' silicon did: its log is in the results."""
    logs = []
    for name in sorted(os.listdir(os.path.join(out, "run"))):
        if name.startswith("vboard-"):
            with open(os.path.join(out, "run", name), encoding="utf-8", errors="replace") as file:
                logs.append(file.read())
    return said + "".join(logs)


def no_signal(name, said):
    check(f"{name}: no board's silicon is killed by it", not re.search("(?i)signal|SIGBUS|killed|core dumped|segmentation", said), said[-300:])


# ---- no room ---------------------------------------------------------------------------------------------------------

def no_room_for_the_flash():
    """The journal finds room, the flash file (more than 6 MiB) does not."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))
    with tempfile.TemporaryDirectory() as out:
        status, said, results = run_cases(out, case("a"), preexec_fn=limit)
        said = told(out, said)
        named = re.search(r"flash-\w+\.bin[^\n]*: (File too large|No space left)", said)
        check("a flash file that may not be made so large: bench error, and the board's log names it", status == 3 and named, f"status {status}: {said[-300:]}")
        check("a flash file that may not be made so large: results.json has the error", (results or {}).get("run", {}).get("error"), results and results["run"])
        no_signal("a flash file that may not be made so large", said)
        left = [name for name in os.listdir(os.path.join(out, "run")) if name.startswith("flash-")]
        check("a flash file that may not be made so large: nothing of it is left", not left, left)


def small_disk(size):
    """Words before a directory and a command: what runs a command with the directory on a disk of that size, which only it sees."""
    return ["unshare", "--mount", "--map-root-user", "/bin/sh", "-c", f'mount -t tmpfs -o size={size} tmpfs "$0" && cd "$0" && exec "$@"']


def disk_works(out):
    return subprocess.run([*small_disk("1m"), out, "true"], capture_output=True, check=False).returncode == 0


def on_small_disk(disk, out, text, size):
    """Runs cases with the directory `disk` on a disk of that size: (status, what was said and what the boards' silicon said)."""
    path = os.path.join(out, "cases.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    line = " ".join(shlex.quote(word) for word in [*command(disk, paths=(path,)), "--retry", "0"])
    then = f"{line}; status=$?; cat {shlex.quote(disk)}/run/vboard-*.log; exit $status"
    done = subprocess.run([*small_disk(size), disk, "/bin/sh", "-c", then], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=RUN_LIMIT_S, check=False)
    return done.returncode, done.stdout


def full_disk(flash_size):
    """A disk of its own: too small for the boards' flash; or with room for one snapshot, not for two."""
    with tempfile.TemporaryDirectory() as work:
        if subprocess.run([*small_disk("1m"), work, "true"], capture_output=True, check=False).returncode != 0:
            skip("a full disk while flash files are made and saved", "no mount namespace for this user")
            return
        saved = case("a", "{flash.save: {role: zgw, name: one}}", "{flash.save: {role: zgw, name: two}}")
        saved += case("b", "{board.power_off: zgw}", "{flash.load: {role: zgw, name: one}}", *BOOTED)
        room = (BOARDS + 1) * flash_size + flash_size // 2
        for name, size, text, pattern in [("made", flash_size * 3 // 2, case("a"), r"flash-\w+\.bin[^\n]*: No space left"),
                                          ("saved", room, saved, r"flash-zgw-two\.bin: No space left")]:
            disk, out = os.path.join(work, name), os.path.join(work, name + "-out")
            os.mkdir(disk)
            os.mkdir(out)
            status, said = on_small_disk(disk, out, text, size)
            check(f"a disk that is full while a flash file is {name}: bench error, and the file is named", status == 3 and re.search(pattern, said), f"status {status}: {said[-400:]}")
            no_signal(f"a disk that is full while a flash file is {name}", said)
            if name == "saved":
                check("the snapshot before it is whole, and the board runs from it", re.search(r"^pass +b ", said, re.MULTILINE), said[-400:])


# ---- files that are not what they should be ---------------------------------------------------------------------------

def other_geometry(path):
    """A snapshot of the small geometry of sweeps, saved by a board that has it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs, tempfile.TemporaryDirectory() as work:
        boot = os.path.join(work, "boot")
        with open(boot, "wb") as file:
            file.write(b"\x7fELF, and never run")
        line = [os.path.join(BIN, "vboard"), "--name", "small", "--geometry", "sweep", "--boot", boot, "--nvm", os.path.join(work, "nvm"),
                "--flash", os.path.join(work, "flash"), "--control-fd", str(theirs.fileno())]
        with subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[theirs.fileno()]) as board:
            theirs.close()
            ours.settimeout(60)
            try:
                ours.sendall(json.dumps({"id": 1, "cmd": "flash-save", "path": path}).encode() + b"\n")
                while b'"id"' not in ours.recv(65536):
                    pass
            except OSError:
                pass
            ours.close()  # the board ends with its control channel


def damaged(good):
    """By name: the bytes of a file that is no snapshot of this board, and what is said of it."""
    with open(good, "rb") as file:
        whole = file.read()
    middle = len(whole) // 2
    return {
        "empty": (b"", "no snapshot of a flash, or damaged"),
        "cut-header": (whole[:100], "no snapshot of a flash, or damaged"),
        "cut": (whole[:middle], "no snapshot of a flash, or damaged"),
        "cut-last": (whole[:-1], "no snapshot of a flash, or damaged"),
        "longer": (whole + b"\0", "no snapshot of a flash, or damaged"),
        "garbage": (bytes(i * 7 & 255 for i in range(70000)), "no snapshot of a flash, or damaged"),
        "header-bit": (bytes([*whole[:20], whole[20] ^ 4, *whole[21:HEADER]]) + whole[HEADER:], "no snapshot of a flash, or damaged"),
        "image-bit": (whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1:], "no snapshot of a flash, or damaged"),
    }


def make_good(out):
    """A snapshot of a board as the factory left it."""
    status, said, _ = run_cases(out, case("a", "{flash.save: {role: zgw, name: good}}"))
    path = os.path.join(out, "run", "flash-zgw-good.bin")
    check("a snapshot is saved", status == 0 and os.path.exists(path), f"status {status}: {said[-300:]}")
    return path if os.path.exists(path) else None


def snapshots(good):
    files = damaged(good)
    text = "".join(case(name, "{board.power_off: zgw}", f"{{flash.load: {{role: zgw, name: {name}}}}}") for name in [*files, "other", "missing", "folder"])
    text += case("good", "{board.power_off: zgw}", "{flash.load: {role: zgw, name: good}}", *BOOTED)
    with tempfile.TemporaryDirectory() as out:
        os.mkdir(os.path.join(out, "run"))
        def place(name):
            return os.path.join(out, "run", f"flash-zgw-{name}.bin")
        for name, (content, _) in files.items():
            with open(place(name), "wb") as file:
                file.write(content)
        shutil.copy(good, place("good"))
        os.mkdir(place("folder"))
        other_geometry(place("other"))
        status, said, results = run_cases(out, text)
        by_name = verdicts(results)
    words = {name: word for name, (_, word) in files.items()} | {"other": "a snapshot of another geometry", "missing": "no snapshot of that name", "folder": ""}
    for name, word in words.items():
        verdict = by_name.get(name, ("", "", said[-300:]))
        named = name == "missing" or f"flash-zgw-{name}.bin" in verdict[2]
        check(f"snapshot that is {name}: the case's error that names it", verdict[:2] == ("error", "testcase") and named and word in verdict[2],
              verdict)
    check("after them a right snapshot is taken, and the board runs from it", status == 2 and by_name.get("good", ("",))[0] == "pass", by_name.get("good"))
    no_signal("snapshots that are wrong", said)


def own_file(good):
    """The board's own file, left over from elsewhere in the directory of the run."""
    for name, (content, _) in damaged(good).items():
        if name not in ("empty", "cut", "garbage", "header-bit", "image-bit"):
            continue
        with tempfile.TemporaryDirectory() as out:
            os.mkdir(os.path.join(out, "run"))
            with open(os.path.join(out, "run", "flash-zgw.bin"), "wb") as file:
                file.write(content)
            status, said, _ = run_cases(out, case("a"))
            said = told(out, said)
            check(f"a board's flash file that is {name}: bench error, and the board's log names it", status == 3 and "flash-zgw.bin" in said, f"status {status}: {said[-300:]}")
            no_signal(f"a board's flash file that is {name}", said)


with tempfile.TemporaryDirectory() as first:
    GOOD = make_good(first)
    no_room_for_the_flash()
    if GOOD:
        full_disk(os.path.getsize(GOOD))
        snapshots(GOOD)
        own_file(GOOD)
finish()
