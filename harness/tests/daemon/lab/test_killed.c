/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon is killed at any moment of a busy night: what it had acknowledged comes to an end, once, and the books are right at every
 * start. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bed.h"

#define SECOND INT64_C(1000000000)
#define JOBS   24

static struct bed bed;

static const char *const plans[] = {
        "case a pass\ncase b pass - 0.05\n", "case a pass\ncase b fail - 0.02\n",
        "case a pass\ncrash\ncase b pass\n", "@v1 case a error bench\n@v2 case a pass\n",
        "wait 0.1\ncase a pass\n",           "case a pass\ncase b pass\ncase c pass\ncase d pass\n",
};
#define PLANS (sizeof(plans) / sizeof(*plans))

static void job_of(unsigned number, char key[16], struct bed_job *job)
{
	snprintf(key, 16, "key-%u", number);
	*job = (struct bed_job){.plan = plans[number % PLANS], .key = key, .retries = 1, .spread = number % PLANS == 5 ? 2 : 1};
}

/* Tells by the pipe what was acknowledged, and goes on until it is killed. */
static void daemon_life(unsigned begin, int told)
{
	bed_open(&bed);
	for (unsigned i = begin; i < JOBS; i++) {
		struct bed_job job;
		char key[16];
		job_of(i, key, &job);
		(void)bed_submit(&bed, &job);
		if (write(told, &i, sizeof(i)) != sizeof(i))
			_exit(1);
		bed_pump(&bed, SECOND / 50);
	}
	for (;;)
		bed_pump(&bed, SECOND);
}

/* The number of jobs that were acknowledged at its end. */
static unsigned live_and_die(unsigned begin, unsigned after_ms)
{
	int told[2];
	unsigned number, next = begin;
	ck_assert_int_eq(pipe(told), 0);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		close(told[0]);
		daemon_life(begin, told[1]);
	}
	close(told[1]);
	nanosleep(&(struct timespec){.tv_sec = after_ms / 1000, .tv_nsec = (long)(after_ms % 1000) * 1000000}, NULL);
	kill(child, SIGKILL);
	while (read(told[0], &number, sizeof(number)) == sizeof(number))
		next = number + 1;
	close(told[0]);
	waitpid(child, NULL, 0);
	return next;
}

static void books_are_right(void)
{
	struct error error = {0};
	for (unsigned i = 0; i < 1500; i++) { /* a keeper that was just begun may hold what its parent had open for a moment */
		if (book_open(&bed.book, bed.state, &error) == 0)
			break;
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	}
	ck_assert_msg(bed.book != NULL, "%s", error.message);
	bed_check(&bed);
	book_close(bed.book);
	bed.book = NULL;
}

static void all_came_to_an_end(unsigned acknowledged)
{
	static const char *const outcomes[] = {"passed", "failed", "error", "passed", "passed", "passed"};
	for (unsigned i = 0; i < acknowledged; i++) {
		struct bed_job job;
		char key[16];
		job_of(i, key, &job);
		int64_t id = bed_submit(&bed, &job); /* the first is given again */
		ck_assert_int_le(id, JOBS);
		bed_until(&bed, bed_job_done, id);
		const char *outcome = bed_outcome(&bed, id);
		/* Kills may use up the further tries of what the bench broke: then it is the bench's, never the device's. */
		ck_assert_msg(strncmp(outcome, outcomes[i % PLANS], 4) == 0 || strncmp(outcome, "error", 5) == 0, "%s of plan %u", outcome,
		              i % (unsigned)PLANS);
		if (i % PLANS == 1)
			ck_assert_msg(strncmp(outcome, "failed", 6) == 0 || strncmp(outcome, "error", 5) == 0, "%s", outcome);
	}
}

START_TEST(killed_at_any_moment)
{
	unsigned acknowledged = 0, rounds = getenv("TEST_KILLS") ? (unsigned)atoi(getenv("TEST_KILLS")) : 15;
	bed_make(&bed, 2);
	bed.unseen = true;
	bed.config.health.quarantine_after = 1000;
	srand(3);
	for (unsigned i = 0; i < rounds; i++) {
		acknowledged = live_and_die(acknowledged, 20 + (unsigned)rand() % 400);
		books_are_right();
	}
	bed_open(&bed);
	all_came_to_an_end(acknowledged);
	bed_until(&bed, bed_idle, 0);
	bed_check(&bed);
	bed_remove(&bed);
}
END_TEST

int main(int argc, char **argv)
{
	int status = bed_stand_in(argc, argv);
	if (status >= 0)
		return status;
	Suite *suite = suite_create("killed");
	TCase *cases = tcase_create("killed");
	tcase_set_timeout(cases, 280);
	tcase_add_test(cases, killed_at_any_moment);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
