/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon says of itself: openapi.json against the routes, in both directions; metrics; sessions. */
#include <check.h>
#include <ctype.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../daemon/api/api.h"
#include "../../../daemon/api/metrics.h"
#include "../../../daemon/api/sessions.h"

static json_t *load(void)
{
	json_error_t error;
	json_t *json = json_load_file(OPENAPI_FILE, JSON_REJECT_DUPLICATES, &error);
	ck_assert_msg(json != NULL, "%s:%d: %s", OPENAPI_FILE, error.line, error.text);
	return json;
}

/* "{path*}" is "{path}" in OpenAPI. */
static void path_of(const struct http_route *route, char path[256])
{
	size_t length = 0;
	for (const char *c = route->pattern; *c; c++)
		if (*c != '*')
			path[length++] = *c;
	path[length] = '\0';
}

static void method_of(const char *from, char to[16])
{
	size_t i = 0;
	for (; from[i] && i < 15; i++)
		to[i] = (char)tolower((unsigned char)from[i]);
	to[i] = '\0';
}

START_TEST(every_route_is_described)
{
	static const char *const roles[] = {"nobody", "viewer", "operator", "admin"};
	json_t *json = load(), *paths = json_object_get(json, "paths");
	size_t count;
	const struct http_route *routes = api_routes(&count);
	for (size_t i = 0; i < count; i++) {
		char path[256], method[16];
		path_of(&routes[i], path);
		method_of(routes[i].method, method);
		const json_t *operation = json_object_get(json_object_get(paths, path), method);
		ck_assert_msg(operation != NULL, "%s %s is not described", method, path);
		ck_assert_str_eq(json_string_value(json_object_get(operation, "x-role")), roles[routes[i].least]);
		ck_assert_msg(json_object_get(operation, "requestBody") == NULL || routes[i].body_limit > 0, "%s %s takes no body", method,
		              path);
	}
	json_decref(json);
}
END_TEST

static bool is_route(const char *wanted_path, const char *wanted_method)
{
	size_t count;
	const struct http_route *routes = api_routes(&count);
	for (size_t i = 0; i < count; i++) {
		char path[256], method[16];
		path_of(&routes[i], path);
		method_of(routes[i].method, method);
		if (strcmp(path, wanted_path) == 0 && strcmp(method, wanted_method) == 0)
			return true;
	}
	return false;
}

START_TEST(everything_described_is_a_route)
{
	json_t *json = load(), *operations, *operation;
	const char *path, *method;
	json_object_foreach (json_object_get(json, "paths"), path, operations) {
		json_object_foreach (operations, method, operation)
			ck_assert_msg(is_route(path, method), "%s %s is described and not there", method, path);
	}
	json_decref(json);
}
END_TEST

static void check_references(const json_t *root, const json_t *node)
{
	const char *key;
	json_t *value;
	size_t i;
	json_object_foreach ((json_t *)node, key, value) {
		if (strcmp(key, "$ref") == 0) {
			char target[256];
			const json_t *at = root;
			snprintf(target, sizeof(target), "%s", json_string_value(value) + 2);
			for (char *part = strtok(target, "/"); part; part = strtok(NULL, "/"))
				at = json_object_get(at, part);
			ck_assert_msg(at != NULL, "%s is not there", json_string_value(value));
		}
		check_references(root, value);
	}
	json_array_foreach ((json_t *)node, i, value)
		check_references(root, value);
}

START_TEST(references_and_parameters_are_whole)
{
	json_t *json = load(), *operations, *operation, *parameter;
	const char *path, *method;
	size_t i;
	ck_assert_str_eq(json_string_value(json_object_get(json, "openapi")), "3.1.0");
	check_references(json, json);
	json_object_foreach (json_object_get(json, "paths"), path, operations) {
		json_object_foreach (operations, method, operation) {
			unsigned in_path = 0, braces = 0;
			json_array_foreach (json_object_get(operation, "parameters"), i, parameter) {
				const char *in = json_string_value(json_object_get(parameter, "in"));
				in_path += in && strcmp(in, "path") == 0;
			}
			for (const char *c = path; *c; c++)
				braces += *c == '{';
			ck_assert_msg(in_path == braces, "%s %s: %u of %u parameters", method, path, in_path, braces);
			ck_assert_uint_gt(json_object_size(json_object_get(operation, "responses")), 0);
		}
	}
	json_decref(json);
}
END_TEST

/* ---- metrics ---- */

static json_t *two_rigs(void)
{
	return json_pack("[{s:s, s:s, s:b, s:n, s:i}, {s:s, s:s, s:b, s:{s:i}, s:i}]", "name", "a\"b\\c\nd", "health", "healthy", "online",
	                 1, "lease", "bench_errors", 0, "name", "v2", "health", "quarantined", "online", 0, "lease", "id", 3,
	                 "bench_errors", 4);
}

START_TEST(metrics_are_escaped_and_named)
{
	json_t *rigs = two_rigs();
	struct metrics_figures figures = {.rigs = rigs, .version = "1.\"0", .lag_ns = 1500000, .viewers = 2};
	size_t length;
	figures.lab.jobs_by_outcome[OUTCOME_FAILED] = 7;
	/* Some locales write a comma: this format has none. */
	(void)setlocale(LC_ALL, "de_DE.UTF-8");
	char *text = metrics_text(&figures, &length);
	(void)setlocale(LC_ALL, "C");
	ck_assert_ptr_nonnull(text);
	ck_assert_uint_eq(strlen(text), length);
	ck_assert_int_eq(text[length - 1], '\n');
	ck_assert_ptr_nonnull(strstr(text, "hilbench_rig_online{rig=\"a\\\"b\\\\c\\nd\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(text, "hilbench_rig_health{rig=\"v2\",health=\"quarantined\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(text, "hilbench_rig_health{rig=\"v2\",health=\"healthy\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(text, "hilbench_rig_leased{rig=\"v2\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(text, "hilbench_rig_bench_errors{rig=\"v2\"} 4\n"));
	ck_assert_ptr_nonnull(strstr(text, "hilbench_jobs_total{outcome=\"failed\"} 7\n"));
	ck_assert_ptr_nonnull(strstr(text, "hilbench_build_info{version=\"1.\\\"0\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(text, "hilbench_loop_lag_seconds 0.001500000\n"));
	free(text);
	json_decref(rigs);
}
END_TEST

START_TEST(every_metric_has_its_help_and_type_once)
{
	json_t *rigs = two_rigs();
	struct metrics_figures figures = {.rigs = rigs, .version = "1"};
	size_t length;
	char *text = metrics_text(&figures, &length), current[128] = "", kind[16] = "", *place = NULL;
	unsigned types = 0;
	for (char *line = strtok_r(text, "\n", &place); line; line = strtok_r(NULL, "\n", &place)) {
		char name[128];
		if (sscanf(line, "# TYPE %127s %15s", current, kind) == 2) {
			bool total = strlen(current) > 6 && strcmp(current + strlen(current) - 6, "_total") == 0;
			ck_assert_msg(total == (strcmp(kind, "counter") == 0), "%s", line);
			types++;
		} else if (line[0] != '#') {
			ck_assert_int_eq(sscanf(line, "%127[a-z_]", name), 1);
			ck_assert_msg(strcmp(name, current) == 0, "%s comes without its type", line);
		}
	}
	ck_assert_uint_ge(types, 20);
	free(text);
	json_decref(rigs);
}
END_TEST

/* ---- sessions ---- */

START_TEST(sessions_live_and_end)
{
	const int64_t life_ns = SESSION_LIFE_S * INT64_C(1000000000);
	struct sessions *sessions = sessions_new();
	char first[SESSION_NAME_SIZE], second[SESSION_NAME_SIZE], wrong[SESSION_NAME_SIZE];
	struct error error = {0};
	ck_assert_int_eq(sessions_add(sessions, "hb_one", 10, first, &error), 0);
	ck_assert_int_eq(sessions_add(sessions, "hb_two", 20, second, &error), 0);
	ck_assert_str_ne(first, second);
	ck_assert_uint_eq(strlen(first), 64);
	ck_assert_str_eq(sessions_find(sessions, first, 30), "hb_one");
	ck_assert_str_eq(sessions_find(sessions, second, 30), "hb_two");
	memcpy(wrong, first, sizeof(wrong));
	wrong[63] = wrong[63] == '0' ? '1' : '0';
	ck_assert_ptr_null(sessions_find(sessions, wrong, 30));
	ck_assert_ptr_null(sessions_find(sessions, "", 30));
	ck_assert_ptr_null(sessions_find(sessions, "hb_one", 30));
	ck_assert_ptr_nonnull(sessions_find(sessions, first, 9 + life_ns));
	ck_assert_ptr_null(sessions_find(sessions, first, 10 + life_ns));
	ck_assert_ptr_nonnull(sessions_find(sessions, second, 10 + life_ns));
	sessions_remove(sessions, second);
	ck_assert_ptr_null(sessions_find(sessions, second, 30));
	sessions_free(sessions);
}
END_TEST

START_TEST(sessions_are_bounded)
{
	struct sessions *sessions = sessions_new();
	char first[SESSION_NAME_SIZE], name[SESSION_NAME_SIZE], longer[200];
	struct error error = {0};
	ck_assert_int_eq(sessions_add(sessions, "hb_first", 0, first, &error), 0);
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		ck_assert_int_eq(sessions_add(sessions, "hb", 0, name, &error), 0);
	ck_assert_uint_eq(sessions_count(sessions, 1), SESSIONS_MAX);
	ck_assert_ptr_null(sessions_find(sessions, first, 1));
	ck_assert_ptr_nonnull(sessions_find(sessions, name, 1));
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_int_lt(sessions_add(sessions, longer, 1, name, &error), 0);
	sessions_free(sessions);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("api_description");
	TCase *tests = tcase_create("description");
	tcase_set_timeout(tests, 60); /* a loaded machine takes its time */
	tcase_add_test(tests, every_route_is_described);
	tcase_add_test(tests, everything_described_is_a_route);
	tcase_add_test(tests, references_and_parameters_are_whole);
	tcase_add_test(tests, metrics_are_escaped_and_named);
	tcase_add_test(tests, every_metric_has_its_help_and_type_once);
	tcase_add_test(tests, sessions_live_and_end);
	tcase_add_test(tests, sessions_are_bounded);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
