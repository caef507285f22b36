/* SPDX-License-Identifier: Apache-2.0 */
/* Files that a rig file names: programs and packages of boards, their objects, identities. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/paths.h"
#include "../proto/swpg.h"
#include "check_private.h"
#include "drivers/vboard_image.h"

#define FILES       "files" /* one process looks at all of them */
#define PACKAGE_MAX (65L << 20)

static void name_item(struct check_item *item, const char *key, const char *text)
{
	(void)snprintf(item->name, sizeof(item->name), "%s %s", key, text);
	(void)snprintf(item->group, sizeof(item->group), FILES);
}

static const char *key_of(const struct check_item *item, char *ret, size_t size)
{
	(void)snprintf(ret, size, "%.*s", (int)strcspn(item->name, " "), item->name);
	return ret;
}

static int find_file(const struct check_context *context, const struct value *name, char *ret, size_t size, struct check_finding *finding)
{
	struct error error = {0};
	int r = rig_file_find(context->file, name, ret, size, &error);
	if (r < 0) {
		check_problem(finding, RIG_CHECK_BAD, "%s", error.message);
		check_remedy(finding, "put the file there, or correct its name at line %u of the rig file", error.place.line);
	}
	return r;
}

/* ---- program ---- */

static void add_program(struct check_list *list, const struct check_kind *kind, const struct value_entry *role)
{
	static const char *const keys[] = {"bootloader", "application"};
	for (unsigned i = 0; i < 2; i++) {
		const struct value *name = value_get(role->value, keys[i]);
		if (!name || vboard_is_package(name->text))
			continue;
		struct check_item *item = check_add(list, kind, role->key, name);
		if (item)
			name_item(item, keys[i], name->text);
	}
}

static void list_programs(struct check_list *list, const struct check_kind *kind)
{
	check_each(list, kind, "roles", add_program);
}

static void look_at_program(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	char path[PATH_MAX], key[32];
	struct error error = {0};
	(void)context;
	if (program_find(item->map->text, path, sizeof(path), &error) == 0) {
		check_found(finding, "%.200s", path);
		return;
	}
	check_problem(finding, RIG_CHECK_BAD, "%s", error.message);
	check_remedy(finding, "build or install the bench completely, or correct `%s` of the role", key_of(item, key, sizeof(key)));
}

const struct check_kind check_kind_program = {.name = "program", .list = list_programs, .look = look_at_program};

/* ---- package ---- */

static void add_package(struct check_list *list, const struct check_kind *kind, const struct value_entry *role)
{
	const struct value *name = value_get(role->value, "application");
	if (!name || !vboard_is_package(name->text))
		return;
	struct check_item *item = check_add(list, kind, role->key, name);
	if (!item)
		return;
	item->role = role->value;
	name_item(item, "application", name->text);
}

static void list_packages(struct check_list *list, const struct check_kind *kind)
{
	check_each(list, kind, "roles", add_package);
}

static int read_file(const char *path, struct bytes *ret)
{
	uint8_t piece[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = fd < 0 ? -errno : 0;
	for (ssize_t n = 1; r == 0 && n != 0;) {
		n = read(fd, piece, sizeof(piece));
		if (n < 0)
			r = -errno;
		else if (ret->length + (size_t)n > PACKAGE_MAX)
			r = -EFBIG;
		else
			r = bytes_append(ret, piece, (size_t)n);
	}
	if (fd >= 0)
		(void)close(fd);
	return r;
}

/* With the key that the board has for it: `ota.key.N` among its objects, else the standard one. */
static int load_key(const struct check_context *context, const struct check_item *item, uint32_t id, struct swpg_key **ret)
{
	const struct value *objects = value_get(item->role, "objects"), *named;
	char key[32], path[PATH_MAX];
	(void)snprintf(key, sizeof(key), "ota.key.%u", (unsigned)id);
	named = objects ? value_get(objects, key) : NULL;
	if (!named || named->type != VALUE_TEXT || rig_file_find(context->file, named, path, sizeof(path), NULL) < 0)
		return -ENOENT;
	return swpg_key_load(ret, path, id, NULL);
}

static void judge_package(const struct check_context *context, const struct check_item *item, const struct bytes *package,
                          struct check_finding *finding)
{
	struct swpg_view view;
	struct swpg_key *key = NULL;
	struct bytes findings = {0};
	struct error error = {0};
	int r = swpg_parse(package->data, package->length, &view, &error);
	if (r == 0 && load_key(context, item, view.fields.key_id, &key) < 0) {
		check_problem(finding, RIG_CHECK_WARNING, "its signature is by key %u, which is no `ota.key.%u` of the board",
		              (unsigned)view.fields.key_id, (unsigned)view.fields.key_id);
		check_remedy(finding, "sign it with a key that the board has, or add the key to `objects`");
	}
	if (r == 0 && key)
		r = swpg_verify(&view, key, 0, &findings, &error);
	if (r < 0)
		check_problem(finding, RIG_CHECK_BAD, "%s", error.message);
	else if (findings.length)
		check_problem(finding, RIG_CHECK_BAD, "%.*s", (int)findings.length, (const char *)findings.data);
	else
		check_found(finding, "version %u.%u.%u.%u for 0x%04x", view.fields.version[0], view.fields.version[1],
		            view.fields.version[2], view.fields.version[3], view.fields.target);
	if (finding->state == RIG_CHECK_BAD)
		check_remedy(finding, "`hilbench package verify` tells all that is wrong; make the package anew");
	swpg_key_free(key);
	bytes_free(&findings);
}

static void look_at_package(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	char path[PATH_MAX];
	struct bytes package = {0};
	if (find_file(context, item->map, path, sizeof(path), finding) < 0)
		return;
	int r = read_file(path, &package);
	if (r < 0)
		check_problem(finding, RIG_CHECK_BAD, "%s: %s", path, strerror(-r));
	else
		judge_package(context, item, &package, finding);
	bytes_free(&package);
}

const struct check_kind check_kind_package = {.name = "package", .list = list_packages, .look = look_at_package};

/* ---- object ---- */

static void add_objects(struct check_list *list, const struct check_kind *kind, const struct value_entry *role)
{
	const struct value *objects = value_get(role->value, "objects");
	for (unsigned i = 0; objects && i < objects->map.count; i++) {
		const struct value_entry *object = &objects->map.entries[i];
		struct check_item *item = object->value->type == VALUE_TEXT ? check_add(list, kind, role->key, object->value) : NULL;
		if (!item)
			continue;
		item->role = role->value;
		name_item(item, object->key, object->value->text);
	}
}

static void list_objects(struct check_list *list, const struct check_kind *kind)
{
	check_each(list, kind, "roles", add_objects);
}

static const char *object_path(const struct check_context *context, const struct value *objects, const char *key, char *buffer, size_t size)
{
	const struct value *name = value_get(objects, key);
	return name && name->type == VALUE_TEXT && rig_file_find(context->file, name, buffer, size, NULL) == 0 ? buffer : NULL;
}

static void look_at_board_certificate(const struct check_context *context, const struct check_item *item, const char *path,
                                      struct check_finding *finding)
{
	const struct value *objects = value_get(item->role, "objects");
	char key[PATH_MAX], ca[PATH_MAX];
	check_certificate(path, object_path(context, objects, "tls.key", key, sizeof(key)),
	                  object_path(context, objects, "tls.ca", ca, sizeof(ca)), NULL, finding);
}

static void look_at_object(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	char path[PATH_MAX], key[64];
	struct stat status;
	if (find_file(context, item->map, path, sizeof(path), finding) < 0)
		return;
	key_of(item, key, sizeof(key));
	if (stat(path, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size == 0) {
		check_problem(finding, RIG_CHECK_BAD, "%s is empty, or no file", path);
		return;
	}
	check_found(finding, "%ld bytes", (long)status.st_size);
	if (!strcmp(key, "tls.certificate"))
		look_at_board_certificate(context, item, path, finding);
	else if (!strcmp(key, "tls.ca"))
		check_certificate(NULL, NULL, path, NULL, finding);
	else if (!strncmp(key, "ota.key.", 8)) {
		struct swpg_key *public = NULL;
		struct error error = {0};
		if (swpg_key_load(&public, path, 1, &error) < 0)
			check_problem(finding, RIG_CHECK_BAD, "%s", error.message);
		swpg_key_free(public);
	}
}

const struct check_kind check_kind_object = {.name = "object", .list = list_objects, .look = look_at_object};

/* ---- identity ---- */

static void add_identity(struct check_list *list, const struct check_kind *kind, const struct value_entry *identity)
{
	const char *certificate = map_text(identity->value, "certificate"), *ca = map_text(identity->value, "ca");
	struct check_item *item = check_add(list, kind, identity->key, identity->value);
	if (!item)
		return;
	(void)snprintf(item->name, sizeof(item->name), "%s", certificate ? certificate : ca ? ca : "");
	(void)snprintf(item->group, sizeof(item->group), FILES);
}

static void list_identities(struct check_list *list, const struct check_kind *kind)
{
	check_each(list, kind, "identities", add_identity);
}

static void look_at_identity(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	static const char *const keys[] = {"certificate", "key", "ca"};
	char paths[3][PATH_MAX];
	const char *found[3] = {NULL};
	for (unsigned i = 0; i < 3; i++) {
		const struct value *name = value_get(item->map, keys[i]);
		if (!name)
			continue;
		if (find_file(context, name, paths[i], sizeof(paths[i]), finding) < 0)
			return;
		found[i] = paths[i];
	}
	if (found[0] && !found[1]) {
		check_problem(finding, RIG_CHECK_BAD, "it has a certificate and no `key`");
		return;
	}
	if (found[0] || found[2])
		check_certificate(found[0], found[1], found[2], check_intended(item->owner), finding);
}

const struct check_kind check_kind_identity = {.name = "identity", .list = list_identities, .look = look_at_identity};
