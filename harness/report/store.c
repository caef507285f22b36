/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int write_whole(int fd, const uint8_t *data, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, data, length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		length -= (size_t)n;
	}
	return 0;
}

static int temporary_write(int directory, const char *temporary, const void *data, size_t length)
{
	int fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return -errno;
	int r = write_whole(fd, data, length);
	if (r == 0 && fsync(fd) < 0 && errno != EINVAL)
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

int store_file(const char *directory, const char *name, const void *data, size_t length, struct error *err)
{
	char temporary[256];
	snprintf(temporary, sizeof(temporary), ".%s.new", name);
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : temporary_write(fd, temporary, data, length);
	if (r == 0 && renameat(fd, temporary, fd, name) < 0)
		r = -errno;
	if (r < 0 && fd >= 0)
		unlinkat(fd, temporary, 0);
	if (r == 0)
		(void)fsync(fd); /* the file is whole already; without this a power cut may show the old one */
	if (fd >= 0)
		close(fd);
	if (r < 0)
		return error_set(err, ERROR_BENCH, -r, "cannot write %s/%s: %s", directory, name, strerror(-r));
	return 0;
}
