/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes on sockets. A node that reads slowly has a bounded queue here; what does not fit is counted and told. */
#include "vbus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define RING        4096u
#define RING_FRAMES (RING - 128u) /* the rest is for messages that must not be lost */
#define RING_PAUSE  (RING - 96u)  /* above it no requests are read, each of which may cause one of those */
#define TURN        32            /* requests of one node in one turn of the loop */
#define BACKLOG     64

/* ---- the listener -------------------------------------------------------------------------------------------- */

/* Removes a socket that nobody serves any more. */
static int clear_path(const struct sockaddr_un *address, char *error, size_t error_size)
{
	struct stat status;
	if (lstat(address->sun_path, &status) < 0)
		return 0;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool served = fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
	if (fd >= 0)
		close(fd);
	if (!S_ISSOCK(status.st_mode) || served) {
		snprintf(error, error_size, served ? "another bus listens there" : "there is a file that is no socket");
		return -1;
	}
	return unlink(address->sun_path);
}

int vbus_listen(const char *path, char *error, size_t error_size)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address.sun_path) {
		snprintf(error, error_size, "a socket's path has at most %zu characters", sizeof address.sun_path - 1);
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (clear_path(&address, error, error_size) < 0)
		return -1;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	snprintf(error, error_size, "%s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

void vbus_accept(struct vbus *vbus)
{
	int fd = accept4(vbus->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	for (size_t i = 0; i < CANBUS_MAX_NODES; i++) {
		if (vbus->clients[i].used)
			continue;
		vbus->clients[i] = (struct vbus_client){.used = true, .fd = fd, .node = -1};
		return;
	}
	close(fd); /* no more room on this bus */
}

/* ---- sending ------------------------------------------------------------------------------------------------- */

static bool send_now(struct vbus_client *client, const uint8_t *message, size_t length)
{
	if (client->closing || send(client->fd, message, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOBUFS || errno == ENOMEM)
		return false;
	client->closing = true;
	return true;
}

static bool ring_put(struct vbus_client *client, const uint8_t *message, size_t length, unsigned limit)
{
	if (!client->ring)
		client->ring = malloc(RING * sizeof *client->ring);
	if (!client->ring || client->count >= limit)
		return false;
	struct vbus_slot *slot = &client->ring[(client->head + client->count++) % RING];
	slot->length = (uint8_t)length;
	memcpy(slot->bytes, message, length);
	return true;
}

static void lose(struct vbus_client *client)
{
	client->lost++;
	client->lost_total++;
}

/* Says what was lost, at the place where it would have been. */
static bool tell_lost(struct vbus_client *client)
{
	uint8_t message[VBUS_MESSAGE_MAX];
	if (client->lost == 0)
		return true;
	const size_t length = vbus_put_overflow(message, client->lost);
	if ((client->count > 0 || !send_now(client, message, length)) && !ring_put(client, message, length, RING_FRAMES))
		return false;
	client->lost = 0;
	return true;
}

/* False: no room. */
static bool offer(struct vbus_client *client, const uint8_t *message, size_t length, unsigned limit)
{
	if (client->closing || (client->count == 0 && send_now(client, message, length)))
		return true;
	return ring_put(client, message, length, limit);
}

/* What may be lost, and is counted. */
static void post(struct vbus_client *client, const uint8_t *message, size_t length)
{
	if (!tell_lost(client) || !offer(client, message, length, RING_FRAMES))
		lose(client);
}

/* What has to arrive: answers to requests, of which no more are read than there is room for. */
static void post_answer(struct vbus_client *client, const uint8_t *message, size_t length)
{
	tell_lost(client);
	if (!offer(client, message, length, RING))
		client->closing = true; /* out of memory: the node loses its power */
}

static void post_state(struct vbus *vbus, struct vbus_client *client, unsigned node)
{
	uint8_t message[VBUS_MESSAGE_MAX];
	struct canbus_node_status status;
	canbus_node_status(vbus->bus, node, &status);
	const struct canbus_event event = {
	        .node = node, .end_ns = vbus->now_ns, .state = status.state, .tec = status.tec, .rec = status.rec};
	client->state_missed = !offer(client, message, vbus_put_state(message, &event), RING_FRAMES);
}

static void flush(struct vbus *vbus, struct vbus_client *client)
{
	while (client->count > 0) {
		const struct vbus_slot *slot = &client->ring[client->head];
		if (!send_now(client, slot->bytes, slot->length))
			return;
		client->head = (client->head + 1) % RING;
		client->count--;
	}
	if (tell_lost(client) && client->state_missed)
		post_state(vbus, client, (unsigned)client->node);
}

/* ---- events -------------------------------------------------------------------------------------------------- */

static void post_observers(struct vbus *vbus, const struct vbus_client *except, const uint8_t *message, size_t length)
{
	for (size_t i = 0; i < CANBUS_MAX_NODES && vbus->observers > 0; i++) {
		struct vbus_client *client = &vbus->clients[i];
		if (client->used && client != except && client->flags & VBUS_OBSERVER)
			post(client, message, length);
	}
}

static void post_confirmed(struct vbus_client *client, const struct canbus_event *event)
{
	uint8_t message[VBUS_MESSAGE_MAX];
	if (client->flags & VBUS_RECEIVE_OWN)
		post(client, message, vbus_put_received(message, event));
	post_answer(client, message, vbus_put_confirmed(message, event));
}

void vbus_nodes_event(struct vbus *vbus, const struct canbus_event *event)
{
	struct vbus_client *client = vbus->client_of[event->node];
	uint8_t message[VBUS_MESSAGE_MAX];
	size_t length;
	switch (event->kind) {
	case CANBUS_RECEIVED:
		if (client)
			post(client, message, vbus_put_received(message, event));
		break;
	case CANBUS_CONFIRMED:
		if (client)
			post_confirmed(client, event);
		break;
	case CANBUS_NOT_SENT:
		if (client)
			post_answer(client, message, vbus_put_not_sent(message, event));
		break;
	case CANBUS_FAILED:
		post_observers(vbus, NULL, message, vbus_put_failed(message, event));
		break;
	case CANBUS_CHANGED:
		length = vbus_put_state(message, event);
		if (client)
			client->state_missed = !offer(client, message, length, RING_FRAMES);
		post_observers(vbus, client, message, length);
		break;
	}
}

void vbus_nodes_load(struct vbus *vbus, uint64_t at_ns, const struct canbus_counts *counts)
{
	uint8_t message[VBUS_MESSAGE_MAX];
	post_observers(vbus, NULL, message, vbus_put_load(message, at_ns, vbus->load_permille, counts->frames, counts->errors));
}

/* ---- requests ------------------------------------------------------------------------------------------------ */

static void attach(struct vbus *vbus, struct vbus_client *client, const struct vbus_request *request)
{
	if (client->node >= 0 || (client->node = canbus_attach(vbus->bus, vbus->now_ns, request->flags & VBUS_LISTEN_ONLY)) < 0) {
		client->closing = true;
		return;
	}
	vbus->client_of[client->node] = client;
	client->flags = request->flags;
	memcpy(client->name, request->name, sizeof client->name);
	post_state(vbus, client, (unsigned)client->node);
	if (!(client->flags & VBUS_OBSERVER))
		return;
	for (unsigned i = 0; i < CANBUS_MAX_NODES; i++) {
		if (i != (unsigned)client->node && (vbus->client_of[i] || vbus->gateway_of[i]))
			post_state(vbus, client, i);
	}
	if (vbus->observers++ == 0) {
		struct canbus_counts counts;
		canbus_counts(vbus->bus, vbus->now_ns, &counts);
		vbus->load_from_ns = vbus->now_ns;
		vbus->load_busy_ns = counts.busy_ns;
		vbus->load_at_ns = vbus->now_ns + 1000000000u;
	}
}

static void obey(struct vbus *vbus, struct vbus_client *client, const struct vbus_request *request)
{
	const unsigned node = (unsigned)client->node;
	if (request->kind == 'A')
		attach(vbus, client, request);
	else if (client->node < 0)
		client->closing = true; /* its first message has to attach */
	else if (request->kind == 'T')
		canbus_transmit(vbus->bus, vbus->now_ns, node, &request->frame, request->ticket);
	else if (request->kind == 'X' && request->one)
		canbus_cancel_one(vbus->bus, vbus->now_ns, node, request->ticket);
	else if (request->kind == 'X')
		canbus_cancel(vbus->bus, vbus->now_ns, node);
	else
		canbus_recover(vbus->bus, vbus->now_ns, node);
}

static void receive(struct vbus *vbus, struct vbus_client *client)
{
	uint8_t message[256];
	struct vbus_request request;
	for (int i = 0; i < TURN && !client->closing && client->count < RING_PAUSE; i++) {
		ssize_t n = recv(client->fd, message, sizeof message, MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
			return;
		if (n <= 0)
			client->closing = true;
		else if ((size_t)n <= sizeof message && vbus_request_decode(message, (size_t)n, &request))
			obey(vbus, client, &request);
		else if (client->node < 0)
			client->closing = true;
		else
			client->garbage++;
	}
}

short vbus_client_events(const struct vbus_client *client)
{
	return (short)((client->count < RING_PAUSE ? POLLIN : 0) |
	               (client->count > 0 || client->lost > 0 || client->state_missed ? POLLOUT : 0));
}

void vbus_client_serve(struct vbus *vbus, struct vbus_client *client, short events)
{
	if (events & POLLOUT)
		flush(vbus, client);
	if (events & POLLIN)
		receive(vbus, client);
	else if (events & (POLLHUP | POLLERR))
		client->closing = true;
}

void vbus_client_close(struct vbus *vbus, struct vbus_client *client)
{
	if (client->node >= 0) {
		vbus->client_of[client->node] = NULL;
		canbus_detach(vbus->bus, vbus->now_ns, (unsigned)client->node);
	}
	if (client->flags & VBUS_OBSERVER && --vbus->observers == 0)
		vbus->load_at_ns = CANBUS_NEVER;
	close(client->fd);
	free(client->ring);
	*client = (struct vbus_client){0};
}
