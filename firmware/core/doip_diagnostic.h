/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostic messages of activated testers and their acknowledgement (ISO 13400-2:2019, 7.DoIP-064 ff.).
 */
#ifndef FIRMWARE_CORE_DOIP_DIAGNOSTIC_H
#define FIRMWARE_CORE_DOIP_DIAGNOSTIC_H

#include "doip_socket.h"

/* A diagnostic message (payload of 5 bytes or more) came on the slot. */
void doip_diagnostic_receive(struct doip_context *context, struct doip_slot *slot, const uint8_t *payload, uint32_t length);

#endif
