/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway on CAN: whose answer it is, and what is busy. T027 of the conformance list. */
#include "../../app/zgw_can.h"
#include "bench.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define A 0x0E80u
#define B 0x0E81u
#define N 0x0011u

static char answers[256]; /* "tester hex", one after the other */

uint8_t diag_router_answer_from_can(uint16_t node, uint16_t tester, const uint8_t *data, size_t length)
{
	size_t at = strlen(answers);

	ck_assert_uint_eq(node, N);
	at += (size_t)snprintf(answers + at, sizeof(answers) - at, "%s%04X ", at > 0 ? " | " : "", tester);
	for (size_t i = 0; i < length && i < 4; i++)
		at += (size_t)snprintf(answers + at, sizeof(answers) - at, "%02X", data[i]);
	return 0;
}

static void run(uint64_t us)
{
	uint64_t end_us = port_time_us() + us, deadline_us, last_us;

	for (;;) {
		zgw_can.poll(port_time_us(), &deadline_us);
		do {
			last_us = deadline_us;
			zgw_can.poll(port_time_us(), &deadline_us);
		} while (last_us != deadline_us);
		if (deadline_us > end_us)
			break;
		if (deadline_us > port_time_us())
			fake_time_set(deadline_us);
	}
	fake_time_set(end_us);
	zgw_can.poll(end_us, &deadline_us);
}

static void start(const char *route)
{
	fake_port_clear();
	fake_can_wire(0);
	fake_param_set("route.isotp", route);
	fake_param_set("isotp.fd", "0");
	answers[0] = '\0';
	ck_assert_int_eq(zgw_can.start(0x0091), PORT_OK);
}

static void setup(void)
{
	start(NULL);
}

static enum port_status ask(uint16_t tester, uint16_t via, const char *bytes, size_t length)
{
	return zgw_can.link->send(via, tester, via, (const uint8_t *)bytes, length);
}

static void answer(const char *bytes, uint8_t length)
{
	struct port_can_frame frame = {.id = 0x7E8, .length = length};

	memcpy(frame.data, bytes, length);
	ck_assert(fake_can_inject(0, &frame));
	run(0);
}

static void expect_frame(uint32_t id, uint8_t first)
{
	struct port_can_frame frame;

	ck_assert(fake_can_take(0, &frame, NULL));
	ck_assert_uint_eq(frame.id, id);
	ck_assert_uint_eq(frame.data[0], first);
}

START_TEST(one_tester_at_a_time)
{
	ck_assert_int_eq(ask(A, N, "\x22\xF1\x90", 3), PORT_OK);
	expect_frame(0x7E0, 3);
	ck_assert_int_eq(ask(B, N, "\x22\xF1\x90", 3), PORT_FULL);
	run(100 * MS);
	ck_assert_int_eq(ask(B, DIAG_FUNCTIONAL, "\x3E\x80", 2), PORT_OK); /* asks for no answer */
	expect_frame(0x7DF, 2);
	answer("\x03\x7F\x22\x78", 4);
	ck_assert_int_eq(ask(B, N, "\x3E\x00", 2), PORT_FULL);
	run(5000 * MS);
	ck_assert_int_eq(ask(B, N, "\x3E\x00", 2), PORT_FULL);
	answer("\x03\x62\xF1\x90", 4);
	ck_assert_int_eq(ask(B, N, "\x3E\x00", 2), PORT_OK);
	answer("\x02\x7E\x00", 3);
	ck_assert_str_eq(answers, "0E80 7F2278 | 0E80 62F190 | 0E81 7E00");
	answer("\x02\x7E\x00", 3);
	ck_assert_ptr_nonnull(strstr(fake_console(), "nobody waits for"));
}
END_TEST

START_TEST(no_answer)
{
	ck_assert_int_eq(ask(A, DIAG_FUNCTIONAL, "\x10\x7F", 2), PORT_OK);
	expect_frame(0x7DF, 2);
	run(999 * MS);
	ck_assert_int_eq(ask(B, N, "\x3E\x00", 2), PORT_FULL);
	run(2 * MS);
	ck_assert_int_eq(ask(B, N, "\x3E\x00", 2), PORT_OK);
}
END_TEST

/* A long answer keeps the channel, however slowly it comes. */
START_TEST(long_answer)
{
	ck_assert_int_eq(ask(A, N, "\x22\xF1\x90", 3), PORT_OK);
	run(900 * MS);
	answer("\x10\x14\x62\xF1\x90\x01\x02\x03", 8);
	run(900 * MS);
	answer("\x21\x04\x05\x06\x07\x08\x09\x0A", 8);
	run(900 * MS);
	ck_assert_int_eq(ask(B, N, "\x3E\x00", 2), PORT_FULL);
	answer("\x22\x0B\x0C\x0D\x0E\x0F\x10\x11", 8);
	ck_assert_str_eq(answers, "0E80 62F19001");
	ck_assert_int_eq(ask(A, N, "\x22\xF1\x90", 3), PORT_OK);
	answer("\x10\x14\x62\xF1\x90\x01\x02\x03", 8);
	run(1100 * MS);
	ck_assert_ptr_nonnull(strstr(fake_console(), "broke off, N_Result 3"));
}
END_TEST

START_TEST(not_delivered)
{
	static const char request[20] = {0x2E};

	ck_assert_int_eq(ask(A, N, request, sizeof(request)), PORT_OK);
	ck_assert_int_eq(ask(A, N, "\x3E\x00", 2), PORT_FULL);
	run(1001 * MS);
	ck_assert_ptr_nonnull(strstr(fake_console(), "did not reach the node over ISO-TP, N_Result 2"));
	ck_assert_int_eq(ask(B, N, "\x3E\x00", 2), PORT_OK);
	fake_can_state_set(0, PORT_CAN_BUS_OFF, 255, 0);
	run(0);
	ck_assert_ptr_nonnull(strstr(fake_console(), "can: bus-off"));
	ck_assert_int_eq(ask(B, N, "\x3E\x00", 2), PORT_ABSENT);
	run(350 * MS);
	ck_assert_uint_eq(fake_can_recoveries(0), 3);
	fake_can_state_set(0, PORT_CAN_ACTIVE, 0, 0);
	run(0);
	ck_assert_ptr_nonnull(strstr(fake_console(), "can: on the bus again"));
	ck_assert_int_eq(ask(B, DIAG_FUNCTIONAL, request, sizeof(request)), PORT_INVALID);
}
END_TEST

START_TEST(which_node)
{
	uint16_t addresses[4];

	ck_assert_uint_eq(zgw_can.link->nodes(addresses, 4), 1);
	ck_assert_uint_eq(addresses[0], N);
	start("0x0044");
	ck_assert_uint_eq(zgw_can.link->nodes(addresses, 4), 1);
	ck_assert_uint_eq(addresses[0], 0x44);
	start("0");
	ck_assert_uint_eq(zgw_can.link->nodes(addresses, 4), 0);
	start("0x0011,0x0012");
	ck_assert_ptr_nonnull(strstr(fake_console(), "! route.isotp"));
	fake_port_clear();
	ck_assert_int_eq(zgw_can.start(0x0091), PORT_ABSENT);
	ck_assert_uint_eq(zgw_can.link->nodes(addresses, 4), 0);
	ck_assert_int_eq(ask(A, N, "\x3E\x00", 2), PORT_ABSENT);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {one_tester_at_a_time, no_answer, long_answer, not_delivered, which_node};
	Suite *suite = suite_create("zgw can");
	TCase *tc = tcase_create("gateway");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
