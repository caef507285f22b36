/* SPDX-License-Identifier: Apache-2.0 */
/* The journal that the holder of a lease shows: kept in pieces, bounded, whole after a crash. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../daemon/lab/lease_journal.h"

#define MIB (1u << 20)

static char folder[64], directory[80];
static char lines[LEASE_JOURNAL_LINES + 1];

static void setup(void)
{
	snprintf(folder, sizeof(folder), "/tmp/lease-journal-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(directory, sizeof(directory), "%s/9", folder);
}

static unsigned files(void)
{
	unsigned count = 0;
	const struct dirent *entry;
	DIR *all = opendir(directory);
	while (all && (entry = readdir(all)))
		count += entry->d_name[0] != '.';
	if (all)
		closedir(all);
	return count;
}

static void teardown(void)
{
	char command[200];
	const struct dirent *entry;
	DIR *all = opendir(directory);
	while (all && (entry = readdir(all))) {
		snprintf(command, sizeof(command), "%s/%.60s", directory, entry->d_name);
		unlink(command);
	}
	if (all)
		closedir(all);
	rmdir(directory);
	ck_assert_int_eq(rmdir(folder), 0);
}

static struct lease_journal *open_it(void)
{
	struct lease_journal *journal;
	struct error error = {0};
	ck_assert_msg(lease_journal_open(&journal, directory, &error) == 0, "%s", error.message);
	return journal;
}

static int append(struct lease_journal *journal, const char *text)
{
	struct error error = {0};
	int r = lease_journal_append(journal, text, strlen(text), &error);
	ck_assert_msg(r == 0 || error.domain == ERROR_USAGE, "%s", error.message);
	return r;
}

/* A MiB of two lines. */
static const char *mib(char letter)
{
	memset(lines, letter, MIB);
	memcpy(lines, "{}\n{", 4);
	lines[MIB - 1] = '\n';
	lines[MIB] = '\0';
	return lines;
}

static char byte_at(const struct lease_journal *journal, uint64_t offset)
{
	struct error error = {0};
	uint64_t begin;
	char byte;
	int fd;
	ck_assert_msg(lease_journal_piece(journal, offset, &fd, &begin, &error) == 0, "%s", error.message);
	ck_assert_int_eq(pread(fd, &byte, 1, (off_t)(offset - begin)), 1);
	close(fd);
	return byte;
}

START_TEST(only_whole_lines)
{
	struct lease_journal *journal = open_it();
	static const char *const wrong[] = {"{}", "{}\n{", "x\n", "\n", "{}\n\n", "{}\n[]\n"};
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		ck_assert_int_eq(append(journal, wrong[i]), -EINVAL);
	struct error error = {0};
	ck_assert_int_eq(lease_journal_append(journal, "{\0}\n", 4, &error), -EINVAL);
	ck_assert_int_eq(append(journal, ""), 0);
	ck_assert_uint_eq(lease_journal_next(journal), 0);
	ck_assert_int_eq(append(journal, "{}\n{\"a\":1}\n"), 0);
	ck_assert_uint_eq(lease_journal_next(journal), 11);
	ck_assert_uint_eq(lease_journal_first(journal), 0);
	ck_assert_int_eq(byte_at(journal, 4), '"');
	uint64_t begin;
	int fd;
	ck_assert_int_eq(lease_journal_piece(journal, 11, &fd, &begin, &error), -ENOENT);
	lease_journal_unref(journal);
}
END_TEST

START_TEST(the_newest_stay)
{
	struct lease_journal *journal = open_it();
	for (unsigned i = 0; i < 150; i++)
		ck_assert_int_eq(append(journal, mib((char)('a' + i % 26))), 0);
	uint64_t kept = lease_journal_next(journal) - lease_journal_first(journal);
	ck_assert_uint_eq(lease_journal_next(journal), 150ull * MIB);
	ck_assert_uint_le(kept, LEASE_JOURNAL_KEPT);
	ck_assert_uint_gt(kept, LEASE_JOURNAL_KEPT - LEASE_JOURNAL_PIECE - MIB);
	ck_assert_uint_le(files(), LEASE_JOURNAL_KEPT / LEASE_JOURNAL_PIECE);
	for (uint64_t at = lease_journal_first(journal); at < lease_journal_next(journal); at += MIB) {
		ck_assert_int_eq(byte_at(journal, at), '{');
		ck_assert_int_eq(byte_at(journal, at + 10), (char)('a' + at / MIB % 26));
	}
	/* The next daemon finds the same. */
	uint64_t first = lease_journal_first(journal);
	lease_journal_unref(journal);
	journal = open_it();
	ck_assert_uint_eq(lease_journal_first(journal), first);
	ck_assert_uint_eq(lease_journal_next(journal), 150ull * MIB);
	ck_assert_int_eq(append(journal, "{}\n"), 0);
	ck_assert_int_eq(byte_at(journal, 150ull * MIB), '{');
	lease_journal_unref(journal);
}
END_TEST

static void name_of(uint64_t begin, char path[160])
{
	snprintf(path, 160, "%s/%020llu.jsonl", directory, (unsigned long long)begin);
}

START_TEST(after_a_crash)
{
	struct lease_journal *journal = open_it();
	char path[160];
	for (unsigned i = 0; i < 20; i++)
		ck_assert_int_eq(append(journal, mib('x')), 0);
	uint64_t next = lease_journal_next(journal);
	lease_journal_unref(journal);
	name_of(16ull * MIB, path);
	FILE *file = fopen(path, "ae");
	ck_assert_ptr_nonnull(file);
	fputs("{\"half\":", file); /* written when it died */
	fclose(file);
	journal = open_it();
	ck_assert_uint_eq(lease_journal_next(journal), next);
	ck_assert_uint_eq(lease_journal_first(journal), 0);
	lease_journal_unref(journal);
	/* What has a gap behind it is of no use. */
	name_of(8ull * MIB, path);
	ck_assert_int_eq(unlink(path), 0);
	journal = open_it();
	ck_assert_uint_eq(lease_journal_first(journal), 16ull * MIB);
	ck_assert_uint_eq(lease_journal_next(journal), next);
	ck_assert_uint_eq(files(), 1);
	lease_journal_unref(journal);
}
END_TEST

START_TEST(goes_with_its_last_reader)
{
	struct lease_journal *journal = open_it();
	ck_assert_int_eq(append(journal, "{}\n"), 0);
	struct lease_journal *reader = lease_journal_ref(journal);
	ck_assert_int_eq(lease_journal_over_ns(reader), 0);
	lease_journal_end(journal, 77);
	lease_journal_unref(journal);
	ck_assert_int_eq(lease_journal_over_ns(reader), 77);
	ck_assert_int_eq(byte_at(reader, 0), '{');
	lease_journal_unref(reader);
	ck_assert_int_eq(access(directory, F_OK), -1);
}
END_TEST

START_TEST(all_or_nothing)
{
	struct lease_journal *journal = open_it();
	/* A file that may not grow stands for a disk that is full. */
	struct rlimit limit = {MIB + MIB / 2, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
	struct error error = {0};
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(append(journal, mib('y')), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_lt(lease_journal_append(journal, mib('z'), MIB, &error), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	ck_assert_uint_eq(lease_journal_next(journal), MIB);
	ck_assert_int_eq(append(journal, mib('z')), 0);
	ck_assert_uint_eq(lease_journal_next(journal), 2 * MIB);
	ck_assert_int_eq(byte_at(journal, MIB + 10), 'z');
	ck_assert_int_eq(byte_at(journal, MIB - 2), 'y');
	lease_journal_unref(journal);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lease_journal");
	TCase *all = tcase_create("all");
	tcase_set_timeout(all, 60);
	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, only_whole_lines);
	tcase_add_test(all, the_newest_stay);
	tcase_add_test(all, after_a_crash);
	tcase_add_test(all, goes_with_its_last_reader);
	tcase_add_test(all, all_or_nothing);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
