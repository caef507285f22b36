/* SPDX-License-Identifier: Apache-2.0 */
/* The program OpenOCD and its configuration files: where they are. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../base/paths.h"
#include "../probe_private.h"

#define SCRIPTS "/share/openocd/scripts"

int openocd_find_program(const struct value *map, char *ret, size_t size, struct error *err)
{
	const struct value *named = value_get(map, "program");
	const char *name = named ? named->text : "openocd", *path = getenv("PATH");
	if (strchr(name, '/')) {
		(void)snprintf(ret, size, "%s", name);
		if (access(ret, X_OK) == 0)
			return 0;
	}
	for (const char *at = path; at && !strchr(name, '/'); at = *at ? at + 1 : NULL) {
		size_t length = strcspn(at, ":");
		(void)snprintf(ret, size, "%.*s/%s", (int)length, at, name);
		if (length && access(ret, X_OK) == 0)
			return 0;
		at += length;
	}
	return error_set_place(err, ERROR_BENCH, ENOENT, named ? named->place : map->place,
	                       "there is no program %s: install OpenOCD (package openocd), or name it by `program`", name);
}

/* Beside the rig file, or among the shared ones. */
int openocd_find_config(const struct rig_file *file, const struct value *name, char *ret, size_t size)
{
	char shared[PATH_MAX];
	if (rig_file_find(file, name, ret, size, NULL) == 0)
		return 0;
	(void)snprintf(shared, sizeof(shared), "openocd/%.3000s", name->text);
	return fixture_find(shared, ret, size, NULL) == 0 ? 0 : -ENOENT;
}

static bool is_in(const char *folder, const char *below, const char *name)
{
	char path[PATH_MAX];
	return folder && *folder && snprintf(path, sizeof(path), "%s%s/%s", folder, below, name) < PATH_MAX && access(path, R_OK) == 0;
}

/* Where OpenOCD 0.12 itself looks, and its scripts beside the program: PREFIX/bin/openocd, PREFIX/share/openocd/scripts. */
static bool openocd_finds(const struct value *map, const char *name)
{
	static const struct {
		const char *variable, *below;
	} folders[] = {{"OPENOCD_SCRIPTS", ""}, {"HOME", "/.config/openocd"}, {"HOME", "/.openocd"}, {"XDG_CONFIG_HOME", "/openocd"}};
	char program[PATH_MAX], real[PATH_MAX];
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (is_in(getenv(folders[i].variable), folders[i].below, name))
			return true;
	if (openocd_find_program(map, program, sizeof(program), NULL) == 0 && realpath(program, real)) {
		for (unsigned up = 0; up < 2; up++)
			if (strrchr(real, '/'))
				*strrchr(real, '/') = '\0';
		if (is_in(real, SCRIPTS, name) || is_in(real, "/share/openocd/site", name))
			return true;
	}
	return is_in("/usr", SCRIPTS, name) || is_in("/usr/local", SCRIPTS, name);
}

int openocd_check_config(const struct rig_file *file, const struct value *map, const struct value *name, struct error *err)
{
	char path[PATH_MAX];
	if (openocd_find_config(file, name, path, sizeof(path)) == 0 || openocd_finds(map, name->text))
		return 0;
	return error_set_place(err, ERROR_USAGE, ENOENT, name->place,
	                       "there is no configuration %s: not beside the rig file, not among the shared ones, not OpenOCD's own",
	                       name->text);
}

int openocd_check_files(const struct rig_file *file, const struct value *map, struct error *err)
{
	const struct value *config = value_get(map, "config");
	char path[PATH_MAX];
	int r = openocd_find_program(map, path, sizeof(path), err);
	if (r < 0 && err)
		err->domain = ERROR_USAGE; /* the rig file is wrong for this machine: known before anything starts */
	for (unsigned i = 0; r == 0 && i < config->list.count; i++)
		r = openocd_check_config(file, map, config->list.items[i], err);
	return r;
}
