/* SPDX-License-Identifier: Apache-2.0 */
#include "ota_transfer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "../../rig/flash.h"
#include "../executor_private.h"

#define DFI_PLAIN 0x00
#define DFI_GZIP  0x10
/* A board whose session times out after two seconds has to hear from us while a pace makes us wait. */
#define KEEP_ALIVE_NS 1000000000
#define OVERHEAD      2u    /* SID and counter, in the length that the board names */
#define BLOCK_MAX     4093u /* the longest UDS message is 4095 bytes (ISO 15765-2 as well as what DoIP nodes here take) */

/* ---- the transfer of the case ------------------------------------------------------------------------------- */

static void transfer_free(void *object)
{
	struct ota_transfer *transfer = object;

	bytes_free(&transfer->package);
	free(transfer);
}

int ota_transfer_new(struct step_context *context, const char *role, struct bytes *package, struct ota_transfer **ret, struct error *err)
{
	struct ota_transfer *transfer = calloc(1, sizeof *transfer);

	step_object_remove(context, OTA_TRANSFER_KIND, role);
	if (!transfer || step_object_add(context, OTA_TRANSFER_KIND, role, transfer, transfer_free) < 0) {
		free(transfer);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	transfer->package = *package;
	*package = (struct bytes){0};
	transfer->block = BLOCK_MAX;
	transfer->counter = 1;
	if (transfer->package.length > 7 && transfer->package.data[7] == 1)
		transfer->dfi = DFI_GZIP;
	*ret = transfer;
	return 0;
}

/* ---- stages ------------------------------------------------------------------------------------------------- */

int ota_stage_enter(struct ota_client *client, struct error *err)
{
	int r;

	ota_client_enter(client, OTA_STAGE_SESSION);
	r = ota_client_session(client, 0x02, err);
	if (r < 0 || client->outcome != OTA_DONE)
		return r;
	ota_client_enter(client, OTA_STAGE_SECURITY);
	return ota_client_unlock(client, OTA_PROGRAMMING_LEVEL, err);
}

int ota_stage_offer(struct ota_client *client, const struct bytes *package, struct error *err)
{
	struct ota_parts parts = ota_package_parts(package);
	struct bytes option = {0};
	int r = -ENOMEM;

	if (bytes_append(&option, parts.header, parts.header_length) == 0 &&
	    bytes_append(&option, parts.trailer, parts.trailer_length) == 0)
		r = ota_client_routine(client, 0xf010, option.data, option.length, err);
	else
		(void)error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	bytes_free(&option);
	return r;
}

static void put_be32(uint8_t *p, size_t value)
{
	be32_write(p, value > UINT32_MAX ? UINT32_MAX : (uint32_t)value);
}

/* Whole sectors for what the package becomes in the bank: header, software, trailer. */
static uint32_t erase_length(const struct bytes *package, const struct rig_flash_geometry *geometry)
{
	uint32_t sector = geometry->sector_size ? geometry->sector_size : 1, limit = geometry->bank_size - geometry->boot_size;
	uint64_t length = package->length;

	if (package->length >= SWPG_HEADER_BYTES) {
		const uint8_t *software = package->data + 12;

		length = SWPG_HEADER_BYTES + SWPG_TRAILER_BYTES +
		         ((uint64_t)software[3] << 24 | (uint64_t)software[2] << 16 | (uint64_t)software[1] << 8 | software[0]);
	}
	length = (length + sector - 1) / sector * sector;
	return length > limit ? limit : (uint32_t)length;
}

int ota_stage_erase(struct ota_client *client, const struct bytes *package, struct error *err)
{
	struct rig_flash_geometry geometry = {.sector_size = 16384, .bank_size = 3u << 20, .boot_size = 512u << 10};
	const struct rig_file *file = client->context->executor->options->rig_file;
	uint8_t option[9] = {0x44};
	uint32_t address;
	int r = ota_candidate_address(client, &address, err);

	if (r == 0 && file && rig_file_has_capability(file, "flash"))
		r = rig_flash_geometry(client->board, &geometry, err);
	if (r < 0)
		return r;
	put_be32(option + 1, address);
	put_be32(option + 5, erase_length(package, &geometry));
	return ota_client_routine(client, 0xff00, option, sizeof option, err);
}

/* 74 LENGTH_FORMAT MAX_BLOCK: the number of bytes is in the high nibble. */
static int take_block_length(struct ota_client *client, struct ota_transfer *transfer, size_t limit, struct error *err)
{
	const struct bytes *response = &client->response;
	size_t count = response->length > 1 ? response->data[1] >> 4 : 0, length = 0;

	for (size_t i = 0; i < count && 2 + i < response->length && length < 1u << 24; i++)
		length = length << 8 | response->data[2 + i];
	if (count == 0 || response->length < 2 + count || length <= OVERHEAD)
		return step_check_failed(client->context, err, "74, length format and the longest block", "another answer",
		                         "the answer to RequestDownload names no usable block length");
	transfer->block = length - OVERHEAD < BLOCK_MAX ? length - OVERHEAD : BLOCK_MAX;
	if (limit > 0 && limit < transfer->block)
		transfer->block = limit;
	return 0;
}

int ota_stage_request(struct ota_client *client, struct ota_transfer *transfer, size_t limit, struct error *err)
{
	uint8_t request[11] = {0x34, transfer->dfi, 0x44};
	uint32_t address;
	int r = ota_candidate_address(client, &address, err);

	if (r < 0)
		return r;
	transfer->position = transfer->begin;
	transfer->counter = 1;
	transfer->blocks = 0;
	transfer->crc = (uint32_t)crc32(0, NULL, 0);
	put_be32(request + 3, address + transfer->begin);
	put_be32(request + 7, transfer->package.length - transfer->begin);
	r = ota_client_request(client, request, sizeof request, err);
	return r < 0 || client->outcome != OTA_DONE ? r : take_block_length(client, transfer, limit, err);
}

int ota_stage_block(struct ota_client *client, struct ota_transfer *transfer, uint8_t counter, const void *data, size_t length,
                    bool advance, struct error *err)
{
	const uint8_t head[2] = {0x36, counter};
	struct bytes request = {0};
	int r = -ENOMEM;

	if (bytes_append(&request, head, sizeof head) == 0 && bytes_append(&request, data, length) == 0)
		r = ota_client_request(client, request.data, request.length, err);
	else
		(void)error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	bytes_free(&request);
	if (r < 0 || client->outcome != OTA_DONE)
		return r;
	if (client->response.length < 2 || client->response.data[1] != counter)
		return step_check_failed(client->context, err, "the counter of the request", "another one",
		                         "TransferData %02x is answered wrongly", counter);
	if (!advance)
		return 0;
	transfer->crc = (uint32_t)crc32(transfer->crc, data, (uInt)length);
	transfer->last_begin = transfer->position;
	transfer->last_length = length;
	transfer->position += length;
	transfer->counter = (uint8_t)(counter + 1);
	transfer->blocks++;
	return 0;
}

static int rest(struct ota_client *client, int64_t time_ns, struct error *err)
{
	static const uint8_t present[2] = {0x3e, 0x00};
	enum ota_outcome outcome = client->outcome;
	int r = 0;

	while (r == 0 && time_ns > 0) {
		int64_t part_ns = time_ns < KEEP_ALIVE_NS ? time_ns : KEEP_ALIVE_NS;

		r = step_pause(client->context, part_ns, err);
		time_ns -= part_ns;
		if (r == 0 && time_ns > 0) {
			r = ota_client_request(client, present, sizeof present, err);
			if (r < 0 || client->outcome != OTA_DONE)
				return r;
		}
	}
	client->outcome = outcome;
	return r;
}

int ota_stage_transfer(struct ota_client *client, struct ota_transfer *transfer, uint64_t blocks, int64_t pace_ns, struct error *err)
{
	const struct bytes *package = &transfer->package;
	int r = 0;

	client->outcome = OTA_DONE;
	for (uint64_t n = 0; r == 0 && n < blocks && transfer->position < package->length; n++) {
		size_t left = package->length - transfer->position;

		if (n > 0 && pace_ns > 0)
			r = rest(client, pace_ns, err);
		if (r == 0 && client->outcome == OTA_DONE)
			r = ota_stage_block(client, transfer, transfer->counter, package->data + transfer->position,
			                    left < transfer->block ? left : transfer->block, true, err);
		if (client->outcome != OTA_DONE)
			break;
	}
	return r;
}

int ota_stage_exit(struct ota_client *client, const struct ota_transfer *transfer, bool with_crc, struct error *err)
{
	uint8_t request[5] = {0x37};

	be32_write(request + 1, transfer->crc);
	return ota_client_request(client, request, with_crc ? 5 : 1, err);
}

int ota_stage_check(struct ota_client *client, struct error *err)
{
	return ota_client_routine(client, 0xff01, NULL, 0, err);
}
