/* SPDX-License-Identifier: Apache-2.0 */
/* One end of a bus under test: a channel of link/can that counts and checks what its handlers are told. */
#ifndef HARNESS_TESTS_VM_CAN_END_H
#define HARNESS_TESTS_VM_CAN_END_H

#include "../../base/loop.h"
#include "../../link/can.h"

enum { CAN_END_STATES_MAX = 32 };
struct can_end {
	struct can *can;
	const char *interface;
	unsigned received, sent, not_sent, errors, out_of_order, wrong_data, not_hardware;
	uint64_t lost;
	struct can_message newest, newest_sent;
	enum can_bus_state states[CAN_END_STATES_MAX];
	unsigned state_count;
	bool closed;
	char reason[128];
};

/* Opens (or opens again, counting from zero) end->interface with these bit rates; 0: as they are. 0 or -errno. */
int can_end_open(struct can_end *, struct loop *, uint32_t nominal_bit_rate, uint32_t data_bit_rate, struct error *) WARN_UNUSED;
void can_end_close(struct can_end *);
/* The frame with this number: the receiver expects them from 0 on. */
void can_end_fill(struct can_message *, unsigned number, unsigned length, uint8_t flags);
/* Waits until `to` has received and `from` has had confirmed so many frames. 0 or -ETIMEDOUT with the counts. */
int can_end_wait(struct loop *, const struct can_end *from, const struct can_end *to, unsigned wanted, int64_t limit_ns,
                 struct error *) WARN_UNUSED;
/* Sends one frame and waits until it came, unchanged. On false err has the reason. */
bool can_end_passes(struct loop *, struct can_end *from, struct can_end *to, unsigned length, uint8_t flags, struct error *);

#endif
