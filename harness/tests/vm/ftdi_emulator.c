/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bench on USB for a kernel without hardware: ftdi_emulator CONTROL LOG. On port 0 of the virtual host controller an FT232R that is the
 * console of a board, with no CBUS pin as GPIO; on port 1 an FT230X whose CBUS 0, 1 and 3 are GPIO: CBUS 0 switches the board's relay when
 * it is driven high, CBUS 1 one in parallel when it is driven low.
 * CONTROL is a FIFO that takes lines:
 *   plug|unplug console|relay     the USB cable; both begin unplugged
 *   rate N                        the board's own bit rate
 *   reset dtr|rts|rts-low         what holds it: DTR or RTS asserted, or RTS not asserted
 *   print TEXT, break             from the board
 *   echo on|off                   the board answers bytes, not lines
 *   mark TEXT                     only a line of LOG
 *   end                           both are unplugged and the program ends
 * LOG gets a line "NS WHO WHAT" of everything that happens (CLOCK_MONOTONIC).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench_board.h"
#include "ftdi_chip.h"
#include "uart_line.h"

enum { CHIPS = 2, CONSOLE = 0, RELAY = 1, ATTACH_TRIES = 100 };
#define MS_NS INT64_C(1000000)
enum reset_wiring { RESET_DTR, RESET_RTS, RESET_RTS_LOW };

struct bench {
	struct ftdi_chip chips[CHIPS];
	struct bench_board board;
	struct uart_line to_host, to_board;
	enum reset_wiring reset;
	uint32_t rate; /* of the board */
	FILE *log;
	bool ended;
};

static const char *const names[CHIPS] = {"console", "relay"};

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void tell(struct bench *bench, const char *who, const char *what)
{
	fprintf(bench->log, "%lld %s %s\n", (long long)now_ns(), who, what);
}

/* ---- the board ---- */

static void board_prints(void *context, const void *data, size_t length)
{
	struct bench *bench = context;
	uart_line_send(&bench->to_host, data, length, bench->rate, bench->chips[CONSOLE].baud, now_ns());
}

static void board_tells(void *context, const char *text)
{
	tell(context, "board", text);
}

static void hold_by(struct bench *bench)
{
	unsigned modem = bench->chips[CONSOLE].modem;
	bench_board_hold(&bench->board, bench->reset == RESET_DTR   ? modem & FTDI_DTR
	                                : bench->reset == RESET_RTS ? modem & FTDI_RTS
	                                                            : !(modem & FTDI_RTS));
}

/* ---- pins of the console ---- */

static void console_modem(void *context, unsigned asserted)
{
	struct bench *bench = context;
	char text[32];
	(void)snprintf(text, sizeof(text), "dtr=%d rts=%d", !!(asserted & FTDI_DTR), !!(asserted & FTDI_RTS));
	tell(bench, names[CONSOLE], text);
	hold_by(bench);
}

static void console_baud(void *context, uint32_t baud)
{
	char text[32];
	(void)snprintf(text, sizeof(text), "baud %u", baud);
	tell(context, names[CONSOLE], text);
}

static void console_breaks(void *context, bool on)
{
	tell(context, names[CONSOLE], on ? "break begins" : "break ends");
}

static void console_transmits(void *context, const uint8_t *data, size_t length)
{
	struct bench *bench = context;
	uart_line_send(&bench->to_board, data, length, bench->chips[CONSOLE].baud, bench->rate, now_ns());
	bench->chips[CONSOLE].transmitting = bench->to_board.count > 0;
}

static void console_cbus(void *context, unsigned driven, unsigned level)
{
	(void)level;
	if (driven)
		tell(context, names[CONSOLE], "drives a CBUS pin");
}

static unsigned floats_high(void *context)
{
	(void)context;
	return 15; /* pulled up inside */
}

/* ---- pins of the relay ---- */

static void relay_cbus(void *context, unsigned driven, unsigned level)
{
	struct bench *bench = context;
	char text[64] = "cbus";
	for (unsigned i = 0; i < FTDI_CBUS_PINS; i++) {
		size_t used = strlen(text);
		(void)snprintf(text + used, sizeof(text) - used, " %c", driven >> i & 1 ? (level >> i & 1 ? '1' : '0') : 'z');
	}
	tell(bench, names[RELAY], text);
	bench_board_power(&bench->board, (driven & level & 1) || (driven & ~level & 2));
}

static void nothing_of_modem(void *context, unsigned asserted)
{
	(void)context;
	(void)asserted;
}

static void nothing_of_baud(void *context, uint32_t baud)
{
	(void)context;
	(void)baud;
}

static void nothing_of_break(void *context, bool on)
{
	(void)context;
	(void)on;
}

static void nothing_of_bytes(void *context, const uint8_t *data, size_t length)
{
	(void)context;
	(void)data;
	(void)length;
}

/* ---- commands ---- */

/* A port of the host controller is free again only when the kernel has dealt with the device that was in it. */
static void plug(struct bench *bench, unsigned chip)
{
	int result = -EBUSY;
	for (unsigned i = 0; i < ATTACH_TRIES && result < 0 && !bench->chips[chip].plugged; i++) {
		result = ftdi_chip_plug(&bench->chips[chip]);
		if (result < 0)
			usleep(20000);
	}
	tell(bench, names[chip], result < 0 ? "cannot be plugged in" : "plugged in");
}

static void unplug(struct bench *bench, unsigned chip)
{
	tell(bench, names[chip], "unplugged");
	ftdi_chip_unplug(&bench->chips[chip]);
	if (chip != CONSOLE)
		return;
	uart_line_clear(&bench->to_host);
	uart_line_clear(&bench->to_board);
}

static void board_command(struct bench *bench, const char *line)
{
	static const char *const wirings[] = {"dtr", "rts", "rts-low"};
	char word[16];
	if (sscanf(line, "rate %u", &bench->rate) == 1)
		return;
	if (strncmp(line, "print ", 6) == 0) {
		bench_board_print(&bench->board, line + 6, strlen(line + 6));
		bench_board_print(&bench->board, "\r\n", 2);
		tell(bench, "board", "printed");
	} else if (strcmp(line, "break") == 0) {
		uart_line_break(&bench->to_host, MS_NS, now_ns());
		tell(bench, "board", "sent a break");
	} else if (sscanf(line, "echo %15s", word) == 1) {
		bench->board.echo = strcmp(word, "on") == 0;
	} else if (sscanf(line, "reset %15s", word) == 1) {
		for (unsigned i = 0; i < 3; i++)
			bench->reset = strcmp(word, wirings[i]) == 0 ? (enum reset_wiring)i : bench->reset;
		hold_by(bench);
	} else {
		fprintf(stderr, "ftdi_emulator: what is \"%s\"?\n", line);
	}
}

static void command(struct bench *bench, const char *line)
{
	char text[300];
	for (unsigned i = 0; i < CHIPS; i++) {
		(void)snprintf(text, sizeof(text), "plug %s", names[i]);
		if (strcmp(line, text) == 0) {
			plug(bench, i);
			return;
		}
		(void)snprintf(text, sizeof(text), "unplug %s", names[i]);
		if (strcmp(line, text) == 0) {
			unplug(bench, i);
			return;
		}
	}
	if (strcmp(line, "end") == 0) {
		bench->ended = true;
	} else if (strncmp(line, "mark ", 5) == 0) {
		tell(bench, "mark", line + 5);
	} else {
		board_command(bench, line);
	}
}

static void read_commands(struct bench *bench, int fifo)
{
	char text[4096];
	ssize_t got = read(fifo, text, sizeof(text) - 1);
	if (got <= 0)
		return;
	text[got] = '\0';
	char *rest = text;
	for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
		if (*line != '\0')
			command(bench, line);
	}
}

/* ---- the loop ---- */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Everything that is over by now; when the next thing is. */
static int64_t run(struct bench *bench)
{
	struct ftdi_chip *console = &bench->chips[CONSOLE];
	int64_t now = now_ns();
	uint8_t data, flags;
	while (uart_line_take(&bench->to_host, now, &data, &flags))
		ftdi_chip_receive(console, data,
		                  (uint8_t)((flags & UART_FRAMING_ERROR ? FTDI_FRAMING : 0) | (flags & UART_BREAK ? FTDI_BREAK : 0)), now);
	while (uart_line_take(&bench->to_board, now, &data, &flags))
		bench_board_hear(&bench->board, &data, 1);
	console->transmitting = bench->to_board.count > 0;
	int64_t next = earlier(uart_line_next_ns(&bench->to_host), uart_line_next_ns(&bench->to_board));
	for (unsigned i = 0; i < CHIPS; i++)
		next = earlier(next, ftdi_chip_flush(&bench->chips[i], now));
	return next;
}

/* As poll() takes it; -1 for never. At least one, so that bytes that come meanwhile go together. */
static int milliseconds_until(int64_t at_ns)
{
	int64_t left_ns = at_ns == INT64_MAX ? INT64_MAX : at_ns - now_ns();
	return left_ns == INT64_MAX ? -1 : left_ns < 0 ? 0 : left_ns > 1000 * MS_NS ? 1000 : (int)(left_ns / MS_NS) + 1;
}

static void serve(struct bench *bench, int fifo)
{
	while (!bench->ended) {
		int wait_ms = milliseconds_until(run(bench));
		struct pollfd polled[CHIPS + 1] = {{.fd = bench->chips[CONSOLE].usbip.fd, .events = POLLIN},
		                                   {.fd = bench->chips[RELAY].usbip.fd, .events = POLLIN},
		                                   {.fd = fifo, .events = POLLIN}};
		if (poll(polled, CHIPS + 1, wait_ms) < 0 && errno != EINTR)
			return;
		for (unsigned i = 0; i < CHIPS; i++)
			if (polled[i].revents && usbip_serve(&bench->chips[i].usbip) < 0)
				unplug(bench, i);
		if (polled[CHIPS].revents & POLLIN)
			read_commands(bench, fifo);
	}
}

int main(int argc, char **argv)
{
	static struct bench bench = {.rate = 115200};
	if (argc != 3) {
		fprintf(stderr, "usage: ftdi_emulator CONTROL LOG\n");
		return 2;
	}
	/* Read and write, so that the last writer who leaves makes no end of file. */
	int fifo = open(argv[1], O_RDWR | O_NONBLOCK | O_CLOEXEC);
	bench.log = fopen(argv[2], "ae");
	if (fifo < 0 || !bench.log) {
		perror("ftdi_emulator");
		return 1;
	}
	(void)setvbuf(bench.log, NULL, _IOLBF, 0);
	bench.board = (struct bench_board){.context = &bench, .print = board_prints, .tell = board_tells};
	const struct ftdi_wiring console = {&bench,       console_modem, console_baud, console_breaks, console_transmits,
	                                    console_cbus, floats_high};
	const struct ftdi_wiring relay = {&bench,           nothing_of_modem, nothing_of_baud, nothing_of_break,
	                                  nothing_of_bytes, relay_cbus,       floats_high};
	ftdi_chip_init(&bench.chips[CONSOLE], FTDI_FT232R, CONSOLE, "HILCON01", 0, &console);
	ftdi_chip_init(&bench.chips[RELAY], FTDI_FTX, RELAY, "HILRLY01", 0xb, &relay);
	serve(&bench, fifo);
	for (unsigned i = 0; i < CHIPS; i++)
		ftdi_chip_unplug(&bench.chips[i]);
	(void)fclose(bench.log);
	close(fifo);
	return 0;
}
