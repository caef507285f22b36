/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "http_fixture.h"

static char directory[] = "/tmp/http-socket.XXXXXX", path[64];

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/s", directory);
}

static void teardown(void)
{
	(void)unlink(path);
	ck_assert_int_eq(rmdir(directory), 0);
}

START_TEST(a_socket_is_made_and_removed)
{
	struct http_socket made = {.fd = -1}, second = {.fd = -1};
	struct stat status;
	struct error err = {0};
	mode_t old = umask(0);

	ck_assert_int_eq(http_socket_unix(&made, path, &err), 0);
	(void)umask(old);
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_int_eq(status.st_mode & 0777, 0660);
	/* Served: refused, and left alone. */
	ck_assert_int_eq(http_socket_unix(&second, path, &err), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err.message, "another program"));
	http_socket_close(&made);
	ck_assert_int_eq(access(path, F_OK), -1);
	http_socket_close(&made); /* again: nothing */
}
END_TEST

START_TEST(a_stale_socket_is_replaced)
{
	struct http_socket made = {.fd = -1}, second = {.fd = -1};
	int fd;

	ck_assert_int_eq(http_socket_unix(&made, path, NULL), 0);
	close(made.fd); /* as kill -9 would */
	made.fd = open("/dev/null", O_RDONLY);
	ck_assert_int_eq(http_socket_unix(&second, path, NULL), 0);
	/* The first one's end does not take the second's path. */
	http_socket_close(&made);
	ck_assert_int_eq(access(path, F_OK), 0);
	http_socket_close(&second);
	ck_assert_int_eq(access(path, F_OK), -1);
	/* What is no socket is nobody's to replace. */
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	ck_assert_int_eq(http_socket_unix(&second, path, NULL), -EEXIST);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(bad_paths_are_told)
{
	struct http_socket made = {.fd = -1};
	struct error err = {0};
	char longer[200];

	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_int_eq(http_socket_unix(&made, longer, &err), -ENAMETOOLONG);
	ck_assert_int_eq(http_socket_unix(&made, "/nonexistent/x/socket", &err), -ENOENT);
	ck_assert_int_eq(made.fd, -1);
}
END_TEST

START_TEST(only_loopback_without_tls)
{
	static const struct {
		const char *address;
		bool tls;
		int r;
	} cases[] = {{"127.0.0.1:0", false, 0},
	             {"127.9.9.9:0", false, 0},
	             {"[::1]:0", false, 0},
	             {"0.0.0.0:0", false, -EPERM},
	             {"[::]:0", false, -EPERM},
	             {"192.0.2.1:80", false, -EPERM},
	             {"0.0.0.0:0", true, 0},
	             {"localhost:80", false, -EINVAL},
	             {"127.0.0.1", false, -EINVAL},
	             {"127.0.0.1:", false, -EINVAL},
	             {":80", false, -EINVAL},
	             {"::1:80", false, -EINVAL},
	             {"127.0.0.1:http", false, -EINVAL},
	             {"", false, -EINVAL}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_socket made = {.fd = -1};
		struct error err = {0};
		int r = http_socket_tcp(&made, cases[i].address, cases[i].tls, &err);

		if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL)
			continue; /* no IPv6 here */
		ck_assert_msg(r == cases[i].r, "%s: %d %s", cases[i].address, r, err.message);
		http_socket_close(&made);
	}
}
END_TEST

START_TEST(sockets_that_are_handed_over)
{
	struct http_socket made = {.fd = -1};
	struct sockaddr_in any = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(http_socket_given(&made, fd, false, false, NULL), -EINVAL); /* does not listen */
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(http_socket_given(&made, dup(fd), true, false, NULL), -EINVAL); /* of another family */
	ck_assert_int_eq(http_socket_given(&made, dup(fd), false, false, NULL), -EPERM);
	ck_assert_int_eq(http_socket_given(&made, fd, false, true, NULL), 0);
	ck_assert_uint_ne(http_socket_port(made.fd), 0);
	http_socket_close(&made);
	ck_assert_int_eq(http_socket_given(&made, 12345, false, false, NULL), -EINVAL);
}
END_TEST

START_TEST(a_server_on_handed_over_sockets)
{
	struct http_listen listening = {.socket_fd = -1, .tcp_fd = -1, .address = "127.0.0.1:1"};
	struct http_socket made = {.fd = -1};
	struct http_server *server;
	struct error err = {0};
	sd_event *event;

	ck_assert_int_ge(sd_event_new(&event), 0);
	ck_assert_int_eq(http_socket_unix(&made, path, NULL), 0);
	listening.socket_fd = dup(made.fd);
	listening.address = NULL;
	ck_assert_int_eq(http_server_new(&server, event, &listening, NULL, 0, NULL, NULL, &err), 0);
	http_server_free(server);
	/* Not made here, so not removed here. */
	ck_assert_int_eq(access(path, F_OK), 0);
	listening.socket_fd = -1;
	ck_assert_int_eq(http_server_new(&server, event, &listening, NULL, 0, NULL, NULL, &err), -EINVAL);
	listening.address = "0.0.0.0:0";
	ck_assert_int_eq(http_server_new(&server, event, &listening, NULL, 0, NULL, NULL, &err), -EPERM);
	listening.certificate = path;
	ck_assert_int_eq(http_server_new(&server, event, &listening, NULL, 0, NULL, NULL, &err), -EINVAL);
	listening.key = "/nonexistent";
	ck_assert_int_lt(http_server_new(&server, event, &listening, NULL, 0, NULL, NULL, &err), 0);
	/* PEM files that are none. */
	listening.certificate = listening.key = "/proc/self/exe";
	ck_assert_int_lt(http_server_new(&server, event, &listening, NULL, 0, NULL, NULL, &err), 0);
	ck_assert_uint_gt(strlen(err.message), 10);
	http_socket_close(&made);
	sd_event_unref(event);
}
END_TEST

void add_socket_tests(Suite *suite)
{
	TCase *tests = tcase_create("socket");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_socket_is_made_and_removed);
	tcase_add_test(tests, a_stale_socket_is_replaced);
	tcase_add_test(tests, bad_paths_are_told);
	tcase_add_test(tests, only_loopback_without_tls);
	tcase_add_test(tests, sockets_that_are_handed_over);
	tcase_add_test(tests, a_server_on_handed_over_sockets);
	suite_add_tcase(suite, tests);
}
