/* SPDX-License-Identifier: Apache-2.0 */
#include "doip_backoff.h"

#include "../port.h"

#define MAX_DOUBLINGS 31u

uint64_t doip_backoff_failed(struct doip_backoff *backoff)
{
	uint64_t whole_us = ((uint64_t)backoff->first_ms << backoff->failures) * 1000;
	uint64_t limit_us = (uint64_t)backoff->limit_ms * 1000;
	uint8_t random[4];
	if (whole_us > limit_us)
		whole_us = limit_us;
	if (backoff->failures < MAX_DOUBLINGS)
		backoff->failures++;
	port_random(random, sizeof random);
	uint64_t value = (uint64_t)random[0] << 24 | (uint64_t)random[1] << 16 | (uint64_t)random[2] << 8 | random[3];
	return whole_us / 2 + value % (whole_us - whole_us / 2 + 1);
}

void doip_backoff_succeeded(struct doip_backoff *backoff)
{
	backoff->failures = 0;
}
