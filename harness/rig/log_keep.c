/* SPDX-License-Identifier: Apache-2.0 */
#include "log_keep.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* From one folder of /tmp into another place there, under a name that nobody has. */
static bool move_log(const char *from, char *ret, size_t size)
{
	(void)snprintf(ret, size, "/tmp/hilbench-%.80s-XXXXXX", strrchr(from, '/') + 1);
	int fd = mkostemp(ret, 0);
	if (fd < 0)
		return false;
	(void)close(fd);
	if (rename(from, ret) == 0)
		return true;
	(void)unlink(ret);
	return false;
}

void log_keep(const char *folder, struct error *error)
{
	char from[PATH_MAX], to[160], whole[2 * sizeof(error->message)];
	const char *at = strstr(error->message, folder);
	if (!at)
		return;
	size_t length = strcspn(at, " ;,)");
	(void)snprintf(from, sizeof(from), "%.*s", (int)length, at);
	if (length <= strlen(folder) || !move_log(from, to, sizeof(to)))
		return;
	(void)snprintf(whole, sizeof(whole), "%.*s%s%s", (int)(at - error->message), error->message, to, at + length);
	(void)snprintf(error->message, sizeof(error->message), "%.*s", (int)sizeof(error->message) - 1, whole);
}
