/* SPDX-License-Identifier: Apache-2.0 */
/* Large files of a run: the loop goes on while they are stored, and a disk that is full for a while loses nothing. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bed.h"

#define SECOND  INT64_C(1000000000)
#define PROBE   (5 * SECOND / 1000)
#define ALLOWED (100 * SECOND / 1000)
#define TRIES   6 /* of a machine that has other things to do too */

static struct bed bed;

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

/* Stands for a request that comes every 5 ms. */
struct probe {
	int64_t due_ns, late_ns;
	sd_event_source *source;
};

static int on_probe(sd_event_source *source, uint64_t at_us, void *context)
{
	struct probe *probe = context;
	int64_t late_ns = now_ns() - probe->due_ns;
	if (late_ns > probe->late_ns)
		probe->late_ns = late_ns;
	probe->due_ns = now_ns() + PROBE;
	sd_event_source_set_time(source, (uint64_t)probe->due_ns / 1000);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* The same wait in a thread that does nothing else: what the machine itself costs. */
struct idler {
	pthread_t thread;
	atomic_bool stop;
	int64_t late_ns;
};

static void *idle(void *context)
{
	struct idler *idler = context;
	const struct timespec wait = {.tv_nsec = PROBE};
	while (!atomic_load(&idler->stop)) {
		int64_t due_ns = now_ns() + PROBE;
		(void)nanosleep(&wait, NULL);
		int64_t late_ns = now_ns() - due_ns;
		if (late_ns > idler->late_ns)
			idler->late_ns = late_ns;
	}
	return NULL;
}

static void probe_begin(struct probe *probe)
{
	*probe = (struct probe){.due_ns = now_ns() + PROBE};
	ck_assert_int_ge(
	        sd_event_add_time(bed.event, &probe->source, CLOCK_MONOTONIC, (uint64_t)probe->due_ns / 1000, 1000, on_probe, probe), 0);
}

static bool in_state(struct bed *b, int64_t job, const char *key, const char *state)
{
	json_t *json = bed_job_json(b, job);
	const json_t *run = json_array_get(json_object_get(json, "runs"), 0);
	const char *is = json_string_value(json_object_get(run, key));
	bool same = is && strcmp(is, state) == 0;
	json_decref(json);
	return same;
}

static bool has_ended(struct bed *b, int64_t job)
{
	return in_state(b, job, "state", "ended") || bed_job_done(b, job);
}

static bool runs(struct bed *b, int64_t job)
{
	return in_state(b, job, "state", "running");
}

static int64_t store_large(void)
{
	struct probe probe;
	char sha256[65];
	uint64_t size;
	struct error error = {0};
	int64_t job = bed_submit(&bed, &(struct bed_job){.plan = "big 300\ncase a pass\n"});
	bed_until(&bed, runs, job);
	struct idler idler = {0};
	ck_assert_int_eq(pthread_create(&idler.thread, NULL, idle, &idler), 0);
	probe_begin(&probe);
	bed_until(&bed, bed_job_done, job);
	bed_pump(&bed, SECOND / 10); /* its directory goes away */
	sd_event_source_disable_unref(probe.source);
	atomic_store(&idler.stop, true);
	ck_assert_int_eq(pthread_join(idler.thread, NULL), 0);
	ck_assert_msg(strncmp(bed_outcome(&bed, job), "passed", 6) == 0, "%s", bed_outcome(&bed, job));
	ck_assert_int_eq(book_artefact_find(bed.book, job, "capture.pcapng", sha256, &size, &error), 0);
	ck_assert_uint_eq(size, 300000000);
	printf("300 MB: the loop was %.1f ms late at most, an idle thread %.1f ms\n", (double)probe.late_ns / 1e6,
	       (double)idler.late_ns / 1e6);
	return probe.late_ns - idler.late_ns;
}

START_TEST(the_loop_goes_on)
{
	int64_t best_ns = INT64_MAX;
	bed_make(&bed, 1);
	bed_open(&bed);
	for (unsigned i = 0; i < TRIES && best_ns > ALLOWED; i++) {
		int64_t late_ns = store_large();
		best_ns = late_ns < best_ns ? late_ns : best_ns;
	}
	ck_assert_int_le(best_ns, ALLOWED);
	bed_until(&bed, bed_idle, 0);
	bed_check(&bed);
	bed_remove(&bed);
}
END_TEST

/* ---- large files that a job came with ---- */

#define GIVEN_BYTES (64u << 20)

/* One more file of the job, of so many bytes. */
static void add_large(struct job_record *record)
{
	static char portion[1 << 20];
	struct error error = {0};
	struct blob_writer *writer;
	char name[BLOB_NAME_SIZE];
	ck_assert_int_eq(blob_begin(bed.book, &writer, &error), 0);
	for (unsigned i = 0; i < GIVEN_BYTES / sizeof(portion); i++) {
		memset(portion, (int)i, sizeof(portion));
		ck_assert_int_eq(blob_write(writer, portion, sizeof(portion), &error), 0);
	}
	ck_assert_int_eq(blob_end(writer, NULL, name, NULL, &error), 0);
	struct job_file *files = realloc(record->files, (record->file_count + 1) * sizeof(*files));
	ck_assert_ptr_nonnull(files);
	files[record->file_count++] = (struct job_file){.path = strdup("packages/large.swpg"), .sha256 = strdup(name)};
	record->files = files;
}

static int64_t run_with_large(unsigned spread)
{
	struct probe probe;
	struct idler idler = {0};
	struct error error = {0};
	int64_t job;
	bool fresh;
	struct job_record *record = bed_record(&bed, &(struct bed_job){.plan = "case a pass\ncase b pass\n", .spread = spread});
	add_large(record);
	ck_assert_int_eq(pthread_create(&idler.thread, NULL, idle, &idler), 0);
	probe_begin(&probe);
	int r = lab_submit(bed.lab, record, "ada", &job, &fresh, &error);
	ck_assert_msg(r == 0, "%s", error.message);
	bed_until(&bed, bed_job_done, job);
	bed_pump(&bed, SECOND / 10); /* its directories go away */
	sd_event_source_disable_unref(probe.source);
	atomic_store(&idler.stop, true);
	ck_assert_int_eq(pthread_join(idler.thread, NULL), 0);
	job_record_free(record);
	ck_assert_msg(strncmp(bed_outcome(&bed, job), "passed", 6) == 0, "%s", bed_outcome(&bed, job));
	ck_assert_uint_eq(bed_runs(&bed, job), spread);
	printf("a job with 64 MiB on %u rigs: the loop was %.1f ms late at most, an idle thread %.1f ms\n", spread,
	       (double)probe.late_ns / 1e6, (double)idler.late_ns / 1e6);
	return probe.late_ns - idler.late_ns;
}

START_TEST(the_loop_goes_on_while_files_are_given)
{
	int64_t best_ns = INT64_MAX;
	bed_make(&bed, 2);
	bed_open(&bed);
	for (unsigned i = 0; i < TRIES && best_ns > ALLOWED; i++) {
		int64_t late_ns = run_with_large(1 + (unsigned)_i);
		best_ns = late_ns < best_ns ? late_ns : best_ns;
	}
	ck_assert_int_le(best_ns, ALLOWED);
	bed_until(&bed, bed_idle, 0);
	bed_check(&bed);
	bed_remove(&bed);
}
END_TEST

/* ---- full disks ---- */

/* Nothing is asserted meanwhile: the test program writes a file of its own then. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;
	(void)getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes;
	(void)setrlimit(RLIMIT_FSIZE, &limit);
}

static void pump(int64_t for_ns)
{
	for (int64_t end_ns = now_ns() + for_ns; now_ns() < end_ns;)
		(void)sd_event_run(bed.event, 5000);
}

/* bytes: from a limit that stops the artefact alone to one that stops the book itself. */
static void full_for_a_while(rlim_t bytes, bool leave)
{
	char sha256[65];
	uint64_t size;
	struct error error = {0};
	bed_make(&bed, 2);
	bed_open(&bed);
	int64_t job = bed_submit(&bed, &(struct bed_job){.plan = "big 5\ncase a pass\ncase b fail\nwait 0.3\n", .rig = "v1"});
	bed_until(&bed, runs, job);
	limit_files(bytes);
	pump(3 * SECOND);
	if (leave)
		bed_close(&bed); /* the next daemon finds it so */
	limit_files(RLIM_INFINITY);
	if (leave)
		bed_open(&bed);
	else
		ck_assert(!bed_job_done(&bed, job));
	bed_until(&bed, bed_job_done, job);
	ck_assert_msg(strncmp(bed_outcome(&bed, job), "failed", 6) == 0, "%s", bed_outcome(&bed, job));
	ck_assert_uint_eq(bed_runs(&bed, job), 1);
	ck_assert_int_eq(book_artefact_find(bed.book, 1, "capture.pcapng", sha256, &size, &error), 0);
	ck_assert_uint_eq(size, 5000000);
	bed_until(&bed, bed_idle, 0);
	bed_check(&bed);
	bed_remove(&bed);
}

START_TEST(full_while_an_artefact_is_stored)
{
	full_for_a_while(2000000, false);
}
END_TEST

START_TEST(full_while_the_book_is_written)
{
	full_for_a_while(20000, false);
}
END_TEST

START_TEST(ended_with_a_full_disk)
{
	full_for_a_while(2000000, true);
}
END_TEST

/* A job that comes while nothing can be written is refused; nothing of it is left, and the next one is taken. */
START_TEST(full_when_a_job_comes)
{
	struct error error = {0};
	int64_t id = 0;
	bed_make(&bed, 1);
	bed_open(&bed);
	struct job_record *record = bed_record(&bed, &(struct bed_job){.plan = "case a pass\n"});
	bool fresh;
	limit_files(20000);
	int r = lab_submit(bed.lab, record, "ada", &id, &fresh, &error);
	pump(SECOND / 10);
	limit_files(RLIM_INFINITY);
	job_record_free(record);
	ck_assert_int_eq(r, -ENOSPC);
	ck_assert(bed_idle(&bed, 0));
	id = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n"});
	bed_until(&bed, bed_job_done, id);
	ck_assert_str_eq(bed_outcome(&bed, id), "passed");
	bed_until(&bed, bed_idle, 0);
	bed_check(&bed);
	bed_remove(&bed);
}
END_TEST

START_TEST(ended_while_it_stores)
{
	bed_make(&bed, 1);
	bed_open(&bed);
	int64_t job = bed_submit(&bed, &(struct bed_job){.plan = "big 300\ncase a pass\n"});
	bed_until(&bed, has_ended, job);
	int64_t begin_ns = now_ns();
	bed_close(&bed);
	ck_assert_int_lt(now_ns() - begin_ns, 60 * SECOND);
	bed_open(&bed);
	bed_until(&bed, bed_job_done, job);
	ck_assert_str_eq(bed_outcome(&bed, job), "passed");
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
	signal(SIGXFSZ, SIG_IGN);
	Suite *suite = suite_create("large");
	TCase *late = tcase_create("late"), *cases = tcase_create("large");
	tcase_set_tags(late, "late");
	tcase_set_timeout(late, 120);
	tcase_add_test(late, the_loop_goes_on);
	tcase_add_loop_test(late, the_loop_goes_on_while_files_are_given, 0, 2); /* and when it is asked for its cases */
	suite_add_tcase(suite, late);
	tcase_set_timeout(cases, 120);
	tcase_add_test(cases, full_while_an_artefact_is_stored);
	tcase_add_test(cases, full_while_the_book_is_written);
	tcase_add_test(cases, ended_with_a_full_disk);
	tcase_add_test(cases, full_when_a_job_comes);
	tcase_add_test(cases, ended_while_it_stores);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner) + (srunner_ntests_run(runner) == 0);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
