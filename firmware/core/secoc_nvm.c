/* SPDX-License-Identifier: Apache-2.0 */
#include "secoc_nvm.h"

#include "../faults/fault.h"
#include "secoc_bits.h"

#include <string.h>

#define COPY_SIZE 16u /* value 8, sequence 4, checksum 4 */

_Static_assert(2 * COPY_SIZE == SECOC_NVM_RECORD, "a record is two copies");

static uint64_t get(const uint8_t *bytes, unsigned count)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < count; i++)
		value = value << 8 | bytes[i];
	return value;
}

static uint32_t mix(uint32_t sum, uint32_t word)
{
	sum = (sum ^ word) * 0x9E3779B1u;
	return sum ^ sum >> 15;
}

/* Every step is a bijection of the sum, so that a change of one word never goes unseen. Not against forgery: who can
 * write this memory has the key. The constant keeps blank memory of any value from looking valid. */
static uint32_t checksum(uint64_t value, uint32_t sequence)
{
	return mix(mix(mix(0x5EC0Cu, (uint32_t)(value >> 32)), (uint32_t)value), sequence);
}

static void encode(uint8_t copy[COPY_SIZE], uint64_t value, uint32_t sequence)
{
	secoc_put_u64(copy, value);
	secoc_put_u32(copy + 8, sequence);
	secoc_put_u32(copy + 12, checksum(value, sequence));
}

static bool valid(const uint8_t copy[COPY_SIZE])
{
	return get(copy + 12, 4) == checksum(get(copy, 8), (uint32_t)get(copy + 8, 4));
}

static bool erased(const uint8_t copy[COPY_SIZE])
{
	if (copy[0] != 0x00 && copy[0] != 0xFF)
		return false;
	for (unsigned i = 1; i < COPY_SIZE; i++) {
		if (copy[i] != copy[0])
			return false;
	}
	return true;
}

static enum secoc_nvm_load choose(struct secoc_nvm *nvm, uint8_t copies[2][COPY_SIZE], uint64_t *ret_value)
{
	bool first = valid(copies[0]), second = valid(copies[1]);
	uint32_t ahead = (uint32_t)get(copies[1] + 8, 4) - (uint32_t)get(copies[0] + 8, 4);

	if (!first && !second)
		return erased(copies[0]) || erased(copies[1]) ? SECOC_NVM_BLANK : SECOC_NVM_LOST;
	nvm->newest = second && (!first || ahead < UINT32_C(0x80000000)) ? 1 : 0;
	nvm->sequence = (uint32_t)get(copies[nvm->newest] + 8, 4);
	*ret_value = get(copies[nvm->newest], 8);
	return SECOC_NVM_FOUND;
}

enum secoc_nvm_load secoc_nvm_load(struct secoc_nvm *nvm, uint16_t offset, uint64_t *ret_value)
{
	uint8_t copies[2][COPY_SIZE];

	*nvm = (struct secoc_nvm){.offset = offset, .newest = 1};
	*ret_value = 0;
	if (offset == SECOC_NOT_KEPT || fault_active(FAULT_SECOC_VOLATILE))
		return SECOC_NVM_BLANK;
	if (port_nvm_read(offset, copies[0], sizeof(copies)) != PORT_OK)
		return SECOC_NVM_LOST;
	return choose(nvm, copies, ret_value);
}

bool secoc_nvm_store(struct secoc_nvm *nvm, uint64_t value)
{
	uint8_t target = nvm->newest ^ 1u, copy[COPY_SIZE], check[COPY_SIZE];
	uint32_t offset = nvm->offset + (uint32_t)target * COPY_SIZE;

	if (nvm->offset == SECOC_NOT_KEPT || fault_active(FAULT_SECOC_VOLATILE))
		return true;
	encode(copy, value, nvm->sequence + 1);
	if (port_nvm_write(offset, copy, sizeof(copy)) != PORT_OK || port_nvm_read(offset, check, sizeof(check)) != PORT_OK ||
	    memcmp(copy, check, sizeof(copy)) != 0)
		return false;
	nvm->newest = target;
	nvm->sequence++;
	return true;
}
