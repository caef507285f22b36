/* SPDX-License-Identifier: Apache-2.0 */
/* A debugger for tests: scans through whatever carries the lines. */
#ifndef FIRMWARE_TESTS_SILICON_JTAG_WIRE_H
#define FIRMWARE_TESTS_SILICON_JTAG_WIRE_H

#include <stdbool.h>
#include <stdint.h>

struct jtag_wire {
	/* Returns TDO as it was before the rising edge. */
	bool (*edge)(void *context, bool tms, bool tdi);
	void *context;
};

/* Five edges with TMS high, one to Run-Test/Idle. */
void wire_reset(const struct jtag_wire *);
/* From Run-Test/Idle and back; what was shifted out. */
uint8_t wire_ir(const struct jtag_wire *, uint8_t instruction);
uint64_t wire_dr(const struct jtag_wire *, uint64_t value, unsigned length);

/* Registers of the debug port (address 0..Ch) and of the access port (0..FCh, by SELECT). The ACK has to be OK. */
void wire_dp_write(const struct jtag_wire *, uint8_t address, uint32_t value);
uint32_t wire_dp_read(const struct jtag_wire *, uint8_t address);
void wire_ap_write(const struct jtag_wire *, uint8_t address, uint32_t value);
uint32_t wire_ap_read(const struct jtag_wire *, uint8_t address);
/* Memory by words: true unless STICKYERR came up, which is cleared then. */
bool wire_read(const struct jtag_wire *, uint32_t address, uint32_t *ret_value);
bool wire_write(const struct jtag_wire *, uint32_t address, uint32_t value);

#endif
