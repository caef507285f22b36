/* SPDX-License-Identifier: Apache-2.0 */
#include "lease_journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"

/* One more than fits: the oldest goes after the newest came. */
#define PIECES_MAX (LEASE_JOURNAL_KEPT / LEASE_JOURNAL_PIECE + 2)
#define NAME_SIZE  40

struct piece {
	uint64_t begin, size;
};
struct lease_journal {
	int folder, file; /* file: of the newest piece, -1 none */
	char *path;
	struct piece pieces[PIECES_MAX]; /* the oldest first, without gaps */
	size_t count;
	uint64_t next;
	int64_t over_ns;
	unsigned references;
};

static const char *piece_name(uint64_t begin, char buffer[NAME_SIZE])
{
	(void)snprintf(buffer, NAME_SIZE, "%020" PRIu64 ".jsonl", begin);
	return buffer;
}

static int disk_error(const struct lease_journal *journal, int code, struct error *err)
{
	bool full = code == ENOSPC || code == EDQUOT;
	return error_set(err, full ? ERROR_USAGE : ERROR_BENCH, full ? ENOSPC : code, "cannot write %s: %s", journal->path, strerror(code));
}

/* ---- pieces ---- */

static void drop_oldest(struct lease_journal *journal)
{
	char name[NAME_SIZE];
	(void)unlinkat(journal->folder, piece_name(journal->pieces[0].begin, name), 0);
	memmove(journal->pieces, journal->pieces + 1, --journal->count * sizeof(*journal->pieces));
}

static int open_newest(struct lease_journal *journal, int more, struct error *err)
{
	char name[NAME_SIZE];
	int fd = openat(journal->folder, piece_name(journal->pieces[journal->count - 1].begin, name),
	                O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | more, 0640);
	if (fd < 0)
		return disk_error(journal, errno, err);
	if (journal->file >= 0)
		(void)close(journal->file);
	journal->file = fd;
	return 0;
}

static int begin_piece(struct lease_journal *journal, struct error *err)
{
	journal->pieces[journal->count++] = (struct piece){.begin = journal->next};
	int r = open_newest(journal, O_CREAT | O_TRUNC, err);
	if (r < 0)
		journal->count--;
	return r;
}

/* ---- what is there already ---- */

static bool is_piece(const char *name, uint64_t *ret_begin)
{
	char *end;
	errno = 0;
	*ret_begin = strtoull(name, &end, 10);
	return errno == 0 && end - name == 20 && strcmp(end, ".jsonl") == 0;
}

static int by_begin(const void *a, const void *b)
{
	uint64_t one = ((const struct piece *)a)->begin, other = ((const struct piece *)b)->begin;
	return one < other ? -1 : one > other;
}

static void take_pieces(struct lease_journal *journal)
{
	const struct dirent *entry;
	DIR *folder = opendir(journal->path);
	while (folder && (entry = readdir(folder))) {
		struct stat found;
		uint64_t begin;
		if (!is_piece(entry->d_name, &begin) || fstatat(journal->folder, entry->d_name, &found, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(found.st_mode) || journal->count == PIECES_MAX)
			continue;
		journal->pieces[journal->count++] = (struct piece){.begin = begin, .size = (uint64_t)found.st_size};
	}
	if (folder)
		(void)closedir(folder);
	qsort(journal->pieces, journal->count, sizeof(*journal->pieces), by_begin);
}

/* Behind the last line that is whole: the daemon may have died while it wrote. */
static uint64_t whole_lines(int fd, uint64_t size)
{
	char block[4096];
	while (size > 0) {
		size_t length = size < sizeof(block) ? (size_t)size : sizeof(block);
		if (pread(fd, block, length, (off_t)(size - length)) != (ssize_t)length)
			return 0;
		const char *newline = memrchr(block, '\n', length);
		if (newline)
			return size - length + (size_t)(newline - block) + 1;
		size -= length;
	}
	return 0;
}

/* Only what has no gap up to the newest piece is of use. */
static int go_on(struct lease_journal *journal, struct error *err)
{
	take_pieces(journal);
	for (size_t i = journal->count; i-- > 1;)
		if (journal->pieces[i - 1].begin + journal->pieces[i - 1].size != journal->pieces[i].begin)
			for (; i > 0; i--)
				drop_oldest(journal);
	if (journal->count == 0)
		return 0;
	struct piece *newest = &journal->pieces[journal->count - 1];
	int r = open_newest(journal, 0, err);
	if (r < 0)
		return r;
	newest->size = whole_lines(journal->file, newest->size);
	journal->next = newest->begin + newest->size;
	return ftruncate(journal->file, (off_t)newest->size) < 0 ? disk_error(journal, errno, err) : 0;
}

/* ---- life ---- */

int lease_journal_open(struct lease_journal **ret, const char *directory, struct error *err)
{
	struct lease_journal *journal = calloc(1, sizeof(*journal));
	if (!journal)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*journal = (struct lease_journal){.folder = -1, .file = -1, .path = strdup(directory), .references = 1};
	int r = journal->path ? folder_make(directory, err) : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (r == 0 && (journal->folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		r = disk_error(journal, errno, err);
	if (r == 0)
		r = go_on(journal, err);
	if (r < 0)
		lease_journal_unref(journal);
	else
		*ret = journal;
	return r;
}

struct lease_journal *lease_journal_ref(struct lease_journal *journal)
{
	journal->references++;
	return journal;
}

void lease_journal_unref(struct lease_journal *journal)
{
	if (!journal || --journal->references > 0)
		return;
	if (journal->over_ns) {
		while (journal->count > 0)
			drop_oldest(journal);
		(void)rmdir(journal->path);
	}
	if (journal->file >= 0)
		(void)close(journal->file);
	if (journal->folder >= 0)
		(void)close(journal->folder);
	free(journal->path);
	free(journal);
}

void lease_journal_end(struct lease_journal *journal, int64_t at_ns)
{
	journal->over_ns = at_ns > 0 ? at_ns : 1;
}

int64_t lease_journal_over_ns(const struct lease_journal *journal)
{
	return journal->over_ns;
}

/* ---- writing ---- */

uint64_t lease_journal_first(const struct lease_journal *journal)
{
	return journal->count > 0 ? journal->pieces[0].begin : journal->next;
}

uint64_t lease_journal_next(const struct lease_journal *journal)
{
	return journal->next;
}

static bool whole(const char *lines, size_t length)
{
	if (length > LEASE_JOURNAL_LINES || memchr(lines, '\0', length))
		return false;
	for (const char *at = lines, *end = lines + length; at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		if (!newline || *at != '{')
			return false;
		at = newline + 1;
	}
	return true;
}

static int put(struct lease_journal *journal, const char *lines, size_t length, struct error *err)
{
	struct piece *newest = &journal->pieces[journal->count - 1];
	for (size_t done = 0; done < length;) {
		ssize_t n = pwrite(journal->file, lines + done, length - done, (off_t)(newest->size + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int code = n < 0 ? errno : EIO;
			(void)!ftruncate(journal->file, (off_t)newest->size);
			return disk_error(journal, code, err);
		}
		done += (size_t)n;
	}
	newest->size += length;
	journal->next += length;
	return 0;
}

int lease_journal_append(struct lease_journal *journal, const char *lines, size_t length, struct error *err)
{
	int r = 0;
	if (length == 0)
		return 0;
	if (!whole(lines, length))
		return error_set(err, ERROR_USAGE, EINVAL, "these are no whole lines of a journal");
	if (journal->count == 0 || journal->pieces[journal->count - 1].size + length > LEASE_JOURNAL_PIECE)
		r = begin_piece(journal, err);
	if (r == 0)
		r = put(journal, lines, length, err);
	while (journal->count > 1 && journal->next - journal->pieces[0].begin > LEASE_JOURNAL_KEPT)
		drop_oldest(journal);
	return r;
}

/* ---- reading ---- */

int lease_journal_piece(const struct lease_journal *journal, uint64_t offset, int *ret_fd, uint64_t *ret_begin, struct error *err)
{
	char name[NAME_SIZE];
	for (size_t i = journal->count; i-- > 0;) {
		const struct piece *piece = &journal->pieces[i];
		if (offset < piece->begin || offset >= piece->begin + piece->size)
			continue;
		*ret_begin = piece->begin;
		*ret_fd = openat(journal->folder, piece_name(piece->begin, name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
		return *ret_fd < 0 ? error_set(err, ERROR_BENCH, errno, "cannot read %s: %s", journal->path, strerror(errno)) : 0;
	}
	return error_set(err, ERROR_BENCH, ENOENT, "%s has no byte %" PRIu64, journal->path, offset);
}
