/* SPDX-License-Identifier: Apache-2.0 */
/* The generic steps: declared here, listed in registry.c; and what their files share. */
#ifndef HARNESS_RUN_STEPS_GENERIC_H
#define HARNESS_RUN_STEPS_GENERIC_H

#include "../event_match.h"
#include "../executor_private.h"

/* flow.c */
extern const struct step_def step_wait_for, step_note, step_repeat, step_poll, step_retry;
/* event.c */
extern const struct step_def step_wait_event, step_expect_absent_event;
/* board.c */
extern const struct step_def step_board_power_on, step_board_power_off, step_board_reset, step_board_hold, step_board_release,
        step_board_boot, step_board_restart, step_board_param;
/* console.c */
extern const struct step_def step_console_expect, step_console_send, step_console_lines;
/* rack.c */
extern const struct step_def step_rack_ready;
/* link.c */
extern const struct step_def step_link_cut, step_link_reset, step_link_down, step_link_up, step_link_stall, step_link_delay,
        step_link_split, step_link_cut_after, step_link_cut_at, step_link_restore, step_link_expect_event;
/* measure.c */
extern const struct step_def step_measure_begin, step_measure_end, step_measure_block;

/* The rig's board or link that a step names; ERROR_TESTCASE when the rig has none. */
int step_board(struct step_context *, const struct step_call *, struct rig_board **ret, struct error *err) WARN_UNUSED;
int step_link(struct step_context *, const struct step_call *, struct rig_link **ret, struct error *err) WARN_UNUSED;

/* A search for one event that goes on from where it ended. */
struct event_search {
	struct timeline *timeline;
	struct event_match match;
	uint64_t mark; /* everything up to here was looked at */
	bool found;
	struct instant at;
	uint64_t number;
	json_t *data; /* own reference, NULL when none */
};
bool event_search_step(void *search); /* a step_wait() predicate */
void event_search_clear(struct event_search *);

/* Waits until the board's last stage and links stand; fills err (ERROR_DUT) with what is missing. */
int wait_ready(struct step_context *, struct rig_board *, const char *stage_or_null, int64_t within_ns, struct error *err) WARN_UNUSED;

#define SECONDS_NS(s) (INT64_C(1000000000) * (s))

#endif
