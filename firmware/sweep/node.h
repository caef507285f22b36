/* SPDX-License-Identifier: Apache-2.0 */
/* The application of the board as far as an update can tell, and a line to it: what a zgw or ecu does with UDS and updates. */
#ifndef FIRMWARE_SWEEP_NODE_H
#define FIRMWARE_SWEEP_NODE_H

#include "board.h"

#define NODE_MAX_REQUEST 4095u

void node_start(struct board *board);
/* One request and its answer (0x78 waited out). Length of the answer, 0: none came within 30 s of virtual time.
 * A reset that the request asks for ends the process. */
size_t node_exchange(const uint8_t *request, size_t length, uint8_t *answer, size_t size);

#endif
