/* SPDX-License-Identifier: Apache-2.0 */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "http_fixture.h"

static char body[20000];
static size_t length;

static size_t on_data(char *data, size_t one, size_t count, void *context)
{
	if (length + count < sizeof(body))
		memcpy(body + length, data, count);
	length += count;
	body[length < sizeof(body) ? length : sizeof(body) - 1] = '\0';
	return count;
}

static size_t on_upload(char *buffer, size_t one, size_t count, void *context)
{
	size_t *left = context, now = count < *left ? count : *left;

	memset(buffer, ' ', now);
	*left -= now;
	return now;
}

/* The status; 0: nothing came. */
static long request(CURL *curl, const char *path)
{
	char url[200], certificate[128];
	long status = 0;

	(void)snprintf(url, sizeof(url), "https://localhost:%u%s", serve_port, path);
	(void)snprintf(certificate, sizeof(certificate), "%s/certificate.pem", serve_directory);
	length = 0;
	body[0] = '\0';
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_CAINFO, certificate);
	curl_easy_setopt(curl, CURLOPT_IPRESOLVE, CURL_IPRESOLVE_V4);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	if (curl_easy_perform(curl) != CURLE_OK)
		return 0;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static void serve_tls(void)
{
	struct serve_options options = {.what = SERVE_TLS | SERVE_LOCAL, .loopback_role = ROLE_VIEWER, .limits = short_limits()};

	serve(&options);
}

START_TEST(the_same_over_tls)
{
	CURL *curl = curl_easy_init();
	size_t left = 3 << 20;

	serve_tls();
	ck_assert_int_eq(request(curl, "/api/v1/hello"), 200);
	ck_assert_ptr_nonnull(strstr(body, "\"user\":\"loopback\""));
	ck_assert_int_eq(request(curl, "/api/v1/file"), 200);
	ck_assert_uint_eq(length, 10000);
	ck_assert_int_eq(request(curl, "/api/v1/keep?ms=50"), 200);
	ck_assert_int_eq(request(curl, "/api/v1/lines?count=1000"), 200);
	ck_assert_ptr_nonnull(strstr(body, "data: line 99 "));
	ck_assert_int_eq(request(curl, "/nowhere"), 404);
	curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_upload);
	curl_easy_setopt(curl, CURLOPT_READDATA, &left);
	curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)left);
	ck_assert_int_eq(request(curl, "/api/v1/upload"), 201);
	ck_assert_int_eq(seen.uploaded, 3 << 20);
	curl_easy_cleanup(curl);
	serve_end();
}
END_TEST

START_TEST(a_refused_upload_over_tls)
{
	CURL *curl = curl_easy_init();
	struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
	size_t left = 100000;

	serve_tls();
	headers = curl_slist_append(headers, "Transfer-Encoding: chunked");
	curl_easy_setopt(curl, CURLOPT_POST, 1L);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_upload);
	curl_easy_setopt(curl, CURLOPT_READDATA, &left);
	ck_assert_int_eq(request(curl, "/api/v1/json"), 413);
	ck_assert_ptr_nonnull(strstr(body, "too_large"));
	/* More than is worth reading: the connection ends. */
	left = 20 << 20;
	(void)request(curl, "/api/v1/json");
	ck_assert_uint_gt(left, 10 << 20);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	serve_end();
}
END_TEST

START_TEST(no_plain_text_and_no_old_versions)
{
	CURL *curl = curl_easy_init();
	int fd;

	serve_tls();
	ck_assert_int_ne(status_of(ask("GET /api/v1/hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")), 200);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_0 | CURL_SSLVERSION_MAX_TLSv1_1);
	curl_easy_setopt(curl, CURLOPT_SSL_CIPHER_LIST, "DEFAULT@SECLEVEL=0");
	ck_assert_int_eq(request(curl, "/api/v1/hello"), 0);
	curl_easy_reset(curl);
	ck_assert_int_eq(request(curl, "/api/v1/hello"), 200);
	/* A handshake that never ends does. */
	fd = dial();
	put(fd, "\x16\x03\x01");
	ck_assert(is_closed_within(fd, 20000));
	close(fd);
	curl_easy_cleanup(curl);
	serve_end();
}
END_TEST

START_TEST(streams_over_tls_end)
{
	CURL *curl = curl_easy_init();

	serve_tls();
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 500L);
	(void)request(curl, "/healthz");
	curl_easy_cleanup(curl);
	curl = curl_easy_init();
	/* The client leaves while the stream is silent. */
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 10L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 1L);
	ck_assert_int_eq(request(curl, "/api/v1/lines?count=1&period=100000&text=1"), 0);
	curl_easy_cleanup(curl);
	ck_assert(wait_for(&seen.closed, 1, 20000));
	serve_end();
	ck_assert_int_eq(seen.closed, 1);
}
END_TEST

void add_tls_tests(Suite *suite)
{
	TCase *tests = tcase_create("tls");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, the_same_over_tls);
	tcase_add_test(tests, a_refused_upload_over_tls);
	tcase_add_test(tests, no_plain_text_and_no_old_versions);
	tcase_add_test(tests, streams_over_tls_end);
	suite_add_tcase(suite, tests);
}
