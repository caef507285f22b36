/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes and times: the codecs against bytes that other programs wrote, frame times against a table of ISO 11898-1. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../base/bytes.h"
#include "../../link/can_cannelloni_frame.h"
#include "../../link/can_hardware_clock.h"
#include "../../link/can_pending.h"
#include "../../link/can_python_frame.h"
#include "can_test.h"

/* As python-can 4.1.0 sent it: id 0x101, FD with BRS, data 00..0f. */
static const char python_full[] =
        "8ba974696d657374616d70cb0000000000000000ae6172626974726174696f6e5f6964cd0101ae69735f657874656e6465645f6964c2af69735f72656d6f74655f"
        "6672616d65c2ae69735f6572726f725f6672616d65c2a76368616e6e656cc0a3646c6310a464617461c410000102030405060708090a0b0c0d0e0fa569735f6664"
        "c3ae626974726174655f737769746368c3b56572726f725f73746174655f696e64696361746f72c2";
/* The smallest map that it accepts. */
static const char python_small[] =
        "87a974696d657374616d70cb0000000000000000ae6172626974726174696f6e5f6964cd0101ae69735f657874656e6465645f6964c2a569735f6664c3ae626974"
        "726174655f737769746368c3a3646c6310a464617461c41000000000000000000000000000000000";
/* As cannelloni sends it: the frame behind the datagram's five bytes of head. */
static const char cannelloni[] = "000001019001000102030405060708090a0b0c010f8a";

static struct bytes from_hex(const char *hex)
{
	struct bytes bytes = {0};
	ck_assert_int_eq(bytes_parse_hex(hex, &bytes), 0);
	return bytes;
}

START_TEST(cannelloni_bytes)
{
	struct bytes bytes = from_hex(cannelloni);
	struct can_message message;
	uint8_t again[CANNELLONI_FRAME_MAX];
	bool error;
	ck_assert_int_eq(cannelloni_frame_decode(bytes.data, bytes.length, &message, &error), 22);
	ck_assert(!error);
	ck_assert_uint_eq(message.id, 0x101);
	ck_assert_uint_eq(message.flags, CAN_MESSAGE_FD | CAN_MESSAGE_BRS);
	ck_assert_uint_eq(message.length, 16);
	ck_assert_uint_eq(message.data[15], 0x8a);
	ck_assert_uint_eq(cannelloni_frame_encode(&message, again), 22);
	ck_assert_mem_eq(again, bytes.data, 22);
	for (size_t cut = 0; cut < bytes.length; cut++)
		ck_assert_int_eq(cannelloni_frame_decode(bytes.data, cut, &message, &error), 0);
	bytes.data[4] = 0x80 | 65;
	ck_assert_int_eq(cannelloni_frame_decode(bytes.data, bytes.length, &message, &error), -EINVAL);
	bytes.data[4] = 9;
	ck_assert_int_eq(cannelloni_frame_decode(bytes.data, bytes.length, &message, &error), -EINVAL);
	bytes_free(&bytes);
}
END_TEST

START_TEST(cannelloni_kinds)
{
	struct can_message message = {.id = 0x1ABCDEF0, .flags = CAN_MESSAGE_EXTENDED | CAN_MESSAGE_REMOTE, .length = 5}, back;
	uint8_t bytes[CANNELLONI_FRAME_MAX];
	bool error;
	ck_assert_uint_eq(cannelloni_frame_encode(&message, bytes), 5); /* a remote frame has no data */
	ck_assert_mem_eq(bytes, "\xda\xbc\xde\xf0\x05", 5);
	ck_assert_int_eq(cannelloni_frame_decode(bytes, 5, &back, &error), 5);
	ck_assert_mem_eq(&back, &message, sizeof(back));
	ck_assert_int_eq(cannelloni_frame_decode((const uint8_t *)"\x20\x00\x00\x04\x00", 5, &back, &error), 5);
	ck_assert(error);
}
END_TEST

START_TEST(python_bytes)
{
	struct bytes full = from_hex(python_full), small = from_hex(python_small);
	struct can_message message;
	uint8_t again[PYTHON_FRAME_MAX];
	bool error;
	ck_assert_uint_eq(full.length, 170);
	ck_assert_int_eq(python_frame_decode(full.data, full.length, &message, &error), 0);
	ck_assert(!error);
	ck_assert_uint_eq(message.id, 0x101);
	ck_assert_uint_eq(message.flags, CAN_MESSAGE_FD | CAN_MESSAGE_BRS);
	ck_assert_uint_eq(message.length, 16);
	ck_assert_uint_eq(message.data[15], 0x0f);
	ck_assert_uint_eq(python_frame_encode(&message, 0, again), 170);
	ck_assert_mem_eq(again, full.data, 170);
	ck_assert_int_eq(python_frame_decode(small.data, small.length, &message, &error), 0);
	ck_assert_uint_eq(message.length, 16);
	for (size_t cut = 0; cut < full.length; cut++)
		ck_assert_int_eq(python_frame_decode(full.data, cut, &message, &error), -EINVAL);
	bytes_free(&full);
	bytes_free(&small);
}
END_TEST

/* Every byte of a good datagram replaced by every value: nothing may be read beyond the end (the sanitizer looks), and what
 * is accepted has a length that fits. */
START_TEST(python_rubbish)
{
	struct bytes full = from_hex(python_full);
	struct can_message message;
	bool error;
	for (size_t i = 0; i < full.length; i++) {
		uint8_t kept = full.data[i];
		for (unsigned value = 0; value < 256; value++) {
			uint8_t *exact = malloc(full.length);
			full.data[i] = (uint8_t)value;
			memcpy(exact, full.data, full.length);
			if (python_frame_decode(exact, full.length, &message, &error) == 0)
				ck_assert_uint_le(message.length, 64);
			free(exact);
		}
		full.data[i] = kept;
	}
	/* A map that nests without end. */
	uint8_t deep[64];
	memset(deep, 0x91, sizeof(deep));
	deep[0] = 0x81;
	ck_assert_int_eq(python_frame_decode(deep, sizeof(deep), &message, &error), -EINVAL);
	ck_assert_int_eq(python_frame_decode((const uint8_t *)"\xdf\xff\xff\xff\xff", 5, &message, &error), -EINVAL);
	bytes_free(&full);
}
END_TEST

START_TEST(python_kinds)
{
	const struct can_message kinds[] = {
	        {.id = 0x1FFFFFFF, .flags = CAN_MESSAGE_EXTENDED, .length = 1, .data = {7}},
	        {.id = 5, .flags = CAN_MESSAGE_REMOTE, .length = 8},
	        {.id = 0x7FF, .flags = CAN_MESSAGE_FD | CAN_MESSAGE_ESI, .length = 64},
	        {.id = 0, .length = 0},
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		uint8_t bytes[PYTHON_FRAME_MAX];
		struct can_message back;
		bool error;
		size_t length = python_frame_encode(&kinds[i], 1700000000000000000, bytes);
		ck_assert_int_eq(python_frame_decode(bytes, length, &back, &error), 0);
		ck_assert_mem_eq(&back, &kinds[i], sizeof(back));
	}
}
END_TEST

START_TEST(frames_checked)
{
	static const struct {
		struct can_message message;
		const char *reason; /* NULL: good */
	} cases[] = {
	        {{.id = 0x7FF, .length = 8}, NULL},
	        {{.id = 0x800, .length = 8}, "beyond 0x7ff"},
	        {{.id = 0x800, .flags = CAN_MESSAGE_EXTENDED}, NULL},
	        {{.id = 0x20000000, .flags = CAN_MESSAGE_EXTENDED}, "beyond 0x1fffffff"},
	        {{.length = 9}, "classic"},
	        {{.flags = CAN_MESSAGE_BRS}, "BRS"},
	        {{.flags = CAN_MESSAGE_FD | CAN_MESSAGE_REMOTE}, "remote"},
	        {{.flags = CAN_MESSAGE_FD, .length = 9}, "no DLC"},
	        {{.flags = CAN_MESSAGE_FD, .length = 12}, NULL},
	        {{.flags = CAN_MESSAGE_FD, .length = 64}, NULL},
	        {{.flags = CAN_MESSAGE_FD, .length = 65}, "no DLC"},
	        {{.flags = 32}, "unknown flags"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err = {0};
		int r = can_message_check(&cases[i].message, &err);
		ck_assert_int_eq(r, cases[i].reason ? -EINVAL : 0);
		ck_assert_msg(!cases[i].reason || strstr(err.message, cases[i].reason), "%zu: %s", i, err.message);
	}
}
END_TEST

START_TEST(log_lines)
{
	static const struct {
		struct can_message message;
		const char *text;
	} cases[] = {
	        {{.id = 0x123, .flags = CAN_MESSAGE_FD | CAN_MESSAGE_BRS, .length = 4, .data = {0xDE, 0xAD, 0xBE, 0xEF}},
	         " can0 123##1DEADBEEF\n"},
	        {{.id = 0x123, .flags = CAN_MESSAGE_FD | CAN_MESSAGE_ESI}, " can0 123##2\n"},
	        {{.id = 5, .length = 2, .data = {1, 2}}, " can0 005#0102\n"},
	        {{.id = 5, .flags = CAN_MESSAGE_EXTENDED}, " can0 00000005#\n"},
	        {{.id = 5, .flags = CAN_MESSAGE_REMOTE}, " can0 005#R\n"},
	        {{.id = 5, .flags = CAN_MESSAGE_REMOTE, .length = 4}, " can0 005#R4\n"},
	};
	char line[CAN_LOG_LINE_MAX], stamp[64];
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct can_message message = cases[i].message;
		message.at = (struct instant){.ns = 1234000005678};
		/* As in the journal's run.begin, however often the clocks were compared since. */
		int64_t wall_ns = message.at.ns + clock_run_offset_ns();
		clock_bracket();
		int length = can_log_format(&message, "can0", line, sizeof(line));
		(void)snprintf(stamp, sizeof(stamp), "(%" PRId64 ".%09" PRId64 ")", wall_ns / 1000000000, wall_ns % 1000000000);
		ck_assert_int_eq(length, (int)strlen(line));
		ck_assert_str_eq(line + strlen(stamp), cases[i].text);
		ck_assert_int_eq(strncmp(line, stamp, strlen(stamp)), 0);
	}
	struct can_message longest = {.id = 0x1FFFFFFF, .flags = CAN_MESSAGE_EXTENDED | CAN_MESSAGE_FD, .length = 64};
	ck_assert_int_gt(can_log_format(&longest, "a-name-of-sixty-three-characters-0123456789-0123456789-012345678", line, sizeof(line)),
	                 0);
	ck_assert_int_eq(can_log_format(&longest, "can0", line, 100), -ENOSPC);
}
END_TEST

/* Minimum and maximum of the table, ns, for 8, 16 and 64 bytes. */
static const struct {
	uint32_t nominal, data;
	int64_t limits[3][2];
} time_table[] = {
        {500000, 2000000, {{106500, 120500}, {138500, 160000}, {333000, 403000}}},
        {500000, 5000000, {{77400, 86600}, {90200, 102400}, {168000, 199600}}},
        {1000000, 8000000, {{41100, 46100}, {49100, 56000}, {97800, 116800}}},
};

START_TEST(frame_times)
{
	static const uint8_t lengths[] = {8, 16, 64};
	struct can_message message = fd_frame(0, 8);
	uint32_t random = 1;
	for (unsigned size = 0; size < 3; size++) {
		const int64_t *limits = time_table[_i].limits[size];
		int64_t least = INT64_MAX, most = 0;
		for (unsigned i = 0; i < 3000; i++) {
			message.length = lengths[size];
			message.id = i == 0 ? 0x555 : i == 1 ? 0 : (random = random * 1103515245 + 12345) >> 8 & 0x7FF;
			for (unsigned k = 0; k < 64; k++)
				message.data[k] = i == 0 ? 0x55 : i == 1 ? 0 : (uint8_t)((random = random * 1103515245 + 12345) >> 16);
			int64_t time = can_frame_time_ns(&message, time_table[_i].nominal, time_table[_i].data);
			least = time < least ? time : least;
			most = time > most ? time : most;
		}
		/* No stuff bit at all is reached; the most that can be needs an identifier made for it. */
		ck_assert_int_ge(least, limits[0] * 999 / 1000);
		ck_assert_int_le(least, limits[0] * 1001 / 1000);
		ck_assert_int_le(most, limits[1] * 1001 / 1000);
		ck_assert_int_ge(most, limits[1] * 96 / 100);
	}
}
END_TEST

START_TEST(frame_times_classic)
{
	/* 0x555 with 8 bytes 0x55: 111 bits with the intermission and no more than the few stuff bits of the CRC; the most that a
	 * classic frame with 8 bytes has is 135. */
	struct can_message message = classic(0x555, 8), remote = {.id = 0x555, .flags = CAN_MESSAGE_REMOTE, .length = 8};
	memset(message.data, 0x55, 8);
	ck_assert_int_ge(can_frame_time_ns(&message, 1000000, 0), 111000);
	ck_assert_int_le(can_frame_time_ns(&message, 1000000, 0), 115000);
	memset(message.data, 0, 8);
	message.id = 0;
	ck_assert_int_ge(can_frame_time_ns(&message, 1000000, 0), 126000);
	ck_assert_int_le(can_frame_time_ns(&message, 1000000, 0), 135000);
	ck_assert_int_ge(can_frame_time_ns(&remote, 1000000, 0), 47000);
	ck_assert_int_le(can_frame_time_ns(&remote, 1000000, 0), 55000);
}
END_TEST

START_TEST(pending_ring)
{
	struct can_pending pending;
	struct can_pending_entry entry;
	struct can_message message = classic(1, 1);
	ck_assert_int_eq(can_pending_init(&pending), 0);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < CAN_PENDING_MAX; i++) {
			message.id = i;
			ck_assert_int_eq(can_pending_add(&pending, i + 1, &message), 0);
		}
		ck_assert_int_eq(can_pending_add(&pending, 9999, &message), -ENOBUFS);
		ck_assert(!can_pending_take_oldest(&pending, &entry)); /* none was handed over */
		for (unsigned i = 0; i < 3; i++) {
			ck_assert_uint_eq(can_pending_next(&pending)->ticket, i + 1);
			can_pending_was_handed(&pending);
		}
		ck_assert(!can_pending_take_ticket(&pending, 4, &entry));
		ck_assert(can_pending_take_ticket(&pending, 2, &entry) && entry.message.id == 1);
		message.id = 2;
		ck_assert(can_pending_take_equal(&pending, &message, &entry) && entry.ticket == 3);
		ck_assert(can_pending_take_oldest(&pending, &entry) && entry.ticket == 1);
		ck_assert(!can_pending_take_oldest(&pending, &entry));
		for (unsigned i = 3; i < CAN_PENDING_MAX; i++)
			ck_assert(can_pending_take_any(&pending, &entry) && entry.ticket == i + 1);
		ck_assert(!can_pending_take_any(&pending, &entry));
	}
	can_pending_free(&pending);
}
END_TEST

/* A controller whose clock began at 0 and runs 50 ppm fast, behind a bus that takes 200 to 900 us. */
START_TEST(hardware_clock_followed)
{
	struct hardware_clock clock = {0};
	uint32_t random = 7;
	int64_t last_ns = 0;
	for (int64_t i = 1; i < 5000; i++) {
		int64_t true_ns = 1000000000000 + i * 10000000;
		int64_t hardware_ns = i * 10000000 + i * 500;
		random = random * 1103515245 + 12345;
		struct instant kernel = {
		        .ns = true_ns + 200000 + (random >> 8) % 700000, .source = CLOCK_SOURCE_KERNEL, .uncertainty_ns = 100};
		struct instant at = hardware_clock_convert(&clock, hardware_ns, kernel);
		ck_assert_int_eq(at.source, CLOCK_SOURCE_HARDWARE);
		ck_assert_int_le(at.ns, kernel.ns);
		ck_assert_int_gt(at.ns, last_ns);
		if (i > 200)
			ck_assert_int_le(at.ns - true_ns - 200000, 300000);
		last_ns = at.ns;
	}
	/* The adapter was plugged in anew: its clock begins again. */
	struct instant kernel = {.ns = last_ns + 1000000000}, at = hardware_clock_convert(&clock, 5, kernel);
	ck_assert_int_eq(at.ns, kernel.ns);
}
END_TEST

START_TEST(addresses)
{
	static const struct {
		const char *driver, *address, *reason;
	} cases[] = {
	        {"virtual", "/tmp/x", NULL},
	        {"virtual", "", "needs an address"},
	        {"canal", "x", "unknown CAN driver"},
	        {"socketcan", "can0", NULL},
	        {"socketcan", "a-name-that-is-too-long", "cannot be the name"},
	        {"cannelloni-udp", "127.0.0.1:1,127.0.0.1:2", NULL},
	        {"cannelloni-udp", "127.0.0.1:1", "local:port,remote:port"},
	        {"cannelloni-udp", "127.0.0.1:1,nowhere:2", "no IPv4 address"},
	        {"cannelloni-udp", "127.0.0.1,127.0.0.1:2", "no IPv4 address"},
	        {"cannelloni-tcp", "127.0.0.1:1", NULL},
	        {"cannelloni-tcp", "127.0.0.1:1,", NULL},
	        {"cannelloni-tcp", ",127.0.0.1:1", "no IPv4 address"},
	        {"udp-multicast", "239.74.163.2:43113", NULL},
	        {"udp-multicast", "239.74.163.2:43113,lo", NULL},
	        {"udp-multicast", "239.74.163.2:43113,", "lacks the interface"},
	        {"udp-multicast", "127.0.0.1:43113", "no multicast group"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err = {0};
		ck_assert_int_eq(can_address_check(cases[i].driver, cases[i].address, &err), cases[i].reason ? -EINVAL : 0);
		ck_assert_msg(!cases[i].reason || strstr(err.message, cases[i].reason), "%zu: %s", i, err.message);
	}
}
END_TEST

Suite *can_codec_suite(void)
{
	Suite *suite = suite_create("can codecs");
	TCase *all = tcase_create("all");
	tcase_set_timeout(all, 60);
	tcase_add_test(all, cannelloni_bytes);
	tcase_add_test(all, cannelloni_kinds);
	tcase_add_test(all, python_bytes);
	tcase_add_test(all, python_rubbish);
	tcase_add_test(all, python_kinds);
	tcase_add_test(all, frames_checked);
	tcase_add_test(all, log_lines);
	tcase_add_loop_test(all, frame_times, 0, 3);
	tcase_add_test(all, frame_times_classic);
	tcase_add_test(all, pending_ring);
	tcase_add_test(all, hardware_clock_followed);
	tcase_add_test(all, addresses);
	suite_add_tcase(suite, all);
	return suite;
}
