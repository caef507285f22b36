#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# build.sh plain|asan|fuzz: builds one of the build directories, again only what has changed.
#   plain  build/meson, installed into build/bin, build/share
#   asan   build/asan, with tests, AddressSanitizer and UndefinedBehaviorSanitizer
#   fuzz   build/fuzz, the libFuzzer programs, built with clang
set -euo pipefail
root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly root

kind=${1:-plain}
options=(--prefix "$root/build" --libdir lib)
case $kind in
plain)
	directory=$root/build/meson
	options+=(-Dtests=false)
	;;
asan)
	directory=$root/build/asan
	# Some of gcc's warnings are unreliable in instrumented code; the plain build enforces them for all but the tests.
	# Instrumented code takes twice as long to compile at -O2, and runs hardly faster.
	options+=(-Dtests=true -Doptimization=1 "-Db_sanitize=address,undefined" -Db_lundef=false
		"-Dc_args=-Wno-error=nonnull -Wno-error=maybe-uninitialized -Wno-error=format-truncation -Wno-error=stringop-overflow")
	;;
fuzz)
	directory=$root/build/fuzz
	export CC=clang-19
	options+=(-Dtests=true -Dfuzzing=true "-Db_sanitize=address,undefined" -Db_lundef=false)
	;;
*)
	echo 'usage: build.sh plain|asan|fuzz' >&2
	exit 2
	;;
esac

log=$root/build/$kind.log
mkdir -p "$root/build"
# Two builds of one checkout at the same time would spoil each other.
exec 9>"$root/build/.lock"
flock 9

say_failure()
{
	if grep -q '^FAILED:' "$log"; then
		sed -n '/^FAILED:/,$p' "$log" | head -n 40 >&2
	else
		tail -n 40 "$log" >&2
	fi
	printf 'bench: the build failed; the whole log is %s\n' "$log" >&2
	exit 1
}

# A build directory remembers absolute paths and its options: one that was made elsewhere or otherwise is made anew.
stamp="$root ${options[*]} ${CC:-}"
if [ ! -e "$directory/build.ninja" ] || [ "$(cat "$directory/.bench" 2>/dev/null)" != "$stamp" ]; then
	rm -rf -- "$directory"
	printf 'bench: configuring build/%s\n' "${directory##*/}"
	meson setup "${options[@]}" "$directory" "$root" </dev/null >"$log" 2>&1 9>&- || say_failure
	printf '%s\n' "$stamp" >"$directory/.bench"
fi
# Of the fuzzers' build only they are wanted: everything else is in the other builds.
targets=()
if [ "$kind" = fuzz ]; then
	# Their names as they are now: a fuzzer that has just come or gone is known only after this.
	ninja -C "$directory" build.ninja </dev/null >"$log" 2>&1 9>&- || say_failure
	mapfile -t targets < <(ninja -C "$directory" -t targets all | sed -n 's|^\(.*/fuzz[-_][a-z_]*\): .*|\1|p')
	[ "${#targets[@]}" -gt 0 ] || say_failure
fi
if ! ninja -C "$directory" -n "${targets[@]}" 2>/dev/null | grep -q 'no work to do'; then
	printf 'bench: building build/%s\n' "${directory##*/}"
	ninja -C "$directory" "${targets[@]}" </dev/null >"$log" 2>&1 9>&- || say_failure
fi
if [ "$kind" = plain ]; then
	meson install -C "$directory" --no-rebuild --quiet </dev/null >"$log" 2>&1 9>&- || say_failure
fi
