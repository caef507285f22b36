/* SPDX-License-Identifier: Apache-2.0 */
/* The debug probe of a real virtual board, driven by the real OpenOCD; and what a rig file may say about probes. */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../rig/drivers/probe_openocd_rpc.h"
#include "../../rig/probe_private.h"

#define RAM      0x20000000u
#define PATIENCE INT64_C(20000000000)
#define HEAD     "name: t\nvirtual: true\ntester: {address: 127.0.0.1, logical_address: 0x0e80}\nroles:\n"
#define ROLE                                                                                                                               \
	"  zgw:\n    driver: vboard\n    bootloader: bootloader\n    application: zgw\n    address: 127.0.0.1\n    logical_address: "      \
	"0x91\n"

static char directory[PATH_MAX - 64], config[PATH_MAX];
static struct loop *loop;
static struct timeline *timeline;
static struct error error;
static struct rig_file *file;
static struct rig *rig;
static struct rig_board *board;
static struct probe *probe;
static char kinds[8192]; /* of the probe's events, in their order */

static void see(const struct event *event, void *context)
{
	if (!strncmp(event->kind, "probe.", 6))
		(void)snprintf(kinds + strlen(kinds), sizeof(kinds) - strlen(kinds), "%s ", event->kind + 6);
}

static const char *in_directory(const char *name)
{
	static char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static const char *write_file(const char *name, const void *data, size_t length)
{
	const char *path = in_directory(name);
	FILE *stream = fopen(path, "w");
	ck_assert_ptr_nonnull(stream);
	ck_assert_uint_eq(fwrite(data, 1, length, stream), length);
	fclose(stream);
	return path;
}

static void ok(int r)
{
	ck_assert_msg(r == 0, "%s", error.message);
}

static void fails(int r, int code, enum error_domain domain, const char *text)
{
	ck_assert_msg(r == code, "%d, not %d: %s", r, code, error.message);
	ck_assert_int_eq(error.domain, domain);
	ck_assert_msg(strstr(error.message, text) != NULL, "\"%s\" does not say \"%s\"", error.message, text);
}

static int64_t soon(void)
{
	return loop_now_ns() + PATIENCE;
}

static void make_directory(void)
{
	snprintf(directory, sizeof(directory), "/tmp/test-probe-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	memset(&error, 0, sizeof(error));
}

static void remove_directory(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", directory, NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

/* ---- rig files ---- */

#define PROBE "    probe: {driver: openocd, config: [a.cfg], target: t"

static const struct {
	const char *text, *place, *message;
} mistakes[] = {
        {"    probe: {driver: opencd}\n", ":11:21: ", "did you mean \"openocd\""},
        {"    probe: {config: [a]}\n", ":11:12: ", "lacks `driver`"},
        {"    probe: {driver: openocd, target: t}\n", ":11:12: ", "lacks `config`"},
        {"    probe: {driver: openocd, config: [a.cfg]}\n", ":11:12: ", "lacks `target`"},
        {PROBE ", tagret: x}\n", ":11:58: ", "did you mean \"target\""},
        {PROBE ", deadline: 5}\n", ":11:68: ", "unit"},
        {PROBE ", deadline: 0s}\n", ":11:68: ", "above zero"},
        {PROBE ", idcode: 0x100000000}\n", ":11:66: ", "between 0 and 4294967295"},
        {PROBE ", idcode: abc}\n", ":11:66: ", "an integer"},
        {PROBE ", unique_id: {address: 1}}\n", ":11:69: ", "lacks `value`"},
        {PROBE ", unique_id: {address: 1, value: zgw}}\n", ":11:89: ", "a number of at most 64 bits"},
        {PROBE ", unique_id: {address: 1, value: 0x12345678901234567}}\n", ":11:89: ", "a number of at most 64 bits"},
        {PROBE ", slot: {address: 1, value: a-name-that-is-too-long}}\n", ":11:84: ", "at most 16 characters"},
        {PROBE ", slot: {adress: 1, value: a}}\n", ":11:65: ", "did you mean \"address\""},
        {PROBE ", variables: {a b: 1}}\n", ":11:70: ", "is no name of a variable"},
        {PROBE ", variables: {a: \"${jtg}\"}}\n", ":11:73: ", "${jtag}"},
        {PROBE ", reset_line: trst}\n", ":11:70: ", "unknown reset_line"},
        {PROBE ", address: \"localhost:1\"}\n", ":11:58: ", "driver openocd has no `address`"},
        {"    vin: \"${jtag}\"\n", ":11:10: ", "unknown variable"},
};

START_TEST(rig_file_mistakes)
{
	char text[2048], described[2048];
	make_directory();
	int length = snprintf(text, sizeof(text), HEAD ROLE "%s", mistakes[_i].text);
	const char *path = write_file("rig.yaml", text, (size_t)length);
	ck_assert_int_lt(rig_file_load(path, &file, &error), 0);
	ck_assert_int_eq(error.domain, ERROR_USAGE);
	error_describe(&error, described, sizeof(described));
	ck_assert_msg(strstr(described, mistakes[_i].message), "%s", described);
	ck_assert_msg(strstr(described, mistakes[_i].place), "%s, wanted %s", described, mistakes[_i].place);
	remove_directory();
}
END_TEST

START_TEST(capability)
{
	static const char with[] = HEAD ROLE PROBE ", unique_id: {address: 1, value: \"0xffffffffffffffff\"}}\n", without[] = HEAD ROLE;
	make_directory();
	ok(rig_file_load(write_file("rig.yaml", with, strlen(with)), &file, &error));
	ck_assert(rig_file_has_capability(file, "probe"));
	rig_file_free(file);
	ok(rig_file_load(write_file("rig.yaml", without, strlen(without)), &file, &error));
	ck_assert(!rig_file_has_capability(file, "probe"));
	rig_file_free(file);
	remove_directory();
}
END_TEST

/* ---- words ---- */

START_TEST(quoting)
{
	static const struct {
		const char *text, *word;
	} words[] = {{"", "{}"},
	             {"abc-1.2/x_y", "abc-1.2/x_y"},
	             {"a b", "a\\040b"},
	             {"[exec x]", "\\[exec\\040x\\]"},
	             {"$x;{\"#\\", "\\$x\\;\\{\\\"\\#\\\\"},
	             {"a\n\x1a", "a\\012\\032"},
	             {"\xc3\xa4", "\xc3\xa4"}};
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		char *word = openocd_quoted(words[i].text);
		ck_assert_str_eq(word, words[i].word);
		free(word);
	}
}
END_TEST

/* ---- a board ---- */

static void start(const char *more)
{
	const struct rig_options options = {.run_directory = directory};
	char text[4096];
	make_directory();
	kinds[0] = '\0';
	ok(loop_new(&loop, &error));
	ok(timeline_new(&timeline, NULL, 10000, &error));
	ok(timeline_observe(timeline, see, NULL));
	int length = snprintf(text, sizeof(text),
	                      HEAD ROLE "    objects: {ota.key.1: keys/ota-1.pub}\n"
	                                "    probe:\n      driver: openocd\n      config: [%s]\n      variables: {jtag: \"${jtag}\"}\n"
	                                "      target: vb.mem\n      idcode: 0x4ba00477\n      deadline: 3s\n"
	                                "      slot: {address: 0xF0000490, value: zgw}\n%s",
	                      config, more);
	ok(rig_file_load(write_file("rig.yaml", text, (size_t)length), &file, &error));
	ok(rig_start(file, loop, timeline, &options, &rig, &error));
	board = rig_board_find(rig, "zgw");
	probe = rig_board_probe(board);
	ck_assert_ptr_nonnull(probe);
}

static void stop(void)
{
	rig_stop(rig);
	rig_file_free(file);
	timeline_unobserve(timeline, see, NULL);
	timeline_free(timeline);
	loop_free(loop);
	remove_directory();
}

static void setup(void)
{
	snprintf(config, sizeof(config), "%s", getenv("TEST_PROBE_CONFIG"));
	start("");
	ok(rig_board_power(board, true, soon(), &error));
}

static uint32_t word_at(uint32_t address)
{
	uint8_t b[4];
	ok(probe_read(probe, address, 4, b, 4, soon(), &error));
	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void put(uint32_t address, uint32_t word)
{
	const uint8_t b[4] = {(uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16), (uint8_t)(word >> 24)};
	ok(probe_write(probe, address, 4, b, 4, soon(), &error));
}

START_TEST(starts_at_the_first_use)
{
	ck_assert_int_eq(probe_process(probe), 0);
	ck_assert_int_eq(access(in_directory("openocd-zgw.log"), F_OK), -1);
	ck_assert_str_eq(probe_driver_name(probe), "openocd");
	ck_assert_int_eq(probe_verb_ns(probe), 3000000000);
	put(RAM, 1);
	ck_assert_int_gt(probe_process(probe), 0);
	ck_assert_int_eq(access(in_directory("openocd-zgw.log"), F_OK), 0);
	ck_assert_str_eq(kinds, "connect identify write ");
}
END_TEST

START_TEST(identity)
{
	struct probe_identity is;
	ok(probe_identify(probe, &is, soon(), &error));
	ck_assert_uint_eq(is.idcode, 0x4ba00477);
	ck_assert_uint_eq(is.unique_id, 0); /* the rig file does not say where it is */
	ck_assert_str_eq(is.slot, "zgw");
	ok(probe_identify(probe, NULL, soon(), &error));
	ck_assert_str_eq(kinds, "connect identify identify ");
}
END_TEST

START_TEST(widths_and_lengths)
{
	uint8_t out[5000], in[5000];
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + (i >> 8));
	for (unsigned width = 1; width <= 4; width *= 2) {
		memset(in, 0, sizeof(in));
		ok(probe_write(probe, RAM + width, width, out, sizeof(out), soon(), &error));
		ok(probe_read(probe, RAM + width, 1, in, sizeof(in), soon(), &error));
		ck_assert_mem_eq(in, out, sizeof(out));
		memset(in, 0, sizeof(in));
		ok(probe_read(probe, RAM + width, width, in, sizeof(in), soon(), &error));
		ck_assert_mem_eq(in, out, sizeof(out));
	}
	fails(probe_read(probe, RAM, 3, in, 3, soon(), &error), -EINVAL, ERROR_TESTCASE, "1, 2, 4 or 8 bytes wide");
	/* This access port has 32 bits, and OpenOCD makes no two of one. */
	fails(probe_read(probe, RAM, 8, in, 8, soon(), &error), -EOPNOTSUPP, ERROR_BENCH, "no accesses of 64 bits");
	fails(probe_write(probe, RAM, 8, in, 8, soon(), &error), -EOPNOTSUPP, ERROR_BENCH, "no accesses of 64 bits");
	ok(probe_read(probe, RAM, 4, in, 8, soon(), &error));
	fails(probe_read(probe, RAM + 2, 4, in, 4, soon(), &error), -EINVAL, ERROR_TESTCASE, "no multiples");
	fails(probe_read(probe, RAM, 4, in, 6, soon(), &error), -EINVAL, ERROR_TESTCASE, "no multiples");
	fails(probe_write(probe, 0xFFFFFFFC, 4, in, 8, soon(), &error), -ERANGE, ERROR_TESTCASE, "over the end");
}
END_TEST

START_TEST(refusals_are_the_boards)
{
	uint8_t byte;
	put(RAM, 5);
	fails(probe_read(probe, 0x40000000, 1, &byte, 1, soon(), &error), -EFAULT, ERROR_DUT, "40000000h");
	fails(probe_write(probe, 0xA0000000, 1, "x", 1, soon(), &error), -EFAULT, ERROR_DUT, "A0000000h");
	/* It is where it fails that is told, not where it begins. */
	uint8_t edge[32];
	fails(probe_read(probe, RAM + 0xFFF0, 4, edge, 32, soon(), &error), -EFAULT, ERROR_DUT, "20010000h");
	ck_assert_uint_eq(word_at(RAM), 5);
	ok(rig_board_power(board, false, soon(), &error));
	fails(probe_read(probe, RAM, 1, &byte, 1, soon(), &error), -EFAULT, ERROR_DUT, "has no power");
	fails(probe_halt(probe, soon(), &error), -EFAULT, ERROR_DUT, "has no power");
	ok(rig_board_power(board, true, soon(), &error));
	ck_assert_uint_eq(word_at(RAM), 0);
	ck_assert_str_eq(strstr(kinds, "connect") + 7, strstr(kinds, " identify write")); /* once, for all of it */
}
END_TEST

START_TEST(run_control)
{
	bool halted = true;
	ok(probe_halted(probe, &halted, soon(), &error));
	ck_assert(!halted);
	ok(probe_halt(probe, soon(), &error));
	ok(probe_halted(probe, &halted, soon(), &error));
	ck_assert(halted && board->debugged);
	ok(probe_resume(probe, soon(), &error));
	ok(probe_reset(probe, PROBE_RESET_HALT, soon(), &error));
	ok(probe_halted(probe, &halted, soon(), &error));
	ck_assert(halted);
	ck_assert_str_eq(rig_board_stage(board), "ssw");
	ok(probe_reset(probe, PROBE_RESET_SYSTEM, soon(), &error));
	ok(probe_halted(probe, &halted, soon(), &error));
	ck_assert(!halted);
	ok(probe_reset(probe, PROBE_RESET_APPLICATION, soon(), &error));
	ok(rig_restore(rig, &error)); /* the next case gets another board */
	ck_assert(!board->powered && !board->debugged);
}
END_TEST

START_TEST(files)
{
	static uint8_t data[70000];
	char path[PATH_MAX];
	size_t offset = 0;
	struct stat status;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31 >> 3);
	snprintf(path, sizeof(path), "%s", write_file("a file [x] {y} $z.bin", data, 65531));
	ok(probe_load(probe, RAM + 5, path, soon(), &error));
	ok(probe_compare(probe, RAM + 5, path, &offset, soon(), &error));
	ck_assert_uint_eq(offset, SIZE_MAX);
	put(RAM + 0x8000, ~word_at(RAM + 0x8000));
	ok(probe_compare(probe, RAM + 5, path, &offset, soon(), &error));
	ck_assert_uint_eq(offset, 0x8000 - 5);
	ok(probe_dump(probe, RAM + 5, 100, in_directory("dump.bin"), soon(), &error));
	ck_assert_int_eq(stat(in_directory("dump.bin"), &status), 0);
	ck_assert_int_eq(status.st_size, 100);
	ck_assert_int_ne(status.st_mode & 044, 0);

	fails(probe_load(probe, RAM, in_directory("none"), soon(), &error), -ENOENT, ERROR_TESTCASE, "none: No such file");
	fails(probe_load(probe, RAM, directory, soon(), &error), -EINVAL, ERROR_TESTCASE, "no file");
	fails(probe_load(probe, RAM, write_file("empty", "", 0), soon(), &error), -EINVAL, ERROR_TESTCASE, "is empty");
	fails(probe_load(probe, 0xFFFFFF00, path, soon(), &error), -EFBIG, ERROR_TESTCASE, "over the end");
	fails(probe_dump(probe, RAM, 16, "/nonexistent/folder/x", soon(), &error), -ENOENT, ERROR_TESTCASE, "cannot write");
	/* What the board refuses leaves no half a file. */
	fails(probe_dump(probe, RAM + 0xFFF0, 32, in_directory("half.bin"), soon(), &error), -EFAULT, ERROR_DUT, "20010000h");
	ck_assert_int_eq(access(in_directory("half.bin"), F_OK), -1);
	fails(probe_load(probe, RAM + 0x8000, path, soon(), &error), -EFAULT, ERROR_DUT, "refuses");
}
END_TEST

START_TEST(flash)
{
	size_t offset = 0;
	uint8_t data[300];
	char path[PATH_MAX];
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(255 - i);
	snprintf(path, sizeof(path), "%s", write_file("image", data, sizeof(data)));
	ok(probe_halt(probe, soon(), &error));
	ok(probe_program(probe, 0xA0380000, path, soon(), &error));
	ok(probe_compare(probe, 0xA0380000, path, &offset, soon(), &error));
	ck_assert_uint_eq(offset, SIZE_MAX);
	ck_assert_uint_eq(word_at(0xA0380000 + 300), 0);            /* the rest of the burst */
	ok(probe_program(probe, 0xA0380000, path, soon(), &error)); /* again: it is erased before */
	fails(probe_program(probe, 0xA0300000, path, soon(), &error), -EFAULT, ERROR_DUT, "protected");
	fails(probe_program(probe, 0xA0380010, path, soon(), &error), -EFAULT, ERROR_DUT, "sequence");
	ok(rig_restore(rig, &error));
	ok(rig_board_power(board, true, soon(), &error));
	uint8_t byte;
	fails(probe_read(probe, 0xA0380000, 1, &byte, 1, soon(), &error), -EFAULT, ERROR_DUT, "refuses"); /* erased again */
}
END_TEST

START_TEST(commands)
{
	static const char *const broken[] = {"foo", "error {no}", "expr {", "[", "set x \"", "return -code 7 x", "mdw"};
	char *answer = NULL, command[400];
	ok(probe_command(probe, "expr {6 * 7}", &answer, soon(), &error));
	ck_assert_str_eq(answer, "42");
	free(answer);
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		int r = probe_command(probe, broken[i], &answer, soon(), &error);
		ck_assert_msg(r == -EREMOTEIO && error.domain == ERROR_BENCH, "%s: %d %s", broken[i], r, error.message);
	}
	int process = probe_process(probe);
	/* OpenOCD takes a word for what it was, whatever is in it. */
	static const char hostile[] = "a [exec false] $x {b \"c\" \\ ; # \t\x01\x7f 'd' \xc3\xa4\xe2\x82\xac }}{{ ~`!@%^&*()+=|:,.<>/?7";
	char *word = openocd_quoted(hostile);
	snprintf(command, sizeof(command), "string equal %s [set x %s]; string bytelength $x", word, word);
	ok(probe_command(probe, command, &answer, soon(), &error));
	ck_assert_int_eq(atoi(answer), (int)strlen(hostile));
	free(answer);
	free(word);
	ck_assert_int_eq(probe_process(probe), process);
	put(RAM, 9);
	ck_assert_uint_eq(word_at(RAM), 9);
}
END_TEST

START_TEST(deadlines)
{
	put(RAM, 3);
	int first = probe_process(probe);
	int64_t begin_ns = loop_now_ns();
	char *answer = NULL;
	fails(probe_command(probe, "sleep 30000", &answer, begin_ns + 200000000, &error), -ETIMEDOUT, ERROR_BENCH,
	      "did not answer in time");
	ck_assert_int_lt(loop_now_ns() - begin_ns, INT64_C(20000000000));
	ck_assert_int_eq(kill(first, 0), -1); /* what hangs is not kept */
	ck_assert_uint_eq(word_at(RAM), 3);
	ck_assert_int_ne(probe_process(probe), first);
	fails(probe_read(probe, RAM, 1, &(uint8_t){0}, 1, loop_now_ns() - 1, &error), -ETIMEDOUT, ERROR_BENCH, "did not answer in time");
	ck_assert_uint_eq(word_at(RAM), 3);
}
END_TEST

START_TEST(cancelled)
{
	put(RAM, 3);
	loop_cancel(loop);
	fails(probe_read(probe, RAM, 1, &(uint8_t){0}, 1, soon(), &error), -ECANCELED, ERROR_OPERATOR, "cancelled");
	loop_rearm(loop);
	ck_assert_uint_eq(word_at(RAM), 3);
}
END_TEST

static bool gone(void *context)
{
	return probe_process(probe) == 0;
}

START_TEST(killed)
{
	put(RAM, 3);
	for (int i = 0; i < 5; i++) {
		kill(probe_process(probe), SIGKILL);
		if (i % 2 == 0) /* the loop may or may not have seen it */
			ok(loop_until(loop, gone, NULL, soon()));
		int r = probe_read(probe, RAM, 1, &(uint8_t){0}, 1, soon(), &error);
		if (i % 2 == 0)
			ok(r);
		else if (r < 0)
			fails(r, -EPIPE, ERROR_BENCH, "was ended by signal 9");
		ck_assert_uint_eq(word_at(RAM), 3);
	}
}
END_TEST

START_TEST(leaves_nothing_behind)
{
	put(RAM, 3);
	int process = probe_process(probe);
	char *socket_path = strdup(board->jtag);
	ck_assert_int_eq(access(socket_path, F_OK), 0);
	rig_stop(rig);
	ck_assert_int_eq(kill(process, 0), -1);
	ck_assert_int_eq(access(socket_path, F_OK), -1);
	free(socket_path);
	const struct rig_options options = {.run_directory = directory};
	ok(rig_start(file, loop, timeline, &options, &rig, &error));
}
END_TEST

START_TEST(another_board)
{
	snprintf(config, sizeof(config), "%s", getenv("TEST_PROBE_CONFIG"));
	start("      unique_id: {address: 0xF0000480, value: 0x6731048cc3c02166}\n");
	ok(rig_board_power(board, true, soon(), &error));
	for (int i = 0; i < 2; i++) {
		fails(probe_write(probe, RAM, 4, "abcd", 4, soon(), &error), -EXDEV, ERROR_BENCH,
		      "0x6731048cc3c02165, not 0x6731048cc3c02166");
		ck_assert_ptr_nonnull(error.place.file);
		ck_assert_int_eq(probe_process(probe), 0);
	}
	ck_assert_str_eq(kinds, "connect connect ");
	stop();
}
END_TEST

START_TEST(long_directory)
{
	snprintf(config, sizeof(config), "%s", getenv("TEST_PROBE_CONFIG"));
	start("");
	rig_stop(rig);
	char deep[2 * PATH_MAX];
	snprintf(deep, sizeof(deep),
	         "%s/a-folder-with-a-name-that-is-so-long-that-no-socket-can-be-bound-in-it-whatever-the-system-says-about-it-really",
	         directory);
	ck_assert_int_eq(mkdir(deep, 0700), 0);
	const struct rig_options options = {.run_directory = deep};
	ok(rig_start(file, loop, timeline, &options, &rig, &error));
	board = rig_board_find(rig, "zgw");
	probe = rig_board_probe(board);
	ok(rig_board_power(board, true, soon(), &error));
	put(RAM, 8);
	char *socket_path = strdup(board->jtag);
	stop();
	ck_assert_int_eq(access(socket_path, F_OK), -1);
	free(socket_path);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe");
	TCase *texts = tcase_create("texts"), *boards = tcase_create("board"), *others = tcase_create("others");
	tcase_add_loop_test(texts, rig_file_mistakes, 0, (int)(sizeof(mistakes) / sizeof(*mistakes)));
	tcase_add_test(texts, capability);
	tcase_add_test(texts, quoting);
	tcase_add_checked_fixture(boards, setup, stop);
	tcase_set_timeout(boards, 60);
	tcase_add_test(boards, starts_at_the_first_use);
	tcase_add_test(boards, identity);
	tcase_add_test(boards, widths_and_lengths);
	tcase_add_test(boards, refusals_are_the_boards);
	tcase_add_test(boards, run_control);
	tcase_add_test(boards, files);
	tcase_add_test(boards, flash);
	tcase_add_test(boards, commands);
	tcase_add_test(boards, deadlines);
	tcase_add_test(boards, cancelled);
	tcase_add_test(boards, killed);
	tcase_add_test(boards, leaves_nothing_behind);
	tcase_set_timeout(others, 60);
	tcase_add_test(others, another_board);
	tcase_add_test(others, long_directory);
	suite_add_tcase(suite, texts);
	suite_add_tcase(suite, boards);
	suite_add_tcase(suite, others);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
