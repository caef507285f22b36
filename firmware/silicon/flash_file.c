/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flash in files: a header of 4096 bytes and the image. A board's file is mapped while it is used; a snapshot is written
 * and read whole. The seal is a digest of the image, there while nobody writes: a file that was closed or saved is
 * checked by it, one whose user was killed by its structure only.
 */
#include "flash_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_SIZE    4096u
#define FORMAT_VERSION 1u
#define BYTE_ORDER_1   0x01020304u
#define SEAL_SEED      UINT64_C(0x5EA1)

struct flash_file_header {
	char magic[8];
	uint32_t version, byte_order;
	struct flash_geometry geometry;
	uint64_t image_size;
	uint64_t checksum; /* of all before it */
	uint64_t seal, seal_check;
};

static const char magic[8] = "VBFLASH";

static uint64_t header_checksum(const struct flash_file_header *h)
{
	return flash_digest(FORMAT_VERSION, h, offsetof(struct flash_file_header, checksum));
}

static struct flash_file_header make_header(const struct flash *flash)
{
	struct flash_file_header h = {.version = FORMAT_VERSION, .byte_order = BYTE_ORDER_1, .image_size = flash->image_size};
	memcpy(h.magic, magic, sizeof magic);
	h.geometry = flash->geometry;
	h.checksum = header_checksum(&h);
	return h;
}

static uint64_t seal_of(const struct flash *flash, const uint8_t *image)
{
	return flash_digest(SEAL_SEED, image, flash->image_size);
}

static void seal(struct flash_file_header *h, uint64_t digest)
{
	h->seal = digest;
	h->seal_check = flash_mix(digest ^ SEAL_SEED);
}

static bool is_sealed(const struct flash_file_header *h)
{
	return h->seal_check == flash_mix(h->seal ^ SEAL_SEED);
}

/* ---- is it ours? -------------------------------------------------------------------------------------------------- */

/* 0, -EPROTO, -EDOM; reason: a text that needs no more. */
static int check_header(const struct flash *flash, const struct flash_file_header *h, off_t size, const char **ret_reason)
{
	if (memcmp(h->magic, magic, sizeof magic) != 0) {
		*ret_reason = "it is not a flash file";
		return -EPROTO;
	}
	if (h->version != FORMAT_VERSION || h->byte_order != BYTE_ORDER_1) {
		*ret_reason = "it was made by another version";
		return -EPROTO;
	}
	if (h->checksum != header_checksum(h)) {
		*ret_reason = "its header is damaged";
		return -EPROTO;
	}
	if (memcmp(&h->geometry, &flash->geometry, sizeof h->geometry) != 0) {
		*ret_reason = "it is of another geometry";
		return -EDOM;
	}
	if (h->image_size != flash->image_size || (uint64_t)size != HEADER_SIZE + flash->image_size) {
		*ret_reason = "its length is wrong";
		return -EPROTO;
	}
	return 0;
}

static bool block_possible(const struct flash_area *area, uint8_t *block)
{
	static const uint8_t zero[FLASH_PAGE];
	for (struct flash_place p = {.area = area, .block = block}; p.page < area->pages; p.page++) {
		const uint8_t state = *flash_state(&p);
		if (state > FLASH_BAD || (state == FLASH_ERASED && memcmp(flash_cells(&p), zero, area->page) != 0))
			return false;
	}
	return true;
}

static int check_image(const struct flash *flash, const struct flash_file_header *h, uint8_t *image, const char **ret_reason)
{
	const struct flash_sector *table = (const struct flash_sector *)(const void *)(image + sizeof(struct flash_counters));
	bool possible = !is_sealed(h) || h->seal == seal_of(flash, image);
	for (unsigned i = 0; possible && i < FLASH_AREAS; i++) {
		const struct flash_area *area = &flash->areas[i];
		for (uint32_t k = 0; possible && k < area->sectors; k++)
			possible = table[area->first + k].unreliable <= 1 && block_possible(area, image + area->offset + k * area->stride);
	}
	if (!possible)
		*ret_reason = "its contents are damaged";
	return possible ? 0 : -EPROTO;
}

/* ---- bytes -------------------------------------------------------------------------------------------------------- */

static int write_all(int fd, const void *bytes, size_t length)
{
	const uint8_t *p = bytes;
	while (length > 0) {
		const ssize_t n = write(fd, p, length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		length -= (size_t)n;
	}
	return 0;
}

static int read_all(int fd, void *bytes, size_t length)
{
	uint8_t *p = bytes;
	while (length > 0) {
		const ssize_t n = read(fd, p, length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPROTO;
		p += n;
		length -= (size_t)n;
	}
	return 0;
}

static int read_header(const struct flash *flash, int fd, struct flash_file_header *h, const char **ret_reason)
{
	uint8_t page[HEADER_SIZE];
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_reason = "it is not a flash file";
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)HEADER_SIZE)
		return -EPROTO;
	const int r = read_all(fd, page, sizeof page);
	if (r < 0)
		return r;
	memcpy(h, page, sizeof *h);
	return check_header(flash, h, st.st_size, ret_reason);
}

/* A new file beside the path, with all its room; its name is in ret_name (to be freed). The fd or -errno. */
static int make_beside(const struct flash *flash, const char *path, char **ret_name)
{
	if (asprintf(ret_name, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	const int fd = mkostemp(*ret_name, O_CLOEXEC);
	int r = fd < 0 ? -errno : -posix_fallocate(fd, 0, (off_t)(HEADER_SIZE + flash->image_size));
	if (r == 0 && fchmod(fd, 0644) < 0)
		r = -errno;
	if (r == 0)
		return fd;
	if (fd >= 0) {
		unlink(*ret_name);
		close(fd);
	}
	free(*ret_name);
	return r;
}

static int write_header(int fd, const struct flash_file_header *h)
{
	uint8_t page[HEADER_SIZE] = {0};
	memcpy(page, h, sizeof *h);
	return write_all(fd, page, sizeof page);
}

/* ---- snapshots ---------------------------------------------------------------------------------------------------- */

int flash_save(const struct flash *flash, const char *path)
{
	char *name;
	struct flash_file_header h = make_header(flash);
	seal(&h, seal_of(flash, flash->image));
	const int fd = make_beside(flash, path, &name);
	if (fd < 0)
		return fd;
	int r = write_header(fd, &h);
	if (r == 0)
		r = write_all(fd, flash->image, flash->image_size);
	if (r == 0 && (fsync(fd) < 0 || rename(name, path) < 0))
		r = -errno;
	if (r < 0)
		unlink(name);
	close(fd);
	free(name);
	return r;
}

int flash_load(struct flash *flash, const char *path)
{
	const char *reason;
	struct flash_file_header h;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	uint8_t *image = NULL;
	int r = read_header(flash, fd, &h, &reason);
	if (r == 0 && !(image = malloc(flash->image_size)))
		r = -ENOMEM;
	if (r == 0)
		r = read_all(fd, image, flash->image_size);
	if (r == 0)
		r = check_image(flash, &h, image, &reason);
	if (r == 0) {
		memcpy(flash->image, image, flash->image_size);
		flash_touch_all(flash);
		flash_commands_drop(flash);
		flash_reset(flash);
	}
	free(image);
	close(fd);
	return r;
}

/* ---- the file of a board -------------------------------------------------------------------------------------------- */

static int create(const struct flash *flash, const char *path)
{
	char *name;
	const struct flash_file_header h = make_header(flash);
	const int fd = make_beside(flash, path, &name);
	if (fd < 0)
		return fd;
	int r = write_header(fd, &h);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	/* Never over what somebody else made in the meantime: that one is then opened. */
	if (r == 0 && link(name, path) < 0 && errno != EEXIST)
		r = -errno;
	unlink(name);
	close(fd);
	free(name);
	return r;
}

static int open_or_create(const struct flash *flash, const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 || errno != ENOENT)
		return fd >= 0 ? fd : -errno;
	const int r = create(flash, path);
	if (r < 0)
		return r;
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd >= 0 ? fd : -errno;
}

static int map_file(struct flash *flash, const char **ret_reason)
{
	struct flash_file_header h;
	int r = read_header(flash, flash->fd, &h, ret_reason);
	if (r < 0)
		return r;
	/* A file that lost its room (copied with holes) gets it back: a full disk is told here and kills nobody later. */
	r = -posix_fallocate(flash->fd, 0, (off_t)(HEADER_SIZE + flash->image_size));
	if (r < 0)
		return r;
	flash->mapping_size = HEADER_SIZE + flash->image_size;
	flash->mapping = mmap(NULL, flash->mapping_size, PROT_READ | PROT_WRITE, MAP_SHARED, flash->fd, 0);
	if (flash->mapping == MAP_FAILED)
		return -errno;
	return check_image(flash, &h, flash->mapping + HEADER_SIZE, ret_reason);
}

static int attach(struct flash *flash, const char *path, const char **ret_reason)
{
	flash->fd = open_or_create(flash, path);
	if (flash->fd < 0)
		return flash->fd;
	if (flock(flash->fd, LOCK_EX | LOCK_NB) < 0) {
		*ret_reason = "another board uses it";
		return errno == EWOULDBLOCK ? -EPROTO : -errno;
	}
	const int r = map_file(flash, ret_reason);
	if (r < 0)
		return r;
	flash_set_image(flash, flash->mapping + HEADER_SIZE);
	((struct flash_file_header *)(void *)flash->mapping)->seal_check = 0;
	flash_touch_all(flash);
	return 0;
}

struct flash *flash_open(const char *path, const struct flash_geometry *geometry, const struct flash_cost *cost, char *error,
                         size_t error_size)
{
	const char *reason = "";
	struct flash *flash = flash_prepare(geometry, cost);
	if (!flash) {
		snprintf(error, error_size, "flash %s: no memory, or an impossible geometry", path);
		return NULL;
	}
	const int r = attach(flash, path, &reason);
	if (r == 0)
		return flash;
	snprintf(error, error_size, "flash %s: %s", path, r == -EPROTO || r == -EDOM ? reason : strerror(-r));
	flash_free(flash);
	return NULL;
}

/* Seals what was attached. The seal is whole or not there, whenever the process ends. */
void flash_file_close(struct flash *flash)
{
	if (flash->image && flash->fd >= 0)
		seal((struct flash_file_header *)(void *)flash->mapping, seal_of(flash, flash->image));
	if (flash->fd >= 0)
		close(flash->fd);
	flash->fd = -1;
}
