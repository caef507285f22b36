/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIRMWARE_CORE_SECOC_PRIVATE_H
#define FIRMWARE_CORE_SECOC_PRIVATE_H

#include "cmac.h"
#include "secoc.h"
#include "secoc_nvm.h"

#define SECOC_MAX_CANDIDATES 5u

struct secoc_pdu {
	struct secoc_pdu_config config;
	struct secoc_nvm nvm;
	uint64_t freshness; /* of the last PDU made or accepted; 0: none yet */
	bool lost;          /* the memory's record is damaged: what came last is not known */
	bool passed;
	uint8_t key;
	bool overridden;
	enum secoc_override code;
	uint16_t limit; /* PDUs left */
	struct secoc_counters counters;
};

/* secoc.c */
uint8_t secoc_pdu_count(void);
struct secoc_pdu *secoc_pdu_at(uint8_t index);
/* In the same time wherever they differ; the first `bits` bits of both. */
bool secoc_mac_equal(const uint8_t *a, const uint8_t *b, unsigned bits);

/* secoc_freshness.c: which complete freshness values a received PDU may mean, the likeliest first, each newer than
 * the last one. Returns their number, at most `limit` (one more with the fault that takes old ones). */
unsigned secoc_candidates(const struct secoc_pdu *pdu, uint64_t received, uint64_t *candidates, unsigned limit);
/* The next freshness to be sent; false: there is none. */
bool secoc_next(const struct secoc_pdu *pdu, uint64_t *ret_freshness);

/* secoc_trip.c */
struct secoc_trip {
	uint32_t trip, reset; /* 0, 0: none known yet */
	uint8_t trip_bits, reset_bits;
};
/* Both as one number that only grows. */
static inline uint64_t secoc_trip_base(uint32_t trip, uint32_t reset, uint8_t reset_bits)
{
	return (uint64_t)trip << reset_bits | reset;
}
const struct secoc_trip *secoc_trip_latest(void);
/* The first PDU of the manager says how long the counters are. */
void secoc_trip_layout(uint8_t trip_bits, uint8_t reset_bits);
void secoc_trip_forget(void);

#endif
