/* SPDX-License-Identifier: Apache-2.0 */
/* A lab is made, started, stopped and freed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lab_private.h"

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

static int add_sources(struct lab *lab)
{
	int r = lab_turn_add(lab);
	if (r >= 0)
		r = lab_tick_add(lab);
	return r < 0 ? r : lab_tell_add(lab);
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
	if (!lab->rigs || !lab->queue_rigs || !lab->grants || !lab->order || lab_make_environment(lab) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	int r = add_sources(lab);
	if (r < 0)
		return error_set(err, ERROR_BENCH, -r, "cannot use the event loop: %s", strerror(-r));
	lab_number_state(lab);
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
	lab_look_at_disk(lab);
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
	lab_tell_stopped(context);
	return 0;
}

void lab_stop(struct lab *lab, void (*done)(void *context), void *context)
{
	lab->stopping = true;
	lab->stopped = done;
	lab->stopped_context = context;
	lab_waiters_end(lab);
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
	free(rig->lease.note);
	free(rig->lease.secret_hash);
	lease_journal_unref(rig->lease.journal);
}

void lab_free(struct lab *lab)
{
	if (!lab)
		return;
	lab_bury(lab);
	while (lab->waiters)
		lab_wait_drop(lab->waiters);
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
