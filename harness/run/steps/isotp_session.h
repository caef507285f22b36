/* SPDX-License-Identifier: Apache-2.0 */
/* One ISO-TP link of the harness on a bus, alive while steps run: it answers with flow control by itself. */
#ifndef HARNESS_RUN_STEPS_ISOTP_SESSION_H
#define HARNESS_RUN_STEPS_ISOTP_SESSION_H

#include "../../proto/isotp.h"
#include "bus.h"

#define ISOTP_DEFAULT_NAME "main"

struct isotp_session {
	struct bus_watch *watch;
	struct timeline *timeline;
	struct isotp *link;
	sd_event_source *timer;
	uint32_t request_id, response_id, functional_id;
	uint8_t flags; /* of our frames */
	bool waiting;  /* a frame of ours is not on the bus yet */
	uint64_t ticket;
	int64_t begun_ns;              /* when the last message was begun */
	int64_t sent_ns;               /* end of the last frame of the last message that was sent */
	int64_t received_ns;           /* end of the last frame that came */
	enum isotp_result send_result; /* noted on the timeline when it changes */
	struct bytes outgoing;         /* the message under way, for the timeline */
};

struct isotp_setup {
	struct isotp_options options;
	struct isotp_misdeeds misdeeds;
	uint32_t request_id, response_id, functional_id;
	bool extended_id, brs;
};
/* 0x7E0, 0x7E8, 0x7DF; CAN FD with BRS, 64 bytes, padded with 0xCC. */
void isotp_setup_default(struct isotp_setup *);
/* Opens, or opens anew, the session of this name. */
int isotp_session_open(struct step_context *, struct bus_watch *, const char *name, const struct isotp_setup *, struct isotp_session **ret,
                       struct error *) WARN_UNUSED;
struct isotp_session *isotp_session_find(struct step_context *, const char *name); /* NULL: none */
/* Begins a message. ERROR_TESTCASE: one is under way. */
int isotp_session_send(struct isotp_session *, const uint8_t *data, size_t length, struct error *) WARN_UNUSED;
/* Waits until the message under way is sent or has failed: see isotp_send_result(). -ETIMEDOUT: err not filled. */
int isotp_session_sent(struct step_context *, struct isotp_session *, int64_t within_ns, struct error *) WARN_UNUSED;
/* The next whole message, -ETIMEDOUT (err not filled), or -EPIPE (err not filled): a reception failed
 * (isotp_receive_result()). Owner: caller. */
int isotp_session_receive(struct step_context *, struct isotp_session *, int64_t within_ns, struct bytes *ret, struct error *) WARN_UNUSED;
void isotp_session_forget(struct isotp_session *); /* drops what was received and not asked for */

/* A UDS request over a session of its own with default parameters; waits through 0x78. A missing or negative answer is a
 * failed check (ERROR_DUT). Owner of *ret: caller. */
int isotp_uds(struct step_context *, struct bus_watch *, const uint8_t *request, size_t length, struct bytes *ret,
              struct error *) WARN_UNUSED;

#endif
