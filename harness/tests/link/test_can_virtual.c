/* SPDX-License-Identifier: Apache-2.0 */
/* The virtual back end against a scripted bus: the messages of docs/reference/virtual-bus.md, byte by byte. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "can_test.h"

static char folder[64], path[96];
static int listener, bus;
static struct seen seen;

static void setup(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	can_setup();
	seen = (struct seen){0};
	(void)snprintf(folder, sizeof(folder), "/tmp/hilbench-can-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/bus.sock", folder);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listener, 4), 0);
	bus = -1;
}

static void teardown(void)
{
	can_close(seen.can);
	if (bus >= 0)
		(void)close(bus);
	(void)close(listener);
	(void)unlink(path);
	(void)rmdir(folder);
	can_teardown();
}

/* Opens the channel and takes its first message. */
static void attach(void)
{
	uint8_t message[64];
	open_can(&seen, "virtual", path);
	bus = accept(listener, NULL, NULL);
	ck_assert_int_ge(bus, 0);
	ck_assert_int_eq(recv(bus, message, sizeof(message), 0), 6);
	ck_assert_mem_eq(message, "A\x04test", 6); /* an observer */
}

static void say(const void *data, size_t length)
{
	ck_assert_int_eq(send(bus, data, length, 0), (ssize_t)length);
}
#define SAY(text) say(text, sizeof(text) - 1)

static void put_le(uint8_t *p, uint64_t value, unsigned width)
{
	for (unsigned i = 0; i < width; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

static void say_confirmed(uint32_t ticket, int64_t end_ns)
{
	uint8_t message[13] = {'C'};
	put_le(message + 1, ticket, 4);
	put_le(message + 5, (uint64_t)end_ns, 8);
	say(message, sizeof(message));
}

static void say_state(uint16_t node, uint8_t state, uint16_t tec, uint16_t rec)
{
	uint8_t message[16] = {'S'};
	put_le(message + 1, (uint64_t)loop_now_ns(), 8);
	put_le(message + 9, node, 2);
	message[11] = state;
	put_le(message + 12, tec, 2);
	put_le(message + 14, rec, 2);
	say(message, sizeof(message));
}

START_TEST(sends)
{
	struct can_message message = fd_frame(0x18DA00F1, 12);
	uint8_t bytes[128];
	uint64_t ticket;
	attach();
	message.flags |= CAN_MESSAGE_EXTENDED;
	ck_assert_int_eq(can_send(seen.can, &message, &ticket, NULL), 0);
	ck_assert_uint_eq(ticket, 1);
	ck_assert_int_eq(recv(bus, bytes, sizeof(bytes), 0), 1 + 4 + 6 + 12);
	ck_assert_mem_eq(bytes, "T\x01\0\0\0\xf1\0\xda\x18\x0d\x0c\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b", 23);
	pump_ms(5);
	ck_assert_uint_eq(seen.sent, 0); /* not before the bus says so */
	int64_t end_ns = loop_now_ns();
	say_confirmed(1, end_ns);
	wait_count(&seen.sent, 1);
	ck_assert_uint_eq(seen.sent_last.ticket, 1);
	ck_assert_int_eq(seen.sent_last.at.ns, end_ns);
	struct can_message remote = {.id = 5, .flags = CAN_MESSAGE_REMOTE, .length = 8};
	send_can(&seen, &remote);
	ck_assert_int_eq(recv(bus, bytes, sizeof(bytes), 0), 11);
	SAY("N\x02\0\0\0\x01");
	wait_count(&seen.not_sent, 1);
	ck_assert_str_eq(seen.reason, "bus-off");
}
END_TEST

START_TEST(receives)
{
	uint8_t message[64] = {'R'};
	attach();
	int64_t end_ns = loop_now_ns();
	put_le(message + 1, (uint64_t)end_ns - 120000, 8);
	put_le(message + 9, (uint64_t)end_ns, 8);
	put_le(message + 17, 3, 2);
	memcpy(message + 19,
	       "\x01\x01\0\0\x0c\x08"
	       "abcdefgh",
	       14);
	say(message, 33);
	wait_count(&seen.received, 1);
	ck_assert_uint_eq(seen.last.id, 0x101);
	ck_assert_uint_eq(seen.last.flags, CAN_MESSAGE_FD | CAN_MESSAGE_BRS);
	ck_assert_mem_eq(seen.last.data, "abcdefgh", 8);
	ck_assert_int_eq(seen.last.begin_ns, end_ns - 120000);
	ck_assert_int_eq(seen.last.at.ns, end_ns);
	put_le(message + 9, (uint64_t)end_ns + 3600000000000, 8); /* an hour ahead: no stamp */
	say(message, 33);
	wait_count(&seen.received, 2);
	ck_assert_int_le(seen.last.at.ns, loop_now_ns());
}
END_TEST

START_TEST(tells_errors_and_states)
{
	struct can_counters counters;
	attach();
	say_state(2, 0, 0, 0); /* the first is one's own */
	SAY("E\0\0\0\0\0\0\0\0\x01\0\x04\x01\x01\0\0\0");
	wait_count(&seen.errors, 1);
	ck_assert_int_eq(seen.error, CAN_ERROR_ACK);
	say_state(5, 2, 128, 0);
	wait_count(&seen.nodes, 1);
	ck_assert_uint_eq(seen.node, 5);
	ck_assert_int_eq(seen.node_state, CAN_BUS_PASSIVE);
	ck_assert_uint_eq(seen.states, 0);
	say_state(2, 1, 96, 3);
	wait_count(&seen.states, 1);
	ck_assert_int_eq(seen.state, CAN_BUS_WARNING);
	say_state(2, 3, 256, 0);
	wait_count(&seen.states, 2);
	struct can_message message = classic(1, 1);
	ck_assert_int_eq(can_send(seen.can, &message, NULL, NULL), -ENETDOWN);
	SAY("L\0\0\0\0\0\0\0\0\x1e\x01\x09\0\0\0\x01\0\0\0");
	SAY("O\x07\0\0\0");
	wait_count(&seen.lost, 1);
	ck_assert_uint_eq(seen.lost_count, 7);
	can_counters_read(seen.can, &counters);
	ck_assert_uint_eq(counters.load_per_mille, 0x11e);
	ck_assert_uint_eq(counters.lost, 7);
	ck_assert_uint_eq(counters.tec, 256);
	ck_assert_int_eq(counters.state, CAN_BUS_OFF);
	ck_assert_uint_eq(counters.nominal_bit_rate, 500000);
	uint8_t bytes[8];
	ck_assert_int_eq(can_recover(seen.can, NULL), 0);
	ck_assert_int_eq(recv(bus, bytes, sizeof(bytes), 0), 1);
	ck_assert_uint_eq(bytes[0], 'B');
	say_state(2, 0, 0, 0);
	wait_count(&seen.states, 3);
	send_can(&seen, &message);
}
END_TEST

START_TEST(survives_rubbish)
{
	struct can_counters counters;
	uint8_t message[64] = {'R'};
	attach();
	SAY("");
	(void)close(bus); /* an empty message is the end of the connection for the reader */
	wait_count(&seen.closed, 1);
	bus = -1;
	can_close(seen.can);
	seen = (struct seen){0};
	attach();
	SAY("Z");
	SAY("C\x01");
	SAY("R");
	memcpy(message + 19,
	       "\x01\x01\0\0\x04\x09"
	       "abcdefghi",
	       15); /* nine bytes */
	say(message, 34);
	SAY("N\x09\0\0\0\x01"); /* no such ticket */
	uint8_t huge[1000] = {'R'};
	say(huge, sizeof(huge));
	memcpy(message + 19,
	       "\x01\x01\0\0\x04\x08"
	       "abcdefgh",
	       14);
	say(message, 33);
	wait_count(&seen.received, 1);
	can_counters_read(seen.can, &counters);
	ck_assert_uint_eq(counters.errors, 6);
	ck_assert_uint_eq(notes(), 1); /* said once, counted always */
}
END_TEST

/* More than the bus takes waits here, and what is beyond that is refused: no frame is lost in silence. */
START_TEST(queue_is_bounded)
{
	struct can_message message = classic(0x100, 8);
	uint8_t bytes[64];
	struct error err = {0};
	unsigned queued = 0, confirmed = 0;
	attach();
	while (can_send(seen.can, &message, NULL, &err) == 0)
		queued++;
	ck_assert_uint_eq(queued, 1024);
	ck_assert_ptr_nonnull(strstr(err.message, "wait to be sent"));
	while (confirmed < queued) {
		ssize_t n = recv(bus, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n > 0)
			say_confirmed((uint32_t)(bytes[1] | bytes[2] << 8), loop_now_ns()), confirmed++;
		else
			wait_count(&seen.sent, confirmed);
	}
	wait_count(&seen.sent, queued);
	ck_assert_int_eq(can_send(seen.can, &message, NULL, &err), 0);
}
END_TEST

START_TEST(bus_dies)
{
	struct can_message message = classic(0x100, 8);
	struct can_counters counters;
	attach();
	send_can(&seen, &message);
	(void)close(bus);
	bus = -1;
	wait_count(&seen.closed, 1);
	ck_assert_uint_eq(seen.not_sent, 1);
	ck_assert_int_eq(can_send(seen.can, &message, NULL, NULL), -ENETDOWN);
	can_counters_read(seen.can, &counters);
	ck_assert_int_eq(counters.state, CAN_BUS_STOPPED);
	pump_ms(5);
	ck_assert_uint_eq(seen.closed, 1);
}
END_TEST

START_TEST(handlers_may_close_and_send)
{
	struct can_message message = classic(0x100, 8);
	uint8_t bytes[64] = {'R'};
	attach();
	seen.echo_when_sent = true;
	send_can(&seen, &message);
	for (uint32_t i = 1; i <= 5; i++) {
		say_confirmed(i, 0);
		wait_count(&seen.sent, i);
	}
	seen.close_when_received = true;
	memcpy(bytes + 19,
	       "\x01\x01\0\0\x04\x08"
	       "abcdefgh",
	       14);
	say(bytes, 33);
	say(bytes, 33);
	wait_count(&seen.received, 1);
	pump_ms(5);
	ck_assert_uint_eq(seen.received, 1);
	ck_assert_uint_eq(seen.closed, 0);
}
END_TEST

START_TEST(refusals)
{
	struct error err = {0};
	struct can *can = NULL;
	struct seen none = {0};
	const struct can_handlers handlers = seen_handlers(&none);
	struct can_options options = {.driver = "virtual", .address = "/nonexistent/bus", .name = "x"};
	ck_assert_int_eq(can_open(&can, loop, timeline, &options, &handlers, &err), -ENOENT);
	ck_assert_ptr_null(can);
	options.address = path;
	options.listen_only = true;
	ck_assert_int_eq(can_open(&can, loop, timeline, &options, &handlers, &err), 0);
	struct can_message message = classic(1, 1), fd = fd_frame(1, 8);
	ck_assert_int_eq(can_send(can, &message, NULL, &err), -EPERM);
	ck_assert_int_eq(can_send(can, &fd, NULL, &err), -EINVAL); /* opened without FD */
	can_close(can);
	can_close(NULL);
}
END_TEST

Suite *can_virtual_suite(void)
{
	Suite *suite = suite_create("can virtual");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 60);
	tcase_add_test(all, sends);
	tcase_add_test(all, receives);
	tcase_add_test(all, tells_errors_and_states);
	tcase_add_test(all, survives_rubbish);
	tcase_add_test(all, queue_is_bounded);
	tcase_add_test(all, bus_dies);
	tcase_add_test(all, handlers_may_close_and_send);
	tcase_add_test(all, refusals);
	suite_add_tcase(suite, all);
	return suite;
}
