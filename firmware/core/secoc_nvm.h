/* SPDX-License-Identifier: Apache-2.0 */
/* A number that survives a power cut at any moment: two copies, of which the older is overwritten. */
#ifndef FIRMWARE_CORE_SECOC_NVM_H
#define FIRMWARE_CORE_SECOC_NVM_H

#include "secoc.h"

struct secoc_nvm {
	uint16_t offset; /* SECOC_NOT_KEPT: nowhere */
	uint8_t newest;  /* the valid copy, 0 or 1 */
	uint32_t sequence;
};

enum secoc_nvm_load { SECOC_NVM_FOUND, SECOC_NVM_BLANK, SECOC_NVM_LOST };
/* BLANK: never written, or a cut fell into the very first write. LOST: both copies were written and none is valid.
 * *ret_value is 0 unless FOUND. */
enum secoc_nvm_load secoc_nvm_load(struct secoc_nvm *nvm, uint16_t offset, uint64_t *ret_value);
/* True once the value is kept and was read back. False: the value before it still counts. */
bool secoc_nvm_store(struct secoc_nvm *nvm, uint64_t value);

#endif
