/* SPDX-License-Identifier: Apache-2.0 */
/* The power of boards that nobody uses any more. One that stays on is dangerous for whoever comes next: it is told where it is seen. */
#include <stdio.h>
#include <string.h>

#include "executor_private.h"

void executor_left_on(struct executor *executor, const struct error *why)
{
	struct error *told = &executor->left_on;
	if (told->domain == ERROR_NONE) {
		*told = *why;
		told->message[0] = '\0';
	}
	const size_t length = strlen(told->message);
	(void)snprintf(told->message + length, sizeof(told->message) - length, "%s%.400s; the board may still have power",
	               length ? "; " : "", why->message);
	told->domain = ERROR_BENCH;
	timeline_emit_now(executor->timeline, "run", "note",
	                  json_pack("{s:o}", "text", json_sprintf("%s; the board may still have power", why->message)));
	(void)fflush(stdout);
	(void)fprintf(stderr, "hilbench: %s; the board may still have power\n", why->message);
}

void executor_power_end(struct executor *executor)
{
	const bool cancelled = loop_cancelled(executor->loop);
	/* An interruption ends the steps; the one after it ends this. */
	loop_rearm(executor->loop);
	for (unsigned i = 0; i < rig_board_count(executor->rig); i++) {
		struct error why = {0};
		if (rig_board_end(rig_board_at(executor->rig, i), &why) < 0)
			executor_left_on(executor, &why);
	}
	if (cancelled)
		loop_cancel(executor->loop);
}
