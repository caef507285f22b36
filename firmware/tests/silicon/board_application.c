/* SPDX-License-Identifier: Apache-2.0 */
/* A small application for the tests of the board and its port: it does what single characters on its console ask. */
#include "../../core/console.h"
#include "../../port.h"
#include "board_application_flash.h"

static void say(const char *text, uint32_t value)
{
	struct console_line line;
	console_begin(&line);
	console_text(&line, text);
	console_decimal(&line, value);
	console_end(&line);
}

static void count_in_nvm(void)
{
	uint8_t count;
	port_nvm_read(0, &count, 1);
	count++;
	port_nvm_write(0, &count, 1);
	say("nvm ", count);
}

static void tell_parameter(void)
{
	struct console_line line;
	char text[64] = "unset";
	const uint8_t *object = NULL;
	size_t length = 0;
	port_param_text("test.text", text, sizeof text);
	port_object("test.object", &object, &length);
	console_begin(&line);
	console_text(&line, text);
	console_text(&line, " object ");
	console_decimal(&line, length);
	console_end(&line);
}

static _Noreturn void flood(void)
{
	char rubbish[256];
	for (size_t i = 0; i < sizeof rubbish; i++)
		rubbish[i] = (char)i;
	for (;;)
		port_console_write(rubbish, sizeof rubbish);
}

static _Noreturn void hang(void)
{
	for (volatile unsigned n = 0;; n++)
		;
}

static void obey(char command)
{
	switch (command) {
	case 'r':
		port_reset(PORT_RESET_SYSTEM);
	case 'a':
		port_reset(PORT_RESET_APPLICATION);
	case 'c':
		__builtin_trap();
	case 'f':
		flood();
	case 'h':
		hang();
	case 'n':
		count_in_nvm();
		break;
	case 'p':
		tell_parameter();
		break;
	case 'w':
		say("reason ", (uint32_t)port_reset_reason());
		break;
	case 'm':
		say("ram ", *port_ram(PORT_RAM_BEGIN + PORT_RAM_SIZE - 1, 1));
		break;
	case 'o':
		say("can ", (uint32_t)port_can_open(0));
		break;
	case 's':
		port_trace_secret("CLIENT_RANDOM 00 11");
		break;
	default:
		if (board_application_flash(command))
			break;
		say("unknown ", (unsigned char)command);
	}
}

static void stage(const char *name, uint64_t at_ms)
{
	struct console_line line;
	port_delay_until_us(at_ms * 1000);
	console_begin_boot(&line, name);
	console_end(&line);
}

int application_main(void)
{
	char command;
	stage("application", 160);
	stage("rtos", 210);
	for (;;) {
		while (port_console_read(&command, 1)) {
			if (command == 'x')
				return 3;
			obey(command);
		}
		port_wait(UINT64_MAX);
	}
}
