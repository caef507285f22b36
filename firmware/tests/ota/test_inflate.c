/* SPDX-License-Identifier: Apache-2.0 */
/* The streaming inflate: what a member may be, how it is cut into calls, what it never does, and its memory. */
#include "../../core/ota_inflate.h"
#include "gzip_maker.h"
#include "maker.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE   100000u
#define MEMBER (SIZE + 80000u)
#define ANY    SIZE_MAX

static uint8_t software[SIZE], member[2 * MEMBER], out[SIZE + 4096];
static size_t member_length;
static const struct gzip_options usual = {.level = 6};

struct outcome {
	enum ota_inflate_status status;
	size_t taken, given;
};

/* Feeds `length` bytes in calls of at most `in` and `room` bytes until the stream ends, breaks, or has nothing more to take. */
static struct outcome feed(const uint8_t *data, size_t length, size_t in, size_t room)
{
	struct outcome sum = {OTA_INFLATE_MORE, 0, 0};

	ota_inflate_begin();
	while (sum.status == OTA_INFLATE_MORE) {
		size_t taken, given, part = length - sum.taken < in ? length - sum.taken : in;
		size_t space = sizeof(out) - sum.given < room ? sizeof(out) - sum.given : room;

		if (space < sizeof(out) - sum.given)
			out[sum.given + space] = 0xEE;
		sum.status = ota_inflate(data + sum.taken, part, &taken, out + sum.given, space, &given);
		/* Not ck_assert(): it writes to a pipe each time, and this goes byte by byte. */
		if (taken > part || given > space)
			ck_abort_msg("took %zu of %zu, gave %zu of %zu", taken, part, given, space);
		if (space < sizeof(out) - sum.given && out[sum.given + space] != 0xEE)
			ck_abort_msg("a byte behind the room");
		sum.taken += taken;
		sum.given += given;
		if (taken == 0 && given == 0)
			break;
	}
	return sum;
}

static void setup(void)
{
	maker_software(1, software, sizeof(software));
	member_length = gzip_make(&usual, software, sizeof(software), member);
}

static const size_t calls[][2] = {{ANY, ANY}, {1, ANY}, {ANY, 1}, {1, 1}, {4093, 256}, {7, 32}, {4096, 4096}, {64, 16384}};

START_TEST(any_cut_gives_the_same_bytes)
{
	struct outcome outcome = feed(member, member_length, calls[_i][0], calls[_i][1]);

	ck_assert_int_eq(outcome.status, OTA_INFLATE_END);
	ck_assert_uint_eq(outcome.taken, member_length);
	ck_assert_uint_eq(outcome.given, SIZE);
	ck_assert_mem_eq(out, software, SIZE);
}
END_TEST

START_TEST(levels_and_empty_and_stored)
{
	struct gzip_options options = {.level = _i};
	struct outcome outcome;

	member_length = gzip_make(&options, software, SIZE, member);
	outcome = feed(member, member_length, 4093, 256);
	ck_assert_int_eq(outcome.status, OTA_INFLATE_END);
	ck_assert_mem_eq(out, software, SIZE);
	member_length = gzip_make(&options, software, 0, member);
	outcome = feed(member, member_length, 1, 1);
	ck_assert_int_eq(outcome.status, OTA_INFLATE_END);
	ck_assert_uint_eq(outcome.taken, member_length);
	ck_assert_uint_eq(outcome.given, 0);
}
END_TEST

START_TEST(the_end_is_found_without_room)
{
	size_t taken, given, total;

	ota_inflate_begin();
	ck_assert_int_eq(ota_inflate(member, member_length - 8, &taken, out, SIZE, &given), OTA_INFLATE_MORE);
	ck_assert_uint_eq(given, SIZE);
	total = taken;
	ck_assert_int_eq(ota_inflate(member + total, member_length - total, &taken, NULL, 0, &given), OTA_INFLATE_END);
	ck_assert_uint_eq(given, 0);
	ck_assert_uint_eq(total + taken, member_length);
	ck_assert_int_eq(ota_inflate(member, member_length, &taken, out, SIZE, &given), OTA_INFLATE_END); /* and stays ended */
	ck_assert_uint_eq(taken, 0);
	ck_assert_uint_eq(given, 0);
}
END_TEST

START_TEST(no_truncated_stream_ends)
{
	size_t cuts = 0;

	for (size_t length = 0; length < member_length; length += length + 1024 < member_length - 64 ? 1024 : 1, cuts++) {
		struct outcome outcome;

		if (length + 1024 >= member_length - 64 && length < member_length - 64)
			length = member_length - 64;
		outcome = feed(member, length, ANY, ANY);
		ck_assert_int_eq(outcome.status, OTA_INFLATE_MORE);
		ck_assert_uint_eq(outcome.taken, length);
		ck_assert_mem_eq(out, software, outcome.given);
	}
	ck_assert_uint_ge(cuts, 64 + (member_length - 64) / 1024);
}
END_TEST

START_TEST(crc_and_length_of_the_stream_are_checked)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		uint8_t *place = member + member_length - 8 + bit / 8;

		*place ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(feed(member, member_length, ANY, ANY).status, OTA_INFLATE_BROKEN);
		*place ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_int_eq(feed(member, member_length, ANY, ANY).status, OTA_INFLATE_END);
}
END_TEST

START_TEST(broken_stays_broken_until_begun_anew)
{
	size_t taken, given;

	member[0] ^= 1;
	ck_assert_int_eq(feed(member, member_length, ANY, ANY).status, OTA_INFLATE_BROKEN);
	member[0] ^= 1;
	ck_assert_int_eq(ota_inflate(member, member_length, &taken, out, SIZE, &given), OTA_INFLATE_BROKEN);
	ck_assert_uint_eq(taken + given, 0);
	ck_assert_int_eq(feed(member, member_length, ANY, ANY).status, OTA_INFLATE_END);
}
END_TEST

START_TEST(nothing_is_taken_before_begin)
{
	size_t taken, given;

	ck_assert_int_eq(ota_inflate(member, member_length, &taken, out, SIZE, &given), OTA_INFLATE_BROKEN);
}
END_TEST

START_TEST(a_bomb_fills_only_what_it_is_given)
{
	static uint8_t zeros[8u << 20], small[65536];
	size_t length = gzip_make(&usual, zeros, sizeof(zeros), small), taken, given;
	uint8_t room[257];

	ck_assert_uint_ge(sizeof(zeros) / length, 900); /* it is one */
	ota_inflate_begin();
	memset(room, 0xEE, sizeof(room));
	ck_assert_int_eq(ota_inflate(small, length, &taken, room, 256, &given), OTA_INFLATE_MORE);
	ck_assert_uint_eq(given, 256);
	ck_assert_uint_eq(room[256], 0xEE);
	ck_assert_uint_lt(taken, length);
}
END_TEST

START_TEST(one_byte_too_many_is_seen)
{
	size_t taken, given, total;
	uint8_t more;

	ota_inflate_begin();
	ck_assert_int_eq(ota_inflate(member, member_length, &taken, out, SIZE - 1, &given), OTA_INFLATE_MORE);
	ck_assert_uint_eq(given, SIZE - 1);
	total = taken;
	ck_assert_int_eq(ota_inflate(member + total, member_length - total, &taken, &more, 1, &given), OTA_INFLATE_END);
	ck_assert_uint_eq(given, 1);
}
END_TEST

START_TEST(a_second_member_is_left)
{
	size_t second = gzip_make(&usual, software, 1000, member + member_length);
	struct outcome outcome = feed(member, member_length + second, 4093, 4096);

	ck_assert_int_eq(outcome.status, OTA_INFLATE_END);
	ck_assert_uint_eq(outcome.taken, member_length);
	ck_assert_uint_eq(outcome.given, SIZE);
}
END_TEST

static const struct {
	struct gzip_options options;
	enum ota_inflate_status status;
} headers[] = {
        {{.level = 6, .flags = GZIP_TEXT}, OTA_INFLATE_END},
        {{.level = 6, .flags = GZIP_HEADER_CRC}, OTA_INFLATE_END},
        {{.level = 6, .flags = GZIP_HEADER_CRC, .wrong_header_crc = true}, OTA_INFLATE_BROKEN},
        {{.level = 6, .flags = GZIP_NAME | GZIP_COMMENT, .name = 20, .comment = 30}, OTA_INFLATE_END},
        {{.level = 6, .flags = GZIP_EXTRA, .extra = 0}, OTA_INFLATE_END},
        {{.level = 6, .flags = GZIP_EXTRA | GZIP_HEADER_CRC, .extra = 65535}, OTA_INFLATE_END},
        {{.level = 6, .flags = GZIP_EXTRA | GZIP_NAME, .extra = 65535, .name = 2035}, OTA_INFLATE_END}, /* 66 KiB - 1 */
        {{.level = 6, .flags = GZIP_EXTRA | GZIP_NAME, .extra = 65535, .name = 2036}, OTA_INFLATE_END}, /* 66 KiB */
        {{.level = 6, .flags = GZIP_EXTRA | GZIP_NAME, .extra = 65535, .name = 2037}, OTA_INFLATE_BROKEN},
        {{.level = 6, .flags = GZIP_NAME, .name = 70000}, OTA_INFLATE_BROKEN},
        {{.level = 6, .flags = GZIP_COMMENT, .comment = 70000}, OTA_INFLATE_BROKEN},
        {{.level = 6, .flags = 0x20}, OTA_INFLATE_BROKEN}, /* in zlib's own format this bit is the preset dictionary */
        {{.level = 6, .flags = 0x40}, OTA_INFLATE_BROKEN},
        {{.level = 6, .flags = 0x80}, OTA_INFLATE_BROKEN},
        {{.level = 6, .method = 7}, OTA_INFLATE_BROKEN},
        {{.level = 6, .method = 9}, OTA_INFLATE_BROKEN},
};

START_TEST(header_fields_have_a_policy)
{
	member_length = gzip_make(&headers[_i].options, software, SIZE, member);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct outcome outcome = feed(member, member_length, calls[i][0], calls[i][1]);

		ck_assert_int_eq(outcome.status, headers[_i].status);
		if (outcome.status == OTA_INFLATE_END)
			ck_assert_mem_eq(out, software, SIZE);
	}
}
END_TEST

START_TEST(a_name_without_end_is_broken_off)
{
	static uint8_t endless[200000];

	memset(endless, 'n', sizeof(endless));
	memcpy(endless, "\x1F\x8B\x08\x08\0\0\0\0\0\x03", 10);
	for (size_t in = 1; in < sizeof(endless); in = in * 5 + 1) {
		struct outcome outcome = feed(endless, sizeof(endless), in, ANY);

		ck_assert_int_eq(outcome.status, OTA_INFLATE_BROKEN);
		ck_assert_uint_le(outcome.taken, 66 * 1024 + 1);
	}
}
END_TEST

static const struct {
	const char *what, *bytes;
	size_t length;
} streams[] = {
        {"distance behind the begin", "\x1F\x8B\x08\0\0\0\0\0\0\x03\x73\x04\x22\x00\0\0\0\0\0\0\0\0", 22},
        {"block type 3", "\x1F\x8B\x08\0\0\0\0\0\0\x03\x07\0\0\0\0\0\0\0\0\0", 20},
        {"stored length and complement", "\x1F\x8B\x08\0\0\0\0\0\0\x03\x01\x05\x00\x05\x00hello", 20},
        {"too many length codes", "\x1F\x8B\x08\0\0\0\0\0\0\x03\xFD\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 20},
        {"zlib's format", "\x78\x9C\x03\0\0\0\0\x01", 8},
        {"raw deflate", "\x03\x00", 2},
        {"raw bytes",
         "\x7F"
         "ELF\x01\x01\x01\0\0\0\0\0",
         12},
        {"bzip2", "BZh91AY&SY", 10},
};

START_TEST(what_is_no_gzip_is_broken)
{
	struct outcome outcome = feed((const uint8_t *)streams[_i].bytes, streams[_i].length, ANY, ANY);

	ck_assert_msg(outcome.status == OTA_INFLATE_BROKEN, "%s", streams[_i].what);
}
END_TEST

/* RFC 1951, 3.2.6: a fixed block with the match (3, 1) first, which has nothing to copy from; then the same behind a literal. */
START_TEST(distance_reaches_to_the_begin_only)
{
	static const uint8_t too_far[] = {0x03, 0x02, 0x00}, just_right[] = {0x4B, 0x04, 0x02, 0x00};
	struct outcome outcome;

	member_length = gzip_wrap(&usual, too_far, sizeof(too_far), (const uint8_t *)"aaa", 3, member);
	ck_assert_int_eq(feed(member, member_length, ANY, ANY).status, OTA_INFLATE_BROKEN);
	member_length = gzip_wrap(&usual, just_right, sizeof(just_right), (const uint8_t *)"aaaa", 4, member);
	outcome = feed(member, member_length, ANY, ANY);
	ck_assert_int_eq(outcome.status, OTA_INFLATE_END);
	ck_assert_mem_eq(out, "aaaa", 4);
}
END_TEST

START_TEST(memory_has_a_ceiling)
{
	for (int level = 0; level <= 9; level++) {
		struct gzip_options options = {.level = level};

		for (int again = 0; again < 3; again++) {
			member_length = gzip_make(&options, software, SIZE, member);
			ck_assert_int_eq(feed(member, member_length, 4093, 256).status, OTA_INFLATE_END);
		}
	}
	printf("inflate: %zu of %zu bytes of its arena\n", ota_inflate_peak(), ota_inflate_arena());
	ck_assert_uint_ge(ota_inflate_peak(), 32768); /* the window was really asked for */
	ck_assert_uint_le(ota_inflate_peak(), ota_inflate_arena());
	ck_assert_uint_le(ota_inflate_arena(), 41000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ota_inflate");
	TCase *cases = tcase_create("stream");
	SRunner *runner;
	int failed;

	tcase_set_timeout(cases, 60);
	tcase_add_checked_fixture(cases, setup, NULL);
	tcase_add_loop_test(cases, any_cut_gives_the_same_bytes, 0, sizeof(calls) / sizeof(calls[0]));
	tcase_add_loop_test(cases, levels_and_empty_and_stored, 0, 10);
	tcase_add_test(cases, the_end_is_found_without_room);
	tcase_add_test(cases, no_truncated_stream_ends);
	tcase_add_test(cases, crc_and_length_of_the_stream_are_checked);
	tcase_add_test(cases, broken_stays_broken_until_begun_anew);
	tcase_add_test(cases, nothing_is_taken_before_begin);
	tcase_add_test(cases, a_bomb_fills_only_what_it_is_given);
	tcase_add_test(cases, one_byte_too_many_is_seen);
	tcase_add_test(cases, a_second_member_is_left);
	tcase_add_loop_test(cases, header_fields_have_a_policy, 0, sizeof(headers) / sizeof(headers[0]));
	tcase_add_test(cases, a_name_without_end_is_broken_off);
	tcase_add_loop_test(cases, what_is_no_gzip_is_broken, 0, sizeof(streams) / sizeof(streams[0]));
	tcase_add_test(cases, distance_reaches_to_the_begin_only);
	tcase_add_test(cases, memory_has_a_ceiling);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
