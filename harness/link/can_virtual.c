/* SPDX-License-Identifier: Apache-2.0 */
/* A node of the virtual bus: SEQPACKET messages of docs/reference/virtual-bus.md, integers little-endian. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "can_private.h"

#define MESSAGES_AT_ONCE 64
/* A node of the bus holds 16 frames; ours wait here, where there is room. */
#define HANDED_MAX       12
#define RECEIVE_BYTES    (4 << 20)
#define MESSAGE_BYTES    512
#define FRAME_HEAD_BYTES 6
/* The bus computes the instants of its frames; what is uncertain is when it read the clock they began from. */
#define STAMP_UNCERTAINTY_NS 1000

enum attach_flag { ATTACH_LISTEN_ONLY = 1, ATTACH_OBSERVER = 4 };

struct virtual_node {
	int fd;
	sd_event_source *io;
	bool own_known; /* the first state that is told after attaching is one's own */
	uint16_t own;
};

static uint16_t le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)le16(p) | (uint32_t)le16(p + 2) << 16;
}

static uint64_t le64(const uint8_t *p)
{
	return (uint64_t)le32(p) | (uint64_t)le32(p + 4) << 32;
}

static void put_le32(uint8_t *p, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

/* A stamp from the future is none. */
static struct instant stamp(uint64_t ns)
{
	struct instant at = instant_now();
	if (ns > 0 && ns <= (uint64_t)at.ns)
		at.ns = (int64_t)ns;
	at.uncertainty_ns = STAMP_UNCERTAINTY_NS;
	return at;
}

/* ---- from the bus ---- */

static bool decode_frame(const uint8_t *p, size_t length, struct can_message *ret)
{
	if (length < FRAME_HEAD_BYTES || p[5] > CAN_MESSAGE_MAX)
		return false;
	*ret = (struct can_message){.id = le32(p), .flags = p[4], .length = p[5]};
	size_t data = ret->flags & CAN_MESSAGE_REMOTE ? length - FRAME_HEAD_BYTES : ret->length;
	if (length != FRAME_HEAD_BYTES + data || data > CAN_MESSAGE_MAX || can_message_check(ret, NULL) < 0)
		return false;
	memcpy(ret->data, p + FRAME_HEAD_BYTES, data);
	return true;
}

static bool on_frame(struct can *can, const uint8_t *p, size_t length)
{
	struct can_message message;
	if (length < 19 || !decode_frame(p + 19, length - 19, &message))
		return false;
	message.begin_ns = (int64_t)le64(p + 1);
	message.at = stamp(le64(p + 9));
	can_report_received(can, &message);
	return true;
}

static bool on_confirmed(struct can *can, const uint8_t *p, size_t length)
{
	struct can_pending_entry entry;
	if (length != 13 || !can_pending_take_ticket(&can->pending, le32(p + 1), &entry))
		return false;
	can_report_sent(can, &entry, stamp(le64(p + 5)));
	return true;
}

static bool on_not_sent(struct can *can, const uint8_t *p, size_t length)
{
	static const char *const reasons[] = {"unknown", "bus-off", "queue full", "cancelled", "illegal frame"};
	struct can_pending_entry entry;
	if (length != 6 || !can_pending_take_ticket(&can->pending, le32(p + 1), &entry))
		return false;
	can_report_not_sent(can, entry.ticket, reasons[p[5] <= 4 ? p[5] : 0]);
	return true;
}

static bool on_error(struct can *can, const uint8_t *p, size_t length)
{
	static const enum can_error_kind kinds[] = {CAN_ERROR_OTHER, CAN_ERROR_BIT, CAN_ERROR_STUFF,
	                                            CAN_ERROR_FORM,  CAN_ERROR_ACK, CAN_ERROR_CRC};
	if (length != 17)
		return false;
	can_report_error(can, kinds[p[11] <= 5 ? p[11] : 0], le32(p + 12), stamp(le64(p + 1)));
	return true;
}

static bool on_state(struct can *can, const uint8_t *p, size_t length)
{
	struct virtual_node *node = can->state;
	if (length != 16 || p[11] > CAN_BUS_OFF)
		return false;
	uint16_t number = le16(p + 9);
	if (!node->own_known) {
		node->own_known = true;
		node->own = number;
	}
	if (number == node->own) {
		can->counters.tec = le16(p + 12);
		can->counters.rec = le16(p + 14);
		can_report_state(can, p[11], stamp(le64(p + 1)));
	} else if (can->handlers.node_state && !can->freed) {
		can->handlers.node_state(can, number, p[11], le16(p + 12), le16(p + 14), stamp(le64(p + 1)), can->handlers.context);
	}
	return true;
}

static bool on_load(struct can *can, const uint8_t *p, size_t length)
{
	if (length != 19)
		return false;
	can->load_is_told = true;
	can->heard_ns = loop_now_ns();
	can->counters.load_per_mille = le16(p + 9);
	return true;
}

static bool on_overflow(struct can *can, const uint8_t *p, size_t length)
{
	if (length != 5)
		return false;
	can_report_lost(can, le32(p + 1));
	return true;
}

static bool on_message(struct can *can, const uint8_t *p, size_t length)
{
	switch (length ? p[0] : 0) {
	case 'R':
		return on_frame(can, p, length);
	case 'C':
		return on_confirmed(can, p, length);
	case 'N':
		return on_not_sent(can, p, length);
	case 'E':
		return on_error(can, p, length);
	case 'S':
		return on_state(can, p, length);
	case 'L':
		return on_load(can, p, length);
	case 'O':
		return on_overflow(can, p, length);
	default:
		return false;
	}
}

/* false: nothing more for now. */
static bool read_one(struct can *can)
{
	struct virtual_node *node = can->state;
	uint8_t buffer[MESSAGE_BYTES];
	ssize_t n = recv(node->fd, buffer, sizeof(buffer), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		sd_event_source_set_enabled(node->io, SD_EVENT_OFF);
		can_report_closed(can, n == 0 ? "the virtual bus is gone" : strerror(errno));
		return false;
	}
	if ((size_t)n > sizeof(buffer) || !on_message(can, buffer, (size_t)n))
		can_report_garbage(can, "the bus sent what is no message");
	return true;
}

/* ---- to the bus ---- */

static int send_all(struct virtual_node *node, const void *data, size_t length)
{
	ssize_t n = send(node->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n < 0 ? -errno : 0;
}

static int hand_over(struct can *can, const struct can_pending_entry *entry)
{
	uint8_t buffer[1 + 4 + FRAME_HEAD_BYTES + CAN_MESSAGE_MAX] = {'T'};
	const struct can_message *message = &entry->message;
	size_t data = message->flags & CAN_MESSAGE_REMOTE ? 0 : message->length;
	put_le32(buffer + 1, (uint32_t)entry->ticket);
	put_le32(buffer + 5, message->id);
	buffer[9] = message->flags;
	buffer[10] = message->length;
	memcpy(buffer + 11, message->data, data);
	return send_all(can->state, buffer, 11 + data);
}

/* As many as bus and socket take; the rest when some are confirmed, or when the socket is writable again. */
static int flush(struct can *can)
{
	struct virtual_node *node = can->state;
	struct can_pending_entry *entry;
	int r = 0;
	while (r == 0 && can->pending.handed < HANDED_MAX && (entry = can_pending_next(&can->pending))) {
		r = hand_over(can, entry);
		if (r == 0)
			can_pending_was_handed(&can->pending);
	}
	sd_event_source_set_io_events(node->io, r == -EAGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN);
	return r == -EAGAIN ? 0 : r;
}

static int virtual_send(struct can *can, struct error *err)
{
	int r = flush(can);
	return r < 0 ? error_set(err, ERROR_BENCH, ENETDOWN, "%s: the virtual bus takes no frame: %s", can->name, strerror(-r)) : 0;
}

static int virtual_recover(struct can *can, struct error *err)
{
	int r = send_all(can->state, "B", 1);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "%s: the virtual bus takes no request: %s", can->name, strerror(-r)) : 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct can *can = context;
	can_enter(can);
	for (unsigned i = 0; i < MESSAGES_AT_ONCE && !can->freed && !can->closed && read_one(can); i++)
		;
	if (!can->freed && !can->closed)
		(void)flush(can); /* a failure shows as the end of the connection */
	can_leave(can);
	return 0;
}

/* ---- start and end ---- */

static int virtual_check(const char *address, struct error *err)
{
	if (strlen(address) < sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return 0;
	return error_set(err, ERROR_USAGE, ENAMETOOLONG, "the socket path %s is too long", address);
}

static int attach(struct can *can, struct virtual_node *node, struct error *err)
{
	uint8_t message[2 + 200] = {'A', (uint8_t)(ATTACH_OBSERVER | (can->listen_only ? ATTACH_LISTEN_ONLY : 0))};
	size_t length = strlen(can->name) < 200 ? strlen(can->name) : 200;
	memcpy(message + 2, can->name, length);
	int r = send_all(node, message, 2 + length);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "%s: cannot attach to the virtual bus: %s", can->name, strerror(-r)) : 0;
}

static int virtual_open(struct can *can, const struct can_options *options, struct error *err)
{
	struct virtual_node *node = calloc(1, sizeof(*node));
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int size = RECEIVE_BYTES;
	if (!node)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	can->state = node;
	memcpy(address.sun_path, options->address, strlen(options->address) + 1);
	node->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (node->fd < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot make a socket: %s", strerror(errno));
	if (connect(node->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set(err, ERROR_BENCH, errno, "no virtual bus at %s: %s", options->address, strerror(errno));
	(void)setsockopt(node->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	int r = attach(can, node, err);
	if (r < 0)
		return r;
	r = sd_event_add_io(loop_event(can->loop), &node->io, node->fd, EPOLLIN, on_io, can);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot watch a socket: %s", strerror(-r)) : 0;
}

static void virtual_close(struct can *can)
{
	struct virtual_node *node = can->state;
	if (!node)
		return;
	sd_event_source_disable_unref(node->io);
	if (node->fd >= 0)
		close(node->fd);
	free(node);
}

const struct can_backend can_virtual = {
        .name = "virtual",
        .check = virtual_check,
        .open = virtual_open,
        .close = virtual_close,
        .send = virtual_send,
        .recover = virtual_recover,
};
