/* SPDX-License-Identifier: Apache-2.0 */
#include "board_application_flash.h"

#include "../../core/console.h"
#include "../../port.h"

#define RUN_BURSTS 256u

static void say2(const char *text, uint32_t a, const char *between, uint64_t b)
{
	struct console_line line;
	console_begin(&line);
	console_text(&line, text);
	console_decimal(&line, a);
	console_text(&line, between);
	console_decimal(&line, b);
	console_end(&line);
}

/* Begin of the application area of bank B: physical, and mapped while A runs. */
static uint32_t other(void)
{
	return port_flash_geometry()->bank[1] + port_flash_geometry()->boot_size;
}

static enum port_status finish(uint32_t address)
{
	enum port_status status;
	while ((status = port_flash_result(address)) == PORT_WOULD_BLOCK)
		port_wait(UINT64_MAX);
	return status;
}

static enum port_status program(uint32_t address, uint8_t first, size_t length)
{
	uint8_t data[PORT_FLASH_BURST];
	for (size_t i = 0; i < length; i++)
		data[i] = (uint8_t)(first + i);
	enum port_status status = port_flash_program(address, data, length);
	return status == PORT_OK ? finish(address) : status;
}

static void erase_sectors(uint32_t sectors)
{
	uint64_t begin_us = port_time_us();
	enum port_status status = port_flash_erase(other(), sectors);
	if (status == PORT_OK)
		status = finish(other());
	say2("erase ", (uint32_t)status, " us ", port_time_us() - begin_us);
}

static void program_run(void)
{
	uint64_t begin_us = port_time_us();
	enum port_status status = PORT_OK;
	for (uint32_t i = 0; i < RUN_BURSTS && status == PORT_OK; i++)
		status = program(other() + i * PORT_FLASH_BURST, (uint8_t)i, PORT_FLASH_BURST);
	say2("run ", (uint32_t)status, " us ", port_time_us() - begin_us);
}

static void read_other(void)
{
	uint8_t data[64] = {0};
	enum port_status status = port_flash_read(other(), data, sizeof data);
	say2("read ", (uint32_t)status, " byte ", data[7]);
}

/* Every byte of 64 KiB, in small pieces that follow each other. */
static void read_run(void)
{
	uint8_t data[96];
	uint32_t at = 0, wrong = 0;
	enum port_status status = PORT_OK;
	while (status == PORT_OK && at < RUN_BURSTS * PORT_FLASH_BURST) {
		uint32_t rest = RUN_BURSTS * PORT_FLASH_BURST - at, part = rest < sizeof data ? rest : (uint32_t)sizeof data;
		status = port_flash_read(other() + at, data, part);
		for (uint32_t i = 0; i < part; i++)
			wrong += data[i] != (uint8_t)((at + i) / PORT_FLASH_BURST + (at + i) % PORT_FLASH_BURST);
		at += part;
	}
	say2("readback ", (uint32_t)status, " wrong ", wrong);
}

static void read_own(void)
{
	uint32_t magic = 0;
	enum port_status status = port_flash_read(port_flash_geometry()->bank[0], (uint8_t *)&magic, sizeof magic);
	say2("own ", (uint32_t)status, " magic ", magic);
}

static void unlock(bool right)
{
	uint32_t password[8] = {0};
	char text[65] = "";
	port_param_text("flash.password", text, sizeof text);
	for (unsigned i = 0; right && i < 64; i++)
		password[i / 8] = password[i / 8] << 4 | (uint32_t)(text[i] <= '9' ? text[i] - '0' : (text[i] | 32) - 'a' + 10);
	enum port_status status = port_flash_unlock(password);
	enum port_status written = program(port_flash_geometry()->swap_orig + 0x1E0, 1, PORT_FLASH_DATA_PAGE);
	say2("unlock ", (uint32_t)status, " ucb ", written);
}

static void wrong_commands(void)
{
	enum port_status misplaced = program(other() + 8, 0, 32), too_many = port_flash_erase(other(), 33);
	say2("wrong ", (uint32_t)misplaced, " ", too_many);
	enum port_status outside = port_flash_erase(0x10000000, 1), own = program(port_flash_geometry()->bank[0], 0, 256);
	say2("nowhere ", (uint32_t)outside, " ", own);
}

static void begin_erase(void)
{
	enum port_status first = port_flash_erase(other(), 32), second = port_flash_erase(other(), 1);
	say2("begun ", (uint32_t)first, " busy ", second);
}

bool board_application_flash(char command)
{
	const struct port_flash_geometry *g = port_flash_geometry();
	switch (command) {
	case 'G':
		say2("active ", port_flash_active(), " bank ", g->bank_size);
		return true;
	case 'E':
		erase_sectors(4);
		return true;
	case 'D':
		begin_erase();
		return true;
	case 'P':
		say2("program ", (uint32_t)program(other(), 0, PORT_FLASH_BURST), " ", 0);
		return true;
	case 'L':
		program_run();
		return true;
	case 'M':
		read_run();
		return true;
	case 'R':
		read_other();
		return true;
	case 'O':
		read_own();
		return true;
	case 'K':
		unlock(false);
		return true;
	case 'U':
		unlock(true);
		return true;
	case 'W':
		wrong_commands();
		return true;
	case 'T':
		say2("data ", (uint32_t)program(g->data, 1, PORT_FLASH_DATA_PAGE), " ", 0);
		return true;
	case 'V':
		say2("supply ", port_supply_mv(), " ", 0);
		return true;
	default:
		return false;
	}
}
