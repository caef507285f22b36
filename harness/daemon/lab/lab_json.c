/* SPDX-License-Identifier: Apache-2.0 */
/* What the lab knows beside the book, in the shapes of docs/reference/api.md. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lab_private.h"

static json_t *texts_json(char **texts)
{
	json_t *array = json_array();
	for (; texts && *texts; texts++)
		json_array_append_new(array, json_string(*texts));
	return array;
}

/* ---- rigs ---- */

/* Jobs of the queue that it could take. */
static unsigned queue_length(const struct lab *lab, const struct lab_rig *rig)
{
	const struct queue_rig *shown = NULL;
	unsigned count = 0;
	char ignored[16];
	for (size_t i = 0; !shown && i < lab->config->rig_count; i++)
		if (strcmp(lab->queue_rigs[i].name, rig->config->name) == 0)
			shown = &lab->queue_rigs[i];
	for (size_t i = 0; shown && i < lab->job_count; i++) {
		struct queue_want want;
		if (!lab->jobs[i]->fresh && !lab->jobs[i]->retry_count)
			continue;
		lab_job_want(lab->jobs[i], &want);
		count += queue_possible(&want, shown, 1, ignored, sizeof(ignored));
	}
	return count;
}

static int rig_json(struct lab_rig *rig, json_t **ret, struct error *err)
{
	const struct lab_rig_config *config = rig->config;
	json_t *json;
	int r = book_rig_json(rig->lab->book, config->name, &json, err);
	if (r < 0)
		return r;
	json_object_set_new(json, "name", json_string(config->name));
	json_object_set_new(json, "pool", config->pool ? json_string(config->pool) : json_null());
	json_object_set_new(json, "file", json_string(config->file));
	json_object_set_new(json, "virtual", json_boolean(rig->facts.is_virtual));
	json_object_set_new(json, "capabilities", texts_json(rig->facts.capabilities));
	json_object_set_new(json, "roles", texts_json(rig->facts.roles));
	json_object_set_new(json, "online", json_boolean(rig->shown.online));
	json_object_set_new(json, "queue", json_integer(queue_length(rig->lab, rig)));
	json_t *lease = json_object_get(json, "lease");
	if (json_is_object(lease))
		json_object_set_new(lease, "watchable", json_boolean(lab_journal_watchable(rig)));
	*ret = json;
	return 0;
}

int lab_rig_json(struct lab *lab, const char *name, json_t **ret, struct error *err)
{
	struct lab_rig *rig = lab_rig_find(lab, name);
	if (!rig)
		return error_set(err, ERROR_USAGE, ENOENT, "there is no rig \"%.100s\"", name);
	lab_queue_rigs(lab);
	return rig_json(rig, ret, err);
}

int lab_rigs_json(struct lab *lab, json_t **ret, struct error *err)
{
	json_t *list = json_array(), *one;
	int r = 0;
	lab_queue_rigs(lab);
	for (size_t i = 0; r == 0 && i < lab->config->rig_count; i++) {
		r = rig_json(&lab->rigs[i], &one, err);
		if (r == 0)
			json_array_append_new(list, one);
	}
	if (r == 0)
		*ret = json_pack("{s:o}", "rigs", list);
	else
		json_decref(list);
	return r;
}

int lab_lease_json(struct lab *lab, int64_t id, json_t **ret, struct error *err)
{
	struct lease_record *record;
	json_t *json;
	int r = book_lease(lab->book, id, &record, err);
	if (r == -ENOENT)
		return error_set(err, ERROR_USAGE, ENOENT, "there is no lease %lld", (long long)id);
	if (r < 0)
		return r;
	const struct lab_rig *rig = lab_rig_find(lab, record->rig);
	r = record->state == LEASE_OVER ? error_set(err, ERROR_USAGE, ESTALE, "lease %lld is over", (long long)id)
	                                : book_lease_json(lab->book, id, &json, err);
	if (r == 0) {
		json_object_set_new(json, "rig", json_string(record->rig));
		json_object_set_new(json, "watchable", json_boolean(rig && rig->lease.id == id && lab_journal_watchable(rig)));
		*ret = json;
	}
	lease_record_free(record);
	return r;
}

/* ---- runs ---- */

/* What its journal says so far, as long as the book has no results of it. */
static void add_progress(const struct lab_run *run, json_t *json)
{
	const struct tail_progress *now = run->tail ? tail_progress(run->tail) : NULL;
	/* From its rig's file as long as its journal has no first line. */
	if (run->rig)
		json_object_set_new(json, "virtual", json_boolean(run->rig->facts.is_virtual));
	if (!now)
		return;
	json_object_set_new(json, "progress",
	                    json_pack("{s:s?,s:s?,s:i,s:i}", "case", now->case_id[0] ? now->case_id : NULL, "step",
	                              now->step[0] ? now->step : NULL, "done", (int)now->done, "of", (int)now->of));
	if (now->begin_utc_ns)
		json_object_set_new(json, "virtual", json_boolean(now->is_virtual));
	json_object_set_new(json, "counts",
	                    json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "planned", (int)now->of, "total", (int)now->done, "pass",
	                              (int)now->pass, "fail", (int)now->fail, "inconclusive", (int)now->inconclusive, "error",
	                              (int)now->error, "skipped", (int)now->skipped, "flaky", 0));
}

int lab_run_json(struct lab *lab, int64_t id, json_t **ret, struct error *err)
{
	const struct lab_run *run = lab_run_find(lab, id);
	int r = book_run_json(lab->book, id, ret, err);
	if (r == 0 && run && run->stage != STAGE_DONE)
		add_progress(run, *ret);
	return r;
}

/* ---- jobs ---- */

const char *lab_lock_text(const struct lab_rig *rig, char *buffer, size_t size)
{
	char until[40] = "";
	time_t deadline = (time_t)(rig->lease.deadline_utc_ns / LAB_SECOND_NS);
	const char *note = rig->lease.note ? rig->lease.note : "";
	struct tm parts;
	if (rig->lease.deadline_utc_ns && gmtime_r(&deadline, &parts))
		(void)strftime(until, sizeof(until), " until %Y-%m-%dT%H:%M:%SZ", &parts);
	(void)snprintf(buffer, size, "locked by %.100s%s%s%s%s", rig->lease.holder ? rig->lease.holder : "somebody", until,
	               *note ? " (" : "", note, *note ? ")" : "");
	return buffer;
}

static void name_holder(const struct lab *lab, const struct queue_want *want, char *text, size_t size)
{
	const struct lab_rig *rig = want->rig ? lab_rig_find(lab, want->rig) : lab->config->rig_count == 1 ? &lab->rigs[0] : NULL;
	if (!rig || !rig->lease.id || rig->lease.kind != LEASE_PERSON || rig->lease.state != LEASE_ACTIVE)
		return;
	char lock[500];
	(void)snprintf(text, size, "%s is %s", rig->config->name, lab_lock_text(rig, lock, sizeof(lock)));
}

static void waiting_text(struct lab *lab, const struct lab_job *job, char *text, size_t size)
{
	struct queue_want want;
	if (job->granted_count) {
		(void)snprintf(text, size, "the list of its cases");
		return;
	}
	if (lab->stopping) {
		(void)snprintf(text, size, "the next start of the daemon");
		return;
	}
	if (!lab->space) {
		(void)snprintf(text, size, "disk space: %s", lab->space_reason);
		return;
	}
	if (job->paused_until_ns) {
		(void)snprintf(text, size, "disk space: its last try found too little, and it is tried again soon");
		return;
	}
	lab_job_want(job, &want);
	queue_waits_for(&want, lab->queue_rigs, lab->config->rig_count, text, size);
	name_holder(lab, &want, text, size);
	lab_waiters_name(lab, &want, text, size);
}

/* The last try of each part has the cases of those before it. */
static bool is_last_try(const json_t *job, const json_t *run)
{
	const json_t *other;
	size_t i;
	json_int_t shard = json_integer_value(json_object_get(run, "shard")), number = json_integer_value(json_object_get(run, "number"));
	json_array_foreach (json_object_get(job, "runs"), i, other)
		if (json_integer_value(json_object_get(other, "shard")) == shard &&
		    json_integer_value(json_object_get(other, "number")) > number)
			return false;
	return true;
}

/* What its runs counted, while the book has no verdict of the job: of those that ended only what was planned counts as long as others go
 * on. */
static void add_counts(struct lab *lab, json_t *job)
{
	json_t *counts = json_object_get(job, "counts"), *of, *run;
	const char *name;
	size_t i;
	json_object_foreach (counts, name, of) {
		json_int_t sum = 0, dealt = json_integer_value(of);
		bool planned = strcmp(name, "planned") == 0;
		json_array_foreach (json_object_get(job, "runs"), i, run) {
			const struct lab_run *known = lab_run_find(lab, json_integer_value(json_object_get(run, "id")));
			if (is_last_try(job, run) && (planned || (known && known->stage != STAGE_DONE)))
				sum += json_integer_value(json_object_get(json_object_get(run, "counts"), name));
		}
		json_integer_set(of, planned && dealt > sum ? dealt : sum);
	}
}

/* After lab_queue_rigs(). */
static void add_waiting(struct lab *lab, const struct lab_job *job, json_t *json)
{
	char text[600];
	if (!lab_job_waits(job))
		return;
	waiting_text(lab, job, text, sizeof(text));
	json_object_set_new(json, "waiting_for", json_string(text));
}

void lab_waiting_json(struct lab *lab, json_t *jobs)
{
	json_t *one;
	size_t i;
	lab_queue_rigs(lab);
	json_array_foreach (jobs, i, one) {
		const char *state = json_string_value(json_object_get(one, "state"));
		const struct lab_job *job = NULL;
		if (state && strcmp(state, "done") != 0)
			job = lab_job_find(lab, json_integer_value(json_object_get(one, "id")));
		if (job)
			add_waiting(lab, job, one);
	}
}

/* Of runs that are open beside such that are stored. Cases that are tried again are counted already. */
static void add_open(struct lab *lab, json_t *job)
{
	json_t *counts = json_object_get(job, "counts"), *of, *run;
	const char *name;
	size_t i;
	json_array_foreach (json_object_get(job, "runs"), i, run) {
		const struct lab_run *known = lab_run_find(lab, json_integer_value(json_object_get(run, "id")));
		if (!known || known->stage == STAGE_DONE || known->record->retry)
			continue;
		json_object_foreach (counts, name, of)
			if (strcmp(name, "planned") != 0) /* known from what was dealt out */
				json_integer_set(of, json_integer_value(of) +
				                             json_integer_value(json_object_get(json_object_get(run, "counts"), name)));
	}
}

int lab_job_json(struct lab *lab, int64_t id, json_t **ret, struct error *err)
{
	const struct lab_job *job = lab_job_find(lab, id);
	json_t *one;
	size_t i;
	int r = book_job_json(lab->book, id, ret, err);
	if (r < 0 || !job)
		return r;
	json_array_foreach (json_object_get(*ret, "runs"), i, one) {
		const struct lab_run *run = lab_run_find(lab, json_integer_value(json_object_get(one, "id")));
		if (run && run->stage != STAGE_DONE)
			add_progress(run, one);
	}
	if (json_integer_value(json_object_get(json_object_get(*ret, "counts"), "total")) == 0)
		add_counts(lab, *ret);
	else
		add_open(lab, *ret);
	lab_queue_rigs(lab);
	add_waiting(lab, job, *ret);
	return 0;
}
