/* SPDX-License-Identifier: Apache-2.0 */
/* Begins and ends; what every handler needs. */
#include "api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../book/tokens.h"
#include "api_private.h"

#define S_NS         INT64_C(1000000000)
#define RUN_EVENT_NS (S_NS / 4) /* at most four a second */

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * S_NS + now.tv_nsec;
}

int64_t api_now_ns(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

int64_t api_utc_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

/* ---- life ---- */

static void on_lab(enum lab_event event, int64_t id, const json_t *data, void *context)
{
	struct api *api = context;
	live_tell(api, event, id, data);
	if (event == LAB_RUN_TAIL || event == LAB_RUN)
		viewers_wake(api, VIEWER_RUN, id);
	if (event == LAB_LEASE_JOURNAL)
		viewers_wake(api, VIEWER_LEASE, id);
	if (event == LAB_RUN_STORING)
		run_viewers_storing(api, id);
}

static int make(struct api *api, struct error *err)
{
	api->hub = hub_new((uint64_t)api->started_utc_ns);
	api->throttle = throttle_new(RUN_EVENT_NS);
	api->sessions = sessions_new();
	api->scratch = malloc(API_SCRATCH);
	if (!api->hub || !api->throttle || !api->sessions || !api->scratch)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	int r = lag_new(&api->lag, api->event, err);
	if (r == 0)
		r = live_start(api, err);
	return r == 0 ? lab_listen(api->lab, on_lab, api, err) : r;
}

int api_new(struct api **ret, sd_event *event, struct book *book, struct lab *lab, const struct api_options *options, struct error *err)
{
	struct api *api = calloc(1, sizeof(*api));
	if (!api)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*api = (struct api){.event = event, .book = book, .lab = lab, .options = *options, .started_utc_ns = api_utc_ns()};
	LIST_INIT(&api->viewers);
	LIST_INIT(&api->waits);
	LIST_INIT(&api->timelines);
	LIST_INIT(&api->uploads);
	int r = make(api, err);
	if (r < 0)
		api_free(api);
	else
		*ret = api;
	return r;
}

void api_stop(struct api *api)
{
	api->stopping = true;
	lease_waits_end(api);
	timelines_end(api);
	viewers_wake(api, VIEWER_LIVE, 0);
	viewers_wake(api, VIEWER_RUN, 0);
	viewers_wake(api, VIEWER_LOG, 0);
	viewers_wake(api, VIEWER_LEASE, 0);
}

void api_free(struct api *api)
{
	if (!api)
		return;
	uploads_end(api);
	lab_unlisten(api->lab, on_lab, api);
	live_stop(api);
	lag_free(api->lag);
	sessions_free(api->sessions);
	throttle_free(api->throttle);
	hub_free(api->hub);
	free(api->scratch);
	free(api);
}

/* ---- who asks ---- */

enum token_role api_token(const char *token, bool cookie, char *name, void *context)
{
	struct api *api = context;
	struct error error = {0};
	enum token_role role;
	const char *real = cookie ? sessions_find(api->sessions, token, api_now_ns()) : token;
	if (!real || book_token_find(api->book, real, api_utc_ns(), &role, name, &error) < 0)
		return ROLE_NOBODY;
	return role;
}

/* ---- for handlers ---- */

struct api *api_enter(struct http_request *request, void *context)
{
	struct api *api = context;
	if (!api->stopping)
		return api;
	http_answer_error(request, HTTP_SHUTTING_DOWN, "the daemon ends");
	return NULL;
}

void api_answer(struct http_request *request, int r, const struct error *error, unsigned status, json_t *json)
{
	if (r == 0 && json) {
		http_answer_json(request, status, json);
		return;
	}
	json_decref(json);
	if (r == 0)
		http_answer_error(request, HTTP_INTERNAL, "out of memory");
	else
		api_fail(request, r, error);
}

void api_answer_one(struct http_request *request, void *context, int (*get)(struct lab *, int64_t id, json_t **ret, struct error *err),
                    void (*add)(struct api *, int64_t id, json_t *thing))
{
	struct api *api = api_enter(request, context);
	struct error error = {0};
	json_t *json = NULL;
	int64_t id;
	if (!api || !http_parameter_id(request, "id", &id))
		return;
	int r = get(api->lab, id, &json, &error);
	if (r == 0 && json && add)
		add(api, id, json);
	api_answer(request, r, &error, 200, json);
}

void api_fail(struct http_request *request, int r, const struct error *error)
{
	/* The book does not know who asked: what it does not have, a client asked for. */
	if (r == -ENOENT)
		http_answer_error(request, HTTP_NOT_FOUND, "%s", error->message);
	else
		http_answer_failure(request, r, error);
}

bool api_read_page(struct http_request *request, unsigned *ret_limit, int64_t *ret_before)
{
	int64_t limit;
	if (!http_query_number(request, "limit", 1, 1000, 100, &limit) ||
	    !http_query_number(request, "before", 1, INT64_MAX, 0, ret_before))
		return false;
	*ret_limit = (unsigned)limit;
	return true;
}
