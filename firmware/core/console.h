/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line for the board's console, put together without the C library and written at once, so that lines of
 * different modules never mix. A line that is too long is cut.
 */
#ifndef FIRMWARE_CORE_CONSOLE_H
#define FIRMWARE_CORE_CONSOLE_H

#include "../port.h"

#define CONSOLE_LINE_SIZE 192u

struct console_line {
	char text[CONSOLE_LINE_SIZE];
	size_t length;
};

void console_begin(struct console_line *line);
/* "@boot stage=STAGE t_us=N": the marker of a boot stage, reached now. */
void console_begin_boot(struct console_line *line, const char *stage);
void console_text(struct console_line *line, const char *text);
void console_decimal(struct console_line *line, uint64_t value);
/* `digits` hexadecimal digits (1..8), lower case, without 0x. */
void console_hexadecimal(struct console_line *line, uint32_t value, unsigned digits);
/* As port_endpoint_parse() reads it. */
void console_endpoint(struct console_line *line, const struct port_endpoint *endpoint);
/* Adds \r\n and writes the line. */
void console_end(struct console_line *line);

#endif
