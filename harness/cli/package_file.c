/* SPDX-License-Identifier: Apache-2.0 */
#include "package_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/log.h"
#include "../base/paths.h"
#include "../report/store.h"
#include "command.h"

#define CHUNK_BYTES (256u << 10)

static int read_all(int fd, const char *path, size_t limit, struct bytes *data, struct error *err)
{
	uint8_t *chunk = malloc(CHUNK_BYTES);
	ssize_t n = 0;
	int r = chunk ? 0 : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");

	while (r == 0 && ((n = read(fd, chunk, CHUNK_BYTES)) > 0 || (n < 0 && errno == EINTR))) {
		if (n < 0)
			continue;
		if (data->length + (size_t)n > limit)
			r = error_set(err, ERROR_USAGE, EFBIG, "%s: offset %zu: more than the %zu bytes that can be", path, limit, limit);
		else if (bytes_append(data, chunk, (size_t)n) < 0)
			r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	if (r == 0 && n < 0)
		r = error_set(err, ERROR_USAGE, errno, "%s: offset %zu: %s", path, data->length, strerror(errno));
	free(chunk);
	return r;
}

int package_file_read(const char *path, size_t limit, struct bytes *ret_data, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;
	struct bytes data = {0};

	if (fd < 0)
		return error_set(err, ERROR_USAGE, errno, "cannot open %s: %s", path, strerror(errno));
	r = read_all(fd, path, limit, &data, err);
	(void)close(fd);
	if (r < 0) {
		bytes_free(&data);
		return r;
	}
	bytes_free(ret_data);
	*ret_data = data;
	return 0;
}

/* Renaming onto a device or a folder would replace it. */
int package_file_write(const char *path, const struct bytes *data, struct error *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char directory[PATH_MAX] = ".";
	struct stat status;

	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
		return error_set(err, ERROR_USAGE, EINVAL, "%s is not a file", path);
	if (!*name || strlen(name) > 200 || strlen(path) >= sizeof(directory))
		return error_set(err, ERROR_USAGE, EINVAL, "\"%s\" does not name a file", path);
	if (slash) {
		size_t length = slash == path ? 1 : (size_t)(slash - path);
		memcpy(directory, path, length);
		directory[length] = '\0';
	}
	if (stat(directory, &status) < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot write %s: %s", path, strerror(errno));
	return store_file(directory, name, data->data, data->length, err);
}

int package_key_load(struct swpg_key **ret, const char *path, uint32_t key_id, struct error *err)
{
	char found[PATH_MAX];
	struct stat status;
	int r;

	if (access(path, F_OK) < 0 && path[0] != '/' && fixture_find(path, found, sizeof(found), NULL) == 0)
		path = found;
	r = swpg_key_load(ret, path, key_id, err);
	if (r == 0 && swpg_key_is_private(*ret) && stat(path, &status) == 0 && (status.st_mode & 0077))
		log_warning("%s: a private key that others can use too (mode %04o)", path, status.st_mode & 07777);
	return r;
}

static bool begins_with(const struct bytes *data, const char *magic)
{
	return data->length >= 4 && memcmp(data->data, magic, 4) == 0;
}

bool package_is_package(const struct bytes *data)
{
	return begins_with(data, "GPWS");
}

bool package_is_campaign(const struct bytes *data)
{
	return begins_with(data, "GKPF");
}

static const struct {
	const char *name;
	uint16_t address;
} targets[] = {{"vmg", 0x0e00}, {"zgw", 0x0091}, {"ecu", 0x0011}};

int package_target_parse(const char *text, uint16_t *ret, struct error *err)
{
	uint32_t number;

	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
		if (!strcmp(targets[i].name, text)) {
			*ret = targets[i].address;
			return 0;
		}
	}
	if (package_number("target", text, 0xffff, &number, NULL) < 0)
		return error_set(err, ERROR_USAGE, EINVAL, "\"%s\" is neither vmg, zgw nor ecu, nor a logical address", text);
	*ret = (uint16_t)number;
	return 0;
}

const char *package_target_name(uint16_t target)
{
	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++)
		if (targets[i].address == target)
			return targets[i].name;
	return "board";
}

int package_number(const char *option, const char *text, uint32_t max, uint32_t *ret, struct error *err)
{
	bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, hexadecimal ? 16 : 10);
	if (text[0] < '0' || text[0] > '9' || *end)
		return error_set(err, ERROR_USAGE, EINVAL, "--%s %s: is no number", option, text);
	if (errno == ERANGE || value > max)
		return error_set(err, ERROR_USAGE, ERANGE, "--%s %s: at most %lu", option, text, (unsigned long)max);
	*ret = (uint32_t)value;
	return 0;
}

int package_fail(const struct error *err)
{
	char text[1400];

	(void)fprintf(stderr, "hilbench package: %s\n", error_describe(err, text, sizeof(text)));
	return err->domain == ERROR_USAGE ? EXIT_USAGE : EXIT_BENCH;
}
