/* SPDX-License-Identifier: Apache-2.0 */
#include "jtag.h"

static const uint8_t next[][2] = {
        [JTAG_RESET] = {JTAG_IDLE, JTAG_RESET},
        [JTAG_IDLE] = {JTAG_IDLE, JTAG_SELECT_DR},
        [JTAG_SELECT_DR] = {JTAG_CAPTURE_DR, JTAG_SELECT_IR},
        [JTAG_CAPTURE_DR] = {JTAG_SHIFT_DR, JTAG_EXIT1_DR},
        [JTAG_SHIFT_DR] = {JTAG_SHIFT_DR, JTAG_EXIT1_DR},
        [JTAG_EXIT1_DR] = {JTAG_PAUSE_DR, JTAG_UPDATE_DR},
        [JTAG_PAUSE_DR] = {JTAG_PAUSE_DR, JTAG_EXIT2_DR},
        [JTAG_EXIT2_DR] = {JTAG_SHIFT_DR, JTAG_UPDATE_DR},
        [JTAG_UPDATE_DR] = {JTAG_IDLE, JTAG_SELECT_DR},
        [JTAG_SELECT_IR] = {JTAG_CAPTURE_IR, JTAG_RESET},
        [JTAG_CAPTURE_IR] = {JTAG_SHIFT_IR, JTAG_EXIT1_IR},
        [JTAG_SHIFT_IR] = {JTAG_SHIFT_IR, JTAG_EXIT1_IR},
        [JTAG_EXIT1_IR] = {JTAG_PAUSE_IR, JTAG_UPDATE_IR},
        [JTAG_PAUSE_IR] = {JTAG_PAUSE_IR, JTAG_EXIT2_IR},
        [JTAG_EXIT2_IR] = {JTAG_SHIFT_IR, JTAG_UPDATE_IR},
        [JTAG_UPDATE_IR] = {JTAG_IDLE, JTAG_SELECT_DR},
};

void jtag_init(struct jtag *jtag, uint32_t idcode, struct dap *dap)
{
	*jtag = (struct jtag){.idcode = idcode, .dap = dap};
	jtag_reset(jtag);
}

void jtag_reset(struct jtag *jtag)
{
	jtag->state = JTAG_RESET;
	jtag->instruction = JTAG_IR_IDCODE;
}

static void load(struct jtag *jtag, uint64_t value, unsigned length)
{
	jtag->shift = value;
	jtag->length = length;
}

static void capture_data(struct jtag *jtag)
{
	switch (jtag->instruction) {
	case JTAG_IR_ABORT:
	case JTAG_IR_DPACC:
	case JTAG_IR_APACC:
		load(jtag, dap_capture(jtag->dap), DAP_LENGTH);
		break;
	case JTAG_IR_IDCODE:
		load(jtag, jtag->idcode, 32);
		break;
	default: /* BYPASS, and every instruction that is none */
		load(jtag, 0, 1);
	}
}

static void update_data(struct jtag *jtag)
{
	if (jtag->instruction == JTAG_IR_DPACC)
		dap_access_port(jtag->dap, DAP_DEBUG_PORT, jtag->shift);
	else if (jtag->instruction == JTAG_IR_APACC)
		dap_access_port(jtag->dap, DAP_ACCESS_PORT, jtag->shift);
	/* ABORT: no transaction of this port ever waits, so there is none to end. */
}

static void shift(struct jtag *jtag, bool tdi)
{
	jtag->shift = jtag->shift >> 1 | (uint64_t)tdi << (jtag->length - 1);
}

void jtag_clock(struct jtag *jtag, bool tms, bool tdi)
{
	if (jtag->state == JTAG_CAPTURE_DR)
		capture_data(jtag);
	else if (jtag->state == JTAG_CAPTURE_IR)
		load(jtag, JTAG_IR_CAPTURE, JTAG_IR_LENGTH);
	else if (jtag->state == JTAG_SHIFT_DR || jtag->state == JTAG_SHIFT_IR)
		shift(jtag, tdi);
	jtag->state = (enum jtag_state)next[jtag->state][tms];
	if (jtag->state == JTAG_UPDATE_DR)
		update_data(jtag);
	else if (jtag->state == JTAG_UPDATE_IR)
		jtag->instruction = (uint8_t)jtag->shift;
	else if (jtag->state == JTAG_RESET)
		jtag_reset(jtag);
}

bool jtag_tdo(const struct jtag *jtag)
{
	if (jtag->state == JTAG_SHIFT_DR || jtag->state == JTAG_SHIFT_IR)
		return jtag->shift & 1;
	return true;
}
