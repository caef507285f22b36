/* SPDX-License-Identifier: Apache-2.0 */
/* D120-D137: diagnostic messages and their acknowledgement. */
#include <string.h>

#include "bench.h"

static const uint8_t request[] = {0x22, 0xF1, 0x90};

static void start(void)
{
	bench_prepare();
	bench_start();
}

START_TEST(acknowledges_before_the_response)
{
	int peer = active_tester(TESTER_1);
	send_diagnostic(peer, TESTER_1, ENTITY, request, sizeof request);
	struct message m = expect_message(peer, 0x8002);
	ck_assert_mem_eq(m.payload, "\x00\x91\x0e\x80\x00", 5);
	m = expect_message(peer, 0x8001);
	ck_assert_mem_eq(m.payload, "\x00\x91\x0e\x80\x62\xF1", 6);
	ck_assert_uint_eq(app.last_source, TESTER_1);
	ck_assert_uint_eq(app.last_target, ENTITY);
	expect_nothing(peer);
}
END_TEST

START_TEST(passes_the_applications_refusal)
{
	static const enum doip_diag_nack codes[] = {0x03, 0x04, 0x05, 0x06, 0x07, 0x08};
	int peer = active_tester(TESTER_1);
	app.respond = false;
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		app.answer = codes[i];
		send_diagnostic(peer, TESTER_1, 0x4711, request, sizeof request);
		struct message m = expect_message(peer, 0x8003);
		ck_assert_mem_eq(m.payload, "\x47\x11\x0e\x80", 4);
		ck_assert_uint_eq(m.payload[4], codes[i]);
	}
	app.respond = true;
	app.answer = DOIP_DIAG_ACCEPTED;
	expect_alive_exchange(peer, TESTER_1);
}
END_TEST

START_TEST(refuses_the_wrong_source)
{
	int peer = _i == 0 ? tester() : active_tester(TESTER_1);
	send_diagnostic(peer, _i == 0 ? TESTER_1 : TESTER_2, 0x4711, request, sizeof request);
	expect_ack(peer, 0x8003, 0x02);
	expect_closed(peer);
	ck_assert_uint_eq(app.requests, 0);
	expect_alive_exchange(active_tester(TESTER_1), TESTER_1);
}
END_TEST

START_TEST(a_response_may_come_later)
{
	int peer = active_tester(TESTER_1);
	app.respond = false;
	send_diagnostic(peer, TESTER_1, 0xE400, request, sizeof request);
	expect_ack(peer, 0x8002, 0x00);
	expect_nothing(peer);
	for (uint16_t source = 1; source <= 3; source++)
		ck_assert_int_eq(doip_entity_send(source, TESTER_1, request, sizeof request), PORT_OK);
	for (uint8_t source = 1; source <= 3; source++) /* without a further poll */
		ck_assert_uint_eq(expect_message(peer, 0x8001).payload[1], source);
}
END_TEST

START_TEST(testers_never_get_each_others_answers)
{
	int a = active_tester(TESTER_1), b = active_tester(TESTER_2);
	uint8_t bytes[64];
	for (uint8_t i = 0; i < 20; i++) {
		const uint8_t first[] = {0x0e, 0x80, 0x00, 0x91, 0x22, i}, second[] = {0x0e, 0x81, 0x00, 0x91, 0x22, (uint8_t)(i + 100)};
		fake_peer_send(a, bytes, compose(bytes, 3, 0x8001, first, 6));
		fake_peer_send(b, bytes, compose(bytes, 3, 0x8001, second, 6));
		settle();
		expect_ack(a, 0x8002, 0);
		expect_ack(b, 0x8002, 0);
		ck_assert_uint_eq(expect_message(a, 0x8001).payload[5], i);
		ck_assert_uint_eq(expect_message(b, 0x8001).payload[5], i + 100);
	}
}
END_TEST

START_TEST(forwards_between_sockets)
{
	int node = active_tester(NODE), peer = active_tester(TESTER_1);
	app.response_to = TESTER_1; /* what the node says goes to the tester */
	send_diagnostic(node, NODE, TESTER_1, request, sizeof request);
	expect_ack(node, 0x8002, 0x00);
	expect_message(peer, 0x8001);
	expect_nothing(node);
}
END_TEST

START_TEST(sends_over_a_nodes_socket)
{
	int node = active_tester(NODE), peer = active_tester(TESTER_1);
	ck_assert_int_eq(doip_entity_send_via(NODE, TESTER_1, 0xE400, request, sizeof request), PORT_OK);
	ck_assert_mem_eq(expect_message(node, 0x8001).payload, "\x0e\x80\xe4\x00\x22", 5);
	expect_nothing(peer);
	ck_assert_int_eq(doip_entity_send_via(TESTER_2, ENTITY, TESTER_1, request, sizeof request), PORT_ABSENT);
	expect_nothing(peer);
}
END_TEST

/* A node's longest answer: 4095 bytes of UDS, 4099 of payload, both ways. */
START_TEST(forwards_the_longest_answer)
{
	static uint8_t data[4095] = {0x62};
	int node = active_tester(NODE), peer = active_tester(TESTER_1);
	app.response_to = TESTER_1;
	app.response_length = sizeof data;
	send_diagnostic(node, NODE, TESTER_1, data, sizeof data);
	expect_ack(node, 0x8002, 0x00);
	ck_assert_uint_eq(app.last_length, sizeof data);
	ck_assert_uint_eq(expect_message(peer, 0x8001).length, 4099);
}
END_TEST

START_TEST(the_tester_is_gone)
{
	int peer = active_tester(TESTER_1);
	app.respond = false;
	send_diagnostic(peer, TESTER_1, ENTITY, request, sizeof request);
	if (_i == 0)
		fake_peer_close(peer);
	else
		fake_peer_abort(peer);
	ck_assert_int_ne(doip_entity_send(ENTITY, TESTER_1, request, sizeof request), PORT_FULL);
	settle();
	ck_assert_int_eq(doip_entity_send(ENTITY, TESTER_1, request, sizeof request), PORT_ABSENT);
	app.respond = true;
	expect_alive_exchange(active_tester(TESTER_1), TESTER_1);
}
END_TEST

START_TEST(refuses_arguments)
{
	static uint8_t data[4096];
	active_tester(TESTER_1);
	ck_assert_int_eq(doip_entity_send(ENTITY, TESTER_1, data, 0), PORT_INVALID);
	ck_assert_int_eq(doip_entity_send(ENTITY, TESTER_1, data, 4096), PORT_INVALID);
	ck_assert_int_eq(doip_entity_send(ENTITY, TESTER_2, data, 1), PORT_ABSENT);
}
END_TEST

START_TEST(small_segments_both_ways)
{
	int peer = active_tester(TESTER_1);
	static uint8_t data[3000];
	fake_peer_segment(peer, 7);
	app.response_length = 4000;
	send_diagnostic(peer, TESTER_1, ENTITY, data, sizeof data);
	expect_ack(peer, 0x8002, 0x00);
	ck_assert_uint_eq(expect_message(peer, 0x8001).length, 4004);
}
END_TEST

START_TEST(a_slow_reader_gets_all_in_order)
{
	uint8_t bytes[4096], one;
	size_t length = 0;
	static uint8_t all[20 * (13 + 8 + 4 + 300)];
	size_t taken = 0;
	int peer = active_tester(TESTER_1);
	app.response_length = 300;
	fake_peer_window(peer, 100);
	for (uint8_t i = 0; i < 20; i++) {
		const uint8_t payload[6] = {0x0e, 0x80, 0x00, 0x91, 0x22, i};
		length += compose(bytes + length, 3, 0x8001, payload, sizeof payload);
	}
	send_raw(peer, bytes, length);
	while (fake_peer_take(peer, &one, 1) == 1) {
		ck_assert_uint_lt(taken, sizeof all);
		all[taken++] = one;
		settle();
	}
	ck_assert_uint_eq(taken, sizeof all);
	for (uint8_t i = 0; i < 20; i++) {
		const uint8_t *at = all + (size_t)i * 325;
		ck_assert_uint_eq(at[3], 0x02);
		ck_assert_uint_eq(at[13 + 3], 0x01);
		ck_assert_uint_eq(at[13 + 8 + 5], i);
	}
}
END_TEST

START_TEST(stopped_from_inside_the_handler)
{
	int peer = active_tester(TESTER_1);
	app.stop = true;
	send_diagnostic(peer, TESTER_1, ENTITY, request, sizeof request);
	ck_assert_uint_eq(fake_sockets_open(), 0);
	ck_assert_int_eq(fake_peer_state(peer), FAKE_PEER_FINISHED);
	expect_ack(peer, 0x8002, 0x00);
}
END_TEST

START_TEST(fault_ack_after_response)
{
	bench_prepare();
	fake_param_set("fault", "ack-after-response");
	bench_start();
	int peer = active_tester(TESTER_1);
	send_diagnostic(peer, TESTER_1, ENTITY, request, sizeof request);
	expect_message(peer, 0x8001);
	expect_ack(peer, 0x8002, 0x00);
	bench_end();
}
END_TEST

Suite *suite_diagnostic(void)
{
	Suite *suite = suite_create("diagnostic");
	TCase *tcase = tcase_create("started");
	tcase_add_checked_fixture(tcase, start, bench_end);
	tcase_add_test(tcase, acknowledges_before_the_response);
	tcase_add_test(tcase, passes_the_applications_refusal);
	tcase_add_loop_test(tcase, refuses_the_wrong_source, 0, 2);
	tcase_add_test(tcase, a_response_may_come_later);
	tcase_add_test(tcase, testers_never_get_each_others_answers);
	tcase_add_test(tcase, forwards_between_sockets);
	tcase_add_test(tcase, sends_over_a_nodes_socket);
	tcase_add_test(tcase, forwards_the_longest_answer);
	tcase_add_loop_test(tcase, the_tester_is_gone, 0, 2);
	tcase_add_test(tcase, refuses_arguments);
	tcase_add_test(tcase, small_segments_both_ways);
	tcase_add_test(tcase, a_slow_reader_gets_all_in_order);
	tcase_add_test(tcase, stopped_from_inside_the_handler);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("faults");
	tcase_add_test(tcase, fault_ack_after_response);
	suite_add_tcase(suite, tcase);
	return suite;
}
