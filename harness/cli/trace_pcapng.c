/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traces for Wireshark: CAN frames as they were, DoIP messages in connections that are rebuilt around them. What was inside TLS is
 * written plain, to port 13400, where Wireshark looks for DoIP. Where the journal does not know the bench's own address, 192.0.2.1
 * (RFC 5737, for documentation) stands for it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/bytes.h"
#include "../link/can.h"
#include "../link/capture.h"
#include "../report/event.h"
#include "trace_sink.h"

#define DOIP_PORT    13400
#define DOIP_HEADER  8
#define ADDRESS_SIZE 80
#define BENCH_V4     "192.0.2.1"
#define BENCH_V6     "[2001:db8::1]"

/* A connection: of a link by channel and number, of a tester by channel and peer. */
struct connection {
	struct connection *next;
	char *key;
	char client[ADDRESS_SIZE], server[ADDRESS_SIZE];
	bool bench_is_client;
	struct capture_flow *flow;
};

struct pcap_sink {
	const struct trace *trace;
	struct capture *capture;
	struct connection *connections;
	unsigned bench_port, filled_up;
};

static int pcap_open(void **ret, const struct trace *trace, const char *path, bool utc, struct error *err)
{
	(void)utc;
	struct pcap_sink *sink = calloc(1, sizeof(*sink));
	if (!sink)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*sink = (struct pcap_sink){.trace = trace, .bench_port = 49152};
	int r = unlink(path) < 0 && errno != ENOENT ? error_set(err, ERROR_BENCH, errno, "cannot replace %s: %s", path, strerror(errno))
	                                            : 0;
	if (r == 0)
		r = capture_open(&sink->capture, NULL, path, false, err);
	if (r < 0) {
		free(sink);
		return r;
	}
	*ret = sink;
	return 0;
}

static const char *member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

/* The same address with another port. */
static void with_port(const char *address, unsigned port, char out[ADDRESS_SIZE])
{
	const char *colon = strrchr(address, ':');
	int length = colon ? (int)(colon - address) : (int)strlen(address);
	snprintf(out, ADDRESS_SIZE, "%.*s:%u", length, address, port);
}

static void bench_address(struct pcap_sink *sink, const char *peer, char out[ADDRESS_SIZE])
{
	snprintf(out, ADDRESS_SIZE, "%s:%u", peer[0] == '[' ? BENCH_V6 : BENCH_V4, sink->bench_port);
	sink->bench_port = sink->bench_port == UINT16_MAX ? 49152 : sink->bench_port + 1;
}

/* "link:zgw-vmg 3", "tester:main": a tester has one connection at a time. */
static int connection_key(const json_t *event, char *key, size_t size)
{
	const json_t *data = json_object_get(event, "data"), *number = json_object_get(data, "conn");
	const char *channel = member(event, "ch");
	return json_is_integer(number) ? snprintf(key, size, "%s %" PRId64, channel, event_integer(data, "conn", 0))
	                               : snprintf(key, size, "%s", channel);
}

static struct connection *connection_find(struct pcap_sink *sink, const char *key)
{
	for (struct connection *connection = sink->connections; connection; connection = connection->next)
		if (strcmp(connection->key, key) == 0)
			return connection;
	return NULL;
}

static struct connection *connection_get(struct pcap_sink *sink, const char *key)
{
	struct connection *connection = connection_find(sink, key);
	if (connection)
		return connection;
	connection = calloc(1, sizeof(*connection));
	if (connection)
		connection->key = strdup(key);
	if (!connection || !connection->key) {
		free(connection);
		return NULL;
	}
	connection->next = sink->connections;
	sink->connections = connection;
	return connection;
}

static struct instant at_of(const struct pcap_sink *sink, const json_t *event)
{
	/* The capture adds this process's offset of the wall clock; the run had its own. */
	return (struct instant){.ns = event_integer(event, "t", 0) + sink->trace->realtime_offset_ns - clock_realtime_offset_ns()};
}

static void connection_end(struct connection *connection, struct instant at, bool reset)
{
	capture_flow_end(connection->flow, true, reset, at);
	connection->flow = NULL;
}

/* Who is connected with whom is told before anything is sent. */
static void pcap_aside(void *state, const json_t *event)
{
	struct pcap_sink *sink = state;
	const json_t *data = json_object_get(event, "data");
	const char *kind = member(event, "kind");
	char key[256];
	bool syn = strcmp(kind, "tcp.syn") == 0, open = strcmp(kind, "tcp.open") == 0, opened = strcmp(kind, "tcp.opened") == 0;
	bool closed = strcmp(kind, "tcp.closed") == 0 || strcmp(kind, "tcp.fin") == 0 || strcmp(kind, "tcp.reset") == 0;
	if (!syn && !open && !opened && !closed)
		return;
	connection_key(event, key, sizeof(key));
	struct connection *connection = closed ? connection_find(sink, key) : connection_get(sink, key);
	if (!connection)
		return;
	if (closed) {
		connection_end(connection, at_of(sink, event), strcmp(kind, "tcp.reset") == 0 || strcmp(member(data, "how"), "reset") == 0);
	} else if (syn) {
		snprintf(connection->client, sizeof(connection->client), "%s", member(data, "from"));
		with_port(member(data, "to"), DOIP_PORT, connection->server);
	} else if (open || connection->client[0] == '\0' || !connection->bench_is_client) {
		connection_end(connection, at_of(sink, event), false);
		connection->bench_is_client = open;
		if (open) {
			bench_address(sink, member(data, "peer"), connection->client);
			with_port(member(data, "peer"), DOIP_PORT, connection->server);
		} else {
			snprintf(connection->client, sizeof(connection->client), "%s", member(data, "peer"));
			snprintf(connection->server, sizeof(connection->server), "%s:%d",
			         member(data, "peer")[0] == '[' ? BENCH_V6 : BENCH_V4, DOIP_PORT);
		}
	}
}

/* The message's bytes; what the journal cut off is filled up with zeroes, so that a reader finds the next message. */
static int message_bytes(struct pcap_sink *sink, const json_t *data, struct bytes *ret)
{
	if (bytes_parse_hex(member(data, "hex"), ret) < 0 || ret->length == 0)
		return -EINVAL;
	int64_t cut = event_integer(data, "truncated", 0);
	if (cut <= 0 || cut > UINT16_MAX)
		return 0;
	uint8_t *longer = realloc(ret->data, ret->length + (size_t)cut);
	if (!longer)
		return -ENOMEM;
	memset(longer + ret->length, 0, (size_t)cut);
	ret->data = longer;
	ret->length += (size_t)cut;
	sink->filled_up++;
	return 0;
}

static void put_datagram(struct pcap_sink *sink, const json_t *event, const struct bytes *bytes)
{
	const json_t *data = json_object_get(event, "data");
	const char *peer = member(data, "peer");
	char bench[ADDRESS_SIZE];
	bool sent = strcmp(member(event, "kind"), "doip.tx") == 0;
	snprintf(bench, sizeof(bench), "%s:%d", peer[0] == '[' ? BENCH_V6 : BENCH_V4, DOIP_PORT);
	capture_datagram(sink->capture, sent ? bench : peer, sent ? peer : bench, bytes->data, bytes->length, at_of(sink, event));
}

static void put_message(struct pcap_sink *sink, const json_t *event, const struct bytes *bytes)
{
	char key[256];
	connection_key(event, key, sizeof(key));
	struct connection *connection = connection_find(sink, key);
	const char *kind = member(event, "kind");
	if (!connection || connection->client[0] == '\0')
		return;
	if (!connection->flow)
		connection->flow = capture_flow_new(sink->capture, connection->client, connection->server, at_of(sink, event));
	bool from_client = strcmp(kind, "doip") == 0 ? strcmp(member(json_object_get(event, "data"), "side"), "client") == 0
	                                             : (strcmp(kind, "doip.tx") == 0) == connection->bench_is_client;
	capture_flow_data(connection->flow, from_client, bytes->data, bytes->length, at_of(sink, event));
}

static bool pcap_knows(const char *kind)
{
	return strcmp(kind, "can.rx") == 0 || strcmp(kind, "can.tx") == 0 || strcmp(kind, "doip") == 0 || strcmp(kind, "doip.tx") == 0 ||
	       strcmp(kind, "doip.rx") == 0;
}

static int put_frame(struct pcap_sink *sink, const json_t *event, struct error *err)
{
	struct can_message message;
	const char *bus = strchr(member(event, "ch"), ':');
	if (trace_can_message(event, &message) < 0)
		return error_set(err, ERROR_BENCH, EBADMSG, "event %" PRId64 " is not a CAN frame", event_integer(event, "n", 0));
	message.at = at_of(sink, event);
	capture_can(sink->capture, bus ? bus + 1 : "can", &message);
	return 0;
}

static int pcap_event(void *state, const json_t *event, struct error *err)
{
	struct pcap_sink *sink = state;
	const char *kind = member(event, "kind");
	struct bytes bytes = {0};
	int r = 0;
	pcap_aside(sink, event);
	if (!pcap_knows(kind))
		return 0;
	if (strncmp(kind, "can.", 4) == 0) {
		r = put_frame(sink, event, err);
	} else if (message_bytes(sink, json_object_get(event, "data"), &bytes) == 0) {
		if (strcmp(member(json_object_get(event, "data"), "transport"), "udp") == 0)
			put_datagram(sink, event, &bytes);
		else
			put_message(sink, event, &bytes);
	}
	bytes_free(&bytes);
	return r == 0 && capture_failed(sink->capture, err) ? -EIO : r;
}

static int pcap_close(void *state, struct error *err)
{
	struct pcap_sink *sink = state;
	while (sink->connections) {
		struct connection *connection = sink->connections;
		sink->connections = connection->next;
		free(connection->key);
		free(connection);
	}
	if (sink->filled_up > 0)
		(void)fprintf(stderr, "hilbench trace: %u messages that the journal holds in part are filled up with zeroes\n",
		              sink->filled_up);
	int r = capture_close(sink->capture, err);
	free(sink);
	return r;
}

const struct trace_sink trace_sink_pcapng = {.name = "pcapng",
                                             .doc = "CAN frames and DoIP messages for Wireshark (what was inside TLS is plain)",
                                             .needs_file = true,
                                             .open = pcap_open,
                                             .event = pcap_event,
                                             .aside = pcap_aside,
                                             .close = pcap_close,
                                             .knows = pcap_knows};
