/* SPDX-License-Identifier: Apache-2.0 */
#include "jtag_wire.h"

#include <check.h>

#define ABORT 0x8
#define DPACC 0xA
#define APACC 0xB

static bool edge(const struct jtag_wire *wire, bool tms, bool tdi)
{
	return wire->edge(wire->context, tms, tdi);
}

void wire_reset(const struct jtag_wire *wire)
{
	for (int i = 0; i < 5; i++)
		edge(wire, true, true);
	edge(wire, false, true);
}

/* From Capture on, back to Run-Test/Idle. */
static uint64_t scan(const struct jtag_wire *wire, uint64_t value, unsigned length)
{
	uint64_t out = 0;
	edge(wire, false, true); /* Capture to Shift */
	for (unsigned i = 0; i < length; i++)
		out |= (uint64_t)edge(wire, i + 1 == length, value >> i & 1) << i;
	edge(wire, true, true); /* Update */
	edge(wire, false, true);
	return out;
}

uint8_t wire_ir(const struct jtag_wire *wire, uint8_t instruction)
{
	edge(wire, true, true);
	edge(wire, true, true);
	edge(wire, false, true);
	return (uint8_t)scan(wire, instruction, 4);
}

uint64_t wire_dr(const struct jtag_wire *wire, uint64_t value, unsigned length)
{
	edge(wire, true, true);
	edge(wire, false, true);
	return scan(wire, value, length);
}

static uint32_t transaction(const struct jtag_wire *wire, uint8_t instruction, bool read, uint8_t address, uint32_t value)
{
	wire_ir(wire, instruction);
	uint64_t out = wire_dr(wire, (uint64_t)value << 3 | (uint64_t)(address >> 2 & 3) << 1 | read, 35);
	ck_assert_uint_eq(out & 7, 2);
	return (uint32_t)(out >> 3);
}

void wire_dp_write(const struct jtag_wire *wire, uint8_t address, uint32_t value)
{
	transaction(wire, DPACC, false, address, value);
}

/* The result comes with the next transaction. */
uint32_t wire_dp_read(const struct jtag_wire *wire, uint8_t address)
{
	transaction(wire, DPACC, true, address, 0);
	return transaction(wire, DPACC, true, 0xC, 0);
}

void wire_ap_write(const struct jtag_wire *wire, uint8_t address, uint32_t value)
{
	wire_dp_write(wire, 0x8, address & 0xF0);
	transaction(wire, APACC, false, address, value);
}

uint32_t wire_ap_read(const struct jtag_wire *wire, uint8_t address)
{
	wire_dp_write(wire, 0x8, address & 0xF0);
	transaction(wire, APACC, true, address, 0);
	return transaction(wire, DPACC, true, 0xC, 0);
}

static bool good(const struct jtag_wire *wire)
{
	const uint32_t sticky = 1u << 5;
	uint32_t control = wire_dp_read(wire, 0x4);
	if (control & sticky)
		wire_dp_write(wire, 0x4, control & 0x50000000u ? 0x50000000u | sticky : sticky);
	return !(control & sticky);
}

bool wire_read(const struct jtag_wire *wire, uint32_t address, uint32_t *ret_value)
{
	wire_ap_write(wire, 0x00, 0x2);
	wire_ap_write(wire, 0x04, address);
	*ret_value = wire_ap_read(wire, 0x0C);
	return good(wire);
}

bool wire_write(const struct jtag_wire *wire, uint32_t address, uint32_t value)
{
	wire_ap_write(wire, 0x00, 0x2);
	wire_ap_write(wire, 0x04, address);
	wire_ap_write(wire, 0x0C, value);
	return good(wire);
}
