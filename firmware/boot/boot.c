/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bootloader: takes its time, says that it ran, and hands the CPU to the application.
 */
#include "../core/console.h"
#include "../faults/fault.h"
#include "../port.h"

static uint32_t duration_ms(const char *name, uint32_t standard_ms)
{
	uint32_t value_ms = standard_ms;
	port_param_u32(name, &value_ms); /* untouched when it is not set */
	return value_ms;
}

static _Noreturn void halt(void)
{
	for (;;)
		port_wait(UINT64_MAX);
}

static void wait_for_stage(void)
{
	/* From the planned end of the SSW, so that the time this program took to load is inside the stage. */
	uint64_t end_ms = (uint64_t)duration_ms("boot.ssw_ms", 10) + duration_ms("boot.bootloader_ms", 50);
	port_delay_until_us(end_ms * 1000);
}

static void report_stage(void)
{
	struct console_line line;
	console_begin_boot(&line, "bootloader");
	console_end(&line);
}

static void report_failure(enum port_status status)
{
	struct console_line line;
	console_begin(&line);
	console_text(&line,
	             status == PORT_ABSENT ? "! bootloader: there is no application" : "! bootloader: the application does not start");
	console_end(&line);
}

int application_main(void)
{
	fault_load();
	if (fault_active(FAULT_NO_BOOT))
		halt();
	wait_for_stage();
	report_stage();
	report_failure(port_start_application(0, 0));
	halt();
}
