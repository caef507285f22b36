/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../link/address.h"
#include "../../link/stream_private.h"
#include "link_test.h"

static struct stream_listener *listener;
static struct party client, server;

static void setup(void)
{
	bench_setup();
	client = server = (struct party){0};
	listener = NULL;
}

static void teardown(void)
{
	party_free(&client);
	party_free(&server);
	stream_listener_free(listener);
	bench_teardown();
}

static void start(const char *address)
{
	struct stream_environment client_side = bench_environment("tester:client"), server_side = bench_environment("tester:server");
	struct stream_handlers handlers = party_handlers(&client);
	struct error err = {0};

	if (!listener)
		ck_assert_msg(stream_listen(&listener, &server_side, "127.0.0.1:0", NULL, party_accept, &server, &err) == 0, "%s",
		              err.message);
	if (!address)
		address = stream_listener_address(listener);
	ck_assert_msg(stream_connect(&client.stream, &client_side, "127.0.0.1", address, NULL, &handlers, &err) == 0, "%s", err.message);
}

static void connect_both(void)
{
	start(NULL);
	wait_for(&client.opened);
	wait_for(&server.opened);
}

START_TEST(test_echo)
{
	size_t length = 3000000;
	uint8_t *data = malloc(length);

	for (size_t i = 0; i < length; i++)
		data[i] = (uint8_t)(i * 31 + i / 251);
	server.echo = true;
	connect_both();
	party_send(&client, data, length);
	party_wait(&client, length);
	ck_assert_uint_eq(client.received.length, length);
	ck_assert_mem_eq(client.received.data, data, length);
	ck_assert_int_le(client.last.ns, loop_now_ns() + 100000);
	ck_assert_int_gt(client.last.ns, loop_now_ns() - 20 * SECOND_NS);
	free(data);
	ck_assert_uint_eq(events_of("tcp.open"), 1);
	ck_assert_uint_eq(events_of("tcp.opened"), 2);
	ck_assert_str_eq(event_text(event_of("tcp.open", 0), "peer"), stream_listener_address(listener));
	ck_assert_str_eq(stream_local(client.stream), stream_peer(server.stream));
}
END_TEST

START_TEST(test_fin)
{
	connect_both();
	party_send(&server, "last words", 10);
	stream_shutdown(server.stream);
	wait_for(&client.closed);
	ck_assert_int_eq(client.end, STREAM_END_FIN);
	ck_assert_uint_eq(client.received.length, 10);
	ck_assert_int_eq(stream_send(client.stream, "x", 1, NULL), -ENOTCONN);
	wait_for(&server.closed);
	ck_assert_int_eq(server.end, STREAM_END_FIN);
	ck_assert_str_eq(event_text(event_of("tcp.closed", 0), "how"), "fin");
}
END_TEST

START_TEST(test_half_closed_still_receives)
{
	connect_both();
	server.echo = true;
	party_send(&client, "question", 8);
	party_wait(&server, 8);
	/* The server's system has our FIN and still lets it answer: its answer was queued before. */
	stream_shutdown(client.stream);
	party_wait(&client, 8);
	wait_for(&client.closed);
	ck_assert_int_eq(client.end, STREAM_END_FIN);
}
END_TEST

START_TEST(test_reset)
{
	connect_both();
	stream_abort(server.stream);
	ck_assert(server.closed);
	ck_assert_int_eq(server.end, STREAM_END_LOCAL);
	wait_for(&client.closed);
	ck_assert_int_eq(client.end, STREAM_END_RESET);
	ck_assert_str_eq(stream_end_name(client.end), "reset");
	ck_assert_int_eq(stream_state(client.stream), STREAM_CLOSED);
}
END_TEST

START_TEST(test_refused)
{
	char address[ADDRESS_TEXT_MAX];

	connect_both();
	(void)snprintf(address, sizeof(address), "%s", stream_listener_address(listener));
	party_free(&client);
	wait_for(&server.closed);
	stream_listener_free(listener);
	listener = NULL;
	{
		struct stream_environment environment = bench_environment("tester:client");
		struct stream_handlers handlers = party_handlers(&client);

		ck_assert_int_eq(stream_connect(&client.stream, &environment, NULL, address, NULL, &handlers, NULL), 0);
	}
	wait_for(&client.closed);
	ck_assert_int_eq(client.end, STREAM_END_REFUSED);
	ck_assert(!client.opened);
}
END_TEST

START_TEST(test_free_in_handler)
{
	connect_both();
	client.free_when_closed = true;
	party_free(&server);
	wait_for(&client.closed);
	ck_assert_ptr_null(client.stream);
}
END_TEST

START_TEST(test_free_while_connecting)
{
	start(NULL);
	party_free(&client);
	pump_ms(20);
	ck_assert_str_eq(event_text(event_of("tcp.closed", 0), "how"), "local");
}
END_TEST

START_TEST(test_pause)
{
	size_t length = 16U << 20, before;
	uint8_t *data = calloc(1, length);

	connect_both();
	stream_pause_reading(server.stream, true);
	party_send(&client, data, length);
	pump_ms(50);
	before = server.received.length;
	ck_assert_uint_eq(before, 0);
	ck_assert_uint_gt(client.stream->out.length - client.stream->out_sent, 0); /* the window is closed: the rest is held back */
	stream_pause_reading(server.stream, false);
	party_wait(&server, length);
	free(data);
}
END_TEST

START_TEST(test_bad_arguments)
{
	struct stream_environment environment = bench_environment("tester:x");
	struct stream_listener *other = NULL;
	struct stream *stream = NULL;
	struct error err = {0};

	ck_assert_int_eq(stream_connect(&stream, &environment, NULL, "localhost:80", NULL, NULL, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.message, "localhost:80"));
	ck_assert_int_eq(stream_connect(&stream, &environment, "192.0.2.1", "127.0.0.1:80", NULL, NULL, &err), -EADDRNOTAVAIL);
	ck_assert_int_eq(err.domain, ERROR_BENCH);
	ck_assert_ptr_null(stream);
	connect_both();
	ck_assert_int_eq(stream_listen(&other, &environment, stream_listener_address(listener), NULL, party_accept, &server, &err),
	                 -EADDRINUSE);
	ck_assert_ptr_null(other);
	stream_free(NULL);
}
END_TEST

START_TEST(test_addresses)
{
	static const struct {
		const char *text, *canonical; /* NULL: no address */
	} cases[] = {
	        {"127.0.0.1:13400", "127.0.0.1:13400"},
	        {"127.1.9.1", "127.1.9.1:0"},
	        {"[::1]:80", "[::1]:80"},
	        {"::1", "[::1]:0"},
	        {"[::1]", "[::1]:0"},
	        {"127.0.0.1:", NULL},
	        {"127.0.0.1:65536", NULL},
	        {"127.0.0.1:-1", NULL},
	        {"127.0.0.1:0x50", NULL},
	        {"", NULL},
	        {":80", NULL},
	        {"[::1", NULL},
	        {"[::1]80", NULL},
	        {"1.2.3", NULL},
	        {"1.2.3.4.5:6", NULL},
	        {"host:80", NULL},
	        {"00000000000000000000000000000000000000000000000000000000000000000000000000000000:1", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct address address;
		char text[ADDRESS_TEXT_MAX];
		int r = address_parse(cases[i].text, &address, NULL);

		ck_assert_msg((r == 0) == (cases[i].canonical != NULL), "%s", cases[i].text);
		if (r == 0)
			ck_assert_str_eq(address_format(&address, text), cases[i].canonical);
	}
}
END_TEST

Suite *stream_suite(void)
{
	Suite *suite = suite_create("stream");
	TCase *tests = tcase_create("plain");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, test_echo);
	tcase_add_test(tests, test_fin);
	tcase_add_test(tests, test_half_closed_still_receives);
	tcase_add_test(tests, test_reset);
	tcase_add_test(tests, test_refused);
	tcase_add_test(tests, test_free_in_handler);
	tcase_add_test(tests, test_free_while_connecting);
	tcase_add_test(tests, test_pause);
	tcase_add_test(tests, test_bad_arguments);
	tcase_add_test(tests, test_addresses);
	suite_add_tcase(suite, tests);
	return suite;
}
