/* SPDX-License-Identifier: Apache-2.0 */
#include "vboard_image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../base/paths.h"
#include "../../proto/swpg.h"

#define SIGNING_KEY "keys/ota-1.key"
#define PUBLIC_KEY  "keys/ota-1.pub"
#define KEY_ID      1

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

uint16_t vboard_target(const struct value *role)
{
	static const struct {
		const char *name;
		uint16_t address;
	} known[] = {{"vmg", 0x0e00}, {"zgw", 0x0091}, {"ecu", 0x0011}};
	const struct value *address = value_get(role, "logical_address"), *application = value_get(role, "application");
	if (address && address->type == VALUE_INTEGER)
		return (uint16_t)address->integer;
	for (size_t i = 0; application && i < sizeof(known) / sizeof(*known); i++)
		if (!strncmp(base_name(application->text), known[i].name, strlen(known[i].name)))
			return known[i].address;
	return 1;
}

bool vboard_is_package(const char *name)
{
	size_t length = strlen(name);
	return length > 5 && !strcmp(name + length - 5, ".swpg");
}

/* Symbols and debug information are no part of what is flashed: up to where the last thing ends that a loader reads. */
static size_t loaded_length(uint8_t *data, size_t length)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	if (length < sizeof(header) || memcmp(data, ELFMAG, SELFMAG) || data[EI_CLASS] != ELFCLASS64)
		return length;
	memcpy(&header, data, sizeof(header));
	if (header.e_phentsize != sizeof(segment) || header.e_phoff > length ||
	    header.e_phnum > (length - header.e_phoff) / sizeof(segment))
		return length;
	size_t end = header.e_phoff + header.e_phnum * sizeof(segment);
	for (unsigned i = 0; i < header.e_phnum; i++) {
		memcpy(&segment, data + header.e_phoff + i * sizeof(segment), sizeof(segment));
		if (segment.p_offset > length || segment.p_filesz > length - segment.p_offset)
			return length;
		if (segment.p_offset + segment.p_filesz > end)
			end = segment.p_offset + segment.p_filesz;
	}
	header.e_shoff = 0;
	header.e_shnum = header.e_shstrndx = 0;
	memcpy(data, &header, sizeof(header));
	return end;
}

static int read_file(const char *path, struct bytes *ret, struct error *err)
{
	uint8_t part[65536];
	ssize_t n = 0;
	int r = 0, fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, ERROR_BENCH, errno, "%s: %s", path, strerror(errno));
	while (r == 0 && (n = read(fd, part, sizeof(part))) > 0)
		r = ret->length + (size_t)n > SWPG_SOFTWARE_MAX ? -EFBIG : bytes_append(ret, part, (size_t)n);
	if (n < 0)
		r = -errno;
	close(fd);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "%s: %s", path, strerror(-r)) : 0;
}

static int write_file(const char *path, const struct bytes *bytes, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t done = 0;
	ssize_t n = fd < 0 ? -1 : 0;
	while (n >= 0 && done < bytes->length) {
		n = write(fd, bytes->data + done, bytes->length - done);
		done += n > 0 ? (size_t)n : 0;
	}
	int code = errno;
	if (fd >= 0)
		close(fd);
	return n < 0 ? error_set(err, ERROR_BENCH, code, "cannot write %s: %s", path, strerror(code)) : 0;
}

static int load_key(const struct rig_board *board, struct swpg_key **ret, struct error *err)
{
	const struct value *named = value_get(board->map, "signing_key");
	char path[PATH_MAX];
	int r = named ? rig_file_find(board->rig->file, named, path, sizeof(path), err)
	              : fixture_find(SIGNING_KEY, path, sizeof(path), err);
	return r < 0 ? r : swpg_key_load(ret, path, KEY_ID, err);
}

int vboard_standard_key(char *ret, size_t size, struct error *err)
{
	return fixture_find(PUBLIC_KEY, ret, size, err);
}

static int pack(const struct rig_board *board, const char *program, struct bytes *ret_package, struct error *err)
{
	struct bytes software = {0};
	struct swpg_key *key = NULL;
	struct swpg_options options = {.target = vboard_target(board->map),
	                               .type = 1,
	                               .version = {1, 0, 0, 0},
	                               .timestamp = SWPG_OLDEST_TIME,
	                               .sequence = 1,
	                               .security_counter = 1};
	int r = load_key(board, &key, err);
	if (r == 0)
		r = read_file(program, &software, err);
	options.key = key;
	if (r == 0)
		r = swpg_build(&options, software.data, loaded_length(software.data, software.length), ret_package, err);
	swpg_key_free(key);
	bytes_free(&software);
	return r;
}

static int pack_program(const struct rig_board *board, const struct value *name, char *ret, size_t size, struct error *err)
{
	char program[PATH_MAX];
	struct bytes package = {0};
	int r = program_find(name->text, program, sizeof(program), err);
	if (r == 0 && snprintf(ret, size, "%s/package-%s.swpg", board->rig->directory, board->role) >= (int)size)
		r = error_set(err, ERROR_BENCH, ENAMETOOLONG, "the run's directory has too long a name");
	if (r == 0)
		r = pack(board, program, &package, err);
	if (r == 0)
		r = write_file(ret, &package, err);
	bytes_free(&package);
	return r;
}

int vboard_image(const struct rig_board *board, char *ret, size_t size, struct error *err)
{
	const struct value *name = value_get(board->map, "application");
	int r = vboard_is_package(name->text) ? rig_file_find(board->rig->file, name, ret, size, err)
	                                      : pack_program(board, name, ret, size, err);
	if (r < 0) {
		if (err)
			err->place = name->place;
		error_prefix(err, "application of %s", board->role);
	}
	return r;
}
