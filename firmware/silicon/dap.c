/* SPDX-License-Identifier: Apache-2.0 */
#include "dap.h"

/* CTRL/STAT: what can be written, what is acknowledged at once, what is cleared by writing ones. */
#define CONTROL_WRITABLE 0x543FFF0Du
#define CONTROL_REQUESTS 0x54000000u /* CSYSPWRUPREQ, CDBGPWRUPREQ, CDBGRSTREQ: each ACK is the bit above */
#define CONTROL_STICKY   (DAP_STICKYORUN | DAP_STICKYCMP | DAP_STICKYERR)
#define CONTROL_STOPS    (DAP_STICKYORUN | DAP_STICKYERR)

/* Registers of the MEM-AP */
#define AP_CSW  0x00u
#define AP_TAR  0x04u
#define AP_DRW  0x0Cu
#define AP_BD0  0x10u
#define AP_BD3  0x1Cu
#define AP_CFG  0xF4u
#define AP_BASE 0xF8u
#define AP_IDR  0xFCu

#define CSW_SIZE      0x7u
#define CSW_INCREMENT 4
#define CSW_DEVICE_EN 0x40u
#define CSW_IN_PROG   0x80u
enum { INCREMENT_SINGLE = 1, INCREMENT_PACKED = 2 };

void dap_init(struct dap *dap, const struct dap_memory *memory)
{
	*dap = (struct dap){.memory = memory, .csw = CSW_DEVICE_EN | 2};
}

uint64_t dap_capture(const struct dap *dap)
{
	return (uint64_t)dap->result << 3 | DAP_ACK_OK;
}

/* ---- memory access ---------------------------------------------------------------------------------------------- */

static unsigned size_of(const struct dap *dap)
{
	return (dap->csw & CSW_SIZE) <= 2 ? 1u << (dap->csw & CSW_SIZE) : 0;
}

/* One access at `address`; its byte lanes are those of the address. */
static bool access_memory(struct dap *dap, uint32_t address, unsigned size, bool read, uint32_t *word)
{
	const unsigned shift = 8 * (address & 3);
	const uint32_t mask = size == 4 ? ~0u : (1u << 8 * size) - 1;
	uint32_t value = 0;
	if (size == 0 || address % size != 0)
		return false;
	if (!read)
		return dap->memory->write(dap->memory->context, address, size, *word >> shift & mask);
	if (!dap->memory->read(dap->memory->context, address, size, &value))
		return false;
	*word |= (value & mask) << shift;
	return true;
}

/* DRW: one access, or as many as a word takes. TAR stays where the access faulted. */
static uint32_t transfer(struct dap *dap, bool read, uint32_t data)
{
	const unsigned increment = dap->csw >> CSW_INCREMENT & 3, size = size_of(dap);
	uint32_t word = read ? 0 : data;
	unsigned left = increment == INCREMENT_PACKED && size ? 4 / size : 1;
	while (left-- > 0) {
		if (!access_memory(dap, dap->tar, size, read, &word)) {
			dap->control |= DAP_STICKYERR;
			return word;
		}
		if (increment == INCREMENT_SINGLE || increment == INCREMENT_PACKED)
			dap->tar += size;
	}
	return word;
}

/* BD0..3: the four words around TAR. */
static uint32_t transfer_banked(struct dap *dap, unsigned offset, bool read, uint32_t data)
{
	uint32_t word = read ? 0 : data;
	if (!access_memory(dap, (dap->tar & ~0xFu) | offset, 4, read, &word))
		dap->control |= DAP_STICKYERR;
	return word;
}

/* ---- registers -------------------------------------------------------------------------------------------------- */

static uint32_t ap_read(struct dap *dap, uint8_t reg)
{
	if (reg >= AP_BD0 && reg <= AP_BD3)
		return transfer_banked(dap, reg - AP_BD0, true, 0);
	switch (reg) {
	case AP_CSW:
		return dap->csw;
	case AP_TAR:
		return dap->tar;
	case AP_DRW:
		return transfer(dap, true, 0);
	case AP_BASE:
		return ~0u; /* no debug components */
	case AP_IDR:
		return DAP_IDR;
	case AP_CFG:
	default:
		return 0;
	}
}

static void ap_write(struct dap *dap, uint8_t reg, uint32_t data)
{
	if (reg >= AP_BD0 && reg <= AP_BD3)
		transfer_banked(dap, reg - AP_BD0, false, data);
	else if (reg == AP_CSW)
		dap->csw = (data & ~CSW_IN_PROG) | CSW_DEVICE_EN;
	else if (reg == AP_TAR)
		dap->tar = data;
	else if (reg == AP_DRW)
		transfer(dap, false, data);
}

static void ap_access(struct dap *dap, bool read, uint8_t a, uint32_t data)
{
	const uint8_t reg = (uint8_t)((dap->select & 0xF0) | a);
	if (dap->control & CONTROL_STOPS)
		return; /* discarded until the debugger has cleared it */
	if (dap->select >> 24 != 0) {
		if (read)
			dap->result = 0; /* no such access port: its IDR is 0 */
	} else if (read) {
		dap->result = ap_read(dap, reg);
	} else {
		ap_write(dap, reg, data);
	}
}

static uint32_t control_read(const struct dap *dap)
{
	return dap->control | (dap->control & CONTROL_REQUESTS) << 1;
}

static void dp_access(struct dap *dap, bool read, uint8_t a, uint32_t data)
{
	if (read) {
		dap->result = a == 0x4 ? control_read(dap) : a == 0x8 ? dap->select : 0;
	} else if (a == 0x4) {
		const uint32_t sticky = dap->control & CONTROL_STICKY & ~data;
		dap->control = (data & CONTROL_WRITABLE) | sticky;
	} else if (a == 0x8) {
		dap->select = data;
	}
}

void dap_access_port(struct dap *dap, enum dap_port port, uint64_t scan)
{
	const bool read = scan & 1;
	const uint8_t a = (uint8_t)((scan >> 1 & 3) << 2);
	if (port == DAP_ACCESS_PORT)
		ap_access(dap, read, a, (uint32_t)(scan >> 3));
	else
		dp_access(dap, read, a, (uint32_t)(scan >> 3));
}
