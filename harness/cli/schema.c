/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench schema: JSON Schema for editors. */
#include <stdio.h>
#include <string.h>

#include "commands.h"

static int run(int argc, char **argv)
{
	json_t *schema;

	if (argc != 2 || (strcmp(argv[1], "testcase") != 0 && strcmp(argv[1], "rig") != 0))
		return command_usage_error(argv[0], "schema of what: testcase or rig?");
	schema = strcmp(argv[1], "rig") == 0 ? backend.schema_rig() : schema_testcase(backend.registry());
	if (!schema || json_dumpf(schema, stdout, JSON_INDENT(2)) < 0) {
		json_decref(schema);
		return EXIT_BENCH;
	}
	(void)putchar('\n');
	json_decref(schema);
	return 0;
}

const struct command command_schema = {
        .name = "schema",
        .summary = "prints the JSON Schema of test case files or rig files, for editors",
        .usage = "schema testcase|rig",
        .run = run,
};
