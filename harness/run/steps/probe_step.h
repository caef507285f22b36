/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the probe's steps share. */
#ifndef HARNESS_RUN_STEPS_PROBE_STEP_H
#define HARNESS_RUN_STEPS_PROBE_STEP_H

#include "../../lang/step.h"
#include "../../rig/probe.h"

#define PROBE_ROLE      {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE, NULL, NULL, 0, 0, "The board."}
#define PROBE_ROLE_ONLY {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE | ARG_SCALAR, NULL, NULL, 0, 0, "The board."}
#define PROBE_ADDRESS   {"address", VALUE_INTEGER, ARG_REQUIRED, NULL, NULL, 0, 0xffffffff, "Address in the board's memory."}
#define PROBE_WITHIN                                                                                                                       \
	{"within", VALUE_DURATION, ARG_POSITIVE, NULL, NULL, 0, 0, "How long it may take (standard: the probe's `deadline`, 5 s)."}

struct probe_call {
	struct rig_board *board;
	struct probe *probe;
	int64_t deadline_ns; /* of the step, at most the case's */
};

extern const char *const probe_capability[];
/* Board, probe and deadline of a call. ERROR_TESTCASE: the board has no probe. */
int probe_of_call(struct step_context *, const struct step_call *, struct probe_call *ret, struct error *err) WARN_UNUSED;

#endif
