/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../../proto/uds.h"
#include "test_proto.h"

#define MS 1000000LL

static const uint8_t session[] = {0x10, 0x03};
static const uint8_t read_two[] = {0x22, 0xf1, 0x90, 0xf1, 0x86};

#define RECEIVE(exchange, now_ns, ...)                                                                                                     \
	uds_exchange_receive((exchange), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), (now_ns))

START_TEST(positive_answer_ends)
{
	struct uds_exchange e;
	uds_exchange_begin(&e, session, sizeof(session), NULL, false, 1000 * MS);
	ck_assert_int_eq(e.deadline_ns, 1050 * MS);
	ck_assert(RECEIVE(&e, 1001 * MS, 0x50, 0x03, 0x00, 0x32, 0x01, 0xf4));
	ck_assert_int_eq(e.outcome, UDS_POSITIVE);
	ck_assert_uint_eq(e.response.length, 6);
	ck_assert(uds_exchange_expire(&e, 9000 * MS));
	ck_assert_int_eq(e.outcome, UDS_POSITIVE);
	ck_assert(RECEIVE(&e, 1002 * MS, 0x7f, 0x10, 0x22)); /* late: stray, nothing changes */
	ck_assert_int_eq(e.outcome, UDS_POSITIVE);
	ck_assert_uint_eq(e.stray, 1);
	uds_exchange_clear(&e);
}
END_TEST

START_TEST(negative_answer_ends)
{
	struct uds_exchange e;
	uds_exchange_begin(&e, session, sizeof(session), NULL, false, 0);
	ck_assert(RECEIVE(&e, MS, 0x7f, 0x10, 0x12));
	ck_assert_int_eq(e.outcome, UDS_NEGATIVE);
	ck_assert_uint_eq(e.nrc, 0x12);
	uds_exchange_clear(&e);
}
END_TEST

START_TEST(others_answers_are_stray)
{
	struct uds_exchange e;
	uds_exchange_begin(&e, session, sizeof(session), NULL, false, 0);
	ck_assert(!RECEIVE(&e, MS, 0x7f, 0x22, 0x12)); /* another service */
	ck_assert(!RECEIVE(&e, MS, 0x7f, 0x10));       /* no code */
	ck_assert(!RECEIVE(&e, MS, 0x51, 0x03));
	ck_assert(!RECEIVE(&e, MS, 0x50, 0x01)); /* another sub-function */
	ck_assert(!uds_exchange_receive(&e, NULL, 0, MS));
	ck_assert_uint_eq(e.stray, 5);
	ck_assert_int_eq(e.outcome, UDS_WAITING);
	ck_assert(RECEIVE(&e, MS, 0x50)); /* ours, but too short: for the caller to judge */
	uds_exchange_clear(&e);
}
END_TEST

START_TEST(echoes_are_compared)
{
	struct uds_exchange e;
	uds_exchange_begin(&e, read_two, sizeof(read_two), NULL, false, 0);
	ck_assert(!RECEIVE(&e, MS, 0x62, 0xf1, 0x91, 0x00));
	ck_assert(RECEIVE(&e, MS, 0x62, 0xf1, 0x86, 0x03)); /* the first identifier may be missing */
	uds_exchange_clear(&e);
	static const uint8_t suppressed[] = {0x3e, 0x80};
	uds_exchange_begin(&e, suppressed, sizeof(suppressed), NULL, true, 0);
	ck_assert(RECEIVE(&e, MS, 0x7e, 0x00)); /* not suppressed after all */
	ck_assert_int_eq(e.outcome, UDS_POSITIVE);
	uds_exchange_clear(&e);
	static const uint8_t routine[] = {0x31, 0x01, 0xff, 0x00};
	uds_exchange_begin(&e, routine, sizeof(routine), NULL, false, 0);
	ck_assert(!RECEIVE(&e, MS, 0x71, 0x01, 0xff, 0x01));
	ck_assert(RECEIVE(&e, MS, 0x71, 0x01, 0xff, 0x00, 0x10));
	uds_exchange_clear(&e);
}
END_TEST

START_TEST(pending_moves_the_deadline)
{
	struct uds_timing timing = {.p2_ns = 20 * MS, .p2_star_ns = 300 * MS, .margin_ns = 5 * MS, .max_pending = 2};
	struct uds_exchange e;
	uds_exchange_begin(&e, session, sizeof(session), &timing, true, 0);
	ck_assert_int_eq(e.deadline_ns, 25 * MS);
	ck_assert(!uds_exchange_expire(&e, 25 * MS - 1));
	ck_assert(!RECEIVE(&e, 24 * MS, 0x7f, 0x10, 0x78));
	ck_assert_int_eq(e.deadline_ns, 329 * MS);
	ck_assert(!RECEIVE(&e, 320 * MS, 0x7f, 0x10, 0x78));
	ck_assert_int_eq(e.deadline_ns, 625 * MS);
	ck_assert(uds_exchange_expire(&e, 625 * MS)); /* silence is no longer right */
	ck_assert_int_eq(e.outcome, UDS_TIMEOUT);
	uds_exchange_clear(&e);
	uds_exchange_begin(&e, session, sizeof(session), &timing, false, 0);
	ck_assert(!RECEIVE(&e, MS, 0x7f, 0x10, 0x78));
	ck_assert(!RECEIVE(&e, MS, 0x7f, 0x10, 0x78));
	ck_assert(RECEIVE(&e, MS, 0x7f, 0x10, 0x78)); /* one too many */
	ck_assert_int_eq(e.outcome, UDS_TIMEOUT);
	ck_assert_uint_eq(e.pending, 3);
	uds_exchange_clear(&e);
}
END_TEST

START_TEST(silence_and_timeout_differ)
{
	struct uds_exchange e;
	uds_exchange_begin(&e, session, sizeof(session), NULL, true, 0);
	ck_assert(uds_exchange_expire(&e, 50 * MS));
	ck_assert_int_eq(e.outcome, UDS_SILENT);
	uds_exchange_begin(&e, session, sizeof(session), NULL, false, 0);
	ck_assert(uds_exchange_expire(&e, 50 * MS));
	ck_assert_int_eq(e.outcome, UDS_TIMEOUT);
	uds_exchange_begin(&e, NULL, 0, NULL, false, 0); /* an empty request has no answer */
	ck_assert(!RECEIVE(&e, MS, 0x40));
	ck_assert_uint_eq(e.stray, 1);
}
END_TEST

START_TEST(names_are_known)
{
	ck_assert_str_eq(uds_service_name(0x22), "ReadDataByIdentifier");
	ck_assert_ptr_null(uds_service_name(0x62));
	ck_assert_str_eq(uds_nrc_name(0x31), "requestOutOfRange");
	ck_assert_str_eq(uds_nrc_name(0x7f), "serviceNotSupportedInActiveSession");
	ck_assert_ptr_null(uds_nrc_name(0x00));
}
END_TEST

Suite *uds_suite(void)
{
	Suite *suite = suite_create("uds");
	TCase *tests = tcase_create("uds");
	tcase_add_test(tests, positive_answer_ends);
	tcase_add_test(tests, negative_answer_ends);
	tcase_add_test(tests, others_answers_are_stray);
	tcase_add_test(tests, echoes_are_compared);
	tcase_add_test(tests, pending_moves_the_deadline);
	tcase_add_test(tests, silence_and_timeout_differ);
	tcase_add_test(tests, names_are_known);
	suite_add_tcase(suite, tests);
	return suite;
}
