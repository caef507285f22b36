/* SPDX-License-Identifier: Apache-2.0 */
/* Trip and reset counters, and the message that spreads them: Trip | Reset | MAC over message id | Trip | Reset. */
#include "../faults/fault.h"
#include "secoc_bits.h"
#include "secoc_private.h"

#include <string.h>

#define TRIP_BITS       24u
#define RESET_BITS      16u
#define MESSAGE_ID_BITS 16u
#define STORED_BITS     32u /* the reset's part of the stored number */
#define SYNC_MAX        22u /* two counters of 24 bits and a whole MAC */

static struct {
	struct secoc_trip latest;
	struct secoc_nvm nvm;
	bool loaded, lost, has_layout;
} trips;

static void load(void)
{
	uint64_t value;

	if (trips.loaded)
		return;
	trips.lost = secoc_nvm_load(&trips.nvm, SECOC_NVM_BASE, &value) == SECOC_NVM_LOST;
	trips.latest.trip = (uint32_t)(value >> STORED_BITS);
	trips.latest.reset = (uint32_t)value;
	if (!trips.has_layout) {
		trips.latest.trip_bits = TRIP_BITS;
		trips.latest.reset_bits = RESET_BITS;
	}
	trips.loaded = true;
}

void secoc_trip_layout(uint8_t trip_bits, uint8_t reset_bits)
{
	load();
	if (trips.has_layout)
		return;
	trips.has_layout = true;
	trips.latest.trip_bits = trip_bits;
	trips.latest.reset_bits = reset_bits;
}

void secoc_trip_forget(void)
{
	memset(&trips, 0, sizeof(trips));
}

const struct secoc_trip *secoc_trip_latest(void)
{
	load();
	return &trips.latest;
}

void secoc_trip_read(uint32_t *ret_trip, uint32_t *ret_reset)
{
	load();
	*ret_trip = trips.latest.trip;
	*ret_reset = trips.latest.reset;
}

/* After the trip counter began anew the numbers of the trips before are no measure any more. */
static void forget_freshness(void)
{
	for (uint8_t i = 0; i < secoc_pdu_count(); i++) {
		if (secoc_pdu_at(i)->config.freshness == SECOC_TRIP_RESET)
			(void)secoc_set_freshness(i, 0);
	}
}

static bool take(uint32_t trip, uint32_t reset)
{
	bool anew = trip < trips.latest.trip;

	if (!secoc_nvm_store(&trips.nvm, (uint64_t)trip << STORED_BITS | reset))
		return false;
	trips.latest.trip = trip;
	trips.latest.reset = reset;
	trips.lost = false;
	if (anew)
		forget_freshness();
	return true;
}

void secoc_trip_begin(void)
{
	load();
	/* A damaged record: without knowing the last trip none may be begun. */
	if (!trips.lost)
		(void)take(trips.latest.trip == secoc_mask(trips.latest.trip_bits) ? 1 : trips.latest.trip + 1, 1);
}

void secoc_reset_tick(void)
{
	load();
	/* The last value stays: the next trip begins anew. */
	if (trips.latest.trip != 0 && trips.latest.reset < secoc_mask(trips.latest.reset_bits))
		(void)take(trips.latest.trip, trips.latest.reset + 1);
}

/* The data under the MAC; returns its bytes. */
static unsigned authenticate(uint16_t message_id, uint32_t trip, uint32_t reset, uint8_t data[SYNC_MAX])
{
	unsigned end;

	memset(data, 0, SYNC_MAX);
	end = secoc_bits_put(data, 0, message_id, MESSAGE_ID_BITS);
	end = secoc_bits_put(data, end, trip, trips.latest.trip_bits);
	end = secoc_bits_put(data, end, reset, trips.latest.reset_bits);
	return (end + 7) / 8;
}

static bool make_mac(const uint8_t key[16], uint16_t message_id, uint32_t trip, uint32_t reset, uint8_t mac[CMAC_LENGTH])
{
	uint8_t data[SYNC_MAX], handle;

	return cmac_open(key, &handle) == PORT_OK && cmac_make(handle, data, authenticate(message_id, trip, reset, data), mac);
}

/* The newest trip and reset that anything here remembers: with a damaged record, the PDUs do. */
static uint64_t known_base(void)
{
	uint64_t base = secoc_trip_base(trips.latest.trip, trips.latest.reset, trips.latest.reset_bits);

	for (uint8_t i = 0; i < secoc_pdu_count() && trips.lost; i++) {
		const struct secoc_pdu *pdu = secoc_pdu_at(i);

		if (pdu->config.freshness == SECOC_TRIP_RESET &&
		    pdu->freshness >> (pdu->config.counter_bits + pdu->config.flag_bits) > base)
			base = pdu->freshness >> (pdu->config.counter_bits + pdu->config.flag_bits);
	}
	return base;
}

static bool is_newer(uint32_t trip, uint32_t reset)
{
	const struct secoc_trip *latest = &trips.latest;
	uint64_t maximum = secoc_mask(latest->trip_bits);

	if (trip == 0)
		return false;
	if (secoc_trip_base(trip, reset, latest->reset_bits) > known_base())
		return true;
	return !trips.lost && trip <= SECOC_CLEAR_ACCEPTANCE_WINDOW && latest->trip >= maximum - SECOC_CLEAR_ACCEPTANCE_WINDOW;
}

static unsigned sync_length(uint8_t mac_bits)
{
	return (unsigned)(trips.latest.trip_bits + trips.latest.reset_bits + mac_bits + 7) / 8;
}

enum secoc_result secoc_verify_sync(const uint8_t key[16], uint16_t message_id, uint8_t mac_bits, const uint8_t *data, size_t length)
{
	uint8_t mac[CMAC_LENGTH], sent[CMAC_LENGTH] = {0};
	unsigned head, unused;
	uint32_t trip, reset;

	load();
	if (mac_bits == 0 || mac_bits > 8 * CMAC_LENGTH || length != sync_length(mac_bits))
		return SECOC_VERIFICATION_FAILED;
	head = trips.latest.trip_bits + trips.latest.reset_bits;
	trip = (uint32_t)secoc_bits_get(data, 0, trips.latest.trip_bits);
	reset = (uint32_t)secoc_bits_get(data, trips.latest.trip_bits, trips.latest.reset_bits);
	for (unsigned at = 0; at < mac_bits; at += 8) {
		unsigned count = mac_bits - at < 8 ? mac_bits - at : 8;

		secoc_bits_put(sent, at, secoc_bits_get(data, head + at, count), count);
	}
	unused = (unsigned)length * 8 - head - mac_bits;
	if (!make_mac(key, message_id, trip, reset, mac) || !secoc_mac_equal(mac, sent, mac_bits) ||
	    (data[length - 1] & secoc_mask(unused)) != 0)
		return SECOC_VERIFICATION_FAILED;
	return is_newer(trip, reset) && take(trip, reset) ? SECOC_OK : SECOC_FRESHNESS_FAILED;
}

enum port_status secoc_make_sync(const uint8_t key[16], uint16_t message_id, uint8_t mac_bits, uint8_t *data, size_t size,
                                 size_t *ret_length)
{
	uint8_t mac[CMAC_LENGTH];
	unsigned end;

	load();
	if (mac_bits == 0 || mac_bits > 8 * CMAC_LENGTH)
		return PORT_INVALID;
	if (size < sync_length(mac_bits))
		return PORT_FULL;
	if (trips.latest.trip == 0 || !make_mac(key, message_id, trips.latest.trip, trips.latest.reset, mac))
		return PORT_FAILED;
	memset(data, 0, sync_length(mac_bits));
	end = secoc_bits_put(data, 0, trips.latest.trip, trips.latest.trip_bits);
	end = secoc_bits_put(data, end, trips.latest.reset, trips.latest.reset_bits);
	for (unsigned at = 0; at < mac_bits; at += 8) {
		unsigned count = mac_bits - at < 8 ? mac_bits - at : 8;

		end = secoc_bits_put(data, end, secoc_bits_get(mac, at, count), count);
	}
	*ret_length = sync_length(mac_bits);
	return PORT_OK;
}
