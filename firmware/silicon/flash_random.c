/* SPDX-License-Identifier: Apache-2.0 */
/* Chance that is always the same for the same seed, and a fast digest of bytes (not against an attacker). */
#include "flash_private.h"

#include <string.h>

#define ODD_1 UINT64_C(0x9E3779B97F4A7C15) /* 2^64 / golden ratio */
#define ODD_2 UINT64_C(0xD6E8FEB86659FD93)
#define LANES 4u

uint64_t flash_mix(uint64_t value)
{
	value = (value ^ value >> 32) * ODD_2;
	value = (value ^ value >> 29) * ODD_1;
	return value ^ value >> 32;
}

uint64_t flash_random(uint64_t *state)
{
	*state += ODD_1;
	return flash_mix(*state);
}

static uint64_t step(uint64_t lane, uint64_t word)
{
	lane = (lane ^ word) * ODD_2;
	return lane << 31 | lane >> 33;
}

/* Lanes of their own, so that the multiplications overlap. */
uint64_t flash_digest(uint64_t seed, const void *bytes, size_t length)
{
	const uint8_t *p = bytes;
	uint64_t a = seed, b = seed ^ ODD_1, c = seed + ODD_1, d = seed ^ length, words[LANES];
	const uint64_t total = length;
	for (; length >= sizeof words; p += sizeof words, length -= sizeof words) {
		memcpy(words, p, sizeof words);
		a = step(a, words[0]);
		b = step(b, words[1]);
		c = step(c, words[2]);
		d = step(d, words[3]);
	}
	memset(words, 0, sizeof words);
	memcpy(words, p, length);
	uint64_t digest = flash_mix(total ^ step(a, words[0]));
	digest = flash_mix(digest ^ step(b, words[1]));
	digest = flash_mix(digest ^ step(c, words[2]));
	return flash_mix(digest ^ step(d, words[3]));
}
