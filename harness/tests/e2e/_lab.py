# SPDX-License-Identifier: Apache-2.0
"""hilbenchd for the end-to-end scripts: a lab of virtual racks in a folder of its own, asked over its UNIX socket."""
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time

from _e2e import BIN, ROOT

HILBENCHD = os.path.join(BIN, "hilbenchd")
HILBENCH = os.path.join(BIN, "hilbench")
RIG = os.path.join(ROOT, "rigs/virtual.yaml")

# One case of a second or less; `step` is what it does besides. A machine that has much to do boots late and answers late.
CASE = """defaults: {{timeout: {timeout}}}
cases:
  - id: {id}
    title: {title}
    steps:
      - board.boot: {{role: vmg, within: 60s}}
{step}
"""
PASSES = '      - doip.udp: {role: vmg, type: identification_request, within: 30s, expect: {type: announcement}}'
FAILS = '      - doip.udp: {role: vmg, type: identification_request, within: 30s, expect: {vin: "WHB7VMG0000000E99"}}'


def case(name, step=PASSES, title="one of a night", timeout="120s"):
    return CASE.format(id=name, title=json.dumps(title), step=step, timeout=timeout)


def waits(seconds):
    return f"      - wait: {seconds}s"


class Connection(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path, timeout=60):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Lab:
    """`with Lab(folder, rigs={"v1": RIG}) as lab:`; config: text of further keys."""

    def __init__(self, folder, rigs=4, config="", environment=None):
        self.folder, self.state = folder, os.path.join(folder, "state")
        self.socket = os.path.join(self.state, "hilbenchd.sock")
        self.log_path = os.path.join(folder, "hilbenchd.log")
        self.environment = dict(os.environ, **(environment or {}))
        self.process = None
        files = rigs if isinstance(rigs, dict) else {f"v{n + 1}": RIG for n in range(rigs)}
        os.makedirs(folder, exist_ok=True)
        self.config = os.path.join(folder, "hilbenchd.yaml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"state: {json.dumps(self.state)}\nrigs:\n")
            for name, path in files.items():
                file.write(f"  {name}: {{file: {json.dumps(path)}, pool: virtual}}\n")
            file.write(config)

    # ---- its life ----

    def start(self, within=120):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([HILBENCHD, "--config", self.config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.environment)
        limit = time.monotonic() + within
        while time.monotonic() < limit:
            if self.process.poll() is not None:
                raise RuntimeError(f"hilbenchd ended with {self.process.returncode}: {self.log()[-600:]}")
            try:
                if self.ask("GET", "/healthz")[0] == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.01)
        raise RuntimeError(f"hilbenchd does not answer: {self.log()[-600:]}")

    def stop(self, within=120):
        """Asked to end; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(within)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                return None
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.wait()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def port(self):
        """The port of the pages, where the configuration left it to the kernel (address: 127.0.0.1:0)."""
        return int(re.findall(r"pages at https?://[^/]*:(\d+)/", self.log())[-1])

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process:
            self.stop()

    # ---- asking ----

    def ask(self, method, path, body=None, headers=None, timeout=60):
        """(status, bytes); body: bytes, or something for JSON."""
        connection = Connection(self.socket, timeout)
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path):
        status, body = self.ask("GET", "/api/v1" + path)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {body[:300]!r}")
        return json.loads(body)

    def post(self, path, body=None):
        status, answer = self.ask("POST", "/api/v1" + path, body if body is not None else {})
        return status, json.loads(answer) if answer else None

    def upload(self, text):
        data = text.encode() if isinstance(text, str) else text
        name = hashlib.sha256(data).hexdigest()
        status, body = self.ask("PUT", f"/api/v1/blobs/{name}", data, {"Content-Type": "application/octet-stream"})
        if status not in (200, 201):
            raise RuntimeError(f"PUT blob: {status} {body[:300]!r}")
        return {"sha256": name}

    def submit(self, files, **more):
        """files: path -> text. (status, job or error)."""
        listed = [dict(self.upload(text), path=path) for path, text in files.items()]
        return self.post("/jobs", dict({"title": "job", "series": "night", "files": listed, "paths": sorted(files)}, **more))

    def job(self, number):
        return self.get(f"/jobs/{number}")

    def wait_job(self, number, within=300):
        limit = time.monotonic() + within
        while time.monotonic() < limit:
            job = self.job(number)
            if job["state"] == "done":
                return job
            time.sleep(0.05)
        raise RuntimeError(f"job {number} is {job['state']} after {within} s: {job}")

    def all_jobs(self):
        jobs, before = [], ""
        while True:
            page = self.get(f"/jobs?limit=1000{before}")
            jobs += page["jobs"]
            if not page.get("next"):
                return jobs
            before = f"&before={page['next']}"

    def rigs(self):
        return {rig["name"]: rig for rig in self.get("/rigs")["rigs"]}

    def check_books(self, deep=False):
        """(breaches, text)."""
        done = subprocess.run([HILBENCHD, "--check-books", self.state] + (["--deep"] if deep else []), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=240, check=False)
        return done.returncode, done.stdout


# ---- processes of the lab ----

def environment_of(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return dict(item.split(b"=", 1) for item in file.read().split(b"\0") if b"=" in item)
    except OSError:
        return {}


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def nothing_runs(state, within=90):
    """Waits for the last process of the lab's jobs to be gone (clean-ups go on for a moment after a job's end): what is left then."""
    limit = time.monotonic() + within
    while processes_of_jobs(state) and time.monotonic() < limit:
        time.sleep(0.1)
    return processes_of_jobs(state)


def processes_of_jobs(state=None):
    """pid -> (name, mark) of everything that runs for a job; state: only of that lab (its working directory lies below it)."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        mark = environment_of(entry).get(b"HILBENCH_JOB")
        if not mark:
            continue
        try:
            where = os.readlink(f"/proc/{entry}/cwd")
        except OSError:
            continue
        if state is None or where.startswith(state):
            found[int(entry)] = (name_of(entry), mark.decode())
    return found
