/* SPDX-License-Identifier: Apache-2.0 */
#include "ota_package.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../base/paths.h"
#include "../executor_private.h"

#define FILE_LIMIT ((size_t)SWPG_SOFTWARE_MAX + 4096)

/* ---- finding ------------------------------------------------------------------------------------------------ */

static bool has_suffix(const char *name, const char *suffix)
{
	size_t length = strlen(name), tail = strlen(suffix);

	return length > tail && strcmp(name + length - tail, suffix) == 0;
}

static int find(const char *folder, const char *name, const char *suffix, char *ret, size_t size, struct error *err)
{
	char relative[512];
	int r;

	if (access(name, R_OK) == 0 && strchr(name, '/')) {
		snprintf(ret, size, "%s", name);
		return 0;
	}
	snprintf(relative, sizeof relative, "%s/%s%s", folder, name, has_suffix(name, suffix) || has_suffix(name, ".fpk") ? "" : suffix);
	r = fixture_find(relative, ret, size, err);
	if (r == -ENOENT && err)
		err->domain = ERROR_TESTCASE;
	return r;
}

static int read_all(int fd, size_t length, struct bytes *ret)
{
	uint8_t buffer[16384];
	ssize_t n = 1;

	while (ret->length <= length && (n = read(fd, buffer, sizeof buffer)) > 0)
		if (bytes_append(ret, buffer, (size_t)n) < 0)
			return -ENOMEM;
	return n < 0 ? -errno : ret->length > length ? -EFBIG : 0;
}

int ota_package_read(const char *name, struct bytes *ret_package, struct error *err)
{
	char path[PATH_MAX];
	struct bytes content = {0};
	int fd, r = find("packages", name, ".swpg", path, sizeof path, err);

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	r = fd < 0 ? -errno : read_all(fd, FILE_LIMIT, &content);
	if (fd >= 0)
		close(fd);
	if (r < 0) {
		bool wrong = r == -EISDIR || r == -EFBIG; /* what the case named is none: trying again does not help */

		bytes_free(&content);
		return error_set(err, wrong ? ERROR_TESTCASE : ERROR_BENCH, -r, "%s: %s", path,
		                 r == -EISDIR  ? "a directory is no package"
		                 : r == -EFBIG ? "too large for a package"
		                               : strerror(-r));
	}
	bytes_free(ret_package);
	*ret_package = content;
	return 0;
}

int ota_package_exists(const char *name, bool key, struct error *err)
{
	char path[PATH_MAX];

	return find(key ? "keys" : "packages", name, key ? ".key" : ".swpg", path, sizeof path, err);
}

/* What package.build kept is as wrong as the case wanted it. */
static bool is_built(struct step_context *context, const char *name)
{
	const char *directory = context->executor->options->run_directory, *slash = strrchr(name, '/');
	char folder[PATH_MAX];

	return slash && directory && realpath(directory, folder) && strlen(folder) == (size_t)(slash - name) &&
	       strncmp(name, folder, strlen(folder)) == 0;
}

int ota_package_plausible(struct step_context *context, const char *name, const struct bytes *content, bool part, struct error *err)
{
	if (is_built(context, name))
		return 0;
	if (!part && content->length >= 4 && memcmp(content->data, "GKPF", 4) == 0)
		return error_set(err, ERROR_TESTCASE, EINVAL, "%s is a campaign: `part: true` takes the package of this role out of it",
		                 name);
	if (content->length < SWPG_HEADER_BYTES)
		return error_set(err, ERROR_TESTCASE, EINVAL, "%s is no package: it has %zu bytes, a header has %u", name, content->length,
		                 SWPG_HEADER_BYTES);
	return 0;
}

static int as_testcase(int r, struct error *err)
{
	if (r < 0 && err && err->domain == ERROR_USAGE)
		err->domain = ERROR_TESTCASE;
	return r;
}

int ota_package_part(struct bytes *campaign, uint16_t target, struct error *err)
{
	struct swpg_campaign_entry entries[SWPG_CAMPAIGN_MAX];
	struct bytes part = {0};
	size_t count;
	int r = as_testcase(swpg_campaign_parse(campaign->data, campaign->length, entries, SWPG_CAMPAIGN_MAX, &count, err), err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		if (entries[i].target != target)
			continue;
		if (bytes_append(&part, entries[i].package, entries[i].length) < 0)
			return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
		bytes_free(campaign);
		*campaign = part;
		return 0;
	}
	return error_set(err, ERROR_TESTCASE, ENOENT, "the campaign has no package for 0x%04x", target);
}

int ota_package_key(const char *name, struct swpg_key **ret, struct error *err)
{
	char path[PATH_MAX];
	size_t end = strlen(name), digits;
	int r;

	if (has_suffix(name, ".key"))
		end -= 4;
	for (digits = end; digits > 0 && name[digits - 1] >= '0' && name[digits - 1] <= '9';)
		digits--;
	r = find("keys", name, ".key", path, sizeof path, err);
	if (r < 0)
		return r;
	return swpg_key_load(ret, path, digits < end ? (uint32_t)strtoul(name + digits, NULL, 10) : 1, err);
}

int ota_package_mutate(struct bytes *package, const char *mutations, const char *key_name, struct error *err)
{
	struct swpg_key *key = NULL;
	int r;

	if (!mutations || *mutations == '\0')
		return 0;
	r = ota_package_key(key_name, &key, err);
	if (r == 0)
		r = as_testcase(swpg_mutate(package, mutations, key, err), err);
	swpg_key_free(key);
	return r;
}

/* ---- keeping ------------------------------------------------------------------------------------------------ */

static int write_all(int fd, const struct bytes *content)
{
	for (size_t done = 0; done < content->length;) {
		ssize_t n = write(fd, content->data + done, content->length - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int ota_package_keep(struct step_context *context, const char *name, const struct bytes *package, char *ret_path, size_t size,
                     struct error *err)
{
	const char *directory = context->executor->options->run_directory;
	char folder[PATH_MAX], path[PATH_MAX + 96];
	int fd = -1, r = 0;

	if (!directory || !realpath(directory, folder))
		return error_set(err, ERROR_BENCH, ENOENT, "there is no directory of the run to keep %s in", name);
	for (unsigned i = 1; fd < 0 && r == 0; i++) {
		snprintf(path, sizeof path, "%s/package-%u-%.48s.swpg", folder, i, name);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		r = fd < 0 && errno != EEXIST ? -errno : 0;
	}
	if (r == 0)
		r = write_all(fd, package);
	if (fd >= 0 && close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && strlen(path) >= size)
		r = -ENAMETOOLONG;
	if (r < 0)
		return error_set(err, ERROR_BENCH, -r, "%s: %s", path, strerror(-r));
	snprintf(ret_path, size, "%s", path);
	return 0;
}

/* ---- parts -------------------------------------------------------------------------------------------------- */

struct ota_parts ota_package_parts(const struct bytes *package)
{
	struct ota_parts parts = {package->data, package->data, 0, 0};
	struct swpg_view view;
	struct error ignored;

	parts.header_length = package->length < SWPG_HEADER_BYTES ? package->length : SWPG_HEADER_BYTES;
	if (swpg_parse(package->data, package->length, &view, &ignored) == 0) {
		parts.trailer = view.trailer;
		parts.trailer_length = view.trailer_length;
		return parts;
	}
	parts.trailer_length = package->length - parts.header_length;
	if (parts.trailer_length > SWPG_TRAILER_BYTES)
		parts.trailer_length = SWPG_TRAILER_BYTES;
	if (package->length > 0)
		parts.trailer = package->data + package->length - parts.trailer_length;
	return parts;
}

void ota_version_text(const uint8_t version[4], char ret[20])
{
	int n = snprintf(ret, 20, "%u.%u.%u", version[0], version[1], version[2]);

	if (version[3] && n > 0)
		snprintf(ret + n, 20 - (size_t)n, ".%u", version[3]);
}

int ota_version_parse(const char *text, uint8_t ret[4], struct error *err)
{
	unsigned part[4] = {0};
	int length = 0, count = sscanf(text, "%3u.%3u.%3u%n.%3u%n", &part[0], &part[1], &part[2], &length, &part[3], &length);

	if (count < 3 || text[length] != '\0' || part[0] > 255 || part[1] > 255 || part[2] > 255 || part[3] > 255)
		return error_set(err, ERROR_TESTCASE, EINVAL, "\"%s\" is no version of the form 1.2.3 or 1.2.3.4", text);
	for (unsigned i = 0; i < 4; i++)
		ret[i] = (uint8_t)part[i];
	return 0;
}
