/* SPDX-License-Identifier: Apache-2.0 */
#include "boot_stages.h"

#include "../core/console.h"
#include "../faults/fault.h"

#define APPLICATION_MS 100u
#define RTOS_MS        50u

static void stage(const char *name, const char *parameter, uint32_t duration_ms)
{
	struct console_line line;
	uint64_t begin_us = port_time_us();

	(void)port_param_u32(parameter, &duration_ms);
	port_delay_until_us(begin_us + (uint64_t)duration_ms * 1000u);
	console_begin_boot(&line, name);
	console_end(&line);
}

void boot_stages_run(void)
{
	stage("application", "boot.application_ms", APPLICATION_MS);
	if (fault_active(FAULT_BOOT_HANG)) {
		for (;;)
			port_wait(UINT64_MAX);
	}
	stage("rtos", "boot.rtos_ms", RTOS_MS);
}
