/* SPDX-License-Identifier: Apache-2.0 */
/* What `hilbench jobs` and `hilbench fetch` say of jobs. The daemon is a stand-in that says what a test gives it. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../cli/commands.h"

#define HEAD    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
#define MISSING "HTTP/1.1 404 No\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"error\":{\"message\":\"no such file\"}}"
#define COUNTS  "\"counts\":{\"planned\":2,\"total\":2,\"skipped\":2}"
#define REASON  "disk space: its last try found too little, and it is tried again soon"

const struct backend backend = {0}; /* nothing is asked of it */

static char directory[] = "/tmp/hilbench-jobs-XXXXXX";
static char said[4096]; /* on both outputs */

static void set_up(void)
{
	memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
}

static void tear_down(void)
{
	(void)unlink("sock");
	(void)unlink("said");
	ck_assert_int_eq(chdir("/"), 0);
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

static int run_to(int fd, const struct command *command, int argc, char **argv)
{
	int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
	(void)fflush(stdout);
	ck_assert(out >= 0 && err >= 0 && dup2(fd, STDOUT_FILENO) >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	int status = command->run(argc, argv);
	(void)fflush(stdout);
	ck_assert(dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0);
	(void)close(out);
	(void)close(err);
	return status;
}

/* The exit status; all answers are asked for. word: an operand, or NULL. */
static int run(const struct command *command, const char *word, const char *const *answers)
{
	char url[100];
	char *argv[] = {(char *)command->name, (char *)"--url", url, (char *)word, NULL};
	pid_t pid = serve(answers);
	(void)snprintf(url, sizeof(url), "unix:%s/sock", directory);
	int file = open("said", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND, 0600);
	ck_assert_int_ge(file, 0);
	int status = run_to(file, command, word ? 4 : 3, argv);
	ssize_t length = pread(file, said, sizeof(said) - 1, 0);
	said[length > 0 ? length : 0] = '\0';
	(void)close(file);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	return status;
}

static void line_of(const char *job, char *line, size_t size)
{
	const char *at = strstr(said, job), *end = at ? strchr(at, '\n') : NULL;
	ck_assert_msg(end != NULL, "%s", said);
	(void)snprintf(line, size, "%.*s", (int)(end - at), at);
}

/* One whose try found no space does not run: it says for what it waits. */
START_TEST(a_list_tells_what_waits)
{
	static const char *const answers[] = {HEAD "{\"jobs\":["
	                                           "{\"id\":13,\"state\":\"running\",\"title\":\"long\",\"waiting_for\":null," COUNTS "},"
	                                           "{\"id\":12,\"state\":\"running\",\"title\":\"quick\",\"waiting_for\":\"" REASON
	                                           "\"," COUNTS "},"
	                                           "{\"id\":11,\"state\":\"queued\",\"title\":\"other\",\"waiting_for\":\"v1 is busy\"}"
	                                           "],\"next\":null}",
	                                      NULL};
	char line[400];
	ck_assert_int_eq(run(&command_jobs, NULL, answers), 0);
	line_of("    13  ", line, sizeof(line));
	ck_assert_ptr_nonnull(strstr(line, "13  running "));
	ck_assert_ptr_null(strstr(line, "waits"));
	line_of("    12  ", line, sizeof(line));
	ck_assert_msg(strstr(line, "12  waiting ") && strstr(line, "[2/2]  (2 skipped)  waits for " REASON), "%s", line);
	line_of("    11  ", line, sizeof(line));
	ck_assert_msg(strstr(line, "11  queued ") && strstr(line, "other  waits for v1 is busy"), "%s", line);
}
END_TEST

START_TEST(a_job_without_files_says_why)
{
	static const struct {
		const char *answers[5], *words;
	} table[] = {
	        {{HEAD "{\"id\":2,\"state\":\"running\",\"files\":[{}],\"runs\":[]}"}, "job 2 has no files yet\n"},
	        {{HEAD "{\"id\":2,\"state\":\"done\",\"files\":[],\"runs\":[]}", MISSING, MISSING, MISSING},
	         "the files of job 2 are no longer kept\n"},
	        {{HEAD "{\"id\":2,\"state\":\"done\",\"files\":[{}],\"runs\":[]}", MISSING, MISSING, MISSING}, "job 2 has no files\n"},
	};
	ck_assert_int_eq(run(&command_fetch, "2", table[_i].answers), 3);
	ck_assert_msg(strstr(said, table[_i].words) != NULL, "%s", said);
	ck_assert_int_ne(access("job-2", F_OK), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("jobs");
	TCase *tests = tcase_create("jobs");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, a_list_tells_what_waits);
	tcase_add_loop_test(tests, a_job_without_files_says_why, 0, 3);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
