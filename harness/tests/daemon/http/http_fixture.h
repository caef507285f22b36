/* SPDX-License-Identifier: Apache-2.0 */
/* A server in a thread of its own, with routes that show what the server does, and a client that sends any bytes. */
#ifndef HARNESS_TESTS_DAEMON_HTTP_HTTP_FIXTURE_H
#define HARNESS_TESTS_DAEMON_HTTP_HTTP_FIXTURE_H

#include <check.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "../../../daemon/http/http.h"
#include "../../../daemon/http/http_private.h"

/* What happened in the server's thread. */
struct seen {
	atomic_int began, dropped, finished, closed, kept, ticks, filled;
	atomic_llong lines, uploaded;
};
extern struct seen seen;

enum { SERVE_LOCAL = 1, SERVE_TCP = 2, SERVE_TLS = 4 };
struct serve_options {
	int what;
	enum token_role loopback_role;
	struct http_limits limits; /* zero: the defaults */
};
/* Starts it; the test fails when it does not start. */
void serve(const struct serve_options *);
void serve_default(void); /* local and TCP, loopback is a viewer, shortened limits */
void serve_end(void);
extern unsigned serve_port;
extern char serve_directory[64], serve_path[96];
struct http_limits short_limits(void);

/* ---- raw clients ---- */
int dial(void);       /* TCP */
int dial_local(void); /* UNIX */
void put(int fd, const char *bytes);
void put_bytes(int fd, const void *bytes, size_t length); /* failures are the peer's right */
/* All that comes until the end of the connection, or timeout_ms of silence. NUL-terminated, in a static buffer. */
const char *take_all(int fd, int timeout_ms);
/* One answer with a Content-Length. */
const char *take_answer(int fd);
int status_of(const char *answer);
/* Sends it on a new connection, takes what comes until the connection ends. */
const char *ask(const char *bytes);
const char *ask_local(const char *bytes);
bool is_closed_within(int fd, int timeout_ms);
bool wait_for(atomic_int *, int value, int timeout_ms);

/* The JSON error form. */
void assert_error(const char *answer, int status, const char *code);

void add_route_tests(Suite *);
void add_request_tests(Suite *);
void add_who_tests(Suite *);
void add_hostile_tests(Suite *);
void add_stream_tests(Suite *);
void add_socket_tests(Suite *);
void add_tls_tests(Suite *);

#endif
