/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at every resource that a rig file names, without changing anything: programs, packages, certificates, power supplies, consoles,
 * reset lines, probes, CAN interfaces, addresses. docs/reference/rig-check.md says what is looked at, and what is left alone because a look
 * would change a board's state.
 */
#ifndef HARNESS_RIG_CHECK_H
#define HARNESS_RIG_CHECK_H

#include "rig.h"

enum rig_check_state {
	RIG_CHECK_OK,
	RIG_CHECK_NOT_ASKED, /* asking would change something, or there is nothing that could answer: `problem` says which */
	RIG_CHECK_WARNING,
	RIG_CHECK_BAD
};
const char *rig_check_state_name(enum rig_check_state); /* "ok" "not asked" "warning" "bad" */

struct rig_check_result {
	char *owner; /* the role, link, bus or identity that needs it; "rig", "tester" */
	char *kind, *name;
	enum rig_check_state state;
	char *found;   /* what is there, "" nothing */
	char *problem; /* what is wrong and where, "" nothing */
	char *remedy;  /* which cable, setting or key of the rig file, "" none */
	int64_t duration_ns;
};
struct rig_check_report {
	struct rig_check_result *results; /* in the order of the rig file, kind by kind */
	unsigned count;
	bool numbered; /* addresses have an N where a run puts the number of its rack */
	bool in_use;   /* somebody else has the rig: its instruments were not asked */
};
/* All at the same time, in processes of their own; what has not answered after within_ns is `bad`, and ended. 0 also when something is
 * bad; ERROR_BENCH: the check itself could not be made. Free with rig_check_report_free(). */
int rig_check_resources(const struct rig_file *, int64_t within_ns, struct rig_check_report *ret, struct error *err) WARN_UNUSED;
/* The same until the descriptor `interrupt` can be read: then everything is ended, -ECANCELED (ERROR_OPERATOR). */
int rig_check_resources_unless(const struct rig_file *, int64_t within_ns, int interrupt, struct rig_check_report *ret,
                               struct error *err) WARN_UNUSED;
void rig_check_report_free(struct rig_check_report *);
/* The worst state of all. */
enum rig_check_state rig_check_worst(const struct rig_check_report *);

#endif
