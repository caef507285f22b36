/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_BASE_VERDICT_H
#define HARNESS_BASE_VERDICT_H

/* Ordered by weight: the verdict of a whole is the heaviest of its parts (verdict_worse()). */
enum verdict { VERDICT_PASS, VERDICT_SKIPPED, VERDICT_INCONCLUSIVE, VERDICT_FAIL, VERDICT_ERROR };
enum cause { CAUSE_NONE, CAUSE_DUT, CAUSE_BENCH, CAUSE_TESTCASE, CAUSE_OPERATOR };

const char *verdict_name(enum verdict);                         /* "pass" "skipped" "inconclusive" "fail" "error" */
const char *cause_name(enum cause);                             /* "" "dut" "bench" "testcase" "operator" */
int verdict_parse(const char *name, enum verdict *ret_verdict); /* 0 or -EINVAL */
int cause_parse(const char *name, enum cause *ret_cause);       /* "" and NULL: CAUSE_NONE */
enum verdict verdict_worse(enum verdict, enum verdict);

/* Exit status of `hilbench run`: 0 all passed (skipped counts as passed), 1 a DUT failure, 2 usage or invalid
 * file (also verdicts with cause testcase), 3 bench error, 4 inconclusive, 130 interrupted. When several apply
 * the order of precedence is 130, 3, 2, 1, 4. */
struct verdict_tally {
	unsigned by_verdict[VERDICT_ERROR + 1];
	unsigned bench, testcase, operator_;
};
void verdict_tally_add(struct verdict_tally *, enum verdict, enum cause);
int verdict_exit_status(const struct verdict_tally *);

#endif
