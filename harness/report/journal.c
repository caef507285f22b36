/* SPDX-License-Identifier: Apache-2.0 */
#include "journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/types.h>

#include "text.h"

struct journal {
	FILE *file;
	const char *path; /* interned */
	char *line;
	size_t capacity;
	unsigned number;
	bool cut, follow;
};

int journal_open(struct journal **ret, const char *path, struct error *err)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	if (!journal)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	journal->file = fopen(path, "re");
	if (!journal->file) {
		int code = errno;
		free(journal);
		return error_set(err, ERROR_BENCH, code, "cannot read %s: %s", path, strerror(code));
	}
	journal->path = place_intern(path);
	*ret = journal;
	return 0;
}

void journal_close(struct journal *journal)
{
	if (!journal)
		return;
	fclose(journal->file);
	free(journal->line);
	free(journal);
}

void journal_follow(struct journal *journal)
{
	journal->follow = true;
}

/* Back to where the line begins: it is read again when there is more. */
static int wait_for_more(struct journal *journal, ssize_t length)
{
	if (length > 0 && fseeko(journal->file, -(off_t)length, SEEK_CUR) < 0)
		return -errno;
	clearerr(journal->file);
	return -EAGAIN;
}

int journal_written(const struct journal *journal)
{
	int fd = fileno(journal->file), code;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
		(void)flock(fd, LOCK_UN);
		return 0;
	}
	code = errno;
	return code == EWOULDBLOCK ? 1 : -code;
}

bool journal_was_cut(const struct journal *journal)
{
	return journal->cut;
}

/* A byte that is not UTF-8 must not make a whole run unreadable: it is replaced. */
static json_t *line_parse(const char *line, size_t length, json_error_t *problem)
{
	json_t *event = json_loadb(line, length, JSON_ALLOW_NUL, problem);
	if (event || json_error_code(problem) != json_error_invalid_utf8)
		return event;
	char *clean = text_clean(line, length, 0);
	if (!clean)
		return NULL;
	event = json_loadb(clean, strlen(clean), JSON_ALLOW_NUL, problem);
	free(clean);
	return event;
}

static int bad_line(const struct journal *journal, struct error *err, const char *what)
{
	struct place place = {journal->path, journal->number, 0};
	return error_set_place(err, ERROR_BENCH, EBADMSG, place, "not a journal event: %s", what);
}

int journal_next(struct journal *journal, json_t **ret_event, struct error *err)
{
	errno = 0;
	ssize_t length = getline(&journal->line, &journal->capacity, journal->file);
	if (length < 0 && (ferror(journal->file) || errno == ENOMEM)) {
		int code = errno != 0 ? errno : EIO;
		return error_set(err, ERROR_BENCH, code, "cannot read %s: %s", journal->path, strerror(code));
	}
	if (journal->follow && (length < 0 || journal->line[length - 1] != '\n'))
		return wait_for_more(journal, length);
	if (length < 0)
		return 0;
	journal->number++;
	bool whole = journal->line[length - 1] == '\n';
	json_error_t problem = {0};
	json_t *event = line_parse(journal->line, (size_t)length, &problem);
	if (!event && !whole) {
		journal->cut = true;
		return 0;
	}
	if (!event)
		return bad_line(journal, err, problem.text);
	if (!json_is_string(json_object_get(event, "kind"))) {
		json_decref(event);
		return bad_line(journal, err, "no \"kind\"");
	}
	*ret_event = event;
	return 1;
}
