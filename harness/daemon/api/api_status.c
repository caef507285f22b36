/* SPDX-License-Identifier: Apache-2.0 */
/* How the daemon is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api_private.h"
#include "description.h"
#include "metrics.h"
#include "utc.h"

/* Resident; 0: not known. */
static uint64_t memory_bytes(void)
{
	unsigned long long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	if (!file)
		return 0;
	if (fscanf(file, "%*u %llu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void api_status(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	struct error error = {0};
	char reason[512] = "", started[UTC_SIZE];
	uint64_t used = 0, free_bytes = 0;
	struct lab_figures figures;
	if (!api)
		return;
	lab_figures(api->lab, &figures);
	int r = book_usage(api->book, &used, &free_bytes, &error);
	/* Of a damaged book the answer still says why no job is taken. */
	if (r < 0 && r != -EUCLEAN) {
		api_fail(request, r, &error);
		return;
	}
	bool accepts = lab_accepts(api->lab, reason, sizeof(reason));
	json_t *json =
	        json_pack("{s:s, s:s, s:s, s:{s:i, s:i}, s:b, s:s, s:{s:I, s:I}, s:{s:I, s:I}, s:I, s:i}", "version", HILBENCH_VERSION,
	                  "started", utc_format(api->started_utc_ns, started), "state_directory", api->options.state_directory, "jobs",
	                  "queued", (int)figures.queued, "running", (int)figures.running, "accepts_jobs", accepts, "reason",
	                  accepts ? "" : reason, "disk", "free_bytes", (json_int_t)free_bytes, "used_bytes", (json_int_t)used, "retention",
	                  "limit_bytes", (json_int_t)api->options.retention_bytes, "over_bytes", (json_int_t)book_retention_over(api->book),
	                  "memory_bytes", (json_int_t)memory_bytes(), "viewers", (int)api->viewer_count);
	api_answer(request, 0, NULL, 200, json);
}

void api_metrics(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	char reason[512];
	struct metrics_figures figures = {.version = HILBENCH_VERSION};
	struct error error = {0};
	json_t *rigs = NULL;
	size_t length;
	if (!api)
		return;
	int r = lab_rigs_json(api->lab, &rigs, &error);
	if (r == 0)
		r = book_usage(api->book, &figures.book_bytes, &figures.free_bytes, &error);
	if (r < 0) {
		json_decref(rigs);
		api_fail(request, r, &error);
		return;
	}
	lab_figures(api->lab, &figures.lab);
	figures.rigs = json_object_get(rigs, "rigs");
	figures.memory_bytes = memory_bytes();
	figures.viewers = api->viewer_count;
	figures.viewers_dropped = api->dropped + hub_dropped(api->hub);
	figures.lag_ns = lag_most_ns(api->lag);
	figures.started_utc_ns = api->started_utc_ns;
	figures.accepts_jobs = lab_accepts(api->lab, reason, sizeof(reason));
	char *text = metrics_text(&figures, &length);
	json_decref(rigs);
	if (text)
		http_answer_text(request, METRICS_CONTENT_TYPE, text, length, false);
	else
		http_answer_error(request, HTTP_INTERNAL, "out of memory");
	free(text);
}

void api_health(struct http_request *request, void *context)
{
	if (api_enter(request, context))
		http_answer_text(request, "text/plain; charset=utf-8", "ok\n", 3, false);
}

void api_description(struct http_request *request, void *context)
{
	if (api_enter(request, context))
		http_answer_text(request, "application/json", openapi, sizeof(openapi) - 1, false);
}
