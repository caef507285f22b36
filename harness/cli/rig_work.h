/* SPDX-License-Identifier: Apache-2.0 */
/* A command that works through a rig and reports item by item: what `cleanup` and `selftest` share. */
#ifndef HARNESS_CLI_RIG_WORK_H
#define HARNESS_CLI_RIG_WORK_H

#include "rig.h"

struct rig_work {
	const struct rig_call *call;
	struct rig_lock *lock;
	struct bus_folder *folder;
	struct loop *loop;
	struct timeline *timeline;
	json_t *items;
	bool failed, interrupted;
	bool ending;    /* what is done after an interrupt too, and told */
	int64_t end_ns; /* of all of it */
};

/* Takes the rig and prepares for work of at most `within_ns`; what fails is an item. False: nothing may be touched. */
bool rig_work_begin(struct rig_work *ret, const struct rig_call *, int64_t within_ns);
/* From now on the loop goes again: what has to be done at the end is done also when the command was interrupted. */
void rig_work_rearm(struct rig_work *);
/* Prints what was found, frees everything; the exit status: 0, 3 when an item failed, 130 when it was interrupted. */
int rig_work_end(struct rig_work *);
/* What fails because the command was interrupted is nobody's fault: it is left out. */
void rig_work_item(struct rig_work *, bool ok, const char *resource, const char *format, ...) PRINTF_LIKE(4, 5);
/* A share of the time that is left for one of `left` things that are still to be done, at least 100 ms. */
int64_t rig_work_deadline_ns(const struct rig_work *, unsigned left);

#endif
