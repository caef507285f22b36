/* SPDX-License-Identifier: Apache-2.0 */
#include "http_route.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../base/bytes.h"

/* Bytes of the character at p, 0 when it is none: RFC 3629, no overlong forms, no surrogates. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
	size_t length = p[0] < 0x80                   ? 1
	                : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
	                : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
	                : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
	                                              : 0;

	if (length == 0 || length > left)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return length;
}

bool http_is_utf8(const char *text, size_t length)
{
	for (size_t i = 0, one; i < length; i += one) {
		one = utf8_length((const unsigned char *)text + i, length - i);
		if (one == 0)
			return false;
	}
	return true;
}

ssize_t http_decode(char *out, const char *in, size_t length, bool plus)
{
	size_t written = 0;

	for (size_t i = 0; i < length; i++) {
		char c = in[i];

		if (c == '%') {
			int high = length - i > 2 ? bytes_hex_digit(in[i + 1]) : -1, low = length - i > 2 ? bytes_hex_digit(in[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -EINVAL;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (c == '\0')
			return -EINVAL;
		out[written++] = c;
	}
	out[written] = '\0';
	return http_is_utf8(out, written) ? (ssize_t)written : -EINVAL;
}

/* A decoded segment: what a handler might take for a file name must not lead anywhere else. */
static bool segment_is_clean(const char *segment)
{
	if (*segment == '\0')
		return true;
	for (const char *p = segment; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '\\')
			return false;
	for (const char *part = segment;; part++) {
		size_t length = strcspn(part, "/");

		if (length == 0 || (length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.'))
			return false;
		part += length;
		if (*part == '\0')
			return true;
	}
}

static int split_path(struct http_target *target, const char *path, size_t length, char **at, struct error *err)
{
	const char *end = path + length;

	for (const char *part = path + 1;; part++) {
		const char *slash = memchr(part, '/', (size_t)(end - part));
		size_t part_length = (size_t)((slash ? slash : end) - part);
		ssize_t decoded;

		if (target->segment_count == HTTP_SEGMENTS)
			return error_set(err, ERROR_USAGE, EINVAL, "the path has more than %d segments", HTTP_SEGMENTS);
		decoded = http_decode(*at, part, part_length, false);
		if (decoded < 0)
			return error_set(err, ERROR_USAGE, EINVAL, "the path has a broken escape, a NUL, or is not UTF-8");
		if (!segment_is_clean(*at) || (part_length == 0 && slash))
			return error_set(err, ERROR_USAGE, EINVAL,
			                 "the path has an empty segment, '.', '..', a backslash or a control character");
		target->segments[target->segment_count++] = *at;
		*at += decoded + 1;
		if (!slash)
			return 0;
		part = slash;
	}
}

static int split_query(struct http_target *target, const char *query, char **at, struct error *err)
{
	while (*query) {
		size_t length = strcspn(query, "&"), name_length;
		const char *equals = memchr(query, '=', length);
		struct http_pair pair = {.name = *at};
		ssize_t decoded;

		if (length > 0) {
			if (target->query_count == HTTP_QUERIES)
				return error_set(err, ERROR_USAGE, EINVAL, "the query has more than %d parts", HTTP_QUERIES);
			name_length = equals ? (size_t)(equals - query) : length;
			decoded = http_decode(*at, query, name_length, true);
			*at += decoded >= 0 ? decoded + 1 : 0;
			pair.value = *at;
			if (decoded >= 0)
				decoded = equals ? http_decode(*at, equals + 1, length - name_length - 1, true)
				                 : http_decode(*at, "", 0, true);
			if (decoded < 0)
				return error_set(err, ERROR_USAGE, EINVAL, "the query has a broken escape, a NUL, or is not UTF-8");
			*at += decoded + 1;
			target->queries[target->query_count++] = pair;
		}
		query += length + (query[length] == '&');
	}
	return 0;
}

/* Moves *raw behind "http://authority" and copies the authority. */
static int take_authority(struct http_target *target, const char **raw, char **at, struct error *err)
{
	size_t scheme = strncasecmp(*raw, "http://", 7) == 0 ? 7 : strncasecmp(*raw, "https://", 8) == 0 ? 8 : 0, length;

	if (scheme == 0)
		return error_set(err, ERROR_USAGE, EINVAL, "the target of the request is neither a path nor a URL");
	*raw += scheme;
	length = strcspn(*raw, "/?#");
	if (length == 0 || length > 300 || memchr(*raw, '@', length))
		return error_set(err, ERROR_USAGE, EINVAL, "the target of the request has no usable host");
	memcpy(*at, *raw, length);
	(*at)[length] = '\0';
	target->authority = *at;
	*at += length + 1;
	*raw += length;
	return 0;
}

int http_target_parse(struct http_target *ret, const char *raw, struct error *err)
{
	/* Decoding only shortens; each part gets a NUL: of a path at most one a character, of a query two. */
	size_t length = strlen(raw), path_length;
	char *at;
	int r = 0;

	memset(ret, 0, sizeof(*ret));
	ret->text = at = malloc(2 * length + 8);
	if (!at)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (raw[0] != '/')
		r = take_authority(ret, &raw, &at, err);
	if (r == 0) {
		path_length = strcspn(raw, "?#");
		if (path_length == 0)
			r = split_path(ret, "/", 1, &at, err);
		else
			r = split_path(ret, raw, path_length, &at, err);
		raw += path_length;
	}
	if (r == 0 && strchr(raw, '#'))
		r = error_set(err, ERROR_USAGE, EINVAL, "the target of the request has a fragment");
	if (r == 0 && *raw == '?')
		r = split_query(ret, raw + 1, &at, err);
	if (r < 0)
		http_target_free(ret);
	return r;
}

void http_target_free(struct http_target *target)
{
	free(target->text);
	target->text = NULL;
	target->segment_count = target->query_count = 0;
}

/* ---- patterns ---- */

struct pattern_part {
	const char *text; /* of a literal, or the name */
	size_t length;
	char kind; /* 'l' literal, 'p' parameter, 'r' the rest; also their order */
};

/* The next part of a pattern, which is moved on; false at its end. */
static bool pattern_next(const char **pattern, struct pattern_part *ret)
{
	const char *at = *pattern;

	if (*at != '/')
		return false;
	at++;
	ret->length = strcspn(at, "/");
	ret->text = at;
	ret->kind = 'l';
	*pattern = at + ret->length;
	if (ret->length > 2 && at[0] == '{') {
		ret->kind = at[ret->length - 2] == '*' ? 'r' : 'p';
		ret->text++;
		ret->length -= ret->kind == 'r' ? 3 : 2;
	}
	return true;
}

/* Whether the pattern fits; its parts' kinds as text ("llp"), which sorts the more special first. */
static bool pattern_fits(const char *pattern, const struct http_target *target, char kinds[HTTP_SEGMENTS + 1])
{
	struct pattern_part part;
	unsigned i = 0;

	for (; pattern_next(&pattern, &part); i++) {
		const char *segment = i < target->segment_count ? target->segments[i] : NULL;

		if (!segment)
			return false;
		kinds[i] = part.kind;
		if (part.kind == 'l' && (strlen(segment) != part.length || memcmp(segment, part.text, part.length) != 0))
			return false;
		if (part.kind == 'p' && *segment == '\0')
			return false;
		if (part.kind == 'r') {
			/* "a%2Fb" would otherwise be the same file as "a/b" under another name. */
			for (; i < target->segment_count; i++)
				if (target->segments[i][0] == '\0' || strchr(target->segments[i], '/'))
					return false;
			return true;
		}
	}
	return i == target->segment_count;
}

static int take_parameters(struct http_match *match, const char *pattern, const struct http_target *target)
{
	struct pattern_part part;
	size_t size = strlen(pattern) + 1;
	char *at;

	for (unsigned i = 0; i < target->segment_count; i++)
		size += strlen(target->segments[i]) + 1;
	match->text = at = malloc(size);
	if (!at)
		return -ENOMEM;
	for (unsigned i = 0; pattern_next(&pattern, &part) && match->parameter_count < HTTP_PARAMETERS; i++) {
		struct http_pair *pair = &match->parameters[match->parameter_count];

		if (part.kind == 'l')
			continue;
		match->parameter_count++;
		memcpy(at, part.text, part.length);
		at[part.length] = '\0';
		pair->name = at;
		at += part.length + 1;
		if (part.kind == 'p') {
			pair->value = target->segments[i];
			continue;
		}
		pair->value = at;
		for (unsigned k = i; k < target->segment_count; k++) {
			size_t length = strlen(target->segments[k]);

			memcpy(at, target->segments[k], length);
			at += length;
			*at++ = k + 1 < target->segment_count ? '/' : '\0';
		}
	}
	return 0;
}

static void allow_add(char allow[80], const char *method)
{
	size_t used = strlen(allow), length = strlen(method);

	for (const char *at = allow; *at; at += strspn(at, ", ")) {
		size_t one = strcspn(at, ",");

		if (one == length && memcmp(at, method, one) == 0)
			return;
		at += one;
	}
	(void)snprintf(allow + used, 80 - used, "%s%s", used ? ", " : "", method);
}

int http_route_find(struct http_match *ret, const struct http_route *routes, size_t count, const char *method,
                    const struct http_target *target)
{
	char best[HTTP_SEGMENTS + 1] = "", kinds[HTTP_SEGMENTS + 1];
	bool head = strcmp(method, "HEAD") == 0;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < count; i++) {
		int order;

		memset(kinds, 0, sizeof(kinds));
		if (!pattern_fits(routes[i].pattern, target, kinds))
			continue;
		order = ret->path_known ? strcmp(kinds, best) : -1;
		if (order > 0)
			continue;
		if (order < 0) {
			ret->path_known = true;
			ret->route = NULL;
			ret->allow[0] = '\0';
			memcpy(best, kinds, sizeof(best));
		}
		allow_add(ret->allow, routes[i].method);
		if (strcmp(routes[i].method, "GET") == 0)
			allow_add(ret->allow, "HEAD");
		if (strcmp(routes[i].method, method) == 0 || (!ret->route && head && strcmp(routes[i].method, "GET") == 0))
			ret->route = &routes[i];
	}
	return ret->route ? take_parameters(ret, ret->route->pattern, target) : 0;
}

void http_match_free(struct http_match *match)
{
	free(match->text);
	match->text = NULL;
	match->parameter_count = 0;
}
