/* SPDX-License-Identifier: Apache-2.0 */
/* python-can's udp_multicast interface: a frame a datagram to a multicast group. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "can_drops.h"
#include "can_ip.h"
#include "can_private.h"
#include "can_python_frame.h"
#include "stamp.h"

#define SENDS_AT_ONCE 32
#define RECEIVE_BYTES (4 << 20)

struct multicast {
	int in, out; /* one hears the group, one sends: what comes from the latter's address is our own */
	sd_event_source *in_io, *out_io;
	struct address group, own;
	struct can_drops drops;
};

struct target {
	struct address group;
	struct ip_mreqn membership;
};

static int parse(const char *text, struct target *ret, struct error *err)
{
	const char *comma = strchr(text, ',');
	struct target target = {0};
	int r = can_ip_parse(text, comma ? (size_t)(comma - text) : strlen(text), &target.group, err);
	if (r < 0)
		return r;
	if (!IN_MULTICAST(ntohl(target.group.v4.sin_addr.s_addr)))
		return error_set(err, ERROR_USAGE, EINVAL, "\"%s\" names no multicast group (224.0.0.0 to 239.255.255.255)", text);
	target.membership.imr_multiaddr = target.group.v4.sin_addr;
	if (comma) {
		struct address address;
		if (!comma[1] || strlen(comma + 1) >= ADDRESS_TEXT_MAX)
			return error_set(err, ERROR_USAGE, EINVAL, "\"%s\" lacks the interface after the comma", text);
		if (address_parse(comma + 1, &address, NULL) == 0 && address.any.sa_family == AF_INET)
			target.membership.imr_address = address.v4.sin_addr;
		else
			target.membership.imr_ifindex = (int)if_nametoindex(comma + 1);
	}
	*ret = target;
	return 0;
}

static int multicast_check(const char *text, struct error *err)
{
	struct target target;
	return parse(text, &target, err);
}

/* ---- in ---- */

static void take(struct can *can, const struct can_ip_datagram *datagram, const uint8_t *data, size_t length)
{
	const struct multicast *multicast = can->state;
	struct can_message message;
	bool error;
	if (datagram->from.v4.sin_port == multicast->own.v4.sin_port &&
	    datagram->from.v4.sin_addr.s_addr == multicast->own.v4.sin_addr.s_addr)
		return;
	if (python_frame_decode(data, length, &message, &error) < 0)
		can_report_garbage(can, "a datagram came that is no frame of python-can");
	else
		can_report_decoded(can, &message, error, datagram->at);
}

static int on_in(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct can *can = context;
	struct multicast *multicast = can->state;
	can_enter(can);
	can_ip_read(can, fd, &multicast->drops, take);
	can_leave(can);
	return 0;
}

/* ---- out ---- */

static bool send_one(struct can *can, struct multicast *multicast)
{
	uint8_t buffer[PYTHON_FRAME_MAX];
	struct can_pending_entry *next = can_pending_next(&can->pending), entry;
	if (!next)
		return false;
	struct instant at = instant_now();
	size_t length = python_frame_encode(&next->message, at.ns + clock_realtime_offset_ns(), buffer);
	ssize_t n = send(multicast->out, buffer, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	int code = errno;
	if (n < 0 && (code == EAGAIN || code == EINTR))
		return false;
	can_pending_was_handed(&can->pending);
	if (!can_pending_take_oldest(&can->pending, &entry))
		return false;
	if (n < 0)
		can_report_not_sent(can, entry.ticket, strerror(code));
	else
		can_report_sent(can, &entry, at);
	return true;
}

static int on_out(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct can *can = context;
	can_enter(can);
	for (unsigned i = 0; i < SENDS_AT_ONCE && !can->freed && !can->closed && send_one(can, can->state); i++)
		;
	if (!can->freed && can->pending.count == 0)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	can_leave(can);
	return 0;
}

static int multicast_send(struct can *can, struct error *err)
{
	struct multicast *multicast = can->state;
	sd_event_source_set_enabled(multicast->out_io, SD_EVENT_ON);
	return 0;
}

static void multicast_refresh(struct can *can)
{
	struct multicast *multicast = can->state;
	can_report_lost(can, can_drops_of_socket(&multicast->drops, multicast->in));
}

/* ---- start and end ---- */

static int open_in(struct multicast *multicast, const struct target *target)
{
	int one = 1, fd = multicast->in = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, &target->group.any, target->group.length) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &target->membership, sizeof(target->membership)) < 0)
		return -errno;
	stamp_enable(fd);
	can_drops_enable(fd, RECEIVE_BYTES);
	return 0;
}

static int open_out(struct multicast *multicast, const struct target *target)
{
	int one = 1, fd = multicast->out = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* Other tools on this machine shall hear it, none beyond the next router. */
	if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &one, sizeof(one)) < 0)
		return -errno;
	bool chosen = target->membership.imr_ifindex || target->membership.imr_address.s_addr;
	if (chosen && setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &target->membership, sizeof(target->membership)) < 0)
		return -errno;
	if (connect(fd, &target->group.any, target->group.length) < 0)
		return -errno;
	multicast->own = address_of_socket(fd);
	return 0;
}

static int multicast_open(struct can *can, const struct can_options *options, struct error *err)
{
	struct multicast *multicast = calloc(1, sizeof(*multicast));
	struct target target;
	if (!multicast)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	multicast->in = multicast->out = -1;
	can->state = multicast;
	int r = parse(options->address, &target, err);
	if (r < 0)
		return r;
	if (strchr(options->address, ',') && !target.membership.imr_ifindex && !target.membership.imr_address.s_addr)
		return error_set(err, ERROR_BENCH, ENODEV, "%s: there is no interface \"%s\"", can->name,
		                 strchr(options->address, ',') + 1);
	r = open_in(multicast, &target);
	if (r == 0)
		r = open_out(multicast, &target);
	if (r < 0)
		return error_set(err, ERROR_BENCH, -r, "%s: cannot use %s: %s", can->name, options->address, strerror(-r));
	r = sd_event_add_io(loop_event(can->loop), &multicast->in_io, multicast->in, EPOLLIN, on_in, can);
	if (r >= 0)
		r = sd_event_add_io(loop_event(can->loop), &multicast->out_io, multicast->out, EPOLLOUT, on_out, can);
	if (r >= 0)
		r = sd_event_source_set_enabled(multicast->out_io, SD_EVENT_OFF);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot watch a socket: %s", strerror(-r)) : 0;
}

static void multicast_close(struct can *can)
{
	struct multicast *multicast = can->state;
	if (!multicast)
		return;
	sd_event_source_disable_unref(multicast->in_io);
	sd_event_source_disable_unref(multicast->out_io);
	if (multicast->in >= 0)
		close(multicast->in);
	if (multicast->out >= 0)
		close(multicast->out);
	free(multicast);
}

const struct can_backend can_udp_multicast = {
        .name = "udp-multicast",
        .check = multicast_check,
        .open = multicast_open,
        .close = multicast_close,
        .send = multicast_send,
        .refresh = multicast_refresh,
};
