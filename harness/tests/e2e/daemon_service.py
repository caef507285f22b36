#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""hilbenchd as a service: readiness, watchdog and end by the protocol of sd_notify, sockets that the service manager holds, and the units themselves."""
import glob
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import SHARE, check, finish, skip
from _lab import HILBENCHD, Connection, Lab

WATCHDOG_US = 400000


class Manager:
    """Hears what a service says to its manager."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.said = []

    def hears(self, word, within=60):
        limit = time.monotonic() + within
        while time.monotonic() < limit:
            if any(word in message for message in self.said):
                return True
            self.socket.settimeout(max(0.01, limit - time.monotonic()))
            try:
                self.said.append(self.socket.recv(4096).decode())
            except TimeoutError:
                pass
        return False


def notifies():
    with tempfile.TemporaryDirectory() as folder:
        manager = Manager(folder)
        lab = Lab(os.path.join(folder, "lab"), 1)
        # The watchdog counts only for the process that it names, which is known after the fork.
        lab.process = subprocess.Popen(["/bin/sh", "-c", 'WATCHDOG_PID=$$ exec "$0" --config "$1"', HILBENCHD, lab.config], stdin=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL,
                                       env=dict(os.environ, NOTIFY_SOCKET=manager.path, WATCHDOG_USEC=str(WATCHDOG_US)))
        try:
            check("service: it says when it is ready, and answers then", manager.hears("READY=1") and lab.ask("GET", "/healthz")[0] == 200, manager.said)
            manager.said.clear()
            check("service: it feeds the watchdog", manager.hears("WATCHDOG=1"), manager.said)
            lab.process.send_signal(signal.SIGTERM)
            check("service: it says that it is ending", manager.hears("STOPPING=1"), manager.said)
            check("service: and ends", lab.process.wait(120) == 0, lab.process.returncode)
        finally:
            if lab.process.poll() is None:
                lab.process.kill()
            manager.socket.close()


def takes_sockets():
    """A UNIX and a TCP socket that are there before the daemon is: a request waits for its start."""
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(os.path.join(folder, "lab"), 1)
        path = os.path.join(folder, "held.sock")
        held, tcp = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        held.bind(path)
        tcp.bind(("127.0.0.1", 0))
        held.listen(8)
        tcp.listen(8)
        early = Connection(path, 120)
        early.request("GET", "/api/v1/status")  # nobody is there yet
        process = subprocess.Popen(["/bin/sh", "-c", 'exec 3<&"$2" 4<&"$3"; LISTEN_FDS=2 LISTEN_PID=$$ exec "$0" --config "$1"', HILBENCHD, lab.config,
                                    str(held.fileno()), str(tcp.fileno())], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                   pass_fds=(held.fileno(), tcp.fileno()))
        try:
            status = early.getresponse().status
            check("socket activation: who asked before the start is answered", status == 200, status)
            probe = http.client.HTTPConnection("127.0.0.1", tcp.getsockname()[1], timeout=60)
            probe.request("GET", "/healthz")
            said = probe.getresponse().read()
            check("socket activation: by TCP too", said.strip() == b"ok", said)
            probe.close()
        finally:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=120)
        check("socket activation: the manager's socket stays when the daemon ends", process.returncode == 0 and os.path.exists(path), said)
        held.close()
        tcp.close()


def units():
    if not shutil.which("systemd-analyze"):
        skip("units", "this machine has no systemd-analyze")
        return
    installed = sorted(glob.glob(os.path.join(SHARE, "systemd/*")))
    check("units: they are installed", [os.path.basename(path) for path in installed] == [
        "hilbench-nightly.service", "hilbench-nightly.timer", "hilbenchd.service", "hilbenchd.socket"], installed)
    done = subprocess.run(["systemd-analyze", "verify", *installed], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240, check=False)
    if "Failed to initialize manager" in done.stdout or "Failed to setup manager" in done.stdout:
        skip("units: systemd finds nothing wrong", "systemd-analyze verify does not work here")
        return
    complaints = [line for line in done.stdout.splitlines() if "hilbench" in line]
    check("units: systemd finds nothing wrong", done.returncode == 0 and not complaints, done.stdout)


def main():
    notifies()
    takes_sockets()
    units()
    finish()


if __name__ == "__main__":
    main()
