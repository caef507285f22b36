#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run-lane.sh OUT LINES SCRIPT...: end-to-end scripts one after the other, each under a supervisor of its own; their lines of the
# test protocol go to the file LINES. Environment as of run-tests.sh, which runs several lanes side by side.
set -uo pipefail
tools=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
readonly tools out=$1 lines=$2
readonly python=/usr/bin/python3
shift 2

for script in "$@"; do
	name=$(basename "$script")
	name=${name%.*}
	interpreter=/bin/bash
	[[ $script != *.py ]] || interpreter=$python
	status=0
	rm -rf "${out:?}/$name"
	mkdir -p "$out/$name"
	: >"$out/$name.log"
	HILBENCH_OUT=$out/$name "$python" "$tools/supervise.py" --name "$name" --timeout 600 --log "$out/$name.log" -- "$interpreter" "$script" ||
		status=$?
	"$python" "$tools/test-lines.py" script "$name" "$status" "$out/$name.log" >>"$lines"
done
