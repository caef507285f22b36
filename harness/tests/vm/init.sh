#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first process of the virtual machine of kernel_can.py: makes CAN interfaces and runs the test programs on them.
# shellcheck source=harness/tests/vm/guest.sh
. /etc/guest.sh
ip=/sbin/ip

# shows INTERFACE TEXT: what iproute2 reads back of an interface.
shows()
{
	/sbin/ip -details link show "$1" | tr '\n\t' '  ' >/run/shown
	cat /run/shown
	grep -q -- "$2" /run/shown
}

# Plain interfaces: a virtual one and a pair.
$ip link add vcan0 type vcan && $ip link set vcan0 mtu 72 up
$ip link add vxcan0 type vxcan peer name vxcan1 && $ip link set vxcan0 mtu 72 up && $ip link set vxcan1 mtu 72 up
# The adapter: its interfaces come when the driver has talked with it.
mkfifo /run/adapter
gs_usb_emulator /run/adapter &
emulator=$!

$ip link add vcan1 type vcan && $ip link set vcan1 up
run 'vcan' 120 can_plain vcan0 vcan0 vcan1
run 'vxcan' 120 can_plain vxcan0 vxcan1
run 'SecOC over vcan' 120 secoc_loop vcan0 vcan0 fd
run 'SecOC over vxcan' 120 secoc_loop vxcan0 vxcan1 classic
run 'ISO-TP' 200 isotp_oracle vcan0

# Classic controllers: qemu's kvaser_pci, both on one bus.
run 'classic' 120 can_classic can0 can1
check 'classic: iproute2 reads the bit rate back too' shows can0 ' bitrate 500000 '

wait_for_adapter()
{
	for _ in $(seq 120); do
		[ -e /sys/class/net/can3 ] && return 0
		sleep 0.5
	done
	dmesg | tail -n 3
	return 1
}
check 'adapter: gs_usb finds it over USB/IP' wait_for_adapter
run 'adapter' 120 can_adapter can2 can3 /run/adapter
check 'adapter: iproute2 reads the bit rates of both phases back too' shows can2 ' bitrate 500000 .* dbitrate 2000000 '
check 'adapter: and the other data bit rate of the other end' shows can3 ' bitrate 500000 .* dbitrate 4000000 '
run 'adapter, unplugged' 120 can_adapter can2 can3 /run/adapter unplug

wait $emulator || say "not ok adapter: the emulator ends by itself when it is pulled out - status $?"
conclude
