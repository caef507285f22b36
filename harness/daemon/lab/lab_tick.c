/* SPDX-License-Identifier: Apache-2.0 */
/* What time brings: leases end, rigs are looked after, what failed is tried again. */
#include <errno.h>
#include <stdio.h>

#include "../../base/log.h"
#include "lab_private.h"

#define TICK_NS LAB_SECOND_NS
#define LATE_NS (LAB_SECOND_NS / 2)

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
	lab_journal_end(rig);
	lab_tell_rig(rig);
	lab_rig_advance(rig);
}

/* Nobody is heard as long as the daemon itself does not get to it (a disk that hangs, a machine that slept). */
static void forgive_own_lateness(struct lab *lab, int64_t now_ns)
{
	int64_t late_ns = lab->ticked_ns ? now_ns - lab->ticked_ns - TICK_NS : 0;
	lab->ticked_ns = now_ns;
	for (size_t i = 0; late_ns >= LATE_NS && i < lab->config->rig_count; i++)
		lease_times_forgive(&lab->rigs[i].lease.times, late_ns);
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

static void end_pauses(struct lab *lab, int64_t now_ns)
{
	for (size_t i = 0; i < lab->job_count; i++)
		if (lab->jobs[i]->paused_until_ns && now_ns >= lab->jobs[i]->paused_until_ns) {
			lab->jobs[i]->paused_until_ns = 0;
			lab_turn_soon(lab);
		}
}

static int on_tick(sd_event_source *source, uint64_t at_us, void *context)
{
	struct lab *lab = context;
	int64_t now_ns = lab_now_ns(), next_ns = now_ns + TICK_NS;
	(void)sd_event_source_set_time(source, UINT64_MAX / 2);
	forgive_own_lateness(lab, now_ns);
	lab_look_at_clock(lab);
	if (now_ns >= lab->space_due_ns)
		lab_look_at_disk(lab);
	for (size_t i = 0; i < lab->config->rig_count; i++) {
		int64_t rig_ns = tend_rig(&lab->rigs[i], now_ns);
		next_ns = rig_ns < next_ns ? rig_ns : next_ns;
	}
	lab_waiters_look(lab);
	end_pauses(lab, now_ns);
	if (lab->again && !book_damage(lab->book)) /* to a damaged book nothing is written again */
		go_on(lab);
	if (lab->fitness_changed || (lab->stopping && book_damage(lab->book)))
		lab_turn_soon(lab);
	lab_wake_at(lab, next_ns);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int lab_tick_add(struct lab *lab)
{
	return sd_event_add_time(lab->event, &lab->tick, CLOCK_BOOTTIME, UINT64_MAX / 2, 1000, on_tick, lab);
}
