/* SPDX-License-Identifier: Apache-2.0 */
/* What follows when runs of a job have ended: a further try of what the bench broke, the queue again, or the end with its reports. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab_private.h"
#include "store.h"

#define MERGE_LIMIT_NS (300 * LAB_SECOND_NS)
#define SPACE_PAUSE_NS (2 * LAB_SECOND_NS)
#define MERGES_MAX     4

static const char *const report_names[] = {"results.json", "junit.xml", "report.html"};
#define REPORTS (sizeof(report_names) / sizeof(*report_names))

static bool begins(const char *text, const char *prefix)
{
	return text && strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool bench_broke(const struct lab_run *run)
{
	return run->record->outcome == OUTCOME_ERROR && run->record->cause && strcmp(run->record->cause, "bench") == 0;
}

static bool was_stopped(const struct lab_run *run)
{
	return run->record->outcome == OUTCOME_CANCELLED && begins(run->record->reason, REASON_STOPPED);
}

/* Whether no later run is of the same part. */
static bool is_latest(const struct lab_run *run)
{
	const struct lab_job *job = run->job;
	for (size_t i = 0; i < job->run_count; i++)
		if (job->runs[i]->record->shard == run->record->shard && job->runs[i]->record->number > run->record->number)
			return false;
	return true;
}

/* ---- further tries ---- */

/* What broke of this part: for want of space, or by anything else. */
static unsigned tries(const struct lab_run *run, bool for_space)
{
	const struct lab_job *job = run->job;
	unsigned count = 0;
	for (size_t i = 0; i < job->run_count; i++) {
		const struct run_record *record = job->runs[i]->record;
		count += record->shard == run->record->shard && bench_broke(job->runs[i]) && !begins(record->reason, REASON_NOT_BEGUN) &&
		         begins(record->reason, REASON_NO_SPACE) == for_space;
	}
	return count;
}

/* It was the disk and not the job, unless the job fills the disk itself: so often, and not at once. */
static bool may_try(const struct lab_run *run)
{
	const unsigned retries = run->job->record->retries;
	if (begins(run->record->reason, REASON_LIMIT))
		return false;
	return begins(run->record->reason, REASON_NO_SPACE) ? retries > 0 && tries(run, true) <= LAB_SPACE_TRIES
	                                                    : tries(run, false) <= retries;
}

/* Each time for twice as long. */
static void pause_for_space(const struct lab_run *run)
{
	struct lab_job *job = run->job;
	int64_t pause_ns = job->lab->config->space_pause_ns ? job->lab->config->space_pause_ns : SPACE_PAUSE_NS;
	job->paused_until_ns = lab_now_ns() + (pause_ns << (tries(run, true) - 1));
	lab_wake_at(job->lab, job->paused_until_ns);
}

static bool waits(const struct lab_job *job, unsigned shard)
{
	for (size_t i = 0; i < job->retry_count; i++)
		if (job->retries[i].shard == shard)
			return true;
	return false;
}

static bool deserves_retry(const struct lab_run *run)
{
	const struct lab_job *job = run->job;
	if (run->stage != STAGE_DONE || job->record->cancelled || !bench_broke(run) || !is_latest(run) || waits(job, run->record->shard))
		return false;
	return begins(run->record->reason, REASON_NOT_BEGUN) || may_try(run);
}

static bool contains(const json_t *ids, const char *id)
{
	const json_t *one;
	size_t i;
	json_array_foreach (ids, i, one)
		if (json_is_string(one) && strcmp(json_string_value(one), id) == 0)
			return true;
	return false;
}

/* 1: *ret is what is to be done again (NULL: everything the run had), 0: nothing. */
static int cases_to_retry(const struct lab_run *run, json_t **ret, struct error *err)
{
	struct book *book = run->job->lab->book;
	json_t *shown, *unpassed;
	const json_t *id;
	size_t i;
	*ret = NULL;
	int r = book_run_json(book, run->record->id, &shown, err);
	if (r < 0)
		return r;
	bool has_cases = json_integer_value(json_object_get(json_object_get(shown, "counts"), "total")) > 0;
	json_decref(shown);
	if (!has_cases) {
		*ret = json_incref(run->record->cases);
		return 1;
	}
	r = book_job_unpassed(book, run->record->job, true, &unpassed, err);
	if (r < 0)
		return r;
	*ret = json_array();
	json_array_foreach (unpassed, i, id)
		if (!run->record->cases || contains(run->record->cases, json_string_value(id)))
			json_array_append(*ret, (json_t *)id);
	json_decref(unpassed);
	if (json_array_size(*ret))
		return 1;
	json_decref(*ret);
	*ret = NULL;
	return 0;
}

static int add_retry(struct lab_job *job, const struct lab_run *run, struct error *err)
{
	json_t *cases;
	int r = cases_to_retry(run, &cases, err);
	if (r <= 0)
		return r;
	struct lab_retry *retries = realloc(job->retries, (job->retry_count + 1) * sizeof(*retries));
	/* These two were not the rig's fault. */
	bool blameless = begins(run->record->reason, REASON_NOT_BEGUN) || begins(run->record->reason, REASON_NO_SPACE);
	char *avoid = blameless ? NULL : strdup(run->record->rig);
	if (!retries) {
		json_decref(cases);
		free(avoid);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	job->retries = retries;
	retries[job->retry_count++] = (struct lab_retry){.shard = run->record->shard, .cases = cases, .avoid = avoid};
	if (begins(run->record->reason, REASON_NO_SPACE))
		pause_for_space(run);
	return 0;
}

static void drop_retries(struct lab_job *job)
{
	for (size_t i = 0; i < job->retry_count; i++) {
		json_decref(job->retries[i].cases);
		free(job->retries[i].avoid);
	}
	job->retry_count = 0;
}

static int plan_retries(struct lab_job *job, struct error *err)
{
	int r = 0;
	if (job->record->cancelled || job->refused)
		drop_retries(job);
	for (size_t i = 0; r == 0 && !job->refused && i < job->run_count; i++)
		if (deserves_retry(job->runs[i]))
			r = add_retry(job, job->runs[i], err);
	return r;
}

/* ---- back to the queue ---- */

static bool interrupted(const struct lab_job *job)
{
	for (size_t i = 0; i < job->run_count; i++)
		if (was_stopped(job->runs[i]) && is_latest(job->runs[i]))
			return !job->record->cancelled;
	return false;
}

static int requeue(struct lab_job *job, struct error *err)
{
	int r = book_job_requeued(job->lab->book, job->record->id, REASON_STOPPED, err);
	if (r < 0)
		return r;
	drop_retries(job);
	for (size_t i = 0; i < job->run_count; i++)
		lab_run_free(job->runs[i]);
	job->run_count = 0;
	job->fresh = job->requeued = true;
	job->record->state = JOB_QUEUED;
	lab_tell_job(job->lab, job->record->id);
	lab_turn_soon(job->lab);
	return 0;
}

/* ---- outcome ---- */

/* Outcomes in the order of the exit statuses of hilbench run. */
static int weight(enum job_outcome outcome, const char *cause)
{
	switch (outcome) {
	case OUTCOME_CANCELLED:
		return 6;
	case OUTCOME_ERROR:
		return cause && strcmp(cause, "testcase") == 0 ? 4 : 5;
	case OUTCOME_FAILED:
		return 3;
	case OUTCOME_INCONCLUSIVE:
		return 2;
	case OUTCOME_PASSED:
		return 1;
	default:
		return 0;
	}
}

/* The heaviest of the runs that count. NULL: none. */
static const struct lab_run *heaviest(const struct lab_job *job)
{
	const struct lab_run *heaviest = NULL;
	for (size_t i = 0; i < job->run_count; i++) {
		const struct lab_run *run = job->runs[i];
		if (is_latest(run) && (!heaviest || weight(run->record->outcome, run->record->cause) >
		                                            weight(heaviest->record->outcome, heaviest->record->cause)))
			heaviest = run;
	}
	return heaviest;
}

static void add_before(char *text, size_t size, const char *reason)
{
	static const char before[] = "\nbefore: ";
	(void)snprintf(text, size, "%s", before);
	if (size > sizeof(before))
		health_brief(reason, text + sizeof(before) - 1, size - sizeof(before) + 1);
}

static void decide(struct lab_job *job, enum job_outcome by_cases)
{
	const struct lab_run *run = heaviest(job);
	const char *reason = run && run->record->reason ? run->record->reason : "";
	size_t length = strlen(job->reason); /* of a refusal */
	job->outcome = by_cases;
	if (job->record->cancelled) {
		/* What had ended before the cancel reached it has its own outcome. */
		if (by_cases != OUTCOME_NONE && by_cases != OUTCOME_CANCELLED && run && run->record->outcome != OUTCOME_CANCELLED &&
		    !job->fresh)
			return;
		job->outcome = OUTCOME_CANCELLED;
		if (!length)
			(void)snprintf(job->reason, sizeof(job->reason), "%s", "cancelled");
		return;
	}
	if (run && weight(run->record->outcome, run->record->cause) > weight(by_cases, NULL))
		job->outcome = run->record->outcome;
	if (job->refused && (by_cases == OUTCOME_NONE || job->outcome == OUTCOME_ERROR || !run)) {
		job->outcome = OUTCOME_ERROR;
		if (*reason)
			add_before(job->reason + length, sizeof(job->reason) - length, reason);
		return;
	}
	if (job->outcome == OUTCOME_NONE) {
		job->outcome = OUTCOME_ERROR;
		reason = *reason ? reason : "no case was run";
	}
	(void)snprintf(job->reason, sizeof(job->reason), "%s",
	               job->outcome == OUTCOME_ERROR || job->outcome == OUTCOME_CANCELLED ? reason : "");
}

static int close_job(struct lab_job *job, struct error *err)
{
	enum job_outcome by_cases = OUTCOME_NONE;
	json_t *counts = NULL;
	int r = book_job_counts(job->lab->book, job->record->id, &counts, &by_cases, err);
	if (r < 0)
		return r;
	json_decref(job->counts);
	job->counts = counts;
	if (json_integer_value(json_object_get(counts, "total")) == 0)
		by_cases = OUTCOME_NONE;
	decide(job, by_cases);
	if (job->record->state == JOB_RUNNING) {
		r = book_job_finishing(job->lab->book, job->record->id, err);
		if (r < 0)
			return r;
		job->record->state = JOB_FINISHING;
		lab_tell_job(job->lab, job->record->id);
	}
	job->stage = STAGE_MERGING;
	return 0;
}

/* ---- reports ---- */

static void merge_directory(const struct lab_job *job, char path[PATH_MAX - 300])
{
	(void)snprintf(path, PATH_MAX - 300, "%.3600s/jobs/%" PRId64 "/merge", book_directory(job->lab->book), job->record->id);
}

/* The journal is only read there: a link to the stored file does. */
static int place_journal(const struct lab_job *job, const char *sha256, const char *folder, struct error *err)
{
	char path[PATH_MAX], blob[PATH_MAX], place[128];
	uint64_t size;
	int r = folder_make(folder, err);
	if (r == 0)
		r = blob_find(job->lab->book, sha256, &size, err);
	if (r == 0)
		r = blob_place(sha256, place, sizeof(place), err);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "%.4000s/events.jsonl", folder);
	(void)snprintf(blob, sizeof(blob), "%.3900s/%s", book_directory(job->lab->book), place);
	(void)unlink(path);
	return symlink(blob, path) == 0 ? 0 : error_set(err, ERROR_BENCH, errno, "cannot make %s: %s", path, strerror(errno));
}

/* Instead of a journal: why there is none, and what there was to be (report/lost_run.h). cases may be NULL. */
static int place_end(const char *reason, bool cancelled, json_t *cases, const char *folder, struct error *err)
{
	char path[PATH_MAX];
	int r = folder_make(folder, err);
	if (r < 0)
		return r;
	json_t *said = json_pack("{s:s, s:b, s:O*}", "message", reason && *reason ? reason : "it left no journal", "cancelled", cancelled,
	                         "cases", cases);
	(void)snprintf(path, sizeof(path), "%.4000s/end.json", folder);
	if (!said)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	else if (json_dump_file(said, path, JSON_COMPACT) < 0)
		r = error_set(err, ERROR_BENCH, errno ? errno : EIO, "cannot write %s: %s", path, strerror(errno ? errno : EIO));
	json_decref(said);
	return r;
}

static int words_add(const char **words, size_t *count, const char *format, ...) PRINTF_LIKE(3, 4);
static int words_add(const char **words, size_t *count, const char *format, ...)
{
	va_list list;
	char *word = NULL;
	va_start(list, format);
	int n = vasprintf(&word, format, list);
	va_end(list);
	if (n < 0)
		return -ENOMEM;
	words[(*count)++] = word;
	return 0;
}

static void words_free(const char **words)
{
	for (const char **word = words; word && *word; word++)
		free((char *)*word);
	free(words);
}

/* 1: placed, 0: nothing is to be said of it, as a later run made good what this one lost. *ret_journal: it has one. */
static int place_run(const struct lab_run *run, const char *folder, bool *ret_journal, struct error *err)
{
	char sha256[65];
	uint64_t size = 0;
	int r = book_artefact_find(run->job->lab->book, run->record->id, "events.jsonl", sha256, &size, err);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret_journal = r == 0 && size > 0;
	if (!*ret_journal && !is_latest(run))
		return 0;
	const struct run_record *record = run->record;
	r = *ret_journal ? place_journal(run->job, sha256, folder, err)
	                 : place_end(record->reason, record->outcome == OUTCOME_CANCELLED, record->cases, folder, err);
	return r < 0 ? r : 1;
}

/* Words LABEL=DIRECTORY of the runs; *ret_only: the last of those that have a journal, NULL when there is one without. */
static int merge_words(const struct lab_job *job, const char *directory, const char **words, size_t *count, const struct lab_run **ret_only,
                       struct error *err)
{
	char folder[PATH_MAX];
	bool has_journal, all = true;
	for (size_t i = 0; i < job->run_count; i++) {
		const struct lab_run *run = job->runs[i];
		if (was_stopped(run))
			continue;
		(void)snprintf(folder, sizeof(folder), "%.3900s/run-%u", directory, run->record->number);
		int r = place_run(run, folder, &has_journal, err);
		if (r > 0 && words_add(words, count, "%s=%s", run->record->rig, folder) < 0)
			r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		all = all && has_journal;
		*ret_only = all ? run : NULL;
	}
	return 0;
}

/* A job that was refused before any run began is in its reports as one that was lost. Who cancels a waiting job wants no report of it. */
static int merge_refused(const struct lab_job *job, const char *directory, const char **words, size_t *count, struct error *err)
{
	char folder[PATH_MAX];
	const struct job_record *record = job->record;
	if (job->outcome == OUTCOME_CANCELLED)
		return 0;
	(void)snprintf(folder, sizeof(folder), "%.3900s/refused", directory);
	int r = place_end(job->reason, false, job->ids ? job->ids : record->only, folder, err);
	if (r == 0 && words_add(words, count, "%s=%s", record->rig ? record->rig : record->pool ? record->pool : "of no rig", folder) < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	return r;
}

/* Jobs of which no run began may end by hundreds at once, when their last rig goes. */
static bool merges_many(const struct lab *lab)
{
	unsigned merges = 0;
	for (size_t i = 0; i < lab->job_count; i++)
		merges += lab->jobs[i]->stage == STAGE_MERGING && lab->jobs[i]->errand;
	return merges >= MERGES_MAX;
}

/* Each may be done with that, and leave the list. */
static void merge_next(struct lab *lab)
{
	for (size_t i = 0; i < lab->job_count && !merges_many(lab);) {
		struct lab_job *job = lab->jobs[i];
		if (job->stage == STAGE_MERGING && !job->errand)
			lab_job_advance(job);
		i += i < lab->job_count && lab->jobs[i] == job;
	}
}

static void on_merged(const struct errand_result *result, void *context)
{
	struct lab_job *job = context;
	struct lab *lab = job->lab;
	errand_free(job->errand);
	job->errand = NULL;
	if (result->exit_status != 0) {
		size_t length = strlen(job->reason);
		(void)snprintf(job->reason + length, sizeof(job->reason) - length, "%sthe reports could not be joined", length ? "; " : "");
	}
	job->stage = STAGE_MERGED;
	lab_job_advance(job);
	merge_next(lab);
}

/* One run's reports are the job's. */
static int take_reports(const struct lab_job *job, const struct lab_run *run, struct error *err)
{
	char sha256[65];
	uint64_t size;
	int r = 0;
	for (size_t i = 0; r == 0 && i < REPORTS; i++) {
		r = book_artefact_find(job->lab->book, run->record->id, report_names[i], sha256, &size, err);
		if (r == 0)
			r = book_job_report(job->lab->book, job->record->id, report_names[i], sha256, size, err);
		else if (r == -ENOENT)
			r = 0;
	}
	return r;
}

static int merge(struct lab_job *job, const char *directory, const char **words, struct error *err)
{
	const struct lab *lab = job->lab;
	const char *environment[10];
	lab_environment(lab, NULL, environment);
	return errand_start(&job->errand, lab->event, lab->config->daemon_program, directory, words, environment, MERGE_LIMIT_NS, on_merged,
	                    job, err);
}

/* 1: wait. */
static int make_reports(struct lab_job *job, struct error *err)
{
	char directory[PATH_MAX - 300];
	const struct lab_run *only = NULL;
	if (merges_many(job->lab))
		return 1; /* merge_next() */
	/* Five to begin with; of each run one, or one of a job without any; NULL. */
	const char **words = calloc(5 + job->run_count + 1 + 1, sizeof(*words));
	size_t count = 0;
	if (!words)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	merge_directory(job, directory);
	int r = words_add(words, &count, "%s", job->lab->config->bench_program);
	if (r == 0)
		r = words_add(words, &count, "report");
	if (r == 0)
		r = words_add(words, &count, "--portable");
	if (r == 0)
		r = words_add(words, &count, "--merge");
	if (r == 0)
		r = words_add(words, &count, "%s/out", directory);
	size_t fixed = count;
	if (r == 0)
		r = merge_words(job, directory, words, &count, &only, err);
	else
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (r == 0 && count == fixed)
		r = merge_refused(job, directory, words, &count, err);
	if (r == 0 && count == fixed + 1 && only)
		r = take_reports(job, only, err);
	else if (r == 0 && count > fixed)
		r = merge(job, directory, words, err) < 0 ? -EIO : 1;
	words_free(words);
	if (r == 0)
		job->stage = STAGE_REPORTED;
	return r;
}

/* ---- the end ---- */

static void on_stored(const struct error *error, void *context)
{
	struct lab_job *job = context;
	if (error) {
		store_free(job->store);
		job->store = NULL;
		lab_again(job->lab, error);
		return;
	}
	job->stage = STAGE_REPORTED;
	lab_job_advance(job);
}

static int fill_store(const struct lab_job *job, struct error *err)
{
	char directory[PATH_MAX - 300], path[PATH_MAX];
	int r = 0;
	merge_directory(job, directory);
	for (size_t i = 0; r == 0 && i < REPORTS; i++) {
		(void)snprintf(path, sizeof(path), "%s/out/%s", directory, report_names[i]);
		if (access(path, R_OK) == 0)
			r = store_add(job->store, report_names[i], path, err);
	}
	return r;
}

/* 1: wait. */
static int store_merged(struct lab_job *job, struct error *err)
{
	if (job->store)
		return 1;
	int r = store_new(&job->store, job->lab->book, err);
	if (r == 0)
		r = fill_store(job, err);
	if (r == 0)
		r = store_start(job->store, job->lab->event, on_stored, job, err);
	if (r < 0) {
		store_free(job->store);
		job->store = NULL;
	}
	return r < 0 ? r : 1;
}

static int keep_merged(const struct lab_job *job, struct error *err)
{
	size_t count = 0;
	const struct stored_file *files = job->store ? store_files(job->store, &count) : NULL;
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = book_job_report(job->lab->book, job->record->id, files[i].name, files[i].sha256, files[i].size, err);
	return r;
}

static int end_in_book(struct lab_job *job, struct error *err)
{
	struct book *book = job->lab->book;
	int r = book_begin(book, err);
	if (r < 0)
		return r;
	r = keep_merged(job, err);
	if (r == 0)
		r = book_job_done(book, job->record->id, job->outcome, job->reason, job->counts, lab_utc_ns(), err);
	if (r == 0)
		r = book_commit(book, err);
	if (r < 0)
		book_roll_back(book);
	return r;
}

static int end(struct lab_job *job, struct error *err)
{
	struct lab *lab = job->lab;
	char path[PATH_MAX];
	struct error ignored = {0};
	int r = end_in_book(job, err);
	if (r < 0)
		return r;
	lab->figures.jobs_by_outcome[job->outcome]++;
	(void)snprintf(path, sizeof(path), "%.3800s/jobs/%" PRId64, book_directory(lab->book), job->record->id);
	(void)!folder_remove(lab->remover, path, &ignored); /* the next start sweeps what is left */
	job->record->state = JOB_DONE;
	lab_tell_job(lab, job->record->id);
	lab_job_drop(lab, job);
	lab_turn_soon(lab);
	return 1;
}

/* One step. 0: on with the next, 1: nothing to do now. */
static int open_step(struct lab_job *job, struct error *err)
{
	if (job->fresh) {
		if (job->granted_count || !(job->record->cancelled || job->refused))
			return 1;
		job->stage = STAGE_CLOSING;
		return 0;
	}
	int r = plan_retries(job, err);
	if (r < 0)
		return r;
	if (job->open_count) {
		lab_turn_soon(job->lab);
		return 1;
	}
	if (interrupted(job)) {
		r = requeue(job, err);
		return r < 0 ? r : 1;
	}
	if (job->retry_count) {
		lab_turn_soon(job->lab);
		return 1;
	}
	job->stage = STAGE_CLOSING;
	return 0;
}

void lab_job_advance(struct lab_job *job)
{
	struct error error = {0};
	int r;
	do {
		if (job->errand || job->record->state == JOB_DONE)
			return;
		r = job->stage == STAGE_OPEN      ? open_step(job, &error)
		    : job->stage == STAGE_CLOSING ? close_job(job, &error)
		    : job->stage == STAGE_MERGING ? make_reports(job, &error)
		    : job->stage == STAGE_MERGED  ? store_merged(job, &error)
		                                  : end(job, &error);
	} while (r == 0);
	if (r < 0)
		lab_again(job->lab, &error);
}
