/* SPDX-License-Identifier: Apache-2.0 */
/* A secured PDU is one bit string, most significant bit first, without gaps. */
#ifndef FIRMWARE_CORE_SECOC_BITS_H
#define FIRMWARE_CORE_SECOC_BITS_H

#include <stdint.h>

/* The low `bits` bits (0..64) set. */
static inline uint64_t secoc_mask(unsigned bits)
{
	return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

/* Big-endian, in a form that compilers turn into one store. */
static inline void secoc_put_u32(uint8_t *bytes, uint32_t value)
{
	bytes[0] = (uint8_t)(value >> 24);
	bytes[1] = (uint8_t)(value >> 16);
	bytes[2] = (uint8_t)(value >> 8);
	bytes[3] = (uint8_t)value;
}

static inline void secoc_put_u64(uint8_t *bytes, uint64_t value)
{
	secoc_put_u32(bytes, (uint32_t)(value >> 32));
	secoc_put_u32(bytes + 4, (uint32_t)value);
}

/* Appends the low `bits` bits of a value at bit `at`; the bytes from there on must be zero. Returns the end. */
unsigned secoc_bits_put(uint8_t *buffer, unsigned at, uint64_t value, unsigned bits);
uint64_t secoc_bits_get(const uint8_t *buffer, unsigned at, unsigned bits);

#endif
