#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What is done in the virtual machine with systemd: a service of it runs this. Lines of the test protocol go to the console, each after an "@"; the last is
# "@done". /srv/install.sh holds the commands of docs/how-to/run-a-lab.md, /srv/cases the test cases.
export PATH=/usr/local/bin:/usr/bin:/usr/sbin LC_ALL=C
cd /srv || exit 1

say()
{
	echo "@$*"
}

# check NAME COMMAND...: its last words are the reason when it fails.
check()
{
	local name=$1
	shift
	if "$@" >/run/check 2>&1; then
		say "ok $name"
	else
		say "not ok $name - $(tail -n 12 /run/check | tr '\n' ' ' | cut -c 1-500)"
		sed 's/^/  /' /run/check
		journalctl --no-pager -o short-monotonic -n 15 -u 'hilbench*' 2>/dev/null | sed 's/^/  /'
	fi
}

mark()
{
	echo "[$(cut -d ' ' -f 1 /proc/uptime) s] $*"
}

# until_true SECONDS COMMAND...: until it ends with 0.
until_true()
{
	local limit=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $limit ] || return 1
		sleep 0.5
	done
}

main_pid()
{
	systemctl show -P MainPID hilbenchd.service
}

restarts()
{
	systemctl show -P NRestarts hilbenchd.service
}

# is STATE UNIT
is()
{
	local state
	state=$(systemctl show -P ActiveState "$2")
	[ "$state" = "$1" ] || { echo "$2 is $state"; systemctl status --no-pager -l "$2" | tail -n 8; return 1; }
}

# field JOB NAME: of the job as the API has it.
field()
{
	hilbench status "$1" --json | grep -o "\"$2\":\"[^\"]*\"" | head -n 1 | sed 's/^.*:"//; s/"$//'
}

# given ARGUMENTS: a job that is waited for. An emulated processor may be too slow for a look at a rig, which is offline then, and a job for it refused; the next
# look is half a minute later.
given()
{
	local limit=$((SECONDS + 240)) status
	while :; do
		status=0
		hilbench submit --wait "$@" >/run/given 2>&1 || status=$?
		if [ $status -eq 0 ] || [ $SECONDS -ge $limit ] || ! grep -q ': offline:' /run/given; then
			break
		fi
		sleep 5
	done
	cat /run/given
	return $status
}

# The case in which it waits has begun: its board is up. Runs that are stored have no such file any more.
under_way()
{
	grep -qs 'under way' /var/lib/hilbench/jobs/*/*/out/events.jsonl
}

# Files of /proc of what belongs to the lab.
of_hilbench()
{
	grep -ls "^Uid:[[:space:]]*$(id -u hilbench)[[:space:]]" /proc/[0-9]*/status
}

installs()
{
	bash -ex /srv/install.sh || return 1
}

# ---- what is tried ----

confined()
{
	local status
	status=$(cat "/proc/$(main_pid)/status")
	echo "$status" | grep -E 'Uid|NoNewPrivs|Seccomp'
	grep -q '^NoNewPrivs:.1' <<<"$status" && grep -q '^Seccomp:.2' <<<"$status" && grep -q "^Uid:.$(id -u hilbench)" <<<"$status"
}

one_run()
{
	hilbench status "$1" --json >/run/job
	cat /run/job
	[ "$(grep -o '"shard":' /run/job | wc -l)" -eq 1 ]
}

nobody_left()
{
	local left
	left=$(of_hilbench)
	echo "$left"
	[ -z "$left" ]
}

begins()
{
	check 'the commands of the how-to install and start it' installs
	check 'the configuration as it stands there is right' hilbenchd --config as-documented.yaml --check-config
	[ "$(systemctl show -P ActiveState hilbenchd.service)" = active ] || return 1
	check 'hilbenchd is active: systemd heard that it is ready' is active hilbenchd.service
	check 'the socket is active, and so is the timer' eval 'is active hilbenchd.socket && is active hilbench-nightly.timer'
	check 'it answers on the socket of the unit' hilbench status
	check 'it runs as hilbench, without new privileges, behind a filter of system calls' confined
}

activates()
{
	check 'systemctl stop ends it when nothing runs' eval 'systemctl stop hilbenchd.service && is inactive hilbenchd.service'
	check 'the socket stays' eval 'is active hilbenchd.socket && test -S /run/hilbench/hilbenchd.sock'
	check 'who connects starts it, and is answered' eval 'hilbench status && is active hilbenchd.service'
}

runs_jobs()
{
	check 'a job on a virtual rack passes, with a board that is reached through OpenOCD' given --rig v1 --out /srv/out cases/rack.yaml cases/probe.yaml
	mark 'virtual rack and OpenOCD'
	check 'a serial port, a program as supply and SocketCAN serve' given --rig box cases/box.yaml
	check 'what a run starts sees the system read-only' cat /run/hilbench/box-saw-read-only
	mark 'serial port and CAN'
}

# Asking systemd costs an emulated processor more than looking whether the process is there.
is_new_main()
{
	local pid
	[ ! -e "/proc/$1" ] || return 1
	pid=$(main_pid)
	[ "$pid" != 0 ] && [ "$pid" != "$1" ] && is active hilbenchd.service >/dev/null
}

# One job outlives two daemons: the first is killed, the second hangs.
dies_and_hangs()
{
	local client old began
	given --rig v1 cases/waits.yaml >/run/waited 2>&1 &
	client=$!
	check 'a job that takes a while is under way' until_true 240 under_way
	old=$(main_pid)
	kill -KILL "$old"
	check 'after kill -9 systemd starts it again' until_true 180 is_new_main "$old"
	check 'that was one restart' test "$(restarts)" -eq 1
	check 'it answers' hilbench status
	mark 'kill -9'
	old=$(main_pid)
	began=$SECONDS
	kill -STOP "$old"
	looks_at_units
	check 'a daemon that hangs is ended and started again' until_true 240 is_new_main "$old"
	mark "watchdog, $((SECONDS - began)) s after it hung"
	check 'by the watchdog' eval 'journalctl --no-pager -u hilbenchd.service | grep -i "watchdog timeout"'
	check 'that was one more' test "$(restarts)" -eq 2
	check 'the job of both passes; its client has waited' eval "wait $client; status=\$?; cat /run/waited; (exit \$status)"
	check 'in one run, which was taken over twice' one_run 3
	mark 'the job is done'
}

# exposed UNIT LIMIT: what systemd-analyze holds against it, and the sum in tenths.
exposed()
{
	systemd-analyze security --no-pager "--threshold=$2" "$1" >/run/exposed
	local status=$?
	grep -v '^+\|^✓' /run/exposed
	return $status
}

looks_at_units()
{
	check 'systemd-analyze verify finds nothing' eval 'systemd-analyze verify --man=no /etc/systemd/system/hilbench*.{service,socket,timer} >/run/verify 2>&1; cat /run/verify; ! grep hilbench /run/verify'
	check 'systemd-analyze security: the exposure of hilbenchd is at most 3.2' exposed hilbenchd.service 32
	sed 's/^/  /' /run/check
	check 'and that of the nightly service at most 1.5' exposed hilbench-nightly.service 15
	tail -n 1 /run/check
	check 'the timer is scheduled' eval 'systemctl list-timers --no-pager | tee /run/timers; grep -E "^[A-Z][a-z]{2} .* hilbench-nightly.timer" /run/timers'
	sed 's/^/  /' /run/timers
}

nightly_and_stop()
{
	local job began took
	check 'the service of the timer submits' until_true 240 systemctl start hilbench-nightly.service
	job=$(journalctl --no-pager -o cat -u hilbench-nightly.service | sed -n 's/^job \([0-9]*\)$/\1/p' | tail -n 1)
	check 'a job of the series nightly' test "$(field "$job" series)" = nightly
	check 'which is begun' until_true 240 under_way
	mark 'nightly'
	began=$SECONDS
	check 'systemctl stop while a job runs' systemctl stop hilbenchd.socket hilbenchd.service
	took=$((SECONDS - began))
	mark "stopped in $took s"
	check 'it ends within the half of TimeoutStopSec' test $took -lt 45
	check 'cleanly' test "$(systemctl show -P Result hilbenchd.service) $(systemctl show -P ActiveState hilbenchd.service)" = 'success inactive'
	check 'no process of the lab is left' nobody_left
	check 'no control group either' test ! -e /sys/fs/cgroup/system.slice/hilbenchd.service
	mark 'nothing is left'
	check 'the books are whole' hilbenchd --check-books /var/lib/hilbench --deep
	mark 'books'
	check 'it starts again, and its socket with it' eval 'systemctl start hilbenchd.service && is active hilbenchd.socket'
	check 'the job that was interrupted waits or runs again' eval "state=\$(field $job state); echo \$state; [ \$state = queued ] || [ \$state = running ]"
	check 'it is cancelled' hilbench cancel "$job"
	mark 'started again'
}

refuses_nonsense()
{
	systemctl stop hilbenchd.socket hilbenchd.service
	sed -i 's/^rigs:/no-rigs:/' /etc/hilbench/hilbenchd.yaml
	check 'a wrong configuration fails the start' eval '! systemctl start hilbenchd.service'
	check 'and is not tried over and over' is failed hilbenchd.service
	check 'its place is in the journal' eval 'journalctl --no-pager -o cat -u hilbenchd.service | grep "hilbenchd.yaml:[0-9]*:[0-9]*:"'
	systemctl reset-failed hilbenchd.service
	sed -i 's/^no-rigs:/rigs:/' /etc/hilbench/hilbenchd.yaml
	check 'the end: nothing of it failed' eval 'systemctl --failed --no-legend --no-pager | tee /run/failed; ! grep hilbench /run/failed'
}

mark "systemd $(systemctl --version | head -n 1 | cut -d ' ' -f 2) runs this"
# What udev and the network's configuration do on a machine of Debian's.
chgrp dialout /dev/ttyS1 /dev/ttyS2 && chmod 0660 /dev/ttyS1 /dev/ttyS2
for interface in can0 can1; do
	ip link set $interface up type can bitrate 250000
done
if ! begins; then
	say 'done'
	systemctl poweroff --force --force
fi
mark 'installed and started'
activates
runs_jobs
dies_and_hangs
nightly_and_stop
refuses_nonsense
say 'done'
systemctl poweroff --force --force
