/* SPDX-License-Identifier: Apache-2.0 */
/* Rigs in the hands of people: taken, held, given back. Who waits for a rig keeps the connection open. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api_private.h"

#define DAY_NS    (INT64_C(86400) * 1000000000)
#define WAITS_MAX 100
#define LOOK_US   UINT64_C(500000) /* whether they still wait */

struct lease_said {
	const char *note;
	int64_t for_ns;
	bool heartbeat, wait;
};

static json_t *lease_json(struct api *api, int64_t id, struct error *err)
{
	json_t *json = NULL;
	return book_lease_json(api->book, id, &json, err) == 0 ? json : NULL;
}

/* 0: answered, with a lease or an error; -EBUSY: somebody has it. */
static int try_lease(struct api *api, struct http_request *request, const char *rig, const struct lease_said *said, struct error *err)
{
	struct lab_lease_request wanted = {
	        .rig = rig, .by = http_user(request), .note = said->note, .for_ns = said->for_ns, .heartbeat = said->heartbeat};
	char secret[LEASE_SECRET_SIZE];
	int64_t id;
	int r = lab_lease(api->lab, &wanted, http_role(request) == ROLE_ADMIN, &id, secret, err);
	if (r == -EBUSY)
		return r;
	if (r < 0) {
		api_fail(request, r, err);
		return 0;
	}
	json_t *lease = lease_json(api, id, err);
	json_t *answer = lease ? json_pack("{s:o, s:s, s:s}", "lease", lease, "secret", secret, "file", lab_rig_file(api->lab, rig)) : NULL;
	/* A lease that nobody knows of helps nobody. */
	if (!answer && lab_unlease(api->lab, id, secret, wanted.by, err) < 0)
		err->domain = ERROR_BENCH;
	api_answer(request, 0, err, 201, answer);
	return 0;
}

/* ---- waiting ---- */

struct lease_wait {
	LIST_ENTRY(lease_wait) link;
	struct http_request *request; /* its body and parameters live as long as it does */
	struct lease_said said;
};

static void wait_free(struct api *api, struct lease_wait *wait)
{
	LIST_REMOVE(wait, link);
	api->wait_count--;
	free(wait);
}

/* Returns whether it is over. */
static bool wait_try(struct api *api, struct lease_wait *wait)
{
	struct http_request *request = wait->request;
	struct error error = {0};
	if (http_is_gone(request)) {
		http_answer_empty(request, 204); /* to nobody */
		return true;
	}
	return try_lease(api, request, http_parameter(request, "name"), &wait->said, &error) == 0;
}

static int on_wait_timer(sd_event_source *source, uint64_t usec, void *context)
{
	struct api *api = context;
	struct lease_wait *wait = LIST_FIRST(&api->waits);
	while (wait) {
		struct lease_wait *next = LIST_NEXT(wait, link);
		if (wait_try(api, wait))
			wait_free(api, wait);
		wait = next;
	}
	if (LIST_EMPTY(&api->waits))
		return 0;
	sd_event_source_set_time_relative(source, LOOK_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void lease_waits_try(struct api *api)
{
	if (LIST_EMPTY(&api->waits) || !api->wait_timer)
		return;
	sd_event_source_set_time(api->wait_timer, 0);
	sd_event_source_set_enabled(api->wait_timer, SD_EVENT_ONESHOT);
}

void lease_waits_end(struct api *api)
{
	while (!LIST_EMPTY(&api->waits)) {
		struct lease_wait *wait = LIST_FIRST(&api->waits);
		http_answer_error(wait->request, HTTP_SHUTTING_DOWN, "the daemon ends");
		wait_free(api, wait);
	}
}

/* Behind those who came before. */
static void wait_add(struct api *api, struct lease_wait *wait)
{
	struct lease_wait *last = LIST_FIRST(&api->waits);
	while (last && LIST_NEXT(last, link))
		last = LIST_NEXT(last, link);
	if (last)
		LIST_INSERT_AFTER(last, wait, link);
	else
		LIST_INSERT_HEAD(&api->waits, wait, link);
	api->wait_count++;
}

static int wait_begin(struct api *api, struct http_request *request, const struct lease_said *said, struct error *err)
{
	struct lease_wait *wait = api->wait_count < WAITS_MAX ? calloc(1, sizeof(*wait)) : NULL;
	if (!wait)
		return error_set(err, ERROR_USAGE, EAGAIN, "%u wait for rigs", api->wait_count);
	int r = api->wait_timer ? sd_event_source_set_time_relative(api->wait_timer, LOOK_US)
	                        : sd_event_add_time_relative(api->event, &api->wait_timer, CLOCK_MONOTONIC, LOOK_US, 0, on_wait_timer, api);
	if (r >= 0)
		r = sd_event_source_set_enabled(api->wait_timer, SD_EVENT_ONESHOT);
	if (r < 0) {
		free(wait);
		return error_set(err, ERROR_BENCH, -r, "cannot start a timer: %s", strerror(-r));
	}
	*wait = (struct lease_wait){.request = request, .said = *said};
	wait_add(api, wait);
	return 0;
}

/* ---- requests ---- */

void api_rig_lease(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	struct lease_said said = {0};
	const struct field fields[] = {{"for", FIELD_DURATION, true, &said.for_ns, 1, 365 * DAY_NS},
	                               {"heartbeat", FIELD_BOOL, false, &said.heartbeat, 0, 0},
	                               {"wait", FIELD_BOOL, false, &said.wait, 0, 0},
	                               {"note", FIELD_TEXT, false, &said.note, 0, 500}};
	struct error error = {0};
	json_t *body = api ? http_body_json(request) : NULL;
	if (!body)
		return;
	int r = fields_read(body, "request", fields, API_COUNT(fields), &error);
	if (r == 0)
		r = try_lease(api, request, http_parameter(request, "name"), &said, &error);
	if (r == -EBUSY && said.wait)
		r = wait_begin(api, request, &said, &error);
	if (r < 0)
		api_fail(request, r, &error);
}

static bool read_secret(struct http_request *request, bool needed, const char **ret)
{
	const struct field fields[] = {{"secret", FIELD_TEXT, needed, ret, 1, 100}};
	struct error error = {0};
	json_t *body = http_body_json(request);
	*ret = NULL;
	if (!body)
		return false;
	int r = fields_read(body, "request", fields, API_COUNT(fields), &error);
	if (r < 0)
		api_fail(request, r, &error);
	return r == 0;
}

void api_lease_heartbeat(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	struct error error = {0};
	const char *secret;
	json_t *json = NULL;
	int64_t id;
	if (!api || !http_parameter_id(request, "id", &id) || !read_secret(request, true, &secret))
		return;
	int r = lab_heartbeat(api->lab, id, secret, &error);
	if (r == 0)
		r = book_lease_json(api->book, id, &json, &error);
	api_answer(request, r, &error, 200, json);
}

void api_lease_end(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	struct error error = {0};
	const char *secret;
	json_t *json = NULL;
	int64_t id;
	if (!api || !http_parameter_id(request, "id", &id) || !read_secret(request, false, &secret))
		return;
	if (!secret && http_role(request) != ROLE_ADMIN) {
		http_answer_error(request, HTTP_FORBIDDEN, "the lease's secret is needed, or an admin");
		return;
	}
	int r = lab_unlease(api->lab, id, secret, http_user(request), &error);
	if (r == 0)
		r = book_lease_json(api->book, id, &json, &error);
	api_answer(request, r, &error, 202, json);
}
