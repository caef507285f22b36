/* SPDX-License-Identifier: Apache-2.0 */
#include "uart_line.h"

enum { BITS = 10, NS_PER_S = 1000000000 };
/* What receiver and sender may differ until the stop bit is sampled in its neighbour is 5 %; jitter and edges take their part of it. */
#define TOLERANCE 0.035

struct bits {
	const uint8_t *data;
	size_t length;
};

/* The level in the middle of nothing is high; a frame is start (low), eight bits from the lowest on, stop (high). */
static bool level(const struct bits *bits, double at)
{
	if (at < 0 || at >= (double)bits->length * BITS)
		return true;
	size_t bit = (size_t)at, of_frame = bit % BITS;
	if (of_frame == 0 || of_frame == BITS - 1)
		return of_frame != 0;
	return bits->data[bit / BITS] >> (of_frame - 1) & 1;
}

static void put(struct uart_line *line, uint8_t data, uint8_t flags, int64_t at_ns)
{
	if (line->count == UART_LINE_MAX)
		return;
	size_t at = (line->first + line->count++) % UART_LINE_MAX;
	line->data[at] = data;
	line->flags[at] = flags;
	line->at_ns[at] = at_ns;
}

/* As a receiver does that counts bits of `step` sender's bits from each falling edge that it waits for. */
static void receive(struct uart_line *line, const struct bits *bits, double step, double bit_ns, int64_t begin_ns)
{
	double end = (double)bits->length * BITS;
	for (double at = 0; at < end;) {
		double start = (double)(size_t)at; /* levels change at whole bits only */
		while (start < end && (level(bits, start) || !level(bits, start - 1)))
			start++;
		if (start >= end)
			return;
		if (level(bits, start + step / 2)) { /* too short for a start bit */
			at = start + 1;
			continue;
		}
		uint8_t byte = 0;
		for (unsigned i = 0; i < 8; i++)
			byte |= (uint8_t)(level(bits, start + (1.5 + i) * step) << i);
		double stop = start + 9.5 * step;
		put(line, byte, level(bits, stop) ? 0 : UART_FRAMING_ERROR, begin_ns + (int64_t)(stop * bit_ns));
		at = stop > start + 1 ? stop : start + 1;
	}
}

void uart_line_send(struct uart_line *line, const void *data, size_t length, uint32_t sender_baud, uint32_t receiver_baud, int64_t now_ns)
{
	const struct bits bits = {data, length};
	if (sender_baud == 0 || receiver_baud == 0 || length == 0)
		return;
	int64_t begin_ns = line->free_ns > now_ns ? line->free_ns : now_ns;
	double bit_ns = (double)NS_PER_S / sender_baud, step = (double)sender_baud / receiver_baud;
	if (step > 1 - TOLERANCE && step < 1 + TOLERANCE) {
		for (size_t i = 0; i < length; i++)
			put(line, bits.data[i], 0, begin_ns + (int64_t)((double)(i + 1) * BITS * bit_ns));
	} else {
		receive(line, &bits, step, bit_ns, begin_ns);
	}
	line->free_ns = begin_ns + (int64_t)((double)length * BITS * bit_ns);
}

void uart_line_break(struct uart_line *line, int64_t length_ns, int64_t now_ns)
{
	int64_t begin_ns = line->free_ns > now_ns ? line->free_ns : now_ns;
	line->free_ns = begin_ns + length_ns;
	put(line, 0, UART_BREAK, line->free_ns);
}

int64_t uart_line_next_ns(const struct uart_line *line)
{
	return line->count > 0 ? line->at_ns[line->first] : INT64_MAX;
}

bool uart_line_take(struct uart_line *line, int64_t now_ns, uint8_t *ret_data, uint8_t *ret_flags)
{
	if (uart_line_next_ns(line) > now_ns || line->count == 0)
		return false;
	*ret_data = line->data[line->first];
	*ret_flags = line->flags[line->first];
	line->first = (line->first + 1) % UART_LINE_MAX;
	line->count--;
	return true;
}

void uart_line_clear(struct uart_line *line)
{
	line->count = 0;
	line->free_ns = 0;
}
