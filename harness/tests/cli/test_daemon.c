/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands of the lab do by themselves: where the daemon is, names of files, streams that break. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../base/loop.h"
#include "../../cli/daemon_stream.h"
#include "../../cli/submit_files.h"

#define S_NS INT64_C(1000000000)

static char directory[] = "/tmp/hilbench-lab-XXXXXX";

static void set_up(void)
{
	memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
	(void)unsetenv("HILBENCH_URL");
	(void)unsetenv("HILBENCH_SOCKET");
	(void)unsetenv("HILBENCH_TOKEN");
	(void)unsetenv("HILBENCH_CA");
}

static void tear_down(void)
{
	static const char *const names[] = {"token", "in/b/two.yaml", "in/b/notes.txt", "in/one.yaml", "in/b", "in", "sock"};
	ck_assert_int_eq(chdir(directory), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		(void)remove(names[i]);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(rmdir(directory), 0);
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");
	ck_assert_ptr_nonnull(file);
	(void)fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(chmod(name, 0600), 0);
}

/* ---- where ---- */

static const struct {
	const char *url, *token, *base, *socket;
	int r;
} places[] = {
        {NULL, NULL, "http://localhost", DAEMON_SOCKET, 0},
        {"unix:/a/b", "x", "http://localhost", "/a/b", 0},
        {"unix:a", NULL, NULL, NULL, -EINVAL},
        {"http://127.0.0.1:8480", "x", "http://127.0.0.1:8480", NULL, 0},
        {"http://[::1]:8480/", "x", "http://[::1]:8480", NULL, 0},
        {"https://lab.example", "x", "https://lab.example:443", NULL, 0},
        {"http://lab.example:1", NULL, "http://lab.example:1", NULL, 0},
        {"http://lab.example:1", "x", NULL, NULL, -EINVAL}, /* a token in the clear */
        {"https://lab.example/jobs", NULL, NULL, NULL, -EINVAL},
        {"https://me:secret@lab.example", NULL, NULL, NULL, -EINVAL},
        {"https://lab.example?x=1", NULL, NULL, NULL, -EINVAL},
        {"ftp://lab.example", NULL, NULL, NULL, -EINVAL},
        {"https://lab.example", "two words", NULL, NULL, -EINVAL},
        {"https://lab.example", " ", NULL, NULL, -EINVAL},
};

START_TEST(where_it_is)
{
	const struct daemon_where where = {.url = places[_i].url};
	struct daemon_place place = {0};
	struct error error = {0};
	if (places[_i].token)
		ck_assert_int_eq(setenv("HILBENCH_TOKEN", places[_i].token, 1), 0);
	ck_assert_int_eq(daemon_place_find(&where, &place, &error), places[_i].r);
	ck_assert_ptr_null(strstr(error.message, "secret"));
	if (places[_i].base)
		ck_assert_str_eq(place.base, places[_i].base);
	ck_assert(places[_i].r < 0 || !places[_i].socket == !place.socket);
	if (places[_i].socket)
		ck_assert_str_eq(place.socket, places[_i].socket);
	daemon_place_clear(&place);
}
END_TEST

START_TEST(what_counts_first)
{
	const struct daemon_where nothing = {0}, url = {.url = "unix:/given", .token_file = "token"};
	struct daemon_place place = {0};
	struct error error = {0};
	write_file("token", "from-file\n");
	(void)setenv("HILBENCH_SOCKET", "/socket", 1);
	ck_assert_int_eq(daemon_place_find(&nothing, &place, &error), 0);
	ck_assert_str_eq(place.socket, "/socket");
	daemon_place_clear(&place);
	(void)setenv("HILBENCH_URL", "unix:/url", 1);
	(void)setenv("HILBENCH_TOKEN", "from-environment", 1);
	ck_assert_int_eq(daemon_place_find(&nothing, &place, &error), 0);
	ck_assert_str_eq(place.socket, "/url");
	ck_assert_str_eq(place.token, "from-environment");
	daemon_place_clear(&place);
	ck_assert_int_eq(daemon_place_find(&url, &place, &error), 0);
	ck_assert_str_eq(place.socket, "/given");
	ck_assert_str_eq(place.token, "from-file");
	daemon_place_clear(&place);
}
END_TEST

/* ---- files ---- */

static void make_files(void)
{
	ck_assert_int_eq(mkdir("in", 0700), 0);
	ck_assert_int_eq(mkdir("in/b", 0700), 0);
	write_file("in/one.yaml", "");
	write_file("in/b/two.yaml", "abc");
	write_file("in/b/notes.txt", "");
}

static const char *text_at(const json_t *list, size_t i)
{
	return json_string_value(json_array_get(list, i));
}

START_TEST(names_below_here)
{
	char *const paths[] = {(char *)"./in/", (char *)"in//b/../b/two.yaml"};
	struct submit_files files;
	struct error error = {0};
	make_files();
	ck_assert_int_eq(submit_files_collect(paths, 2, &files, &error), 0);
	ck_assert_uint_eq(files.count, 2); /* once, and no notes.txt */
	ck_assert_str_eq(files.files[0].name, "in/b/two.yaml");
	ck_assert_str_eq(files.files[1].name, "in/one.yaml");
	ck_assert_str_eq(files.files[0].sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	ck_assert_int_eq(files.base_told, 0);
	ck_assert_str_eq(text_at(files.paths, 0), "in");
	ck_assert_str_eq(text_at(files.paths, 1), "in/b/two.yaml");
	submit_files_clear(&files);
}
END_TEST

START_TEST(names_elsewhere)
{
	char *const paths[] = {(char *)".", (char *)"../one.yaml"}, *const here[] = {(char *)"."};
	struct submit_files files;
	struct error error = {0};
	make_files();
	ck_assert_int_eq(chdir("in/b"), 0);
	ck_assert_int_eq(submit_files_collect(paths, 2, &files, &error), 0);
	ck_assert_int_eq(files.base_told, 1);
	ck_assert_str_eq(files.files[0].name, "b/two.yaml");
	ck_assert_str_eq(files.files[1].name, "one.yaml");
	ck_assert_str_eq(text_at(files.paths, 0), "b");
	ck_assert_str_eq(text_at(files.paths, 1), "one.yaml");
	submit_files_clear(&files);
	/* The base has no name: its files have. */
	ck_assert_int_eq(submit_files_collect(here, 1, &files, &error), 0);
	ck_assert_uint_eq(json_array_size(files.paths), 1);
	ck_assert_str_eq(text_at(files.paths, 0), "two.yaml");
	submit_files_clear(&files);
}
END_TEST

/* ---- streams ---- */

/* Answers connections one after the other, byte by byte; what the last request said goes to the pipe. */
static pid_t serve(const char *const *answers, int pipe_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", directory);
	ck_assert_int_eq(bind(listening, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listening, 5), 0);
	pid_t pid = fork();
	if (pid != 0) {
		(void)close(listening);
		return pid;
	}
	for (; *answers; answers++) {
		char request[4096] = "";
		int fd = accept(listening, NULL, NULL);
		ssize_t n = read(fd, request, sizeof(request) - 1);
		if (n > 0 && !answers[1])
			(void)!write(pipe_fd, request, (size_t)n);
		for (const char *at = *answers; *at; at++)
			(void)!send(fd, at, 1, MSG_NOSIGNAL);
		(void)close(fd);
	}
	_exit(0);
}

struct heard {
	char text[400];
	unsigned ended;
	int refused;
};

static void on_event(const char *name, const char *data, size_t length, void *context)
{
	struct heard *heard = context;
	size_t used = strlen(heard->text);
	(void)snprintf(heard->text + used, sizeof(heard->text) - used, "[%s:%.*s]", name, (int)length, data);
}

static void on_text(const char *data, size_t length, void *context)
{
	struct heard *heard = context;
	size_t used = strlen(heard->text);
	(void)snprintf(heard->text + used, sizeof(heard->text) - used, "%.*s", (int)length, data);
}

static void on_end(void *context)
{
	((struct heard *)context)->ended++;
}

static void on_refused(int r, const struct error *error, void *context)
{
	((struct heard *)context)->refused = r;
}

/* Until so many connections ended, or the stream is refused; the last request. */
static void hear(const char *const *answers, const struct daemon_stream_calls *calls, unsigned count, struct heard *heard, char *request)
{
	char url[100];
	int fds[2];
	struct daemon_client *client;
	struct daemon_streams *streams;
	struct error error = {0};
	ck_assert_int_eq(pipe(fds), 0);
	pid_t pid = serve(answers, fds[1]);
	(void)snprintf(url, sizeof(url), "unix:%s/sock", directory);
	ck_assert_int_eq(daemon_client_new(&client, &(struct daemon_where){.url = url}, &error), 0);
	ck_assert_int_eq(daemon_streams_new(&streams, client, &error), 0);
	ck_assert_ptr_nonnull(daemon_stream_open(streams, "/x", calls, heard, &error));
	int64_t deadline_ns = loop_now_ns() + 50 * S_NS;
	while (heard->ended < count && !heard->refused)
		ck_assert_int_eq(daemon_streams_wait(streams, deadline_ns), 0);
	ssize_t n = read(fds[0], request, 4000);
	request[n > 0 ? n : 0] = '\0';
	daemon_streams_free(streams);
	daemon_client_free(client);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"

START_TEST(events_go_on_where_they_broke)
{
	static const char *const answers[] = {HEAD
	                                      ": hello\n\nid: 7-1\nevent: job\ndata: {\"a\":\ndata: 1}\n\nid: 7-2\nevent: job\ndata: half",
	                                      HEAD "id: 7-2\r\nevent: job\r\ndata: whole\r\n\r\n", NULL};
	static const struct daemon_stream_calls calls = {.event = on_event, .ended = on_end};
	struct heard heard = {0};
	char request[4096];
	hear(answers, &calls, 2, &heard, request);
	ck_assert_str_eq(heard.text, "[job:{\"a\":\n1}][job:whole]");
	/* The id of an event that is not whole is none yet. */
	ck_assert_ptr_nonnull(strstr(request, "Last-Event-ID: 7-1\r\n"));
}
END_TEST

START_TEST(texts_go_on_where_they_broke)
{
	static const char *const answers[] = {HEAD "one\ntw", HEAD "one\ntwo\n", HEAD "one\ntwo\nthree\n", NULL};
	static const struct daemon_stream_calls calls = {.text = on_text, .ended = on_end};
	struct heard heard = {0};
	char request[4096];
	hear(answers, &calls, 3, &heard, request);
	ck_assert_str_eq(heard.text, "one\ntwo\nthree\n");
}
END_TEST

START_TEST(a_refusal_is_the_last_word)
{
	static const char *const answers[] = {"HTTP/1.1 503 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
	                                      "HTTP/1.1 404 No\r\nConnection: close\r\n\r\n"
	                                      "{\"error\": {\"code\": \"not_found\", \"message\": \"there is no run\"}}",
	                                      NULL};
	static const struct daemon_stream_calls calls = {.text = on_text, .ended = on_end, .refused = on_refused};
	struct heard heard = {0};
	char request[4096];
	hear(answers, &calls, 5, &heard, request);
	ck_assert_uint_eq(heard.ended, 1); /* a daemon that is about to end is asked again */
	ck_assert_int_eq(heard.refused, -ENOENT);
	ck_assert_str_eq(heard.text, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("daemon's client");
	TCase *tcase = tcase_create("all");
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, where_it_is, 0, sizeof(places) / sizeof(*places));
	tcase_add_test(tcase, what_counts_first);
	tcase_add_test(tcase, names_below_here);
	tcase_add_test(tcase, names_elsewhere);
	tcase_add_test(tcase, events_go_on_where_they_broke);
	tcase_add_test(tcase, texts_go_on_where_they_broke);
	tcase_add_test(tcase, a_refusal_is_the_last_word);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
