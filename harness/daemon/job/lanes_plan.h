/* SPDX-License-Identifier: Apache-2.0 */
/* Which lane an event belongs to, by its channel and kind alone. */
#ifndef HARNESS_DAEMON_JOB_LANES_PLAN_H
#define HARNESS_DAEMON_JOB_LANES_PLAN_H

#include "line.h"

/* In the order in which they are drawn. */
enum lane_kind { LANE_CASE, LANE_STEP, LANE_POWER, LANE_BOOT, LANE_TLS, LANE_DOIP, LANE_CAN, LANE_CONSOLE, LANE_PROBE, LANE_OTHER };
const char *lane_kind_name(enum lane_kind);

enum lane_act {
	ACT_NONE,  /* not drawn */
	ACT_POINT, /* something of one moment */
	ACT_BEGIN, /* of something that lasts; ends what is open in the lane */
	ACT_END,   /* of what is open in the lane */
	ACT_NEXT,  /* ends what is open, and begins the next, as boot stages do */
	ACT_BREAK, /* a moment that also ends what is open */
};
struct lane_plan {
	enum lane_kind lane;
	enum lane_act act;
	const char *prefix;  /* of the lane's name, before the channel's; NULL: the channel says nothing */
	unsigned importance; /* 0: thinned last; 2: chatter, first */
};
struct lane_plan lane_plan(const struct line_head *);

#endif
