/* SPDX-License-Identifier: Apache-2.0 */
/* People who wait for a rig: in the order in which they came, before the jobs of their priority. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab_private.h"

struct lab_waiter {
	struct lab *lab;
	struct lab_rig *rig;
	int64_t place; /* in the queue: below that of every job, more for who came later */
	char *by, *note;
	int64_t for_ns;
	bool heartbeat, anyway;
	struct lab_waiter_calls calls;
	void *context;
	struct lab_waiter *next;
};

static void waiter_free(struct lab_waiter *waiter)
{
	free(waiter->by);
	free(waiter->note);
	free(waiter);
}

static void leave(struct lab_waiter *waiter)
{
	struct lab_waiter **place = &waiter->lab->waiters;
	while (*place && *place != waiter)
		place = &(*place)->next;
	if (!*place)
		return;
	*place = waiter->next;
	waiter->lab->waiter_count--;
}

static void answer(struct lab_waiter *waiter, int r, const struct error *error, int64_t lease, const char *secret)
{
	leave(waiter);
	waiter->calls.answered(r, error, lease, secret, waiter->context);
	waiter_free(waiter);
}

/* Who is gone needs no rig any more. */
static bool drop_gone(struct lab_waiter *waiter)
{
	struct error error = {0};
	if (waiter->calls.there(waiter->context))
		return false;
	(void)error_set(&error, ERROR_USAGE, ECANCELED, "nobody waits for %s any more", waiter->rig->config->name);
	answer(waiter, -ECANCELED, &error, 0, NULL);
	return true;
}

/* ---- coming, going ---- */

static struct lab_waiter *waiter_new(struct lab *lab, struct lab_rig *rig, const struct lab_lease_request *request)
{
	struct lab_waiter *waiter = calloc(1, sizeof(*waiter));
	if (!waiter)
		return NULL;
	*waiter = (struct lab_waiter){.lab = lab,
	                              .rig = rig,
	                              .by = strdup(request->by),
	                              .note = request->note ? strdup(request->note) : NULL,
	                              .for_ns = request->for_ns,
	                              .heartbeat = request->heartbeat};
	if (waiter->by && (waiter->note || !request->note))
		return waiter;
	waiter_free(waiter);
	return NULL;
}

int lab_wait(struct lab *lab, const struct lab_lease_request *request, bool anyway, const struct lab_waiter_calls *calls, void *context,
             struct lab_waiter **ret, struct error *err)
{
	struct lab_rig *rig = lab_rig_find(lab, request->rig);
	if (!rig)
		return error_set(err, ERROR_USAGE, ENOENT, "there is no rig \"%.100s\"", request->rig);
	lab_queue_rigs(lab); /* what is shown is as it is now */
	int r = lab_lease_check(rig, request, anyway, err);
	if (r < 0 && r != -EBUSY)
		return r;
	if (lab->waiter_count >= LAB_WAITERS_MAX)
		return error_set(err, ERROR_USAGE, EAGAIN, "%u wait for rigs already", lab->waiter_count);
	struct lab_waiter *waiter = lab_make_room(lab) == 0 ? waiter_new(lab, rig, request) : NULL;
	if (!waiter)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	waiter->anyway = anyway;
	waiter->calls = *calls;
	waiter->context = context;
	waiter->place = INT64_MIN + ++lab->waiters_seen;
	struct lab_waiter **last = &lab->waiters;
	while (*last)
		last = &(*last)->next;
	*last = waiter;
	lab->waiter_count++;
	lab_turn_soon(lab);
	*ret = waiter;
	return 0;
}

void lab_wait_drop(struct lab_waiter *waiter)
{
	struct lab *lab = waiter->lab;
	leave(waiter);
	waiter_free(waiter);
	lab_turn_soon(lab); /* the rig may be the next one's */
}

void lab_waiters_end(struct lab *lab)
{
	struct error error = {0};
	(void)error_set(&error, ERROR_USAGE, ESHUTDOWN, "the daemon is ending");
	while (lab->waiters)
		answer(lab->waiters, -ESHUTDOWN, &error, 0, NULL);
}

/* ---- their turn ---- */

size_t lab_waiters_want(const struct lab *lab, struct queue_want *wants)
{
	size_t count = 0;
	for (const struct lab_waiter *waiter = lab->waiters; waiter; waiter = waiter->next)
		wants[count++] = (struct queue_want){
		        .job = waiter->place, .rig = waiter->rig->config->name, .priority = LAB_WAITER_PRIORITY, .shards = 1};
	return count;
}

bool lab_waiter_serve(struct lab *lab, int64_t place)
{
	struct lab_waiter *waiter = lab->waiters;
	char secret[LEASE_SECRET_SIZE];
	struct error error = {0};
	int64_t lease = 0;
	while (waiter && waiter->place != place)
		waiter = waiter->next;
	if (!waiter)
		return false;
	if (drop_gone(waiter))
		return true;
	const struct lab_lease_request request = {.rig = waiter->rig->config->name,
	                                          .by = waiter->by,
	                                          .note = waiter->note,
	                                          .for_ns = waiter->for_ns,
	                                          .heartbeat = waiter->heartbeat};
	int r = lab_lease_now(waiter->rig, &request, waiter->anyway, &lease, secret, &error);
	if (r == -EBUSY)
		return false;
	answer(waiter, r, &error, lease, secret);
	return true;
}

/* A rig that no job may have: an admin gets it all the same, everybody else waits in vain. */
static void serve_unfit(struct lab_waiter *waiter)
{
	struct error error = {0};
	char why[700];
	if (health_fit(&waiter->rig->shown, why, sizeof(why)))
		return;
	if (waiter->anyway) {
		(void)lab_waiter_serve(waiter->lab, waiter->place);
		return;
	}
	(void)error_set(&error, ERROR_USAGE, EHOSTDOWN, "%s: %s", waiter->rig->config->name, why);
	answer(waiter, -EHOSTDOWN, &error, 0, NULL);
}

void lab_waiters_turn(struct lab *lab)
{
	struct lab_waiter *next;
	if (lab->waiters)
		lab_queue_rigs(lab); /* what is shown is as it is now */
	for (struct lab_waiter *waiter = lab->waiters; waiter; waiter = next) {
		next = waiter->next;
		serve_unfit(waiter);
	}
}

void lab_waiters_look(struct lab *lab)
{
	struct lab_waiter *next;
	for (struct lab_waiter *waiter = lab->waiters; waiter; waiter = next) {
		next = waiter->next;
		if (drop_gone(waiter))
			lab_turn_soon(lab);
	}
}

/* ---- what others are told ---- */

const char *lab_waiter_first(const struct lab *lab, const struct lab_rig *rig)
{
	for (const struct lab_waiter *waiter = lab->waiters; waiter; waiter = waiter->next)
		if (waiter->rig == rig)
			return waiter->by;
	return NULL;
}

void lab_waiters_name(const struct lab *lab, const struct queue_want *want, char *text, size_t size)
{
	char ignored[8];
	const char *before = "; before it";
	if (want->priority > LAB_WAITER_PRIORITY)
		return;
	for (size_t i = 0; i < lab->config->rig_count; i++) {
		const struct lab_rig *rig = &lab->rigs[lab->order[i]];
		const char *by = lab_waiter_first(lab, rig);
		size_t length = strlen(text);
		if (!by || length + 1 >= size || !queue_possible(want, &lab->queue_rigs[i], 1, ignored, sizeof(ignored)))
			continue;
		(void)snprintf(text + length, size - length, "%s %.100s waits for %s", before, by, rig->config->name);
		before = ",";
	}
}
