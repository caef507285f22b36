# SPDX-License-Identifier: Apache-2.0
"""_reset_line.py SOCKET assert|release|pulse ROLE: what a rig file's `reset: {driver: command, …}` runs on the bench of _real_bench.py."""
import socket
import sys

with socket.socket(socket.AF_UNIX) as line:
    line.settimeout(30)
    line.connect(sys.argv[1])
    line.sendall(f"{sys.argv[2]} {sys.argv[3]}".encode())
    said = line.recv(100).decode().strip()
if said != "ok":
    print(said or "no answer", file=sys.stderr)
    sys.exit(3)
