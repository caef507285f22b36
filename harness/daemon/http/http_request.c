/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a request: its target, its header, its body, its handler, its answer; and what a handler asks of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http_private.h"
#include "http_who.h"

static struct http_connection *connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

void *http_on_target(void *context, const char *target, struct MHD_Connection *mhd)
{
	struct http_endpoint *endpoint = context;
	struct http_connection *connection = connection_of(mhd);
	struct http_request *request = connection ? calloc(1, sizeof(*request)) : NULL;

	if (!request)
		return NULL;
	request->server = endpoint->server;
	request->connection = connection;
	request->mhd = mhd;
	request->raw_target = strdup(target);
	connection->request = request;
	if (connection->served) {
		/* The line was awaited with the patience for idle connections; the rest must come as in a first request. */
		(void)MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT, endpoint->server->limits.quiet_s);
		connection->deadline_ms = http_now_ms() + endpoint->server->limits.header_ms;
	}
	return request;
}

void http_request_free(struct http_request *request)
{
	http_list_remove(&request->link);
	if (request->response)
		MHD_destroy_response(request->response);
	json_decref(request->json);
	bytes_free(&request->body);
	http_match_free(&request->match);
	http_target_free(&request->target);
	free(request->raw_target);
	free(request->cookie);
	free(request->plain);
	free(request);
}

/* ---- the header ---- */

struct header_count {
	unsigned host, length, encoding, authorization, origin, type, chunked;
	bool broken;
};

static enum MHD_Result count_header(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct header_count *count = context;

	count->host += strcasecmp(name, "Host") == 0;
	count->length += strcasecmp(name, "Content-Length") == 0;
	count->authorization += strcasecmp(name, "Authorization") == 0;
	count->origin += strcasecmp(name, "Origin") == 0;
	count->type += strcasecmp(name, "Content-Type") == 0;
	if (strcasecmp(name, "Transfer-Encoding") == 0) {
		count->encoding++;
		count->chunked += value && strcasecmp(value, "chunked") == 0;
	}
	/* "Content-Length : 5" is a header of another name to one reader and the length to the next. */
	count->broken = count->broken || name[strcspn(name, " \t\r\n")] != '\0';
	return MHD_YES;
}

/* What two readers could take for different requests is refused. */
static bool header_is_sound(struct http_request *request, const char *version)
{
	struct header_count count = {0};
	const union MHD_ConnectionInfo *size = MHD_get_connection_info(request->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	(void)MHD_get_connection_values(request->mhd, MHD_HEADER_KIND, count_header, &count);
	if (count.host > 1 || count.length > 1 || count.encoding > 1 || count.authorization > 1 || count.origin > 1 || count.type > 1)
		http_answer_error(request, HTTP_BAD_REQUEST, "a header that may be there once is there several times");
	else if (count.encoding > 0 && (count.length > 0 || count.chunked == 0 || strcmp(version, "HTTP/1.1") != 0))
		http_answer_error(request, HTTP_BAD_REQUEST, "the length of the body is not clear");
	else if (count.broken)
		http_answer_error(request, HTTP_BAD_REQUEST, "a header's name has a space in it");
	else if (count.host == 0 && strcmp(version, "HTTP/1.1") == 0)
		http_answer_error(request, HTTP_BAD_REQUEST, "there is no Host");
	else if (size && size->header_size > request->server->limits.header_bytes)
		http_answer_error(request, HTTP_TOO_LARGE, "the header has more than %u bytes", request->server->limits.header_bytes);
	else
		return true;
	return false;
}

/* The route, for who may not know it as for who may: nobody learns what there is. */
static bool find_route(struct http_request *request)
{
	if (http_route_find(&request->match, request->server->routes, request->server->route_count, request->method, &request->target) < 0)
		http_answer_error(request, HTTP_INTERNAL, "out of memory");
	else if (request->match.route)
		return true;
	else if (request->role == ROLE_NOBODY && !request->match.path_known)
		http_answer_error(request, HTTP_UNAUTHORIZED, "a token is needed");
	else if (request->match.path_known)
		http_answer_error(request, HTTP_METHOD_NOT_ALLOWED, "%s is not for this; there is %s", request->method,
		                  request->match.allow);
	else
		http_answer_error(request, HTTP_NOT_FOUND, "there is no such thing");
	return false;
}

static void request_begin(struct http_request *request, const char *method, const char *version)
{
	struct error err = {0};

	request->method = method;
	request->seen = true;
	request->connection->deadline_ms = 0;
	if (!header_is_sound(request, version)) {
		request->refused = true; /* where the next request begins is anybody's guess */
		return;
	}
	if (!request->raw_target || http_target_parse(&request->target, request->raw_target, &err) < 0) {
		http_answer_error(request, HTTP_BAD_REQUEST, "%s", err.message[0] ? err.message : "out of memory");
		return;
	}
	if (http_who(request) && find_route(request) && http_may(request))
		http_body_begin(request);
}

static bool has_body(struct http_request *request)
{
	const char *length = http_header(request, "Content-Length");

	return http_header(request, "Transfer-Encoding") || (length && strcmp(length, "0") != 0);
}

static void run_handler(struct http_request *request)
{
	request->handled = true;
	request->in_callback = true;
	request->match.route->handler(request, request->server->context);
	request->in_callback = false;
}

/* The library takes a response only before the body came or after all of it did. */
static enum MHD_Result queue(struct http_request *request)
{
	struct MHD_Response *response = request->response;
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	request->response = NULL;
	request->queued = true;
	result = MHD_queue_response(request->mhd, request->status, response);
	MHD_destroy_response(response);
	return result;
}

enum MHD_Result http_on_access(void *context, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
                               const char *data, size_t *size, void **slot)
{
	struct http_request *request = *slot;

	if (!request || (request->connection->gone && request->suspended))
		return MHD_NO;
	if (!request->seen) {
		request->in_callback = true;
		request_begin(request, method, version);
		request->in_callback = false;
		if (!request->answered)
			return MHD_YES;
		/* An answer now ends the connection, and must where a body follows that nobody wants. */
		request->refused = request->refused || has_body(request);
		return request->refused ? queue(request) : MHD_YES;
	}
	if (*size > 0) {
		request->in_callback = true;
		http_body_take(request, data, *size);
		request->in_callback = false;
		*size = 0;
		return request->refused ? MHD_NO : MHD_YES;
	}
	request->connection->in_body = false;
	request->connection->deadline_ms = 0;
	if (!request->answered && !request->handled)
		run_handler(request);
	if (request->answered)
		return queue(request);
	if (request->server->closing)
		return http_answer_shutting_down(request);
	request->suspended = true;
	http_connection_watch(request->connection);
	MHD_suspend_connection(mhd);
	return MHD_YES;
}

void http_request_gone(struct http_request *request)
{
	if (!request->suspended)
		return;
	MHD_resume_connection(request->mhd);
	http_endpoint_kick(request->connection->endpoint);
}

void http_on_completed(void *context, struct MHD_Connection *mhd, void **slot, enum MHD_RequestTerminationCode code)
{
	struct http_endpoint *endpoint = context;
	struct http_request *request = *slot;
	struct http_connection *connection;

	*slot = NULL;
	if (!request)
		return;
	connection = request->connection;
	http_connection_unwatch(connection);
	connection->request = NULL;
	connection->served = true;
	connection->in_body = false;
	connection->deadline_ms = http_now_ms() + (uint64_t)endpoint->server->limits.idle_s * 1000 + endpoint->server->limits.tick_ms;
	if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK && !endpoint->server->closing)
		(void)MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT, endpoint->server->limits.idle_s);
	if (request->refused && !endpoint->server->closing)
		http_linger(endpoint->server, connection->fd, endpoint->tls);
	request->connection = NULL;
	request->mhd = NULL;
	if (request->began && !request->handled && request->match.route->drop)
		request->match.route->drop(request, endpoint->server->context);
	if (request->handled && !request->answered)
		http_list_add(&endpoint->server->kept, &request->link);
	else
		http_request_free(request);
}

/* ---- what a handler asks ---- */

static const char *pair_value(const struct http_pair *pairs, unsigned count, const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(pairs[i].name, name) == 0)
			return pairs[i].value;
	return NULL;
}

/* Decimal digits with a sign; false for anything else and what does not fit. */
static bool whole_number(const char *text, int64_t *ret)
{
	char *end;

	if (text[text[0] == '-'] < '0' || text[text[0] == '-'] > '9')
		return false;
	errno = 0;
	*ret = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0';
}

const char *http_parameter(struct http_request *request, const char *name)
{
	return pair_value(request->match.parameters, request->match.parameter_count, name);
}

bool http_parameter_id(struct http_request *request, const char *name, int64_t *ret)
{
	const char *text = http_parameter(request, name);

	if (text && text[0] >= '1' && text[0] <= '9' && whole_number(text, ret))
		return true;
	http_answer_error(request, HTTP_NOT_FOUND, "'%s' is no number of a job, a run or whatever else has numbers here: 1, 2, 3 …",
	                  text ? text : "");
	return false;
}

const char *http_query(struct http_request *request, const char *name)
{
	return pair_value(request->target.queries, request->target.query_count, name);
}

bool http_query_number(struct http_request *request, const char *name, int64_t least, int64_t most, int64_t absent, int64_t *ret)
{
	const char *text = http_query(request, name);

	*ret = absent;
	if (!text || (whole_number(text, ret) && *ret >= least && *ret <= most))
		return true;
	http_answer_error(request, HTTP_BAD_REQUEST, "%s is '%s': a number from %lld to %lld is needed", name, text, (long long)least,
	                  (long long)most);
	return false;
}

const char *http_header(struct http_request *request, const char *name)
{
	return request->mhd ? MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, name) : NULL;
}

const char *http_user(struct http_request *request)
{
	return request->user;
}

enum token_role http_role(struct http_request *request)
{
	return request->role;
}

bool http_is_local(struct http_request *request)
{
	return request->connection && request->connection->endpoint->local;
}

bool http_is_gone(struct http_request *request)
{
	return !request->mhd || (request->connection && request->connection->gone);
}

void http_set_state(struct http_request *request, void *state)
{
	request->state = state;
}

void *http_state(struct http_request *request)
{
	return request->state;
}
