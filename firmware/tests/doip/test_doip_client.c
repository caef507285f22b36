/* SPDX-License-Identifier: Apache-2.0 */
/* The DoIP client against a scripted server. */
#include <stdlib.h>
#include <string.h>

#include "../../core/doip_client.h"
#include "bench.h"

#define OWN    0x0011
#define SERVER 0x0091

static unsigned requests, state_changes;
static uint8_t answer;
static bool respond, stop_inside;

static uint8_t on_diagnostic(void *context, uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	static const uint8_t response[] = {0x7E, 0x00};
	requests++;
	if (stop_inside)
		doip_client_stop();
	if (respond)
		doip_client_send(target, source, response, sizeof response);
	return answer;
}

static void on_state(void *context, enum doip_client_state state)
{
	state_changes++;
}

static void client_run_until(uint64_t time_us)
{
	unsigned busy = 0;
	for (;;) {
		uint64_t deadline;
		doip_client_poll(port_time_us(), &deadline);
		if (deadline > port_time_us())
			busy = 0;
		ck_assert_msg(++busy < 1000, "the client asks to be called without end");
		if (deadline > time_us)
			break;
		if (deadline > port_time_us())
			fake_time_set(deadline);
	}
	if (time_us > port_time_us())
		fake_time_set(time_us);
	uint64_t ignored;
	doip_client_poll(port_time_us(), &ignored);
}

static void client_run(uint64_t us)
{
	client_run_until(port_time_us() + us);
}

static void client_prepare(void)
{
	doip_client_stop();
	fake_port_clear();
	requests = state_changes = 0;
	answer = 0;
	respond = true;
	stop_inside = false;
	fake_param_set("client.remote", "10.0.0.1:3496");
}

static void client_begin(struct tls_config *tls)
{
	static const struct doip_client_handlers handlers = {.diagnostic = on_diagnostic, .state_changed = on_state};
	struct doip_client_config config = {.source_address = OWN};
	doip_client_config_load(&config);
	ck_assert_int_eq(doip_client_start(&config, &handlers, tls), PORT_OK);
	client_run(0);
}

static void client_end(void)
{
	doip_client_stop();
	ck_assert_uint_eq(fake_sockets_open(), 0);
}

static void server_send(int peer, uint16_t type, const void *payload, size_t length)
{
	uint8_t bytes[8200];
	size_t size = compose(bytes, 0x03, type, payload, length);
	ck_assert_uint_eq(fake_peer_send(peer, bytes, size), size);
	client_run(0);
}

/* The server's side of the newest attempt, connected. */
static int server_accept(void)
{
	int peer = fake_peer_incoming();
	ck_assert_int_ge(peer, 0);
	fake_peer_accept(peer);
	client_run(0);
	return peer;
}

static void server_activate(int peer, uint8_t code)
{
	struct message m = expect_message(peer, 0x0005);
	ck_assert_uint_eq(m.length, 7);
	ck_assert_mem_eq(m.payload, "\x00\x11\x00\0\0\0\0", 7);
	const uint8_t response[9] = {0x00, 0x11, 0x00, 0x91, code};
	server_send(peer, 0x0006, response, sizeof response);
}

/* Until the next attempt begins. */
static int next_attempt(void)
{
	for (int i = 0; fake_peer_incoming() < 0; i++) {
		ck_assert_int_lt(i, 4000);
		client_run(1 * MS);
	}
	return fake_peer_incoming();
}

static int active_client(void)
{
	client_prepare();
	client_begin(NULL);
	int peer = server_accept();
	server_activate(peer, 0x10);
	ck_assert_int_eq(doip_client_state(), DOIP_CLIENT_ACTIVE);
	return peer;
}

START_TEST(connects_and_says_so)
{
	client_prepare();
	fake_time_set(210401);
	client_begin(fake_tls_config());
	ck_assert_int_eq(doip_client_state(), DOIP_CLIENT_CONNECTING);
	ck_assert_str_eq(fake_console(), "@boot stage=client t_us=210401 remote=10.0.0.1:3496\r\n");
	fake_console_clear();
	server_activate(server_accept(), 0x10);
	ck_assert_int_eq(doip_client_state(), DOIP_CLIENT_ACTIVE);
	ck_assert_str_eq(fake_console(), "@boot stage=connected t_us=210401\r\n"
	                                 "@boot stage=tls t_us=210401 version=TLSv1.3\r\n"
	                                 "@boot stage=activated t_us=210401 entity=0x0091\r\n");
	ck_assert_uint_eq(state_changes, 4);
	client_end();
}
END_TEST

START_TEST(reconnects_after_any_loss)
{
	int peer = active_client();
	static const uint8_t refused[9] = {0x00, 0x11, 0x00, 0x91, 0x06};
	for (int round = 0; round < 2; round++) {
		switch (_i) {
		case 0:
			fake_peer_close(peer);
			break;
		case 1:
			fake_peer_abort(peer);
			break;
		case 2:
			server_send(peer, 0x0005, "", 0); /* unknown to a client: refused, no loss */
			expect_header_nack(peer, 0x01);
			fake_peer_send(peer, "\x03\x03\0\x08\0\0\0\2", 8);
			break;
		default: /* silence to the keep-alive */
			client_run(2 * SECOND);
			ck_assert_uint_eq(expect_message(peer, 0x0007).length, 0);
			client_run(1999 * MS);
			ck_assert_int_eq(doip_client_state(), DOIP_CLIENT_ACTIVE);
			client_run(1 * MS);
			break;
		}
		client_run(0);
		ck_assert_int_eq(doip_client_state(), DOIP_CLIENT_BACKOFF);
		ck_assert_int_eq(doip_client_send(OWN, SERVER, refused, 1), PORT_FAILED);
		client_run(101 * MS);
		peer = server_accept();
		server_activate(peer, 0x10);
		ck_assert_int_eq(doip_client_state(), DOIP_CLIENT_ACTIVE);
	}
	client_end();
}
END_TEST

START_TEST(tries_again_after_a_failed_attempt)
{
	client_prepare();
	client_begin(fake_tls_config());
	for (int i = 0; i < 3; i++) {
		int peer = next_attempt();
		switch (_i) {
		case 0:
			fake_peer_refuse(peer);
			client_run(0);
			break;
		case 1: /* never answered */
			client_run(1998 * MS);
			ck_assert_int_eq(doip_client_state(), DOIP_CLIENT_CONNECTING);
			client_run(2 * MS);
			break;
		case 2:
			fake_tls_handshake(PORT_FAILED);
			server_accept();
			break;
		case 3: /* the handshake hangs */
			fake_tls_handshake(PORT_WOULD_BLOCK);
			server_accept();
			client_run(2 * SECOND);
			break;
		case 4:
			server_activate(server_accept(), 0x06);
			break;
		case 5: /* no activation response */
			server_accept();
			client_run(2 * SECOND);
			break;
		case 6:
			server_send(server_accept(), 0x0000, "\x01", 1);
			break;
		default:
			fake_tls_sessions(PORT_FULL);
			server_accept();
			break;
		}
		ck_assert_int_eq(doip_client_state(), DOIP_CLIENT_BACKOFF);
	}
	client_end();
}
END_TEST

START_TEST(backs_off)
{
	static const uint64_t whole_ms[] = {100, 200, 400, 800, 1600, 3200, 3200, 3200};
	bool jitter = false;
	client_prepare();
	client_begin(NULL);
	for (size_t i = 0; i < sizeof whole_ms / sizeof whole_ms[0]; i++) {
		fake_peer_refuse(fake_peer_incoming());
		client_run(0);
		uint64_t begin = port_time_us();
		next_attempt();
		uint64_t waited = port_time_us() - begin;
		ck_assert_uint_ge(waited, whole_ms[i] * MS / 2);
		ck_assert_uint_le(waited, whole_ms[i] * MS + 1 * MS);
		jitter = jitter || waited < whole_ms[i] * MS * 9 / 10;
	}
	ck_assert(jitter);
	server_activate(server_accept(), 0x10);
	client_end();
}
END_TEST

START_TEST(a_link_that_returns_is_tried_at_once)
{
	client_prepare();
	client_begin(NULL);
	for (int i = 0; i < 6; i++) {
		fake_peer_refuse(next_attempt());
		client_run(0);
	}
	fake_link_set(false);
	client_run(1 * MS);
	fake_link_set(true);
	client_run(0);
	ck_assert_int_ge(fake_peer_incoming(), 0);
	client_end();
}
END_TEST

START_TEST(repeats_a_pending_activation)
{
	client_prepare();
	client_begin(NULL);
	int peer = server_accept();
	server_activate(peer, 0x11);
	expect_nothing(peer);
	client_run(500 * MS);
	server_activate(peer, 0x10);
	ck_assert_int_eq(doip_client_state(), DOIP_CLIENT_ACTIVE);
	client_end();
}
END_TEST

START_TEST(answers_alive_checks)
{
	int peer = active_client();
	server_send(peer, 0x0007, "", 0);
	struct message m = expect_message(peer, 0x0008);
	ck_assert_uint_eq(m.length, 2);
	ck_assert_mem_eq(m.payload, "\x00\x11", 2);
	client_end();
}
END_TEST

START_TEST(keeps_a_living_connection)
{
	int peer = active_client();
	for (int i = 0; i < 10; i++) {
		client_run(2 * SECOND);
		expect_message(peer, 0x0007);
		client_run(1900 * MS);
		server_send(peer, 0x0008, "\x00\x91", 2);
		ck_assert_int_eq(doip_client_state(), DOIP_CLIENT_ACTIVE);
	}
	for (int i = 0; i < 10; i++) { /* traffic makes the question needless */
		client_run(1900 * MS);
		server_send(peer, 0x8002, "\x00\x91\x00\x11\x00", 5);
		expect_nothing(peer);
	}
	client_end();
}
END_TEST

START_TEST(carries_requests)
{
	static const uint8_t request[6] = {0x0e, 0x80, 0x00, 0x11, 0x3E, 0x00};
	static uint8_t longest[4099] = {0x0e, 0x80, 0x00, 0x11, 0x36};
	int peer = active_client();
	server_send(peer, 0x8001, request, sizeof request);
	struct message m = expect_message(peer, 0x8002);
	ck_assert_mem_eq(m.payload, "\x00\x11\x0e\x80\x00", 5);
	m = expect_message(peer, 0x8001);
	ck_assert_mem_eq(m.payload, "\x00\x11\x0e\x80\x7E\x00", 6);
	answer = 0x03;
	respond = false;
	server_send(peer, 0x8001, request, sizeof request);
	expect_ack(peer, 0x8003, 0x03);
	answer = 0;
	server_send(peer, 0x8001, longest, sizeof longest);
	expect_ack(peer, 0x8002, 0x00);
	ck_assert_uint_eq(requests, 3);
	server_send(peer, 0x8001, longest, 4100 - 4);
	expect_ack(peer, 0x8002, 0x00);
	static const uint8_t too_long[4100];
	server_send(peer, 0x8001, too_long, sizeof too_long);
	expect_header_nack(peer, 0x02);
	ck_assert_uint_eq(requests, 4);
	server_send(peer, 0x8002, request, 5); /* not expected, does no harm */
	server_send(peer, 0x8001, request, sizeof request);
	expect_ack(peer, 0x8002, 0x00);
	client_end();
}
END_TEST

START_TEST(wants_acknowledgements)
{
	static const uint8_t data[2] = {0x62, 0x01};
	int peer = active_client();
	ck_assert_int_eq(doip_client_send(OWN, 0x0e80, data, 2), PORT_OK);
	expect_message(peer, 0x8001);
	server_send(peer, 0x8002, "\x0e\x80\x00\x11\x00", 5);
	client_run(1 * SECOND);
	ck_assert_int_eq(doip_client_send(OWN, 0x0e80, data, 2), PORT_OK);
	expect_message(peer, 0x8001);
	fake_console_clear();
	server_send(peer, 0x8003, "\x0e\x80\x00\x11\x06", 5);
	ck_assert_str_eq(fake_console(), "client: diagnostic message refused code=0x06\r\n");
	ck_assert_int_eq(doip_client_send(OWN, 0x0e80, data, 2), PORT_OK);
	client_run(1999 * MS);
	ck_assert_int_eq(doip_client_state(), DOIP_CLIENT_ACTIVE);
	client_run(1 * MS);
	ck_assert_int_eq(doip_client_state(), DOIP_CLIENT_BACKOFF);
	client_end();
}
END_TEST

START_TEST(a_full_outbox)
{
	static uint8_t data[4000];
	int peer = active_client();
	fake_peer_window(peer, 0);
	ck_assert_int_eq(doip_client_send(OWN, 0x0e80, data, sizeof data), PORT_OK);
	ck_assert_int_eq(doip_client_send(OWN, 0x0e80, data, sizeof data), PORT_FULL);
	ck_assert_int_eq(doip_client_send(OWN, 0x0e80, data, 0), PORT_INVALID);
	fake_peer_window(peer, 7);
	uint8_t sink[8];
	for (int i = 0; i < 600; i++) {
		fake_peer_take(peer, sink, sizeof sink);
		client_run(0);
	}
	ck_assert_int_eq(doip_client_send(OWN, 0x0e80, data, sizeof data), PORT_OK);
	client_end();
}
END_TEST

START_TEST(stopped_from_inside_the_handler)
{
	static const uint8_t request[6] = {0x0e, 0x80, 0x00, 0x11, 0x11, 0x01};
	int peer = active_client();
	stop_inside = true;
	server_send(peer, 0x8001, request, sizeof request);
	ck_assert_int_eq(doip_client_state(), DOIP_CLIENT_IDLE);
	expect_ack(peer, 0x8002, 0x00);
	ck_assert_uint_eq(fake_sockets_open(), 0);
}
END_TEST

START_TEST(survives_failing_calls)
{
	static const enum fake_operation operations[] = {FAKE_OPEN, FAKE_SEND, FAKE_RECEIVE};
	for (unsigned n = 1; n <= 5; n++) {
		client_prepare();
		fake_fail_every(operations[_i], n, PORT_FAILED);
		client_begin(NULL);
		for (int i = 0; i < 20; i++) {
			int peer = fake_peer_incoming();
			client_run(50 * MS);
			if (peer >= 0)
				fake_peer_accept(peer);
			client_run(300 * MS);
		}
		fake_fail_every(operations[_i], 0, PORT_OK);
		for (int i = 0; i < 200 && fake_peer_incoming() < 0; i++)
			client_run(50 * MS);
		server_activate(server_accept(), 0x10);
		ck_assert_int_eq(doip_client_state(), DOIP_CLIENT_ACTIVE);
		client_end();
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client");
	TCase *tcase = tcase_create("client");
	tcase_add_test(tcase, connects_and_says_so);
	tcase_add_loop_test(tcase, reconnects_after_any_loss, 0, 4);
	tcase_add_loop_test(tcase, tries_again_after_a_failed_attempt, 0, 8);
	tcase_add_test(tcase, backs_off);
	tcase_add_test(tcase, a_link_that_returns_is_tried_at_once);
	tcase_add_test(tcase, repeats_a_pending_activation);
	tcase_add_test(tcase, answers_alive_checks);
	tcase_add_test(tcase, keeps_a_living_connection);
	tcase_add_test(tcase, carries_requests);
	tcase_add_test(tcase, wants_acknowledgements);
	tcase_add_test(tcase, a_full_outbox);
	tcase_add_test(tcase, stopped_from_inside_the_handler);
	tcase_add_loop_test(tcase, survives_failing_calls, 0, 3);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
