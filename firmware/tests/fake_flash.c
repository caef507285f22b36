/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_flash.h"

#include <string.h>

const uint32_t fake_flash_password[8] = {0x00112233, 0x44556677, 0x8899AABB, 0xCCDDEEFF, 0x01234567, 0x89ABCDEF, 0xFEDCBA98, 0x76543210};

static struct {
	struct flash *flash;
	struct port_flash_geometry geometry;
	struct ssw_result ssw;
	enum ssw_policy policy;
	uint64_t base_ns, last_us; /* the model's time is base_ns + the port's, which a reset sets back */
	bool cut;
} fake;

uint64_t fake_flash_now_ns(void)
{
	uint64_t now_us = port_time_us();
	if (now_us < fake.last_us)
		fake.base_ns += fake.last_us * 1000;
	fake.last_us = now_us;
	return fake.base_ns + now_us * 1000;
}

static void cut_happened(void *context)
{
	(void)context;
	fake.cut = true;
}

/* Not from inside the model's callback: it may still have to put its own house in order. */
static void leave_when_cut(void)
{
	if (!fake.cut)
		return;
	fake.cut = false;
	fake_power_lost();
}

/* What port_wait() asks: when the flash has something to tell, in the port's time. */
static uint64_t next_us(void)
{
	uint64_t now_ns = fake_flash_now_ns();
	uint64_t next_ns = flash_poll(fake.flash, now_ns);
	leave_when_cut();
	if (next_ns == FLASH_NEVER)
		return UINT64_MAX;
	return next_ns <= now_ns ? fake.last_us : (next_ns - fake.base_ns + 999) / 1000;
}

static void after_wait(void)
{
	flash_poll(fake.flash, fake_flash_now_ns());
	leave_when_cut();
}

static void geometry_fill(const struct flash_geometry *g)
{
	fake.geometry = (struct port_flash_geometry){.bank = {g->bank_address[0], g->bank_address[1]},
	                                             .bank_size = g->bank_size,
	                                             .sector_size = g->bank_sector,
	                                             .boot_size = g->boot_size,
	                                             .data = g->data_address,
	                                             .data_size = g->data_size,
	                                             .data_sector_size = g->data_sector,
	                                             .swap_orig = FLASH_UCB_SWAP_ORIG,
	                                             .swap_copy = FLASH_UCB_SWAP_COPY,
	                                             .ucb_size = g->ucb_size};
}

void fake_flash_clear_cost(const struct flash_geometry *geometry, const struct flash_cost *cost)
{
	flash_free(fake.flash);
	memset(&fake, 0, sizeof fake);
	fake_wait_device(NULL, NULL);
	if (!geometry)
		return;
	fake.flash = flash_new(geometry, cost ? cost : &flash_cost_tc375);
	if (!fake.flash)
		__builtin_trap();
	geometry_fill(geometry);
	ssw_factory(fake.flash, fake_flash_password);
	fake_wait_device(next_us, after_wait);
	fake_flash_reset();
}

void fake_flash_clear(const struct flash_geometry *geometry)
{
	fake_flash_clear_cost(geometry, NULL);
}

struct flash *fake_flash(void)
{
	return fake.flash;
}

void fake_flash_reset(void)
{
	char text[8];
	flash_power_on(fake.flash);
	flash_reset(fake.flash);
	fake_flash_settle();
	ssw_evaluate(fake.flash, fake.policy, &fake.ssw);
	if (port_param_text("flash.password", text, sizeof text) == PORT_ABSENT)
		fake_param_set("flash.password", FAKE_FLASH_PASSWORD_TEXT);
}

const struct ssw_result *fake_flash_ssw(void)
{
	return &fake.ssw;
}

void fake_flash_policy(enum ssw_policy policy)
{
	fake.policy = policy;
}

void fake_flash_cut(const struct flash_cut *cut)
{
	fake.cut = false;
	flash_arm(fake.flash, cut, cut ? cut_happened : NULL, NULL);
}

void fake_flash_settle(void)
{
	for (uint64_t next_ns; (next_ns = flash_poll(fake.flash, fake_flash_now_ns())) != FLASH_NEVER;) {
		if (next_ns > fake_flash_now_ns())
			fake.base_ns += next_ns - fake_flash_now_ns();
	}
}

/* ---- the port ------------------------------------------------------------------------------------------------- */

const struct port_flash_geometry *port_flash_geometry(void)
{
	return fake.flash ? &fake.geometry : NULL;
}

uint8_t port_flash_active(void)
{
	return fake.ssw.active;
}

static enum port_status of_command(enum flash_status status)
{
	switch (status) {
	case FLASH_OK:
		return PORT_OK;
	case FLASH_BUSY:
		return PORT_WOULD_BLOCK;
	case FLASH_SEQUENCE:
		return PORT_INVALID;
	default:
		return PORT_FAILED;
	}
}

static enum port_status of_read(enum flash_status status)
{
	switch (status) {
	case FLASH_OK:
		return PORT_OK;
	case FLASH_BUSY:
		return PORT_WOULD_BLOCK;
	case FLASH_ECC:
		return PORT_FAILED;
	default:
		return PORT_INVALID;
	}
}

/* A read may run over the border of the two banks, which lie side by side only in one map. */
static uint32_t piece_of(uint32_t address, uint32_t length)
{
	const struct port_flash_geometry *g = &fake.geometry;
	for (int i = 0; i < 2; i++) {
		if (address >= g->bank[i] && address - g->bank[i] < g->bank_size) {
			uint32_t left = g->bank_size - (address - g->bank[i]);
			return length < left ? length : left;
		}
	}
	return length;
}

static enum port_status read_pieces(uint32_t address, uint8_t *buffer, uint32_t length)
{
	for (uint32_t done = 0; done < length;) {
		uint32_t piece = piece_of(address + done, length - done);
		uint32_t physical = ssw_physical(flash_geometry(fake.flash), fake.ssw.active, address + done);
		enum flash_status status = flash_read(fake.flash, physical, buffer + done, piece);
		if (status != FLASH_OK)
			return of_read(status);
		done += piece;
	}
	return PORT_OK;
}

enum port_status port_flash_read(uint32_t address, uint8_t *buffer, size_t length)
{
	static uint8_t whole[65536]; /* the buffer is untouched when a later piece fails */
	if (!fake.flash || length > UINT32_MAX - address)
		return PORT_INVALID;
	flash_poll(fake.flash, fake_flash_now_ns());
	leave_when_cut();
	if (length > sizeof whole)
		return read_pieces(address, buffer, (uint32_t)length);
	enum port_status status = read_pieces(address, whole, (uint32_t)length);
	if (status == PORT_OK && length)
		memcpy(buffer, whole, length);
	return status;
}

/* The model calls a command on a busy bank a sequence error, as the chip does; the port looks first. */
static bool busy(uint32_t address)
{
	flash_poll(fake.flash, fake_flash_now_ns());
	leave_when_cut();
	return flash_result(fake.flash, address) == FLASH_BUSY;
}

enum port_status port_flash_erase(uint32_t address, uint32_t sectors)
{
	if (!fake.flash)
		return PORT_FAILED;
	if (busy(address))
		return PORT_WOULD_BLOCK;
	enum flash_status status = flash_erase(fake.flash, address, sectors, fake_flash_now_ns());
	leave_when_cut();
	return of_command(status);
}

enum port_status port_flash_program(uint32_t address, const uint8_t *data, size_t length)
{
	if (!fake.flash)
		return PORT_FAILED;
	if (busy(address))
		return PORT_WOULD_BLOCK;
	enum flash_status status = flash_program(fake.flash, address, data, length, fake_flash_now_ns());
	leave_when_cut();
	return of_command(status);
}

enum port_status port_flash_result(uint32_t address)
{
	if (!fake.flash)
		return PORT_FAILED;
	flash_poll(fake.flash, fake_flash_now_ns());
	leave_when_cut();
	enum flash_status status = flash_result(fake.flash, address);
	return status == FLASH_BUSY ? PORT_WOULD_BLOCK : status == FLASH_OK ? PORT_OK : PORT_FAILED;
}

enum port_status port_flash_unlock(const uint32_t password[8])
{
	return fake.flash && flash_unlock(fake.flash, password) == FLASH_OK ? PORT_OK : PORT_FAILED;
}

void port_flash_lock(void)
{
	if (fake.flash)
		flash_lock(fake.flash);
}

enum port_status port_start_application(uint32_t address, uint32_t length)
{
	uint8_t burst[PORT_FLASH_BURST];
	if (!fake.flash)
		return PORT_ABSENT;
	for (uint32_t done = 0; done < length; done += sizeof burst) {
		uint32_t part = length - done < sizeof burst ? length - done : (uint32_t)sizeof burst;
		if (port_flash_read(address + done, burst, part) != PORT_OK)
			return PORT_INVALID;
	}
	fake_application_started(address, length);
}
