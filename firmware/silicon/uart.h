/* SPDX-License-Identifier: Apache-2.0 */
/* The console's line: a small pipe, read no faster than the line's rate, stamped when read. */
#ifndef FIRMWARE_SILICON_UART_H
#define FIRMWARE_SILICON_UART_H

#include <stdint.h>

#include "control.h"

#define UART_CHUNK 2048u

struct uart {
	int output; /* read end of the CPU's output, -1 none */
	int input;  /* write end of the CPU's input, -1 none */
	uint32_t bytes_per_second;
	double credit; /* bytes that may be read now */
	uint64_t credit_ns;
};

/* Makes both pipes; the CPU's ends are returned. 0/-errno. */
int uart_open(struct uart *uart, uint32_t baud, int *ret_cpu_input, int *ret_cpu_output);
/* Reads and reports what is left, then closes. */
void uart_close(struct uart *uart, struct control *control);
/* When the output may be read next: 0 now. */
uint64_t uart_ready_ns(struct uart *uart, uint64_t now_ns);
/* Reads once. */
void uart_read(struct uart *uart, struct control *control);
/* Bytes taken, or -errno. */
int uart_write(struct uart *uart, const uint8_t *data, size_t length);

#endif
