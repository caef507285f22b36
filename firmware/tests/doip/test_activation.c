/* SPDX-License-Identifier: Apache-2.0 */
/* D070-D092, D107-D110, D157: routing activation, alive check, the socket table. */
#include <string.h>

#include "bench.h"

static void start(void)
{
	bench_prepare();
	bench_start();
}

static void activate_and_expect(uint16_t source, uint8_t type, uint8_t code, bool closed)
{
	int peer = tester();
	send_activation(peer, source, type);
	expect_activation(peer, code);
	if (closed)
		expect_closed(peer);
	else
		expect_open(peer);
	expect_nothing(peer);
}

START_TEST(refuses_with_the_right_code)
{
	activate_and_expect(0x1234, 0x00, 0x00, true);
	activate_and_expect(0x1234, 0x55, 0x00, true); /* the source is looked at first */
	activate_and_expect(TESTER_1, 0x02, 0x06, true);
	activate_and_expect(TESTER_1, 0xDF, 0x06, true);
	activate_and_expect(TESTER_1, 0xFF, 0x06, true);
	activate_and_expect(TESTER_1, 0xE0, 0x07, true);
	activate_and_expect(TESTER_1, 0x01, 0x10, false);
}
END_TEST

START_TEST(tls_only_types)
{
	int peer = tester_tls();
	send_activation(peer, TESTER_1, 0xE0);
	expect_activation(peer, 0x10);
	expect_alive_exchange(peer, TESTER_1);
	bench_end();
	bench_prepare();
	fake_param_set("doip.tls", NULL);
	bench_start();
	activate_and_expect(TESTER_1, 0xE0, 0x06, true); /* no TLS to come back over */
}
END_TEST

START_TEST(carries_the_oem_field)
{
	static const uint8_t payload[11] = {0x0e, 0x80, 0xE1, 1, 2, 3, 4, 0xca, 0xfe, 0xba, 0xbe};
	int peer = tester();
	send_message(peer, 0x0005, payload, sizeof payload);
	struct message m = expect_message(peer, 0x0006);
	ck_assert_uint_eq(m.length, 13);
	ck_assert_mem_eq(m.payload, "\x0e\x80\x00\x91\x10\0\0\0\0\xca\xfe\xba\xbe", 13);
	ck_assert_uint_eq(app.oem_length, 4);
}
END_TEST

START_TEST(authentication)
{
	int peer = tester();
	app.authenticated = 0;
	send_activation(peer, TESTER_1, 0xE1);
	expect_activation(peer, 0x04);
	expect_open(peer);
	ck_assert_uint_eq(app.node_up, 0);
	app.authenticated = 1;
	send_activation(peer, TESTER_1, 0xE1);
	expect_activation(peer, 0x10);
	ck_assert_uint_eq(app.node_up, 1);
}
END_TEST

START_TEST(confirmation)
{
	int refused = tester(), peer = tester();
	app.confirmed = 0;
	send_activation(refused, TESTER_1, 0xE2);
	expect_activation(refused, 0x05);
	expect_closed(refused);
	app.confirmed = 2;
	send_activation(peer, TESTER_1, 0xE2);
	expect_activation(peer, 0x11);
	run_for(5 * SECOND);
	expect_open(peer);
	send_activation(peer, TESTER_1, 0xE2);
	expect_activation(peer, 0x11);
	ck_assert_uint_eq(app.node_up, 0);
	app.confirmed = 1;
	send_activation(peer, TESTER_1, 0xE2);
	expect_activation(peer, 0x10);
	expect_alive_exchange(peer, TESTER_1);
}
END_TEST

START_TEST(other_source_on_a_registered_socket)
{
	int peer = active_tester(TESTER_1);
	send_activation(peer, TESTER_1, 0x00);
	expect_activation(peer, 0x10);
	send_activation(peer, TESTER_2, 0x00);
	expect_activation(peer, 0x02);
	expect_closed(peer);
	ck_assert_uint_eq(app.node_up, 1);
	ck_assert_uint_eq(app.node_down, 1);
}
END_TEST

START_TEST(source_in_use_and_alive)
{
	int holder = active_tester(TESTER_1), other = active_tester(TESTER_2), newcomer = tester();
	send_activation(newcomer, TESTER_1, 0x00);
	ck_assert_uint_eq(expect_message(holder, 0x0007).length, 0);
	expect_nothing(other); /* only the holder is asked */
	run_for(499 * MS);
	expect_nothing(newcomer);
	send_alive(holder, TESTER_1);
	expect_activation(newcomer, 0x03);
	expect_closed(newcomer);
	expect_open(holder);
	expect_alive_exchange(holder, TESTER_1);
}
END_TEST

START_TEST(source_in_use_and_silent)
{
	int holder = active_tester(TESTER_1), newcomer = tester();
	send_activation(newcomer, TESTER_1, 0x00);
	expect_message(holder, 0x0007);
	send_alive(holder, TESTER_2); /* a foreign address proves nothing */
	run_for(499 * MS);
	expect_open(holder);
	expect_nothing(newcomer);
	run_for(2 * MS);
	ck_assert_int_eq(fake_peer_state(holder), FAKE_PEER_FINISHED);
	expect_activation(newcomer, 0x10);
	expect_alive_exchange(newcomer, TESTER_1);
	ck_assert_uint_eq(app.node_up, 2);
	ck_assert_uint_eq(app.node_down, 1);
}
END_TEST

START_TEST(an_answer_after_501_ms_is_late)
{
	int holder = active_tester(TESTER_1), newcomer = tester();
	send_activation(newcomer, TESTER_1, 0x00);
	run_for(501 * MS);
	send_activation(newcomer, TESTER_1, 0x00);
	expect_activation(newcomer, 0x10);
	expect_activation(newcomer, 0x10);
	uint8_t bytes[16];
	ck_assert_uint_eq(fake_peer_send(holder, bytes, compose(bytes, 3, 0x0008, "\x0e\x80", 2)), 0);
}
END_TEST

/* Work of other sockets in the same turn, a handshake for instance, takes nothing off the time to answer in. */
START_TEST(a_long_turn_does_not_shorten_the_wait)
{
	uint8_t bytes[32];
	int other = active_tester(TESTER_2), holder = active_tester(TESTER_1), newcomer = tester();
	uint64_t begin_us = port_time_us();
	app.takes_us = 30 * MS;
	fake_peer_send(other, bytes, compose(bytes, 3, 0x8001, "\x0e\x81\x00\x91\x3e", 5));
	fake_peer_send(newcomer, bytes, compose(bytes, 3, 0x0005, "\x0e\x80\0\0\0\0\0", 7));
	settle();
	expect_message(holder, 0x0007);
	run_until(begin_us + 529 * MS);
	expect_open(holder);
	expect_nothing(newcomer);
	run_until(begin_us + 531 * MS);
	expect_activation(newcomer, 0x10);
}
END_TEST

static const uint16_t sources[] = {TESTER_1, TESTER_2, TESTER_3, TESTER_4};

static void register_all(int peers[4])
{
	for (int i = 0; i < 4; i++)
		peers[i] = active_tester(sources[i]);
}

START_TEST(full_and_all_alive)
{
	int peers[4];
	register_all(peers);
	int newcomer = tester();
	send_activation(newcomer, TESTER_5, 0x00);
	for (int i = 0; i < 4; i++) {
		expect_nothing(newcomer);
		expect_message(peers[i], 0x0007);
		send_alive(peers[i], sources[i]);
	}
	expect_activation(newcomer, 0x01);
	expect_closed(newcomer);
	for (int i = 0; i < 4; i++)
		expect_alive_exchange(peers[i], sources[i]);
}
END_TEST

START_TEST(full_and_one_silent)
{
	int peers[4];
	register_all(peers);
	int newcomer = tester();
	send_activation(newcomer, TESTER_5, 0x00);
	for (int i = 0; i < 4; i++) {
		expect_message(peers[i], 0x0007);
		if (i != 2)
			send_alive(peers[i], sources[i]);
	}
	run_for(499 * MS);
	expect_open(peers[2]);
	run_for(2 * MS);
	ck_assert_int_eq(fake_peer_state(peers[2]), FAKE_PEER_FINISHED);
	expect_activation(newcomer, 0x10);
	for (int i = 0; i < 4; i++)
		if (i != 2)
			expect_alive_exchange(peers[i], sources[i]);
	expect_alive_exchange(newcomer, TESTER_5);
}
END_TEST

START_TEST(one_connection_too_many)
{
	int peers[4];
	register_all(peers);
	int reserve = tester(), excess = tester();
	expect_open(reserve);
	ck_assert_int_eq(fake_peer_state(excess), FAKE_PEER_FINISHED);
	fake_peer_close(peers[0]);
	int next = fake_peer_connect("10.0.0.9:0", PLAIN); /* its place and its end come in the same turn */
	settle();
	expect_open(next);
}
END_TEST

START_TEST(tls_and_plain_share_budget_and_addresses)
{
	int secure = tester_tls(), plain = tester();
	send_activation(secure, TESTER_1, 0x00);
	expect_activation(secure, 0x10);
	send_activation(plain, TESTER_1, 0x00);
	expect_message(secure, 0x0007);
	send_alive(secure, TESTER_1);
	expect_activation(plain, 0x03);
	expect_closed(plain);
	for (int i = 0; i < 4; i++)
		expect_open(i % 2 ? tester_tls() : tester());
	ck_assert_int_eq(fake_peer_state(tester()), FAKE_PEER_FINISHED);
}
END_TEST

START_TEST(pipelined_behind_the_request)
{
	uint8_t bytes[128];
	int holder = active_tester(TESTER_2), peer = tester(), waiting = tester();
	size_t length = compose(bytes, 3, 0x0005, "\x0e\x80\0\0\0\0\0", 7);
	length += compose(bytes + length, 3, 0x8001, "\x0e\x80\x00\x91\x3E\x00", 6);
	send_raw(peer, bytes, length);
	expect_activation(peer, 0x10);
	expect_ack(peer, 0x8002, 0x00);
	expect_message(peer, 0x8001);
	bytes[9] = 0x81; /* the same for an address that needs an alive check first */
	bytes[24] = 0x81;
	send_raw(waiting, bytes, length);
	expect_nothing(waiting);
	ck_assert_uint_eq(app.requests, 1);
	expect_message(holder, 0x0007);
	run_for(500 * MS);
	expect_activation(waiting, 0x10);
	expect_ack(waiting, 0x8002, 0x00);
	expect_message(waiting, 0x8001);
}
END_TEST

START_TEST(two_newcomers)
{
	int holder = active_tester(TESTER_1), first = tester(), second = tester();
	send_activation(first, TESTER_1, 0x00);
	run_for(300 * MS);
	send_activation(second, TESTER_1, 0x00);
	expect_message(holder, 0x0007);
	expect_nothing(holder);
	run_for(200 * MS);
	expect_activation(first, 0x10);
	expect_nothing(second);
	expect_message(first, 0x0007); /* the second newcomer's round asks the first */
	send_alive(first, TESTER_1);
	expect_activation(second, 0x03);
	expect_closed(second);
	expect_alive_exchange(first, TESTER_1);
}
END_TEST

START_TEST(the_newcomer_leaves)
{
	int holder = active_tester(TESTER_1), newcomer = tester();
	send_activation(newcomer, TESTER_1, 0x00);
	expect_message(holder, 0x0007);
	fake_peer_close(newcomer);
	run_for(1 * SECOND);
	expect_nothing(newcomer);
	ck_assert_int_eq(fake_peer_state(newcomer), FAKE_PEER_FINISHED);
	expect_alive_exchange(holder, TESTER_1);
	ck_assert_uint_eq(app.node_down, 0);
}
END_TEST

START_TEST(the_holder_leaves)
{
	int holder = active_tester(TESTER_1), newcomer = tester();
	send_activation(newcomer, TESTER_1, 0x00);
	if (_i == 0)
		fake_peer_close(holder);
	else
		fake_peer_abort(holder);
	settle();
	expect_activation(newcomer, 0x10);
}
END_TEST

START_TEST(waiting_stops_the_initial_timer)
{
	int peers[4];
	register_all(peers);
	int newcomer = tester();
	run_for(1900 * MS);
	send_activation(newcomer, TESTER_5, 0x00);
	run_for(300 * MS);
	expect_open(newcomer);
	for (int i = 0; i < 4; i++)
		send_alive(peers[i], sources[i]);
	expect_activation(newcomer, 0x01);
}
END_TEST

START_TEST(a_holder_that_does_not_read_is_silent)
{
	int holder = active_tester(TESTER_1), newcomer = tester();
	uint8_t data[4000] = {0};
	fake_peer_window(holder, 100);
	while (doip_entity_send(ENTITY, TESTER_1, data, sizeof data) == PORT_OK)
		;
	ck_assert_int_eq(doip_entity_send(ENTITY, TESTER_1, data, sizeof data), PORT_FULL);
	send_activation(newcomer, TESTER_1, 0x00);
	expect_alive_exchange(active_tester(TESTER_2), TESTER_2); /* nobody else has to wait */
	run_for(500 * MS);
	ck_assert_int_eq(fake_peer_state(holder), FAKE_PEER_RESET);
	expect_activation(newcomer, 0x10);
}
END_TEST

START_TEST(slots_come_back)
{
	for (int i = 0; i < 50; i++) {
		int peer = tester();
		expect_open(peer);
		send_activation(peer, 0x1234, 0x00);
		expect_activation(peer, 0x00);
		run_for((unsigned)i * MS);
	}
	expect_alive_exchange(active_tester(TESTER_1), TESTER_1);
}
END_TEST

START_TEST(answers_an_alive_check_itself)
{
	int peer = tester();
	send_message(peer, 0x0007, "", 0);
	struct message m = expect_message(peer, 0x0008);
	ck_assert_uint_eq(m.length, 2);
	ck_assert_mem_eq(m.payload, "\x00\x91", 2);
}
END_TEST

START_TEST(lists_the_nodes)
{
	uint16_t nodes[8];
	active_tester(TESTER_1);
	int node = active_tester(NODE);
	ck_assert_uint_eq(doip_entity_nodes(nodes, 8), 2);
	ck_assert_uint_eq(nodes[1], NODE);
	ck_assert_uint_eq(doip_entity_nodes(nodes, 1), 1);
	fake_peer_close(node);
	settle();
	ck_assert_uint_eq(doip_entity_nodes(nodes, 8), 1);
}
END_TEST

START_TEST(tls_handshakes)
{
	fake_tls_handshake(PORT_WOULD_BLOCK);
	int slow = tester_tls();
	run_for(1900 * MS);
	expect_open(slow);
	run_for(200 * MS);
	ck_assert_int_eq(fake_peer_state(slow), FAKE_PEER_FINISHED);
	fake_tls_handshake(PORT_FAILED);
	int refused = fake_peer_connect("10.0.0.9:0", SECURE);
	fake_peer_send(refused, "unread input", 12);
	settle();
	expect_closed(refused); /* no RST, the alert can be read */
	fake_tls_sessions(PORT_FULL);
	ck_assert_int_eq(fake_peer_state(tester_tls()), FAKE_PEER_FINISHED);
	fake_tls_sessions(PORT_OK);
	fake_tls_handshake(PORT_OK);
	int fine = tester_tls();
	send_activation(fine, TESTER_1, 0x00);
	expect_activation(fine, 0x10);
}
END_TEST

START_TEST(fault_activation_code)
{
	bench_prepare();
	fake_param_set("fault", "activation-code");
	bench_start();
	int peer = tester();
	send_activation(peer, TESTER_1, 0x00);
	expect_activation(peer, 0x11);
	expect_alive_exchange(peer, TESTER_1);
	active_tester(NODE); /* nodes are answered as ever */
	bench_end();
}
END_TEST

START_TEST(fault_alive_check_missing)
{
	bench_prepare();
	fake_param_set("fault", "alive-check-missing");
	bench_start();
	int holder = active_tester(TESTER_1), newcomer = tester();
	send_activation(newcomer, TESTER_1, 0x00);
	expect_activation(newcomer, 0x10);
	expect_nothing(holder);
	bench_end();
}
END_TEST

Suite *suite_activation(void)
{
	Suite *suite = suite_create("activation");
	TCase *tcase = tcase_create("started");
	tcase_add_checked_fixture(tcase, start, bench_end);
	tcase_add_test(tcase, refuses_with_the_right_code);
	tcase_add_test(tcase, tls_only_types);
	tcase_add_test(tcase, carries_the_oem_field);
	tcase_add_test(tcase, authentication);
	tcase_add_test(tcase, confirmation);
	tcase_add_test(tcase, other_source_on_a_registered_socket);
	tcase_add_test(tcase, source_in_use_and_alive);
	tcase_add_test(tcase, source_in_use_and_silent);
	tcase_add_test(tcase, an_answer_after_501_ms_is_late);
	tcase_add_test(tcase, a_long_turn_does_not_shorten_the_wait);
	tcase_add_test(tcase, full_and_all_alive);
	tcase_add_test(tcase, full_and_one_silent);
	tcase_add_test(tcase, one_connection_too_many);
	tcase_add_test(tcase, tls_and_plain_share_budget_and_addresses);
	tcase_add_test(tcase, pipelined_behind_the_request);
	tcase_add_test(tcase, two_newcomers);
	tcase_add_test(tcase, the_newcomer_leaves);
	tcase_add_loop_test(tcase, the_holder_leaves, 0, 2);
	tcase_add_test(tcase, waiting_stops_the_initial_timer);
	tcase_add_test(tcase, a_holder_that_does_not_read_is_silent);
	tcase_add_test(tcase, slots_come_back);
	tcase_add_test(tcase, answers_an_alive_check_itself);
	tcase_add_test(tcase, lists_the_nodes);
	tcase_add_test(tcase, tls_handshakes);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("faults");
	tcase_add_test(tcase, fault_activation_code);
	tcase_add_test(tcase, fault_alive_check_missing);
	suite_add_tcase(suite, tcase);
	return suite;
}
