/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "../../base/log.h"
#include "lab_private.h"
#include "submission.h"

#define TICK_NS      LAB_SECOND_NS
#define SPACE_NS     (5 * LAB_SECOND_NS)
#define STOP_MORE_NS (9 * LAB_SECOND_NS) /* beyond the grace */

static int64_t clock_now_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * LAB_SECOND_NS + now.tv_nsec;
}

int64_t lab_now_ns(void)
{
	return clock_now_ns(CLOCK_BOOTTIME);
}

int64_t lab_utc_ns(void)
{
	return clock_now_ns(CLOCK_REALTIME);
}

/* ---- when something is done ---- */

void lab_wake_at(struct lab *lab, int64_t at_ns)
{
	uint64_t at_us = at_ns > 0 ? (uint64_t)at_ns / 1000 + 1 : 0, next_us;
	if (sd_event_source_get_time(lab->tick, &next_us) >= 0 && at_us < next_us)
		(void)sd_event_source_set_time(lab->tick, at_us);
}

void lab_again(struct lab *lab, const struct error *why)
{
	char text[1400];
	if (!lab->again)
		log_warning("%s; it is tried again", error_describe(why, text, sizeof(text)));
	lab->again = true;
}

void lab_turn_soon(struct lab *lab)
{
	(void)sd_event_source_set_enabled(lab->turn, SD_EVENT_ONESHOT);
}

/* ---- finding ---- */

struct lab_rig *lab_rig_find(const struct lab *lab, const char *name)
{
	for (size_t i = 0; name && i < lab->config->rig_count; i++)
		if (strcmp(lab->rigs[i].config->name, name) == 0)
			return &lab->rigs[i];
	return NULL;
}

struct lab_job *lab_job_find(const struct lab *lab, int64_t id)
{
	for (size_t i = 0; i < lab->job_count; i++)
		if (lab->jobs[i]->record->id == id)
			return lab->jobs[i];
	return NULL;
}

struct lab_run *lab_run_find(const struct lab *lab, int64_t id)
{
	for (size_t i = 0; i < lab->job_count; i++)
		for (size_t j = 0; j < lab->jobs[i]->run_count; j++)
			if (lab->jobs[i]->runs[j]->record->id == id)
				return lab->jobs[i]->runs[j];
	return NULL;
}

const char *lab_rig_file(const struct lab *lab, const char *name)
{
	const struct lab_rig *rig = lab_rig_find(lab, name);
	return rig ? rig->config->file : NULL;
}

struct tail *lab_run_tail(struct lab *lab, int64_t id)
{
	const struct lab_run *run = lab_run_find(lab, id);
	return run ? run->tail : NULL;
}

void lab_run_directory(struct lab *lab, int64_t id, char *buffer, size_t size)
{
	const struct lab_run *run = lab_run_find(lab, id);
	buffer[0] = '\0';
	if (run && run->stage != STAGE_DONE)
		(void)snprintf(buffer, size, "%s/out", run->directory);
}

/* ---- who listens ---- */

bool lab_listened(const struct lab *lab)
{
	return lab->ear_count > 0;
}

void lab_tell(struct lab *lab, enum lab_event event, int64_t id, json_t *stolen)
{
	for (size_t i = 0; i < lab->ear_count; i++)
		lab->ears[i].listener(event, id, stolen, lab->ears[i].context);
	json_decref(stolen);
}

void lab_tell_job(struct lab *lab, int64_t id)
{
	struct error error = {0};
	json_t *json = NULL;
	if (!lab_listened(lab) || lab_job_json(lab, id, &json, &error) < 0)
		return;
	json_object_del(json, "files");
	json_object_del(json, "runs");
	lab_tell(lab, LAB_JOB, id, json);
}

void lab_tell_run(struct lab *lab, int64_t id)
{
	static const char *const details[] = {"cases", "measurements", "artefacts"};
	struct error error = {0};
	json_t *json = NULL;
	if (!lab_listened(lab) || lab_run_json(lab, id, &json, &error) < 0)
		return;
	for (unsigned i = 0; i < 3; i++)
		json_object_del(json, details[i]);
	lab_tell(lab, LAB_RUN, id, json);
}

void lab_tell_rig(struct lab_rig *rig)
{
	struct error error = {0};
	json_t *json = NULL;
	if (rig->lab->started && lab_listened(rig->lab) && lab_rig_json(rig->lab, rig->config->name, &json, &error) == 0)
		lab_tell(rig->lab, LAB_RIG, 0, json);
}

static void count_jobs(const struct lab *lab, unsigned *queued, unsigned *running)
{
	*queued = *running = 0;
	for (size_t i = 0; i < lab->job_count; i++)
		lab->jobs[i]->record->state == JOB_QUEUED ? (*queued)++ : (*running)++;
}

static void tell_queue(struct lab *lab)
{
	unsigned queued, running;
	count_jobs(lab, &queued, &running);
	if (queued == lab->told_queued && running == lab->told_running)
		return;
	lab->told_queued = queued;
	lab->told_running = running;
	if (lab_listened(lab))
		lab_tell(lab, LAB_QUEUE, 0, json_pack("{s:i,s:i}", "queued", (int)queued, "running", (int)running));
}

int lab_listen(struct lab *lab, lab_listener listener, void *context, struct error *err)
{
	struct lab_ear *ears = realloc(lab->ears, (lab->ear_count + 1) * sizeof(*ears));
	if (!ears)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	lab->ears = ears;
	ears[lab->ear_count++] = (struct lab_ear){listener, context};
	return 0;
}

void lab_unlisten(struct lab *lab, lab_listener listener, void *context)
{
	for (size_t i = 0; i < lab->ear_count; i++)
		if (lab->ears[i].listener == listener && lab->ears[i].context == context) {
			memmove(&lab->ears[i], &lab->ears[i + 1], (--lab->ear_count - i) * sizeof(*lab->ears));
			return;
		}
}

void lab_figures(struct lab *lab, struct lab_figures *ret)
{
	*ret = lab->figures;
	count_jobs(lab, &ret->queued, &ret->running);
}

/* ---- jobs in memory ---- */

static bool sooner(const struct job_record *a, const struct job_record *b)
{
	return a->priority != b->priority ? a->priority > b->priority : a->id < b->id;
}

static size_t place_of(const struct lab *lab, const struct job_record *record)
{
	size_t low = 0, high = lab->job_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (sooner(lab->jobs[middle]->record, record))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* 10,000 of them may wait: their files stay in the book until they are needed. */
static void forget_files(struct job_record *record)
{
	for (size_t i = 0; i < record->file_count; i++) {
		free(record->files[i].path);
		free(record->files[i].sha256);
	}
	free(record->files);
	record->files = NULL;
	record->file_count = 0;
}

static int make_room(struct lab *lab)
{
	if (lab->job_count < lab->job_room)
		return 0;
	size_t room = lab->job_room ? 2 * lab->job_room : 64;
	struct lab_job **jobs = realloc(lab->jobs, room * sizeof(*jobs));
	if (jobs)
		lab->jobs = jobs;
	struct queue_want *wants = realloc(lab->wants, room * sizeof(*wants));
	if (wants)
		lab->wants = wants;
	if (!jobs || !wants)
		return -ENOMEM;
	lab->job_room = room;
	return 0;
}

int lab_job_keep(struct lab *lab, struct job_record *stolen, struct lab_job **ret, struct error *err)
{
	struct lab_job *job = calloc(1, sizeof(*job));
	if (!job || make_room(lab) < 0) {
		free(job);
		job_record_free(stolen);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	forget_files(stolen);
	job->lab = lab;
	job->record = stolen;
	job->fresh = stolen->state == JOB_QUEUED;
	size_t place = place_of(lab, stolen);
	memmove(&lab->jobs[place + 1], &lab->jobs[place], (lab->job_count - place) * sizeof(struct lab_job *));
	lab->jobs[place] = job;
	lab->job_count++;
	*ret = job;
	return 0;
}

/* Whoever is in the middle of it may still look at it: freed by the next turn. */
void lab_job_drop(struct lab *lab, struct lab_job *job)
{
	for (size_t i = 0; i < lab->job_count; i++)
		if (lab->jobs[i] == job) {
			memmove(&lab->jobs[i], &lab->jobs[i + 1], (--lab->job_count - i) * sizeof(struct lab_job *));
			job->next_dead = lab->dead;
			lab->dead = job;
			return;
		}
}

void lab_job_free(struct lab_job *job)
{
	errand_free(job->errand);
	for (size_t i = 0; i < job->run_count; i++)
		lab_run_free(job->runs[i]);
	free(job->runs);
	for (size_t i = 0; i < job->retry_count; i++) {
		json_decref(job->retries[i].cases);
		free(job->retries[i].avoid);
	}
	free(job->retries);
	for (size_t i = 0; i < job->granted_count; i++)
		job->lab->rigs[job->granted[i]].reserved = NULL;
	free(job->granted);
	json_decref(job->ids);
	json_decref(job->counts);
	job_record_free(job->record);
	free(job);
}

static void bury(struct lab *lab)
{
	while (lab->dead) {
		struct lab_job *job = lab->dead;
		lab->dead = job->next_dead;
		lab_job_free(job);
	}
}

/* ---- the scheduling turn ---- */

static int by_use(const void *a, const void *b, void *context)
{
	const struct lab_rig *rigs = context;
	size_t one = *(const size_t *)a, other = *(const size_t *)b;
	if (rigs[one].used != rigs[other].used)
		return rigs[one].used < rigs[other].used ? -1 : 1;
	return one < other ? -1 : one > other;
}

/* What a job may hope for: a rig that was not looked at yet is not offline, one without a readable file is. */
static void show(struct lab_rig *rig)
{
	rig->shown = *rig->record;
	if (!rig->checked)
		rig->shown.online = true;
	if (!rig->facts.known || rig->facts.problem[0]) {
		rig->shown.online = false;
		if (rig->shown.health == HEALTH_HEALTHY && rig->facts.problem[0])
			rig->shown.reason = rig->facts.problem;
	}
}

void lab_queue_rigs(struct lab *lab)
{
	size_t count = lab->config->rig_count;
	for (size_t i = 0; i < count; i++)
		lab->order[i] = i;
	qsort_r(lab->order, count, sizeof(*lab->order), by_use, lab->rigs);
	for (size_t i = 0; i < count; i++) {
		struct lab_rig *rig = &lab->rigs[lab->order[i]];
		show(rig);
		lab->queue_rigs[i] = (struct queue_rig){.name = rig->config->name,
		                                        .pool = rig->config->pool,
		                                        .capabilities = rig->facts.offers,
		                                        .record = &rig->shown,
		                                        .free = lab_rig_free(rig)};
	}
}

/* Another rig that could do it and is not in somebody's hands for who knows how long. */
static bool other_could(const struct lab *lab, const struct queue_want *want, const char *avoid)
{
	char ignored[8];
	for (size_t i = 0; i < lab->config->rig_count; i++) {
		const struct queue_rig *rig = &lab->queue_rigs[i];
		const struct lab_lease *lease = &lab->rigs[lab->order[i]].lease;
		if (strcmp(rig->name, avoid) != 0 && !(lease->id && lease->kind == LEASE_PERSON) &&
		    queue_possible(want, rig, 1, ignored, sizeof(ignored)))
			return true;
	}
	return false;
}

/* A further try goes to a rig that is equal to the one that broke the first; else to any other that does; else back to it. */
static void want_elsewhere(const struct lab_job *job, struct queue_want *want)
{
	const struct lab *lab = job->lab;
	const char *avoid = job->retries[0].avoid;
	const struct lab_rig *broken = lab_rig_find(lab, avoid);
	struct queue_want equal = *want;
	if (!avoid || want->rig)
		return;
	equal.pool = broken ? broken->config->pool : NULL;
	if (equal.pool && other_could(lab, &equal, avoid))
		*want = equal;
	if (other_could(lab, want, avoid))
		want->avoid = avoid;
}

void lab_job_want(const struct lab_job *job, struct queue_want *want)
{
	const struct job_record *record = job->record;
	*want = (struct queue_want){.job = record->id,
	                            .rig = record->rig,
	                            .pool = record->pool,
	                            .requires = (const char *const *)record->requires,
	                            .priority = record->priority,
	                            .shards = job->fresh && record->spread ? record->spread : 1};
	if (job->retry_count)
		want_elsewhere(job, want);
}

static bool wants_rig(const struct lab_job *job)
{
	return job->stage == STAGE_OPEN && !job->record->cancelled && !job->refused && !job->granted_count && !job->errand &&
	       (job->fresh || job->retry_count);
}

/* No rig that fits will ever do, as things stand. */
static void refuse_impossible(struct lab *lab)
{
	struct queue_want want;
	for (size_t i = lab->job_count; i-- > 0;) {
		struct lab_job *job = lab->jobs[i];
		if (!wants_rig(job))
			continue;
		lab_job_want(job, &want);
		if (queue_possible(&want, lab->queue_rigs, lab->config->rig_count, job->reason, sizeof(job->reason)))
			continue;
		job->refused = true;
		lab_job_advance(job);
	}
}

static void begin_retry(struct lab_job *job, struct lab_rig *rig)
{
	struct lab *lab = job->lab;
	struct lab_retry retry = job->retries[0];
	struct error error = {0};
	struct lab_run *run;
	int r = lab_run_add(job, rig, retry.shard, retry.cases, true, &run, &error);
	if (r < 0) {
		lab_again(lab, &error);
		return;
	}
	memmove(job->retries, job->retries + 1, --job->retry_count * sizeof(*job->retries));
	json_decref(retry.cases);
	free(retry.avoid);
	lab_run_begin(run);
}

static size_t gather_wants(struct lab *lab)
{
	size_t count = 0;
	for (size_t i = 0; i < lab->job_count; i++)
		if (wants_rig(lab->jobs[i]))
			lab_job_want(lab->jobs[i], &lab->wants[count++]);
	return count;
}

static bool any_free(const struct lab *lab)
{
	for (size_t i = 0; i < lab->config->rig_count; i++)
		if (lab->queue_rigs[i].free)
			return true;
	return false;
}

/* Hands out what can be handed out. Whether anything was. */
static bool hand_out(struct lab *lab)
{
	size_t rigs[16], grant_count;
	bool any = false;
	lab_queue_rigs(lab);
	if (!any_free(lab))
		return false;
	grant_count = queue_assign(lab->wants, gather_wants(lab), lab->queue_rigs, lab->config->rig_count, lab->grants);
	for (size_t i = 0; i < grant_count; i++) /* the order of use changes below */
		lab->grants[i].rig = lab->order[lab->grants[i].rig];
	for (size_t i = 0; i < grant_count;) {
		struct lab_job *job = lab_job_find(lab, lab->grants[i].job);
		size_t count = 0;
		for (; i + count < grant_count && count < 16 && lab->grants[i + count].job == lab->grants[i].job; count++)
			rigs[count] = lab->grants[i + count].rig;
		i += count;
		if (!job || !wants_rig(job))
			continue;
		any = true;
		if (job->fresh)
			lab_job_begin(job, rigs, count);
		else
			begin_retry(job, &lab->rigs[rigs[0]]);
	}
	return any;
}

static bool still(const struct lab *lab)
{
	for (size_t i = 0; i < lab->job_count; i++)
		if (lab->jobs[i]->open_count || lab->jobs[i]->stage != STAGE_OPEN)
			return false;
	for (size_t i = 0; i < lab->config->rig_count; i++)
		if (lab->rigs[i].errand || lab->rigs[i].lease.state == LEASE_CLEANING)
			return false;
	return true;
}

static void tell_stopped(struct lab *lab)
{
	void (*stopped)(void *) = lab->stopped;
	lab->stopped = NULL;
	if (stopped)
		stopped(lab->stopped_context);
}

void lab_turn(struct lab *lab)
{
	bury(lab);
	(void)sd_event_source_set_enabled(lab->turn, SD_EVENT_OFF);
	if (lab->stopping) {
		if (still(lab))
			tell_stopped(lab);
		return;
	}
	if (!lab->started)
		return;
	if (lab->fitness_changed) {
		lab->fitness_changed = false;
		lab_queue_rigs(lab);
		refuse_impossible(lab);
	}
	/* A failed write is tried again by the next tick, not in a circle here. */
	while (!lab->again && hand_out(lab))
		;
	tell_queue(lab);
}

static int on_turn(sd_event_source *source, void *context)
{
	lab_turn(context);
	return 0;
}

/* ---- the tick ---- */

static void end_lease(struct lab_rig *rig, enum lease_verdict verdict)
{
	struct error error = {0};
	struct lab *lab = rig->lab;
	const char *why = verdict == LEASE_OVERDUE ? "no heartbeat came" : "its time was over";
	int r = book_begin(lab->book, &error);
	if (r < 0) {
		lab_again(lab, &error);
		return;
	}
	r = book_health_entry(lab->book, rig->config->name, "lease", why, 0, 0, &error);
	if (r == 0)
		r = book_lease_cleaning(lab->book, rig->lease.id, why, &error);
	if (r == 0 || r == -EALREADY)
		r = book_commit(lab->book, &error);
	if (r < 0) {
		book_roll_back(lab->book);
		lab_again(lab, &error);
		return;
	}
	lab->figures.leases_expired++;
	rig->lease.state = LEASE_CLEANING;
	lab_tell_rig(rig);
	lab_rig_advance(rig);
}

static int64_t tend_rig(struct lab_rig *rig, int64_t now_ns)
{
	int64_t next_ns = INT64_MAX;
	if (rig->lease.id && rig->lease.state == LEASE_ACTIVE && rig->lease.kind == LEASE_PERSON) {
		enum lease_verdict verdict = lease_times_judge(&rig->lease.times, now_ns);
		if (verdict != LEASE_HELD)
			end_lease(rig, verdict);
		else
			next_ns = lease_times_next_ns(&rig->lease.times);
	}
	lab_rig_advance(rig);
	if (!rig->lease.id && rig->help_due_ns > now_ns && rig->help_due_ns < next_ns)
		next_ns = rig->help_due_ns;
	if (!rig->lease.id && rig->check_due_ns > now_ns && rig->check_due_ns < next_ns)
		next_ns = rig->check_due_ns;
	return next_ns;
}

static void look_at_disk(struct lab *lab)
{
	struct error error = {0};
	uint64_t used, left = 0;
	lab->space_due_ns = lab_now_ns() + SPACE_NS;
	int r = book_usage(lab->book, &used, &left, &error);
	bool space = r == 0 && left >= lab->config->free_bytes;
	if (r < 0)
		(void)snprintf(lab->space_reason, sizeof(lab->space_reason), "%.180s", error.message);
	else if (!space)
		(void)snprintf(lab->space_reason, sizeof(lab->space_reason),
		               "only %" PRIu64 " MB are free on the disk, and new jobs need %" PRIu64 " MB", left / 1000000,
		               lab->config->free_bytes / 1000000);
	if (space != lab->space)
		log_warning("%s", space ? "the disk has room again: new jobs are taken" : lab->space_reason);
	lab->space = space;
}

static void go_on(struct lab *lab)
{
	lab->again = false;
	for (size_t i = lab->job_count; i-- > 0;) {
		struct lab_job *job = lab->jobs[i];
		if (job->fresh && !job->record->cancelled && !job->refused)
			continue;
		for (size_t j = 0; j < job->run_count; j++)
			if (job->runs[j]->stage != STAGE_BEGUN && job->runs[j]->stage != STAGE_DONE)
				lab_run_advance(job->runs[j]);
		lab_job_advance(job);
	}
	lab_turn_soon(lab);
}

static int on_tick(sd_event_source *source, uint64_t at_us, void *context)
{
	struct lab *lab = context;
	int64_t now_ns = lab_now_ns(), next_ns = now_ns + TICK_NS;
	(void)sd_event_source_set_time(source, UINT64_MAX / 2);
	if (now_ns >= lab->space_due_ns)
		look_at_disk(lab);
	for (size_t i = 0; i < lab->config->rig_count; i++) {
		int64_t rig_ns = tend_rig(&lab->rigs[i], now_ns);
		next_ns = rig_ns < next_ns ? rig_ns : next_ns;
	}
	if (lab->again)
		go_on(lab);
	if (lab->fitness_changed)
		lab_turn_soon(lab);
	lab_wake_at(lab, next_ns);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_tell(sd_event_source *source, uint64_t at_us, void *context)
{
	struct lab *lab = context;
	for (size_t i = 0; i < lab->job_count; i++)
		for (size_t j = 0; j < lab->jobs[i]->run_count; j++) {
			struct lab_run *run = lab->jobs[i]->runs[j];
			if (!run->tell_due)
				continue;
			run->tell_due = false;
			run->told_ns = lab_now_ns();
			lab_tell_run(lab, run->record->id);
		}
	return 0;
}

/* ---- jobs come and go ---- */

bool lab_accepts(struct lab *lab, char *reason, size_t size)
{
	(void)snprintf(reason, size, "%s", lab->stopping ? "the daemon is ending" : lab->space ? "" : lab->space_reason);
	return !lab->stopping && lab->space;
}

static int check_taking(struct lab *lab, struct error *err)
{
	unsigned queued, running;
	if (lab->stopping)
		return error_set(err, ERROR_USAGE, ESHUTDOWN, "the daemon is ending");
	if (!lab->space)
		return error_set(err, ERROR_USAGE, ENOSPC, "%s", lab->space_reason);
	count_jobs(lab, &queued, &running);
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

/* Text of the one who submits is set where it is missing. */
static int add_job(struct lab *lab, struct job_record *record, int64_t *ret_id, bool *ret_new, struct error *err)
{
	struct lab_job *job;
	struct job_record *kept;
	int r = book_job_add(lab->book, record, ret_id, err);
	*ret_new = r == 0;
	if (r == -EEXIST && record->key)
		return 0;
	if (r == 0)
		r = book_job(lab->book, *ret_id, &kept, err);
	if (r == 0)
		r = lab_job_keep(lab, kept, &job, err);
	if (r < 0)
		return r;
	lab_tell_job(lab, *ret_id);
	/* At once: on an idle rig the run begins before the answer is written. */
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

/* ---- life ---- */

void lab_environment(const struct lab *lab, const char *job, const char *ret[10])
{
	size_t count = 0;
	for (char *const *text = lab->environment; *text; text++)
		ret[count++] = *text;
	if (job)
		ret[count++] = job;
	ret[count] = NULL;
}

void lab_mark(const struct lab *lab, int64_t job, int64_t run_or_lease, char *buffer, size_t size)
{
	if (job)
		(void)snprintf(buffer, size, "HILBENCH_JOB=job-%" PRId64 "-run-%" PRId64 "-%08" PRIx32, job, run_or_lease,
		               lab->state_number);
	else
		(void)snprintf(buffer, size, "HILBENCH_JOB=lease-%" PRId64 "-%08" PRIx32, run_or_lease, lab->state_number);
}

/* The same for the next daemon of this directory, as long as the machine runs. */
static void number_state(struct lab *lab)
{
	struct stat status = {0};
	(void)stat(book_directory(lab->book), &status);
	uint64_t mixed = ((uint64_t)status.st_dev << 40 ^ (uint64_t)status.st_ino) * UINT64_C(0x9e3779b97f4a7c15);
	lab->state_number = (uint32_t)(mixed >> 32);
}

static int make_environment(struct lab *lab)
{
	static const char *const names[] = {"PATH", "HOME", "HILBENCH_LOCKS", "HILBENCH_PROGRAMS", "HILBENCH_FIXTURES"};
	size_t count = 0;
	if (!(lab->environment[count++] = strdup("LANG=C.UTF-8")))
		return -ENOMEM;
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *value = getenv(names[i]);
		if (!value && i < 2)
			value = i == 0 ? "/usr/local/bin:/usr/bin:/bin" : "/";
		if (value && asprintf(&lab->environment[count++], "%s=%s", names[i], value) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_sources(struct lab *lab)
{
	int r = sd_event_add_defer(lab->event, &lab->turn, on_turn, lab);
	if (r >= 0)
		r = sd_event_source_set_enabled(lab->turn, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(lab->event, &lab->tick, CLOCK_BOOTTIME, UINT64_MAX / 2, 1000, on_tick, lab);
	if (r >= 0)
		r = sd_event_add_time(lab->event, &lab->tell, CLOCK_BOOTTIME, UINT64_MAX / 2, 10000, on_tell, lab);
	if (r >= 0)
		r = sd_event_source_set_enabled(lab->tell, SD_EVENT_OFF);
	return r;
}

static int add_rig(struct lab *lab, size_t i, struct error *err)
{
	struct lab_rig *rig = &lab->rigs[i];
	const struct lab_rig_config *config = &lab->config->rigs[i];
	rig->lab = lab;
	rig->config = config;
	(void)rig_facts_load(&rig->facts, config->file);
	int r = book_rig_known(lab->book, config->name, config->pool, config->file, err);
	if (r == 0)
		r = book_rig(lab->book, config->name, &rig->record, err);
	if (r == 0)
		lab_rig_due(rig);
	return r;
}

static int make(struct lab *lab, struct error *err)
{
	size_t count = lab->config->rig_count;
	char path[PATH_MAX];
	lab->rigs = calloc(count + 1, sizeof(*lab->rigs));
	lab->queue_rigs = calloc(count + 1, sizeof(*lab->queue_rigs));
	lab->grants = calloc(count + 1, sizeof(*lab->grants));
	lab->order = calloc(count + 1, sizeof(*lab->order));
	if (!lab->rigs || !lab->queue_rigs || !lab->grants || !lab->order || make_environment(lab) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	int r = add_sources(lab);
	if (r < 0)
		return error_set(err, ERROR_BENCH, -r, "cannot use the event loop: %s", strerror(-r));
	number_state(lab);
	(void)snprintf(path, sizeof(path), "%.3900s/jobs/.gone", book_directory(lab->book));
	r = folder_remover_new(&lab->remover, lab->event, path, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_rig(lab, i, err);
	return r;
}

int lab_new(struct lab **ret, sd_event *event, struct book *book, const struct lab_config *config, struct error *err)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	if (!lab)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*lab = (struct lab){.event = sd_event_ref(event), .book = book, .config = config, .space = true};
	int r = make(lab, err);
	if (r < 0) {
		lab_free(lab);
		return r;
	}
	*ret = lab;
	return 0;
}

int lab_start(struct lab *lab, struct error *err)
{
	look_at_disk(lab);
	int r = lab_settle(lab, err);
	if (r < 0)
		return r;
	lab->started = lab->fitness_changed = true;
	lab_wake_at(lab, lab_now_ns()); /* the first looks at the rigs */
	(void)sd_event_source_set_enabled(lab->tick, SD_EVENT_ONESHOT);
	lab_turn_soon(lab);
	return 0;
}

static int on_stopping_too_long(sd_event_source *source, uint64_t at_us, void *context)
{
	tell_stopped(context);
	return 0;
}

void lab_stop(struct lab *lab, void (*done)(void *context), void *context)
{
	lab->stopping = true;
	lab->stopped = done;
	lab->stopped_context = context;
	for (size_t i = 0; i < lab->config->rig_count; i++)
		lab_rig_interrupt_check(&lab->rigs[i]);
	for (size_t i = 0; i < lab->job_count; i++)
		for (size_t j = 0; j < lab->jobs[i]->run_count; j++)
			lab_run_stop(lab->jobs[i]->runs[j], STOP_DAEMON);
	(void)sd_event_add_time_relative(lab->event, &lab->stopping_timer, CLOCK_BOOTTIME,
	                                 (uint64_t)((lab->config->grace_ns + STOP_MORE_NS) / 1000), 0, on_stopping_too_long, lab);
	lab_turn_soon(lab);
}

static void free_rig(struct lab_rig *rig)
{
	errand_free(rig->errand);
	rig_facts_free(&rig->facts);
	rig_record_free(rig->record);
	free(rig->lease.holder);
	free(rig->lease.secret_hash);
}

void lab_free(struct lab *lab)
{
	if (!lab)
		return;
	bury(lab);
	for (size_t i = 0; i < lab->job_count; i++)
		lab_job_free(lab->jobs[i]);
	for (size_t i = 0; lab->rigs && i < lab->config->rig_count; i++)
		free_rig(&lab->rigs[i]);
	folder_remover_free(lab->remover);
	sd_event_source_disable_unref(lab->turn);
	sd_event_source_disable_unref(lab->tick);
	sd_event_source_disable_unref(lab->tell);
	sd_event_source_disable_unref(lab->stopping_timer);
	for (char **text = lab->environment; *text; text++)
		free(*text);
	free(lab->rigs);
	free(lab->jobs);
	free(lab->wants);
	free(lab->queue_rigs);
	free(lab->grants);
	free(lab->order);
	free(lab->ears);
	sd_event_unref(lab->event);
	free(lab);
}
