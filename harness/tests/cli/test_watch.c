/* SPDX-License-Identifier: Apache-2.0 */
/* What of a rig's journal `hilbench rig watch` shows. The daemon is a stand-in that says what a test gives it. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../cli/command.h"
#include "../../cli/rig_watch.h"

#define RIG                                                                                                                                \
	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"                                                   \
	"{\"name\":\"v1\",\"lease\":{\"id\":7,\"kind\":\"job\",\"state\":\"active\",\"run\":3,\"holder\":\"job 2\"}}"
#define EVENTS                                                                                                                             \
	"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"                                                  \
	"id: 1-1\nevent: line\n"                                                                                                           \
	"data: {\"n\":1,\"t\":1,\"ch\":\"run\",\"kind\":\"run.begin\",\"data\":{\"boards\":{\"zgw\":{},\"vmg\":{}},\"cases\":[]}}\n"       \
	"data: {\"n\":2,\"t\":2,\"ch\":\"board:zgw\",\"kind\":\"power.on\"}\n"                                                             \
	"data: {\"n\":3,\"t\":3,\"ch\":\"board:vmg\",\"kind\":\"power.on\"}\n"                                                             \
	"data: {\"n\":4,\"t\":4,\"ch\":\"board:zgw\",\"kind\":\"boot.stage\",\"data\":{\"stage\":\"app\"}}\n\n"                            \
	"id: 1-2\nevent: end\ndata: {\"state\":\"done\",\"outcome\":\"passed\"}\n\n"

const struct backend backend = {0}; /* nothing is asked of it */

static char directory[] = "/tmp/hilbench-watch-XXXXXX";

static void set_up(void)
{
	memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void tear_down(void)
{
	char path[100];
	(void)snprintf(path, sizeof(path), "%s/sock", directory);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/out", directory);
	(void)unlink(path);
	ck_assert_int_eq(rmdir(directory), 0);
}

/* One connection an answer. */
static pid_t serve(const char *const *answers)
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
		char request[4096];
		int fd = accept(listening, NULL, NULL);
		(void)!read(fd, request, sizeof(request));
		(void)!send(fd, *answers, strlen(*answers), MSG_NOSIGNAL);
		(void)close(fd);
	}
	_exit(0);
}

/* The exit status; what was printed in `output`. */
static int watch(const struct trace_choice *choice, char output[4096])
{
	static const char *const answers[] = {RIG, EVENTS, NULL};
	char text[100];
	struct daemon_client *client;
	struct error error = {0};
	pid_t pid = serve(answers);
	(void)snprintf(text, sizeof(text), "unix:%s/sock", directory);
	ck_assert_int_eq(daemon_client_new(&client, &(struct daemon_where){.url = text}, &error), 0);
	(void)snprintf(text, sizeof(text), "%s/out", directory);
	int out = open(text, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), before = dup(STDOUT_FILENO);
	(void)fflush(stdout);
	ck_assert(out >= 0 && before >= 0 && dup2(out, STDOUT_FILENO) >= 0);
	int status = rig_watch(client, &(struct rig_watch){.rig = "v1", .json = true, .choice = *choice});
	(void)fflush(stdout);
	ck_assert_int_ge(dup2(before, STDOUT_FILENO), 0);
	ssize_t length = pread(out, output, 4095, 0);
	output[length > 0 ? length : 0] = '\0';
	(void)close(before);
	(void)close(out);
	daemon_client_free(client);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	return status;
}

static unsigned lines(const char *text)
{
	unsigned count = 0;
	for (; (text = strchr(text, '\n')); text++)
		count++;
	return count;
}

static int choose(struct trace_choice *choice, int option, const char *text)
{
	return trace_choice_take(choice, "rig", option, text);
}

START_TEST(everything_without_a_choice)
{
	char output[4096];
	ck_assert_int_eq(watch(&(struct trace_choice){0}, output), 0);
	ck_assert_uint_eq(lines(output), 4);
}
END_TEST

START_TEST(only_of_a_board)
{
	struct trace_choice choice = {0};
	char output[4096];
	ck_assert_int_eq(choose(&choice, TRACE_CHOICE_BOARD, "zgw"), 0);
	ck_assert_int_eq(watch(&choice, output), 0);
	ck_assert_uint_eq(lines(output), 2);
	ck_assert_ptr_null(strstr(output, "board:vmg"));
}
END_TEST

START_TEST(by_kind_channel_and_protocol)
{
	static const struct {
		int option;
		const char *text;
		unsigned lines;
	} table[] = {{TRACE_CHOICE_KIND, "boot.*", 1},
	             {TRACE_CHOICE_CHANNEL, "board:v*", 1},
	             {TRACE_CHOICE_PROTOCOL, "power", 2},
	             {TRACE_CHOICE_KIND, "can.*", 0}};
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct trace_choice choice = {0};
		char output[4096], path[100];
		ck_assert_int_eq(choose(&choice, table[i].option, table[i].text), 0);
		ck_assert_int_eq(watch(&choice, output), 0);
		ck_assert_msg(lines(output) == table[i].lines, "%s: %s", table[i].text, output);
		(void)snprintf(path, sizeof(path), "%s/sock", directory);
		ck_assert_int_eq(unlink(path), 0);
	}
}
END_TEST

/* Silence would look as if nothing had happened on it. */
START_TEST(a_board_that_is_not_there_is_told)
{
	struct trace_choice choice = {0};
	char output[4096];
	ck_assert_int_eq(choose(&choice, TRACE_CHOICE_BOARD, "zgv"), 0);
	ck_assert_int_eq(watch(&choice, output), 2);
	ck_assert_uint_eq(lines(output), 0);
}
END_TEST

START_TEST(a_wrong_choice_is_refused)
{
	struct trace_choice choice = {0};
	ck_assert_int_eq(choose(&choice, TRACE_CHOICE_PROTOCOL, "http"), 2);
	for (unsigned i = 0; i < TRACE_CHOICE_MAX; i++)
		ck_assert_int_eq(choose(&choice, TRACE_CHOICE_CHANNEL, "run"), 0);
	ck_assert_int_eq(choose(&choice, TRACE_CHOICE_CHANNEL, "run"), 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rig watch");
	TCase *tcase = tcase_create("all");
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, everything_without_a_choice);
	tcase_add_test(tcase, only_of_a_board);
	tcase_add_test(tcase, by_kind_channel_and_protocol);
	tcase_add_test(tcase, a_board_that_is_not_there_is_told);
	tcase_add_test(tcase, a_wrong_choice_is_refused);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
