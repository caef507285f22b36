/* SPDX-License-Identifier: Apache-2.0 */
#include "rack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int lock_directory(char *path, size_t size, struct error *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	if (runtime && *runtime && access(runtime, W_OK) == 0)
		snprintf(path, size, "%s/hilbench", runtime);
	else
		snprintf(path, size, "/tmp/hilbench-%u", (unsigned)getuid());
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_set(err, ERROR_BENCH, errno, "cannot create %s: %s", path, strerror(errno));
	struct stat status;
	/* In /tmp anyone may have made the name first: locks in a stranger's folder would be worth nothing. */
	if (lstat(path, &status) < 0 || !S_ISDIR(status.st_mode) || status.st_uid != getuid())
		return error_set(err, ERROR_BENCH, EPERM, "%s is not a directory of this user", path);
	return 0;
}

int rack_take(unsigned after, unsigned *ret_number, int *ret_fd, struct error *err)
{
	char directory[PATH_MAX - 32], path[PATH_MAX];
	int r = lock_directory(directory, sizeof(directory), err);
	if (r < 0)
		return r;
	for (unsigned number = after + 1; number <= RACK_NUMBER_LIMIT; number++) {
		snprintf(path, sizeof(path), "%s/rack-%u.lock", directory, number);
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return error_set(err, ERROR_BENCH, errno, "cannot open %s: %s", path, strerror(errno));
		if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
			*ret_number = number;
			*ret_fd = fd;
			return 0;
		}
		close(fd);
	}
	return error_set(err, ERROR_BENCH, EBUSY, "no free rack number: %u virtual racks run on this machine", RACK_NUMBER_LIMIT);
}

char *rack_expand(const char *text, unsigned number)
{
	static const char variable[] = "${rack}";
	char digits[12];
	size_t digit_count = (size_t)snprintf(digits, sizeof(digits), "%u", number), uses = 0;
	for (const char *at = text; (at = strstr(at, variable)); at += sizeof(variable) - 1)
		uses++;
	char *result = malloc(strlen(text) + uses * digit_count + 1), *out = result;
	if (!result)
		return NULL;
	for (const char *at; (at = strstr(text, variable)); text = at + sizeof(variable) - 1) {
		memcpy(out, text, (size_t)(at - text));
		out += at - text;
		memcpy(out, digits, digit_count);
		out += digit_count;
	}
	memcpy(out, text, strlen(text) + 1);
	return result;
}

int rack_first_bad(const char *text, bool (*good)(const char *text, void *context), void *context)
{
	const unsigned last = strstr(text, "${rack}") ? RACK_NUMBER_LIMIT : 1;
	for (unsigned number = 1; number <= last; number++) {
		char *expanded = rack_expand(text, number);
		if (!expanded)
			return -ENOMEM;
		bool is_good = good(expanded, context);
		free(expanded);
		if (!is_good)
			return (int)number;
	}
	return 0;
}

const char *rack_bad_text(const char *text, int number, char *buffer, size_t size)
{
	char *expanded = number > 0 && strstr(text, "${rack}") ? rack_expand(text, (unsigned)number) : NULL;
	buffer[0] = '\0';
	if (expanded)
		snprintf(buffer, size, " (on rack %d: \"%.80s\")", number, expanded);
	free(expanded);
	return buffer;
}
