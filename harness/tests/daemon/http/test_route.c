/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../../daemon/http/http_range.h"
#include "http_fixture.h"

static void nothing(struct http_request *request, void *context) {}

static const struct http_route routes[] = {
        {"GET", "/", ROLE_NOBODY, 0, nothing, NULL, NULL},
        {"GET", "/{path*}", ROLE_NOBODY, 0, nothing, NULL, NULL},
        {"GET", "/jobs/{id}", ROLE_NOBODY, 0, nothing, NULL, NULL},
        {"PUT", "/jobs/{id}", ROLE_NOBODY, 0, nothing, NULL, NULL},
        {"GET", "/jobs/new", ROLE_NOBODY, 0, nothing, NULL, NULL},
        {"GET", "/jobs/{id}/files/{path*}", ROLE_NOBODY, 0, nothing, NULL, NULL},
        {"GET", "/rigs/{name}/health", ROLE_NOBODY, 0, nothing, NULL, NULL},
};

/* "pattern name=value …", or "405 Allow", "404", "400". */
static const char *find(const char *method, const char *raw)
{
	static char text[512];
	struct http_target target;
	struct http_match match;
	struct error err = {0};

	if (http_target_parse(&target, raw, &err) < 0)
		return err.message[0] ? "400" : "no reason";
	ck_assert_int_eq(http_route_find(&match, routes, sizeof(routes) / sizeof(routes[0]), method, &target), 0);
	if (match.route)
		(void)snprintf(text, sizeof(text), "%s", match.route->pattern);
	else if (match.path_known)
		(void)snprintf(text, sizeof(text), "405 %s", match.allow);
	else
		(void)snprintf(text, sizeof(text), "404");
	for (unsigned i = 0; i < match.parameter_count; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s=%s", match.parameters[i].name,
		               match.parameters[i].value);
	http_match_free(&match);
	http_target_free(&target);
	return text;
}

START_TEST(the_most_special_pattern_decides)
{
	ck_assert_str_eq(find("GET", "/"), "/");
	ck_assert_str_eq(find("GET", "/index.html"), "/{path*} path=index.html");
	ck_assert_str_eq(find("GET", "/a/b/c.js?v=1"), "/{path*} path=a/b/c.js");
	ck_assert_str_eq(find("GET", "/jobs/new"), "/jobs/new");
	ck_assert_str_eq(find("GET", "/jobs/17"), "/jobs/{id} id=17");
	ck_assert_str_eq(find("HEAD", "/jobs/17"), "/jobs/{id} id=17");
	ck_assert_str_eq(find("PUT", "/jobs/17"), "/jobs/{id} id=17");
	ck_assert_str_eq(find("GET", "/jobs/17/files/a/b%20c/%C3%A4"), "/jobs/{id}/files/{path*} id=17 path=a/b c/\xc3\xa4");
	ck_assert_str_eq(find("GET", "http://localhost:80/jobs/17?x"), "/jobs/{id} id=17");
	ck_assert_str_eq(find("GET", "http://localhost"), "/");
	/* A case's id or a series may have a slash in it; it stays one segment. */
	ck_assert_str_eq(find("GET", "/rigs/a%2Fb/health"), "/rigs/{name}/health name=a/b");
}
END_TEST

START_TEST(a_known_path_tells_its_methods)
{
	ck_assert_str_eq(find("DELETE", "/jobs/17"), "405 GET, HEAD, PUT");
	ck_assert_str_eq(find("POST", "/jobs/new"), "405 GET, HEAD");
	ck_assert_str_eq(find("POST", "/"), "405 GET, HEAD");
	ck_assert_str_eq(find("get", "/"), "405 GET, HEAD");
}
END_TEST

START_TEST(what_leads_elsewhere_is_refused)
{
	static const char *const bad[] = {
	        "/jobs/1/files/../x",
	        "/jobs/1/files/%2e%2e/x",
	        "/jobs/1/files/%2E%2e%2fx",
	        "/jobs/1/files/a/..",
	        "/jobs/1/files/./x",
	        "/jobs/1/files/%2e",
	        "/rigs/..%2f..%2fetc/health",
	        "/rigs/%2fetc%2fpasswd/health",
	        "/..",
	        "/jobs/1/files/a%00.txt",
	        "/jobs/1/files/a\\b",
	        "/jobs/1/files/a%5c..%5cb",
	        "//etc/passwd",
	        "/jobs//files/x",
	        "/jobs/1/files/%zz",
	        "/jobs/1/files/%2",
	        "/jobs/1/files/%",
	        "/jobs/1/files/%ff",
	        "/jobs/1/files/%c0%ae%c0%ae",
	        "/jobs/1/files/%ed%a0%80",
	        "/rigs/a%2f/health",
	        "/rigs/a%2f%2e%2e/health",
	        "*",
	        "jobs/1",
	        "",
	        "http:///jobs",
	        "http://u@localhost/",
	        "ftp://localhost/",
	        "/x#y",
	        "/jobs/1?a=%0",
	        "/jobs/1?a=%00",
	        "/jobs/1?%ff=1",
	        "/jobs/a%0d%0aSet-Cookie:x",
	        "/jobs/%7f",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(strcmp(find("GET", bad[i]), "400") == 0, "%s: %s", bad[i], find("GET", bad[i]));
	/* Two ways to write one file are one too many: an encoded slash is no separator in the rest of a path. */
	ck_assert_str_eq(find("GET", "/jobs/1/files/a%2fb"), "404");
	ck_assert_str_eq(find("GET", "/jobs/1/files/a/"), "404");
	ck_assert_str_eq(find("GET", "/jobs/1/files/..."), "/jobs/{id}/files/{path*} id=1 path=...");
}
END_TEST

START_TEST(paths_and_queries_are_bounded)
{
	char path[1024] = "";

	for (int i = 0; i < HTTP_SEGMENTS; i++)
		(void)snprintf(path + strlen(path), 8, "/a");
	ck_assert_int_eq(strncmp(find("GET", path), "/{path*}", 8), 0);
	(void)snprintf(path + strlen(path), 8, "/a");
	ck_assert_str_eq(find("GET", path), "400");
	(void)snprintf(path, sizeof(path), "/jobs/1?");
	for (int i = 0; i < HTTP_QUERIES; i++)
		(void)snprintf(path + strlen(path), 8, "a=1&");
	ck_assert_str_eq(find("GET", path), "/jobs/{id} id=1");
	(void)snprintf(path + strlen(path), 8, "a=1&");
	ck_assert_str_eq(find("GET", path), "400");
}
END_TEST

START_TEST(queries_are_decoded)
{
	struct http_target target;

	ck_assert_int_eq(http_target_parse(&target, "/x?a=1+2&b=%2B%26&&c&=d&e==&a=3", NULL), 0);
	ck_assert_uint_eq(target.query_count, 6);
	ck_assert_str_eq(target.queries[0].value, "1 2");
	ck_assert_str_eq(target.queries[1].value, "+&");
	ck_assert_str_eq(target.queries[2].name, "c");
	ck_assert_str_eq(target.queries[2].value, "");
	ck_assert_str_eq(target.queries[3].name, "");
	ck_assert_str_eq(target.queries[4].value, "=");
	http_target_free(&target);
}
END_TEST

START_TEST(ranges)
{
	static const struct {
		const char *header;
		uint64_t size;
		enum http_range range;
		uint64_t first, length;
	} cases[] = {
	        {NULL, 10, HTTP_RANGE_WHOLE, 0, 10},
	        {"bytes=0-0", 10, HTTP_RANGE_PART, 0, 1},
	        {"bytes=2-5", 10, HTTP_RANGE_PART, 2, 4},
	        {"BYTES=2-5", 10, HTTP_RANGE_PART, 2, 4},
	        {"bytes=2-", 10, HTTP_RANGE_PART, 2, 8},
	        {"bytes=-3", 10, HTTP_RANGE_PART, 7, 3},
	        {"bytes=-30", 10, HTTP_RANGE_PART, 0, 10},
	        {"bytes=2-99999999999999999", 10, HTTP_RANGE_PART, 2, 8},
	        {"bytes=9-18446744073709551609", 10, HTTP_RANGE_PART, 9, 1},
	        {"bytes=10-", 10, HTTP_RANGE_OUTSIDE, 0, 10},
	        {"bytes=-0", 10, HTTP_RANGE_OUTSIDE, 0, 10},
	        {"bytes=0-", 0, HTTP_RANGE_OUTSIDE, 0, 0},
	        {"bytes=5-2", 10, HTTP_RANGE_WHOLE, 0, 10},
	        {"bytes=0-1,3-4", 10, HTTP_RANGE_WHOLE, 0, 10},
	        {"bytes=a-", 10, HTTP_RANGE_WHOLE, 0, 10},
	        {"bytes=-", 10, HTTP_RANGE_WHOLE, 0, 10},
	        {"lines=1-2", 10, HTTP_RANGE_WHOLE, 0, 10},
	        {"bytes=1-2x", 10, HTTP_RANGE_WHOLE, 0, 10},
	        {"bytes=99999999999999999999-", 10, HTTP_RANGE_WHOLE, 0, 10},
	};
	uint64_t first, length;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(http_range_parse(cases[i].header, cases[i].size, &first, &length) == cases[i].range, "%s", cases[i].header);
		ck_assert_uint_eq(first, cases[i].first);
		ck_assert_uint_eq(length, cases[i].length);
	}
}
END_TEST

START_TEST(tags)
{
	ck_assert(http_tag_matches("\"a\"", "\"a\""));
	ck_assert(http_tag_matches("W/\"a\"", "\"a\""));
	ck_assert(http_tag_matches("\"x,y\", \"a\"", "\"a\""));
	ck_assert(http_tag_matches("*", "\"a\""));
	ck_assert(!http_tag_matches("\"ab\", \"", "\"a\""));
	ck_assert(!http_tag_matches("\"x, \"a", "\"a\""));
	ck_assert(!http_tag_matches(NULL, "\"a\""));
	ck_assert(!http_tag_matches("\"a\"", NULL));
}
END_TEST

void add_route_tests(Suite *suite)
{
	TCase *tests = tcase_create("route");

	tcase_add_test(tests, the_most_special_pattern_decides);
	tcase_add_test(tests, a_known_path_tells_its_methods);
	tcase_add_test(tests, what_leads_elsewhere_is_refused);
	tcase_add_test(tests, paths_and_queries_are_bounded);
	tcase_add_test(tests, queries_are_decoded);
	tcase_add_test(tests, ranges);
	tcase_add_test(tests, tags);
	suite_add_tcase(suite, tests);
}
