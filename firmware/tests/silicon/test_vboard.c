/* SPDX-License-Identifier: Apache-2.0 */
#include "board_driver.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct board_driver board;

static void finish(void)
{
	ck_assert_int_eq(driver_end(&board), 0);
	char path[96];
	snprintf(path, sizeof path, "%s/nvm", board.folder);
	unlink(path);
	rmdir(board.folder);
}

static long time_of(const char *marker)
{
	const char *at = strstr(marker, "t_us=");
	ck_assert_ptr_nonnull(at);
	return strtol(at + 5, NULL, 10);
}

static void expect_reset(const char *kind, int boot)
{
	json_t *event = driver_event(&board, "reset");
	ck_assert_str_eq(json_string_value(json_object_get(event, "kind")), kind);
	ck_assert_int_eq(json_integer_value(json_object_get(event, "boot")), boot);
	json_decref(event);
}

static void type(const char *character)
{
	driver_do(&board, "\"cmd\":\"input\",\"data\":\"%02x\"", *character);
}

static void boot(void)
{
	driver_do(&board, "\"cmd\":\"power\",\"on\":true");
	driver_expect(&board, "@boot stage=rtos");
}

static void expect_refusal(const char *text, json_t *answer)
{
	ck_assert(json_is_false(json_object_get(answer, "ok")));
	const char *error = json_string_value(json_object_get(answer, "error"));
	ck_assert_msg(error && strstr(error, text), "\"%s\" does not say \"%s\"", error, text);
	json_decref(answer);
}

static void expect_state(const char *state)
{
	json_t *status = driver_ask(&board, "\"cmd\":\"status\"");
	ck_assert_str_eq(json_string_value(json_object_get(status, "cpu")), state);
	json_decref(status);
}

START_TEST(boot_markers)
{
	static const struct {
		const char *stage;
		long at_us;
	} stages[] = {{"@boot stage=ssw ", 10000},
	              {"@boot stage=bootloader ", 60000},
	              {"@boot stage=application ", 160000},
	              {"@boot stage=rtos ", 210000}};
	const long allowed_us = 100000;
	long worst_us = allowed_us;
	driver_start(&board, NULL);
	expect_state("off");
	/* Never early; on time in the best of some boots: a loaded machine must not fail this. */
	for (int boots = 1; boots <= 20 && worst_us >= allowed_us; boots++) {
		if (boots > 1)
			driver_do(&board, "\"cmd\":\"power\",\"on\":false");
		uint64_t power_ns = driver_do(&board, "\"cmd\":\"power\",\"on\":true");
		expect_reset("power", boots);
		worst_us = 0;
		for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
			const char *marker = driver_expect(&board, stages[i].stage);
			long late_us = time_of(marker) - stages[i].at_us;
			ck_assert_msg(late_us >= 0, "%s came %ld us early", stages[i].stage, -late_us);
			worst_us = late_us > worst_us ? late_us : worst_us;
			/* The board's clock and the stamp are the same clock, read one after the other. */
			long stamp_us = (long)((board.console_t_ns - power_ns) / 1000);
			ck_assert_int_ge(stamp_us, time_of(marker));
		}
	}
	ck_assert_int_lt(worst_us, allowed_us);
	ck_assert_ptr_nonnull(strstr(board.console, "boot=1 reason=power-on\r\n"));
	expect_state("running");
	finish();
}
END_TEST

START_TEST(power_off_ends_cpu)
{
	driver_start(&board, NULL);
	boot();
	pid_t cpu = driver_cpu(&board);
	ck_assert_int_gt(cpu, 0);
	driver_do(&board, "\"cmd\":\"power\",\"on\":false");
	ck_assert_int_eq(kill(cpu, 0), -1);
	expect_state("off");
	expect_refusal("no power", driver_ask(&board, "\"cmd\":\"reset\",\"kind\":\"external\""));
	expect_refusal("does not run", driver_ask(&board, "\"cmd\":\"input\",\"data\":\"00\""));
	boot();
	ck_assert_ptr_nonnull(strstr(board.console, "boot=2 reason=power-on\r\n"));
	finish();
}
END_TEST

START_TEST(power_off_in_ssw)
{
	driver_start(&board, (const char *const[]){"--param", "boot.ssw_ms=60000", NULL});
	driver_do(&board, "\"cmd\":\"power\",\"on\":true");
	expect_state("ssw");
	driver_do(&board, "\"cmd\":\"power\",\"on\":false");
	expect_state("off");
	driver_do(&board, "\"cmd\":\"set\",\"param\":\"boot.ssw_ms\",\"value\":5");
	boot();
	finish();
}
END_TEST

START_TEST(resets)
{
	driver_start(&board, NULL);
	boot();
	expect_reset("power", 1);
	driver_do(&board, "\"cmd\":\"reset\",\"kind\":\"external\"");
	expect_reset("external", 2);
	driver_expect(&board, "boot=2 reason=external");
	driver_expect(&board, "@boot stage=rtos");
	type("r");
	expect_reset("system", 3);
	driver_expect(&board, "boot=3 reason=system");
	driver_expect(&board, "@boot stage=rtos");
	type("a");
	expect_reset("application", 4);
	driver_expect(&board, "@boot stage=rtos");
	type("w");
	driver_expect(&board, "reason 2\r\n"); /* PORT_REASON_APPLICATION */
	finish();
}
END_TEST

START_TEST(held_in_reset)
{
	driver_start(&board, NULL);
	driver_do(&board, "\"cmd\":\"hold\",\"on\":true");
	driver_do(&board, "\"cmd\":\"power\",\"on\":true");
	expect_state("held");
	expect_refusal("held", driver_ask(&board, "\"cmd\":\"reset\",\"kind\":\"external\""));
	driver_do(&board, "\"cmd\":\"hold\",\"on\":false");
	expect_reset("power", 1);
	driver_expect(&board, "@boot stage=rtos");
	pid_t cpu = driver_cpu(&board);
	driver_do(&board, "\"cmd\":\"hold\",\"on\":true");
	ck_assert_int_eq(kill(cpu, 0), -1);
	driver_do(&board, "\"cmd\":\"hold\",\"on\":false");
	expect_reset("external", 2);
	finish();
}
END_TEST

START_TEST(nvm_survives)
{
	driver_start(&board, NULL);
	boot();
	type("n");
	driver_expect(&board, "nvm 1\r\n");
	driver_do(&board, "\"cmd\":\"power\",\"on\":false");
	boot();
	type("n");
	driver_expect(&board, "nvm 2\r\n");
	ck_assert_int_eq(driver_end(&board), 0);
	driver_start(&board, NULL); /* another vboard, the same memory */
	boot();
	type("n");
	driver_expect(&board, "nvm 3\r\n");
	finish();
}
END_TEST

/* A hole in what the firmware maps would end the CPU when the disk is full. */
START_TEST(nvm_has_its_blocks)
{
	struct stat status;
	char path[96];
	driver_start(&board, NULL);
	driver_do(&board, "\"cmd\":\"power\",\"on\":false");
	(void)snprintf(path, sizeof(path), "%s/nvm", board.folder);
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_int_gt(status.st_size, 0);
	ck_assert_int_ge(status.st_blocks * 512, status.st_size);
	ck_assert_int_eq(driver_end(&board), 0);
}
END_TEST

START_TEST(parameters_from_next_reset)
{
	driver_start(&board, (const char *const[]){"--param", "test.text=first", NULL});
	const char *object = driver_file(&board, "object", 77);
	boot();
	driver_do(&board, "\"cmd\":\"set\",\"param\":\"test.text\",\"value\":\"second\"");
	driver_do(&board, "\"cmd\":\"set\",\"param\":\"object.test.object\",\"value\":\"%s\"", object);
	type("p");
	driver_expect(&board, "first object 0\r\n");
	driver_do(&board, "\"cmd\":\"reset\",\"kind\":\"external\"");
	driver_expect(&board, "@boot stage=rtos");
	type("p");
	driver_expect(&board, "second object 77\r\n");
	driver_do(&board, "\"cmd\":\"set\",\"param\":\"test.text\",\"value\":null");
	unlink(object);
	expect_refusal("object.test.object", driver_ask(&board, "\"cmd\":\"reset\",\"kind\":\"external\""));
	driver_do(&board, "\"cmd\":\"set\",\"param\":\"object.test.object\",\"value\":null");
	driver_do(&board, "\"cmd\":\"reset\",\"kind\":\"external\"");
	driver_expect(&board, "@boot stage=rtos");
	type("p");
	driver_expect(&board, "unset object 0\r\n");
	finish();
}
END_TEST

static void expect_death(const char *command, const char *exit)
{
	boot();
	type(command);
	json_t *event = driver_event(&board, "cpu");
	ck_assert_str_eq(json_string_value(json_object_get(event, "state")), "dead");
	ck_assert_str_eq(json_string_value(json_object_get(event, "exit")), exit);
	json_decref(event);
	expect_state("dead");
	driver_do(&board, "\"cmd\":\"power\",\"on\":false");
}

START_TEST(cpu_death_is_told)
{
	driver_start(&board, NULL);
	expect_death("c", "signal 4");
	expect_death("x", "exit 3");
	boot();
	finish();
}
END_TEST

START_TEST(watchdog_bites)
{
	driver_start(&board, (const char *const[]){"--param", "watchdog.ms=2000", NULL});
	boot();
	expect_reset("power", 1);
	/* More than two watchdog times in which nothing may happen: a healthy firmware sleeps through them. */
	nanosleep(&(struct timespec){.tv_sec = 5}, NULL);
	type("w");
	driver_expect(&board, "reason 0\r\n");
	type("h");
	expect_reset("watchdog", 2);
	driver_expect(&board, "reason=watchdog");
	finish();
}
END_TEST

START_TEST(secrets_are_events)
{
	driver_start(&board, NULL);
	boot();
	type("s");
	json_t *event = driver_event(&board, "secret");
	ck_assert_str_eq(json_string_value(json_object_get(event, "line")), "CLIENT_RANDOM 00 11");
	json_decref(event);
	ck_assert_ptr_null(strstr(board.console, "CLIENT_RANDOM"));
	finish();
}
END_TEST

START_TEST(killed_board_leaves_no_cpu)
{
	driver_start(&board, NULL);
	boot();
	pid_t cpu = driver_cpu(&board);
	kill(board.pid, SIGKILL);
	ck_assert(process_gone(cpu));
	ck_assert_int_eq(driver_end(&board), 128 + SIGKILL);
	driver_start(&board, NULL); /* its memory is free again */
	boot();
	finish();
}
END_TEST

START_TEST(closed_channel_ends_board)
{
	driver_start(&board, NULL);
	boot();
	pid_t cpu = driver_cpu(&board);
	finish();
	ck_assert(process_gone(cpu));
}
END_TEST

static long resident_kib(pid_t pid)
{
	char path[32], line[128];
	long kib = -1;
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof line, file))
		sscanf(line, "VmRSS: %ld", &kib);
	fclose(file);
	return kib;
}

START_TEST(flood_is_bounded)
{
	driver_start(&board, NULL);
	boot();
	type("f");
	driver_expect(&board, "\x01\x02\x03\x04");
	/* Not read at all for a while: then the CPU has to stand still and vboard must not grow. Nothing tells that everything on
	 * the way is full, and nothing may happen afterwards, so both waits are times. */
	long before = 0, grown = LONG_MAX;
	for (int i = 0; i < 4 && grown >= 1024; i++) { /* on a loaded machine it may take longer until everything is full */
		nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
		before = resident_kib(board.pid);
		nanosleep(&(struct timespec){.tv_sec = 2}, NULL);
		grown = resident_kib(board.pid) - before;
	}
	ck_assert_int_lt(grown, 1024);
	/* And the board still obeys. */
	driver_do(&board, "\"cmd\":\"power\",\"on\":false");
	expect_state("off");
	finish();
}
END_TEST

START_TEST(flood_keeps_line_rate)
{
	driver_start(&board, (const char *const[]){"--param", "console.baud=100000", NULL});
	boot();
	type("f");
	driver_expect(&board, "\x01\x02\x03\x04");
	size_t before = board.console_length;
	uint64_t from_ns = board.console_t_ns;
	while (board.console_t_ns - from_ns < 500000000)
		driver_read(&board, 1000);
	/* 10,000 bytes a second, and what the FIFO had credit for */
	ck_assert_uint_le(board.console_length - before, 5000 + 4096 + 2048 + 1000);
	finish();
}
END_TEST

START_TEST(bad_requests)
{
	static char overlong[70000];
	driver_start(&board, NULL);
	expect_refusal("unknown command", driver_ask(&board, "\"cmd\":\"fly\""));
	expect_refusal("unknown command", driver_ask(&board, "\"cmd\":7"));
	expect_refusal("true or false", driver_ask(&board, "\"cmd\":\"power\""));
	expect_refusal("external", driver_ask(&board, "\"cmd\":\"reset\",\"kind\":\"warm\""));
	expect_refusal("hex", driver_ask(&board, "\"cmd\":\"input\",\"data\":\"0g\""));
	expect_refusal("=", driver_ask(&board, "\"cmd\":\"set\",\"param\":\"a=b\",\"value\":\"c\""));
	expect_refusal("value", driver_ask(&board, "\"cmd\":\"set\",\"param\":\"a\""));
	ck_assert_int_eq(write(board.fd, "nonsense\n", 9), 9);
	memset(overlong, 'x', sizeof overlong);
	overlong[sizeof overlong - 1] = '\n';
	for (size_t sent = 0; sent < sizeof overlong;) {
		ssize_t n = write(board.fd, overlong + sent, sizeof overlong - sent);
		ck_assert_int_gt(n, 0);
		sent += (size_t)n;
	}
	expect_state("off");
	ck_assert_uint_eq(json_array_size(board.events), 2); /* two refusals without id */
	boot();
	finish();
}
END_TEST

START_TEST(requests_wait_for_room)
{
	static const char request[] = "{\"id\":1,\"cmd\":\"status\"}\n";
	const ssize_t length = sizeof request - 1;
	size_t sent = 0;
	driver_start(&board, NULL);
	driver_do(&board, "\"cmd\":\"status\"");
	/* Answers are not read, so vboard has to stop taking requests at some time: nothing makes room any more. None may be lost. */
	struct pollfd room = {.fd = board.fd, .events = POLLOUT};
	do {
		while (send(board.fd, request, (size_t)length, MSG_DONTWAIT) == length)
			sent++;
	} while (poll(&room, 1, 100) == 1);
	ck_assert_uint_gt(sent, 1000);
	while (json_array_size(board.events) < sent) {
		size_t before = json_array_size(board.events);
		driver_read(&board, 2000);
		ck_assert_uint_gt(json_array_size(board.events), before);
	}
	finish();
}
END_TEST

START_TEST(refused_starts)
{
	ck_assert_int_lt(snprintf(board.folder, sizeof board.folder, "%s", "/tmp/board-test-XXXXXX"), (int)sizeof board.folder);
	ck_assert_ptr_nonnull(mkdtemp(board.folder));
	ck_assert_ptr_nonnull(strstr(driver_refused_start(&board, (const char *const[]){"--boot", "/nowhere/boot", NULL}),
	                             "/nowhere/boot: No such file"));
	ck_assert_ptr_nonnull(strstr(driver_refused_start(&board, (const char *const[]){"--application", "/nowhere/zgw", NULL}),
	                             "/nowhere/zgw: No such file"));
	ck_assert_ptr_nonnull(strstr(driver_refused_start(&board, (const char *const[]){"--netns", "/nowhere/net", NULL}), "/nowhere/net"));
	ck_assert_ptr_nonnull(strstr(driver_refused_start(&board, (const char *const[]){"--fast", NULL}), "unknown option"));
	ck_assert_ptr_nonnull(strstr(driver_refused_start(&board, (const char *const[]){"--param", "nonsense", NULL}), "NAME="));
	const char *large = driver_file(&board, "large", 5000);
	ck_assert_ptr_nonnull(strstr(driver_refused_start(&board, (const char *const[]){"--nvm", large, NULL}), "4096"));
	unlink(large);
	driver_start(&board, NULL);
	driver_do(&board, "\"cmd\":\"status\"");
	struct board_driver first = board;
	ck_assert_ptr_nonnull(strstr(driver_refused_start(&board, NULL), "in use by another board"));
	board = first;
	finish();
}
END_TEST

START_TEST(program_vanishes)
{
	char program[96];
	driver_start(&board, NULL);
	driver_do(&board, "\"cmd\":\"status\"");
	ck_assert_int_eq(driver_end(&board), 0);
	snprintf(program, sizeof program, "%s/program", board.folder);
	ck_assert_int_eq(link(getenv("TEST_APPLICATION"), program) == 0 || symlink(getenv("TEST_APPLICATION"), program) == 0, 1);
	driver_start(&board, (const char *const[]){"--application", program, NULL});
	boot();
	unlink(program);
	driver_do(&board, "\"cmd\":\"reset\",\"kind\":\"external\"");
	driver_expect(&board, "@boot stage=rtos"); /* what the factory wrote is in the flash */
	driver_do(&board, "\"cmd\":\"power\",\"on\":false");
	expect_refusal(program, driver_ask(&board, "\"cmd\":\"flash-factory\""));
	boot(); /* and a factory that fails leaves it there */
	finish();
}
END_TEST

START_TEST(no_boot_fault)
{
	driver_start(&board, (const char *const[]){"--param", "fault=no-boot", NULL});
	driver_do(&board, "\"cmd\":\"power\",\"on\":true");
	driver_expect(&board, "@boot stage=ssw");
	for (int i = 0; i < 4; i++)
		driver_read(&board, 60);
	ck_assert_ptr_null(strstr(board.console, "bootloader"));
	expect_state("running");
	finish();
}
END_TEST

/* CPU time of a process, in clock ticks. */
static long ticks(pid_t pid)
{
	char path[32];
	unsigned long user = 0, system = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system), 2);
	fclose(file);
	return (long)(user + system);
}

START_TEST(idle_costs_nothing)
{
	driver_start(&board, NULL);
	boot();
	pid_t cpu = driver_cpu(&board);
	long before = ticks(cpu) + ticks(board.pid);
	/* A time in which nothing happens, which is what it measures. */
	nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
	long spent = ticks(cpu) + ticks(board.pid) - before;
	for (int i = 0; i < 9 && spent > 1; i++) { /* the end of the boot, or a turn that was counted whole: then it is done again */
		before += spent;
		nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
		spent = ticks(cpu) + ticks(board.pid) - before;
	}
	ck_assert_int_le(spent, 1); /* of 100 */
	finish();
}
END_TEST

/* Every CPU gets a connection of its own, and is on the bus only when its firmware says so. */
START_TEST(wired_to_a_bus)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char option[64], message[64], path[48];
	snprintf(path, sizeof path, "/tmp/board-test-bus-%d", (int)getpid());
	memcpy(address.sun_path, path, strlen(path) + 1);
	unlink(path);
	int bus = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(bus, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(bus, 4), 0);
	snprintf(option, sizeof option, "0=%s", path);
	driver_start(&board, (const char *const[]){"--can", option, NULL});
	for (int i = 0; i < 2; i++) {
		boot();
		int node = accept(bus, NULL, NULL);
		ck_assert_int_eq(recv(node, message, sizeof message, MSG_DONTWAIT), -1);
		type("o");
		driver_expect(&board, "can 0\r");
		ck_assert_int_eq(recv(node, message, sizeof message, 0), 6);
		ck_assert_int_eq(memcmp(message, "A\0test", 6), 0);
		driver_do(&board, "\"cmd\":\"power\",\"on\":false");
		ck_assert_int_eq(recv(node, message, sizeof message, 0), 0); /* off the bus with its CPU */
		close(node);
	}
	close(bus);
	unlink(path);
	boot(); /* a bus that is not there */
	type("o");
	driver_expect(&board, "can 6\r"); /* PORT_ABSENT */
	finish();
}
END_TEST

/* A process in a network namespace of its own; 0 when this user may not make any. */
static pid_t namespace_holder(void)
{
	int ready[2];
	char byte;
	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	pid_t holder = fork();
	if (holder == 0) {
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		close(ready[1]);
		pause();
	}
	close(ready[1]);
	ssize_t n = read(ready[0], &byte, 1); /* ends in any case: with the byte, or with the process */
	close(ready[0]);
	if (n == 1)
		return holder;
	waitpid(holder, NULL, 0);
	return 0;
}

START_TEST(network_namespace)
{
	char path[64], ours[64], theirs[64];
	pid_t holder = namespace_holder();
	if (holder == 0)
		return;
	snprintf(path, sizeof path, "/proc/%d/ns/net", (int)holder);
	driver_start(&board, (const char *const[]){"--netns", path, NULL});
	boot();
	ssize_t a = readlink(path, ours, sizeof ours);
	snprintf(path, sizeof path, "/proc/%d/ns/net", (int)driver_cpu(&board));
	ssize_t b = readlink(path, theirs, sizeof theirs);
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	ck_assert_int_gt(a, 0);
	ck_assert_int_eq(a, b);
	ck_assert_int_eq(memcmp(ours, theirs, (size_t)a), 0);
	finish();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vboard");
	TCase *tests = tcase_create("vboard");
	tcase_set_timeout(tests, 100);
	tcase_add_test(tests, boot_markers);
	tcase_add_test(tests, power_off_ends_cpu);
	tcase_add_test(tests, power_off_in_ssw);
	tcase_add_test(tests, resets);
	tcase_add_test(tests, held_in_reset);
	tcase_add_test(tests, nvm_survives);
	tcase_add_test(tests, nvm_has_its_blocks);
	tcase_add_test(tests, parameters_from_next_reset);
	tcase_add_test(tests, cpu_death_is_told);
	tcase_add_test(tests, watchdog_bites);
	tcase_add_test(tests, secrets_are_events);
	tcase_add_test(tests, killed_board_leaves_no_cpu);
	tcase_add_test(tests, closed_channel_ends_board);
	tcase_add_test(tests, flood_is_bounded);
	tcase_add_test(tests, flood_keeps_line_rate);
	tcase_add_test(tests, bad_requests);
	tcase_add_test(tests, requests_wait_for_room);
	tcase_add_test(tests, refused_starts);
	tcase_add_test(tests, program_vanishes);
	tcase_add_test(tests, no_boot_fault);
	tcase_add_test(tests, idle_costs_nothing);
	tcase_add_test(tests, wired_to_a_bus);
	tcase_add_test(tests, network_namespace);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
