/* SPDX-License-Identifier: Apache-2.0 */
/* Rigs as they are, and what people do to them. */
#include <errno.h>

#include "api_private.h"

static void answer_rig(struct api *api, struct http_request *request, unsigned status, const char *name)
{
	struct error error = {0};
	json_t *json = NULL;
	int r = lab_rig_json(api->lab, name, &json, &error);
	api_answer(request, r, &error, status, json);
}

void api_rigs_list(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	struct error error = {0};
	json_t *json = NULL;
	if (!api)
		return;
	int r = lab_rigs_json(api->lab, &json, &error);
	api_answer(request, r, &error, 200, json);
}

void api_rig_get(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	if (api)
		answer_rig(api, request, 200, http_parameter(request, "name"));
}

void api_rig_health(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	const char *name = http_parameter(request, "name");
	struct error error = {0};
	json_t *json = NULL;
	unsigned limit;
	int64_t before;
	if (!api || !api_read_page(request, &limit, &before))
		return;
	if (!lab_rig_file(api->lab, name)) {
		http_answer_error(request, HTTP_NOT_FOUND, "there is no rig %s", name);
		return;
	}
	int r = book_health_json(api->book, name, limit, before, &json, &error);
	api_answer(request, r, &error, 200, json);
}

void api_rig_quarantine(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	const char *name = http_parameter(request, "name"), *reason = NULL;
	const struct field fields[] = {{"reason", FIELD_TEXT, true, &reason, 1, 300}};
	struct error error = {0};
	json_t *body = api ? http_body_json(request) : NULL;
	if (!body)
		return;
	int r = fields_read(body, "request", fields, API_COUNT(fields), &error);
	if (r == 0)
		r = lab_quarantine(api->lab, name, reason, http_user(request), &error);
	if (r < 0)
		api_fail(request, r, &error);
	else
		answer_rig(api, request, 200, name);
}

void api_rig_recover(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	const char *name = http_parameter(request, "name");
	struct error error = {0};
	json_t *body = api ? http_body_json(request) : NULL;
	if (!body)
		return;
	int r = fields_read(body, "request", NULL, 0, &error);
	if (r == 0)
		r = lab_recover(api->lab, name, http_user(request), &error);
	if (r < 0)
		api_fail(request, r, &error);
	else
		answer_rig(api, request, 202, name);
}
