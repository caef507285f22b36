/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs: submitted, listed, cancelled, run again, kept. */
#include <errno.h>
#include <string.h>

#include "../book/results.h"
#include "api_private.h"
#include "job_request.h"

static void answer_job(struct api *api, struct http_request *request, unsigned status, int64_t id)
{
	struct error error = {0};
	json_t *json = NULL;
	int r = lab_job_json(api->lab, id, &json, &error);
	api_answer(request, r, &error, status, json);
}

/* What the book does not know yet: what the runs of those that run counted. */
static void add_counts(struct api *api, json_t *list)
{
	struct error ignored;
	json_t *job, *now;
	size_t i;
	json_array_foreach (json_object_get(list, "jobs"), i, job) {
		const char *state = json_string_value(json_object_get(job, "state"));
		if (!state || strcmp(state, "running") != 0)
			continue;
		if (lab_job_json(api->lab, json_integer_value(json_object_get(job, "id")), &now, &ignored) < 0)
			continue;
		json_object_set(job, "counts", json_object_get(now, "counts"));
		json_decref(now);
	}
}

void api_jobs_list(struct http_request *request, void *context)
{
	static const char *const states[] = {"queued", "running", "finishing", "done", "active"};
	struct api *api = api_enter(request, context);
	const char *state = http_query(request, "state");
	struct error error = {0};
	json_t *json = NULL;
	unsigned limit, known = 0;
	int64_t before;
	if (!api || !api_read_page(request, &limit, &before))
		return;
	while (state && known < API_COUNT(states) && strcmp(states[known], state) != 0)
		known++;
	if (known == API_COUNT(states)) {
		http_answer_error(request, HTTP_BAD_REQUEST, "state is queued, running, finishing, done or active");
		return;
	}
	int r = book_jobs_json(api->book, state, http_query(request, "series"), http_query(request, "rig"), limit, before, &json, &error);
	if (r == 0) {
		add_counts(api, json);
		lab_waiting_json(api->lab, json_object_get(json, "jobs"));
	}
	api_answer(request, r, &error, 200, json);
}

void api_job_submit(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	struct job_record *job = NULL;
	struct error error = {0};
	bool is_new = false;
	int64_t id;
	json_t *body = api ? http_body_json(request) : NULL;
	if (!body)
		return;
	int r = job_request_read(body, api->options.retries, &job, &error);
	if (r == 0)
		r = lab_submit(api->lab, job, http_user(request), &id, &is_new, &error);
	job_record_free(job);
	if (r < 0)
		api_fail(request, r, &error);
	else
		answer_job(api, request, is_new ? 201 : 200, id);
}

void api_job_get(struct http_request *request, void *context)
{
	api_answer_one(request, context, lab_job_json, NULL);
}

/* A request without anything to say may have an empty body, or {}. */
static bool read_nothing(struct http_request *request)
{
	struct error error = {0};
	json_t *body = http_body_json(request);
	if (!body)
		return false;
	int r = fields_read(body, "request", NULL, 0, &error);
	if (r < 0)
		api_fail(request, r, &error);
	return r == 0;
}

void api_job_cancel(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	struct error error = {0};
	int64_t id;
	if (!api || !http_parameter_id(request, "id", &id) || !read_nothing(request))
		return;
	int r = lab_cancel(api->lab, id, http_user(request), &error);
	if (r == -EALREADY)
		http_answer_error(request, HTTP_CONFLICT, "%s", error.message);
	else if (r < 0)
		api_fail(request, r, &error);
	else
		answer_job(api, request, 202, id);
}

void api_job_rerun(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	struct error error = {0};
	bool failed = false;
	int64_t id, new_id;
	const struct field fields[] = {{"failed", FIELD_BOOL, false, &failed, 0, 0}};
	if (!api || !http_parameter_id(request, "id", &id))
		return;
	json_t *body = http_body_json(request);
	if (!body)
		return;
	int r = fields_read(body, "request", fields, API_COUNT(fields), &error);
	if (r == 0)
		r = lab_rerun(api->lab, id, failed, http_user(request), &new_id, &error);
	if (r < 0)
		api_fail(request, r, &error);
	else
		answer_job(api, request, 201, new_id);
}

/* What stays whatever it costs may be more than there is to be: who pins is the one to know. */
static void answer_pinned(struct api *api, struct http_request *request)
{
	const uint64_t limit = api->options.retention_bytes;
	struct error error = {0};
	uint64_t bytes = 0;
	int r = limit ? book_pinned_bytes(api->book, &bytes, &error) : 0;
	if (r < 0)
		api_fail(request, r, &error);
	else if (bytes <= limit)
		http_answer_empty(request, 204);
	else
		api_answer(request, 0, NULL, 200,
		           json_pack("{s:o}", "warning",
		                     json_sprintf("the files of pinned jobs are %llu bytes, more than retention.size (%llu) by themselves: "
		                                  "files of all other jobs go soon after their end; unpin some, or raise it",
		                                  (unsigned long long)bytes, (unsigned long long)limit)));
}

static void pin(struct http_request *request, void *context, bool pinned)
{
	struct api *api = api_enter(request, context);
	struct error error = {0};
	int64_t id;
	if (!api || !http_parameter_id(request, "id", &id) || !read_nothing(request))
		return;
	int r = book_job_pin(api->book, id, pinned, &error);
	if (r == -ENOENT)
		http_answer_error(request, HTTP_NOT_FOUND, "there is no job %lld", (long long)id);
	else if (r < 0)
		api_fail(request, r, &error);
	else if (pinned)
		answer_pinned(api, request);
	else
		http_answer_empty(request, 204);
}

void api_job_pin(struct http_request *request, void *context)
{
	pin(request, context, true);
}

void api_job_unpin(struct http_request *request, void *context)
{
	pin(request, context, false);
}

/* ---- files ---- */

/* Why there is none. */
static void answer_no_report(struct api *api, struct http_request *request, int64_t id, const char *name)
{
	struct job_record *record = NULL;
	struct error error = {0};
	int r = book_job(api->book, id, &record, &error);
	if (r == -ENOENT)
		http_answer_error(request, HTTP_NOT_FOUND, "there is no job %lld", (long long)id);
	else if (r < 0)
		api_fail(request, r, &error);
	else if (record->state != JOB_DONE)
		http_answer_error(request, HTTP_NOT_FOUND, "there is no %s of job %lld yet: it is not done", name, (long long)id);
	else
		http_answer_error(request, HTTP_NOT_FOUND, "there is no %s of job %lld: %s", name, (long long)id,
		                  record->started_utc_ns ? "retention has removed it, or it could not be made" : "the job was never begun");
	job_record_free(record);
}

static void answer_report(struct http_request *request, void *context, const char *name)
{
	struct api *api = api_enter(request, context);
	char sha256[BLOB_NAME_SIZE] = "";
	struct error error = {0};
	uint64_t size;
	int64_t id;
	if (!api || !http_parameter_id(request, "id", &id))
		return;
	int r = book_job_report_find(api->book, id, name, sha256, &size, &error);
	if (r == -ENOENT)
		answer_no_report(api, request, id, name);
	else
		answer_blob(api, request, r, &error, sha256, name);
}

void api_job_results(struct http_request *request, void *context)
{
	answer_report(request, context, "results.json");
}

void api_job_junit(struct http_request *request, void *context)
{
	answer_report(request, context, "junit.xml");
}

void api_job_report(struct http_request *request, void *context)
{
	answer_report(request, context, "report.html");
}

void api_job_file(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	const char *path = http_parameter(request, "path");
	char sha256[BLOB_NAME_SIZE] = "";
	struct error error = {0};
	uint64_t size;
	int64_t id;
	if (!api || !http_parameter_id(request, "id", &id))
		return;
	int r = book_job_file(api->book, id, path, sha256, &size, &error);
	if (r == -ENOENT)
		http_answer_error(request, HTTP_NOT_FOUND, "job %lld came without %s", (long long)id, path);
	else
		answer_blob(api, request, r, &error, sha256, path);
}
