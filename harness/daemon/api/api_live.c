/* SPDX-License-Identifier: Apache-2.0 */
/* GET /api/v1/events: what the lab tells, to everybody who listens. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api_private.h"

/* ---- from the lab ---- */

static void put(struct api *api, const char *type, const json_t *data)
{
	hub_put(api->hub, type, data);
	viewers_wake(api, VIEWER_LIVE, 0);
}

static void arm(struct api *api)
{
	int64_t next_ns = throttle_next_ns(api->throttle);
	if (next_ns == INT64_MAX)
		return;
	sd_event_source_set_time(api->throttle_timer, (uint64_t)(next_ns / 1000 + 1));
	sd_event_source_set_enabled(api->throttle_timer, SD_EVENT_ONESHOT);
}

static int on_due(sd_event_source *source, uint64_t usec, void *context)
{
	struct api *api = context;
	json_t *due;
	while ((due = throttle_due(api->throttle, api_now_ns()))) {
		put(api, "run", due);
		json_decref(due);
	}
	arm(api);
	return 0;
}

void live_tell(struct api *api, enum lab_event event, int64_t id, const json_t *data)
{
	if (!data)
		return;
	if (event == LAB_JOB)
		put(api, "job", data);
	else if (event == LAB_RIG)
		put(api, "rig", data);
	else if (event == LAB_QUEUE)
		put(api, "queue", data);
	else if (event == LAB_RUN && throttle_offer(api->throttle, id, data, api_now_ns()))
		put(api, "run", data);
	if (event == LAB_RUN)
		arm(api);
}

int live_start(struct api *api, struct error *err)
{
	int r = sd_event_add_time(api->event, &api->throttle_timer, CLOCK_BOOTTIME, UINT64_MAX, 1000, on_due, api);
	if (r >= 0)
		r = sd_event_source_set_enabled(api->throttle_timer, SD_EVENT_OFF);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot start a timer: %s", strerror(-r)) : 0;
}

void live_stop(struct api *api)
{
	api->throttle_timer = sd_event_source_disable_unref(api->throttle_timer);
}

/* ---- to viewers ---- */

struct live_viewer {
	struct viewer viewer; /* first */
	struct hub_viewer position;
};

static ssize_t fill(void *context, char *buffer, size_t size)
{
	struct live_viewer *live = context;
	struct api *api = live->viewer.api;
	ssize_t n = hub_viewer_read(api->hub, &live->position, buffer, size);
	return n == 0 && api->stopping ? -ENODATA : n;
}

static void closed(void *context)
{
	struct live_viewer *live = context;
	hub_viewer_end(&live->position);
	viewer_gone(&live->viewer);
	free(live);
}

void api_events(struct http_request *request, void *context)
{
	static const struct http_stream_calls calls = {fill, closed};
	struct api *api = api_enter(request, context);
	struct live_viewer *live = api ? calloc(1, sizeof(*live)) : NULL;
	if (!api)
		return;
	if (!live) {
		http_answer_error(request, HTTP_INTERNAL, "out of memory");
		return;
	}
	hub_viewer_begin(api->hub, &live->position, http_header(request, "Last-Event-ID"));
	viewer_open(&live->viewer, api, VIEWER_LIVE, 0, request, "text/event-stream", &calls);
}
