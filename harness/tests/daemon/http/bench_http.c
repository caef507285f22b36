/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the checks, the routes and the headers cost: a small JSON answer from the server, and the same bytes from the bare library, each in
 * a thread of this program, asked by the same client over kept connections on loopback. bench_http [REQUESTS]
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../../daemon/http/http.h"
#include "../../../daemon/http/http_private.h"

#define CONNECTIONS 8
#define ROUNDS      3

static const char answer_text[] = "{\"hello\":\"world\"}";
static atomic_bool stop;

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- the server ---- */

static void on_hello(struct http_request *request, void *context)
{
	http_answer_json(request, 200, json_pack("{s:s}", "hello", "world"));
}

static const struct http_route routes[] = {{"GET", "/api/v1/hello", ROLE_VIEWER, 0, on_hello, NULL, NULL}};

struct side {
	pthread_t thread;
	unsigned port;
	sd_event *event;
	struct http_server *server;
	struct MHD_Daemon *bare;
};

static void *server_loop(void *context)
{
	struct side *side = context;

	while (!stop)
		if (sd_event_run(side->event, 50000) < 0)
			abort();
	http_server_free(side->server);
	sd_event_unref(side->event);
	return NULL;
}

static void server_start(struct side *side)
{
	struct http_listen listening = {.socket_fd = -1, .tcp_fd = -1, .address = "127.0.0.1:0", .loopback_role = ROLE_VIEWER};
	struct error err = {0};

	if (sd_event_new(&side->event) < 0 || http_server_new(&side->server, side->event, &listening, routes, 1, NULL, NULL, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	side->port = http_server_port(side->server);
	if (pthread_create(&side->thread, NULL, server_loop, side) != 0)
		abort();
}

/* ---- the bare library ---- */

static enum MHD_Result bare_access(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                   const char *version, const char *data, size_t *size, void **seen)
{
	struct MHD_Response *response;
	enum MHD_Result result;

	if (!*seen) {
		*seen = &stop;
		return MHD_YES;
	}
	response = MHD_create_response_from_buffer(sizeof(answer_text) - 1, (void *)(uintptr_t)answer_text, MHD_RESPMEM_PERSISTENT);
	(void)MHD_add_response_header(response, "Content-Type", "application/json");
	result = MHD_queue_response(connection, 200, response);
	MHD_destroy_response(response);
	return result;
}

static void *bare_loop(void *context)
{
	struct side *side = context;
	struct pollfd poll_fd = {.events = POLLIN};

	poll_fd.fd = MHD_get_daemon_info(side->bare, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	while (!stop) {
		MHD_UNSIGNED_LONG_LONG ms = 50;

		if (MHD_get_timeout(side->bare, &ms) != MHD_YES || ms > 50)
			ms = 50;
		(void)poll(&poll_fd, 1, (int)ms);
		(void)MHD_run(side->bare);
	}
	MHD_stop_daemon(side->bare);
	return NULL;
}

static void bare_start(struct side *side)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	side->bare = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, bare_access, NULL, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
	                              MHD_OPTION_CONNECTION_TIMEOUT, 30u, MHD_OPTION_END);
	if (!side->bare)
		abort();
	side->port = MHD_get_daemon_info(side->bare, MHD_DAEMON_INFO_BIND_PORT)->port;
	if (pthread_create(&side->thread, NULL, bare_loop, side) != 0)
		abort();
}

/* ---- the client ---- */

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void send_one(int fd)
{
	static const char request[] = "GET /api/v1/hello HTTP/1.1\r\nHost: localhost\r\n\r\n";

	if (send(fd, request, sizeof(request) - 1, 0) != (ssize_t)sizeof(request) - 1)
		abort();
}

static void take_one(int fd)
{
	char buffer[4096];
	size_t used = 0;

	while (used < sizeof(answer_text) - 1 ||
	       memcmp(buffer + used - (sizeof(answer_text) - 1), answer_text, sizeof(answer_text) - 1) != 0) {
		ssize_t n = recv(fd, buffer + used, sizeof(buffer) - used, 0);

		if (n <= 0)
			abort();
		used += (size_t)n;
	}
}

struct figures {
	double per_second, p50_us, p99_us;
};

static struct figures measure(unsigned port, size_t requests)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int64_t *took = calloc(requests, sizeof(*took)), begin;
	struct figures figures;
	int fds[CONNECTIONS];

	if (!took)
		abort();
	for (int i = 0; i < CONNECTIONS; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fds[i], (struct sockaddr *)&address, sizeof(address)) < 0)
			abort();
	}
	for (size_t i = 0; i < requests; i++) { /* one after the other */
		begin = now_ns();
		send_one(fds[0]);
		take_one(fds[0]);
		took[i] = now_ns() - begin;
	}
	begin = now_ns(); /* all at once */
	for (size_t i = 0; i < requests; i += CONNECTIONS) {
		for (int k = 0; k < CONNECTIONS; k++)
			send_one(fds[k]);
		for (int k = 0; k < CONNECTIONS; k++)
			take_one(fds[k]);
	}
	figures.per_second = (double)requests * 1e9 / (double)(now_ns() - begin);
	qsort(took, requests, sizeof(*took), by_value);
	figures.p50_us = (double)took[requests / 2] / 1000;
	figures.p99_us = (double)took[requests * 99 / 100] / 1000;
	for (int i = 0; i < CONNECTIONS; i++)
		close(fds[i]);
	free(took);
	return figures;
}

int main(int argc, char **argv)
{
	size_t requests = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
	struct side server = {0}, bare = {0};

	if (requests < 100)
		requests = 100;
	server_start(&server);
	bare_start(&bare);
	for (int i = 0; i < ROUNDS; i++) { /* in turns, so that what else the machine does meets both */
		struct figures a = measure(server.port, requests), b = measure(bare.port, requests);

		printf("server: %.0f requests/s, p50 %.1f us, p99 %.1f us; bare library: %.0f requests/s, p50 %.1f us, p99 %.1f us; ratio "
		       "%.2f\n",
		       a.per_second, a.p50_us, a.p99_us, b.per_second, b.p50_us, b.p99_us, a.per_second / b.per_second);
	}
	stop = true;
	(void)pthread_join(server.thread, NULL);
	(void)pthread_join(bare.thread, NULL);
	return 0;
}
