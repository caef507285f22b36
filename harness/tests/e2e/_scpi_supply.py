# SPDX-License-Identifier: Apache-2.0
"""A bench supply as its manual would describe it: SCPI-1999 over raw TCP with the IEEE 488.2 common commands, an error queue, several
output channels (INST:NSEL or channel lists), one client at a time; and the faults that such instruments have."""
import re
import select
import socket
import threading
import time

NO_ERROR = '0,"No error"'
ERRORS = {
    -109: "Missing parameter", -113: "Undefined header", -131: "Invalid suffix", -104: "Data type error",
    -221: "Settings conflict", -222: "Data out of range", -224: "Illegal parameter value", -350: "Queue overflow",
}
QUEUE_LENGTH = 20


class ScpiError(Exception):
    """A command that the instrument refuses."""


class Channel:
    """One output. `load` gives the current that flows at a voltage, in A."""

    def __init__(self, load=None):
        self.voltage, self.limit, self.on = 0.0, 1.0, False
        self.tripped = False
        self.load = load or (lambda volts: 0.0)

    def measured(self):
        """Volts and amperes at the terminals: constant voltage, or constant current when the load wants more than the limit."""
        if not self.on:
            return 0.0, 0.0
        amps = self.load(self.voltage)
        if amps <= self.limit:
            return self.voltage, amps
        return self.voltage * self.limit / amps, self.limit


class ScpiSupply:
    """`with ScpiSupply() as supply:`; supply.address is where it listens. on_output(number, on) and on_voltage(number, volts) are called from
    its thread before the command is complete."""

    MAX_VOLTS, MAX_AMPS = 32.0, 10.0

    def __init__(self, channels=1, identity="HILBENCH,SIM4040,000001,1.0", on_output=None, on_voltage=None):
        self.channels = [Channel() for _ in range(channels)]
        self.identity = identity
        self.on_output = on_output or (lambda number, on: None)
        self.on_voltage = on_voltage or (lambda number, volts: None)
        self.selected = 1
        self.errors = []
        self.esr = 0x80  # power on
        self.heard = []  # every message, as it came
        self.refused = 0  # clients
        # Faults: each a function of the message that is asked whether it strikes, or None.
        self.slow_s = 0.0
        self.slow_for = None
        self.garbage_for = None
        self.cut_for = None
        self.unit_for = None
        self.trip = False  # the protection trips as soon as the output is on
        self.refuses = None  # as a setting that conflicts with others
        self._healed = threading.Event()
        self._lock = threading.Lock()
        self._client = None
        self._ended = False
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._server.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._ended = True
        self._server.close()
        self.disconnect()

    def heal(self):
        """No more faults; whoever was connected has been noticed to be gone."""
        self.slow_s, self.slow_for, self.garbage_for, self.cut_for, self.unit_for, self.trip = 0.0, None, None, None, None, False
        self._healed.set()
        self.wait_client(False)
        self._healed.clear()

    def wait_client(self, connected):
        """Until a client is there, or the last one has been noticed to be gone."""
        limit = time.monotonic() + 60
        while (self._client is not None) != connected and time.monotonic() < limit:
            time.sleep(0.005)

    def disconnect(self):
        """The LAN cable is pulled: the client sees a reset."""
        client = self._client
        if client is not None:
            try:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    # ---- line ----

    def _accept(self):
        while not self._ended:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._let_go()
            if self._client is not None:  # one client only: the second is shown the door
                self.refused += 1
                client.close()
                continue
            self._client = client
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _let_go(self):
        """A client who has hung up is none, even if his thread has not noticed yet."""
        client = self._client
        while client is not None and client is self._client:
            look = select.poll()
            try:
                look.register(client, select.POLLRDHUP)
            except (OSError, ValueError):  # closed just now
                continue
            if not look.poll(0):
                return
            time.sleep(0.002)

    def _serve(self, client):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = b""
        try:
            while True:
                data = client.recv(4096)
                if not data:
                    break
                buffer += data
                while b"\n" in buffer:  # program message terminator: NL, white space before it is allowed (488.2, 7.5)
                    line, buffer = buffer.split(b"\n", 1)
                    if not self._message(client, line.decode("ascii", "replace").strip()):
                        return
        except OSError:
            pass
        finally:
            self._client = None
            client.close()

    def _message(self, client, message):
        """One program message and its response message, False when the connection ends."""
        with self._lock:
            self.heard.append(message)
            answers = self._units(message)
        if self.slow_s and (self.slow_for is None or self.slow_for(message)):
            self._healed.wait(self.slow_s)
        if not answers:
            return True
        text = ";".join(answers)
        if self.unit_for and self.unit_for(message):
            text = re.sub(r"([0-9E+.-]+)", r"\1 OHM", text, count=1)
        data = text.encode() + b"\n"
        if self.garbage_for and self.garbage_for(message):
            data = b"\xff\x00\x80\xfe" + data
        if self.cut_for and self.cut_for(message):
            client.sendall(data[: max(1, len(data) // 2)])
            return False
        client.sendall(data)
        return True

    # ---- commands ----

    def _units(self, message):
        """Message units between semicolons; a header path carries over, a colon or an asterisk begins anew (SCPI-1999 volume 1, 6.2.4)."""
        answers, path = [], ""
        for unit in message.split(";"):
            unit = unit.strip()
            if not unit:
                continue
            header, _, rest = unit.partition(" ")
            if header.startswith("*"):
                full = header
            elif header.startswith(":"):
                full = header[1:]
                path = full.rpartition(":")[0]
            else:
                full = path + ":" + header if path else header
                path = full.rpartition(":")[0]
            try:
                if self.refuses and self.refuses(message):
                    raise ScpiError(-221)
                answer = self._execute(full.upper(), [part.strip() for part in re.split(r",(?![^()]*\))", rest)] if rest.strip() else [])
            except ScpiError as error:
                self._push(error.args[0])
                break  # after a command error the rest of the message is not executed
            if answer is not None:
                answers.append(answer)
        return answers

    def _push(self, code):
        self.esr |= 0x20 if -199 <= code <= -100 else 0x10
        if len(self.errors) >= QUEUE_LENGTH:
            self.errors[-1] = -350
        else:
            self.errors.append(code)

    def _channels(self, parameters):
        """Those of a channel list, else the selected one; the rest of the parameters."""
        if parameters and parameters[-1].startswith("(@"):
            numbers = [int(number) for number in re.findall(r"\d+", parameters[-1])]
            if any(not 1 <= number <= len(self.channels) for number in numbers):
                raise ScpiError(-224)
            return numbers, parameters[:-1]
        return [self.selected], parameters

    @staticmethod
    def _number(parameters, unit, highest):
        if not parameters:
            raise ScpiError(-109)
        match = re.fullmatch(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:E[+-]?\d+)?)\s*([A-Z]*)", parameters[0].upper())
        if not match:
            if parameters[0].upper() in ("MIN", "MAX"):
                return 0.0 if parameters[0].upper() == "MIN" else highest
            raise ScpiError(-104)
        scale = {"": 1.0, unit: 1.0, "M" + unit: 1e-3}.get(match.group(2))
        if scale is None:
            raise ScpiError(-131)
        value = float(match.group(1)) * scale
        if not 0 <= value <= highest:
            raise ScpiError(-222)
        return value

    def _execute(self, header, parameters):
        query = header.endswith("?")
        name = header.rstrip("?")
        for pattern, call in self._COMMANDS:
            if re.fullmatch(pattern, name):
                return call(self, query, parameters)
        raise ScpiError(-113)

    def _common(self, name):
        if name == "*IDN":
            return self.identity
        if name == "*OPC":
            return "1"
        if name == "*ESR":
            value, self.esr = self.esr, 0
            return str(value)
        return str(0x20 if self.esr else 0)  # *STB

    def _clear(self, _query, _parameters):
        self.errors.clear()
        self.esr = 0

    def _reset(self, _query, _parameters):
        for number, channel in enumerate(self.channels, 1):
            self._switch(number, False)
            channel.voltage, channel.limit, channel.tripped = 0.0, 1.0, False

    def _error(self, _query, _parameters):
        if not self.errors:
            return NO_ERROR
        code = self.errors.pop(0)
        return f'{code},"{ERRORS.get(code, "Error")}"'

    def _select(self, query, parameters):
        if query:
            return str(self.selected)
        if not parameters:
            raise ScpiError(-109)
        number = re.sub(r"^OUT", "", parameters[0].upper())
        if not number.isdigit() or not 1 <= int(number) <= len(self.channels):
            raise ScpiError(-224)
        self.selected = int(number)
        return None

    def _voltage(self, query, parameters):
        numbers, rest = self._channels(parameters)
        if query:
            return ",".join(f"{self.channels[number - 1].voltage:.4E}" for number in numbers)
        value = self._number(rest, "V", self.MAX_VOLTS)
        for number in numbers:
            self.channels[number - 1].voltage = value
            if self.channels[number - 1].on:
                self.on_voltage(number, value)
        return None

    def _limit(self, query, parameters):
        numbers, rest = self._channels(parameters)
        if query:
            return ",".join(f"{self.channels[number - 1].limit:.4E}" for number in numbers)
        value = self._number(rest, "A", self.MAX_AMPS)
        for number in numbers:
            self.channels[number - 1].limit = value
        return None

    def _switch(self, number, on):
        channel = self.channels[number - 1]
        if on and self.trip:
            channel.tripped = True
            on = False
        if channel.on != on:
            channel.on = on
            self.on_output(number, on)

    def _output(self, query, parameters):
        numbers, rest = self._channels(parameters)
        if query:
            return ",".join(str(int(self.channels[number - 1].on)) for number in numbers)
        if not rest:
            raise ScpiError(-109)
        if rest[0].upper() not in ("ON", "OFF", "0", "1"):
            raise ScpiError(-224)
        for number in numbers:
            self._switch(number, rest[0].upper() in ("ON", "1"))
        return None

    def _measure(self, index, query, parameters):
        if not query:
            raise ScpiError(-113)
        numbers, _ = self._channels(parameters)
        return ",".join(f"{self.channels[number - 1].measured()[index]:+.5E}" for number in numbers)

    def trip_now(self, number):
        """The protection of a channel trips in the middle of everything."""
        with self._lock:
            channel = self.channels[number - 1]
            channel.tripped = True
            self._switch(number, False)

    _COMMANDS = [
        (r"\*IDN", lambda self, query, _: self._common("*IDN")),
        (r"\*OPC", lambda self, query, _: self._common("*OPC") if query else setattr(self, "esr", self.esr | 1)),
        (r"\*ESR", lambda self, query, _: self._common("*ESR")),
        (r"\*STB", lambda self, query, _: self._common("*STB")),
        (r"\*WAI", lambda self, query, _: None),
        (r"\*CLS", _clear),
        (r"\*RST", _reset),
        (r"SYST(EM)?:ERR(OR)?(:NEXT)?", _error),
        (r"SYST(EM)?:VERS(ION)?", lambda self, query, _: "1999.0"),
        (r"INST(RUMENT)?(:NSEL(ECT)?|:SEL(ECT)?)?", _select),
        (r"(SOUR(CE)?:)?VOLT(AGE)?(:LEV(EL)?)?(:IMM(EDIATE)?)?(:AMPL(ITUDE)?)?", _voltage),
        (r"(SOUR(CE)?:)?CURR(ENT)?(:LEV(EL)?)?(:IMM(EDIATE)?)?(:AMPL(ITUDE)?)?", _limit),
        (r"OUTP(UT)?(:STAT(E)?)?", _output),
        (r"MEAS(URE)?(:SCAL(AR)?)?:VOLT(AGE)?(:DC)?", lambda self, query, parameters: self._measure(0, query, parameters)),
        (r"MEAS(URE)?(:SCAL(AR)?)?:CURR(ENT)?(:DC)?", lambda self, query, parameters: self._measure(1, query, parameters)),
    ]
