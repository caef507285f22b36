/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../job/line.h"

static const char left_out[] = "{\"kind\":\"left-out\"}\n";

static ssize_t read_at(int fd, char *buffer, size_t size, uint64_t offset)
{
	size_t length = 0;
	while (length < size) {
		ssize_t n = pread(fd, buffer + length, size - length, (off_t)(offset + length));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		length += (size_t)n;
	}
	return (ssize_t)length;
}

/* Moves lines that are wanted to the front. */
static size_t filter(char *buffer, size_t length)
{
	size_t kept = 0;
	for (size_t begin = 0; begin < length;) {
		const char *newline = memchr(buffer + begin, '\n', length - begin), *kind;
		size_t line = (size_t)(newline - (buffer + begin)) + 1, kind_length;
		if (!line_kind(buffer + begin, line - 1, &kind, &kind_length) || !line_is_traffic(kind, kind_length)) {
			memmove(buffer + kept, buffer + begin, line);
			kept += line;
		}
		begin += line;
	}
	return kept;
}

/* Behind the line that does not fit; 0: it has no end. */
static int skip_line(int fd, uint64_t *offset, char *buffer, size_t size)
{
	for (uint64_t at = *offset;;) {
		ssize_t n = read_at(fd, buffer, size, at);
		if (n <= 0)
			return (int)n;
		const char *newline = memchr(buffer, '\n', (size_t)n);
		if (newline) {
			*offset = at + (uint64_t)(newline - buffer) + 1;
			return 1;
		}
		at += (uint64_t)n;
	}
}

int journal_file_read(int fd, uint64_t *offset, bool summary, char *buffer, size_t size, size_t *ret_length)
{
	*ret_length = 0;
	ssize_t n = read_at(fd, buffer, size, *offset);
	if (n <= 0)
		return (int)n;
	const char *newline = memrchr(buffer, '\n', (size_t)n);
	if (!newline && (size_t)n < size)
		return 0;
	if (!newline) {
		int r = skip_line(fd, offset, buffer, size);
		if (r <= 0)
			return r;
		memcpy(buffer, left_out, sizeof(left_out) - 1);
		*ret_length = sizeof(left_out) - 1;
		return 1;
	}
	size_t length = (size_t)(newline - buffer) + 1;
	*offset += length;
	*ret_length = summary ? filter(buffer, length) : length;
	return 1;
}

bool journal_file_line_begins(int fd, uint64_t offset)
{
	char before;
	return offset == 0 || (pread(fd, &before, 1, (off_t)(offset - 1)) == 1 && before == '\n');
}
