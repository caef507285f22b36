/* SPDX-License-Identifier: Apache-2.0 */
/* Every service of the UDS server, positive and negative. Case numbers (U…) are those of the conformance list. */
#include "../../core/cmac.h"
#include "../../core/uds_did.h"
#include "../../core/uds_dtc.h"
#include "uds_bench.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ASK(request, answer)     ck_assert_str_eq(bench_ask(false, request), answer)
#define ASK_ALL(request, answer) ck_assert_str_eq(bench_ask(true, request), answer)
#define EXTENDED_SESSION         ASK("10 03", "50 03 00 32 01 F4")
#define PROGRAMMING_SESSION      ASK("10 02", "50 02 00 32 01 F4")
#define UNLOCK_1                 ck_assert_str_eq(bench_unlock(1, true), "67 02")

START_TEST(u001_unsupported_service)
{
	ASK("BA", "7F BA 11");
	ASK("34 00 44", "7F 34 11");
	ASK_ALL("BA", "");
}
END_TEST

START_TEST(u020_sessions)
{
	ASK("10 01", "50 01 00 32 01 F4");
	ASK("10 02", "50 02 00 32 01 F4");
	ASK("10 03", "50 03 00 32 01 F4");
	ASK("22 F1 86", "62 F1 86 03");
	ASK("10 81", "");
	ASK("22 F1 86", "62 F1 86 01");
	ASK("10 83", "");
	ASK("22 F1 86", "62 F1 86 03");
}
END_TEST

START_TEST(u021_session_errors)
{
	ASK("10 00", "7F 10 12");
	ASK("10 04", "7F 10 12");
	ASK("10 7F", "7F 10 12");
	ASK("10 FF", "7F 10 12");
	ASK("10", "7F 10 13");
	ASK("10 01 00", "7F 10 13");
}
END_TEST

START_TEST(u022_transitions)
{
	bench.from_extended = true;
	bench_restart();
	ASK("10 02", "7F 10 22");
	ASK("22 F1 86", "62 F1 86 01");
	EXTENDED_SESSION;
	PROGRAMMING_SESSION;
	/* A transition clears security, also one to the same session. */
	UNLOCK_1;
	bench_ask(false, "22 FD 30");
	ck_assert_uint_eq(bench.answers[0].length, 7);
	PROGRAMMING_SESSION;
	ASK("22 FD 30", "7F 22 33");
}
END_TEST

START_TEST(u030_reset)
{
	static const char *const requests[] = {"11 01", "11 02", "11 03"};
	static const char *const answers[] = {"51 01", "51 02", "51 03"};

	for (unsigned i = 0; i < 3; i++) {
		bench_setup();
		EXTENDED_SESSION;
		ASK(requests[i], answers[i]);
		ck_assert_uint_eq(bench.resets, 1);
		ck_assert_uint_eq(bench.reset_type, i + 1);
		ck_assert(bench.reset_after_answer);
		/* Nothing is begun between the answer and the reset. */
		ASK("22 F1 90", "7F 22 21");
		ck_assert_uint_eq(bench.resets, 1);
		bench_restart();
		ASK("22 F1 86", "62 F1 86 01");
	}
}
END_TEST

START_TEST(u031_reset_errors)
{
	ASK("11 00", "7F 11 12");
	ASK("11 05", "7F 11 12");
	ASK("11", "7F 11 13");
	ASK("11 01 00", "7F 11 13");
	ck_assert_uint_eq(bench.resets, 0);
	ASK("11 81", "");
	ck_assert_uint_eq(bench.resets, 1);
}
END_TEST

START_TEST(u040_clear)
{
	uds_dtc_report(UDS_DTC_LOST_PEER, true);
	uds_dtc_report(UDS_DTC_SELF_TEST, true);
	ASK("19 02 FF", "59 02 2F 06 06 00 2F C1 46 00 2F");
	ASK("14 C1 46 00", "54");
	ASK("19 02 FF", "59 02 2F 06 06 00 2F");
	ASK("14 FF FF FF", "54");
	ASK("19 02 FF", "59 02 2F");
	ASK("14 12 34 56", "7F 14 31");
	ASK("14 FF FF", "7F 14 13");
	ASK("14 FF FF FF 00", "7F 14 13");
	bench.nvm_broken = true;
	ASK("14 FF FF FF", "7F 14 72");
}
END_TEST

START_TEST(u050_read_dtc)
{
	ASK("19 01 FF", "59 01 2F 01 00 00");
	uds_dtc_report(UDS_DTC_LOST_PEER, true);
	ASK("19 01 FF", "59 01 2F 01 00 01");
	ASK("19 01 08", "59 01 2F 01 00 01");
	ASK("19 01 50", "59 01 2F 01 00 00");
	ASK("19 02 00", "59 02 2F");
	ASK("19 0A", "59 0A 2F 06 06 00 00 06 30 00 00 C1 46 00 2F");
	ASK("19 03", "7F 19 12");
	ASK("19", "7F 19 13");
	ASK("19 01", "7F 19 13");
	ASK("19 02 FF FF", "7F 19 13");
	ASK("19 0A FF", "7F 19 13");
	ASK("19 8A", "");
}
END_TEST

START_TEST(u052_dtc_life)
{
	uint8_t index = 2; /* UDS_DTC_LOST_PEER */

	ck_assert_uint_eq(uds_dtc_code(index), UDS_DTC_LOST_PEER);
	ck_assert_uint_eq(uds_dtc_status(index), 0x50);
	uds_dtc_report(UDS_DTC_LOST_PEER, true);
	ck_assert_uint_eq(uds_dtc_status(index), 0x2F);
	uds_dtc_report(UDS_DTC_LOST_PEER, false);
	ck_assert_uint_eq(uds_dtc_status(index), 0x2E);
	uds_dtc_new_cycle();
	ck_assert_uint_eq(uds_dtc_status(index), 0x6C); /* failed last cycle: still pending */
	uds_dtc_report(UDS_DTC_LOST_PEER, false);
	uds_dtc_new_cycle();
	ck_assert_uint_eq(uds_dtc_status(index), 0x68);
	for (unsigned i = 1; i < UDS_DTC_AGING_CYCLES; i++) {
		ck_assert_uint_eq(uds_dtc_status(index) & UDS_DTC_CONFIRMED, UDS_DTC_CONFIRMED);
		uds_dtc_report(UDS_DTC_LOST_PEER, false);
		uds_dtc_new_cycle();
	}
	ck_assert_uint_eq(uds_dtc_status(index), 0x40);
	uds_dtc_report(UDS_DTC_LOST_PEER, true);
	bench_restart();
	ASK("19 02 08", "59 02 2F C1 46 00 2C");
	ck_assert(!uds_dtc_report(0x123456, true));
}
END_TEST

START_TEST(u060_read_data)
{
	ASK("22 F1 90", "62 F1 90 48 49 4C 42 45 4E 43 48 5A 47 57 30 30 30 30 30 31");
	ASK("22 F1 8C F1 95 F1 87", "62 F1 8C 53 31 F1 95 30 2E 31 2E 30 F1 87 50 31");
	ASK("22 FD 01", "62 FD 01 00 11");
	ASK("22 12 34 F1 86", "62 F1 86 01");
	ASK("22 F1 86 12 34", "62 F1 86 01");
	ASK("22 12 34", "7F 22 31");
	ASK("22 12 34 12 35", "7F 22 31");
	ASK_ALL("22 12 34", "");
	ASK_ALL("22 F1 86", "62 F1 86 01");
}
END_TEST

START_TEST(u061_read_data_lengths)
{
	uint8_t list[1 + 2 * 17];

	ASK("22", "7F 22 13");
	ASK("22 F1", "7F 22 13");
	ASK("22 F1 86 F1", "7F 22 13");
	list[0] = 0x22;
	for (size_t i = 0; i < 17; i++)
		memcpy(list + 1 + 2 * i, "\xF1\x86", 2);
	bench_request(false, list, 1 + 2 * 16);
	ck_assert_uint_eq(bench.answers[0].length, 1 + 3 * 16);
	bench_request(false, list, sizeof(list));
	ck_assert_str_eq(bench_answers(), "7F 22 13");
	ASK("22 FD 11 FD 12", "7F 22 14");
	ASK("22 FD 12 FD 12", "7F 22 14");
	bench_ask(false, "22 FD 12 F1 86");
	ck_assert_uint_eq(bench.answers[0].length, 1 + 2 + 3000 + 3);
	/* security comes before the length of the answer, support before security */
	ASK("22 FD 11 FD 12 FD 30", "7F 22 33");
	ASK("22 F1 86 FD 30", "7F 22 33");
	ASK("22 12 34 FD 30", "7F 22 33");
}
END_TEST

START_TEST(u015_transport_limit)
{
	bench.max_response = 2003;
	bench_restart();
	bench_ask(false, "22 FD 11");
	ck_assert_uint_eq(bench.answers[0].length, 2003);
	bench.max_response = 2002;
	bench_restart();
	ASK("22 FD 11", "7F 22 14");
	ASK("22 FD 10 F1 86", "62 FD 10 00 F1 86 01");
}
END_TEST

START_TEST(u063_write_data)
{
	static const char *const vin = "2E F1 90 57 42 41 5A 5A 5A 31 32 33 34 35 36 37 38 39 30 31";
	uint8_t stored[17];

	ASK(vin, "7F 2E 7F");
	EXTENDED_SESSION;
	ASK(vin, "7F 2E 33");
	ck_assert(!uds_did_stored_vin(stored));
	UNLOCK_1;
	ASK("2E F1 90 57", "7F 2E 13");
	ASK("2E F1 90 69 42 41 5A 5A 5A 31 32 33 34 35 36 37 38 39 30 31", "7F 2E 31"); /* a small letter */
	bench.nvm_broken = true;
	ASK(vin, "7F 2E 72");
	bench.nvm_broken = false;
	ASK(vin, "6E F1 90");
	ASK("22 F1 90", "62 F1 90 57 42 41 5A 5A 5A 31 32 33 34 35 36 37 38 39 30 31");
	bench_restart();
	ASK("22 F1 90", "62 F1 90 57 42 41 5A 5A 5A 31 32 33 34 35 36 37 38 39 30 31");
	ck_assert(uds_did_stored_vin(stored));
	ck_assert_mem_eq(stored, "WBAZZZ12345678901", 17);
}
END_TEST

START_TEST(u063_write_scratch)
{
	char request[8 + 3 * 70] = "2E FD 10";

	EXTENDED_SESSION;
	ASK("2E FD 10", "7F 2E 13");
	ASK("2E FD 10 01 02 03", "6E FD 10");
	ASK("22 FD 10", "62 FD 10 01 02 03");
	ASK("2E F1 86 01", "7F 2E 31");
	ASK("2E 12 34 01", "7F 2E 31");
	for (int i = 0; i < 64; i++)
		memcpy(request + 8 + 3 * i, " AA", 4);
	ASK(request, "6E FD 10");
	memcpy(request + 8 + 3 * 64, " AA", 4);
	ASK(request, "7F 2E 13");
	ASK("2E FD 10 55", "6E FD 10");
	bench_restart();
	ASK("22 FD 10", "62 FD 10 55");
	PROGRAMMING_SESSION;
	ASK("2E FD 10 55", "7F 2E 31");
}
END_TEST

START_TEST(u070_security)
{
	uint8_t key[16], mac[16], seed[4];

	/* RFC 4493 example 2, so that the server's own CMAC is not its only witness. */
	bench_bytes("2b7e151628aed2a6abf7158809cf4f3c", key, sizeof(key));
	uint8_t message[16], expected[16];
	bench_bytes("6bc1bee22e409f96e93d7e117393172a", message, sizeof(message));
	bench_bytes("070a16b46b4d4144f79bdd9dd04a287c", expected, sizeof(expected));
	ck_assert(cmac_once(key, message, sizeof(message), mac));
	ck_assert_mem_eq(mac, expected, 16);

	ASK("27 01", "7F 27 7F");
	EXTENDED_SESSION;
	bench_ask(false, "27 01");
	ck_assert_uint_eq(bench.answers[0].length, 6);
	memcpy(seed, bench.answers[0].data + 2, 4);
	bench_ask(false, "27 01");
	ck_assert_mem_ne(seed, bench.answers[0].data + 2, 4);
	UNLOCK_1;
	ASK("27 01", "67 01 00 00 00 00");
	ASK("10 01", "50 01 00 32 01 F4");
	EXTENDED_SESSION;
	bench_ask(false, "27 01");
	ck_assert_str_ne(bench_answers(), "67 01 00 00 00 00");
}
END_TEST

START_TEST(u071_security_errors)
{
	PROGRAMMING_SESSION;
	ASK("27 02 11 22 33 44", "7F 27 24");
	bench_ask(false, "27 01");
	ASK("27 04 11 22 33 44", "7F 27 24");
	ck_assert_str_eq(bench_unlock(1, false), "7F 27 35");
	ASK("27 02 11 22 33 44", "7F 27 24"); /* the seed is used up */
	ck_assert_str_eq(bench_unlock(1, false), "7F 27 35");
	ck_assert_str_eq(bench_unlock(1, false), "7F 27 36");
	ASK("27 01", "7F 27 37");
	ASK("27 03", "7F 27 37");
	bench_run_ms(4000);
	PROGRAMMING_SESSION;
	bench_run_ms(4000);
	PROGRAMMING_SESSION;
	bench_run_ms(1999);
	ASK("27 01", "7F 27 37");
	bench_run_ms(1);
	UNLOCK_1;
	bench.no_secret = true;
	bench_restart();
	EXTENDED_SESSION;
	ASK("27 01", "7F 27 22");
}
END_TEST

START_TEST(u072_security_over_reset)
{
	EXTENDED_SESSION;
	ck_assert_str_eq(bench_unlock(1, false), "7F 27 35");
	ck_assert_str_eq(bench_unlock(1, false), "7F 27 35");
	bench_restart();
	EXTENDED_SESSION;
	ck_assert_str_eq(bench_unlock(1, false), "7F 27 36");
	bench_run_ms(3000);
	bench_restart();
	EXTENDED_SESSION;
	ASK("27 01", "7F 27 37");
	bench_run_ms(9999);
	EXTENDED_SESSION;
	ASK("27 01", "7F 27 37");
	bench_run_ms(1);
	UNLOCK_1;
	bench_restart();
	EXTENDED_SESSION;
	ck_assert_str_eq(bench_unlock(1, false), "7F 27 35"); /* a right key cleared the count */
}
END_TEST

START_TEST(u073_security_lengths)
{
	EXTENDED_SESSION;
	ASK("27", "7F 27 13");
	ASK("27 02", "7F 27 13");
	ASK("27 01 00", "7F 27 13");
	ASK("27 00", "7F 27 12");
	ASK("27 7F", "7F 27 12");
	ASK("27 03", "7F 27 7E");
	bench_ask(false, "27 01");
	ASK("27 02", "7F 27 13");
	ASK("27 02 11 22 33", "7F 27 13");
	ASK("27 02 11 22 33 44 55", "7F 27 13");
	PROGRAMMING_SESSION;
	ck_assert_str_eq(bench_unlock(3, true), "67 04");
	ASK("22 FD 30", "7F 22 33"); /* level 3 is not level 1 */
	UNLOCK_1;
	bench_ask(false, "27 03");
	ck_assert_uint_eq(bench.answers[0].length, 6);
	ck_assert_str_ne(bench_answers(), "67 03 00 00 00 00"); /* and the other way round */
}
END_TEST

START_TEST(u090_communication)
{
	ASK("28 00 01", "7F 28 7F");
	EXTENDED_SESSION;
	ASK("28 03 03", "68 03");
	ASK("22 FD 20", "62 FD 20 03 03 00 01");
	ASK("28 01 01", "68 01");
	ASK("28 02 02", "68 02");
	ASK("22 FD 20", "62 FD 20 01 02 00 01");
	ASK("28 04 01 00 11", "68 04");
	ASK("22 FD 20", "62 FD 20 01 02 01 01");
	ASK("28 05 01 00 11", "68 05");
	ASK("28 04 01 00 12", "7F 28 31");
	ASK("28 04 01", "7F 28 13");
	ASK("28 00 00", "7F 28 31");
	ASK("28 00 04", "7F 28 31");
	ASK("28 00 11", "7F 28 31");
	ASK("28 00 F3", "68 00");
	ASK("28 06 01", "7F 28 12");
	ASK("28 00", "7F 28 13");
	ASK("28 00 01 00", "7F 28 13");
	ASK("28 83 03", "");
	EXTENDED_SESSION;
	ASK("22 FD 20", "62 FD 20 03 03 00 01"); /* kept among non-default sessions */
	ASK("10 01", "50 01 00 32 01 F4");
	ASK("22 FD 20", "62 FD 20 00 00 00 01");
}
END_TEST

START_TEST(u091_dtc_setting)
{
	ASK("85 02", "7F 85 7F");
	EXTENDED_SESSION;
	ASK("85 02", "C5 02");
	ASK("22 FD 20", "62 FD 20 00 00 00 02");
	ASK("31 01 02 04 C1 46 00 01", "71 01 02 04");
	ASK("19 02 FF", "59 02 2F"); /* frozen */
	ASK("14 FF FF FF", "54");    /* clearing is allowed while frozen */
	ASK("85 01", "C5 01");
	ASK("31 01 02 04 C1 46 00 01", "71 01 02 04");
	ASK("19 02 01", "59 02 2F C1 46 00 2F");
	ASK("85 02 FF FF FF", "C5 02");
	ASK("85 02 00 00 01", "7F 85 31");
	ASK("85 02 FF FF", "7F 85 13");
	ASK("85 03", "7F 85 12");
	ASK("85", "7F 85 13");
	bench_run_ms(5000);
	ASK("22 FD 20", "62 FD 20 00 00 00 01");
}
END_TEST

START_TEST(u100_routines)
{
	ASK("31 03 02 01", "7F 31 24");
	ASK("31 01 02 01", "71 01 02 01");
	ASK("31 03 02 01", "71 03 02 01 00");
	ASK("31 02 02 01", "7F 31 12");
	ASK("31 01 02 01 00", "7F 31 13");
	ASK("31 01 99 99", "7F 31 31");
	ASK("31 04 02 01", "7F 31 12");
	ASK("31 01 02", "7F 31 13");
	ASK("31 01 02 02 00 00", "7F 31 31");
	ASK("31 01 02 02 00", "7F 31 13");
	ASK("31 01 02 03", "7F 31 31"); /* not offered in this session */
	EXTENDED_SESSION;
	ASK("31 01 02 03", "7F 31 33");
	ASK("31 02 02 03", "7F 31 33");
	UNLOCK_1;
	ASK("31 02 02 03", "7F 31 24");
	ASK("31 03 02 03", "7F 31 24");
	ASK("31 01 02 03", "71 01 02 03");
	ASK("31 01 02 03", "7F 31 24");
	bench_run_ms(1500);
	ASK("31 03 02 03", "71 03 02 03 00 00 05 DC");
	ASK("31 02 02 03", "71 02 02 03");
	ASK("31 02 02 03", "7F 31 24");
	ASK("31 01 02 04 12 34 56 01", "7F 31 31");
	ASK("31 01 02 04 C1 46 00 02", "7F 31 31");
}
END_TEST

START_TEST(u120_tester_present)
{
	ASK("3E 00", "7E 00");
	ASK("3E 80", "");
	ASK("3E 01", "7F 3E 12");
	ASK("3E", "7F 3E 13");
	ASK("3E 00 00", "7F 3E 13");
	ASK_ALL("3E 00", "7E 00");
	ASK_ALL("3E 80", "");
	ASK_ALL("3E 01", "");
}
END_TEST

static Suite *suite(void)
{
	const TTest *const tests[] = {
	        u001_unsupported_service,
	        u020_sessions,
	        u021_session_errors,
	        u022_transitions,
	        u030_reset,
	        u031_reset_errors,
	        u040_clear,
	        u050_read_dtc,
	        u052_dtc_life,
	        u060_read_data,
	        u061_read_data_lengths,
	        u015_transport_limit,
	        u063_write_data,
	        u063_write_scratch,
	        u070_security,
	        u071_security_errors,
	        u072_security_over_reset,
	        u073_security_lengths,
	        u090_communication,
	        u091_dtc_setting,
	        u100_routines,
	        u120_tester_present,
	};
	Suite *s = suite_create("uds services");
	TCase *tc = tcase_create("services");

	tcase_add_checked_fixture(tc, bench_setup, NULL);
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
