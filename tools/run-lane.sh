#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run-lane.sh OUT LINES QUEUE...: takes end-to-end scripts from the queues until they are empty and runs one after the other, each under
# a supervisor of its own; their lines of the test protocol go to the file LINES, how long each took to OUT/seconds. A queue is a file with a
# script a line, from which several lanes may take. Environment as of run-tests.sh, which runs several lanes side by side.
set -uo pipefail
tools=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
readonly tools out=$1 lines=$2
readonly python=/usr/bin/python3
shift 2

# The first script of the queue, which then no longer has it; status 1 when it is empty.
take()
{
	(
		flock 9
		IFS= read -r first <"$1" || exit 1
		sed -i 1d "$1"
		printf '%s\n' "$first"
	) 9>"$1.lock"
}

run()
{
	local script=$1 name interpreter=/bin/bash status=0 began=$SECONDS
	name=$(basename "$script")
	name=${name%.*}
	[[ $script != *.py ]] || interpreter=$python
	rm -rf "${out:?}/$name"
	mkdir -p "$out/$name"
	: >"$out/$name.log"
	HILBENCH_OUT=$out/$name "$python" "$tools/supervise.py" --name "$name" --timeout 1200 --log "$out/$name.log" -- "$interpreter" "$script" ||
		status=$?
	"$python" "$tools/test-lines.py" script "$name" "$status" "$out/$name.log" >>"$lines"
	printf '%5d %s\n' $((SECONDS - began)) "$name" >>"$out/seconds"
}

for queue in "$@"; do
	while script=$(take "$queue"); do
		run "$script"
	done
done
