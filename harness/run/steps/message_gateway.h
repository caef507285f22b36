/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The harness as the gateway of devices: listens on an address of the rig, greets whoever connects, acknowledges hellos and
 * heartbeats at once, and keeps what came until a step asks. One a name and case.
 */
#ifndef HARNESS_RUN_STEPS_MESSAGE_GATEWAY_H
#define HARNESS_RUN_STEPS_MESSAGE_GATEWAY_H

#include "../../link/stream.h"
#include "../step_context.h"
#include "message_frame.h"

#define GATEWAY_KIND         "gateway"
#define GATEWAY_DEFAULT_NAME "gateway"

struct gateway;

struct gateway_connection {
	struct gateway *gateway;
	struct stream *stream;
	struct bytes inbound;
	bool settled; /* opened, or ended before it ever opened */
	bool opened, ended, greeted, malformed;
	bool told; /* a step has waited for its hello */
	enum stream_end end;
	struct instant opened_at, hello_at, ended_at;
	char serial[40];
	uint64_t begin_mark; /* of the timeline, when it was accepted */
	uint64_t heartbeats; /* so many came */
	uint32_t number;     /* of the last one */
	struct bytes answer; /* payload of the newest echo answer */
	uint64_t answers;    /* so many came */
	struct instant answer_at;
	char why[96]; /* malformed: what is wrong with it */
};

struct gateway {
	struct loop *loop;
	struct timeline *timeline;
	struct stream_listener *listener;
	struct gateway_connection **waiting; /* accepted, and no step has taken them: oldest first */
	unsigned waiting_count;
	struct gateway_connection *current; /* the one that steps speak on; NULL: none was taken yet */
	bool tls, mute;                     /* mute: acknowledges nothing */
	char channel[64], address[96];      /* "tester:gateway", "127.1.9.1:14500" */
};

struct gateway_options {
	const char *name, *host;
	unsigned port;                       /* 0: a free one */
	const struct tls_identity *identity; /* NULL: plain TCP */
};
int gateway_new(struct gateway **ret, struct step_context *, const struct gateway_options *, struct error *err) WARN_UNUSED;
void gateway_free(void *gateway);

/* How it does not listen any more and all its connections end: in order, or by reset. */
void gateway_die(struct gateway *, bool reset);
/* The oldest connection that waits becomes the current one, which ends unless it has already. NULL: none waits. */
struct gateway_connection *gateway_take(struct gateway *);
/* Sends a message and notes it on the timeline; *ret_at (may be NULL): when. ERROR_DUT when the connection has ended. */
int gateway_send(struct gateway_connection *, uint8_t type, const void *payload, size_t length, struct instant *ret_at,
                 struct error *err) WARN_UNUSED;
/* Bytes as they are. */
int gateway_send_raw(struct gateway_connection *, const void *data, size_t length, struct error *err) WARN_UNUSED;
/* "fin", "reset", "malformed: …": how a connection ended. */
const char *gateway_connection_end(const struct gateway_connection *);

/* The gateway that a call's `gateway` argument names. ERROR_TESTCASE when there is none. */
int gateway_of_call(struct step_context *, const struct step_call *, struct gateway **ret, struct error *err) WARN_UNUSED;
/* Its connection that steps speak on; one that waits is taken when there is none yet. A failed check unless it is open. */
int gateway_connection_of_call(struct step_context *, const struct step_call *, struct gateway_connection **ret,
                               struct error *err) WARN_UNUSED;

#define GATEWAY_ARG(flags) {"gateway", VALUE_TEXT, ARG_NAME | (flags), GATEWAY_DEFAULT_NAME, NULL, 0, 0, "Name of the gateway."}

#endif
