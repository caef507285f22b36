/* SPDX-License-Identifier: Apache-2.0 */
/* What lies in a bank: header and trailer first, which are cheap to refuse, then every byte of the software. */
#include "ota_image_private.h"

#include <mbedtls/sha256.h>
#include <string.h>

#define READ_SIZE     4096u
#define READS_A_STEP  4u /* 16 KiB */
#define STEPS_A_KICK  16u
#define BUSY_POLL_US  1000u
#define BUSY_LIMIT_US 3000000u

enum stage { STAGE_NONE, STAGE_HEADER, STAGE_TRAILER, STAGE_SOFTWARE, STAGE_DONE };

static struct {
	enum stage stage;
	enum ota_image_status status;
	uint32_t address, counter, room, magic;
	uint32_t position; /* bytes of the software that were read */
	uint32_t crc;
	mbedtls_sha256_context digest;
	uint8_t bytes[SWPG_HEADER_SIZE], trailer[SWPG_MAX_TRAILER];
	struct ota_image image;
} run;

static uint8_t buffer[READ_SIZE];

void ota_image_verify_begin(uint32_t address, uint32_t counter)
{
	mbedtls_sha256_free(&run.digest);
	memset(&run, 0, sizeof(run));
	mbedtls_sha256_init(&run.digest);
	run.address = address;
	run.counter = counter;
	run.room = ota_image_room(address);
	run.stage = STAGE_HEADER;
}

static enum port_status finish(enum ota_image_status status)
{
	mbedtls_sha256_free(&run.digest);
	run.stage = STAGE_DONE;
	run.status = status;
	return PORT_OK;
}

/* An erased page cannot be read either: without a magic number that can, there is no image. */
static enum port_status no_header(void)
{
	uint8_t magic[4];
	struct swpg_header header;
	enum port_status status = port_flash_read(run.address, magic, sizeof(magic));

	if (status == PORT_WOULD_BLOCK)
		return status;
	if (status != PORT_OK)
		return finish(OTA_IMAGE_ABSENT);
	memcpy(run.bytes, magic, sizeof(magic));
	swpg_decode(run.bytes, &header, &run.magic);
	return finish(run.magic == SWPG_MAGIC ? OTA_IMAGE_UNREADABLE : OTA_IMAGE_ABSENT);
}

static enum port_status step_header(void)
{
	struct swpg_header *header = &run.image.header;
	enum port_status status;

	if (run.room < sizeof(run.bytes))
		return finish(OTA_IMAGE_ABSENT);
	status = port_flash_read(run.address, run.bytes, sizeof(run.bytes));
	if (status != PORT_OK)
		return status == PORT_WOULD_BLOCK ? status : no_header();
	swpg_decode(run.bytes, header, &run.magic);
	if (run.magic != SWPG_MAGIC)
		return finish(OTA_IMAGE_ABSENT);
	if (swpg_check(run.magic, header, run.room) != SWPG_OK)
		return finish(OTA_IMAGE_MALFORMED);
	run.image.software = run.address + SWPG_HEADER_SIZE;
	run.stage = STAGE_TRAILER;
	return PORT_WOULD_BLOCK;
}

static bool begin_software(void)
{
	uint8_t canonical[SWPG_HEADER_SIZE];

	swpg_canonical(run.bytes, true, canonical);
	run.crc = swpg_crc32(0, canonical, sizeof(canonical));
	swpg_canonical(run.bytes, false, canonical);
	return mbedtls_sha256_starts(&run.digest, 0) == 0 && mbedtls_sha256_update(&run.digest, canonical, sizeof(canonical)) == 0;
}

static enum port_status step_trailer(void)
{
	const struct swpg_header *header = &run.image.header;
	enum ota_image_status image_status;
	enum port_status status = port_flash_read(run.image.software + header->uncompressed_size, run.trailer, header->trailer_length);

	if (status != PORT_OK)
		return status == PORT_WOULD_BLOCK ? status : finish(OTA_IMAGE_UNREADABLE);
	image_status = ota_image_check_ends(run.magic, header, run.trailer, run.room, run.counter);
	if (image_status != OTA_IMAGE_OK)
		return finish(image_status);
	if (!begin_software())
		return finish(OTA_IMAGE_DIGEST);
	run.stage = STAGE_SOFTWARE;
	return PORT_WOULD_BLOCK;
}

static enum port_status end_software(void)
{
	if (run.crc != run.image.header.crc32)
		return finish(OTA_IMAGE_CRC);
	if (mbedtls_sha256_finish(&run.digest, run.image.digest) != 0 || memcmp(run.image.digest, run.trailer, SWPG_DIGEST_SIZE) != 0)
		return finish(OTA_IMAGE_DIGEST);
	return finish(OTA_IMAGE_OK);
}

static enum port_status read_software(void)
{
	uint32_t left = run.image.header.uncompressed_size - run.position;
	uint32_t length = left < sizeof(buffer) ? left : (uint32_t)sizeof(buffer);
	enum port_status status = port_flash_read(run.image.software + run.position, buffer, length);

	if (status != PORT_OK)
		return status == PORT_WOULD_BLOCK ? status : finish(OTA_IMAGE_UNREADABLE);
	run.crc = swpg_crc32(run.crc, buffer, length);
	if (mbedtls_sha256_update(&run.digest, buffer, length) != 0)
		return finish(OTA_IMAGE_DIGEST);
	run.position += length;
	return run.position == run.image.header.uncompressed_size ? end_software() : PORT_WOULD_BLOCK;
}

static enum port_status step_software(void)
{
	for (unsigned i = 0; i < READS_A_STEP; i++) {
		uint32_t before = run.position;
		enum port_status status = read_software();

		if (status != PORT_WOULD_BLOCK || run.position == before)
			return status;
	}
	return PORT_WOULD_BLOCK;
}

enum port_status ota_image_verify_step(enum ota_image_status *ret_status, struct ota_image *ret_image)
{
	enum port_status status = PORT_OK;

	if (run.stage == STAGE_HEADER)
		status = step_header();
	else if (run.stage == STAGE_TRAILER)
		status = step_trailer();
	else if (run.stage == STAGE_SOFTWARE)
		status = step_software();
	else if (run.stage == STAGE_NONE)
		status = finish(OTA_IMAGE_ABSENT);
	if (status != PORT_OK)
		return status;
	if (run.status == OTA_IMAGE_OK)
		*ret_image = run.image;
	*ret_status = run.status;
	return PORT_OK;
}

enum ota_image_status ota_image_verify(uint32_t address, uint32_t counter, struct ota_image *ret_image)
{
	uint64_t busy_since_us = UINT64_MAX;
	enum ota_image_status status;

	ota_image_verify_begin(address, counter);
	for (unsigned steps = 1;; steps++) {
		enum stage stage = run.stage;
		uint32_t position = run.position;
		uint64_t now_us;

		if (ota_image_verify_step(&status, ret_image) == PORT_OK)
			return status;
		now_us = port_time_us();
		if (run.stage != stage || run.position != position) {
			busy_since_us = UINT64_MAX;
			if (steps % STEPS_A_KICK == 0)
				port_wait(now_us); /* a watchdog must not end a long verification */
			continue;
		}
		if (busy_since_us == UINT64_MAX)
			busy_since_us = now_us;
		if (now_us - busy_since_us >= BUSY_LIMIT_US) {
			(void)finish(OTA_IMAGE_UNREADABLE);
			return OTA_IMAGE_UNREADABLE;
		}
		port_wait(now_us + BUSY_POLL_US);
	}
}
