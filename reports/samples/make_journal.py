#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make_journal.py FILE: writes the journal of an invented run in which everything goes wrong once, to look at its reports."""
import json
import random
import sys

random.seed(7)
S = 1_000_000_000
MS = 1_000_000
now, number, step = 81 * S, 0, None
out = open(sys.argv[1], "w", encoding="utf-8")


def emit(ch, kind, data=None, dt=20 * MS // 100, clock="user", u=2000):
    global now, number
    now += dt
    number += 1
    event = {"n": number, "t": now, "clock": clock, "u": u, "ch": ch, "kind": kind}
    if step:
        event["step"] = step
    if data:
        event["data"] = data
    out.write(json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n")


def begin(case, title, file, line, verifies, attempt=1, index=1, tags=()):
    emit("case", "case.begin", {"id": case, "title": title, "file": file, "line": line, "verifies": verifies, "tags": list(tags),
                                "params": {}, "attempt": attempt, "of": 14, "index": index})


def end(case, verdict, cause="", message="", attempt=1, **more):
    data = {"id": case, "attempt": attempt, "verdict": verdict, "cause": cause, "message": message, "duration_ns": 137 * MS + number}
    data.update(more)
    emit("case", "case.end", data)


def step_begin(identity, name, file, line, text, phase="steps"):
    global step
    step = identity
    emit("case", "step.begin", {"id": identity, "name": name, "phase": phase, "file": file, "line": line, "column": 5, "text": text})


def step_end(identity, verdict="pass", **more):
    global step
    emit("case", "step.end", dict({"id": identity, "verdict": verdict, "duration_ns": 3 * MS}, **more))
    step = None


def doip(direction, kind, name, payload, **more):
    data = {"type": kind, "name": name, "version": 3, "length": len(payload) // 2, "transport": "tcp", "peer": "127.0.1.2:13400"}
    data.update(more)
    data["hex"] = payload
    emit("tester:1", "doip." + direction, data, dt=410_000)


def activate(code="10", word="activated"):
    doip("tx", 5, "routing activation request", "0e800000000000", source=0x0E80, code=0)
    doip("rx", 6, "routing activation response", "0e800091" + code + "00000000", source=0x0E80, target=0x0091, code=int(code, 16), code_name=word)


BOOT = [("ssw", 10), ("bootloader", 50), ("application", 100), ("rtos", 50), ("client start", 0.2), ("TCP", 0.35), ("ClientHello", 0.6), ("Finished", 4.8), ("routing activation", 0.9)]


def boots(case, title, file, line, count, limit_ms, worst=1.0, verdict="pass"):
    begin(case, title, file, line, ["HIL-BOOT-001", "HIL-BOOT-004"], tags=["boot", "measurement"])
    totals = []
    for i in range(count):
        step_begin(case + "/steps/0", "repeat", file, line + 9, "- boot: {board: zgw}")
        emit("board:zgw", "power.on")
        stages = []
        for name, ms in BOOT:
            ns = int(ms * MS * random.lognormvariate(0, 0.02)) + int(abs(random.gauss(0, 0.5)) * MS * worst)
            stages.append({"name": name, "ns": ns, "uncertainty_ns": 4000})
            emit("board:zgw", "boot.stage", {"stage": name, "t_us": sum(s["ns"] for s in stages) // 1000}, dt=ns, clock="kernel")
        total = sum(s["ns"] for s in stages)
        totals.append(total)
        emit("measure", "measure.sample", {"id": "handshake", "case": case, "value_ns": total, "uncertainty_ns": 8000, "index": i + 1, "stages": stages})
        emit("board:zgw", "power.off")
        step_end(case + "/steps/0")
    totals.sort()
    rank = lambda q: totals[min(len(totals) - 1, int(q * (len(totals) - 1) + 0.5))]
    emit("measure", "measure.result", {
        "id": "handshake", "case": case, "title": title, "unit": "ns", "virtual": True,
        "limit": [{"statistic": "p95", "op": "at_most", "value_ns": limit_ms * MS, "verdict": verdict}],
        "n": count, "min_ns": totals[0], "p50_ns": rank(0.5), "p95_ns": rank(0.95), "max_ns": totals[-1], "mean_ns": sum(totals) // count, "uncertainty_ns": 8000})


D, B = "testcases/doip/routing-activation.yaml", "testcases/boot/handshake.yaml"
emit("run", "run.begin", {"version": "0.1.0", "utc": "2026-11-21T20:00:00Z", "realtime_offset_ns": 1795291119 * S, "rig": "virtual", "rig_file": "rigs/virtual.yaml",
                          "virtual": True, "seed": 20261121, "arguments": ["hilbench", "run", "--rig", "rigs/virtual.yaml", "testcases"], "host": "bench-7"})
boots("boot.zgw-vmg", "Boot to handshake, ZGW to VMG", B, 12, 30, 240)
end("boot.zgw-vmg", "pass")
boots("boot.ecu-zgw", "Boot to handshake, ECU to ZGW", B, 61, 30, 218, 2.2, "fail")
end("boot.ecu-zgw", "fail", "dut", "p95 of handshake is over its limit", file=B, line=78, column=7, expected="p95 at most 218.000 ms", actual="p95 224.930 ms (± 0.008 ms)")
for i in range(4):
    begin("doip.d07%d" % i, ["Known source address activates", "Activation for regulation", "Activation type that is not offered", "Order of the checks"][i], D, 10 + 20 * i,
          ["ISO13400-2:3.DoIP-06%d" % i, "ISO13400-2:3.DoIP-100"])
    step_begin("doip.d07%d/steps/1" % i, "doip.activate", D, 14 + 20 * i, "- doip.activate: {tester: 1, expect: {code: 0x10}}")
    activate()
    step_end("doip.d07%d/steps/1" % i)
    end("doip.d07%d" % i, "pass")
begin("doip.d072-unknown-source", "Unknown source address is refused and the socket closed", D, 96, ["ISO13400-2:3.DoIP-059"])
step_begin("doip.d072-unknown-source/setup/0", "tester.connect", D, 101, "- tester.connect: {tester: 1, role: zgw}", "setup")
emit("tester:1", "tcp.open", {"peer": "127.0.1.2:13400"})
emit("link:zgw-plain", "tcp.syn", {"conn": 3, "from": "127.0.1.9:41822", "to": "127.0.1.2:13400"}, clock="kernel")
emit("tester:1", "tcp.opened", {"peer": "127.0.1.2:13400"})
step_end("doip.d072-unknown-source/setup/0")
step_begin("doip.d072-unknown-source/steps/0", "doip.activate", D, 104, "- doip.activate: {tester: 1, source: 0x0F77, expect: {code: 0x00, closed: true}}")
doip("tx", 5, "routing activation request", "0f770000000000", source=0x0F77, code=0)
emit("board:zgw", "console.line", {"text": "doip: <activation> from 0x0f77 & \"unknown\" \u202e table \\x9b[31m"})
doip("rx", 6, "routing activation response", "0f7700910600000000", source=0x0F77, target=0x0091, code=6, code_name="unsupported activation type")
step_end("doip.d072-unknown-source/steps/0", "fail", cause="dut", message="code is 0x06", expected="code = 0x00", actual="code = 0x06 (unsupported activation type)")
step_begin("doip.d072-unknown-source/always/0", "tester.close", D, 108, "- tester.close: {tester: 1}", "always")
step_end("doip.d072-unknown-source/always/0")
end("doip.d072-unknown-source", "fail", "dut", "routing activation answered with another code", file=D, line=104, column=5, expected="code = 0x00", actual="code = 0x06 (unsupported activation type)")
begin("doip.d080-silent-holder", "A silent holder is closed after the alive check", D, 140, ["ISO13400-2:3.DoIP-091", "ISO13400-2:3.DoIP-092"])
step_begin("doip.d080-silent-holder/steps/2", "doip.wait_closed", D, 150, "- doip.wait_closed: {tester: 1, expect: {after: {in_range: [500ms, 560ms]}}}")
step_end("doip.d080-silent-holder/steps/2", "inconclusive", message="closed 499.998 ms after the alive check request, limit 500 ms ± 0.010 ms")
end("doip.d080-silent-holder", "inconclusive", "", "closed 499.998 ms after the alive check request, limit 500 ms ± 0.010 ms", file=D, line=150, column=5, expected="500 ms … 560 ms", actual="499.998 ms ± 0.010 ms")
for attempt in (1, 2):
    begin("tls.expired-certificate", "An expired certificate is refused", "testcases/tls/refused.yaml", 31, ["HIL-TLS-003"], attempt)
    step_begin("tls.expired-certificate/setup/0", "board.power", "testcases/tls/refused.yaml", 36, "- board.power: {role: zgw, on: true}", "setup")
    emit("board:zgw", "power.on")
    if attempt == 1:
        emit("board:zgw", "board.dead", {"exit": "signal 9"})
        step_end("tls.expired-certificate/setup/0", "error", cause="bench", message="board zgw died: signal 9")
        end("tls.expired-certificate", "error", "bench", "board zgw died: signal 9", attempt, file="testcases/tls/refused.yaml", line=36, column=5)
    else:
        step_end("tls.expired-certificate/setup/0")
        end("tls.expired-certificate", "pass", attempt=attempt)
begin("can.wakeup", "Wake-up by a CAN frame", "testcases/can/wakeup.yaml", 4, ["HIL-CAN-001"])
end("can.wakeup", "skipped", "", "the rig has no capability can")
begin("uds.session-timeout", "The session falls back after S3", "testcases/uds/session.yaml", 20, ["ISO14229-1:10.2"])
step_begin("uds.session-timeout/steps/0", "uds.request", "testcases/uds/session.yaml", 26, '- uds.request: {send: "10 03", expect: {response: "50 03 .."}}')
emit("tester:1", "uds.tx", {"source": 0x0E80, "target": 0x0091, "service": "DiagnosticSessionControl", "hex": "1003"})
emit("board:zgw", "board.dead", {"exit": "signal 11"})
step_end("uds.session-timeout/steps/0", "error", cause="bench", message="board zgw died: signal 11")
end("uds.session-timeout", "error", "bench", "board zgw died: signal 11", file="testcases/uds/session.yaml", line=26, column=5)
emit("run", "run.end", {"status": 3, "interrupted": False, "clock_moved_ns": 0})
out.close()
