/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIRMWARE_APP_IDENTITY_H
#define FIRMWARE_APP_IDENTITY_H

#include "../core/uds_did.h"

/* The VIN in force: the one written with 2E F190, else the parameter doip.vin. False: not programmed. */
bool identity_vin(uint8_t vin[UDS_VIN_LENGTH]);
/* What the identification DIDs answer. Serial number: NAME-EID (parameter doip.eid) or NAME-ADDRESS. The result lives
 * as long as the program. */
const struct uds_identity *identity_make(const char *name, const char *part_number, uint16_t address);

#endif
