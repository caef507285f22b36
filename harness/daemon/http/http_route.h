/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The target of a request and the route that fits it. Pure: no I/O, no state. A target is origin-form or absolute-form (RFC 9112, 3.2);
 * its path is split first and percent-decoded after, so that an encoded slash never makes a new segment of a pattern.
 */
#ifndef HARNESS_DAEMON_HTTP_HTTP_ROUTE_H
#define HARNESS_DAEMON_HTTP_HTTP_ROUTE_H

#include "http.h"

#define HTTP_SEGMENTS   64
#define HTTP_QUERIES    32
#define HTTP_PARAMETERS 8

struct http_pair {
	const char *name, *value;
};
struct http_target {
	char *text;            /* what the pointers below point into */
	const char *authority; /* of an absolute-form target, NULL else */
	const char *segments[HTTP_SEGMENTS];
	unsigned segment_count; /* "/" is one empty segment */
	struct http_pair queries[HTTP_QUERIES];
	unsigned query_count;
};
/* -EINVAL for what no target may be: neither form, "." or ".." (also behind an encoded slash), NUL, control characters and backslashes in
 * the path, broken escapes, anything that is not UTF-8, too many parts. -ENOMEM. */
int http_target_parse(struct http_target *ret, const char *raw, struct error *err) WARN_UNUSED;
void http_target_free(struct http_target *);

struct http_match {
	const struct http_route *route; /* NULL: none fits path and method */
	bool path_known;                /* some route has that path, with another method */
	char *text;
	struct http_pair parameters[HTTP_PARAMETERS];
	unsigned parameter_count;
	char allow[80]; /* "GET, HEAD, POST": the methods of that path */
};
/* The most special pattern that fits decides (literal before {name} before {name*}, from the left); then the method. 0, -ENOMEM. */
int http_route_find(struct http_match *ret, const struct http_route *, size_t count, const char *method,
                    const struct http_target *) WARN_UNUSED;
void http_match_free(struct http_match *);

/* Decodes length bytes of in into out (as much room, and one for the NUL). plus: '+' is a space. The length, or -EINVAL. */
ssize_t http_decode(char *out, const char *in, size_t length, bool plus);
bool http_is_utf8(const char *text, size_t length);

#endif
