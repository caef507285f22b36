/* SPDX-License-Identifier: Apache-2.0 */
/* Services 34, 36, 37 and the routines of an update in front of a scripted update server. Case numbers (U…) are those of the
 * conformance list. */
#include "../../core/swpg.h"
#include "fake_update.h"
#include "uds_bench.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK(request, answer) ck_assert_str_eq(bench_ask(false, request), answer)
#define CALLS(expected)      ck_assert_str_eq(calls(), expected)
#define DOWNLOAD             "34 00 44 A0 38 00 00 00 00 10 00"
#define PENDING              0x78

/* What was called since the last time, but for the end of sessions. */
static const char *calls(void)
{
	static char text[64];
	size_t length = 0;

	for (const char *c = fake_update.calls; *c != '\0'; c++)
		if (*c != 's')
			text[length++] = *c;
	text[length] = '\0';
	memset(fake_update.calls, 0, sizeof(fake_update.calls));
	return text;
}

static void setup(void)
{
	fake_update_clear();
	fake_update.possible = true;
	bench_setup();
}

static void programming(void)
{
	ASK("10 02", "50 02 00 32 01 F4");
	ck_assert_str_eq(bench_unlock(3, true), "67 04");
	(void)calls();
}

static void download(void)
{
	programming();
	ASK(DOWNLOAD, "74 20 0F FF");
	(void)calls();
}

START_TEST(without_flash)
{
	fake_update.possible = false;
	ASK("10 02", "50 02 00 32 01 F4");
	ck_assert_str_eq(bench_unlock(3, true), "67 04");
	ASK(DOWNLOAD, "7F 34 11");
	ASK("36 01 00", "7F 36 11");
	ASK("37", "7F 37 11");
	ASK("31 01 FF 00", "7F 31 31");
	ASK("31 01 F0 12", "7F 31 31");
	ASK("22 FD 50", "7F 22 31");
	CALLS("");
}
END_TEST

START_TEST(sessions_and_security)
{
	ASK(DOWNLOAD, "7F 34 7F");
	ASK("36 01 00", "7F 36 7F");
	ASK("37", "7F 37 7F");
	ASK("31 01 FF 01", "7F 31 31");
	ASK("10 02", "50 02 00 32 01 F4");
	ASK(DOWNLOAD, "7F 34 33");
	ASK("36 01 00", "7F 36 33");
	ASK("36", "7F 36 33");
	ASK("37", "7F 37 33");
	ASK("31 01 FF 00 44 A0 38 00 00 00 00 40 00", "7F 31 33");
	ASK("31 01 FF 01", "7F 31 33");
	ASK("31 01 F0 10 00", "7F 31 33");
	ASK("31 01 F0 11", "7F 31 33");
	ASK("31 01 F0 12", "7F 31 33");
	ASK("31 01 F0 13", "7F 31 33");
	ASK("31 02 FF 00", "7F 31 12");
	CALLS("");
	/* Level 1 is not enough. */
	ck_assert_str_eq(bench_unlock(1, true), "67 02");
	ASK(DOWNLOAD, "7F 34 33");
	CALLS("");
}
END_TEST

START_TEST(confirm_in_two_sessions)
{
	ASK("31 01 F0 12", "7F 31 31");
	ASK("10 03", "50 03 00 32 01 F4");
	ASK("31 01 F0 12", "7F 31 33");
	ck_assert_str_eq(bench_unlock(1, true), "67 02");
	ASK("31 01 F0 12", "71 01 F0 12");
	CALLS("f");
	ASK("31 01 F0 11", "7F 31 31");
	programming();
	ASK("31 01 F0 12", "71 01 F0 12");
	ASK("31 01 F0 12 00", "7F 31 13");
	CALLS("f");
}
END_TEST

START_TEST(u110_request_download)
{
	programming();
	ASK("34", "7F 34 13");
	ASK("34 00", "7F 34 13");
	ASK("34 00 44", "7F 34 13");
	ASK("34 00 44 A0 38 00 00 00 00 10", "7F 34 13");
	ASK(DOWNLOAD " 00", "7F 34 13");
	ASK("34 00 33 38 00 00 00 10 00", "7F 34 31");
	ASK("34 00 00 A0 38 00 00 00 00 10 00", "7F 34 31");
	CALLS("");
	ASK("34 10 44 A0 38 00 00 00 01 23 45", "74 20 0F FF");
	CALLS("b");
	ck_assert_uint_eq(fake_update.address, 0xA0380000u);
	ck_assert_uint_eq(fake_update.size, 0x12345u);
	ck_assert_uint_eq(fake_update.format, 0x10);
	fake_update.answer = 0x70;
	ASK(DOWNLOAD, "7F 34 70");
}
END_TEST

static void block(uint8_t counter, size_t length, uint8_t fill, const char *answer)
{
	static uint8_t request[4200];

	memset(request, fill, sizeof(request));
	request[0] = 0x36;
	request[1] = counter;
	bench_request(false, request, length + 2);
	ck_assert_str_eq(bench_answers(), answer);
}

START_TEST(transport_limits_the_block)
{
	bench.max_response = 258;
	bench_restart();
	programming();
	ASK(DOWNLOAD, "74 20 01 02");
	block(0x01, 257, 0, "7F 36 13");
	block(0x01, 256, 0, "76 01");
}
END_TEST

START_TEST(u111_counter)
{
	char answer[16];

	download();
	block(0x00, 4, 1, "7F 36 73");
	block(0x02, 4, 1, "7F 36 73");
	CALLS("");
	for (unsigned i = 1; i <= 3 * 256 + 2; i++) {
		snprintf(answer, sizeof(answer), "76 %02X", i & 0xFF);
		block((uint8_t)i, 4, (uint8_t)i, answer);
		CALLS("d");
	}
	block(0x01, 4, 1, "7F 36 73");
	block(0x04, 4, 1, "7F 36 73");
	CALLS("");
}
END_TEST

START_TEST(u111_wrap_to_one_is_wrong)
{
	char answer[16];

	download();
	for (unsigned i = 1; i <= 255; i++) {
		snprintf(answer, sizeof(answer), "76 %02X", i & 0xFF);
		block((uint8_t)i, 1, 0, answer);
	}
	block(0x01, 1, 0, "7F 36 73");
	block(0x00, 1, 0, "76 00");
}
END_TEST

START_TEST(planted_wrap)
{
	bench.fault = FAULT_OTA_WRAP;
	download();
	for (unsigned i = 1; i <= 255; i++)
		bench_request(false, (const uint8_t[]){0x36, (uint8_t)i, 0}, 3);
	block(0x00, 1, 0, "7F 36 73");
	block(0x01, 1, 0, "76 01");
}
END_TEST

START_TEST(u111_repeat)
{
	download();
	block(0x01, 10, 7, "76 01");
	CALLS("d");
	block(0x01, 10, 7, "76 01");
	block(0x01, 10, 7, "76 01");
	CALLS("");
	block(0x01, 10, 8, "7F 36 31");
	block(0x01, 11, 7, "7F 36 31");
	CALLS("");
	block(0x02, 10, 7, "76 02");
	CALLS("d");
	block(0x01, 10, 7, "7F 36 73");
}
END_TEST

START_TEST(u111_lengths)
{
	download();
	ASK("36", "7F 36 13");
	ASK("36 01", "7F 36 13");
	CALLS("");
	block(0x01, OTA_MAX_BLOCK + 1, 1, "7F 36 13");
	CALLS("");
	block(0x01, OTA_MAX_BLOCK, 9, "76 01");
	CALLS("d");
	ck_assert_uint_eq(fake_update.length, OTA_MAX_BLOCK);
	ck_assert_uint_eq(fake_update.first, 9);
}
END_TEST

START_TEST(sequence)
{
	programming();
	block(0x01, 4, 1, "7F 36 24");
	ASK("37", "7F 37 24");
	ASK(DOWNLOAD, "74 20 0F FF");
	block(0x01, 4, 1, "76 01");
	(void)calls();
	ASK("37 12", "7F 37 13");
	ASK("37 12 34 56 78 9A", "7F 37 13");
	CALLS("");
	ASK("37 12 34 56 78", "77");
	CALLS("x");
	ck_assert(fake_update.has_crc);
	ck_assert_uint_eq(fake_update.crc32, 0x12345678u);
	ASK("37", "7F 37 24");
	block(0x02, 4, 1, "7F 36 24");
	CALLS("");
}
END_TEST

START_TEST(failures_end_the_transfer)
{
	static const struct {
		uint8_t nrc;
		bool over;
	} cases[] = {{0x71, true}, {0x72, true}, {0x31, true}, {0x92, false}, {0x93, false}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char refused[16];

		setup();
		download();
		fake_update.answer = cases[i].nrc;
		snprintf(refused, sizeof(refused), "7F 36 %02X", cases[i].nrc);
		block(0x01, 4, 1, refused);
		fake_update.answer = 0;
		/* A block that was not taken comes again with its counter. */
		block(0x01, 4, 1, cases[i].over ? "7F 36 24" : "76 01");
	}
}
END_TEST

START_TEST(late_answers)
{
	download();
	fake_update.answer = PENDING;
	fake_update.result = PENDING;
	block(0x01, 4, 1, "");
	bench_run_ms(24);
	ck_assert_str_eq(bench_answers(), "");
	bench_run_ms(10);
	ck_assert_str_eq(bench_answers(), "7F 36 78");
	ASK("22 F1 86", "7F 22 21");
	bench.answer_count = 0;
	fake_update.result = 0;
	bench_run_ms(1);
	ck_assert_str_eq(bench_answers(), "76 01");
	/* A block that came late counts as taken once. */
	fake_update.answer = 0;
	(void)calls();
	block(0x01, 4, 1, "76 01");
	CALLS("");
	block(0x02, 4, 1, "76 02");
}
END_TEST

START_TEST(late_failure)
{
	download();
	fake_update.answer = PENDING;
	fake_update.result = PENDING;
	ASK("37", "");
	bench_run_ms(10);
	fake_update.result = 0x72;
	bench_run_ms(1);
	ck_assert_str_eq(bench_answers(), "7F 37 78 | 7F 37 72"); /* the record may take its time: told at once */
}
END_TEST

START_TEST(u112_pending_is_bounded)
{
	unsigned count = 0;

	programming();
	fake_update.answer = PENDING;
	fake_update.result = PENDING;
	ASK("31 01 FF 00 44 A0 38 00 00 00 00 40 00", "");
	for (unsigned second = 0; second < 300; second++) {
		bench.answer_count = 0;
		bench_run_ms(1000);
		count += bench.answer_count;
		if (strstr(bench_answers(), "7F 31 72") != NULL)
			break;
	}
	ck_assert_str_eq(bench_answers(), "7F 31 72");
	ck_assert_uint_ge(count, 30);
	ck_assert_uint_le(count, 60);
	fake_update.answer = 0;
	ASK("22 F1 86", "62 F1 86 02");
}
END_TEST

START_TEST(u113_session_ends_the_transfer)
{
	download();
	block(0x01, 4, 1, "76 01");
	ASK("10 02", "50 02 00 32 01 F4");
	ck_assert_str_eq(bench_unlock(3, true), "67 04");
	ck_assert_ptr_nonnull(strchr(fake_update.calls, 's'));
	block(0x02, 4, 1, "7F 36 24");
	ASK(DOWNLOAD, "74 20 0F FF");
	memset(fake_update.calls, 0, sizeof(fake_update.calls));
	bench_run_ms(5100); /* S3 */
	ck_assert_ptr_nonnull(strchr(fake_update.calls, 's'));
	block(0x01, 4, 1, "7F 36 7F");
	download();
	block(0x01, 4, 1, "76 01");
}
END_TEST

START_TEST(lost_access_ends_the_transfer)
{
	download();
	ck_assert_str_eq(bench_unlock(1, true), "67 02");
	block(0x01, 4, 1, "7F 36 33");
	ck_assert_ptr_nonnull(strchr(fake_update.calls, 's'));
	ck_assert_str_eq(bench_unlock(3, true), "67 04");
	block(0x01, 4, 1, "7F 36 24");
}
END_TEST

START_TEST(a_second_tester)
{
	download();
	block(0x01, 4, 1, "76 01");
	(void)calls();
	bench.tester = BENCH_TESTER + 1;
	ASK("36 02 AA", "7F 36 7F");
	ASK("36 01 01 01 01 01", "7F 36 7F");
	ASK("37", "7F 37 7F");
	ASK(DOWNLOAD, "7F 34 7F");
	ASK("31 01 FF 00 44 A0 38 00 00 00 00 40 00", "7F 31 31");
	ASK("31 01 FF 01", "7F 31 31");
	ASK("31 01 F0 10 00", "7F 31 31");
	ASK("31 01 F0 11", "7F 31 31");
	ASK("31 01 F0 12", "7F 31 31");
	ASK("31 01 F0 13", "7F 31 31");
	ASK("10 01", "7F 10 22");
	ASK("10 02", "7F 10 22");
	ASK("11 01", "7F 11 22");
	ck_assert_str_eq(bench_unlock(3, true), "7F 27 22");
	ck_assert_str_eq(fake_update.calls, ""); /* not even the end of a session */
	ck_assert_uint_eq(bench.resets, 0);
	bench.tester = BENCH_TESTER;
	block(0x02, 4, 1, "76 02");
	CALLS("d");
}
END_TEST

START_TEST(a_second_tester_does_not_confirm)
{
	ASK("10 03", "50 03 00 32 01 F4");
	ck_assert_str_eq(bench_unlock(1, true), "67 02");
	(void)calls();
	bench.tester = BENCH_TESTER + 1;
	ASK("31 01 F0 12", "7F 31 31");
	CALLS("");
	bench.tester = BENCH_TESTER;
	ASK("31 01 F0 12", "71 01 F0 12");
	CALLS("f");
}
END_TEST

START_TEST(routines)
{
	programming();
	ASK("31 01 F0 10 AA BB", "71 01 F0 10");
	CALLS("o");
	ck_assert_uint_eq(fake_update.length, 2);
	ck_assert_uint_eq(fake_update.first, 0xAA);
	ASK("31 01 FF 00 44 A0 38 00 00 00 00 40 00", "71 01 FF 00 00");
	CALLS("e");
	ck_assert_uint_eq(fake_update.address, 0xA0380000u);
	ck_assert_uint_eq(fake_update.size, 0x4000u);
	ASK("31 01 FF 00", "7F 31 13");
	ASK("31 01 FF 00 44 A0 38 00 00 00 00 40", "7F 31 13");
	ASK("31 01 FF 00 24 A0 38 00 00 00 00 40 00", "7F 31 31");
	CALLS("");
	ASK("31 01 FF 01", "71 01 FF 01");
	ASK("31 01 FF 01 00 91 01 02 03 04", "71 01 FF 01");
	CALLS("cic");
	ck_assert_uint_eq(fake_update.target, 0x0091);
	ASK("31 01 FF 01 00 91 01 02 03", "7F 31 13");
	ASK("31 01 F0 11", "71 01 F0 11");
	ASK("31 01 F0 11 00", "7F 31 13");
	ASK("31 01 F0 13", "71 01 F0 13");
	CALLS("an");
	fake_update.answer = 0x22;
	ASK("31 01 F0 11", "7F 31 22");
	/* The others are still there, and a late one of them too. */
	ASK("31 01 02 01", "71 01 02 01");
	ASK("31 01 02 02 00 0A", "");
	bench_run_ms(15);
	ck_assert_str_eq(bench_answers(), "71 01 02 02 00");
}
END_TEST

START_TEST(identifiers)
{
	ASK("22 FD 52",
	    "62 FD 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52 52");
	ck_assert_uint_eq(strlen(bench_ask(false, "22 FD 50")), 3 * (3 + OTA_STATE_LENGTH) - 1);
	ck_assert_uint_eq(strlen(bench_ask(false, "22 FD 51")), 3 * (3 + SWPG_DIGEST_SIZE) - 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("uds programming");
	TCase *tcase = tcase_create("programming");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, without_flash);
	tcase_add_test(tcase, sessions_and_security);
	tcase_add_test(tcase, confirm_in_two_sessions);
	tcase_add_test(tcase, u110_request_download);
	tcase_add_test(tcase, transport_limits_the_block);
	tcase_add_test(tcase, u111_counter);
	tcase_add_test(tcase, u111_wrap_to_one_is_wrong);
	tcase_add_test(tcase, planted_wrap);
	tcase_add_test(tcase, u111_repeat);
	tcase_add_test(tcase, u111_lengths);
	tcase_add_test(tcase, sequence);
	tcase_add_test(tcase, failures_end_the_transfer);
	tcase_add_test(tcase, late_answers);
	tcase_add_test(tcase, late_failure);
	tcase_add_test(tcase, u112_pending_is_bounded);
	tcase_add_test(tcase, u113_session_ends_the_transfer);
	tcase_add_test(tcase, lost_access_ends_the_transfer);
	tcase_add_test(tcase, a_second_tester);
	tcase_add_test(tcase, a_second_tester_does_not_confirm);
	tcase_add_test(tcase, routines);
	tcase_add_test(tcase, identifiers);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
