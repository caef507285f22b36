/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A target of a request, then lines: Host, Cookie, Range, If-None-Match, Origin. What the server takes apart before it knows who asks.
 * Whatever is let through is clean: UTF-8, no way up, no way out.
 */
#include <stdlib.h>
#include <string.h>

#include "../daemon/http/http_range.h"
#include "../daemon/http/http_route.h"
#include "../daemon/http/http_who.h"
#include "fuzz.h"

static const struct http_route routes[] = {
        {.method = "GET", .pattern = "/"},
        {.method = "GET", .pattern = "/{path*}"},
        {.method = "PUT", .pattern = "/api/v1/jobs/{id}"},
        {.method = "GET", .pattern = "/api/v1/jobs/{id}"},
        {.method = "GET", .pattern = "/api/v1/jobs/{id}/files/{path*}"},
        {.method = "GET", .pattern = "/api/v1/rigs/{name}/health"},
};

static void check_value(const char *value)
{
	if (!http_is_utf8(value, strlen(value)) || value[0] == '\0' || value[0] == '/' || strchr(value, '\\') || strchr(value, '\n'))
		abort();
	for (const char *part = value; part; part = strchr(part, '/')) {
		part += *part == '/';
		if (strcspn(part, "/") <= 2 && (strncmp(part, "../", 3) == 0 || strcmp(part, "..") == 0))
			abort();
	}
}

static void use_target(const char *raw)
{
	struct http_target target;
	struct http_match match;
	struct error err = {0};

	if (http_target_parse(&target, raw, &err) < 0) {
		if (err.message[0] == '\0')
			abort();
		return;
	}
	for (unsigned i = 0; i < target.query_count; i++)
		if (!http_is_utf8(target.queries[i].name, strlen(target.queries[i].name)) ||
		    !http_is_utf8(target.queries[i].value, strlen(target.queries[i].value)))
			abort();
	if (http_route_find(&match, routes, sizeof(routes) / sizeof(routes[0]), "GET", &target) == 0) {
		for (unsigned i = 0; i < match.parameter_count; i++)
			check_value(match.parameters[i].value);
		http_match_free(&match);
	}
	http_target_free(&target);
}

static void use_headers(const char *lines[5])
{
	static const char *const names[] = {"bench.example", NULL};
	uint64_t first, length;
	char value[16];

	(void)http_host_allowed(lines[0], names);
	if (http_cookie_value(lines[1], "hilbench_session", value, sizeof(value)) && strlen(value) >= sizeof(value))
		abort();
	if (http_range_parse(lines[2], 1000, &first, &length) == HTTP_RANGE_PART && (length == 0 || first >= 1000 || length > 1000 - first))
		abort();
	(void)http_tag_matches(lines[3], "\"tag\"");
	if (!http_cross_site(NULL, lines[4], lines[0], false) && strlen(lines[4]) != strlen("http://") + strlen(lines[0]))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *lines[6] = {"", "", "", "", "", ""};
	char *text = malloc(size + 1), *rest = text;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (size_t i = 0; i < 6 && rest; i++)
		lines[i] = strsep(&rest, "\n");
	use_target(lines[0]);
	use_headers(lines + 1);
	free(text);
	return 0;
}
