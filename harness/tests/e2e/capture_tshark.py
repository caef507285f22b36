#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Wireshark's reading of a whole run's capture: DoIP and UDS inside TLS are decoded with the embedded secrets, it agrees
with what the bench saw on the links, and nothing is malformed but what a case made on purpose."""
import glob
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import OUT, RUN, check, finish, not_ok

# Steps that can put on the wire what no conforming peer sends; what a gateway says to a device is not DoIP at all.
FORGING_STEPS = re.compile(r"^(doip\.(send|send_raw|activate|diagnostic|udp)|uds\.request|server\.start|gateway\.\w+|link\.\w+)$")


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    if result.returncode != 0:
        raise RuntimeError(f"{command[0]}: {result.stderr.strip()[-300:]}")
    return result.stdout.splitlines()


def tshark(file, wanted, *fields):
    """The given fields (default the frame's number) of each packet that the filter lets pass."""
    options = [option for field in fields or ("frame.number",) for option in ("-e", field)]
    return run("tshark", "-n", "-r", file, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
               "-Y", wanted, "-T", "fields", *options)


def messages(file, wanted="doip"):
    return sum(len(line.split(",")) for line in tshark(file, wanted, "doip.type") if line)


def journal():
    with open(os.path.join(RUN, "events.jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


class Capture:
    """One file; `of(interface)` is the same with the packets of one interface only (secrets stay in)."""

    def __init__(self, path):
        self.path = path
        self.interfaces = sorted(set(tshark(path, "frame", "frame.interface_name")))
        self.parts = {}

    def of(self, interface):
        if interface not in self.parts:
            part = os.path.join(OUT, f"{interface}-{os.path.basename(self.path)}")
            run("tshark", "-n", "-r", self.path, "-Y", f'frame.interface_name == "{interface}"', "-w", part)
            self.parts[interface] = part
        return self.parts[interface]


def forging_spans(events):
    """[(begin, end, case)] on the clock of the capture, s: from the first forging step of a case to the end of the case."""
    offset = next(event["data"]["realtime_offset_ns"] for event in events if event["kind"] == "run.begin")
    begin, case, spans = None, None, []
    for event in events:
        now = (event["t"] + offset) / 1e9
        if event["kind"] == "case.begin":
            begin, case = None, event["data"]["id"]
        elif event["kind"] == "step.begin" and begin is None and FORGING_STEPS.match(event["data"]["name"]):
            begin = now
        elif event["kind"] == "case.end" and begin is not None:
            spans.append((begin, now, case))
    return spans


def board_addresses(events):
    """Addresses at which boards said they listen: what comes from there is the firmware's own."""
    found = set()
    for event in events:
        if event["kind"] == "boot.stage" and event["data"].get("stage") == "server":
            found |= set(re.findall(r"\b(\d+\.\d+\.\d+\.\d+):\d+", " ".join(str(value) for value in event["data"].values())))
    return found


def judge_malformed(captures, events):
    spans, boards = forging_spans(events), board_addresses(events)
    intended, others = 0, []
    for capture in captures:
        for interface in capture.interfaces:
            for line in tshark(capture.of(interface), "_ws.malformed", "frame.number", "frame.time_epoch", "ip.src", "doip.source_address", "_ws.col.Info"):
                number, when, source, author, info = (line.split("\t") + [""] * 5)[:5]
                cases = [case for begin, end, case in spans if begin - 0.05 <= float(when) <= end + 1]
                # A gateway forwards a tester's UDS bytes as they are; ISO 13400-2 gives testers 0x0E00..0x0FFF, of which ours uses 0x0E80 on.
                forwarded = any(0x0E80 <= int(address, 0) <= 0x0FFF for address in author.split(",") if address)
                if cases and (source not in boards or forwarded):
                    intended += 1
                else:
                    others.append(f"{interface} frame {number} from {source} {cases}: {info[:60]}")
    print(f"# {intended} malformed packets that cases made on purpose")
    for line in others:
        print(f"# malformed: {line}")
    check("no packet is malformed but those that a case made", not others, f"{len(others)}: {others[:2]}")


def total(files, wanted):
    return sum(len(tshark(file, wanted)) for file in files)


def judge_content(captures, events):
    """What somebody sees who opens the files as they are, with every interface in them."""
    files = [capture.path for capture in captures]
    inside = sum(messages(file, "tls && doip") for file in files)
    check("DoIP is decoded inside TLS with the embedded secrets", inside > 0, "no DoIP inside TLS")
    seen = sum(1 for event in events if event["kind"] == "doip" and event["ch"].startswith("link:") and "type" in event["data"])
    ends = {event["data"]["to"].rsplit(":", 1)[0] for event in events if event["kind"] == "tcp.syn"}
    links = sum(messages(file, f"doip && ip.addr in {{{', '.join(sorted(ends))}}}") for file in files)
    print(f"# {inside} DoIP messages inside TLS, {links} of them between boards; the bench saw {seen} on the links")
    check("Wireshark sees every DoIP message that the bench saw on the links", links >= seen > 0, f"Wireshark {links}, bench {seen}")
    check("successful routing activations are among them", total(files, "doip.type == 0x0006 && doip.response_code == 0x10") > 0, "none")
    check("UDS is decoded", total(files, "uds") > 0, "none")


def judge_rebuilt(captures):
    """Without the privilege to capture, connections are rebuilt: they have to look like real ones."""
    taps = [capture.of("tap") for capture in captures if "tap" in capture.interfaces]
    bad = total(taps, "ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0")
    check("every checksum of rebuilt packets is right", bad == 0, f"{bad} are wrong")
    lost = total(taps, "tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment || tcp.analysis.retransmission")
    check("rebuilt streams have no hole and no repetition", lost == 0, f"{lost} packets")


def judge_can(captures, events):
    """CAN frames are in the same capture, on an interface a bus."""
    frames = sum(event["kind"] in ("can.rx", "can.tx") for event in events)
    seen = sum(len(tshark(capture, "can || canfd")) for capture in captures)
    check("Wireshark sees every CAN frame that the bench saw", seen == frames > 0, f"Wireshark {seen}, bench {frames}")


def judge_interfaces(captures):
    for interface in sorted({interface for capture in captures for interface in capture.interfaces}):
        alone = sum(messages(capture.of(interface)) for capture in captures if interface in capture.interfaces)
        together = sum(messages(capture.path, f'doip && frame.interface_name == "{interface}"') for capture in captures)
        check(f"interface {interface} is not disturbed by others in the file", alone == together,
              f"of {alone} DoIP messages only {together} are decoded in the whole file")


def main():
    captures = [Capture(path) for path in sorted(glob.glob(os.path.join(RUN, "capture*.pcapng")))]
    if not check("the run wrote a capture that Wireshark opens", any(capture.interfaces for capture in captures), "no packets"):
        return
    events = journal()
    judge_content(captures, events)
    judge_rebuilt(captures)
    judge_can([capture.path for capture in captures], events)
    judge_interfaces(captures)
    judge_malformed(captures, events)


try:
    main()
except Exception as error:  # pylint: disable=broad-except
    not_ok("Wireshark reads the capture", f"{type(error).__name__}: {error}")
finish()
