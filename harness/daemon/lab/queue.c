/* SPDX-License-Identifier: Apache-2.0 */
/* Which job gets which rig, and what the others wait for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health.h"
#include "queue.h"

#define NAMED_RIGS 6 /* of those that are waited for */

static bool has_capability(const struct queue_rig *rig, const char *wanted)
{
	for (const char *const *one = rig->capabilities; one && *one; one++)
		if (strcmp(*one, wanted) == 0)
			return true;
	return false;
}

/* The first thing that it lacks, NULL: nothing. */
static const char *lacks(const struct queue_want *want, const struct queue_rig *rig)
{
	for (const char *const *one = want->requires; one && *one; one++)
		if (!has_capability(rig, *one))
			return *one;
	return NULL;
}

/* Named by the job, whatever it can do. */
static bool is_meant(const struct queue_want *want, const struct queue_rig *rig)
{
	if (want->rig)
		return strcmp(want->rig, rig->name) == 0;
	return !want->pool || (rig->pool && strcmp(want->pool, rig->pool) == 0);
}

static bool is_fit(const struct queue_rig *rig)
{
	return rig->record->health != HEALTH_QUARANTINED && rig->record->online;
}

static bool could(const struct queue_want *want, const struct queue_rig *rig)
{
	return is_meant(want, rig) && is_fit(rig) && !lacks(want, rig);
}

static bool is_avoided(const struct queue_want *want, const struct queue_rig *rig)
{
	return want->avoid && strcmp(want->avoid, rig->name) == 0;
}

/* A rig that broke the run before is taken only when no other could ever do. */
static bool avoids(const struct queue_want *want, const struct queue_rig *rigs, size_t rig_count)
{
	for (size_t i = 0; want->avoid && i < rig_count; i++)
		if (!is_avoided(want, &rigs[i]) && could(want, &rigs[i]))
			return true;
	return false;
}

static bool granted(const struct queue_grant *grants, size_t count, size_t rig)
{
	for (size_t i = 0; i < count; i++)
		if (grants[i].rig == rig)
			return true;
	return false;
}

struct deal {
	const struct queue_rig *rigs;
	size_t rig_count, count, left; /* left: free and fit rigs that nobody has yet */
	struct queue_grant *grants;
};

static bool takeable(const struct deal *deal, const struct queue_want *want, bool avoiding, size_t i)
{
	const struct queue_rig *rig = &deal->rigs[i];
	return rig->free && could(want, rig) && !(avoiding && is_avoided(want, rig)) && !granted(deal->grants, deal->count, i);
}

static bool same_pool(const struct queue_rig *a, const struct queue_rig *b)
{
	return a == b || (a->pool && b->pool && strcmp(a->pool, b->pool) == 0);
}

/* The rig that it takes first: healthy before suspect, of the pool that gives it most. rig_count: none. */
static size_t first_rig(const struct deal *deal, const struct queue_want *want, bool avoiding)
{
	size_t best = deal->rig_count, best_count = 0;
	for (size_t i = 0; i < deal->rig_count; i++) {
		if (!takeable(deal, want, avoiding, i))
			continue;
		size_t count = 0;
		for (size_t j = 0; want->shards > 1 && j < deal->rig_count && count < want->shards; j++)
			count += same_pool(&deal->rigs[i], &deal->rigs[j]) && takeable(deal, want, avoiding, j);
		bool healthier = best < deal->rig_count && deal->rigs[i].record->health < deal->rigs[best].record->health;
		if (best == deal->rig_count || count > best_count || (count == best_count && healthier)) {
			best = i;
			best_count = count;
		}
	}
	return best;
}

static void give(struct deal *deal, const struct queue_want *want, size_t rig)
{
	deal->grants[deal->count++] = (struct queue_grant){.job = want->job, .rig = rig};
	deal->left--;
}

static void serve(struct deal *deal, const struct queue_want *want)
{
	bool avoiding = avoids(want, deal->rigs, deal->rig_count);
	size_t first = first_rig(deal, want, avoiding);
	if (first == deal->rig_count)
		return;
	give(deal, want, first);
	unsigned shards = 1;
	for (int health = HEALTH_HEALTHY; health <= HEALTH_SUSPECT; health++)
		for (size_t i = 0; i < deal->rig_count && shards < want->shards; i++)
			if ((int)deal->rigs[i].record->health == health && same_pool(&deal->rigs[first], &deal->rigs[i]) &&
			    takeable(deal, want, avoiding, i)) {
				give(deal, want, i);
				shards++;
			}
}

static int compare_wants(const struct queue_want *a, const struct queue_want *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority ? -1 : 1;
	return a->job < b->job ? -1 : a->job > b->job;
}

static int compare_pointers(const void *a, const void *b)
{
	return compare_wants(*(const struct queue_want *const *)a, *(const struct queue_want *const *)b);
}

static bool in_order(const struct queue_want *wants, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (compare_wants(&wants[i - 1], &wants[i]) > 0)
			return false;
	return true;
}

static void serve_sorted(struct deal *deal, const struct queue_want *wants, size_t count)
{
	const struct queue_want **order = calloc(count, sizeof(*order));
	if (!order)
		return; /* nobody gets anything this time */
	for (size_t i = 0; i < count; i++)
		order[i] = &wants[i];
	qsort(order, count, sizeof(*order), compare_pointers);
	for (size_t i = 0; i < count && deal->left; i++)
		serve(deal, order[i]);
	free(order);
}

size_t queue_assign(const struct queue_want *wants, size_t want_count, const struct queue_rig *rigs, size_t rig_count,
                    struct queue_grant *grants)
{
	struct deal deal = {.rigs = rigs, .rig_count = rig_count, .grants = grants};
	for (size_t i = 0; i < rig_count; i++)
		deal.left += rigs[i].free && is_fit(&rigs[i]);
	if (!deal.left || !want_count)
		return 0;
	if (!in_order(wants, want_count))
		serve_sorted(&deal, wants, want_count);
	else
		for (size_t i = 0; i < want_count && deal.left; i++)
			serve(&deal, &wants[i]);
	return deal.count;
}

/* ---- in words ---- */

struct text {
	char *data;
	size_t size, length;
};

static void add(struct text *text, const char *a, const char *b, const char *c)
{
	if (text->length >= text->size)
		return;
	int n = snprintf(text->data + text->length, text->size - text->length, "%s%s%s", a, b, c);
	if (n > 0)
		text->length += (size_t)n;
}

static void say_why(struct text *text, const struct queue_want *want, const struct queue_rig *rig)
{
	char why[600];
	add(text, text->length ? "\n" : "", rig->name, ": ");
	if (lacks(want, rig))
		add(text, "has no ", lacks(want, rig), "");
	else if (!health_fit(rig->record, why, sizeof(why)))
		add(text, why, "", "");
}

bool queue_possible(const struct queue_want *want, const struct queue_rig *rigs, size_t rig_count, char *buffer, size_t size)
{
	struct text text = {.data = buffer, .size = size};
	if (size)
		buffer[0] = '\0';
	for (size_t i = 0; i < rig_count; i++)
		if (could(want, &rigs[i]))
			return true;
	for (size_t i = 0; i < rig_count; i++)
		if (is_meant(want, &rigs[i]))
			say_why(&text, want, &rigs[i]);
	if (text.length == 0 && want->rig)
		add(&text, want->rig, ": no such rig", "");
	else if (text.length == 0 && want->pool)
		add(&text, "no rig is in the pool ", want->pool, "");
	else if (text.length == 0)
		add(&text, "there is no rig", "", "");
	return false;
}

void queue_waits_for(const struct queue_want *want, const struct queue_rig *rigs, size_t rig_count, char *buffer, size_t size)
{
	struct text text = {.data = buffer, .size = size};
	bool avoiding = avoids(want, rigs, rig_count);
	size_t count = 0, named = 0;
	if (!queue_possible(want, rigs, rig_count, buffer, size))
		return;
	for (size_t i = 0; i < rig_count; i++) {
		bool waited = could(want, &rigs[i]) && !(avoiding && is_avoided(want, &rigs[i]));
		if (waited && rigs[i].free) {
			add(&text, "its turn", "", "");
			return;
		}
		count += waited;
	}
	for (size_t i = 0; i < rig_count && named < NAMED_RIGS; i++) {
		if (!could(want, &rigs[i]) || (avoiding && is_avoided(want, &rigs[i])))
			continue;
		named++;
		add(&text, named == 1 ? "" : named == count ? " and " : ", ", rigs[i].name, "");
	}
	char rest[40] = "";
	if (count > named)
		(void)snprintf(rest, sizeof(rest), " and %zu more", count - named);
	add(&text, rest, count == 1 ? " is busy" : " are busy", "");
}
