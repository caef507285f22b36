/* SPDX-License-Identifier: Apache-2.0 */
#include "ota_swap.h"

#include "../faults/fault.h"
#include "ota_store_command.h"
#include "ota_swap_block.h"

#define PASSWORD_WORDS  8u
#define PASSWORD_DIGITS (8 * PASSWORD_WORDS)
#define WRITE_TRIES     2u

static struct ota_swap_block orig, copy;

static bool blind(void)
{
	return fault_active(FAULT_OTA_NO_COPY) || fault_active(FAULT_OTA_COPY_ADDRESS);
}

static void read_both(void)
{
	ota_swap_block_read(&orig, OTA_SWAP_ORIG);
	ota_swap_block_read(&copy, OTA_SWAP_COPY);
}

/* Entry 0 has no predecessor that proves it whole. In both blocks it is the factory's; in one alone it may be what a cut left. */
static bool settled(void)
{
	if (blind())
		return orig.clean;
	return orig.clean && copy.clean && orig.bank == copy.bank && (orig.last == 0) == (copy.last == 0);
}

void ota_swap_read(struct ota_swap_state *ret_state)
{
	*ret_state = (struct ota_swap_state){.bank = {-1, -1}};
	if (port_flash_geometry() == NULL)
		return;
	read_both();
	ret_state->bank[0] = orig.bank;
	ret_state->bank[1] = copy.bank;
	ret_state->clean[0] = orig.clean;
	ret_state->clean[1] = copy.clean;
}

/* ---- the password ------------------------------------------------------------------------------------------------- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum port_status unlock(void)
{
	char text[PASSWORD_DIGITS + 1] = "";
	uint32_t words[PASSWORD_WORDS] = {0};

	if (port_param_text("flash.password", text, sizeof(text)) != PORT_OK)
		return PORT_FAILED;
	for (unsigned i = 0; i < PASSWORD_DIGITS; i++) {
		int value = digit(text[i]);

		if (value < 0)
			return PORT_FAILED;
		words[i / 8] = words[i / 8] << 4 | (uint32_t)value;
	}
	return port_flash_unlock(words);
}

/* ---- both blocks ----------------------------------------------------------------------------------------------------- */

/* The operations on a block, but for the planted faults that leave COPY alone. */
typedef enum port_status (*operation)(struct ota_swap_block *block, uint8_t bank);

static enum port_status apply(operation operate, struct ota_swap_block *block, uint8_t bank)
{
	enum port_status status;

	if (block == &copy && fault_active(FAULT_OTA_NO_COPY))
		return PORT_OK;
	status = operate(block, bank);
	return block == &copy && blind() ? PORT_OK : status;
}

static enum port_status restart_copy_then_orig(uint8_t bank)
{
	enum port_status status = apply(ota_swap_block_restart, &copy, bank);

	if (status != PORT_OK)
		return status;
	status = apply(ota_swap_block_ensure, &orig, bank);
	return status == PORT_FULL ? apply(ota_swap_block_restart, &orig, bank) : status;
}

static enum port_status restart_orig_then_copy(uint8_t bank)
{
	enum port_status status = apply(ota_swap_block_restart, &orig, bank);

	if (status != PORT_OK)
		return status;
	status = apply(ota_swap_block_ensure, &copy, bank);
	return status == PORT_FULL ? apply(ota_swap_block_restart, &copy, bank) : status;
}

/* Neither block takes an entry. One that can be made to say the bank without an erase carries the other; else the chip
 * relies on ORIG if that says anything, so COPY is the one to risk. */
static enum port_status force_full(uint8_t bank)
{
	if (apply(ota_swap_block_trim, &orig, bank) == PORT_OK)
		return restart_copy_then_orig(bank);
	if (apply(ota_swap_block_trim, &copy, bank) == PORT_OK || orig.bank != (int8_t)bank)
		return restart_orig_then_copy(bank);
	return restart_copy_then_orig(bank);
}

/* Both blocks clean for the bank that runs. An erase only when the other block is certain and says that bank. */
static enum port_status force(uint8_t bank)
{
	enum port_status status = apply(ota_swap_block_ensure, &copy, bank);

	if (status == PORT_OK) {
		status = apply(ota_swap_block_ensure, &orig, bank);
		return status == PORT_FULL ? apply(ota_swap_block_restart, &orig, bank) : status;
	}
	if (status != PORT_FULL)
		return status;
	status = apply(ota_swap_block_ensure, &orig, bank);
	if (status == PORT_OK)
		return apply(ota_swap_block_restart, &copy, bank);
	return status == PORT_FULL ? force_full(bank) : status;
}

/* Room in both, while they still say the running bank: an erase between two banks would leave one block alone with the
 * bank that does not run. */
static enum port_status make_room(uint8_t active)
{
	enum port_status status = PORT_OK;

	if (copy.next >= OTA_SWAP_ENTRIES)
		status = apply(ota_swap_block_restart, &copy, active);
	if (status == PORT_OK && orig.next >= OTA_SWAP_ENTRIES)
		status = apply(ota_swap_block_restart, &orig, active);
	return status;
}

static enum port_status write_once(uint8_t active, uint8_t bank)
{
	enum port_status status = PORT_OK;

	read_both();
	if (!settled() || orig.bank != (int8_t)active)
		status = force(active);
	if (status != PORT_OK || bank == active)
		return status;
	status = make_room(active);
	if (status == PORT_OK)
		status = apply(ota_swap_block_append, &copy, bank);
	if (status == PORT_OK)
		status = apply(ota_swap_block_append, &orig, bank);
	return status;
}

enum port_status ota_swap_write(uint8_t bank)
{
	uint8_t active = port_flash_active();
	enum port_status status = PORT_FULL;

	if (port_flash_geometry() == NULL || bank > 1)
		return PORT_FAILED;
	read_both();
	if (settled() && orig.bank == (int8_t)bank)
		return PORT_OK;
	if (unlock() == PORT_OK) {
		for (unsigned tries = 0; tries < WRITE_TRIES && status == PORT_FULL; tries++)
			status = write_once(active, bank);
		if (status != PORT_OK && status != PORT_WOULD_BLOCK)
			(void)force(active);
	}
	port_flash_lock();
	return status == PORT_OK ? PORT_OK : PORT_FAILED;
}

enum port_status ota_swap_settle(void)
{
	enum port_status status;

	if (port_flash_geometry() == NULL)
		return PORT_FAILED;
	read_both();
	if (settled())
		return PORT_OK;
	status = unlock();
	if (status == PORT_OK)
		status = force(port_flash_active());
	port_flash_lock();
	return status == PORT_OK ? PORT_OK : PORT_FAILED;
}
