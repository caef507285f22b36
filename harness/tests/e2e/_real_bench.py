# SPDX-License-Identifier: Apache-2.0
"""A bench of instruments around virtual boards: a simulated supply switches the power of vboard processes, their consoles are
pseudo-terminals, their reset is a command. The harness sees nothing but instruments: its rig file says `driver: board`."""
import json
import os
import re
import socket
import subprocess
import sys
import threading

from _e2e import BIN, ROOT, SHARE
from _pty_console import PtyConsole
from _scpi_supply import ScpiSupply

FIXTURES = os.path.join(SHARE, "fixtures")
RESET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_reset_line.py")
VIRTUAL = os.path.join(ROOT, "rigs/virtual.yaml")
# As harness/rig/board.c has them: role keys that are parameters of the board.
IMPLIED = {
    "address": "net.address", "logical_address": "doip.logical_address", "vin": "doip.vin", "eid": "doip.eid", "gid": "doip.gid",
    "udp": "doip.udp", "broadcast": "doip.udp_broadcast", "announce_to": "doip.announce_to", "plain": "doip.plain", "tls": "doip.tls",
}
AMPERES = 0.35  # what a board draws


def flow_map(text):
    """{a: b, c: "d"} -> dict."""
    found = {}
    for part in re.split(r",\s*(?=[\w.-]+:)", text.strip().strip("{}")):
        key, _, value = part.partition(":")
        found[key.strip()] = value.strip().strip('"')
    return found


def read_roles(text):
    """The roles of rigs/virtual.yaml: role -> {key: text or dict}."""
    roles, role, group = {}, None, None
    for line in text.split("\nroles:\n")[1].split("\n"):
        line = line.split(" #")[0].rstrip()
        if line and not line.startswith(" "):
            break
        match = re.match(r"( +)([\w.-]+):(?: (.*))?$", line)
        if not match:
            continue
        depth, key, value = len(match.group(1)), match.group(2), match.group(3)
        if depth == 2:
            role = roles.setdefault(key, {})
        elif depth == 4:
            group = role.setdefault(key, {}) if value is None else None
            if value is not None:
                role[key] = flow_map(value) if value.startswith("{") else value.strip('"')
        elif group is not None:
            group[key] = value.strip('"')
    return roles


class Board:
    """A vboard whose power, reset and console are somebody else's business."""

    def __init__(self, role, settings, remote, folder):
        self.role = role
        self.console = PtyConsole(os.path.join(folder, f"tty-{role}"), self.type)
        self.resets = 0
        ours, theirs = socket.socketpair()
        words = [os.path.join(BIN, "vboard"), "--name", role, "--control-fd", str(theirs.fileno()), "--nvm", os.path.join(folder, f"nvm-{role}.bin"),
                 "--flash", os.path.join(folder, f"flash-{role}.bin"), "--boot", os.path.join(BIN, "bootloader"),
                 "--bank-a", os.path.join(FIXTURES, f"packages/{role}-1.0.0.swpg")]
        for name, file in settings.get("objects", {}).items():
            words += ["--object", f"{name}={os.path.join(FIXTURES, file)}"]
        params = {IMPLIED[key]: value.replace(" ", "") if key in ("eid", "gid") else value for key, value in settings.items() if key in IMPLIED}
        params.update(settings.get("params", {}))
        if remote:
            params["client.remote"] = remote
        for name, value in params.items():
            words += ["--param", f"{name}={value}"]
        self.log = open(os.path.join(folder, f"vboard-{role}.log"), "wb")
        self.process = subprocess.Popen(words, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        theirs.close()
        self._control = ours
        self._answers, self._answered, self._number = {}, threading.Condition(), 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._control.makefile("r", encoding="utf-8"):
            message = json.loads(line)
            if message.get("event") == "console":
                self.console.write(bytes.fromhex(message["data"]))
            elif "id" in message:
                with self._answered:
                    self._answers[message["id"]] = message
                    self._answered.notify_all()

    def ask(self, **request):
        with self._answered:
            self._number += 1
            number = request["id"] = self._number
            self._control.sendall(json.dumps(request).encode() + b"\n")
            self._answered.wait_for(lambda: number in self._answers, 60)
            return self._answers.pop(number, None)

    def type(self, data):
        self.ask(cmd="input", data=data.hex())

    def end(self):
        self._control.shutdown(socket.SHUT_RDWR)
        self._control.close()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.console.unplug()
        self.log.close()


class RealBench:
    """`with RealBench(folder) as bench:`; bench.rig is the rig file, bench.supply the instrument, bench.boards[role] a Board."""

    def __init__(self, folder, dialect="standard", number=231, **power):
        self.folder = folder
        self.text = open(VIRTUAL, encoding="utf-8").read().replace("${rack}", str(number))
        self.roles = read_roles(self.text)
        remotes = {client: listen for client, listen in re.findall(r"client: (\w+),.*listen: \"([^\"]+)\"", self.text)}
        self.boards = {role: Board(role, settings, remotes.get(role), folder) for role, settings in self.roles.items()}
        self.names = list(self.roles)
        self.supply = ScpiSupply(len(self.names), on_output=self._output, on_voltage=self._voltage)
        for channel in self.supply.channels:
            channel.load = lambda volts: AMPERES if volts > 5 else 0.01
        self.dialect, self.power = dialect, power
        self.socket = os.path.join(folder, "reset.sock")
        self.rig = os.path.join(folder, "rig.yaml")
        self._resets = socket.socket(socket.AF_UNIX)
        self._resets.bind(self.socket)
        self._resets.listen()

    def _output(self, number, on):
        self.boards[self.names[number - 1]].ask(cmd="power", on=on)

    def _voltage(self, number, volts):
        self.boards[self.names[number - 1]].ask(cmd="supply", mv=int(volts * 1000))

    def _serve_resets(self):
        while True:
            try:
                client, _ = self._resets.accept()
            except OSError:
                return
            with client:
                verb, role = client.recv(100).decode().split()
                if role not in self.boards:
                    client.sendall(b"no such slot\n")
                    continue
                self.boards[role].resets += 1
                if verb == "pulse":
                    self.boards[role].ask(cmd="reset", kind="external")
                else:
                    self.boards[role].ask(cmd="hold", on=verb == "assert")
                client.sendall(b"ok\n")

    def role_text(self, role, number):
        """A role's part of the rig file: what runs on the board is not the harness's."""
        kept = {key: value for key, value in self.roles[role].items() if key not in ("driver", "bootloader", "application", "objects", "params", "profile", "probe", "signing_key", "geometry")}
        lines = [f"  {role}:", "    driver: board"] + [f"    {key}: {json.dumps(value) if key in ('eid', 'gid') else value}" for key, value in kept.items()]
        power = {"driver": "scpi", "address": f'"{self.supply.address}"', "channel": number, "dialect": self.dialect, "voltage": "12V", "current_limit": "2A",
                 "identity": "SIM4040", "off_at_end": "true", **self.power}
        if role != "vmg":
            power.pop("measure_every", None)  # the channels share a line, and who finds it taken is not measured that time
        lines.append("    power: {" + ", ".join(f"{key}: {value}" for key, value in power.items()) + "}")
        lines.append(f"    console: {{driver: pty, path: {self.boards[role].console.path}}}")
        verbs = [f"{verb}: [{sys.executable}, {RESET}, {self.socket}, {verb}, {role}]" for verb in ("assert", "release", "pulse")]
        lines.append("    reset: {driver: command, " + ", ".join(verbs) + "}")
        profile = self.roles[role].get("profile", {})
        if profile:
            lines.append("    profile:")
            lines += [f"      {key}: {json.dumps(value) if ' ' in value or re.fullmatch('[0-9a-f]{32}', value) else value}" for key, value in profile.items()]
        return "\n".join(lines)

    def write_rig(self):
        """The rig file of this bench, made of that of the virtual rack."""
        head, rest = self.text.split("\nroles:\n", 1)
        tail = rest[rest.index("\nlinks:\n") :]
        tail = re.sub(r"\nbuses:\n(  .*\n)+", "\n", tail)
        head = re.sub(r"capabilities: .*", "capabilities: [tls, relay, power, console]", head.replace("name: virtual", "name: real-drivers"))
        roles = "\n".join(self.role_text(role, number) for number, role in enumerate(self.names, 1))
        with open(self.rig, "w", encoding="utf-8") as file:
            file.write(f"{head}\nroles:\n{roles}\n{tail}")

    def __enter__(self):
        self.supply.__enter__()
        threading.Thread(target=self._serve_resets, daemon=True).start()
        self.write_rig()
        return self

    def __exit__(self, *_):
        self.supply.__exit__()
        self._resets.close()
        for board in self.boards.values():
            board.end()
