/* SPDX-License-Identifier: Apache-2.0 */
/* The secured PDUs of the end node, as data. */
#ifndef FIRMWARE_APP_SECOC_PDUS_H
#define FIRMWARE_APP_SECOC_PDUS_H

#include "../core/secoc.h"

/* In this order in DID FD40, and the index that DID FD42 wants. */
enum secoc_pdus {
	SECOC_PDU_DEMO,         /* 0x101, received */
	SECOC_PDU_PROFILE_1,    /* 0x110 */
	SECOC_PDU_PROFILE_2,    /* 0x111 */
	SECOC_PDU_PROFILE_3,    /* 0x112 */
	SECOC_PDU_COORDINATION, /* 0x100 */
	SECOC_PDU_SENT,         /* 0x101 (secoc.send_id), our own */
	SECOC_PDUS,
};

#define SECOC_DEMO_BYTES 13u

#define SECOC_SYNC_ID         0x0FFu
#define SECOC_SYNC_MESSAGE_ID 0x0100u
#define SECOC_SYNC_MAC_BITS   24u

struct secoc_pdu_entry {
	uint16_t can_id;
	bool fd_only; /* what fits eight bytes may come in a classic frame too */
	struct secoc_pdu_config config;
};
/* SECOC_PDUS entries; the key is the board's and not in here. */
extern const struct secoc_pdu_entry secoc_pdu_table[SECOC_PDUS];

#endif
