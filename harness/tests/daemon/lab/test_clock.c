/* SPDX-License-Identifier: Apache-2.0 */
/* The wall clock is set while the lab works: this program has one that can be. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bed.h"

#define SECOND INT64_C(1000000000)
#define DAY_S  86400

static struct bed bed;
static time_t set_by_s;

/* For everything in this process, libraries too. */
int clock_gettime(clockid_t clock, struct timespec *ret)
{
	if (syscall(SYS_clock_gettime, clock, ret) < 0)
		return -1;
	if (clock == CLOCK_REALTIME)
		ret->tv_sec += set_by_s;
	return 0;
}

/* How long the shown deadline is from now, by the clock as it is. */
static double left_s(void)
{
	struct error error = {0};
	struct lease_record **leases;
	struct timespec now;
	size_t count;
	ck_assert_int_eq(book_leases_open(bed.book, &leases, &count, &error), 0);
	ck_assert_uint_eq(count, 1);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	double left = ((double)leases[0]->deadline_utc_ns - (double)now.tv_sec * 1e9) / 1e9;
	double whole = (double)(leases[0]->deadline_utc_ns - leases[0]->granted_utc_ns) / 1e9;
	ck_assert_msg(whole > 599 && whole < 601, "%f s were granted", whole);
	lease_record_free(leases[0]);
	free(leases);
	return left;
}

static bool shows_it_right(struct bed *b, int64_t ignored)
{
	double left = left_s();
	return left > 300 && left < 601;
}

static unsigned lines_with(FILE *file, const char *text)
{
	char line[500];
	unsigned count = 0;
	rewind(file);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, text) != NULL;
	return count;
}

/* Every jump is told, and the deadline is right after each of them. */
START_TEST(a_clock_that_is_set_and_set_right_again)
{
	struct error error = {0};
	char secret[LEASE_SECRET_SIZE], name[] = "/tmp/hilbench-clock-XXXXXX";
	int64_t lease;
	int log = mkstemp(name), terminal = dup(STDERR_FILENO);
	ck_assert_int_ge(log, 0);
	(void)unlink(name);
	(void)dup2(log, STDERR_FILENO);
	FILE *said = fdopen(log, "r");
	bed_make(&bed, 1);
	bed_open(&bed);
	bed_pump(&bed, 2 * SECOND); /* it has seen the clock */
	set_by_s = 10 * DAY_S;
	const struct lab_lease_request request = {.rig = "v1", .by = "ada", .for_ns = 600 * SECOND};
	ck_assert_int_eq(lab_lease(bed.lab, &request, false, &lease, secret, &error), 0);
	bed_until(&bed, shows_it_right, 0);
	bed_pump(&bed, 2 * SECOND);
	ck_assert(shows_it_right(&bed, 0));
	set_by_s = -10 * DAY_S;
	ck_assert(!shows_it_right(&bed, 0));
	bed_until(&bed, shows_it_right, 0);
	set_by_s = 0;
	bed_until(&bed, shows_it_right, 0);
	(void)dup2(terminal, STDERR_FILENO);
	ck_assert_uint_eq(lines_with(said, "the clock was set by +864000 s: "), 2);
	ck_assert_uint_eq(lines_with(said, "the clock was set by -1728000 s: "), 1);
	ck_assert_int_eq(lab_unlease(bed.lab, lease, secret, "ada", &error), 0);
	bed_until(&bed, bed_idle, 0);
	(void)fclose(said);
	(void)close(terminal);
	bed_check(&bed);
	bed_remove(&bed);
}
END_TEST

/* A daemon that starts later counts from what was stored. */
START_TEST(a_lease_of_a_wrong_clock_outlives_a_restart)
{
	struct error error = {0};
	char secret[LEASE_SECRET_SIZE];
	int64_t lease;
	bed_make(&bed, 1);
	set_by_s = -10 * DAY_S;
	bed_open(&bed);
	const struct lab_lease_request request = {.rig = "v1", .by = "ada", .for_ns = 600 * SECOND};
	ck_assert_int_eq(lab_lease(bed.lab, &request, false, &lease, secret, &error), 0);
	set_by_s = 0;
	bed_until(&bed, shows_it_right, 0);
	bed_close(&bed);
	bed_open(&bed);
	bed_pump(&bed, 2 * SECOND);
	ck_assert(shows_it_right(&bed, 0));
	ck_assert_msg(lab_heartbeat(bed.lab, lease, secret, &error) == 0, "%s", error.message);
	ck_assert_int_eq(lab_unlease(bed.lab, lease, secret, "ada", &error), 0);
	bed_until(&bed, bed_idle, 0);
	bed_remove(&bed);
}
END_TEST

int main(int argc, char **argv)
{
	int status = bed_stand_in(argc, argv);
	if (status >= 0)
		return status;
	Suite *suite = suite_create("clock");
	TCase *cases = tcase_create("clock");
	tcase_set_timeout(cases, 120);
	tcase_add_test(cases, a_clock_that_is_set_and_set_right_again);
	tcase_add_test(cases, a_lease_of_a_wrong_clock_outlives_a_restart);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
