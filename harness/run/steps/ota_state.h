/* SPDX-License-Identifier: Apache-2.0 */
/* What a board reports about its software: FD50, FD51, FD52 and F195 (docs/reference/update.md). */
#ifndef HARNESS_RUN_STEPS_OTA_STATE_H
#define HARNESS_RUN_STEPS_OTA_STATE_H

#include "ota_client.h"

struct ota_state {
	uint8_t state, active, candidate, trial_boots, trial_allowed, last_result;
	uint32_t counter, bookmark, boots;
	uint8_t digest[32], resume_digest[32];
	uint32_t resume;
	char version[64];
};
const char *ota_state_name(uint8_t state); /* "idle", "trial", …; "?" for one that is not defined */
const char *ota_bank_name(uint8_t bank);   /* "A", "B", "none" */

/* FD50 alone; all of them; F195 alone. 0 with client->outcome as of the last request: the values count when it is OTA_DONE. */
int ota_state_read(struct ota_client *, struct ota_state *ret, struct error *err) WARN_UNUSED;
int ota_state_read_all(struct ota_client *, struct ota_state *ret, struct error *err) WARN_UNUSED;
int ota_version_read(struct ota_client *, char *ret, size_t size, struct error *err) WARN_UNUSED;

#endif
