/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: a conversation about an update, with a flash behind it. The input is a row of records: a byte that chooses what
 * is done (low four bits) and how (high four bits), a byte of argument, and for raw requests that many bytes. Whatever is asked:
 * the running bank keeps its bytes, every answer is an answer to the request, every boot runs the old or the new image.
 */
#include "update_bench.h"

#include <stdlib.h>
#include <string.h>

#define SIZE 9000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct update_package package;
static const uint8_t *at;
static size_t left;

static uint8_t next(void)
{
	if (left == 0)
		return 0;
	left--;
	return *at++;
}

static void check_answer(uint8_t service)
{
	if (bench.answers == 0)
		return; /* suppressed */
	if (bench.answer[0] == 0x7F ? bench.length != 3 || bench.answer[1] != service : bench.answer[0] != (uint8_t)(service + 0x40))
		abort();
}

static void check_banks(void)
{
	const struct update_package *runs = port_flash_active() == 0 ? &update_old : &package;

	if (bench.boot.decision != OTA_BOOT_RUN || !update_holds(port_flash_active(), runs))
		abort();
}

static void raw(uint8_t how, uint8_t argument)
{
	static const uint8_t services[16] = {0x34, 0x36, 0x37, 0x31, 0x10, 0x27, 0x22, 0x11,
	                                     0x3E, 0x34, 0x36, 0x37, 0x31, 0x28, 0x85, 0x2E};
	uint8_t request[257] = {services[how]};
	size_t length = 1 + (argument < left ? argument : left);

	for (size_t i = 1; i < length; i++)
		request[i] = next();
	(void)update_send(request, length);
	check_answer(request[0]);
}

static void block(uint8_t how, uint8_t argument)
{
	static uint32_t position;
	uint32_t length = ((uint32_t)how << 8 | argument) + 1;

	if (bench.counter == 1)
		position = 0;
	if (length > UPDATE_BLOCK || position + length > sizeof(package.bytes))
		length = 1;
	if (strncmp(update_block(package.bytes + position, length), "76", 2) == 0)
		position += length;
	check_answer(0x36);
}

static void reboot(uint8_t how)
{
	if (how & 8)
		flash_power_off(fake_flash(), how % 5, how, fake_flash_now_ns());
	update_boot(how & 4 && !(how & 8) ? PORT_REASON_WATCHDOG : PORT_REASON_POWER_ON);
}

static void act(uint8_t what, uint8_t how, uint8_t argument)
{
	switch (what) {
	case 0:
	case 1:
		raw(how, argument);
		break;
	case 2:
		(void)update_try_unlock();
		break;
	case 3:
		(void)update_offer(&package);
		break;
	case 4:
		(void)update_erase(&package);
		break;
	case 5:
		(void)update_download(&package, how >= 8 ? (uint32_t)argument * flash_sweep.bank_sector : 0);
		break;
	case 6:
	case 7:
		block(how, argument);
		break;
	case 8:
		(void)update_blocks(&package, 0, how == 0 ? argument * 64u : (uint32_t)package.length);
		break;
	case 9:
		(void)update_exit();
		break;
	case 10:
		(void)update_check();
		break;
	case 11:
		(void)update_activate();
		break;
	case 12:
		(void)(how >= 8 ? update_ask("31 01 F0 13") : update_confirm());
		break;
	case 13:
		reboot(how);
		break;
	case 14:
		update_run_us((uint64_t)argument * (how >= 8 ? 100000u : 100u));
		break;
	default:
		bench.counter = argument;
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	update_setup();
	update_make(&package, 1, 2, SIZE);
	if (size > 0 && data[0] & 1)
		update_gzip(&package);
	at = data + (size > 0);
	left = size - (size > 0);
	while (left > 0) {
		uint8_t what = next(), argument = next();

		act(what & 0xF, what >> 4, argument);
		check_banks();
		if (bench.reset_wanted)
			update_boot(bench.reset_type == 3 ? PORT_REASON_APPLICATION : PORT_REASON_SYSTEM);
		check_banks();
	}
	update_teardown();
	return 0;
}
