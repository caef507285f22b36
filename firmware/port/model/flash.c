/* SPDX-License-Identifier: Apache-2.0 */
#include "port_model_private.h"

#include "../../silicon/ssw.h"

const struct port_flash_geometry *port_flash_geometry(void)
{
	static struct port_flash_geometry geometry;
	const struct flash_geometry *model = flash_geometry(port_model->flash);

	geometry = (struct port_flash_geometry){
	        .bank = {model->bank_address[0], model->bank_address[1]},
	        .bank_size = model->bank_size,
	        .sector_size = model->bank_sector,
	        .boot_size = model->boot_size,
	        .data = model->data_address,
	        .data_size = model->data_size,
	        .data_sector_size = model->data_sector,
	        .swap_orig = FLASH_UCB_SWAP_ORIG,
	        .swap_copy = FLASH_UCB_SWAP_COPY,
	        .ucb_size = model->ucb_size,
	};
	return &geometry;
}

uint8_t port_flash_active(void)
{
	return port_model->active;
}

static enum port_status of_read(enum flash_status status)
{
	switch (status) {
	case FLASH_OK:
		return PORT_OK;
	case FLASH_BUSY:
		return PORT_WOULD_BLOCK;
	case FLASH_NOWHERE:
		return PORT_INVALID;
	default:
		return PORT_FAILED;
	}
}

/* A command on a busy bank is a sequence error of the chip; the port's users may just come again. */
static enum port_status of_command(enum flash_status status, uint32_t address)
{
	switch (status) {
	case FLASH_OK:
		return PORT_OK;
	case FLASH_BUSY:
		return PORT_WOULD_BLOCK;
	case FLASH_SEQUENCE:
		return flash_result(port_model->flash, address) == FLASH_BUSY ? PORT_WOULD_BLOCK : PORT_INVALID;
	default:
		return PORT_FAILED;
	}
}

enum port_status port_flash_read(uint32_t address, uint8_t *buffer, size_t length)
{
	uint32_t physical = ssw_physical(flash_geometry(port_model->flash), port_model->active, address);

	(void)flash_poll(port_model->flash, port_model_now_ns());
	return of_read(flash_read(port_model->flash, physical, buffer, length));
}

enum port_status port_flash_erase(uint32_t address, uint32_t sectors)
{
	return of_command(flash_erase(port_model->flash, address, sectors, port_model_now_ns()), address);
}

enum port_status port_flash_program(uint32_t address, const uint8_t *data, size_t length)
{
	return of_command(flash_program(port_model->flash, address, data, length, port_model_now_ns()), address);
}

enum port_status port_flash_result(uint32_t address)
{
	enum flash_status status;

	(void)flash_poll(port_model->flash, port_model_now_ns());
	status = flash_result(port_model->flash, address);
	return status == FLASH_BUSY ? PORT_WOULD_BLOCK : status == FLASH_OK ? PORT_OK : PORT_FAILED;
}

enum port_status port_flash_unlock(const uint32_t password[8])
{
	return flash_unlock(port_model->flash, password) == FLASH_OK ? PORT_OK : PORT_FAILED;
}

void port_flash_lock(void)
{
	flash_lock(port_model->flash);
}
