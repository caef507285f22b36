/* SPDX-License-Identifier: Apache-2.0 */
#include "can_end.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LIMIT_NS INT64_C(30000000000)

void can_end_fill(struct can_message *message, unsigned number, unsigned length, uint8_t flags)
{
	*message = (struct can_message){.id = flags & CAN_MESSAGE_EXTENDED ? 0x12345678 : 0x123, .length = (uint8_t)length, .flags = flags};
	for (unsigned i = 0; i < length; i++)
		message->data[i] = (uint8_t)(number + i * 3);
}

static void received(struct can *can, const struct can_message *message, void *context)
{
	struct can_end *end = context;
	struct can_message right;
	can_end_fill(&right, end->received, message->length, message->flags);
	end->wrong_data += memcmp(right.data, message->data, message->length) != 0;
	end->out_of_order += end->received > 0 && message->at.ns < end->newest.at.ns;
	end->not_hardware += message->at.source != CLOCK_SOURCE_HARDWARE;
	end->newest = *message;
	end->received++;
}

static void sent(struct can *can, const struct can_message *message, void *context)
{
	struct can_end *end = context;
	end->out_of_order += end->sent > 0 && message->at.ns < end->newest_sent.at.ns;
	end->not_hardware += message->at.source != CLOCK_SOURCE_HARDWARE;
	end->newest_sent = *message;
	end->sent++;
}

static void not_sent(struct can *can, uint64_t ticket, const char *reason, void *context)
{
	((struct can_end *)context)->not_sent++;
}

static void error_seen(struct can *can, enum can_error_kind kind, uint32_t id, struct instant at, void *context)
{
	((struct can_end *)context)->errors++;
}

static void state_seen(struct can *can, enum can_bus_state state, struct instant at, void *context)
{
	struct can_end *end = context;
	if (end->state_count < CAN_END_STATES_MAX)
		end->states[end->state_count++] = state;
}

static void lost(struct can *can, uint64_t count, void *context)
{
	((struct can_end *)context)->lost += count;
}

static void closed(struct can *can, const char *reason, void *context)
{
	struct can_end *end = context;
	end->closed = true;
	snprintf(end->reason, sizeof(end->reason), "%s", reason);
}

int can_end_open(struct can_end *end, struct loop *loop, uint32_t nominal, uint32_t data, struct error *err)
{
	struct can_handlers handlers = {.context = end,
	                                .received = received,
	                                .sent = sent,
	                                .not_sent = not_sent,
	                                .error = error_seen,
	                                .state = state_seen,
	                                .lost = lost,
	                                .closed = closed};
	struct can_options options = {.driver = "socketcan",
	                              .address = end->interface,
	                              .name = end->interface,
	                              .fd = true,
	                              .nominal_bit_rate = nominal,
	                              .data_bit_rate = data};
	*end = (struct can_end){.interface = end->interface};
	return can_open(&end->can, loop, NULL, &options, &handlers, err);
}

void can_end_close(struct can_end *end)
{
	can_close(end->can);
	end->can = NULL;
}

struct wait {
	const struct can_end *from, *to;
	unsigned wanted;
};

static bool all_came(void *context)
{
	const struct wait *wait = context;
	return wait->to->received >= wait->wanted && wait->from->sent >= wait->wanted;
}

int can_end_wait(struct loop *loop, const struct can_end *from, const struct can_end *to, unsigned wanted, int64_t limit_ns,
                 struct error *err)
{
	struct wait wait = {from, to, wanted};
	int result = loop_until(loop, all_came, &wait, loop_now_ns() + limit_ns);
	if (result < 0)
		return error_set(err, ERROR_BENCH, -result, "%u received, %u confirmed, %u given up, of %u; %u wrong, %" PRIu64 " lost",
		                 to->received, from->sent, from->not_sent, wanted, to->wrong_data, to->lost);
	return 0;
}

bool can_end_passes(struct loop *loop, struct can_end *from, struct can_end *to, unsigned length, uint8_t flags, struct error *err)
{
	struct can_message message;
	can_end_fill(&message, to->received, length, flags);
	if (can_send(from->can, &message, NULL, err) < 0 || can_end_wait(loop, from, to, to->received + 1, LIMIT_NS, err) < 0)
		return false;
	if (to->newest.length == length && to->newest.flags == flags && to->newest.id == message.id && to->wrong_data == 0)
		return true;
	error_set(err, ERROR_DUT, EBADMSG, "id %x, %u bytes, flags %x came; id %x, %u bytes, flags %x were sent; %u with other data",
	          to->newest.id, to->newest.length, to->newest.flags, message.id, length, flags, to->wrong_data);
	return false;
}
