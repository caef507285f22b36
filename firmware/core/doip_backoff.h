/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long to wait before the next attempt: doubled after each failure up to a limit, with random jitter, so that the
 * nodes of a vehicle do not all come back at the same moment.
 */
#ifndef FIRMWARE_CORE_DOIP_BACKOFF_H
#define FIRMWARE_CORE_DOIP_BACKOFF_H

#include <stdint.h>

struct doip_backoff {
	uint32_t first_ms, limit_ms;
	uint8_t failures; /* since the last success */
};

/* After a failure: microseconds to wait, between the half and the whole of min(first * 2^failures, limit). */
uint64_t doip_backoff_failed(struct doip_backoff *backoff);
void doip_backoff_succeeded(struct doip_backoff *backoff);

#endif
