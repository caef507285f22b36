/* SPDX-License-Identifier: Apache-2.0 */
/* Background load on a bus: an object of the case that goes on while steps run. */
#ifndef HARNESS_RUN_STEPS_CAN_LOAD_H
#define HARNESS_RUN_STEPS_CAN_LOAD_H

#include "bus.h"

/* 0 % ends the load of this bus; otherwise it replaces one that is there. */
int can_load_set(struct step_context *, struct bus_watch *, unsigned percent, const struct can_message *, struct error *) WARN_UNUSED;

#endif
