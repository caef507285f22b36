#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first process of the virtual machine of gpio_relay.py: a relay at a GPIO line, a serial console and its reset line at emulated USB
# adapters (ftdi_emulator.c), used by the product's own program. There is no udev: link_ports() makes the names of /dev/serial/by-id from
# the same attributes as udev does.
# shellcheck source=harness/tests/vm/guest.sh
. /etc/guest.sh
ifconfig lo 127.0.0.1 up
mkfifo /run/bench
mkdir -p /dev/serial/by-id
CONSOLE=/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_HILCON01-if00-port0
RELAY='chip: ftdi-cbus@HILRLY01, line: 0'
DTR='reset: {driver: serial, line: dtr}'

bench()
{
	echo "$*" >/run/bench
}

# From here on the emulator's log is looked at.
mark()
{
	lines=$(wc -l </run/log)
}

since()
{
	tail -n +$((lines + 1)) /run/log
}

# happens PATTERN: within a minute or more, since the mark.
happens()
{
	for _ in $(seq 600); do
		since | grep -q -- "$1" && return 0
		sleep 0.1
	done
	since | tail -n 5
	return 1
}

nothing_happened()
{
	since
	[ -z "$(since)" ]
}

# within MINIMUM_MS MAXIMUM_MS FIRST SECOND: from the first line with one pattern to the first one with the other after it.
within()
{
	happens "$4" || return 1
	ms=$(since | awk -v first="$3" -v second="$4" '!from && $0 ~ first {from = $1; next} from && $0 ~ second {printf "%d", ($1 - from) / 1000000; exit}')
	echo "${ms:-no} ms: $(since | cut -d ' ' -f 2- | tr '\n' ';')"
	[ -n "$ms" ] && [ "$ms" -ge "$1" ] && [ "$ms" -le "$2" ]
}

# never PATTERN: since the mark.
never()
{
	since
	! since | grep -q -- "$1"
}

link_ports()
{
	rm -f /dev/serial/by-id/*
	for tty in /sys/class/tty/ttyUSB*; do
		port=$(readlink -f "$tty/device")
		interface=${port%/*}
		device=${interface%/*}
		[ -e "$device/serial" ] || continue
		id="usb-$(cat "$device/manufacturer")_$(cat "$device/product")_$(cat "$device/serial")"
		id="$id-if$(cat "$interface/bInterfaceNumber")-port$(cat "$port/port_number")"
		ln -s "/dev/${tty##*/}" "/dev/serial/by-id/$(echo "$id" | tr ' ' '_')"
	done
}

# linked SERIAL: whether an adapter's port is there. The driver makes it last, behind its GPIO chip.
linked()
{
	link_ports
	for link in /dev/serial/by-id/*"$1"*; do
		[ -e "$link" ] && return 0
	done
	return 1
}

# plug WHAT SERIAL: until the kernel's driver has taken it.
plug()
{
	mark
	bench "plug $1"
	happens "$1 plugged in" || return 1
	for _ in $(seq 600); do
		linked "$2" && return 0
		sleep 0.1
	done
	dmesg | tail -n 3
	return 1
}

unplug()
{
	bench "unplug $1"
	happens "$1 unplugged" || return 1
	for _ in $(seq 600); do
		linked "$2" || return 0
		sleep 0.1
	done
	return 1
}

# rig POWER BAUD RESET: the rig file.
rig()
{
	cat >/run/rig.yaml <<-END
		name: usb
		tester: {address: 127.0.0.1, logical_address: 0x0e80}
		roles:
		  zgw:
		    driver: board
		    address: 192.0.2.1
		    power: {driver: gpio, $1}
		    console: {driver: serial, device: $CONSOLE, baud: $2}
		    $3
	END
}

# hil VERB...: a rig command to its end; told FILE: with what it is told, as through a pipe.
hil()
{
	timeout 100 hilbench rig --rig /run/rig.yaml "$@" >/run/said 2>&1
	status=$?
}

told()
{
	rm -f /run/pipe
	mkfifo /run/pipe
	cat "$1" >/run/pipe &
	shift
	hil "$@" </run/pipe
}

# until_said PATTERN: what a program in the background says.
until_said()
{
	for _ in $(seq 600); do
		grep -q "$1" /run/said && return 0
		sleep 0.1
	done
}

# run_case SECONDS STEPS: a case that begins with a board that has booted within so many seconds; it goes on in the background.
run_case()
{
	rm -rf /run/run
	echo "- {id: a, title: a, timeout: 150s, setup: [{rack.ready: {within: $1s}}], steps: [$2]}" >/run/case.yaml
	timeout 150 hilbench run --retry 0 --rig /run/rig.yaml --out /run/run /run/case.yaml >/run/said 2>&1 &
	runner=$!
}

# Until the board of the case has booted.
booted()
{
	for _ in $(seq 600); do
		grep -q 'stage":"server' /run/run/events.jsonl 2>/dev/null && break
		sleep 0.1
	done
}

ran()
{
	wait $runner
	status=$?
}

# says NAME STATUS PATTERN...: how the last program ended, and what it said.
says()
{
	name=$1
	wanted=$2
	shift 2
	tr -c '\040-\176' ' ' </run/said >/run/line
	complaint=
	[ $status -eq "$wanted" ] || complaint="status $status"
	for pattern in "$@"; do
		grep -Eq -- "$pattern" /run/line || complaint="$complaint, no \"$pattern\""
	done
	if [ -z "$complaint" ]; then
		say "ok $name"
	else
		say "not ok $name - $complaint: $(tail -c 300 /run/line)"
	fi
}

passed()
{
	echo "   $(cut -d ' ' -f 1 /proc/uptime) s: $*"
}

ftdi_emulator /run/bench /run/log &
emulator=$!
check 'the console adapter is found by ftdi_sio' plug console HILCON01
check 'the relay adapter is found by ftdi_sio' plug relay HILRLY01
passed 'plugged in'

# ---- what rig check says ----
mark
rig "$RELAY" 115200 "$DTR"
hil check
says 'rig check: relay, console and reset line are there' 0 'ok +supply +zgw .*ftdi-cbus@HILRLY01 line 0, output not known' \
	'ok +console +zgw .*FT232R USB UART, serial HILCON01' 'ok +reset +zgw +serial: by dtr'
check 'rig check: no pin and no line of a modem is touched' nothing_happened
rig 'chip: ftdi-cbus, line: 0' 115200 "$DTR"
hil check
says 'rig check: a label that two adapters have' 1 'bad +supply +zgw' '2 chips have this label' 'ftdi-cbus@HILCON01' 'ftdi-cbus@HILRLY01'
rig 'chip: ftdi-cbus@NOBODY, line: 0' 115200 "$DTR"
hil check
says 'rig check: no such chip' 1 'bad +supply .*ftdi-cbus@NOBODY: there is no such chip'
rig 'chip: /dev/null, line: 0' 115200 "$DTR"
hil power zgw on
says 'no GPIO chip at all' 3 '/dev/null: it is no GPIO chip'
rig 'chip: ftdi-cbus@HILRLY01, line: 4' 115200 "$DTR"
hil check
says 'rig check: no such line' 1 'bad +supply .*it has no line 4, only 0 to 3'
rig 'chip: ftdi-cbus@HILRLY01, line: relay' 115200 "$DTR"
hil power zgw on
says 'no line of this name' 3 'none of its 4 lines is named "relay"'
rig 'chip: ftdi-cbus@HILRLY01, line: 2' 115200 "$DTR"
hil check
says 'rig check: a pin that is no GPIO' 1 'bad +supply .*line 2: .*pin has another function .*EEPROM'
hil power zgw on
says 'a pin that is no GPIO is not switched' 3 'line 2: .*pin has another function'
rig "$RELAY" 115200 "$DTR"
for device in /sys/bus/gpio/devices/*; do
	grep -q HILRLY01 "$(readlink -f "$device")/../../serial" && chip=/dev/${device##*/}
done
mkfifo /run/held
gpio_hold "$chip" 0 other-bench >/run/held &
holder=$!
read -r _ </run/held
hil check
says 'rig check: a line that another program has' 1 'bad +supply .*line 0: in use by "other-bench"'
hil power zgw on
says 'a line that another program has is not switched' 3 'line 0: in use by "other-bench"'
kill $holder
wait $holder
check 'until here no pin was driven' never cbus
passed checked

# ---- the relay ----
hil power zgw status
says 'power status: a line that nobody has switched' 3 'line 0: it is an input: nothing drives it'
hil power zgw on
says 'power on' 0 'zgw is on'
check 'power on: the pin is high at once, and the others float' happens 'relay cbus 1 z z z'
check 'power on: the board has power' happens 'board power on'
mark
hil power zgw status
says 'power status: on, also after the program that switched it' 0 'zgw is on'
check 'power status: no pin is touched' nothing_happened
hil power zgw cycle
says 'power cycle' 0 'zgw is on'
check 'power cycle: off for a second' within 1000 30000 'cbus 0 z z z' 'cbus 1 z z z'
hil power zgw off
says 'power off' 0 'zgw is off'
check 'power off: the board has none' happens 'board power off'
hil power zgw status
says 'power status: off' 0 'zgw is off'
mark
rig 'chip: ftdi-cbus@HILRLY01, line: 1, active_low: true' 115200 "$DTR"
hil power zgw on
says 'active low: power on' 0 'zgw is on'
check 'active low: on is low' happens 'cbus 0 0 z z'
check 'active low: the pin was never high before' never 'cbus 0 1'
hil power zgw status
says 'active low: power status' 0 'zgw is on'
hil power zgw off
says 'active low: power off' 0 'zgw is off'
check 'active low: off is high' happens 'cbus 0 1 z z'
passed relay

# ---- the reset line ----
rig "$RELAY" 115200 "$DTR"
hil power zgw on
mark
hil reset zgw
says 'reset by DTR' 0 'zgw was reset'
check 'reset by DTR: the pulse' within 100 20000 'dtr=1 rts=0' 'dtr=0 rts=0'
check 'reset by DTR: the board boots' happens 'board boot'
bench 'reset rts'
rig "$RELAY" 115200 'reset: {driver: serial, line: rts, pulse_for: 300ms}'
mark
hil reset zgw
says 'reset by RTS' 0 'zgw was reset'
check 'reset by RTS: the pulse is as long as the rig file says' within 300 20000 'dtr=0 rts=1' 'dtr=0 rts=0'
bench 'reset rts-low'
rig "$RELAY" 115200 'reset: {driver: serial, line: rts, active_low: true}'
hil reset zgw
mark
hil reset zgw
says 'reset by RTS, active low' 0 'zgw was reset'
check 'reset by RTS, active low: the pulse' within 100 20000 'rts=0' 'rts=1'
check 'reset by RTS, active low: the board runs' happens 'board boot'
mark
hil console zgw --for 100ms
says 'reset by RTS, active low: a console' 0
check 'reset by RTS, active low: opening the console does not reset the board' never held
bench 'reset dtr'
passed reset

# ---- the console ----
rig "$RELAY" 115200 "$DTR"
mark
echo hello >/run/sent
told /run/sent console zgw --time
says 'console: lines have stamps' 0 '[0-9:]{8}\.[0-9]{6} heard hello'
check 'console: the adapter is at the speed of the rig file' happens 'console baud 11[45]'
check 'console: the board heard the line' happens 'board heard hello'
# echoed BYTES FROM: so many bytes go to the board, from a file or through a pipe, and come back as they are.
echoed()
{
	head -c "$1" /dev/urandom >/run/sent
	rm -f /run/pipe /run/got
	mkfifo /run/pipe
	if [ "$2" = pipe ]; then
		cat /run/sent >/run/pipe &
	fi
	timeout 100 hilbench rig --rig /run/rig.yaml console zgw --for 90s --log /run/got <"/run/$2" >/dev/null 2>/run/said &
	console=$!
	for _ in $(seq 600); do
		tail -c "$1" /run/got 2>/dev/null | cmp -s - /run/sent && break
		kill -0 $console 2>/dev/null || break
		sleep 0.1
	done
	kill -TERM $console
	wait $console
	cat /run/said
	tail -c "$1" /run/got | cmp - /run/sent
}
bench 'echo on'
check 'console at 115200: every byte goes and comes as it is' echoed 20000 sent
bench 'rate 3000000'
rig "$RELAY" 3000000 "$DTR"
mark
check 'console at 3 Mbit/s: every byte goes and comes as it is' echoed 60000 sent
check 'console at 3 Mbit/s: the adapter is at this speed' happens 'console baud 3000000'
check 'console: more than its queue takes, through a pipe' echoed 200000 pipe
bench 'echo off'
bench 'rate 115200'
rig "$RELAY" 115200 "$DTR"
passed bytes

# Two lines a second apart have stamps about a second apart, however late each is read.
timeout 100 hilbench rig --rig /run/rig.yaml console zgw --time --for 60s >/run/said 2>&1 &
console=$!
until_said stage=server
bench 'print first'
sleep 1
bench 'print second'
until_said second
kill -TERM $console
wait $console
status=$?
says 'console: interrupted' 130 'first.*second'
apart=$(sed -n 's/^..:\(..\):\([0-9.]*\) \(first\|second\).*/\1 \2/p' /run/said |
	awk '{at = $1 * 60 + $2} NR == 1 {first = at} END {if (at < first) at += 3600; if (NR == 2) printf "%d", (at - first) * 1000}')
if [ "${apart:-0}" -ge 500 ] && [ "$apart" -le 30000 ]; then
	say 'ok console: lines are stamped when they come'
else
	say "not ok console: lines are stamped when they come - ${apart:-no} ms: $(tail -n 3 /run/said | tr '\n' ' ')"
fi
passed console

# ---- runs ----
# stamped EVENT EDGE: the stamp of an event, with its uncertainty, holds the moment at which the emulator saw the edge.
stamped()
{
	event=$(grep "$1" /run/run/events.jsonl | head -n 1 | sed 's/.*"t":\([0-9]*\).*"u":\([0-9]*\).*/\1 \2/')
	edge=$(since | grep "$2" | head -n 1 | cut -d ' ' -f 1)
	echo "$event, $edge: $(since | cut -d ' ' -f 2- | tr '\n' ';')"
	echo "$event $edge" | awk 'NF == 3 && $3 >= $1 - $2 && $3 <= $1 + $2 {found = 1} END {exit !found}'
}
ping='{console.send: {role: zgw, text: ping}}, {console.expect: {role: zgw, matches: "^heard ping", within: 30s}}'
hil power zgw off
mark
run_case 60 "{console.expect: {role: zgw, matches: \"^after a break\", within: 60s}}, $ping, {board.reset: zgw}, {console.expect: {role: zgw, matches: \"reason=external\", within: 30s}}"
booted
bench break
bench 'print after a break'
ran
says 'a run: power, console with a break of the board in it, reset' 0 '1 passed'
check 'a run: the stamp of power.on holds the edge of the pin' stamped '"power.on"' 'cbus 1'
check 'a run: the stamp of the reset holds the edge of the line' stamped '"external"' 'board boot 2'
bench 'rate 57600'
run_case 5 '{note: x}'
ran
says 'a run: a board at another speed is an error of the bench' 3 'shows rubbish: .* framing errors: is its baud rate another one' 'cause: bench'
bench 'rate 115200'

# gone WHAT NAME: pulled out in the middle of a run.
gone()
{
	run_case 60 '{wait: 100s}'
	booted
	mark
	check "$1: pulled out in the middle of a run" unplug "$1" "$2"
	ran
	bench 'mark the run ended'
	check "$1: the run ends before its step would" within 0 60000 unplugged 'the run ended'
}
gone console HILCON01
says 'console: unplugged in the middle of a run' 3 "$CONSOLE: " 'unplugged' 'cause: bench'
hil check
says 'rig check: a console that is not plugged in' 1 "bad +console .*$CONSOLE: there is no such device" 'There are: usb-FTDI_FT230X_Basic_UART_HILRLY01-if00-port0'
run_case 60 "$ping"
ran
says 'console: a run without it names it' 3 "$CONSOLE: there is no such device: is it plugged in"
check 'console: plugged in again' plug console HILCON01
run_case 60 "$ping"
ran
says 'console: the next run has it by the same name' 0 '1 passed'
gone relay HILRLY01
says 'relay: unplugged in the middle of a run' 3 'ftdi-cbus@HILRLY01 line 0: the chip is gone: was it unplugged' 'cause: bench'
hil power zgw off
says 'relay: switching without it' 3 'ftdi-cbus@HILRLY01: there is no such chip'
check 'relay: plugged in again' plug relay HILRLY01
run_case 60 "$ping"
ran
says 'relay: the next run has it by the same name' 0 '1 passed'
passed runs

# ---- a console by hand that goes away ----
timeout 100 hilbench rig --rig /run/rig.yaml console zgw --for 90s >/run/said 2>&1 &
console=$!
until_said stage=server
unplug console HILCON01
wait $console
status=$?
says 'console: unplugged while somebody looks at it' 3 "$CONSOLE: .*unplugged"

bench end
wait $emulator || say "not ok the emulator ends by itself - status $?"
conclude
