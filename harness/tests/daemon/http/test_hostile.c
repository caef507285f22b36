/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that mean harm, or are broken. After each, the server serves on. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http_fixture.h"

#define END  "Host: localhost\r\nConnection: close\r\n\r\n"
#define HOST "Host: localhost\r\n"

static void assert_serves(void)
{
	ck_assert_int_eq(status_of(ask("GET /api/v1/hello HTTP/1.1\r\n" END)), 200);
}

static int64_t now_ms(void)
{
	return (int64_t)http_now_ms();
}

/* Byte by byte; how long the server has the patience. */
static int64_t drip(int fd, const char *bytes, int pause_ms, int limit_ms)
{
	int64_t begin = now_ms();
	char waste[4096];

	for (; now_ms() - begin < limit_ms; usleep((useconds_t)pause_ms * 1000)) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

		put_bytes(fd, bytes, 1);
		if (*++bytes == '\0')
			bytes--;
		if (poll(&poll_fd, 1, 0) > 0 && recv(fd, waste, sizeof(waste), 0) <= 0)
			break;
	}
	return now_ms() - begin;
}

START_TEST(slow_headers_are_cut_off)
{
	int silent, dripping, kept;
	int64_t lived;

	serve_default();
	silent = dial();
	put(silent, "GET /api/v1/hello HTTP/1.1\r\nHost: loc");
	dripping = dial();
	/* Never silent for long, yet never done: the header as a whole has 1.5 s here. */
	lived = drip(dripping, "GET /api/v1/hello HTTP/1.1\r\nHost: localhost\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	             50, 30000);
	ck_assert_int_ge(lived, 1200);
	ck_assert_int_le(lived, 20000);
	ck_assert(is_closed_within(silent, 20000));
	/* The same on a connection that has served already. */
	kept = dial();
	put(kept, "GET /api/v1/hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
	ck_assert_int_eq(status_of(take_answer(kept)), 200);
	lived = drip(kept, "GET /api/v1/hello HTTP/1.1\r\nHost: localhost\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 50,
	             30000);
	ck_assert_int_le(lived, 20000);
	close(silent);
	close(dripping);
	close(kept);
	assert_serves();
	serve_end();
}
END_TEST

START_TEST(slow_bodies_are_cut_off)
{
	int silent, dripping;

	serve_default();
	silent = dial();
	put(silent, "PUT /api/v1/upload HTTP/1.1\r\nContent-Length: 100000\r\n" HOST "\r\nabc");
	ck_assert(is_closed_within(silent, 20000));
	dripping = dial();
	put(dripping, "PUT /api/v1/upload HTTP/1.1\r\nContent-Length: 100000\r\n" HOST "\r\n");
	ck_assert_int_le(drip(dripping, "aa", 20, 30000), 20000);
	ck_assert(wait_for(&seen.dropped, 2, 20000));
	ck_assert_int_eq(seen.finished, 0);
	close(silent);
	close(dripping);
	assert_serves();
	serve_end();
}
END_TEST

START_TEST(huge_bodies_are_refused_unread)
{
	static char block[1 << 20];
	int fd;
	const char *got;

	serve_default();
	assert_error(ask("POST /api/v1/json HTTP/1.1\r\nContent-Length: 5000\r\n" END), 413, "too_large");
	got = ask("POST /api/v1/json HTTP/1.1\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n" HOST "\r\n");
	assert_error(got, 413, "too_large"); /* and no "100 Continue" before */
	ck_assert_ptr_nonnull(strstr(got, "Connection: close"));
	assert_error(ask("GET /api/v1/hello HTTP/1.1\r\nContent-Length: 1\r\n" END "x"), 413, "too_large");
	/* Everything sent before the answer is read: it is there all the same. */
	fd = dial();
	put(fd, "PUT /api/v1/upload HTTP/1.1\r\nContent-Length: 99999999999\r\n" HOST "\r\n");
	for (int i = 0; i < 3; i++)
		put_bytes(fd, block, sizeof(block));
	assert_error(take_all(fd, 3000), 413, "too_large");
	close(fd);
	ck_assert_int_eq(seen.began, 0);
	/* Numbers that are none, or too large for any. */
	ck_assert_int_ge(status_of(ask("POST /api/v1/json HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n" END)), 400);
	ck_assert_int_eq(status_of(ask("POST /api/v1/json HTTP/1.1\r\nContent-Length: -1\r\n" END)), 400);
	ck_assert_int_eq(status_of(ask("POST /api/v1/json HTTP/1.1\r\nContent-Length: 0x10\r\n" END)), 400);
	ck_assert_int_eq(status_of(ask("POST /api/v1/json HTTP/1.1\r\nContent-Length: 5, 5\r\n" END)), 400);
	assert_serves();
	serve_end();
}
END_TEST

START_TEST(chunked_bodies_are_bounded_too)
{
	char chunk[2100];
	int fd;

	serve_default();
	memset(chunk, ' ', sizeof(chunk));
	memcpy(chunk, "800\r\n", 5);
	memcpy(chunk + 5 + 2048, "\r\n", 2);
	fd = dial();
	put(fd, "POST /api/v1/json HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n" HOST "\r\n");
	for (int i = 0; i < 200; i++)
		put_bytes(fd, chunk, 5 + 2048 + 2);
	assert_error(take_all(fd, 3000), 413, "too_large");
	close(fd);
	/* None is taken where none belongs. */
	assert_error(ask("GET /api/v1/hello HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END "0\r\n\r\n"), 413, "too_large");
	ck_assert_int_eq(status_of(ask("POST /api/v1/json HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END "zz\r\n")), 400);
	ck_assert_int_ge(status_of(ask("POST /api/v1/json HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END "ffffffffffffffffff\r\nx")), 400);
	assert_serves();
	serve_end();
}
END_TEST

START_TEST(bodies_that_fail_half_way)
{
	static char block[1 << 20];
	int fd;

	serve_default();
	assert_error(ask("PUT /api/v1/upload?refuse=1 HTTP/1.1\r\nContent-Length: 5\r\n" END), 409, "conflict");
	ck_assert_int_eq(seen.began, 0);
	fd = dial();
	put(fd, "PUT /api/v1/upload?full=1 HTTP/1.1\r\nContent-Length: 50000000\r\n" HOST "\r\n");
	for (int i = 0; i < 3; i++)
		put_bytes(fd, block, sizeof(block));
	assert_error(take_all(fd, 3000), 507, "no_space");
	close(fd);
	ck_assert(wait_for(&seen.dropped, 1, 20000));
	ck_assert_int_eq(seen.finished, 0);
	assert_serves();
	serve_end();
	ck_assert_int_eq(seen.dropped, 1);
}
END_TEST

START_TEST(clients_that_vanish_in_an_upload)
{
	int fd;

	serve_default();
	for (int i = 0; i < 20; i++) {
		fd = i % 2 ? dial() : dial_local();
		put(fd, "PUT /api/v1/upload HTTP/1.1\r\nContent-Length: 1000\r\n" HOST "\r\nabcdef");
		if (i % 3 == 0) {
			struct linger reset = {.l_onoff = 1};

			ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
		}
		ck_assert(wait_for(&seen.began, i + 1, 20000));
		close(fd);
	}
	ck_assert(wait_for(&seen.dropped, 20, 20000));
	/* One is at it when the server ends. */
	fd = dial();
	put(fd, "PUT /api/v1/upload HTTP/1.1\r\nContent-Length: 1000\r\n" HOST "\r\nabcdef");
	ck_assert(wait_for(&seen.began, 21, 20000));
	serve_end();
	ck_assert_int_eq(seen.dropped, 21);
	ck_assert_int_eq(seen.finished, 0);
	close(fd);
}
END_TEST

START_TEST(paths_lead_nowhere_else)
{
	static const char *const paths[] = {"/api/v1/files/../../etc/passwd",
	                                    "/api/v1/files/%2e%2e/%2e%2e/etc/passwd",
	                                    "/api/v1/files/..%2f..%2fetc",
	                                    "/api/v1/files/a%00b",
	                                    "/api/v1/files/a\\..\\b",
	                                    "/api/v1/files/%5c..%5c",
	                                    "/api/v1/names/..",
	                                    "/api/v1/names/..%2fx",
	                                    "//etc/passwd",
	                                    "/api/v1/files//etc/passwd",
	                                    "/api/v1/files/%c0%ae%c0%ae/x",
	                                    "/api/v1/files/%252e%252e/%2e./x"};
	char request[300];

	serve_default();
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		(void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n" END, paths[i]);
		assert_error(ask(request), 400, "bad_request");
	}
	/* Decoded once, not twice. */
	ck_assert_ptr_nonnull(strstr(ask("GET /api/v1/files/%252e%252e/x HTTP/1.1\r\n" END), "\"path\":\"%2e%2e/x\""));
	serve_end();
}
END_TEST

START_TEST(header_bombs)
{
	size_t size = 4 << 20, used;
	char *bomb = malloc(size);
	const char *got;

	serve_default();
	/* Just over the limit of the server: its own answer. */
	used = (size_t)snprintf(bomb, size, "GET /api/v1/hello HTTP/1.1\r\nHost: localhost\r\nX: ");
	memset(bomb + used, 'a', 33 << 10);
	(void)snprintf(bomb + used + (33 << 10), 100, "\r\nConnection: close\r\n\r\n");
	assert_error(ask(bomb), 413, "too_large");
	/* Far over it, in one header, in the target, in many: cut off without having been kept. */
	memset(bomb + used, 'a', size - used - 1);
	bomb[size - 1] = '\0';
	got = ask(bomb);
	ck_assert_msg(status_of(got) == 431 || *got == '\0', "%.200s", got);
	memset(bomb + 5, '/', size - 6);
	got = ask(bomb);
	ck_assert_msg(status_of(got) == 414 || *got == '\0', "%.200s", got);
	used = (size_t)snprintf(bomb, size, "GET /api/v1/hello HTTP/1.1\r\nHost: localhost\r\n");
	for (int i = 0; i < 100000; i++)
		used += (size_t)snprintf(bomb + used, size - used, "X%d: a\r\n", i);
	got = ask(bomb);
	ck_assert_msg(status_of(got) == 431 || *got == '\0', "%.200s", got);
	free(bomb);
	assert_serves();
	serve_end();
}
END_TEST

START_TEST(no_request_in_a_request)
{
	static const char inner[] = "GET /api/v1/items/666 HTTP/1.1\r\nHost: localhost\r\n\r\n";
	static const char *const heads[] = {
	        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
	        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
	        "Content-Length: 0\r\nContent-Length: 50\r\n",
	        "Transfer-Encoding: xchunked\r\n",
	        "Transfer-Encoding: identity\r\nContent-Length: 0\r\n",
	        "Transfer-Encoding: chunked, identity\r\n",
	        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
	        "Transfer-Encoding : chunked\r\n",
	        "Content-Length : 0\r\n",
	        "Content-Length: +0\r\n",
	        "X: a\r\n Content-Length: 0\r\nTransfer-Encoding:\013chunked\r\n",
	};
	char request[600];

	serve_default();
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		const char *got;

		(void)snprintf(request, sizeof(request),
		               "POST /api/v1/json HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%s\r\n0\r\n\r\n%s",
		               heads[i], inner);
		got = ask(request);
		ck_assert_msg(!strstr(got, "\"id\":666"), "%s:\n%s", heads[i], got);
		ck_assert_msg(status_of(got) >= 400 || *got == '\0', "%s:\n%s", heads[i], got);
	}
	/* After a refusal whose body was not read nothing of that connection is a request. */
	(void)snprintf(request, sizeof(request), "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%s",
	               sizeof(inner) - 1, inner);
	ck_assert_ptr_null(strstr(ask(request), "\"id\":666"));
	ck_assert_int_ge(status_of(ask("GET /api/v1/hello HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")), 0);
	serve_end();
}
END_TEST

START_TEST(no_http_at_all)
{
	static const char *const lines[] = {"\r\n\r\n\r\n",
	                                    "GET\r\n\r\n",
	                                    "GET / HTTP/9.9\r\n\r\n",
	                                    "GET / HTTP/1.1\r\n\r\n",
	                                    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	                                    "GET /\x01\x02 HTTP/1.1\r\nHost: localhost\r\n\r\n",
	                                    "GET / HTTP/1.1\nHost: localhost\n\n",
	                                    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	                                    "GET /api/v1/hello HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n",
	                                    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	                                    "GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n"};
	unsigned seed = 1;
	char noise[4096];
	int fd;

	serve_default();
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *got = ask(lines[i]);

		ck_assert_msg(status_of(got) == 0 || status_of(got) >= 400, "%s:\n%s", lines[i], got);
	}
	for (int i = 0; i < 30; i++) {
		for (size_t k = 0; k < sizeof(noise); k++)
			noise[k] = (char)rand_r(&seed);
		fd = dial();
		put_bytes(fd, noise, sizeof(noise));
		close(fd);
	}
	fd = dial();
	put_bytes(fd, "GET /\0/x HTTP/1.1\r\n" END, sizeof("GET /\0/x HTTP/1.1\r\n" END) - 1);
	ck_assert_int_ne(status_of(take_all(fd, 2000)), 200);
	close(fd);
	assert_serves();
	serve_end();
}
END_TEST

static void allow_many_files(void)
{
	struct rlimit files = {4096, 4096};

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
}

START_TEST(six_hundred_connections)
{
	static int fds[600];
	int alive = 0;
	struct serve_options options = {.what = SERVE_LOCAL | SERVE_TCP, .loopback_role = ROLE_VIEWER, .limits = short_limits()};

	allow_many_files();
	options.limits.header_ms = 60000; /* none is cut off for its silence */
	options.limits.quiet_s = 60;
	serve(&options);
	/* From one address more than 256 are closed at once. */
	for (int i = 0; i < 600; i++)
		fds[i] = dial();
	for (int tries = 0; tries < 300 && alive != 256; tries++) {
		usleep(100000);
		alive = 0;
		for (int i = 0; i < 600; i++) {
			struct pollfd poll_fd = {.fd = fds[i], .events = POLLIN};

			alive += poll(&poll_fd, 1, 0) == 0;
		}
		ck_assert_int_ge(alive, 256);
	}
	ck_assert_int_eq(alive, 256);
	/* The socket of this host's users is not touched by it. */
	ck_assert_int_eq(status_of(ask_local("GET /api/v1/hello HTTP/1.1\r\n" END)), 200);
	for (int i = 0; i < 600; i++)
		close(fds[i]);
	for (int tries = 0; tries < 300 && status_of(ask("GET /api/v1/hello HTTP/1.1\r\n" END)) != 200; tries++)
		usleep(100000); /* until the server has seen that they went */
	assert_serves();
	serve_end();
}
END_TEST

/* On this host's socket more than are served wait in the queue until the first are cut off for their silence. */
START_TEST(three_hundred_silent_users)
{
	static int fds[300];
	int fd;

	allow_many_files();
	serve_default();
	for (int i = 0; i < 300; i++)
		fds[i] = dial_local();
	assert_serves();
	fd = dial_local();
	put(fd, "GET /api/v1/hello HTTP/1.1\r\n" END);
	ck_assert_int_eq(status_of(take_all(fd, 30000)), 200);
	close(fd);
	for (int i = 0; i < 300; i++)
		close(fds[i]);
	serve_end();
}
END_TEST

void add_hostile_tests(Suite *suite)
{
	TCase *tests = tcase_create("hostile");

	tcase_set_timeout(tests, 150);
	tcase_add_test(tests, slow_headers_are_cut_off);
	tcase_add_test(tests, slow_bodies_are_cut_off);
	tcase_add_test(tests, huge_bodies_are_refused_unread);
	tcase_add_test(tests, chunked_bodies_are_bounded_too);
	tcase_add_test(tests, bodies_that_fail_half_way);
	tcase_add_test(tests, clients_that_vanish_in_an_upload);
	tcase_add_test(tests, paths_lead_nowhere_else);
	tcase_add_test(tests, header_bombs);
	tcase_add_test(tests, no_request_in_a_request);
	tcase_add_test(tests, no_http_at_all);
	tcase_add_test(tests, six_hundred_connections);
	tcase_add_test(tests, three_hundred_silent_users);
	suite_add_tcase(suite, tests);
}
