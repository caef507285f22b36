/* SPDX-License-Identifier: Apache-2.0 */
/* One UDS exchange over an activated DoIP connection, for every step that needs one (uds.c). */
#ifndef HARNESS_RUN_STEPS_UDS_LINK_H
#define HARNESS_RUN_STEPS_UDS_LINK_H

#include "../../proto/uds.h"
#include "tester.h"

struct uds_link_request {
	uint16_t target;
	const uint8_t *data; /* borrowed */
	size_t length;
	struct uds_timing timing;
	bool expect_silence;
	int64_t sent_ns, ack_ns; /* out: when it was sent, when the acknowledgement came */
	int64_t answered_ns;     /* out: when the (last) answer came */
	uint16_t responder;      /* out */
	bool lost;               /* out, of a failure: nobody is there any more (silence, connection ended, power gone) */
	uint8_t refused;         /* out, of a failure: code of the DoIP negative acknowledgement, 0 none */
};
/* Sends, waits for acknowledgement and answer. The exchange is the caller's to clear, also on failure. No acknowledgement, another
 * message or the end of the connection is a failed check (ERROR_DUT); a server that does not answer is exchange->outcome. */
int uds_link_run(struct step_context *, struct tester *, struct uds_link_request *, struct uds_exchange *, struct error *) WARN_UNUSED;

/* key = first four bytes of AES-CMAC(secret, seed): the reference firmware's rule. ERROR_TESTCASE for a secret that is none. */
int uds_key_of_seed(const struct value *secret_hex, const uint8_t *seed, size_t length, uint8_t key[4], struct error *) WARN_UNUSED;

#endif
