/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of programming a board (docs/reference/update.md): requests one after the other over a DoIP connection of the
 * case. What the board answers is data of the client, so that steps can judge it; only what is no answer at all is an error.
 */
#ifndef HARNESS_RUN_STEPS_OTA_CLIENT_H
#define HARNESS_RUN_STEPS_OTA_CLIENT_H

#include "ota_package.h"
#include "uds_link.h"

#define OTA_PROGRAMMING_LEVEL 3

enum ota_stage {
	OTA_STAGE_SESSION,
	OTA_STAGE_SECURITY,
	OTA_STAGE_RESUME,
	OTA_STAGE_OFFER,
	OTA_STAGE_ERASE,
	OTA_STAGE_REQUEST,
	OTA_STAGE_TRANSFER,
	OTA_STAGE_EXIT,
	OTA_STAGE_CHECK,
	OTA_STAGE_ACTIVATE,
	OTA_STAGE_RESET,
	OTA_STAGE_CONFIRM,
	OTA_STAGE_CANCEL,
	OTA_STAGE_READ,
};
const char *ota_stage_name(enum ota_stage);

enum ota_outcome {
	OTA_DONE,    /* everything that was asked for was answered positively */
	OTA_REFUSED, /* a negative response, or DoIP refused the message */
	OTA_LOST,    /* nobody answers any more */
};
const char *ota_outcome_name(enum ota_outcome); /* "done" "refused" "lost" */

struct ota_client {
	struct step_context *context;
	struct tester *tester;
	struct rig_board *board;
	const char *role;
	uint16_t target;
	/* What the last request came to. */
	enum ota_outcome outcome;
	enum ota_stage stage;
	uint8_t nrc;           /* of OTA_REFUSED; 0 when DoIP refused it */
	uint8_t doip_nack;     /* of OTA_REFUSED */
	char why[160];         /* OTA_LOST: how it showed */
	struct bytes response; /* of OTA_DONE: the whole answer */
	int64_t sent_ns, answered_ns;
	uint64_t pending; /* 0x78 in all */
};

/* `connection` and `role` of a call. Sets the connection to bulk until ota_client_end(). */
int ota_client_begin(struct ota_client *, struct step_context *, const struct step_call *, struct error *err) WARN_UNUSED;
void ota_client_end(struct ota_client *);
/* One request. 0: see outcome. An answer that is none (another message, malformed) and everything on our side is an error. */
int ota_client_request(struct ota_client *, const void *data, size_t length, struct error *err) WARN_UNUSED;
int ota_client_routine(struct ota_client *, uint16_t routine, const void *option, size_t length, struct error *err) WARN_UNUSED;
/* 10 SESSION; 27 of a level with the role's security_key. */
int ota_client_session(struct ota_client *, uint8_t session, struct error *err) WARN_UNUSED;
int ota_client_unlock(struct ota_client *, uint8_t level, struct error *err) WARN_UNUSED;
/* 22 DID; the value is response[3..]. ERROR_DUT when a positive answer has less than `least` bytes of value. */
int ota_client_read(struct ota_client *, uint16_t did, size_t least, struct error *err) WARN_UNUSED;

/* Tells a stage on the timeline (ota.stage). */
void ota_client_enter(struct ota_client *, enum ota_stage stage);
void ota_client_emit(const struct ota_client *, struct instant at, const char *kind, json_t *stolen);
/* A failed check of the device with what the last request came to. */
int ota_client_failed(struct ota_client *, struct error *err);

/* Whether `expect:` of a call judges one of the results: then the step does not. */
bool ota_call_expects(const struct step_call *, const char *result);
/* Where the candidate's application area begins: a mapped address, the same in both maps. */
int ota_candidate_address(struct ota_client *, uint32_t *ret, struct error *err) WARN_UNUSED;

#endif
