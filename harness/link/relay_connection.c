/* SPDX-License-Identifier: Apache-2.0 */
/* One connection through the tap: two sockets, and what is on its way between them. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "relay_private.h"
#include "stamp.h"

#define READ_SIZE (64U * 1024)
#define QUEUE_MAX (1024U * 1024) /* a direction; then the sender has to wait */

static const char *side_name(bool client)
{
	return client ? "client" : "server";
}

static struct relay_end *other_end(struct relay_end *end)
{
	return &end->connection->ends[end->client ? 1 : 0];
}

/* The direction that begins at this end. */
static struct relay_way *way_from(struct relay_end *end)
{
	return &end->connection->ways[end->client ? 0 : 1];
}

/* ---- ending ------------------------------------------------------------------------------------------------ */

static void end_close(struct relay_end *end, bool reset)
{
	struct linger linger = {.l_onoff = 1};

	end->io = sd_event_source_disable_unref(end->io);
	if (end->fd < 0)
		return;
	if (reset)
		(void)setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	(void)close(end->fd);
	end->fd = -1;
}

void relay_connection_close(struct relay_connection *connection, bool by_client, bool reset)
{
	if (connection->closed)
		return;
	connection->closed = true;
	end_close(&connection->ends[0], reset);
	end_close(&connection->ends[1], reset);
	capture_flow_end(connection->flow, by_client, reset, instant_now());
	connection->flow = NULL;
}

void relay_connection_cut(struct relay_connection *connection, json_t *details)
{
	if (!details)
		details = json_object();
	(void)json_object_set_new(details, "action", json_string("cut"));
	relay_emit(connection->relay, instant_now(), "link.fault", connection, NULL, details);
	relay_connection_close(connection, true, true);
}

void relay_connection_free(struct relay_connection *connection)
{
	for (unsigned i = 0; i < 2; i++) {
		while (connection->ways[i].first) {
			struct relay_chunk *next = connection->ways[i].first->next;

			free(connection->ways[i].first);
			connection->ways[i].first = next;
		}
	}
	free(connection);
}

/* ---- queueing ---------------------------------------------------------------------------------------------- */

static void enqueue(struct relay_end *from, enum relay_chunk_kind kind, const void *data, size_t length)
{
	struct relay_connection *connection = from->connection;
	struct relay_way *way = way_from(from);
	struct relay_chunk *chunk = malloc(sizeof(*chunk) + length);

	if (!chunk) {
		/* Bytes that are lost in the middle would be a lie about the peer. */
		relay_connection_close(connection, from->client, true);
		return;
	}
	*chunk = (struct relay_chunk){.kind = kind, .length = length};
	if (connection->relay->delay_ns > 0)
		chunk->due_ns = loop_now_ns() + connection->relay->delay_ns;
	if (length > 0)
		memcpy(chunk->data, data, length);
	if (way->last)
		way->last->next = chunk;
	else
		way->first = chunk;
	way->last = chunk;
	way->queued += length;
}

static void pop(struct relay_way *way)
{
	struct relay_chunk *chunk = way->first;

	way->first = chunk->next;
	if (!way->first)
		way->last = NULL;
	way->queued -= chunk->length;
	free(chunk);
}

/* ---- reading ----------------------------------------------------------------------------------------------- */

static void take_data(struct relay_end *end, const uint8_t *data, size_t length, struct instant at)
{
	struct relay_connection *connection = end->connection;
	struct relay *relay = connection->relay;
	struct relay_way *way = way_from(end);

	capture_flow_data(connection->flow, end->client, data, length, at);
	if (relay->journal_segments)
		relay_emit(relay, at, "tcp.segment", connection, side_name(end->client), json_pack("{s:I}", "length", (json_int_t)length));
	if (connection->watch)
		watch_bytes(connection->watch, end->client, data, length, at);
	if (connection->cut_now) {
		relay_connection_cut(connection, json_pack("{s:s}", "at", connection->cut_at));
		return;
	}
	way->taken += length;
	enqueue(end, RELAY_DATA, data, length);
	if (way->taken >= way->cut_after)
		enqueue(end, RELAY_CUT, NULL, 0);
}

static void take_reset(struct relay_end *end, struct instant at)
{
	end->ended = true;
	relay_emit(end->connection->relay, at, "tcp.reset", end->connection, side_name(end->client), NULL);
	enqueue(end, RELAY_RESET, NULL, 0);
}

static void take_fin(struct relay_end *end, struct instant at)
{
	struct relay_connection *connection = end->connection;

	end->ended = true;
	if (!connection->fin_seen)
		connection->first_fin_by_client = end->client;
	connection->fin_seen = true;
	relay_emit(connection->relay, at, "tcp.fin", connection, side_name(end->client), NULL);
	enqueue(end, RELAY_FIN, NULL, 0);
}

static void read_some(struct relay_end *end)
{
	static uint8_t buffer[READ_SIZE];
	const struct relay_way *way = way_from(end);
	uint64_t left = way->cut_after - way->taken;
	struct instant at;
	ssize_t n = stamp_receive(end->fd, buffer, left < sizeof(buffer) ? (size_t)left : sizeof(buffer), &at);

	if (n > 0)
		take_data(end, buffer, (size_t)n, at);
	else if (n == 0)
		take_fin(end, at);
	else if (errno != EAGAIN && errno != EINTR)
		take_reset(end, at);
}

/* Of a node without power nothing passes. When both ends have given up there is nothing left to keep. */
static void swallow(struct relay_end *end)
{
	uint8_t waste[4096];
	ssize_t n = recv(end->fd, waste, sizeof(waste), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		end->ended = true;
	if (end->ended && other_end(end)->ended)
		relay_connection_close(end->connection, end->client, true);
}

/* ---- forwarding -------------------------------------------------------------------------------------------- */

static bool has_reset(const struct relay_way *way)
{
	return way->last && way->last->kind == RELAY_RESET;
}

/* Sends of the first chunk what may go now; false: the rest has to wait. */
static bool send_piece(struct relay_end *from, struct relay_way *way, int64_t now_ns)
{
	struct relay_connection *connection = from->connection;
	const struct relay *relay = connection->relay;
	struct relay_chunk *chunk = way->first;
	struct relay_end *to = other_end(from);
	size_t length = chunk->length - chunk->sent;
	ssize_t n;

	if (relay->piece > 0 && way->piece_due_ns > now_ns)
		return false;
	if (relay->piece > 0 && length > relay->piece)
		length = relay->piece;
	n = send(to->fd, chunk->data + chunk->sent, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno == EAGAIN && has_reset(way)) {
		relay_connection_close(connection, from->client, true); /* RST does not wait for room */
		return false;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		way->blocked = true;
		return false;
	}
	if (n < 0) {
		if (!to->ended)
			relay_emit(connection->relay, instant_now(), "tcp.reset", connection, side_name(to->client), NULL);
		relay_connection_close(connection, to->client, true);
		return false;
	}
	way->piece_due_ns = now_ns + relay->gap_ns;
	chunk->sent += (size_t)n;
	if (chunk->sent == chunk->length)
		pop(way);
	return true;
}

/* Does what the first chunk of a way is for; false: nothing more can be done now. */
static bool forward_one(struct relay_end *from, struct relay_way *way, int64_t now_ns)
{
	struct relay_connection *connection = from->connection;

	if (way->first->due_ns > now_ns)
		return false;
	switch (way->first->kind) {
	case RELAY_DATA:
		return send_piece(from, way, now_ns);
	case RELAY_FIN:
		(void)shutdown(other_end(from)->fd, SHUT_WR);
		way->fin_passed = true;
		pop(way);
		return true;
	case RELAY_RESET:
		relay_connection_close(connection, from->client, true);
		return false;
	case RELAY_CUT:
		relay_connection_cut(connection,
		                     json_pack("{s:I, s:s}", "after", (json_int_t)way->cut_after, "from", side_name(from->client)));
		return false;
	}
	return false;
}

static bool way_stands_still(const struct relay_connection *connection, unsigned way)
{
	const struct relay *relay = connection->relay;

	return relay->down || relay->stalled[way] || connection->held || connection->silent || connection->connecting;
}

static void update_io(struct relay_end *end)
{
	struct relay_connection *connection = end->connection;
	const struct relay_way *out = &connection->ways[end->client ? 1 : 0], *in = way_from(end);
	bool still_in = way_stands_still(connection, end->client ? 0 : 1), still_out = way_stands_still(connection, end->client ? 1 : 0);
	uint32_t events = 0;

	if (!end->io)
		return;
	if (connection->connecting && !end->client)
		events |= EPOLLOUT;
	if (connection->silent ? !end->ended : !end->ended && !still_in && in->queued < QUEUE_MAX && in->taken < in->cut_after)
		events |= EPOLLIN;
	if (out->blocked && !still_out)
		events |= EPOLLOUT;
	/* A source that waits for nothing would still report a hang-up, again and again. */
	(void)sd_event_source_set_io_events(end->io, events);
	(void)sd_event_source_set_enabled(end->io, events ? SD_EVENT_ON : SD_EVENT_OFF);
}

void relay_connection_pump(struct relay_connection *connection)
{
	int64_t now_ns = loop_now_ns();

	for (unsigned i = 0; i < 2 && !connection->closed; i++) {
		struct relay_way *way = &connection->ways[i];

		while (!connection->closed && way->first && !way->blocked && !way_stands_still(connection, i) &&
		       forward_one(&connection->ends[i], way, now_ns))
			;
	}
	if (connection->closed)
		return;
	if (connection->ways[0].fin_passed && connection->ways[1].fin_passed) {
		relay_connection_close(connection, connection->first_fin_by_client, false);
		return;
	}
	update_io(&connection->ends[0]);
	update_io(&connection->ends[1]);
}

int64_t relay_connection_due_ns(const struct relay_connection *connection)
{
	int64_t due_ns = INT64_MAX;

	for (unsigned i = 0; i < 2 && !connection->closed; i++) {
		const struct relay_way *way = &connection->ways[i];
		int64_t way_ns;

		if (!way->first || way->blocked || way_stands_still(connection, i))
			continue;
		way_ns = way->first->due_ns;
		if (connection->relay->piece > 0 && way->first->kind == RELAY_DATA && way->piece_due_ns > way_ns)
			way_ns = way->piece_due_ns;
		if (way_ns < due_ns)
			due_ns = way_ns;
	}
	return due_ns;
}

/* ---- the server's side ------------------------------------------------------------------------------------- */

static void established(struct relay_connection *connection)
{
	struct relay *relay = connection->relay;

	connection->connecting = false;
	connection->flow = capture_flow_new(relay->capture, connection->client, relay->listen_text, connection->accepted_at);
	relay_emit(relay, instant_now(), "tcp.established", connection, "server", NULL);
	for (unsigned i = 0; i < 2; i++) {
		if (connection->ways[i].cut_after == 0)
			enqueue(&connection->ends[i], RELAY_CUT, NULL, 0);
	}
}

static void refused(struct relay_connection *connection, int code)
{
	struct relay *relay = connection->relay;

	relay_emit(relay, instant_now(), "tcp.refused", connection, "server", json_pack("{s:s}", "reason", strerror(code)));
	capture_refused(relay->capture, connection->client, relay->listen_text, connection->accepted_at);
	relay_connection_close(connection, false, true);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct relay_end *end = context;
	struct relay_connection *connection = end->connection;
	struct relay *relay = connection->relay;
	int code = 0;
	socklen_t size = sizeof(code);

	if (connection->silent) {
		swallow(end);
	} else if (connection->connecting && !end->client) {
		(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size);
		if (code != 0 && code != ECONNRESET)
			refused(connection, code);
		else
			established(connection);
		if (code == ECONNRESET) /* it stood, and was reset before we had looked */
			take_reset(end, instant_now());
	} else {
		if (events & EPOLLOUT)
			connection->ways[end->client ? 1 : 0].blocked = false;
		if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !end->ended)
			read_some(end);
	}
	if (!connection->closed)
		relay_connection_pump(connection);
	relay_tidy(relay);
	return 0;
}

static int end_open(struct relay_end *end, int fd)
{
	int one = 1;

	end->fd = fd;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	stamp_enable(fd);
	return sd_event_add_io(loop_event(end->connection->relay->loop), &end->io, fd, 0, on_io, end);
}

/* 0: under way; a positive errno: no such connection can be made. */
static int connect_server(struct relay_connection *connection)
{
	const struct relay *relay = connection->relay;
	int one = 1, fd = socket(relay->target.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return errno;
	r = end_open(&connection->ends[1], fd);
	if (r < 0)
		return -r;
	if (relay->source.length > 0) {
		if (address_port(&relay->source) == 0)
			(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
		if (bind(fd, &relay->source.any, relay->source.length) < 0)
			return errno;
	}
	connection->connecting = true;
	if (connect(fd, &relay->target.any, relay->target.length) < 0 && errno != EINPROGRESS)
		return errno;
	return 0;
}

static void on_tls(const char *event, void *context)
{
	struct relay_connection *connection = context;

	if (connection->cut_at && strcmp(connection->cut_at, event) == 0)
		connection->cut_now = true;
}

/* The faults that are armed for the next connection are this one's now. */
static void take_armed_faults(struct relay_connection *connection)
{
	struct relay *relay = connection->relay;

	for (unsigned i = 0; i < 2; i++) {
		connection->ways[i].cut_after = relay->cut_after[i];
		relay->cut_after[i] = UINT64_MAX;
	}
	connection->cut_at = relay->cut_at;
	relay->cut_at = NULL;
}

void relay_connection_new(struct relay *relay, int fd, const struct address *client, struct instant at)
{
	struct relay_connection *connection = calloc(1, sizeof(*connection));
	int code;

	if (!connection) {
		(void)close(fd);
		return;
	}
	*connection = (struct relay_connection){.next = relay->connections, .relay = relay, .number = ++relay->count, .accepted_at = at};
	connection->ends[0] = (struct relay_end){.connection = connection, .client = true, .fd = -1};
	connection->ends[1] = (struct relay_end){.connection = connection, .fd = -1};
	relay->connections = connection;
	(void)address_format(client, connection->client);
	relay_emit(relay, at, "tcp.syn", connection, "client",
	           json_pack("{s:s, s:s}", "from", connection->client, "to", relay->listen_text));
	connection->held = relay->down;
	connection->watch = watch_new(relay->timeline, relay->channel, connection->number);
	if (connection->watch) {
		watch_on_tls(connection->watch, on_tls, connection);
		watch_on_doip(connection->watch, relay->describe, relay->describe_context);
	}
	code = -end_open(&connection->ends[0], fd);
	if (!connection->held) {
		take_armed_faults(connection);
		if (code <= 0)
			code = connect_server(connection);
	}
	if (code > 0)
		refused(connection, code);
	else
		relay_connection_pump(connection);
}
