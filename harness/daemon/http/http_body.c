/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a request: bounded, collected or handed on as it comes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http_private.h"

/* What of a refused body is still read where the answer can only come after it (TLS). */
#define DISCARD_LIMIT (1u << 20)

static void too_large(struct http_request *request)
{
	uint64_t limit = request->match.route->body_limit;

	if (limit == 0)
		http_answer_error(request, HTTP_TOO_LARGE, "this request has no body");
	else
		http_answer_error(request, HTTP_TOO_LARGE, "the body has more than %llu bytes", (unsigned long long)limit);
}

void http_body_begin(struct http_request *request)
{
	const struct http_route *route = request->match.route;
	const char *length = http_header(request, "Content-Length");
	bool chunked = http_header(request, "Transfer-Encoding");
	uint64_t announced = length ? strtoull(length, NULL, 10) : 0;
	struct error err = {0};
	int r;

	if (announced > route->body_limit || (chunked && route->body_limit == 0)) {
		too_large(request);
		return;
	}
	if (announced > 0 || chunked) {
		request->connection->in_body = true;
		request->connection->window_bytes = 0;
		request->connection->deadline_ms = http_now_ms() + request->server->limits.window_ms;
	}
	if (!route->body)
		return;
	r = route->body(request, NULL, 0, request->server->context, &err);
	if (r < 0) {
		if (!request->answered)
			http_answer_failure(request, r, &err);
		return;
	}
	request->began = true;
}

/* In the middle of a body the library takes no response. Without TLS it is written past it, and the connection ends; with TLS a little
 * more is read and the answer comes then. */
static void refuse(struct http_request *request)
{
	if (request->connection->endpoint->tls && request->discarded < DISCARD_LIMIT)
		return;
	request->refused = true;
	if (!request->connection->endpoint->tls)
		http_answer_past_library(request);
}

void http_body_take(struct http_request *request, const char *data, size_t size)
{
	const struct http_route *route = request->match.route;
	struct error err = {0};
	int r;

	request->connection->window_bytes += size;
	request->received += size;
	if (request->answered) {
		request->discarded += size;
		refuse(request);
		return;
	}
	if (request->received > route->body_limit) {
		too_large(request);
		refuse(request);
		return;
	}
	r = route->body ? route->body(request, data, size, request->server->context, &err) : bytes_append(&request->body, data, size);
	if (r >= 0)
		return;
	if (!request->answered)
		http_answer_failure(request, r, &err);
	refuse(request);
}

const void *http_body(struct http_request *request, size_t *ret_length)
{
	*ret_length = request->body.length;
	return request->body.data ? (const void *)request->body.data : "";
}

static bool is_json(const char *type)
{
	size_t length = type ? strcspn(type, "; \t") : 0;

	return length == 16 && strncasecmp(type, "application/json", length) == 0;
}

json_t *http_body_json(struct http_request *request)
{
	json_error_t error;
	struct error err = {0};

	if (request->json)
		return request->json;
	if (request->body.length == 0) {
		request->json = json_object();
		if (!request->json)
			http_answer_error(request, HTTP_INTERNAL, "out of memory");
		return request->json;
	}
	if (!is_json(http_header(request, "Content-Type"))) {
		http_answer_error(request, HTTP_UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json");
		return NULL;
	}
	request->json = json_loadb((const char *)request->body.data, request->body.length, JSON_REJECT_DUPLICATES, &error);
	if (json_is_object(request->json))
		return request->json;
	if (request->json) {
		json_decref(request->json);
		request->json = NULL;
		http_answer_error(request, HTTP_BAD_REQUEST, "the body must be a JSON object");
		return NULL;
	}
	/* The library's own words for it name a constant of its interface. */
	if (json_error_code(&error) == json_error_null_character || json_error_code(&error) == json_error_null_byte_in_key)
		(void)snprintf(error.text, sizeof(error.text), "a text or the name of a member has a character of the code 0");
	http_answer_failure(request,
	                    error_set_place(&err, ERROR_USAGE, EINVAL,
	                                    ((struct place){.file = "body",
	                                                    .line = error.line > 0 ? (unsigned)error.line : 1,
	                                                    .column = error.column > 0 ? (unsigned)error.column : 1}),
	                                    "the body is no JSON: %s", error.text),
	                    &err);
	return NULL;
}
