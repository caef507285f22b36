/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the UDS server keeps over a reset: small records in its own part of the non-volatile memory, each with its
 * length and a CRC-32, so that blank or torn memory reads as "absent".
 * Layout: bytes UDS_NVM_BASE .. UDS_NVM_BASE + UDS_NVM_SIZE - 1 belong to the UDS server and its application.
 */
#ifndef FIRMWARE_CORE_UDS_NVM_H
#define FIRMWARE_CORE_UDS_NVM_H

#include "../port.h"

#define UDS_NVM_BASE 2048u
#define UDS_NVM_SIZE 512u

enum uds_nvm_record {
	UDS_NVM_SECURITY, /* failed attempts and whether the delay runs */
	UDS_NVM_VIN,      /* F190 */
	UDS_NVM_SCRATCH,  /* FD10 */
	UDS_NVM_DTC,      /* status bytes */
	UDS_NVM_BOOT,     /* the application's boot counter */
	UDS_NVM_RECORDS,
};

#define UDS_NVM_MAX_LENGTH 64u

/* Reads a record of at most size bytes; false when there is none (then nothing is changed). */
bool uds_nvm_load(enum uds_nvm_record record, uint8_t *buffer, size_t size, size_t *ret_length);
/* Writes and reads back; length 1..UDS_NVM_MAX_LENGTH. False: the memory did not take it. */
bool uds_nvm_store(enum uds_nvm_record record, const uint8_t *data, size_t length);

#endif
