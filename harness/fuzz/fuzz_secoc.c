/* SPDX-License-Identifier: Apache-2.0 */
/* layout | mutation | freshness | bytes: a layout that passes the check makes a PDU that is right exactly when it was not
 * mutated, and any bytes can be judged by any layout. */
#include "../proto/secoc.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define HEAD 24

static void judge(struct secoc_key *key, const struct secoc_layout *layout, const uint8_t *data, size_t size, uint64_t last)
{
	uint64_t candidate = secoc_candidate(layout, data, size, last);

	(void)secoc_sent_freshness(layout, data, size);
	(void)secoc_is_right(key, layout, data, size, candidate);
}

static void round_trip(struct secoc_key *key, const struct secoc_layout *layout, uint64_t freshness, unsigned flip)
{
	const struct secoc_mutation mutation = {.has_flip_bit = true, .flip_bit = flip};
	uint8_t authentic[64] = {1, 2, 3};
	struct bytes pdu = {0};

	if (layout->freshness_bits < 64)
		freshness &= (UINT64_C(1) << layout->freshness_bits) - 1;
	if (secoc_make(key, layout, authentic, freshness, NULL, &pdu) < 0)
		abort();
	if (!secoc_is_right(key, layout, pdu.data, pdu.length, freshness))
		abort();
	bytes_clear(&pdu);
	/* Bits of the payload outside of the MAC may change unseen; those of a full MAC may not. */
	if (secoc_make(key, layout, authentic, freshness, &mutation, &pdu) == 0 && layout->mac_bits >= 64 && layout->mac_from == 0 &&
	    layout->mac_bytes >= layout->authentic_bytes &&
	    flip < layout->authentic_bytes * 8 + layout->freshness_sent_bits + layout->mac_bits &&
	    secoc_is_right(key, layout, pdu.data, pdu.length, freshness))
		abort();
	bytes_free(&pdu);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t bytes[16] = {7};
	struct secoc_layout layout;
	struct secoc_key *key;
	struct error err;
	uint64_t last;

	if (size < HEAD)
		return 0;
	layout = (struct secoc_layout){
	        .data_id = be16_read(data),
	        .data_id_in_mac = data[2] & 1,
	        .authentic_bytes = data[3],
	        .mac_from = data[4],
	        .mac_bytes = data[5],
	        .freshness_bits = data[6],
	        .freshness_sent_bits = data[7],
	        .mac_bits = data[8],
	        .trip_bits = data[9],
	        .reset_bits = data[10],
	        .counter_bits = data[11],
	        .flag_bits = data[12],
	};
	if (secoc_layout_check(&layout, &err) < 0 || secoc_key_new(&key, bytes) < 0)
		return 0;
	last = (uint64_t)be32_read(data + 14) << 32 | be32_read(data + 18);
	(void)secoc_trip_reset(&layout, be32_read(data + 14), be32_read(data + 18), last);
	round_trip(key, &layout, last, be16_read(data + 22));
	judge(key, &layout, data + HEAD, size - HEAD, last);
	secoc_key_free(key);
	return 0;
}
