/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alive check rounds (ISO 13400-2:2019, 3.DoIP-091 ff.): one at a time; newcomers that wait are served in the order
 * of their requests.
 */
#ifndef FIRMWARE_CORE_DOIP_ALIVE_H
#define FIRMWARE_CORE_DOIP_ALIVE_H

#include "doip_socket.h"

/* An alive check response (0x0008) with that source address came on the slot. */
void doip_alive_receive(struct doip_slot *slot, uint16_t source);
/* Goes on with the round that runs and begins the next one. */
void doip_alive_poll(struct doip_context *context);
/* UINT64_MAX when no round runs. */
uint64_t doip_alive_deadline(const struct doip_context *context);

#endif
