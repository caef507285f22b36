/* SPDX-License-Identifier: Apache-2.0 */
#include "secoc_bits.h"

unsigned secoc_bits_put(uint8_t *buffer, unsigned at, uint64_t value, unsigned bits)
{
	while (bits > 0) {
		unsigned room = 8 - at % 8, count = bits < room ? bits : room;
		uint8_t part = (uint8_t)(value >> (bits - count) & secoc_mask(count));

		buffer[at / 8] |= (uint8_t)(part << (room - count));
		at += count;
		bits -= count;
	}
	return at;
}

uint64_t secoc_bits_get(const uint8_t *buffer, unsigned at, unsigned bits)
{
	uint64_t value = 0;

	while (bits > 0) {
		unsigned room = 8 - at % 8, count = bits < room ? bits : room;

		value = value << count | (buffer[at / 8] >> (room - count) & secoc_mask(count));
		at += count;
		bits -= count;
	}
	return value;
}
