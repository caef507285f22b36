/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const char *const verdict_names[] = {
        [VERDICT_PASS] = "pass", [VERDICT_SKIPPED] = "skipped", [VERDICT_INCONCLUSIVE] = "inconclusive",
        [VERDICT_FAIL] = "fail", [VERDICT_ERROR] = "error",
};
static const char *const cause_names[] = {
        [CAUSE_NONE] = "", [CAUSE_DUT] = "dut", [CAUSE_BENCH] = "bench", [CAUSE_TESTCASE] = "testcase", [CAUSE_OPERATOR] = "operator",
};

const char *verdict_name(enum verdict verdict)
{
	return verdict_names[verdict];
}

const char *cause_name(enum cause cause)
{
	return cause_names[cause];
}

int verdict_parse(const char *name, enum verdict *ret_verdict)
{
	for (unsigned i = 0; name && i <= VERDICT_ERROR; i++)
		if (strcmp(name, verdict_names[i]) == 0) {
			*ret_verdict = (enum verdict)i;
			return 0;
		}
	return -EINVAL;
}

int cause_parse(const char *name, enum cause *ret_cause)
{
	if (!name)
		name = "";
	for (unsigned i = 0; i <= CAUSE_OPERATOR; i++)
		if (strcmp(name, cause_names[i]) == 0) {
			*ret_cause = (enum cause)i;
			return 0;
		}
	return -EINVAL;
}

enum verdict verdict_worse(enum verdict a, enum verdict b)
{
	return a > b ? a : b;
}

void verdict_tally_add(struct verdict_tally *tally, enum verdict verdict, enum cause cause)
{
	tally->by_verdict[verdict]++;
	/* A pass or a skip has nothing to answer for, whatever caused it (a case skipped because the rig lacks a role). */
	if (verdict == VERDICT_PASS || verdict == VERDICT_SKIPPED)
		return;
	if (cause == CAUSE_TESTCASE)
		tally->testcase++;
	else if (cause == CAUSE_OPERATOR)
		tally->operator_++;
	else if (cause == CAUSE_BENCH || verdict == VERDICT_ERROR)
		tally->bench++;
}

int verdict_exit_status(const struct verdict_tally *tally)
{
	if (tally->operator_ > 0)
		return 130;
	if (tally->bench > 0)
		return 3;
	if (tally->testcase > 0)
		return 2;
	if (tally->by_verdict[VERDICT_FAIL] > 0)
		return 1;
	if (tally->by_verdict[VERDICT_INCONCLUSIVE] > 0)
		return 4;
	return 0;
}
