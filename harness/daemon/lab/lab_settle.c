/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an earlier daemon left. Runs whose keeper lives go on; the others end with what results there are; rigs of dead leases are cleaned;
 * a job that has no run any more goes on where it stood. Nothing here hands out a rig.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab_private.h"

/* ---- jobs ---- */

/* Since it was last begun: not what a stopped daemon interrupted, and not what came before that. */
static unsigned last_interrupted(struct run_record **records, size_t count, const struct job_record *job)
{
	unsigned number = 0;
	for (size_t i = 0; i < count; i++)
		if (!job->cancelled && records[i]->outcome == OUTCOME_CANCELLED && records[i]->number > number)
			number = records[i]->number;
	return number;
}

static int take_runs(struct lab_job *job, struct error *err)
{
	struct run_record **records;
	size_t count;
	int r = book_runs_of(job->lab->book, job->record->id, &records, &count, err);
	if (r < 0)
		return r;
	unsigned old = last_interrupted(records, count, job->record);
	bool all_old = true;
	for (size_t i = 0; i < count; i++)
		all_old &= records[i]->number <= old;
	for (size_t i = 0; i < count; i++) {
		/* Interrupted just before the end: the job itself was not put back yet. */
		if (records[i]->number <= old && !all_old)
			run_record_free(records[i]);
		else if (!lab_run_new(job, records[i]))
			r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	free(records);
	return r;
}

static int take_job(struct lab *lab, struct job_record *record, struct error *err)
{
	struct lab_job *job;
	int r = lab_job_keep(lab, record, &job, err);
	if (r == 0)
		job->requeued = job->fresh && job->record->reason && *job->record->reason;
	if (r < 0 || job->fresh)
		return r;
	r = take_runs(job, err);
	if (job->record->state == JOB_FINISHING)
		job->stage = STAGE_CLOSING; /* it takes no more runs */
	if (r < 0 || job->run_count || job->record->state == JOB_FINISHING)
		return r;
	/* Begun, and nothing of it was: as if it had never been. */
	r = book_job_requeued(lab->book, job->record->id, "the daemon ended before a run was begun", err);
	job->record->state = JOB_QUEUED;
	job->fresh = job->requeued = true;
	return r;
}

static int take_jobs(struct lab *lab, struct error *err)
{
	struct job_record **records;
	size_t count;
	int r = book_jobs_open(lab->book, &records, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		if (r == 0)
			r = take_job(lab, records[i], err);
		else
			job_record_free(records[i]);
	}
	free(records);
	return r;
}

/* ---- leases ---- */

static int resume(struct lab_rig *rig, struct lease_record *lease, struct error *err)
{
	struct lab *lab = rig->lab;
	struct lease_times times = {0};
	if (lease->kind == LEASE_PERSON && lease->state == LEASE_ACTIVE)
		times = lease_times_resume(lease, lab_now_ns(), lab_utc_ns(), lab->config->heartbeat_ns);
	lab_rig_leased(rig, lease, &times);
	if (lease->kind == LEASE_PERSON && lease->state == LEASE_ACTIVE)
		lab_journal_resume(rig);
	if (lease->kind != LEASE_RECOVERY || lease->state != LEASE_ACTIVE)
		return 0;
	rig->wants_test = true; /* the self-test died with the daemon */
	return lab_rig_lease_cleaning(rig, "the daemon ended during the self-test", err);
}

static int end_unknown(struct lab *lab, const struct lease_record *lease, struct error *err)
{
	int r = lease->state == LEASE_ACTIVE ? book_lease_cleaning(lab->book, lease->id, "the rig is no longer in the configuration", err)
	                                     : 0;
	if (r < 0 && r != -EALREADY)
		return r;
	/* A run that is open ends it later. */
	r = book_lease_over(lab->book, lease->id, err);
	return r == -EINVAL ? 0 : r;
}

static void name_run(const struct lab *lab, struct lease_record *lease)
{
	for (size_t i = 0; i < lab->job_count; i++)
		for (size_t j = 0; j < lab->jobs[i]->run_count; j++)
			if (lab->jobs[i]->runs[j]->record->lease == lease->id) {
				lease->run = lab->jobs[i]->runs[j]->record->id;
				lease->job = lab->jobs[i]->record->id;
			}
}

static int take_leases(struct lab *lab, struct error *err)
{
	struct lease_record **leases;
	size_t count;
	int r = book_leases_open(lab->book, &leases, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		struct lab_rig *rig = lab_rig_find(lab, leases[i]->rig);
		name_run(lab, leases[i]);
		if (r == 0)
			r = rig ? resume(rig, leases[i], err) : end_unknown(lab, leases[i], err);
		lease_record_free(leases[i]);
	}
	free(leases);
	return r;
}

/* ---- runs ---- */

static bool was_begun(const struct lab_run *run)
{
	char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%s/order.json", run->directory);
	return access(path, F_OK) == 0;
}

static void lost(struct lab_run *run, const char *message)
{
	struct keeper_exit exit = {.exit_status = -1, .signal = -1, .reason = "lost", .ended_utc_ns = lab_utc_ns()};
	(void)snprintf(exit.message, sizeof(exit.message), "%s", message);
	lab_run_ended(&exit, run);
}

static void adopt(struct lab_run *run)
{
	struct lab *lab = run->job->lab;
	struct error error = {0};
	if (!was_begun(run)) {
		run->not_begun = run->record->state == RUN_STARTING;
		lost(run, "its directory is gone");
		return;
	}
	if (run->record->state != RUN_ENDED && lab_run_watch(run, &error) < 0)
		lab_again(lab, &error); /* it runs without being watched */
	if (kept_adopt(&run->kept, lab->event, run->directory, lab_run_ended, run, &error) < 0) {
		lost(run, error.message);
		return;
	}
	lab->figures.adopted++;
	if (run->record->state == RUN_STARTING && book_run_running(lab->book, run->record->id, lab_utc_ns(), &error) == 0)
		run->record->state = RUN_RUNNING;
	if (run->job->record->cancelled)
		lab_run_stop(run, STOP_CANCEL);
}

/* Jobs may end while this goes on: their number only shrinks by the next turn. */
static void adopt_all(struct lab *lab)
{
	size_t count = 0;
	for (size_t i = 0; i < lab->job_count; i++)
		count += lab->jobs[i]->run_count;
	struct lab_run **runs = calloc(count + 1, sizeof(*runs));
	count = 0;
	for (size_t i = 0; runs && i < lab->job_count; i++)
		for (size_t j = 0; j < lab->jobs[i]->run_count; j++)
			if (lab->jobs[i]->runs[j]->stage == STAGE_BEGUN)
				runs[count++] = lab->jobs[i]->runs[j];
	for (size_t i = 0; runs && i < count; i++)
		adopt(runs[i]);
	free(runs);
}

/* ---- directories that nobody needs ---- */

static bool all_digits(const char *name)
{
	return *name && strspn(name, "0123456789") == strlen(name);
}

static void sweep_job(struct lab *lab, const char *jobs, const char *name)
{
	char path[PATH_MAX];
	struct error error = {0};
	const struct lab_job *job = lab_job_find(lab, strtoll(name, NULL, 10));
	const struct dirent *entry;
	(void)snprintf(path, sizeof(path), "%.3800s/%s", jobs, name);
	if (!job) {
		if (folder_remove(lab->remover, path, &error) < 0)
			lab_again(lab, &error);
		return;
	}
	DIR *directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		const struct lab_run *run = all_digits(entry->d_name) ? lab_run_find(lab, strtoll(entry->d_name, NULL, 10)) : NULL;
		if (entry->d_name[0] == '.' || (run && run->stage != STAGE_DONE))
			continue;
		(void)snprintf(path, sizeof(path), "%.3500s/%.60s/%s", jobs, name, entry->d_name);
		if (folder_remove(lab->remover, path, &error) < 0)
			lab_again(lab, &error);
	}
	if (directory)
		closedir(directory);
}

static void sweep_directories(struct lab *lab)
{
	char jobs[PATH_MAX];
	const struct dirent *entry;
	(void)snprintf(jobs, sizeof(jobs), "%.3900s/jobs", book_directory(lab->book));
	DIR *directory = opendir(jobs);
	while (directory && (entry = readdir(directory)))
		if (all_digits(entry->d_name))
			sweep_job(lab, jobs, entry->d_name);
	if (directory)
		closedir(directory);
}

/* ---- everything ---- */

int lab_settle(struct lab *lab, struct error *err)
{
	int r = take_jobs(lab, err);
	if (r == 0)
		r = take_leases(lab, err);
	if (r < 0)
		return r;
	sweep_directories(lab);
	lab_journal_sweep(lab);
	adopt_all(lab);
	for (size_t i = 0; i < lab->config->rig_count; i++)
		lab_rig_advance(&lab->rigs[i]);
	for (size_t i = lab->job_count; i-- > 0;)
		if (!lab->jobs[i]->fresh || lab->jobs[i]->record->cancelled)
			lab_job_advance(lab->jobs[i]);
	return 0;
}
