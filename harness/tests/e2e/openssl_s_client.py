#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""openssl s_client against the gateway's mbedTLS: versions, mutual authentication, and what must be refused."""
import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import TESTER_ADDRESS, Gateway, certificate, check, finish, not_ok

ACTIVATION = bytes.fromhex("03fc000500000007") + TESTER_ADDRESS.to_bytes(2, "big") + bytes(5)
LIMIT_S = 60
ACTIVATED = bytes.fromhex("03fc000600000009") + TESTER_ADDRESS.to_bytes(2, "big") + bytes.fromhex("009110")


def client(gateway, *options, identity="tester"):
    """Makes a handshake, sends a routing activation; (what came back, what s_client says) as soon as there is an answer or the gateway has closed."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.tls}", "-CAfile", certificate("ca.pem"), "-verify_return_error", "-brief",
               "-ign_eof", *options]
    if identity:
        command += ["-cert", certificate(identity + ".pem"), "-key", certificate(identity + ".key")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = threading.Timer(LIMIT_S, process.kill)
    deadline.start()
    try:
        process.stdin.write(ACTIVATION)
        process.stdin.flush()
    except BrokenPipeError:
        pass
    output = process.stdout.read(len(ACTIVATED))  # all of it, or the end of s_client
    ended = not output
    if not ended:
        process.kill()
    process.stdin = None  # what is written in it is gone either way
    rest, says = process.communicate()
    deadline.cancel()
    return output + rest, says.decode("utf-8", "replace")


def accepted(gateway, name, *options, expect=()):
    output, says = client(gateway, *options)
    missing = [text for text in expect if text not in says]
    check(name, ACTIVATED in output and not missing, f"answer {output[:40].hex() or 'none'}; missing {missing}; {says[-200:]}")


def refused(gateway, name, *options, identity):
    output, says = client(gateway, *options, identity=identity)
    check(name, ACTIVATED not in output and gateway.alive(), f"answer {output[:40].hex()}; {says[-150:]}")


def main():
    with Gateway() as gateway:
        accepted(gateway, "TLS 1.3 with mutual authentication", "-tls1_3", expect=("Protocol version: TLSv1.3", "Verification: OK"))
        accepted(gateway, "TLS 1.2 with mutual authentication", "-tls1_2", expect=("Protocol version: TLSv1.2", "Verification: OK"))
        refused(gateway, "no certificate, TLS 1.3", "-tls1_3", identity=None)
        refused(gateway, "no certificate, TLS 1.2", "-tls1_2", identity=None)
        for kind in ("wrong-ca", "expired", "not-yet-valid", "self-signed", "server-only"):
            refused(gateway, f"certificate {kind}", identity=f"tester-{kind}")
        refused(gateway, "TLS 1.1", "-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0", identity="tester")
        accepted(gateway, "afterwards a right client is served again")


try:
    main()
except Exception as error:  # pylint: disable=broad-except
    not_ok("openssl reaches the gateway", f"{type(error).__name__}: {error}")
finish()
