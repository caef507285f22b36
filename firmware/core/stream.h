/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte stream between two nodes: plain TCP or TLS over it. The DoIP entity and client know only this.
 * A stream is a value in its owner's static storage; `kind` selects the table of operations.
 */
#ifndef FIRMWARE_CORE_STREAM_H
#define FIRMWARE_CORE_STREAM_H

#include "../port.h"

struct tls_session; /* tls.h */

struct stream {
	const struct stream_ops *ops; /* NULL: closed */
	port_socket socket;
	struct tls_session *tls; /* NULL for plain */
	bool secured;            /* TLS */
};

struct stream_ops {
	/* PORT_OK established (TLS: handshake complete and peer verified), PORT_WOULD_BLOCK under way, PORT_FAILED. */
	enum port_status (*establish)(struct stream *);
	enum port_status (*send)(struct stream *, const uint8_t *data, size_t length, size_t *ret_sent);
	enum port_status (*receive)(struct stream *, uint8_t *buffer, size_t size, size_t *ret_received);
	void (*close)(struct stream *); /* orderly: close_notify, FIN */
	void (*abort)(struct stream *); /* RST */
};

/* Takes over a connected (or connecting) socket as a plain stream. */
void stream_plain(struct stream *ret_stream, port_socket socket);

static inline bool stream_is_open(const struct stream *s)
{
	return s->ops != NULL;
}
static inline enum port_status stream_establish(struct stream *s)
{
	return s->ops->establish(s);
}
static inline enum port_status stream_send(struct stream *s, const uint8_t *d, size_t n, size_t *r)
{
	return s->ops->send(s, d, n, r);
}
static inline enum port_status stream_receive(struct stream *s, uint8_t *b, size_t n, size_t *r)
{
	return s->ops->receive(s, b, n, r);
}
void stream_close(struct stream *); /* no-op when closed; ops becomes NULL */
void stream_abort(struct stream *);

#endif
