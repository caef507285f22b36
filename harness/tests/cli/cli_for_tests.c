/* SPDX-License-Identifier: Apache-2.0 */
/* The command line with the steps of the language's tests, and a rig that has the role zgw only. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "../../cli/commands.h"
#include "../lang/registry_for_tests.h"

static bool has_role(void *context, const char *role)
{
	return strcmp(role, "zgw") == 0;
}
static bool has_nothing(void *context, const char *name)
{
	return false;
}

static int rig_open(const char *path, struct program_rig *ret, struct error *err)
{
	struct place place = {.file = place_intern(path), .line = 1, .column = 1};

	if (strcmp(path, "bad.yaml") == 0)
		return error_set_place(err, ERROR_USAGE, EINVAL, place, "a bad rig");
	if (strcmp(path, "broken.yaml") == 0)
		return error_set(err, ERROR_BENCH, EIO, "a broken disk");
	*ret = (struct program_rig){.has_role = has_role, .has_link = has_nothing, .has_capability = has_nothing};
	return 0;
}

static void rig_close(struct program_rig *rig)
{
	rig->context = NULL;
}

static json_t *schema_rig_for_tests(void)
{
	return json_pack("{s:s}", "title", "a rig");
}

const struct backend backend = {
        .registry = registry_for_tests, .schema_rig = schema_rig_for_tests, .rig_open = rig_open, .rig_close = rig_close};

static const struct command *const table[] = {&command_check, &command_list, &command_schema, &command_steps, &command_report, NULL};

int main(int argc, char **argv)
{
	return command_main(table, argc, argv);
}
