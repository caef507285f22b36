/* SPDX-License-Identifier: Apache-2.0 */
#include "fault.h"

#include <string.h>

#include "../port.h"

#define FAULT_TEXT_SIZE 192u

#define FAULT_NAME(symbol, name) name,
static const char *const fault_names[] = {FAULT_LIST(FAULT_NAME)};
#undef FAULT_NAME

static bool active[FAULT_COUNT];

/* A misspelt fault must not look like a healthy board: the program says so and stays there. */
static _Noreturn void fault_refuse(const char *name, size_t length)
{
	static const char begin[] = "! fault: unknown name ";
	port_console_write(begin, sizeof begin - 1);
	port_console_write(name, length);
	port_console_write("\r\n", 2);
	for (;;)
		port_wait(UINT64_MAX);
}

static void fault_take(const char *name, size_t length)
{
	for (unsigned i = 0; i < FAULT_COUNT; i++) {
		if (strlen(fault_names[i]) != length || memcmp(fault_names[i], name, length) != 0)
			continue;
		active[i] = true;
		return;
	}
	fault_refuse(name, length);
}

void fault_load(void)
{
	char text[FAULT_TEXT_SIZE];
	memset(active, 0, sizeof active);
	enum port_status status = port_param_text("fault", text, sizeof text);
	if (status == PORT_ABSENT)
		return;
	if (status != PORT_OK)
		fault_refuse("(list too long)", 15);
	for (const char *at = text; *at != '\0';) {
		size_t length = 0;
		while (at[length] != '\0' && at[length] != ',')
			length++;
		if (length > 0)
			fault_take(at, length);
		at += length + (at[length] == ',');
	}
}

bool fault_active(enum fault fault)
{
	return active[fault];
}
