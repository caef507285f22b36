/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client whose upload is refused goes on sending for a while. Were its connection closed at once, the kernel would answer what arrives
 * with a reset, and the client would lose the answer that it has not read yet. So the socket is kept for a moment, with its sending side
 * shut, and what comes is thrown away.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_private.h"

#define LINGERS       32
#define LINGER_BYTES  (4u << 20)
#define LINGER_AT_ONE (256u << 10)

struct lingering {
	struct http_link link; /* first */
	struct http_server *server;
	sd_event_source *source;
	int fd;
	uint64_t deadline_ms, drained;
};

static void linger_end(struct lingering *linger)
{
	http_list_remove(&linger->link);
	linger->server->linger_count--;
	sd_event_source_disable_unref(linger->source);
	close(linger->fd);
	free(linger);
}

static int on_more(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct lingering *linger = context;
	char waste[16384];
	ssize_t n = 1;

	for (size_t at_once = 0; at_once < LINGER_AT_ONE && n > 0; at_once += (size_t)(n > 0 ? n : 0)) {
		n = recv(fd, waste, sizeof(waste), MSG_DONTWAIT);
		linger->drained += n > 0 ? (uint64_t)n : 0;
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || linger->drained > LINGER_BYTES)
		linger_end(linger);
	return 0;
}

void http_linger(struct http_server *server, int fd, bool tls)
{
	struct lingering *linger = server->linger_count < LINGERS ? calloc(1, sizeof(*linger)) : NULL;

	if (!linger)
		return;
	/* The answer is sent; only TLS says farewell by itself. */
	if (!tls)
		(void)shutdown(fd, SHUT_WR);
	linger->server = server;
	linger->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	linger->deadline_ms = http_now_ms() + server->limits.linger_ms;
	if (linger->fd < 0 || sd_event_add_io(server->event, &linger->source, linger->fd, EPOLLIN, on_more, linger) < 0) {
		if (linger->fd >= 0)
			close(linger->fd);
		free(linger);
		return;
	}
	http_list_add(&server->lingers, &linger->link);
	server->linger_count++;
}

void http_lingers_tick(struct http_server *server, uint64_t now_ms)
{
	for (struct http_link *link = server->lingers.next, *next; link != &server->lingers; link = next) {
		struct lingering *linger = (struct lingering *)link;

		next = link->next;
		if (now_ms >= linger->deadline_ms)
			linger_end(linger);
	}
}

void http_lingers_end(struct http_server *server)
{
	while (server->lingers.next != &server->lingers)
		linger_end((struct lingering *)server->lingers.next);
}
