/* SPDX-License-Identifier: Apache-2.0 */
/* The node's CAN controller: opened once, emptied in every turn, brought back after a bus-off. */
#ifndef FIRMWARE_APP_CAN_BUS_H
#define FIRMWARE_APP_CAN_BUS_H

#include "../core/isotp.h"

#define CAN_BUS_NODE         0u
#define CAN_BUS_STATE_LENGTH 7u

/* take: called with every received frame that no ISO-TP channel wants; may be NULL. Also forgets all ISO-TP channels.
 * PORT_ABSENT: the board is not wired to a bus. */
enum port_status can_bus_start(void (*take)(const struct port_can_frame *frame));
/* Frames, ISO-TP timers, bus-off. */
void can_bus_poll(uint64_t now_us, uint64_t *ret_deadline_us);
/* DID FD41: state (enum port_can_state), transmit and receive error counter (1 byte each), frames lost (4 bytes). */
size_t can_bus_state_read(void *context, uint8_t *buffer, size_t size);
/* What all channels of this board have in common, from the parameters isotp.*: addressing too. */
void can_bus_isotp_config(struct isotp_config *config);
enum can_bus_isotp_id { CAN_BUS_REQUEST, CAN_BUS_RESPONSE, CAN_BUS_FUNCTIONAL };
/* The identifiers of a channel, from the parameters isotp.*_id; 29 bits as soon as one of them needs more than 11. */
void can_bus_isotp_ids(struct isotp_config *config, enum can_bus_isotp_id tx, enum can_bus_isotp_id rx);
/* isotp_open(); parameters that do not fit each other are told on the console. */
enum port_status can_bus_isotp_open(const struct isotp_config *config, const struct isotp_handlers *handlers, uint8_t *ret_channel);
/* A parameter that is an 11-bit identifier; with anything else a line on the console and the default. */
uint32_t can_bus_id(const char *parameter, uint32_t preset);

#endif
