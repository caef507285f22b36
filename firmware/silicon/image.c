/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010u
#endif

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int memory_create(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (fd < 0 && errno == EINVAL) /* a kernel before 6.3, where every memfd may be executed */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0 ? -errno : fd;
}

static int copy(int to, int from, off_t size)
{
	for (off_t done = 0; done < size;) {
		ssize_t n = sendfile(to, from, NULL, (size_t)(size - done));
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO; /* it became shorter meanwhile */
		done += n;
	}
	return fcntl(to, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int image_replace(struct image *image, int file, const struct stat *source)
{
	int fd = memory_create("image");
	if (fd < 0)
		return fd;
	int r = copy(fd, file, source->st_size);
	if (r < 0) {
		close(fd);
		return r;
	}
	image_drop(image);
	image->fd = fd;
	image->source = *source;
	return 0;
}

int image_load(struct image *image, const char *path)
{
	struct stat source;
	int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return -errno;
	int r = fstat(file, &source) < 0 ? -errno : 0;
	if (r == 0 && !S_ISREG(source.st_mode))
		r = S_ISDIR(source.st_mode) ? -EISDIR : -EINVAL;
	if (r == 0 && (image->fd < 0 || !same(&source, &image->source)))
		r = image_replace(image, file, &source);
	close(file);
	return r;
}

void image_drop(struct image *image)
{
	if (image->fd >= 0)
		close(image->fd);
	image->fd = -1;
}

static int put_line(int fd, const struct strap *strap, int *object_fd)
{
	if (strncmp(strap->name, STRAPS_OBJECT, sizeof STRAPS_OBJECT - 1) == 0)
		return dprintf(fd, "%s=%d\n", strap->name, (*object_fd)++);
	return dprintf(fd, "%s=%s\n", strap->name, strap->value);
}

int image_parameters(const struct straps *straps, int first_object_fd)
{
	int fd = memory_create("parameters");
	for (const struct strap *strap = straps->first; fd >= 0 && strap; strap = strap->next) {
		if (put_line(fd, strap, &first_object_fd) < 0) {
			close(fd);
			return -EIO;
		}
	}
	if (fd >= 0)
		fcntl(fd, F_ADD_SEALS, SEALS);
	return fd;
}
