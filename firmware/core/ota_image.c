/* SPDX-License-Identifier: Apache-2.0 */
#include "../faults/fault.h"
#include "ota_image_private.h"

#include <string.h>

void ota_image_start(uint16_t target)
{
	ota_image_policy_load(target);
}

/* In this order: what is malformed or foreign is told before a key is asked for, and the dear signature comes last. */
enum ota_image_status ota_image_check_ends(uint32_t magic, const struct swpg_header *header, const uint8_t *trailer, uint32_t area_size,
                                           uint32_t counter)
{
	if (swpg_check(magic, header, area_size) != SWPG_OK)
		return OTA_IMAGE_MALFORMED;
	if (!ota_image_is_for_us(header))
		return OTA_IMAGE_FOREIGN;
	if (header->security_counter < counter && !fault_active(FAULT_OTA_NO_COUNTER))
		return OTA_IMAGE_OLD;
	return ota_image_check_signature(header, trailer);
}

enum ota_image_status ota_image_check_offer(const uint8_t header[SWPG_HEADER_SIZE], const uint8_t *trailer, size_t trailer_length,
                                            uint32_t counter, struct ota_image *ret_image)
{
	const struct port_flash_geometry *geometry = port_flash_geometry();
	enum ota_image_status status;
	struct ota_image image;
	uint32_t magic;

	swpg_decode(header, &image.header, &magic);
	if (geometry == NULL || trailer_length != image.header.trailer_length)
		return OTA_IMAGE_MALFORMED;
	status = ota_image_check_ends(magic, &image.header, trailer, geometry->bank_size - geometry->boot_size, counter);
	if (status != OTA_IMAGE_OK)
		return status;
	memcpy(image.digest, trailer, sizeof(image.digest));
	image.software = geometry->bank[1] + geometry->boot_size + SWPG_HEADER_SIZE;
	*ret_image = image;
	return OTA_IMAGE_OK;
}

uint32_t ota_image_room(uint32_t address)
{
	const struct port_flash_geometry *geometry = port_flash_geometry();

	for (unsigned bank = 0; geometry != NULL && bank < 2; bank++)
		if (address - geometry->bank[bank] < geometry->bank_size)
			return geometry->bank_size - (address - geometry->bank[bank]);
	return 0;
}

bool ota_image_peek(uint32_t address, struct ota_image *ret_image)
{
	uint32_t magic, room = ota_image_room(address);
	uint8_t bytes[SWPG_HEADER_SIZE];
	struct ota_image image;

	if (room < sizeof(bytes) || port_flash_read(address, bytes, sizeof(bytes)) != PORT_OK)
		return false;
	swpg_decode(bytes, &image.header, &magic);
	if (swpg_check(magic, &image.header, room) != SWPG_OK)
		return false;
	image.software = address + SWPG_HEADER_SIZE;
	if (port_flash_read(image.software + image.header.uncompressed_size, image.digest, sizeof(image.digest)) != PORT_OK)
		memset(image.digest, 0, sizeof(image.digest));
	*ret_image = image;
	return true;
}
