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
	const char *peer_name;                     /* client: name to verify and SNI; NULL: none */
	uint16_t minimum_version, maximum_version; /* 0x0303, 0x0304 */
	const char *groups;                        /* OpenSSL group list or NULL */
	bool verify_peer;                          /* false: take any (a scanner's view) */
};

enum stream_state { STREAM_CONNECTING, STREAM_HANDSHAKING, STREAM_OPEN, STREAM_CLOSED };
/*
 * FIN: the peer closed in order (over TLS: after close_notify, or after ours, or before the handshake was complete).
 * RESET, REFUSED: by RST, or nobody answered. TLS: an alert, or bytes that are no TLS. LOCAL: stream_abort(), or closed
 * by us. TRUNCATED: FIN inside TLS without close_notify.
 */
enum stream_end {
	STREAM_END_NONE,
	STREAM_END_FIN,
	STREAM_END_RESET,
	STREAM_END_REFUSED,
	STREAM_END_TLS,
	STREAM_END_LOCAL,
	STREAM_END_TRUNCATED
};

struct stream; /* opaque */
struct stream_handlers {
	void *context;
	void (*opened)(struct stream *, void *context);
	void (*received)(struct stream *, const uint8_t *data, size_t length, struct instant at, void *context);
	void (*closed)(struct stream *, enum stream_end, void *context);
};
/* timeline and capture may be NULL; channel "tester:main" is copied. on_secret (may be NULL) is given each key log line
 * of TLS connections, so that a relay between the two ends can decrypt (relay_secret()); the capture has it already. */
struct stream_environment {
	struct loop *loop;
	struct timeline *timeline;
	struct capture *capture;
	const char *channel;
	void (*on_secret)(const char *line, void *context);
	void *secret_context;
};

/* address "127.1.2.1:13400", local may be NULL ("127.1.9.1"). identity NULL: plain TCP. What the network says (refused,
 * unreachable) comes by closed(); only what is wrong on our side (an address that is not ours, a missing certificate) is
 * an error here. Handlers are called from the loop only, but for stream_abort(). The stream may be freed in any of them. */
int stream_connect(struct stream **ret, const struct stream_environment *, const char *local, const char *address,
                   const struct tls_identity *, const struct stream_handlers *, struct error *) WARN_UNUSED;
int stream_send(struct stream *, const void *data, size_t length, struct error *) WARN_UNUSED; /* queues all of it; -ENOTCONN unless open */
/* Raw TCP bytes beneath TLS (to send rubbish in place of records). */
int stream_send_raw(struct stream *, const void *data, size_t length, struct error *) WARN_UNUSED;
void stream_pause_reading(struct stream *, bool); /* a peer that stops reading */
void stream_shutdown(struct stream *);            /* orderly: close_notify, FIN; received data still comes */
void stream_abort(struct stream *);               /* RST; closed(STREAM_END_LOCAL) is called before it returns */
void stream_free(struct stream *);                /* closes in order if open, without calling closed(); NULL allowed */
enum stream_state stream_state(const struct stream *);
enum stream_end stream_end(const struct stream *);
/*
 * JSON object, new reference; a field is absent when it is not known:
 *   version "TLSv1.3", cipher "TLS_AES_128_GCM_SHA256", group "X25519MLKEM768", peer_name (CN of the peer's certificate),
 *   alert "unknown_ca" (the last one other than close_notify), alert_side "sent" or "received",
 *   reason (why TLS failed, in words), verify (what is wrong with the peer's certificate, also when any was taken).
 */
json_t *stream_tls_info(const struct stream *);
const char *stream_end_name(enum stream_end); /* "fin" "reset" "refused" "tls" "local" "truncated" */

struct stream_listener;
/* accepted: the new stream is the callee's; it sets handlers with stream_set_handlers() at once. opened() follows: at
 * once for plain TCP, after the handshake for TLS. address may have port 0: see stream_listener_address(). */
int stream_listen(struct stream_listener **ret, const struct stream_environment *, const char *address, const struct tls_identity *,
                  void (*accepted)(struct stream *, void *), void *context, struct error *) WARN_UNUSED;
void stream_listener_free(struct stream_listener *);
const char *stream_listener_address(const struct stream_listener *); /* "127.0.0.1:40001" */
const char *stream_local(const struct stream *);
const char *stream_peer(const struct stream *);
void stream_set_handlers(struct stream *, const struct stream_handlers *);

#endif
