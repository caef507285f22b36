/* SPDX-License-Identifier: Apache-2.0 */
/* Rigs in the hands of people: taken, held, given back. Who waits for a rig keeps the connection open. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api_private.h"

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

static struct lab_lease_request lease_request(struct http_request *request, const struct lease_said *said)
{
	return (struct lab_lease_request){.rig = http_parameter(request, "name"),
	                                  .by = http_user(request),
	                                  .note = said->note,
	                                  .for_ns = said->for_ns,
	                                  .heartbeat = said->heartbeat};
}

/* An admin gets what nobody else does: that is told. NULL: there is nothing to tell. */
static json_t *unfit_json(struct api *api, const char *name)
{
	struct error error = {0};
	json_t *rig = NULL, *text = NULL;
	if (lab_rig_json(api->lab, name, &rig, &error) < 0)
		return NULL;
	const char *health = json_string_value(json_object_get(rig, "health")), *reason = json_string_value(json_object_get(rig, "reason"));
	bool quarantined = health && strcmp(health, "quarantined") == 0;
	if (quarantined || json_is_false(json_object_get(rig, "online")))
		text = json_sprintf("%s is %s: %s; you have it as an admin", name, quarantined ? "quarantined" : "offline",
		                    reason && *reason ? reason : "no reason is known");
	json_decref(rig);
	return text;
}

static void answer_lease(struct api *api, struct http_request *request, int64_t id, const char *secret)
{
	struct error error = {0};
	json_t *lease = lease_json(api, id, &error);
	const char *file = lab_rig_file(api->lab, http_parameter(request, "name"));
	char mark[LEASE_MARK_SIZE];
	json_t *answer = lease ? json_pack("{s:o, s:s, s:s, s:s}", "lease", lease, "secret", secret, "file", file, "mark",
	                                   lab_lease_mark(api->lab, id, mark))
	                       : NULL;
	json_t *unfit = answer ? unfit_json(api, http_parameter(request, "name")) : NULL;
	if (unfit)
		(void)json_object_set_new(answer, "warning", unfit);
	/* A lease that nobody knows of helps nobody. */
	if (!answer && lab_unlease(api->lab, id, secret, http_user(request), &error) < 0)
		error.domain = ERROR_BENCH;
	api_answer(request, 0, &error, 201, answer);
}

/* ---- waiting ---- */

struct lease_wait {
	LIST_ENTRY(lease_wait) link;
	struct api *api;
	struct http_request *request; /* its parameters live as long as it does */
	struct lab_waiter *waiter;
};

static void wait_free(struct lease_wait *wait)
{
	LIST_REMOVE(wait, link);
	free(wait);
}

static bool wait_there(void *context)
{
	const struct lease_wait *wait = context;
	return !http_is_gone(wait->request);
}

static void wait_answered(int r, const struct error *error, int64_t lease, const char *secret, void *context)
{
	struct lease_wait *wait = context;
	if (r == 0)
		answer_lease(wait->api, wait->request, lease, secret);
	else if (r == -ECANCELED)
		http_answer_empty(wait->request, 204); /* to nobody */
	else
		api_fail(wait->request, r, error);
	wait_free(wait);
}

void lease_waits_end(struct api *api)
{
	while (!LIST_EMPTY(&api->waits)) {
		struct lease_wait *wait = LIST_FIRST(&api->waits);
		lab_wait_drop(wait->waiter);
		http_answer_error(wait->request, HTTP_SHUTTING_DOWN, "the daemon ends");
		wait_free(wait);
	}
}

static int wait_begin(struct api *api, struct http_request *request, const struct lease_said *said, struct error *err)
{
	static const struct lab_waiter_calls calls = {.there = wait_there, .answered = wait_answered};
	const struct lab_lease_request wanted = lease_request(request, said);
	struct lease_wait *wait = calloc(1, sizeof(*wait));
	if (!wait)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*wait = (struct lease_wait){.api = api, .request = request};
	int r = lab_wait(api->lab, &wanted, http_role(request) == ROLE_ADMIN, &calls, wait, &wait->waiter, err);
	if (r < 0) {
		free(wait);
		return r;
	}
	LIST_INSERT_HEAD(&api->waits, wait, link);
	return 0;
}

/* ---- requests ---- */

void api_rig_lease(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	struct lease_said said = {0};
	const struct field fields[] = {{"for", FIELD_DURATION, true, &said.for_ns, INT64_MIN, INT64_MAX},
	                               {"heartbeat", FIELD_BOOL, false, &said.heartbeat, 0, 0},
	                               {"wait", FIELD_BOOL, false, &said.wait, 0, 0},
	                               {"note", FIELD_TEXT, false, &said.note, 0, 500}};
	struct error error = {0};
	json_t *body = api ? http_body_json(request) : NULL;
	if (!body)
		return;
	int64_t id;
	char secret[LEASE_SECRET_SIZE];
	int r = fields_read(body, "request", fields, API_COUNT(fields), &error);
	const struct lab_lease_request wanted = lease_request(request, &said);
	if (r == 0)
		r = lab_lease(api->lab, &wanted, http_role(request) == ROLE_ADMIN, &id, secret, &error);
	if (r == 0)
		answer_lease(api, request, id, secret);
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
	char mark[LEASE_MARK_SIZE];
	const char *secret;
	json_t *json = NULL;
	int64_t id;
	if (!api || !http_parameter_id(request, "id", &id) || !read_secret(request, true, &secret))
		return;
	int r = lab_heartbeat(api->lab, id, secret, &error);
	if (r == 0)
		r = book_lease_json(api->book, id, &json, &error);
	if (json) /* for who was told by an earlier daemon */
		json_object_set_new(json, "mark", json_string(lab_lease_mark(api->lab, id, mark)));
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

void api_lease_get(struct http_request *request, void *context)
{
	api_answer_one(request, context, lab_lease_json, NULL);
}

/* ---- what a holder shows ---- */

static bool is_lines(const char *type)
{
	static const char wanted[] = "application/x-ndjson";
	size_t length = sizeof(wanted) - 1;
	return type && strncasecmp(type, wanted, length) == 0 && (type[length] == '\0' || type[length] == ';' || type[length] == ' ');
}

/* Where the journal goes on is told also to who is wrong about it. */
static void answer_next(struct http_request *request, const struct error *error, uint64_t next)
{
	http_answer_json(
	        request, 409,
	        json_pack("{s:{s:s, s:s}, s:I}", "error", "code", "conflict", "message", error->message, "next", (json_int_t)next));
}

void api_lease_journal(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	struct error error = {0};
	uint64_t next;
	int64_t id, from;
	size_t length;
	if (!api || !http_parameter_id(request, "id", &id) || !http_query_number(request, "from", 0, INT64_MAX, -1, &from))
		return;
	const char *secret = http_header(request, "Hilbench-Lease-Secret"), *lines = http_body(request, &length);
	if (from < 0) {
		http_answer_error(request, HTTP_BAD_REQUEST, "from is needed: the bytes of the journal that came so far");
		return;
	}
	if (!secret || !*secret) {
		http_answer_error(request, HTTP_BAD_REQUEST, "the lease's secret is needed, in Hilbench-Lease-Secret");
		return;
	}
	if (!is_lines(http_header(request, "Content-Type"))) {
		http_answer_error(request, HTTP_UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/x-ndjson");
		return;
	}
	int r = lab_lease_write(api->lab, id, secret, (uint64_t)from, lines, length, &next, &error);
	if (r == -EBUSY)
		answer_next(request, &error, next);
	else
		api_answer(request, r, &error, 200, r == 0 ? json_pack("{s:I}", "next", (json_int_t)next) : NULL);
}
