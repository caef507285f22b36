/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010u
#endif

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int image_create(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (fd < 0 && errno == EINVAL) /* a kernel before 6.3, where every memfd may be executed */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0 ? -errno : fd;
}

int image_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

static int put_line(int fd, const struct strap *strap, int *object_fd)
{
	if (strncmp(strap->name, STRAPS_OBJECT, sizeof STRAPS_OBJECT - 1) == 0)
		return dprintf(fd, "%s=%d\n", strap->name, (*object_fd)++);
	return dprintf(fd, "%s=%s\n", strap->name, strap->value);
}

int image_parameters(const struct straps *straps, int first_object_fd)
{
	int fd = image_create("parameters");
	for (const struct strap *strap = straps->first; fd >= 0 && strap; strap = strap->next) {
		if (put_line(fd, strap, &first_object_fd) < 0) {
			close(fd);
			return -EIO;
		}
	}
	if (fd >= 0)
		image_seal(fd);
	return fd;
}
