/* SPDX-License-Identifier: Apache-2.0 */
/* Delay from writing a line at the board's end of a pseudo-terminal to the stamp that the console's line gives it, beside the same by a
 * bare poll() and read(), in turn in the same run. Needs nothing of a rig. */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "../../link/serial.h"

#define ROUNDS 2000U
#define TEXT   "@boot stage=rtos t_us=210144\r\n"

struct line {
	int master;
	size_t received;
	int64_t stamp_ns;
};

static void on_received(const void *data, size_t length, struct instant at, void *context)
{
	struct line *line = context;
	(void)data;
	if (line->received == 0)
		line->stamp_ns = at.ns;
	line->received += length;
}

static bool is_whole(void *context)
{
	const struct line *line = context;
	return line->received >= strlen(TEXT);
}

static int by_serial(struct line *line, struct loop *loop, int64_t *ret_ns)
{
	line->received = 0;
	int64_t begin_ns = loop_now_ns();
	if (write(line->master, TEXT, strlen(TEXT)) != (ssize_t)strlen(TEXT))
		return -EIO;
	int r = loop_until(loop, is_whole, line, begin_ns + INT64_C(1000000000));
	*ret_ns = line->stamp_ns - begin_ns;
	return r;
}

static int by_poll(int master, int slave, int64_t *ret_ns)
{
	struct pollfd poller = {slave, POLLIN, 0};
	char data[64];
	size_t received = 0;
	int64_t begin_ns = loop_now_ns(), stamp_ns = 0;
	if (write(master, TEXT, strlen(TEXT)) != (ssize_t)strlen(TEXT))
		return -EIO;
	while (received < strlen(TEXT)) {
		if (poll(&poller, 1, 1000) <= 0)
			return -ETIMEDOUT;
		ssize_t n = read(slave, data, sizeof(data));
		if (stamp_ns == 0)
			stamp_ns = loop_now_ns();
		received += n > 0 ? (size_t)n : 0;
	}
	*ret_ns = stamp_ns - begin_ns;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void print(const char *name, int64_t samples[static ROUNDS])
{
	qsort(samples, ROUNDS, sizeof(*samples), compare);
	(void)printf("%-8s p50 %6.1f us  p95 %6.1f us  max %7.1f us\n", name, (double)samples[ROUNDS / 2] / 1e3,
	             (double)samples[ROUNDS * 95 / 100] / 1e3, (double)samples[ROUNDS - 1] / 1e3);
}

static int measure(struct line *line, struct loop *loop, int bare_master, int bare_slave)
{
	static int64_t serial_ns[ROUNDS], poll_ns[ROUNDS];
	int r = 0;
	for (unsigned i = 0; r == 0 && i < ROUNDS; i++) {
		r = by_serial(line, loop, &serial_ns[i]);
		if (r == 0)
			r = by_poll(bare_master, bare_slave, &poll_ns[i]);
	}
	if (r < 0)
		return r;
	print("console", serial_ns);
	print("poll", poll_ns);
	(void)printf("console stamp delay: %.2f times bare poll and read at p50, %.2f at p95 (%u lines)\n",
	             (double)serial_ns[ROUNDS / 2] / (double)poll_ns[ROUNDS / 2],
	             (double)serial_ns[ROUNDS * 95 / 100] / (double)poll_ns[ROUNDS * 95 / 100], ROUNDS);
	return 0;
}

int main(void)
{
	struct error error = {0};
	struct termios raw;
	struct loop *loop = NULL;
	struct serial *serial = NULL;
	struct line line = {.master = -1};
	int slave = -1, bare_master = -1, bare_slave = -1;
	char name[64];
	cfmakeraw(&raw);
	if (openpty(&line.master, &slave, name, &raw, NULL) < 0 || openpty(&bare_master, &bare_slave, NULL, &raw, NULL) < 0) {
		perror("openpty");
		return EXIT_FAILURE;
	}
	const struct serial_options options = {.kind = SERIAL_PTY, .address = name, .received = on_received, .context = &line};
	int r = loop_new(&loop, &error);
	if (r == 0)
		r = serial_open(&serial, loop, &options, &error);
	if (r == 0)
		r = measure(&line, loop, bare_master, bare_slave);
	if (r < 0)
		(void)fprintf(stderr, "%s\n", error.message[0] ? error.message : strerror(-r));
	serial_close(serial);
	loop_free(loop);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
