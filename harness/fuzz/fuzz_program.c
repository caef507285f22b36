/* SPDX-License-Identifier: Apache-2.0 */
/* Test case files of any bytes: a program or errors, and never a crash. */
#include <stdlib.h>

#include "../lang/program.h"
#include "../tests/lang/registry_for_tests.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error_list errors = {0};
	struct program *program;

	if (program_load_text("fuzz.yaml", (const char *)data, size, registry_for_tests(), &program, &errors) == 0)
		program_free(program);
	else if (errors.count == 0)
		abort();
	error_list_free(&errors);
	return 0;
}
