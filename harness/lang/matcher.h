/* SPDX-License-Identifier: Apache-2.0 */
/* One matcher of an expectation: the operators of step.h, checked at load and applied at run time. */
#ifndef HARNESS_LANG_MATCHER_H
#define HARNESS_LANG_MATCHER_H

#include "../base/value.h"

enum matcher_op {
	MATCHER_EQ,
	MATCHER_NE,
	MATCHER_IN_RANGE,
	MATCHER_ONE_OF,
	MATCHER_BYTES,
	MATCHER_MATCHES,
	MATCHER_AT_LEAST,
	MATCHER_AT_MOST,
	MATCHER_ABSENT,
	MATCHER_PRESENT,
};
extern const char *const matcher_names[]; /* by enum matcher_op, NULL-terminated */

/* 0 or -EINVAL. */
int matcher_parse(const char *name, enum matcher_op *ret) WARN_UNUSED;

/* Checks an operand without variables. type: of the field, or NULL when it is not known before the run. */
int matcher_check(enum matcher_op, const struct value *operand, const enum value_type *type, struct error *err) WARN_UNUSED;

/* A POSIX extended regular expression, bounded in size. 0 or -EINVAL with ERROR_USAGE at the text's place. */
int regex_check(const struct value *text, struct error *err) WARN_UNUSED;

/* 1: holds, 0: does not, -errno: the operand does not fit the value (ERROR_TESTCASE). actual NULL: the field is absent. */
int matcher_apply(enum matcher_op, const struct value *operand, const struct value *actual, struct error *err) WARN_UNUSED;

/* "0x10", "from 1 to 5", "matches ^a": newly allocated; NULL when out of memory. */
char *matcher_describe(enum matcher_op, const struct value *operand, const struct value *actual);

#endif
