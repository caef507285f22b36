#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""python-can and Scapy join in: python-can on udp_multicast sends the demo frame to the ecu and receives the ecu's own,
its reader loads can.log, and Scapy's ISO-TP finds our messages in it. Runs in a network namespace of its own, so that
the multicast group is nobody else's."""
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import check, finish, skip
from _rack import CASES, RIG, results_of, start_rack

GROUP, PORT = "239.74.163.2", 43113
INSIDE = "HILBENCH_E2E_NAMESPACE"
DEMO_FRAME = bytes.fromhex("000102030405060708090a0b0c010f8a")  # docs/reference/secoc.md: demo layout, freshness 1
CASE = """\
- id: e2e.python-can
  title: The ecu accepts the demo frame of another tool
  timeout: 150s
  requires: [can]
  steps:
    - rack.ready:
    - note: "python-can: go"
    - console.expect: {role: ecu, matches: "secoc: id=0x101 result=0", within: 60s}
    - wait: 2500ms
"""


def enter_namespace():
    """Starts this script again inside a fresh network namespace; False when the user may not make one."""
    how = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*how, "true"], capture_output=True, check=False).returncode != 0:
        return False
    os.environ[INSIDE] = "1"
    os.execvp(how[0], [*how, sys.executable, os.path.abspath(__file__)])
    return True


def bring_up_loopback():
    for words in (["link", "set", "lo", "up"], ["route", "add", GROUP, "dev", "lo"]):
        subprocess.run(["ip", *words], check=True)


def rig_with_multicast(directory):
    with open(RIG, encoding="utf-8") as file:
        text = file.read()
    marked = text.replace("driver: vbus,", f'driver: vbus, multicast: "{GROUP}:{PORT}",', 1)
    path = os.path.join(directory, "rig.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(marked)
    return path if marked != text else None


def wait_for_note(out):
    journal = os.path.join(out, "run", "events.jsonl")
    limit = time.monotonic() + 120
    while time.monotonic() < limit:
        if os.path.exists(journal) and "python-can: go" in open(journal, encoding="utf-8").read():
            return True
        time.sleep(0.05)
    return False


def talk(can, out, run):
    """Sends the demo frame; returns what came from the bus until the run was over."""
    received = []
    with can.Bus(interface="udp_multicast", channel=GROUP, port=PORT, fd=True, hop_limit=0, receive_own_messages=False) as bus:
        if not wait_for_note(out):
            return received
        bus.send(can.Message(arbitration_id=0x101, data=DEMO_FRAME, is_fd=True, bitrate_switch=True, is_extended_id=False))
        limit, message = time.monotonic() + 200, None
        while (message is not None or run.poll() is None) and time.monotonic() < limit:
            message = bus.recv(0.2)
            if message is not None:
                received.append(message)
    return received


def judge_bus(can, out):
    case = os.path.join(out, "case.yaml")
    with open(case, "w", encoding="utf-8") as file:
        file.write(CASE)
    rig = rig_with_multicast(out)
    if not check("the virtual rig has a bus that other tools can join", rig, "no vbus in rigs/virtual.yaml"):
        return
    run = start_rack(out, rig=rig, paths=(case,))
    received = talk(can, out, run)
    text = run.communicate(timeout=200)[0]
    check("the ecu accepts a demo frame that python-can sent", run.returncode == 0, text[-300:])
    own = [m for m in received if m.arbitration_id == 0x101 and m.is_fd and len(m.data) == 16]
    check("python-can receives the ecu's own secured frame", own, f"{len(received)} messages, none of them 0x101 FD with 16 bytes")


def judge_log(can, out):
    path = os.path.join(out, "run", "can.log")
    with open(path, encoding="ascii") as file:
        lines = sum(1 for line in file if line.strip())
    with can.LogReader(path) as reader:
        messages = list(reader)
    check("python-can's reader loads can.log", lines > 0 and len(messages) == lines, f"{len(messages)} of {lines} lines")
    ordered = all(a.timestamp <= b.timestamp for a, b in zip(messages, messages[1:]))
    check("the stamps of can.log ascend", ordered, "they do not")
    return messages


def judge_isotp(messages):
    try:
        from scapy.contrib.isotp import ISOTPMessageBuilder  # pylint: disable=import-outside-toplevel
        from scapy.layers.can import CAN, CANFD  # pylint: disable=import-outside-toplevel
    except ImportError as error:
        skip("Scapy's ISO-TP", error)
        return
    builder = ISOTPMessageBuilder(rx_id=[0x7E0, 0x7E8])
    for message in messages:
        if message.arbitration_id in (0x7E0, 0x7E8) and not message.is_extended_id:
            kind = CANFD if message.is_fd else CAN
            builder.feed(kind(identifier=message.arbitration_id, length=len(message.data), data=bytes(message.data)))
    decoded = []
    while len(builder):
        decoded.append(bytes(builder.pop().data))
    answers = [data for data in decoded if data[:1] == b"\x62" and len(data) > 8]
    check("Scapy's ISO-TP decodes our trace", answers, f"{len(decoded)} messages: {[d.hex() for d in decoded[:4]]}")


def main():
    try:
        import can  # pylint: disable=import-outside-toplevel
    except ImportError as error:
        skip("python-can", error)
        return
    bring_up_loopback()
    with tempfile.TemporaryDirectory() as out:
        judge_bus(can, out)
        judge_log(can, out)
    with tempfile.TemporaryDirectory() as out:
        run = start_rack(out, ["isotp.request*"], paths=(CASES,))
        text = run.communicate(timeout=300)[0]
        if check("a run with ISO-TP on the bus", run.returncode == 0 and results_of(out), text[-300:]):
            judge_isotp(judge_log(can, out))


if INSIDE not in os.environ and not enter_namespace():
    skip("python-can on the virtual bus", "this user may not make a network namespace")
else:
    main()
finish()
