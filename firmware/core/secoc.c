/* SPDX-License-Identifier: Apache-2.0 */
#include "secoc.h"

#include "../faults/fault.h"
#include "secoc_bits.h"
#include "secoc_private.h"

#include <string.h>

#define DATA_ID_BYTES 2u
#define INPUT_SIZE    (DATA_ID_BYTES + SECOC_MAX_BYTES + 8u)
#define MIN_MAC_BITS  8u

static struct secoc_pdu pdus[SECOC_MAX_PDUS];
static uint8_t pdu_count;

/* ---- set-up ------------------------------------------------------------------------------------------------- */

static unsigned secured_length(const struct secoc_pdu_config *config)
{
	return config->authentic_bytes + (config->freshness_sent_bits + config->mac_bits + 7u) / 8u;
}

static bool trip_possible(const struct secoc_pdu_config *config)
{
	unsigned sum = (unsigned)config->trip_bits + config->reset_bits + config->counter_bits + config->flag_bits;

	/* SWS limits of the trip/reset manager. */
	return sum == config->freshness_bits && config->trip_bits >= 1 && config->trip_bits <= 24 && config->reset_bits >= 1 &&
	       config->reset_bits <= 24 && config->counter_bits >= 1 && config->counter_bits <= 48 && config->flag_bits <= 2 &&
	       config->freshness_sent_bits >= config->flag_bits && config->freshness_sent_bits <= config->counter_bits + config->flag_bits;
}

static bool possible(const struct secoc_pdu_config *config)
{
	if (config->freshness_bits > 64 || config->freshness_sent_bits > config->freshness_bits || config->attempts == 0)
		return false;
	if (config->mac_bits < MIN_MAC_BITS || config->mac_bits > 8 * CMAC_LENGTH || secured_length(config) > SECOC_MAX_BYTES)
		return false;
	if (config->mac_from + config->mac_bytes > config->authentic_bytes + config->freshness_sent_bits / 8)
		return false;
	if (config->nvm_offset != SECOC_NOT_KEPT &&
	    (config->nvm_offset < SECOC_NVM_PDUS || config->nvm_offset > SECOC_NVM_BASE + SECOC_NVM_SIZE - SECOC_NVM_RECORD))
		return false;
	return config->freshness != SECOC_TRIP_RESET || trip_possible(config);
}

enum port_status secoc_open(const struct secoc_pdu_config *config, uint8_t *ret_pdu)
{
	struct secoc_pdu *pdu = &pdus[pdu_count];
	enum port_status status;
	uint8_t key;

	if (!possible(config))
		return PORT_INVALID;
	if (pdu_count == SECOC_MAX_PDUS)
		return PORT_FULL;
	status = cmac_open(config->key, &key);
	if (status != PORT_OK)
		return status;
	memset(pdu, 0, sizeof(*pdu));
	pdu->config = *config;
	pdu->key = key;
	pdu->lost = secoc_nvm_load(&pdu->nvm, config->nvm_offset, &pdu->freshness) == SECOC_NVM_LOST;
	/* Of another layout: more than this one can count. */
	pdu->lost |= pdu->freshness > secoc_mask(config->freshness_bits);
	if (config->freshness == SECOC_TRIP_RESET)
		secoc_trip_layout(config->trip_bits, config->reset_bits);
	*ret_pdu = pdu_count++;
	return PORT_OK;
}

void secoc_reset(void)
{
	memset(pdus, 0, sizeof(pdus));
	pdu_count = 0;
	secoc_trip_forget();
	cmac_close_all();
}

uint8_t secoc_pdu_count(void)
{
	return pdu_count;
}

struct secoc_pdu *secoc_pdu_at(uint8_t index)
{
	return &pdus[index];
}

void secoc_counters_read(uint8_t index, struct secoc_counters *ret)
{
	*ret = pdus[index].counters;
	ret->freshness = pdus[index].freshness;
}

/* ---- the MAC ------------------------------------------------------------------------------------------------ */

/* Big-endian and left-aligned; writes eight bytes, of which as many count as the freshness needs. */
static void put_freshness(const struct secoc_pdu_config *config, uint64_t freshness, uint8_t *input, unsigned bytes)
{
	secoc_put_u64(input, config->freshness_bits == 0 ? 0 : freshness << (64 - config->freshness_bits));
	if (!fault_active(FAULT_SECOC_LITTLE_ENDIAN))
		return;
	for (unsigned i = 0; i < bytes / 2; i++) {
		uint8_t byte = input[i];

		input[i] = input[bytes - 1 - i];
		input[bytes - 1 - i] = byte;
	}
}

/* CMAC over data id | secured part | complete freshness. */
static bool make_mac(const struct secoc_pdu *pdu, const uint8_t *secured, uint64_t freshness, uint8_t mac[CMAC_LENGTH])
{
	const struct secoc_pdu_config *config = &pdu->config;
	uint8_t input[INPUT_SIZE];
	unsigned length = 0, freshness_bytes = (config->freshness_bits + 7u) / 8u;

	if (config->data_id_in_mac && !fault_active(FAULT_SECOC_NO_DATA_ID)) {
		input[length++] = (uint8_t)(config->data_id >> 8);
		input[length++] = (uint8_t)config->data_id;
	}
	memcpy(input + length, secured + config->mac_from, config->mac_bytes);
	length += config->mac_bytes;
	put_freshness(config, freshness, input + length, freshness_bytes);
	return cmac_make(pdu->key, input, length + freshness_bytes, mac);
}

bool secoc_mac_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	volatile uint8_t difference = 0; /* so that no compiler leaves the loop early */
	unsigned bytes = fault_active(FAULT_SECOC_ONE_BYTE) ? 1 : bits / 8;

	for (unsigned i = 0; i < bytes; i++)
		difference |= (uint8_t)(a[i] ^ b[i]);
	if (bits % 8 != 0 && bytes == bits / 8)
		difference |= (uint8_t)((a[bytes] ^ b[bytes]) >> (8 - bits % 8));
	return difference == 0;
}

/* Moves the bits of a MAC between its own bytes and the end of a PDU; returns the first bit behind it. */
static unsigned put_mac(uint8_t *secured, unsigned at, const uint8_t *mac, unsigned bits)
{
	if (at % 8 == 0) {
		memcpy(secured + at / 8, mac, bits / 8);
		at += bits / 8 * 8;
		mac += bits / 8;
		bits %= 8;
	}
	for (; bits >= 8; bits -= 8)
		at = secoc_bits_put(secured, at, *mac++, 8);
	return bits == 0 ? at : secoc_bits_put(secured, at, *mac >> (8 - bits), bits);
}

static void get_mac(const uint8_t *secured, unsigned at, uint8_t *mac, unsigned bits)
{
	if (at % 8 == 0) {
		memcpy(mac, secured + at / 8, bits / 8);
		at += bits / 8 * 8;
		mac += bits / 8;
		bits %= 8;
	}
	for (; bits >= 8; bits -= 8, at += 8)
		*mac++ = (uint8_t)secoc_bits_get(secured, at, 8);
	if (bits > 0)
		*mac = (uint8_t)(secoc_bits_get(secured, at, bits) << (8 - bits));
}

/* ---- sender ------------------------------------------------------------------------------------------------- */

static bool keep(struct secoc_pdu *pdu, uint64_t freshness)
{
	if (pdu->config.freshness_bits != 0 && !secoc_nvm_store(&pdu->nvm, freshness))
		return false;
	pdu->freshness = freshness;
	return true;
}

static enum port_status build(struct secoc_pdu *pdu, const uint8_t *authentic, uint8_t *secured)
{
	const struct secoc_pdu_config *config = &pdu->config;
	unsigned at = config->authentic_bytes * 8u;
	uint8_t mac[CMAC_LENGTH];
	uint64_t freshness;

	if (!secoc_next(pdu, &freshness))
		return PORT_FAILED;
	memset(secured + config->authentic_bytes, 0, secured_length(config) - config->authentic_bytes);
	memcpy(secured, authentic, config->authentic_bytes);
	at = secoc_bits_put(secured, at, freshness & secoc_mask(config->freshness_sent_bits), config->freshness_sent_bits);
	if (!make_mac(pdu, secured, freshness, mac))
		return PORT_FAILED;
	put_mac(secured, at, mac, config->mac_bits);
	/* Kept before it can be heard: no freshness is ever used twice. */
	return keep(pdu, freshness) ? PORT_OK : PORT_FAILED;
}

enum port_status secoc_make(uint8_t index, const uint8_t *authentic, uint8_t *secured, size_t size, size_t *ret_length)
{
	struct secoc_pdu *pdu = &pdus[index];
	enum port_status status;

	if (index >= pdu_count)
		return PORT_INVALID;
	if (size < secured_length(&pdu->config))
		return PORT_FULL;
	status = build(pdu, authentic, secured);
	pdu->counters.last = status == PORT_OK ? SECOC_OK : SECOC_BUILD_FAILED;
	pdu->counters.by_result[pdu->counters.last]++;
	if (status != PORT_OK)
		return status;
	pdu->counters.sent++;
	*ret_length = secured_length(&pdu->config);
	return PORT_OK;
}

/* ---- receiver ----------------------------------------------------------------------------------------------- */

/* The planted defect of a receiver that cannot carry into the bits which are not sent. */
static void crash_at_wrap(const struct secoc_pdu *pdu, uint64_t freshness)
{
	unsigned bits = pdu->config.freshness_sent_bits;

	if (fault_active(FAULT_SECOC_WRAP_CRASH) && bits < 64 && freshness >> bits != pdu->freshness >> bits)
		__builtin_trap();
}

/* A PDU must have its length, and nothing in the bits behind the MAC. */
static bool well_formed(const struct secoc_pdu_config *config, const uint8_t *secured, size_t length)
{
	unsigned unused = secured_length(config) * 8 - config->authentic_bytes * 8u - config->freshness_sent_bits - config->mac_bits;

	return length == secured_length(config) && (secured[length - 1] & secoc_mask(unused)) == 0;
}

static enum secoc_result check(struct secoc_pdu *pdu, const uint8_t *secured, size_t length)
{
	const struct secoc_pdu_config *config = &pdu->config;
	uint64_t candidates[SECOC_MAX_CANDIDATES + 1], received;
	uint8_t sent[CMAC_LENGTH] = {0}, mac[CMAC_LENGTH];
	unsigned count, limit = config->attempts < SECOC_MAX_CANDIDATES ? config->attempts : SECOC_MAX_CANDIDATES;

	if (!well_formed(config, secured, length))
		return SECOC_VERIFICATION_FAILED;
	received = secoc_bits_get(secured, config->authentic_bytes * 8u, config->freshness_sent_bits);
	count = secoc_candidates(pdu, received, candidates, limit);
	if (count == 0)
		return SECOC_FRESHNESS_FAILED;
	get_mac(secured, config->authentic_bytes * 8u + config->freshness_sent_bits, sent, config->mac_bits);
	for (unsigned i = 0; i < count; i++) {
		if (!make_mac(pdu, secured, candidates[i], mac) || !secoc_mac_equal(mac, sent, config->mac_bits))
			continue;
		crash_at_wrap(pdu, candidates[i]);
		/* A freshness that cannot be kept could be replayed after a power cut: refused. */
		return keep(pdu, candidates[i]) ? SECOC_OK : SECOC_FRESHNESS_FAILED;
	}
	if (fault_active(FAULT_SECOC_ADVANCE))
		(void)keep(pdu, candidates[0]);
	return SECOC_VERIFICATION_FAILED;
}

static bool is_limited(enum secoc_override code)
{
	return code == SECOC_DROP_UNTIL_LIMIT || code == SECOC_SKIP_UNTIL_LIMIT || code == SECOC_PASS_UNTIL_LIMIT;
}

static enum secoc_result check_overridden(struct secoc_pdu *pdu, const uint8_t *secured, size_t length)
{
	enum secoc_override code = pdu->code;
	enum secoc_result result;

	if (is_limited(code) && --pdu->limit == 0)
		pdu->overridden = false;
	if (code != SECOC_PASS_UNTIL_NOTICE && code != SECOC_PASS_UNTIL_LIMIT) {
		pdu->passed = code == SECOC_SKIP_UNTIL_LIMIT || code == SECOC_SKIP_UNTIL_NOTICE;
		return SECOC_NOT_VERIFIED;
	}
	pdu->passed = true;
	result = check(pdu, secured, length);
	return result == SECOC_OK ? SECOC_OK : SECOC_FAILURE_OVERWRITTEN;
}

static enum secoc_result count(struct secoc_pdu *pdu, enum secoc_result result)
{
	if (pdu->passed)
		pdu->counters.accepted++;
	else
		pdu->counters.rejected++;
	pdu->counters.by_result[result]++;
	pdu->counters.last = result;
	return result;
}

enum secoc_result secoc_verify(uint8_t index, const uint8_t *secured, size_t length)
{
	struct secoc_pdu *pdu = &pdus[index];
	enum secoc_result result;

	if (index >= pdu_count)
		return SECOC_VERIFICATION_FAILED;
	if (pdu->overridden) {
		result = check_overridden(pdu, secured, length);
	} else {
		result = check(pdu, secured, length);
		pdu->passed = result == SECOC_OK;
	}
	return count(pdu, result);
}

enum secoc_result secoc_refuse(uint8_t index)
{
	if (index >= pdu_count)
		return SECOC_FRESHNESS_FAILED;
	pdus[index].passed = false;
	return count(&pdus[index], SECOC_FRESHNESS_FAILED);
}

bool secoc_passed(uint8_t index)
{
	return index < pdu_count && pdus[index].passed;
}

enum port_status secoc_override(uint8_t index, enum secoc_override code, uint16_t limit)
{
	bool known = code <= SECOC_OVERRIDE_CANCEL || (code >= SECOC_PASS_UNTIL_NOTICE && code <= SECOC_SKIP_UNTIL_NOTICE);

	if (index >= pdu_count || !known || (is_limited(code) && limit == 0))
		return PORT_INVALID;
	pdus[index].overridden = code != SECOC_OVERRIDE_CANCEL;
	pdus[index].code = code;
	pdus[index].limit = limit;
	return PORT_OK;
}

enum port_status secoc_set_freshness(uint8_t index, uint64_t freshness)
{
	struct secoc_pdu *pdu = &pdus[index];

	if (index >= pdu_count || freshness > secoc_mask(pdu->config.freshness_bits))
		return PORT_INVALID;
	if (!keep(pdu, freshness))
		return PORT_FAILED;
	pdu->lost = false;
	return PORT_OK;
}
