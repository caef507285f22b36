/* SPDX-License-Identifier: Apache-2.0 */
#include "console.h"

#define LINE_END_SIZE 2u

void console_begin(struct console_line *line)
{
	line->length = 0;
}

static void console_character(struct console_line *line, char c)
{
	if (line->length < CONSOLE_LINE_SIZE - LINE_END_SIZE)
		line->text[line->length++] = c;
}

void console_text(struct console_line *line, const char *text)
{
	for (; *text != '\0'; text++)
		console_character(line, *text);
}

void console_decimal(struct console_line *line, uint64_t value)
{
	char digits[20];
	unsigned count = 0;
	do {
		digits[count++] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	while (count > 0)
		console_character(line, digits[--count]);
}

void console_hexadecimal(struct console_line *line, uint32_t value, unsigned digits)
{
	for (unsigned i = digits; i-- > 0;)
		console_character(line, "0123456789abcdef"[(value >> (4 * i)) & 0xF]);
}

void console_begin_boot(struct console_line *line, const char *stage)
{
	console_begin(line);
	console_text(line, "@boot stage=");
	console_text(line, stage);
	console_text(line, " t_us=");
	console_decimal(line, port_time_us());
}

static void console_group(struct console_line *line, uint32_t value)
{
	unsigned digits = 1;
	while (digits < 4 && value >> (4 * digits) != 0)
		digits++;
	console_hexadecimal(line, value, digits);
}

static void console_address_v6(struct console_line *line, const struct port_endpoint *endpoint)
{
	for (unsigned i = 0; i < 8; i++) {
		if (i > 0)
			console_text(line, ":");
		console_group(line, (uint32_t)endpoint->address[2 * i] << 8 | endpoint->address[2 * i + 1]);
	}
	if (endpoint->scope_id == 0)
		return;
	console_text(line, "%");
	console_decimal(line, endpoint->scope_id);
}

void console_endpoint(struct console_line *line, const struct port_endpoint *endpoint)
{
	if (endpoint->family == 6) {
		console_text(line, "[");
		console_address_v6(line, endpoint);
		console_text(line, "]");
	} else {
		for (unsigned i = 0; i < 4; i++) {
			if (i > 0)
				console_text(line, ".");
			console_decimal(line, endpoint->address[i]);
		}
	}
	console_text(line, ":");
	console_decimal(line, endpoint->port);
}

void console_end(struct console_line *line)
{
	line->text[line->length++] = '\r';
	line->text[line->length++] = '\n';
	port_console_write(line->text, line->length);
}
