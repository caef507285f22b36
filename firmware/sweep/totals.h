/* SPDX-License-Identifier: Apache-2.0 */
/* What all workers count together. */
#ifndef FIRMWARE_SWEEP_TOTALS_H
#define FIRMWARE_SWEEP_TOTALS_H

#include "board.h"

#include <stdatomic.h>

#define TOTALS_VIOLATIONS 512u
#define TOTALS_GROUPS     (STAGES * REGIONS * 2u)
#define TOTALS_INVARIANTS 10u

struct violation {
	atomic_bool ready;
	unsigned invariant, group;
	char id[SWEEP_ID_SIZE], text[200];
};
/* Operations of one kind in one stage: what a report calls a test case. */
struct group {
	atomic_uint operations;                   /* with a cut at least */
	atomic_uint done;                         /* gone through: with --random one may have none */
	atomic_ulong points, violations, time_ns; /* time_ns: of all workers */
	atomic_uint first;                        /* number of its first violation, from 1; 0 none */
};
struct totals {
	atomic_uint next, done;             /* operations: handed out, finished */
	atomic_uint struck;                 /* operations with a cut */
	atomic_ulong triples;               /* begun, of --random */
	atomic_ulong points;                /* cuts that were made */
	atomic_ulong same, settled, played; /* the flash was seen before; after the boot it was; told to the end */
	atomic_ulong boots;
	atomic_ulong classes[2][5], phases[3];
	atomic_ulong by_invariant[TOTALS_INVARIANTS];
	atomic_uint violations;
	atomic_uint wear[REGIONS];
	struct group groups[TOTALS_GROUPS];
	struct violation list[TOTALS_VIOLATIONS];
};

static inline unsigned group_of(const struct operation *operation)
{
	return (operation->know.stage * REGIONS + operation_region(operation)) * 2u + operation->kind;
}
/* "transfer.bank.program" */
void group_name(unsigned group, char *buffer, size_t size);
void totals_wear(struct totals *totals, unsigned region, uint32_t erases);
/* Counts, and keeps it as long as there is room. */
void totals_violation(struct totals *totals, unsigned group, const char *id, const struct finding *finding);

#endif
