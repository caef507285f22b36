/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_LINK_WATCH_PRIVATE_H
#define HARNESS_LINK_WATCH_PRIVATE_H

#include "tls_keys.h"
#include "tls_name.h"
#include "watch.h"

enum watch_mode { WATCH_UNKNOWN, WATCH_TLS, WATCH_DOIP, WATCH_STOPPED };
enum watch_secret_kind {
	SECRET_MASTER,
	SECRET_CLIENT_HANDSHAKE,
	SECRET_SERVER_HANDSHAKE,
	SECRET_CLIENT_TRAFFIC,
	SECRET_SERVER_TRAFFIC,
	SECRET_KINDS
};
enum watch_epoch { EPOCH_PLAIN, EPOCH_HANDSHAKE, EPOCH_APPLICATION };

/* An encrypted record that waits for its secret. */
struct watch_record {
	struct watch_record *next;
	uint64_t number; /* order of arrival, over both directions */
	struct instant at;
	uint8_t type;
	size_t length;
	uint8_t data[];
};

struct watch_doip_reader {
	struct bytes message; /* header and what is kept of the payload */
	uint64_t missing;     /* bytes of the message that have not come */
	bool lost;            /* no header where one must be: this direction is not looked at any more */
};

struct watch_side {
	struct bytes raw;       /* bytes that are no whole record yet */
	struct bytes handshake; /* bytes that are no whole handshake message yet */
	struct watch_doip_reader doip;
	enum watch_epoch epoch;
	struct watch_record *first, *last;
	size_t queued;
	bool blind; /* no decryption (any more): no secret, no suite, too much */
	bool finished;
	struct tls_keys *keys;
};

/* A key log line that came before the ClientHello told whose it is. */
struct watch_line {
	struct watch_line *next;
	char text[];
};

struct watch {
	struct timeline *timeline;
	char *channel;
	uint64_t connection;
	enum watch_mode mode;
	bool noted;
	struct watch_side sides[2]; /* client, server */
	uint64_t records;           /* that were queued */
	void (*on_tls)(const char *, void *);
	void *tls_context;
	watch_doip_describe describe;
	void *describe_context;
	/* TLS */
	bool client_hello, server_hello;
	uint8_t client_random[32], server_random[32];
	uint16_t version, cipher;
	const struct tls_suite *suite;
	uint8_t secrets[SECRET_KINDS][TLS_SECRET_MAX];
	uint8_t secret_length[SECRET_KINDS];
	struct watch_line *lines;
	unsigned line_count;
	/* A record of the client that has the size of its Finished. */
	bool candidate, told_client_finished, finished;
	struct instant candidate_at;
};

/* ---- watch.c ---- */
void watch_emit(struct watch *, bool from_client, struct instant at, const char *kind, json_t *data); /* steals data; adds conn and side */
void watch_tell(struct watch *, const char *event);
/* Says once that the watch does not understand the connection, and stops looking. */
void watch_stop(struct watch *, bool from_client, struct instant at, const char *why);

/* ---- watch_tls.c ---- */
void watch_tls_bytes(struct watch *, bool from_client, const uint8_t *data, size_t length, struct instant at);
void watch_tls_clear(struct watch *);
void watch_tls_give_up(struct watch *);
/* The client's Finished (TLS 1.3) or either one's (1.2). */
void watch_tls_finished(struct watch *, bool from_client, struct instant at, bool inferred);
/* Decrypted or plain content of a record. */
void watch_tls_content(struct watch *, bool from_client, uint8_t type, const uint8_t *data, size_t length, struct instant at);

/* ---- watch_hello.c ---- 0 or -EBADMSG */
int watch_client_hello(struct watch *, const uint8_t *body, size_t length, struct instant at) WARN_UNUSED;
int watch_server_hello(struct watch *, const uint8_t *body, size_t length, struct instant at) WARN_UNUSED;

/* ---- watch_decrypt.c ---- */
void watch_queue(struct watch *, bool from_client, uint8_t type, const uint8_t *data, size_t length, struct instant at);
/* Opens what can be opened, in order. */
void watch_drain(struct watch *, bool from_client);
void watch_drain_both(struct watch *);
void watch_side_blind(struct watch *, bool from_client);
/* Next epoch or next generation: the old keys are of no more use. */
void watch_side_rekey(struct watch *, bool from_client, enum watch_epoch);
void watch_key_update(struct watch *, bool from_client);
void watch_take_line(struct watch *, const char *line);
void watch_sort_lines(struct watch *); /* the client's random is known now */

/* ---- watch_doip.c ---- */
void watch_doip_bytes(struct watch *, bool from_client, const uint8_t *data, size_t length, struct instant at);
/* The connection ended: tells of a message that is not complete. */
void watch_doip_end(struct watch *, bool from_client, struct instant at);

#endif
