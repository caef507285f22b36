/* SPDX-License-Identifier: Apache-2.0 */
/* The bits of a frame as they are on the wire, from start of frame to the CRC delimiter (ISO 11898-1, 10.4 and 10.5). */
#ifndef FIRMWARE_SILICON_CANBUS_WIRE_H
#define FIRMWARE_SILICON_CANBUS_WIRE_H

#include "canbus.h"

#define CANBUS_WIRE_MAX 768u

struct canbus_wire {
	uint16_t count;                /* bits */
	uint16_t arbitration_end;      /* first bit that is no longer arbitration */
	uint16_t fast_begin;           /* bits at the data rate: from here (equal to fast_end: none) */
	uint16_t fast_end;             /* to before here */
	uint16_t payload;              /* first bit behind the DLC */
	uint16_t stuff;                /* stuff bits that depend on the data */
	uint8_t bits[CANBUS_WIRE_MAX]; /* 0 dominant, 1 recessive */
};

/* The frame has to be legal. */
void canbus_wire_encode(struct canbus_wire *wire, const struct canbus_frame *frame);

#endif
