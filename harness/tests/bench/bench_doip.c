/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hilbench's own DoIP stack against the reference firmware over plain loopback, beside a plain blocking client in C
 * against the same server in the same run. The two take turns, so that a machine that drifts drifts for both.
 *
 *   0x22 requests a second        wanted: at least 0.7 of the blocking client
 *   connect + routing activation
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../base/stats.h"
#include "../../link/stream.h"
#include "../../proto/doip.h"
#include "../../proto/uds.h"
#include "child.h"

#define ROUNDS      9
#define REQUESTS    2000
#define CONNECTIONS 100
#define ADDRESS     "127.0.0.1"

static const uint8_t activation[] = {3, 0xfc, 0, 5, 0, 0, 0, 7, 0x0e, 0x80, 0, 0, 0, 0, 0};
static const uint8_t request[] = {0x22, 0xf1, 0x86};
static int port;

static _Noreturn void give_up(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- the floor: blocking sockets --------------------------------------------------------------------------- */

static void read_fully(int fd, uint8_t *buffer, size_t length)
{
	for (size_t got = 0; got < length;) {
		ssize_t n = recv(fd, buffer + got, length - got, 0);

		if (n <= 0)
			give_up("recv");
		got += (size_t)n;
	}
}

static uint16_t read_message(int fd)
{
	uint8_t header[8], payload[4096];
	uint32_t length;

	read_fully(fd, header, sizeof header);
	length = be32_read(header + 4);
	if (length > sizeof payload)
		give_up("length");
	read_fully(fd, payload, length);
	return be16_read(header + 2);
}

static int plain_connect(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, ADDRESS, &address.sin_addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		give_up("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (send(fd, activation, sizeof activation, 0) != sizeof activation || read_message(fd) != DOIP_ACTIVATION_RESPONSE)
		give_up("activation");
	return fd;
}

static int64_t plain_requests(void)
{
	static const uint8_t message[] = {3, 0xfc, 0x80, 1, 0, 0, 0, 7, 0x0e, 0x80, 0x00, 0x91, 0x22, 0xf1, 0x86};
	int fd = plain_connect();
	int64_t start = loop_now_ns();

	for (int i = 0; i < REQUESTS; i++) {
		if (send(fd, message, sizeof message, 0) != sizeof message)
			give_up("send");
		while (read_message(fd) != DOIP_DIAGNOSTIC)
			;
	}
	start = loop_now_ns() - start;
	close(fd);
	return start;
}

static int64_t plain_connections(void)
{
	int64_t start = loop_now_ns();

	for (int i = 0; i < CONNECTIONS; i++)
		close(plain_connect());
	return loop_now_ns() - start;
}

/* ---- hilbench's stack -------------------------------------------------------------------------------------- */

struct client {
	struct loop *loop;
	struct timeline *timeline;
	struct stream *stream;
	struct bytes inbound;
	struct uds_exchange exchange;
	bool opened, activated, ended, answered;
};

static void take(struct client *client, const struct doip_message *message, int64_t now_ns)
{
	if (message->type == DOIP_ACTIVATION_RESPONSE)
		client->activated = message->code == 0x10;
	else if (message->type == DOIP_DIAGNOSTIC)
		client->answered = uds_exchange_receive(&client->exchange, message->data, message->data_length, now_ns);
}

static void on_received(struct stream *stream, const uint8_t *data, size_t length, struct instant at, void *context)
{
	struct client *client = context;
	struct doip_message message;
	ssize_t used;

	if (bytes_append(&client->inbound, data, length) < 0)
		give_up("memory");
	while ((used = doip_decode(client->inbound.data, client->inbound.length, 65536, &message)) > 0) {
		take(client, &message, at.ns);
		bytes_drop_front(&client->inbound, (size_t)used);
	}
}

static void on_opened(struct stream *stream, void *context)
{
	((struct client *)context)->opened = true;
}

static void on_closed(struct stream *stream, enum stream_end end, void *context)
{
	((struct client *)context)->ended = true;
}

static bool is_open(void *context)
{
	const struct client *client = context;

	return client->opened || client->ended;
}

static bool is_activated(void *context)
{
	const struct client *client = context;

	return client->activated || client->ended;
}

static bool is_answered(void *context)
{
	const struct client *client = context;

	return client->answered || client->ended;
}

static void wait_for(struct client *client, bool (*done)(void *))
{
	if (loop_until(client->loop, done, client, loop_now_ns() + 5000000000) < 0 || client->ended)
		give_up("the firmware did not answer");
}

static void client_open(struct client *client, struct loop *loop, struct timeline *timeline)
{
	struct stream_environment environment = {loop, timeline, NULL, "tester:bench"};
	struct stream_handlers handlers = {.context = client, .opened = on_opened, .received = on_received, .closed = on_closed};
	char address[48];
	struct error err;

	*client = (struct client){.loop = loop, .timeline = timeline};
	snprintf(address, sizeof address, ADDRESS ":%d", port);
	if (stream_connect(&client->stream, &environment, NULL, address, NULL, &handlers, &err) < 0)
		give_up(err.message);
	wait_for(client, is_open);
	if (stream_send(client->stream, activation, sizeof activation, &err) < 0)
		give_up(err.message);
	wait_for(client, is_activated);
}

static void client_close(struct client *client)
{
	stream_free(client->stream);
	bytes_free(&client->inbound);
	uds_exchange_clear(&client->exchange);
}

static void one_request(struct client *client)
{
	static const struct uds_timing timing = {50000000, 5000000000, 0, 10};
	struct bytes payload = {0}, message = {0};
	struct error err;

	client->answered = false;
	uds_exchange_clear(&client->exchange);
	uds_exchange_begin(&client->exchange, request, sizeof request, &timing, false, loop_now_ns());
	if (doip_encode_diagnostic(&payload, 0x0e80, 0x0091, request, sizeof request) < 0 ||
	    doip_encode(&message, DOIP_DIAGNOSTIC, payload.data, payload.length, NULL) < 0 ||
	    stream_send(client->stream, message.data, message.length, &err) < 0)
		give_up("send");
	bytes_free(&payload);
	bytes_free(&message);
	wait_for(client, is_answered);
}

static int64_t stack_requests(struct loop *loop, struct timeline *timeline)
{
	struct client client;
	int64_t start;

	client_open(&client, loop, timeline);
	start = loop_now_ns();
	for (int i = 0; i < REQUESTS; i++)
		one_request(&client);
	start = loop_now_ns() - start;
	client_close(&client);
	return start;
}

static int64_t stack_connections(struct loop *loop, struct timeline *timeline)
{
	int64_t start = loop_now_ns();

	for (int i = 0; i < CONNECTIONS; i++) {
		struct client client;

		client_open(&client, loop, timeline);
		client_close(&client);
	}
	return loop_now_ns() - start;
}

/* ---- report ------------------------------------------------------------------------------------------------ */

static void print_pair(const char *what, const char *unit, int64_t *stack, int64_t *floor, int per_round, bool as_rate)
{
	double ratios[ROUNDS];
	int64_t stack_p50, floor_p50;

	for (int i = 0; i < ROUNDS; i++)
		ratios[i] = (double)floor[i] / (double)stack[i];
	for (int i = 0; i < ROUNDS; i++)
		for (int j = i + 1; j < ROUNDS; j++)
			if (ratios[j] < ratios[i]) {
				double t = ratios[i];

				ratios[i] = ratios[j];
				ratios[j] = t;
			}
	stats_sort(stack, ROUNDS);
	stats_sort(floor, ROUNDS);
	stack_p50 = stack[ROUNDS / 2] / per_round;
	floor_p50 = floor[ROUNDS / 2] / per_round;
	printf("%-28s hilbench %9.1f %s   blocking C %9.1f %s   ratio p50 %.2f (min %.2f max %.2f)\n", what,
	       as_rate ? 1e9 / (double)stack_p50 : (double)stack_p50 / 1e3, unit,
	       as_rate ? 1e9 / (double)floor_p50 : (double)floor_p50 / 1e3, unit, ratios[ROUNDS / 2], ratios[0], ratios[ROUNDS - 1]);
}

static void start_server(struct child *server)
{
	char parameter[64], line[256];
	const char *arguments[] = {"--param", parameter,        "--param", "boot.ssw_ms=0",      "--param", "boot.application_ms=0",
	                           "--param", "boot.rtos_ms=0", "--param", "doip.max_sockets=4", NULL};

	port = 20000 + getpid() % 20000;
	snprintf(parameter, sizeof parameter, "doip.plain=" ADDRESS ":%d", port);
	child_start(server, "zgw", arguments);
	if (!child_wait_line(server, "stage=server", line, sizeof line))
		give_up("zgw did not start");
}

int main(void)
{
	int64_t stack[2][ROUNDS], floor[2][ROUNDS];
	struct timeline *timeline;
	struct child server;
	struct loop *loop;
	struct error err;

	start_server(&server);
	if (loop_new(&loop, &err) < 0 || timeline_new(&timeline, NULL, 1024, &err) < 0)
		give_up(err.message);
	for (int i = 0; i < ROUNDS; i++) {
		floor[0][i] = plain_requests();
		stack[0][i] = stack_requests(loop, timeline);
		floor[1][i] = plain_connections();
		stack[1][i] = stack_connections(loop, timeline);
	}
	print_pair("0x22 requests (wanted 0.70)", "/s", stack[0], floor[0], REQUESTS, true);
	print_pair("connect + activation", "us", stack[1], floor[1], CONNECTIONS, false);
	timeline_free(timeline);
	loop_free(loop);
	child_stop(&server);
	return 0;
}
