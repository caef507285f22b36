/* SPDX-License-Identifier: Apache-2.0 */
#include "bus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the record of a bus ----------------------------------------------------------------------------------- */

int bus_watch_of_call(struct step_context *context, const struct step_call *call, struct bus_watch **ret, struct error *err)
{
	const char *name;
	int r = step_arg_text(context, call, "bus", &name, err);

	if (r < 0)
		return r;
	*ret = bus_watch_find(context, name);
	return *ret ? 0 : error_set_place(err, ERROR_TESTCASE, ENOENT, call->place, "the rig has no bus \"%s\"", name);
}

int bus_channel(struct bus_watch *watch, struct can **ret, struct error *err)
{
	*ret = rig_bus_channel(watch->bus);
	if (*ret)
		return 0;
	int r = rig_bus_check(watch->bus, err);
	return r < 0 ? r : error_set(err, ERROR_BENCH, ENETDOWN, "%s is gone", watch->channel);
}

int bus_hears(struct bus_watch *watch, struct error *err)
{
	struct can_counters counters;
	struct can *can;
	int r = bus_channel(watch, &can, err);

	if (r < 0)
		return r;
	can_counters_read(can, &counters);
	if (counters.state != CAN_BUS_OFF && counters.state != CAN_BUS_STOPPED)
		return 0;
	return error_set(err, ERROR_BENCH, ENETDOWN, "the bench's own node on %s is %s: it hears and sends nothing%s", watch->channel,
	                 can_state_name(counters.state), counters.state == CAN_BUS_OFF ? " (can.recover brings it back)" : "");
}

int bus_listened(const struct bus_listening *listening, int r, struct error *err)
{
	int hears;

	if (r != -ETIMEDOUT)
		return r;
	hears = bus_hears(listening->watch, err);
	if (hears < 0)
		return hears;
	if (rig_bus_deaf_ns(listening->watch->bus) > listening->since_ns)
		return error_set(err, ERROR_BENCH, ENETDOWN,
		                 "the bench's own node on %s was bus-off meanwhile: it may have missed what came",
		                 listening->watch->channel);
	return r;
}

int bus_heard_nothing(const struct bus_listening *listening, int r, struct error *err)
{
	if (r == -ETIME && err && err->domain == ERROR_DUT)
		err->domain = ERROR_TESTCASE;
	return bus_listened(listening, r, err);
}

/* ---- frames of a call -------------------------------------------------------------------------------------- */

int bus_message_of_call(struct step_context *context, const struct step_call *call, struct can_message *ret, struct error *err)
{
	static const struct {
		const char *argument;
		uint8_t flag;
	} flags[] = {{"fd", CAN_MESSAGE_FD}, {"esi", CAN_MESSAGE_ESI}, {"remote", CAN_MESSAGE_REMOTE}};
	bool on;
	int64_t id;
	int r = step_arg_integer(context, call, "id", 0, &id, err);

	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; r == 0 && i < sizeof(flags) / sizeof(*flags); i++) {
		r = step_arg_bool(context, call, flags[i].argument, false, &on, err);
		if (r == 0 && on)
			ret->flags |= flags[i].flag;
	}
	if (r < 0 || (r = step_arg_bool(context, call, "brs", (ret->flags & CAN_MESSAGE_FD) != 0, &on, err)) < 0)
		return r;
	ret->flags |= on ? CAN_MESSAGE_BRS : 0;
	r = step_arg_bool(context, call, "extended", id > 0x7ff, &on, err);
	ret->flags |= on ? CAN_MESSAGE_EXTENDED : 0;
	ret->id = (uint32_t)id;
	return r;
}

void bus_message_set_data(struct can_message *message, const void *data, size_t length, uint8_t padding)
{
	static const uint8_t steps[] = {12, 16, 20, 24, 32, 48, 64};
	size_t whole = length;

	for (unsigned i = 0; length > 8 && i < sizeof(steps); i++)
		if (steps[i] >= length) {
			whole = steps[i];
			break;
		}
	if (length)
		memcpy(message->data, data, length);
	memset(message->data + length, padding, whole - length);
	message->length = (uint8_t)whole;
}

/* ---- sending ----------------------------------------------------------------------------------------------- */

struct transmission {
	uint64_t ticket;
	bool done;
	struct can_message sent;
};

static void on_transmitted(const struct can_message *message, bool transmitted, void *context)
{
	struct transmission *transmission = context;

	if (transmission->done || !transmitted || message->ticket != transmission->ticket)
		return;
	transmission->done = true;
	transmission->sent = *message;
}

static bool is_transmitted(void *context)
{
	return ((struct transmission *)context)->done;
}

static int not_transmitted(struct bus_watch *watch, const struct can_message *message, struct error *err)
{
	struct can_counters counters = {0};
	struct can *can = rig_bus_channel(watch->bus);

	if (can)
		can_counters_read(can, &counters);
	return error_set(err, ERROR_BENCH, ETIMEDOUT, "the frame 0x%03x did not get on %s (we are %s)", message->id, watch->channel,
	                 can ? can_state_name(counters.state) : "cut off");
}

int bus_transmit(struct step_context *context, struct bus_watch *watch, const struct can_message *message, struct can_message *ret_sent,
                 struct error *err)
{
	struct transmission transmission = {0};
	struct can *can;
	int r = bus_channel(watch, &can, err);

	if (r == 0)
		r = rig_bus_observe(watch->bus, on_transmitted, &transmission, err);
	if (r < 0)
		return r;
	r = can_send(can, message, &transmission.ticket, err);
	if (r == 0)
		r = step_wait(context, is_transmitted, &transmission, BUS_TRANSMIT_WITHIN_NS, err);
	if (r == -ETIMEDOUT)
		r = not_transmitted(watch, message, err);
	rig_bus_unobserve(watch->bus, on_transmitted, &transmission);
	if (r == 0 && ret_sent)
		*ret_sent = transmission.sent;
	return r;
}
