/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduling turn: rigs go to those who want them. */
#include <stdlib.h>
#include <string.h>

#include "lab_private.h"

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

static bool wants_rig_now(const struct lab_job *job)
{
	return wants_rig(job) && !job->paused_until_ns;
}

/* Without space on the disk jobs wait, people do not. */
static size_t gather_wants(struct lab *lab)
{
	size_t count = 0, i = 0;
	for (; lab->space && i < lab->job_count && lab->jobs[i]->record->priority > LAB_WAITER_PRIORITY; i++)
		if (wants_rig_now(lab->jobs[i]))
			lab_job_want(lab->jobs[i], &lab->wants[count++]);
	if (lab->waiters)
		count += lab_waiters_want(lab, &lab->wants[count]);
	for (; lab->space && i < lab->job_count; i++)
		if (wants_rig_now(lab->jobs[i]))
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

/* People are answered from the loop only: in the middle of a request their turn is soon. */
static bool give_person(struct lab *lab, int64_t place, bool from_loop)
{
	if (from_loop)
		return lab_waiter_serve(lab, place);
	lab_turn_soon(lab);
	return false;
}

bool lab_turn_grants(struct lab *lab, const struct lab_job *job, size_t *ret_rig)
{
	if (!lab->started || lab->stopping || lab->again || lab->fitness_changed || job->record->spread > 1)
		return false;
	lab_queue_rigs(lab);
	size_t count =
	        any_free(lab) ? queue_assign(lab->wants, gather_wants(lab), lab->queue_rigs, lab->config->rig_count, lab->grants) : 0;
	for (size_t i = 0; i < count; i++)
		if (lab->grants[i].job == job->record->id) {
			*ret_rig = lab->order[lab->grants[i].rig];
			return true;
		}
	return false;
}

/* Hands out what can be handed out. Whether anything was. */
static bool hand_out(struct lab *lab, bool from_loop)
{
	size_t rigs[16], grant_count;
	bool any = false;
	lab_queue_rigs(lab);
	if (!any_free(lab))
		return false;
	lab_look_at_disk(lab);
	grant_count = queue_assign(lab->wants, gather_wants(lab), lab->queue_rigs, lab->config->rig_count, lab->grants);
	for (size_t i = 0; i < grant_count; i++) /* the order of use changes below */
		lab->grants[i].rig = lab->order[lab->grants[i].rig];
	for (size_t i = 0; i < grant_count;) {
		if (lab->grants[i].job < 0) {
			any |= give_person(lab, lab->grants[i++].job, from_loop);
			continue;
		}
		struct lab_job *job = lab_job_find(lab, lab->grants[i].job);
		size_t count = 0;
		for (; i + count < grant_count && count < 16 && lab->grants[i + count].job == lab->grants[i].job; count++)
			rigs[count] = lab->grants[i + count].rig;
		i += count;
		/* Asked again for each: those that started just now have taken some. */
		if (!job || !wants_rig(job) || !lab_has_space(lab))
			continue;
		any = true;
		if (job->fresh)
			lab_job_begin(job, rigs, count);
		else
			begin_retry(job, &lab->rigs[rigs[0]]);
	}
	return any;
}

/* That goes on without the book. */
static bool is_at_work(const struct lab_job *job)
{
	for (size_t i = 0; i < job->run_count; i++) {
		enum run_stage stage = job->runs[i]->stage;
		if (stage == STAGE_BEGUN || stage == STAGE_REPORT || stage == STAGE_FILES)
			return true;
	}
	return job->stage == STAGE_MERGING;
}

static bool still(const struct lab *lab)
{
	/* Nothing comes to its end in a damaged book: then only processes are waited for. */
	const bool damaged = book_damage(lab->book) != NULL;
	for (size_t i = 0; i < lab->job_count; i++)
		if (damaged ? is_at_work(lab->jobs[i]) : lab->jobs[i]->open_count || lab->jobs[i]->stage != STAGE_OPEN)
			return false;
	for (size_t i = 0; i < lab->config->rig_count; i++)
		if (lab->rigs[i].errand || (!damaged && lab->rigs[i].lease.state == LEASE_CLEANING))
			return false;
	return true;
}

void lab_tell_stopped(struct lab *lab)
{
	void (*stopped)(void *) = lab->stopped;
	lab->stopped = NULL;
	if (stopped)
		stopped(lab->stopped_context);
}

static void take_turn(struct lab *lab, bool from_loop)
{
	lab_bury(lab);
	(void)sd_event_source_set_enabled(lab->turn, SD_EVENT_OFF);
	if (lab->stopping) {
		if (still(lab))
			lab_tell_stopped(lab);
		return;
	}
	if (!lab->started)
		return;
	if (lab->fitness_changed) {
		lab->fitness_changed = false;
		lab_queue_rigs(lab);
		refuse_impossible(lab);
	}
	if (from_loop)
		lab_waiters_turn(lab);
	/* A failed write is tried again by the next tick, not in a circle here. */
	while (!lab->again && hand_out(lab, from_loop))
		;
	lab_tell_queue(lab);
}

void lab_turn(struct lab *lab)
{
	take_turn(lab, false);
}

static int on_turn(sd_event_source *source, void *context)
{
	take_turn(context, true);
	return 0;
}

int lab_turn_add(struct lab *lab)
{
	int r = sd_event_add_defer(lab->event, &lab->turn, on_turn, lab);
	return r < 0 ? r : sd_event_source_set_enabled(lab->turn, SD_EVENT_OFF);
}
