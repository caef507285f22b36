#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first process of the virtual machine: loads the CAN modules, makes interfaces, runs the test programs on them and
# prints their lines of the test protocol on the serial console. Every line is preceded by "@" so that nothing the kernel
# says can look like one. Ends through qemu's isa-debug-exit: 0 written is status 1 of qemu (all passed), 1 is status 3.
failed=0

say()
{
	echo "@$*"
	case $* in
	'not ok '*) failed=1 ;;
	esac
}

check()
{
	name=$1
	shift
	if "$@" >/run/check 2>&1; then
		say "ok $name"
	else
		say "not ok $name - $(tr '\n' ' ' </run/check | cut -c 1-200)"
	fi
}

# shows INTERFACE TEXT: what iproute2 reads back of an interface.
shows()
{
	/sbin/ip -details link show "$1" | tr '\n\t' '  ' >/run/shown
	cat /run/shown
	grep -q -- "$2" /run/shown
}

# run NAME SECONDS PROGRAM...: its lines; a program that dies or says nothing is a failed test.
run()
{
	name=$1
	limit=$2
	shift 2
	timeout "$limit" "$@" >/run/out 2>&1
	status=$?
	sed -n '/^ok \|^not ok \|^skip /s/^/@/p' /run/out
	sed '/^ok \|^not ok \|^skip /d' /run/out
	if grep -q '^not ok ' /run/out; then
		failed=1
	elif [ $status -ne 0 ]; then
		say "not ok $name - status $status: $(tail -n 1 /run/out | cut -c 1-200)"
	elif ! grep -q '^ok \|^skip ' /run/out; then
		say "not ok $name - it printed no line"
	fi
}

conclude()
{
	say 'done'
	if [ $failed -eq 0 ]; then
		printf '\000'
	else
		printf '\001'
	fi | dd of=/dev/port bs=1 seek=244 2>/dev/null
	poweroff -f
}

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
ip=/sbin/ip
while read -r module; do
	insmod "$module" || say "not ok module $module - insmod fails"
done </etc/modules
echo "kernel $(cat /proc/sys/kernel/osrelease), up $(cut -d ' ' -f 1 /proc/uptime) s"

# Plain interfaces: a virtual one and a pair.
$ip link add vcan0 type vcan && $ip link set vcan0 mtu 72 up
$ip link add vxcan0 type vxcan peer name vxcan1 && $ip link set vxcan0 mtu 72 up && $ip link set vxcan1 mtu 72 up
# The adapter: its interfaces come when the driver has talked with it.
mkfifo /run/adapter
gs_usb_emulator /run/adapter &
emulator=$!

$ip link add vcan1 type vcan && $ip link set vcan1 up
run 'vcan' 60 can_plain vcan0 vcan0 vcan1
run 'vxcan' 60 can_plain vxcan0 vxcan1
run 'SecOC over vcan' 60 secoc_loop vcan0 vcan0 fd
run 'SecOC over vxcan' 60 secoc_loop vxcan0 vxcan1 classic
run 'ISO-TP' 100 isotp_oracle vcan0

# Classic controllers: qemu's kvaser_pci, both on one bus.
run 'classic' 60 can_classic can0 can1
check 'classic: iproute2 reads the bit rate back too' shows can0 ' bitrate 500000 '

wait_for_adapter()
{
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ -e /sys/class/net/can3 ] && return 0
		sleep 0.5
	done
	dmesg | tail -n 3
	return 1
}
check 'adapter: gs_usb finds it over USB/IP' wait_for_adapter
run 'adapter' 60 can_adapter can2 can3 /run/adapter
check 'adapter: iproute2 reads the bit rates of both phases back too' shows can2 ' bitrate 500000 .* dbitrate 2000000 '
check 'adapter: and the other data bit rate of the other end' shows can3 ' bitrate 500000 .* dbitrate 4000000 '
run 'adapter, unplugged' 30 can_adapter can2 can3 /run/adapter unplug

wait $emulator || say "not ok adapter: the emulator ends by itself when it is pulled out - status $?"
conclude
