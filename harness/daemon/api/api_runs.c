/* SPDX-License-Identifier: Apache-2.0 */
/* A run, and its timeline. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api_private.h"

#define TIMELINES_MAX 8 /* at once; each reads a whole journal */

/* Those of a run that still runs are not in the book. */
static void add_artefacts(struct api *api, int64_t id, json_t *run)
{
	char out[PATH_MAX] = "";
	lab_run_directory(api->lab, id, out, sizeof(out));
	if (out[0] && json_array_size(json_object_get(run, "artefacts")) == 0)
		json_object_set_new(run, "artefacts", run_listing(out));
}

void api_run_get(struct http_request *request, void *context)
{
	api_answer_one(request, context, lab_run_json, add_artefacts);
}

/* ---- the timeline: a portion a turn of the loop ---- */

struct timeline {
	LIST_ENTRY(timeline) link;
	struct api *api;
	struct http_request *request;
	struct lanes *lanes;
	sd_event_source *turn;
};

static json_t *timeline_free(struct timeline *timeline)
{
	LIST_REMOVE(timeline, link);
	timeline->api->timeline_count--;
	sd_event_source_disable_unref(timeline->turn);
	json_t *answer = timeline->lanes ? lanes_end(timeline->lanes) : NULL;
	free(timeline);
	return answer;
}

static int on_turn(sd_event_source *source, void *context)
{
	struct timeline *timeline = context;
	struct http_request *request = timeline->request;
	struct error error = {0};
	if (http_is_gone(request)) {
		json_decref(timeline_free(timeline));
		http_answer_empty(request, 204);
		return 0;
	}
	int r = lanes_step(timeline->lanes, &error);
	if (r > 0)
		return 0;
	api_answer(request, r, &error, 200, timeline_free(timeline));
	return 0;
}

void timelines_end(struct api *api)
{
	while (!LIST_EMPTY(&api->timelines)) {
		struct timeline *timeline = LIST_FIRST(&api->timelines);
		struct http_request *request = timeline->request;
		json_decref(timeline_free(timeline));
		http_answer_error(request, HTTP_SHUTTING_DOWN, "the daemon ends");
	}
}

/* Where an open file lies: its reader opens it by name, and follows no link. */
static int path_of(int fd, char path[PATH_MAX], struct error *err)
{
	char link[40];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, PATH_MAX - 1);
	if (length < 0)
		return error_set(err, ERROR_BENCH, errno, "%s: %s", link, strerror(errno));
	path[length] = '\0';
	return 0;
}

static int go_on_later(struct timeline *timeline, struct error *err)
{
	int r = sd_event_add_defer(timeline->api->event, &timeline->turn, on_turn, timeline);
	if (r >= 0)
		r = sd_event_source_set_enabled(timeline->turn, SD_EVENT_ON);
	if (r >= 0)
		r = sd_event_source_set_priority(timeline->turn, SD_EVENT_PRIORITY_IDLE / 2);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot go on later: %s", strerror(-r)) : 0;
}

static int timeline_begin(struct api *api, struct http_request *request, const char *path, int64_t from_ns, int64_t to_ns, unsigned limit,
                          struct error *err)
{
	struct timeline *timeline = calloc(1, sizeof(*timeline));
	if (!timeline)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*timeline = (struct timeline){.api = api, .request = request};
	LIST_INSERT_HEAD(&api->timelines, timeline, link);
	api->timeline_count++;
	int r = lanes_begin(&timeline->lanes, path, from_ns, to_ns, limit, err);
	if (r == 0)
		r = go_on_later(timeline, err);
	if (r < 0)
		json_decref(timeline_free(timeline));
	return r;
}

void api_run_timeline(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	int64_t id, from_ns, to_ns, limit;
	char sha256[BLOB_NAME_SIZE], path[PATH_MAX];
	struct error error = {0};
	uint64_t size;
	int fd;
	if (!api || !http_parameter_id(request, "id", &id) || !http_query_number(request, "from_ns", 0, INT64_MAX, 0, &from_ns) ||
	    !http_query_number(request, "to_ns", 0, INT64_MAX, -1, &to_ns) || !http_query_number(request, "limit", 1, 100000, 4000, &limit))
		return;
	if (to_ns >= 0 && from_ns > to_ns) {
		http_answer_error(request, HTTP_BAD_REQUEST, "from_ns is behind to_ns");
		return;
	}
	if (api->timeline_count >= TIMELINES_MAX) {
		http_answer_error(request, HTTP_TOO_MANY, "%u timelines are being read: ask again", api->timeline_count);
		return;
	}
	int r = run_file_open(api, id, "events.jsonl", &fd, &size, sha256, &error);
	if (r == 0) {
		r = path_of(fd, path, &error);
		close(fd);
	}
	if (r == 0)
		r = timeline_begin(api, request, path, from_ns, to_ns, (unsigned)limit, &error);
	if (r < 0)
		api_fail(request, r, &error);
}
