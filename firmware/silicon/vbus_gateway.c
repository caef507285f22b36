/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other tools on the bus: cannelloni (datagrams and streams) and python-can's udp_multicast. A gateway is a node of the
 * bus; it acknowledges only from the first good message of a tool on, so that an unused one does not hide that nobody
 * is there. While its node's queue is full its socket is not read.
 */
#include "vbus.h"

#include "vbus_cannelloni.h"
#include "vbus_msgpack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TURN     64 /* datagrams of one gateway in one turn of the loop */
#define GREETING (sizeof CANNELLONI_GREETING - 1)

/* ---- making -------------------------------------------------------------------------------------------------- */

static struct vbus_gateway *gateway_new(struct vbus *vbus, enum vbus_gateway_kind kind, int fd)
{
	struct vbus_gateway *g = vbus->gateways;
	while (g < vbus->gateways + VBUS_MAX_GATEWAYS && g->used)
		g++;
	if (g == vbus->gateways + VBUS_MAX_GATEWAYS)
		return NULL;
	*g = (struct vbus_gateway){.kind = kind, .fd = fd, .out_fd = -1, .pending = malloc(VBUS_PENDING * sizeof *g->pending)};
	g->node = g->pending ? canbus_attach(vbus->bus, vbus->now_ns, true) : -1;
	if (g->node < 0) {
		free(g->pending);
		return NULL;
	}
	g->used = true;
	vbus->gateway_of[g->node] = g;
	return g;
}

/* "127.0.0.1:13400"; without an address: loopback. */
static bool parse_address(const char *text, size_t length, struct sockaddr_in *ret_address)
{
	char copy[64], *end;
	if (length == 0 || length >= sizeof copy)
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	char *colon = strrchr(copy, ':');
	if (!colon || colon[1] < '0' || colon[1] > '9')
		return false;
	*colon = '\0';
	const unsigned long port = strtoul(colon + 1, &end, 10);
	*ret_address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	return *end == '\0' && port <= 65535 && inet_pton(AF_INET, *copy ? copy : "127.0.0.1", &ret_address->sin_addr) == 1;
}

static int open_socket(int type, const struct sockaddr_in *local, char *error, size_t error_size)
{
	int one = 1;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && local->sin_port)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (fd >= 0 && bind(fd, (const struct sockaddr *)local, sizeof *local) == 0)
		return fd;
	snprintf(error, error_size, "%s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int refuse(int fd, char *error, size_t error_size, const char *text)
{
	snprintf(error, error_size, "%s", text ? text : strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

int vbus_gateway_udp(struct vbus *vbus, const char *value, char *error, size_t error_size)
{
	struct sockaddr_in local, remote;
	const char *comma = strchr(value, ',');
	if (!comma || !parse_address(value, (size_t)(comma - value), &local) || !parse_address(comma + 1, strlen(comma + 1), &remote))
		return refuse(-1, error, error_size, "LOCAL:PORT,REMOTE:PORT expected");
	int fd = open_socket(SOCK_DGRAM, &local, error, error_size);
	if (fd < 0)
		return -1;
	struct vbus_gateway *g = gateway_new(vbus, VBUS_CANNELLONI_UDP, fd);
	if (!g)
		return refuse(fd, error, error_size, "no room for another gateway");
	g->remote = remote;
	return 0;
}

int vbus_gateway_tcp(struct vbus *vbus, const char *value, char *error, size_t error_size)
{
	struct sockaddr_in local;
	if (!parse_address(value, strlen(value), &local))
		return refuse(-1, error, error_size, "LOCAL:PORT expected");
	if (vbus->tcp_listener >= 0)
		return refuse(-1, error, error_size, "given twice");
	int fd = open_socket(SOCK_STREAM, &local, error, error_size);
	if (fd < 0)
		return -1;
	if (listen(fd, 8) < 0)
		return refuse(fd, error, error_size, NULL);
	vbus->tcp_listener = fd;
	return 0;
}

/* Joins the group on one interface, and makes a second socket whose address tells our own datagrams. */
static int join(int fd, const struct sockaddr_in *group, unsigned interface, struct sockaddr_in *ret_own)
{
	const struct sockaddr_in any = {.sin_family = AF_INET};
	const struct ip_mreqn membership = {.imr_multiaddr = group->sin_addr, .imr_ifindex = (int)interface};
	const uint8_t no = 0, yes = 1;
	socklen_t length = sizeof *ret_own;
	if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof membership) < 0)
		return -1;
	int out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (out < 0)
		return -1;
	if (setsockopt(out, IPPROTO_IP, IP_MULTICAST_IF, &membership, sizeof membership) == 0 &&
	    setsockopt(out, IPPROTO_IP, IP_MULTICAST_TTL, &no, sizeof no) == 0 &&
	    setsockopt(out, IPPROTO_IP, IP_MULTICAST_LOOP, &yes, sizeof yes) == 0 &&
	    bind(out, (const struct sockaddr *)&any, sizeof any) == 0 && connect(out, (const struct sockaddr *)group, sizeof *group) == 0 &&
	    getsockname(out, (struct sockaddr *)ret_own, &length) == 0)
		return out;
	close(out);
	return -1;
}

int vbus_gateway_multicast(struct vbus *vbus, const char *value, char *error, size_t error_size)
{
	struct sockaddr_in group, own;
	const char *comma = strchr(value, ',');
	const size_t length = comma ? (size_t)(comma - value) : strlen(value);
	if (!parse_address(value, length, &group) || !IN_MULTICAST(ntohl(group.sin_addr.s_addr)))
		return refuse(-1, error, error_size, "GROUP:PORT[,INTERFACE] expected");
	const unsigned interface = if_nametoindex(comma ? comma + 1 : "lo");
	if (!interface)
		return refuse(-1, error, error_size, "no such network interface");
	int fd = open_socket(SOCK_DGRAM, &group, error, error_size);
	if (fd < 0)
		return -1;
	int out = join(fd, &group, interface, &own);
	if (out < 0)
		return refuse(fd, error, error_size, NULL);
	struct vbus_gateway *g = gateway_new(vbus, VBUS_MULTICAST, fd);
	if (!g) {
		close(out);
		return refuse(fd, error, error_size, "no room for another gateway");
	}
	g->remote = group;
	g->own = own;
	g->out_fd = out;
	return 0;
}

void vbus_gateway_accept(struct vbus *vbus)
{
	int one = 1;
	int fd = accept4(vbus->tcp_listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	struct vbus_gateway *g = gateway_new(vbus, VBUS_CANNELLONI_TCP, fd);
	if (!g) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	memcpy(g->out, CANNELLONI_GREETING, GREETING);
	g->out_length = GREETING;
}

/* ---- from the tool to the bus -------------------------------------------------------------------------------- */

/* As many as the node's queue takes. The bus has to have reached the present, or what becomes free meanwhile would be
 * fed in the middle of this. */
static void feed(struct vbus *vbus, struct vbus_gateway *g)
{
	struct canbus_node_status status;
	canbus_node_status(vbus->bus, (unsigned)g->node, &status);
	for (unsigned room = CANBUS_QUEUE - status.queued; room > 0 && g->pending_count > 0; room--) {
		const struct canbus_frame frame = g->pending[g->pending_head];
		g->pending_head = (g->pending_head + 1) % VBUS_PENDING;
		g->pending_count--;
		canbus_transmit(vbus->bus, vbus->now_ns, (unsigned)g->node, &frame, 0);
	}
}

static void catch_up_and_feed(struct vbus *vbus, struct vbus_gateway *g)
{
	canbus_advance(vbus->bus, vbus->now_ns - 1);
	feed(vbus, g);
}

static void take_frame(struct vbus *vbus, struct vbus_gateway *g, const struct canbus_frame *frame)
{
	if (!canbus_frame_legal(vbus->bus, frame)) {
		g->garbage++;
		return;
	}
	if (!g->heard) {
		g->heard = true;
		canbus_listen_only(vbus->bus, vbus->now_ns, (unsigned)g->node, false);
	}
	g->received++;
	g->pending[(g->pending_head + g->pending_count++) % VBUS_PENDING] = *frame;
}

static void take_packet(struct vbus *vbus, struct vbus_gateway *g, size_t length)
{
	static struct canbus_frame frames[VBUS_PENDING];
	bool error_frame;
	int n;
	if (g->kind == VBUS_CANNELLONI_UDP)
		n = cannelloni_packet_decode(g->in, length, frames, VBUS_PENDING);
	else
		n = vbus_msgpack_decode(g->in, length, frames, &error_frame) ? !error_frame : -1;
	if (n < 0)
		g->garbage++;
	for (int i = 0; i < n; i++)
		take_frame(vbus, g, &frames[i]);
}

static bool same_sender(const struct vbus_gateway *g, const struct sockaddr_in *from)
{
	if (g->kind == VBUS_CANNELLONI_UDP)
		return from->sin_addr.s_addr == g->remote.sin_addr.s_addr;
	return from->sin_addr.s_addr != g->own.sin_addr.s_addr || from->sin_port != g->own.sin_port;
}

static void receive_packets(struct vbus *vbus, struct vbus_gateway *g)
{
	struct sockaddr_in from;
	for (int i = 0; i < TURN && g->pending_count == 0; i++) {
		socklen_t size = sizeof from;
		ssize_t n = recvfrom(g->fd, g->in, sizeof g->in, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &size);
		if (n < 0)
			return; /* nothing more, or a notice that a datagram of ours was not wanted */
		if (!same_sender(g, &from))
			g->garbage += g->kind == VBUS_CANNELLONI_UDP;
		else if ((size_t)n > sizeof g->in)
			g->garbage++;
		else
			take_packet(vbus, g, (size_t)n);
		catch_up_and_feed(vbus, g);
	}
}

/* A stream cannot be followed any further behind something that is no frame. */
static void break_stream(struct vbus_gateway *g)
{
	g->garbage++;
	g->closing = true;
}

static void take_stream(struct vbus *vbus, struct vbus_gateway *g)
{
	size_t at = 0;
	if (!g->greeted) {
		const size_t known = g->in_length < GREETING ? g->in_length : GREETING;
		if (memcmp(g->in, CANNELLONI_GREETING, known) != 0)
			break_stream(g);
		if (g->closing || known < GREETING)
			return;
		g->greeted = true;
		at = GREETING;
	}
	while (g->pending_count < VBUS_PENDING) {
		struct canbus_frame frame;
		bool error_frame;
		int n = cannelloni_frame_decode(g->in + at, g->in_length - at, &frame, &error_frame);
		if (n < 0)
			break_stream(g);
		if (n <= 0)
			break;
		if (!error_frame)
			take_frame(vbus, g, &frame);
		at += (size_t)n;
	}
	g->in_length -= at;
	memmove(g->in, g->in + at, g->in_length);
}

static void receive_stream(struct vbus *vbus, struct vbus_gateway *g)
{
	ssize_t n = recv(g->fd, g->in + g->in_length, sizeof g->in - g->in_length, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n <= 0) {
		g->closing = true;
		return;
	}
	g->in_length += (size_t)n;
	take_stream(vbus, g);
	catch_up_and_feed(vbus, g);
}

/* ---- from the bus to the tool -------------------------------------------------------------------------------- */

static void flush(struct vbus_gateway *g)
{
	size_t sent = 0;
	while (sent < g->out_length && !g->closing) {
		ssize_t n = send(g->fd, g->out + sent, g->out_length - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0)
			sent += (size_t)n;
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			break;
		else if (errno != EINTR)
			g->closing = true;
	}
	g->out_length -= sent;
	memmove(g->out, g->out + sent, g->out_length);
}

static void send_stream(struct vbus_gateway *g, const struct canbus_frame *frame)
{
	if (!g->greeted || sizeof g->out - g->out_length < CANNELLONI_FRAME_MAX) {
		g->lost += g->greeted;
		return;
	}
	g->out_length += cannelloni_frame_encode(g->out + g->out_length, frame);
	g->sent++;
	flush(g);
}

/* Seconds of the wall clock at an instant of the monotonic one, as python-can stamps its messages. */
static double wall_s(uint64_t at_ns)
{
	struct timespec wall, monotonic;
	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	return (double)wall.tv_sec - (double)monotonic.tv_sec + (double)(wall.tv_nsec - monotonic.tv_nsec) * 1e-9 + (double)at_ns * 1e-9;
}

static void send_packet(struct vbus_gateway *g, const struct canbus_event *event)
{
	uint8_t bytes[VBUS_MSGPACK_MAX];
	ssize_t n;
	if (g->kind == VBUS_MULTICAST) {
		size_t length = vbus_msgpack_encode(bytes, event->frame, wall_s(event->end_ns));
		n = send(g->out_fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else {
		size_t length = cannelloni_packet_encode(bytes, g->sequence++, event->frame);
		n = sendto(g->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&g->remote, sizeof g->remote);
	}
	g->sent += n >= 0;
	g->lost += n < 0;
}

void vbus_gateway_event(struct vbus *vbus, struct vbus_gateway *g, const struct canbus_event *event)
{
	if (event->kind == CANBUS_RECEIVED && g->kind == VBUS_CANNELLONI_TCP)
		send_stream(g, event->frame);
	else if (event->kind == CANBUS_RECEIVED)
		send_packet(g, event);
	else if (event->kind == CANBUS_NOT_SENT)
		g->lost++;
	else if (event->kind == CANBUS_CONFIRMED)
		feed(vbus, g);
	else if (event->kind == CANBUS_CHANGED)
		g->bus_off = event->state == CANBUS_BUS_OFF;
}

/* ---- the loop's side ----------------------------------------------------------------------------------------- */

short vbus_gateway_events(const struct vbus_gateway *g)
{
	const bool room = g->pending_count == 0 && g->in_length < sizeof g->in;
	return (short)((room ? POLLIN : 0) | (g->out_length > 0 ? POLLOUT : 0));
}

void vbus_gateway_serve(struct vbus *vbus, struct vbus_gateway *g, short events)
{
	int pending_error;
	socklen_t size = sizeof pending_error;
	if (events & POLLOUT)
		flush(g);
	if (g->kind != VBUS_CANNELLONI_TCP)
		receive_packets(vbus, g);
	else if (events & POLLIN)
		receive_stream(vbus, g);
	else if (events & (POLLHUP | POLLERR))
		g->closing = true;
	if (events & POLLERR)
		getsockopt(g->fd, SOL_SOCKET, SO_ERROR, &pending_error, &size); /* takes the notice away */
}

/* What a tool sent before it left still goes to the bus, if that is possible within a second. */
static bool may_end(struct vbus *vbus, struct vbus_gateway *g)
{
	struct canbus_node_status status;
	canbus_node_status(vbus->bus, (unsigned)g->node, &status);
	if (!g->end_by_ns)
		g->end_by_ns = vbus->now_ns + 1000000000u;
	return (g->pending_count == 0 && status.queued == 0) || vbus->now_ns >= g->end_by_ns;
}

static void gateway_end(struct vbus *vbus, struct vbus_gateway *g)
{
	vbus->gateway_of[g->node] = NULL;
	canbus_detach(vbus->bus, vbus->now_ns, (unsigned)g->node);
	close(g->fd);
	if (g->out_fd >= 0)
		close(g->out_fd);
	free(g->pending);
	g->used = false;
}

void vbus_gateways_tend(struct vbus *vbus)
{
	for (size_t i = 0; i < VBUS_MAX_GATEWAYS; i++) {
		struct vbus_gateway *g = &vbus->gateways[i];
		if (!g->used)
			continue;
		if (g->kind == VBUS_CANNELLONI_TCP && !g->closing && g->pending_count == 0 && g->in_length > 0) {
			take_stream(vbus, g);
			catch_up_and_feed(vbus, g);
		}
		if (g->bus_off)
			canbus_recover(vbus->bus, vbus->now_ns, (unsigned)g->node);
		g->bus_off = false;
		if (g->closing && may_end(vbus, g))
			gateway_end(vbus, g);
	}
}
