#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# build.sh plain|asan|fuzz: builds one of the build directories, again only what has changed.
#   plain  build/meson, installed into build/bin, build/share
#   asan   build/asan: the tests, the programs they run, the benchmarks; AddressSanitizer and UndefinedBehaviorSanitizer
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
	# Instrumented code takes twice as long to compile at -O2, and runs hardly faster. Undefined behaviour ends a program, so
	# that no code for going on after it is made; -g1 is what a sanitizer's report needs. Together: two fifths less to compile.
	options+=(-Dtests=true -Doptimization=1 "-Db_sanitize=address,undefined" -Db_lundef=false
		"-Dc_args=-fno-sanitize-recover=all -g1 -Wno-error=nonnull -Wno-error=maybe-uninitialized -Wno-error=format-truncation -Wno-error=stringop-overflow")
	# Some 200 programs are linked: gold needs a third of the time of the usual linker.
	if command -v ld.gold >/dev/null; then
		options+=(-Dc_link_args=-fuse-ld=gold)
	fi
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
# named_targets PATTERN: their names as they are now; one that has just come or gone is known only after this.
named_targets()
{
	ninja -C "$directory" build.ninja </dev/null >"$log" 2>&1 9>&- || say_failure
	mapfile -t targets < <(ninja -C "$directory" -t targets all | sed -n "s|^\\(.*/$1\\): .*|\\1|p")
	[ "${#targets[@]}" -gt 0 ] || say_failure
}

# What is not wanted of these two builds is in the others.
targets=()
case $kind in
asan)
	named_targets 'bench_[a-z_]*'
	targets+=(meson-test-prereq)
	;;
fuzz) named_targets 'fuzz[-_][a-z_]*' ;;
esac
if ! ninja -C "$directory" -n "${targets[@]}" 2>/dev/null | grep -q 'no work to do'; then
	printf 'bench: building build/%s\n' "${directory##*/}"
	ninja -C "$directory" "${targets[@]}" </dev/null >"$log" 2>&1 9>&- || say_failure
fi
if [ "$kind" = plain ]; then
	meson install -C "$directory" --no-rebuild --quiet </dev/null >"$log" 2>&1 9>&- || say_failure
fi
