/* SPDX-License-Identifier: Apache-2.0 */
/* What the CAN steps of one case share: the record of a call's bus, and sending that waits until the bus has taken the frame. */
#ifndef HARNESS_RUN_STEPS_BUS_H
#define HARNESS_RUN_STEPS_BUS_H

#include "../../link/can.h"
#include "../bus_record.h"
#include "../executor_private.h"

#define BUS_TRANSMIT_WITHIN_NS INT64_C(1000000000)

#define ARG_BUS {"bus", VALUE_TEXT, ARG_CAN, "can0", NULL, 0, 0, "The rig's bus."}
#define ARG_FRAME_FORMAT                                                                                                                   \
	{"extended", VALUE_BOOL, 0, NULL, NULL, 0, 0, "29-bit identifier (default: as soon as it needs more than 11 bits)."},              \
	        {"fd", VALUE_BOOL, 0, "false", NULL, 0, 0, "CAN FD frame."},                                                               \
	        {"brs", VALUE_BOOL, 0, NULL, NULL, 0, 0, "Bit rate switch (default: as `fd`)."},                                           \
	        {"esi", VALUE_BOOL, 0, "false", NULL, 0, 0, "Error state indicator set."},                                                 \
	        {"remote", VALUE_BOOL, 0, "false", NULL, 0, 0, "Remote frame: no data, `length` is what it asks for."}

/* The watch of the call's `bus`. ERROR_TESTCASE: the rig has no such bus. */
int bus_watch_of_call(struct step_context *, const struct step_call *, struct bus_watch **ret, struct error *) WARN_UNUSED;
/* The bus's channel; ERROR_BENCH when the bus is gone. */
int bus_channel(struct bus_watch *, struct can **ret, struct error *) WARN_UNUSED;
/* Whether the harness's own node could hear meanwhile: what is missing on a bus proves nothing when the bench was deaf. */
struct bus_listening {
	struct bus_watch *watch;
	int64_t since_ns; /* from here on it must have heard */
};
/* Of a wait that ended with r: -ETIMEDOUT stays when the node heard all the time, else ERROR_BENCH. Other results stay. */
int bus_listened(const struct bus_listening *, int r, struct error *) WARN_UNUSED;
/* The same for a wait in which nothing should come: a case whose time ended first (-ETIME) is not the device's fault. */
int bus_heard_nothing(const struct bus_listening *, int r, struct error *) WARN_UNUSED;
/* ERROR_BENCH: the node is deaf now. */
int bus_hears(struct bus_watch *, struct error *) WARN_UNUSED;

/* Id and format flags of a call with ARG_FRAME_FORMAT. */
int bus_message_of_call(struct step_context *, const struct step_call *, struct can_message *ret, struct error *) WARN_UNUSED;

/* Sends and waits until the frame was on the bus; *ret_sent (may be NULL): it with its stamps. -ETIMEDOUT (err filled,
 * ERROR_BENCH): it did not get on the bus. */
int bus_transmit(struct step_context *, struct bus_watch *, const struct can_message *, struct can_message *ret_sent,
                 struct error *) WARN_UNUSED;
/* Pads data to the next length that a DLC has. */
void bus_message_set_data(struct can_message *, const void *data, size_t length, uint8_t padding);

#endif
