/* SPDX-License-Identifier: Apache-2.0 */
#include "port_posix.h"

#ifdef FIRMWARE_TEST_BUILD
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int key_log = -1;

void port_posix_key_log(int fd)
{
	key_log = fd;
}

void port_trace_secret(const char *line)
{
	char packet[512];
	bool board = port_posix_on_board();
	int length = snprintf(packet, sizeof packet, board ? "secret %s" : "%s\n", line);
	if (length < 0 || length >= (int)sizeof packet)
		return;
	if (board)
		send(PORT_FD_TRACE, packet, (size_t)length, MSG_NOSIGNAL);
	else if (key_log >= 0 && write(key_log, packet, (size_t)length) < 0)
		key_log = -1; /* a full disk must not stop the firmware */
}
#else
#include <unistd.h>

void port_posix_key_log(int fd)
{
	close(fd);
}

void port_trace_secret(const char *line) {}
#endif
