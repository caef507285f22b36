#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run-racks.sh OUT: every case of testcases/ but the long ones, on virtual racks side by side; HILBENCH_BIN and HILBENCH_ROOT
# as of run-tests.sh. Most of a case's time is waiting, so three racks need hardly more time than one. Results are in OUT/rack
# (everything but updates), OUT/rack-ota and OUT/rack-ota-boot. The status is that of the worst run.
set -uo pipefail
readonly out=$1
cd "$HILBENCH_ROOT" || exit 3

# About equally long: the boots after updates have a rack of their own.
boots=()
updates=()
others=()
for path in testcases/* testcases/ota/*; do
	case $path in
	testcases/ota) ;;
	testcases/ota/boot.yaml) boots+=("$path") ;;
	testcases/ota/*) updates+=("$path") ;;
	*) others+=("$path") ;;
	esac
done

rack()
{
	local name=$1
	shift
	rm -rf "${out:?}/$name"
	"$HILBENCH_BIN/hilbench" run --rig rigs/virtual.yaml --tag '!long' --out "$out/$name" "$@" 2>&1 | sed "s/^/$name: /"
}

rack rack "${others[@]}" &
racks=($!)
rack rack-ota "${updates[@]}" &
racks+=($!)
rack rack-ota-boot "${boots[@]}" &
racks+=($!)
status=0
for number in "${racks[@]}"; do
	one=0
	wait "$number" || one=$?
	status=$((status > one ? status : one))
done
exit "$status"
