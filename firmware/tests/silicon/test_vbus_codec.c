/* SPDX-License-Identifier: Apache-2.0 */
/* What other tools send and expect, byte by byte, and the messages of a node's socket. */
#include "../../silicon/vbus_cannelloni.h"
#include "../../silicon/vbus_message.h"
#include "../../silicon/vbus_msgpack.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t from_hex(const char *hex, uint8_t *bytes)
{
	size_t n = 0;
	unsigned byte;
	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
		bytes[n++] = (uint8_t)byte;
	return n;
}

static const struct canbus_frame secured = {
        .id = 0x101, .flags = CANBUS_FD | CANBUS_BRS, .length = 16, .data = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 0x0f, 0x8a}};
static const char cannelloni_example[] = "0200000001000001019001000102030405060708090a0b0c010f8a";
static const char python_example[] =
        "8ba974696d657374616d70cb0000000000000000ae6172626974726174696f6e5f6964cd0101ae69735f657874656e6465645f6964c2"
        "af69735f72656d6f74655f6672616d65c2ae69735f6572726f725f6672616d65c2a76368616e6e656cc0a3646c6310a464617461c410"
        "000102030405060708090a0b0c0d0e0fa569735f6664c3ae626974726174655f737769746368c3b56572726f725f73746174655f696e"
        "64696361746f72c2";
static const char python_smallest[] =
        "87a974696d657374616d70cb0000000000000000ae6172626974726174696f6e5f6964cd0101ae69735f657874656e6465645f6964c2"
        "a569735f6664c3ae626974726174655f737769746368c3a3646c6310a464617461c41000000000000000000000000000000000";

static void expect_frame(const struct canbus_frame *got, const struct canbus_frame *wanted)
{
	ck_assert_uint_eq(got->id, wanted->id);
	ck_assert_uint_eq(got->flags, wanted->flags);
	ck_assert_uint_eq(got->length, wanted->length);
	ck_assert_int_eq(memcmp(got->data, wanted->data, sizeof got->data), 0);
}

static const struct canbus_frame samples[] = {
        {.id = 0x7FF, .length = 8, .data = {1, 2, 3, 4, 5, 6, 7, 8}},
        {.id = 0},
        {.id = 0x1FFFFFFF, .flags = CANBUS_EXTENDED, .length = 3, .data = {9, 8, 7}},
        {.id = 0x123, .flags = CANBUS_REMOTE, .length = 5},
        {.id = 0x7E, .flags = CANBUS_EXTENDED | CANBUS_FD | CANBUS_BRS | CANBUS_ESI, .length = 64, .data = {[63] = 1}},
        {.id = 0x80, .flags = CANBUS_FD, .length = 12, .data = {5}}};
#define SAMPLES (sizeof samples / sizeof *samples)

START_TEST(cannelloni_bytes)
{
	uint8_t bytes[CANNELLONI_PACKET_MAX], wanted[64];
	struct canbus_frame frames[4];
	const size_t n = from_hex(cannelloni_example, wanted);
	ck_assert_uint_eq(cannelloni_packet_encode(bytes, 0, &secured), n);
	ck_assert_int_eq(memcmp(bytes, wanted, n), 0);
	ck_assert_int_eq(cannelloni_packet_decode(wanted, n, frames, 4), 1);
	expect_frame(&frames[0], &secured);
	wanted[10] |= 4; /* FDF */
	ck_assert_int_eq(cannelloni_packet_decode(wanted, n, frames, 4), 1);
	for (size_t cut = 0; cut < n; cut++)
		ck_assert_int_eq(cannelloni_packet_decode(wanted, cut, frames, 4), -1);
	wanted[n] = 0;
	ck_assert_int_eq(cannelloni_packet_decode(wanted, n + 1, frames, 4), -1);
	wanted[0] = 1;
	ck_assert_int_eq(cannelloni_packet_decode(wanted, n, frames, 4), -1);
}
END_TEST

START_TEST(cannelloni_both_ways)
{
	uint8_t bytes[8 * CANNELLONI_FRAME_MAX] = {2, 0, 77, 0, SAMPLES};
	struct canbus_frame frames[SAMPLES];
	size_t n = 5;
	for (size_t i = 0; i < SAMPLES; i++)
		n += cannelloni_frame_encode(bytes + n, &samples[i]);
	ck_assert_int_eq(cannelloni_packet_decode(bytes, n, frames, SAMPLES), SAMPLES);
	for (size_t i = 0; i < SAMPLES; i++)
		expect_frame(&frames[i], &samples[i]);
	ck_assert_int_eq(cannelloni_packet_decode(bytes, n, frames, SAMPLES - 1), -1);
	/* An error frame of SocketCAN is left out. */
	const uint8_t error[] = {2, 0, 0, 0, 2, 0x20, 0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 1, 0xAA};
	ck_assert_int_eq(cannelloni_packet_decode(error, sizeof error, frames, SAMPLES), 1);
	ck_assert_uint_eq(frames[0].id, 5);
	const uint8_t long_classic[] = {2, 0, 0, 0, 1, 0, 0, 0, 1, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9};
	ck_assert_int_eq(cannelloni_packet_decode(long_classic, sizeof long_classic, frames, SAMPLES), -1);
	const uint8_t wide_id[] = {2, 0, 0, 0, 1, 0, 0, 8, 0, 0};
	ck_assert_int_eq(cannelloni_packet_decode(wide_id, sizeof wide_id, frames, SAMPLES), -1);
	/* A stream asks for more. */
	bool error_frame;
	for (size_t cut = 0; cut < 13; cut++)
		ck_assert_int_eq(cannelloni_frame_decode(bytes + 5, cut, frames, &error_frame), 0);
	ck_assert_int_eq(cannelloni_frame_decode(bytes + 5, 13, frames, &error_frame), 13);
}
END_TEST

START_TEST(python_bytes)
{
	uint8_t bytes[VBUS_MSGPACK_MAX], wanted[256];
	struct canbus_frame frame, counted = secured;
	bool error_frame = true;
	size_t n = from_hex(python_example, wanted);
	ck_assert_uint_eq(n, 170);
	ck_assert(vbus_msgpack_decode(wanted, n, &frame, &error_frame));
	ck_assert(!error_frame);
	for (uint8_t i = 0; i < 16; i++)
		counted.data[i] = i;
	expect_frame(&frame, &counted);
	/* Ours is the same but for the channel, which is an empty text. */
	char *channel = memmem(wanted, n, "channel\xc0", 8);
	channel[7] = '\xa0';
	ck_assert_uint_eq(vbus_msgpack_encode(bytes, &counted, 0), n);
	ck_assert_int_eq(memcmp(bytes, wanted, n), 0);
	for (size_t cut = 0; cut < n; cut++)
		ck_assert(!vbus_msgpack_decode(wanted, cut, &frame, &error_frame));
	wanted[n] = 0xC0;
	ck_assert(!vbus_msgpack_decode(wanted, n + 1, &frame, &error_frame));
	n = from_hex(python_smallest, wanted);
	ck_assert_uint_eq(n, 105);
	ck_assert(vbus_msgpack_decode(wanted, n, &frame, &error_frame));
	memset(counted.data, 0, sizeof counted.data);
	expect_frame(&frame, &counted);
}
END_TEST

START_TEST(python_both_ways)
{
	uint8_t bytes[VBUS_MSGPACK_MAX];
	struct canbus_frame frame;
	bool error_frame;
	for (size_t i = 0; i < SAMPLES; i++) {
		size_t n = vbus_msgpack_encode(bytes, &samples[i], 1.5);
		ck_assert_uint_le(n, sizeof bytes);
		ck_assert(vbus_msgpack_decode(bytes, n, &frame, &error_frame));
		expect_frame(&frame, &samples[i]);
	}
}
END_TEST

START_TEST(python_odd_maps)
{
	static const struct {
		const char *hex;
		bool good;
	} maps[] = {{"82ae6172626974726174696f6e5f69640fa464617461c40101", true},
	            {"83ae6172626974726174696f6e5f69640fa464617461c40101a1788293c0c2010282c0c0a161cb0000000000000000", false},
	            {"83ae6172626974726174696f6e5f69640fa464617461c40101a17893c0c28101d6ff00000000", true}, /* nested, extension */
	            {"83ae6172626974726174696f6e5f69640fa464617461c40101a178919191919100", false},          /* too deep */
	            {"de0002ae6172626974726174696f6e5f6964ce0000000fa464617461c50001aa", true},
	            {"dfffffffff", false},
	            {"dd7fffffff", false},
	            {"81ae6172626974726174696f6e5f69640f", false},                           /* neither length nor data */
	            {"82ae6172626974726174696f6e5f6964ffa464617461c400", false},             /* identifier -1 */
	            {"82ae6172626974726174696f6e5f6964ce20000000a464617461c400", false},     /* 30 bits */
	            {"83ae6172626974726174696f6e5f69640fa3646c6302a464617461c40101", false}, /* two lengths */
	            {"82ae6172626974726174696f6e5f69640fa464617461d901ff", false},           /* a text is no data */
	            {"c1", false},
	            {"", false},
	            {"90", false}};
	for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
		uint8_t bytes[256];
		struct canbus_frame frame;
		bool error_frame;
		const size_t n = from_hex(maps[i].hex, bytes);
		ck_assert_msg(vbus_msgpack_decode(bytes, n, &frame, &error_frame) == maps[i].good, "map %zu", i);
	}
}
END_TEST

START_TEST(node_messages)
{
	struct vbus_request request;
	uint8_t message[VBUS_MESSAGE_MAX];
	ck_assert(vbus_request_decode((const uint8_t *)"A\5zgw", 5, &request));
	ck_assert_str_eq(request.name, "zgw");
	ck_assert_uint_eq(request.flags, 5);
	ck_assert(vbus_request_decode((const uint8_t *)"T\1\2\3\4\1\1\0\0\0\2\xaa\xbb", 13, &request));
	ck_assert_uint_eq(request.ticket, 0x04030201);
	ck_assert_uint_eq(request.frame.id, 0x101);
	ck_assert_uint_eq(request.frame.data[1], 0xbb);
	ck_assert(!vbus_request_decode((const uint8_t *)"T\1\2\3\4\1\1\0\0\0\2\xaa\xbb", 12, &request));
	ck_assert(!vbus_request_decode((const uint8_t *)"T\1\2\3\4\1\1\0\0\0\2\xaa\xbb\xcc", 14, &request));
	ck_assert(vbus_request_decode((const uint8_t *)"T\1\2\3\4\1\1\0\0\2\7", 11, &request)); /* remote: no data */
	ck_assert(!vbus_request_decode((const uint8_t *)"X1", 2, &request));
	ck_assert(!vbus_request_decode((const uint8_t *)"A", 1, &request));
	ck_assert(!vbus_request_decode((const uint8_t *)"A\10", 2, &request));
	ck_assert(!vbus_request_decode((const uint8_t *)"R", 1, &request));
	ck_assert(!vbus_request_decode((const uint8_t *)"", 0, &request));
	const struct canbus_event event = {.begin_ns = 1, .end_ns = 0x0102030405060708, .sender = 3, .frame = &secured, .node = 9};
	ck_assert_uint_eq(vbus_put_received(message, &event), 1 + 8 + 8 + 2 + 6 + 16);
	ck_assert_int_eq(memcmp(message, "R\1\0\0\0\0\0\0\0\10\7\6\5\4\3\2\1\3\0\1\1\0\0\14\20\0\1\2", 28), 0);
	ck_assert_uint_eq(vbus_put_overflow(message, 258), 5);
	ck_assert_int_eq(memcmp(message, "O\2\1\0\0", 5), 0);
	ck_assert_uint_eq(vbus_put_load(message, 1, 999, 2, 3), 19);
	ck_assert_uint_eq(vbus_put_state(message, &event), 16);
	ck_assert_uint_eq(vbus_put_failed(message, &event), 17);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vbus-codec");
	TCase *tests = tcase_create("codec");
	tcase_add_test(tests, cannelloni_bytes);
	tcase_add_test(tests, cannelloni_both_ways);
	tcase_add_test(tests, python_bytes);
	tcase_add_test(tests, python_both_ways);
	tcase_add_test(tests, python_odd_maps);
	tcase_add_test(tests, node_messages);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
