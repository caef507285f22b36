/* SPDX-License-Identifier: Apache-2.0 */
/* Freshness: the single counter, and the counters below trip and reset. */
#include "secoc_bits.h"
#include "secoc_private.h"

#include "../faults/fault.h"

/* The attempts for reset values around the latest one, in the order in which they are likely. */
static const int8_t reset_steps[] = {0, -1, 1, -2, 2};

static void add(uint64_t *candidates, unsigned *count, unsigned limit, uint64_t value)
{
	if (*count < limit)
		candidates[(*count)++] = value;
}

/* A counter whose low bits are `low` and that is beyond `last`: 1..2^bits ahead. False: it would wrap. */
static bool complete(uint64_t last, uint64_t low, unsigned low_bits, uint64_t maximum, uint64_t *ret_value)
{
	uint64_t value = (last & ~secoc_mask(low_bits)) | low;

	if (low <= (last & secoc_mask(low_bits))) {
		if (low_bits >= 64 || maximum - value < secoc_mask(low_bits) + 1)
			return false;
		value += secoc_mask(low_bits) + 1;
	}
	*ret_value = value;
	return true;
}

static bool inside_window(const struct secoc_pdu_config *config, uint64_t last, uint64_t value)
{
	return config->acceptance_window == 0 || value - last <= config->acceptance_window;
}

static unsigned counter_candidates(const struct secoc_pdu *pdu, uint64_t received, uint64_t *candidates, unsigned limit)
{
	const struct secoc_pdu_config *config = &pdu->config;
	unsigned bits = config->freshness_sent_bits, count = 0;
	uint64_t last = pdu->freshness, maximum = secoc_mask(config->freshness_bits), value = 0;

	if (fault_active(FAULT_SECOC_REPLAY) && (last & secoc_mask(bits)) >= received)
		add(candidates, &count, ++limit, (last & ~secoc_mask(bits)) | received);
	if (!complete(last, received, bits, maximum, &value))
		return count;
	while (count < limit && inside_window(config, last, value)) {
		add(candidates, &count, limit, value);
		if (bits >= 64 || maximum - value < secoc_mask(bits) + 1)
			break;
		value += secoc_mask(bits) + 1;
	}
	return count;
}

/* The complete value for one (trip, reset): below the last one's nothing, in it the counter goes on, after it the
 * counter begins anew. */
static bool trip_candidate(const struct secoc_pdu *pdu, uint64_t base, uint64_t received, uint64_t *ret_value)
{
	const struct secoc_pdu_config *config = &pdu->config;
	unsigned low_bits = config->freshness_sent_bits - config->flag_bits, below = config->counter_bits + config->flag_bits;
	uint64_t last = pdu->freshness, low = received >> config->flag_bits, counter;
	uint64_t last_counter = last >> config->flag_bits & secoc_mask(config->counter_bits);

	if (base < last >> below)
		return false;
	counter = low;
	if (base == last >> below) {
		if (fault_active(FAULT_SECOC_REPLAY) && low <= (last_counter & secoc_mask(low_bits)))
			counter = (last_counter & ~secoc_mask(low_bits)) | low;
		else if (!complete(last_counter, low, low_bits, secoc_mask(config->counter_bits), &counter))
			return false;
		if (!inside_window(config, last_counter, counter))
			return false;
	}
	*ret_value = base << below | counter << config->flag_bits | (base & secoc_mask(config->flag_bits));
	return true;
}

static unsigned trip_candidates(const struct secoc_pdu *pdu, uint64_t received, uint64_t *candidates, unsigned limit)
{
	const struct secoc_pdu_config *config = &pdu->config;
	const struct secoc_trip *latest = secoc_trip_latest();
	uint64_t flag = received & secoc_mask(config->flag_bits), value;
	unsigned count = 0;

	if (latest->trip == 0)
		return 0;
	for (unsigned i = 0; i < sizeof(reset_steps); i++) {
		int64_t reset = (int64_t)latest->reset + reset_steps[i];

		if (reset < 0 || (uint64_t)reset > secoc_mask(config->reset_bits) ||
		    ((uint64_t)reset & secoc_mask(config->flag_bits)) != flag)
			continue;
		if (trip_candidate(pdu, secoc_trip_base(latest->trip, (uint32_t)reset, config->reset_bits), received, &value))
			add(candidates, &count, limit, value);
	}
	return count;
}

unsigned secoc_candidates(const struct secoc_pdu *pdu, uint64_t received, uint64_t *candidates, unsigned limit)
{
	if (pdu->lost)
		return 0;
	if (pdu->config.freshness == SECOC_TRIP_RESET)
		return trip_candidates(pdu, received, candidates, limit);
	if (pdu->config.freshness_bits == 0) {
		candidates[0] = 0;
		return 1;
	}
	return counter_candidates(pdu, received, candidates, limit);
}

static bool next_of_trip(const struct secoc_pdu *pdu, uint64_t *ret_freshness)
{
	const struct secoc_pdu_config *config = &pdu->config;
	const struct secoc_trip *latest = secoc_trip_latest();
	unsigned below = config->counter_bits + config->flag_bits;
	uint64_t base = secoc_trip_base(latest->trip, latest->reset, config->reset_bits), counter = 0;

	if (latest->trip == 0 || base < pdu->freshness >> below)
		return false;
	if (base == pdu->freshness >> below)
		counter = pdu->freshness >> config->flag_bits & secoc_mask(config->counter_bits);
	if (counter == secoc_mask(config->counter_bits))
		return false;
	*ret_freshness = base << below | (counter + 1) << config->flag_bits | (base & secoc_mask(config->flag_bits));
	return true;
}

bool secoc_next(const struct secoc_pdu *pdu, uint64_t *ret_freshness)
{
	if (pdu->lost)
		return false;
	if (pdu->config.freshness == SECOC_TRIP_RESET)
		return next_of_trip(pdu, ret_freshness);
	*ret_freshness = 0;
	if (pdu->config.freshness_bits == 0)
		return true;
	if (pdu->freshness == secoc_mask(pdu->config.freshness_bits))
		return false;
	*ret_freshness = pdu->freshness + 1;
	return true;
}
