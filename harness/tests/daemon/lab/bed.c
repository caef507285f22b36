/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../../daemon/job/keeper.h"
#include "bed.h"

#define SECOND INT64_C(1000000000)

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}

/* Each has a file of its own: what is done to it is told apart. */
static void write_rig(const char *path)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = fopen(getenv("TEST_RIG"), "re");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_gt(getdelim(&text, &size, 0, file), 0);
	fclose(file);
	write_text(path, text);
	free(text);
}

void bed_make(struct bed *bed, size_t rigs)
{
	static char programs[2][4096], names[4][4] = {"v1", "v2", "v3", "v4"}, pool[] = "virtual";
	*bed = (struct bed){0};
	(void)snprintf(bed->directory, sizeof(bed->directory), "/tmp/hilbench-lab-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(bed->directory));
	snprintf(bed->state, sizeof(bed->state), "%s/state", bed->directory);
	ck_assert_int_gt(readlink("/proc/self/exe", programs[0], sizeof(programs[0]) - 1), 0);
	snprintf(programs[1], sizeof(programs[1]), "%s", getenv("TEST_FAKE_BENCH"));
	for (size_t i = 0; i < rigs; i++) {
		snprintf(bed->rigs[i], sizeof(bed->rigs[i]), "%s/%s.yaml", bed->directory, names[i]);
		write_rig(bed->rigs[i]);
		bed->rig_configs[i] = (struct lab_rig_config){.name = names[i], .pool = pool, .file = bed->rigs[i]};
	}
	bed->config = (struct lab_config){.rigs = bed->rig_configs,
	                                  .rig_count = rigs,
	                                  .daemon_program = programs[0],
	                                  .bench_program = programs[1],
	                                  .time_limit_ns = 60 * SECOND,
	                                  .silence_limit_ns = 0,
	                                  .grace_ns = SECOND,
	                                  .cleanup_limit_ns = 40 * SECOND,
	                                  .recovery_limit_ns = 40 * SECOND,
	                                  .check_interval_ns = 3600 * SECOND,
	                                  .lease_limit_ns = 3600 * SECOND,
	                                  .heartbeat_ns = SECOND / 5,
	                                  .queue_limit = 20000,
	                                  .health = {.quarantine_after = 2, .recovery_after_ns = 3600 * SECOND}};
}

static bool all_seen(struct bed *bed, int64_t ignored)
{
	bool seen = true;
	for (size_t i = 0; i < bed->config.rig_count; i++)
		seen &= strstr(bed_health(bed, i), "offline") == NULL;
	return seen;
}

void bed_open(struct bed *bed)
{
	struct error error = {0};
	ck_assert_int_ge(sd_event_new(&bed->event), 0);
	ck_assert_msg(book_open(&bed->book, bed->state, &error) == 0, "%s", error.message);
	ck_assert_msg(lab_new(&bed->lab, bed->event, bed->book, &bed->config, &error) == 0, "%s", error.message);
	ck_assert_msg(lab_start(bed->lab, &error) == 0, "%s", error.message);
	if (!bed->unseen)
		bed_until(bed, all_seen, 0);
	bed->unseen = true; /* when it is opened once more */
}

void bed_close(struct bed *bed)
{
	lab_free(bed->lab);
	book_close(bed->book);
	sd_event_unref(bed->event);
	bed->lab = NULL;
	bed->book = NULL;
	bed->event = NULL;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	return remove(path);
}

void bed_remove(struct bed *bed)
{
	bed_close(bed);
	nftw(bed->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void bed_behave(const struct bed *bed, size_t rig, const char *verb, const char *how)
{
	char path[300];
	snprintf(path, sizeof(path), "%s.%s", bed->rigs[rig], verb);
	if (how)
		write_text(path, how);
	else
		unlink(path);
}

unsigned bed_did(const struct bed *bed, size_t rig, const char *line)
{
	char path[300], text[200];
	unsigned count = 0;
	snprintf(path, sizeof(path), "%s.log", bed->rigs[rig]);
	FILE *file = fopen(path, "re");
	while (file && fgets(text, sizeof(text), file))
		count += strncmp(text, line, strlen(line)) == 0;
	if (file)
		fclose(file);
	return count;
}

/* ---- jobs ---- */

static void put_blob(struct book *book, const char *text, char name[BLOB_NAME_SIZE])
{
	struct blob_writer *writer;
	struct error error = {0};
	ck_assert_msg(blob_begin(book, &writer, &error) == 0, "%s", error.message);
	ck_assert_msg(blob_write(writer, text, strlen(text), &error) == 0, "%s", error.message);
	ck_assert_msg(blob_end(writer, NULL, name, NULL, &error) == 0, "%s", error.message);
}

struct job_record *bed_record(const struct bed *bed, const struct bed_job *job)
{
	char name[BLOB_NAME_SIZE];
	struct job_record *record = calloc(1, sizeof(*record));
	put_blob(bed->book, job->plan, name);
	record->title = strdup("a job");
	record->series = strdup("test");
	record->rig = job->rig ? strdup(job->rig) : NULL;
	record->pool = job->pool ? strdup(job->pool) : NULL;
	record->key = job->key ? strdup(job->key) : NULL;
	record->
	        requires
	= calloc(1, sizeof(char *));
	record->paths = calloc(2, sizeof(char *));
	record->paths[0] = strdup("tests");
	record->spread = job->spread ? job->spread : 1;
	record->retries = job->retries;
	record->priority = job->priority;
	record->time_limit_ns = job->time_limit_ns;
	record->silence_limit_ns = job->silence_limit_ns;
	record->options = json_object();
	record->files = calloc(1, sizeof(*record->files));
	record->files[0] = (struct job_file){.path = strdup("tests/a.plan"), .sha256 = strdup(name)};
	record->file_count = 1;
	return record;
}

int bed_try(struct bed *bed, const struct bed_job *job, int64_t *ret, struct error *error)
{
	struct job_record *record = bed_record(bed, job);
	bool fresh;
	int r = lab_submit(bed->lab, record, "ada", ret, &fresh, error);
	job_record_free(record);
	return r;
}

int64_t bed_submit(struct bed *bed, const struct bed_job *job)
{
	struct error error = {0};
	int64_t id = 0;
	int r = bed_try(bed, job, &id, &error);
	ck_assert_msg(r == 0, "%d %s", r, error.message);
	return id;
}

/* ---- waiting, looking ---- */

void bed_until(struct bed *bed, bool (*done)(struct bed *, int64_t), int64_t argument)
{
	int64_t deadline_ns = now_ns() + 100 * SECOND;
	while (!done(bed, argument)) {
		ck_assert_msg(now_ns() < deadline_ns, "it does not end: %s", argument ? bed_outcome(bed, argument) : "");
		ck_assert_int_ge(sd_event_run(bed->event, 20000), 0);
	}
}

void bed_pump(struct bed *bed, int64_t for_ns)
{
	for (int64_t end_ns = now_ns() + for_ns; now_ns() < end_ns;)
		ck_assert_int_ge(sd_event_run(bed->event, 5000), 0);
}

json_t *bed_job_json(struct bed *bed, int64_t job)
{
	struct error error = {0};
	json_t *json = NULL;
	ck_assert_msg(lab_job_json(bed->lab, job, &json, &error) == 0, "%s", error.message);
	return json;
}

bool bed_job_done(struct bed *bed, int64_t id)
{
	struct error error = {0};
	struct job_record *record;
	ck_assert_msg(book_job(bed->book, id, &record, &error) == 0, "%s", error.message);
	bool done = record->state == JOB_DONE;
	job_record_free(record);
	return done;
}

bool bed_idle(struct bed *bed, int64_t ignored)
{
	struct error error = {0};
	struct lease_record **leases;
	unsigned queued, running;
	size_t count;
	ck_assert_int_eq(book_queue_counts(bed->book, &queued, &running, &error), 0);
	ck_assert_int_eq(book_leases_open(bed->book, &leases, &count, &error), 0);
	for (size_t i = 0; i < count; i++)
		lease_record_free(leases[i]);
	free(leases);
	return queued + running + count == 0;
}

const char *bed_outcome(struct bed *bed, int64_t id)
{
	static char text[1200];
	struct error error = {0};
	struct job_record *record;
	ck_assert_msg(book_job(bed->book, id, &record, &error) == 0, "%s", error.message);
	const char *outcome = job_outcome_name(record->outcome);
	snprintf(text, sizeof(text), "%s%s%s", outcome ? outcome : job_state_name(record->state), *record->reason ? " " : "",
	         record->reason);
	job_record_free(record);
	return text;
}

unsigned bed_runs(struct bed *bed, int64_t job)
{
	json_t *json = bed_job_json(bed, job);
	unsigned count = (unsigned)json_array_size(json_object_get(json, "runs"));
	json_decref(json);
	return count;
}

const char *bed_health(struct bed *bed, size_t rig)
{
	static char text[800];
	struct error error = {0};
	struct rig_record *record;
	ck_assert_int_eq(book_rig(bed->book, bed->config.rigs[rig].name, &record, &error), 0);
	snprintf(text, sizeof(text), "%s%s%s%s", rig_health_name(record->health), record->online ? "" : " offline",
	         *record->reason ? ": " : "", record->reason);
	rig_record_free(record);
	return text;
}

static void tell(const char *breach, void *context)
{
	fprintf(stderr, "breach: %s\n", breach);
}

void bed_check(struct bed *bed)
{
	struct error error = {0};
	unsigned breaches;
	ck_assert_msg(book_check(bed->book, true, tell, NULL, &breaches, &error) == 0, "%s", error.message);
	ck_assert_uint_eq(breaches, 0);
}

int bed_stand_in(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "--keep") == 0)
		return keeper_main(argv[2]);
	return argc > 1 && strcmp(argv[1], "--errand") == 0 ? errand_main(argc, argv) : -1;
}
