#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run-racks.sh OUT: every case of testcases/ but the long ones, on virtual racks side by side; HILBENCH_BIN and HILBENCH_ROOT
# as of run-tests.sh. Most of a case's time is waiting, so two racks need hardly more time than one. Results are in OUT/rack
# (everything but updates) and OUT/rack-ota. The status is that of the worst run.
set -uo pipefail
readonly out=$1
cd "$HILBENCH_ROOT" || exit 3

updates=()
others=()
for path in testcases/*; do
	case $path in
	testcases/ota) updates+=("$path") ;;
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
first=$!
rack rack-ota "${updates[@]}" &
second=$!
status=0
wait "$first" || status=$?
wait "$second" || status=$((status > $? ? status : $?))
exit "$status"
