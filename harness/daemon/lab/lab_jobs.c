/* SPDX-License-Identifier: Apache-2.0 */
/* The open jobs in memory, in the order of the queue. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lab_private.h"

bool lab_job_waits(const struct lab_job *job)
{
	return job->record->state == JOB_QUEUED || (job->record->state == JOB_RUNNING && job->retry_count && !job->open_count);
}

void lab_count_jobs(const struct lab *lab, unsigned *queued, unsigned *running)
{
	*queued = *running = 0;
	for (size_t i = 0; i < lab->job_count; i++)
		lab_job_waits(lab->jobs[i]) ? (*queued)++ : (*running)++;
}

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

int lab_make_room(struct lab *lab)
{
	if (lab->job_count < lab->job_room)
		return 0;
	size_t room = lab->job_room ? 2 * lab->job_room : 64;
	struct lab_job **jobs = realloc(lab->jobs, room * sizeof(*jobs));
	if (jobs)
		lab->jobs = jobs;
	struct queue_want *wants = realloc(lab->wants, (room + LAB_WAITERS_MAX) * sizeof(*wants));
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
	if (!job || lab_make_room(lab) < 0) {
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
	store_free(job->store);
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

void lab_bury(struct lab *lab)
{
	while (lab->dead) {
		struct lab_job *job = lab->dead;
		lab->dead = job->next_dead;
		lab_job_free(job);
	}
}

void lab_figures(struct lab *lab, struct lab_figures *ret)
{
	*ret = lab->figures;
	lab_count_jobs(lab, &ret->queued, &ret->running);
}
