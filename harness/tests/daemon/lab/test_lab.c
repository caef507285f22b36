/* SPDX-License-Identifier: Apache-2.0 */
/* The lab with the real book and real keepers; hilbench is a stand-in that does what a plan says. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../../daemon/job/strays.h"
#include "../../../daemon/lab/lab_private.h"
#include "../../../daemon/lab/words.h"
#include "bed.h"

#define SECOND INT64_C(1000000000)

static struct bed bed;

static void ends(int64_t job, const char *outcome)
{
	bed_until(&bed, bed_job_done, job);
	ck_assert_msg(strncmp(bed_outcome(&bed, job), outcome, strlen(outcome)) == 0, "job %lld: %s instead of %s", (long long)job,
	              bed_outcome(&bed, job), outcome);
}

static void all_still(void)
{
	bed_until(&bed, bed_idle, 0);
	bed_check(&bed);
	bed_remove(&bed);
}

static int64_t number_at(int64_t job, const char *key)
{
	json_t *json = bed_job_json(&bed, job);
	int64_t number = json_integer_value(json_object_get(json_object_get(json, "counts"), key));
	json_decref(json);
	return number;
}

static void text_at(int64_t job, size_t run, const char *key, char *buffer, size_t size)
{
	json_t *json = bed_job_json(&bed, job);
	const char *text = NULL;
	for (size_t i = 0; i < json_array_size(json_object_get(json, "runs")); i++) {
		const json_t *one = json_array_get(json_object_get(json, "runs"), i);
		if (json_integer_value(json_object_get(one, "number")) == (json_int_t)run)
			text = json_string_value(json_object_get(one, key));
	}
	snprintf(buffer, size, "%s", text ? text : "none");
	json_decref(json);
}

static bool runs(struct bed *b, int64_t job)
{
	char state[32];
	text_at(job, 1, "state", state, sizeof(state));
	return strcmp(state, "running") == 0;
}

static bool has_begun(struct bed *b, int64_t job)
{
	char state[32];
	text_at(job, 1, "state", state, sizeof(state));
	return runs(b, job) || strcmp(state, "ended") == 0 || bed_job_done(b, job);
}

static bool has_no_directory(struct bed *b, int64_t job)
{
	char path[300];
	snprintf(path, sizeof(path), "%s/jobs/%lld", b->state, (long long)job);
	return access(path, F_OK) < 0;
}

START_TEST(outcomes)
{
	static const struct {
		const char *plan, *outcome;
	} table[] = {
	        {"case a pass\ncase b pass\n", "passed"},
	        {"case a pass\ncase b fail\n", "failed"},
	        {"case a inconclusive\n", "inconclusive"},
	        {"case a error testcase\n", "error"},
	        {"case a error bench\n", "error"},
	        {"mend a\n", "passed"},
	        {"mend a\ncase b fail\n", "failed"},
	        {"exit 77\n", "error the runner ended with status 77: leaving early"},
	        {"case a pass\ncrash\n", "error the runner ended by"},
	};
	bed_make(&bed, 1);
	bed.config.health.quarantine_after = 100;
	bed.unseen = true; /* a virtual rig is used before anybody looked at it */
	bed_open(&bed);
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		int64_t job = bed_submit(&bed, &(struct bed_job){.plan = table[i].plan});
		bed_until(&bed, bed_job_done, job);
		size_t length = strcspn(table[i].outcome, " ");
		ck_assert_msg(strncmp(bed_outcome(&bed, job), table[i].outcome, length) == 0, "%s: %s", table[i].plan,
		              bed_outcome(&bed, job));
	}
	bed_until(&bed, bed_idle, 0); /* a job is done before its rig is clean */
	ck_assert_uint_ge(bed_did(&bed, 0, "cleanup job-"), sizeof(table) / sizeof(*table));
	ck_assert_uint_eq(bed_did(&bed, 0, "cleanup job-1-run-1"), 1);
	all_still();
}
END_TEST

START_TEST(reports_are_kept)
{
	static const char *const names[] = {"results.json", "junit.xml", "report.html"};
	char sha256[65];
	uint64_t size;
	struct error error = {0};
	bed_make(&bed, 1);
	bed_open(&bed);
	int64_t job = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n"});
	ends(job, "passed");
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(book_job_report_find(bed.book, job, names[i], sha256, &size, &error), 0);
	ck_assert_int_eq(book_artefact_find(bed.book, 1, "output.log", sha256, &size, &error), 0);
	ck_assert_int_eq(book_artefact_find(bed.book, 1, "events.jsonl", sha256, &size, &error), 0);
	bed_until(&bed, has_no_directory, job);
	all_still();
}
END_TEST

START_TEST(what_the_bench_broke_is_tried_elsewhere)
{
	char text[100];
	bed_make(&bed, 2);
	bed_open(&bed);
	int64_t job = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n@v1 case b error bench\n@v2 case b pass\n", .retries = 1});
	ends(job, "passed");
	ck_assert_uint_eq(bed_runs(&bed, job), 2);
	text_at(job, 1, "outcome", text, sizeof(text));
	ck_assert_str_eq(text, "error");
	text_at(job, 2, "rig", text, sizeof(text));
	ck_assert_str_eq(text, "v2");
	ck_assert_int_eq(number_at(job, "total"), 2);
	ck_assert_int_eq(number_at(job, "pass"), 2);
	ck_assert_msg(strncmp(bed_health(&bed, 0), "suspect", 7) == 0, "%s", bed_health(&bed, 0));
	ck_assert_str_eq(bed_health(&bed, 1), "healthy");
	all_still();
}
END_TEST

START_TEST(a_crash_is_tried_again_and_the_rig_tested)
{
	bed_make(&bed, 1);
	bed_open(&bed);
	int64_t job = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\ncrash\n", .retries = 2});
	ends(job, "error");
	ck_assert_ptr_nonnull(strstr(bed_outcome(&bed, job), "SIGSEGV"));
	ck_assert_uint_eq(bed_runs(&bed, job), 1 /* everything was run, nothing is left to try */);
	job = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\ncrash\ncase b pass\n", .retries = 2});
	ends(job, "error");
	ck_assert_uint_eq(bed_runs(&bed, job), 3);
	bed_until(&bed, bed_idle, 0);
	ck_assert_uint_ge(bed_did(&bed, 0, "selftest"), 3);
	ck_assert_str_eq(bed_health(&bed, 0), "healthy"); /* the job's fault, not the rig's */
	all_still();
}
END_TEST

START_TEST(limits)
{
	bed_make(&bed, 1);
	bed.config.output_bytes = 1000000;
	bed_open(&bed);
	int64_t hang = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\nhang\n", .retries = 1, .time_limit_ns = SECOND});
	ends(hang, "error over its limit");
	ck_assert_uint_eq(bed_runs(&bed, hang), 1);
	int64_t flood = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\nflood\n", .retries = 1});
	ends(flood, "error over its limit");
	ck_assert_str_eq(bed_health(&bed, 0), "healthy");
	all_still();
}
END_TEST

static json_int_t errors_of_board(const char *role)
{
	struct error error = {0};
	json_t *rig, *board;
	json_int_t errors = 0;
	size_t i;
	ck_assert_int_eq(book_rig_json(bed.book, "v1", &rig, &error), 0);
	json_array_foreach (json_object_get(rig, "boards"), i, board)
		if (strcmp(json_string_value(json_object_get(board, "role")), role) == 0)
			errors = json_integer_value(json_object_get(board, "bench_errors"));
	json_decref(rig);
	return errors;
}

/* What was lost once was not given up, and is the board's all the same. */
START_TEST(a_lost_board_is_counted)
{
	static const char plan[] = "case a error bench 0 board zgw: vboard closed its control channel\n"
	                           "case b error bench 0 board zgw: vboard closed its control channel\n"
	                           "case c error bench 0 no answer from vmg\n";
	bed_make(&bed, 1);
	bed.config.health.quarantine_after = 3;
	bed_open(&bed);
	for (unsigned i = 0; i < 3; i++)
		ends(bed_submit(&bed, &(struct bed_job){.plan = plan}), "error");
	ck_assert_msg(strncmp(bed_health(&bed, 0), "quarantined: a: board zgw: vboard", 33) == 0, "%s", bed_health(&bed, 0));
	ck_assert_int_eq(errors_of_board("zgw"), 3); /* by runs */
	ck_assert_int_eq(errors_of_board("vmg"), 0);
	all_still();
}
END_TEST

START_TEST(a_bad_board_is_quarantined)
{
	struct error error = {0};
	int64_t ignored;
	bed_make(&bed, 2);
	bed_open(&bed);
	for (unsigned i = 0; i < 2; i++)
		ends(bed_submit(&bed, &(struct bed_job){.plan = "board zgw\ncase a error bench\n", .rig = "v1"}), "error");
	ck_assert_msg(strncmp(bed_health(&bed, 0), "quarantined: board zgw was given up", 35) == 0, "%s", bed_health(&bed, 0));
	ck_assert_int_eq(bed_try(&bed, &(struct bed_job){.plan = "case a pass\n", .rig = "v1"}, &ignored, &error), -EHOSTDOWN);
	ck_assert_msg(strncmp(error.message, "v1: quarantined: board zgw", 26) == 0, "%s", error.message);
	/* Others have work all the same. */
	ends(bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n"}), "passed");
	/* Back only by a self-test. */
	bed_behave(&bed, 0, "selftest", "fail");
	ck_assert_int_eq(lab_recover(bed.lab, "v1", "ada", &error), 0);
	bed_until(&bed, bed_idle, 0);
	ck_assert_msg(strncmp(bed_health(&bed, 0), "quarantined", 11) == 0, "%s", bed_health(&bed, 0));
	bed_behave(&bed, 0, "selftest", NULL);
	ck_assert_int_eq(lab_recover(bed.lab, "v1", "ada", &error), 0);
	bed_until(&bed, bed_idle, 0);
	ck_assert_str_eq(bed_health(&bed, 0), "healthy");
	ends(bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n", .rig = "v1"}), "passed");
	all_still();
}
END_TEST

static bool healthy_again(struct bed *b, int64_t ignored)
{
	return strcmp(bed_health(b, 0), "healthy") == 0;
}

static bool ill(struct bed *b, int64_t ignored)
{
	return !healthy_again(b, ignored);
}

static bool recovery_failed(struct bed *b, int64_t ignored)
{
	struct lab_figures figures;
	lab_figures(b->lab, &figures);
	return figures.recoveries_failed > 0;
}

START_TEST(recovery_comes_by_itself)
{
	bed_make(&bed, 1);
	bed.config.health = (struct health_rules){.quarantine_after = 1, .recovery_after_ns = SECOND / 2};
	bed_open(&bed);
	bed_behave(&bed, 0, "selftest", "fail");
	ends(bed_submit(&bed, &(struct bed_job){.plan = "case a error bench\n"}), "error");
	bed_until(&bed, recovery_failed, 0);
	ck_assert_uint_ge(bed_did(&bed, 0, "selftest"), 1);
	ck_assert_msg(strncmp(bed_health(&bed, 0), "quarantined", 11) == 0, "%s", bed_health(&bed, 0));
	bed_behave(&bed, 0, "selftest", NULL);
	bed_until(&bed, healthy_again, 0);
	struct lab_figures figures;
	lab_figures(bed.lab, &figures);
	ck_assert_uint_ge(figures.recoveries_failed, 1);
	ck_assert_uint_eq(figures.recoveries, 1);
	all_still();
}
END_TEST

static json_t *report_of(int64_t job)
{
	char sha256[65];
	uint64_t size;
	int fd;
	struct error error = {0};
	ck_assert_msg(book_job_report_find(bed.book, job, "results.json", sha256, &size, &error) == 0, "%s", error.message);
	ck_assert_int_eq(blob_open(bed.book, sha256, &fd, &size, &error), 0);
	json_t *report = json_loadfd(fd, 0, NULL);
	close(fd);
	ck_assert_ptr_nonnull(report);
	return report;
}

START_TEST(queued_jobs_end_when_the_last_rig_goes)
{
	bed_make(&bed, 1);
	bed_open(&bed);
	bed_behave(&bed, 0, "cleanup", "fail");
	int64_t first = bed_submit(&bed, &(struct bed_job){.plan = "case a pass - 2\n"});
	int64_t second = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n"});
	ends(first, "passed");
	ends(second, "error v1: quarantined: clean-up failed: power zgw: stays on");
	/* No run of it ever began, and who collects reports wants to know that. */
	json_t *report = report_of(second);
	const json_t *lost = json_array_get(json_object_get(report, "lost"), 0);
	const char *message = json_string_value(json_object_get(lost, "message"));
	ck_assert_msg(message && strstr(message, "clean-up failed") != NULL, "%s", message);
	json_decref(report);
	all_still();
}
END_TEST

START_TEST(a_hanging_cleanup_quarantines)
{
	bed_make(&bed, 1);
	bed.config.cleanup_limit_ns = SECOND / 2;
	bed_open(&bed);
	bed_behave(&bed, 0, "cleanup", "hang");
	ends(bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n"}), "passed");
	bed_until(&bed, bed_idle, 0);
	ck_assert_str_eq(bed_health(&bed, 0), "quarantined: clean-up failed: the clean-up did not end in time");
	all_still();
}
END_TEST

static bool is_being_cleaned(struct bed *b, int64_t lease)
{
	char line[40];
	(void)snprintf(line, sizeof(line), "cleanup lease-%lld", (long long)lease);
	return bed_did(b, 0, line) > 0;
}

/* A client that loses its lease ends what has its mark, and it may do so at any moment. */
START_TEST(who_ends_what_is_left_of_a_lease_leaves_the_cleanup_alone)
{
	struct error error = {0};
	char secret[LEASE_SECRET_SIZE], value[LEASE_MARK_SIZE], mark[LEASE_MARK_SIZE + 16];
	unsigned killed = 0;
	int64_t lease;
	bed_make(&bed, 1);
	bed_open(&bed);
	bed_behave(&bed, 0, "cleanup", "1");
	const struct lab_lease_request request = {.rig = "v1", .by = "ada", .for_ns = SECOND / 2, .heartbeat = true};
	ck_assert_int_eq(lab_lease(bed.lab, &request, false, &lease, secret, &error), 0);
	(void)snprintf(mark, sizeof(mark), "HILBENCH_JOB=%s", lab_lease_mark(bed.lab, lease, value));
	bed_until(&bed, is_being_cleaned, lease);
	while (strays_round(mark, &killed))
		;
	ck_assert_uint_eq(killed, 0);
	bed_until(&bed, bed_idle, 0);
	ck_assert_str_eq(bed_health(&bed, 0), "healthy");
	all_still();
}
END_TEST

START_TEST(cancelled_jobs_leave_the_rig_free)
{
	struct error error = {0};
	bed_make(&bed, 1);
	bed_open(&bed);
	int64_t running = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\nwait 100\n"});
	int64_t queued = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n"}),
	        last = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n"});
	bed_pump(&bed, SECOND / 3);
	ck_assert_int_eq(lab_cancel(bed.lab, queued, "ada", &error), 0);
	ck_assert_str_eq(bed_outcome(&bed, queued), "cancelled cancelled by ada");
	ck_assert_int_eq(lab_cancel(bed.lab, running, "ada", &error), 0);
	ends(running, "cancelled");
	ends(last, "passed");
	ck_assert_int_eq(lab_cancel(bed.lab, running, "ada", &error), -EBUSY);
	ck_assert_int_eq(lab_cancel(bed.lab, 4711, "ada", &error), -ENOENT);
	all_still();
}
END_TEST

START_TEST(spread_over_equal_rigs)
{
	char sha256[65];
	uint64_t size;
	int fd;
	struct error error = {0};
	bed_make(&bed, 3);
	bed.unseen = true; /* a virtual rig is used before anybody looked at it */
	bed_open(&bed);
	int64_t job = bed_submit(
	        &bed, &(struct bed_job){.plan = "case a pass\ncase b pass\ncase c fail\ncase d pass\ncase e pass\n", .spread = 3});
	ends(job, "failed");
	ck_assert_uint_eq(bed_runs(&bed, job), 3);
	ck_assert_int_eq(number_at(job, "total"), 5);
	ck_assert_int_eq(number_at(job, "pass"), 4);
	ck_assert_int_eq(book_job_report_find(bed.book, job, "results.json", sha256, &size, &error), 0);
	ck_assert_int_eq(blob_open(bed.book, sha256, &fd, &size, &error), 0);
	json_t *merged = json_loadfd(fd, 0, NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(merged, "cases")), 5);
	ck_assert_uint_eq(json_array_size(json_object_get(merged, "of")), 3);
	json_decref(merged);
	close(fd);
	all_still();
}
END_TEST

/* Nobody may take a report for whole in which the cases of a rig are missing. */
START_TEST(a_part_that_left_nothing_is_in_the_report)
{
	bed_make(&bed, 2);
	bed.config.health.quarantine_after = 100;
	bed_open(&bed);
	int64_t job = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\ncase b pass\n@v2 vanish\n", .spread = 2});
	ends(job, "error the runner was ended by signal 9");
	json_t *report = report_of(job);
	const json_t *lost = json_array_get(json_object_get(report, "lost"), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(report, "cases")), 1);
	ck_assert_uint_eq(json_array_size(json_object_get(report, "of")), 2);
	ck_assert_uint_eq(json_array_size(json_object_get(lost, "cases")), 1);
	ck_assert(json_is_false(json_object_get(lost, "cancelled")));
	const char *message = json_string_value(json_object_get(lost, "message"));
	ck_assert_msg(message && strncmp(message, "the runner was ended by signal 9", 32) == 0, "%s", message);
	json_decref(report);
	all_still();
}
END_TEST

static bool is_stored(const json_t *run)
{
	return strcmp(json_string_value(json_object_get(run, "state")), "done") == 0;
}

/* One of two runs is stored, and both have counted all of theirs. */
static bool one_of_two_is_stored(struct bed *b, int64_t job)
{
	struct error error = {0};
	json_t *json;
	ck_assert_int_eq(lab_job_json(b->lab, job, &json, &error), 0);
	const json_t *runs = json_object_get(json, "runs"), *first = json_array_get(runs, 0), *second = json_array_get(runs, 1);
	json_int_t total = json_integer_value(json_object_get(json_object_get(json, "counts"), "total"));
	bool there = first && second && is_stored(first) != is_stored(second) &&
	             json_integer_value(json_object_get(json_object_get(first, "counts"), "total")) == 2 &&
	             json_integer_value(json_object_get(json_object_get(second, "counts"), "total")) == 2;
	if (there)
		ck_assert_int_eq(total, 4);
	json_decref(json);
	return there;
}

START_TEST(counts_do_not_go_back)
{
	struct error error = {0};
	bed_make(&bed, 2);
	bed_open(&bed);
	int64_t job = bed_submit(
	        &bed, &(struct bed_job){.plan = "case a pass\ncase b pass\ncase c pass\ncase d pass\n@v2 wait 600\n", .spread = 2});
	bed_until(&bed, one_of_two_is_stored, job);
	ck_assert_int_eq(lab_cancel(bed.lab, job, "ada", &error), 0);
	bed_until(&bed, bed_job_done, job);
	all_still();
}
END_TEST

/* The second run has said what it is about to do. */
static bool the_next_try_goes_on(struct bed *b, int64_t job)
{
	struct error error = {0};
	json_t *json;
	ck_assert_int_eq(lab_job_json(b->lab, job, &json, &error), 0);
	const json_t *run = json_array_get(json_object_get(json, "runs"), 1);
	json_int_t planned = json_integer_value(json_object_get(json_object_get(run, "counts"), "planned"));
	bool there = run && !is_stored(run) && planned == 2;
	json_decref(json);
	return there;
}

/* What a try that was lost had before it is the same again, and not skipped as long as it may be run. */
START_TEST(a_lost_try_counts_nothing)
{
	struct error error = {0};
	bed_make(&bed, 2);
	bed.config.health.quarantine_after = 100;
	bed_open(&bed);
	int64_t job = bed_submit(&bed, &(struct bed_job){.plan = "@v1 crash\n@v2 wait 600\ncase a pass\ncase b pass\n", .retries = 1});
	bed_until(&bed, the_next_try_goes_on, job);
	ck_assert_int_eq(number_at(job, "planned"), 2);
	ck_assert_int_eq(number_at(job, "total"), 0);
	ck_assert_int_eq(number_at(job, "skipped"), 0);
	ck_assert_int_eq(lab_cancel(bed.lab, job, "ada", &error), 0);
	bed_until(&bed, bed_job_done, job);
	all_still();
}
END_TEST

START_TEST(a_job_that_left_nothing_has_a_report)
{
	bed_make(&bed, 1);
	bed.config.health.quarantine_after = 100;
	bed_open(&bed);
	int64_t job = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\nvanish\n", .retries = 1});
	ends(job, "error the runner was ended by signal 9");
	ck_assert_uint_eq(bed_runs(&bed, job), 2);
	json_t *report = report_of(job);
	ck_assert_uint_eq(json_array_size(json_object_get(report, "lost")), 1); /* the last try, not each of them */
	json_decref(report);
	all_still();
}
END_TEST

/* Of a long line the beginning says what is wrong. */
START_TEST(a_run_that_is_refused_says_why)
{
	bed_make(&bed, 1);
	bed_open(&bed);
	ends(bed_submit(&bed, &(struct bed_job){.plan = "case a pass\nrefuse\n"}),
	     "error hilbench run: the parameter fault cannot be bogus: it must be any of fault-0, ");
	all_still();
}
END_TEST

/* What was lost and made good by a further try is no error of the whole. */
START_TEST(a_part_that_was_made_good_is_no_error)
{
	bed_make(&bed, 2);
	bed.config.health.quarantine_after = 100;
	bed_open(&bed);
	int64_t job = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\ncase b pass\n@v2 vanish\n", .spread = 2, .retries = 1});
	ends(job, "passed");
	ck_assert_uint_eq(bed_runs(&bed, job), 3);
	json_t *report = report_of(job);
	ck_assert_uint_eq(json_array_size(json_object_get(report, "lost")), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(report, "cases")), 2);
	json_decref(report);
	all_still();
}
END_TEST

START_TEST(a_broken_part_is_tried_elsewhere)
{
	bed_make(&bed, 2);
	bed_open(&bed);
	int64_t job = bed_submit(
	        &bed, &(struct bed_job){.plan = "@v1 case a error bench\n@v2 case a pass\ncase b pass\ncase c pass\ncase d pass\n",
	                                .spread = 2,
	                                .retries = 1});
	ends(job, "passed");
	ck_assert_int_eq(number_at(job, "total"), 4);
	all_still();
}
END_TEST

START_TEST(rerun_what_failed)
{
	struct error error = {0};
	int64_t again;
	bed_make(&bed, 1);
	bed_open(&bed);
	int64_t job = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\ncase b fail\ncase c pass\n"});
	ck_assert_int_eq(lab_rerun(bed.lab, job, true, "bob", &again, &error), -EBUSY);
	ends(job, "failed");
	ck_assert_msg(lab_rerun(bed.lab, job, true, "bob", &again, &error) == 0, "%s", error.message);
	ends(again, "failed");
	ck_assert_int_eq(number_at(again, "total"), 1);
	ck_assert_int_eq(lab_rerun(bed.lab, job, false, "bob", &again, &error), 0);
	ends(again, "failed");
	ck_assert_int_eq(number_at(again, "total"), 3);
	all_still();
}
END_TEST

START_TEST(people_lock_rigs)
{
	struct error error = {0};
	char secret[LEASE_SECRET_SIZE], other[LEASE_SECRET_SIZE];
	int64_t lease, second;
	struct lab_lease_request request = {.rig = "v1", .by = "ada", .for_ns = 60 * SECOND};
	bed_make(&bed, 1);
	bed_open(&bed);
	ck_assert_msg(lab_lease(bed.lab, &request, false, &lease, secret, &error) == 0, "%s", error.message);
	ck_assert_uint_eq(strlen(secret), 43);
	ck_assert_int_eq(lab_lease(bed.lab, &request, false, &second, other, &error), -EBUSY);
	ck_assert_msg(strncmp(error.message, "v1 is locked by ada until 2", 27) == 0, "%s", error.message);
	int64_t job = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n"});
	bed_pump(&bed, SECOND / 5);
	json_t *json = bed_job_json(&bed, job);
	ck_assert_msg(strncmp(json_string_value(json_object_get(json, "waiting_for")), "v1 is locked by ada until 2", 27) == 0, "%s",
	              json_string_value(json_object_get(json, "waiting_for")));
	json_decref(json);
	ck_assert_int_eq(lab_unlease(bed.lab, lease, "wrong", "eve", &error), -EACCES);
	ck_assert_int_eq(lab_heartbeat(bed.lab, lease, secret, &error), 0);
	ck_assert_int_eq(lab_unlease(bed.lab, lease, secret, "ada", &error), 0);
	ck_assert_int_eq(lab_heartbeat(bed.lab, lease, secret, &error), -ESTALE);
	ends(job, "passed");
	ck_assert_uint_eq(bed_did(&bed, 0, "cleanup lease-1"), 1);
	ck_assert_int_eq(lab_heartbeat(bed.lab, 999, secret, &error), -ENOENT);
	request.for_ns = 2 * bed.config.lease_limit_ns;
	ck_assert_int_eq(lab_lease(bed.lab, &request, false, &second, other, &error), -EINVAL);
	all_still();
}
END_TEST

static bool lease_expired(struct bed *b, int64_t ignored)
{
	struct lab_figures figures;
	lab_figures(b->lab, &figures);
	return figures.leases_expired > 0;
}

START_TEST(leases_end_without_heartbeat_and_at_the_deadline)
{
	struct error error = {0};
	char secret[LEASE_SECRET_SIZE];
	int64_t lease;
	struct lab_figures figures;
	struct lab_lease_request request = {.rig = "v1", .by = "ada", .for_ns = 60 * SECOND, .heartbeat = true};
	bed_make(&bed, 1);
	bed.config.heartbeat_ns = SECOND;
	bed_open(&bed);
	ck_assert_int_eq(lab_lease(bed.lab, &request, false, &lease, secret, &error), 0);
	for (unsigned i = 0; i < 8; i++) { /* longer than it would last without */
		bed_pump(&bed, SECOND / 2);
		ck_assert_msg(lab_heartbeat(bed.lab, lease, secret, &error) == 0, "%s", error.message);
	}
	bed_until(&bed, lease_expired, 0);
	ck_assert_int_eq(lab_heartbeat(bed.lab, lease, secret, &error), -ESTALE);
	bed_until(&bed, bed_idle, 0);
	request.for_ns = SECOND / 2;
	ck_assert_int_eq(lab_lease(bed.lab, &request, false, &lease, secret, &error), 0);
	for (unsigned i = 0; i < 8; i++) {
		bed_pump(&bed, SECOND / 10);
		(void)!lab_heartbeat(bed.lab, lease, secret, &error);
	}
	ck_assert_int_eq(lab_heartbeat(bed.lab, lease, secret, &error), -ESTALE);
	lab_figures(bed.lab, &figures);
	ck_assert_uint_eq(figures.leases_expired, 2);
	all_still();
}
END_TEST

START_TEST(a_lease_outlives_the_daemon)
{
	struct error error = {0};
	char secret[LEASE_SECRET_SIZE];
	int64_t lease;
	struct lab_lease_request request = {.rig = "v1", .by = "ada", .for_ns = 60 * SECOND, .heartbeat = true};
	bed_make(&bed, 1);
	bed.config.heartbeat_ns = SECOND;
	bed_open(&bed);
	ck_assert_int_eq(lab_lease(bed.lab, &request, false, &lease, secret, &error), 0);
	bed_close(&bed);
	nanosleep(&(struct timespec){.tv_sec = 4}, NULL); /* with a daemon it would be over */
	bed_open(&bed);
	ck_assert_msg(lab_heartbeat(bed.lab, lease, secret, &error) == 0, "%s", error.message);
	bed_pump(&bed, SECOND / 3);
	ck_assert_msg(lab_heartbeat(bed.lab, lease, secret, &error) == 0, "%s", error.message);
	bed_until(&bed, bed_idle, 0);
	all_still();
}
END_TEST

START_TEST(offline_rigs_are_not_handed_out)
{
	struct error error = {0};
	int64_t ignored;
	bed_make(&bed, 1);
	bed.config.check_interval_ns = SECOND / 5;
	bed_open(&bed);
	bed_behave(&bed, 0, "check", "fail");
	bed_until(&bed, ill, 0);
	ck_assert_str_eq(bed_health(&bed, 0), "healthy offline: power zgw: stays on");
	ck_assert_int_eq(bed_try(&bed, &(struct bed_job){.plan = "case a pass\n"}, &ignored, &error), -EHOSTDOWN);
	ck_assert_str_eq(error.message, "v1: offline: power zgw: stays on");
	bed_behave(&bed, 0, "check", NULL);
	bed_until(&bed, healthy_again, 0);
	ends(bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n"}), "passed");
	all_still();
}
END_TEST

START_TEST(a_wrong_rig_file_takes_it_offline)
{
	struct error error = {0};
	int64_t ignored;
	bed_make(&bed, 1);
	bed.config.check_interval_ns = SECOND / 10;
	bed_open(&bed);
	bed_pump(&bed, SECOND / 3);
	FILE *file = fopen(bed.rigs[0], "we");
	fputs("name: [\n", file);
	fclose(file);
	bed_until(&bed, ill, 0);
	ck_assert_int_eq(bed_try(&bed, &(struct bed_job){.plan = "case a pass\n"}, &ignored, &error), -EHOSTDOWN);
	ck_assert_ptr_nonnull(strstr(error.message, "v1.yaml:"));
	bed_remove(&bed);
}
END_TEST

START_TEST(bad_submissions)
{
	struct error error = {0};
	int64_t id;
	bool fresh;
	bed_make(&bed, 1);
	bed_open(&bed);
	static const char *const paths[] = {"/etc/passwd", "../x",    "tests/../x", "tests//a",    "",
	                                    "tests/",      "./tests", "other",      "tests/b.plan"};
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		struct job_record *record = bed_record(&bed, &(struct bed_job){.plan = "case a pass\n"});
		free(record->paths[0]);
		record->paths[0] = strdup(paths[i]);
		ck_assert_msg(lab_submit(bed.lab, record, "ada", &id, &fresh, &error) == -EINVAL, "%s", paths[i]);
		job_record_free(record);
	}
	static const char *const options[] = {"{\"tag\": []}",  "{\"repeat\": 0}",          "{\"cases\": \"x\"}", "{\"params\": [\"x\"]}",
	                                      "{\"seed\": -1}", "{\"stop_at_failure\": 1}", "{\"tags\": [1]}",    "{\"tags\": [\"\"]}"};
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		struct job_record *record = bed_record(&bed, &(struct bed_job){.plan = "case a pass\n"});
		json_decref(record->options);
		record->options = json_loads(options[i], 0, NULL);
		ck_assert_msg(lab_submit(bed.lab, record, "ada", &id, &fresh, &error) == -EINVAL, "%s", options[i]);
		job_record_free(record);
	}
	struct job_record *record = bed_record(&bed, &(struct bed_job){.plan = "case a pass\n"});
	memset(record->files[0].sha256, 'a', 64);
	ck_assert_int_eq(lab_submit(bed.lab, record, "ada", &id, &fresh, &error), -EINVAL);
	job_record_free(record);
	ck_assert_int_eq(bed_try(&bed, &(struct bed_job){.plan = "x", .rig = "v1", .pool = "virtual"}, &id, &error), -EINVAL);
	ck_assert_int_eq(bed_try(&bed, &(struct bed_job){.plan = "x", .priority = 101}, &id, &error), -EINVAL);
	ck_assert_int_eq(bed_try(&bed, &(struct bed_job){.plan = "x", .spread = 17}, &id, &error), -EINVAL);
	ck_assert_int_eq(bed_try(&bed, &(struct bed_job){.plan = "x", .rig = "nobody"}, &id, &error), -EHOSTDOWN);
	all_still();
}
END_TEST

START_TEST(a_key_makes_one_job)
{
	bed_make(&bed, 1);
	bed_open(&bed);
	int64_t one = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n", .key = "k"});
	ck_assert_int_eq(bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n", .key = "k"}), one);
	ends(one, "passed");
	all_still();
}
END_TEST

START_TEST(a_key_is_of_one_submission)
{
	struct error error = {0};
	int64_t ignored;
	bed_make(&bed, 1);
	bed_open(&bed);
	int64_t one = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n", .key = "k"});
	ck_assert_int_eq(bed_try(&bed, &(struct bed_job){.plan = "case b pass\n", .key = "k"}, &ignored, &error), -EEXIST);
	ck_assert_int_eq(error.domain, ERROR_USAGE);
	ck_assert_str_eq(error.message, "job 1 was submitted with this key, and with other files");
	ck_assert_int_eq(bed_try(&bed, &(struct bed_job){.plan = "case a pass\n", .key = "k", .rig = "v1"}, &ignored, &error), -EEXIST);
	ck_assert_int_eq(bed_try(&bed, &(struct bed_job){.plan = "case a pass\n", .key = "k", .spread = 2}, &ignored, &error), -EEXIST);
	/* How soon it is to be run is no other thing to run. */
	ck_assert_int_eq(bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n", .key = "k", .priority = 5}), one);
	ends(one, "passed");
	ck_assert_int_eq(bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n", .key = "k"}), one);
	all_still();
}
END_TEST

START_TEST(texts_of_options_are_no_options)
{
	static const char *const lists[] = {"tags", "cases", "params"}, *const texts[] = {"--help", "-x", "a\nb", ""};
	struct error error;
	int64_t id;
	bool fresh;
	bed_make(&bed, 1);
	bed_open(&bed);
	for (unsigned i = 0; i < 12; i++) {
		struct job_record *record = bed_record(&bed, &(struct bed_job){.plan = "case a pass\n"});
		json_object_set_new(record->options, lists[i % 3], json_pack("[s]", texts[i / 3]));
		ck_assert_int_eq(lab_submit(bed.lab, record, "ada", &id, &fresh, &error), -EINVAL);
		ck_assert_int_eq(error.domain, ERROR_USAGE);
		job_record_free(record);
	}
	all_still();
}
END_TEST

START_TEST(a_text_and_its_option_are_one_word)
{
	struct words *words = calloc(1, sizeof(*words));
	json_t *list = json_pack("[s,s]", "--help", "a b");
	words_add(words, "hilbench");
	words_add_list(words, "--case", list);
	ck_assert_uint_eq(words->count, 3);
	ck_assert_str_eq(words->word[1], "--case=--help");
	ck_assert_str_eq(words->word[2], "--case=a b");
	ck_assert_ptr_null(words->word[3]);
	ck_assert(!words->failed);
	for (unsigned i = 0; i < WORDS_MOST; i++)
		words_add(words, "x");
	ck_assert(words->failed);
	json_decref(list);
	words_free(words);
}
END_TEST

START_TEST(lists_say_what_is_waited_for)
{
	struct error error = {0};
	json_t *list;
	bed_make(&bed, 1);
	bed_open(&bed);
	int64_t first = bed_submit(&bed, &(struct bed_job){.plan = "wait 1\ncase a pass\n"});
	int64_t second = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n"});
	json_t *job = bed_job_json(&bed, second);
	ck_assert_int_eq(book_jobs_json(bed.book, "active", NULL, NULL, 10, 0, &list, &error), 0);
	const json_t *jobs = json_object_get(list, "jobs");
	lab_waiting_json(bed.lab, json_object_get(list, "jobs"));
	ck_assert(json_is_string(json_object_get(json_array_get(jobs, 0), "waiting_for")));
	ck_assert(json_equal(json_object_get(json_array_get(jobs, 0), "waiting_for"), json_object_get(job, "waiting_for")));
	ck_assert(json_is_null(json_object_get(json_array_get(jobs, 1), "waiting_for")));
	json_decref(list);
	json_decref(job);
	ends(first, "passed");
	ends(second, "passed");
	all_still();
}
END_TEST

START_TEST(a_quarantine_by_hand_is_told)
{
	struct error error = {0};
	json_t *log;
	bed_make(&bed, 1);
	bed_open(&bed);
	ck_assert_int_eq(lab_quarantine(bed.lab, "v1", "solder", "ada", &error), 0);
	ck_assert_int_eq(book_health_json(bed.book, "v1", 10, 0, &log, &error), 0);
	const json_t *entry = json_array_get(json_object_get(log, "entries"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(entry, "kind")), "operator");
	ck_assert_str_eq(json_string_value(json_object_get(entry, "text")), "quarantined by ada: solder");
	ck_assert_uint_eq(json_array_size(json_object_get(log, "entries")), 1); /* the first look is none */
	json_decref(log);
	all_still();
}
END_TEST

START_TEST(a_full_disk_takes_no_jobs)
{
	struct error error = {0};
	int64_t id;
	char reason[200];
	bed_make(&bed, 1);
	bed.config.free_bytes = UINT64_MAX / 2;
	bed_open(&bed);
	ck_assert(!lab_accepts(bed.lab, reason, sizeof(reason)));
	ck_assert_int_eq(bed_try(&bed, &(struct bed_job){.plan = "case a pass\n"}, &id, &error), -ENOSPC);
	ck_assert_str_eq(error.message, reason);
	bed_remove(&bed);
}
END_TEST

static const char *waiting_for(int64_t job)
{
	static char text[600];
	json_t *json = bed_job_json(&bed, job);
	const char *waits = json_string_value(json_object_get(json, "waiting_for"));
	snprintf(text, sizeof(text), "%s", waits ? waits : "");
	json_decref(json);
	return text;
}

static bool waits_for_space(struct bed *b, int64_t job)
{
	return strncmp(waiting_for(job), "disk space: only ", 17) == 0;
}

static unsigned sweeps;
static void sweep(void *context)
{
	sweeps++;
}

/* How much has to be free is what changes here: the disk is everybody's. */
START_TEST(a_job_waits_for_space)
{
	struct error error = {0};
	int64_t id;
	bed_make(&bed, 1);
	bed_open(&bed);
	lab_on_no_space(bed.lab, sweep, NULL);
	int64_t first = bed_submit(&bed, &(struct bed_job){.plan = "wait 1\ncase a pass\n"});
	int64_t next = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n"});
	bed_until(&bed, runs, first);
	bed.config.free_bytes = UINT64_MAX / 2;
	ck_assert_int_eq(bed_try(&bed, &(struct bed_job){.plan = "case a pass\n"}, &id, &error), -ENOSPC);
	ck_assert_uint_eq(sweeps, 1);
	ends(first, "passed"); /* what runs has its own limit */
	bed_until(&bed, waits_for_space, next);
	bed_pump(&bed, 2 * SECOND);
	ck_assert_uint_eq(bed_runs(&bed, next), 0);
	bed.config.free_bytes = 0;
	ends(next, "passed");
	ck_assert_uint_eq(bed_runs(&bed, next), 1);
	ck_assert_str_eq(bed_health(&bed, 0), "healthy");
	all_still();
}
END_TEST

/* Nobody asks meanwhile: it is looked at before the start itself. */
START_TEST(no_run_starts_without_space)
{
	bed_make(&bed, 1);
	bed_open(&bed);
	int64_t first = bed_submit(&bed, &(struct bed_job){.plan = "case a pass - 0.3\n"});
	int64_t next = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n"});
	bed.config.free_bytes = UINT64_MAX / 2;
	ends(first, "passed");
	bed_until(&bed, waits_for_space, next);
	ck_assert_uint_eq(bed_runs(&bed, next), 0);
	bed.config.free_bytes = 0;
	ends(next, "passed");
	all_still();
}
END_TEST

START_TEST(a_rig_is_not_blamed_for_a_full_disk)
{
	static const char plan[] = "board zgw\ncase a error bench 0.5 vboard zgw: cannot write x: No space left on device\n";
	char text[600];
	bed_make(&bed, 1);
	bed.config.health.quarantine_after = 1;
	bed_open(&bed);
	bed.config.space_pause_ns = SECOND / 100;
	int64_t job = bed_submit(&bed, &(struct bed_job){.plan = plan, .retries = 1});
	bed_until(&bed, runs, job);
	bed.config.free_bytes = UINT64_MAX / 2;
	bed_until(&bed, waits_for_space, job); /* for its further try */
	text_at(job, 1, "outcome", text, sizeof(text));
	ck_assert_str_eq(text, "error");
	text_at(job, 1, "cause", text, sizeof(text));
	ck_assert_str_eq(text, "bench");
	ck_assert_uint_eq(bed_runs(&bed, job), 1);
	bed.config.free_bytes = 0;
	ends(job, "error no space on the host: ");
	ck_assert_uint_eq(bed_runs(&bed, job), 1 + LAB_SPACE_TRIES);
	ck_assert_str_eq(bed_health(&bed, 0), "healthy");
	all_still();
}
END_TEST

static bool pauses_for_space(struct bed *b, int64_t job)
{
	return strncmp(waiting_for(job), "disk space: its last try ", 25) == 0;
}

static unsigned queued_jobs(void)
{
	struct lab_figures figures;
	lab_figures(bed.lab, &figures);
	return figures.queued;
}

/* It was the disk: the tries are not used up while it is full, and others have the rig meanwhile. */
START_TEST(what_found_no_space_is_not_tried_again_at_once)
{
	struct error error = {0};
	bed_make(&bed, 1);
	bed.config.space_pause_ns = 600 * SECOND;
	bed_open(&bed);
	int64_t job = bed_submit(&bed, &(struct bed_job){.plan = "case a error bench:ENOSPC 0 cannot write\n", .retries = 3});
	bed_until(&bed, pauses_for_space, job);
	ck_assert_uint_eq(queued_jobs(), 1);
	int64_t other = bed_submit(&bed, &(struct bed_job){.plan = "wait 600\ncase a pass\n"});
	bed_until(&bed, runs, other); /* it does not wait */
	ck_assert_str_eq(waiting_for(other), "");
	ck_assert_uint_eq(queued_jobs(), 1);
	ck_assert_int_eq(lab_cancel(bed.lab, other, "ada", &error), 0);
	ends(other, "cancelled");
	ends(bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n"}), "passed");
	ck_assert_uint_eq(bed_runs(&bed, job), 1);
	ck_assert(pauses_for_space(&bed, job));
	ck_assert_int_eq(lab_cancel(bed.lab, job, "ada", &error), 0);
	bed_until(&bed, bed_job_done, job);
	all_still();
}
END_TEST

/* By the name of the error, whatever its words are; words count only of what has no other way to say it. */
START_TEST(a_full_disk_is_known_by_the_name_of_the_error)
{
	static const struct {
		const char *plan;
		bool excused;
	} table[] = {{"case a error bench:ENOSPC 0 cannot write capture.pcapng\n", true},
	             {"case a error bench:EDQUOT 0 cannot write capture.pcapng\n", true},
	             {"case a error bench:EPIPE 0 vboard: gone (its log ends with \"No space left on device\")\n", true},
	             {"case a error bench:EIO 0 the board wrote: No space left on device\n", false}};
	bed_make(&bed, 1);
	bed.config.health.quarantine_after = 100;
	bed_open(&bed);
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		ends(bed_submit(&bed, &(struct bed_job){.plan = table[i].plan}),
		     table[i].excused ? "error no space on the host: " : "error a: ");
	all_still();
}
END_TEST

/* What breaks gives space back, and cannot always say why it broke. */
START_TEST(a_rig_is_not_blamed_for_a_disk_that_was_full)
{
	char reason[200];
	bed_make(&bed, 1);
	bed.config.health.quarantine_after = 1;
	bed_open(&bed);
	int64_t job = bed_submit(&bed, &(struct bed_job){.plan = "wait 1\nboard zgw\ncase a error bench\n"});
	bed_until(&bed, runs, job);
	bed.config.free_bytes = UINT64_MAX / 2;
	ck_assert(!lab_accepts(bed.lab, reason, sizeof(reason)));
	bed.config.free_bytes = 0;
	ends(job, "error no space on the host: ");
	ck_assert_str_eq(bed_health(&bed, 0), "healthy");
	/* That was then. */
	ends(bed_submit(&bed, &(struct bed_job){.plan = "board zgw\ncase a error bench\n"}), "error board zgw was given up");
	ck_assert_msg(strncmp(bed_health(&bed, 0), "quarantined", 11) == 0, "%s", bed_health(&bed, 0));
	all_still();
}
END_TEST

static bool stopped;
static void on_stopped(void *context)
{
	stopped = true;
}
static bool is_stopped(struct bed *b, int64_t ignored)
{
	return stopped;
}

START_TEST(a_stopped_daemon_goes_on_later)
{
	struct error error = {0};
	bed_make(&bed, 1);
	bed_open(&bed);
	int64_t job = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\nwait 4\ncase b pass\n"});
	int64_t next = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n"}), id;
	bed_until(&bed, runs, job);
	bed_pump(&bed, SECOND / 3);
	lab_stop(bed.lab, on_stopped, NULL);
	ck_assert_int_eq(bed_try(&bed, &(struct bed_job){.plan = "case a pass\n"}, &id, &error), -ESHUTDOWN);
	bed_until(&bed, is_stopped, 0);
	ck_assert_msg(strncmp(bed_outcome(&bed, job), "queued", 6) == 0, "%s", bed_outcome(&bed, job));
	bed_check(&bed);
	bed_close(&bed);
	bed_open(&bed);
	ends(job, "passed");
	ck_assert_uint_eq(bed_runs(&bed, job), 2);
	ck_assert_int_eq(number_at(job, "total"), 2);
	ends(next, "passed");
	all_still();
}
END_TEST

START_TEST(runs_outlive_the_daemon)
{
	struct lab_figures figures;
	bed_make(&bed, 2);
	bed_open(&bed);
	int64_t lives = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\nwait 4\ncase b pass\n"});
	int64_t ends_meanwhile = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\nwait 0.2\ncase b fail\n"});
	bed_until(&bed, runs, lives);
	bed_until(&bed, has_begun, ends_meanwhile);
	bed_close(&bed); /* as good as killed: nothing is settled */
	nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
	bed_open(&bed);
	lab_figures(bed.lab, &figures);
	ck_assert_uint_eq(figures.adopted, 2);
	ends(ends_meanwhile, "failed");
	ends(lives, "passed");
	ck_assert_uint_eq(bed_runs(&bed, lives), 1);
	all_still();
}
END_TEST

static uint64_t events[LAB_LEASE_JOURNAL + 1];
static void hear(enum lab_event event, int64_t id, const json_t *data, void *context)
{
	events[event]++;
	if (event == LAB_RUN || event == LAB_JOB || event == LAB_RIG)
		ck_assert(json_is_object(data));
}

START_TEST(listeners_are_told)
{
	struct error error = {0};
	bed_make(&bed, 1);
	bed_open(&bed);
	ck_assert_int_eq(lab_listen(bed.lab, hear, NULL, &error), 0);
	ends(bed_submit(&bed, &(struct bed_job){.plan = "case a pass - 0.1\ncase b pass\n"}), "passed");
	bed_until(&bed, bed_idle, 0);
	ck_assert_uint_ge(events[LAB_JOB], 3);
	ck_assert_uint_ge(events[LAB_RUN], 2);
	ck_assert_uint_ge(events[LAB_RIG], 2);
	ck_assert_uint_ge(events[LAB_QUEUE], 1);
	ck_assert_uint_ge(events[LAB_RUN_TAIL], 1);
	ck_assert_uint_eq(events[LAB_RUN_STORING], 1);
	lab_unlisten(bed.lab, hear, NULL);
	all_still();
}
END_TEST

START_TEST(priority_and_age_decide)
{
	bed_make(&bed, 1);
	bed.unseen = true; /* a virtual rig is used before anybody looked at it */
	bed_open(&bed);
	int64_t first = bed_submit(&bed, &(struct bed_job){.plan = "wait 0.1\ncase a pass\n"});
	int64_t low = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n", .priority = -1});
	int64_t middle = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n"});
	int64_t high = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n", .priority = 5});
	ends(low, "passed");
	json_t *last = bed_job_json(&bed, low), *later = bed_job_json(&bed, middle), *sooner = bed_job_json(&bed, high);
	ck_assert_str_lt(json_string_value(json_object_get(sooner, "started")), json_string_value(json_object_get(later, "started")));
	ck_assert_str_lt(json_string_value(json_object_get(later, "started")), json_string_value(json_object_get(last, "started")));
	json_decref(last);
	json_decref(later);
	json_decref(sooner);
	ck_assert(bed_job_done(&bed, first));
	all_still();
}
END_TEST

static TCase *cases_of(Suite *suite)
{
	TCase *cases = tcase_create("lab");
	tcase_set_timeout(cases, 120);
	suite_add_tcase(suite, cases);
	return cases;
}

int main(int argc, char **argv)
{
	int status = bed_stand_in(argc, argv);
	if (status >= 0)
		return status;
	static const TTest *const *const tests[] = {&outcomes,
	                                            &reports_are_kept,
	                                            &what_the_bench_broke_is_tried_elsewhere,
	                                            &a_crash_is_tried_again_and_the_rig_tested,
	                                            &limits,
	                                            &a_bad_board_is_quarantined,
	                                            &a_lost_board_is_counted,
	                                            &recovery_comes_by_itself,
	                                            &queued_jobs_end_when_the_last_rig_goes,
	                                            &a_hanging_cleanup_quarantines,
	                                            &who_ends_what_is_left_of_a_lease_leaves_the_cleanup_alone,
	                                            &cancelled_jobs_leave_the_rig_free,
	                                            &spread_over_equal_rigs,
	                                            &a_part_that_left_nothing_is_in_the_report,
	                                            &a_job_that_left_nothing_has_a_report,
	                                            &a_run_that_is_refused_says_why,
	                                            &counts_do_not_go_back,
	                                            &a_lost_try_counts_nothing,
	                                            &a_part_that_was_made_good_is_no_error,
	                                            &a_broken_part_is_tried_elsewhere,
	                                            &rerun_what_failed,
	                                            &people_lock_rigs,
	                                            &leases_end_without_heartbeat_and_at_the_deadline,
	                                            &a_lease_outlives_the_daemon,
	                                            &offline_rigs_are_not_handed_out,
	                                            &a_wrong_rig_file_takes_it_offline,
	                                            &bad_submissions,
	                                            &a_key_makes_one_job,
	                                            &a_key_is_of_one_submission,
	                                            &texts_of_options_are_no_options,
	                                            &a_text_and_its_option_are_one_word,
	                                            &lists_say_what_is_waited_for,
	                                            &a_quarantine_by_hand_is_told,
	                                            &a_full_disk_takes_no_jobs,
	                                            &a_job_waits_for_space,
	                                            &no_run_starts_without_space,
	                                            &a_rig_is_not_blamed_for_a_full_disk,
	                                            &what_found_no_space_is_not_tried_again_at_once,
	                                            &a_full_disk_is_known_by_the_name_of_the_error,
	                                            &a_rig_is_not_blamed_for_a_disk_that_was_full,
	                                            &a_stopped_daemon_goes_on_later,
	                                            &runs_outlive_the_daemon,
	                                            &listeners_are_told,
	                                            &priority_and_age_decide};
	Suite *suite = suite_create("lab");
	TCase *cases = cases_of(suite);
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		tcase_add_test(cases, *tests[i]);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
