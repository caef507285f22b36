#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Wireshark's reading of a whole run's capture: DoIP and UDS inside TLS are decoded with the embedded secrets, it agrees
with what the bench saw on the links, and nothing is malformed but what a case made on purpose."""
import collections
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import RUN, check, finish, not_ok, ok

CAPTURE = os.path.join(RUN, "capture.pcapng")
# Steps that can put on the wire what no conforming peer sends.
FORGING_STEPS = re.compile(r"^(doip\.(send|send_raw|activate|diagnostic|udp)|uds\.\w+|tester\.\w+|server\.\w+|link\.\w+)$")


def tshark(*arguments):
    result = subprocess.run(["tshark", "-n", "-r", CAPTURE, *arguments], capture_output=True, text=True, check=False, errors="replace")
    if result.returncode != 0:
        raise RuntimeError(f"tshark: {result.stderr.strip()[-300:]}")
    return result.stdout.splitlines()


def journal():
    with open(os.path.join(RUN, "events.jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def decode_as():
    """Every listening port of the run, as TLS or as plain DoIP by what most of its clients say first."""
    first = {}
    votes = collections.defaultdict(collections.Counter)
    for line in tshark("-Y", "tcp.len>0", "-T", "fields", "-e", "tcp.stream", "-e", "tcp.dstport", "-e", "tcp.payload"):
        stream, port, payload = line.split("\t")
        first.setdefault(stream, (port, payload.replace(":", "")))
    listening = set(tshark("-Y", "tcp.flags.syn==1 && tcp.flags.ack==0", "-T", "fields", "-e", "tcp.dstport"))
    for port, payload in first.values():
        if port in listening:
            votes[port]["tls" if payload.startswith("1603") else "doip"] += 1
    options = ["-o", "tls.desegment_ssl_records:TRUE", "-o", "tcp.desegment_tcp_streams:TRUE"]
    for port, said in votes.items():
        kind = said.most_common(1)[0][0]
        options += ["-d", f"tcp.port=={port},{kind}"]
        if kind == "tls":
            options += ["-d", f"tls.port=={port},doip"]
    udp = set(tshark("-Y", "udp", "-T", "fields", "-e", "udp.dstport"))
    for port in udp:
        options += ["-d", f"udp.port=={port},doip"] if int(port) < 32768 else []
    return options


def active_steps(events):
    """[(begin, end, step name)] on the clock of the capture, seconds since the epoch."""
    offset = next((event["data"].get("realtime_offset_ns", 0) for event in events if event["kind"] == "run.begin"), 0)
    running, spans = {}, []
    for event in events:
        if event["kind"] not in ("step.begin", "step.end"):
            continue
        identity = event["data"]["id"]
        when = (event["t"] + offset) / 1e9
        if event["kind"] == "step.begin":
            running[identity] = (when, event["data"]["name"])
        elif identity in running:
            begin, name = running.pop(identity)
            spans.append((begin, when, name, identity))
    return spans


def judge_malformed(options, events):
    lines = tshark(*options, "-Y", "_ws.malformed", "-T", "fields", "-e", "frame.number", "-e", "frame.time_epoch", "-e", "ip.src", "-e", "tcp.stream",
                   "-e", "_ws.col.Info")
    tester = {event["data"].get("address") for event in events if event["kind"] == "run.begin"} - {None}
    spans = active_steps(events)
    intended, others = [], []
    for line in lines:
        number, when, source, _, info = (line.split("\t") + [""] * 5)[:5]
        steps = [(name, identity) for begin, end, name, identity in spans if begin - 0.005 <= float(when) <= end + 0.05]
        forged = any(FORGING_STEPS.match(name) for name, _ in steps) and (not tester or source in tester)
        (intended if forged else others).append(f"frame {number} from {source} during {steps[:2]}: {info[:60]}")
    print(f"# {len(intended)} malformed packets that cases made on purpose")
    check("no packet is malformed but those that a case made", not others, f"{len(others)}: {others[:2]}")


def link_messages(events):
    return sum(1 for event in events if event["kind"] == "doip" and event["ch"].startswith("link:"))


def main():
    frames = len(tshark("-T", "fields", "-e", "frame.number"))
    check("Wireshark opens the capture", frames > 0, "no packet")
    options = decode_as()
    inside = tshark(*options, "-Y", "tls && doip", "-T", "fields", "-e", "doip.type")
    messages = sum(len(line.split(",")) for line in inside if line)
    check("DoIP is decoded inside TLS with the embedded secrets", messages > 0, f"{frames} packets, none with doip in tls")
    print(f"# {frames} packets, {messages} DoIP messages inside TLS")
    events = journal()
    seen = link_messages(events)
    check("Wireshark sees every DoIP message that the bench saw on the links", messages >= seen > 0, f"Wireshark {messages}, bench {seen}")
    activations = len(tshark(*options, "-Y", "doip.type == 0x0006 && doip.response_code == 0x10", "-T", "fields", "-e", "frame.number"))
    check("successful routing activations are among them", activations > 0, "none")
    uds = len(tshark(*options, "-Y", "uds", "-T", "fields", "-e", "frame.number"))
    check("UDS is decoded", uds > 0, "none")
    bad = tshark("-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-Y",
                 "ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0", "-T", "fields", "-e", "frame.number")
    check("every checksum is right", not bad, f"{len(bad)} wrong, the first in frame {bad[:1]}")
    judge_malformed(options, events)


if not os.path.exists(CAPTURE):
    not_ok("the run wrote a capture", CAPTURE + " is not there")
else:
    ok("the run wrote a capture")
    try:
        main()
    except Exception as error:  # pylint: disable=broad-except
        not_ok("Wireshark reads the capture", f"{type(error).__name__}: {error}")
finish()
