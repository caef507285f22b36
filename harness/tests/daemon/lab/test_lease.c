/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "../../../daemon/lab/lease.h"

#define SECOND INT64_C(1000000000)

START_TEST(deadline_ends_it)
{
	struct lease_times times = lease_times_new(5 * SECOND, 10 * SECOND, 0);
	ck_assert_int_eq(lease_times_judge(&times, 15 * SECOND - 1), LEASE_HELD);
	ck_assert_int_eq(lease_times_judge(&times, 15 * SECOND), LEASE_EXPIRED);
	lease_times_beat(&times, 14 * SECOND, SECOND);
	ck_assert_int_eq(lease_times_judge(&times, 15 * SECOND), LEASE_EXPIRED);
	ck_assert_int_eq(lease_times_next_ns(&times), 15 * SECOND);
}
END_TEST

START_TEST(three_heartbeats_may_be_missed)
{
	struct lease_times times = lease_times_new(0, 100 * SECOND, 2 * SECOND);
	ck_assert_int_eq(lease_times_judge(&times, 6 * SECOND - 1), LEASE_HELD);
	ck_assert_int_eq(lease_times_judge(&times, 6 * SECOND), LEASE_OVERDUE);
	for (int64_t now = SECOND; now < 99 * SECOND; now += 2 * SECOND) {
		lease_times_beat(&times, now, 2 * SECOND);
		ck_assert_int_eq(lease_times_judge(&times, now + 5 * SECOND),
		                 now + 5 * SECOND >= 100 * SECOND ? LEASE_EXPIRED : LEASE_HELD);
	}
	lease_times_beat(&times, 99 * SECOND, 2 * SECOND);
	ck_assert_int_eq(lease_times_judge(&times, 100 * SECOND), LEASE_EXPIRED);
}
END_TEST

START_TEST(a_late_daemon_blames_nobody)
{
	struct lease_times times = lease_times_new(0, 20 * SECOND, 2 * SECOND);
	lease_times_forgive(&times, 5 * SECOND);
	ck_assert_int_eq(lease_times_judge(&times, 11 * SECOND - 1), LEASE_HELD);
	ck_assert_int_eq(lease_times_judge(&times, 11 * SECOND), LEASE_OVERDUE);
	lease_times_forgive(&times, -SECOND);
	ck_assert_int_eq(lease_times_judge(&times, 11 * SECOND), LEASE_OVERDUE);
	lease_times_forgive(&times, INT64_MAX);
	ck_assert_int_eq(lease_times_judge(&times, 20 * SECOND - 1), LEASE_HELD);
	ck_assert_int_eq(lease_times_judge(&times, 20 * SECOND), LEASE_EXPIRED); /* the deadline stays */
	times = lease_times_new(0, 20 * SECOND, 0);
	lease_times_forgive(&times, SECOND);
	ck_assert_int_eq(times.expires_ns, 0);
}
END_TEST

START_TEST(without_ends)
{
	struct lease_times times = lease_times_new(SECOND, 0, 0);
	ck_assert_int_eq(lease_times_judge(&times, INT64_MAX), LEASE_HELD);
	ck_assert_int_eq(lease_times_next_ns(&times), INT64_MAX);
	times = lease_times_new(INT64_MAX - 5, INT64_MAX, INT64_MAX);
	ck_assert_int_eq(times.deadline_ns, INT64_MAX);
	ck_assert_int_eq(times.expires_ns, INT64_MAX);
}
END_TEST

/* An hour was granted at 1000 s by the wall clock; what is left when a new daemon comes at its own 50 s. */
START_TEST(restarts_and_the_wall_clock)
{
	const struct lease_record lease = {
	        .granted_utc_ns = 1000 * SECOND, .deadline_utc_ns = 4600 * SECOND, .expires_utc_ns = 1030 * SECOND};
	static const struct {
		int64_t utc_s, left_s;
	} table[] = {
	        {1000, 3600},
	        {2800, 1800},
	        {4599, 1},
	        {4600, 0},
	        {9999999, 0} /* jumped ahead while nobody was there */,
	        {500, 3600} /* set back: not more than was granted */,
	        {-999999, 3600},
	};
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct lease_times times = lease_times_resume(&lease, 50 * SECOND, table[i].utc_s * SECOND, 10 * SECOND);
		ck_assert_int_eq(times.deadline_ns, (50 + table[i].left_s) * SECOND);
		ck_assert_int_eq(times.expires_ns, 80 * SECOND);
	}
	const struct lease_record plain = {.granted_utc_ns = 1000 * SECOND, .deadline_utc_ns = 4600 * SECOND};
	struct lease_times times = lease_times_resume(&plain, 50 * SECOND, 1000 * SECOND, 10 * SECOND);
	ck_assert_int_eq(times.expires_ns, 0);
	lease_times_beat(&times, 60 * SECOND, 10 * SECOND);
	ck_assert_int_eq(times.expires_ns, 0);
	times = lease_times_resume(&lease, 0, 9999 * SECOND, 0);
	ck_assert_int_eq(lease_times_judge(&times, 1), LEASE_EXPIRED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lease");
	TCase *cases = tcase_create("lease");
	tcase_add_test(cases, deadline_ends_it);
	tcase_add_test(cases, three_heartbeats_may_be_missed);
	tcase_add_test(cases, a_late_daemon_blames_nobody);
	tcase_add_test(cases, without_ends);
	tcase_add_test(cases, restarts_and_the_wall_clock);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
