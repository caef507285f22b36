#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The rack's junit.xml as an XML reader other than ours sees it.
set -u
file=$HILBENCH_RUN/junit.xml
failed=0

not_ok()
{
	failed=1
	printf 'not ok %s - %s\n' "$1" "$2"
}

value()
{
	xmllint --nonet --xpath "$1" "$file" 2>&1
}

expect()
{
	local got
	got=$(value "$2")
	if [ "$got" = "$3" ]; then
		printf 'ok %s\n' "$1"
	else
		not_ok "$1" "$got instead of $3"
	fi
}

if [ ! -e "$file" ]; then
	not_ok 'junit.xml' "$file is not there"
	exit 1
fi
if message=$(xmllint --nonet --noout "$file" 2>&1); then
	printf 'ok well formed\n'
else
	not_ok 'well formed' "${message:0:200}"
	exit 1
fi
count=$(value 'count(//testcase)')
if [ "$count" -ge 60 ]; then
	printf 'ok at least 60 test cases\n'
else
	not_ok 'at least 60 test cases' "$count"
fi
twice=$(value '//testcase/@name' | sort | uniq -d | head -n 3 | tr '\n' ' ')
if [ -z "$twice" ]; then
	printf 'ok every test case is there once\n'
else
	not_ok 'every test case is there once' "$twice"
fi
expect 'the count of tests is right' 'boolean(sum(/testsuites/testsuite/@tests) = count(//testcase))' true
expect 'the count of failures is right' 'boolean(sum(/testsuites/testsuite/@failures) = count(//testcase/failure))' true
expect 'the count of errors is right' 'boolean(sum(/testsuites/testsuite/@errors) = count(//testcase/error))' true
expect 'every test case has a time' 'count(//testcase[not(number(@time) >= 0)])' 0
expect 'every suite has a UTC time stamp' 'count(//testsuite[not(substring(@timestamp, string-length(@timestamp)) = "Z")])' 0
exit $failed
