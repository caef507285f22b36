/* SPDX-License-Identifier: Apache-2.0 */
/* One lane while a journal is read: where its items are in the file, evenly thinned when there are too many. */
#ifndef HARNESS_DAEMON_JOB_LANE_H
#define HARNESS_DAEMON_JOB_LANE_H

#include "lanes_plan.h"

struct lane_item {
	int64_t t_ns, end_ns;          /* end_ns: LANE_NO_END, LANE_OPEN */
	uint64_t begin_line, end_line; /* offsets in the file; LANE_NO_LINE: none */
	uint32_t begin_length, end_length;
};
#define LANE_NO_END  INT64_MIN
#define LANE_OPEN    INT64_MAX
#define LANE_NO_LINE UINT64_MAX

struct lane_shelf {
	struct lane_item *items;
	unsigned count, room;
	uint64_t seen, stride; /* every stride-th is kept */
	unsigned share;        /* of them that go into the answer */
};
#define LANE_SHELVES 2 /* what failed; the others */
struct lane {
	char name[80];
	enum lane_kind kind;
	unsigned depth, importance; /* of its most important item */
	struct lane_shelf shelves[LANE_SHELVES];
	bool is_open;
	struct lane_item open;
};
/* False: out of memory. capacity: how many items a shelf keeps at most, at least 2. */
bool lane_put(struct lane *, unsigned shelf, const struct lane_item *, unsigned capacity);
void lane_clear(struct lane *);
/* Divides `limit` places among the lanes: importance 0 first, the others share the rest; of what is equal each its even share, what failed
 * before the others. */
void lanes_share(struct lane *lanes, unsigned count, unsigned limit);

#endif
