/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_LINK_STREAM_PRIVATE_H
#define HARNESS_LINK_STREAM_PRIVATE_H

#include <openssl/ssl.h>

#include "address.h"
#include "capture.h"
#include "stream.h"

#define STREAM_REASON_MAX 256

/* What a stream keeps of its environment, with a copy of the channel. */
struct stream_context {
	struct stream_environment environment;
	char *channel;
};
int stream_context_init(struct stream_context *, const struct stream_environment *, struct error *) WARN_UNUSED;
void stream_context_clear(struct stream_context *);

struct stream {
	unsigned references; /* one of the owner, one of each function of ours that calls handlers */
	struct stream_context context;
	struct stream_handlers handlers;
	int fd;
	sd_event_source *io, *timer;
	bool server, freed, paused;
	bool finishing; /* FIN goes out after what is queued */
	bool finished;  /* it went */
	bool lingering; /* TLS failed: our alert is out, what comes is thrown away until the peer has closed */
	char local[ADDRESS_TEXT_MAX], peer[ADDRESS_TEXT_MAX];
	enum stream_state state;
	enum stream_end end;
	struct bytes out; /* raw bytes to be sent, from out_sent on */
	size_t out_sent;
	int send_error, connect_error;
	struct capture_flow *flow;
	struct instant received_at; /* of the segment that is being worked on */
	/* TLS only; ssl owns the two memory BIOs. */
	SSL *ssl;
	BIO *from_network, *to_network;
	bool tls_failed, close_notify_received, close_notify_sent;
	int alert; /* of the last alert other than close_notify, -1: none */
	bool alert_received;
	char reason[STREAM_REASON_MAX];
};

/* ---- stream.c ---- */
struct stream *stream_new(const struct stream_environment *, int fd, bool server, struct error *);
void stream_ref(struct stream *);
void stream_unref(struct stream *);
void stream_emit(struct stream *, struct instant at, const char *kind, json_t *data); /* steals data, adds the peer */
/* The connection stands: capture, event, handshake or opened(). */
void stream_connected(struct stream *);
/* Registers the descriptor, or sets what it waits for. */
int stream_watch_io(struct stream *, struct error *) WARN_UNUSED;
void stream_update_io(struct stream *);
int stream_queue(struct stream *, const void *data, size_t length) WARN_UNUSED;
void stream_flush(struct stream *);
/* Ends it: events, capture, closed(). how: NULL = the name of the end. */
void stream_close(struct stream *, enum stream_end, const char *how);

/* ---- stream_tls.c ---- */
int stream_tls_init(struct stream *, SSL_CTX *, const char *peer_name, struct error *) WARN_UNUSED;
/* Moves the handshake and received records on as far as the bytes go. */
void stream_tls_pump(struct stream *);
/* Raw bytes from the network. */
void stream_tls_feed(struct stream *, const uint8_t *data, size_t length);
int stream_tls_send(struct stream *, const void *data, size_t length, struct error *) WARN_UNUSED;
void stream_tls_close_notify(struct stream *);
/* The connection ended under an unfinished handshake. */
void stream_tls_broken(struct stream *, const char *reason);
void stream_on_key_log(const SSL *, const char *line);
void stream_on_tls_info(const SSL *, int where, int value);

#endif
