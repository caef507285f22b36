#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first process of the virtual machine with systemd: loads the modules of its CAN controllers, then makes the directory
# /machine of the initramfs the root file system and becomes systemd.
# What is moved over / is a mount of its own, so that services can have mount namespaces (they pivot).
mount -t proc proc /proc
while read -r module; do
	case $module in
	*/can.ko | */can_raw.ko | */can_dev.ko | */sja1000.ko | */kvaser_pci.ko) insmod "$module" ;;
	esac
done </etc/modules
echo "kernel $(cat /proc/sys/kernel/osrelease), up $(cut -d ' ' -f 1 /proc/uptime) s"
busybox umount /proc
mount -o bind /machine /machine
mount -t devtmpfs dev /machine/dev
cd /machine || exit 1
mount -o move . /
exec busybox chroot . /usr/lib/systemd/systemd
