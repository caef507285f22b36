# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end scripts in Python share: the test protocol and a zonal gateway that runs by itself."""
import os
import signal
import socket
import subprocess
import sys
import threading
import time

ROOT = os.environ.get("HILBENCH_ROOT") or os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
BIN = os.environ.get("HILBENCH_BIN") or os.path.join(ROOT, "build/bin")
SHARE = os.environ.get("HILBENCH_SHARE") or os.path.join(ROOT, "build/share/hilbench")
RUN = os.environ.get("HILBENCH_RUN") or os.path.join(ROOT, "build/test/rack")
OUT = os.environ.get("HILBENCH_OUT") or "/tmp"
CERTIFICATES = os.path.join(SHARE, "fixtures/certificates")

VIN = "HILBENCHE2E000001"
EID = bytes.fromhex("02e2e0000001")
GID = bytes.fromhex("02e2e00000ff")
GATEWAY_ADDRESS = 0x0091
TESTER_ADDRESS = 0x0E80

_failed = False


def ok(name):
    print(f"ok {name}", flush=True)


def not_ok(name, reason):
    global _failed
    _failed = True
    print(f"not ok {name} - {' '.join(str(reason).split())[:250]}", flush=True)


def skip(name, reason):
    print(f"skip {name} - {reason}", flush=True)


def check(name, condition, reason):
    if condition:
        ok(name)
    else:
        not_ok(name, reason)
    return condition


def finish():
    sys.exit(1 if _failed else 0)


def certificate(name):
    return os.path.join(CERTIFICATES, name)


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gateway:
    """A zgw without vboard, on free ports of loopback; `with Gateway() as gateway:`."""

    def __init__(self, **params):
        self.udp, self.plain, self.tls = free_port(socket.SOCK_DGRAM), free_port(), free_port()
        self.params = {
            "doip.vin": VIN, "doip.eid": EID.hex(), "doip.gid": GID.hex(),
            "doip.udp": f"127.0.0.1:{self.udp}", "doip.plain": f"127.0.0.1:{self.plain}", "doip.tls": f"127.0.0.1:{self.tls}",
            "boot.ssw_ms": "0", "boot.bootloader_ms": "0", "boot.application_ms": "0", "boot.rtos_ms": "0",
        }
        self.params.update({name.replace("__", "."): value for name, value in params.items()})
        self.console = []
        self.process = None

    def __enter__(self):
        """Somebody else may have taken a port since it was looked for: then it is tried with others."""
        for _ in range(3):
            if self._start():
                return self
            self.__exit__()
            self.udp, self.plain, self.tls = free_port(socket.SOCK_DGRAM), free_port(), free_port()
            self.params.update({"doip.udp": f"127.0.0.1:{self.udp}", "doip.plain": f"127.0.0.1:{self.plain}", "doip.tls": f"127.0.0.1:{self.tls}"})
        raise RuntimeError("the gateway did not start: " + " | ".join(self.console[-5:]))

    def _start(self):
        command = [os.path.join(BIN, "zgw")]
        for name, value in self.params.items():
            command += ["--param", f"{name}={value}"]
        for name, file in (("tls.ca", "ca.pem"), ("tls.certificate", "zgw.pem"), ("tls.key", "zgw.key")):
            command += ["--object", f"{name}={certificate(file)}"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        threading.Thread(target=self._read, daemon=True).start()
        return self.wait_for("@boot stage=server", 60)

    def _read(self):
        for line in self.process.stdout:
            self.console.append(line.decode("utf-8", "replace").rstrip())

    def wait_for(self, text, within_s):
        limit = time.monotonic() + within_s
        while time.monotonic() < limit:
            if any(text in line for line in self.console):
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.01)
        return False

    def alive(self):
        return self.process.poll() is None

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
