/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of browsers, and the tokens of people and programs. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "../book/tokens.h"
#include "api_private.h"
#include "utc.h"

#define COOKIE "hilbench_session="
#define DAY_NS (INT64_C(86400) * 1000000000)

static json_t *who_json(const char *name, enum token_role role)
{
	return json_pack("{s:s, s:s, s:b}", "name", name, "role", token_role_name(role), "csrf_free", 1);
}

void api_session_get(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	if (api)
		api_answer(request, 0, NULL, 200, who_json(http_user(request), http_role(request)));
}

void api_session_begin(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	char session[SESSION_NAME_SIZE], name[65];
	const char *token = NULL;
	const struct field fields[] = {{"token", FIELD_TEXT, true, &token, 1, TOKEN_SIZE - 1}};
	enum token_role role;
	struct error error = {0};
	json_t *body = api ? http_body_json(request) : NULL;
	if (!body)
		return;
	int r = fields_read(body, "request", fields, API_COUNT(fields), &error);
	if (r < 0) {
		api_fail(request, r, &error);
		return;
	}
	r = book_token_find(api->book, token, api_utc_ns(), &role, name, &error);
	if (r == -ENOENT) {
		http_answer_error(request, HTTP_UNAUTHORIZED, "this token is nobody's, or has expired");
		return;
	}
	if (r == 0)
		r = sessions_add(api->sessions, token, api_now_ns(), session, &error);
	if (r == 0)
		http_set_cookie(request, session, SESSION_LIFE_S);
	api_answer(request, r, &error, 201, r == 0 ? who_json(name, role) : NULL);
}

/* The value of the cookie; "" when there is none. */
static void read_cookie(struct http_request *request, char value[SESSION_NAME_SIZE])
{
	const char *cookies = http_header(request, "Cookie");
	value[0] = '\0';
	if (!cookies)
		return;
	for (const char *cookie = cookies + strspn(cookies, "; "); *cookie; cookie += strspn(cookie, "; ")) {
		if (strncmp(cookie, COOKIE, sizeof(COOKIE) - 1) == 0)
			snprintf(value, SESSION_NAME_SIZE, "%.*s", SESSION_NAME_SIZE - 1, cookie + sizeof(COOKIE) - 1);
		cookie += strcspn(cookie, ";");
	}
	value[strcspn(value, "; ")] = '\0';
}

void api_session_end(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	char session[SESSION_NAME_SIZE];
	if (!api)
		return;
	read_cookie(request, session);
	sessions_remove(api->sessions, session);
	http_set_cookie(request, "", 0);
	http_answer_empty(request, 204);
}

/* ---- tokens ---- */

void api_tokens_list(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	struct error error = {0};
	json_t *list = NULL;
	if (!api)
		return;
	int r = book_tokens_json(api->book, &list, &error);
	api_answer(request, r, &error, 200, r == 0 ? json_pack("{s:o}", "tokens", list) : NULL);
}

static int read_token(const json_t *body, const char **name, enum token_role *role, int64_t *expires_in_ns, struct error *err)
{
	const char *role_name = NULL;
	const struct field fields[] = {{"name", FIELD_TEXT, true, name, 1, 64},
	                               {"role", FIELD_TEXT, true, &role_name, 1, 20},
	                               {"expires", FIELD_DURATION, false, expires_in_ns, 1000000000, 3650 * DAY_NS}};
	int r = fields_read(body, "token", fields, API_COUNT(fields), err);
	if (r == 0 && (!token_role_from_name(role_name, role) || *role == ROLE_NOBODY))
		r = error_set(err, ERROR_USAGE, EINVAL, "\"role\" is viewer, operator or admin");
	return r;
}

void api_token_add(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	const char *name = NULL;
	enum token_role role = ROLE_NOBODY;
	int64_t expires_in_ns = 0, id;
	char token[TOKEN_SIZE];
	struct error error = {0};
	json_t *body = api ? http_body_json(request) : NULL;
	if (!body)
		return;
	int r = read_token(body, &name, &role, &expires_in_ns, &error);
	if (r < 0) {
		api_fail(request, r, &error);
		return;
	}
	r = book_token_add(api->book, name, role, expires_in_ns ? api_utc_ns() + expires_in_ns : 0, &id, token, &error);
	if (r == -EEXIST)
		http_answer_error(request, HTTP_CONFLICT, "there is a token of the name %s", name);
	else
		api_answer(request, r, &error, 201, r == 0 ? json_pack("{s:I, s:s}", "id", (json_int_t)id, "token", token) : NULL);
	OPENSSL_cleanse(token, sizeof(token));
}

void api_token_remove(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	struct error error = {0};
	int64_t id;
	if (!api || !http_parameter_id(request, "id", &id))
		return;
	int r = book_token_remove(api->book, id, &error);
	if (r == -ENOENT)
		http_answer_error(request, HTTP_NOT_FOUND, "there is no token %lld", (long long)id);
	else if (r < 0)
		api_fail(request, r, &error);
	else
		http_answer_empty(request, 204);
}
