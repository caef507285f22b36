/* SPDX-License-Identifier: Apache-2.0 */
#include "lane.h"

#include <stdlib.h>

static void halve(struct lane_shelf *shelf)
{
	for (unsigned i = 0; i < shelf->count / 2; i++)
		shelf->items[i] = shelf->items[2 * i];
	shelf->count /= 2;
	shelf->stride *= 2;
}

bool lane_put(struct lane *lane, unsigned number, const struct lane_item *item, unsigned capacity)
{
	struct lane_shelf *shelf = &lane->shelves[number];
	if (shelf->stride == 0)
		shelf->stride = 1;
	if (shelf->count == capacity)
		halve(shelf);
	if (shelf->seen++ % shelf->stride != 0)
		return true;
	if (shelf->count == shelf->room) {
		unsigned room = shelf->room ? shelf->room * 2 : 32;
		struct lane_item *grown = realloc(shelf->items, room * sizeof(*grown));
		if (!grown)
			return false;
		shelf->items = grown;
		shelf->room = room;
	}
	shelf->items[shelf->count++] = *item;
	return true;
}

void lane_clear(struct lane *lane)
{
	for (unsigned i = 0; i < LANE_SHELVES; i++)
		free(lane->shelves[i].items);
}

/* Fills the smallest first, so that what they do not need goes to the others. */
static unsigned share_evenly(struct lane_shelf **shelves, unsigned count, unsigned limit)
{
	unsigned left = limit, waiting = count;
	while (waiting > 0 && left > 0) {
		const unsigned each = left / waiting > 0 ? left / waiting : 1;
		unsigned settled = 0;
		waiting = 0;
		for (unsigned i = 0; i < count && left > 0; i++) {
			unsigned more = shelves[i]->count - shelves[i]->share;
			unsigned take = more < each ? more : each;
			take = take < left ? take : left;
			shelves[i]->share += take;
			left -= take;
			settled += take;
			waiting += shelves[i]->share < shelves[i]->count;
		}
		if (settled == 0)
			break;
	}
	return left;
}

/* What of `limit` is left. */
static unsigned share_among(struct lane_shelf **same, struct lane *lanes, unsigned count, unsigned importance, unsigned limit)
{
	for (unsigned number = 0; number < LANE_SHELVES; number++) {
		unsigned found = 0;
		for (unsigned i = 0; i < count; i++)
			if (lanes[i].importance == importance && lanes[i].shelves[number].count > 0)
				same[found++] = &lanes[i].shelves[number];
		limit = share_evenly(same, found, limit);
	}
	return limit;
}

void lanes_share(struct lane *lanes, unsigned count, unsigned limit)
{
	struct lane_shelf **same = calloc(count ? count : 1, sizeof(struct lane_shelf *));
	if (!same)
		return;
	unsigned left = share_among(same, lanes, count, 0, limit);
	/* Half of the rest each, so that the chatter is seen at all; what one of the two does not need is the other's. */
	const unsigned half = left / 2;
	left = left - half + share_among(same, lanes, count, 1, half);
	left = share_among(same, lanes, count, 2, left);
	(void)share_among(same, lanes, count, 1, left);
	free((void *)same);
}
