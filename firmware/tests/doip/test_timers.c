/* SPDX-License-Identifier: Apache-2.0 */
/* D100-D106, D112: inactivity of sockets. */
#include "bench.h"

static void start(void)
{
	bench_prepare();
	bench_start();
}

START_TEST(initial_inactivity)
{
	for (int i = 0; i < 100; i++) {
		int peer = tester();
		if (_i == 1) /* other traffic does not help */
			send_message(peer, 0x0007, "", 0);
		run_for(1999 * MS);
		expect_open(peer);
		if (_i == 1)
			send_message(peer, 0xF000, "x", 1);
		run_for(1 * MS);
		ck_assert_int_eq(fake_peer_state(peer), FAKE_PEER_FINISHED);
	}
}
END_TEST

START_TEST(activation_stops_it)
{
	int peer = tester();
	run_for(1900 * MS);
	send_activation(peer, TESTER_1, 0x00);
	expect_activation(peer, 0x10);
	run_for(200 * SECOND);
	expect_open(peer);
}
END_TEST

START_TEST(general_inactivity)
{
	int peer = active_tester(TESTER_1);
	run_for(299 * SECOND);
	expect_open(peer);
	run_for(1 * SECOND);
	ck_assert_int_eq(fake_peer_state(peer), FAKE_PEER_FINISHED);
	ck_assert_uint_eq(app.node_down, 1);
}
END_TEST

START_TEST(traffic_restarts_it)
{
	uint8_t data[1] = {0x7E};
	int peer = active_tester(TESTER_1);
	for (int i = 0; i < 6; i++) {
		run_for(200 * SECOND);
		expect_open(peer);
		switch (_i) {
		case 0:
			send_alive(peer, TESTER_1);
			break;
		case 1:
			send_message(peer, 0xF000, "x", 1);
			expect_header_nack(peer, 0x01);
			break;
		case 2:
			send_message(peer, 0x8002, "\x0e\x80\x00\x91\x00", 5);
			break;
		default:
			ck_assert_int_eq(doip_entity_send(ENTITY, TESTER_1, data, 1), PORT_OK);
			break;
		}
	}
	run_for(299 * SECOND);
	expect_open(peer);
	run_for(1 * SECOND);
	ck_assert_int_eq(fake_peer_state(peer), FAKE_PEER_FINISHED);
}
END_TEST

START_TEST(half_a_message_times_out)
{
	int peer = active_tester(TESTER_1), other = active_tester(TESTER_2);
	send_raw(peer, "\x03\xFC\x80\x01\x00\x00\x08\x00\x0e", 9);
	run_for(299 * SECOND);
	expect_alive_exchange(other, TESTER_2);
	run_for(1 * SECOND);
	ck_assert_int_eq(fake_peer_state(peer), FAKE_PEER_FINISHED);
	expect_alive_exchange(other, TESTER_2);
}
END_TEST

START_TEST(a_peer_that_never_reads_is_cut)
{
	uint8_t data[4000] = {0};
	int peer = active_tester(TESTER_1);
	run_for(100 * SECOND); /* a long silence before does not count */
	fake_peer_window(peer, 50);
	ck_assert_int_eq(doip_entity_send(ENTITY, TESTER_1, data, sizeof data), PORT_OK);
	run_for(9 * SECOND);
	expect_open(peer);
	run_for(2 * SECOND);
	ck_assert_int_eq(fake_peer_state(peer), FAKE_PEER_RESET);
}
END_TEST

START_TEST(a_slow_reader_is_kept)
{
	uint8_t data[4000] = {0}, sink[200];
	int peer = active_tester(TESTER_1);
	fake_peer_window(peer, 100);
	ck_assert_int_eq(doip_entity_send(ENTITY, TESTER_1, data, sizeof data), PORT_OK);
	for (int i = 0; i < 45; i++) {
		run_for(5 * SECOND);
		expect_open(peer);
		fake_peer_take(peer, sink, sizeof sink);
	}
	fake_peer_window(peer, FAKE_PIPE_SIZE);
	settle();
	expect_alive_exchange(peer, TESTER_1);
}
END_TEST

Suite *suite_timers(void)
{
	Suite *suite = suite_create("timers");
	TCase *tcase = tcase_create("started");
	tcase_add_checked_fixture(tcase, start, bench_end);
	tcase_add_loop_test(tcase, initial_inactivity, 0, 2);
	tcase_add_test(tcase, activation_stops_it);
	tcase_add_test(tcase, general_inactivity);
	tcase_add_loop_test(tcase, traffic_restarts_it, 0, 4);
	tcase_add_test(tcase, half_a_message_times_out);
	tcase_add_test(tcase, a_peer_that_never_reads_is_cut);
	tcase_add_test(tcase, a_slow_reader_is_kept);
	suite_add_tcase(suite, tcase);
	return suite;
}
