#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# packages.sh build|test: installs the Debian packages that are missing or too old. Prints every change before it makes
# it; when nothing is missing it prints nothing and changes nothing.
#
# Debian 13 is the baseline. Debian 12 has no OpenSSL 3.5 and no mbedTLS 3.6, so there the trixie suite of the mirror
# that the machine already uses is added with a low pin: nothing else is upgraded by it.
set -euo pipefail
tools=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
readonly tools
readonly source_file=/etc/apt/sources.list.d/trixie-for-hilbench.sources
readonly pin_file=/etc/apt/preferences.d/trixie-for-hilbench

# Package and the oldest version that will do.
readonly build_packages='gcc 4:14
libc6-dev 2.41
meson 1.0
ninja-build 1.11
pkgconf 1.8
libssl-dev 3.5
openssl 3.5
libmbedtls-dev 3.6
libyaml-dev 0.2.5
libsystemd-dev 257
libjansson-dev 2.14
libgpiod-dev 2.1
libsocketcan-dev 0.0.12
libxml2-dev 2.9.14
libsqlite3-dev 3.40
libmicrohttpd-dev 0.9.75
libcurl4-openssl-dev 7.88
npm 9
libedit-dev 3.1
zlib1g-dev 1:1.2.13
iproute2 6.1
openocd 0.12'
readonly test_packages='git 1:2
check 0.15.2
libxml2-utils 2.9.14
tshark 4.0
python3-scapy 2.5
python3-can 4.1
qemu-system-x86 1:7.2
qemu-system-arm 1:7.2
systemd 252
gdbserver 13.1
gcc-arm-none-eabi 15:12
libnewlib-arm-none-eabi 3
clang-19 1:19
clang-format-19 1:19
libclang-rt-19-dev 1:19
chromium 120'

fail()
{
	printf 'bench: %s\n' "$*" >&2
	exit 1
}

wanted()
{
	printf '%s\n' "$build_packages"
	[ "$1" = build ] || printf '%s\n' "$test_packages"
}

# Prints the packages of the set $1 that are not installed in the version that is needed.
missing()
{
	local have name version
	declare -A have=()
	# Some packages of Node.js bring npm with them.
	! command -v npm >/dev/null || have[npm]=999
	while read -r name version; do
		have[$name]=$version
	done < <(dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n' 2>/dev/null | awk '$3 == "installed" { print $1, $2 }')
	while read -r name version; do
		if [ -z "${have[$name]:-}" ] || ! dpkg --compare-versions "${have[$name]}" ge "$version"; then
			printf '%s\n' "$name"
		fi
	done < <(wanted "$1")
}

explain_other_system()
{
	{
		printf 'bench: %s. It can install packages on Debian 12 and 13 only.\n' "$1"
		printf 'These are needed (Debian package and oldest version), install them with what your system has:\n'
		wanted "$2" | sed 's/^/  /; s/ \([^ ]*\)$/ >= \1/'
	} >&2
	exit 1
}

distribution()
{
	# shellcheck disable=SC1091
	(. /etc/os-release 2>/dev/null && printf '%s' "${ID:-unknown}") || printf unknown
}

# How packages come onto this machine: "plain", or "trixie" when it is a Debian 12.
way()
{
	if "$tools/apt-sources.sh" has 'bookworm oldstable'; then
		printf trixie
	elif "$tools/apt-sources.sh" has 'trixie stable forky testing sid unstable'; then
		printf plain
	else
		printf none
	fi
}

as_root=()
become_root()
{
	[ "$(id -u)" -ne 0 ] || return 0
	command -v sudo >/dev/null || fail "packages are missing ($1) and this is neither root nor a machine with sudo: run './bench packages ${2}' as root once"
	as_root=(sudo)
}

write_file()
{
	"${as_root[@]}" tee "$1" >/dev/null
}

announce()
{
	local way=$1
	shift
	printf 'bench: packages are missing. These changes are made now%s:\n' "${as_root:+ with sudo}"
	if [ "$add_source" = yes ]; then
		printf '  new file  %s\n            the suite trixie of %s, the mirror that this Debian 12 uses\n' "$source_file" "$("$tools/apt-sources.sh" mirror)"
	fi
	if [ "$add_pin" = yes ]; then
		printf '  new file  %s\n            priority 100: nothing but what is asked for is taken from there\n' "$pin_file"
	fi
	printf '  packages  %s\n' "$*" | fold -s -w 100 | sed '2,$s/^/            /'
	if [ "$way" = trixie ]; then
		printf '            from trixie, with what they depend on (a newer libc6 among them)\n'
	else
		printf '            with what they depend on\n'
	fi
}

install_packages()
{
	local way=$1 option=()
	shift
	if [ "$add_source" = yes ]; then
		"$tools/apt-sources.sh" stanza trixie | write_file "$source_file"
	fi
	if [ "$add_pin" = yes ]; then
		printf 'Package: *\nPin: release n=trixie\nPin-Priority: 100\n' | write_file "$pin_file"
	fi
	[ "$way" = plain ] || option=(-t trixie)
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q </dev/null ||
		printf 'bench: apt-get update reported errors; going on with what it has\n' >&2
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a \
		apt-get install -y -q -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold --no-install-recommends \
		"${option[@]}" "$@" </dev/null || fail "apt-get could not install the packages; what it said is above"
}

set_name=${1:-build}
[ "$set_name" = build ] || [ "$set_name" = test ] || fail "packages.sh: build or test"
command -v dpkg-query >/dev/null || explain_other_system 'this system has no dpkg' "$set_name"
mapfile -t needed < <(missing "$set_name")
[ ${#needed[@]} -gt 0 ] || exit 0

name=$(distribution)
[ "$name" = debian ] || explain_other_system "packages are missing (${needed[*]}) and this is \"$name\"" "$set_name"
way=$(way)
[ "$way" != none ] || explain_other_system "packages are missing (${needed[*]}) and apt's sources name no Debian 12 or 13 archive" "$set_name"
become_root "${needed[*]}" "$set_name"
add_source=no
add_pin=no
if [ "$way" = trixie ]; then
	"$tools/apt-sources.sh" has-same trixie || add_source=yes
	# A trixie source that is somebody else's has somebody else's pin.
	if [ ! -e "$pin_file" ] && { [ "$add_source" = yes ] || [ -e "$source_file" ]; }; then
		add_pin=yes
	fi
fi
announce "$way" "${needed[@]}"
install_packages "$way" "${needed[@]}"
mapfile -t needed < <(missing "$set_name")
[ ${#needed[@]} -eq 0 ] || fail "still missing or too old after the installation: ${needed[*]}"
