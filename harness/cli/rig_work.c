/* SPDX-License-Identifier: Apache-2.0 */
#include "rig_work.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_NS    (RIG_SECOND_NS / 10)
#define INTERRUPTED 130 /* exit status */

static bool is_interrupted(struct rig_work *work)
{
	work->interrupted = work->interrupted || (work->loop && loop_cancelled(work->loop));
	return work->interrupted;
}

void rig_work_rearm(struct rig_work *work)
{
	(void)is_interrupted(work);
	work->ending = true;
	loop_rearm(work->loop);
}

void rig_work_item(struct rig_work *work, bool ok, const char *resource, const char *format, ...)
{
	char *text = NULL;
	va_list arguments;
	if (!ok && is_interrupted(work) && !work->ending)
		return;
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	for (char *c = text; c && *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	work->failed = work->failed || !ok;
	json_t *message = json_string(text ? text : "");
	(void)json_array_append_new(
	        work->items, json_pack("{s:s,s:b,s:o}", "resource", resource, "ok", ok, "message", message ? message : json_string("?")));
	free(text);
}

int64_t rig_work_deadline_ns(const struct rig_work *work, unsigned left)
{
	int64_t now_ns = loop_now_ns(), share_ns = (work->end_ns - now_ns) / (left ? left : 1);
	return now_ns + (share_ns > LEAST_NS ? share_ns : LEAST_NS);
}

bool rig_work_begin(struct rig_work *ret, const struct rig_call *call, int64_t within_ns)
{
	struct error error = {0};
	char command[100];
	*ret = (struct rig_work){.call = call, .items = json_array(), .end_ns = loop_now_ns() + within_ns};
	(void)snprintf(command, sizeof(command), "hilbench rig %s", call->verb);
	if (rig_lock_take(&ret->lock, call->file, command, &error) < 0) {
		rig_work_item(ret, false, "lock", "%s", error.message);
		return false;
	}
	rig_work_item(ret, true, "lock", "%s",
	              rig_file_is_virtual(call->file) ? "virtual: every run has a rack of its own" : "nobody else has the rig");
	int r = bus_folder_new(&ret->folder, "/tmp", "hilbench-rig", &error);
	if (r == 0)
		r = loop_new(&ret->loop, &error);
	if (r == 0)
		r = timeline_new(&ret->timeline, NULL, 1000, &error);
	if (r < 0)
		rig_work_item(ret, false, "bench", "%s", error.message);
	else
		rig_catch_signals(ret->loop);
	return r == 0;
}

static void print_text(const struct rig_work *work)
{
	size_t i;
	json_t *item;
	json_array_foreach (work->items, i, item)
		(void)printf("%-4s %-18s %s\n", json_is_true(json_object_get(item, "ok")) ? "ok" : "bad",
		             json_string_value(json_object_get(item, "resource")), json_string_value(json_object_get(item, "message")));
}

int rig_work_end(struct rig_work *work)
{
	const bool interrupted = is_interrupted(work);
	work->ending = true;
	if (interrupted)
		rig_work_item(work, false, work->call->verb, "interrupted: what is not listed was not looked at or not done");
	timeline_free(work->timeline);
	loop_free(work->loop);
	bus_folder_free(work->folder);
	rig_lock_release(work->lock);
	if (work->call->json) {
		json_t *root =
		        json_pack("{s:b,s:s,s:O}", "ok", !work->failed, "rig", rig_file_name(work->call->file), "items", work->items);
		(void)json_dumpf(root, stdout, JSON_COMPACT);
		(void)putchar('\n');
		json_decref(root);
	} else {
		print_text(work);
	}
	(void)fflush(stdout);
	json_decref(work->items);
	if (interrupted)
		return INTERRUPTED;
	return work->failed ? EXIT_BENCH : 0;
}
