/* SPDX-License-Identifier: Apache-2.0 */
/* The real back ends of the commands: every step of the runner, rigs of rig/. */
#include "../rig/rig.h"
#include "../run/steps/ota_package.h"
#include "../run/steps/registry.h"
#include "command.h"

static bool has_role(void *context, const char *role)
{
	return rig_file_has_role(context, role);
}

static bool has_link(void *context, const char *link)
{
	return rig_file_has_link(context, link);
}

static bool has_capability(void *context, const char *capability)
{
	return rig_file_has_capability(context, capability);
}

static bool has_identity(void *context, const char *identity)
{
	return rig_file_has_identity(context, identity);
}

static bool has_bus(void *context, const char *bus)
{
	return rig_file_has_bus(context, bus);
}

static int check_param(void *context, const char *role, const char *name, struct place name_place, const char *value,
                       struct place value_place, struct error *err)
{
	return rig_file_check_param(context, role, name, name_place, value, value_place, err);
}

static int check_file(void *context, const char *name, bool key, struct error *err)
{
	return ota_package_exists(name, key, err);
}

static const struct value *value(void *context, const char *role, const char *key)
{
	const struct value *map = value_get(value_get(rig_file_root(context), "roles"), role);
	const struct value *own = map ? value_get(map, key) : NULL, *profile = map ? value_get(map, "profile") : NULL;
	return own || !profile ? own : value_get(profile, key);
}

static int rig_open(const char *path, struct program_rig *ret, struct error *err)
{
	struct rig_file *file = NULL;
	int r = rig_file_load(path, &file, err);

	if (r == 0)
		r = rig_file_check_files(file, err);
	if (r < 0) {
		rig_file_free(file);
		return r;
	}
	*ret = (struct program_rig){.has_role = has_role,
	                            .has_link = has_link,
	                            .has_capability = has_capability,
	                            .has_identity = has_identity,
	                            .has_bus = has_bus,
	                            .check_param = check_param,
	                            .check_file = check_file,
	                            .value = value,
	                            .context = file};
	return 0;
}

static void rig_close(struct program_rig *rig)
{
	rig_file_free(rig->context);
}

const struct backend backend = {
        .registry = step_registry_all,
        .schema_rig = schema_rig,
        .rig_open = rig_open,
        .rig_close = rig_close,
};
