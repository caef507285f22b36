/* SPDX-License-Identifier: Apache-2.0 */
#include "nvm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CLAIM_TRIES 25

/* The CPU of a board that was killed shares its claim and dies a moment later. */
static int claim(int fd)
{
	for (int i = 0; i < CLAIM_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	}
	return -1;
}

static int check(int fd, const char *path, char *error, size_t error_size)
{
	struct stat status;
	if (fstat(fd, &status) < 0) {
		snprintf(error, error_size, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (!S_ISREG(status.st_mode) || (status.st_size != 0 && status.st_size != NVM_SIZE)) {
		snprintf(error, error_size, "%s: a non-volatile memory is a file of %d bytes, this one has %lld", path, NVM_SIZE,
		         (long long)status.st_size);
		return -1;
	}
	if (claim(fd) < 0) {
		snprintf(error, error_size, "%s: in use by another board", path);
		return -1;
	}
	/* Whole and with blocks of its own: the firmware maps it, and a disk that is full would end the CPU by SIGBUS, which looks like a
	 * crash of the board. */
	int r = posix_fallocate(fd, 0, NVM_SIZE);
	if (r != 0) {
		snprintf(error, error_size, "%s: %s", path, strerror(r));
		return -1;
	}
	return 0;
}

int nvm_open(const char *path, char *error, size_t error_size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		snprintf(error, error_size, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (check(fd, path, error, error_size) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}
