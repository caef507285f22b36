/* SPDX-License-Identifier: Apache-2.0 */
#include "jtag_server.h"

#include "board.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CHUNK 65536u

static struct {
	int listener, adapter;
	struct board *board;
	struct dap_memory memory;
	struct dap dap;
	struct jtag jtag;
	struct jtag_bitbang bitbang;
	size_t out_length, out_sent;
	char out[CHUNK];
} server = {.listener = -1, .adapter = -1};

static void hold(void *context, bool on)
{
	struct board *board = context;
	char error[512];
	if (board_srst(board, on, error, sizeof error) < 0)
		fprintf(stderr, "vboard: %s: SRST: %s\n", board->name, error);
}

static uint32_t idcode_of(const struct board *board)
{
	const char *text = straps_get(&board->straps, "debug.idcode");
	return text ? (uint32_t)strtoul(text, NULL, 0) : JTAG_IDCODE;
}

int jtag_server_open(struct board *board, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server.listener < 0 || bind(server.listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(server.listener, 4) < 0)
		return -1;
	server.board = board;
	server.memory = (struct dap_memory){debug_memory_read, debug_memory_write, board};
	dap_init(&server.dap, &server.memory);
	jtag_init(&server.jtag, idcode_of(board), &server.dap);
	server.bitbang = (struct jtag_bitbang){.jtag = &server.jtag, .hold = hold, .context = board};
	return 0;
}

static void drop_adapter(void)
{
	close(server.adapter);
	server.adapter = -1;
	server.out_length = server.out_sent = 0;
	jtag_bitbang_release(&server.bitbang);
}

void jtag_server_close(void)
{
	if (server.adapter >= 0)
		close(server.adapter);
	if (server.listener >= 0)
		close(server.listener);
	server.adapter = server.listener = -1;
}

int jtag_server_listener(void)
{
	return server.listener;
}

int jtag_server_adapter(short *ret_events)
{
	*ret_events = server.out_sent < server.out_length ? POLLOUT : POLLIN;
	return server.adapter;
}

void jtag_server_accept(void)
{
	int fd = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0 && server.adapter >= 0) {
		close(fd); /* the connector is taken */
	} else if (fd >= 0) {
		server.adapter = fd;
		server.jtag.idcode = idcode_of(server.board);
	}
}

/* false: the adapter is gone. */
static bool flush(void)
{
	while (server.out_sent < server.out_length) {
		ssize_t n = send(server.adapter, server.out + server.out_sent, server.out_length - server.out_sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
		server.out_sent += n > 0 ? (size_t)n : 0;
	}
	server.out_length = server.out_sent = 0;
	return true;
}

void jtag_server_serve(void)
{
	static char in[CHUNK];
	if (!flush()) {
		drop_adapter();
		return;
	}
	if (server.out_sent < server.out_length)
		return; /* who does not take answers is not asked for more */
	ssize_t n = recv(server.adapter, in, sizeof in, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || jtag_bitbang_take(&server.bitbang, in, (size_t)n, server.out, &server.out_length) || !flush())
		drop_adapter();
}
