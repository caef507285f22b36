/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots, hashes, and flash in files: what survives, what is refused, and that nothing is lost. */
#include "../../silicon/ssw.h"
#include "test_flash_common.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct flash *flash;
static uint8_t some[FLASH_BURST];
static char folder[64], path[96], error[256];

static void setup(void)
{
	flash = tiny_new();
	fill(some, sizeof some, 1);
	snprintf(folder, sizeof folder, "%s/flash-test-XXXXXX", P_tmpdir);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/board.flash", folder);
	error[0] = '\0';
}

/* How many files there are; they are removed when asked for. */
static unsigned files(bool and_remove)
{
	unsigned n = 0;
	DIR *dir = opendir(folder);
	ck_assert_ptr_nonnull(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		n++;
		if (and_remove)
			ck_assert_int_eq(unlinkat(dirfd(dir), entry->d_name, 0), 0);
	}
	closedir(dir);
	return n;
}

static void teardown(void)
{
	flash_free(flash);
	files(true);
	ck_assert_int_eq(rmdir(folder), 0);
}

static struct flash *open_it(void)
{
	return flash_open(path, &flash_tiny, &flash_cost_tc375, error, sizeof error);
}

/* A page of every state, an unreliable sector, an erase count. */
static void make_varied(struct flash *f)
{
	const uint64_t seeds[] = {3, 4, 5};
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(flash_program(f, APP_A + 32 * i, some, 32, 0), FLASH_OK);
		flash_power_off(f, FLASH_T2 + i, seeds[i], 1);
		flash_power_on(f);
	}
	ck_assert_int_eq(program(f, APP_B, some, 256), FLASH_OK);
	ck_assert_int_eq(program(f, DATA, some, 8), FLASH_OK);
	ck_assert_int_eq(flash_erase(f, DATA + 512, 1, settle(f)), FLASH_OK);
	flash_power_off(f, FLASH_E2, 6, 0);
	flash_power_on(f);
	ck_assert_int_eq(erase(f, APP_B + 512, 2), FLASH_OK);
	ssw_factory(f, test_password);
}

/* What came out of a file is copied into a fresh flash like anything else. */
static void check_copies(struct flash *from)
{
	uint8_t a[512], b[512];
	struct flash *fresh = tiny_new();
	flash_copy(fresh, from);
	ck_assert_int_eq(flash_peek(from, APP_B, a, sizeof a), FLASH_OK);
	ck_assert_int_eq(flash_peek(fresh, APP_B, b, sizeof b), FLASH_OK);
	ck_assert_mem_eq(a, b, sizeof a);
	check_bytes(fresh, APP_B, some, 256);
	flash_free(fresh);
}

START_TEST(test_copy)
{
	struct flash *copy = tiny_new();
	make_varied(flash);
	ck_assert(!flash_equal(flash, copy));
	ck_assert_uint_ne(flash_hash(flash), flash_hash(copy));
	ck_assert_int_eq(flash_unlock(flash, test_password), FLASH_OK);
	flash_copy(copy, flash);
	ck_assert(flash_equal(flash, copy));
	ck_assert_uint_eq(flash_hash(flash), flash_hash(copy));
	ck_assert_uint_eq(flash_operations(copy), flash_operations(flash));
	ck_assert_uint_eq(flash_erases(copy, APP_B + 512), 1);
	ck_assert(flash_unlocked(copy));
	ck_assert_int_eq(program(copy, DATA + 512, some, 8), FLASH_OK);
	ck_assert_int_eq(flash_page_state(copy, DATA + 512), FLASH_WEAK); /* unreliable there, too */
	ck_assert_int_eq(flash_page_state(flash, DATA + 512), FLASH_ERASED);
	ck_assert(!flash_equal(flash, copy));
	flash_copy(copy, flash);
	ck_assert(flash_equal(flash, copy));
	flash_copy(copy, copy);
	flash_free(copy);
}
END_TEST

/* Commands under way are not copied, and are dropped in what is copied over. */
START_TEST(test_copy_while_busy)
{
	struct flash *copy = tiny_new();
	ck_assert_int_eq(flash_program(flash, APP_A, some, 32, 0), FLASH_OK);
	ck_assert_int_eq(flash_program(copy, APP_B, some, 32, 0), FLASH_OK);
	flash_copy(copy, flash);
	ck_assert_uint_eq(flash_poll(copy, 0), FLASH_NEVER);
	ck_assert_int_eq(flash_result(copy, APP_A), FLASH_OK);
	ck_assert_int_eq(flash_page_state(copy, APP_A), FLASH_ERASED);
	ck_assert_int_eq(flash_page_state(copy, APP_B), FLASH_ERASED);
	settle(flash);
	check_bytes(flash, APP_A, some, 32);
	flash_free(copy);
}
END_TEST

static unsigned cuts;
static void count_cut(void *context)
{
	cuts++;
}

/* Armed cuts and defects stay where they are. */
START_TEST(test_copy_keeps_faults)
{
	struct flash *copy = tiny_new();
	const struct flash_cut cut = {.operation = 0, .phase = FLASH_AFTER};
	flash_arm(copy, &cut, count_cut, NULL);
	flash_defect_set(copy, FLASH_DEFECT_PVER, APP_A, 0);
	flash_defect_set(flash, FLASH_DEFECT_PVER, APP_A + 32, 0);
	flash_copy(copy, flash);
	ck_assert_int_eq(flash_program(copy, APP_A, some, 256, 0), FLASH_OK);
	settle(copy);
	ck_assert_uint_eq(cuts, 1);
	ck_assert_int_eq(flash_page_state(copy, APP_A), FLASH_BAD);
	ck_assert_int_eq(flash_page_state(copy, APP_A + 32), FLASH_GOOD);
	flash_free(copy);
}
END_TEST

/* Of data, states and seeds; wear, counters and looks at weak pages do not count. */
START_TEST(test_hash)
{
	uint8_t bytes[32];
	make_varied(flash);
	const uint64_t before = flash_hash(flash);
	for (unsigned i = 0; i < 5; i++)
		flash_read(flash, APP_A + 32, bytes, 32);
	ck_assert_uint_eq(flash_hash(flash), before);
	ck_assert_int_eq(erase(flash, APP_B + 512, 1), FLASH_OK);
	ck_assert_uint_eq(flash_hash(flash), before);
	flash_defect_set(flash, FLASH_DEFECT_FLIP, APP_B, 0);
	ck_assert_uint_ne(flash_hash(flash), before);
	flash_defect_set(flash, FLASH_DEFECT_FLIP, APP_B, 0);
	ck_assert_uint_eq(flash_hash(flash), before);
	/* The same sector's contents somewhere else. */
	struct flash *other = tiny_new(), *third = tiny_new();
	ck_assert_int_eq(program(other, APP_A, some, 32), FLASH_OK);
	ck_assert_int_eq(program(third, APP_A + 512, some, 32), FLASH_OK);
	ck_assert_uint_ne(flash_hash(other), flash_hash(third));
	/* Zeros that were programmed are not erased. */
	const uint64_t sum = flash_hash(other);
	memset(bytes, 0, sizeof bytes);
	ck_assert_int_eq(program(other, DATA, bytes, 8), FLASH_OK);
	ck_assert_uint_ne(flash_hash(other), sum);
	flash_free(other);
	flash_free(third);
	/* A sector that only looks erased is another state. */
	third = tiny_new();
	const uint64_t factory = flash_hash(third);
	ck_assert_int_eq(flash_erase(third, DATA, 1, settle(third)), FLASH_OK);
	flash_power_off(third, FLASH_E2, 1, 0);
	ck_assert_uint_ne(flash_hash(third), factory);
	flash_free(third);
}
END_TEST

START_TEST(test_save_and_load)
{
	struct flash *other = tiny_new();
	make_varied(flash);
	ck_assert_int_eq(flash_save(flash, path), 0);
	ck_assert_uint_ne(flash_hash(flash), flash_hash(other));
	ck_assert_int_eq(flash_load(other, path), 0);
	ck_assert(flash_equal(flash, other));
	ck_assert_uint_eq(flash_hash(flash), flash_hash(other));
	ck_assert_uint_eq(flash_operations(other), flash_operations(flash));
	check_copies(other);
	ck_assert_uint_eq(flash_erases(other, APP_B + 512), 1);
	uint8_t a[32], b[32]; /* weak pages go on where they were */
	for (unsigned i = 0; i < 20; i++)
		ck_assert_int_eq(flash_read(flash, APP_A + 32, a, 32), flash_read(other, APP_A + 32, b, 32));
	ck_assert_int_eq(program(flash, DATA + 8, some, 8), FLASH_OK);
	ck_assert_int_eq(flash_save(flash, path), 0); /* over the old one */
	ck_assert_int_eq(flash_load(other, path), 0);
	check_bytes(other, DATA + 8, some, 8);
	ck_assert_uint_eq(files(false), 1);
	ck_assert_int_eq(flash_load(other, "/nowhere/at/all"), -ENOENT);
	ck_assert_int_eq(flash_save(other, "/nowhere/at/all"), -ENOENT);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_lt(flash_save(other, path), 0);
	ck_assert_uint_eq(files(false), 1);
	ck_assert_int_eq(rmdir(path), 0);
	flash_free(other);
}
END_TEST

START_TEST(test_other_geometry)
{
	struct flash *sweep = flash_new(&flash_sweep, &flash_cost_tc375);
	ck_assert_int_eq(flash_save(flash, path), 0);
	ck_assert_int_eq(flash_load(sweep, path), -EDOM);
	ck_assert_ptr_null(flash_open(path, &flash_sweep, &flash_cost_tc375, error, sizeof error));
	ck_assert_ptr_nonnull(strstr(error, "another geometry"));
	struct flash_geometry near = flash_tiny;
	near.boot_size = 1024;
	ck_assert_ptr_null(flash_open(path, &near, &flash_cost_tc375, error, sizeof error));
	struct flash *mine = open_it();
	ck_assert_ptr_nonnull(mine);
	flash_free(mine);
	flash_free(sweep);
}
END_TEST

START_TEST(test_file_survives)
{
	struct flash *board = open_it();
	ck_assert_msg(board != NULL, "%s", error);
	ck_assert(flash_equal(board, flash)); /* the factory's */
	make_varied(board);
	make_varied(flash);
	flash_free(board);
	board = open_it();
	ck_assert_msg(board != NULL, "%s", error);
	ck_assert(flash_equal(board, flash));
	ck_assert_uint_eq(flash_operations(board), flash_operations(flash));
	ck_assert_uint_eq(flash_erases(board, APP_B + 512), 1);
	ck_assert(!flash_unlocked(board));
	check_copies(board);
	struct stat st;
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_ge(st.st_blocks * 512, st.st_size); /* all its room */
	flash_free(board);
	ck_assert_uint_eq(files(false), 1);
}
END_TEST

/* Killed in the middle: everything that ended is there. */
START_TEST(test_file_survives_a_kill)
{
	flash_free(open_it()); /* the file is there, and was closed as it should be */
	const pid_t pid = fork();
	if (pid == 0) {
		struct flash *board = open_it();
		if (board && program(board, APP_A, some, 256) == FLASH_OK && flash_program(board, APP_B, some, 256, 0) == FLASH_OK)
			raise(SIGKILL);
		_exit(1);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	struct flash *board = open_it();
	ck_assert_msg(board != NULL, "%s", error);
	check_bytes(board, APP_A, some, 256);
	ck_assert_int_eq(flash_page_state(board, APP_B), FLASH_ERASED);
	flash_free(board);
}
END_TEST

START_TEST(test_two_boards)
{
	struct flash *first = open_it();
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_null(open_it());
	ck_assert_ptr_nonnull(strstr(error, "another board"));
	ck_assert_ptr_nonnull(strstr(error, path));
	ck_assert_int_eq(program(first, APP_A, some, 32), FLASH_OK);
	flash_free(first);
	first = open_it();
	ck_assert_ptr_nonnull(first);
	check_bytes(first, APP_A, some, 32);
	flash_free(first);
}
END_TEST

/* A snapshot can be put in the place of a board's file, and over a board. */
START_TEST(test_snapshot_as_board)
{
	make_varied(flash);
	ck_assert_int_eq(flash_save(flash, path), 0);
	struct flash *board = open_it();
	ck_assert_msg(board != NULL, "%s", error);
	ck_assert(flash_equal(board, flash));
	char other[sizeof path + 8];
	snprintf(other, sizeof other, "%s.saved", path);
	ck_assert_int_eq(flash_save(board, other), 0);
	ck_assert_int_eq(erase(board, APP_B, 1), FLASH_OK);
	ck_assert_int_eq(flash_load(board, other), 0);
	flash_free(board);
	board = open_it();
	ck_assert(flash_equal(board, flash));
	flash_free(board);
}
END_TEST

static size_t slurp(uint8_t **ret_bytes)
{
	struct stat st;
	FILE *file = fopen(path, "rb");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fstat(fileno(file), &st), 0);
	*ret_bytes = malloc((size_t)st.st_size);
	ck_assert_uint_eq(fread(*ret_bytes, 1, (size_t)st.st_size, file), (size_t)st.st_size);
	fclose(file);
	return (size_t)st.st_size;
}

static void spit(const uint8_t *bytes, size_t length)
{
	FILE *file = fopen(path, "wb");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
	fclose(file);
}

/* Refused by both ways in, with a text, and left as it is. */
static void check_refused(const uint8_t *bytes, size_t length, const char *because)
{
	uint8_t *after;
	spit(bytes, length);
	const uint64_t before = flash_hash(flash);
	ck_assert_int_eq(flash_load(flash, path), -EPROTO);
	ck_assert_uint_eq(flash_hash(flash), before);
	error[0] = '\0';
	ck_assert_ptr_null(open_it());
	ck_assert_msg(strstr(error, because) != NULL, "%s", error);
	ck_assert_uint_eq(slurp(&after), length);
	ck_assert_mem_eq(after, bytes, length);
	free(after);
	ck_assert_uint_eq(files(false), 1);
}

START_TEST(test_damage)
{
	uint8_t *bytes;
	make_varied(flash);
	ck_assert_int_eq(flash_save(flash, path), 0);
	const size_t length = slurp(&bytes);
	static const size_t shorter[] = {0, 1, 7, 100, 4095, 4096, 4097, 40000};
	for (size_t i = 0; i < sizeof shorter / sizeof shorter[0]; i++)
		check_refused(bytes, shorter[i], shorter[i] < 4096 ? "not a flash file" : "length");
	check_refused(bytes, length - 1, "length");
	for (size_t at = 0; at < 100; at += 3) { /* magic, version, geometry, length, checksum */
		bytes[at] ^= 0x10;
		check_refused(bytes, length, at < 8 ? "not a flash file" : at < 16 ? "version" : "header is damaged");
		bytes[at] ^= 0x10;
	}
	for (size_t at = 4096; at < length; at += 1009) {
		bytes[at] ^= 1;
		check_refused(bytes, length, "contents are damaged");
		bytes[at] ^= 1;
	}
	uint8_t *longer = calloc(1, length + 5);
	memcpy(longer, bytes, length);
	check_refused(longer, length + 5, "length");
	free(longer);
	spit(bytes, length);
	ck_assert_int_eq(flash_load(flash, path), 0);
	free(bytes);
}
END_TEST

/* While a board has it, a file has no seal; its structure still is looked at. */
START_TEST(test_damage_without_seal)
{
	uint8_t *bytes;
	struct flash *board = open_it();
	make_varied(board);
	const size_t length = slurp(&bytes);
	flash_free(board);
	spit(bytes, length);
	ck_assert_int_eq(flash_load(flash, path), 0); /* as after a kill */
	uint8_t *sane = malloc(length);
	memcpy(sane, bytes, length);
	memset(bytes + 8192, 0xEE, length - 8192);
	check_refused(bytes, length, "contents are damaged");
	spit(sane, length);
	ck_assert_int_eq(flash_load(flash, path), 0);
	free(sane);
	free(bytes);
}
END_TEST

START_TEST(test_not_a_file)
{
	ck_assert_ptr_null(flash_open(folder, &flash_tiny, &flash_cost_tc375, error, sizeof error));
	ck_assert_str_ne(error, "");
	ck_assert_ptr_null(flash_open("/dev/null", &flash_tiny, &flash_cost_tc375, error, sizeof error));
	ck_assert_ptr_nonnull(strstr(error, "not a flash file"));
	ck_assert_ptr_null(flash_open("/nowhere/at/all", &flash_tiny, &flash_cost_tc375, error, sizeof error));
	ck_assert_ptr_nonnull(strstr(error, strerror(ENOENT)));
	ck_assert_int_eq(flash_load(flash, "/dev/null"), -EPROTO);
}
END_TEST

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* No room: told when the file is made, nothing is left of it; a snapshot that was there stays whole. */
START_TEST(test_no_room)
{
	make_varied(flash);
	ck_assert_int_eq(flash_save(flash, path), 0);
	const uint64_t saved = flash_hash(flash);
	ck_assert_int_eq(erase(flash, APP_B, 1), FLASH_OK);
	limit_files(20000);
	ck_assert_int_eq(flash_save(flash, path), -EFBIG);
	char other[sizeof path + 8];
	snprintf(other, sizeof other, "%s.new", path);
	ck_assert_ptr_null(flash_open(other, &flash_tiny, &flash_cost_tc375, error, sizeof error));
	ck_assert_ptr_nonnull(strstr(error, strerror(EFBIG)));
	limit_files(RLIM_INFINITY);
	ck_assert_uint_eq(files(false), 1);
	ck_assert_int_eq(flash_load(flash, path), 0);
	ck_assert_uint_eq(flash_hash(flash), saved);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("file");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_copy);
	tcase_add_test(t, test_copy_while_busy);
	tcase_add_test(t, test_copy_keeps_faults);
	tcase_add_test(t, test_hash);
	tcase_add_test(t, test_save_and_load);
	tcase_add_test(t, test_other_geometry);
	tcase_add_test(t, test_file_survives);
	tcase_add_test(t, test_file_survives_a_kill);
	tcase_add_test(t, test_two_boards);
	tcase_add_test(t, test_snapshot_as_board);
	tcase_add_test(t, test_damage);
	tcase_add_test(t, test_damage_without_seal);
	tcase_add_test(t, test_not_a_file);
	tcase_add_test(t, test_no_room);
	return run_case("flash_file", t);
}
