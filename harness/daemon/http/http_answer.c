/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../../base/log.h"
#include "http_private.h"
#include "http_range.h"

#define TEXT_JSON "application/json"

static const struct {
	const char *code;
	unsigned status;
} errors[] = {
        [HTTP_BAD_REQUEST] = {"bad_request", 400},
        [HTTP_UNAUTHORIZED] = {"unauthorized", 401},
        [HTTP_FORBIDDEN] = {"forbidden", 403},
        [HTTP_NOT_FOUND] = {"not_found", 404},
        [HTTP_METHOD_NOT_ALLOWED] = {"method_not_allowed", 405},
        [HTTP_CONFLICT] = {"conflict", 409},
        [HTTP_GONE] = {"gone", 410},
        [HTTP_TOO_LARGE] = {"too_large", 413},
        [HTTP_RANGE_OUT] = {"range_not_satisfiable", 416},
        [HTTP_UNSUPPORTED_MEDIA_TYPE] = {"unsupported_media_type", 415},
        [HTTP_RIG_REFUSED] = {"rig_refused", 422},
        [HTTP_TOO_MANY] = {"too_many", 429},
        [HTTP_INTERNAL] = {"internal", 500},
        [HTTP_SHUTTING_DOWN] = {"shutting_down", 503},
        [HTTP_NO_SPACE] = {"no_space", 507},
};

static struct MHD_Response *empty_response(void)
{
	static char nothing[1];

	return MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
}

void http_answer_queue(struct http_request *request, unsigned status, struct MHD_Response *response, enum http_policy policy)
{
	if (request->answered) {
		log_error("http: a request was answered twice (%u, then %u)", request->status, status);
		if (response)
			MHD_destroy_response(response);
		return;
	}
	if (!response) {
		status = 500;
		response = empty_response();
	}
	request->answered = true;
	request->status = status;
	request->response = response;
	if (response)
		http_headers_add(request, response, policy);
	if (request->in_callback)
		return; /* who called the handler goes on */
	if (!request->mhd) {
		http_request_free(request); /* nobody is there to read it */
		return;
	}
	request->suspended = false;
	MHD_resume_connection(request->mhd);
	http_endpoint_kick(request->connection->endpoint);
}

static void answer_owned(struct http_request *request, unsigned status, const char *type, char *owned)
{
	struct MHD_Response *response = owned ? MHD_create_response_from_buffer(strlen(owned), owned, MHD_RESPMEM_MUST_FREE) : NULL;

	if (!response)
		free(owned);
	if (response)
		(void)MHD_add_response_header(response, "Content-Type", type);
	http_answer_queue(request, status, response, HTTP_POLICY_PAGE);
}

void http_answer_json(struct http_request *request, unsigned status, json_t *stolen)
{
	char *text = stolen ? json_dumps(stolen, JSON_COMPACT) : NULL;

	json_decref(stolen);
	answer_owned(request, status, TEXT_JSON, text);
}

void http_answer_empty(struct http_request *request, unsigned status)
{
	http_answer_queue(request, status, empty_response(), HTTP_POLICY_PAGE);
}

/* ---- errors ---- */

/* What a client sent may be quoted in a message: JSON takes nothing but UTF-8. */
static void only_utf8(char *text)
{
	if (http_is_utf8(text, strlen(text)))
		return;
	for (char *p = text; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
}

static void answer_error(struct http_request *request, enum http_error kind, const char *message, const struct place *place)
{
	json_t *json = json_pack("{s:{s:s, s:s}}", "error", "code", errors[kind].code, "message", message);
	struct MHD_Response *response = NULL;
	char *text;

	if (json && place && place->file)
		(void)json_object_set_new(json_object_get(json, "error"), "place",
		                          json_pack("{s:s, s:I, s:I}", "file", place->file, "line", (json_int_t)place->line, "column",
		                                    (json_int_t)place->column));
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (text)
		response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_COPY);
	if (response) {
		(void)MHD_add_response_header(response, "Content-Type", TEXT_JSON);
		if (kind == HTTP_UNAUTHORIZED)
			(void)MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"hilbench\"");
		if (kind == HTTP_METHOD_NOT_ALLOWED && request->match.allow[0])
			(void)MHD_add_response_header(response, "Allow", request->match.allow);
		if (kind == HTTP_SHUTTING_DOWN)
			(void)MHD_add_response_header(response, "Retry-After", "10");
	}
	if (request->answered) {
		free(text);
		text = NULL;
	} else {
		request->plain = text;
	}
	http_answer_queue(request, errors[kind].status, response, HTTP_POLICY_PAGE);
}

void http_answer_error(struct http_request *request, enum http_error kind, const char *format, ...)
{
	char message[1024];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	only_utf8(message);
	answer_error(request, kind, message, NULL);
}

void http_answer_outside(struct http_request *request, uint64_t size)
{
	char text[160];

	(void)snprintf(text, sizeof(text),
	               "{\"error\":{\"code\":\"%s\",\"message\":\"the range begins behind the end: there are %llu bytes\"}}",
	               errors[HTTP_RANGE_OUT].code, (unsigned long long)size);
	struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_COPY);
	if (response) {
		(void)MHD_add_response_header(response, "Content-Type", TEXT_JSON);
		(void)snprintf(text, sizeof(text), "bytes */%llu", (unsigned long long)size);
		(void)MHD_add_response_header(response, "Content-Range", text);
	}
	http_answer_queue(request, errors[HTTP_RANGE_OUT].status, response, HTTP_POLICY_PAGE);
}

static enum http_error kind_of(int code, enum error_domain domain)
{
	static const struct {
		int code;
		enum http_error kind;
	} usage[] = {
	        {EINVAL, HTTP_BAD_REQUEST}, {ENOENT, HTTP_NOT_FOUND},      {EBUSY, HTTP_CONFLICT},           {EEXIST, HTTP_CONFLICT},
	        {ESTALE, HTTP_GONE},        {EHOSTDOWN, HTTP_RIG_REFUSED}, {EFBIG, HTTP_TOO_LARGE},          {EPERM, HTTP_FORBIDDEN},
	        {EACCES, HTTP_FORBIDDEN},   {EAGAIN, HTTP_TOO_MANY},       {ENAMETOOLONG, HTTP_BAD_REQUEST}, {ERANGE, HTTP_BAD_REQUEST},
	        {EILSEQ, HTTP_BAD_REQUEST}, {E2BIG, HTTP_TOO_LARGE},
	};

	if (code == ENOSPC || code == EDQUOT)
		return HTTP_NO_SPACE;
	if (code == ESHUTDOWN)
		return HTTP_SHUTTING_DOWN;
	for (size_t i = 0; domain == ERROR_USAGE && i < sizeof(usage) / sizeof(usage[0]); i++)
		if (usage[i].code == code)
			return usage[i].kind;
	return HTTP_INTERNAL;
}

void http_answer_failure(struct http_request *request, int r, const struct error *err)
{
	enum http_error kind = kind_of(-r, err ? err->domain : ERROR_NONE);
	char message[sizeof(err->message)];

	(void)snprintf(message, sizeof(message), "%s", err && err->message[0] ? err->message : strerror(-r));
	only_utf8(message);
	if (kind == HTTP_INTERNAL)
		log_error("http: %s: %s", request->raw_target ? request->raw_target : "?", message);
	answer_error(request, kind, message, err ? &err->place : NULL);
}

const char *http_status_text(unsigned status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 409:
		return "Conflict";
	case 413:
		return "Content Too Large";
	case 503:
		return "Service Unavailable";
	case 507:
		return "Insufficient Storage";
	default:
		return "Error";
	}
}

void http_answer_past_library(struct http_request *request)
{
	const char *body = request->plain ? request->plain : "";
	char head[512];
	int length = snprintf(head, sizeof(head),
	                      "HTTP/1.1 %u %s\r\nContent-Type: " TEXT_JSON "\r\nContent-Length: %zu\r\nConnection: close\r\nCache-Control: "
	                      "no-store\r\nX-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src 'self'; frame-ancestors "
	                      "'none'\r\nReferrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n\r\n",
	                      request->status, http_status_text(request->status), strlen(body));

	/* Nothing was sent on this connection since the last answer but "100 Continue": these few bytes fit, or nobody reads. */
	if (length > 0 && (size_t)length < sizeof(head) &&
	    send(request->connection->fd, head, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE) == length)
		(void)send(request->connection->fd, body, strlen(body), MSG_DONTWAIT | MSG_NOSIGNAL);
}

enum MHD_Result http_answer_shutting_down(struct http_request *request)
{
	static const char text[] = "{\"error\":{\"code\":\"shutting_down\",\"message\":\"the daemon ends\"}}";
	struct MHD_Response *response = MHD_create_response_from_buffer(sizeof(text) - 1, (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	(void)MHD_add_response_header(response, "Content-Type", TEXT_JSON);
	(void)MHD_add_response_header(response, "Retry-After", "10");
	http_headers_add(request, response, HTTP_POLICY_PAGE);
	result = MHD_queue_response(request->mhd, 503, response);
	MHD_destroy_response(response);
	return result;
}

/* ---- texts ---- */

/* FNV-1a, twice with different beginnings: tells versions of one text apart, keeps nothing secret. */
static void tag_of(const char *text, size_t length, char tag[40])
{
	uint64_t a = 14695981039346656037u, b = 0x9e3779b97f4a7c15u ^ length;

	for (size_t i = 0; i < length; i++) {
		a = (a ^ (unsigned char)text[i]) * 1099511628211u;
		b = (b ^ (unsigned char)text[i]) * 0x100000001b3u + (b >> 29);
	}
	(void)snprintf(tag, 40, "\"%016llx%016llx\"", (unsigned long long)a, (unsigned long long)b);
}

void http_answer_text(struct http_request *request, const char *content_type, const char *text, size_t length, bool immutable)
{
	struct MHD_Response *response;
	char tag[40];
	bool known;

	tag_of(text, length, tag);
	known = http_tag_matches(http_header(request, "If-None-Match"), tag);
	response = known ? empty_response() : MHD_create_response_from_buffer(length, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	if (response) {
		if (!known)
			(void)MHD_add_response_header(response, "Content-Type", content_type);
		(void)MHD_add_response_header(response, "ETag", tag);
		(void)MHD_add_response_header(response, "Cache-Control", immutable ? "public, max-age=31536000, immutable" : "no-cache");
	}
	http_answer_queue(request, known ? 304 : 200, response, HTTP_POLICY_PAGE);
}

void http_set_cookie(struct http_request *request, const char *value, int64_t max_age_s)
{
	bool tls = request->connection && request->connection->endpoint->tls;

	/* A value that could add attributes or headers is a fault of ours, and no cookie. */
	if (value[strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~+/=")] != '\0') {
		log_error("http: a cookie with characters that no token has");
		return;
	}
	free(request->cookie);
	if (asprintf(&request->cookie, "hilbench_session=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld%s", value,
	             (long long)max_age_s, tls ? "; Secure" : "") < 0)
		request->cookie = NULL;
}
