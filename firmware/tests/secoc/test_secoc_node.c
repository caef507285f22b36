/* SPDX-License-Identifier: Apache-2.0 */
/* The end node's secured PDUs: what it sends, accepts, tells, and how it is coordinated. */
#include "../../app/can_bus.h"
#include "../../app/secoc_node.h"
#include "../../app/secoc_verdict.h"
#include "../../faults/fault.h"
#include "bench.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define DEMO_1    "000102030405060708090a0b0c010f8a"
#define DEMO_255  "000102030405060708090a0b0cff2398"
#define SET_FRESH "010101010203040506000000000144d6"
#define SET_ALL   "01aaaa00000000000000000000000000"
#define FLOOD     1000u

static uint64_t deadline_us;

static void start(const char *faults)
{
	fake_port_clear();
	fake_can_wire(0);
	fake_param_set("fault", faults);
	fault_load();
	ck_assert_int_eq(can_bus_start(secoc_node_frame), PORT_OK);
	ck_assert_int_eq(secoc_node_start(), PORT_OK);
}

static void take(uint32_t id, uint8_t flags, const char *hex)
{
	struct port_can_frame frame = {.id = id, .flags = flags};

	frame.length = (uint8_t)secoc_bench_bytes(hex, frame.data);
	secoc_node_frame(&frame);
}

/* The verdict frame as text, "" when there is none. */
static const char *verdict(void)
{
	struct port_can_frame frame;

	if (!fake_can_take(0, &frame, NULL))
		return "";
	ck_assert_uint_eq(frame.id, SECOC_VERDICT_ID);
	ck_assert_uint_eq(frame.flags, 0);
	return secoc_bench_hex(frame.data, frame.length);
}

START_TEST(accepts_and_tells)
{
	start(NULL);
	take(0x101, PORT_CAN_FD, DEMO_1);
	ck_assert_str_eq(verdict(), "0101000000000001");
	ck_assert_ptr_nonnull(strstr(fake_console(), "secoc: id=0x101 result=0 fv=1 t_us="));
	take(0x101, PORT_CAN_FD, DEMO_1);
	ck_assert_str_eq(verdict(), "0101010000000001");
	take(0x101, PORT_CAN_FD | PORT_CAN_EXTENDED, DEMO_255);
	take(0x101, PORT_CAN_REMOTE, "");
	take(0x101, 0, "0001020304050607");
	take(0x102, PORT_CAN_FD, DEMO_255);
	ck_assert_str_eq(verdict(), "");
	take(0x110, 0, "1122334401bc02b5");
	ck_assert_str_eq(verdict(), "0110000000000001");
	take(0x111, 0, "1122334455ea8182");
	ck_assert_str_eq(verdict(), "0111000000000001");
	take(0x112, 0, "112233445cdeb665");
	ck_assert_str_eq(verdict(), "0112020000000000");
	take(0x0FF, 0, "0000010001474c3a");
	ck_assert_str_eq(verdict(), "00ff000000010001");
	take(0x112, 0, "112233445cdeb665");
	ck_assert_str_eq(verdict(), "0112000001000005");
	take(0x101, PORT_CAN_FD, DEMO_255);
	ck_assert_str_eq(verdict(), "01010000000000ff");
}
END_TEST

START_TEST(coordination)
{
	start(NULL);
	take(0x101, PORT_CAN_FD, DEMO_1);
	(void)verdict();
	take(0x100, PORT_CAN_FD, SET_ALL); /* without a MAC */
	ck_assert_str_eq(verdict(), "0100010000000000");
	take(0x100, PORT_CAN_FD, SET_FRESH);
	ck_assert_str_eq(verdict(), "0100000000000001");
	take(0x101, PORT_CAN_FD, DEMO_255);
	ck_assert_str_eq(verdict(), "0101010203040506"); /* refused: the freshness was set to 010203040506 */
	take(0x100, PORT_CAN_FD, SET_FRESH);
	ck_assert_str_eq(verdict(), "0100010000000001");
}
END_TEST

START_TEST(fault_unauthenticated_coordination)
{
	start("secoc-unauthenticated-coordination");
	take(0x101, PORT_CAN_FD, DEMO_1);
	(void)verdict();
	take(0x100, PORT_CAN_FD, SET_ALL);
	ck_assert_str_eq(verdict(), "0100000000000000");
	take(0x101, PORT_CAN_FD, DEMO_1);
	ck_assert_str_eq(verdict(), "0101000000000001");
}
END_TEST

START_TEST(sends_and_refuses_its_own)
{
	struct port_can_frame frame;
	uint8_t records[SECOC_NODE_RECORDS_LENGTH];

	start(NULL);
	secoc_node_poll(999999, &deadline_us);
	ck_assert_uint_eq(deadline_us, 1000000);
	ck_assert(!fake_can_take(0, &frame, NULL));
	secoc_node_poll(1000000, &deadline_us);
	ck_assert_uint_eq(deadline_us, 2000000);
	ck_assert(fake_can_take(0, &frame, NULL));
	ck_assert_uint_eq(frame.id, 0x101);
	ck_assert_uint_eq(frame.length, 16);
	ck_assert_uint_eq(frame.data[13], 1);
	secoc_node_frame(&frame);
	ck_assert_str_eq(verdict(), "0101020000000000");
	secoc_node_poll(5500000, &deadline_us);
	ck_assert_uint_eq(deadline_us, 6000000);
	ck_assert(fake_can_take(0, &frame, NULL));
	ck_assert(!fake_can_take(0, &frame, NULL));
	ck_assert_uint_eq(secoc_node_records_read(NULL, records, sizeof(records)), sizeof(records));
	ck_assert_str_eq(secoc_bench_hex(records, 15), "010102000000000000000100000000");
	ck_assert_str_eq(secoc_bench_hex(records + 5 * SECOC_NODE_RECORD_LENGTH, 7), "81010000000002");
	fake_param_set("secoc.send_ms", "0");
	ck_assert_int_eq(secoc_node_start(), PORT_OK);
	secoc_node_poll(9000000, &deadline_us);
	ck_assert_uint_eq(deadline_us, UINT64_MAX);
}
END_TEST

START_TEST(override_by_diagnostics)
{
	start(NULL);
	ck_assert_uint_eq(secoc_node_override_write(NULL, (const uint8_t *)"\x00\x00\x00\x00", 4), 0);
	take(0x101, PORT_CAN_FD, DEMO_1);
	ck_assert_str_eq(verdict(), "0101040000000000");
	ck_assert_uint_eq(secoc_node_override_write(NULL, (const uint8_t *)"\x00\x02\x00\x00", 4), 0);
	take(0x101, PORT_CAN_FD, DEMO_1);
	ck_assert_str_eq(verdict(), "0101000000000001");
	ck_assert_uint_eq(secoc_node_override_write(NULL, (const uint8_t *)"\x05\x00\x00\x00", 4), 0x31);
	ck_assert_uint_eq(secoc_node_override_write(NULL, (const uint8_t *)"\x00\x41\x00\x00", 4), 0x31);
}
END_TEST

START_TEST(parameters)
{
	start(NULL);
	fake_param_set("secoc.key", "2b7e");
	ck_assert_int_eq(secoc_node_start(), PORT_INVALID);
	fake_param_set("secoc.key", "00000000000000000000000000000000");
	ck_assert_int_eq(secoc_node_start(), PORT_OK);
	take(0x101, PORT_CAN_FD, DEMO_1);
	ck_assert_str_eq(verdict(), "0101010000000000");
	fake_param_set("secoc.verdict_frames", "0");
	ck_assert_int_eq(secoc_node_start(), PORT_OK);
	take(0x101, PORT_CAN_FD, DEMO_1);
	ck_assert_str_eq(verdict(), "");
}
END_TEST

/* A flood neither blocks the console nor loses verdicts in silence. */
START_TEST(flood)
{
	struct port_can_frame frame;

	start(NULL);
	fake_can_automatic(0, false);
	for (unsigned i = 0; i < FLOOD; i++)
		take(0x101, PORT_CAN_FD, DEMO_255 "00");
	fake_can_automatic(0, true);
	for (unsigned i = 0; i < 16; i++) {
		uint32_t ticket;

		ck_assert(fake_can_take(0, &frame, &ticket));
		fake_can_confirm(0, ticket, true);
	}
	fake_time_set(1000000);
	secoc_node_poll(1000000, &deadline_us);
	ck_assert_ptr_nonnull(strstr(fake_console(), "verdicts not written, there were too many: 800"));
	ck_assert_ptr_nonnull(strstr(fake_console(), "verdict frames lost, the bus is full: 920"));
	while (fake_can_take(0, &frame, NULL))
		;
	take(0x101, PORT_CAN_FD, DEMO_1);
	ck_assert_str_eq(verdict(), "0101000000000001");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	        accepts_and_tells, coordination, fault_unauthenticated_coordination, sends_and_refuses_its_own, override_by_diagnostics,
	        parameters,        flood};
	Suite *suite = suite_create("secoc node");
	TCase *tc = tcase_create("node");
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
