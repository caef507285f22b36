/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bootloader: decides what may run, takes its time, says what it found, and hands the CPU to exactly those bytes. Where there
 * is nothing to run it stays and takes an update. Without flash it starts what the port has.
 */
#include "../core/console.h"
#include "../core/ota_boot.h"
#include "../faults/fault.h"
#include "../port.h"
#include "recovery.h"

#define US_PER_MS    1000u
#define TRY_AGAIN_MS 1000u

static uint32_t parameter(const char *name, uint32_t standard)
{
	uint32_t value = standard;
	(void)port_param_u32(name, &value); /* untouched when it is not set */
	return value;
}

static _Noreturn void halt(void)
{
	for (;;)
		port_wait(UINT64_MAX);
}

static void wait_for_stage(void)
{
	/* From the planned end of the SSW, so that the time this program took to load is inside the stage. */
	uint64_t end_ms = (uint64_t)parameter("boot.ssw_ms", 10) + parameter("boot.bootloader_ms", 50);
	port_delay_until_us(end_ms * US_PER_MS);
}

static void say_version(struct console_line *line, const uint8_t version[4])
{
	for (unsigned i = 0; i < 3; i++) {
		console_text(line, i == 0 ? " image=" : ".");
		console_decimal(line, version[i]);
	}
	if (version[3] == 0)
		return;
	console_text(line, ".");
	console_decimal(line, version[3]);
}

static void say_bank(struct console_line *line)
{
	console_text(line, port_flash_active() == 0 ? " bank=A" : " bank=B");
}

static void report_stage(const struct ota_boot_result *result)
{
	struct console_line line;
	console_begin_boot(&line, "bootloader");
	if (result != NULL)
		say_bank(&line);
	if (result != NULL && result->decision == OTA_BOOT_RUN) {
		say_version(&line, result->image.header.version);
		console_text(&line, result->trial ? " trial=1" : " trial=0");
	}
	if (result != NULL && result->rolled_back)
		console_text(&line, " rolled_back=1");
	console_end(&line);
}

static void report_recovery(const struct ota_boot_result *result)
{
	struct console_line line;
	console_begin_boot(&line, "recovery");
	say_bank(&line);
	console_text(&line, " active=");
	console_decimal(&line, result->active);
	console_text(&line, " other=");
	console_decimal(&line, result->other);
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

static _Noreturn void recover(uint16_t address, const struct ota_boot_result *result)
{
	report_recovery(result);
	recovery_run(address);
	halt();
}

/* An approved image that cannot be run: on trial its boots are counted and end; else it is as good as none. */
static _Noreturn void not_started(uint16_t address, const struct ota_boot_result *result, enum port_status status)
{
	report_failure(status);
	if (!result->trial)
		recover(address, result);
	port_delay_until_us(port_time_us() + (uint64_t)TRY_AGAIN_MS * US_PER_MS);
	port_reset(PORT_RESET_SYSTEM);
}

/* For tests of boards that have no software of their own: what the factory put there starts as it is. Not in a delivery. */
static bool unverified(void)
{
#ifdef FIRMWARE_TEST_BUILD
	return parameter("test.unverified", 0) != 0;
#else
	return false;
#endif
}

static _Noreturn void boot_from_flash(void)
{
	/* A board without an address takes no image: none is for it. */
	uint16_t address = (uint16_t)parameter("doip.logical_address", 0);
	struct ota_boot_result result;

	ota_image_start(address);
	ota_boot(&result);
	wait_for_stage();
	report_stage(&result);
	switch (result.decision) {
	case OTA_BOOT_RUN:
		not_started(address, &result, port_start_application(result.address, result.length));
	case OTA_BOOT_SWAPPED:
		port_reset(PORT_RESET_SYSTEM);
	case OTA_BOOT_RECOVERY:
		break;
	}
	recover(address, &result);
}

int application_main(void)
{
	fault_load();
	if (fault_active(FAULT_NO_BOOT))
		halt();
	if (port_flash_geometry() != NULL && !unverified())
		boot_from_flash();
	wait_for_stage();
	report_stage(NULL);
	report_failure(port_start_application(0, 0));
	halt();
}
