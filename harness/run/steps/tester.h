/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A DoIP connection of the harness within one case: as tester towards an entity, or as the stand-in for a server
 * (run/steps/server.c). Received messages wait in a queue until a step asks for them.
 */
#ifndef HARNESS_RUN_STEPS_TESTER_H
#define HARNESS_RUN_STEPS_TESTER_H

#include "../../proto/doip.h"
#include "../step_context.h"

#define TESTER_KIND         "tester"
#define TESTER_DEFAULT_NAME "main"

struct tester_message {
	struct bytes raw;
	struct doip_message decoded; /* borrows from raw */
	struct instant at;
};

struct tester {
	struct loop *loop;
	struct timeline *timeline;
	struct stream *stream;
	char channel[64];      /* "tester:main" */
	const char *transport; /* "tcp" or "tls" */
	uint16_t source;       /* our logical address; the destination's when standing in for a server */
	uint8_t version;       /* protocol version of what we send */
	bool answer_alive;     /* answer alive check requests at once, without queueing them */
	bool settled;          /* opened, or closed before it ever opened */
	bool opened, ended;
	enum stream_end end;
	bool framing_lost;             /* a header with a wrong pattern came: no further decoding */
	bool bulk;                     /* of long payloads only the begin goes to the journal */
	const struct rig_board *board; /* whose loss of power ends a wait at once: nobody sends a FIN for it; NULL: none */
	char address[96];              /* where it was opened, for tester_reopen(); "" for a stand-in server's */
	bool has_identity;
	struct tls_identity identity;
	struct instant opened_at, sent_at, ended_at;
	int64_t started_ns;
	struct bytes inbound;
	struct tester_message *queue;
	unsigned queued, capacity;
	uint64_t received_bytes;
};

/* The handlers that a stream of this tester needs. */
struct stream_handlers tester_handlers(struct tester *);
/* Takes over the stream; destroys it with the tester. NULL: out of memory. */
struct tester *tester_new(struct step_context *, const char *name);
void tester_free(void *tester);

/* Finds the connection that the call's `connection` argument names. ERROR_TESTCASE when there is none. */
int tester_of_call(struct step_context *, const struct step_call *, struct tester **ret, struct error *) WARN_UNUSED;

/* A check that fails when the peer has closed the connection that a step is about to send on. */
int tester_check_open(struct step_context *, const struct tester *, struct error *) WARN_UNUSED;

/* Sends one message with its header and notes it on the timeline. */
int tester_send(struct tester *, uint16_t type, const void *payload, size_t length, const struct doip_header_options *,
                struct error *) WARN_UNUSED;
/* Notes raw bytes that a step sent itself. */
void tester_note_raw(struct tester *, const void *data, size_t length);

/* Waits for a message in the queue or the end of the connection. 0: *ret is the oldest message, now the caller's
 * (release with tester_message_free()); -ETIMEDOUT; -EPIPE: the connection ended and the queue is empty (err NOT
 * filled for both); other: err filled. */
int tester_receive(struct step_context *, struct tester *, int64_t within_ns, struct tester_message *ret, struct error *) WARN_UNUSED;
void tester_message_free(struct tester_message *);
/* Opens the same connection anew, at the same address and as the same one; what was queued is gone. 0: it is settled (opened
 * tells how), -ETIMEDOUT (err NOT filled), or another error. */
int tester_reopen(struct step_context *, struct tester *, int64_t within_ns, struct error *) WARN_UNUSED;
/* Puts `hex` of a message of this connection into a journal object. */
void tester_put_hex(const struct tester *, json_t *object, const void *data, size_t length);

/* "activation_response" for a known type, else "0x1234" in buffer. */
/* Sets tls_version, cipher, alert and reason from a stream. */
int tls_results_set(struct step_context *, const struct stream *) WARN_UNUSED;
/* Header overrides (version, inverse, length) and payload type of a call. */
int header_options_of_call(struct step_context *, const struct step_call *, struct doip_header_options *ret, struct error *) WARN_UNUSED;
int doip_type_of_call(struct step_context *, const struct step_call *, uint16_t *ret, struct error *) WARN_UNUSED;

const char *doip_type_word(uint16_t type, char buffer[8]);
/* Sets the results that DOIP_RESULTS names. reference: the instant that `after` counts from. */
int doip_results_set(struct step_context *, const struct tester_message *, struct instant reference) WARN_UNUSED;
/* For messages: "nothing within 2000 ms", "connection closed (fin)". */
void tester_describe_absence(const struct tester *, int result, int64_t within_ns, char *buffer, size_t size);

#define DOIP_RESULTS                                                                                                                       \
	{"type", VALUE_TEXT, "Payload type by name (activation_response, …), or 0xNNNN."},                                                 \
	        {"version", VALUE_INTEGER, "Protocol version of the header."}, {"length", VALUE_INTEGER, "Payload length in bytes."},      \
	        {"payload", VALUE_BYTES, "The whole payload."},                                                                            \
	        {"code", VALUE_INTEGER, "NACK, ACK, routing activation or power mode code."},                                              \
	        {"source", VALUE_INTEGER, "Source address (in an activation response: the tester's)."},                                    \
	        {"target", VALUE_INTEGER, "Target address (in an activation response: the entity's)."},                                    \
	        {"data", VALUE_BYTES, "User data of a diagnostic message, or the repeated part in an acknowledgement."},                   \
	        {"after", VALUE_DURATION, "Time from what was sent to this message."}

#define ARG_CONNECTION {"connection", VALUE_TEXT, ARG_NAME, TESTER_DEFAULT_NAME, NULL, 0, 0, "Name of the connection."}

#endif
