/* SPDX-License-Identifier: Apache-2.0 */
/* A board of parts: its console is a pseudo-terminal of which the test is the board's end, its power and reset are programs. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "../../rig/console.h"
#include "../../rig/rig.h"
#include "../../rig/supply.h"

#define SECOND_NS INT64_C(1000000000)

static char directory[PATH_MAX - 64], slave_path[64], order[512];
static struct loop *loop;
static struct timeline *timeline;
static struct error error;
static struct rig_file *file;
static struct rig *rig;
static struct rig_board *board;
static int master;

static void on_event(const struct event *event, void *context)
{
	const char *stage = json_string_value(json_object_get(event->data, "stage")),
	           *kind = json_string_value(json_object_get(event->data, "kind"));
	(void)context;
	if (strncmp(event->channel, "board:", 6) || !strcmp(event->kind, "console.line") || !strcmp(event->kind, "note"))
		return;
	size_t used = strlen(order);
	(void)snprintf(order + used, sizeof(order) - used, "%s%s%s ", event->kind, stage || kind ? "=" : "",
	               stage  ? stage
	               : kind ? kind
	                      : "");
}

static void setup(void)
{
	struct termios raw;
	int slave;
	(void)snprintf(directory, sizeof(directory), "/tmp/test-board-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	memset(&error, 0, sizeof(error));
	order[0] = '\0';
	rig = NULL;
	file = NULL;
	cfmakeraw(&raw);
	ck_assert_int_eq(openpty(&master, &slave, slave_path, &raw, NULL), 0);
	close(slave);
	ck_assert_int_eq(loop_new(&loop, &error), 0);
	ck_assert_int_eq(timeline_new(&timeline, NULL, 1000, &error), 0);
	ck_assert_int_eq(timeline_observe(timeline, on_event, NULL), 0);
}

static void teardown(void)
{
	rig_stop(rig);
	rig_file_free(file);
	timeline_free(timeline);
	loop_free(loop);
	if (master >= 0)
		close(master);
	pid_t pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", directory, NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

/* `on`: the program that switches on; `more`: further keys of the role. */
static int start(const char *on, const char *more)
{
	char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%s/rig.yaml", directory);
	FILE *out = fopen(path, "w");
	ck_assert_ptr_nonnull(out);
	(void)fprintf(out,
	              "name: t\ntester: {address: 127.0.0.1, logical_address: 0x0e80}\nroles:\n  zgw:\n    driver: board\n    address: "
	              "192.0.2.7\n"
	              "    plain: 192.0.2.7:13400\n    power: {driver: command, on: %s, off: [/bin/true]}\n    console: {driver: pty, "
	              "path: %s}\n%s",
	              on, slave_path, more);
	(void)fclose(out);
	const struct rig_options options = {.run_directory = directory};
	int r = rig_file_load(path, &file, &error);
	if (r == 0)
		r = rig_start(file, loop, timeline, &options, &rig, &error);
	board = r == 0 ? rig_board_find(rig, "zgw") : NULL;
	return r;
}

static void must_start(const char *on, const char *more)
{
	ck_assert_msg(start(on, more) == 0, "%s", error.message);
}

static int64_t soon(void)
{
	return loop_now_ns() + 10 * SECOND_NS;
}

static void say(const char *text)
{
	ck_assert_int_eq(write(master, text, strlen(text)), (ssize_t)strlen(text));
}

static const char *awaited;
static bool has_stage(void *context)
{
	(void)context;
	return rig_board_reached(board, awaited);
}

static void await_stage(const char *stage)
{
	awaited = stage;
	ck_assert_int_eq(loop_until(loop, has_stage, NULL, soon()), 0);
}

static bool is_order(void *context)
{
	return strcmp(order, context) == 0;
}

/* Until this and nothing else has happened. */
static void await_order(const char *wanted)
{
	int r = loop_until(loop, is_order, (void *)(uintptr_t)wanted, soon());
	ck_assert_str_eq(order, wanted); /* tells more than r */
	ck_assert_int_eq(r, 0);
}

static bool is_text(void *context)
{
	const char *const *texts = context;
	return strcmp(texts[0], texts[1]) == 0;
}

/* Until the text has become the wanted one. */
static void await_text(const char *text, const char *wanted)
{
	const char *texts[] = {text, wanted};
	int r = loop_until(loop, is_text, texts, soon());
	ck_assert_str_eq(text, wanted); /* tells more than r */
	ck_assert_int_eq(r, 0);
}

static char hint[256];

static bool is_text_hint(void *context)
{
	(void)context;
	return !rig_board_hint(board, hint, sizeof(hint)) && !*hint;
}

static bool is_noise_hint(void *context)
{
	(void)context;
	return rig_board_hint(board, hint, sizeof(hint));
}

/* ---- power and stages ---- */

START_TEST(what_a_board_says_follows_its_power)
{
	char on[256];
	/* It boots while the program that switches it on still runs. */
	(void)snprintf(on, sizeof(on), "[/bin/sh, -c, \"echo '@boot stage=ssw t_us=1' >&%d; sleep 0.1\"]", master);
	must_start(on, "");
	ck_assert(!rig_board_powered(board));
	ck_assert_msg(rig_board_power(board, true, soon(), &error) == 0, "%s", error.message);
	await_stage("ssw");
	ck_assert_str_eq(order, "power.on reset=power boot.stage=ssw ");
	say("@boot stage=server\r\n");
	await_stage("server");
	ck_assert(rig_board_ready(board));
	ck_assert_ptr_nonnull(supply_of_board(board));
}
END_TEST

START_TEST(a_reset_that_nobody_made_is_seen)
{
	must_start("[/bin/true]", "");
	ck_assert_int_eq(rig_board_power(board, true, soon(), &error), 0);
	say("@boot stage=ssw\n@boot stage=server\n");
	await_stage("server");
	say("@boot stage=ssw\n");
	await_order("power.on reset=power boot.stage=ssw boot.stage=server reset=unknown boot.stage=ssw ");
	ck_assert(!rig_board_reached(board, "server"));
}
END_TEST

START_TEST(reset_by_programs)
{
	must_start("[/bin/true]", "    reset: {driver: command, assert: [/bin/true], release: [/bin/true], pulse_for: 20ms}\n");
	ck_assert_int_lt(rig_board_reset(board, soon(), &error), 0); /* without power */
	ck_assert_int_eq(error.domain, ERROR_TESTCASE);
	ck_assert_int_eq(rig_board_power(board, true, soon(), &error), 0);
	int64_t begin_ns = loop_now_ns();
	ck_assert_msg(rig_board_reset(board, soon(), &error) == 0, "%s", error.message);
	ck_assert_int_ge(loop_now_ns() - begin_ns, 20000000);
	ck_assert_int_eq(rig_board_hold(board, true, soon(), &error), 0);
	ck_assert(!rig_board_ready(board));
	ck_assert_int_eq(rig_board_hold(board, false, soon(), &error), 0);
	ck_assert_str_eq(order, "power.on reset=power reset=external ");
}
END_TEST

START_TEST(reset_that_can_only_be_pulsed)
{
	must_start("[/bin/true]", "    reset: {driver: command, pulse: [/bin/sh, -c, \"echo relay box is off; exit 4\"]}\n");
	ck_assert_int_eq(rig_board_power(board, true, soon(), &error), 0);
	ck_assert_int_lt(rig_board_reset(board, soon(), &error), 0);
	ck_assert_str_eq(error.message, "zgw: reset: /bin/sh ended with status 4: relay box is off");
	ck_assert_int_eq(rig_board_hold(board, true, soon(), &error), -EOPNOTSUPP);
}
END_TEST

START_TEST(without_a_reset_it_is_a_power_cycle)
{
	must_start("[/bin/true]", "");
	ck_assert_int_eq(rig_board_power(board, true, soon(), &error), 0);
	ck_assert_msg(rig_board_reset(board, soon(), &error) == 0, "%s", error.message);
	ck_assert_str_eq(order, "power.on reset=power reset=power ");
	ck_assert_int_eq(rig_board_hold(board, true, soon(), &error), -EOPNOTSUPP);
	ck_assert_int_eq(rig_board_set_param(board, "doip.vin", "X", &error), -EOPNOTSUPP);
	ck_assert_int_eq(error.domain, ERROR_TESTCASE);
	ck_assert_int_eq(rig_board_set_lines(board, 1, -1, &error), -EOPNOTSUPP);
}
END_TEST

START_TEST(power_that_cannot_be_switched)
{
	must_start("[/bin/false]", "");
	ck_assert_int_lt(rig_board_power(board, true, soon(), &error), 0);
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	ck_assert_str_eq(error.message, "zgw: power on: /bin/false ended with status 1");
	ck_assert(!rig_board_powered(board));
}
END_TEST

/* ---- console ---- */

static char first[64], second[64];

static void read_once(const void *data, size_t length, struct instant at, void *context)
{
	ck_assert_int_gt(at.ns, 0);
	(void)snprintf(first + strlen(first), sizeof(first) - strlen(first), "%.*s", (int)length, (const char *)data);
	console_remove_reader(context, read_once, context);
}

static void read_always(const void *data, size_t length, struct instant at, void *context)
{
	ck_assert_int_gt(at.ns, 0);
	(void)context;
	(void)snprintf(second + strlen(second), sizeof(second) - strlen(second), "%.*s", (int)length, (const char *)data);
}

START_TEST(several_readers_one_writer)
{
	static const int mine;
	char got[16] = "";
	first[0] = second[0] = '\0';
	must_start("[/bin/true]", "");
	struct console *console = rig_board_console(board);
	ck_assert_int_eq(console_add_reader(console, read_once, console, &error), 0);
	ck_assert_int_eq(console_add_reader(console, read_always, NULL, &error), 0);
	say("one");
	await_text(second, "one");
	say("two");
	await_text(second, "onetwo");
	ck_assert_str_eq(first, "one");
	ck_assert_int_eq(console_take(console, &mine, "the shell", &error), 0);
	ck_assert_int_eq(rig_board_input(board, "x", 1, &error), -EBUSY);
	ck_assert_str_eq(error.message, "zgw: the console of zgw is written to by the shell");
	ck_assert_int_eq(console_take(console, first, "another", &error), -EBUSY);
	ck_assert_int_eq(rig_board_input_as(board, &mine, "a\0\xff", 3, &error), 0);
	ck_assert_int_eq(read(master, got, sizeof(got)), 3);
	ck_assert_mem_eq(got, "a\0\xff", 3);
	console_release(console, &mine);
	ck_assert_int_eq(rig_board_input(board, "x", 1, &error), 0);
	console_remove_reader(console, read_always, NULL);
}
END_TEST

START_TEST(rubbish_is_told_from_silence_and_from_text)
{
	char noise[64];
	must_start("[/bin/true]", "");
	ck_assert_int_eq(rig_board_power(board, true, soon(), &error), 0);
	ck_assert(!rig_board_hint(board, hint, sizeof(hint)));
	ck_assert_msg(strstr(hint, "said nothing at all") != NULL, "%s", hint);
	say("a board that prints text but no stage\r\n\t\x1b[1mbold\x1b[0m\r\n");
	ck_assert_int_eq(loop_until(loop, is_text_hint, NULL, soon()), 0);
	for (unsigned i = 0; i < sizeof(noise); i++)
		noise[i] = (char)(i % 2 ? 0x80 + i : 'a');
	ck_assert_int_eq(write(master, noise, sizeof(noise)), sizeof(noise));
	ck_assert_int_eq(loop_until(loop, is_noise_hint, NULL, soon()), 0);
	ck_assert_msg(strstr(hint, "is its baud rate another one?") != NULL, "%s", hint);
	say("\n@boot stage=ssw\n");
	await_stage("ssw");
	ck_assert(!rig_board_hint(board, hint, sizeof(hint)));
}
END_TEST

static bool is_gone(void *context)
{
	(void)context;
	return rig_board_check(board, NULL) < 0;
}

START_TEST(a_console_that_is_unplugged)
{
	must_start("[/bin/true]", "");
	ck_assert_int_eq(rig_board_check(board, &error), 0);
	close(master);
	master = -1;
	ck_assert_int_eq(loop_until(loop, is_gone, NULL, soon()), 0);
	ck_assert_int_lt(rig_board_check(board, &error), 0);
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	ck_assert_msg(strstr(error.message, slave_path) && strstr(error.message, "board zgw: console "), "%s", error.message);
	ck_assert_int_lt(rig_board_input(board, "x", 1, &error), 0);
}
END_TEST

START_TEST(a_console_that_is_not_there)
{
	(void)snprintf(slave_path, sizeof(slave_path), "/dev/pts/none");
	ck_assert_int_lt(start("[/bin/true]", ""), 0);
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	ck_assert_str_eq(error.message, "zgw: console: /dev/pts/none: there is no such device: is it plugged in?");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("board driver");
	TCase *tcase = tcase_create("board driver");
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_a_board_says_follows_its_power);
	tcase_add_test(tcase, a_reset_that_nobody_made_is_seen);
	tcase_add_test(tcase, reset_by_programs);
	tcase_add_test(tcase, reset_that_can_only_be_pulsed);
	tcase_add_test(tcase, without_a_reset_it_is_a_power_cycle);
	tcase_add_test(tcase, power_that_cannot_be_switched);
	tcase_add_test(tcase, several_readers_one_writer);
	tcase_add_test(tcase, rubbish_is_told_from_silence_and_from_text);
	tcase_add_test(tcase, a_console_that_is_unplugged);
	tcase_add_test(tcase, a_console_that_is_not_there);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
