/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_board.h"

#include <stdio.h>
#include <string.h>

static bool runs(const struct bench_board *board)
{
	return board->powered && !board->held;
}

void bench_board_print(struct bench_board *board, const void *data, size_t length)
{
	if (runs(board))
		board->print(board->context, data, length);
}

static void boot(struct bench_board *board, const char *reason)
{
	char text[256];
	board->length = 0;
	(void)snprintf(text, sizeof(text), "boot %u", ++board->boots);
	board->tell(board->context, text);
	int length = snprintf(text, sizeof(text),
	                      "@boot stage=ssw t_us=1000 boot=%u reason=%s\r\n@boot stage=bootloader t_us=2000\r\n"
	                      "@boot stage=application t_us=3000\r\n@boot stage=server t_us=4000\r\n",
	                      board->boots, reason);
	board->print(board->context, text, (size_t)length);
}

void bench_board_power(struct bench_board *board, bool on)
{
	if (on == board->powered)
		return;
	board->powered = on;
	board->boots = 0;
	board->tell(board->context, on ? "power on" : "power off");
	if (runs(board))
		boot(board, "power-on");
}

void bench_board_hold(struct bench_board *board, bool on)
{
	if (on == board->held)
		return;
	board->held = on;
	board->tell(board->context, on ? "held" : "released");
	if (runs(board))
		boot(board, "external");
}

static void hear_line(struct bench_board *board)
{
	char text[sizeof(board->line) + 16];
	board->line[board->length] = '\0';
	board->line[strcspn(board->line, "\r")] = '\0';
	board->length = 0;
	(void)snprintf(text, sizeof(text), "heard %s", board->line);
	board->tell(board->context, text);
	int length = snprintf(text, sizeof(text), "heard %s\r\n", board->line);
	board->print(board->context, text, (size_t)length);
}

void bench_board_hear(struct bench_board *board, const uint8_t *data, size_t length)
{
	if (!runs(board))
		return;
	if (board->echo) {
		board->print(board->context, data, length);
		return;
	}
	for (size_t i = 0; i < length; i++) {
		if (data[i] == '\n')
			hear_line(board);
		else if (board->length + 1 < sizeof(board->line))
			board->line[board->length++] = (char)data[i];
	}
}
