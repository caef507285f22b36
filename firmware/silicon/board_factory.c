/* SPDX-License-Identifier: Apache-2.0 */
#include "board_factory.h"

#include "board_flash.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define MAGIC      0x53575047u
#define FILE_LIMIT (64u << 20)
/* Offsets in a header: docs/reference/package.md. */
#define AT_TYPE        6
#define AT_COMPRESSION 7
#define AT_PAYLOAD     8
#define AT_SOFTWARE    12
#define AT_VERSION     16
#define AT_TIMESTAMP   20
#define AT_SERIAL      24
#define AT_CRC         28
#define AT_TRAILER     36
#define AT_SEQUENCE    48
#define AT_COUNTER     52

static void put_u32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get_u32(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static int read_all(int fd, uint8_t *data, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = read(fd, data + done, length - done);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -EIO; /* it became shorter meanwhile */
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* The file behind `head` free bytes. 0/-errno. */
static int file_load(const char *path, size_t head, struct factory_bytes *ret)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = fstat(fd, &status) < 0 ? -errno : 0;
	if (r == 0 && !S_ISREG(status.st_mode))
		r = S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
	if (r == 0 && status.st_size > (off_t)FILE_LIMIT)
		r = -EFBIG;
	uint8_t *data = r == 0 ? calloc(1, head + (size_t)status.st_size + 1) : NULL;
	if (r == 0)
		r = data ? read_all(fd, data + head, (size_t)status.st_size) : -ENOMEM;
	close(fd);
	if (r < 0) {
		free(data);
		return r;
	}
	*ret = (struct factory_bytes){data, head + (size_t)status.st_size};
	return 0;
}

/* Where the last thing ends that a loader reads; the whole length when it is no program that we know. */
static size_t elf_trim(uint8_t *data, size_t length)
{
	Elf64_Ehdr header;
	size_t end = sizeof header;
	if (length < sizeof header || memcmp(data, ELFMAG, SELFMAG) != 0 || data[EI_CLASS] != ELFCLASS64)
		return length;
	memcpy(&header, data, sizeof header);
	if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phoff > length ||
	    header.e_phnum > (length - header.e_phoff) / sizeof(Elf64_Phdr))
		return length;
	if (header.e_phoff + header.e_phnum * sizeof(Elf64_Phdr) > end)
		end = header.e_phoff + header.e_phnum * sizeof(Elf64_Phdr);
	for (unsigned i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;
		memcpy(&segment, data + header.e_phoff + i * sizeof segment, sizeof segment);
		if (segment.p_offset > length || segment.p_filesz > length - segment.p_offset)
			return length;
		if (segment.p_offset + segment.p_filesz > end)
			end = segment.p_offset + segment.p_filesz;
	}
	header.e_shoff = 0;
	header.e_shnum = header.e_shstrndx = 0;
	memcpy(data, &header, sizeof header);
	return end;
}

static void header_fill(uint8_t *header, uint8_t type, size_t length)
{
	put_u32(header, MAGIC);
	header[AT_TYPE] = type;
	put_u32(header + AT_PAYLOAD, (uint32_t)length);
	put_u32(header + AT_SOFTWARE, (uint32_t)length);
	header[AT_VERSION] = 1;
	put_u32(header + AT_TIMESTAMP, 1577836800);
	put_u32(header + AT_SERIAL, 0x01000000);
	put_u32(header + AT_SEQUENCE, 1);
	put_u32(header + AT_COUNTER, 1);
	put_u32(header + AT_CRC, (uint32_t)crc32_z(0, header, BOARD_HEADER + length));
}

int factory_program(const char *path, uint8_t type, struct factory_bytes *ret, char *error, size_t error_size)
{
	struct factory_bytes bytes;
	int r = file_load(path, BOARD_HEADER, &bytes);
	if (r < 0) {
		snprintf(error, error_size, "%s: %s", path, strerror(-r));
		return -1;
	}
	size_t length = elf_trim(bytes.data + BOARD_HEADER, bytes.length - BOARD_HEADER);
	header_fill(bytes.data, type, length);
	bytes.length = BOARD_HEADER + length;
	*ret = bytes;
	return 0;
}

/* One gzip member of exactly that many bytes, when inflated. */
static int inflate_member(const uint8_t *data, size_t length, uint8_t *software, size_t software_length)
{
	z_stream stream = {
	        .next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)length, .next_out = software, .avail_out = (uInt)software_length};
	if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
		return -1;
	int r = inflate(&stream, Z_FINISH);
	bool whole = r == Z_STREAM_END && stream.avail_in == 0 && stream.avail_out == 0;
	inflateEnd(&stream);
	return whole ? 0 : -1;
}

static int unpack(struct factory_bytes *bytes, uint32_t payload, uint32_t software, uint32_t trailer)
{
	size_t length = BOARD_HEADER + (size_t)software + trailer;
	uint8_t *data = malloc(length);
	if (!data || inflate_member(bytes->data + BOARD_HEADER, payload, data + BOARD_HEADER, software) < 0) {
		free(data);
		return -1;
	}
	memcpy(data, bytes->data, BOARD_HEADER);
	memcpy(data + BOARD_HEADER + software, bytes->data + BOARD_HEADER + payload, trailer);
	free(bytes->data);
	*bytes = (struct factory_bytes){data, length};
	return 0;
}

/* NULL, or what is wrong. A factory does not judge signature or version: a board has to. */
static const char *installed_form(struct factory_bytes *bytes, size_t limit)
{
	if (bytes->length < BOARD_HEADER || get_u32(bytes->data) != MAGIC)
		return "no software package";
	uint32_t payload = get_u32(bytes->data + AT_PAYLOAD), software = get_u32(bytes->data + AT_SOFTWARE);
	uint32_t trailer = get_u32(bytes->data + AT_TRAILER);
	bool gzip = bytes->data[AT_COMPRESSION] == 1;
	if (trailer > BOARD_TRAILER_MAX || (uint64_t)BOARD_HEADER + software + trailer > limit)
		return "larger than the application area";
	if (gzip && bytes->length == (uint64_t)BOARD_HEADER + software + trailer && software != payload)
		return NULL; /* it has that form already */
	if (bytes->data[AT_COMPRESSION] > 1 || bytes->length != (uint64_t)BOARD_HEADER + payload + trailer)
		return "no software package: its sizes do not agree";
	if (!gzip)
		return payload == software ? NULL : "no software package: its sizes do not agree";
	return unpack(bytes, payload, software, trailer) < 0 ? "its payload does not unpack" : NULL;
}

int factory_package(const char *path, size_t limit, struct factory_bytes *ret, char *error, size_t error_size)
{
	struct factory_bytes bytes;
	int r = file_load(path, 0, &bytes);
	if (r < 0) {
		snprintf(error, error_size, "%s: %s", path, strerror(-r));
		return -1;
	}
	const char *wrong = installed_form(&bytes, limit);
	if (wrong) {
		snprintf(error, error_size, "%s: %s", path, wrong);
		free(bytes.data);
		return -1;
	}
	*ret = bytes;
	return 0;
}
