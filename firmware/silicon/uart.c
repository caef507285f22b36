/* SPDX-License-Identifier: Apache-2.0 */
#include "uart.h"

#include "instant.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define BURST     4096.0 /* what the receiver's FIFO and the probe's buffer take at once */
#define WORTHY    256.0  /* bytes that are worth a wake-up */
#define PIPE_SIZE 4096

int uart_open(struct uart *uart, uint32_t baud, int *ret_cpu_input, int *ret_cpu_output)
{
	int input[2], output[2];
	if (pipe2(input, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(output, O_CLOEXEC) < 0) {
		int r = -errno;
		close(input[0]);
		close(input[1]);
		return r;
	}
	fcntl(output[0], F_SETPIPE_SZ, PIPE_SIZE);
	/* Only our ends: the flag belongs to the open file, and the CPU's writes have to wait. */
	fcntl(output[0], F_SETFL, O_NONBLOCK);
	fcntl(input[1], F_SETFL, O_NONBLOCK);
	uart->input = input[1];
	uart->output = output[0];
	uart->bytes_per_second = baud / 10; /* start bit, eight data bits, stop bit */
	uart->credit = BURST;
	uart->credit_ns = instant_ns();
	*ret_cpu_input = input[0];
	*ret_cpu_output = output[1];
	return 0;
}

static void earn(struct uart *uart, uint64_t now_ns)
{
	uart->credit += (double)(now_ns - uart->credit_ns) * uart->bytes_per_second / 1e9;
	if (uart->credit > BURST)
		uart->credit = BURST;
	uart->credit_ns = now_ns;
}

uint64_t uart_ready_ns(struct uart *uart, uint64_t now_ns)
{
	if (uart->bytes_per_second == 0)
		return 0;
	earn(uart, now_ns);
	if (uart->credit >= WORTHY)
		return 0;
	return now_ns + (uint64_t)((WORTHY - uart->credit) * 1e9 / uart->bytes_per_second) + 1;
}

/* true while there may be more */
static bool read_some(struct uart *uart, struct control *control, size_t limit)
{
	uint8_t data[UART_CHUNK];
	ssize_t n = read(uart->output, data, limit < sizeof data ? limit : sizeof data);
	uint64_t now_ns = instant_ns();
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			close(uart->output);
			uart->output = -1;
		}
		return false;
	}
	uart->credit -= (double)n;
	control_event_console(control, now_ns, data, (size_t)n);
	return true;
}

void uart_read(struct uart *uart, struct control *control)
{
	size_t limit = UART_CHUNK;
	if (uart->bytes_per_second && uart->credit < (double)limit)
		limit = uart->credit < 1 ? 1 : (size_t)uart->credit;
	read_some(uart, control, limit);
}

void uart_close(struct uart *uart, struct control *control)
{
	/* At most the pipe's size: the writer is gone. */
	for (int i = 0; uart->output >= 0 && i <= 2 * PIPE_SIZE / (int)UART_CHUNK; i++) {
		if (!read_some(uart, control, UART_CHUNK))
			break;
	}
	if (uart->output >= 0)
		close(uart->output);
	if (uart->input >= 0)
		close(uart->input);
	uart->output = uart->input = -1;
}

int uart_write(struct uart *uart, const uint8_t *data, size_t length)
{
	if (uart->input < 0)
		return -ENOTCONN;
	ssize_t n = write(uart->input, data, length);
	return n < 0 ? -errno : (int)n;
}
