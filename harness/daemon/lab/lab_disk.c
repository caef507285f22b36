/* SPDX-License-Identifier: Apache-2.0 */
/* Whether new jobs are taken: the disk has room, and the book is whole. */
#include <stdio.h>

#include "../../base/log.h"
#include "lab_private.h"

#define GIB      (1024.0 * 1024.0 * 1024.0)
#define SPACE_NS (5 * LAB_SECOND_NS)

void lab_look_at_disk(struct lab *lab)
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
		               "only %.1f GiB are free on the disk, and new jobs need %.1f GiB", (double)left / GIB,
		               (double)lab->config->free_bytes / GIB);
	if (space != lab->space)
		log_warning("%s", space ? "the disk has room again: new jobs are taken" : lab->space_reason);
	lab->space = space;
}

bool lab_accepts(struct lab *lab, char *reason, size_t size)
{
	const char *why_not = lab->stopping ? "the daemon is ending" : book_damage(lab->book);
	if (!why_not && !lab->space)
		why_not = lab->space_reason;
	(void)snprintf(reason, size, "%s", why_not ? why_not : "");
	return !why_not;
}
