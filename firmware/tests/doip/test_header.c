/* SPDX-License-Identifier: Apache-2.0 */
/* D001-D023: the generic header over TCP. */
#include <string.h>

#include "bench.h"

static const uint8_t activation_payload[7] = {0x0e, 0x80, 0x00};

static void start(void)
{
	bench_prepare();
	bench_start();
}

START_TEST(answers_in_the_requesters_version)
{
	static const uint8_t versions[] = {0x02, 0x03};
	uint8_t bytes[64];
	int peer = tester();
	send_raw(peer, bytes, compose(bytes, versions[_i], 0x0005, activation_payload, 7));
	struct message m = expect_message(peer, 0x0006);
	ck_assert_uint_eq(m.version, versions[_i]);
	ck_assert_uint_eq(m.length, 9);
	ck_assert_mem_eq(m.payload, "\x0e\x80\x00\x91\x10\0\0\0\0", 9);
}
END_TEST

START_TEST(refuses_a_wrong_pattern_and_closes)
{
	static const uint8_t patterns[][2] = {{0x03, 0xFD}, {0x02, 0xFC}, {0x00, 0xFF}, {0x01, 0xFE},
	                                      {0x04, 0xFB}, {0x7F, 0x80}, {0xFE, 0x01}, {0xFF, 0x00}};
	uint8_t bytes[64];
	int peer = tester(), other = active_tester(TESTER_2);
	size_t length = compose(bytes, 0x03, 0x0005, activation_payload, 7);
	memcpy(bytes, patterns[_i], 2);
	send_raw(peer, bytes, length);
	expect_header_nack(peer, 0x00);
	expect_closed(peer);
	expect_nothing(peer);
	expect_alive_exchange(other, TESTER_2);
}
END_TEST

START_TEST(refuses_unknown_types_and_goes_on)
{
	static const uint16_t types[] = {0x0009, 0x4000, 0x4005, 0x8000, 0x8004, 0xEFFF, 0xF000,
	                                 0xFFFF, 0x0001, 0x0002, 0x0003, 0x0004, 0x4001, 0x4003};
	static const uint8_t junk[300];
	int peer = tester();
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		send_message(peer, types[i], junk, i * 20);
		expect_header_nack(peer, 0x01);
		expect_nothing(peer);
	}
	send_activation(peer, TESTER_1, 0x00);
	expect_activation(peer, 0x10);
	send_message(peer, 0xF000, junk, sizeof junk);
	expect_header_nack(peer, 0x01);
	expect_alive_exchange(peer, TESTER_1);
}
END_TEST

START_TEST(discards_exactly_what_is_too_long)
{
	static uint8_t junk[DOIP_MAX_MESSAGE + 1];
	int peer = active_tester(TESTER_1);
	memset(junk, 0x03, sizeof junk);
	send_message(peer, 0x8001, junk, sizeof junk);
	expect_header_nack(peer, 0x02);
	expect_nothing(peer);
	expect_alive_exchange(peer, TESTER_1);
	ck_assert_uint_eq(app.requests, 1);
}
END_TEST

START_TEST(takes_the_longest_message)
{
	static uint8_t data[DOIP_MAX_MESSAGE - 4];
	int peer = active_tester(TESTER_1);
	app.response_length = 4095;
	send_diagnostic(peer, TESTER_1, ENTITY, data, sizeof data);
	expect_ack(peer, 0x8002, 0x00);
	ck_assert_uint_eq(expect_message(peer, 0x8001).length, 4099);
	ck_assert_uint_eq(app.last_length, sizeof data);
	app.response_length = 2;
	expect_alive_exchange(peer, TESTER_1);
}
END_TEST

START_TEST(decides_from_eight_bytes)
{
	static const uint8_t head[8] = {0x03, 0xFC, 0x80, 0x01, 0xFF, 0xFF, 0xFF, 0xFF};
	static uint8_t junk[30000];
	int peer = active_tester(TESTER_1);
	send_raw(peer, head, sizeof head);
	expect_header_nack(peer, 0x02);
	for (int i = 0; i < 40; i++)
		send_raw(peer, junk, sizeof junk);
	expect_nothing(peer);
	expect_open(peer);
	expect_alive_exchange(active_tester(TESTER_2), TESTER_2);
}
END_TEST

START_TEST(says_when_memory_is_out)
{
	static const uint8_t head[8] = {0x03, 0xFC, 0x80, 0x01, 0x00, 0x00, 0x10, 0x00};
	static const uint8_t payload[4096] = {0x0e, 0x83, 0x00, 0x91, 0x3E};
	int half[3] = {active_tester(TESTER_1), active_tester(TESTER_2), active_tester(TESTER_3)};
	int peer = active_tester(TESTER_4);
	for (int i = 0; i < 3; i++) {
		send_raw(half[i], head, sizeof head);
		expect_nothing(half[i]);
	}
	send_raw(peer, head, sizeof head);
	expect_header_nack(peer, 0x03);
	send_raw(peer, payload, sizeof payload);
	expect_nothing(peer);
	expect_alive_exchange(peer, TESTER_4);
	fake_peer_close(half[1]);
	settle();
	send_message(peer, 0x8001, payload, sizeof payload);
	expect_ack(peer, 0x8002, 0x00);
	expect_message(peer, 0x8001);
}
END_TEST

START_TEST(refuses_lengths_and_closes)
{
	static const struct {
		uint16_t type;
		size_t length;
	} cases[] = {{0x0005, 0}, {0x0005, 5}, {0x0005, 6}, {0x0005, 8}, {0x0005, 10}, {0x0005, 12}, {0x0008, 0}, {0x0008, 1},
	             {0x0008, 3}, {0x0007, 1}, {0x8001, 0}, {0x8001, 1}, {0x8001, 2},  {0x8001, 3},  {0x8001, 4}, {0x0005, 4000}};
	static const uint8_t payload[4000] = {0x0e, 0x80};
	int peer = tester();
	send_message(peer, cases[_i].type, payload, cases[_i].length);
	expect_header_nack(peer, 0x04);
	expect_closed(peer);
	expect_alive_exchange(active_tester(TESTER_1), TESTER_1);
}
END_TEST

START_TEST(checks_in_order)
{
	static const uint8_t all_wrong[8] = {0x03, 0x03, 0x12, 0x34, 0xFF, 0xFF, 0xFF, 0xFF};
	static const uint8_t type_and_size[8] = {0x03, 0xFC, 0x12, 0x34, 0x00, 0x00, 0x10, 0x09};
	static const uint8_t size_and_length[8] = {0x03, 0xFC, 0x00, 0x05, 0x00, 0x00, 0x10, 0x09};
	int a = tester(), b = tester(), c = tester();
	send_raw(a, all_wrong, 8);
	expect_header_nack(a, 0x00);
	send_raw(b, type_and_size, 8);
	expect_header_nack(b, 0x01);
	send_raw(c, size_and_length, 8);
	expect_header_nack(c, 0x02);
	expect_open(b);
	expect_open(c);
}
END_TEST

START_TEST(ignores_received_nacks)
{
	int peer = active_tester(TESTER_1);
	for (uint8_t code = 0; code <= 4; code++)
		send_message(peer, 0x0000, &code, 1);
	static const uint8_t long_nack[5000];
	send_message(peer, 0x0000, long_nack, sizeof long_nack);
	send_message(peer, 0x8002, "\x0e\x80\x00\x91\x00", 5);
	send_message(peer, 0x8003, "\x0e\x80\x00\x91\x03", 5);
	send_message(peer, 0x8002, "", 0);
	expect_nothing(peer);
	expect_alive_exchange(peer, TESTER_1);
}
END_TEST

START_TEST(takes_a_message_split_anywhere)
{
	uint8_t bytes[512];
	uint8_t data[204] = {0x0e, 0x80, 0x00, 0x91, 0x22, 0xF1, 0x90};
	int peer = active_tester(TESTER_1);
	size_t lengths[2] = {7, sizeof data}; /* in the inbox itself, and in a buffer of the pool */
	unsigned requests = 0;
	for (int kind = 0; kind < 2; kind++) {
		size_t length = compose(bytes, 0x03, 0x8001, data, lengths[kind]);
		for (size_t at = 1; at < length; at++) {
			send_raw(peer, bytes, at);
			expect_nothing(peer);
			run_for(100 * MS);
			send_raw(peer, bytes + at, length - at);
			expect_ack(peer, 0x8002, 0x00);
			expect_message(peer, 0x8001);
			expect_nothing(peer);
			ck_assert_uint_eq(app.requests, ++requests);
			ck_assert_uint_eq(app.last_length, lengths[kind] - 4);
		}
	}
}
END_TEST

START_TEST(takes_single_bytes)
{
	int peer = active_tester(TESTER_1);
	fake_peer_segment(peer, 1);
	expect_alive_exchange(peer, TESTER_1);
}
END_TEST

START_TEST(answers_many_messages_of_one_segment_in_order)
{
	static const int counts[] = {2, 20, 200};
	uint8_t bytes[4096];
	size_t length = 0;
	int peer = active_tester(TESTER_1);
	for (int i = 0; i < counts[_i]; i++) {
		const uint8_t payload[6] = {0x0e, 0x80, 0x00, 0x91, 0x22, (uint8_t)i};
		length += compose(bytes + length, 0x03, 0x8001, payload, sizeof payload);
	}
	send_raw(peer, bytes, length);
	for (int i = 0; i < counts[_i]; i++) {
		expect_ack(peer, 0x8002, 0x00);
		struct message m = expect_message(peer, 0x8001);
		ck_assert_uint_eq(m.payload[5], (uint8_t)i);
	}
	expect_nothing(peer);
}
END_TEST

START_TEST(does_nothing_with_half_a_header)
{
	int peer = tester(), other = active_tester(TESTER_1);
	send_raw(peer, "\x03\xFC\x00\x05", 4);
	run_for(1900 * MS);
	expect_nothing(peer);
	expect_open(peer);
	run_for(200 * MS);
	ck_assert_int_eq(fake_peer_state(peer), FAKE_PEER_FINISHED);
	expect_alive_exchange(other, TESTER_1);
}
END_TEST

START_TEST(no_reset_overtakes_the_nack)
{
	uint8_t bytes[512];
	int peer = tester();
	size_t length = compose(bytes, 0x04, 0x0005, activation_payload, 7);
	memset(bytes + length, 0xA5, 300);
	send_raw(peer, bytes, length + 300);                      /* garbage in the same segment */
	ck_assert_uint_eq(fake_peer_send(peer, bytes, 100), 100); /* and behind it */
	settle();
	run_for(10 * MS);
	ck_assert_uint_eq(fake_peer_send(peer, bytes, 100), 100);
	settle();
	expect_header_nack(peer, 0x00);
	expect_nothing(peer);
	expect_closed(peer);
	expect_nothing(peer);
}
END_TEST

START_TEST(a_peer_that_closes_first_ends_the_wait)
{
	int peer = tester();
	send_raw(peer, "\x04\xFB\x00\x05\0\0\0\0", 8);
	fake_peer_close(peer);
	settle();
	ck_assert_int_eq(fake_peer_state(peer), FAKE_PEER_FINISHED);
	expect_header_nack(peer, 0x00);
}
END_TEST

START_TEST(a_talker_cannot_hold_the_socket)
{
	int peer = tester();
	send_raw(peer, "\x04\xFB\x00\x05\0\0\0\0", 8);
	for (int i = 0; i < 30 && fake_peer_state(peer) == FAKE_PEER_OPEN; i++) {
		fake_peer_send(peer, "x", 1);
		run_for(10 * MS);
	}
	ck_assert_int_ne(fake_peer_state(peer), FAKE_PEER_OPEN);
	ck_assert_uint_le(port_time_us(), 300 * MS);
}
END_TEST

START_TEST(fault_header_nack_missing)
{
	bench_prepare();
	fake_param_set("fault", "header-nack-missing");
	bench_start();
	int peer = active_tester(TESTER_1);
	send_message(peer, 0xF000, "x", 1);
	expect_nothing(peer);
	expect_alive_exchange(peer, TESTER_1);
}
END_TEST

START_TEST(survives_failing_calls)
{
	static const enum fake_operation operations[] = {FAKE_SEND, FAKE_RECEIVE, FAKE_ACCEPT, FAKE_UDP_SEND, FAKE_UDP_RECEIVE};
	static const enum port_status statuses[] = {PORT_FAILED, PORT_WOULD_BLOCK};
	for (unsigned s = 0; s < 2; s++) {
		for (unsigned n = 1; n <= 7; n++) {
			bench_prepare();
			bench_start();
			fake_fail_every(operations[_i], n, statuses[s]);
			for (int i = 0; i < 8; i++) {
				int peer = fake_peer_connect("10.0.0.9:0", PLAIN);
				uint8_t bytes[64];
				settle();
				fake_peer_send(peer, bytes, compose(bytes, 0x03, 0x0005, activation_payload, 7));
				settle();
				fake_udp_send("10.0.0.9:50000", UDP, bytes, compose(bytes, 0x03, 0x4001, "", 0));
				run_for(700 * MS);
				fake_peer_close(peer);
				settle();
			}
			fake_fail_every(operations[_i], 0, PORT_OK);
			run_for(3 * SECOND);
			expect_alive_exchange(active_tester(TESTER_1), TESTER_1);
			bench_end();
		}
	}
}
END_TEST

START_TEST(start_fails_without_leak)
{
	struct doip_entity_config config = {.logical_address = ENTITY};
	static const struct doip_entity_handlers handlers;
	bench_prepare();
	doip_entity_config_load(&config);
	for (unsigned n = 1; n <= 4; n++) {
		fake_fail_every(FAKE_OPEN, n, PORT_FAILED);
		ck_assert_int_eq(doip_entity_start(&config, &handlers, fake_tls_config()), PORT_FAILED);
		ck_assert_uint_eq(fake_sockets_open(), 0);
	}
	ck_assert_int_eq(doip_entity_start(&config, &handlers, NULL), PORT_INVALID);
}
END_TEST

Suite *suite_header(void)
{
	Suite *suite = suite_create("header");
	TCase *tcase = tcase_create("tcp");
	tcase_add_checked_fixture(tcase, start, bench_end);
	tcase_add_loop_test(tcase, answers_in_the_requesters_version, 0, 2);
	tcase_add_loop_test(tcase, refuses_a_wrong_pattern_and_closes, 0, 8);
	tcase_add_test(tcase, refuses_unknown_types_and_goes_on);
	tcase_add_test(tcase, discards_exactly_what_is_too_long);
	tcase_add_test(tcase, takes_the_longest_message);
	tcase_add_test(tcase, decides_from_eight_bytes);
	tcase_add_test(tcase, says_when_memory_is_out);
	tcase_add_loop_test(tcase, refuses_lengths_and_closes, 0, 16);
	tcase_add_test(tcase, checks_in_order);
	tcase_add_test(tcase, ignores_received_nacks);
	tcase_add_test(tcase, takes_a_message_split_anywhere);
	tcase_add_test(tcase, takes_single_bytes);
	tcase_add_loop_test(tcase, answers_many_messages_of_one_segment_in_order, 0, 3);
	tcase_add_test(tcase, does_nothing_with_half_a_header);
	tcase_add_test(tcase, no_reset_overtakes_the_nack);
	tcase_add_test(tcase, a_peer_that_closes_first_ends_the_wait);
	tcase_add_test(tcase, a_talker_cannot_hold_the_socket);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("faults");
	tcase_add_test(tcase, fault_header_nack_missing);
	tcase_add_loop_test(tcase, survives_failing_calls, 0, 5);
	tcase_add_test(tcase, start_fails_without_leak);
	suite_add_tcase(suite, tcase);
	return suite;
}
