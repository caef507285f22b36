/* SPDX-License-Identifier: Apache-2.0 */
#include "secoc.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define PDU_MAX   64u
#define MAC_BYTES 16u

struct secoc_key {
	EVP_MAC_CTX *context;
};

/* ---- layouts ----------------------------------------------------------------------------------------------- */

int secoc_layout_preset(const char *name, struct secoc_layout *layout)
{
	static const struct {
		const char *name;
		struct secoc_layout layout;
	} presets[] = {
	        {"profile1", {.data_id_in_mac = true, .freshness_bits = 64, .freshness_sent_bits = 8, .mac_bits = 24}},
	        {"profile2", {.data_id_in_mac = true, .freshness_bits = 64, .freshness_sent_bits = 0, .mac_bits = 24}},
	        {"profile3",
	         {.data_id_in_mac = true,
	          .freshness_bits = 64,
	          .freshness_sent_bits = 4,
	          .mac_bits = 28,
	          .trip_bits = 24,
	          .reset_bits = 16,
	          .counter_bits = 22,
	          .flag_bits = 2}},
	        {"demo", {.freshness_bits = 48, .freshness_sent_bits = 8, .mac_bits = 16, .authentic_bytes = 13}},
	        {"demo-b", {.freshness_bits = 48, .freshness_sent_bits = 8, .mac_bits = 16, .authentic_bytes = 13, .mac_bytes = 1}},
	};

	for (unsigned i = 0; i < sizeof(presets) / sizeof(*presets); i++) {
		struct secoc_layout preset = presets[i].layout;

		if (strcmp(presets[i].name, name) != 0)
			continue;
		preset.data_id = layout->data_id;
		if (layout->authentic_bytes)
			preset.authentic_bytes = layout->authentic_bytes;
		preset.mac_bytes += preset.authentic_bytes; /* reading B: the freshness byte too */
		*layout = preset;
		return 0;
	}
	return -EINVAL;
}

static unsigned pdu_bits(const struct secoc_layout *layout)
{
	return layout->authentic_bytes * 8 + layout->freshness_sent_bits + layout->mac_bits;
}

static unsigned pdu_bytes(const struct secoc_layout *layout)
{
	return (pdu_bits(layout) + 7) / 8;
}

int secoc_layout_check(const struct secoc_layout *layout, struct error *err)
{
	unsigned parts = layout->trip_bits + layout->reset_bits + layout->counter_bits + layout->flag_bits;

	if (layout->freshness_bits > 64 || layout->freshness_sent_bits > layout->freshness_bits)
		return error_set(err, ERROR_USAGE, EINVAL, "a freshness value has at most 64 bits, and no more are sent than it has");
	if (layout->mac_bits > MAC_BYTES * 8 || layout->mac_bits == 0)
		return error_set(err, ERROR_USAGE, EINVAL, "a MAC has 1 to 128 bits");
	if (layout->authentic_bytes > PDU_MAX || pdu_bytes(layout) > PDU_MAX)
		return error_set(err, ERROR_USAGE, EINVAL, "the secured PDU is longer than %u bytes", PDU_MAX);
	if (layout->mac_from + layout->mac_bytes > layout->authentic_bytes + layout->freshness_sent_bits / 8)
		return error_set(err, ERROR_USAGE, EINVAL, "the part under the MAC lies outside of the authentic PDU");
	if (parts && (parts != layout->freshness_bits || layout->trip_bits > 24 || layout->reset_bits > 24 || layout->counter_bits > 48 ||
	              layout->flag_bits > 2 || layout->flag_bits > layout->reset_bits))
		return error_set(err, ERROR_USAGE, EINVAL,
		                 "trip (<= 24), reset (<= 24), counter (<= 48) and flag (<= 2) bits must sum up to the freshness bits");
	return 0;
}

/* ---- bit strings, MSB first ------------------------------------------------------------------------------- */

static void bit_put(uint8_t *string, unsigned at, bool bit)
{
	uint8_t mask = (uint8_t)(0x80u >> at % 8);

	string[at / 8] = (uint8_t)(bit ? string[at / 8] | mask : string[at / 8] & ~mask);
}

static bool bit_get(const uint8_t *string, unsigned at)
{
	return string[at / 8] >> (7 - at % 8) & 1;
}

/* The low `bits` bits of a number at a place of the string. Whole bytes are what nearly every layout has. */
static void number_put(uint8_t *string, unsigned at, uint64_t number, unsigned bits)
{
	if (at % 8 == 0 && bits % 8 == 0) {
		for (uint8_t *byte = string + (at + bits) / 8; bits > 0; bits -= 8, number >>= 8)
			*--byte = (uint8_t)number;
		return;
	}
	for (unsigned i = 0; i < bits; i++)
		bit_put(string, at + i, number >> (bits - 1 - i) & 1);
}

static uint64_t number_get(const uint8_t *string, unsigned at, unsigned bits)
{
	uint64_t number = 0;

	if (at % 8 == 0 && bits % 8 == 0) {
		for (const uint8_t *byte = string + at / 8, *end = byte + bits / 8; byte < end; byte++)
			number = number << 8 | *byte;
		return number;
	}
	for (unsigned i = 0; i < bits; i++)
		number = number << 1 | bit_get(string, at + i);
	return number;
}

static uint64_t low_mask(unsigned bits)
{
	return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

/* The high `bits` bits of a MAC. */
static void mac_put(uint8_t *string, unsigned at, const uint8_t *mac, unsigned bits)
{
	if (at % 8 == 0 && bits % 8 == 0) {
		memcpy(string + at / 8, mac, bits / 8);
		return;
	}
	for (unsigned i = 0; i < bits; i++)
		bit_put(string, at + i, bit_get(mac, i));
}

static bool mac_is(const uint8_t *string, unsigned at, const uint8_t *mac, unsigned bits)
{
	if (at % 8 == 0 && bits % 8 == 0)
		return memcmp(string + at / 8, mac, bits / 8) == 0;
	for (unsigned i = 0; i < bits; i++)
		if (bit_get(string, at + i) != bit_get(mac, i))
			return false;
	return true;
}

/* ---- CMAC -------------------------------------------------------------------------------------------------- */

int secoc_key_new(struct secoc_key **ret, const uint8_t key[16])
{
	char cipher[] = "AES-128-CBC";
	OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0), OSSL_PARAM_construct_end()};
	struct secoc_key *new_key = calloc(1, sizeof(*new_key));
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);

	if (new_key && mac)
		new_key->context = EVP_MAC_CTX_new(mac);
	EVP_MAC_free(mac);
	if (!new_key || !new_key->context || !EVP_MAC_init(new_key->context, key, 16, parameters)) {
		secoc_key_free(new_key);
		return -ENOMEM;
	}
	*ret = new_key;
	return 0;
}

void secoc_key_free(struct secoc_key *key)
{
	if (!key)
		return;
	EVP_MAC_CTX_free(key->context);
	free(key);
}

int secoc_cmac(struct secoc_key *key, const void *data, size_t length, uint8_t mac[16])
{
	size_t written;

	/* Without a key: the key schedule stays, only the state begins anew. That is most of the speed. */
	if (!EVP_MAC_init(key->context, NULL, 0, NULL) || !EVP_MAC_update(key->context, data, length) ||
	    !EVP_MAC_final(key->context, mac, &written, MAC_BYTES) || written != MAC_BYTES)
		return -EIO;
	return 0;
}

/* ---- making ------------------------------------------------------------------------------------------------ */

static void reverse(uint8_t *bytes, unsigned length)
{
	for (unsigned i = 0; i < length / 2; i++) {
		uint8_t kept = bytes[i];

		bytes[i] = bytes[length - 1 - i];
		bytes[length - 1 - i] = kept;
	}
}

/* DataToAuthenticator: data id | secured part | complete freshness, left-aligned. AUTOSAR SWS
 * SecureOnboardCommunication, "Data covered by Authenticator". */
static int mac_of_pdu(struct secoc_key *key, const struct secoc_layout *layout, const uint8_t *pdu, uint64_t freshness,
                      const struct secoc_mutation *mutation, uint8_t mac[16])
{
	uint8_t input[2 + PDU_MAX + 8];
	unsigned length = 0, freshness_length = (layout->freshness_bits + 7) / 8;

	if (layout->data_id_in_mac && !(mutation && mutation->without_data_id)) {
		be16_write(input, mutation && mutation->has_data_id ? mutation->data_id : layout->data_id);
		length = 2;
	}
	memcpy(input + length, pdu + layout->mac_from, layout->mac_bytes);
	length += layout->mac_bytes;
	memset(input + length, 0, freshness_length);
	number_put(input + length, 0, freshness, layout->freshness_bits);
	if (mutation && mutation->little_endian_freshness)
		reverse(input + length, freshness_length);
	return secoc_cmac(key, input, length + freshness_length, mac);
}

/* splitmix64: a good spread of a counter that a case can reproduce from its seed. */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void mac_mutate(const struct secoc_mutation *mutation, uint8_t mac[16])
{
	uint64_t state = mutation->seed;

	if (mutation->mac)
		memcpy(mac, mutation->mac, MAC_BYTES);
	for (unsigned i = mutation->mac_bits_right; mutation->has_mac_bits_right && i < MAC_BYTES * 8; i++)
		bit_put(mac, i, !bit_get(mac, i));
	if (mutation->zero_mac)
		memset(mac, 0, MAC_BYTES);
	if (mutation->ones_mac)
		memset(mac, 0xff, MAC_BYTES);
	for (unsigned i = 0; mutation->random_mac && i < MAC_BYTES; i += 8)
		number_put(mac, i * 8, random_next(&state), 64);
}

int secoc_make(struct secoc_key *key, const struct secoc_layout *layout, const uint8_t *authentic, uint64_t freshness,
               const struct secoc_mutation *mutation, struct bytes *ret)
{
	uint8_t pdu[PDU_MAX] = {0}, mac[MAC_BYTES];
	unsigned at = layout->authentic_bytes * 8, length = pdu_bytes(layout);
	int r = secoc_layout_check(layout, NULL);

	if (r < 0 || (mutation && mutation->has_flip_bit && mutation->flip_bit >= length * 8))
		return -EINVAL;
	memcpy(pdu, authentic, layout->authentic_bytes);
	number_put(pdu, at, freshness, layout->freshness_sent_bits);
	r = mac_of_pdu(key, layout, pdu, freshness, mutation, mac);
	if (r < 0)
		return -ENOMEM;
	if (mutation)
		mac_mutate(mutation, mac);
	at += layout->freshness_sent_bits;
	mac_put(pdu, at, mac, layout->mac_bits);
	if (mutation && mutation->has_flip_bit)
		bit_put(pdu, mutation->flip_bit, !bit_get(pdu, mutation->flip_bit));
	return bytes_append(ret, pdu, length);
}

/* ---- judging ----------------------------------------------------------------------------------------------- */

bool secoc_is_right(struct secoc_key *key, const struct secoc_layout *layout, const uint8_t *pdu, size_t length, uint64_t freshness)
{
	unsigned at = layout->authentic_bytes * 8;
	uint8_t mac[MAC_BYTES];

	if (secoc_layout_check(layout, NULL) < 0 || length != pdu_bytes(layout))
		return false;
	if (number_get(pdu, at, layout->freshness_sent_bits) != (freshness & low_mask(layout->freshness_sent_bits)))
		return false;
	if (mac_of_pdu(key, layout, pdu, freshness, NULL, mac) < 0)
		return false;
	at += layout->freshness_sent_bits;
	return mac_is(pdu, at, mac, layout->mac_bits);
}

uint64_t secoc_sent_freshness(const struct secoc_layout *layout, const uint8_t *pdu, size_t length)
{
	return length < pdu_bytes(layout) ? 0 : number_get(pdu, layout->authentic_bytes * 8, layout->freshness_sent_bits);
}

uint64_t secoc_candidate(const struct secoc_layout *layout, const uint8_t *pdu, size_t length, uint64_t last)
{
	unsigned bits = layout->freshness_sent_bits;
	uint64_t sent = secoc_sent_freshness(layout, pdu, length), upper;

	if (bits == 0)
		return (last + 1) & low_mask(layout->freshness_bits);
	if (bits >= 64)
		return sent;
	upper = last >> bits;
	if (sent <= (last & low_mask(bits)))
		upper++;
	return (upper << bits | sent) & low_mask(layout->freshness_bits);
}

uint64_t secoc_trip_reset(const struct secoc_layout *layout, uint32_t trip, uint32_t reset, uint64_t counter)
{
	uint64_t value = trip & low_mask(layout->trip_bits);

	value = value << layout->reset_bits | (reset & low_mask(layout->reset_bits));
	value = value << layout->counter_bits | (counter & low_mask(layout->counter_bits));
	return value << layout->flag_bits | (reset & low_mask(layout->flag_bits));
}

int secoc_make_sync(struct secoc_key *key, uint16_t message_id, unsigned trip_bits, unsigned reset_bits, unsigned mac_bits, uint32_t trip,
                    uint32_t reset, struct bytes *ret)
{
	uint8_t input[2 + 8] = {0}, pdu[2 * MAC_BYTES] = {0}, mac[MAC_BYTES];
	unsigned bits = trip_bits + reset_bits;

	if (trip_bits > 24 || reset_bits > 24 || mac_bits == 0 || mac_bits > MAC_BYTES * 8)
		return -EINVAL;
	be16_write(input, message_id);
	number_put(input + 2, 0, trip, trip_bits);
	number_put(input + 2, trip_bits, reset, reset_bits);
	if (secoc_cmac(key, input, 2 + (bits + 7) / 8, mac) < 0)
		return -ENOMEM;
	memcpy(pdu, input + 2, (bits + 7) / 8);
	for (unsigned i = 0; i < mac_bits; i++)
		bit_put(pdu, bits + i, bit_get(mac, i));
	return bytes_append(ret, pdu, (bits + mac_bits + 7) / 8);
}
