#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# try-fresh-debian.sh [--keep] bookworm|trixie [COMMAND...]
# Does what a newcomer does: takes a minimal Debian (debootstrap, from the mirror that this machine's own apt sources
# name), puts a clean clone of this checkout's last commit into it, and runs ./bench COMMAND (default: run) there twice:
# as root, and then in a second clone as a user without any right. Needs root and debootstrap. Removes the root again.
set -euo pipefail
tools=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
readonly tools

fail()
{
	printf 'try-fresh-debian: %s\n' "$*" >&2
	exit 1
}

keep=no
if [ "${1:-}" = --keep ]; then
	keep=yes
	shift
fi
suite=${1:-}
case $suite in
bookworm | trixie) shift ;;
*) fail "usage: try-fresh-debian.sh [--keep] bookworm|trixie [COMMAND...]" ;;
esac
[ $# -gt 0 ] || set -- run
[ "$(id -u)" -eq 0 ] || fail 'debootstrap and chroot need root'
command -v debootstrap >/dev/null || fail 'debootstrap is not installed'
mirror=$("$tools/apt-sources.sh" mirror) || fail "this machine's apt sources name no Debian archive"

target=$(mktemp -d "${TMPDIR:-/tmp}/fresh-debian.XXXXXX")
# mktemp gives 0700, and a user without rights must be able to enter.
chmod 755 "$target"
child=''
# What runs inside is ended first, because it keeps the mounts busy; only processes whose root is ours are touched.
# shellcheck disable=SC2329
cleanup()
{
	local status=$? process mount
	trap '' INT TERM HUP
	[ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true
	for process in /proc/[0-9]*; do
		if [ "$(readlink "$process/root" 2>/dev/null)" = "$target" ]; then
			kill -KILL "${process#/proc/}" 2>/dev/null || true
		fi
	done
	for mount in dev/shm dev/pts dev sys proc; do
		mountpoint -q "$target/$mount" && { umount "$target/$mount" || umount -l "$target/$mount"; }
	done
	if awk -v root="$target/" 'index($2, root) == 1 { found = 1 } END { exit !found }' /proc/mounts; then
		printf 'try-fresh-debian: something is still mounted below %s: not removed\n' "$target" >&2
	elif [ "$keep" = no ]; then
		rm -rf --one-file-system -- "$target"
	else
		printf 'try-fresh-debian: kept %s\n' "$target"
	fi
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say()
{
	printf '== %s: %s (%d s)\n' "$suite" "$*" "$SECONDS"
}

inside()
{
	chroot "$target" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TERM=dumb "$@" </dev/null &
	child=$!
	local status=0
	wait "$child" || status=$?
	child=''
	return "$status"
}

say "debootstrap from $mirror"
debootstrap --variant=minbase "$suite" "$target" "$mirror" >"$target.log" 2>&1 || {
	tail -n 20 "$target.log" >&2
	fail "debootstrap failed; see $target.log"
}
rm -f "$target.log"
mount -t proc proc "$target/proc"
mount --bind /dev "$target/dev"
cp -L /etc/resolv.conf "$target/etc/resolv.conf" 2>/dev/null || true
apt-config dump 2>/dev/null | grep -E '^Acquire::(http|https)::Proxy ' >"$target/etc/apt/apt.conf.d/90proxy" || true

# A path with a blank, because somebody has one.
clone="/srv/a checkout/hilbench"
clone_of_user="/srv/tester/hilbench"
for place in "$clone" "$clone_of_user"; do
	mkdir -p "$(dirname "$target$place")"
	git -c safe.directory='*' clone -q --no-hardlinks "$tools/.." "$target$place"
done
inside useradd --no-create-home --uid 4711 tester
chown -R 4711:4711 "$target/srv/tester"

say "./bench $* as root"
began=$SECONDS
status=0
inside "$clone/bench" "$@" || status=$?
say "status $status after $((SECONDS - began)) s"
[ "$status" -eq 0 ] || fail "./bench $* as root on a fresh $suite: status $status"

say 'a second run installs nothing'
inside "$clone/tools/packages.sh" build >"$target/tmp/second" 2>&1 || fail 'the second package check failed'
[ ! -s "$target/tmp/second" ] || fail "the second run wants to change: $(cat "$target/tmp/second")"

say "./bench $* as a user"
began=$SECONDS
inside setpriv --reuid 4711 --regid 4711 --clear-groups env HOME=/srv/tester "$clone_of_user/bench" "$@" || status=$?
say "status $status after $((SECONDS - began)) s"
[ "$status" -eq 0 ] || fail "./bench $* as a user on a fresh $suite: status $status"
say 'works'
