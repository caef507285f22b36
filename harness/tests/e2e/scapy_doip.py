#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Scapy's DoIP and UDS against the reference gateway: a third reading of ISO 13400-2 beside the firmware's and the harness's."""
import logging
import os
import socket
import ssl
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
logging.getLogger("scapy").setLevel(logging.ERROR)
# pylint: disable=wrong-import-position
try:
    from scapy.contrib.automotive.doip import DoIP, DoIPSocket
    from scapy.contrib.automotive.uds import UDS, UDS_RDBI
except ImportError as error:
    print(f"skip scapy - {error}")
    sys.exit(0)
from _e2e import EID, GATEWAY_ADDRESS, GID, TESTER_ADDRESS, VIN, Gateway, certificate, check, finish, not_ok


class PatientSocket(DoIPSocket):
    """Scapy's own gives the activation a second: too little where other things run."""

    def sr1(self, *arguments, timeout=20, **options):
        return super().sr1(*arguments, timeout=max(timeout, 20), **options)


def exchange_udp(gateway, request):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(20)
        sender.sendto(bytes(request), ("127.0.0.1", gateway.udp))
        return DoIP(sender.recv(4096))


def identification(gateway):
    requests = {
        "plain": DoIP(payload_type=0x0001),
        "by EID": DoIP(payload_type=0x0002, eid=EID),
        "by VIN": DoIP(payload_type=0x0003, vin=VIN.encode()),
    }
    for name, request in requests.items():
        answer = exchange_udp(gateway, request)
        right = (answer.payload_type == 0x0004 and answer.vin == VIN.encode() and answer.logical_address == GATEWAY_ADDRESS
                 and answer.eid == EID and answer.gid == GID)
        check(f"vehicle identification, {name}", right, repr(answer))
    answer = exchange_udp(gateway, DoIP(payload_type=0x4001))
    check("entity status", answer.payload_type == 0x4002 and answer.node_type == 0 and answer.max_open_sockets >= 1, repr(answer))
    answer = exchange_udp(gateway, DoIP(payload_type=0x4003))
    check("power mode", answer.payload_type == 0x4004 and answer.diagnostic_power_mode == 1, repr(answer))
    answer = exchange_udp(gateway, DoIP(payload_type=0x0005, source_address=TESTER_ADDRESS))
    check("a TCP message over UDP is refused", answer.payload_type == 0x0000 and answer.nack == 1, repr(answer))


def receive(connection, within_s=20):
    limit = time.monotonic() + within_s
    while time.monotonic() < limit:
        packet = connection.recv()
        if packet is not None:
            return packet
    return None


def diagnostics(connection, name):
    """ReadDataByIdentifier of the VIN: acknowledged, then answered."""
    check(f"routing activation, {name}", connection.target_address == GATEWAY_ADDRESS, f"entity {connection.target_address:#x}")
    connection.send(DoIP(payload_type=0x8001, source_address=TESTER_ADDRESS, target_address=GATEWAY_ADDRESS) / UDS() / UDS_RDBI(identifiers=[0xF190]))
    acknowledgement = receive(connection)
    check(f"acknowledgement, {name}", acknowledgement is not None and acknowledgement.payload_type == 0x8002
          and acknowledgement.source_address == GATEWAY_ADDRESS and acknowledgement.target_address == TESTER_ADDRESS, repr(acknowledgement))
    answer = receive(connection)
    right = (answer is not None and answer.payload_type == 0x8001 and UDS in answer and answer[UDS].service == 0x62
             and bytes(answer[UDS]) == b"\x62\xf1\x90" + VIN.encode())
    check(f"ReadDataByIdentifier F190, {name}", right, repr(answer))


def refused_activation(gateway):
    connection = PatientSocket("127.0.0.1", port=gateway.plain, activate_routing=False)
    connection.send(DoIP(payload_type=0x0005, source_address=0x0001))
    answer = receive(connection)
    check("activation of an unknown source", answer is not None and answer.payload_type == 0x0006 and answer.routing_activation_response == 0x00,
          repr(answer))
    connection.close()


def mutual_tls():
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=certificate("ca.pem"))
    context.check_hostname = False
    context.load_cert_chain(certificate("tester.pem"), certificate("tester.key"))
    return context


def main():
    with Gateway() as gateway:
        identification(gateway)
        connection = PatientSocket("127.0.0.1", port=gateway.plain, source_address=TESTER_ADDRESS)
        diagnostics(connection, "plain")
        connection.close()
        refused_activation(gateway)
        connection = PatientSocket("127.0.0.1", tls_port=gateway.tls, source_address=TESTER_ADDRESS, force_tls=True, context=mutual_tls())
        diagnostics(connection, "TLS")
        connection.close()
        check("the gateway lives", gateway.alive(), gateway.console[-5:])


try:
    main()
except Exception as error:  # pylint: disable=broad-except
    not_ok("Scapy reaches the gateway", f"{type(error).__name__}: {error}")
finish()
