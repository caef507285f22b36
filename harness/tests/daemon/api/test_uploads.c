/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon that ends while the end of an upload is waited for (what is left behind shows the sanitizer for leaks), and private keys. */
#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../../daemon/api/api_private.h"

#define EMPTY_SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static char folder[64], state[80], address[100], program[] = "/bin/false";

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	return remove(path);
}

static void setup(void)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/hilbench-uploads-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(state, sizeof(state), "%s/state", folder);
	(void)snprintf(address, sizeof(address), "%s/socket", folder);
}

static void teardown(void)
{
	ck_assert_int_eq(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

struct bed {
	sd_event *event;
	struct book *book;
	struct lab *lab;
	struct api *api;
	struct http_server *server;
};

static void open_it(struct bed *bed)
{
	static const struct lab_config config = {.daemon_program = program, .bench_program = program, .queue_limit = 10};
	static const struct api_options options = {.upload_limit = 1024, .state_directory = state};
	const struct http_listen listen = {.socket_fd = -1, .tcp_fd = -1, .socket_path = address};
	struct error error = {0};
	size_t count;
	ck_assert_int_ge(sd_event_new(&bed->event), 0);
	ck_assert_msg(book_open(&bed->book, state, &error) == 0, "%s", error.message);
	ck_assert_msg(lab_new(&bed->lab, bed->event, bed->book, &config, &error) == 0, "%s", error.message);
	ck_assert_msg(api_new(&bed->api, bed->event, bed->book, bed->lab, &options, &error) == 0, "%s", error.message);
	const struct http_route *routes = api_routes(&count);
	ck_assert_msg(http_server_new(&bed->server, bed->event, &listen, routes, count, api_token, bed->api, &error) == 0, "%s",
	              error.message);
}

static void close_it(struct bed *bed)
{
	http_server_free(bed->server);
	api_free(bed->api);
	lab_free(bed->lab);
	book_close(bed->book);
	sd_event_unref(bed->event);
}

static int put(const void *body, size_t length)
{
	char request[1400];
	int head = snprintf(request, sizeof(request),
	                    "PUT /api/v1/blobs/" EMPTY_SHA " HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", length);
	ck_assert_uint_le((size_t)head + length, sizeof(request));
	if (length > 0)
		memcpy(request + head, body, length);
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(to.sun_path, address, strlen(address));
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_int_eq(write(fd, request, (size_t)head + length), head + (int)length);
	return fd;
}

/* One source at a time: when the request was handled, its end is not heard of yet, however soon it comes. */
static void handle(struct bed *bed)
{
	while (LIST_EMPTY(&bed->api->uploads))
		ck_assert_int_gt(sd_event_run(bed->event, 20000000), 0);
}

START_TEST(ends_beside_an_upload)
{
	struct bed bed = {0};
	open_it(&bed);
	int client = put(NULL, 0);
	handle(&bed);
	if (_i == 1) /* the client goes first */
		(void)close(client);
	close_it(&bed);
	if (_i == 0)
		(void)close(client);
}
END_TEST

/* The beginning of the answer; 0: the deadline has passed. */
static size_t answer(struct bed *bed, int client, char *ret, size_t size)
{
	ssize_t n = -1;
	for (unsigned turns = 0; n <= 0 && turns < 6000; turns++) {
		ck_assert_int_ge(sd_event_run(bed->event, 10000), 0);
		n = recv(client, ret, size - 1, MSG_DONTWAIT);
	}
	ret[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static unsigned file_count;

static int count_file(const char *path, const struct stat *status, int type, struct FTW *place)
{
	file_count += type == FTW_F && strstr(path, "/blobs/") != NULL;
	return 0;
}

/* ret: what lies in the state's directory as a file of a job, whole or not. */
static unsigned blobs(void)
{
	file_count = 0;
	ck_assert_int_eq(nftw(state, count_file, 16, FTW_PHYS), 0);
	return file_count;
}

/* In the middle of the body, at its end, in DER; and what is none gets as far as its digest, which is another one. */
START_TEST(private_keys_are_refused)
{
	static const char text[] = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE=";
	static const char der[48] = {0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20, 7, 7};
	static const char *const words[] = {"holds a private key", "holds a private key", "holds a private key",
	                                    "the SHA-256 of the bytes is"};
	char body[1000], said[1000];
	struct bed bed = {0};
	size_t length = sizeof(body);
	memset(body, 'x', sizeof(body));
	if (_i == 0)
		memcpy(body + 500, text, strlen(text));
	else if (_i == 1)
		memcpy(body + sizeof(body) - strlen(text), text, strlen(text));
	else
		memcpy(body, _i == 2 ? der : text, length = _i == 2 ? sizeof(der) : 36);
	open_it(&bed);
	int client = put(body, length);
	ck_assert_uint_gt(answer(&bed, client, said, sizeof(said)), 0);
	ck_assert_msg(strstr(said, "HTTP/1.1 400 ") == said && strstr(said, words[_i]), "%s", said);
	close_it(&bed);
	ck_assert_uint_eq(blobs(), 0);
	(void)close(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("uploads");
	TCase *cases = tcase_create("uploads");
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_loop_test(cases, ends_beside_an_upload, 0, 2);
	tcase_add_loop_test(cases, private_keys_are_refused, 0, 4);
	tcase_set_timeout(cases, 60);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_NOFORK); /* what a test that was forked leaves behind is not looked at */
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
