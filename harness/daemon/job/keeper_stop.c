/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper_stop.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#define SIZE_MAX_BYTES 1024
#define RESERVED_NAME  "stop.new"

int keeper_stop_reserve(void)
{
	int fd = open(RESERVED_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	(void)posix_fallocate(fd, 0, SIZE_MAX_BYTES);
	return fd;
}

int keeper_stop_write(int reserved, const char *reason, const char *message)
{
	char text[SIZE_MAX_BYTES];
	json_t *json = json_pack("{s:s,s:s}", "reason", reason, "message", message);
	size_t length = json ? json_dumpb(json, text, sizeof(text), JSON_COMPACT) : 0;
	json_decref(json);
	if (reserved < 0 || length == 0 || length > sizeof(text))
		return -EINVAL;
	if (pwrite(reserved, text, length, 0) != (ssize_t)length || ftruncate(reserved, (off_t)length) < 0 ||
	    rename(RESERVED_NAME, "stop") < 0)
		return errno ? -errno : -EIO;
	return 0;
}

void keeper_stop_drop(int reserved)
{
	if (reserved < 0)
		return;
	(void)close(reserved);
	(void)unlink(RESERVED_NAME);
}
