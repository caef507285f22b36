/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../../daemon/lab/health.h"

#define SECOND INT64_C(1000000000)

static const struct health_rules rules = {.quarantine_after = 3, .recovery_after_ns = 10 * SECOND};

static struct rig_record fresh(void)
{
	static char name[] = "v1";
	return (struct rig_record){.name = name, .reason = strdup(""), .online = true};
}

static const char *feed(struct rig_record *record, enum health_input input, const char *text, int64_t now)
{
	const char *kind = "never set";
	health_next(record, input, text, &rules, now, &kind);
	return kind ? kind : "";
}

START_TEST(errors_in_a_row_quarantine)
{
	struct rig_record record = fresh();
	char why[100];
	ck_assert_str_eq(feed(&record, HEALTH_RUN_BENCH_ERROR, "board zgw is lost", 1), "suspect");
	ck_assert_int_eq(record.health, HEALTH_SUSPECT);
	ck_assert_str_eq(record.reason, "board zgw is lost");
	ck_assert(health_fit(&record, why, sizeof(why)));
	ck_assert_str_eq(feed(&record, HEALTH_RUN_BENCH_ERROR, "again", 2), "bench_error");
	ck_assert_str_eq(feed(&record, HEALTH_RUN_BENCH_ERROR, "and again", 3), "quarantined");
	ck_assert_int_eq(record.since_utc_ns, 3);
	ck_assert(!health_fit(&record, why, sizeof(why)));
	ck_assert_str_eq(why, "quarantined: and again");
	/* What a run that was still under way says does not free it. */
	ck_assert_str_eq(feed(&record, HEALTH_RUN_GOOD, NULL, 4), "");
	ck_assert_int_eq(record.health, HEALTH_QUARANTINED);
	ck_assert_str_eq(record.reason, "and again");
	ck_assert_str_eq(feed(&record, HEALTH_RUN_BENCH_ERROR, "late", 5), "bench_error");
	ck_assert_str_eq(record.reason, "and again");
	ck_assert_int_eq(record.since_utc_ns, 3);
	free(record.reason);
}
END_TEST

START_TEST(a_good_run_ends_the_row)
{
	struct rig_record record = fresh();
	ck_assert_str_eq(feed(&record, HEALTH_RUN_GOOD, NULL, 1), "");
	feed(&record, HEALTH_RUN_BENCH_ERROR, "a", 2);
	feed(&record, HEALTH_RUN_BENCH_ERROR, "b", 3);
	ck_assert_str_eq(feed(&record, HEALTH_RUN_GOOD, NULL, 4), "recovered");
	ck_assert_int_eq(record.health, HEALTH_HEALTHY);
	ck_assert_uint_eq(record.bench_errors, 0);
	ck_assert_str_eq(record.reason, "");
	feed(&record, HEALTH_RUN_BENCH_ERROR, "c", 5);
	feed(&record, HEALTH_RUN_BENCH_ERROR, "d", 6);
	ck_assert_int_eq(record.health, HEALTH_SUSPECT);
	free(record.reason);
}
END_TEST

START_TEST(quarantine_after_one)
{
	const struct health_rules strict = {.quarantine_after = 1, .recovery_after_ns = SECOND};
	struct rig_record record = fresh();
	const char *kind;
	ck_assert(health_next(&record, HEALTH_RUN_BENCH_ERROR, "x", &strict, 1, &kind));
	ck_assert_str_eq(kind, "quarantined");
	free(record.reason);
}
END_TEST

START_TEST(failed_cleanup_quarantines_at_once)
{
	struct rig_record record = fresh();
	ck_assert_str_eq(feed(&record, HEALTH_CLEANUP_FAILED, "clean-up failed: zgw stays on", 7), "quarantined");
	ck_assert_int_eq(record.health, HEALTH_QUARANTINED);
	ck_assert_str_eq(feed(&record, HEALTH_CLEANUP_FAILED, "once more", 8), "cleanup");
	ck_assert_str_eq(record.reason, "clean-up failed: zgw stays on");
	ck_assert_int_eq(record.since_utc_ns, 7);
	free(record.reason);
}
END_TEST

START_TEST(offline_and_back)
{
	struct rig_record record = fresh();
	char why[100];
	ck_assert_str_eq(feed(&record, HEALTH_CHECK_GOOD, NULL, 1), "");
	ck_assert_str_eq(feed(&record, HEALTH_CHECK_FAILED, "can0 is down", 2), "offline");
	ck_assert(!health_fit(&record, why, sizeof(why)));
	ck_assert_str_eq(why, "offline: can0 is down");
	ck_assert_str_eq(feed(&record, HEALTH_CHECK_FAILED, "can0 is down", 3), "");
	ck_assert_int_eq(record.since_utc_ns, 2);
	ck_assert_str_eq(feed(&record, HEALTH_CHECK_FAILED, "the supply is silent", 3), "");
	ck_assert_str_eq(record.reason, "the supply is silent");
	ck_assert_int_eq(record.since_utc_ns, 2);
	ck_assert_str_eq(feed(&record, HEALTH_CHECK_GOOD, NULL, 4), "online");
	ck_assert(health_fit(&record, why, sizeof(why)));
	ck_assert_str_eq(record.reason, "");
	free(record.reason);
}
END_TEST

START_TEST(a_new_rig_is_not_there_again)
{
	struct rig_record record = fresh();
	record.online = false; /* nobody has looked yet */
	ck_assert_str_eq(feed(&record, HEALTH_CHECK_GOOD, NULL, 2), "");
	ck_assert(record.online);
	free(record.reason);
}
END_TEST

START_TEST(a_new_rig_that_is_not_there)
{
	struct rig_record record = fresh();
	record.online = false; /* nobody has looked yet */
	ck_assert_str_eq(feed(&record, HEALTH_CHECK_FAILED, "can0 is down", 2), "offline");
	ck_assert_str_eq(record.reason, "can0 is down");
	free(record.reason);
}
END_TEST

START_TEST(offline_keeps_the_quarantine)
{
	struct rig_record record = fresh();
	feed(&record, HEALTH_CLEANUP_FAILED, "dirty", 1);
	feed(&record, HEALTH_CHECK_FAILED, "gone", 2);
	ck_assert_str_eq(record.reason, "dirty");
	feed(&record, HEALTH_CHECK_GOOD, NULL, 3);
	ck_assert_int_eq(record.health, HEALTH_QUARANTINED);
	ck_assert_str_eq(record.reason, "dirty");
	ck_assert_int_eq(record.since_utc_ns, 1);
	free(record.reason);
}
END_TEST

START_TEST(recovery_backs_off)
{
	struct rig_record record = fresh();
	ck_assert_int_eq(health_recovery_due_ns(&record, &rules), 0);
	feed(&record, HEALTH_CLEANUP_FAILED, "dirty", 100 * SECOND);
	ck_assert_int_eq(health_recovery_due_ns(&record, &rules), 110 * SECOND);
	int64_t now = 110 * SECOND, delay = 10 * SECOND;
	for (unsigned i = 0; i < 12; i++) {
		ck_assert_str_eq(feed(&record, HEALTH_RECOVERY_FAILED, "self-test failed", now), "recovery");
		delay = delay < 640 * SECOND ? 2 * delay : delay;
		ck_assert_int_eq(health_recovery_due_ns(&record, &rules), now + delay);
		now += delay;
	}
	ck_assert_str_eq(record.reason, "dirty; the recovery failed: self-test failed");
	ck_assert_str_eq(feed(&record, HEALTH_RECOVERY_GOOD, NULL, now), "recovered");
	ck_assert_int_eq(record.health, HEALTH_HEALTHY);
	ck_assert_uint_eq(record.recoveries, 0);
	/* The next quarantine begins with the first delay again. */
	feed(&record, HEALTH_CLEANUP_FAILED, "dirty", now);
	ck_assert_int_eq(health_recovery_due_ns(&record, &rules), now + 10 * SECOND);
	free(record.reason);
}
END_TEST

START_TEST(by_hand_stays)
{
	struct rig_record record = fresh();
	char why[100];
	ck_assert_str_eq(feed(&record, HEALTH_BY_HAND, "ada: solder", 5), "operator");
	ck_assert(!health_fit(&record, why, sizeof(why)));
	ck_assert_str_eq(why, "quarantined: by hand: ada: solder");
	ck_assert_int_eq(health_recovery_due_ns(&record, &rules), 0);
	feed(&record, HEALTH_RECOVERY_FAILED, "x", 6);
	ck_assert_int_eq(health_recovery_due_ns(&record, &rules), 0);
	ck_assert_str_eq(record.reason, "by hand: ada: solder; the recovery failed: x");
	feed(&record, HEALTH_RECOVERY_GOOD, NULL, 7);
	ck_assert_int_eq(record.health, HEALTH_HEALTHY);
	free(record.reason);
}
END_TEST

START_TEST(failed_self_test_of_a_good_rig_quarantines)
{
	struct rig_record record = fresh();
	ck_assert_str_eq(feed(&record, HEALTH_RECOVERY_FAILED, "self-test failed", 5), "quarantined");
	ck_assert_int_eq(record.health, HEALTH_QUARANTINED);
	ck_assert_int_eq(health_recovery_due_ns(&record, &rules), 5 + 20 * SECOND);
	free(record.reason);
}
END_TEST

START_TEST(recovery_only_when_asked)
{
	const struct health_rules never = {.quarantine_after = 1};
	struct rig_record record = fresh();
	const char *kind;
	health_next(&record, HEALTH_CLEANUP_FAILED, "x", &never, 1, &kind);
	ck_assert_int_eq(health_recovery_due_ns(&record, &never), 0);
	free(record.reason);
}
END_TEST

START_TEST(endless_times_do_not_overflow)
{
	const struct health_rules slow = {.quarantine_after = 1, .recovery_after_ns = INT64_MAX / 2};
	struct rig_record record = fresh();
	const char *kind;
	health_next(&record, HEALTH_RECOVERY_FAILED, "x", &slow, INT64_MAX / 2, &kind);
	ck_assert_int_eq(health_recovery_due_ns(&record, &slow), INT64_MAX);
	free(record.reason);
}
END_TEST

START_TEST(the_newest_reason_is_told)
{
	struct rig_record record = fresh();
	feed(&record, HEALTH_CLEANUP_FAILED, "boot zgw: not booted", 1);
	feed(&record, HEALTH_RECOVERY_FAILED, "no supply", 2);
	feed(&record, HEALTH_RECOVERY_FAILED, "another board answers", 3);
	ck_assert_str_eq(record.reason, "boot zgw: not booted; the recovery failed: another board answers");
	feed(&record, HEALTH_RECOVERY_FAILED, "boot zgw: not booted", 4);
	ck_assert_str_eq(record.reason, "boot zgw: not booted");
	free(record.reason);
}
END_TEST

START_TEST(long_reasons_end_with_a_mark)
{
	struct rig_record record = fresh();
	char text[1801], why[64], brief[12];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	feed(&record, HEALTH_CLEANUP_FAILED, text, 1);
	ck_assert_uint_lt(strlen(record.reason), 500);
	ck_assert_str_eq(record.reason + strlen(record.reason) - 3, "…");
	/* The new reason is not pushed out by the old one. */
	feed(&record, HEALTH_RECOVERY_FAILED, "another board answers", 2);
	ck_assert_ptr_nonnull(strstr(record.reason, "…; the recovery failed: another board answers"));
	ck_assert(!health_fit(&record, why, sizeof(why)));
	ck_assert_str_eq(why + strlen(why) - 3, "…");
	free(record.reason);
	health_brief("äääää", brief, sizeof(brief));
	ck_assert_str_eq(brief, "äääää");
	health_brief("äääääx", brief, sizeof(brief));
	ck_assert_str_eq(brief, "äääääx");
	health_brief("ääääää", brief, sizeof(brief));
	ck_assert_str_eq(brief, "ääää…");
	health_brief("long", brief, 3);
	ck_assert_str_eq(brief, "");
}
END_TEST

START_TEST(a_rig_that_was_away_could_not_be_cleaned)
{
	struct rig_record record = fresh();
	feed(&record, HEALTH_CHECK_FAILED, "can0 is down", 1);
	ck_assert_str_eq(feed(&record, HEALTH_CLEANUP_FAILED, "clean-up failed: can0", 2), "quarantined");
	ck_assert_str_eq(record.reason, "clean-up failed: can0; it was offline before: can0 is down");
	free(record.reason);
}
END_TEST

/* Whatever comes in whatever order: quarantined only after enough errors, a failed clean-up, a failed recovery or by hand; out of it only
 * by a recovery; an offline or quarantined rig is never fit; every change is told truly. */
START_TEST(any_sequence)
{
	srand(7);
	for (unsigned round = 0; round < 300; round++) {
		struct rig_record record = fresh();
		for (int64_t step = 1; step < 60; step++) {
			enum health_input input = (enum health_input)(rand() % (HEALTH_BY_HAND + 1));
			struct rig_record before = record;
			char *reason = strdup(record.reason), why[200];
			const char *kind;
			bool changed = health_next(&record, input, "text", &rules, step, &kind);
			bool differs = before.health != record.health || before.bench_errors != record.bench_errors ||
			               before.recoveries != record.recoveries || before.online != record.online ||
			               before.since_utc_ns != record.since_utc_ns || strcmp(reason, record.reason) != 0;
			ck_assert_int_eq(changed, differs);
			if (before.health == HEALTH_QUARANTINED && record.health != HEALTH_QUARANTINED)
				ck_assert_int_eq(input, HEALTH_RECOVERY_GOOD);
			if (before.health != HEALTH_QUARANTINED && record.health == HEALTH_QUARANTINED)
				ck_assert(input == HEALTH_CLEANUP_FAILED || input == HEALTH_RECOVERY_FAILED || input == HEALTH_BY_HAND ||
				          (input == HEALTH_RUN_BENCH_ERROR && record.bench_errors >= 3));
			ck_assert_int_eq(health_fit(&record, why, sizeof(why)), record.online && record.health != HEALTH_QUARANTINED);
			ck_assert(record.health != HEALTH_HEALTHY || record.bench_errors == 0);
			free(reason);
		}
		free(record.reason);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("health");
	TCase *cases = tcase_create("health");
	tcase_add_test(cases, errors_in_a_row_quarantine);
	tcase_add_test(cases, a_good_run_ends_the_row);
	tcase_add_test(cases, quarantine_after_one);
	tcase_add_test(cases, failed_cleanup_quarantines_at_once);
	tcase_add_test(cases, offline_and_back);
	tcase_add_test(cases, a_new_rig_is_not_there_again);
	tcase_add_test(cases, a_new_rig_that_is_not_there);
	tcase_add_test(cases, offline_keeps_the_quarantine);
	tcase_add_test(cases, recovery_backs_off);
	tcase_add_test(cases, by_hand_stays);
	tcase_add_test(cases, failed_self_test_of_a_good_rig_quarantines);
	tcase_add_test(cases, recovery_only_when_asked);
	tcase_add_test(cases, endless_times_do_not_overflow);
	tcase_add_test(cases, the_newest_reason_is_told);
	tcase_add_test(cases, long_reasons_end_with_a_mark);
	tcase_add_test(cases, a_rig_that_was_away_could_not_be_cleaned);
	tcase_add_test(cases, any_sequence);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
