/* SPDX-License-Identifier: Apache-2.0 */
/* Leases that outlive the command which took them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon_command.h"
#include "lease.h"

static int make_folder(char *path, struct error *err)
{
	for (char *at = strchr(path + 1, '/');; at = strchr(at + 1, '/')) {
		if (at)
			*at = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return error_set(err, ERROR_BENCH, errno, "cannot create %s: %s", path, strerror(errno));
		if (!at)
			return 0;
		*at = '/';
	}
}

/* $XDG_STATE_HOME, else ~/.local/state. */
static int folder_of(char *ret, size_t size, struct error *err)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n = state && *state == '/' ? snprintf(ret, size, "%s/hilbench/leases", state)
	        : home && *home == '/' ? snprintf(ret, size, "%s/.local/state/hilbench/leases", home)
	                               : -1;
	if (n < 0 || (size_t)n >= size)
		return error_set(err, ERROR_BENCH, ENOENT, "where leases are stored is not known: neither XDG_STATE_HOME nor HOME is set");
	return 0;
}

/* A rig's name is a file's name: percent-encoded where it could be more than that. */
static int path_of(const char *rig, char *ret, size_t size, struct error *err)
{
	char folder[PATH_MAX], *name = daemon_escape(rig, false);
	int r = name ? folder_of(folder, sizeof(folder), err) : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (r == 0 && (size_t)snprintf(ret, size, "%s/%s%s", folder, *name == '.' ? "%" : "", name) >= size)
		r = error_set(err, ERROR_USAGE, ENAMETOOLONG, "the rig's name is too long");
	free(name);
	return r;
}

int lease_store_check(const char *rig, struct error *err)
{
	char folder[PATH_MAX], path[PATH_MAX], probe[PATH_MAX + 32];
	int r = folder_of(folder, sizeof(folder), err);
	if (r == 0)
		r = make_folder(folder, err);
	if (r == 0)
		r = path_of(rig, path, sizeof(path), err);
	if (r < 0)
		return r;
	(void)snprintf(probe, sizeof(probe), "%s.%d", path, (int)getpid());
	int fd = open(probe, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set(err, ERROR_BENCH, errno, "the lease could not be stored: cannot write %s: %s", path, strerror(errno));
	(void)close(fd);
	(void)unlink(probe);
	return 0;
}

int lease_store(const struct daemon_client *client, const struct lease *lease, struct error *err)
{
	char folder[PATH_MAX], path[PATH_MAX], temporary[PATH_MAX + 16];
	int r = folder_of(folder, sizeof(folder), err);
	if (r == 0)
		r = make_folder(folder, err);
	if (r == 0)
		r = path_of(lease->rig, path, sizeof(path), err);
	if (r < 0)
		return r;
	(void)snprintf(temporary, sizeof(temporary), "%s.%d", path, (int)getpid());
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	json_t *json = json_pack("{s:I,s:s,s:s,s:s}", "id", (json_int_t)lease->id, "secret", lease->secret, "daemon",
	                         daemon_client_name(client), "file", lease->file);
	if (fd < 0 || !json || json_dumpfd(json, fd, JSON_COMPACT) < 0 || fsync(fd) < 0 || rename(temporary, path) < 0) {
		r = error_set(err, ERROR_BENCH, errno, "cannot write %s: %s", path, strerror(errno));
		(void)unlink(temporary);
	}
	json_decref(json);
	if (fd >= 0)
		(void)close(fd);
	return r;
}

int lease_load(const struct daemon_client *client, const char *rig, struct lease *ret, struct error *err)
{
	char path[PATH_MAX], daemon[300];
	json_error_t error;
	int r = path_of(rig, path, sizeof(path), err);
	if (r < 0)
		return r;
	if (access(path, F_OK) < 0)
		return error_set(err, ERROR_USAGE, ENOENT, "no lease of %s is stored in %s", rig, path);
	json_t *json = json_load_file(path, 0, &error);
	*ret = (struct lease){.id = daemon_integer(json, "id"),
	                      .rig = strdup(rig),
	                      .secret = strdup(daemon_text(json, "secret")),
	                      .control = -1,
	                      .lost = -1};
	(void)daemon_plain(daemon_text(json, "daemon"), daemon, sizeof(daemon));
	json_decref(json);
	if (!ret->rig || !ret->secret || ret->id <= 0 || !*ret->secret)
		r = error_set(err, ERROR_BENCH, EINVAL, "%s holds no lease; remove it", path);
	else if (strcmp(daemon, daemon_client_name(client)) != 0)
		r = error_set(err, ERROR_USAGE, EXDEV, "the lease of %s that is stored is of the daemon at %s", rig, daemon);
	if (r < 0)
		lease_clear(ret);
	return r;
}

void lease_forget(const char *rig)
{
	char path[PATH_MAX];
	if (path_of(rig, path, sizeof(path), NULL) == 0)
		(void)unlink(path);
}

/* Whether the rig has another lease by now, or none. */
static bool is_over(struct daemon_client *client, const struct lease *lease)
{
	char *name = daemon_escape(lease->rig, false);
	struct error error = {0};
	json_t *rig = NULL;
	int r = name ? daemon_get(client, &rig, &error, "/api/v1/rigs/%s", name) : -ENOMEM;
	const json_t *now = json_object_get(rig, "lease");
	bool over =
	        r == -ENOENT || (r == 0 && (daemon_integer(now, "id") != lease->id || strcmp(daemon_text(now, "state"), "active") != 0));
	json_decref(rig);
	free(name);
	return over;
}

/* "a%20rig" is "a rig"; false: no name of ours. */
static bool rig_of(const char *file, char *ret, size_t size)
{
	size_t length = 0;
	if (file[0] == '%' && file[1] == '.')
		file++;
	for (const char *at = file; *at && length + 1 < size; length++) {
		unsigned code = (unsigned char)*at;
		if (*at == '%' && sscanf(at + 1, "%2x", &code) != 1)
			return false;
		ret[length] = (char)code;
		at += *at == '%' ? 3 : 1;
	}
	ret[length] = '\0';
	return length > 0;
}

void lease_forget_over(struct daemon_client *client)
{
	char path[PATH_MAX], rig[NAME_MAX + 1];
	DIR *folder = folder_of(path, sizeof(path), NULL) == 0 ? opendir(path) : NULL;
	for (const struct dirent *entry; folder && (entry = readdir(folder));) {
		struct lease lease;
		if (*entry->d_name == '.' || !rig_of(entry->d_name, rig, sizeof(rig)) || lease_load(client, rig, &lease, NULL) < 0)
			continue;
		if (is_over(client, &lease))
			lease_forget(rig);
		lease_clear(&lease);
	}
	if (folder)
		(void)closedir(folder);
}
