/* SPDX-License-Identifier: Apache-2.0 */
#include "lines.h"

#include <stdio.h>

static bool failed;

bool line_check(bool condition, const char *name, const char *reason, ...)
{
	if (condition) {
		printf("ok %s\n", name);
	} else {
		failed = true;
		va_list arguments;
		va_start(arguments, reason);
		printf("not ok %s - ", name);
		vprintf(reason, arguments);
		va_end(arguments);
		putchar('\n');
	}
	fflush(stdout);
	return condition;
}

void line_skip(const char *name, const char *reason)
{
	printf("skip %s - %s\n", name, reason);
	fflush(stdout);
}

int lines_status(void)
{
	return failed ? 1 : 0;
}
