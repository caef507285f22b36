/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs come: submitted, cancelled, run once more. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab_private.h"
#include "submission.h"

static int check_taking(struct lab *lab, struct error *err)
{
	unsigned queued, running;
	if (lab->stopping)
		return error_set(err, ERROR_USAGE, ESHUTDOWN, "the daemon is ending");
	if (book_damage(lab->book))
		return error_set(err, ERROR_BENCH, EUCLEAN, "%s", book_damage(lab->book));
	if (!lab_has_space(lab))
		return error_set(err, ERROR_USAGE, ENOSPC, "%s", lab->space_reason);
	lab_count_jobs(lab, &queued, &running);
	if (lab->config->queue_limit && queued >= lab->config->queue_limit)
		return error_set(err, ERROR_USAGE, EAGAIN, "%u jobs are waiting already", queued);
	return 0;
}

static int check_rigs(struct lab *lab, const struct job_record *record, struct error *err)
{
	const struct queue_want want = {
	        .rig = record->rig, .pool = record->pool, .requires = (const char *const *)record->requires, .shards = 1};
	char text[900];
	lab_queue_rigs(lab);
	if (queue_possible(&want, lab->queue_rigs, lab->config->rig_count, text, sizeof(text)))
		return 0;
	return error_set(err, ERROR_USAGE, EHOSTDOWN, "%s", text);
}

/* In the caller's transaction: the job, and its run when a rig is free for it. */
static int book_it(struct lab *lab, struct job_record *record, struct lab_job **ret, struct lab_run **ret_run, int64_t *ret_id,
                   struct error *err)
{
	struct job_record *kept;
	struct error later = {0};
	size_t rig;
	int r = book_job_add(lab->book, record, ret_id, err);
	if (r == 0)
		r = book_job(lab->book, *ret_id, &kept, err);
	if (r == 0)
		r = lab_job_keep(lab, kept, ret, err);
	/* A run that cannot be added now is tried again by a turn. */
	if (r == 0 && lab_turn_grants(lab, *ret, &rig) && lab_job_add_run(*ret, rig, ret_run, &later) < 0)
		*ret_run = NULL;
	return r;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_texts(char *const *a, char *const *b)
{
	for (; a && b && *a && *b; a++, b++)
		if (strcmp(*a, *b) != 0)
			return false;
	return (!a || !*a) && (!b || !*b);
}

/* Both sorted by path. Of a job whose files are no longer kept nobody knows. */
static bool same_files(const struct job_record *first, const struct job_record *again)
{
	if (first->file_count == 0)
		return true;
	if (first->file_count != again->file_count)
		return false;
	for (size_t i = 0; i < first->file_count; i++)
		if (strcmp(first->files[i].path, again->files[i].path) != 0 || strcmp(first->files[i].sha256, again->files[i].sha256) != 0)
			return false;
	return true;
}

static bool same_options(const json_t *first, const json_t *again)
{
	return json_object_size(first) == 0 ? json_object_size(again) == 0 : json_equal(first, again);
}

/* What differs, NULL: nothing. How often it is tried again, its limits and its priority say when and how long, not what is run. */
static const char *difference(const struct job_record *first, const struct job_record *again)
{
	if (!same_text(first->title, again->title))
		return "title";
	if (!same_files(first, again))
		return "files";
	if (!same_texts(first->paths, again->paths))
		return "paths";
	if (!same_options(first->options, again->options))
		return "options";
	if (!same_text(first->rig, again->rig))
		return "rig";
	if (!same_text(first->pool, again->pool))
		return "pool";
	if (!same_texts(first->requires, again->requires))
		return "requires";
	return first->spread == again->spread ? NULL : "spread";
}

/* A key that is there: the same submission, come twice; or another one, which must not be taken for it. */
static int same_as_first(struct lab *lab, const struct job_record *again, int64_t id, struct error *err)
{
	struct job_record *first;
	int r = book_job(lab->book, id, &first, err);
	if (r < 0)
		return r;
	const char *what = difference(first, again);
	job_record_free(first);
	return what ? error_set(err, ERROR_USAGE, EEXIST, "job %" PRId64 " was submitted with this key, and with other %s", id, what) : 0;
}

/* One commit, and so one wait for the disk, before the process of the run is started. */
static int add_job(struct lab *lab, struct job_record *record, int64_t *ret_id, bool *ret_new, struct error *err)
{
	struct lab_job *job = NULL;
	struct lab_run *run = NULL;
	int r = book_begin(lab->book, err);
	if (r < 0)
		return r;
	r = book_it(lab, record, &job, &run, ret_id, err);
	*ret_new = r == 0;
	if (r == 0)
		r = book_commit(lab->book, err);
	if (r < 0) {
		book_roll_back(lab->book);
		if (job) {
			lab_job_forget_runs(job);
			lab_job_drop(lab, job);
		}
		return r == -EEXIST && record->key ? same_as_first(lab, record, *ret_id, err) : r;
	}
	lab_tell_job(lab, *ret_id);
	/* At once: on an idle rig the run begins before the answer is written. */
	if (run)
		lab_run_begin(run);
	lab_turn(lab);
	return 0;
}

int lab_submit(struct lab *lab, struct job_record *record, const char *by, int64_t *ret_id, bool *ret_new, struct error *err)
{
	const struct submission_limits limits = {lab->config->time_limit_ns, lab->config->silence_limit_ns};
	int r = check_taking(lab, err);
	if (r == 0 && !record->submitter && !(record->submitter = strdup(by)))
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (r == 0)
		r = submission_check(lab->book, record, &limits, err);
	if (r == 0)
		r = check_rigs(lab, record, err);
	return r == 0 ? add_job(lab, record, ret_id, ret_new, err) : r;
}

int lab_cancel(struct lab *lab, int64_t id, const char *by, struct error *err)
{
	struct lab_job *job = lab_job_find(lab, id);
	struct job_record *record;
	int r = book_job(lab->book, id, &record, err);
	if (r < 0)
		return r == -ENOENT ? error_set(err, ERROR_USAGE, ENOENT, "there is no job %" PRId64, id) : r;
	job_record_free(record);
	r = job ? book_job_cancelled(lab->book, id, by, err) : -EALREADY;
	if (r == -EALREADY)
		return error_set(err, ERROR_USAGE, EBUSY, "job %" PRId64 " is done", id);
	if (r < 0)
		return r;
	job->record->cancelled = true;
	(void)snprintf(job->reason, sizeof(job->reason), "cancelled by %.200s", by);
	for (size_t i = 0; i < job->run_count; i++)
		lab_run_stop(job->runs[i], STOP_CANCEL);
	lab_tell_job(lab, id);
	lab_job_advance(job);
	lab_turn_soon(lab);
	return 0;
}

static int select_failed(struct lab *lab, struct job_record *record, struct error *err)
{
	json_t *ids;
	int r = book_job_unpassed(lab->book, record->id, false, &ids, err);
	if (r < 0)
		return r;
	if (json_array_size(ids) == 0) {
		json_decref(ids);
		return error_set(err, ERROR_USAGE, EBUSY, "no case of job %" PRId64 " failed", record->id);
	}
	json_decref(record->only);
	record->only = ids;
	return 0;
}

static int rerun(struct lab *lab, struct job_record *record, bool failed_only, const char *by, int64_t *ret_id, struct error *err)
{
	bool fresh;
	if (record->state != JOB_DONE)
		return error_set(err, ERROR_USAGE, EBUSY, "job %" PRId64 " is not done", record->id);
	if (record->file_count == 0)
		return error_set(err, ERROR_USAGE, ESTALE, "the files of job %" PRId64 " are no longer kept", record->id);
	int r = failed_only ? select_failed(lab, record, err) : 0;
	if (r < 0)
		return r;
	record->rerun_of = record->id;
	record->pinned = record->cancelled = false;
	free(record->key);
	free(record->submitter);
	record->key = record->submitter = NULL;
	return lab_submit(lab, record, by, ret_id, &fresh, err);
}

int lab_rerun(struct lab *lab, int64_t id, bool failed_only, const char *by, int64_t *ret_id, struct error *err)
{
	struct job_record *record;
	int r = book_job(lab->book, id, &record, err);
	if (r < 0)
		return r == -ENOENT ? error_set(err, ERROR_USAGE, ENOENT, "there is no job %" PRId64, id) : r;
	r = rerun(lab, record, failed_only, by, ret_id, err);
	job_record_free(record);
	return r;
}
