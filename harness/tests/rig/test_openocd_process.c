/* SPDX-License-Identifier: Apache-2.0 */
/* The end of an OpenOCD that is a script: with it ends what it started. */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../rig/drivers/probe_openocd_process.h"

#define SOON_NS INT64_C(20000000000)

static char folder[] = "/tmp/test-openocd-XXXXXX", program[64], log_path[64], told[64];

/* The script tells the number of what it started, and then waits for it or ends. */
static void write_script(const char *body)
{
	(void)unlink(told);
	FILE *out = fopen(program, "we");
	ck_assert_ptr_nonnull(out);
	(void)fprintf(out, "#!/bin/sh\ncd %s\n%s\n", folder, body);
	ck_assert_int_eq(fclose(out), 0);
	ck_assert_int_eq(chmod(program, 0755), 0);
}

static struct openocd_process *start(struct loop **ret_loop)
{
	char *words[] = {program, NULL};
	struct openocd_process *process = NULL;
	struct error error = {0};
	ck_assert_int_eq(loop_new(ret_loop, &error), 0);
	ck_assert_msg(openocd_process_start(&process, *ret_loop, words, log_path, &error) == 0, "%s", error.message);
	return process;
}

static long number_told(void)
{
	long number = 0;
	FILE *file = fopen(told, "re");
	if (file && fscanf(file, "%ld", &number) != 1)
		number = 0;
	if (file)
		(void)fclose(file);
	return number;
}

static long await_told(void)
{
	long number = 0;
	for (int64_t end_ns = loop_now_ns() + SOON_NS; (number = number_told()) == 0 && loop_now_ns() < end_ns;)
		(void)poll(NULL, 0, 5);
	ck_assert_int_gt(number, 0);
	return number;
}

/* A zombie that nobody waits for is gone. */
static bool is_gone(long pid)
{
	char path[48], text[400] = "";
	(void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return true;
	const char *end = fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
	(void)fclose(file);
	return !end || end[2] == 'Z' || end[2] == 'X';
}

static void await_gone(long pid)
{
	for (int64_t end_ns = loop_now_ns() + SOON_NS; !is_gone(pid) && loop_now_ns() < end_ns;)
		(void)poll(NULL, 0, 5);
	ck_assert_msg(is_gone(pid), "process %ld is left", pid);
}

#define WAITS    "sleep 300 & echo $! > new; mv new told; wait"
#define STUBBORN "sh -c 'trap \"\" TERM; echo $$ > new; mv new told; sleep 300; sleep 300' & trap '' TERM; wait; wait"
/* Lets go of its adapter when it is asked to end, which takes it a moment. */
#define GENTLE                                                                                                                             \
	"sh -c 'trap \"echo let go > done; exit 0\" TERM; echo $$ > new; mv new told; while :; do sleep 0.02; done' & trap 'exit 0' "      \
	"TERM; wait"

START_TEST(ends_with_what_it_started)
{
	static const char *const bodies[] = {WAITS, STUBBORN};
	struct loop *loop;
	write_script(bodies[_i / 2]);
	struct openocd_process *process = start(&loop);
	long number = await_told();
	ck_assert(!is_gone(number));
	openocd_process_end(process, _i % 2);
	await_gone(number);
	loop_free(loop);
}
END_TEST

START_TEST(is_asked_first)
{
	char done[64];
	struct loop *loop;
	write_script(GENTLE);
	(void)snprintf(done, sizeof(done), "%s/done", folder);
	(void)unlink(done);
	struct openocd_process *process = start(&loop);
	long number = await_told();
	/* On a busy machine half a second may be too short for a script: then it is killed, and says nothing. */
	const int64_t begin_ns = loop_now_ns();
	openocd_process_end(process, true);
	const bool in_time = loop_now_ns() - begin_ns < INT64_C(450000000);
	await_gone(number);
	ck_assert(!in_time || access(done, F_OK) == 0);
	(void)unlink(done);
	loop_free(loop);
}
END_TEST

static bool has_ended(void *context)
{
	return !openocd_process_alive(context);
}

/* What is left of one that ends by itself holds the adapter: it is ended as soon as that is seen. */
START_TEST(ends_by_itself)
{
	struct loop *loop;
	write_script("sleep 300 & echo $! > new; mv new told; exit 3");
	struct openocd_process *process = start(&loop);
	long number = await_told();
	ck_assert_int_eq(loop_until(loop, has_ended, process, loop_now_ns() + SOON_NS), 0);
	ck_assert_str_eq(openocd_process_reason(process), "ended with status 3");
	await_gone(number);
	openocd_process_end(process, true);
	loop_free(loop);
}
END_TEST

START_TEST(its_user_is_killed)
{
	struct loop *loop;
	write_script(WAITS);
	pid_t pid = fork();
	if (pid == 0) {
		struct openocd_process *process = start(&loop);
		(void)!loop_until(loop, has_ended, process, INT64_MAX);
		_exit(1);
	}
	long number = await_told();
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	await_gone(number);
}
END_TEST

/* Nobody waits in vain for the end of a pipe, or of a lock, that the guard of the group would have from its parent. */
START_TEST(holds_nothing_open)
{
	struct loop *loop;
	int pipes[2];
	char byte;
	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_eq(fcntl(pipes[1], F_SETFD, FD_CLOEXEC), 0);
	write_script(WAITS);
	struct openocd_process *process = start(&loop);
	(void)await_told();
	(void)close(pipes[1]);
	struct pollfd poller = {pipes[0], POLLIN, 0};
	ck_assert_int_eq(poll(&poller, 1, 20000), 1);
	ck_assert_int_eq(read(pipes[0], &byte, 1), 0);
	openocd_process_end(process, false);
	(void)close(pipes[0]);
	loop_free(loop);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("openocd process");
	TCase *cases = tcase_create("ends");
	if (!mkdtemp(folder))
		return EXIT_FAILURE;
	(void)snprintf(program, sizeof(program), "%s/program", folder);
	(void)snprintf(log_path, sizeof(log_path), "%s/log", folder);
	(void)snprintf(told, sizeof(told), "%s/told", folder);
	tcase_set_timeout(cases, 60);
	tcase_add_loop_test(cases, ends_with_what_it_started, 0, 4);
	tcase_add_test(cases, is_asked_first);
	tcase_add_test(cases, ends_by_itself);
	tcase_add_test(cases, its_user_is_killed);
	tcase_add_test(cases, holds_nothing_open);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	(void)unlink(program);
	(void)unlink(log_path);
	(void)unlink(told);
	(void)rmdir(folder);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
