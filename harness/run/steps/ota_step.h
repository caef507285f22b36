/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the ota.* steps share: results and verdict of the last request. */
#ifndef HARNESS_RUN_STEPS_OTA_STEP_H
#define HARNESS_RUN_STEPS_OTA_STEP_H

#include "ota_client.h"

extern const char *const ota_capability[], *const flash_capability[];

/* The words of the results `outcome` and of a bank. */
extern const char *const ota_outcome_words[], *const ota_bank_words[];

#define OTA_RESULTS                                                                                                                        \
	{"outcome", VALUE_TEXT, "done, refused (a negative response, or DoIP refused the message), lost (nobody answers any more).",       \
	 ota_outcome_words},                                                                                                               \
	        {"nrc", VALUE_INTEGER, "Negative response code of the last request; 0 when there was none."},                              \
	        {"nack", VALUE_INTEGER, "Code of a DoIP negative acknowledgement; 0 when there was none."},                                \
	        {"pending", VALUE_INTEGER, "How many 0x78 came in all."}
int ota_results_set(struct step_context *, const struct ota_client *) WARN_UNUSED;

/* A request that was not done fails the step (ERROR_DUT), unless the call expects something of nrc, outcome, nack or at. */
int ota_judge(struct ota_client *, const struct step_call *, struct error *err) WARN_UNUSED;

#endif
