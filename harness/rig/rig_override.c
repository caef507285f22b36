/* SPDX-License-Identifier: Apache-2.0 */
/* Board parameters given on a command line in place of the rig file's. */
#include <errno.h>
#include <string.h>

#include "rig.h"
#include "rig_private.h"

static struct value *map_child(struct value *map, const char *key)
{
	for (unsigned i = 0; map && map->type == VALUE_MAP && i < map->map.count; i++)
		if (strcmp(map->map.entries[i].key, key) == 0)
			return map->map.entries[i].value;
	return NULL;
}

static struct value *params_of(struct value *role)
{
	struct value *params = map_child(role, "params");

	if (!params && value_map_set(role, "params", value_new_map()) == 0)
		params = map_child(role, "params");
	return params;
}

int rig_file_set_param(struct rig_file *file, const char *assignment, struct error *err)
{
	const char *colon = strchr(assignment, ':'), *equals = colon ? strchr(colon, '=') : NULL;
	char role_name[64], name[96];
	struct value *role, *params;

	if (!equals || colon == assignment || equals == colon + 1 || (size_t)(colon - assignment) >= sizeof(role_name) ||
	    (size_t)(equals - colon - 1) >= sizeof(name))
		return error_set(err, ERROR_USAGE, EINVAL, "\"%s\" is no parameter: ROLE:NAME=VALUE, as zgw:boot.ssw_ms=20", assignment);
	memcpy(role_name, assignment, (size_t)(colon - assignment));
	role_name[colon - assignment] = '\0';
	memcpy(name, colon + 1, (size_t)(equals - colon - 1));
	name[equals - colon - 1] = '\0';
	role = map_child(map_child(file->root, "roles"), role_name);
	if (!role)
		return error_set(err, ERROR_USAGE, ENOENT, "the rig has no role \"%s\"", role_name);
	if (rig_file_check_param(file, role_name, name, (struct place){0}, equals + 1, (struct place){0}, err) < 0) {
		error_prefix(err, "\"%s\"", assignment);
		return -EINVAL;
	}
	params = params_of(role);
	if (!params || value_map_set(params, name, value_new_text(equals + 1)) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	return 0;
}
