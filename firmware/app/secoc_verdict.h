/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the bench what became of a received PDU: a line on the console, and in a test build a frame on the bus, so
 * that the time from the frame's end to the verdict can be measured there.
 */
#ifndef FIRMWARE_APP_SECOC_VERDICT_H
#define FIRMWARE_APP_SECOC_VERDICT_H

#include "../core/secoc.h"

#define SECOC_VERDICT_ID 0x1FFu

void secoc_verdict_start(void);
/* freshness: the receiver's, after the verdict. */
void secoc_verdict(uint16_t id, enum secoc_result result, uint64_t freshness);
/* Sends verdict frames that found the controller full. */
void secoc_verdict_poll(uint64_t now_us, uint64_t *ret_deadline_us);

#endif
