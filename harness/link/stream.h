/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte stream of the harness itself (tester or stand-in server): TCP, or TLS over it (OpenSSL), non-blocking on
 * the loop. What is sent and received goes to the capture (as TCP segments), connection events go to the timeline.
 */
#ifndef HARNESS_LINK_STREAM_H
#define HARNESS_LINK_STREAM_H

#include "../base/bytes.h"
#include "../base/loop.h"
#include "../base/timeline.h"

struct capture;

/* Who we are and whom we trust in TLS; paths of PEM files. NULL certificate: present none. */
struct tls_identity {
	const char *ca, *certificate, *key;
	const char *peer_name;                    /* client: name to verify and SNI; NULL: none */
	uint16_t minimum_version, maximum_version; /* 0x0303, 0x0304 */
	const char *groups;                       /* OpenSSL group list or NULL */
	bool verify_peer;                         /* false: take any (a scanner's view) */
};

enum stream_state { STREAM_CONNECTING, STREAM_HANDSHAKING, STREAM_OPEN, STREAM_CLOSED };
enum stream_end { STREAM_END_NONE, STREAM_END_FIN, STREAM_END_RESET, STREAM_END_REFUSED, STREAM_END_TLS, STREAM_END_LOCAL, STREAM_END_TRUNCATED };

struct stream; /* opaque */
struct stream_handlers {
	void *context;
	void (*opened)(struct stream *, void *context);
	void (*received)(struct stream *, const uint8_t *data, size_t length, struct instant at, void *context);
	void (*closed)(struct stream *, enum stream_end, void *context);
};
struct stream_environment { struct loop *loop; struct timeline *timeline; struct capture *capture; const char *channel; /* "tester:main" */ };

/* address "127.1.2.1:13400", local may be NULL ("127.1.9.1"). identity NULL: plain TCP. */
int stream_connect(struct stream **ret, const struct stream_environment *, const char *local, const char *address, const struct tls_identity *, const struct stream_handlers *, struct error *) WARN_UNUSED;
int stream_send(struct stream *, const void *data, size_t length, struct error *) WARN_UNUSED; /* queues all of it */
/* Raw TCP bytes beneath TLS (to send rubbish in place of records). */
int stream_send_raw(struct stream *, const void *data, size_t length, struct error *) WARN_UNUSED;
void stream_pause_reading(struct stream *, bool);  /* a peer that stops reading */
void stream_shutdown(struct stream *);             /* orderly: close_notify, FIN; received data still comes */
void stream_abort(struct stream *);                /* RST */
void stream_free(struct stream *);                 /* closes if open; NULL allowed */
enum stream_state stream_state(const struct stream *);
enum stream_end stream_end(const struct stream *);
/* JSON object: version, cipher, group, peer CN, alert (if any), reason. New reference. */
json_t *stream_tls_info(const struct stream *);
const char *stream_end_name(enum stream_end); /* "fin" "reset" "refused" "tls" "local" "truncated" */

struct stream_listener;
/* accepted: the new stream is the callee's; it sets handlers with stream_set_handlers() at once. */
int stream_listen(struct stream_listener **ret, const struct stream_environment *, const char *address, const struct tls_identity *, void (*accepted)(struct stream *, void *), void *context, struct error *) WARN_UNUSED;
void stream_listener_free(struct stream_listener *);
void stream_set_handlers(struct stream *, const struct stream_handlers *);

#endif
