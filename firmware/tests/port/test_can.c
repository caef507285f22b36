/* SPDX-License-Identifier: Apache-2.0 */
/* The posix port's CAN controllers; the test plays the bus at the other end of the socket. */
#include "../../port.h"
#include "../../port/posix/port_posix.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int bus;

static void setup(void)
{
	int pair[2], quiet[2];
	char number[12];
	uint8_t message[128];
	ck_assert_int_eq(pipe(quiet), 0);
	dup2(quiet[0], STDIN_FILENO);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	bus = pair[0];
	snprintf(number, sizeof number, "%d", pair[1]);
	port_posix_clock_start(port_posix_now_ns());
	port_posix_parameter_set("can.0.fd", number);
	port_posix_parameter_set("board.name", "ecu");
	ck_assert_int_eq(port_can_open(0), PORT_OK);
	ck_assert_int_eq(recv(bus, message, sizeof message, 0), 5);
	ck_assert_int_eq(memcmp(message, "A\0ecu", 5), 0);
}

static void put(uint8_t *bytes, uint64_t value, int count)
{
	for (; count-- > 0; value >>= 8)
		*bytes++ = (uint8_t)value;
}

static void say_frame(uint32_t id, uint64_t end_ns)
{
	uint8_t message[128] = {'R'};
	put(message + 9, end_ns, 8);
	put(message + 19, id, 4);
	message[23] = PORT_CAN_FD;
	message[24] = 12;
	memset(message + 25, 0xA5, 12);
	ck_assert_int_eq(send(bus, message, 37, 0), 37);
}

static void say_state(uint8_t state, uint16_t tec, uint16_t rec)
{
	uint8_t message[16] = {'S'};
	message[11] = state;
	put(message + 12, tec, 2);
	put(message + 14, rec, 2);
	ck_assert_int_eq(send(bus, message, sizeof message, 0), 16);
}

static uint32_t sent_ticket(void)
{
	uint8_t message[128];
	ck_assert_int_gt(recv(bus, message, sizeof message, 0), 10);
	ck_assert_int_eq(message[0], 'T');
	return (uint32_t)(message[1] | message[2] << 8 | message[3] << 16);
}

START_TEST(absent_and_idempotent)
{
	struct port_can_frame frame = {0};
	ck_assert_int_eq(port_can_open(0), PORT_OK);
	ck_assert_int_eq(recv(bus, &frame, 1, MSG_DONTWAIT), -1); /* attached once */
	ck_assert_int_eq(port_can_open(1), PORT_ABSENT);
	ck_assert_int_eq(port_can_open(7), PORT_ABSENT);
	ck_assert_int_eq(port_can_send(1, &frame, NULL), PORT_ABSENT);
	ck_assert_int_eq(port_can_receive(1, &frame), PORT_ABSENT);
	ck_assert_int_eq(port_can_state(1, NULL, NULL), PORT_CAN_BUS_OFF);
}
END_TEST

START_TEST(receives_with_the_board_s_time)
{
	struct port_can_frame frame;
	ck_assert_int_eq(port_can_receive(0, &frame), PORT_WOULD_BLOCK);
	const uint64_t now_us = port_time_us(), now_ns = port_posix_now_ns();
	say_frame(0x101, now_ns);
	port_wait(UINT64_MAX); /* a frame ends the sleep */
	ck_assert_int_eq(port_can_receive(0, &frame), PORT_OK);
	ck_assert_uint_eq(frame.id, 0x101);
	ck_assert_uint_eq(frame.length, 12);
	ck_assert_uint_eq(frame.data[11], 0xA5);
	ck_assert_uint_eq(frame.data[12], 0);
	ck_assert_uint_ge(frame.time_us, now_us);
	ck_assert_uint_le(frame.time_us, port_time_us());
	say_frame(1, 5); /* before this board's reset */
	ck_assert_int_eq(port_can_receive(0, &frame), PORT_OK);
	ck_assert_uint_eq(frame.time_us, 0);
	/* One that was read along with something else wakes too, once. */
	say_frame(2, now_ns);
	port_can_state(0, NULL, NULL);
	port_wait(UINT64_MAX);
	const uint64_t from_us = port_time_us();
	port_wait(from_us + 5000);
	ck_assert_uint_ge(port_time_us(), from_us + 5000);
	ck_assert_int_eq(port_can_receive(0, &frame), PORT_OK);
}
END_TEST

START_TEST(tickets)
{
	struct port_can_frame frame = {.id = 0x7FF, .length = 8};
	uint32_t ticket[17];
	uint8_t confirmed[13] = {'C'}, refused[6] = {'N'};
	for (int i = 0; i < 16; i++) {
		ck_assert_int_eq(port_can_send(0, &frame, &ticket[i]), PORT_OK);
		ck_assert_uint_eq(sent_ticket(), ticket[i]);
	}
	ck_assert_int_eq(port_can_send(0, &frame, &ticket[16]), PORT_WOULD_BLOCK);
	ck_assert_int_eq(port_can_sent(0, ticket[0]), PORT_WOULD_BLOCK);
	put(confirmed + 1, ticket[0], 4);
	put(refused + 1, ticket[1], 4);
	send(bus, confirmed, sizeof confirmed, 0);
	send(bus, confirmed, sizeof confirmed, 0); /* twice does no harm */
	send(bus, refused, sizeof refused, 0);
	ck_assert_int_eq(port_can_sent(0, ticket[0]), PORT_OK);
	ck_assert_int_eq(port_can_sent(0, ticket[1]), PORT_FAILED);
	ck_assert_int_eq(port_can_sent(0, 4711), PORT_FAILED);
	ck_assert_int_eq(port_can_send(0, &frame, NULL), PORT_OK);
	ck_assert_int_eq(port_can_send(0, &frame, NULL), PORT_OK);
	ck_assert_int_eq(port_can_send(0, &frame, NULL), PORT_WOULD_BLOCK);
	frame.length = 9;
	ck_assert_int_eq(port_can_send(0, &frame, NULL), PORT_INVALID);
	frame = (struct port_can_frame){.id = 0x800};
	ck_assert_int_eq(port_can_send(0, &frame, NULL), PORT_INVALID);
	frame = (struct port_can_frame){.flags = PORT_CAN_FD, .length = 28};
	ck_assert_int_eq(port_can_send(0, &frame, NULL), PORT_INVALID);
}
END_TEST

/* Whoever looks at the state reads the confirmation that a transmission waits for: nobody sleeps over it. */
START_TEST(outcome_read_by_another_wakes)
{
	struct port_can_frame frame = {.id = 0x7FF, .length = 8};
	uint8_t confirmed[13] = {'C'};
	uint32_t ticket;
	ck_assert_int_eq(port_can_send(0, &frame, &ticket), PORT_OK);
	ck_assert_int_eq(port_can_sent(0, ticket), PORT_WOULD_BLOCK);
	put(confirmed + 1, ticket, 4);
	ck_assert_int_eq(send(bus, confirmed, sizeof confirmed, 0), (int)sizeof confirmed);
	port_can_state(0, NULL, NULL);
	const uint64_t from_us = port_time_us();
	port_wait(from_us + 2000000);
	ck_assert_uint_lt(port_time_us(), from_us + 1000000);
	ck_assert_int_eq(port_can_sent(0, ticket), PORT_OK);
	const uint64_t again_us = port_time_us(); /* once */
	port_wait(again_us + 5000);
	ck_assert_uint_ge(port_time_us(), again_us + 5000);
}
END_TEST

START_TEST(cancels_one_frame)
{
	struct port_can_frame frame = {.id = 0x7E8, .length = 8};
	uint32_t first, second;
	uint8_t message[128], cancelled[6] = {'N'};
	ck_assert_int_eq(port_can_send(0, &frame, &first), PORT_OK);
	ck_assert_int_eq(port_can_send(0, &frame, &second), PORT_OK);
	ck_assert_uint_eq(sent_ticket(), first);
	ck_assert_uint_eq(sent_ticket(), second);
	ck_assert_int_eq(port_can_cancel(0, second), PORT_OK);
	ck_assert_int_eq(recv(bus, message, sizeof message, 0), 5);
	ck_assert_int_eq(message[0], 'X');
	ck_assert_uint_eq(message[1], second);
	ck_assert_int_eq(port_can_sent(0, second), PORT_WOULD_BLOCK); /* the bus decides: it may be on it just now */
	put(cancelled + 1, second, 4);
	cancelled[5] = 3;
	send(bus, cancelled, sizeof cancelled, 0);
	ck_assert_int_eq(port_can_sent(0, second), PORT_FAILED);
	ck_assert_int_eq(port_can_cancel(0, second), PORT_FAILED);
	ck_assert_int_eq(port_can_sent(0, first), PORT_WOULD_BLOCK);
	ck_assert_int_eq(port_can_cancel(0, 4711), PORT_FAILED);
	ck_assert_int_eq(port_can_cancel(1, 1), PORT_ABSENT);
}
END_TEST

START_TEST(state_and_bus_off)
{
	const struct port_can_frame frame = {.id = 1};
	uint8_t tec, rec, message[8];
	say_state(PORT_CAN_PASSIVE, 130, 7);
	ck_assert_int_eq(port_can_state(0, &tec, &rec), PORT_CAN_PASSIVE);
	ck_assert_uint_eq(tec, 130);
	ck_assert_uint_eq(rec, 7);
	say_state(PORT_CAN_BUS_OFF, 256, 0);
	ck_assert_int_eq(port_can_send(0, &frame, NULL), PORT_FAILED);
	port_can_state(0, &tec, NULL);
	ck_assert_uint_eq(tec, 255);
	ck_assert_int_eq(port_can_recover(0), PORT_OK);
	ck_assert_int_eq(recv(bus, message, sizeof message, 0), 1);
	ck_assert_int_eq(message[0], 'B');
	say_state(PORT_CAN_ACTIVE, 0, 0);
	ck_assert_int_eq(port_can_send(0, &frame, NULL), PORT_OK);
}
END_TEST

START_TEST(lost_frames_are_counted)
{
	struct port_can_frame frame;
	for (uint32_t i = 0; i < 70; i++)
		say_frame(i, 1);
	send(bus, "O\5\0\0\0", 5, 0);
	port_can_state(0, NULL, NULL); /* what nobody takes overruns the FIFO of 64 */
	ck_assert_uint_eq(port_can_lost(0), 6 + 5);
	for (uint32_t i = 0; i < 64; i++) {
		ck_assert_int_eq(port_can_receive(0, &frame), PORT_OK);
		ck_assert_uint_eq(frame.id, i);
	}
	ck_assert_int_eq(port_can_receive(0, &frame), PORT_WOULD_BLOCK);
}
END_TEST

START_TEST(bus_goes_away)
{
	const struct port_can_frame frame = {.id = 1};
	uint32_t ticket;
	ck_assert_int_eq(port_can_send(0, &frame, &ticket), PORT_OK);
	close(bus);
	port_wait(UINT64_MAX);
	ck_assert_int_eq(port_can_sent(0, ticket), PORT_FAILED);
	ck_assert_int_eq(port_can_state(0, NULL, NULL), PORT_CAN_BUS_OFF);
	ck_assert_int_eq(port_can_send(0, &frame, NULL), PORT_FAILED);
	const uint64_t from_us = port_time_us();
	port_wait(from_us + 5000); /* and it does not keep the program awake */
	ck_assert_uint_ge(port_time_us(), from_us + 5000);
}
END_TEST

START_TEST(garbage_is_passed_over)
{
	struct port_can_frame frame;
	send(bus, "R", 1, 0);
	send(bus, "R\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\377", 25, 0);
	send(bus, "C\1", 2, 0);
	send(bus, "S\0\0\0\0\0\0\0\0\0\0\11\0\0\0\0", 16, 0);
	send(bus, "?", 1, 0);
	say_frame(3, 1);
	ck_assert_int_eq(port_can_receive(0, &frame), PORT_OK);
	ck_assert_uint_eq(frame.id, 3);
	ck_assert_int_eq(port_can_state(0, NULL, NULL), PORT_CAN_ACTIVE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("port-can");
	TCase *tests = tcase_create("can");
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, absent_and_idempotent);
	tcase_add_test(tests, receives_with_the_board_s_time);
	tcase_add_test(tests, tickets);
	tcase_add_test(tests, outcome_read_by_another_wakes);
	tcase_add_test(tests, cancels_one_frame);
	tcase_add_test(tests, state_and_bus_off);
	tcase_add_test(tests, lost_frames_are_counted);
	tcase_add_test(tests, bus_goes_away);
	tcase_add_test(tests, garbage_is_passed_over);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
