#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the first process of a virtual machine begins with (". /etc/guest.sh"): mounts, loads the modules, and gives it functions that print
# lines of the test protocol on the serial console. Every line is preceded by "@" so that nothing the kernel says can look like one.
# "conclude" ends through qemu's isa-debug-exit: 0 written is status 1 of qemu (all passed), 1 is status 3.
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
while read -r module; do
	insmod "$module" || say "not ok module $module - insmod fails"
done </etc/modules
echo "kernel $(cat /proc/sys/kernel/osrelease), up $(cut -d ' ' -f 1 /proc/uptime) s"
