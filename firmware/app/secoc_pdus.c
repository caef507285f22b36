/* SPDX-License-Identifier: Apache-2.0 */
#include "secoc_pdus.h"

#define NVM_OF(pdu) (SECOC_NVM_PDUS + (pdu) * SECOC_NVM_RECORD)

/* Data 0..12, low byte of the freshness, high two bytes of the CMAC over data | freshness; no data id. */
#define DEMO_LAYOUT(pdu)                                                                                                                   \
	{.authentic_bytes = SECOC_DEMO_BYTES,                                                                                              \
	 .mac_bytes = SECOC_DEMO_BYTES,                                                                                                    \
	 .freshness_bits = 48,                                                                                                             \
	 .freshness_sent_bits = 8,                                                                                                         \
	 .mac_bits = 16,                                                                                                                   \
	 .attempts = 1,                                                                                                                    \
	 .nvm_offset = NVM_OF(pdu)}

const struct secoc_pdu_entry secoc_pdu_table[SECOC_PDUS] = {
        [SECOC_PDU_DEMO] = {.can_id = 0x101, .fd_only = true, .config = DEMO_LAYOUT(SECOC_PDU_DEMO)},
        [SECOC_PDU_PROFILE_1] = {.can_id = 0x110,
                                 .config = {.data_id = 0x0101,
                                            .data_id_in_mac = true,
                                            .authentic_bytes = 4,
                                            .mac_bytes = 4,
                                            .freshness_bits = 64,
                                            .freshness_sent_bits = 8,
                                            .mac_bits = 24,
                                            .attempts = 1,
                                            .nvm_offset = NVM_OF(SECOC_PDU_PROFILE_1)}},
        [SECOC_PDU_PROFILE_2] = {.can_id = 0x111,
                                 .config = {.data_id = 0x0101,
                                            .data_id_in_mac = true,
                                            .authentic_bytes = 5,
                                            .mac_bytes = 5,
                                            .freshness_bits = 64,
                                            .mac_bits = 24,
                                            .attempts = 1,
                                            .nvm_offset = NVM_OF(SECOC_PDU_PROFILE_2)}},
        [SECOC_PDU_PROFILE_3] = {.can_id = 0x112,
                                 .config = {.data_id = 0x0101,
                                            .data_id_in_mac = true,
                                            .authentic_bytes = 4,
                                            .mac_bytes = 4,
                                            .freshness_bits = 64,
                                            .freshness_sent_bits = 4,
                                            .mac_bits = 28,
                                            .freshness = SECOC_TRIP_RESET,
                                            .trip_bits = 24,
                                            .reset_bits = 16,
                                            .counter_bits = 22,
                                            .flag_bits = 2,
                                            .attempts = 2, /* two bits of the reset fit two values around the latest */
                                            .nvm_offset = NVM_OF(SECOC_PDU_PROFILE_3)}},
        [SECOC_PDU_COORDINATION] = {.can_id = 0x100, .fd_only = true, .config = DEMO_LAYOUT(SECOC_PDU_COORDINATION)},
        [SECOC_PDU_SENT] = {.can_id = 0x101, .fd_only = true, .config = DEMO_LAYOUT(SECOC_PDU_SENT)},
};
