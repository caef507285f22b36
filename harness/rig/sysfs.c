/* SPDX-License-Identifier: Apache-2.0 */
#include "sysfs.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

bool sysfs_attribute(const char *folder, const char *name, char *ret, size_t size)
{
	char path[PATH_MAX];
	ret[0] = '\0';
	(void)snprintf(path, sizeof(path), "%.3000s/%s", folder, name);
	FILE *file = fopen(path, "re");
	if (file && fgets(ret, (int)size, file))
		ret[strcspn(ret, "\n")] = '\0';
	if (file)
		(void)fclose(file);
	return ret[0] != '\0';
}
