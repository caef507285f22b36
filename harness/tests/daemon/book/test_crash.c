/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 at random moments: a child changes the book and says what was acknowledged; whatever it said is there afterwards, and the books
 * are right. The next child first settles what the one before has left, as the daemon does.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "book_fixture.h"

#define ROUNDS    60
#define JOBS_MOST 20000

static struct error *const err = &fixture_error;

/* An acknowledgement: this thing has at least this state. */
struct ack {
	enum { ACK_JOB, ACK_RUN, ACK_LEASE, ACK_HEALTH } what;
	int state;
	int64_t id;
};
struct acked {
	signed char job[JOBS_MOST], run[JOBS_MOST], lease[JOBS_MOST]; /* state, -1: not known */
	int64_t health;                                               /* highest entry */
	unsigned count;
};

/* ---- the child ---- */
static int acks_fd;

static void must(int r)
{
	if (r < 0) {
		(void)fprintf(stderr, "child: %s\n", err->message);
		_exit(9);
	}
}

static void acknowledge(int what, int64_t id, int state)
{
	struct ack ack = {.what = what, .state = state, .id = id};

	if (write(acks_fd, &ack, sizeof(ack)) != sizeof(ack))
		_exit(8);
}

static void end_run(struct book *book, int64_t run, int64_t lease, bool crashed)
{
	must(book_begin(book, err));
	must(book_run_ended(book, run, crashed ? -1 : 0, crashed ? 9 : -1, 0, err));
	must(book_lease_cleaning(book, lease, "the run is over", err));
	must(book_commit(book, err));
	acknowledge(ACK_RUN, run, RUN_ENDED);
	acknowledge(ACK_LEASE, lease, LEASE_CLEANING);
	must(book_run_done(book, run, crashed ? OUTCOME_ERROR : OUTCOME_PASSED, crashed ? "bench" : NULL, "", err));
	acknowledge(ACK_RUN, run, RUN_DONE);
	must(book_lease_over(book, lease, err));
	acknowledge(ACK_LEASE, lease, LEASE_OVER);
}

static void settle_runs(struct book *book)
{
	struct run_record **runs;
	size_t count;

	must(book_runs_open(book, &runs, &count, err));
	for (size_t i = 0; i < count; i++) {
		struct lease_record *lease;

		must(book_lease(book, runs[i]->lease, &lease, err));
		must(book_begin(book, err));
		if (lease->state == LEASE_ACTIVE)
			must(book_lease_cleaning(book, lease->id, "the daemon was killed", err));
		must(book_run_done(book, runs[i]->id, OUTCOME_ERROR, "bench", "the daemon was killed", err));
		must(book_commit(book, err));
		acknowledge(ACK_RUN, runs[i]->id, RUN_DONE);
		acknowledge(ACK_LEASE, lease->id, LEASE_CLEANING);
		lease_record_free(lease);
		run_record_free(runs[i]);
	}
	free(runs);
}

static void settle(struct book *book)
{
	struct lease_record **leases;
	struct job_record **jobs;
	size_t count;

	settle_runs(book);
	must(book_leases_open(book, &leases, &count, err));
	for (size_t i = 0; i < count; i++) {
		must(book_lease_over(book, leases[i]->id, err));
		acknowledge(ACK_LEASE, leases[i]->id, LEASE_OVER);
		lease_record_free(leases[i]);
	}
	free(leases);
	must(book_jobs_open(book, &jobs, &count, err));
	for (size_t i = 0; i < count; i++) {
		must(book_job_done(book, jobs[i]->id, OUTCOME_ERROR, "the daemon was killed", NULL, 0, err));
		acknowledge(ACK_JOB, jobs[i]->id, JOB_DONE);
		job_record_free(jobs[i]);
	}
	free(jobs);
}

static void one_job(struct book *book)
{
	char rig[] = "v1", reason[] = "an error";
	struct rig_record record = {rig, HEALTH_SUSPECT, reason, 1, 1, 0, true};
	struct run_record run = {.rig = rig};
	int64_t health;

	must(fixture_job(book, "night", NULL, NULL, &run.job, err));
	acknowledge(ACK_JOB, run.job, JOB_QUEUED);
	rig[1] = (char)('1' + rand() % 3);
	must(book_run_add(book, &run, err));
	acknowledge(ACK_JOB, run.job, JOB_RUNNING);
	acknowledge(ACK_RUN, run.id, RUN_STARTING);
	acknowledge(ACK_LEASE, run.lease, LEASE_ACTIVE);
	must(book_run_running(book, run.id, 0, err));
	acknowledge(ACK_RUN, run.id, RUN_RUNNING);
	end_run(book, run.id, run.lease, rand() % 4 == 0);
	must(book_rig_changed(book, &record, "suspect", "an error", run.job, run.id, err));
	must(book_integer(book, &health, err, "SELECT max(id) FROM health_entries", NO_VALUES));
	acknowledge(ACK_HEALTH, health, 0);
	must(book_job_finishing(book, run.job, err));
	acknowledge(ACK_JOB, run.job, JOB_FINISHING);
	must(book_job_done(book, run.job, OUTCOME_ERROR, "", NULL, 0, err));
	acknowledge(ACK_JOB, run.job, JOB_DONE);
	if (rand() % 8 == 0)
		book_tend(book);
}

static _Noreturn void child(unsigned seed)
{
	struct book *book = NULL;

	srand(seed);
	must(book_open(&book, fixture_directory, err));
	for (int i = 1; i <= 3; i++) {
		char rig[8];

		(void)snprintf(rig, sizeof(rig), "v%d", i);
		must(book_rig_known(book, rig, "virtual", "/etc/v.yaml", err));
	}
	settle(book);
	for (;;)
		one_job(book);
}

/* ---- the parent ---- */
static void note(struct acked *acked, const struct ack *ack)
{
	signed char *states[] = {acked->job, acked->run, acked->lease};

	acked->count++;
	if (ack->what == ACK_HEALTH) {
		acked->health = ack->id > acked->health ? ack->id : acked->health;
		return;
	}
	ck_assert_int_lt(ack->id, JOBS_MOST);
	if (ack->state > states[ack->what][ack->id])
		states[ack->what][ack->id] = (signed char)ack->state;
}

/* Some acknowledgements, then the kill, then those that were still in the pipe. */
static void run_and_kill(struct acked *acked, unsigned seed)
{
	int pipes[2], status, left;
	struct ack ack;
	pid_t pid;

	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		acks_fd = pipes[1];
		child(seed);
	}
	close(pipes[1]);
	for (left = rand() % 60; left > 0 && read(pipes[0], &ack, sizeof(ack)) == sizeof(ack); left--)
		note(acked, &ack);
	(void)nanosleep(&(struct timespec){.tv_nsec = rand() % 4000000}, NULL);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSIGNALED(status), "the child ended by itself: %d", WEXITSTATUS(status));
	while (read(pipes[0], &ack, sizeof(ack)) == sizeof(ack))
		note(acked, &ack);
	close(pipes[0]);
}

static void verify(struct book *book, const char *what, const char *sql, const signed char *states)
{
	for (int64_t id = 1; id < JOBS_MOST; id++) {
		int64_t state = -1;

		if (states[id] < 0)
			continue;
		ck_assert_msg(book_integer(book, &state, err, sql, VALUES(INTEGER(id))) == 0, "%s %d was acknowledged and is lost", what,
		              (int)id);
		ck_assert_msg(state >= states[id], "%s %d was acknowledged in state %d and is in %d", what, (int)id, states[id],
		              (int)state);
	}
}

static void verify_all(struct book *book, const struct acked *acked)
{
	int64_t health = 0;

	ck_assert_uint_eq(fixture_breaches(book, false), 0);
	verify(book, "job", "SELECT instr('queued   running  finishingdone', state) / 9 FROM jobs WHERE id = ?1", acked->job);
	verify(book, "run", "SELECT instr('starting running  ended    done', state) / 9 FROM runs WHERE id = ?1", acked->run);
	verify(book, "lease", "SELECT instr('active   cleaning over', state) / 9 FROM leases WHERE id = ?1", acked->lease);
	if (acked->health) {
		ck_done(book_integer(book, &health, err, "SELECT max(id) FROM health_entries", NO_VALUES));
		ck_assert_int_ge(health, acked->health);
	}
}

START_TEST(what_was_acknowledged_survives_a_kill)
{
	static struct acked acked;
	const char *given = getenv("BOOK_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);

	(void)fprintf(stderr, "BOOK_SEED=%u\n", seed);
	srand(seed);
	memset(acked.job, -1, sizeof(acked.job));
	memset(acked.run, -1, sizeof(acked.run));
	memset(acked.lease, -1, sizeof(acked.lease));
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct book *reader = NULL;

		run_and_kill(&acked, seed + round);
		/* Every other time a reader comes first, while the log of the dead one is still there. */
		if (round % 2 && acked.count) {
			ck_done(book_open_to_read(&reader, fixture_directory, err));
			verify_all(reader, &acked);
			book_close(reader);
		}
		fixture_open();
		verify_all(fixture_book, &acked);
		fixture_close();
	}
	(void)fprintf(stderr, "%u acknowledgements over %u kills\n", acked.count, ROUNDS);
	ck_assert_uint_gt(acked.count, 500);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("book: crash");
	TCase *tests = tcase_create("crash");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, fixture_begin, fixture_end);
	tcase_set_timeout(tests, 280);
	tcase_add_test(tests, what_was_acknowledged_survives_a_kill);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
