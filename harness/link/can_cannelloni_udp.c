/* SPDX-License-Identifier: Apache-2.0 */
/* cannelloni version 2 over UDP: several frames a datagram, each datagram with a sequence number. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../base/bytes.h"
#include "address.h"
#include "can_cannelloni_frame.h"
#include "can_drops.h"
#include "can_ip.h"
#include "can_private.h"
#include "stamp.h"

#define VERSION            2
#define HEAD_BYTES         5
#define DATAGRAM_BYTES     1400 /* what goes out: fits an Ethernet frame, with room for tunnels */
#define RECEIVE_BYTES      (4 << 20)
#define SEQUENCE_RESTARTED 128 /* a jump so far ahead is one back, or the other end began anew */

enum operation { OPERATION_DATA, OPERATION_ACK, OPERATION_NACK };

struct udp {
	int fd;
	sd_event_source *io;
	struct address local, remote;
	uint8_t sequence; /* of the next datagram out */
	bool heard;
	uint8_t expected; /* of the next datagram in */
	struct can_drops drops;
};

static int udp_check(const char *text, struct error *err)
{
	struct can_ip_pair pair;
	int r = can_ip_pair_parse(text, &pair, err);
	if (r == 0 && (!pair.has_local || !pair.has_remote))
		return error_set(err, ERROR_USAGE, EINVAL, "cannelloni-udp needs \"local:port,remote:port\", not \"%s\"", text);
	return r;
}

/* ---- in ---- */

static void note_sequence(struct can *can, struct udp *udp, uint8_t sequence)
{
	uint8_t ahead = (uint8_t)(sequence - udp->expected);
	/* What the datagrams held nobody knows: each counts as the one frame that it held at least. */
	if (udp->heard && ahead > 0 && ahead < SEQUENCE_RESTARTED)
		can_report_lost(can, ahead);
	udp->heard = true;
	udp->expected = (uint8_t)(sequence + 1);
}

static void take_datagram(struct can *can, const uint8_t *data, size_t length, struct instant at)
{
	struct can_message message;
	bool error;
	if (length >= HEAD_BYTES && data[0] == VERSION && (data[1] == OPERATION_ACK || data[1] == OPERATION_NACK))
		return;
	if (length < HEAD_BYTES || data[0] != VERSION || data[1] != OPERATION_DATA) {
		can_report_garbage(can, "a datagram came that is no cannelloni");
		return;
	}
	note_sequence(can, can->state, data[2]);
	size_t offset = HEAD_BYTES;
	for (unsigned left = be16_read(data + 3); left > 0 && !can->freed && !can->closed; left--) {
		int n = cannelloni_frame_decode(data + offset, length - offset, &message, &error);
		if (n <= 0) {
			can_report_garbage(can, "a cannelloni datagram ended early");
			return;
		}
		offset += (size_t)n;
		can_report_decoded(can, &message, error, at);
	}
	if (offset != length && !can->freed)
		can_report_garbage(can, "a cannelloni datagram has bytes after its last frame");
}

static void take(struct can *can, const struct can_ip_datagram *datagram, const uint8_t *data, size_t length)
{
	const struct udp *udp = can->state;
	if (datagram->from.v4.sin_addr.s_addr != udp->remote.v4.sin_addr.s_addr)
		can_report_garbage(can, "a datagram came from a stranger");
	else
		take_datagram(can, data, length, datagram->at);
}

/* ---- out ---- */

/* Puts what fits into one datagram; returns its length. */
static size_t build(struct can *can, uint8_t buffer[static DATAGRAM_BYTES + CANNELLONI_FRAME_MAX], uint8_t sequence)
{
	struct can_pending_entry *entry;
	size_t length = HEAD_BYTES;
	unsigned count = 0;
	while ((entry = can_pending_next(&can->pending)) && length + CANNELLONI_FRAME_MAX <= DATAGRAM_BYTES) {
		length += cannelloni_frame_encode(&entry->message, buffer + length);
		can_pending_was_handed(&can->pending);
		count++;
	}
	buffer[0] = VERSION;
	buffer[1] = OPERATION_DATA;
	buffer[2] = sequence;
	be16_write(buffer + 3, (uint16_t)count);
	return count ? length : 0;
}

static void report_handed(struct can *can, int result)
{
	struct can_pending_entry entry;
	struct instant at = instant_now();
	while (can->pending.handed > 0 && !can->freed && can_pending_take_oldest(&can->pending, &entry)) {
		if (result == 0)
			can_report_sent(can, &entry, at);
		else
			can_report_not_sent(can, entry.ticket, strerror(-result));
	}
}

static void flush(struct can *can)
{
	struct udp *udp = can->state;
	uint8_t buffer[DATAGRAM_BYTES + CANNELLONI_FRAME_MAX];
	size_t length = build(can, buffer, udp->sequence);
	if (length) {
		ssize_t n = sendto(udp->fd, buffer, length, MSG_DONTWAIT | MSG_NOSIGNAL, &udp->remote.any, udp->remote.length);
		int code = errno;
		/* The answer of the host to an earlier datagram: this one has not gone yet. */
		if (n < 0 && code == ECONNREFUSED) {
			n = sendto(udp->fd, buffer, length, MSG_DONTWAIT | MSG_NOSIGNAL, &udp->remote.any, udp->remote.length);
			code = errno;
		}
		if (n >= 0)
			udp->sequence++;
		report_handed(can, n < 0 ? -code : 0);
	}
	if (!can->freed && can->pending.count == 0)
		sd_event_source_set_io_events(udp->io, EPOLLIN);
}

/* The confirmation comes from the loop, never from inside can_send(). */
static int udp_send(struct can *can, struct error *err)
{
	struct udp *udp = can->state;
	sd_event_source_set_io_events(udp->io, EPOLLIN | EPOLLOUT);
	return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct can *can = context;
	struct udp *udp = can->state;
	can_enter(can);
	can_ip_read(can, fd, &udp->drops, take);
	if (!can->freed && events & EPOLLOUT)
		flush(can);
	can_leave(can);
	return 0;
}

static void udp_refresh(struct can *can)
{
	struct udp *udp = can->state;
	can_report_lost(can, can_drops_of_socket(&udp->drops, udp->fd));
}

static int udp_open(struct can *can, const struct can_options *options, struct error *err)
{
	struct udp *udp = calloc(1, sizeof(*udp));
	struct can_ip_pair pair;
	if (!udp)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	udp->fd = -1;
	can->state = udp;
	int r = can_ip_pair_parse(options->address, &pair, err);
	if (r < 0)
		return r;
	udp->local = pair.local;
	udp->remote = pair.remote;
	udp->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (udp->fd < 0 || bind(udp->fd, &udp->local.any, udp->local.length) < 0)
		return error_set(err, ERROR_BENCH, errno, "%s: cannot use %s: %s", can->name, options->address, strerror(errno));
	stamp_enable(udp->fd);
	can_drops_enable(udp->fd, RECEIVE_BYTES);
	r = sd_event_add_io(loop_event(can->loop), &udp->io, udp->fd, EPOLLIN, on_io, can);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot watch a socket: %s", strerror(-r)) : 0;
}

static void udp_close(struct can *can)
{
	struct udp *udp = can->state;
	if (!udp)
		return;
	sd_event_source_disable_unref(udp->io);
	if (udp->fd >= 0)
		close(udp->fd);
	free(udp);
}

const struct can_backend can_cannelloni_udp = {
        .name = "cannelloni-udp",
        .check = udp_check,
        .open = udp_open,
        .close = udp_close,
        .send = udp_send,
        .refresh = udp_refresh,
};
