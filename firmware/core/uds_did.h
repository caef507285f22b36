/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data identifiers every server has:
 *   F186 active session           F187 part number            F18C serial number      F195 software version
 *   F190 VIN, writable in the extended session with security level 1, kept in non-volatile memory
 *   FD10 scratch, 1..64 bytes, writable in the extended session, kept in non-volatile memory
 *   FD11 2,000 bytes, FD12 3,000 bytes: byte i is i modulo 256
 *   FD20 state: controlType of normal communication, of network management, of the subnode; 85 (1 on, 2 off)
 *   FD50, FD51, FD52 state of the update, digest of what runs, what can be resumed (docs/reference/update.md), on boards with flash
 *   FD30 readable with security level 1 only: 4 bytes of entropy drawn at start
 */
#ifndef FIRMWARE_CORE_UDS_DID_H
#define FIRMWARE_CORE_UDS_DID_H

#include "uds_server.h"

#define UDS_VIN_LENGTH 17u

/* Built in or of the application; NULL when unknown. */
const struct uds_did *uds_did_find(uint16_t id);
/* The VIN that was written with 2E and holds over a reset; false when there is none. Usable before the server's start. */
bool uds_did_stored_vin(uint8_t vin[UDS_VIN_LENGTH]);

#endif
