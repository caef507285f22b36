#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every request of docs/reference/api.md against a real hilbenchd with two virtual racks; every JSON answer is compared with openapi.json."""
import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from _e2e import ROOT, check, finish, not_ok, ok
from _lab import FAILS, PASSES, Connection, Lab, case, waits

DESCRIPTION = os.path.join(ROOT, "harness/daemon/api/openapi.json")
CONFIG = """listen: {{address: "127.0.0.1:0", names: [bench.example]{tls}, loopback_role: {role}}}
jobs: {{upload_limit: 1MiB, grace: 2s}}
leases: {{limit: 1h, heartbeat: 300ms}}
health: {{recovery_after: 0s}}
"""


# ---- a small validator of JSON Schema: what openapi.json uses of it, and nothing else ----

class Schema:
    TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    KNOWN = {"type", "properties", "required", "additionalProperties", "items", "enum", "oneOf", "$ref", "minimum", "maximum", "minLength", "maxLength",
             "minItems", "maxItems", "pattern", "description", "format", "default", "examples"}

    def __init__(self, document):
        self.document = document

    def resolve(self, schema):
        while "$ref" in schema:
            node = self.document
            for part in schema["$ref"][2:].split("/"):
                node = node[part]
            schema = node
        return schema

    def is_type(self, value, name):
        if name == "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        if name == "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        return isinstance(value, self.TYPES[name])

    def problems(self, value, schema, at="$"):
        schema = self.resolve(schema)
        if set(schema) - self.KNOWN:
            return [f"{at}: the validator does not know {set(schema) - self.KNOWN}"]
        if "oneOf" in schema:
            fitting = [one for one in schema["oneOf"] if not self.problems(value, one, at)]
            return [] if len(fitting) == 1 else self.problems(value, schema["oneOf"][0], at) or [f"{at}: fits {len(fitting)} of oneOf"]
        types = schema.get("type", [])
        types = [types] if isinstance(types, str) else types
        if types and not any(self.is_type(value, name) for name in types):
            return [f"{at}: {json.dumps(value)[:60]} is not {'/'.join(types)}"]
        if "enum" in schema and value not in schema["enum"]:
            return [f"{at}: {value!r} is none of {schema['enum']}"]
        return self.numbers(value, schema, at) + self.texts(value, schema, at) + self.members(value, schema, at)

    @staticmethod
    def numbers(value, schema, at):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return []
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        return [] if low <= value <= high else [f"{at}: {value} is not within {low}..{high}"]

    @staticmethod
    def texts(value, schema, at):
        if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
            return [f"{at}: {value!r} is not {schema['pattern']}"]
        return []

    def members(self, value, schema, at):
        found = []
        if isinstance(value, dict):
            properties = schema.get("properties", {})
            found += [f"{at}: no {name}" for name in schema.get("required", []) if name not in value]
            if schema.get("additionalProperties") is False:
                found += [f"{at}: unknown {name}" for name in value if name not in properties]
            for name, part in value.items():
                if name in properties:
                    found += self.problems(part, properties[name], f"{at}.{name}")
        if isinstance(value, list) and "items" in schema:
            for number, part in enumerate(value):
                found += self.problems(part, schema["items"], f"{at}[{number}]")
        return found


class Asker:
    """Asks, and compares each answer with the description."""

    def __init__(self, lab, document):
        self.lab, self.document, self.schema = lab, document, Schema(document)
        self.asked, self.statuses, self.wrong = set(), {}, []
        self.patterns = []
        for path, operations in document["paths"].items():
            text = re.escape(path).replace(r"\{path\}", ".+")
            self.patterns.append((re.compile(re.sub(r"\\{[a-z0-9]+\\}", "[^/]+", text) + "$"), path, operations))
        # The most literal first, as the daemon has it.
        self.patterns.sort(key=lambda one: one[1].count("{"))

    def compare(self, method, path, status, headers, body):
        bare = path.split("?")[0]
        for pattern, name, operations in self.patterns:
            if pattern.match(bare) and method.lower() in operations:
                self.asked.add((method.lower(), name))
                self.compare_answer(operations[method.lower()], method, path, status, headers, body)
                return

    def compare_answer(self, operation, method, path, status, headers, body):
        answers = operation["responses"]
        if str(status) not in answers:
            self.wrong.append(f"{method} {path}: {status} is not described: {body[:120]!r}")
            return
        content = self.schema.resolve(answers[str(status)]).get("content", {})
        if "application/json" not in content or method == "HEAD":
            return
        if not headers.get("Content-Type", "").startswith("application/json"):
            self.wrong.append(f"{method} {path}: {status} comes as {headers.get('Content-Type')}")
            return
        self.wrong += [f"{method} {path} {status}: {problem}" for problem in
                       self.schema.problems(json.loads(body), content["application/json"]["schema"])[:3]]

    def __call__(self, method, path, body=None, headers=None, connection=None, full=False):
        connection = connection or Connection(self.lab.socket, 60)
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        path = path if path.startswith(("/api", "/metrics", "/healthz")) or path == "/" else "/api/v1" + path
        try:
            try:
                connection.request(method, path, body, headers)
            except BrokenPipeError:
                pass  # refused before the whole body was sent: the answer is there
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        self.compare(method, path, answer.status, answer.headers, data)
        is_json = answer.headers.get("Content-Type", "").startswith("application/json") and method != "HEAD" and data
        value = json.loads(data) if is_json else data
        return (answer.status, value, answer.headers) if full else (answer.status, value)

    def refused(self, name, status, method, path, body=None, says="", **more):
        """An error with its status, its code, and words."""
        got, value = self(method, path, body, **more)
        codes = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed", 409: "conflict", 410: "gone",
                 413: "too_large", 415: "unsupported_media_type", 416: "range_not_satisfiable", 422: "rig_refused"}
        error = value.get("error", {}) if isinstance(value, dict) else {}
        fits = got == status and error.get("code") == codes[status] and says in error.get("message", "")
        check(name, fits, f"{method} {path}: {got} {value!r}, not {status} with {says!r}")


def sse(text):
    """(event, id, data) of a stream; one that is not whole yet does not count."""
    found = []
    for block in text.split("\n\n")[:-1]:
        fields = [line.split(": ", 1) for line in block.split("\n") if ": " in line]
        event = {"data": [value for key, value in fields if key == "data"]}
        event.update({key: value for key, value in fields if key != "data"})
        if event["data"] or "id" in event:
            found.append(event)
    return found


class Stream(threading.Thread):
    """Reads a stream beside everything else."""

    def __init__(self, path, address, headers=None):
        super().__init__(daemon=True)
        self.path, self.text, self.address, self.headers = path, "", address, headers or {}
        self.ended = False
        self.start()

    def run(self):
        connection = Connection(self.path, 120)
        try:
            connection.request("GET", "/api/v1" + self.address, headers=self.headers)
            answer = connection.getresponse()
            while True:
                part = answer.read1(65536)
                if not part:
                    break
                self.text += part.decode()
            self.ended = True
        except OSError as error:
            self.text += f"\n{error}"
        finally:
            connection.close()

    def wait_for(self, what, within=90):
        return until(lambda: what in self.text, within)

    def wait_event(self, fits, within=90):
        """The first whole event that fits, or None."""
        until(lambda: any(map(fits, sse(self.text))), within)
        return next(filter(fits, sse(self.text)), None)


def until(what, within=90):
    limit = time.monotonic() + within
    while time.monotonic() < limit:
        if what():
            return True
        time.sleep(0.02)
    return False


# ---- what is asked ----

def uploads(ask):
    data = b"text of a file\n"
    name = hashlib.sha256(data).hexdigest()
    check("blob_absent", ask("HEAD", f"/blobs/{name}")[0] == 404, "a file is there before it came")
    check("blob_put", ask("PUT", f"/blobs/{name}", data)[0] == 201, "not created")
    check("blob_again", ask("PUT", f"/blobs/{name}", data) == (200, {"sha256": name, "size": len(data)}), "the second time is not 200")
    check("blob_there", ask("HEAD", f"/blobs/{name}")[0] == 200, "it is not there")
    ask.refused("blob_other_digest", 400, "PUT", f"/blobs/{'0' * 64}", data)
    ask.refused("blob_bad_name", 400, "PUT", "/blobs/xyz", data, says="64 lower-case")
    ask.refused("blob_too_large", 413, "PUT", f"/blobs/{name}", b"x" * (1 << 20) + b"y", says="1048576")
    big = b"z" * (1 << 20)
    check("blob_largest", ask("PUT", f"/blobs/{hashlib.sha256(big).hexdigest()}", big)[0] == 201, "one of exactly the limit is refused")
    # Cut off in the middle: nothing of it stays.
    half = hashlib.sha256(big + b"2").hexdigest()
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(ask.lab.socket)
        raw.sendall(f"PUT /api/v1/blobs/{half} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n".encode() + b"z" * 400000)

    def left():
        names = [entry for _, _, names in os.walk(os.path.join(ask.lab.state, "blobs")) for entry in names]
        return [name for name in names if len(name) not in (62, 64)]
    check("blob_cut_off", until(lambda: not left()) and ask("HEAD", f"/blobs/{half}")[0] == 404, left())


def submission(ask, **more):
    text = case("api.one")
    digest = ask.lab.upload(text)["sha256"]
    return dict({"title": "one", "series": "api", "files": [{"path": "a/one.yaml", "sha256": digest}], "paths": ["a/"]}, **more)


def refused_submissions(ask):
    for name, change, says in (
            ("unknown", {"titel": "x"}, 'did you mean "title"'), ("type", {"priority": "high"}, '"priority" must be a whole number'),
            ("range", {"priority": 101}, "from -100 to 100"), ("spread", {"spread": 17}, "from 1 to 16"),
            ("no_unit", {"time_limit": "7"}, "time_limit"), ("number_duration", {"time_limit": 7}, "a duration with its unit"),
            ("too_short", {"time_limit": "1ms"}, "time_limit"), ("both", {"rig": "v1", "pool": "virtual"}, "at most one"),
            ("option", {"options": {"repaet": 2}}, 'did you mean "repeat"'), ("option_type", {"options": {"tags": "x"}}, "an array"),
            ("control", {"title": "a\nb"}, "control character"), ("empty_path", {"paths": []}, "1 to 1000"),
            ("climbing", {"paths": ["../a"]}, "path"), ("absolute", {"paths": ["/etc"]}, "path"), ("nothing_there", {"paths": ["b"]}, "b"),
            ("key", {"key": "k" * 65}, '"key"'), ("bool", {"options": {"stop_at_failure": 1}}, "true or false"),
            ("option_word", {"options": {"cases": ["--help"]}}, "begins with a dash"), ("option_tag", {"options": {"tags": ["-x"]}}, "begins with a dash"),
            ("option_control", {"options": {"params": ["a:b=c\nd"]}}, "params"), ("bounds", {"time_limit": "1ms"}, "from 1s to 720h"),
            ("digest", {"files": [{"path": "a/one.yaml", "sha256": "G" * 64}]}, "sha256"),
            ("absent", {"files": [{"path": "a/one.yaml", "sha256": "0" * 64}]}, "not uploaded"),
            ("file_climbs", {"files": [{"path": "a/../../one.yaml", "sha256": "0" * 64}]}, "path"),
            ("file_key", {"files": [{"path": "a/one.yaml", "sha": "0" * 64}]}, "unknown key")):
        ask.refused(f"submit_{name}", 400, "POST", "/jobs", submission(ask, **change), says)
    ask.refused("submit_no_files", 400, "POST", "/jobs", {"paths": ["a"]}, '"files"')
    ask.refused("submit_no_json", 400, "POST", "/jobs", b'{"title": ', headers={"Content-Type": "application/json"})
    ask.refused("submit_twice_a_key", 400, "POST", "/jobs", b'{"title": "a", "title": "b"}', headers={"Content-Type": "application/json"})
    ask.refused("submit_nul", 400, "POST", "/jobs", b'{"title": "a\\u0000b"}', "code 0", headers={"Content-Type": "application/json"})
    ask.refused("submit_array", 400, "POST", "/jobs", b"[]", headers={"Content-Type": "application/json"})
    ask.refused("submit_form", 415, "POST", "/jobs", b"title=x", headers={"Content-Type": "application/x-www-form-urlencoded"})
    ask.refused("submit_too_large", 413, "POST", "/jobs", b" " * (5 << 20), headers={"Content-Type": "application/json"})
    ask.refused("submit_no_rig", 422, "POST", "/jobs", submission(ask, requires=["teleport"]), "teleport")
    ask.refused("submit_unknown_rig", 422, "POST", "/jobs", submission(ask, rig="v9"), "v9")


def one_job(ask):
    live = Stream(ask.lab.socket, "/events")
    live.wait_for("id: ")
    status, job = ask("POST", "/jobs", submission(ask, key="once"))
    check("submit", status == 201 and job["state"] in ("queued", "running"), f"{status} {job}")
    number = job["id"]
    again, same = ask("POST", "/jobs", submission(ask, key="once"))
    check("submit_same_key", again == 200 and same["id"] == number, f"{again} {same}")
    ask.refused("submit_same_key_other", 409, "POST", "/jobs", submission(ask, key="once", title="two"), f"job {number} was submitted with this key")
    ask.refused("job_leading_zero", 404, "GET", f"/jobs/0{number}")
    log = Stream(ask.lab.socket, f"/jobs/{number}/log?follow=1")
    done = wait_done(ask, number)
    check("job_passed", done["outcome"] == "passed" and done["counts"]["pass"] == 1, done)
    check("limits_by_default", done["time_limit_ns"] == 7200 * 10**9 and done["retries"] == 1, done)
    log.join(90)
    check("log_followed", log.ended and "api.one" in log.text, f"{log.ended} {log.text!r}")
    check("log_stored", ask("GET", f"/jobs/{number}/log")[1].decode() == log.text, "the log that was followed is not the stored one")
    # What is done is told to some before others: a run before its job.
    live.wait_event(lambda event: event.get("event") == "job" and json.loads(event["data"][0])["id"] == number
                    and json.loads(event["data"][0])["state"] == "done")
    live.wait_event(lambda event: event.get("event") == "queue")
    return done, live


def wait_done(ask, number, within=240):
    limit = time.monotonic() + within
    while time.monotonic() < limit:
        job = ask("GET", f"/jobs/{number}")[1]
        if job["state"] == "done":
            return job
        time.sleep(0.05)
    raise RuntimeError(f"job {number} is {job['state']}")


def event_number(event):
    """Of `<start of the daemon>-<number>`."""
    return int(event["id"].rpartition("-")[2])


def live_events(ask, live, number):
    schemas = {"job": "Job", "run": "Run", "rig": "Rig", "queue": "Queue"}
    events = [event for event in sse(live.text) if "event" in event]
    kinds = {event["event"] for event in events}
    ask.asked.add(("get", "/api/v1/events"))
    check("live_kinds", kinds == set(schemas), kinds)
    wrong = [problem for event in events for problem in
             ask.schema.problems(json.loads("\n".join(event["data"])), {"$ref": "#/components/schemas/" + schemas[event["event"]]})]
    check("live_as_described", not wrong, wrong[:3])
    states = [json.loads(event["data"][0])["state"] for event in events if event["event"] == "job" and json.loads(event["data"][0])["id"] == number]
    # On an idle rig it runs before anybody is told that it waits.
    check("live_job_states", states[0] in ("queued", "running") and states[-1] == "done" and "running" in states, states)
    # Who comes back goes on where he was.
    again = Stream(ask.lab.socket, "/events", {"Last-Event-ID": events[0]["id"]})
    again.wait_event(lambda event: event.get("id") == events[-1]["id"])
    # The daemon goes on meanwhile: what came after the last of them is not looked at.
    heard = [event["id"] for event in sse(again.text) if "event" in event][:len(events) - 1]
    check("live_again", heard == [event["id"] for event in events[1:]], f"{heard} of {[event['id'] for event in events]}")
    lost = Stream(ask.lab.socket, "/events", {"Last-Event-ID": "1-1"})
    last = lost.wait_event(lambda event: event.get("event") == "dropped")
    check("live_other_daemon", last and "reason" in json.loads(last["data"][0]) and event_number(last) >= event_number(events[-1]), lost.text)


def run_details(ask, job):
    run = job["runs"][0]["id"]
    status, full = ask("GET", f"/runs/{run}")
    names = {artefact["name"]: artefact for artefact in full["artefacts"]}
    check("run", status == 200 and full["cases"][0]["id"] == "api.one" and full["cases"][0]["verdict"] == "pass", full["cases"])
    check("run_artefacts", {"events.jsonl", "results.json", "junit.xml", "report.html", "output.log", "capture.pcapng"} <= set(names), sorted(names))
    status, journal, headers = ask("GET", f"/runs/{run}/artefacts/events.jsonl", full=True)
    check("artefact", hashlib.sha256(journal).hexdigest() == names["events.jsonl"]["sha256"] and "attachment" in headers["Content-Disposition"],
          headers.items())
    part = ask("GET", f"/runs/{run}/artefacts/events.jsonl", headers={"Range": "bytes=10-19"})
    check("artefact_range", part == (206, journal[10:20]), part)
    ask.refused("artefact_behind", 416, "GET", f"/runs/{run}/artefacts/events.jsonl", says=str(len(journal)), headers={"Range": f"bytes={len(journal)}-"})
    tag = {"If-None-Match": headers["ETag"]}
    check("artefact_known", ask("GET", f"/runs/{run}/artefacts/events.jsonl", headers=tag)[0] == 304, headers.items())
    report = ask("GET", f"/runs/{run}/artefacts/report.html", full=True)[2]
    check("artefact_sandboxed", report["Content-Security-Policy"].startswith("sandbox allow-scripts; default-src 'none';") and report["X-Content-Type-Options"] == "nosniff", report.items())
    for name in ("..%2f..%2forder.json", "%2e%2e", "..", ".hidden", "%2fetc%2fpasswd", "a%5cb", "x%00y", "a%2fb", "..%2Fbook.sqlite"):
        status, answer = ask("GET", f"/runs/{run}/artefacts/{name}")
        check(f"artefact_refused_{name}", status in (400, 404) and b"SQLite" not in str(answer).encode(), f"{status} {answer!r}")
    ask.refused("artefact_absent", 404, "GET", f"/runs/{run}/artefacts/nothing.txt")
    ask.refused("run_absent", 404, "GET", "/runs/999999")
    ask.refused("run_artefact_absent", 404, "GET", "/runs/999999/artefacts/events.jsonl")
    for name in ("results.json", "junit.xml", "report.html"):
        check(f"report_{name}", ask("GET", f"/jobs/{job['id']}/{name}")[0] == 200, "not there")
    check("job_file", ask("GET", f"/jobs/{job['id']}/files/a/one.yaml")[1] == case("api.one").encode(), "another file")
    ask.refused("job_file_absent", 404, "GET", f"/jobs/{job['id']}/files/a/two.yaml")
    check("job_file_climbs", ask("GET", f"/jobs/{job['id']}/files/a/..%2f..%2fbook.sqlite")[0] in (400, 404), "found")
    return run, journal


def stored_events(ask, run, journal):
    lines = journal.decode().splitlines()
    text = ask("GET", f"/runs/{run}/events")[1].decode()
    events = sse(text)
    got = [line for event in events if event.get("event") == "line" for line in event["data"]]
    check("events_all", got == lines, f"{len(got)} of {len(lines)} lines")
    check("events_end", events[-1]["event"] == "end" and json.loads(events[-1]["data"][0]) == {"state": "done", "outcome": "passed"}, events[-1])
    few = [line for event in sse(ask("GET", f"/runs/{run}/events?level=summary")[1].decode()) if event.get("event") == "line" for line in event["data"]]
    masses = ("console.line", "can.rx", "doip", "doip.tx", "doip.rx")
    check("events_summary", few == [line for line in lines if line in few] and len(few) < len(lines) and '"case.end"' in "".join(few) and
          not any(json.loads(line)["kind"] in masses for line in few), f"{len(few)} of {len(lines)}")
    offset = len((lines[0] + "\n" + lines[1] + "\n").encode())
    rest = [line for event in sse(ask("GET", f"/runs/{run}/events?from={offset}")[1].decode()) if event.get("event") == "line" for line in event["data"]]
    check("events_from", rest == lines[2:], f"{len(rest)} of {len(lines) - 2}")
    back = [line for event in sse(ask("GET", f"/runs/{run}/events?from=0", headers={"Last-Event-ID": str(offset)})[1].decode())
            if event.get("event") == "line" for line in event["data"]]
    check("events_last_id", back == lines[2:], f"{len(back)} of {len(lines) - 2}")
    check("events_bad_offset", "dropped" in ask("GET", f"/runs/{run}/events?from=3")[1].decode(), "taken")
    ask.refused("events_level", 400, "GET", f"/runs/{run}/events?level=few")
    ask.refused("events_absent", 404, "GET", "/runs/999999/events")
    status, timeline = ask("GET", f"/runs/{run}/timeline")
    kinds = {lane["kind"] for lane in timeline["lanes"]}
    check("timeline", status == 200 and {"case", "step", "boot"} <= kinds and timeline["virtual"] and timeline["left_off"] == 0, kinds)
    thin = ask("GET", f"/runs/{run}/timeline?limit=5")[1]
    check("timeline_thinned", sum(len(lane["items"]) for lane in thin["lanes"]) <= 5 and thin["left_off"] > 0, thin)
    ask.refused("timeline_limit", 400, "GET", f"/runs/{run}/timeline?limit=0")
    one = ask("GET", f"/runs/{run}/timeline?limit=1")[1]
    check("timeline_one", sum(len(lane["items"]) for lane in one["lanes"]) == 1, one)
    check("timeline_moment", ask("GET", f"/runs/{run}/timeline?to_ns=0")[1]["end_ns"] == 0, "to the end")
    ask.refused("timeline_backwards", 400, "GET", f"/runs/{run}/timeline?from_ns=2&to_ns=1", says="behind")


def growing_run(ask):
    job = ask.lab.submit({"slow.yaml": case("api.slow", waits(8)), "fails.yaml": case("api.fails", FAILS)}, series="api", rig="v1")[1]
    limit = time.monotonic() + 240
    while not job["runs"] or job["runs"][0]["state"] != "running":
        job = ask("GET", f"/jobs/{job['id']}")[1]
        if time.monotonic() > limit:
            break
        time.sleep(0.02)
    run = job["runs"][0]["id"]
    stream = Stream(ask.lab.socket, f"/runs/{run}/events")
    check("growing_lines", stream.wait_for("step.begin"), stream.text[-300:])
    status, part = ask("GET", f"/runs/{run}/artefacts/events.jsonl")
    check("growing_artefact", status == 200 and b"run.begin" in part, f"{status} {part[:100]!r}")
    check("growing_output", ask("GET", f"/runs/{run}/artefacts/output.log")[0] == 200, "not there")
    out = os.path.join(ask.lab.state, "jobs", str(job["id"]), str(run), "out")
    os.symlink("/etc/passwd", os.path.join(out, "link.txt"))
    os.mkdir(os.path.join(out, "folder"))
    os.mkfifo(os.path.join(out, "pipe"))
    for name in ("link.txt", "folder", "pipe"):
        ask.refused(f"growing_{name}", 404, "GET", f"/runs/{run}/artefacts/{name}")
    status, now = ask("GET", f"/runs/{run}")
    files = {artefact["name"]: artefact for artefact in now["artefacts"]}
    check("growing_listed", {"events.jsonl", "output.log"} <= set(files) and not {"link.txt", "folder", "pipe"} & set(files)
          and files["events.jsonl"]["size"] > 0 and files["events.jsonl"]["sha256"] is None, now["artefacts"])
    check("growing_virtual", now["virtual"] is True, now["virtual"])
    check("growing_timeline", ask("GET", f"/runs/{run}/timeline")[0] == 200, "refused")
    progress = ask("GET", f"/runs/{run}")[1]["progress"]
    check("growing_progress", progress and progress["of"] == 2, progress)
    done = wait_done(ask, job["id"])
    check("job_failed", done["outcome"] == "failed" and done["counts"]["fail"] == 1 and done["counts"]["pass"] == 1, done)
    stream.wait_for("event: end")
    journal = ask("GET", f"/runs/{run}/artefacts/events.jsonl")[1].decode().splitlines()
    got = [line for event in sse(stream.text) if event.get("event") == "line" for line in event["data"]]
    check("growing_complete", got == journal, f"{len(got)} of {len(journal)} lines")
    status, again = ask("POST", f"/jobs/{job['id']}/rerun", {"failed": True})
    check("rerun", status == 201 and again["rerun_of"] == job["id"], f"{status} {again}")
    again = wait_done(ask, again["id"])
    check("rerun_only_failed", again["counts"]["total"] == 1 and again["outcome"] == "failed", again["counts"])
    return done


def lists(ask, passed):
    jobs = ask("GET", "/jobs")[1]["jobs"]
    check("jobs_newest_first", [job["id"] for job in jobs] == sorted((job["id"] for job in jobs), reverse=True), "another order")
    first = ask("GET", "/jobs?limit=1")[1]
    second = ask("GET", f"/jobs?limit=1&before={first['next']}")[1]
    check("jobs_page", [first["jobs"][0]["id"], second["jobs"][0]["id"]] == [job["id"] for job in jobs[:2]], f"{first} {second}")
    check("jobs_state", ask("GET", "/jobs?state=active")[1]["jobs"] == [] and len(ask("GET", "/jobs?state=done")[1]["jobs"]) == len(jobs), "others")
    check("jobs_series", ask("GET", "/jobs?series=none")[1]["jobs"] == [], "others")
    for query in ("state=odd", "limit=0", "limit=1001", "limit=x", "before=-1"):
        ask.refused(f"jobs_{query}", 400, "GET", f"/jobs?{query}")
    number = passed["id"]
    check("pin", ask("PUT", f"/jobs/{number}/pin")[0] == 204 and ask("GET", f"/jobs/{number}")[1]["pinned"] is True, "not pinned")
    check("unpin", ask("DELETE", f"/jobs/{number}/pin")[0] == 204 and ask("GET", f"/jobs/{number}")[1]["pinned"] is False, "pinned")
    for method, path in (("GET", ""), ("POST", "/cancel"), ("POST", "/rerun"), ("PUT", "/pin"), ("DELETE", "/pin"), ("GET", "/log"), ("GET", "/results.json")):
        ask.refused(f"no_job_{method}{path}", 404, method, f"/jobs/999999{path}")
    ask.refused("no_number", 404, "GET", "/jobs/abc")
    ask.refused("cancel_done", 409, "POST", f"/jobs/{number}/cancel")
    ask.refused("rerun_nothing_failed", 409, "POST", f"/jobs/{number}/rerun", {"failed": True})
    ask.refused("rerun_unknown_key", 400, "POST", f"/jobs/{number}/rerun", {"faild": True}, 'did you mean "failed"')


def results(ask):
    matrix = ask("GET", "/matrix?series=api")[1]
    check("matrix", {"api.one", "api.slow", "api.fails"} <= {one["id"] for one in matrix["cases"]} and
          all(len(one["results"]) == len(matrix["jobs"]) for one in matrix["cases"]), matrix)
    check("matrix_default", ask("GET", "/matrix")[0] == 200, "refused")
    ask.refused("matrix_nights", 400, "GET", "/matrix?nights=0")
    history = ask("GET", "/cases/api.fails/history?series=api")[1]
    check("history", len(history["entries"]) == 2 and history["failed"] == 2 and history["entries"][0]["place"]["line"] > 0, history)
    check("history_absent", ask("GET", "/cases/api.nothing/history")[0] in (200, 404), "another status")
    series = ask("GET", "/measurements")[1]["measurements"]
    check("measurements", series and series[0]["case"] == "api.measured", series)
    trend = ask("GET", f"/measurements/{series[0]['series']}/trend?from=2020-01-01&to=2100-01-01T00:00:00Z&points=10&rig=v1")[1]
    check("trend", len(trend["points"]) == 1 and trend["points"][0]["n"] == 1 and trend["unit"] == series[0]["unit"], trend)
    ask.refused("trend_time", 400, "GET", f"/measurements/{series[0]['series']}/trend?from=yesterday")
    ask.refused("trend_absent", 404, "GET", "/measurements/999999/trend")


MEASURED = """defaults: {timeout: 60s}
cases:
  - id: api.measured
    title: a time
    steps:
      - board.power_off: {role: vmg}
      - measure.begin: boot
      - board.boot: {role: vmg, within: 60s}
      - measure.end: boot
    measure:
      - id: boot
        title: from power to its server
        samples: 1
        from: {event: power.on, role: vmg}
        to: {event: boot.stage, role: vmg, where: {stage: application}}
        limits: {p95: {at_most: 60s}}
"""


def lines_of(secret, kind="application/x-ndjson"):
    return {"Content-Type": kind, "Hilbench-Lease-Secret": secret}


def shown(ask, number, secret):
    """The holder of a lease shows what happens; who watches it to its end."""
    status, lease = ask("GET", f"/leases/{number}")
    check("lease_get", status == 200 and lease["rig"] == "v1" and lease["watchable"] is False, lease)
    ask.refused("lease_get_absent", 404, "GET", "/leases/999999")
    watcher = Stream(ask.lab.socket, f"/leases/{number}/events")
    rig = Stream(ask.lab.socket, "/events")
    rig.wait_for("id: ")
    lines = b'{"kind":"run.begin"}\n{"kind":"can.rx"}\n{"kind":"run.end"}\n'
    path = f"/leases/{number}/journal?from="
    check("lease_journal", ask("POST", path + "0", lines, lines_of(secret)) == (200, {"next": len(lines)}), "refused")
    check("lease_watchable", ask("GET", f"/leases/{number}")[1]["watchable"] is True and ask("GET", "/rigs/v1")[1]["lease"]["watchable"] is True, "it is not")
    told = rig.wait_event(lambda event: event.get("event") == "rig" and '"watchable":true' in event["data"][0])
    check("lease_watchable_told", told, rig.text[-300:])
    status, elsewhere = ask("POST", path + "0", lines, lines_of(secret))
    check("lease_journal_elsewhere", status == 409 and elsewhere["next"] == len(lines) and elsewhere["error"]["code"] == "conflict", elsewhere)
    check("lease_journal_asked", ask("POST", f"{path}{len(lines)}", b"", lines_of(secret)) == (200, {"next": len(lines)}), "refused")
    for name, status, where, body, headers in (
            ("secret", 403, len(lines), lines, lines_of("x" * 43)), ("no_secret", 400, len(lines), lines, {"Content-Type": "application/x-ndjson"}),
            ("type", 415, len(lines), lines, lines_of(secret, "application/json")), ("no_from", 400, "", lines, lines_of(secret)),
            ("half", 400, len(lines), lines[:-1], lines_of(secret)), ("large", 413, len(lines), lines * 30000, lines_of(secret))):
        ask.refused(f"lease_journal_{name}", status, "POST", f"{path}{where}", body, headers=headers)
    ask.refused("lease_journal_absent", 404, "POST", "/leases/999999/journal?from=0", lines, headers=lines_of(secret))
    ask.refused("lease_events_absent", 404, "GET", "/leases/999999/events")
    ask.refused("lease_events_level", 400, "GET", f"/leases/{number}/events?level=few")
    ask.refused("lease_events_from", 400, "GET", f"/leases/{number}/events?from=-1")
    event = watcher.wait_event(lambda event: event.get("event") == "line")
    check("lease_events", event and "\n".join(event["data"]) + "\n" == lines.decode() and event["id"] == str(len(lines)), watcher.text)
    few = Stream(ask.lab.socket, f"/leases/{number}/events?level=summary&from=0")
    event = few.wait_event(lambda event: event.get("event") == "line")
    check("lease_events_summary", event and event["data"] == ['{"kind":"run.begin"}', '{"kind":"run.end"}'], few.text)
    check("lease_events_offset", "dropped" in ask("GET", f"/leases/{number}/events?from=3")[1].decode(), "taken")
    ask.asked.add(("get", "/api/v1/leases/{id}/events"))
    return watcher


def rigs(ask):
    check("rigs", [rig["name"] for rig in ask("GET", "/rigs")[1]["rigs"]] == ["v1", "v2"], "others")
    ask.refused("rig_absent", 404, "GET", "/rigs/v9")
    ask.refused("rig_health_absent", 404, "GET", "/rigs/v9/health")
    ask.refused("lease_absent_rig", 404, "POST", "/rigs/v9/lease", {"for": "1min"})
    ask.refused("lease_no_time", 400, "POST", "/rigs/v1/lease", {}, '"for"')
    ask.refused("lease_too_long", 400, "POST", "/rigs/v1/lease", {"for": "2h"})
    ask.refused("lease_unknown", 400, "POST", "/rigs/v1/lease", {"for": "1min", "hartbeat": True}, "did you mean")
    wait_free(ask, "v1")
    status, lease = ask("POST", "/rigs/v1/lease", {"for": "10min", "note": "looking"})
    check("lease", status == 201 and os.path.isabs(lease["file"]) and lease["lease"]["kind"] == "person", f"{status} {lease}")
    number, secret = lease["lease"]["id"], {"secret": lease["secret"]}
    ask.refused("lease_taken", 409, "POST", "/rigs/v1/lease", {"for": "1min"}, "locked by")
    check("rig_leased", ask("GET", "/rigs/v1")[1]["lease"]["id"] == number, "not shown")
    check("heartbeat", ask("POST", f"/leases/{number}/heartbeat", secret)[0] == 200, "refused")
    ask.refused("heartbeat_wrong", 403, "POST", f"/leases/{number}/heartbeat", {"secret": "x" * 43})
    ask.refused("heartbeat_no_secret", 400, "POST", f"/leases/{number}/heartbeat", {})
    ask.refused("heartbeat_absent", 404, "POST", "/leases/999999/heartbeat", secret)
    watcher = shown(ask, number, secret["secret"])
    # Somebody waits for it, and a second one goes away while he waits.
    answers = []
    waiter = threading.Thread(target=lambda: answers.append(ask("POST", "/rigs/v1/lease", {"for": "1min", "wait": True, "heartbeat": True})))
    waiter.start()
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(ask.lab.socket)
        body = b'{"for":"1min","wait":true}'
        raw.sendall(b"POST /api/v1/rigs/v1/lease HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" %
                    (len(body), body))
        time.sleep(0.3)
    check("lease_waited_for", waiter.is_alive() and not answers, answers)
    ask.refused("unlease_wrong", 403, "DELETE", f"/leases/{number}", {"secret": "x" * 43})
    check("unlease", ask("DELETE", f"/leases/{number}", secret)[0] == 202, "refused")
    ask.refused("unlease_again", 410, "DELETE", f"/leases/{number}", secret)
    over = watcher.wait_event(lambda event: event.get("event") == "end")
    check("lease_watcher_told", over and json.loads(over["data"][0])["state"] == "over" and json.loads(over["data"][0])["reason"], watcher.text[-300:])
    ask.refused("lease_events_over", 410, "GET", f"/leases/{number}/events")
    ask.refused("lease_journal_over", 410, "POST", f"/leases/{number}/journal?from=0", b"", headers=lines_of(secret["secret"]))
    ask.refused("heartbeat_over", 410, "POST", f"/leases/{number}/heartbeat", secret)
    waiter.join(120)
    check("lease_after_wait", answers and answers[0][0] == 201, answers)
    # Nobody beats for it: it ends by itself.
    second = answers[0][1]["lease"]["id"]
    wait_free(ask, "v1")
    ask.refused("lease_expired", 410, "POST", f"/leases/{second}/heartbeat", {"secret": answers[0][1]["secret"]})
    # An admin breaks one.
    third = ask("POST", "/rigs/v1/lease", {"for": "1min"})[1]["lease"]["id"]
    check("lease_broken", ask("DELETE", f"/leases/{third}")[0] == 202, "refused")
    wait_free(ask, "v1")


def wait_free(ask, name, within=180):
    limit = time.monotonic() + within
    while time.monotonic() < limit:
        if not ask("GET", f"/rigs/{name}")[1]["lease"]:
            return
        time.sleep(0.05)
    not_ok(f"rig_free_{name}", "it is still leased")


def health(ask):
    ask.refused("quarantine_no_reason", 400, "POST", "/rigs/v2/quarantine", {}, '"reason"')
    status, rig = ask("POST", "/rigs/v2/quarantine", {"reason": 'a "loose" cable'})
    check("quarantine", status == 200 and rig["health"] == "quarantined" and "loose" in rig["reason"], rig)
    ask.refused("quarantined_refused", 422, "POST", "/jobs", submission(ask, rig="v2"), "loose")
    check("metrics_quarantined", b'hilbench_rig_health{rig="v2",health="quarantined"} 1' in ask("GET", "/metrics")[1], "not shown")
    check("recover", ask("POST", "/rigs/v2/recover")[0] == 202, "refused")
    limit = time.monotonic() + 240
    while ask("GET", "/rigs/v2")[1]["health"] != "healthy" and time.monotonic() < limit:
        time.sleep(0.1)
    rig = ask("GET", "/rigs/v2")[1]
    check("recovered", rig["health"] == "healthy", rig)
    kinds = [entry["kind"] for entry in ask("GET", "/rigs/v2/health")[1]["entries"]]
    check("health_log", {"operator", "recovered"} <= set(kinds) or {"quarantined", "recovered"} <= set(kinds), kinds)
    page = ask("GET", "/rigs/v2/health?limit=1")[1]
    check("health_page", len(page["entries"]) == 1 and page["next"], page)
    ask.refused("recover_absent", 404, "POST", "/rigs/v9/recover")


def cancelling(ask):
    job = ask.lab.submit({"long.yaml": case("api.long", waits(60))}, series="api", rig="v1")[1]
    queued = ask.lab.submit({"long.yaml": case("api.long", waits(60))}, series="api", rig="v1")[1]
    check("waiting_for", ask("GET", f"/jobs/{queued['id']}")[1]["waiting_for"], queued)
    check("cancel_queued", ask("POST", f"/jobs/{queued['id']}/cancel")[0] == 202, "refused")
    check("cancelled_queued", wait_done(ask, queued["id"])["outcome"] == "cancelled", "another outcome")
    ask.refused("reports_not_yet", 404, "GET", f"/jobs/{job['id']}/results.json")
    ask.refused("rerun_too_early", 409, "POST", f"/jobs/{job['id']}/rerun", {})
    check("cancel", ask("POST", f"/jobs/{job['id']}/cancel")[0] == 202, "refused")
    check("cancelled", wait_done(ask, job["id"])["outcome"] == "cancelled", "another outcome")


def spread_log(ask):
    files = {f"f{n}.yaml": case(f"api.part{n}") for n in range(4)}
    for name in ("v1", "v2"):  # it takes those that are free when it begins
        wait_free(ask, name)
    job = ask.lab.submit(files, series="api-spread", pool="virtual", spread=2)[1]
    text = ask("GET", f"/jobs/{job['id']}/log?follow=1")[1].decode()
    done = wait_done(ask, job["id"])
    check("spread", done["outcome"] == "passed" and {run["rig"] for run in done["runs"]} == {"v1", "v2"}, done)
    check("spread_log", all(line.startswith(("v1: ", "v2: ")) for line in text.splitlines()) and all(f"api.part{n}" in text for n in range(4)), text)


def others(ask):
    status = ask("GET", "/status")[1]
    check("status", status["accepts_jobs"] and status["memory_bytes"] > 1 << 20 and status["state_directory"] == ask.lab.state, status)
    check("healthz", ask("GET", "/healthz") == (200, b"ok\n"), "another answer")
    check("description", ask("GET", "/openapi.json")[1] == ask.document, "another description than the file")
    page, body, headers = ask("GET", "/", full=True)
    check("page", page == 200 and b"<html" in body.lower() and headers["Content-Type"].startswith("text/html"), headers.items())
    check("page_known", ask("GET", "/", headers={"If-None-Match": headers["ETag"]})[0] == 304, headers.items())
    connection = Connection(ask.lab.socket)
    connection.request("GET", "/js/nothing.js")
    check("page_absent", connection.getresponse().status == 404, "found")
    connection.close()
    ask.refused("absent", 404, "GET", "/nothing/at/all")
    ask.refused("absent_post", 404, "POST", "/nothing/at/all")
    ask.refused("method", 405, "DELETE", "/jobs")
    metrics = ask("GET", "/metrics")[1].decode()
    wrong = [line for line in metrics.splitlines()
             if not re.fullmatch(r'# (HELP|TYPE) hilbench_\w+ .+|hilbench_\w+(\{(\w+="([^"\\\n]|\\.)*",?)+\})? [0-9.]+', line)]
    check("metrics_format", not wrong and 'hilbench_jobs_total{outcome="passed"}' in metrics and metrics.endswith("\n"), wrong)
    for line in metrics.splitlines():
        if line.startswith("# TYPE"):
            name, kind = line.split()[2:]
            if (kind == "counter") != name.endswith("_total"):
                not_ok("metrics_names", line)


# ---- by TCP ----

def tcp(port, context=None):
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=context) if context else \
        http.client.HTTPConnection("127.0.0.1", port, timeout=60)


def roles(ask, tokens, connect):
    bearer = {role: {"Authorization": "Bearer " + token} for role, (_, token) in tokens.items()}
    for role, method, path, body, status in (
            ("viewer", "GET", "/jobs", None, 200), ("viewer", "POST", "/jobs", {}, 403), ("viewer", "GET", "/tokens", None, 403),
            ("operator", "POST", "/jobs", {}, 400), ("operator", "POST", "/rigs/v1/quarantine", {"reason": "x"}, 403),
            ("operator", "DELETE", "/leases/1", {}, 403), ("admin", "GET", "/tokens", None, 200)):
        got = ask(method, path, body, bearer[role], connect())
        check(f"role_{role}_{method}{path}", got[0] == status, got)
    ask.refused("token_wrong", 401, "GET", "/jobs", headers={"Authorization": "Bearer hb_" + "A" * 43}, connection=connect())
    check("session_of_token", ask("GET", "/session", headers=bearer["viewer"], connection=connect())[1] ==
          {"name": "viewer", "role": "viewer", "csrf_free": True}, "somebody else")


def sessions(ask, tokens, connect, origin, tls):
    ask.refused("session_wrong", 401, "POST", "/session", {"token": "hb_nothing"}, connection=connect())
    status, who, headers = ask("POST", "/session", {"token": tokens["admin"][1]}, connection=connect(), full=True)
    cookie = headers["Set-Cookie"] or ""
    check("session", status == 201 and who["role"] == "admin", f"{status} {who}")
    check("session_cookie", all(part in cookie for part in ("hilbench_session=", "HttpOnly", "SameSite=Strict", "Max-Age=43200")) and
          tokens["admin"][1] not in cookie and ("Secure" in cookie) == origin.startswith("https"), cookie)
    mine = {"Cookie": cookie.split(";")[0]}
    check("session_used", ask("GET", "/session", headers=mine, connection=connect())[1]["name"] == "admin", "somebody else")
    check("session_same_site", ask("POST", "/tokens", {"name": "by-page", "role": "viewer"}, dict(mine, Origin=origin), connect())[0] == 201, "refused")
    for name, header in (("origin", {"Origin": "https://evil.example"}), ("fetch_site", {"Sec-Fetch-Site": "cross-site"}), ("null", {"Origin": "null"})):
        ask.refused(f"csrf_{name}", 403, "POST", "/tokens", {"name": "evil", "role": "admin"}, headers=dict(mine, **header), connection=connect())
    ask.refused("rebinding", 403, "GET", "/jobs", headers=dict(mine, Host="evil.example"), connection=connect())
    check("named", ask("GET", "/jobs", headers=dict(mine, Host="bench.example"), connection=connect())[0] == 200, "refused")
    check("session_end", ask("DELETE", "/session", headers=mine, connection=connect())[0] == 204, "refused")
    # Nobody any more, which is a viewer by loopback where the configuration says so.
    ask.refused("session_ended", 401 if tls else 403, "GET", "/tokens", headers=mine, connection=connect())


def tokens_of(ask):
    made = {}
    for role in ("viewer", "operator", "admin"):
        status, token = ask("POST", "/tokens", {"name": role, "role": role, "expires": "90d" if role == "viewer" else None})
        check(f"token_{role}", status == 201 and token["token"].startswith("hb_"), token)
        made[role] = (token["id"], token["token"])
    ask.refused("token_again", 409, "POST", "/tokens", {"name": "viewer", "role": "viewer"})
    ask.refused("token_role", 400, "POST", "/tokens", {"name": "x", "role": "king"})
    ask.refused("token_nobody", 400, "POST", "/tokens", {"name": "x", "role": "nobody"})
    ask.refused("token_expires", 400, "POST", "/tokens", {"name": "x", "role": "viewer", "expires": "soon"})
    listed = ask("GET", "/tokens")[1]["tokens"]
    check("tokens_listed", {one["name"] for one in listed} == set(made) and not any(token in json.dumps(listed) for _, token in made.values()), listed)
    return made


def by_tcp(ask, port, context):
    tokens = tokens_of(ask)
    origin = f"http{'s' if context else ''}://127.0.0.1:{port}"

    def connect():
        return tcp(port, context)
    roles(ask, tokens, connect)
    sessions(ask, tokens, connect, origin, context is not None)
    # Who loses the token loses the session.
    cookie = {"Cookie": ask("POST", "/session", {"token": tokens["operator"][1]}, connection=connect(), full=True)[2]["Set-Cookie"].split(";")[0]}
    check("token_removed", ask("DELETE", f"/tokens/{tokens['operator'][0]}")[0] == 204, "refused")
    ask.refused("token_removed_session", 401 if context else 403, "POST", "/jobs", {}, headers=cookie, connection=connect())
    ask.refused("token_removed_bearer", 401, "GET", "/jobs", headers={"Authorization": "Bearer " + tokens["operator"][1]}, connection=connect())
    ask.refused("token_absent", 404, "DELETE", "/tokens/999999")
    return connect


def certificate(folder):
    paths = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=bench",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    return paths


def with_tls(folder, document):
    cert, key = certificate(folder)
    config = CONFIG.format(role="nobody", tls=f", tls: {{certificate: {cert}, key: {key}}}")
    context = ssl.create_default_context(cafile=cert)
    with Lab(os.path.join(folder, "tls"), 1, config) as lab:
        ask, port = Asker(lab, document), lab.port()
        connect = by_tcp(ask, port, context)
        ask.refused("tls_nobody", 401, "GET", "/jobs", connection=connect())
        check("tls_page", ask("GET", "/", connection=connect())[0] == 200, "no page to give a token")
        check("tls_health", ask("GET", "/healthz", connection=connect())[0] == 200, "refused")
        plain = tcp(port)
        try:
            plain.request("GET", "/healthz")
            status = plain.getresponse().status
        except (OSError, http.client.HTTPException):
            status = 0
        check("tls_only", status != 200, "plain HTTP is answered")
        check("tls_as_described", not ask.wrong, ask.wrong[:5])
    return ask.asked


def plain(folder, document):
    with Lab(os.path.join(folder, "plain"), 2, CONFIG.format(role="viewer", tls="")) as lab:
        ask, port = Asker(lab, document), lab.port()
        others(ask)
        uploads(ask)
        refused_submissions(ask)
        passed, live = one_job(ask)
        live_events(ask, live, passed["id"])
        stored_events(ask, *run_details(ask, passed))
        growing_run(ask)
        measured = ask.lab.submit({"m.yaml": MEASURED}, series="api", rig="v1")[1]
        measured = wait_done(ask, measured["id"])
        check("measured", measured["outcome"] == "passed", measured)
        lists(ask, passed)
        results(ask)
        rigs(ask)
        cancelling(ask)
        spread_log(ask)
        health(ask)
        check("loopback_viewer", ask("GET", "/jobs", connection=tcp(port))[0] == 200, "refused")
        ask.refused("loopback_no_operator", 403, "POST", "/jobs", {}, connection=tcp(port))
        by_tcp(ask, port, None)
        stream = Stream(lab.socket, "/events")
        stream.wait_for("id: ")
        ended = lab.stop()
        stream.join(90)
        check("stops", ended == 0 and stream.ended, f"{ended} {stream.ended} {lab.log()[-300:]}")
        check("as_described", not ask.wrong, " | ".join(ask.wrong[:6]))
        check("log_clean", "internal" not in lab.log() and "answered twice" not in lab.log(), lab.log()[-600:])
    return ask.asked


def main():
    with open(DESCRIPTION, encoding="utf-8") as file:
        document = json.load(file)
    folder = tempfile.mkdtemp(prefix="daemon-api-")
    try:
        asked = plain(folder, document) | with_tls(folder, document)
        asked |= {("get", "/{file}"), ("get", "/{folder}/{file}")}  # by the tests of the pages
        missing = [(method, path) for path, operations in document["paths"].items() for method in operations if (method, path) not in asked]
        check("every_request", not missing, missing)
        if not missing:
            ok("done")
    except (RuntimeError, KeyError, OSError) as error:
        not_ok("api", f"{type(error).__name__}: {error}")
        if "--keep" in sys.argv:
            raise
    finally:
        if "--keep" not in sys.argv:
            shutil.rmtree(folder, ignore_errors=True)
    finish()


main()
