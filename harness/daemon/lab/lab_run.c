/* SPDX-License-Identifier: Apache-2.0 */
/* One run of a job: its directory, its keeper, what comes from it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../job/given.h"
#include "lab_private.h"
#include "words.h"

struct lab_run *lab_run_new(struct lab_job *job, struct run_record *stolen)
{
	struct lab_run **runs = realloc(job->runs, (job->run_count + 1) * sizeof(*runs));
	struct lab_run *run = calloc(1, sizeof(*run));
	if (runs)
		job->runs = runs;
	if (!runs || !run) {
		free(run);
		run_record_free(stolen);
		return NULL;
	}
	run->job = job;
	run->record = stolen;
	run->rig = lab_rig_find(job->lab, stolen->rig);
	run->exit = (struct keeper_exit){.exit_status = -1, .signal = -1};
	if (stolen->state == RUN_DONE)
		run->stage = STAGE_DONE;
	(void)snprintf(run->directory, sizeof(run->directory), "%.3600s/jobs/%" PRId64 "/%" PRId64, book_directory(job->lab->book),
	               job->record->id, stolen->id);
	job->runs[job->run_count++] = run;
	if (run->stage != STAGE_DONE) {
		job->open_count++;
		if (run->rig)
			run->rig->judging++;
	}
	return run;
}

void lab_run_free(struct lab_run *run)
{
	if (!run)
		return;
	kept_free(run->kept);
	tail_free(run->tail);
	errand_free(run->errand);
	store_free(run->store);
	run_record_free(run->record);
	free(run);
}

/* ---- the book ---- */

static struct run_record *new_record(const struct lab_job *job, const struct lab_rig *rig, unsigned shard, json_t *cases, bool retry)
{
	struct run_record *record = calloc(1, sizeof(*record));
	if (!record)
		return NULL;
	record->job = job->record->id;
	record->shard = shard;
	record->retry = retry;
	record->exit_status = record->signal = -1;
	record->rig = strdup(rig->config->name);
	record->reason = strdup("");
	record->cases = json_incref(cases);
	if (record->rig && record->reason)
		return record;
	run_record_free(record);
	return NULL;
}

int lab_run_add(struct lab_job *job, struct lab_rig *rig, unsigned shard, json_t *cases, bool retry, struct lab_run **ret,
                struct error *err)
{
	struct run_record *record = new_record(job, rig, shard, cases, retry);
	if (!record)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	int r = book_run_add(job->lab->book, record, err);
	if (r < 0) {
		run_record_free(record);
		return r;
	}
	*ret = lab_run_new(job, record);
	return *ret ? 0 : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

/* ---- its directory ---- */

static bool is_case_file(const char *path)
{
	size_t length = strlen(path);
	return length > 5 && strcmp(path + length - 5, ".yaml") == 0;
}

static int list_files(const struct job_record *record, const char *directory, bool only_cases, struct error *err)
{
	struct given_file *files = calloc(record->file_count + 1, sizeof(*files));
	int r = files ? 0 : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < record->file_count; i++) {
		files[i].path = record->files[i].path;
		files[i].sha256 = record->files[i].sha256;
		files[i].link = only_cases && !is_case_file(files[i].path);
		r = blob_place(files[i].sha256, files[i].from, sizeof(files[i].from), err);
	}
	if (r == 0)
		r = given_write(directory, files, record->file_count, err);
	free(files);
	return r;
}

int lab_job_files(struct lab *lab, const struct job_record *record, const char *directory, bool only_cases, struct error *err)
{
	char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%.3800s/files", directory);
	int r = folder_make(path, err);
	return r == 0 ? list_files(record, directory, only_cases, err) : r;
}

static int write_ids(const struct lab_run *run, struct error *err)
{
	char path[PATH_MAX];
	const json_t *id;
	size_t i;
	(void)snprintf(path, sizeof(path), "%s/cases.txt", run->directory);
	FILE *file = fopen(path, "we");
	if (!file)
		return error_set(err, ERROR_BENCH, errno, "cannot make %s: %s", path, strerror(errno));
	json_array_foreach (run->record->cases, i, id)
		(void)fprintf(file, "%s\n", json_string_value(id));
	bool failed = ferror(file) != 0;
	if (fclose(file) != 0 || failed)
		return error_set(err, ERROR_BENCH, errno ? errno : EIO, "cannot write %s: %s", path, strerror(errno));
	return 0;
}

static int make_directory(const struct lab_run *run, const struct job_record *record, struct error *err)
{
	char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%s/out", run->directory);
	int r = folder_make(path, err);
	if (r == 0)
		r = lab_job_files(run->job->lab, record, run->directory, false, err);
	return r == 0 && run->record->cases ? write_ids(run, err) : r;
}

/* ---- its command ---- */

struct numbers {
	char text[3][24];
};

static void add_numbers(struct words *words, struct numbers *numbers, const json_t *options)
{
	static const char *const names[] = {"repeat", "retry", "seed"}, *const flags[] = {"--repeat", "--retry", "--seed"};
	for (unsigned i = 0; i < 3; i++) {
		const json_t *value = json_object_get(options, names[i]);
		if (!json_is_integer(value))
			continue;
		(void)snprintf(numbers->text[i], sizeof(numbers->text[i]), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		words_add(words, flags[i]);
		words_add(words, numbers->text[i]);
	}
	if (json_is_true(json_object_get(options, "stop_at_failure")))
		words_add(words, "--stop-at-failure");
}

static void command_of(const struct lab_run *run, const struct job_record *record, struct words *words, struct numbers *numbers)
{
	words_add(words, run->job->lab->config->bench_program);
	words_add(words, "run");
	words_add(words, "--rig");
	words_add(words, run->rig->config->file);
	words_add(words, "--out");
	words_add(words, "../out");
	words_add(words, "--portable"); /* who fetches the reports has no other file of this machine */
	if (run->record->cases) {
		words_add(words, "--cases-from");
		words_add(words, "../cases.txt");
	} else {
		words_add_list(words, "--tag", json_object_get(record->options, "tags"));
		words_add_list(words, "--case", json_object_get(record->options, "cases"));
	}
	words_add_list(words, "--param", json_object_get(record->options, "params"));
	add_numbers(words, numbers, record->options);
	words_add(words, "--");
	for (char **path = record->paths; path && *path; path++)
		words_add(words, *path);
}

static int start_keeper(struct lab_run *run, const struct job_record *record, struct error *err)
{
	const struct lab_config *config = run->job->lab->config;
	const char *environment[10];
	char mark[80];
	struct numbers numbers;
	struct words *words = calloc(1, sizeof(*words));
	if (words)
		command_of(run, record, words, &numbers);
	if (!words || words->failed) {
		words_free(words);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	lab_mark(run->job->lab, MARK_JOB, record->id, run->record->id, mark, sizeof(mark));
	lab_environment(run->job->lab, mark, environment);
	const struct keeper_order order = {.argv = words->word,
	                                   .environment = environment,
	                                   .time_limit_ns = record->time_limit_ns,
	                                   .silence_limit_ns = record->silence_limit_ns,
	                                   .grace_ns = config->grace_ns,
	                                   .output_bytes = config->output_bytes,
	                                   .memory_bytes = config->memory_bytes,
	                                   .free_bytes = config->free_bytes / 4,
	                                   .store = book_directory(run->job->lab->book)};
	int r = kept_start(&run->kept, run->job->lab->event, config->daemon_program, run->directory, &order, lab_run_ended, run, err);
	words_free(words);
	return r;
}

/* ---- its journal ---- */

static void on_journal(struct tail *tail, void *context)
{
	struct lab_run *run = context;
	struct lab *lab = run->job->lab;
	int64_t now_ns = lab_now_ns();
	if (!lab_listened(lab))
		return;
	lab_tell(lab, LAB_RUN_TAIL, run->record->id, NULL);
	if (now_ns - run->told_ns >= LAB_RUN_TOLD_NS) {
		run->told_ns = now_ns;
		run->tell_due = false;
		lab_tell_run(lab, run->record->id);
	} else if (!run->tell_due) {
		run->tell_due = true;
		(void)sd_event_source_set_time_relative(lab->tell, (uint64_t)(LAB_RUN_TOLD_NS / 1000));
		(void)sd_event_source_set_enabled(lab->tell, SD_EVENT_ONESHOT);
	}
}

int lab_run_watch(struct lab_run *run, struct error *err)
{
	char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%s/out/events.jsonl", run->directory);
	return tail_new(&run->tail, run->job->lab->event, path, on_journal, run, err);
}

/* ---- its life ---- */

/* What could not be begun ends like every other run: its lease is cleaned, its job decides. */
static void not_started(struct lab_run *run, const struct error *why)
{
	struct keeper_exit exit = {.exit_status = -1, .signal = -1, .ended_utc_ns = lab_utc_ns()};
	(void)snprintf(exit.reason, sizeof(exit.reason), "%s", why->code == ENOSPC || why->code == EDQUOT ? "disk" : "start");
	(void)snprintf(exit.message, sizeof(exit.message), "%.500s", why->message);
	lab_run_ended(&exit, run);
}

static int start(struct lab_run *run, struct error *err)
{
	struct lab *lab = run->job->lab;
	struct job_record *whole;
	int r = book_job(lab->book, run->job->record->id, &whole, err);
	if (r < 0)
		return r;
	r = make_directory(run, whole, err);
	if (r == 0)
		r = start_keeper(run, whole, err);
	job_record_free(whole);
	if (r < 0)
		return r;
	struct error later = {0};
	int64_t now_utc_ns = lab_utc_ns();
	/* It runs: what fails now is only told late. */
	if (lab_run_watch(run, &later) < 0 || book_run_running(lab->book, run->record->id, now_utc_ns, &later) < 0)
		lab_again(lab, &later);
	run->record->state = RUN_RUNNING;
	run->record->started_utc_ns = now_utc_ns;
	return 0;
}

void lab_run_start(struct lab_run *run)
{
	struct error error = {0};
	struct lab *lab = run->job->lab;
	if (start(run, &error) < 0) {
		not_started(run, &error);
		return;
	}
	lab_tell_run(lab, run->record->id);
	if (run->job->record->cancelled)
		lab_run_stop(run, STOP_CANCEL);
}

void lab_run_ended(const struct keeper_exit *exit, void *context)
{
	struct lab_run *run = context;
	run->exit = *exit;
	kept_free(run->kept);
	run->kept = NULL;
	run->stage = STAGE_END;
	lab_run_advance(run);
}

void lab_run_stop(struct lab_run *run, enum run_stop stop)
{
	if (run->stage != STAGE_BEGUN || run->stop != STOP_NONE)
		return;
	run->stop = stop;
	if (run->kept)
		kept_cancel(run->kept);
}
