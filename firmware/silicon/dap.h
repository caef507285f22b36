/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The debug access port behind the TAP: an ADIv5 JTAG-DP with one MEM-AP (ARM IHI 0031, chapters B2, C1 and C2). What lies at
 * an address is the caller's. Pure: no clock, no socket.
 */
#ifndef FIRMWARE_SILICON_DAP_H
#define FIRMWARE_SILICON_DAP_H

#include <stdbool.h>
#include <stdint.h>

#define DAP_LENGTH 35u /* bits of a scan: RnW or ACK[0], A[3:2] or ACK[2:1], data */
#define DAP_ACK_OK 0x2u
#define DAP_IDR    0x24770011u /* of the MEM-AP */

/* CTRL/STAT */
#define DAP_STICKYORUN (1u << 1)
#define DAP_STICKYCMP  (1u << 4)
#define DAP_STICKYERR  (1u << 5)

enum dap_port { DAP_DEBUG_PORT, DAP_ACCESS_PORT };

struct dap_memory {
	/* An access of size 1, 2 or 4 bytes, aligned to it; the value is right-aligned. false: the access faults. */
	bool (*read)(void *context, uint32_t address, unsigned size, uint32_t *ret_value);
	bool (*write)(void *context, uint32_t address, unsigned size, uint32_t value);
	void *context;
};

struct dap {
	const struct dap_memory *memory;
	uint32_t control; /* what was written to CTRL/STAT, and the sticky bits */
	uint32_t select, csw, tar;
	uint32_t result; /* of the newest read, for the next capture */
};

void dap_init(struct dap *dap, const struct dap_memory *memory);
/* Capture-DR: result of the previous read, and ACK. */
uint64_t dap_capture(const struct dap *dap);
/* Update-DR with the 35 bits that were shifted in. */
void dap_access_port(struct dap *dap, enum dap_port port, uint64_t scan);

#endif
