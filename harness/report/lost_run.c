/* SPDX-License-Identifier: Apache-2.0 */
#include "lost_run.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "text.h"

/* Ids as a reader of reports takes them. NULL: no memory. */
static json_t *clean_ids(const json_t *given)
{
	json_t *ids = json_array(), *one;
	size_t i;
	bool failed = !ids;
	json_array_foreach (given, i, one) {
		char *id = json_is_string(one) ? text_clean(json_string_value(one), json_string_length(one), 0) : NULL;
		failed = failed || (json_is_string(one) && !id) || (id && json_array_append_new(ids, json_string(id)) < 0);
		free(id);
	}
	if (!failed)
		return ids;
	json_decref(ids);
	return NULL;
}

int report_lost_run_read(const char *label, const char *directory, struct report_lost_run *ret)
{
	char path[PATH_MAX];
	bool failed = false;
	*ret = (struct report_lost_run){.label = text_clean(label, strlen(label), 0)};
	if (!ret->label)
		return -ENOMEM;
	json_t *said = NULL;
	if (snprintf(path, sizeof(path), "%s/" LOST_RUN_FILE, directory) < (int)sizeof(path))
		said = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	ret->message = event_text(said, "message", &failed);
	ret->cancelled = json_is_true(json_object_get(said, "cancelled"));
	const json_t *cases = json_object_get(said, "cases");
	if (json_array_size(cases) > 0)
		failed = !(ret->cases = clean_ids(cases)) || failed;
	json_decref(said);
	return failed ? -ENOMEM : 0;
}

void report_lost_run_clear(struct report_lost_run *lost)
{
	free(lost->label);
	free(lost->message);
	json_decref(lost->cases);
	*lost = (struct report_lost_run){0};
}
