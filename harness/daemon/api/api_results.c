/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of cases and measurements over time. */
#include "../book/results.h"
#include "api_private.h"
#include "utc.h"

void api_matrix(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	struct error error = {0};
	json_t *json = NULL;
	int64_t nights;
	if (!api || !http_query_number(request, "nights", 1, 100, 14, &nights))
		return;
	int r = book_matrix_json(api->book, http_query(request, "series"), (unsigned)nights, &json, &error);
	api_answer(request, r, &error, 200, json);
}

void api_case_history(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	struct error error = {0};
	json_t *json = NULL;
	unsigned limit;
	int64_t before;
	if (!api || !api_read_page(request, &limit, &before))
		return;
	int r = book_case_history_json(api->book, http_parameter(request, "id"), http_query(request, "series"), limit, before, &json,
	                               &error);
	api_answer(request, r, &error, 200, json);
}

void api_measurements(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	struct error error = {0};
	json_t *json = NULL;
	if (!api)
		return;
	int r = book_measurements_json(api->book, &json, &error);
	if (r == 0 && json_is_array(json))
		json = json_pack("{s:o}", "measurements", json);
	api_answer(request, r, &error, 200, json);
}

static bool read_time(struct http_request *request, const char *name, int64_t *ret_utc_ns)
{
	const char *text = http_query(request, name);
	*ret_utc_ns = 0;
	if (!text || !*text || utc_parse(text, ret_utc_ns))
		return true;
	http_answer_error(request, HTTP_BAD_REQUEST, "%s is '%.40s': a time as 2026-11-21T21:53:15Z or a day is needed", name, text);
	return false;
}

void api_trend(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	struct error error = {0};
	json_t *json = NULL;
	int64_t series, from, to, points;
	if (!api || !http_parameter_id(request, "series", &series) || !read_time(request, "from", &from) ||
	    !read_time(request, "to", &to) || !http_query_number(request, "points", 1, 5000, 400, &points))
		return;
	int r = book_trend_json(api->book, series, from, to, (unsigned)points, http_query(request, "rig"), &json, &error);
	api_answer(request, r, &error, 200, json);
}
