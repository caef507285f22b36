/* SPDX-License-Identifier: Apache-2.0 */
/* The UDS server's engine: precedence of negative responses, timers in virtual time, suppression, functional
 * addressing, and random requests. */
#include "../../core/uds_dtc.h"
#include "uds_bench.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ASK(request, answer)     ck_assert_str_eq(bench_ask(false, request), answer)
#define ASK_ALL(request, answer) ck_assert_str_eq(bench_ask(true, request), answer)
#define EXTENDED_SESSION         ASK("10 03", "50 03 00 32 01 F4")
#define UNLOCK_1                 ck_assert_str_eq(bench_unlock(1, true), "67 02")
#define RANDOM_REQUESTS          100000u

/* One request with two faults for each neighbouring pair of 11 > 7F > 13 > 12 > 7E > 33 > 24 > 13 > 22 > 31. */
START_TEST(u005_precedence)
{
	ASK("BB", "7F BB 11");    /* unknown service and too short for any: 11 */
	ASK("27", "7F 27 7F");    /* wrong session and too short: 7F */
	ASK("85 03", "7F 85 7F"); /* wrong session and unknown sub-function: 7F */
	ASK("31 04", "7F 31 13"); /* too short and unknown sub-function: 13 */
	ASK("19 03 FF FF FF", "7F 19 12");
	EXTENDED_SESSION;
	ASK("27 05 00 00", "7F 27 12"); /* unknown sub-function and too long: 12 */
	ASK("27 04", "7F 27 7E");       /* sub-function of another session and without seed, without key: 7E */
	ASK("31 02 02 03", "7F 31 33"); /* locked and not running: 33 */
	ASK("31 01 02 03 FF", "7F 31 33");
	ASK("27 02 11", "7F 27 24"); /* no seed and too short: 24 */
	UNLOCK_1;
	ASK("31 02 02 03 FF", "7F 31 24"); /* not running and too long: 24 */
	ASK("10 01 00", "7F 10 13");       /* too long */
	ASK("28 00 00 00", "7F 28 13");    /* too long and out of range: 13 */
	ASK("2E F1 90 49", "7F 2E 13");
	bench.from_extended = true;
	bench_restart();
	ASK("10 02 00", "7F 10 13"); /* too long and forbidden transition: 13 */
	bench.no_secret = true;
	bench_restart();
	EXTENDED_SESSION;
	ASK("27 01 00", "7F 27 13"); /* too long and conditions: 13 */
}
END_TEST

START_TEST(u004_u006_functional)
{
	ASK_ALL("BB", "");       /* 11 */
	ASK_ALL("10 7F", "");    /* 12 */
	ASK_ALL("22 12 34", ""); /* 31 */
	ASK_ALL("27 01", "");    /* 7F */
	ASK_ALL("10 01 00", "7F 10 13");
	EXTENDED_SESSION;
	ASK_ALL("27 03", ""); /* 7E */
	ASK_ALL("31 01 02 03", "7F 31 33");
	ASK_ALL("27 02 11 22 33 44", "7F 27 24");
}
END_TEST

START_TEST(u007_u008_suppression)
{
	ASK("3E 80", "");
	ASK("10 83", "");
	ASK("10 84", "7F 10 12");
	ASK("3E 80 00", "7F 3E 13");
	ASK("31 81 02 01", "");
	/* Services without sub-function: the bit is data. */
	ASK("22 80 00", "7F 22 31");
	ASK("14 80 00 00", "7F 14 31");
	/* A 0x78 makes the final answer come. */
	ASK("31 81 02 02 00 C8", "");
	bench_run_ms(300);
	ck_assert_str_eq(bench_answers(), "7F 31 78 | 71 01 02 02 00");
	/* Short enough to need none: stays silent. */
	ASK("31 81 02 02 00 05", "");
	bench_run_ms(100);
	ck_assert_str_eq(bench_answers(), "");
}
END_TEST

START_TEST(suppress_ignored_fault)
{
	bench.fault = FAULT_SUPPRESS_IGNORED;
	ASK("3E 80", "7E 00");
	ASK("10 83", "50 03 00 32 01 F4");
}
END_TEST

START_TEST(u009_u010_response_pending)
{
	uint64_t begin_us;

	bench_run_ms(10);
	begin_us = bench.now_us;
	ASK("31 01 02 02 30 D4", ""); /* 12,500 ms */
	bench_run_ms(12499);
	ck_assert_str_eq(bench_answers(), "7F 31 78 | 7F 31 78 | 7F 31 78 | 7F 31 78");
	ck_assert_uint_le(bench.answers[0].at_us - begin_us, 50000);
	for (unsigned i = 1; i < bench.answer_count; i++) {
		ck_assert_uint_le(bench.answers[i].at_us - bench.answers[i - 1].at_us, 5000000);
		ck_assert_uint_ge(bench.answers[i].at_us - bench.answers[i - 1].at_us, 1500000);
	}
	bench_run_ms(1);
	ck_assert_uint_eq(bench.answer_count, 5);
	ck_assert_uint_eq(bench.answers[4].at_us - begin_us, 12500000);
	ASK("31 03 02 02", "71 03 02 02 30 D4");
	/* Shorter than the time of the first 0x78: the answer itself. */
	ASK("31 01 02 02 00 14", "");
	bench_run_ms(20);
	ck_assert_str_eq(bench_answers(), "71 01 02 02 00");
}
END_TEST

START_TEST(u006_functional_after_pending)
{
	ASK_ALL("31 01 02 02 00 C8", "");
	bench_run_ms(200);
	ck_assert_str_eq(bench_answers(), "7F 31 78 | 71 01 02 02 00");
}
END_TEST

START_TEST(u012_s3)
{
	EXTENDED_SESSION;
	bench_run_ms(4999);
	ASK("22 F1 86", "62 F1 86 03");
	bench_run_ms(5000);
	ASK("22 F1 86", "62 F1 86 01");
	/* any request restarts it: suppressed, refused, functional */
	EXTENDED_SESSION;
	bench_run_ms(4000);
	ASK("3E 80", "");
	bench_run_ms(4000);
	ASK("BB", "7F BB 11");
	bench_run_ms(4000);
	ASK_ALL("BB", "");
	bench_run_ms(4000);
	ASK("22 F1 86", "62 F1 86 03");
	/* without a poll in between it is over all the same */
	bench.now_us += 5000000;
	ASK("22 F1 86", "62 F1 86 01");
}
END_TEST

START_TEST(u012_s3_while_busy)
{
	EXTENDED_SESSION;
	bench_run_ms(4000);
	ASK("31 01 02 02 1F 40", ""); /* 8,000 ms */
	bench_run_ms(8000);
	bench_run_ms(4999);
	ASK("22 F1 86", "62 F1 86 03");
}
END_TEST

START_TEST(u013_s3_effects)
{
	EXTENDED_SESSION;
	UNLOCK_1;
	ASK("28 03 03", "68 03");
	ASK("85 02", "C5 02");
	ASK("31 01 02 03", "71 01 02 03");
	ASK("22 FD 20", "62 FD 20 03 03 00 02");
	bench_run_ms(5000);
	ASK("22 FD 20", "62 FD 20 00 00 00 01");
	ASK("22 FD 30", "7F 22 33");
	EXTENDED_SESSION;
	UNLOCK_1;
	ASK("31 03 02 03", "7F 31 24");
}
END_TEST

START_TEST(u014_busy)
{
	uint8_t read[3] = {0x22, 0xF1, 0x86}, present[2] = {0x3E, 0x00}, quiet[2] = {0x3E, 0x80};

	ASK("31 01 02 02 01 F4", "");
	uds_server_request(0x0E81, false, read, sizeof(read), bench.now_us);
	ck_assert_str_eq(bench_answers(), "7F 22 21");
	ck_assert_uint_eq(bench.answers[0].tester, 0x0E81);
	uds_server_request(0x0E81, true, present, sizeof(present), bench.now_us);
	uds_server_request(0x0E81, true, quiet, sizeof(quiet), bench.now_us);
	uds_server_request(0x0E81, false, present, sizeof(present), bench.now_us);
	ck_assert_str_eq(bench_answers(), "7F 22 21 | 7E 00 | 7F 3E 21");
	bench.answer_count = 0;
	bench_run_ms(500);
	ck_assert_str_eq(bench_answers(), "7F 31 78 | 71 01 02 02 00");
	ck_assert_uint_eq(bench.answers[1].tester, BENCH_TESTER);
}
END_TEST

/* ---- several testers --------------------------------------------------------------------------------------- */

#define OTHER (BENCH_TESTER + 1)

static void as_other(const char *request, const char *answer)
{
	bench.tester = OTHER;
	ASK(request, answer);
	bench.tester = BENCH_TESTER;
}

static const struct {
	const char *request, *answer;
} foreign[] = {
        {"10 01", "7F 10 22"},       {"10 02", "7F 10 22"},
        {"10 03", "7F 10 22"},       {"10 83", "7F 10 22"},
        {"10 00", "7F 10 12"},       {"10", "7F 10 13"},
        {"11 01", "7F 11 22"},       {"11 03", "7F 11 22"},
        {"27 01", "7F 27 22"},       {"27 02 00 00 00 00", "7F 27 22"},
        {"27 03", "7F 27 22"},       {"27 04 00 00 00 00", "7F 27 22"},
        {"28 03 03", "7F 28 7F"},    {"85 02", "7F 85 7F"},
        {"2E FD 10 00", "7F 2E 7F"}, {"31 01 02 03", "7F 31 31"},
        {"31 03 02 03", "7F 31 31"}, {"31 01 02 04 12 34 56 01", "7F 31 31"},
        {"22 FD 30", "7F 22 33"},    {"34", "7F 34 11"},
        {"22 F1 86", "62 F1 86 01"}, {"22 FD 01", "62 FD 01 00 11"},
        {"3E 00", "7E 00"},          {"3E 80", ""},
};

START_TEST(foreign_tester)
{
	EXTENDED_SESSION;
	UNLOCK_1;
	ASK("31 01 02 03", "71 01 02 03");
	ASK("28 03 03", "68 03");
	for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++)
		as_other(foreign[i].request, foreign[i].answer);
	ck_assert_int_eq(strncmp((bench.tester = OTHER, bench_ask(false, "19 0A")), "59 0A", 5), 0);
	ASK_ALL("10 01", "7F 10 22");
	bench.tester = BENCH_TESTER;
	/* It changed nothing for the owner. */
	ck_assert_uint_eq(bench.resets, 0);
	ASK("22 F1 86", "62 F1 86 03");
	ck_assert_int_eq(strncmp(bench_ask(false, "22 FD 30"), "62 FD 30", 8), 0);
	ASK("27 01", "67 01 00 00 00 00");
	ASK("31 02 02 03", "71 02 02 03");
	ASK("22 FD 20", "62 FD 20 03 03 00 01");
}
END_TEST

/* A seed of the owner's is not there for another tester's key, and a foreign key spoils it not. */
START_TEST(foreign_key)
{
	EXTENDED_SESSION;
	ck_assert_int_eq(strncmp(bench_ask(false, "27 01"), "67 01", 5), 0);
	for (unsigned i = 0; i < 4; i++)
		as_other("27 02 00 00 00 00", "7F 27 22");
	UNLOCK_1;
}
END_TEST

START_TEST(foreign_requests_do_not_keep_the_session)
{
	EXTENDED_SESSION;
	bench_run_ms(4000);
	as_other("3E 80", "");
	as_other("3E 00", "7E 00");
	bench.tester = OTHER;
	ASK_ALL("3E 80", "");
	ASK_ALL("3E 00", "7E 00");
	ASK("BB", "7F BB 11");
	ASK("10 03", "7F 10 22");
	bench_run_ms(999);
	ASK("10 03", "7F 10 22");
	bench_run_ms(1);
	ASK("10 03", "50 03 00 32 01 F4");
	bench.tester = BENCH_TESTER;
	ASK("10 01", "7F 10 22");
	ASK("22 F1 86", "62 F1 86 01");
	/* The owner's requests do. */
	bench.tester = OTHER;
	bench_run_ms(4000);
	ASK_ALL("3E 80", "");
	bench_run_ms(4999);
	ASK("22 F1 86", "62 F1 86 03");
}
END_TEST

START_TEST(ownership_ends)
{
	EXTENDED_SESSION;
	UNLOCK_1;
	as_other("10 03", "7F 10 22");
	ASK("10 01", "50 01 00 32 01 F4");
	as_other("10 03", "50 03 00 32 01 F4");
	as_other("22 FD 30", "7F 22 33"); /* the access was not handed on */
	bench_restart();
	EXTENDED_SESSION;
	as_other("10 01", "7F 10 22");
	/* From session to session it stays the owner's. */
	ASK("10 02", "50 02 00 32 01 F4");
	as_other("10 02", "7F 10 22");
	ASK("11 01", "51 01");
	bench_restart();
	as_other("10 02", "50 02 00 32 01 F4");
}
END_TEST

/* A foreign routine must not use up the owner's S3, nor give it more. */
START_TEST(foreign_routine)
{
	EXTENDED_SESSION;
	bench_run_ms(4000);
	as_other("31 01 02 02 1F 40", ""); /* 8,000 ms */
	bench_run_ms(8000);
	ck_assert_uint_gt(bench.answer_count, 1);
	ck_assert_uint_eq(bench.answers[bench.answer_count - 1].tester, OTHER);
	bench_run_ms(999);
	as_other("10 01", "7F 10 22");
	bench_run_ms(1);
	as_other("10 01", "50 01 00 32 01 F4");
}
END_TEST

static void check_answers(const uint8_t *request)
{
	for (unsigned i = 0; i < bench.answer_count; i++) {
		const uint8_t *answer = bench.answers[i].data;

		ck_assert_uint_ge(bench.answers[i].length, 1);
		if (answer[0] == 0x7F) {
			ck_assert_uint_eq(bench.answers[i].length, 3);
			ck_assert_uint_eq(answer[1], request[0]);
			ck_assert_uint_ne(answer[2], 0);
		} else {
			ck_assert_uint_eq(answer[0], (uint8_t)(request[0] + 0x40));
		}
	}
}

START_TEST(u017_random)
{
	static const uint8_t services[] = {0x10, 0x11, 0x14, 0x19, 0x22, 0x27, 0x28, 0x2E, 0x31, 0x3E, 0x85};
	const char *text = getenv("UDS_SEED");
	unsigned seed = text != NULL ? (unsigned)strtoul(text, NULL, 0) : (unsigned)time(NULL);
	uint8_t request[64];

	printf("uds random requests: seed %u (UDS_SEED repeats it)\n", seed);
	fflush(stdout);
	srand(seed);
	for (unsigned n = 0; n < RANDOM_REQUESTS; n++) {
		size_t length = 1 + (size_t)rand() % (rand() % 4 == 0 ? sizeof(request) : 6);
		bool functional = rand() % 4 == 0;

		for (size_t i = 0; i < length; i++)
			request[i] = (uint8_t)rand();
		if (rand() % 2 == 0)
			request[0] = services[(size_t)rand() % sizeof(services)];
		if (length > 1 && rand() % 2 == 0)
			request[1] &= 0x83;
		bench_request(functional, request, length);
		bench_run_ms(request[0] == 0x31 ? 65536 : 1);
		check_answers(request);
		if (bench.resets > 0) {
			bench.resets = 0;
			bench_restart();
		}
	}
	ASK("3E 00", "7E 00");
}
END_TEST

static Suite *suite(void)
{
	const TTest *const tests[] = {
	        u005_precedence,
	        u004_u006_functional,
	        u007_u008_suppression,
	        suppress_ignored_fault,
	        u009_u010_response_pending,
	        u006_functional_after_pending,
	        u012_s3,
	        u012_s3_while_busy,
	        u013_s3_effects,
	        u014_busy,
	        foreign_tester,
	        foreign_key,
	        foreign_requests_do_not_keep_the_session,
	        ownership_ends,
	        foreign_routine,
	        u017_random,
	};
	Suite *s = suite_create("uds engine");
	TCase *tc = tcase_create("engine");

	tcase_add_checked_fixture(tc, bench_setup, NULL);
	tcase_set_timeout(tc, 60);
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
