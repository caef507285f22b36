/* SPDX-License-Identifier: Apache-2.0 */
/* The model of the bus: who wins, what errors do, how nodes leave the bus and come back. Virtual time. */
#include "bus_bench.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static void expect_counters(unsigned node, unsigned tec, unsigned rec)
{
	struct canbus_node_status s = bench_status(node);
	ck_assert_msg(s.tec == tec && s.rec == rec, "node %u has %u/%u instead of %u/%u", node, s.tec, s.rec, tec, rec);
}

static void corrupt(uint32_t id, uint32_t nth, uint32_t count, enum canbus_damage damage)
{
	const struct canbus_corruption what = {.id = id, .nth = nth, .count = count, .damage = damage};
	ck_assert(canbus_corrupt(bench.bus, bench.now_ns, &what));
}

/* Brings a node's transmit error counter to `tec` (a multiple of 8) by destroyed frames; others receive. */
static void worsen(unsigned node, unsigned tec)
{
	corrupt(0x7F0, 1, (tec - bench_status(node).tec) / 8, CANBUS_DAMAGE_BIT);
	bench_send(node, 0x7F0);
	while (bench_status(node).tec < tec) {
		bench.now_ns = canbus_next_ns(bench.bus);
		canbus_advance(bench.bus, bench.now_ns);
	}
	canbus_cancel(bench.bus, bench.now_ns, node);
	bench_settle();
	bench_clear();
}

/* ---- frames -------------------------------------------------------------------------------------------------- */

START_TEST(one_frame)
{
	const struct canbus_frame frame = {
	        .id = 0x101, .flags = CANBUS_FD | CANBUS_BRS, .length = 16, .data = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}};
	bench_open(3);
	bench_run(1234);
	const uint64_t begin_ns = bench.now_ns;
	bench_send_frame(1, &frame);
	bench_settle();
	ck_assert_int_eq(bench.count, 3);
	const struct logged *done = bench_find(CANBUS_CONFIRMED, 1, 0);
	ck_assert_ptr_nonnull(done);
	ck_assert_uint_eq(done->event.begin_ns, begin_ns);
	ck_assert_uint_eq(done->event.end_ns, begin_ns + canbus_frame_ns(bench.bus, &frame) - BITS(3));
	for (int node = 0; node < 3; node += 2) {
		const struct logged *got = bench_find(CANBUS_RECEIVED, node, 0);
		ck_assert_ptr_nonnull(got);
		ck_assert_uint_eq(got->event.sender, 1);
		ck_assert_uint_eq(got->event.end_ns, done->event.end_ns);
		ck_assert_int_eq(memcmp(&got->frame, &frame, sizeof frame), 0);
	}
	bench_close();
}
END_TEST

START_TEST(frames_follow_after_intermission)
{
	bench_open(2);
	bench_send(0, 0x10);
	bench_send(0, 0x10);
	bench_settle();
	const struct logged *first = bench_find(CANBUS_RECEIVED, 1, 0), *second = bench_find(CANBUS_RECEIVED, 1, 1);
	ck_assert_uint_eq(second->event.begin_ns, first->event.end_ns + BITS(3));
	bench_close();
}
END_TEST

static void queue_at_once(const struct canbus_frame *frames, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		canbus_transmit(bench.bus, bench.now_ns, i, &frames[i], i);
	bench_settle();
}

/* Dominant wins: lower base identifiers, data before remote, standard before extended with the same base. */
START_TEST(arbitration_order)
{
	static const struct canbus_frame frames[] = {{.id = 0x100u << 18, .flags = CANBUS_EXTENDED | CANBUS_REMOTE},
	                                             {.id = 0x101},
	                                             {.id = 0x100u << 18, .flags = CANBUS_EXTENDED},
	                                             {.id = 0x100, .flags = CANBUS_REMOTE},
	                                             {.id = 0x0FFu << 18 | 0x3FFFF, .flags = CANBUS_EXTENDED},
	                                             {.id = 0x100},
	                                             {.id = (0x100u << 18) + 1, .flags = CANBUS_EXTENDED | CANBUS_FD}};
	static const unsigned order[] = {4, 5, 3, 2, 0, 6, 1};
	bench_open(8);
	queue_at_once(frames, 7);
	for (int i = 0; i < 7; i++) {
		const struct logged *got = bench_find(CANBUS_RECEIVED, 7, i);
		ck_assert_ptr_nonnull(got);
		ck_assert_msg(got->event.sender == order[i], "place %d went to node %u", i, got->event.sender);
	}
	ck_assert_int_eq(bench_count(CANBUS_FAILED, -1), 0);
	bench_close();
}
END_TEST

/* 100 % load: every node always has a frame; the lowest identifier never waits, each wire-time is used, none is lost. */
START_TEST(full_load_keeps_order)
{
	enum { NODES = 20, EACH = 16 };
	bench_open(NODES + 1);
	for (unsigned n = 0; n < NODES; n++) {
		for (int i = 0; i < EACH; i++)
			bench_send(NODES - 1 - n, 0x200 + n); /* the highest node number has the lowest identifier */
	}
	bench_settle();
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, NODES), NODES * EACH);
	for (int i = 0; i < NODES * EACH; i++) {
		const struct logged *got = bench_find(CANBUS_RECEIVED, NODES, i);
		ck_assert_uint_eq(got->frame.id, 0x200u + (unsigned)i / EACH);
		if (i > 0)
			ck_assert_uint_eq(got->event.begin_ns, bench_find(CANBUS_RECEIVED, NODES, i - 1)->event.end_ns + BITS(3));
	}
	struct canbus_counts counts;
	canbus_counts(bench.bus, bench.now_ns, &counts);
	ck_assert_uint_eq(counts.frames, NODES * EACH);
	const uint64_t end_ns = bench_find(CANBUS_RECEIVED, NODES, NODES * EACH - 1)->event.end_ns + BITS(3);
	ck_assert_uint_eq(counts.busy_ns, end_ns - bench_find(CANBUS_RECEIVED, NODES, 0)->event.begin_ns);
	bench_close();
}
END_TEST

START_TEST(queue_is_bounded)
{
	bench_open(2);
	for (unsigned i = 0; i <= CANBUS_QUEUE; i++)
		bench_send(0, 0x300 + i);
	const struct logged *refused = bench_find(CANBUS_NOT_SENT, 0, 0);
	ck_assert_ptr_nonnull(refused);
	ck_assert_int_eq(refused->event.reason, CANBUS_REASON_QUEUE_FULL);
	ck_assert_uint_eq(refused->event.ticket, 0x300 + CANBUS_QUEUE);
	bench_run(1000); /* the first one is on the bus and stays */
	canbus_cancel(bench.bus, bench.now_ns, 0);
	bench_settle();
	ck_assert_int_eq(bench_count(CANBUS_NOT_SENT, 0), CANBUS_QUEUE);
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 1), 1);
	ck_assert_uint_eq(bench_find(CANBUS_NOT_SENT, 0, 1)->event.ticket, 0x301);
	ck_assert_int_eq(bench_find(CANBUS_NOT_SENT, 0, 1)->event.reason, CANBUS_REASON_CANCELLED);
	bench_close();
}
END_TEST

START_TEST(one_frame_is_cancelled)
{
	bench_open(2);
	for (unsigned i = 0; i < 4; i++)
		bench_send(0, 0x300 + i);
	canbus_cancel_one(bench.bus, bench.now_ns, 0, 0x302);
	canbus_cancel_one(bench.bus, bench.now_ns, 0, 0x999); /* not there */
	corrupt(0x300, 1, 1, CANBUS_DAMAGE_BIT);
	bench_run(30000); /* the first one is on the bus: this try is its last */
	canbus_cancel_one(bench.bus, bench.now_ns, 0, 0x300);
	bench_settle();
	ck_assert_int_eq(bench_count(CANBUS_NOT_SENT, 0), 2);
	ck_assert_uint_eq(bench_find(CANBUS_NOT_SENT, 0, 0)->event.ticket, 0x302);
	ck_assert_uint_eq(bench_find(CANBUS_NOT_SENT, 0, 1)->event.ticket, 0x300);
	ck_assert_int_eq(bench_find(CANBUS_NOT_SENT, 0, 1)->event.reason, CANBUS_REASON_CANCELLED);
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 1), 2);
	ck_assert_uint_eq(bench_find(CANBUS_RECEIVED, 1, 0)->frame.id, 0x301);
	ck_assert_uint_eq(bench_find(CANBUS_RECEIVED, 1, 1)->frame.id, 0x303);
	bench_close();
}
END_TEST

START_TEST(illegal_frames)
{
	static const struct canbus_frame bad[] = {{.id = 0x800},
	                                          {.id = 0x20000000, .flags = CANBUS_EXTENDED},
	                                          {.length = 9},
	                                          {.length = 11, .flags = CANBUS_FD},
	                                          {.length = 40, .flags = CANBUS_FD},
	                                          {.length = 255, .flags = CANBUS_FD},
	                                          {.flags = CANBUS_BRS},
	                                          {.flags = CANBUS_FD | CANBUS_REMOTE},
	                                          {.flags = 32}};
	bench_open(2);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		bench_send_frame(0, &bad[i]);
		ck_assert_int_eq(bench_find(CANBUS_NOT_SENT, 0, (int)i)->event.reason, CANBUS_REASON_ILLEGAL);
	}
	ck_assert_uint_eq(canbus_next_ns(bench.bus), CANBUS_NEVER);
	bench_close();
}
END_TEST

/* A node that comes during a frame does not take it, and neither does one within 11 bits. */
START_TEST(late_nodes_wait)
{
	bench_open(2);
	bench_send(0, 0x123);
	bench_run(BITS(20));
	ck_assert_int_eq(canbus_attach(bench.bus, bench.now_ns, false), 2);
	bench_settle();
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 2), 0);
	bench_send(0, 0x124);
	bench_settle();
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 2), 1);
	ck_assert_int_eq(canbus_attach(bench.bus, bench.now_ns, false), 3);
	bench_run(BITS(10));
	bench_send(0, 0x125);
	bench_settle();
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 3), 0);
	bench_close();
}
END_TEST

/* ---- errors -------------------------------------------------------------------------------------------------- */

START_TEST(restore_undoes_every_fault)
{
	bench_open(3);
	corrupt(0x55, 1, 5, CANBUS_DAMAGE_BIT);
	canbus_silence(bench.bus, bench.now_ns, 1, true);
	canbus_short(bench.bus, bench.now_ns, true);
	canbus_restore(bench.bus, bench.now_ns);
	ck_assert(!canbus_shorted(bench.bus));
	bench_run(bench.now_ns + BITS(11)); /* a node that comes back listens first */
	bench_send(0, 0x55);
	bench_settle();
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 1), 1);
	ck_assert_int_eq(bench_count(CANBUS_FAILED, -1), 0);
	bench_close();
}
END_TEST

START_TEST(corrupted_frame_is_repeated)
{
	bench_open(3);
	corrupt(0x55, 2, 1, CANBUS_DAMAGE_BIT);
	bench_send(0, 0x55);
	bench_send(0, 0x55);
	bench_send(0, 0x55);
	bench_settle();
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 1), 3);
	ck_assert_int_eq(bench_count(CANBUS_FAILED, -1), 1);
	const struct logged *failed = bench_find(CANBUS_FAILED, 0, 0);
	const uint64_t first_end_ns = bench_find(CANBUS_RECEIVED, 1, 0)->event.end_ns;
	ck_assert_int_eq(failed->event.error, CANBUS_ERROR_BIT);
	ck_assert_uint_eq(failed->frame.id, 0x55);
	ck_assert_uint_eq(failed->event.begin_ns, first_end_ns + BITS(3));
	/* 6 to 12 dominant bits, the delimiter and the intermission. */
	const uint64_t gap_ns = bench_find(CANBUS_RECEIVED, 1, 1)->event.begin_ns - failed->event.end_ns;
	ck_assert_uint_ge(gap_ns, BITS(6 + 8 + 3));
	ck_assert_uint_le(gap_ns, BITS(12 + 8 + 3));
	expect_counters(0, 8 - 2, 0); /* two good frames after it */
	expect_counters(1, 0, 0);     /* +1 -1 */
	bench_close();
}
END_TEST

START_TEST(counters_of_a_bit_error)
{
	bench_open(2);
	ck_assert_int_eq(canbus_attach(bench.bus, bench.now_ns, true), 2); /* only listens */
	bench_run(BITS(11));
	corrupt(0x55, 1, 3, CANBUS_DAMAGE_BIT);
	bench_send(0, 0x55);
	while (bench_count(CANBUS_FAILED, -1) < 3)
		bench_run(BITS(1));
	expect_counters(0, 24, 0);
	expect_counters(1, 0, 3);
	expect_counters(2, 0, 0);
	bench_settle();
	expect_counters(0, 23, 0);
	expect_counters(1, 0, 2);
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 2), 1);
	bench_close();
}
END_TEST

/* The receiver with the wrong CRC counts 1, and 8 for the dominant bit behind its flag; the others count 1. */
START_TEST(counters_of_a_crc_error)
{
	bench_open(3);
	corrupt(0x55, 1, 1, CANBUS_DAMAGE_CRC);
	bench_send(1, 0x55);
	while (bench_count(CANBUS_FAILED, -1) < 1)
		bench_run(BITS(1));
	ck_assert_int_eq(bench_find(CANBUS_FAILED, 1, 0)->event.error, CANBUS_ERROR_CRC);
	expect_counters(0, 0, 9);
	expect_counters(1, 8, 0);
	expect_counters(2, 0, 1);
	bench_settle();
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 0), 1);
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 2), 1);
	bench_close();
}
END_TEST

START_TEST(crc_error_of_the_only_receiver)
{
	bench_open(2);
	corrupt(0x55, 1, 1, CANBUS_DAMAGE_CRC);
	bench_send(1, 0x55);
	bench_settle();
	ck_assert_int_eq(bench_find(CANBUS_FAILED, 1, 0)->event.error, CANBUS_ERROR_CRC);
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 0), 1);
	expect_counters(1, 7, 0);
	bench_close();
}
END_TEST

/* Alone: up to error passive and no further (exception 1 of rule c). */
START_TEST(nobody_acknowledges)
{
	bench_open(1);
	ck_assert_int_eq(canbus_attach(bench.bus, 0, true), 1);
	bench_run(BITS(11));
	bench_send(0, 0x55);
	bench_run(100000000);
	expect_counters(0, 128, 0);
	ck_assert_int_eq(bench_status(0).state, CANBUS_PASSIVE);
	ck_assert_int_gt(bench_count(CANBUS_FAILED, 0), 100);
	ck_assert_int_eq(bench_find(CANBUS_FAILED, 0, 0)->event.error, CANBUS_ERROR_ACK);
	ck_assert_int_eq(bench_count(CANBUS_CONFIRMED, 0), 0);
	/* Passive flag, delimiter, intermission, suspended transmission, then the next frame. */
	const struct logged *a = bench_find(CANBUS_FAILED, 0, 50), *b = bench_find(CANBUS_FAILED, 0, 51);
	ck_assert_uint_eq(b->event.begin_ns, a->event.end_ns + BITS(6 + 8 + 3 + 8));
	ck_assert_int_eq(canbus_attach(bench.bus, bench.now_ns, false), 2);
	bench_settle();
	ck_assert_int_eq(bench_count(CANBUS_CONFIRMED, 0), 1);
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 2), 1);
	expect_counters(0, 127, 0);
	ck_assert_int_eq(bench_status(0).state, CANBUS_WARNING);
	bench_close();
}
END_TEST

START_TEST(acknowledge_lost)
{
	bench_open(2);
	corrupt(0x55, 1, 1, CANBUS_DAMAGE_ACK);
	bench_send(0, 0x55);
	bench_settle();
	ck_assert_int_eq(bench_find(CANBUS_FAILED, 0, 0)->event.error, CANBUS_ERROR_ACK);
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 1), 1); /* its active flag destroyed the first one */
	expect_counters(0, 7, 0);
	worsen(0, 7 + 8 * 16);
	corrupt(0x56, 1, 1, CANBUS_DAMAGE_ACK);
	bench_send(0, 0x56);
	bench_settle();
	ck_assert_int_eq(bench_count(CANBUS_FAILED, 0), 1);
	ck_assert_int_eq(bench_count(CANBUS_CONFIRMED, 0), 1);
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 1), 2); /* nobody sees the flag of an error passive sender */
	bench_close();
}
END_TEST

START_TEST(states_and_esi)
{
	const struct canbus_frame fd = {.id = 0x60, .flags = CANBUS_FD | CANBUS_ESI, .length = 1};
	bench_open(2);
	bench_send_frame(0, &fd);
	bench_settle();
	ck_assert_uint_eq(bench_find(CANBUS_RECEIVED, 1, 0)->frame.flags, CANBUS_FD);
	worsen(0, 88);
	ck_assert_int_eq(bench_status(0).state, CANBUS_ACTIVE);
	worsen(0, 96);
	ck_assert_int_eq(bench_status(0).state, CANBUS_WARNING);
	worsen(0, 120);
	ck_assert_int_eq(bench_status(0).state, CANBUS_WARNING);
	worsen(0, 136);
	ck_assert_int_eq(bench_status(0).state, CANBUS_PASSIVE);
	bench_send_frame(0, &fd);
	bench_settle();
	ck_assert_uint_eq(bench_find(CANBUS_RECEIVED, 1, 0)->frame.flags, CANBUS_FD | CANBUS_ESI);
	bench_close();
}
END_TEST

/* An error passive node waits 8 bits more after its own frame: another one comes first whatever its identifier is. */
START_TEST(suspended_transmission)
{
	bench_open(3);
	worsen(0, 144);
	bench_send(0, 0x10);
	bench_send(0, 0x10);
	bench_run(BITS(40));
	bench_send(1, 0x700);
	bench_settle();
	ck_assert_uint_eq(bench_find(CANBUS_RECEIVED, 2, 0)->frame.id, 0x10);
	ck_assert_uint_eq(bench_find(CANBUS_RECEIVED, 2, 1)->frame.id, 0x700);
	ck_assert_uint_eq(bench_find(CANBUS_RECEIVED, 2, 2)->frame.id, 0x10);
	bench_clear();
	bench_send(0, 0x10);
	bench_send(0, 0x10);
	bench_settle();
	ck_assert_uint_eq(bench_find(CANBUS_RECEIVED, 2, 1)->event.begin_ns, bench_find(CANBUS_RECEIVED, 2, 0)->event.end_ns + BITS(3 + 8));
	bench_close();
}
END_TEST

/* Two senders of one identifier: the first differing bit destroys the frame, both count, until one is passive. */
START_TEST(same_identifier_twice)
{
	bench_open(3);
	bench_send(0, 0x42);
	bench_send(1, 0x42); /* another first data byte */
	bench_run(BITS(45));
	const struct logged *failed = bench_find(CANBUS_FAILED, -1, 0);
	ck_assert_ptr_nonnull(failed);
	ck_assert_int_eq(failed->event.error, CANBUS_ERROR_BIT);
	ck_assert_uint_eq(failed->event.sender, 1); /* it sent the recessive bit */
	expect_counters(0, 8, 0);
	expect_counters(1, 8, 0);
	expect_counters(2, 0, 1);
	bench_settle();
	ck_assert_int_eq(bench_count(CANBUS_CONFIRMED, 0), 1);
	ck_assert_int_eq(bench_count(CANBUS_CONFIRMED, 1), 1);
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 2), 2);
	ck_assert_int_eq(bench_count(CANBUS_NOT_SENT, -1), 0);
	bench_close();
}
END_TEST

START_TEST(same_frame_twice)
{
	const struct canbus_frame same = {.id = 0x42, .length = 2, .data = {1, 2}};
	bench_open(3);
	bench_send_frame(0, &same);
	bench_send_frame(1, &same);
	bench_settle();
	ck_assert_int_eq(bench_count(CANBUS_CONFIRMED, -1), 2);
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 2), 1);
	ck_assert_int_eq(bench_count(CANBUS_FAILED, -1), 0);
	bench_close();
}
END_TEST

/* ---- bus-off ------------------------------------------------------------------------------------------------- */

START_TEST(bus_off_and_recovery)
{
	bench_open(2);
	corrupt(0x55, 1, 1000, CANBUS_DAMAGE_BIT);
	bench_send(0, 0x55);
	bench_send(0, 0x56);
	bench_settle();
	ck_assert_int_eq(bench_status(0).state, CANBUS_BUS_OFF);
	ck_assert_int_eq(bench_count(CANBUS_FAILED, 0), 32); /* 32 times 8 */
	ck_assert_int_eq(bench_count(CANBUS_NOT_SENT, 0), 2);
	ck_assert_int_eq(bench_find(CANBUS_NOT_SENT, 0, 1)->event.reason, CANBUS_REASON_BUS_OFF);
	ck_assert_uint_eq(bench_find(CANBUS_NOT_SENT, 0, 1)->event.ticket, 0x56);
	bench_clear();
	bench_send(0, 0x57);
	ck_assert_int_eq(bench_find(CANBUS_NOT_SENT, 0, 0)->event.reason, CANBUS_REASON_BUS_OFF);
	bench_run(1000000000);
	ck_assert_int_eq(bench_status(0).state, CANBUS_BUS_OFF); /* not by itself */
	canbus_recover(bench.bus, bench.now_ns, 0);
	bench_run(BITS(128 * 11) - 1);
	ck_assert_int_eq(bench_status(0).state, CANBUS_BUS_OFF);
	bench_run(1);
	ck_assert_int_eq(bench_status(0).state, CANBUS_ACTIVE);
	expect_counters(0, 0, 0);
	bench_clear();
	bench_send(0, 0x58);
	bench_settle();
	ck_assert_int_eq(bench_count(CANBUS_CONFIRMED, 0), 1);
	bench_close();
}
END_TEST

/* On a busy bus each end of frame gives one of the 128 times. */
START_TEST(recovery_on_a_busy_bus)
{
	bench_open(3);
	corrupt(0x55, 1, 32, CANBUS_DAMAGE_BIT);
	bench_send(0, 0x55);
	bench_settle();
	ck_assert_int_eq(bench_status(0).state, CANBUS_BUS_OFF);
	bench_clear();
	bench_send(1, 0x20);
	bench_run(1000);
	canbus_recover(bench.bus, bench.now_ns, 0);
	while (bench_status(0).state == CANBUS_BUS_OFF) {
		if (bench_status(1).queued < 3)
			bench_send(1, 0x20);
		bench_run(BITS(5));
	}
	ck_assert_int_ge(bench_count(CANBUS_RECEIVED, 2), 128);
	ck_assert_int_le(bench_count(CANBUS_RECEIVED, 2), 129);
	bench_close();
}
END_TEST

START_TEST(short_circuit)
{
	bench_open(2);
	canbus_short(bench.bus, bench.now_ns, true);
	bench_send(0, 0x55);
	bench_settle();
	ck_assert_int_eq(bench_status(0).state, CANBUS_BUS_OFF);
	ck_assert_int_eq(bench_status(1).state, CANBUS_ACTIVE);
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, -1), 0);
	ck_assert_int_eq(bench_find(CANBUS_FAILED, 0, 0)->event.error, CANBUS_ERROR_BIT);
	canbus_recover(bench.bus, bench.now_ns, 0);
	canbus_short(bench.bus, bench.now_ns, false);
	bench_settle();
	bench_clear();
	bench_send(0, 0x55);
	bench_settle();
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 1), 1);
	/* In the middle of a frame, for a moment. */
	bench_clear();
	bench_send(0, 0x56);
	bench_run(BITS(30));
	canbus_short(bench.bus, bench.now_ns, true);
	ck_assert_int_eq(bench_count(CANBUS_FAILED, 0), 1);
	bench_run(1);
	canbus_short(bench.bus, bench.now_ns, false);
	bench_settle();
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 1), 1);
	/* At its very first bit. */
	bench_clear();
	canbus_short(bench.bus, bench.now_ns, true);
	bench_send(1, 0x57);
	bench_run(BITS(1) / 2);
	canbus_short(bench.bus, bench.now_ns, false);
	bench_settle();
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 0), 1);
	bench_close();
}
END_TEST

START_TEST(silenced_node)
{
	bench_open(3);
	canbus_silence(bench.bus, bench.now_ns, 0, true);
	bench_run(BITS(11));
	bench_send(0, 0x55);
	bench_send(1, 0x56);
	bench_run(50000000);
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 2), 1);
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 0), 0);
	ck_assert_int_eq(bench_status(0).state, CANBUS_PASSIVE); /* nobody acknowledges on its stub */
	ck_assert(bench_status(0).silenced);
	struct canbus_counts counts;
	canbus_counts(bench.bus, bench.now_ns, &counts);
	ck_assert_uint_eq(counts.errors, 0); /* the bus itself saw nothing */
	canbus_silence(bench.bus, bench.now_ns, 0, false);
	bench_settle();
	ck_assert_int_eq(bench_count(CANBUS_CONFIRMED, 0), 1);
	ck_assert_uint_eq(bench_find(CANBUS_RECEIVED, 2, 1)->frame.id, 0x55);
	bench_close();
}
END_TEST

/* Power cut in the middle of a frame: the receivers see a stuff error, and the bus goes on. */
START_TEST(sender_vanishes)
{
	bench_open(3);
	bench_send(0, 0x55);
	bench_run(BITS(30));
	canbus_detach(bench.bus, bench.now_ns, 0);
	ck_assert_int_eq(bench_find(CANBUS_FAILED, -1, 0)->event.error, CANBUS_ERROR_STUFF);
	expect_counters(1, 0, 1);
	bench_send(1, 0x56);
	bench_settle();
	ck_assert_int_eq(bench_count(CANBUS_RECEIVED, 2), 1);
	ck_assert_uint_eq(bench_find(CANBUS_RECEIVED, 2, 0)->frame.id, 0x56);
	ck_assert_int_eq(canbus_attach(bench.bus, bench.now_ns, false), 0);
	ck_assert_uint_eq(bench_status(0).queued, 0);
	bench_close();
}
END_TEST

START_TEST(table_of_nodes_is_bounded)
{
	bench_open(CANBUS_MAX_NODES);
	ck_assert_int_eq(canbus_attach(bench.bus, 0, false), -1);
	for (unsigned i = 0; i < CANBUS_MAX_RULES; i++)
		corrupt(0x55, 1, 1, CANBUS_DAMAGE_BIT);
	ck_assert(!canbus_corrupt(bench.bus, 0, &(struct canbus_corruption){.id = 1, .nth = 1, .count = 1}));
	bench_close();
}
END_TEST

/* However it is advanced, the same happens: all at once, or step by step. */
START_TEST(late_advance_changes_nothing)
{
	static struct logged kept[LOG_MAX];
	int kept_count = 0;
	for (int pass = 0; pass < 2; pass++) {
		bench_open(4);
		corrupt(0x31, 2, 3, CANBUS_DAMAGE_CRC);
		for (unsigned i = 0; i < 40; i++)
			bench_send(i % 4, 0x30 + i % 4);
		for (int i = 0; i < 20000; i++)
			if (pass == 0)
				bench_run(1000);
		if (pass == 1)
			bench_run(20000000);
		if (pass == 0) {
			memcpy(kept, bench.log, sizeof kept);
			kept_count = bench.count;
		}
		ck_assert_int_eq(bench.count, kept_count);
		ck_assert_int_gt(bench.count, 160);
		for (int i = 0; i < bench.count; i++) {
			ck_assert_uint_eq(bench.log[i].event.end_ns, kept[i].event.end_ns);
			ck_assert_int_eq(bench.log[i].event.kind, kept[i].event.kind);
			ck_assert_uint_eq(bench.log[i].event.node, kept[i].event.node);
			ck_assert(i == 0 || bench.log[i].event.end_ns >= bench.log[i - 1].event.end_ns);
		}
		bench_close();
	}
}
END_TEST

static TCase *make_case(void)
{
	TCase *tests = tcase_create("canbus");
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, one_frame);
	tcase_add_test(tests, frames_follow_after_intermission);
	tcase_add_test(tests, arbitration_order);
	tcase_add_test(tests, full_load_keeps_order);
	tcase_add_test(tests, queue_is_bounded);
	tcase_add_test(tests, one_frame_is_cancelled);
	tcase_add_test(tests, illegal_frames);
	tcase_add_test(tests, late_nodes_wait);
	tcase_add_test(tests, corrupted_frame_is_repeated);
	tcase_add_test(tests, restore_undoes_every_fault);
	tcase_add_test(tests, counters_of_a_bit_error);
	tcase_add_test(tests, counters_of_a_crc_error);
	tcase_add_test(tests, crc_error_of_the_only_receiver);
	tcase_add_test(tests, nobody_acknowledges);
	tcase_add_test(tests, acknowledge_lost);
	tcase_add_test(tests, states_and_esi);
	tcase_add_test(tests, suspended_transmission);
	tcase_add_test(tests, same_identifier_twice);
	tcase_add_test(tests, same_frame_twice);
	tcase_add_test(tests, bus_off_and_recovery);
	tcase_add_test(tests, recovery_on_a_busy_bus);
	tcase_add_test(tests, short_circuit);
	tcase_add_test(tests, silenced_node);
	tcase_add_test(tests, sender_vanishes);
	tcase_add_test(tests, table_of_nodes_is_bounded);
	tcase_add_test(tests, late_advance_changes_nothing);
	return tests;
}

int main(void)
{
	Suite *suite = suite_create("canbus");
	suite_add_tcase(suite, make_case());
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
