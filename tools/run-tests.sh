#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run-tests.sh [PART...]: builds and runs the tests; `./bench test` calls it. Parts: repository unit fuzz rack e2e.
# Every part writes lines of the test protocol (docs/reference/test-protocol.md) into build/test/results; the last line
# printed is "N passed, N failed, N skipped" and the status is 0 only if nothing failed.
set -uo pipefail
root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly root
readonly tools=$root/tools
readonly out=$root/build/test
readonly results=$out/results
readonly python=/usr/bin/python3
readonly fuzz_seconds=${HILBENCH_FUZZ_SECONDS:-60}
readonly e2e_lanes=3
# Begun first, so that none of them is alone at the end (build/test/e2e/seconds has what each took).
readonly e2e_longest=(planted_defects systemd_start openocd_faults kernel_can gpio_relay mishaps real_drivers)

export PATH="/usr/bin:/bin:/usr/sbin:/sbin:${PATH:-}"
export LC_ALL=C.UTF-8
export HILBENCH_ROOT=$root
export HILBENCH_BIN=$root/build/bin
export HILBENCH_SHARE=$root/build/share/hilbench
export HILBENCH_RUN=$out/rack
export PYTHONDONTWRITEBYTECODE=1
ulimit -c 0
began=$SECONDS

child=() # supervisors that run
# A signal ends the part that runs (its supervisor ends everything below it), then this script.
# shellcheck disable=SC2329
interrupted()
{
	trap '' INT TERM HUP
	if [ "${#child[@]}" -gt 0 ]; then
		kill -TERM "${child[@]}" 2>/dev/null
		wait "${child[@]}" 2>/dev/null
	fi
	printf 'bench: interrupted\n' >&2
	exit "$1"
}
trap 'interrupted 130' INT
trap 'interrupted 143' TERM
trap 'interrupted 129' HUP

heading()
{
	printf '== %s (%d s)\n' "$1" $((SECONDS - began))
}

# supervised NAME SECONDS LOG COMMAND...: the command's status; its output goes to the log.
supervised()
{
	local name=$1 limit=$2 log=$3
	shift 3
	mkdir -p "$(dirname "$log")"
	: >"$log"
	"$python" "$tools/supervise.py" --name "$name" --timeout "$limit" --log "$log" -- "$@" &
	child=($!)
	wait "${child[0]}"
	local status=$?
	child=()
	return $status
}

# Takes protocol lines from standard input into the results; prints those that did not pass.
record()
{
	local line
	while IFS= read -r line; do
		printf '%s\n' "$line" >>"$results"
		case $line in
		'not ok '* | 'skip '*) printf '%s\n' "$line" ;;
		esac
	done
}

# Lines that the supervisor added to a log which is not made of protocol lines itself.
record_supervisor()
{
	grep -a "^not ok $1" "$2" | record
}

# build_part KIND: status 1 (and a failed test) when it does not build.
build_part()
{
	if supervised "build $1" 1200 "$out/build-$1.log" "$tools/build.sh" "$1"; then
		printf 'ok build %s\n' "$1" | record
		return 0
	fi
	sed -n '/^FAILED:/,$p' "$root/build/$1.log" | head -n 30
	printf 'not ok build %s - see %s\n' "$1" "$root/build/$1.log" | record
	return 1
}

part_repository()
{
	heading 'rules of the repository'
	local status=0
	supervised repository 120 "$out/repository.log" "$python" "$tools/check-repository.py" || status=$?
	grep -a '^  ' "$out/repository.log"
	"$python" "$tools/test-lines.py" script repository "$status" "$out/repository.log" | record
}

# LeakSanitizer needs ptrace, which some containers refuse.
leaks_can_be_found()
{
	local probe=$out/leak-probe
	printf 'int main(void) { return 0; }\n' | gcc -fsanitize=address -x c -o "$probe" - 2>/dev/null &&
		ASAN_OPTIONS=detect_leaks=1 "$probe" >/dev/null 2>&1
}

part_unit()
{
	heading 'unit and integration tests with AddressSanitizer and UndefinedBehaviorSanitizer'
	build_part asan || return
	local leaks=0 log=$root/build/asan/meson-logs/testlog.json
	if leaks_can_be_found; then
		leaks=1
	else
		printf 'skip leak detection - this machine does not let LeakSanitizer trace\n' | record
	fi
	rm -f "$log"
	mkdir -p "$out/unit"
	# Check's own limit of a case is 4 s of the clock: too little for instrumented code on a machine that does other things too.
	# Many tests wait most of their time, for a time limit or for another process: two more than there are processors.
	CK_DEFAULT_TIMEOUT=60 CK_TIMEOUT_MULTIPLIER=3 \
		ASAN_OPTIONS="detect_leaks=$leaks:abort_on_error=1:strict_string_checks=1:check_initialization_order=1" \
		UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1 MESON_TESTTHREADS=$(($(nproc) + 2)) \
		supervised unit 1500 "$out/unit.log" meson test -C "$root/build/asan" --no-rebuild --timeout-multiplier 3
	record_supervisor unit "$out/unit.log"
	if [ -e "$log" ]; then
		"$python" "$tools/test-lines.py" meson "$log" "$out/unit" | record
	else
		tail -n 20 "$out/unit.log"
		printf 'not ok unit - meson wrote no results; see %s\n' "$out/unit.log" | record
	fi
}

# fuzz_one PROGRAM SECONDS: its corpus first, then new inputs; what it finds is kept in build/fuzz/corpus.
fuzz_one()
{
	local program=$1 seconds=$2 name corpus
	name=$(basename "$program")
	corpus=$root/build/fuzz/corpus/$name
	mkdir -p "$corpus" "$out/fuzz"
	local arguments=("-max_total_time=$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1
		"-artifact_prefix=$out/fuzz/$name-" "$corpus") sources seeds
	# The corpus lies beside the fuzzer's source: corpus/NAME where there are several, else corpus.
	sources=$root/$(dirname "${program#"$root/build/fuzz/"}")
	for seeds in "$sources/corpus/$name" "$sources/corpus/${name#fuzz[-_]}" "$sources/corpus-${name#fuzz[-_]}" "$sources/corpus"; do
		if [ -d "$seeds" ]; then
			arguments+=("$seeds")
			break
		fi
	done
	if ASAN_OPTIONS=detect_leaks=0 supervised "fuzz $name" $((seconds + 60)) "$out/fuzz/$name.log" "$program" "${arguments[@]}"; then
		printf 'ok fuzz %s\n' "$name" | record
	else
		local found
		found=$(grep -a -o 'Test unit written to .*' "$out/fuzz/$name.log" | tail -n 1)
		printf 'not ok fuzz %s - %s; see %s\n' "$name" "${found:-no reproducer}" "$out/fuzz/$name.log" | record
	fi
}

part_fuzz()
{
	heading "fuzzing for $fuzz_seconds s"
	build_part fuzz || return
	local programs=() share program
	mapfile -t programs < <(find "$root/build/fuzz" -type f -executable -name 'fuzz[-_]*' ! -name '*.so*' | sort)
	if [ ${#programs[@]} -eq 0 ]; then
		printf 'not ok fuzz - build/fuzz holds no fuzzer\n' | record
		return
	fi
	share=$((fuzz_seconds / ${#programs[@]}))
	for program in "${programs[@]}"; do
		fuzz_one "$program" $((share > 1 ? share : 1))
	done
}

# The programs of build/bin, which the rack and the end-to-end scripts use.
programs_built=''
need_programs()
{
	[ -z "$programs_built" ] || return "$programs_built"
	programs_built=1
	build_part plain && programs_built=0
	return "$programs_built"
}

part_rack()
{
	heading 'every test case on the virtual rack'
	need_programs || return
	local status=0 run
	supervised rack 1800 "$out/rack.log" "$tools/run-racks.sh" "$out" || status=$?
	record_supervisor rack "$out/rack.log"
	for run in "$HILBENCH_RUN" "$HILBENCH_RUN-ota" "$HILBENCH_RUN-ota-boot"; do
		if [ -e "$run/junit.xml" ]; then
			"$python" "$tools/test-lines.py" junit "$run/junit.xml" | record
		else
			printf 'not ok rack: %s leaves a junit.xml - there is none; see %s\n' "$(basename "$run")" "$out/rack.log" | record
		fi
	done
	if [ "$status" -ne 0 ]; then
		tail -n 15 "$out/rack.log"
		printf 'not ok rack: hilbench run ends with status 0 - status %d; see %s\n' "$status" "$out/rack.log" | record
	else
		printf 'ok rack: hilbench run ends with status 0\n' | record
	fi
}

part_e2e()
{
	heading 'end to end: planted defects, faults, independent tools'
	need_programs || return
	if [ ! -e "$HILBENCH_RUN/junit.xml" ]; then
		part_rack
		heading 'end to end, again'
	fi
	local script name number status
	local -a queues=()
	mkdir -p "$out/e2e"
	rm -f "$out"/e2e/lane-* "$out"/e2e/queue-* "$out/e2e/seconds"
	: >"$out/e2e/queue-daemon"
	# Those of the daemon bring several racks each: never two of them at once.
	for script in "$root"/harness/tests/e2e/daemon_*.py; do
		printf '%s\n' "$script" >>"$out/e2e/queue-daemon"
	done
	for name in "${e2e_longest[@]}"; do
		printf '%s\n' "$root/harness/tests/e2e/$name.py"
	done >"$out/e2e/queue-others"
	for script in "$root"/harness/tests/e2e/*.sh "$root"/harness/tests/e2e/*.py; do
		[[ -e $script && $(basename "$script") != _* && $(basename "$script") != daemon_* ]] || continue
		grep -q -x -F -- "$script" "$out/e2e/queue-others" || printf '%s\n' "$script" >>"$out/e2e/queue-others"
	done
	# Scripts wait more than they compute: several lanes. Each takes the next script when it has done one.
	for ((number = 0; number < e2e_lanes; number++)); do
		queues=("$out/e2e/queue-others")
		[ "$number" -ne 0 ] || queues=("$out/e2e/queue-daemon" "${queues[@]}")
		"$python" "$tools/supervise.py" --name "lane $number" --timeout 3000 --log "$out/e2e/lane-$number.log" -- \
			"$tools/run-lane.sh" "$out/e2e" "$out/e2e/lane-$number.lines" "${queues[@]}" &
		child+=($!)
	done
	for ((number = 0; number < e2e_lanes; number++)); do
		status=0
		wait "${child[$number]}" || status=$?
		[ ! -e "$out/e2e/lane-$number.lines" ] || record <"$out/e2e/lane-$number.lines"
		record_supervisor "lane $number" "$out/e2e/lane-$number.log"
		[ "$status" -eq 0 ] || printf 'not ok lane %d of the end-to-end scripts ends with status 0 - status %d\n' "$number" "$status" | record
	done
	child=()
}

conclude()
{
	local passed failed skipped
	passed=$(grep -a -c '^ok ' "$results")
	failed=$(grep -a -c '^not ok ' "$results")
	skipped=$(grep -a -c '^skip ' "$results")
	heading finished
	if [ "$failed" -gt 0 ]; then
		printf 'what failed:\n'
		grep -a '^not ok ' "$results" | sed 's/^/  /'
	fi
	if [ "$passed" -eq 0 ] && [ "$failed" -eq 0 ]; then
		failed=1
	fi
	printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
	[ "$failed" -eq 0 ]
}

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(repository unit fuzz rack e2e)
for part in "${parts[@]}"; do
	case $part in
	repository | unit | fuzz | rack | e2e) ;;
	*)
		printf 'bench: there is no part "%s"; parts: repository unit fuzz rack e2e\n' "$part" >&2
		exit 2
		;;
	esac
done
# The names of cases and files in results are relative to the checkout.
cd "$root" || exit 3
mkdir -p "$out"
: >"$results"
for part in "${parts[@]}"; do
	"part_$part"
done
conclude
