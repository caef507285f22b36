/* SPDX-License-Identifier: Apache-2.0 */
/* What the SecOC steps of one case know of a bus: PDUs, their keys and freshness, and how verdicts come. */
#ifndef HARNESS_RUN_STEPS_SECOC_BENCH_H
#define HARNESS_RUN_STEPS_SECOC_BENCH_H

#include "../../proto/secoc.h"
#include "bus.h"

#define SECOC_BENCH_PDUS   16u
#define SECOC_VERDICT_ID   0x1ff
#define SECOC_VERDICT_BITS 40 /* of the freshness that a verdict frame tells */
#define SECOC_SENT_FLAG    0x8000u
#define SECOC_RESULT_NONE  (-1)
#define SECOC_FRAME_RESULTS                                                                                                                \
	{"verdict", VALUE_TEXT, "accepted, verification, freshness, build, not-verified, overwritten, or none."},                          \
	        {"result", VALUE_INTEGER, "Result code of the SWS; -1 none."},                                                             \
	        {"receiver_freshness", VALUE_INTEGER, "What the receiver holds, as far as its verdict tells."},                            \
	        {"accept_time", VALUE_DURATION, "From the frame's end to the begin of the verdict frame."},                                \
	        {"pdu", VALUE_BYTES, "The secured PDU."}

struct secoc_pdu_state {
	uint32_t id;
	struct secoc_layout layout;
	struct secoc_key *key;
	bool fd;
	bool by_diagnostics; /* verdicts are read from DID FD40 */
	bool knows_last, knows_sent;
	uint64_t last; /* freshness that the receiver holds */
	uint64_t sent; /* freshness of the newest frame of the device itself */
};
struct secoc_bench {
	struct bus_watch *watch;
	struct secoc_pdu_state pdus[SECOC_BENCH_PDUS];
	unsigned count;
	bool knows_trip;
	uint32_t trip, reset; /* of the newest sync message that was accepted */
};
struct secoc_verdict {
	int result; /* SECOC_RESULT_NONE, or the code of the SWS */
	uint64_t freshness;
	struct instant at; /* begin of the verdict frame */
};
struct secoc_record { /* of DID FD40 */
	uint8_t result;
	uint32_t accepted, rejected;
	uint64_t freshness;
};

int secoc_bench_of_call(struct step_context *, const struct step_call *, struct secoc_bench **ret, struct error *) WARN_UNUSED;
/* The PDU that the call's `id` names. ERROR_TESTCASE: no secoc.pdu for it. */
int secoc_pdu_of_call(struct step_context *, const struct step_call *, struct secoc_bench **ret_bench, struct secoc_pdu_state **ret,
                      struct error *) WARN_UNUSED;
/* Key of the call's `key`, else of the rig's ecu (`secoc_key` of its profile), else the published test key. */
int secoc_key_of_call(struct step_context *, const struct step_call *, struct secoc_key **ret, struct error *) WARN_UNUSED;

/* `data` against the authentic PDU that an earlier secoc.pdu of the case has written down; what is not literal is left to
 * the run. */
int secoc_check_data(const struct step_call *, const struct value *known, struct error *) WARN_UNUSED;

/* Reads the record of a PDU (id | SECOC_SENT_FLAG: of what the device sends) by UDS over ISO-TP. */
int secoc_record_read(struct step_context *, struct secoc_bench *, uint16_t id, struct secoc_record *, struct error *) WARN_UNUSED;
/* Makes sure that `last` is known. */
int secoc_pdu_learn(struct step_context *, struct secoc_bench *, struct secoc_pdu_state *, struct error *) WARN_UNUSED;

/* Puts a PDU into a frame of this PDU's format. */
void secoc_frame(const struct secoc_pdu_state *, const struct bytes *pdu, struct can_message *ret);
/* Whether the frame is a verdict on `id`, and which. */
bool secoc_verdict_read(const struct can_message *, uint32_t id, struct secoc_verdict *ret);
/* The first verdict on `id` after frame number `from` of the watch; result SECOC_RESULT_NONE when none came in time. */
int secoc_verdict_wait(struct step_context *, struct secoc_bench *, uint32_t id, uint64_t from, int64_t within_ns,
                       struct secoc_verdict *ret, struct error *) WARN_UNUSED;
const char *secoc_verdict_name(int result);

extern const char *const secoc_expectations[]; /* choices of `verdict` */
/* Judges a verdict by the call's `verdict` argument; fills err (ERROR_DUT). */
int secoc_verdict_judge(struct step_context *, const char *expectation, const struct secoc_verdict *, const char *what,
                        struct error *) WARN_UNUSED;
int secoc_verdict_results(struct step_context *, const struct secoc_verdict *, int64_t frame_end_ns, const struct bytes *pdu) WARN_UNUSED;
void secoc_note(struct secoc_bench *, const char *kind, struct instant at, uint32_t id, uint64_t freshness, const char *mutation,
                const char *verdict, const struct bytes *pdu);

#endif
