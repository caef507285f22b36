/* SPDX-License-Identifier: Apache-2.0 */
#include "port_posix.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

void port_console_write(const char *text, size_t length)
{
	while (length) {
		ssize_t n = write(PORT_FD_CONSOLE_OUT, text, length);
		if (n > 0) {
			text += n;
			length -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			struct pollfd room = {.fd = PORT_FD_CONSOLE_OUT, .events = POLLOUT};
			poll(&room, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			return; /* nobody is at the other end of the line */
		}
	}
}

size_t port_console_read(char *buffer, size_t size)
{
	/* The descriptor may be shared with a shell, so it is not made non-blocking: ask first. */
	struct pollfd input = {.fd = PORT_FD_CONSOLE_IN, .events = POLLIN};
	if (size == 0)
		return 0;
	if (poll(&input, 1, 0) != 1) {
		port_posix_console_served(false);
		return 0;
	}
	ssize_t n = read(PORT_FD_CONSOLE_IN, buffer, size);
	port_posix_console_served(n <= 0);
	return n > 0 ? (size_t)n : 0;
}
