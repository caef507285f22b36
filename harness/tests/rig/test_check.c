/* SPDX-License-Identifier: Apache-2.0 */
/* The look at a rig's resources, on rig files that name what is not there. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../link/can_netlink.h"
#include "../../rig/check_private.h"
#include "scpi_server.h"

#define WITHIN_NS INT64_C(4500000000)
#define HEAD      "name: x\ntester: {address: 127.0.0.1, logical_address: 0x0e80}\nroles:\n  zgw:\n    driver: board\n"
#define REAL      HEAD "    address: 127.0.0.2\n    power: {driver: command, on: [/bin/true], off: [/bin/true]}\n"

static char folder[] = "/tmp/test-check-XXXXXX";

static struct rig_file *load(const char *text)
{
	char path[64];
	struct rig_file *file = NULL;
	struct error error = {0};
	(void)snprintf(path, sizeof(path), "%s/rig.yaml", folder);
	FILE *out = fopen(path, "we");
	ck_assert_ptr_nonnull(out);
	(void)fputs(text, out);
	(void)fclose(out);
	ck_assert_msg(rig_file_load(path, &file, &error) == 0, "%u:%u %s", error.place.line, error.place.column, error.message);
	(void)unlink(path);
	return file;
}

static const struct rig_check_result *of(const struct rig_check_report *report, const char *kind)
{
	for (unsigned i = 0; i < report->count; i++)
		if (!strcmp(report->results[i].kind, kind))
			return &report->results[i];
	ck_abort_msg("no %s", kind);
}

/* A resource of a file is bad with these words, and says what to do. */
static void expect_bad(const char *text, const char *kind, const char *problem, const char *remedy)
{
	struct rig_check_report report;
	struct error error = {0};
	struct rig_file *file = load(text);
	ck_assert_msg(rig_check_resources(file, WITHIN_NS, &report, &error) == 0, "%s", error.message);
	const struct rig_check_result *result = of(&report, kind);
	ck_assert_msg(result->state == RIG_CHECK_BAD && strstr(result->problem, problem) && strstr(result->remedy, remedy), "%s: %s -> %s",
	              rig_check_state_name(result->state), result->problem, result->remedy);
	rig_check_report_free(&report);
	rig_file_free(file);
}

START_TEST(consoles)
{
	expect_bad(REAL "    console: {driver: serial, device: /dev/null}\n", "console", "/dev/null is no serial port", "console.device");
	expect_bad(REAL "    console: {driver: serial, device: /tmp}\n", "console", "/tmp is no serial port", "console.device");
	expect_bad(REAL "    console: {driver: pty, path: /none/pty}\n", "console", "no such pseudo-terminal", "console.path");
	expect_bad(REAL "    console: {driver: serial, device: /dev/none}\n", "console", "no such device", "USB");
}
END_TEST

START_TEST(reset_lines)
{
	static const char *const devices[] = {"/dev/none", "/dev/null"}, *const problems[] = {"no such device", "no serial port"};
	for (int i = 0; i < 2; i++) {
		char text[600];
		(void)snprintf(text, sizeof(text),
		               REAL "    console: {driver: serial, device: %s}\n    reset: {driver: serial, line: dtr}\n", devices[i]);
		expect_bad(text, "reset", problems[i], "console");
	}
}
END_TEST

#define PROBE REAL "    console: {driver: pty, path: /none}\n    probe: {driver: openocd, target: t, "

static void write_program(const char *path, const char *text)
{
	FILE *out = fopen(path, "we");
	ck_assert_ptr_nonnull(out);
	(void)fputs(text, out);
	ck_assert_int_eq(fclose(out), 0);
	ck_assert_int_eq(chmod(path, 0755), 0);
}

START_TEST(probes)
{
	char program[64], text[700];
	(void)snprintf(program, sizeof(program), "%s/openocd", folder);
	write_program(program, "#!/bin/sh\necho Open On-Chip Debugger 0.12.0\n");
	(void)snprintf(text, sizeof(text), PROBE "config: [no-such.cfg], program: %s}\n", program);
	expect_bad(text, "probe", "no configuration no-such.cfg", "probe.config");
	(void)unlink(program);
	expect_bad(PROBE "config: [a.cfg], program: /none/openocd}\n", "probe", "/none/openocd", "probe.program");
	expect_bad(PROBE "config: [/dev/null], program: /bin/false}\n", "probe", "/bin/false is not OpenOCD", "probe.program");
}
END_TEST

/* What a run would find only at its first probe step is known before it starts, with its place. */
START_TEST(files_of_probes)
{
	static const struct {
		const char *text, *problem;
		unsigned line, column;
	} wrong[] = {{PROBE "config: [no-such.cfg], program: /bin/true}\n", "no configuration no-such.cfg", 9, 50},
	             {PROBE "config: [a.cfg], program: /none/openocd}\n", "no program /none/openocd", 9, 67}};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct error error = {0};
		struct rig_file *file = load(wrong[i].text);
		ck_assert_int_lt(rig_file_check_files(file, &error), 0);
		ck_assert_int_eq(error.domain, ERROR_USAGE);
		ck_assert_msg(strstr(error.message, wrong[i].problem) != NULL, "%s", error.message);
		ck_assert_msg(error.place.line == wrong[i].line && error.place.column == wrong[i].column, "%u:%u", error.place.line,
		              error.place.column);
		rig_file_free(file);
	}
}
END_TEST

/* OpenOCD's own search path counts too. */
START_TEST(own_scripts)
{
	struct error error = {0};
	struct rig_file *file = load(PROBE "config: [mine.cfg], program: /bin/true}\n");
	char path[80];
	(void)snprintf(path, sizeof(path), "%s/mine.cfg", folder);
	FILE *out = fopen(path, "we");
	ck_assert_ptr_nonnull(out);
	(void)fclose(out);
	ck_assert_int_eq(setenv("OPENOCD_SCRIPTS", folder, 1), 0);
	ck_assert_msg(rig_file_check_files(file, &error) == 0, "%s", error.message);
	(void)unlink(path);
	ck_assert_int_lt(rig_file_check_files(file, &error), 0);
	(void)unsetenv("OPENOCD_SCRIPTS");
	rig_file_free(file);
}
END_TEST

START_TEST(numbers)
{
	struct rig_check_report report;
	struct error error = {0};
	struct rig_file *file =
	        load("name: v\nvirtual: true\ntester: {address: \"127.${rack}.9.1\", logical_address: 0x0e80}\nroles:\n  zgw:\n"
	             "    driver: vboard\n    bootloader: bootloader\n    application: zgw\n    address: \"127.${rack}.2.1\"\n");
	ck_assert_msg(rig_check_resources(file, WITHIN_NS, &report, &error) == 0, "%s", error.message);
	for (unsigned i = 0; i < report.count; i++)
		ck_assert(!strstr(report.results[i].name, "${") && !strstr(report.results[i].problem, "${") &&
		          !strstr(report.results[i].remedy, "${"));
	ck_assert(report.numbered);
	ck_assert_str_eq(of(&report, "address")->name, "127.N.9.1");
	rig_check_report_free(&report);
	rig_file_free(file);
}
END_TEST

/* ---- many at once ---- */

#define SECOND_NS INT64_C(1000000000)
#define DEAD      44
#define BOARDS    20
#define CLIENTS   8

/* At every address of this machine: whoever connects waits, as its queue is full. */
static int deaf_port(unsigned *ret_port, int clients[CLIENTS])
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	socklen_t length = sizeof(name);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	ck_assert_int_eq(listen(fd, 0), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&name, &length), 0);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)!connect(clients[i], (struct sockaddr *)&name, sizeof(name));
	}
	*ret_port = ntohs(name.sin_port);
	return fd;
}

static int open_port(char *address, size_t size)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(name);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&name, &length), 0);
	(void)snprintf(address, size, "127.0.0.1:%u", ntohs(name.sin_port));
	return fd;
}

/* All are looked at at the same time, however many they are: one after the other these would take minutes, and the last one, which is
 * there, would be reached too late. */
START_TEST(dead_by_the_dozen)
{
	static char text[40000];
	int clients[CLIENTS];
	char there[32], console[32];
	unsigned port;
	int fd = deaf_port(&port, clients), good = open_port(there, sizeof(there));
	int length = snprintf(text, sizeof(text), "name: x\ntester: {address: 127.0.0.1, logical_address: 0x0e80}\nroles:\n");
	for (int i = 0; i <= DEAD; i++) {
		(void)snprintf(console, sizeof(console), "127.3.0.%d:%u", i + 1, port);
		length += snprintf(
		        text + length, sizeof(text) - (size_t)length,
		        "  b%d:\n    driver: board\n    address: 127.1.0.%d\n    plain: \"127.1.0.%d:%u\"\n    tls: \"127.2.0.%d:%u\"\n"
		        "    power: {driver: command, on: [/bin/true], off: [/bin/true]}\n    console: {driver: tcp, address: \"%s\"}\n",
		        i, i + 1, i + 1, port, i + 1, port, i == DEAD ? there : console);
	}
	struct rig_file *file = load(text);
	struct rig_check_report report;
	struct error error = {0};
	int64_t begin_ns = loop_now_ns();
	ck_assert_msg(rig_check_resources(file, 60 * SECOND_NS, &report, &error) == 0, "%s", error.message);
	ck_assert_int_lt(loop_now_ns() - begin_ns, 50 * SECOND_NS);
	unsigned consoles_seen = 0, endpoints = 0;
	char last[16];
	(void)snprintf(last, sizeof(last), "b%d", DEAD);
	for (unsigned i = 0; i < report.count; i++) {
		const struct rig_check_result *result = &report.results[i];
		ck_assert_msg(!strstr(result->problem, "did not come to an end"), "%s %s", result->owner, result->kind);
		if (!strcmp(result->kind, "endpoint"))
			endpoints += result->state == RIG_CHECK_WARNING && strstr(result->problem, "timed out");
		if (strcmp(result->kind, "console"))
			continue;
		consoles_seen++;
		ck_assert_msg(result->state == (strcmp(result->owner, last) ? RIG_CHECK_BAD : RIG_CHECK_OK), "%s: %s", result->owner,
		              result->problem);
	}
	ck_assert_uint_eq(consoles_seen, DEAD + 1);
	ck_assert_uint_eq(endpoints, 2 * (DEAD + 1));
	rig_check_report_free(&report);
	rig_file_free(file);
	for (int i = 0; i < CLIENTS; i++)
		(void)close(clients[i]);
	(void)close(fd);
	(void)close(good);
}
END_TEST

/* One supply feeds them all, and the probe of each hangs: they wait for the supply, not for each other. */
START_TEST(boards_of_one_supply)
{
	static char text[20000], output[BOARDS][24], measure[BOARDS][48];
	char program[64];
	struct scpi_server *server = scpi_server_new();
	scpi_server_rule(server, "*IDN?", "ACME,PS3,1,2\n", 0, false);
	scpi_server_rule(server, "SYST:ERR?", "0,\"No error\"\n", 0, false);
	scpi_server_rule(server, "OUTP?", "1\n", 0, false);
	scpi_server_rule(server, "MEAS:VOLT?;:MEAS:CURR?", "12;0.1\n", 0, false);
	(void)snprintf(program, sizeof(program), "%s/hangs", folder);
	write_program(program, "#!/bin/sh\ncase \"$*\" in\n*--version*) echo Open On-Chip Debugger 0.12.0;;\n*shutdown*) exit 0;;\n"
	                       "*) exec sleep 100;;\nesac\n");
	int length = snprintf(text, sizeof(text), "name: x\ntester: {address: 127.0.0.1, logical_address: 0x0e80}\nroles:\n");
	for (int i = 0; i < BOARDS; i++) {
		(void)snprintf(output[i], sizeof(output[i]), "OUTP? (@%d)", i + 1);
		(void)snprintf(measure[i], sizeof(measure[i]), "MEAS:VOLT? (@%d);:MEAS:CURR? (@%d)", i + 1, i + 1);
		scpi_server_rule(server, output[i], "1\n", 0, false);
		scpi_server_rule(server, measure[i], "12.0;0.1\n", 0, false);
		length +=
		        snprintf(text + length, sizeof(text) - (size_t)length,
		                 "  b%d:\n    driver: board\n    address: 127.0.0.%d\n"
		                 "    power: {driver: scpi, address: \"%s\", channel: %d, dialect: list, voltage: 12V, current_limit: 2A}\n"
		                 "    console: {driver: pty, path: /none/%d}\n    probe: {driver: openocd, target: t, config: [/dev/null], "
		                 "program: %s}\n",
		                 i, i + 2, scpi_server_address(server), i + 1, i, program);
	}
	struct rig_file *file = load(text);
	struct rig_check_report report;
	struct error error = {0};
	int64_t begin_ns = loop_now_ns();
	ck_assert_msg(rig_check_resources(file, 60 * SECOND_NS, &report, &error) == 0, "%s", error.message);
	ck_assert_int_lt(loop_now_ns() - begin_ns, 25 * SECOND_NS); /* 30 s one after the other */
	for (unsigned i = 0; i < report.count; i++) {
		const struct rig_check_result *result = &report.results[i];
		if (!strcmp(result->kind, "supply"))
			ck_assert_msg(result->state == RIG_CHECK_OK && strstr(result->found, "output on"), "%s: %s", result->owner,
			              result->problem);
		if (!strcmp(result->kind, "board"))
			ck_assert_msg(result->state == RIG_CHECK_BAD && strstr(result->problem, "OpenOCD"), "%s: %s", result->owner,
			              result->problem);
	}
	rig_check_report_free(&report);
	rig_file_free(file);
	scpi_server_free(server);
	(void)unlink(program);
}
END_TEST

/* A supply that never says whether it is on leaves its boards not asked, and is bad itself. */
START_TEST(boards_of_a_silent_supply)
{
	char text[900];
	struct scpi_server *server = scpi_server_new();
	struct rig_check_report report;
	struct error error = {0};
	(void)snprintf(text, sizeof(text),
	               HEAD "    address: 127.0.0.2\n    power: {driver: scpi, address: \"%s\", voltage: 12V, current_limit: 2A}\n"
	                    "    console: {driver: pty, path: /none}\n    probe: {driver: gdb, address: \"192.0.2.1:3333\"}\n",
	               scpi_server_address(server));
	struct rig_file *file = load(text);
	ck_assert_msg(rig_check_resources(file, WITHIN_NS, &report, &error) == 0, "%s", error.message);
	ck_assert_int_eq(of(&report, "supply")->state, RIG_CHECK_BAD);
	ck_assert_msg(of(&report, "board")->state == RIG_CHECK_NOT_ASKED, "%s", of(&report, "board")->problem);
	ck_assert_msg(of(&report, "probe")->state == RIG_CHECK_NOT_ASKED, "%s", of(&report, "probe")->problem);
	rig_check_report_free(&report);
	rig_file_free(file);
	scpi_server_free(server);
}
END_TEST

#define SUPPLY                                                                                                                             \
	HEAD "    address: 127.0.0.2\n    power: {driver: scpi, address: \"%s\", voltage: 12V%s}\n    console: {driver: pty, path: "       \
	     "/none}\n"

/* What it says of itself is no word about the channel, nor about its output. */
START_TEST(supplies_that_answer_wrongly)
{
	static const struct {
		const char *more, *message, *answer, *problem;
	} wrong[] = {
	        {", channel: 2", "INST:NSEL?", "1\n", "after \"INST:NSEL 2\" it answers \"INST:NSEL?\" with \"1\""},
	        {"", "OUTP?", "perhaps\n", "with \"perhaps\" in place of 0 or 1"},
	        {"", "MEAS:VOLT?;:MEAS:CURR?", "12.0 A;0.1\n", "which is not in V"},
	        {"", "MEAS:VOLT?;:MEAS:CURR?", "9.91E37;0.1\n", "out of range, or not measured"},
	        {"", "MEAS:VOLT?;:MEAS:CURR?", "garbage\n", "in place of two numbers"},
	};
	char text[900];
	struct scpi_server *server = scpi_server_new();
	scpi_server_rule(server, "*IDN?", "ACME,PS3,1,2\n", 0, false);
	scpi_server_rule(server, "SYST:ERR?", "0,\"No error\"\n", 0, false);
	scpi_server_rule(server, "OUTP?", "1\n", 0, false);
	scpi_server_rule(server, wrong[_i].message, wrong[_i].answer, 0, false);
	(void)snprintf(text, sizeof(text), SUPPLY, scpi_server_address(server), wrong[_i].more);
	expect_bad(text, "supply", wrong[_i].problem, "display");
	ck_assert_uint_eq(scpi_server_heard(server, "OUTP?"), _i == 0 ? 0 : 1);
	scpi_server_free(server);
}
END_TEST

/* ---- what to do ---- */

START_TEST(old_openocd)
{
	static const struct {
		const char *version, *problem;
	} versions[] = {{"Open On-Chip Debugger 0.11.0", "is too old (Open On-Chip Debugger 0.11.0)"},
	                {"Open On-Chip Debugger 0.12.0+dev-g1234", "cannot read its configuration"},
	                {"Open On-Chip Debugger 1.0", "cannot read its configuration"},
	                {"Open On-Chip Debugger snapshot", "cannot read its configuration"}};
	char program[64], script[200], text[700];
	(void)snprintf(program, sizeof(program), "%s/old", folder);
	(void)snprintf(script, sizeof(script), "#!/bin/sh\n[ \"$1\" = --version ] && echo '%s'\nexit 1\n", versions[_i].version);
	write_program(program, script);
	(void)snprintf(text, sizeof(text), PROBE "config: [/dev/null], program: %s}\n", program);
	expect_bad(text, "probe", versions[_i].problem, "probe.program");
	(void)unlink(program);
}
END_TEST

/* A script that says something of its own first, and then what OpenOCD says. */
START_TEST(talking_wrapper)
{
	char program[64], text[700];
	(void)snprintf(program, sizeof(program), "%s/talks", folder);
	write_program(program, "#!/bin/sh\necho loading the environment\n[ \"$1\" = --version ] && echo Open On-Chip Debugger 0.12.0 >&2\n"
	                       "sleep 100 &\nexit 0\n");
	(void)snprintf(text, sizeof(text), PROBE "config: [/dev/null], program: %s}\n", program);
	struct rig_check_report report;
	struct error error = {0};
	struct rig_file *file = load(text);
	ck_assert_msg(rig_check_resources(file, 20 * SECOND_NS, &report, &error) == 0, "%s", error.message);
	const struct rig_check_result *result = of(&report, "probe");
	ck_assert_msg(result->state == RIG_CHECK_OK && strstr(result->found, "Debugger 0.12.0"), "%s: %s", result->found, result->problem);
	rig_check_report_free(&report);
	rig_file_free(file);
	(void)unlink(program);
}
END_TEST

/* ---- nothing stays ---- */

/* Answers as OpenOCD does, but when it is to connect it hangs with a child, whose number it tells. */
static void write_hanging(const char *program, const char *told, const char *when)
{
	char script[600];
	(void)snprintf(script, sizeof(script),
	               "#!/bin/sh\ncase \"$*\" in\n%s) sleep 300 & echo $! > %s.new; mv %s.new %s; wait;;\n"
	               "*--version*) echo Open On-Chip Debugger 0.12.0;;\nesac\n",
	               when, told, told, told);
	write_program(program, script);
}

static long read_number(const char *path)
{
	long number = 0;
	FILE *file = fopen(path, "re");
	if (file && fscanf(file, "%ld", &number) != 1)
		number = 0;
	if (file)
		(void)fclose(file);
	return number;
}

/* Whoever is killed is waited for by somebody else, or by nobody: a zombie is gone. */
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

static void nap(void)
{
	(void)poll(NULL, 0, 5);
}

static long await_number(const char *path)
{
	long number = 0;
	for (int64_t end_ns = loop_now_ns() + 20 * SECOND_NS; (number = read_number(path)) == 0 && loop_now_ns() < end_ns;)
		nap();
	ck_assert_int_gt(number, 0);
	return number;
}

static void await_gone(long pid)
{
	for (int64_t end_ns = loop_now_ns() + 20 * SECOND_NS; !is_gone(pid) && loop_now_ns() < end_ns;)
		nap();
	ck_assert_msg(is_gone(pid), "process %ld is left", pid);
}

/* Of a script that hangs while it is asked for its version, while it reads its configuration, and while it identifies the board. */
static const char *const phases[] = {"*--version*", "*'proc init'*", "*'-c init'"};
/* How the check ends meanwhile. */
enum { INTERRUPTED, KILLED, TIME_OVER, ENDS };

static void check_in_child(const struct rig_file *file, int interrupt, int end)
{
	struct rig_check_report report;
	struct error error = {0};
	int r = rig_check_resources_unless(file, end == TIME_OVER ? 4 * SECOND_NS : 60 * SECOND_NS, interrupt, &report, &error);
	if (end == INTERRUPTED)
		_exit(r == -ECANCELED && error.domain == ERROR_OPERATOR ? 0 : 1);
	_exit(r == 0 && of(&report, "probe")->state + of(&report, "board")->state >= RIG_CHECK_BAD ? 0 : 1);
}

START_TEST(leaves_no_process)
{
	const int end = _i % ENDS;
	char program[64], told[64], text[700];
	int pipes[2], status;
	(void)snprintf(program, sizeof(program), "%s/hangs", folder);
	(void)snprintf(told, sizeof(told), "%s/told", folder);
	write_hanging(program, told, phases[_i / ENDS]);
	(void)snprintf(text, sizeof(text),
	               HEAD "    address: 127.0.0.2\n    power: {driver: command, on: [/bin/true], off: [/bin/true], status: [/bin/true]}\n"
	                    "    console: {driver: pty, path: /none}\n    probe: {driver: openocd, target: t, config: [/dev/null], "
	                    "deadline: 50s, program: %s}\n",
	               program);
	struct rig_file *file = load(text);
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0)
		check_in_child(file, pipes[0], end);
	long number = await_number(told);
	ck_assert(!is_gone(number) || end == TIME_OVER);
	if (end == INTERRUPTED)
		ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	if (end == KILLED)
		ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(end == KILLED ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
	await_gone(number);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	(void)unlink(program);
	(void)unlink(told);
	rig_file_free(file);
}
END_TEST

/* OpenOCD's log has a name that no other check has, and stays only when a message names it. */
START_TEST(logs_of_probes)
{
	char program[64], text[900], role[40], fixed[80], kept[160] = "";
	struct stat status;
	struct rig_check_report report;
	struct error error = {0};
	(void)snprintf(program, sizeof(program), "%s/ends", folder);
	(void)snprintf(role, sizeof(role), "r%ld", (long)getpid());
	(void)snprintf(fixed, sizeof(fixed), "/tmp/openocd-%s.log", role);
	write_program(program, "#!/bin/sh\ncase \"$*\" in\n*--version*) echo Open On-Chip Debugger 0.12.0;;\n*shutdown*) exit 0;;\n"
	                       "*) echo Error: no adapter here; exit 1;;\nesac\n");
	(void)snprintf(
	        text, sizeof(text),
	        "name: x\ntester: {address: 127.0.0.1, logical_address: 0x0e80}\nroles:\n  %s:\n    driver: board\n"
	        "    address: 127.0.0.2\n    power: {driver: command, on: [/bin/true], off: [/bin/true], status: [/bin/true]}\n"
	        "    console: {driver: pty, path: /none}\n    probe: {driver: openocd, target: t, config: [/dev/null], program: %s}\n",
	        role, program);
	ck_assert_int_eq(mkdir(fixed, 0700), 0); /* another user's file of the old name */
	struct rig_file *file = load(text);
	ck_assert_msg(rig_check_resources(file, 20 * SECOND_NS, &report, &error) == 0, "%s", error.message);
	(void)rmdir(fixed);
	const char *problem = of(&report, "board")->problem, *see = strstr(problem, "see ");
	ck_assert_msg(strstr(problem, "no adapter here") && see, "%s", problem);
	ck_assert_int_eq(sscanf(see, "see %159s", kept), 1);
	ck_assert_msg(strncmp(kept, "/tmp/hilbench-openocd-", 22) == 0 && stat(kept, &status) == 0 && status.st_size > 0, "%s", problem);
	(void)unlink(kept);
	rig_check_report_free(&report);
	rig_file_free(file);
	(void)unlink(program);
}
END_TEST

/* A port that another process has open is named with it. */
START_TEST(port_in_use)
{
	char text[700], holder[40], *name;
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), ready[2];
	ck_assert_int_ge(master, 0);
	ck_assert_int_eq(grantpt(master), 0);
	ck_assert_int_eq(unlockpt(master), 0);
	name = ptsname(master);
	(void)snprintf(text, sizeof(text), REAL "    console: {driver: serial, device: %s}\n", name);
	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		(void)alarm(60);
		(void)!open(name, O_RDWR | O_NOCTTY);
		(void)!write(ready[1], "", 1);
		for (;;)
			(void)pause();
	}
	(void)!read(ready[0], holder, 1);
	(void)snprintf(holder, sizeof(holder), "(process %d)", (int)pid);
	expect_bad(text, "console", holder, "end that program");
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	(void)close(ready[0]);
	(void)close(ready[1]);
	(void)close(master);
}
END_TEST

/* A group that may is named; a device of root's alone needs a rule. */
/* A link and the port that it is: the texts differ, the device does not. */
START_TEST(two_names_of_one_console)
{
	char link[64], text[900], *name;
	struct rig_check_report report;
	struct error error = {0};
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_eq(grantpt(master) | unlockpt(master), 0);
	name = strdup(ptsname(master));
	(void)snprintf(link, sizeof(link), "%s/console", folder);
	ck_assert_int_eq(symlink(name, link), 0);
	(void)snprintf(text, sizeof(text),
	               REAL "    console: {driver: pty, path: %s}\n  ecu:\n    driver: board\n    address: 127.0.0.3\n"
	                    "    power: {driver: command, on: [/bin/true], off: [/bin/true]}\n    console: {driver: serial, device: %s}\n",
	               name, link);
	expect_bad(text, "console", "the console of `ecu` is the same device", "half");
	struct rig_file *file = load(text);
	ck_assert_int_lt(rig_file_check_files(file, &error), 0);
	ck_assert_int_eq(error.domain, ERROR_USAGE);
	ck_assert_msg(error.place.line == 13 && strstr(error.message, "that of `zgw` already"), "%u %s", error.place.line, error.message);
	rig_file_free(file);
	ck_assert_int_eq(unlink(link), 0);
	file = load(text);
	ck_assert_msg(rig_file_check_files(file, &error) == 0, "%s", error.message);
	ck_assert_msg(rig_check_resources(file, WITHIN_NS, &report, &error) == 0, "%s", error.message);
	ck_assert_int_eq(of(&report, "console")->state, RIG_CHECK_OK);
	rig_check_report_free(&report);
	rig_file_free(file);
	free(name);
	(void)close(master);
}
END_TEST

START_TEST(permissions)
{
	char path[64];
	struct check_finding finding = {.state = RIG_CHECK_OK};
	(void)snprintf(path, sizeof(path), "%s/device", folder);
	write_program(path, "");
	const gid_t gid = geteuid() == 0 ? 20 : getegid();
	const struct group *group = getgrgid(gid);
	ck_assert_int_eq(chown(path, (uid_t)-1, gid), 0);
	ck_assert_int_eq(chmod(path, 0660), 0);
	check_permission_remedy(&finding, path, "tty");
	ck_assert_msg(!group || gid == 0 || strstr(finding.remedy, group->gr_name), "%s", finding.remedy);
	ck_assert_int_eq(chmod(path, 0600), 0);
	check_permission_remedy(&finding, path, "tty");
	ck_assert_msg(strstr(finding.remedy, "udev rule") && strstr(finding.remedy, "SUBSYSTEM==\"tty\", GROUP=\"dialout\""), "%s",
	              finding.remedy);
	(void)unlink(path);
	check_gpio_remedy(&finding, EACCES, "relays", "power");
	ck_assert_msg(strstr(finding.remedy, "SUBSYSTEM==\"gpio\""), "%s", finding.remedy);
	check_gpio_remedy(&finding, ENODEV, "relays", "reset");
	ck_assert_msg(strstr(finding.remedy, "`reset.chip`"), "%s", finding.remedy);
}
END_TEST

/* The remedy is that of the problem that is told. */
START_TEST(one_remedy)
{
	struct check_finding finding = {.state = RIG_CHECK_OK};
	check_problem(&finding, RIG_CHECK_WARNING, "small");
	check_remedy(&finding, "for small");
	check_problem(&finding, RIG_CHECK_BAD, "large");
	ck_assert_str_eq(finding.remedy, "");
	check_remedy(&finding, "for large");
	check_problem(&finding, RIG_CHECK_BAD, "another");
	check_remedy(&finding, "for another");
	ck_assert_str_eq(finding.problem, "large");
	ck_assert_str_eq(finding.remedy, "for large");
}
END_TEST

static const struct {
	const char *map;
	struct can_interface is;
	bool bus_off, may;
	enum rig_check_state state;
	const char *problem, *remedy;
} buses[] = {
        {"{nominal: 500000, data: 2000000}",
         {.is_can = true, .up = true, .fd = true, .nominal_bit_rate = 500000, .data_bit_rate = 2000000},
         false,
         false,
         RIG_CHECK_OK,
         "",
         ""},
        {"{nominal: 500000}",
         {.is_can = true},
         false,
         false,
         RIG_CHECK_BAD,
         "can9 is down",
         "`ip link set can9 up type can bitrate 500000`"},
        {"{nominal: 500000, data: 2000000}",
         {.is_can = true},
         false,
         true,
         RIG_CHECK_WARNING,
         "can9 is down",
         "`ip link set can9 up type can bitrate 500000 dbitrate 2000000 fd on`"},
        {"{a: 1}", {.is_can = true}, false, true, RIG_CHECK_BAD, "can9 is down", "bitrate RATE"},
        {"{a: 1}", {.fd = true}, false, true, RIG_CHECK_BAD, "can9 is down", "`ip link set can9 up`"},
        {"{nominal: 500000}",
         {.is_can = true, .up = true, .nominal_bit_rate = 250000},
         false,
         false,
         RIG_CHECK_BAD,
         "can9 has 250000 bit/s, the rig file says 500000",
         "`ip link set can9 down`, then `ip link set can9 up type can bitrate 500000`"},
        {"{nominal: 500000, data: 2000000}",
         {.is_can = true, .up = true, .nominal_bit_rate = 500000, .data_bit_rate = 4000000, .fd = true},
         false,
         true,
         RIG_CHECK_WARNING,
         "can9 has 500000/4000000 bit/s, the rig file says 500000/2000000",
         "dbitrate 2000000 fd on"},
        {"{nominal: 500000}",
         {.is_can = true, .up = true, .nominal_bit_rate = 500000},
         true,
         false,
         RIG_CHECK_BAD,
         "can9 is bus-off",
         "60 ohm"},
        {"{nominal: 500000, data: 2000000}", {.up = true}, false, false, RIG_CHECK_BAD, "takes no FD frames", "mtu 72"},
};

START_TEST(can_interfaces)
{
	struct check_finding finding = {.state = RIG_CHECK_OK};
	struct value *map = NULL;
	struct error error = {0};
	ck_assert_int_eq(value_parse_text("map", buses[_i].map, strlen(buses[_i].map), &map, &error), 0);
	check_can_judge(map, "can9", &buses[_i].is, buses[_i].bus_off, buses[_i].may, &finding);
	ck_assert_msg(finding.state == buses[_i].state && strstr(finding.problem, buses[_i].problem) &&
	                      strstr(finding.remedy, buses[_i].remedy),
	              "%s: %s -> %s", rig_check_state_name(finding.state), finding.problem, finding.remedy);
	ck_assert(!strstr(finding.remedy, "dbitrate 0"));
	value_free(map);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("check");
	TCase *cases = tcase_create("resources"), *many = tcase_create("many");
	if (!mkdtemp(folder))
		return EXIT_FAILURE;
	tcase_set_timeout(cases, 30);
	tcase_add_test(cases, consoles);
	tcase_add_test(cases, reset_lines);
	tcase_add_test(cases, probes);
	tcase_add_test(cases, files_of_probes);
	tcase_add_test(cases, own_scripts);
	tcase_add_test(cases, numbers);
	tcase_add_test(cases, port_in_use);
	tcase_add_test(cases, permissions);
	tcase_add_test(cases, one_remedy);
	tcase_add_loop_test(cases, supplies_that_answer_wrongly, 0, 5);
	tcase_add_test(cases, boards_of_a_silent_supply);
	tcase_add_loop_test(cases, old_openocd, 0, 4);
	tcase_add_test(cases, talking_wrapper);
	tcase_add_test(cases, logs_of_probes);
	tcase_add_test(cases, two_names_of_one_console);
	tcase_add_loop_test(cases, can_interfaces, 0, (int)(sizeof(buses) / sizeof(*buses)));
	tcase_set_timeout(many, 90);
	tcase_add_test(many, dead_by_the_dozen);
	tcase_add_test(many, boards_of_one_supply);
	tcase_add_loop_test(many, leaves_no_process, 0, ENDS * (int)(sizeof(phases) / sizeof(*phases)));
	suite_add_tcase(suite, cases);
	suite_add_tcase(suite, many);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	(void)rmdir(folder);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
