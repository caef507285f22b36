/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../../core/message.h"
#include "test_device.h"

static struct message_decoder decoder;

static void setup(void)
{
	message_decoder_open(&decoder);
}

static void give(const void *bytes, size_t length)
{
	size_t size;
	uint8_t *space = message_decoder_space(&decoder, &size);
	ck_assert_uint_ge(size, length);
	memcpy(space, bytes, length);
	message_decoder_added(&decoder, length);
}

START_TEST(vectors)
{
	uint8_t out[MESSAGE_SIZE_MAX];
	ck_assert_uint_eq(message_encode(MESSAGE_HELLO, (const uint8_t *)"AB1", 3, out), 8);
	ck_assert_mem_eq(out,
	                 "\x00\x00\x00\x04\x01"
	                 "AB1",
	                 8);
	ck_assert_uint_eq(message_encode(MESSAGE_HEARTBEAT, (const uint8_t *)"\x00\x00\x00\x07", 4, out), 9);
	ck_assert_mem_eq(out, "\x00\x00\x00\x05\x03\x00\x00\x00\x07", 9);
	ck_assert_uint_eq(message_encode(MESSAGE_ECHO_REQUEST, NULL, 0, out), 5);
	ck_assert_mem_eq(out, "\x00\x00\x00\x01\x04", 5);
	ck_assert_uint_eq(message_encode(MESSAGE_ECHO_ANSWER, out, MESSAGE_PAYLOAD_MAX + 1, out), 0);
}
END_TEST

/* Byte by byte, and several at once: the same messages. */
START_TEST(pieces)
{
	static const uint8_t stream[] = {0, 0, 0, 1, 4, 0, 0, 0, 6, 2, 3, 0, 0, 0, 9, 0, 0, 0, 3, 5, 'h', 'i'};
	static const enum message_type types[] = {MESSAGE_ECHO_REQUEST, MESSAGE_ACKNOWLEDGEMENT, MESSAGE_ECHO_ANSWER};
	static const size_t lengths[] = {0, 5, 2};
	struct message message;
	unsigned count = 0;
	size_t step = (size_t)_i, at = 0;
	while (at < sizeof stream) {
		size_t part = sizeof stream - at < step ? sizeof stream - at : step;
		give(stream + at, part);
		at += part;
		while (message_decoder_next(&decoder, &message) == MESSAGE_READY) {
			ck_assert_uint_lt(count, 3);
			ck_assert_int_eq(message.type, types[count]);
			ck_assert_uint_eq(message.length, lengths[count++]);
		}
		ck_assert(!decoder.broken);
	}
	ck_assert_uint_eq(count, 3);
}
END_TEST

START_TEST(longest)
{
	uint8_t out[MESSAGE_SIZE_MAX], payload[MESSAGE_PAYLOAD_MAX];
	struct message message;
	size_t size;
	memset(payload, 0xa5, sizeof payload);
	ck_assert_uint_eq(message_encode(MESSAGE_ECHO_REQUEST, payload, sizeof payload, out), MESSAGE_SIZE_MAX);
	for (unsigned round = 0; round < 3; round++) {
		give(out, sizeof out);
		ck_assert_int_eq(message_decoder_next(&decoder, &message), MESSAGE_READY);
		ck_assert_mem_eq(message.payload, payload, sizeof payload);
	}
	(void)message_decoder_space(&decoder, &size);
	ck_assert_uint_eq(size, MESSAGE_SIZE_MAX);
}
END_TEST

START_TEST(malformed)
{
	static const struct {
		const char *bytes;
		size_t length;
	} bad[] = {
	        {"\x00\x00\x00\x00", 4}, /* no type */
	        {"\x00\x00\x04\x01", 4}, /* 1025: told before anything is waited for */
	        {"\xff\xff\xff\xff", 4},
	        {"\x00\x00\x00\x01\x00", 5}, /* types */
	        {"\x00\x00\x00\x01\x06", 5},
	        {"\x00\x00\x00\x01\x01", 5}, /* a hello without serial */
	        {"\x00\x00\x00\x02\x01 ", 6},
	        {"\x00\x00\x00\x01\x02", 5}, /* an acknowledgement of nothing */
	        {"\x00\x00\x00\x04\x03\x00\x00\x00", 8},
	};
	struct message message;
	size_t size;
	give(bad[_i].bytes, bad[_i].length);
	ck_assert_int_eq(message_decoder_next(&decoder, &message), MESSAGE_BROKEN);
	ck_assert_int_eq(message_decoder_next(&decoder, &message), MESSAGE_BROKEN);
	(void)message_decoder_space(&decoder, &size);
	ck_assert_uint_eq(size, 0);
}
END_TEST

TCase *message_cases(void)
{
	TCase *cases = tcase_create("message");
	tcase_add_checked_fixture(cases, setup, NULL);
	tcase_add_test(cases, vectors);
	tcase_add_loop_test(cases, pieces, 1, 24);
	tcase_add_test(cases, longest);
	tcase_add_loop_test(cases, malformed, 0, 9);
	return cases;
}
