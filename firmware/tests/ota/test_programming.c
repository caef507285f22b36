/* SPDX-License-Identifier: Apache-2.0 */
/* Every negative response of docs/reference/update.md, on the flash model; and that nothing was erased or written for it. */
#include "update_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OFFERED "71 01 F0 10"
#define ERASED  "71 01 FF 00 00"
#define LOADS   "74 20 0F FF"

static struct update_package package, other;
static uint64_t operations;

static void setup(void)
{
	update_setup();
	update_make(&package, 1, 2, 60000);
	update_unlock();
	operations = flash_operations(fake_flash());
}

/* Of all flash commands, the record's included. */
static void nothing_happened(void)
{
	ck_assert_uint_eq(flash_operations(fake_flash()), operations);
	ck_assert(update_holds(0, &update_old));
}

static void offered(void)
{
	ck_assert_str_eq(update_offer(&package), OFFERED);
}

static void loading(void)
{
	offered();
	ck_assert_str_eq(update_erase(&package), ERASED);
	ck_assert_str_eq(update_download(&package, 0), LOADS);
}

static void written(void)
{
	loading();
	ck_assert_int_eq(strncmp(update_blocks(&package, 0, (uint32_t)package.length), "76", 2), 0);
	ck_assert_str_eq(update_exit(), "77");
}

static const char *ask_range(const uint8_t *head, size_t length, uint32_t address, uint32_t size)
{
	uint8_t request[16];
	const uint32_t words[2] = {address, size};

	memcpy(request, head, length);
	for (unsigned i = 0; i < 8; i++)
		request[length++] = (uint8_t)(words[i / 4] >> (24 - 8 * (i % 4)));
	return update_send(request, length);
}

static const char *erase_range(uint32_t address, uint32_t size)
{
	return ask_range((const uint8_t[]){0x31, 0x01, 0xFF, 0x00, 0x44}, 5, address, size);
}

static const char *download_range(uint8_t format, uint32_t address, uint32_t size)
{
	return ask_range((const uint8_t[]){0x34, format, 0x44}, 3, address, size);
}

/* ---- the offer ---------------------------------------------------------------------------------------------------------- */

START_TEST(offer_lengths)
{
	uint8_t request[4 + MAKER_HEADER + MAKER_TRAILER + 1] = {0x31, 0x01, 0xF0, 0x10};

	memcpy(request + 4, package.bytes, MAKER_HEADER);
	memcpy(request + 4 + MAKER_HEADER, update_trailer(&package), MAKER_TRAILER);
	for (size_t length = 4; length < sizeof(request); length++) {
		if (length == sizeof(request) - 1)
			continue;
		ck_assert_str_eq(update_send(request, length), "7F 31 13");
	}
	ck_assert_str_eq(update_send(request, sizeof(request)), "7F 31 13");
	nothing_happened();
	offered();
	nothing_happened(); /* an offer writes nothing either */
}
END_TEST

static void refuse(const char *nrc)
{
	update_seal(&package, bench.key);
	ck_assert_str_eq(update_offer(&package), nrc);
	ck_assert_uint_eq(update_state().state, OTA_IDLE);
	ck_assert_uint_eq(update_state().result, strtoul(nrc + 6, NULL, 16));
	ck_assert_str_eq(update_erase(&package), "7F 31 24");
	nothing_happened();
	update_make(&package, 1, 2, 60000);
}

START_TEST(offer_malformed)
{
	package.fields.magic ^= 1;
	refuse("7F 31 31");
	package.fields.target = 0x0011;
	refuse("7F 31 31");
	package.fields.target = 0xFFFF;
	refuse("7F 31 31");
	package.fields.type = 2;
	refuse("7F 31 31");
	package.fields.type = 0;
	refuse("7F 31 31");
	package.fields.compression = 2;
	refuse("7F 31 31");
	package.fields.payload_size++;
	refuse("7F 31 31");
	package.fields.serial++;
	refuse("7F 31 31");
	package.fields.timestamp = 0;
	refuse("7F 31 31");
	package.fields.source = 0x0E00;
	refuse("7F 31 31");
	package.fields.hop_count = 9;
	refuse("7F 31 31");
	package.fields.sequence = 0;
	refuse("7F 31 31");
	package.fields.security_counter = 0;
	refuse("7F 31 31");
	package.fields.reserved[7] = 1;
	refuse("7F 31 31");
	package.fields.kind = 0;
	refuse("7F 31 31");
	package.fields.trailer_length = 95;
	refuse("7F 31 31");
	package.fields.uncompressed_size = package.fields.payload_size = UPDATE_ROOM;
	refuse("7F 31 31");
	package.fields.uncompressed_size = package.fields.payload_size = UINT32_MAX - 100;
	refuse("7F 31 31");
}
END_TEST

START_TEST(offer_not_authentic)
{
	package.fields.key_id = 2;
	refuse("7F 31 72");
	update_seal(&package, bench.stranger);
	ck_assert_str_eq(update_offer(&package), "7F 31 72");
	update_seal(&package, bench.key);
	package.bytes[package.length - 1] ^= 1;
	ck_assert_str_eq(update_offer(&package), "7F 31 72");
	update_seal(&package, bench.key);
	memset(package.bytes + package.length - 64, 0, 64);
	ck_assert_str_eq(update_offer(&package), "7F 31 31"); /* r and s are out of range: a malformed trailer */
	nothing_happened();
	update_param("ota.revoked", "1");
	update_boot(PORT_REASON_POWER_ON);
	update_unlock();
	update_seal(&package, bench.key);
	ck_assert_str_eq(update_offer(&package), "7F 31 72");
}
END_TEST

START_TEST(offer_of_older)
{
	update_make(&package, 3, 5, 40000);
	update_install(&package);
	update_unlock();
	ck_assert_str_eq(update_confirm(), "71 01 F0 12");
	operations = flash_operations(fake_flash());
	update_make(&other, 2, 6, 40000);
	ck_assert_str_eq(update_offer(&other), "7F 31 22"); /* version */
	update_make(&other, 4, 4, 40000);
	ck_assert_str_eq(update_offer(&other), "7F 31 22"); /* counter */
	ck_assert_uint_eq(flash_operations(fake_flash()), operations);
	update_make(&other, 3, 5, 41000);
	ck_assert_str_eq(update_offer(&other), OFFERED); /* the same again is allowed */
}
END_TEST

START_TEST(moving)
{
	offered();
	fake_param_set("vehicle.speed", "3");
	ck_assert_str_eq(update_erase(&package), "7F 31 22");
	ck_assert_str_eq(update_offer(&package), "7F 31 22");
	nothing_happened();
	fake_param_set("vehicle.speed", NULL);
	written();
	ck_assert_str_eq(update_check(), "71 01 FF 01");
	fake_param_set("vehicle.speed", "3");
	ck_assert_str_eq(update_activate(), "7F 31 22");
	fake_param_set("vehicle.speed", "0");
	ck_assert_str_eq(update_activate(), "71 01 F0 11");
}
END_TEST

/* ---- the sequence -------------------------------------------------------------------------------------------------------- */

START_TEST(out_of_sequence)
{
	ck_assert_str_eq(update_erase(&package), "7F 31 24");
	ck_assert_str_eq(update_download(&package, 0), "7F 34 24");
	ck_assert_str_eq(update_block(package.bytes, 64), "7F 36 24");
	ck_assert_str_eq(update_exit(), "7F 37 24");
	ck_assert_str_eq(update_check(), "7F 31 24");
	ck_assert_str_eq(update_activate(), "7F 31 24");
	ck_assert_str_eq(update_confirm(), "7F 31 22");
	offered();
	ck_assert_str_eq(update_download(&package, 0), "7F 34 24");
	ck_assert_str_eq(update_check(), "7F 31 24");
	nothing_happened();
	loading();
	ck_assert_str_eq(update_download(&package, 0), "7F 34 24");
	bench.counter = 1;
	ck_assert_str_eq(update_offer(&package), "7F 31 24");
	ck_assert_str_eq(update_erase(&package), "7F 31 24");
	ck_assert_str_eq(update_check(), "7F 31 24");
	ck_assert_int_eq(strncmp(update_blocks(&package, 0, 30000), "76", 2), 0);
	ck_assert_str_eq(update_exit(), "7F 37 24");
	ck_assert_int_eq(strncmp(update_blocks(&package, 30000, (uint32_t)package.length), "76", 2), 0);
	ck_assert_str_eq(update_activate(), "7F 31 24");
	ck_assert_str_eq(update_exit(), "77");
	ck_assert_str_eq(update_exit(), "7F 37 24");
	ck_assert_str_eq(update_block(package.bytes, 64), "7F 36 24");
	ck_assert_str_eq(update_activate(), "7F 31 24");
	/* An offer of something else: what was written is not it. */
	update_make(&other, 2, 2, 10000);
	ck_assert_str_eq(update_offer(&other), OFFERED);
	ck_assert_str_eq(update_check(), "7F 31 24");
	offered();
	ck_assert_str_eq(update_check(), "71 01 FF 01");
	ck_assert_str_eq(update_activate(), "71 01 F0 11");
}
END_TEST

START_TEST(ranges)
{
	const uint32_t sector = flash_sweep.bank_sector, active = flash_sweep.bank_address[0] + flash_sweep.boot_size;
	const uint32_t enough = (60000 + 160 + sector - 1) / sector * sector;

	offered();
	ck_assert_str_eq(erase_range(active, enough), "7F 31 31");
	ck_assert_str_eq(erase_range(flash_sweep.bank_address[1], enough), "7F 31 31"); /* its bootloader */
	ck_assert_str_eq(erase_range(flash_sweep.ucb_address, 512), "7F 31 31");
	ck_assert_str_eq(erase_range(flash_sweep.data_address, enough), "7F 31 31");
	ck_assert_str_eq(erase_range(UPDATE_AREA + sector, enough), "7F 31 31");
	ck_assert_str_eq(erase_range(UPDATE_AREA, enough - sector), "7F 31 31");
	ck_assert_str_eq(erase_range(UPDATE_AREA, UPDATE_ROOM + 1), "7F 31 31");
	ck_assert_str_eq(erase_range(UPDATE_AREA, UPDATE_ROOM + sector), "7F 31 31");
	ck_assert_str_eq(erase_range(UPDATE_AREA, 0), "7F 31 31");
	ck_assert_str_eq(erase_range(UPDATE_AREA, 0u - sector), "7F 31 31");
	nothing_happened();
	ck_assert_str_eq(erase_range(UPDATE_AREA, UPDATE_ROOM), ERASED);
	ck_assert_str_eq(download_range(0x10, UPDATE_AREA, (uint32_t)package.length), "7F 34 31");
	ck_assert_str_eq(download_range(0x01, UPDATE_AREA, (uint32_t)package.length), "7F 34 31");
	ck_assert_str_eq(download_range(0x00, UPDATE_AREA, (uint32_t)package.length + 1), "7F 34 31");
	ck_assert_str_eq(download_range(0x00, UPDATE_AREA, (uint32_t)package.length - 1), "7F 34 31");
	ck_assert_str_eq(download_range(0x00, UPDATE_AREA, 0), "7F 34 31");
	ck_assert_str_eq(download_range(0x00, active, (uint32_t)package.length), "7F 34 31");
	ck_assert_str_eq(download_range(0x00, UPDATE_AREA + sector, (uint32_t)package.length - sector), "7F 34 31");
	ck_assert_str_eq(download_range(0x00, 0, (uint32_t)package.length), "7F 34 31");
	ck_assert(update_erased(1));
	ck_assert_str_eq(download_range(0x00, UPDATE_AREA, (uint32_t)package.length), LOADS);
}
END_TEST

START_TEST(not_ready)
{
	uint8_t page[FLASH_PAGE] = {1};

	offered();
	ck_assert_str_eq(update_erase(&package), ERASED);
	ck_assert_int_eq(flash_program(fake_flash(), flash_sweep.bank_address[1] + flash_sweep.bank_size - 32, page, sizeof(page),
	                               fake_flash_now_ns()),
	                 FLASH_OK);
	ck_assert_str_eq(update_download(&package, 0), "7F 34 70");
	update_run_us(1000);
	ck_assert_str_eq(update_download(&package, 0), LOADS);
}
END_TEST

/* ---- data ------------------------------------------------------------------------------------------------------------------ */

START_TEST(other_header)
{
	loading();
	ck_assert_str_eq(update_block(package.bytes, 40), "76 01");
	package.bytes[63] ^= 1;
	ck_assert_str_eq(update_block(package.bytes + 40, 100), "7F 36 31");
	ck_assert_str_eq(update_block(package.bytes + 40, 100), "7F 36 24");
	ck_assert(update_erased(1)); /* it never got that far */
}
END_TEST

START_TEST(too_much)
{
	loading();
	ck_assert_int_eq(strncmp(update_blocks(&package, 0, (uint32_t)package.length - 10), "76", 2), 0);
	ck_assert_str_eq(update_block(package.bytes, 11), "7F 36 71");
	ck_assert_str_eq(update_block(package.bytes, 10), "7F 36 24");
	ck_assert_str_eq(update_download(&package, 0), "7F 34 24");
	/* Begun anew it succeeds. */
	written();
	ck_assert_str_eq(update_check(), "71 01 FF 01");
}
END_TEST

START_TEST(counter_and_repeats)
{
	loading();
	ck_assert_str_eq(update_block(package.bytes, 1000), "76 01");
	bench.counter = 1;
	ck_assert_str_eq(update_block(package.bytes, 1000), "76 01");
	bench.counter = 1;
	ck_assert_str_eq(update_block(package.bytes + 1, 1000), "7F 36 31");
	bench.counter = 3;
	ck_assert_str_eq(update_block(package.bytes + 1000, 1000), "7F 36 73");
	bench.counter = 2;
	/* Blocks of 64 bytes: the counter wraps three times. */
	for (uint32_t at = 1000; at < package.length; at += 64) {
		size_t left = package.length - at;

		ck_assert_int_eq(strncmp(update_block(package.bytes + at, left < 64 ? left : 64), "76", 2), 0);
	}
	ck_assert_str_eq(update_exit(), "77");
	ck_assert_str_eq(update_check(), "71 01 FF 01");
	ck_assert(update_holds(1, &package));
}
END_TEST

START_TEST(crc_of_the_transfer)
{
	loading();
	ck_assert_int_eq(strncmp(update_blocks(&package, 0, (uint32_t)package.length), "76", 2), 0);
	ck_assert_str_eq(update_ask("37 00 00 00 00"), "7F 37 31");
	uint32_t crc = swpg_crc32(0, package.bytes, package.length);
	char request[32];
	snprintf(request, sizeof(request), "37 %02X %02X %02X %02X", crc >> 24, crc >> 16 & 0xFF, crc >> 8 & 0xFF, crc & 0xFF);
	ck_assert_str_eq(update_ask(request), "77");
}
END_TEST

static const char *send_gzip(void)
{
	const char *answer;

	ck_assert_str_eq(update_offer(&package), OFFERED);
	ck_assert_str_eq(update_erase(&package), ERASED);
	ck_assert_str_eq(update_download(&package, 0), LOADS);
	answer = update_blocks(&package, 0, (uint32_t)package.length);
	return strncmp(answer, "76", 2) == 0 ? update_exit() : answer;
}

static void expect_suspended(const char *answer)
{
	ck_assert_msg(strcmp(answer, "7F 36 71") == 0 || strcmp(answer, "7F 37 71") == 0, "%s", answer);
	ck_assert_str_eq(update_exit(), "7F 37 24");
	ck_assert_str_eq(update_check(), "7F 31 24");
}

/* The header and the trailer are right for the stream's length: what is wrong is found while it is inflated. */
START_TEST(gzip_wrong)
{
	static const uint32_t places[] = {0, 3, 11, 2000, 30000};

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		update_make(&package, 1, 2, 60000);
		update_gzip(&package);
		package.bytes[MAKER_HEADER + places[i]] ^= 0x55;
		const char *answer = send_gzip();
		/* A flag of the header may be one that may be set; then the digest tells. */
		if (strcmp(answer, "77") == 0)
			ck_assert_str_eq(update_check(), "7F 31 72");
		else
			expect_suspended(answer);
	}
	for (uint32_t back = 1; back <= 8; back++) { /* CRC-32 and ISIZE */
		update_make(&package, 1, 2, 60000);
		update_gzip(&package);
		package.bytes[package.length - MAKER_TRAILER - back] ^= 1;
		expect_suspended(send_gzip());
	}
}
END_TEST

static void gzip_as_if(int32_t more_software, int32_t more_payload)
{
	uint8_t header[MAKER_HEADER], trailer[MAKER_TRAILER];
	uint32_t size;

	update_make(&package, 1, 2, 60000);
	update_gzip(&package);
	memcpy(trailer, update_trailer(&package), sizeof(trailer));
	size = package.size + (uint32_t)more_software;
	package.fields.uncompressed_size = size;
	package.fields.payload_size += (uint32_t)more_payload;
	package.fields.crc32 = 0;
	maker_header(&package.fields, header);
	package.fields.crc32 = maker_crc(header, package.software, size);
	maker_header(&package.fields, header);
	maker_trailer(bench.key, header, package.software, size, trailer);
	memcpy(package.bytes, header, sizeof(header));
	package.length = MAKER_HEADER + package.fields.payload_size + MAKER_TRAILER;
	memcpy(package.bytes + package.length - MAKER_TRAILER, trailer, sizeof(trailer));
}

START_TEST(gzip_of_another_length)
{
	gzip_as_if(1, 0); /* the stream gives less than the header says */
	expect_suspended(send_gzip());
	gzip_as_if(-1, 0); /* more */
	expect_suspended(send_gzip());
	gzip_as_if(-30000, 0);
	expect_suspended(send_gzip());
	gzip_as_if(0, 1); /* bytes behind the stream */
	expect_suspended(send_gzip());
	gzip_as_if(0, -1); /* the stream is cut */
	expect_suspended(send_gzip());
	gzip_as_if(0, -10000);
	expect_suspended(send_gzip());
	ck_assert(update_holds(0, &update_old));
	gzip_as_if(0, 0);
	ck_assert_str_eq(send_gzip(), "77");
	ck_assert_str_eq(update_check(), "71 01 FF 01");
}
END_TEST

/* ---- the check ------------------------------------------------------------------------------------------------------------- */

START_TEST(altered_software)
{
	/* The right header and trailer around other bytes. */
	package.bytes[MAKER_HEADER + 30000] ^= 1;
	written();
	ck_assert_str_eq(update_check(), "7F 31 72");
	ck_assert_uint_eq(update_state().state, OTA_WRITTEN);
	ck_assert_str_eq(update_activate(), "7F 31 24");
	ck_assert(update_holds(0, &update_old));
}
END_TEST

START_TEST(altered_after_the_check)
{
	written();
	ck_assert_str_eq(update_check(), "71 01 FF 01");
	flash_defect_set(fake_flash(), FLASH_DEFECT_DOUBLE_BIT, flash_sweep.bank_address[1] + flash_sweep.boot_size + 0x2000, 0);
	ck_assert_str_eq(update_check(), "7F 31 72");
	ck_assert_str_eq(update_activate(), "7F 31 24"); /* the verdict before does not count any more */
}
END_TEST

START_TEST(dependency)
{
	fake_param_set("ota.requires", "0x0011>=1.2");
	written();
	ck_assert_str_eq(update_check(), "7F 31 22");
	ck_assert_str_eq(update_ask("31 01 FF 01 00 11 01 01 09 09"), "7F 31 22");
	ck_assert_str_eq(update_ask("31 01 FF 01 0E 00 02 00 00 00"), "7F 31 22");
	ck_assert_str_eq(update_activate(), "7F 31 24");
	ck_assert_str_eq(update_ask("31 01 FF 01 00 11 01 02 00 00"), "71 01 FF 01");
	/* Of itself it knows. */
	fake_param_set("ota.requires", "0x0091>=1.0.0");
	ck_assert_str_eq(update_check(), "71 01 FF 01");
	fake_param_set("ota.requires", "0x0091>=1.0.0.1");
	ck_assert_str_eq(update_check(), "7F 31 22");
	fake_param_set("ota.requires", "rubbish");
	ck_assert_str_eq(update_check(), "7F 31 22");
	ck_assert_ptr_nonnull(strstr(fake_console(), "! ota.requires"));
}
END_TEST

/* ---- the flash -------------------------------------------------------------------------------------------------------------- */

START_TEST(erase_fails)
{
	offered();
	flash_defect_set(fake_flash(), FLASH_DEFECT_EVER, UPDATE_AREA + 2 * flash_sweep.bank_sector, 0);
	ck_assert_str_eq(update_erase(&package), "7F 31 72");
	ck_assert_str_eq(update_download(&package, 0), "7F 34 24");
	flash_defects_clear(fake_flash());
	written();
}
END_TEST

START_TEST(program_fails)
{
	loading();
	flash_defect_set(fake_flash(), FLASH_DEFECT_PVER, UPDATE_AREA + 20000 / 32 * 32, 0);
	const char *answer = update_blocks(&package, 0, (uint32_t)package.length);
	ck_assert_str_eq(answer, "7F 36 72");
	ck_assert_str_eq(update_block(package.bytes, 10), "7F 36 24");
	flash_defects_clear(fake_flash());
	written();
	ck_assert_str_eq(update_check(), "71 01 FF 01");
}
END_TEST

START_TEST(flash_stays_busy)
{
	loading();
	flash_defect_set(fake_flash(), FLASH_DEFECT_BUSY, UPDATE_AREA, 0);
	ck_assert_str_eq(update_blocks(&package, 0, (uint32_t)package.length), "7F 36 72");
	ck_assert_uint_le(bench.last_us, 2000000);
	ck_assert_uint_ge(bench.answers, 2); /* 0x78 came in time */
	ck_assert_uint_le(bench.first_us, 50000);
	ck_assert(update_holds(0, &update_old));
}
END_TEST

START_TEST(erase_stays_busy)
{
	offered();
	flash_defect_set(fake_flash(), FLASH_DEFECT_BUSY, UPDATE_AREA, 0);
	ck_assert_str_eq(update_erase(&package), "7F 31 72");
	ck_assert_uint_le(bench.first_us, 50000);
	ck_assert_uint_le(bench.last_us, 15000000);
	ck_assert_uint_le(bench.answers, 6);
}
END_TEST

START_TEST(late_answers_in_time)
{
	update_make(&package, 1, 2, 290000);
	offered();
	ck_assert_str_eq(update_erase(&package), ERASED);
	ck_assert_uint_ge(bench.last_us, 190000);
	ck_assert_uint_le(bench.first_us, 25000);
}
END_TEST

/* ---- supply, sessions, testers --------------------------------------------------------------------------------------------- */

START_TEST(supply)
{
	const uint32_t mv = _i == 0 ? 8900 : 16100;
	char refused[4][16];

	for (unsigned i = 0; i < 4; i++)
		snprintf(refused[i], sizeof(refused[i]), "7F %02X %02X", (const unsigned[]){0x31, 0x34, 0x36, 0x31}[i],
		         _i == 0 ? 0x93 : 0x92);
	offered();
	fake_supply_set(mv);
	ck_assert_str_eq(update_erase(&package), refused[0]);
	nothing_happened();
	fake_supply_set(12000);
	ck_assert_str_eq(update_erase(&package), ERASED);
	fake_supply_set(mv);
	operations = flash_operations(fake_flash());
	ck_assert_str_eq(update_download(&package, 0), refused[1]);
	fake_supply_set(12000);
	ck_assert_str_eq(update_download(&package, 0), LOADS);
	fake_supply_set(mv);
	ck_assert_str_eq(update_block(package.bytes, 4000), refused[2]);
	nothing_happened();
	fake_supply_set(12000);
	bench.counter = 1; /* the block was not taken: it comes again */
	ck_assert_int_eq(strncmp(update_blocks(&package, 0, (uint32_t)package.length), "76", 2), 0);
	ck_assert_str_eq(update_exit(), "77");
	ck_assert_str_eq(update_check(), "71 01 FF 01");
	fake_supply_set(mv);
	operations = flash_operations(fake_flash());
	ck_assert_str_eq(update_activate(), refused[3]);
	nothing_happened();
	fake_supply_set(12000);
	ck_assert_str_eq(update_activate(), "71 01 F0 11");
}
END_TEST

/* It falls while bursts wait: none begins any more. */
START_TEST(supply_during_a_transfer)
{
	loading();
	ck_assert_str_eq(update_block(package.bytes, UPDATE_BLOCK), "76 01");
	ck_assert_str_eq(update_block(package.bytes + UPDATE_BLOCK, UPDATE_BLOCK), "76 02");
	fake_supply_set(5000);
	operations = flash_operations(fake_flash());
	update_run_us(500000);
	ck_assert_uint_le(flash_operations(fake_flash()) - operations, 1);
	fake_supply_set(12000);
	update_run_us(100000);
	ck_assert_uint_gt(flash_operations(fake_flash()) - operations, 20);
}
END_TEST

START_TEST(session_lost)
{
	loading();
	ck_assert_int_eq(strncmp(update_blocks(&package, 0, 30000), "76", 2), 0);
	update_run_us(5100000); /* S3 */
	ck_assert_str_eq(update_block(package.bytes + 30000, 100), "7F 36 7F");
	update_unlock();
	bench.counter = 9;
	ck_assert_str_eq(update_block(package.bytes + 30000, 100), "7F 36 24");
	ck_assert_str_eq(update_erase(&package), "7F 31 24"); /* the offer went with the session */
	written();
	ck_assert_str_eq(update_check(), "71 01 FF 01");
}
END_TEST

START_TEST(two_testers)
{
	static const struct {
		uint8_t request[4];
		size_t length;
		const char *answer;
	} taken[] = {
	        {{0x31, 0x01, 0xFF, 0x01}, 4, "7F 31 31"},
	        {{0x31, 0x01, 0xF0, 0x11}, 4, "7F 31 31"},
	        {{0x31, 0x01, 0xF0, 0x12}, 4, "7F 31 31"},
	        {{0x31, 0x01, 0xF0, 0x13}, 4, "7F 31 31"},
	        {{0x10, 0x01}, 2, "7F 10 22"},
	        {{0x10, 0x02}, 2, "7F 10 22"},
	        {{0x27, 0x03}, 2, "7F 27 22"},
	        {{0x11, 0x01}, 2, "7F 11 22"},
	};

	loading();
	ck_assert_str_eq(update_block(package.bytes, 1000), "76 01");
	bench.tester++;
	ck_assert_str_eq(update_block(package.bytes, 1000), "7F 36 7F");
	ck_assert_str_eq(update_download(&package, 0), "7F 34 7F");
	ck_assert_str_eq(update_exit(), "7F 37 7F");
	ck_assert_str_eq(update_offer(&package), "7F 31 31");
	ck_assert_str_eq(update_erase(&package), "7F 31 31");
	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		ck_assert_str_eq(update_send(taken[i].request, taken[i].length), taken[i].answer);
	ck_assert(!bench.reset_wanted);
	bench.tester--;
	bench.counter = 2;
	ck_assert_int_eq(strncmp(update_blocks(&package, 1000, (uint32_t)package.length), "76", 2), 0);
	ck_assert_str_eq(update_exit(), "77");
	ck_assert_str_eq(update_check(), "71 01 FF 01");
}
END_TEST

static void add_offers(TCase *tcase)
{
	tcase_add_test(tcase, offer_lengths);
	tcase_add_test(tcase, offer_malformed);
	tcase_add_test(tcase, offer_not_authentic);
	tcase_add_test(tcase, offer_of_older);
	tcase_add_test(tcase, moving);
	tcase_add_test(tcase, out_of_sequence);
	tcase_add_test(tcase, ranges);
	tcase_add_test(tcase, not_ready);
}

static void add_transfers(TCase *tcase)
{
	tcase_add_test(tcase, other_header);
	tcase_add_test(tcase, too_much);
	tcase_add_test(tcase, counter_and_repeats);
	tcase_add_test(tcase, crc_of_the_transfer);
	tcase_add_test(tcase, gzip_wrong);
	tcase_add_test(tcase, gzip_of_another_length);
	tcase_add_test(tcase, altered_software);
	tcase_add_test(tcase, altered_after_the_check);
	tcase_add_test(tcase, dependency);
	tcase_add_test(tcase, erase_fails);
	tcase_add_test(tcase, program_fails);
	tcase_add_test(tcase, flash_stays_busy);
	tcase_add_test(tcase, erase_stays_busy);
	tcase_add_test(tcase, late_answers_in_time);
	tcase_add_loop_test(tcase, supply, 0, 2);
	tcase_add_test(tcase, supply_during_a_transfer);
	tcase_add_test(tcase, session_lost);
	tcase_add_test(tcase, two_testers);
}

int main(void)
{
	Suite *suite = suite_create("programming");
	TCase *tcase = tcase_create("negative responses");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, update_teardown);
	tcase_set_timeout(tcase, 120);
	add_offers(tcase);
	add_transfers(tcase);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
