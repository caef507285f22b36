/* SPDX-License-Identifier: Apache-2.0 */
#include "throttle.h"

#include <stdlib.h>

/* Only of ids of which something was sent within the interval. */
struct entry {
	int64_t id, again_ns; /* when the next may be sent */
	json_t *kept;         /* NULL: nothing waits */
};
struct throttle {
	int64_t interval_ns;
	struct entry *entries;
	size_t count, room;
};

struct throttle *throttle_new(int64_t interval_ns)
{
	struct throttle *throttle = calloc(1, sizeof(*throttle));
	if (throttle)
		throttle->interval_ns = interval_ns;
	return throttle;
}

void throttle_free(struct throttle *throttle)
{
	if (!throttle)
		return;
	for (size_t i = 0; i < throttle->count; i++)
		json_decref(throttle->entries[i].kept);
	free(throttle->entries);
	free(throttle);
}

/* Those that sent nothing for an interval need no memory. */
static void tidy(struct throttle *throttle, int64_t now_ns)
{
	for (size_t i = 0; i < throttle->count;)
		if (!throttle->entries[i].kept && throttle->entries[i].again_ns <= now_ns)
			throttle->entries[i] = throttle->entries[--throttle->count];
		else
			i++;
}

static struct entry *add(struct throttle *throttle, int64_t id)
{
	if (throttle->count == throttle->room) {
		size_t room = throttle->room ? 2 * throttle->room : 16;
		struct entry *entries = reallocarray(throttle->entries, room, sizeof(*entries));
		if (!entries)
			return NULL;
		throttle->entries = entries;
		throttle->room = room;
	}
	throttle->entries[throttle->count] = (struct entry){.id = id};
	return &throttle->entries[throttle->count++];
}

bool throttle_offer(struct throttle *throttle, int64_t id, const json_t *data, int64_t now_ns)
{
	struct entry *entry = NULL;
	tidy(throttle, now_ns);
	for (size_t i = 0; i < throttle->count && !entry; i++)
		if (throttle->entries[i].id == id)
			entry = &throttle->entries[i];
	if (!entry) {
		entry = add(throttle, id);
		if (entry)
			entry->again_ns = now_ns + throttle->interval_ns;
		return true;
	}
	json_t *copy = json_deep_copy(data);
	if (!copy) /* too often is better than not at all */
		return true;
	json_decref(entry->kept);
	entry->kept = copy;
	return false;
}

json_t *throttle_due(struct throttle *throttle, int64_t now_ns)
{
	for (size_t i = 0; i < throttle->count; i++) {
		struct entry *entry = &throttle->entries[i];
		if (!entry->kept || entry->again_ns > now_ns)
			continue;
		json_t *due = entry->kept;
		entry->kept = NULL;
		entry->again_ns = now_ns + throttle->interval_ns;
		return due;
	}
	return NULL;
}

int64_t throttle_next_ns(const struct throttle *throttle)
{
	int64_t next = INT64_MAX;
	for (size_t i = 0; i < throttle->count; i++)
		if (throttle->entries[i].kept && throttle->entries[i].again_ns < next)
			next = throttle->entries[i].again_ns;
	return next;
}
