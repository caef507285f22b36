/* SPDX-License-Identifier: Apache-2.0 */
/* One of several runs that left no journal: whoever kept it may have said why, and what it was to have. */
#ifndef HARNESS_REPORT_LOST_RUN_H
#define HARNESS_REPORT_LOST_RUN_H

#include <jansson.h>
#include <stdbool.h>

#define LOST_RUN_FILE "end.json"

struct report_lost_run {
	char *label;
	char *message;  /* why; NULL: nobody said so */
	bool cancelled; /* somebody wanted it so: not the bench's fault */
	json_t *cases;  /* ids that it was to have, strings; NULL: not known */
};
/* Reads directory/end.json: {"message": TEXT, "cancelled": BOOL, "cases": [ID…]}, each of which may be absent, as may the file; what is
 * none of it is left out. 0 or -ENOMEM; release with report_lost_run_clear() in any case. */
int report_lost_run_read(const char *label, const char *directory, struct report_lost_run *ret);
void report_lost_run_clear(struct report_lost_run *);

#endif
