/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JTAG test access port of the chip (IEEE 1149.1, clause 6) with the registers of an ADIv5 JTAG-DP behind it, driven by
 * the wire, one rising edge of TCK at a time. No clock, no socket.
 */
#ifndef FIRMWARE_SILICON_JTAG_H
#define FIRMWARE_SILICON_JTAG_H

#include "dap.h"

#define JTAG_IR_LENGTH  4u
#define JTAG_IR_CAPTURE 0x1u
#define JTAG_IDCODE     0x4ba00477u /* what the TAP answers unless it is told otherwise */

enum jtag_instruction { JTAG_IR_ABORT = 0x8, JTAG_IR_DPACC = 0xA, JTAG_IR_APACC = 0xB, JTAG_IR_IDCODE = 0xE, JTAG_IR_BYPASS = 0xF };

enum jtag_state {
	JTAG_RESET,
	JTAG_IDLE,
	JTAG_SELECT_DR,
	JTAG_CAPTURE_DR,
	JTAG_SHIFT_DR,
	JTAG_EXIT1_DR,
	JTAG_PAUSE_DR,
	JTAG_EXIT2_DR,
	JTAG_UPDATE_DR,
	JTAG_SELECT_IR,
	JTAG_CAPTURE_IR,
	JTAG_SHIFT_IR,
	JTAG_EXIT1_IR,
	JTAG_PAUSE_IR,
	JTAG_EXIT2_IR,
	JTAG_UPDATE_IR
};

struct jtag {
	enum jtag_state state;
	uint8_t instruction;
	uint32_t idcode;
	uint64_t shift; /* the register between TDI and TDO, next bit to leave lowest */
	unsigned length;
	struct dap *dap;
};

void jtag_init(struct jtag *jtag, uint32_t idcode, struct dap *dap);
/* A rising edge of TCK with these levels. */
void jtag_clock(struct jtag *jtag, bool tms, bool tdi);
/* TRST, or five edges with TMS high: Test-Logic-Reset. The debug port behind it keeps what it has. */
void jtag_reset(struct jtag *jtag);
/* The level of TDO between two edges; it is pulled up while nothing is shifted. */
bool jtag_tdo(const struct jtag *jtag);

#endif
