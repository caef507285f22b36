/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon that ends while the end of an upload is waited for. What is left behind shows the sanitizer for leaks. */
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

static int put_nothing(void)
{
	static const char request[] = "PUT /api/v1/blobs/" EMPTY_SHA " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(to.sun_path, address, strlen(address));
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_int_eq(write(fd, request, sizeof(request) - 1), (int)sizeof(request) - 1);
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
	int client = put_nothing();
	handle(&bed);
	if (_i == 1) /* the client goes first */
		(void)close(client);
	http_server_free(bed.server);
	api_free(bed.api);
	lab_free(bed.lab);
	book_close(bed.book);
	sd_event_unref(bed.event);
	if (_i == 0)
		(void)close(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("uploads");
	TCase *cases = tcase_create("uploads");
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_loop_test(cases, ends_beside_an_upload, 0, 2);
	tcase_set_timeout(cases, 60);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_NOFORK); /* what a test that was forked leaves behind is not looked at */
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
