/* SPDX-License-Identifier: Apache-2.0 */
/* The offer: everything that header and trailer of a package tell before anything is erased for it. */
#include "ota_update_private.h"

#include <string.h>

static uint8_t nrc_of(enum ota_image_status status)
{
	switch (status) {
	case OTA_IMAGE_OK:
		return OTA_DONE;
	case OTA_IMAGE_OLD:
		return OTA_CONDITIONS;
	case OTA_IMAGE_ABSENT:
	case OTA_IMAGE_MALFORMED:
	case OTA_IMAGE_FOREIGN:
		return OTA_OUT_OF_RANGE;
	default:
		return OTA_PROGRAMMING_FAILURE;
	}
}

/* Of the record; and while nothing is on trial, of what runs: a board fresh from the factory has no record. */
static uint32_t least_counter(void)
{
	uint32_t counter = ota_store_get()->security_counter;

	return ota.has_running && ota.running.header.security_counter > counter ? ota.running.header.security_counter : counter;
}

static bool quarantined(const struct ota_image *image)
{
	const struct ota_record *record = ota_store_get();

	return record->quarantined != 0 && memcmp(record->quarantine, image->digest, sizeof(image->digest)) == 0;
}

static bool length_fits(const uint8_t *data, size_t length)
{
	struct swpg_header header;
	uint32_t magic;

	if (length < SWPG_HEADER_SIZE)
		return false;
	swpg_decode(data, &header, &magic);
	/* A length that is not the kind's own is the header's fault, not the request's. */
	return magic != SWPG_MAGIC || header.trailer_length != swpg_trailer_length(header.kind) ||
	       length == SWPG_HEADER_SIZE + header.trailer_length;
}

static uint8_t judge(const uint8_t *data, size_t length, struct ota_image *image)
{
	uint8_t nrc;

	if (ota_update_transferring())
		return OTA_SEQUENCE;
	if (!length_fits(data, length))
		return OTA_INCORRECT_LENGTH;
	if (ota.trial || ota.swap_pending || ota_update_moving())
		return OTA_CONDITIONS;
	nrc = nrc_of(ota_image_check_offer(data, data + SWPG_HEADER_SIZE, length - SWPG_HEADER_SIZE, least_counter(), image));
	if (nrc != OTA_DONE)
		return nrc;
	if (ota_update_bank_length(&image->header) > ota_update_area_size())
		return OTA_OUT_OF_RANGE;
	if (ota.has_running && swpg_compare_versions(image->header.version, ota.running.header.version) < 0)
		return OTA_CONDITIONS;
	return quarantined(image) ? OTA_CONDITIONS : OTA_DONE;
}

uint8_t ota_update_offer(const uint8_t *data, size_t length)
{
	struct ota_image image;
	uint8_t nrc;

	if (ota.flash == NULL || ota.task != OTA_TASK_NONE)
		return OTA_CONDITIONS;
	nrc = judge(data, length, &image);
	if (nrc == OTA_SEQUENCE) /* the transfer under way keeps its offer */
		return ota_update_finish(nrc);
	ota.offered = nrc == OTA_DONE;
	ota.erased = false;
	if (nrc == OTA_DONE) {
		ota.offer = image;
		memcpy(ota.header, data, sizeof(ota.header));
	}
	return ota_update_finish(nrc);
}
