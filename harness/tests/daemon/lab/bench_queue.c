/* SPDX-License-Identifier: Apache-2.0 */
/* What a queue of 10,000 jobs costs: starting with it, submitting to it, handing out from it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bed.h"

#define SECOND INT64_C(1000000000)
#define JOBS   10000

static struct bed bed;

static double now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void fill_queue(void)
{
	struct error error = {0};
	const struct bed_job job = {.plan = "case a pass\n"};
	int64_t id;
	struct job_record *record = bed_record(&bed, &job);
	record->files[0].size = strlen(job.plan);
	record->submitter = strdup("ada");
	ck_assert_int_eq(book_begin(bed.book, &error), 0);
	for (unsigned i = 0; i < JOBS; i++)
		ck_assert_msg(book_job_add(bed.book, record, &id, &error) == 0, "%s", error.message);
	ck_assert_int_eq(book_commit(bed.book, &error), 0);
	job_record_free(record);
}

static bool some_done(struct bed *b, int64_t count)
{
	struct lab_figures figures;
	lab_figures(b->lab, &figures);
	return figures.jobs_by_outcome[OUTCOME_PASSED] >= (uint64_t)count;
}

START_TEST(a_long_queue)
{
	struct error error = {0};
	char secret[LEASE_SECRET_SIZE];
	int64_t lease;
	bed_make(&bed, 1);
	bed.config.queue_limit = 2 * JOBS;
	bed_open(&bed);
	const struct lab_lease_request request = {.rig = "v1", .by = "ada", .for_ns = 600 * SECOND};
	ck_assert_int_eq(lab_lease(bed.lab, &request, false, &lease, secret, &error), 0);
	fill_queue();
	bed_close(&bed);
	double begin = now_ms();
	bed_open(&bed);
	double started = now_ms();
	for (unsigned i = 0; i < 50; i++)
		bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n"});
	double submitted = now_ms();
	ck_assert_int_eq(lab_unlease(bed.lab, lease, secret, "ada", &error), 0);
	bed_until(&bed, some_done, 10);
	double handed = now_ms();
	printf("start with %d queued jobs %.0f ms, a submission %.1f ms, a job from hand to hand %.0f ms\n", JOBS, started - begin,
	       (submitted - started) / 50, (handed - submitted) / 10);
	bed_remove(&bed);
}
END_TEST

int main(int argc, char **argv)
{
	int status = bed_stand_in(argc, argv);
	if (status >= 0)
		return status;
	Suite *suite = suite_create("queue");
	TCase *cases = tcase_create("queue");
	tcase_set_timeout(cases, 250);
	tcase_add_test(cases, a_long_queue);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
