/* SPDX-License-Identifier: Apache-2.0 */
/* What the end node does with secured PDUs: sends its own, verifies the others', and tells each verdict. */
#ifndef FIRMWARE_APP_SECOC_NODE_H
#define FIRMWARE_APP_SECOC_NODE_H

#include "secoc_pdus.h"

#define SECOC_NODE_RECORD_LENGTH   43u
#define SECOC_NODE_RECORDS_LENGTH  (SECOC_PDUS * SECOC_NODE_RECORD_LENGTH)
#define SECOC_NODE_OVERRIDE_LENGTH 4u

/* Reads secoc.key, secoc.send_id, secoc.send_ms (and, in a test build, secoc.verdict_frames) and opens the PDUs.
 * PORT_INVALID: a key that is not one. */
enum port_status secoc_node_start(void);
/* A frame from the bus; those that are no secured PDU of this node are left alone. */
void secoc_node_frame(const struct port_can_frame *frame);
void secoc_node_poll(uint64_t now_us, uint64_t *ret_deadline_us);

/* DID FD40: for each PDU its identifier (2 bytes; 0x8000 set: sent), last result (1), accepted, rejected, by result
 * 0..5 (4 each), freshness (8). */
size_t secoc_node_records_read(void *context, uint8_t *buffer, size_t size);
/* DID FD42: PDU index (1 byte), override code (1), limit (2). 0 or an NRC. */
uint8_t secoc_node_override_write(void *context, const uint8_t *data, size_t length);

#endif
