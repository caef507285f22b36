/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SecOC as the bench speaks it (OpenSSL's CMAC), sans-I/O: makes secured PDUs with the right or any wrong freshness and
 * MAC, and verifies what a device sent. Independent of the firmware. Rules: AUTOSAR SWS SecureOnboardCommunication as
 * summarised in docs/reference/secoc.md.
 */
#ifndef HARNESS_PROTO_SECOC_H
#define HARNESS_PROTO_SECOC_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/bytes.h"

struct secoc_layout {
	uint16_t data_id;
	bool data_id_in_mac;
	unsigned authentic_bytes;
	unsigned mac_from, mac_bytes; /* part of the PDU under the MAC; may reach into the sent freshness (whole bytes of it) */
	unsigned freshness_bits, freshness_sent_bits, mac_bits;
	unsigned trip_bits, reset_bits, counter_bits, flag_bits; /* all 0: single counter */
};
/* "profile1", "profile2", "profile3", "demo", "demo-b": presets; 0 or -EINVAL. authentic_bytes and data_id stay as given
 * (demo and demo-b: 13 where authentic_bytes is 0); the MAC covers all authentic bytes. */
int secoc_layout_preset(const char *name, struct secoc_layout *);
int secoc_layout_check(const struct secoc_layout *, struct error *) WARN_UNUSED;

struct secoc_key; /* a CMAC context that is reused; opaque */
int secoc_key_new(struct secoc_key **ret, const uint8_t key[16]) WARN_UNUSED;
void secoc_key_free(struct secoc_key *);
int secoc_cmac(struct secoc_key *, const void *data, size_t length, uint8_t mac[16]) WARN_UNUSED;

/* What is made wrong; zero-initialised = right. */
struct secoc_mutation {
	bool has_flip_bit;
	unsigned flip_bit;  /* bit number of the whole PDU, from 0, MSB first */
	const uint8_t *mac; /* 16 bytes sent in place of the CMAC */
	unsigned mac_bits_right;
	bool has_mac_bits_right; /* first n bits right, the rest inverted */
	bool zero_mac, ones_mac, random_mac;
	bool little_endian_freshness, without_data_id;
	bool has_data_id;
	uint16_t data_id;
	uint64_t seed; /* of random_mac */
};
/* Secured PDU = authentic | low freshness bits | high MAC bits, one MSB-first bit string. 0, -EINVAL, -ENOMEM. */
int secoc_make(struct secoc_key *, const struct secoc_layout *, const uint8_t *authentic, uint64_t freshness, const struct secoc_mutation *,
               struct bytes *ret) WARN_UNUSED;
/* Whether a PDU is right for this complete freshness. */
bool secoc_is_right(struct secoc_key *, const struct secoc_layout *, const uint8_t *pdu, size_t length, uint64_t freshness);
/* The freshness a receiver with `last` would try for this PDU (single counter rule). */
uint64_t secoc_candidate(const struct secoc_layout *, const uint8_t *pdu, size_t length, uint64_t last);
uint64_t secoc_sent_freshness(const struct secoc_layout *, const uint8_t *pdu, size_t length);
/* Trip/reset freshness value from its parts (ISO order of the layout) and back. */
uint64_t secoc_trip_reset(const struct secoc_layout *, uint32_t trip, uint32_t reset, uint64_t counter);
/* Sync message Trip | Reset | MAC over message id | Trip | Reset. */
int secoc_make_sync(struct secoc_key *, uint16_t message_id, unsigned trip_bits, unsigned reset_bits, unsigned mac_bits, uint32_t trip,
                    uint32_t reset, struct bytes *ret) WARN_UNUSED;

/* Clopper-Pearson interval of k of n at confidence (0.95), by bisection of the regularised incomplete beta function. */
void secoc_interval(uint64_t k, uint64_t n, double confidence, double *ret_low, double *ret_high);

#endif
