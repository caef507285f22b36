/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of a serial line, 8N1: bytes go in at the sender's bit rate and come out, in their time, as a receiver of perhaps another
 * rate takes them: bit by bit, each sampled in its middle as the receiver counts, a missing stop bit being a framing error. For tests only.
 */
#ifndef HARNESS_TESTS_VM_UART_LINE_H
#define HARNESS_TESTS_VM_UART_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UART_LINE_MAX = 1 << 18 };
enum uart_flag { UART_FRAMING_ERROR = 1, UART_BREAK = 2 };
struct uart_line {
	uint8_t data[UART_LINE_MAX], flags[UART_LINE_MAX]; /* ring of what the receiver will have taken, oldest first */
	int64_t at_ns[UART_LINE_MAX];                      /* when its last bit is over */
	size_t first, count;
	int64_t free_ns; /* when the sender's last bit is over */
};

/* What does not fit is lost. */
void uart_line_send(struct uart_line *, const void *data, size_t length, uint32_t sender_baud, uint32_t receiver_baud, int64_t now_ns);
/* The line is low for so long: a receiver sees one zero byte without a stop bit. */
void uart_line_break(struct uart_line *, int64_t length_ns, int64_t now_ns);
/* The next byte that is over by now; false: none. */
bool uart_line_take(struct uart_line *, int64_t now_ns, uint8_t *ret_data, uint8_t *ret_flags);
/* When the next byte is over; INT64_MAX: nothing is on the line. */
int64_t uart_line_next_ns(const struct uart_line *);
/* What is on the line is lost. */
void uart_line_clear(struct uart_line *);

#endif
