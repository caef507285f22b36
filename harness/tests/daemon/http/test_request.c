/* SPDX-License-Identifier: Apache-2.0 */
/* What well-behaved clients do, mostly by libcurl. */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "http_fixture.h"

#define END "Host: localhost\r\nConnection: close\r\n\r\n"

struct received {
	char body[20000], headers[4000];
	size_t length, header_length;
	long status;
};

static size_t on_data(char *data, size_t one, size_t count, void *context)
{
	struct received *received = context;

	if (received->length + count < sizeof(received->body)) {
		memcpy(received->body + received->length, data, count);
		received->length += count;
	}
	return count;
}

static size_t on_header(char *data, size_t one, size_t count, void *context)
{
	struct received *received = context;

	if (received->header_length + count < sizeof(received->headers)) {
		memcpy(received->headers + received->header_length, data, count);
		received->header_length += count;
	}
	return count;
}

static void perform(CURL *curl, const char *path, struct received *ret)
{
	char url[256], error[CURL_ERROR_SIZE] = "";

	memset(ret, 0, sizeof(*ret));
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", serve_port, path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, ret);
	ck_assert_msg(curl_easy_perform(curl) == CURLE_OK, "%s: %s", path, error);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret->status);
}

static struct received get(const char *path)
{
	CURL *curl = curl_easy_init();
	struct received received;

	perform(curl, path, &received);
	curl_easy_cleanup(curl);
	return received;
}

START_TEST(parameters_and_queries)
{
	struct received got;

	serve_default();
	got = get("/api/v1/items/17?limit=5");
	ck_assert_int_eq(got.status, 200);
	ck_assert_str_eq(got.body, "{\"id\":17,\"limit\":5}");
	ck_assert_str_eq(get("/api/v1/items/17").body, "{\"id\":17,\"limit\":100}");
	ck_assert_int_eq(get("/api/v1/items/0").status, 404);
	ck_assert_int_eq(get("/api/v1/items/x").status, 404);
	ck_assert_int_eq(get("/api/v1/items/99999999999999999999").status, 404);
	ck_assert_int_eq(get("/api/v1/items/1?limit=0").status, 400);
	ck_assert_int_eq(get("/api/v1/items/1?limit=1001").status, 400);
	ck_assert_int_eq(get("/api/v1/items/1?limit=").status, 400);
	ck_assert_int_eq(get("/api/v1/items/1?limit=+5").status, 400);
	ck_assert_str_eq(get("/api/v1/files/a%20b/c?q=%C3%A4+b").body, "{\"path\":\"a b/c\",\"q\":\"\xc3\xa4 b\"}");
	ck_assert_int_eq(get("/api/v1/nowhere").status, 404);
	serve_end();
}
END_TEST

START_TEST(every_answer_has_the_headers)
{
	static const char *const paths[] = {"/api/v1/hello", "/nowhere", "/api/v1/file", "/", "/api/v1/lines", "/healthz", "/api/v1/keep"};
	static const char *const wanted[] = {"X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer",
	                                     "Cross-Origin-Resource-Policy: same-origin", "frame-ancestors 'none'",
	                                     "X-Frame-Options: DENY"};

	serve_default();
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct received got = get(paths[i]);

		for (size_t k = 0; k < sizeof(wanted) / sizeof(wanted[0]); k++)
			ck_assert_msg(strstr(got.headers, wanted[k]), "%s lacks %s:\n%s", paths[i], wanted[k], got.headers);
		ck_assert_ptr_null(strstr(got.headers, "Access-Control"));
	}
	ck_assert_ptr_nonnull(strstr(get("/api/v1/file").headers,
	                             "Content-Security-Policy: sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; "
	                             "script-src 'unsafe-inline'; img-src data:;"));
	ck_assert_ptr_nonnull(strstr(get("/api/v1/file?text").headers, "Content-Security-Policy: sandbox; default-src 'none'"));
	ck_assert_ptr_nonnull(strstr(get("/api/v1/hello").headers, "Cache-Control: no-store"));
	serve_end();
}
END_TEST

START_TEST(files_in_parts)
{
	CURL *curl = curl_easy_init();
	struct curl_slist *headers;
	struct received got;

	serve_default();
	perform(curl, "/api/v1/file", &got);
	ck_assert_int_eq(got.status, 200);
	ck_assert_uint_eq(got.length, 10000);
	ck_assert_ptr_nonnull(strstr(got.headers, "ETag: \"tag\""));
	curl_easy_setopt(curl, CURLOPT_RANGE, "20-39");
	perform(curl, "/api/v1/file", &got);
	ck_assert_int_eq(got.status, 206);
	ck_assert_str_eq(got.body, "000000002\n000000003\n");
	ck_assert_ptr_nonnull(strstr(got.headers, "Content-Range: bytes 20-39/10000"));
	curl_easy_setopt(curl, CURLOPT_RANGE, "-5");
	perform(curl, "/api/v1/file", &got);
	ck_assert_str_eq(got.body, "0999\n");
	curl_easy_setopt(curl, CURLOPT_RANGE, "10000-");
	perform(curl, "/api/v1/file", &got);
	ck_assert_int_eq(got.status, 416);
	ck_assert_ptr_nonnull(strstr(got.headers, "Content-Range: bytes */10000"));
	ck_assert_ptr_nonnull(strstr(got.headers, "Content-Type: application/json"));
	ck_assert_ptr_nonnull(strstr(got.body, "\"code\":\"range_not_satisfiable\""));
	headers = curl_slist_append(NULL, "If-Range: \"other\"");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_RANGE, "20-39");
	perform(curl, "/api/v1/file", &got);
	ck_assert_int_eq(got.status, 200);
	curl_slist_free_all(headers);
	headers = curl_slist_append(NULL, "If-None-Match: \"x\", W/\"tag\"");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_RANGE, NULL);
	perform(curl, "/api/v1/file", &got);
	ck_assert_int_eq(got.status, 304);
	ck_assert_uint_eq(got.length, 0);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	ck_assert_ptr_nonnull(strstr(get("/api/v1/file?download=1").headers, "Content-Disposition: attachment; filename=\"1\""));
	/* A name cannot end the header. */
	ck_assert_ptr_nonnull(strstr(get("/api/v1/file?download=a%22%0d%0aX:%20%C3%A4").headers,
	                             "filename=\"a___X____\"; filename*=UTF-8''a%22%0D%0AX%3A%20%C3%A4\r\n"));
	serve_end();
}
END_TEST

START_TEST(pages_are_known_again)
{
	char request[256], tag[64];
	const char *got;

	serve_default();
	got = ask("GET /api/v1/page HTTP/1.1\r\n" END);
	ck_assert_int_eq(status_of(got), 200);
	ck_assert_ptr_nonnull(strstr(got, "Cache-Control: no-cache"));
	ck_assert_int_eq(sscanf(strstr(got, "ETag: "), "ETag: %63s", tag), 1);
	(void)snprintf(request, sizeof(request), "GET /api/v1/page HTTP/1.1\r\nIf-None-Match: %s\r\n" END, tag);
	ck_assert_int_eq(status_of(ask(request)), 304);
	ck_assert_ptr_nonnull(strstr(ask("GET /api/v1/page?v=1 HTTP/1.1\r\n" END), "immutable"));
	serve_end();
}
END_TEST

START_TEST(head_has_no_body)
{
	const char *got;

	serve_default();
	got = ask("HEAD /api/v1/file HTTP/1.1\r\n" END);
	ck_assert_int_eq(status_of(got), 200);
	ck_assert_ptr_nonnull(strstr(got, "Content-Length: 10000"));
	ck_assert_str_eq(strstr(got, "\r\n\r\n"), "\r\n\r\n");
	got = ask("HEAD /api/v1/lines?count=3 HTTP/1.1\r\n" END);
	ck_assert_int_eq(status_of(got), 200);
	ck_assert_str_eq(strstr(got, "\r\n\r\n"), "\r\n\r\n");
	ck_assert(wait_for(&seen.closed, 1, 20000));
	serve_end();
}
END_TEST

START_TEST(other_methods_are_told)
{
	const char *got;

	serve_default();
	got = ask("PUT /api/v1/items/1 HTTP/1.1\r\n" END);
	assert_error(got, 405, "method_not_allowed");
	ck_assert_ptr_nonnull(strstr(got, "Allow: GET, HEAD, DELETE"));
	assert_error(ask("OPTIONS /api/v1/hello HTTP/1.1\r\n" END), 405, "method_not_allowed");
	assert_error(ask("TRACE /api/v1/hello HTTP/1.1\r\n" END), 405, "method_not_allowed");
	ck_assert_int_eq(status_of(ask("CONNECT example.com:443 HTTP/1.1\r\n" END)), 400);
	serve_end();
}
END_TEST

static const char *post_json(const char *body, const char *type)
{
	char request[8192];

	(void)snprintf(request, sizeof(request), "POST /api/v1/json HTTP/1.1\r\nContent-Type: %s\r\nContent-Length: %zu\r\n" END "%s", type,
	               strlen(body), body);
	return ask(request);
}

START_TEST(json_bodies)
{
	static const char type[] = "application/json";
	char deep[3000];
	const char *got;

	serve_default();
	got = post_json("{\"a\": [1, \"\xc3\xa4\"]}", type);
	ck_assert_int_eq(status_of(got), 201);
	ck_assert_ptr_nonnull(strstr(got, "\r\n\r\n{\"a\":[1,\"\xc3\xa4\"]}"));
	ck_assert_int_eq(status_of(post_json("{}", "Application/JSON; charset=utf-8")), 201);
	ck_assert_int_eq(status_of(ask("POST /api/v1/json HTTP/1.1\r\nContent-Length: 0\r\n" END)), 201);
	assert_error(post_json("{}", "text/plain"), 415, "unsupported_media_type");
	assert_error(post_json("{}", "application/jsonx"), 415, "unsupported_media_type");
	assert_error(post_json("[1]", type), 400, "bad_request");
	assert_error(post_json("{\"a\":1,\"a\":2}", type), 400, "bad_request");
	assert_error(post_json("{\"a\":\"\\u0000\"}", type), 400, "bad_request");
	assert_error(post_json("{\"a\":\"\xff\"}", type), 400, "bad_request");
	assert_error(post_json("{} x", type), 400, "bad_request");
	got = post_json("{\n  \"a\": x}", type);
	assert_error(got, 400, "bad_request");
	ck_assert_msg(strstr(got, "\"place\":{\"file\":\"body\",\"line\":2,\"column\":"), "%s", got);
	memset(deep, '[', sizeof(deep));
	memcpy(deep, "{\"a\":", 5);
	deep[sizeof(deep) - 1] = '\0';
	assert_error(post_json(deep, type), 400, "bad_request");
	serve_end();
}
END_TEST

START_TEST(failures_have_their_code_and_place)
{
	static const struct {
		int code, status;
		const char *name;
	} cases[] = {{EINVAL, 400, "bad_request"},    {ENOENT, 404, "not_found"},
	             {EBUSY, 409, "conflict"},        {ESTALE, 410, "gone"},
	             {EIO, 500, "internal"},          {ENOSPC, 507, "no_space"},
	             {EHOSTDOWN, 422, "rig_refused"}, {ESHUTDOWN, 503, "shutting_down"},
	             {EPERM, 403, "forbidden"}};
	char request[200];

	serve_default();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got;

		(void)snprintf(request, sizeof(request), "GET /api/v1/failure?code=%d HTTP/1.1\r\n" END, cases[i].code);
		got = ask(request);
		assert_error(got, cases[i].status, cases[i].name);
		/* The byte that is no UTF-8 does not cost the message. */
		ck_assert_ptr_nonnull(strstr(got, "\"message\":\"bad ?\",\"place\":{\"file\":\"a.yaml\",\"line\":3,\"column\":9}"));
	}
	serve_end();
}
END_TEST

START_TEST(answers_that_come_later)
{
	int fd, gone;

	serve_default();
	ck_assert_str_eq(get("/api/v1/keep?ms=30").body, "{\"later\":true}");
	/* Longer than any timeout: who waits for the server is not cut off. */
	ck_assert_str_eq(get("/api/v1/keep?ms=2500").body, "{\"later\":true}");
	/* The client goes; its handler answers all the same. */
	gone = dial();
	put(gone, "GET /api/v1/keep?ms=300 HTTP/1.1\r\n" END);
	ck_assert(wait_for(&seen.kept, 3, 20000));
	close(gone);
	usleep(400000);
	/* The server ends while one waits. */
	fd = dial();
	put(fd, "GET /api/v1/keep?ms=0 HTTP/1.1\r\n" END);
	ck_assert_int_eq(status_of(take_answer(fd)), 200);
	close(fd);
	serve_end();
}
END_TEST

START_TEST(several_requests_on_one_connection)
{
	int fd;
	const char *got;
	struct serve_options options = {.what = SERVE_LOCAL | SERVE_TCP, .loopback_role = ROLE_VIEWER, .limits = short_limits()};

	options.limits.idle_s = 8;
	serve(&options);
	fd = dial();
	for (int i = 0; i < 3; i++) {
		put(fd, "GET /api/v1/hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
		ck_assert_int_eq(status_of(take_answer(fd)), 200);
		/* Longer than a request may be silent, shorter than a connection may be idle. */
		if (i == 1)
			usleep(1300000);
	}
	ck_assert(is_closed_within(fd, 20000));
	close(fd);
	/* Pipelined, with a refusal and a later answer between them. */
	got = ask("GET /api/v1/items/1 HTTP/1.1\r\nHost: localhost\r\n\r\nGET /api/v1/keep HTTP/1.1\r\nHost: localhost\r\n\r\n"
	          "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\nGET /api/v1/items/2 HTTP/1.1\r\n" END);
	ck_assert_ptr_nonnull(strstr(got, "{\"id\":1,"));
	got = strstr(got, "{\"later\":true}");
	ck_assert_ptr_nonnull(got);
	got = strstr(got, "404 Not Found");
	ck_assert_ptr_nonnull(got);
	ck_assert_ptr_nonnull(strstr(got, "{\"id\":2,"));
	serve_end();
}
END_TEST

START_TEST(old_clients)
{
	const char *got;

	serve_default();
	got = ask("GET /api/v1/hello HTTP/1.0\r\nHost: localhost\r\n\r\n");
	ck_assert_ptr_nonnull(strstr(got, "{\"hello\""));
	got = ask("GET /api/v1/hello HTTP/1.0\r\n\r\n");
	ck_assert_ptr_nonnull(strstr(got, "{\"hello\""));
	/* A stream without chunks ends with its connection. */
	got = ask("GET /api/v1/lines?count=2 HTTP/1.0\r\nHost: localhost\r\n\r\n");
	ck_assert_ptr_null(strstr(got, "chunked"));
	ck_assert_ptr_nonnull(strstr(got, "\r\n\r\ndata: line 0 "));
	serve_end();
}
END_TEST

static size_t upload_read(char *buffer, size_t one, size_t count, void *context)
{
	size_t *left = context, now = count < *left ? count : *left;

	memset(buffer, 'x', now);
	*left -= now;
	return now;
}

START_TEST(uploads_come_in_pieces)
{
	CURL *curl = curl_easy_init();
	struct received got;
	size_t left = 8 << 20;

	serve_default();
	curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, upload_read);
	curl_easy_setopt(curl, CURLOPT_READDATA, &left);
	curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)left);
	perform(curl, "/api/v1/upload", &got);
	ck_assert_int_eq(got.status, 201);
	ck_assert_int_eq(seen.uploaded, 8 << 20);
	left = 1 << 20;
	curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)-1); /* chunked */
	perform(curl, "/api/v1/upload", &got);
	ck_assert_int_eq(got.status, 201);
	ck_assert_int_eq(seen.uploaded, 9 << 20);
	curl_easy_cleanup(curl);
	ck_assert_int_eq(seen.began, 2);
	ck_assert_int_eq(seen.finished, 2);
	serve_end();
	ck_assert_int_eq(seen.dropped, 0);
}
END_TEST

void add_request_tests(Suite *suite)
{
	TCase *tests = tcase_create("request");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, parameters_and_queries);
	tcase_add_test(tests, every_answer_has_the_headers);
	tcase_add_test(tests, files_in_parts);
	tcase_add_test(tests, pages_are_known_again);
	tcase_add_test(tests, head_has_no_body);
	tcase_add_test(tests, other_methods_are_told);
	tcase_add_test(tests, json_bodies);
	tcase_add_test(tests, failures_have_their_code_and_place);
	tcase_add_test(tests, answers_that_come_later);
	tcase_add_test(tests, several_requests_on_one_connection);
	tcase_add_test(tests, old_clients);
	tcase_add_test(tests, uploads_come_in_pieces);
	suite_add_tcase(suite, tests);
}
