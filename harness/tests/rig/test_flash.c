/* SPDX-License-Identifier: Apache-2.0 */
/* The flash of a board through the rig, on a real virtual board with the real bootloader. */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../proto/swpg.h"
#include "../../rig/flash.h"
#include "../../rig/rig_private.h"

#define OTHER     0xA0380000u /* application area of bank B */
#define SOFTWARE  "names: no program, but something to install"
#define PATIENCE  INT64_C(20000000000)
#define RIG_ROLES "name: t\nvirtual: true\ntester: {address: 127.0.0.1, logical_address: 0x0e80}\nroles:\n"
#define RIG_TEXT                                                                                                                           \
	RIG_ROLES                                                                                                                          \
	"  zgw:\n    driver: vboard\n    bootloader: bootloader\n    application: zgw\n    address: 127.0.0.1\n    logical_address: "      \
	"0x91\n"                                                                                                                           \
	"    objects: {ota.key.1: keys/ota-1.pub}\n"

static char directory[PATH_MAX - 64];
static struct loop *loop;
static struct timeline *timeline;
static struct error error;
static struct rig_file *file;
static struct rig *rig;
static struct rig_board *board;
static char kinds[4096]; /* of the board's events about power and flash, in their order */

static void see(const struct event *event, void *context)
{
	static const char *const wanted[] = {"power.on", "power.off", "power.cut", "flash.map"};
	(void)context;
	for (unsigned i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		if (!strcmp(event->kind, wanted[i]))
			(void)snprintf(kinds + strlen(kinds), sizeof(kinds) - strlen(kinds), "%s ", event->kind);
}

static const char *write_file(const char *name, const char *text)
{
	static char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *stream = fopen(path, "w");
	ck_assert_ptr_nonnull(stream);
	fputs(text, stream);
	fclose(stream);
	return path;
}

static void ok(int r)
{
	ck_assert_msg(r == 0, "%s", error.message);
}

static void fails(int r, int code, enum error_domain domain, const char *text)
{
	ck_assert_int_eq(r, code);
	ck_assert_int_eq(error.domain, domain);
	ck_assert_msg(strstr(error.message, text) != NULL, "\"%s\" does not say \"%s\"", error.message, text);
}

static void start(const char *text)
{
	const struct rig_options options = {.run_directory = directory};
	ok(rig_file_load(write_file("rig.yaml", text), &file, &error));
	ok(rig_start(file, loop, timeline, &options, &rig, &error));
	board = rig_board_find(rig, "zgw");
}

static void setup(void)
{
	snprintf(directory, sizeof(directory), "/tmp/test-flash-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	kinds[0] = '\0';
	ok(loop_new(&loop, &error));
	ok(timeline_new(&timeline, NULL, 10000, &error));
	ok(timeline_observe(timeline, see, NULL));
	start(RIG_TEXT);
}

static void teardown(void)
{
	char path[PATH_MAX];
	rig_stop(rig);
	snprintf(path, sizeof(path), "%s/flash-zgw.bin", directory);
	ck_assert_int_eq(access(path, F_OK), -1); /* large, and of no use any more */
	rig_file_free(file);
	timeline_unobserve(timeline, see, NULL);
	timeline_free(timeline);
	loop_free(loop);
	pid_t pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", directory, NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static void power(bool on)
{
	ok(rig_board_power(board, on, loop_now_ns() + PATIENCE, &error));
}

static bool is_up(void *context)
{
	return rig_board_reached(context, "server");
}

static bool is_off(void *context)
{
	return !rig_board_powered(context);
}

static void boot(void)
{
	power(true);
	ok(loop_until(loop, is_up, board, loop_now_ns() + PATIENCE));
}

static void pass_ms(int64_t ms)
{
	ck_assert_int_eq(loop_until(loop, NULL, NULL, loop_now_ns() + ms * 1000000), -ETIMEDOUT);
}

START_TEST(contents)
{
	struct rig_flash_geometry geometry;
	struct rig_flash_status status;
	static uint8_t data[70000], back[70000];
	uint8_t before[32], after[32];
	uint32_t erases;
	ck_assert(rig_file_has_capability(file, "flash"));
	ok(rig_flash_geometry(board, &geometry, &error));
	ck_assert_uint_eq(geometry.bank[1], 0xA0300000);
	ck_assert_uint_eq(geometry.boot_size, 512 * 1024);
	ck_assert_uint_eq(geometry.ucb_count, 48);
	ok(rig_flash_status(board, &status, &error));
	ck_assert_int_eq(status.active, 0);
	ck_assert_int_eq(status.orig_entry, 0);
	ck_assert_str_eq(status.boot, "");
	ck_assert(!rig_flash_changed(board));
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	ok(rig_flash_digest(board, OTHER, 0x20000, before, &error));
	ok(rig_flash_write(board, OTHER, data, sizeof(data), &error));
	ck_assert(rig_flash_changed(board));
	ok(rig_flash_read(board, OTHER, back, sizeof(data), &error));
	ck_assert_mem_eq(back, data, sizeof(data));
	ok(rig_flash_digest(board, OTHER, 0x20000, after, &error));
	ck_assert_mem_ne(before, after, 32);
	fails(rig_flash_read(board, OTHER + 0x18000, back, 64, &error), -EBADMSG, ERROR_DUT, "A0398000h");
	fails(rig_flash_read(board, 0x1000, back, 64, &error), -EREMOTEIO, ERROR_BENCH, "no flash at 00001000h");
	ok(rig_flash_erase(board, OTHER, 0x20000, &error));
	ok(rig_flash_digest(board, OTHER, 0x20000, after, &error));
	ck_assert_mem_eq(before, after, 32);
	ok(rig_flash_erases(board, OTHER, &erases, &error));
	ck_assert_uint_eq(erases, 0); /* a factory's do not wear */
}
END_TEST

START_TEST(defects)
{
	uint8_t data[32];
	struct rig_flash_status status;
	ok(rig_flash_defect(board, "single-bit", 0xA0000000, 0, &error));
	ok(rig_flash_read(board, 0xA0000000, data, 32, &error));
	ok(rig_flash_status(board, &status, &error));
	ck_assert_uint_ge(status.corrected, 1);
	ok(rig_flash_defect(board, "double-bit", 0xA0000000, 0, &error));
	fails(rig_flash_read(board, 0xA0000000, data, 32, &error), -EBADMSG, ERROR_DUT, "A0000000h");
	ok(rig_flash_heal(board, &error));
	ok(rig_flash_read(board, 0xA0000000, data, 32, &error));
	fails(rig_flash_defect(board, "rust", 0xA0000000, 0, &error), -EREMOTEIO, ERROR_BENCH, "\"defect\" has to be");
}
END_TEST

/* A boot by itself changes nothing that a case would have to be told of; what a case did is undone after it. */
START_TEST(back_to_the_factory)
{
	uint8_t data[32] = {1};
	boot();
	pass_ms(200);
	ok(rig_restore(rig, &error));
	ck_assert_msg(rig_board_powered(board), "a board that was only booted must not be switched off");
	ok(rig_flash_write(board, OTHER, data, sizeof(data), &error));
	ok(rig_board_supply(board, 8000, &error));
	ok(rig_flash_cut(board, &(struct rig_cut){.operation = 0, .phase = "before"}, &error));
	ok(rig_restore(rig, &error));
	ck_assert(!rig_flash_changed(board) && !rig_board_powered(board));
	fails(rig_flash_read(board, OTHER, data, 32, &error), -EBADMSG, ERROR_DUT, "ECC");
	boot(); /* neither a cut nor low voltage is left: this boot writes its records */
}
END_TEST

START_TEST(cut_in_the_bootloader)
{
	const struct rig_cut cut = {
	        .operation = 3, .phase = "during", .torn = "T2", .seed = 4, .kind = "program", .from = 0xAF000000, .to = 0xAF040000};
	ok(rig_flash_cut(board, &cut, &error));
	power(true);
	ok(loop_until(loop, is_off, board, loop_now_ns() + PATIENCE));
	ck_assert_str_eq(kinds, "power.on power.cut power.off ");
	ck_assert_str_eq(rig_board_stage(board), "");
	boot();
	ok(rig_flash_cut(board, &cut, &error));
	ok(rig_flash_cut(board, NULL, &error));
	power(false);
	boot();
	fails(rig_flash_cut(board, &(struct rig_cut){.phase = "between"}, &error), -EREMOTEIO, ERROR_BENCH, "\"phase\"");
}
END_TEST

START_TEST(files)
{
	char path[PATH_MAX];
	uint8_t before[32], after[32];
	struct bytes package = {0};
	struct swpg_options options = {
	        .target = 0x91, .type = 1, .version = {2, 0, 0, 0}, .sequence = 9, .security_counter = 9, .compression = 1};
	snprintf(path, sizeof(path), "%s/snapshot", directory);
	ok(swpg_build(&options, SOFTWARE, sizeof(SOFTWARE), &package, &error));
	ok(rig_flash_save(board, path, &error));
	ok(rig_flash_digest(board, 0xA0300000, 0x300000, before, &error));
	ok(rig_flash_install(board, 1, package.data, package.length, &error));
	uint8_t software[sizeof(SOFTWARE)];
	ok(rig_flash_read(board, OTHER + 64, software, sizeof(software), &error)); /* unpacked: what a bank holds */
	ck_assert_mem_eq(software, SOFTWARE, sizeof(software));
	fails(rig_flash_install(board, 1, "rubbish", 7, &error), -EREMOTEIO, ERROR_BENCH, "no software package");
	ok(rig_flash_load(board, path, &error));
	ok(rig_flash_digest(board, 0xA0300000, 0x300000, after, &error));
	ck_assert_mem_eq(before, after, 32);
	power(true);
	fails(rig_flash_load(board, path, &error), -EREMOTEIO, ERROR_BENCH, "off, or held");
	fails(rig_flash_factory(board, &error), -EREMOTEIO, ERROR_BENCH, "off, or held");
	bytes_free(&package);
}
END_TEST

START_TEST(other_drivers_cannot)
{
	static const struct board_driver driver = {.name = "plain"};
	struct rig_board plain = {.role = (char *)(uintptr_t)"ecu", .driver = &driver};
	struct rig_flash_geometry geometry;
	uint8_t data[32];
	fails(rig_flash_geometry(&plain, &geometry, &error), -EOPNOTSUPP, ERROR_BENCH, "ecu: the driver plain cannot");
	fails(rig_flash_read(&plain, 0, data, 32, &error), -EOPNOTSUPP, ERROR_BENCH, "plain");
	fails(rig_flash_cut(&plain, NULL, &error), -EOPNOTSUPP, ERROR_BENCH, "plain");
	fails(rig_flash_install(&plain, 0, "", 0, &error), -EOPNOTSUPP, ERROR_BENCH, "plain");
	ck_assert(!rig_flash_changed(&plain));
}
END_TEST

/* What the rig file says of the software, wrong. */
static const struct {
	const char *lines, *text;
	unsigned line;
} wrong[] = {
        {"    application: nowhere.swpg\n", "nowhere.swpg", 7},
        {"    application: nowhere\n", "nowhere", 7},
        {"    application: zgw\n    signing_key: keys/none.key\n    objects: {ota.key.1: keys/ota-1.pub}\n", "keys/none.key", 8},
        {"    application: zgw\n    signing_key: keys/ota-1.key\n", "ota.key.1", 8},
};

START_TEST(software_is_missing)
{
	char text[1024];
	struct rig_file *other = NULL;
	snprintf(text, sizeof(text), RIG_ROLES "  zgw:\n    driver: vboard\n%s    bootloader: bootloader\n    address: 127.0.0.1\n",
	         wrong[_i].lines);
	int r = rig_file_load(write_file("wrong.yaml", text), &other, &error);
	if (r == 0)
		r = rig_file_check_files(other, &error);
	ck_assert_int_lt(r, 0);
	ck_assert_int_eq(error.domain, ERROR_USAGE);
	ck_assert_msg(strstr(error.message, wrong[_i].text) != NULL, "%s", error.message);
	ck_assert_uint_eq(error.place.line, wrong[_i].line);
	rig_file_free(other);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("flash");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 60);
	tcase_add_test(all, contents);
	tcase_add_test(all, defects);
	tcase_add_test(all, back_to_the_factory);
	tcase_add_test(all, cut_in_the_bootloader);
	tcase_add_test(all, files);
	tcase_add_test(all, other_drivers_cannot);
	tcase_add_loop_test(all, software_is_missing, 0, (int)(sizeof(wrong) / sizeof(*wrong)));
	suite_add_tcase(suite, all);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
