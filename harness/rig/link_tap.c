/* SPDX-License-Identifier: Apache-2.0 */
#include "link_tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/bytes.h"
#include "rig_keys.h"

#define CONNECTIONS  64
#define PIECES       64 /* segments that may wait for one that is missing, a direction */
#define SECRET_LINES 16
#define TCP_FIN      0x01
#define TCP_SYN      0x02
#define TCP_RST      0x04

/* A segment that came before its turn. */
struct piece {
	uint32_t sequence;
	uint8_t *data;
	size_t length;
	struct instant at;
};

struct direction {
	bool begun, ended;
	uint32_t next; /* sequence number of the next payload byte */
	struct piece pieces[PIECES];
	unsigned piece_count;
};

struct connection {
	bool used, established;
	uint64_t number;
	uint32_t client_address;
	uint16_t client_port;
	struct direction from_client, from_server;
	struct watch *watch;
};

struct link_tap {
	struct timeline *timeline;
	char *channel;
	watch_doip_describe describe;
	uint32_t server_address;
	uint16_t server_port;
	uint64_t connections;
	struct connection table[CONNECTIONS];
	char *secrets[SECRET_LINES]; /* newest; a new connection's watch may need what came a moment before its SYN */
	unsigned secret_count;
};

struct segment {
	uint32_t from, to, sequence;
	uint16_t from_port, to_port;
	uint8_t flags;
	const uint8_t *payload;
	size_t length;
};

struct link_tap *link_tap_new(struct timeline *timeline, const char *channel, const char *server, watch_doip_describe describe)
{
	struct link_tap *tap = calloc(1, sizeof(*tap));
	char address[16];
	unsigned port;
	struct in_addr parsed;
	if (!tap || !(tap->channel = strdup(channel)) || rig_parse_endpoint(server, address, &port) < 0) {
		link_tap_free(tap);
		return NULL;
	}
	inet_pton(AF_INET, address, &parsed);
	tap->timeline = timeline;
	tap->describe = describe;
	tap->server_address = ntohl(parsed.s_addr);
	tap->server_port = (uint16_t)port;
	return tap;
}

static void forget_pieces(struct direction *direction)
{
	for (unsigned i = 0; i < direction->piece_count; i++)
		free(direction->pieces[i].data);
	direction->piece_count = 0;
}

static void connection_end(struct connection *connection)
{
	forget_pieces(&connection->from_client);
	forget_pieces(&connection->from_server);
	watch_free(connection->watch);
	memset(connection, 0, sizeof(*connection));
}

void link_tap_free(struct link_tap *tap)
{
	if (!tap)
		return;
	for (unsigned i = 0; i < CONNECTIONS; i++)
		if (tap->table[i].used)
			connection_end(&tap->table[i]);
	for (unsigned i = 0; i < tap->secret_count; i++)
		free(tap->secrets[i]);
	free(tap->channel);
	free(tap);
}

void link_tap_secret(struct link_tap *tap, const char *line)
{
	if (tap->secret_count == SECRET_LINES) {
		free(tap->secrets[0]);
		memmove(tap->secrets, tap->secrets + 1, sizeof(tap->secrets[0]) * --tap->secret_count);
	}
	tap->secrets[tap->secret_count] = strdup(line);
	tap->secret_count += tap->secrets[tap->secret_count] != NULL;
	for (unsigned i = 0; i < CONNECTIONS; i++)
		if (tap->table[i].used && tap->table[i].watch)
			watch_secret(tap->table[i].watch, line);
}

unsigned link_tap_connections(const struct link_tap *tap)
{
	unsigned count = 0;
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		const struct connection *connection = &tap->table[i];
		count += connection->used && connection->established && !connection->from_client.ended && !connection->from_server.ended;
	}
	return count;
}

/* Ethernet II, IPv4 without fragments, TCP. Anything else is not ours. */
static bool parse(const uint8_t *frame, size_t length, struct segment *ret)
{
	if (length < 14 + 20 || be16_read(frame + 12) != 0x0800)
		return false;
	const uint8_t *ip = frame + 14;
	size_t ip_length = be16_read(ip + 2), header = (size_t)(ip[0] & 15) * 4;
	if (ip[0] >> 4 != 4 || header < 20 || ip[9] != 6 || (be16_read(ip + 6) & 0x3FFF) || ip_length > length - 14 ||
	    ip_length < header + 20)
		return false;
	const uint8_t *tcp = ip + header;
	size_t offset = (size_t)(tcp[12] >> 4) * 4;
	if (offset < 20 || ip_length < header + offset)
		return false;
	*ret = (struct segment){be32_read(ip + 12), be32_read(ip + 16),         be32_read(tcp + 4),
	                        be16_read(tcp),     be16_read(tcp + 2),         tcp[13],
	                        tcp + offset,       ip_length - header - offset};
	return true;
}

static struct connection *connection_find(struct link_tap *tap, uint32_t address, uint16_t port)
{
	for (unsigned i = 0; i < CONNECTIONS; i++)
		if (tap->table[i].used && tap->table[i].client_address == address && tap->table[i].client_port == port)
			return &tap->table[i];
	return NULL;
}

/* The slot of the oldest connection is taken when all are used: an end that was never seen must not blind the tap. */
static struct connection *connection_slot(struct link_tap *tap)
{
	struct connection *oldest = &tap->table[0];
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		if (!tap->table[i].used)
			return &tap->table[i];
		if (tap->table[i].number < oldest->number)
			oldest = &tap->table[i];
	}
	connection_end(oldest);
	return oldest;
}

static json_t *by(const struct connection *connection, bool from_client)
{
	return json_pack("{s:I,s:s}", "conn", (json_int_t)connection->number, "side", from_client ? "client" : "server");
}

static void begin(struct link_tap *tap, const struct segment *segment, struct instant at)
{
	struct connection *connection = connection_find(tap, segment->from, segment->from_port);
	char from[32], to[32];
	if (connection && connection->from_client.next == segment->sequence + 1)
		return; /* the SYN again */
	if (connection)
		connection_end(connection);
	else
		connection = connection_slot(tap);
	connection->used = true;
	connection->number = ++tap->connections;
	connection->client_address = segment->from;
	connection->client_port = segment->from_port;
	connection->from_client.begun = true;
	connection->from_client.next = segment->sequence + 1;
	connection->watch = watch_new(tap->timeline, tap->channel, connection->number);
	if (connection->watch)
		watch_on_doip(connection->watch, tap->describe, NULL);
	for (unsigned i = 0; connection->watch && i < tap->secret_count; i++)
		watch_secret(connection->watch, tap->secrets[i]);
	snprintf(from, sizeof(from), "%u.%u.%u.%u:%u", segment->from >> 24, segment->from >> 16 & 255, segment->from >> 8 & 255,
	         segment->from & 255, segment->from_port);
	snprintf(to, sizeof(to), "%u.%u.%u.%u:%u", segment->to >> 24, segment->to >> 16 & 255, segment->to >> 8 & 255, segment->to & 255,
	         segment->to_port);
	timeline_emit(tap->timeline, at, tap->channel, "tcp.syn",
	              json_pack("{s:I,s:s,s:s}", "conn", (json_int_t)connection->number, "from", from, "to", to));
}

static void reset(struct link_tap *tap, struct connection *connection, bool from_client, struct instant at)
{
	bool refused = !connection->established && !from_client;
	timeline_emit(tap->timeline, at, tap->channel, refused ? "tcp.refused" : "tcp.reset", by(connection, from_client));
	connection_end(connection);
}

static void keep(struct direction *direction, const struct segment *segment, struct instant at)
{
	if (direction->piece_count == PIECES)
		return;
	uint8_t *copy = malloc(segment->length);
	if (!copy)
		return;
	memcpy(copy, segment->payload, segment->length);
	direction->pieces[direction->piece_count++] = (struct piece){segment->sequence, copy, segment->length, at};
}

/* Hands over what is new of a segment that begins at or before the next byte. */
static void deliver(struct connection *connection, bool from_client, uint32_t sequence, const uint8_t *data, size_t length,
                    struct instant at)
{
	struct direction *direction = from_client ? &connection->from_client : &connection->from_server;
	size_t known = direction->next - sequence;
	if (known >= length)
		return;
	direction->next += (uint32_t)(length - known);
	if (connection->watch)
		watch_bytes(connection->watch, from_client, data + known, length - known, at);
}

static void payload(struct connection *connection, bool from_client, const struct segment *segment, struct instant at)
{
	struct direction *direction = from_client ? &connection->from_client : &connection->from_server;
	if ((int32_t)(segment->sequence - direction->next) > 0) {
		keep(direction, segment, at);
		return;
	}
	deliver(connection, from_client, segment->sequence, segment->payload, segment->length, at);
	for (unsigned i = 0; i < direction->piece_count;) {
		struct piece piece = direction->pieces[i];
		if ((int32_t)(piece.sequence - direction->next) > 0) {
			i++;
			continue;
		}
		direction->pieces[i] = direction->pieces[--direction->piece_count];
		deliver(connection, from_client, piece.sequence, piece.data, piece.length, piece.at);
		free(piece.data);
		i = 0;
	}
}

static void flags(struct link_tap *tap, struct connection *connection, bool from_client, const struct segment *segment, struct instant at)
{
	struct direction *direction = from_client ? &connection->from_client : &connection->from_server;
	if ((segment->flags & TCP_SYN) && !from_client && !direction->begun) {
		direction->begun = true;
		direction->next = segment->sequence + 1;
		return;
	}
	if (!connection->established && from_client && connection->from_server.begun && !(segment->flags & (TCP_SYN | TCP_RST))) {
		connection->established = true;
		timeline_emit(tap->timeline, at, tap->channel, "tcp.established", by(connection, true));
	}
}

void link_tap_frame(const uint8_t *frame, size_t length, struct instant at, void *context)
{
	struct link_tap *tap = context;
	struct segment segment;
	if (!parse(frame, length, &segment))
		return;
	bool from_client = segment.to == tap->server_address && segment.to_port == tap->server_port;
	if (!from_client && !(segment.from == tap->server_address && segment.from_port == tap->server_port))
		return;
	if (from_client && (segment.flags & TCP_SYN)) {
		begin(tap, &segment, at);
		return;
	}
	struct connection *connection =
	        from_client ? connection_find(tap, segment.from, segment.from_port) : connection_find(tap, segment.to, segment.to_port);
	if (!connection)
		return;
	flags(tap, connection, from_client, &segment, at);
	if (connection->watch)
		watch_settle(connection->watch, at.ns);
	if (segment.length)
		payload(connection, from_client, &segment, at);
	struct direction *direction = from_client ? &connection->from_client : &connection->from_server;
	if (segment.flags & TCP_RST) {
		reset(tap, connection, from_client, at);
		return;
	}
	if ((segment.flags & TCP_FIN) && !direction->ended) {
		direction->ended = true;
		timeline_emit(tap->timeline, at, tap->channel, "tcp.fin", by(connection, from_client));
	}
}
