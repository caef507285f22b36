/* SPDX-License-Identifier: Apache-2.0 */
/* The tap between a client and a server that are both streams of ours. */
#include <errno.h>
#include <stdlib.h>

#include "../../link/address.h"
#include "../../link/relay.h"
#include "link_test.h"

static struct relay *relay;
static struct stream_listener *listener;
static struct party client, server;

static void setup(void)
{
	bench_setup();
	relay = NULL;
	listener = NULL;
	client = server = (struct party){0};
}

static void teardown(void)
{
	party_free(&client);
	party_free(&server);
	stream_listener_free(listener);
	relay_free(relay);
	bench_teardown();
}

static void start(const struct tls_identity *theirs)
{
	struct stream_environment environment = bench_environment("tester:server");
	struct error err = {0};

	ck_assert_msg(stream_listen(&listener, &environment, "127.0.0.1:0", theirs, party_accept, &server, &err) == 0, "%s", err.message);
	ck_assert_msg(relay_new(&relay, bench.loop, bench.timeline, bench.capture, "link:a-b", "127.0.0.1:0",
	                        stream_listener_address(listener), "127.0.0.2", &err) == 0,
	              "%s", err.message);
}

static void on_secret(const char *line, void *context)
{
	relay_secret(relay, line);
}

static void connect_client(const struct tls_identity *ours)
{
	struct stream_environment environment = bench_environment("tester:client");
	struct stream_handlers handlers;
	struct error err = {0};

	environment.on_secret = on_secret;
	environment.capture = NULL; /* the tap sees it */
	stream_free(client.stream);
	bytes_free(&client.received);
	client = (struct party){0};
	handlers = party_handlers(&client);
	ck_assert_msg(stream_connect(&client.stream, &environment, NULL, relay_address(relay), ours, &handlers, &err) == 0, "%s",
	              err.message);
}

static void connect_both(void)
{
	start(NULL);
	server.echo = true;
	connect_client(NULL);
	wait_for(&client.opened);
	wait_for(&server.opened);
}

static bool no_connections(void *context)
{
	return relay_connections(relay) == 0;
}

static void exchange(size_t length)
{
	uint8_t *data = malloc(length);
	size_t before = client.received.length;

	for (size_t i = 0; i < length; i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	party_send(&client, data, length);
	party_wait(&client, before + length);
	ck_assert_mem_eq(client.received.data + before, data, length);
	free(data);
}

START_TEST(test_forwarding)
{
	const struct event *event;

	connect_both();
	exchange(5000000); /* more than fits into any buffer on the way */
	ck_assert_uint_eq(relay_connections(relay), 1);
	ck_assert_int_eq(strncmp(stream_peer(server.stream), "127.0.0.2:", 10), 0);
	event = event_of("tcp.syn", 0);
	ck_assert_str_eq(event->channel, "link:a-b");
	ck_assert_str_eq(event_text(event, "from"), stream_local(client.stream));
	ck_assert_str_eq(event_text(event, "to"), relay_address(relay));
	ck_assert_uint_eq(events_of("tcp.established"), 1);
	stream_shutdown(client.stream);
	wait_for(&client.closed);
	ck_assert_int_eq(client.end, STREAM_END_FIN);
	wait_until(no_connections, NULL);
	ck_assert_uint_eq(events_of("tcp.fin"), 2);
	ck_assert_str_eq(event_text(event_of("tcp.fin", 0), "side"), "client");
	ck_assert_uint_eq(events_of("tcp.reset"), 0);
}
END_TEST

START_TEST(test_reset_passes)
{
	connect_both();
	stream_abort(server.stream);
	wait_for(&client.closed);
	ck_assert_int_eq(client.end, STREAM_END_RESET);
	ck_assert_str_eq(event_text(event_of("tcp.reset", 0), "side"), "server");
	wait_until(no_connections, NULL);
}
END_TEST

START_TEST(test_refused)
{
	start(NULL);
	stream_listener_free(listener);
	listener = NULL;
	connect_client(NULL);
	wait_for(&client.closed);
	ck_assert_int_eq(client.end, STREAM_END_RESET);
	ck_assert_uint_eq(events_of("tcp.refused"), 1);
	ck_assert_uint_eq(relay_connections(relay), 0);
}
END_TEST

START_TEST(test_back_pressure)
{
	size_t length = 32U << 20;
	uint8_t *data = calloc(1, length);

	connect_both();
	server.echo = false;
	stream_pause_reading(server.stream, true);
	party_send(&client, data, length);
	pump_ms(100);
	ck_assert_uint_eq(server.received.length, 0);
	stream_pause_reading(server.stream, false);
	party_wait(&server, length);
	free(data);
}
END_TEST

START_TEST(test_cut)
{
	connect_both();
	relay_cut(relay);
	ck_assert_uint_eq(relay_connections(relay), 0);
	wait_for(&client.closed);
	wait_for(&server.closed);
	ck_assert_int_eq(client.end, STREAM_END_RESET);
	ck_assert_int_eq(server.end, STREAM_END_RESET);
	ck_assert_str_eq(event_text(event_of("link.fault", 0), "action"), "cut");
	server.opened = false;
	connect_client(NULL);
	wait_for(&client.opened);
	exchange(10);
}
END_TEST

START_TEST(test_cut_after)
{
	start(NULL);
	server.echo = false;
	relay_cut_after(relay, true, 1000);
	connect_client(NULL);
	wait_for(&client.opened);
	party_send(&client, bench.path, 90);
	party_wait(&server, 90);
	{
		static uint8_t data[5000];

		party_send(&client, data, sizeof(data));
	}
	wait_for(&client.closed);
	wait_for(&server.closed);
	ck_assert_int_eq(client.end, STREAM_END_RESET);
	ck_assert_int_eq(server.end, STREAM_END_RESET);
	ck_assert_uint_eq(server.received.length, 1000);
	/* Only the next connection was meant. */
	server.closed = false;
	server.echo = true;
	connect_client(NULL);
	wait_for(&client.opened);
	exchange(5000);
}
END_TEST

START_TEST(test_cut_after_nothing)
{
	start(NULL);
	relay_cut_after(relay, false, 0);
	connect_client(NULL);
	wait_for(&client.closed);
	ck_assert_int_eq(client.end, STREAM_END_RESET);
}
END_TEST

static const char *const cut_events[] = {"client_hello", "server_hello", "client_finished"};

START_TEST(test_cut_at)
{
	struct tls_identity ours = identity("tester", "vmg.hilbench.test"), theirs = identity("vmg", NULL);
	struct error err = {0};

	start(&theirs);
	ck_assert_int_eq(relay_cut_at(relay, "whenever", &err), -EINVAL);
	ck_assert_int_eq(relay_cut_at(relay, cut_events[_i % 3], &err), 0);
	if (_i >= 3)
		ours.maximum_version = 0x0303;
	connect_client(&ours);
	wait_for(&client.closed);
	ck_assert_int_eq(client.end, STREAM_END_RESET);
	ck_assert(!server.opened);
	ck_assert_uint_eq(events_of("tls.client_hello"), 1);
	ck_assert_uint_eq(events_of("tls.server_hello"), _i % 3 >= 1);
	ck_assert_uint_eq(events_of("tls.finished"), _i == 2); /* of TLS 1.3 the client's Finished is the last message */
	connect_client(&ours);
	wait_for(&client.opened);
}
END_TEST

START_TEST(test_tls_is_watched)
{
	struct tls_identity ours = identity("tester", "vmg.hilbench.test"), theirs = identity("vmg", NULL);

	start(&theirs);
	connect_client(&ours);
	wait_for(&client.opened);
	wait_for(&server.opened);
	party_send(&client, activation_request, sizeof(activation_request));
	party_wait(&server, sizeof(activation_request));
	ck_assert_uint_eq(events_of("tls.finished"), 1);
	ck_assert(!json_is_true(json_object_get(event_of("tls.finished", 0)->data, "inferred")));
	ck_assert_uint_eq(events_of("doip"), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(event_of("doip", 0)->data, "conn")), 1);
}
END_TEST

static bool is_finished(void *context)
{
	return events_of("tls.finished") > 0;
}

START_TEST(test_inferred_without_secrets)
{
	struct tls_identity ours = identity("tester", "vmg.hilbench.test"), theirs = identity("vmg", NULL);
	struct stream_environment environment = bench_environment("tester:client");
	struct stream_handlers handlers = party_handlers(&client);

	start(&theirs);
	ck_assert_int_eq(stream_connect(&client.stream, &environment, NULL, relay_address(relay), &ours, &handlers, NULL), 0);
	wait_until(is_finished, NULL);
	ck_assert(json_is_true(json_object_get(event_of("tls.finished", 0)->data, "inferred")));
}
END_TEST

START_TEST(test_down)
{
	connect_both();
	relay_down(relay);
	party_send(&client, "lost?", 5);
	pump_ms(50);
	ck_assert_uint_eq(client.received.length, 0);
	ck_assert(!client.closed && !server.closed);
	/* A cable that is plugged in again: TCP goes on where it was. */
	relay_restore(relay);
	party_wait(&client, 5);
	ck_assert_str_eq(event_text(event_of("link.fault", 0), "action"), "down");
	ck_assert_str_eq(event_text(event_of("link.fault", 1), "action"), "up");
}
END_TEST

START_TEST(test_connect_while_down)
{
	start(NULL);
	relay_down(relay);
	connect_client(NULL);
	pump_ms(50);
	ck_assert(!server.opened && !client.closed);
	ck_assert_uint_eq(events_of("tcp.established"), 0);
	relay_restore(relay);
	wait_for(&client.closed);
	ck_assert_int_eq(client.end, STREAM_END_RESET);
}
END_TEST

START_TEST(test_stall)
{
	connect_both();
	relay_stall(relay, false);
	party_send(&client, "question", 8);
	party_wait(&server, 8);
	pump_ms(50);
	ck_assert_uint_eq(client.received.length, 0);
	relay_restore(relay);
	party_wait(&client, 8);
}
END_TEST

START_TEST(test_delay)
{
	int64_t before_ns, took_ns;

	connect_both();
	relay_delay(relay, 50000000);
	before_ns = loop_now_ns();
	exchange(10);
	took_ns = loop_now_ns() - before_ns;
	ck_assert_int_ge(took_ns, 100000000);
	ck_assert_int_lt(took_ns, 10000000000); /* once in each direction, not for each byte */
	stream_shutdown(client.stream);
	before_ns = loop_now_ns();
	wait_for(&server.closed);
	ck_assert_int_ge(loop_now_ns() - before_ns, 45000000);
	relay_restore(relay);
}
END_TEST

static unsigned pieces;
static size_t piece_bytes;

static void count_pieces(struct stream *stream, const uint8_t *data, size_t length, struct instant at, void *context)
{
	ck_assert_uint_le(length, 3);
	pieces++;
	piece_bytes += length;
}

static bool all_pieces(void *context)
{
	return piece_bytes == 20;
}

START_TEST(test_split)
{
	struct stream_handlers handlers = {.received = count_pieces};
	int64_t before_ns;

	connect_both();
	stream_set_handlers(server.stream, &handlers);
	pieces = 0;
	piece_bytes = 0;
	relay_split(relay, 3, 5000000);
	before_ns = loop_now_ns();
	party_send(&client, "12345678901234567890", 20);
	wait_until(all_pieces, NULL);
	ck_assert_uint_eq(pieces, 7);
	ck_assert_int_ge(loop_now_ns() - before_ns, 6 * 5000000);
}
END_TEST

START_TEST(test_silence)
{
	connect_both();
	relay_silence(relay);
	ck_assert_uint_eq(relay_connections(relay), 0);
	party_free(&server); /* what the kernel says for a killed process */
	party_send(&client, "anyone?", 7);
	pump_ms(50);
	ck_assert(!client.closed);
	ck_assert_uint_eq(events_of("tcp.fin") + events_of("tcp.reset"), 0);
	ck_assert_uint_eq(client.received.length, 0);
	/* New connections work meanwhile. */
	{
		struct party second = {0};
		struct stream_environment environment = bench_environment("tester:second");
		struct stream_handlers handlers = party_handlers(&second);

		server.echo = true;
		ck_assert_int_eq(stream_connect(&second.stream, &environment, NULL, relay_address(relay), NULL, &handlers, NULL), 0);
		wait_for(&server.opened);
		party_send(&second, "x", 1);
		party_wait(&second, 1);
		ck_assert_uint_eq(relay_connections(relay), 1);
		party_free(&second);
	}
	relay_restore(relay);
	wait_for(&client.closed);
	ck_assert_int_eq(client.end, STREAM_END_RESET);
}
END_TEST

START_TEST(test_retarget)
{
	struct stream_environment environment = bench_environment("tester:other");
	struct stream_listener *other;
	struct party second = {.echo = true};

	connect_both();
	ck_assert_int_eq(stream_listen(&other, &environment, "127.0.0.1:0", NULL, party_accept, &second, NULL), 0);
	ck_assert_int_eq(relay_retarget(relay, "nowhere", NULL), -EINVAL);
	ck_assert_int_eq(relay_retarget(relay, stream_listener_address(other), NULL), 0);
	exchange(3); /* what stands stays where it is */
	connect_client(NULL);
	wait_for(&second.opened);
	exchange(3);
	ck_assert_uint_eq(second.received.length, 3);
	ck_assert_int_eq(relay_retarget(relay, NULL, NULL), 0);
	server.opened = false;
	connect_client(NULL);
	wait_for(&server.opened);
	exchange(3);
	party_free(&second);
	stream_listener_free(other);
}
END_TEST

START_TEST(test_segments)
{
	start(NULL);
	relay_journal_segments(relay, true);
	server.echo = true;
	connect_client(NULL);
	wait_for(&client.opened);
	exchange(100);
	ck_assert_uint_eq(events_of("tcp.segment"), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(event_of("tcp.segment", 0)->data, "length")), 100);
}
END_TEST

START_TEST(test_bad_arguments)
{
	struct relay *other = NULL;
	struct error err = {0};

	start(NULL);
	ck_assert_int_eq(relay_new(&other, bench.loop, NULL, NULL, "link:x", relay_address(relay), "127.0.0.1:1", NULL, &err), -EADDRINUSE);
	ck_assert_int_eq(relay_new(&other, bench.loop, NULL, NULL, "link:x", "127.0.0.1:0", "words", NULL, &err), -EINVAL);
	ck_assert_ptr_null(other);
	relay_free(NULL);
}
END_TEST

Suite *relay_suite(void)
{
	Suite *suite = suite_create("relay");
	TCase *tests = tcase_create("relay");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, test_forwarding);
	tcase_add_test(tests, test_reset_passes);
	tcase_add_test(tests, test_refused);
	tcase_add_test(tests, test_back_pressure);
	tcase_add_test(tests, test_cut);
	tcase_add_test(tests, test_cut_after);
	tcase_add_test(tests, test_cut_after_nothing);
	tcase_add_loop_test(tests, test_cut_at, 0, 6);
	tcase_add_test(tests, test_tls_is_watched);
	tcase_add_test(tests, test_inferred_without_secrets);
	tcase_add_test(tests, test_down);
	tcase_add_test(tests, test_connect_while_down);
	tcase_add_test(tests, test_stall);
	tcase_add_test(tests, test_delay);
	tcase_add_test(tests, test_split);
	tcase_add_test(tests, test_silence);
	tcase_add_test(tests, test_retarget);
	tcase_add_test(tests, test_segments);
	tcase_add_test(tests, test_bad_arguments);
	suite_add_tcase(suite, tests);
	return suite;
}
