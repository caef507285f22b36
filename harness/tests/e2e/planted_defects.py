#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Planted defects in the firmware turn exactly the right cases to fail, cause dut, status 1."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import check, finish
from _rack import run_rack

# (board, fault, selection, ids that must fail: all of the selection that begin with one of these)
PLANTED = [
    ("zgw", "activation-code", ["doip.activation.default*", "doip.udp.power-mode"],
     ["doip.activation.default[role=zgw", "doip.activation.default[transport=plain,role=zgw", "doip.activation.default[transport=tls,role=zgw"]),
    ("zgw", "header-nack-missing", ["doip.header.type-unknown*", "doip.header.inverse-wrong*", "doip.header.activation-7-and-11"],
     ["doip.header.type-unknown"]),
    ("zgw", "alive-check-missing", ["doip.activation.source-held", "doip.activation.again"], ["doip.activation.source-held"]),
    ("zgw", "ack-after-response", ["doip.diagnostic.acknowledged*", "doip.activation.regulation"],
     ["doip.diagnostic.acknowledged[role=zgw", "doip.diagnostic.acknowledged[transport=plain,role=zgw", "doip.diagnostic.acknowledged[transport=tls,role=zgw"]),
    ("zgw", "suppress-ignored", ["uds.tester-present*", "uds.session.control*"], ["uds.tester-present[role=zgw"]),
    ("zgw", "accept-expired", ["tls.client.server-refused*", "tls.server.client-refused*"],
     ["tls.client.server-refused[identity=vmg-expired", "tls.server.client-refused[identity=tester-expired"]),
    ("zgw", "accept-any-ca", ["tls.client.server-refused*"],
     ["tls.client.server-refused[identity=vmg-wrong-ca", "tls.client.server-refused[identity=vmg-self-signed"]),
    ("zgw", "accept-any-name", ["tls.client.server-refused*"], ["tls.client.server-refused[identity=vmg-wrong-name"]),
    ("zgw", "no-client-auth", ["tls.server.client-certificate-missing*", "tls.server.versions*"], ["tls.server.client-certificate-missing"]),
    ("zgw", "ota-signature-ignored", ["ota.story.refused", "ota.authenticity.keys", "ota.version.rollback"], ["ota.story.refused", "ota.authenticity.keys"]),
    ("zgw", "ota-counter-ignored", ["ota.story.refused", "ota.authenticity.keys", "ota.version.rollback"], ["ota.version.rollback"]),
    ("zgw", "ota-target-ignored", ["ota.story.refused", "ota.authenticity.keys", "ota.campaign.parts"], ["ota.story.refused", "ota.campaign.parts"]),
    ("zgw", "ota-no-rollback", ["ota.story.rollback", "ota.trial.cancel"], ["ota.story.rollback"]),
    ("zgw", "ota-never-confirms", ["ota.story.rollback", "ota.trial.confirm"], ["ota.trial.confirm"]),
    ("zgw", "ota-block-wrap-01", ["ota.transfer.wrap", "ota.transfer.reset*"], ["ota.transfer.wrap"]),
    ("ecu", "slow-handshake", ["boot.*"], ["boot.ecu-to-zgw"]),
    ("ecu", "secoc-replay-accepted", ["secoc.replay-immediate*", "secoc.valid*"], ["secoc.replay-immediate"]),
    ("ecu", "secoc-advance-on-failure", ["secoc.constant-mac*", "secoc.valid*", "can.frame-time*"], ["secoc."]),
    ("ecu", "secoc-mac-one-byte", ["secoc.first-bits-right*", "secoc.valid*"],
     ["secoc.first-bits-right[bits=8", "secoc.first-bits-right[bits=16", "secoc.first-bits-right[bits=23",
      "secoc.first-bits-right-16[bits=8", "secoc.first-bits-right-16[bits=15"]),
    ("ecu", "secoc-no-data-id", ["secoc.valid*"], ["secoc.valid[id=0x110", "secoc.valid[id=0x111", "secoc.valid-trip-reset"]),
    ("ecu", "secoc-little-endian-freshness", ["secoc.valid*", "can.frame-time*"], ["secoc.valid"]),
    ("ecu", "secoc-wrap-crash", ["secoc.truncated-wrap*", "secoc.valid[id=0x101]"], ["secoc.truncated-wrap"]),
    ("ecu", "secoc-unauthenticated-coordination", ["secoc.coordination*", "secoc.valid*"], ["secoc.coordination"]),
    ("ecu", "secoc-freshness-volatile", ["secoc.power-abrupt*", "secoc.replay-after-restart*", "secoc.valid*"],
     ["secoc.power-abrupt", "secoc.replay-after-restart"]),
    ("ecu", "isotp-wrong-sn-accepted", ["isotp.wrong-sequence*", "isotp.lost-frame*", "isotp.longest*"], ["isotp.wrong-sequence"]),
    ("ecu", "isotp-stmin-ignored", ["isotp.gap*", "isotp.no-gap*"], ["isotp.gap"]),
    ("device", "endpoint-no-bound", ["device.endpoint.*"], ["device.endpoint.wrong-length", "device.endpoint.kept-and-lost"]),
    ("device", "device-no-verify", ["device.tls.production*", "device.tls.development*"], ["device.tls.production"]),
]


def judge(board, fault, selection, must_fail):
    with tempfile.TemporaryDirectory() as out:
        status, results = run_rack(out, selection, {f"{board}:fault": fault})
    if results is None:
        check(f"planted {fault}: the run has results", False, f"status {status}")
        return
    last = {case["id"]: case["attempts"][-1] for case in results["cases"]}
    expected = {name for name in last if any(name.startswith(prefix) for prefix in must_fail)}
    failed = {name for name, attempt in last.items() if attempt["verdict"] == "fail" and attempt.get("cause") == "dut"}
    other = {name: attempt["verdict"] for name, attempt in last.items() if attempt["verdict"] not in ("pass", "fail")}
    right = status == 1 and expected and failed == expected and not other
    check(f"planted {fault}: {len(expected)} of {len(last)} cases fail, no other", right,
          f"status {status}; missed {sorted(expected - failed)}; wrong {sorted(failed - expected)}; other {other}")


for planted in PLANTED:
    judge(*planted)
finish()
