/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <errno.h>
#include <stdio.h>

static enum log_level log_limit = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	log_limit = level;
}

void log_message(enum log_level level, const char *format, ...)
{
	static const char *const prefixes[] = {"error: ", "warning: ", "", "debug: "};
	char text[2048];
	va_list arguments;

	if (level > log_limit)
		return;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	/* One call, so that lines of several processes on one terminal do not mix. */
	(void)fprintf(stderr, "%s: %s%s\n", program_invocation_short_name, prefixes[level], text);
}
