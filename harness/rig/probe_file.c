/* SPDX-License-Identifier: Apache-2.0 */
/* Files to memory and back: by the driver where it can, else in pieces. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe_private.h"

#define PIECE 4096u

static int cannot(const char *what, const char *path, struct error *err)
{
	const int code = errno;
	return error_set(err, ERROR_TESTCASE, code, "cannot %s %s: %s", what, path, strerror(code));
}

int probe_file_length(const char *path, uint32_t address, size_t *ret, struct error *err)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return cannot("read", path, err);
	int r = fstat(fd, &status) < 0 ? cannot("read", path, err) : 0;
	close(fd);
	if (r < 0)
		return r;
	if (!S_ISREG(status.st_mode) || status.st_size == 0)
		return error_set(err, ERROR_TESTCASE, EINVAL, "%s is %s", path, S_ISREG(status.st_mode) ? "empty" : "no file");
	if ((uint64_t)status.st_size > UINT64_C(0x100000000) - address)
		return error_set(err, ERROR_TESTCASE, EFBIG, "%s goes over the end of the memory at %08Xh", path, (unsigned)address);
	*ret = (size_t)status.st_size;
	return 0;
}

char *probe_file_absolute(const char *path)
{
	char *absolute = NULL, folder[PATH_MAX];
	if (path[0] == '/' || !getcwd(folder, sizeof(folder)))
		return strdup(path);
	return asprintf(&absolute, "%s/%s", folder, path) < 0 ? NULL : absolute;
}

int probe_file_map(const char *path, size_t length, const uint8_t **ret, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *map = fd < 0 ? MAP_FAILED : mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
	int r = map == MAP_FAILED ? cannot("read", path, err) : 0;
	if (fd >= 0)
		close(fd);
	if (r == 0)
		*ret = map;
	return r;
}

void probe_file_unmap(const uint8_t *data, size_t length)
{
	munmap((void *)(uintptr_t)data, length);
}

/* The widest accesses that a range allows. */
static unsigned width_of(uint32_t address, size_t length)
{
	return (address | length) % 4 == 0 ? 4 : 1;
}

/* ---- load ---- */

int probe_file_load(struct probe *probe, uint32_t address, const char *path, size_t length, int64_t deadline_ns, struct error *err)
{
	const uint8_t *data;
	if (probe->driver->load)
		return probe->driver->load(probe, address, path, deadline_ns, err);
	int r = probe_file_map(path, length, &data, err);
	if (r < 0)
		return r;
	for (size_t done = 0; r == 0 && done < length; done += PIECE) {
		const size_t part = length - done < PIECE ? length - done : PIECE;
		const uint32_t at = address + (uint32_t)done;
		r = probe->driver->write(probe, at, width_of(at, part), data + done, part, deadline_ns, err);
	}
	probe_file_unmap(data, length);
	return r;
}

/* ---- dump ---- */

static int dump_pieces(struct probe *probe, uint32_t address, size_t length, int fd, const char *path, int64_t deadline_ns,
                       struct error *err)
{
	uint8_t piece[PIECE];
	for (size_t done = 0; done < length;) {
		const size_t part = length - done < PIECE ? length - done : PIECE;
		const uint32_t at = address + (uint32_t)done;
		int r = probe->driver->read(probe, at, width_of(at, part), piece, part, deadline_ns, err);
		if (r < 0)
			return r;
		if (write(fd, piece, part) != (ssize_t)part)
			return cannot("write", path, err);
		done += part;
	}
	return 0;
}

/* Into a file that is there and empty. */
static int dump_into(struct probe *probe, uint32_t address, size_t length, int fd, const char *path, int64_t deadline_ns, struct error *err)
{
	struct stat status;
	if (!probe->driver->dump)
		return dump_pieces(probe, address, length, fd, path, deadline_ns, err);
	int r = probe->driver->dump(probe, address, length, path, deadline_ns, err);
	if (r == 0 && (stat(path, &status) < 0 || (uint64_t)status.st_size != length))
		return error_set(err, ERROR_BENCH, EIO, "%s does not have the %zu bytes that were read: is the disk full?", path, length);
	return r;
}

int probe_file_dump(struct probe *probe, uint32_t address, size_t length, const char *path, int64_t deadline_ns, struct error *err)
{
	char *partial = NULL;
	char *absolute = probe_file_absolute(path);
	if (!absolute || asprintf(&partial, "%s.XXXXXX", absolute) < 0) {
		free(absolute);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	int fd = mkostemp(partial, O_CLOEXEC);
	int r = fd < 0 ? cannot("write", path, err) : dump_into(probe, address, length, fd, partial, deadline_ns, err);
	if (fd >= 0) {
		mode_t mask = umask(0);
		umask(mask);
		(void)fchmod(fd, 0666 & ~mask);
		close(fd);
		if (r == 0 && rename(partial, absolute) < 0)
			r = cannot("write", path, err);
		if (r < 0)
			unlink(partial);
	}
	free(partial);
	free(absolute);
	return r;
}

/* ---- compare ---- */

static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (a[i] != b[i])
			return i;
	return SIZE_MAX;
}

static int compare_pieces(struct probe *probe, uint32_t address, const uint8_t *data, size_t length, size_t *ret_offset,
                          int64_t deadline_ns, struct error *err)
{
	uint8_t piece[PIECE];
	for (size_t done = 0; done < length && *ret_offset == SIZE_MAX; done += PIECE) {
		const size_t part = length - done < PIECE ? length - done : PIECE;
		const uint32_t at = address + (uint32_t)done;
		int r = probe->driver->read(probe, at, width_of(at, part), piece, part, deadline_ns, err);
		if (r < 0)
			return r;
		size_t offset = first_difference(piece, data + done, part);
		if (offset != SIZE_MAX)
			*ret_offset = done + offset;
	}
	return 0;
}

static int compare_dump(struct probe *probe, uint32_t address, const uint8_t *data, size_t length, size_t *ret_offset, int64_t deadline_ns,
                        struct error *err)
{
	const uint8_t *is;
	char *path = NULL;
	if (asprintf(&path, "%s/compare-%s.bin", probe->board->rig->directory, probe->board->role) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	int r = probe_file_dump(probe, address, length, path, deadline_ns, err);
	if (r == 0)
		r = probe_file_map(path, length, &is, err);
	if (r == 0) {
		*ret_offset = first_difference(is, data, length);
		probe_file_unmap(is, length);
	}
	unlink(path);
	free(path);
	return r;
}

int probe_file_compare(struct probe *probe, uint32_t address, const char *path, size_t length, size_t *ret_offset, int64_t deadline_ns,
                       struct error *err)
{
	const uint8_t *data;
	int r = probe_file_map(path, length, &data, err);
	if (r < 0)
		return r;
	*ret_offset = SIZE_MAX;
	if (probe->driver->dump && length > PIECE)
		r = compare_dump(probe, address, data, length, ret_offset, deadline_ns, err);
	else
		r = compare_pieces(probe, address, data, length, ret_offset, deadline_ns, err);
	probe_file_unmap(data, length);
	return r;
}
