/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AUTOSAR SecOC on the target: secured I-PDUs with freshness and AES-CMAC, sender and receiver. Layouts are data, in
 * bits, so that profiles 1..3 and free layouts are configurations. AES-CMAC by mbedTLS.
 * Source: AUTOSAR SWS SecureOnboardCommunication, R22-11 as summarised in docs/reference/secoc.md.
 */
#ifndef FIRMWARE_CORE_SECOC_H
#define FIRMWARE_CORE_SECOC_H

#include "../port.h"

#define SECOC_MAX_PDUS  8u
#define SECOC_MAX_BYTES 64u /* of a secured PDU */

/* Non-volatile memory: a record is two copies, each with a sequence number and a checksum; the newest valid one counts,
 * and the other one is overwritten. The trip and reset counters have the first record, PDUs those after it. */
#define SECOC_NVM_BASE   1024u
#define SECOC_NVM_SIZE   1024u
#define SECOC_NVM_RECORD 32u
#define SECOC_NVM_PDUS   (SECOC_NVM_BASE + SECOC_NVM_RECORD)
#define SECOC_NOT_KEPT   0xFFFFu

/* The trip counter may begin anew at 1 when no more than so many trips were left, and by no more than so many. */
#define SECOC_CLEAR_ACCEPTANCE_WINDOW 5u

enum secoc_freshness_kind { SECOC_COUNTER, SECOC_TRIP_RESET };

struct secoc_pdu_config {
	uint16_t data_id;
	bool data_id_in_mac;     /* demo layout: false */
	uint8_t authentic_bytes; /* length of the authentic I-PDU */
	uint8_t mac_from,
	        mac_bytes; /* part of the authentic I-PDU under the MAC (normally 0, authentic_bytes); may go on into the sent freshness */
	uint8_t freshness_bits;      /* complete FV, <= 64 */
	uint8_t freshness_sent_bits; /* low bits in the secured PDU */
	uint8_t mac_bits;            /* high bits of the CMAC in the secured PDU */
	enum secoc_freshness_kind freshness;
	uint8_t trip_bits, reset_bits, counter_bits, flag_bits; /* SECOC_TRIP_RESET; sum = freshness_bits */
	uint8_t attempts;                                       /* verification attempts per PDU (>= 1) */
	uint16_t acceptance_window;                             /* largest accepted jump of the counter; 0 = what the sent bits allow */
	uint8_t key[16];
	uint16_t nvm_offset; /* where the freshness is kept, SECOC_NVM_RECORD bytes; SECOC_NOT_KEPT: nowhere */
};

enum secoc_result {
	SECOC_OK,
	SECOC_VERIFICATION_FAILED,
	SECOC_FRESHNESS_FAILED,
	SECOC_BUILD_FAILED,
	SECOC_NOT_VERIFIED,
	SECOC_FAILURE_OVERWRITTEN
};
enum secoc_override { /* verify status override codes of the SWS */
	              SECOC_DROP_UNTIL_NOTICE = 0x00,
	              SECOC_DROP_UNTIL_LIMIT = 0x01,
	              SECOC_OVERRIDE_CANCEL = 0x02,
	              SECOC_PASS_UNTIL_NOTICE = 0x40,
	              SECOC_SKIP_UNTIL_LIMIT = 0x41,
	              SECOC_PASS_UNTIL_LIMIT = 0x42,
	              SECOC_SKIP_UNTIL_NOTICE = 0x43,
};

/* accepted: went to the application; rejected: did not. */
struct secoc_counters {
	uint32_t sent, accepted, rejected, by_result[6];
	uint64_t freshness;
	enum secoc_result last;
};

/* PORT_INVALID: a layout that cannot be (sum of bits, lengths); loads the freshness from non-volatile memory. A record
 * of which no copy is valid, though it was written, means that the freshness is lost: every PDU is then a freshness
 * failure until secoc_set_freshness(). PORT_FULL: no room left for a PDU or its key. */
enum port_status secoc_open(const struct secoc_pdu_config *, uint8_t *ret_pdu);
/* Makes the secured PDU of the next freshness, which is kept before the call returns. PORT_FAILED: the freshness is
 * exhausted (never wraps silently), unknown (no trip yet) or could not be kept; PORT_FULL: size is too small. */
enum port_status secoc_make(uint8_t pdu, const uint8_t *authentic, uint8_t *secured, size_t size, size_t *ret_length);
/* Verifies; on SECOC_OK the freshness advances and is kept in non-volatile memory before the call returns. On any
 * other result nothing moves. `length` is the received length. */
enum secoc_result secoc_verify(uint8_t pdu, const uint8_t *secured, size_t length);
/* Counts a PDU that the application knows to be a replay without looking at its MAC: a freshness failure, nothing moves. */
enum secoc_result secoc_refuse(uint8_t pdu);
/* Whether the PDU verified last goes to the application: success, or what an override lets pass. */
bool secoc_passed(uint8_t pdu);
/* limit: number of PDUs, at least 1, for the codes with a limit. PORT_INVALID: another code, or no limit. */
enum port_status secoc_override(uint8_t pdu, enum secoc_override code, uint16_t limit);
/* Resynchronisation: trip/reset sync message (verified by secoc_verify_sync) or the authenticated coordination message. */
/* PORT_INVALID: more bits than the freshness has; PORT_FAILED: it could not be kept, nothing was changed. */
enum port_status secoc_set_freshness(uint8_t pdu, uint64_t freshness);
enum secoc_result secoc_verify_sync(const uint8_t key[16], uint16_t message_id, uint8_t mac_bits, const uint8_t *data, size_t length);
enum port_status secoc_make_sync(const uint8_t key[16], uint16_t message_id, uint8_t mac_bits, uint8_t *data, size_t size,
                                 size_t *ret_length);
/* The latest trip and reset: of the sync messages, or our own. */
void secoc_trip_read(uint32_t *ret_trip, uint32_t *ret_reset);
void secoc_trip_begin(void); /* start, wake-up, reset: trip + 1, kept before the first PDU goes out */
void secoc_reset_tick(void); /* the reset counter's period */
void secoc_counters_read(uint8_t pdu, struct secoc_counters *ret);
/* Forgets all PDUs (start-up, tests). */
void secoc_reset(void);

#endif
