#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a configuration is said at its place, by --check-config and by the start alike; what is wrong with the machine has another status."""
import os
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import check, finish
from _lab import HILBENCHD, RIG

USAGE, BENCH = 2, 3
RIGS = f"rigs:\n  v1: {{file: {RIG}}}\n"


def hilbenchd(path, *options):
    """(status, what it said); a daemon that starts is ended after a while: status None."""
    try:
        done = subprocess.run([HILBENCHD, "--config", path, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=120, check=False)
    except subprocess.TimeoutExpired:
        return None, "it started"
    return done.returncode, done.stdout


def write(folder, text):
    path = os.path.join(folder, "lab.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def make_key(folder, name):
    """NAME.pem and NAME.key."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=lab.example", "-days", "2",
                    "-keyout", f"{name}.key", "-out", f"{name}.pem"], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def refused(folder, title, text, place, *words):
    """Both refuse it at line:column of the file, with each of the words."""
    path = write(folder, text)
    for how, options in (("--check-config", ["--check-config"]), ("start", [])):
        status, said = hilbenchd(path, *options)
        check(f"{title}: {how}", status == USAGE and f"{path}:{place}: " in said and all(word in said for word in words), (status, said))


def addresses(folder):
    for address, word in (("127.0.0.1:99999", "65535"), ("127.0.0.1:65536", "65535"), ("127.0.0.1:-1", "no address"), ("localhost", "no address"),
                          ("127.0.0.1", "no address"), ("localhost:8480", "no address"), ("0.0.0.0:8490", "certificate"), ("'[::]:8490'", "certificate")):
        refused(folder, f"address {address}", f"state: state\nlisten:\n  address: {address}\n{RIGS}", "3:12", word)
    for address in ("127.0.0.1:0", "127.0.0.1:65535", "'[::1]:8480'"):
        status, said = hilbenchd(write(folder, f"state: state\nlisten:\n  address: {address}\n{RIGS}"), "--check-config")
        check(f"address {address} is taken", status == 0, (status, said))


def tls(folder):
    make_key(folder, "lab")
    make_key(folder, "other")
    with open(os.path.join(folder, "no.pem"), "w", encoding="ascii") as file:
        file.write("this is no PEM file\n")
    subprocess.run(["openssl", "pkey", "-in", "lab.key", "-aes256", "-passout", "pass:secret", "-out", "locked.key"], cwd=folder, check=True)

    def text(certificate, key):
        keys = [f"    {name}: {file}\n" for name, file in (("certificate", certificate), ("key", key)) if file]
        return f"state: state\nlisten:\n  address: 0.0.0.0:0\n  tls:\n{''.join(keys)}{RIGS}"

    for certificate, key, place, word in (("none.pem", "lab.key", "5:18", "No such file"), ("lab.pem", "none.key", "6:10", "No such file"),
                                          ("no.pem", "lab.key", "5:18", "certificate in PEM"), ("lab.pem", "no.pem", "6:10", "private key in PEM"),
                                          (".", "lab.key", "5:18", "PEM"), ("lab.key", "lab.key", "5:18", "certificate in PEM"),
                                          ("lab.pem", "other.key", "6:10", "is not the key of"), ("lab.pem", "locked.key", "6:10", "passphrase"),
                                          ("lab.pem", None, "4:3", "key is missing"), (None, "lab.key", "4:3", "certificate is missing")):
        refused(folder, f"tls {certificate} {key}", text(certificate, key), place, word)
    status, said = hilbenchd(write(folder, text("lab.pem", "lab.key")), "--check-config")
    check("tls with its key is taken", status == 0, (status, said))


def paths(folder):
    long = "s" * 60 + "/" + "t" * 60
    refused(folder, "state too long for a socket", f"state: {long}\n{RIGS}", "1:8", "socket", "bytes")
    refused(folder, "socket too long", f"state: state\nlisten: {{socket: {long}}}\n{RIGS}", "2:18", "socket", "bytes")
    status, said = hilbenchd(write(folder, f"state: {long}\nlisten: {{socket: short}}\n{RIGS}"), "--check-config")
    check("a long state with a short socket is taken", status == 0, (status, said))


def rigs(folder):
    refused(folder, "rig file missing", "state: state\nrigs:\n  v1: {file: none.yaml}\n", "3:14", 'rig "v1"', "none.yaml", "No such file")
    with open(os.path.join(folder, "bad.yaml"), "w", encoding="ascii") as file:
        file.write("name: bad\nrolls: {}\n")
    refused(folder, "rig file wrong", "state: state\nrigs:\n  v1: {file: bad.yaml}\n", "3:14", 'rig "v1"', "bad.yaml:2:1: ")


def limits(folder):
    for key, value, place, words in (("free_space", "2000GiB", "2:20", "from 0B to 1024GiB"), ("upload_limit", "1B", "2:22", "from 1KiB to 16GiB"),
                                     ("output_limit", "1KiB", "2:22", "from 1MiB to 1024GiB"), ("time_limit", "721h", "2:20", "from 1s to 720h"),
                                     ("grace", "2h", "2:15", "from 0s to 1h"), ("retries", "11", "2:17", "from 0 to 10")):
        refused(folder, f"limit of {key}", f"state: state\njobs: {{{key}: {value}}}\n{RIGS}", place, f"{key} must be {words}\n")
    refused(folder, "limit of heartbeat", f"state: state\nleases: {{heartbeat: 1ms}}\n{RIGS}", "2:21", "from 100ms to 1h\n")


def advice(folder):
    for size, warned in (("10MiB", True), ("39MiB", True), ("40MiB", False)):
        status, said = hilbenchd(write(folder, f"state: state\njobs: {{free_space: {size}}}\n{RIGS}"), "--check-config")
        check(f"free_space of {size}: {'is less' if warned else 'is not less'} than a virtual run takes", status == 0 and
              (f"free_space: {size[:2]} MiB is less than 40 MiB" in said) is warned, (status, said))
    status, said = hilbenchd(write(folder, f"state: state\njobs: {{free_space: 40MiB}}\n{RIGS}  v2: {{file: {RIG}}}\n"), "--check-config")
    check("free_space: runs on all virtual rigs count", status == 0 and "less than 80 MiB" in said, (status, said))


def machine(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        status, said = hilbenchd(write(folder, f"state: state\nlisten: {{address: '127.0.0.1:{taken.getsockname()[1]}'}}\n{RIGS}"))
        check("address in use", status == BENCH and "in use" in said, (status, said))
    make_key(folder, "lab")
    status, said = hilbenchd(write(folder, "state: state\nlisten: {address: '192.0.2.1:8480', tls: {certificate: lab.pem, key: lab.key}}\n" + RIGS))
    check("address of another machine", status == BENCH and "assign" in said, (status, said))
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(os.path.join(folder, "taken.sock"))
        taken.listen()
        status, said = hilbenchd(write(folder, f"state: state\nlisten: {{socket: taken.sock}}\n{RIGS}"))
        check("socket in use", status == BENCH and "another program" in said, (status, said))


def main():
    for part in (addresses, tls, paths, rigs, limits, advice, machine):
        with tempfile.TemporaryDirectory() as folder:
            part(folder)
    finish()


if __name__ == "__main__":
    main()
