/* SPDX-License-Identifier: Apache-2.0 */
/* What all back ends share: the table, checks, counters, tickets, load; and the frame as a line of a log. */
#include "can.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "can_private.h"

static const struct can_backend *const backends[] = {
        &can_virtual, &can_socketcan, &can_cannelloni_udp, &can_cannelloni_tcp, &can_udp_multicast,
};

const char *can_state_name(enum can_bus_state state)
{
	static const char *const names[] = {"error-active", "error-warning", "error-passive", "bus-off", "stopped"};
	return names[state];
}

const char *can_error_name(enum can_error_kind kind)
{
	static const char *const names[] = {"bit", "stuff", "form", "ack", "crc", "other"};
	return names[kind];
}

/* ---- frames ---- */

static bool length_has_dlc(uint8_t length)
{
	static const uint8_t lengths[] = {12, 16, 20, 24, 32, 48, 64};
	return length <= 8 || memchr(lengths, length, sizeof(lengths)) != NULL;
}

int can_message_check(const struct can_message *message, struct error *err)
{
	bool fd = message->flags & CAN_MESSAGE_FD;
	uint32_t id_max = message->flags & CAN_MESSAGE_EXTENDED ? 0x1FFFFFFF : 0x7FF;
	if (message->flags & ~(CAN_MESSAGE_EXTENDED | CAN_MESSAGE_REMOTE | CAN_MESSAGE_FD | CAN_MESSAGE_BRS | CAN_MESSAGE_ESI))
		return error_set(err, ERROR_TESTCASE, EINVAL, "unknown flags 0x%02x of a CAN frame", message->flags);
	if (message->id > id_max)
		return error_set(err, ERROR_TESTCASE, EINVAL, "identifier 0x%" PRIx32 " is beyond 0x%" PRIx32, message->id, id_max);
	if (fd && message->flags & CAN_MESSAGE_REMOTE)
		return error_set(err, ERROR_TESTCASE, EINVAL, "CAN FD has no remote frames");
	if (!fd && message->flags & (CAN_MESSAGE_BRS | CAN_MESSAGE_ESI))
		return error_set(err, ERROR_TESTCASE, EINVAL, "a classic CAN frame has neither BRS nor ESI");
	if (!fd && message->length > 8)
		return error_set(err, ERROR_TESTCASE, EINVAL, "a classic CAN frame has no %u bytes", message->length);
	if (!length_has_dlc(message->length))
		return error_set(err, ERROR_TESTCASE, EINVAL, "no DLC stands for %u bytes", message->length);
	return 0;
}

int can_log_format(const struct can_message *message, const char *interface, char *buffer, size_t size)
{
	static const char digits[] = "0123456789ABCDEF";
	char hex[2 * CAN_MESSAGE_MAX + 1] = "", mark[8] = "#";
	int64_t at_ns;
	at_ns = message->at.ns + clock_run_offset_ns();
	if (message->flags & CAN_MESSAGE_REMOTE) {
		snprintf(mark, sizeof(mark), message->length ? "#R%u" : "#R", message->length & 15u);
	} else {
		for (unsigned i = 0; i < message->length && i < CAN_MESSAGE_MAX; i++) {
			hex[2 * i] = digits[message->data[i] >> 4];
			hex[2 * i + 1] = digits[message->data[i] & 15];
		}
		if (message->flags & CAN_MESSAGE_FD)
			snprintf(mark, sizeof(mark), "##%d",
			         (message->flags & CAN_MESSAGE_BRS ? 1 : 0) | (message->flags & CAN_MESSAGE_ESI ? 2 : 0));
	}
	int length = snprintf(buffer, size, "(%" PRId64 ".%09" PRId64 ") %s %0*" PRIX32 "%s%s\n", at_ns / 1000000000, at_ns % 1000000000,
	                      interface, message->flags & CAN_MESSAGE_EXTENDED ? 8 : 3, message->id, mark, hex);
	return length < 0 || (size_t)length >= size ? -ENOSPC : length;
}

/* ---- load ---- */

static void load_advance(struct can_load *load, int64_t second)
{
	if (second <= load->second)
		return;
	int64_t per_mille = second == load->second + 1 ? load->busy_ns / 1000000 : 0;
	load->per_mille = per_mille > 1000 ? 1000 : (unsigned)per_mille;
	load->second = second;
	load->busy_ns = 0;
}

static void load_add(struct can *can, const struct can_message *message)
{
	if (can->load_is_told || can->counters.nominal_bit_rate == 0)
		return;
	load_advance(&can->load, message->at.ns / 1000000000);
	can->load.busy_ns += can_frame_time_ns(message, can->counters.nominal_bit_rate, can->counters.data_bit_rate);
}

/* ---- what back ends tell ---- */

static void can_destroy(struct can *can)
{
	if (can->backend)
		can->backend->close(can);
	can_pending_free(&can->pending);
	free(can->name);
	free(can->channel);
	free(can);
}

void can_enter(struct can *can)
{
	can->busy++;
}

void can_leave(struct can *can)
{
	if (--can->busy == 0 && can->freed)
		can_destroy(can);
}

void can_report_received(struct can *can, const struct can_message *message)
{
	can->counters.received++;
	load_add(can, message);
	if (can->handlers.received && !can->freed && !can->closed)
		can->handlers.received(can, message, can->handlers.context);
}

void can_report_sent(struct can *can, struct can_pending_entry *entry, struct instant at)
{
	entry->message.at = at;
	entry->message.ticket = entry->ticket;
	can->counters.sent++;
	load_add(can, &entry->message);
	if (can->handlers.sent && !can->freed && !can->closed)
		can->handlers.sent(can, &entry->message, can->handlers.context);
}

void can_report_not_sent(struct can *can, uint64_t ticket, const char *reason)
{
	if (can->handlers.not_sent && !can->freed && !can->closed)
		can->handlers.not_sent(can, ticket, reason, can->handlers.context);
}

void can_report_all_not_sent(struct can *can, const char *reason)
{
	struct can_pending_entry entry;
	/* A handler may send again at once: only what waits now is given up. */
	for (unsigned left = can->pending.count; left > 0 && can_pending_take_any(&can->pending, &entry); left--)
		can_report_not_sent(can, entry.ticket, reason);
}

void can_report_error(struct can *can, enum can_error_kind kind, uint32_t id, struct instant at)
{
	can->counters.errors++;
	if (can->handlers.error && !can->freed && !can->closed)
		can->handlers.error(can, kind, id, at, can->handlers.context);
}

void can_report_decoded(struct can *can, struct can_message *message, bool error, struct instant at)
{
	message->at = at;
	if (error)
		can_report_error(can, CAN_ERROR_OTHER, 0, at);
	else if (can_message_check(message, NULL) < 0)
		can_report_garbage(can, "a frame came that no bus carries");
	else
		can_report_received(can, message);
}

void can_report_state(struct can *can, enum can_bus_state state, struct instant at)
{
	if (can->counters.state == state)
		return;
	can->counters.state = state;
	if (can->handlers.state && !can->freed && !can->closed)
		can->handlers.state(can, state, at, can->handlers.context);
}

void can_report_lost(struct can *can, uint64_t count)
{
	if (count == 0)
		return;
	can->counters.lost += count;
	if (can->handlers.lost && !can->freed && !can->closed)
		can->handlers.lost(can, count, can->handlers.context);
}

void can_report_closed(struct can *can, const char *reason)
{
	if (can->closed)
		return;
	can_report_all_not_sent(can, reason);
	can_report_state(can, CAN_BUS_STOPPED, instant_now());
	can->closed = true;
	if (can->handlers.closed && !can->freed)
		can->handlers.closed(can, reason, can->handlers.context);
}

void can_report_garbage(struct can *can, const char *what)
{
	can->counters.errors++;
	if (can->garbage++ == 0 && can->timeline)
		timeline_emit_now(can->timeline, can->channel, "note",
		                  json_pack("{s:o}", "text", json_sprintf("%s: %s; it is counted and dropped", can->name, what)));
}

/* ---- the channel ---- */

static const struct can_backend *backend_find(const char *driver)
{
	for (size_t i = 0; i < sizeof(backends) / sizeof(*backends); i++)
		if (driver && !strcmp(backends[i]->name, driver))
			return backends[i];
	return NULL;
}

int can_address_check(const char *driver, const char *address, struct error *err)
{
	const struct can_backend *backend = backend_find(driver);
	if (!backend)
		return error_set(err, ERROR_USAGE, EINVAL, "unknown CAN driver \"%s\"", driver ? driver : "");
	if (!address || !*address)
		return error_set(err, ERROR_USAGE, EINVAL, "driver %s needs an address", driver);
	return backend->check ? backend->check(address, err) : 0;
}

int can_open(struct can **ret, struct loop *loop, struct timeline *timeline, const struct can_options *options,
             const struct can_handlers *handlers, struct error *err)
{
	int r = can_address_check(options->driver, options->address, err);
	if (r < 0)
		return r;
	struct can *can = calloc(1, sizeof(*can));
	if (!can)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	can->loop = loop;
	can->timeline = timeline;
	can->handlers = *handlers;
	can->listen_only = options->listen_only;
	can->fd = options->fd;
	can->counters.nominal_bit_rate = options->nominal_bit_rate;
	can->counters.data_bit_rate = options->data_bit_rate;
	can->name = strdup(options->name ? options->name : options->address);
	if (!can->name || asprintf(&can->channel, "can:%s", can->name) < 0 || can_pending_init(&can->pending) < 0) {
		can_destroy(can);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	can->backend = backend_find(options->driver);
	r = can->backend->open(can, options, err);
	if (r < 0) {
		can_destroy(can);
		return r;
	}
	*ret = can;
	return 0;
}

void can_close(struct can *can)
{
	if (!can)
		return;
	can->freed = true;
	if (can->busy == 0)
		can_destroy(can);
}

static int may_send(const struct can *can, const struct can_message *message, struct error *err)
{
	int r = can_message_check(message, err);
	if (r < 0)
		return r;
	if (message->flags & CAN_MESSAGE_FD && !can->fd)
		return error_set(err, ERROR_TESTCASE, EINVAL, "%s is a classic CAN channel: it carries no FD frame", can->name);
	if (can->listen_only)
		return error_set(err, ERROR_TESTCASE, EPERM, "%s only listens", can->name);
	if (can->closed)
		return error_set(err, ERROR_BENCH, ENETDOWN, "%s is gone", can->name);
	if (can->counters.state == CAN_BUS_OFF)
		return error_set(err, ERROR_BENCH, ENETDOWN, "%s is bus-off", can->name);
	return 0;
}

int can_send(struct can *can, const struct can_message *message, uint64_t *ret_ticket, struct error *err)
{
	int r = may_send(can, message, err);
	if (r < 0)
		return r;
	if (can_pending_add(&can->pending, can->newest_ticket + 1, message) < 0)
		return error_set(err, ERROR_BENCH, ENOBUFS, "%s: %d frames wait to be sent already", can->name, CAN_PENDING_MAX);
	r = can->backend->send(can, err);
	if (r < 0) {
		can_pending_drop_newest(&can->pending);
		return r;
	}
	can->newest_ticket++;
	if (ret_ticket)
		*ret_ticket = can->newest_ticket;
	return 0;
}

int64_t can_heard_ns(const struct can *can)
{
	return can->heard_ns;
}

void can_counters_read(struct can *can, struct can_counters *ret)
{
	if (can->backend->refresh && !can->closed)
		can->backend->refresh(can);
	if (!can->load_is_told) {
		load_advance(&can->load, loop_now_ns() / 1000000000);
		can->counters.load_per_mille = can->load.per_mille;
	}
	*ret = can->counters;
}

int can_recover(struct can *can, struct error *err)
{
	if (can->closed)
		return error_set(err, ERROR_BENCH, ENETDOWN, "%s is gone", can->name);
	if (!can->backend->recover)
		return error_set(err, ERROR_TESTCASE, ENOTSUP, "%s: a %s channel has no bus-off to leave", can->name, can->backend->name);
	return can->backend->recover(can, err);
}
