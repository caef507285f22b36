/* SPDX-License-Identifier: Apache-2.0 */
/* The header against docs/reference/package.md: layout, every rule, CRC-32. */
#include "../../core/swpg.h"
#include "maker.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define AREA 0x280000u

static enum swpg_status check_fields(const struct maker_fields *fields, uint32_t area)
{
	struct swpg_header header;
	uint8_t bytes[MAKER_HEADER];
	uint32_t magic;

	maker_header(fields, bytes);
	swpg_decode(bytes, &header, &magic);
	return swpg_check(magic, &header, area);
}

START_TEST(fields_lie_where_the_format_says)
{
	uint8_t bytes[SWPG_HEADER_SIZE];
	struct swpg_header header;
	uint32_t magic;

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i + 1);
	swpg_decode(bytes, &header, &magic);
	ck_assert_uint_eq(magic, 0x04030201);
	ck_assert_uint_eq(header.target, 0x0605);
	ck_assert_uint_eq(header.type, 7);
	ck_assert_uint_eq(header.compression, 8);
	ck_assert_uint_eq(header.payload_size, 0x0C0B0A09);
	ck_assert_uint_eq(header.uncompressed_size, 0x100F0E0D);
	ck_assert_mem_eq(header.version, "\x11\x12\x13\x14", 4);
	ck_assert_uint_eq(header.timestamp, 0x18171615);
	ck_assert_uint_eq(header.serial, 0x1C1B1A19);
	ck_assert_uint_eq(header.crc32, 0x201F1E1D);
	ck_assert_uint_eq(header.kind, 0x24232221);
	ck_assert_uint_eq(header.trailer_length, 0x28272625);
	ck_assert_uint_eq(header.key_id, 0x2C2B2A29);
	ck_assert_uint_eq(header.source, 0x2E2D);
	ck_assert_uint_eq(header.hop_count, 0x302F);
	ck_assert_uint_eq(header.sequence, 0x34333231);
	ck_assert_uint_eq(header.security_counter, 0x38373635);
	ck_assert_mem_eq(header.reserved, "\x39\x3A\x3B\x3C\x3D\x3E\x3F\x40", 8);
}
END_TEST

START_TEST(magic_is_47_50_57_53)
{
	struct maker_fields fields = maker_defaults(1000);
	uint8_t bytes[MAKER_HEADER];

	maker_header(&fields, bytes);
	ck_assert_mem_eq(bytes, "\x47\x50\x57\x53", 4);
	ck_assert_int_eq(check_fields(&fields, AREA), SWPG_OK);
	fields.magic = 0x47505753; /* the bytes the other way round */
	ck_assert_int_eq(check_fields(&fields, AREA), SWPG_BAD_MAGIC);
	for (unsigned bit = 0; bit < 32; bit++) {
		fields.magic = SWPG_MAGIC ^ 1u << bit;
		ck_assert_int_eq(check_fields(&fields, AREA), SWPG_BAD_MAGIC);
	}
}
END_TEST

START_TEST(small_fields_have_no_unknown_values)
{
	for (unsigned value = 0; value < 256; value++) {
		struct maker_fields type = maker_defaults(1000), compression = maker_defaults(1000);

		type.type = (uint8_t)value;
		ck_assert_int_eq(check_fields(&type, AREA), value >= 1 && value <= 3 ? SWPG_OK : SWPG_BAD_TYPE);
		compression.compression = (uint8_t)value;
		ck_assert_int_eq(check_fields(&compression, AREA), value <= 1 ? SWPG_OK : SWPG_BAD_COMPRESSION);
	}
	for (unsigned target = 0; target <= 0xFFFF; target++) {
		struct maker_fields fields = maker_defaults(1000);

		fields.target = (uint16_t)target;
		ck_assert_int_eq(check_fields(&fields, AREA), target == 0 || target == 0xFFFF ? SWPG_BAD_TARGET : SWPG_OK);
	}
	for (unsigned hops = 0; hops <= 0xFFFF; hops++) {
		struct maker_fields fields = maker_defaults(1000);

		fields.hop_count = (uint16_t)hops;
		ck_assert_int_eq(check_fields(&fields, AREA), hops <= 8 ? SWPG_OK : SWPG_BAD_HOPS);
	}
}
END_TEST

static const struct {
	uint8_t compression;
	uint32_t payload, software;
	enum swpg_status status;
} sizes[] = {
        {0, 0, 0, SWPG_BAD_SIZE},
        {0, 1, 1, SWPG_OK},
        {0, 1000, 1001, SWPG_BAD_SIZE},
        {0, 1001, 1000, SWPG_BAD_SIZE},
        {0, AREA - 160, AREA - 160, SWPG_OK}, /* fills the area exactly */
        {0, AREA - 159, AREA - 159, SWPG_BAD_SIZE},
        {0, AREA, AREA, SWPG_BAD_SIZE},
        {0, AREA + 1, AREA + 1, SWPG_BAD_SIZE},
        {0, UINT32_MAX, UINT32_MAX, SWPG_BAD_SIZE},
        {0, UINT32_MAX - 159, UINT32_MAX - 159, SWPG_BAD_SIZE}, /* 64 + size + 96 is 2^32: nothing in 32 bits */
        {0, UINT32_MAX - 63, UINT32_MAX - 63, SWPG_BAD_SIZE},
        {0, 0x80000000, 0x80000000, SWPG_BAD_SIZE},
        {1, 0, 1000, SWPG_BAD_SIZE},
        {1, 19, 1000, SWPG_BAD_SIZE},
        {1, 20, 1000, SWPG_OK},
        {1, 20, AREA - 160, SWPG_OK},
        {1, 20, AREA - 159, SWPG_BAD_SIZE},
        {1, 20, UINT32_MAX, SWPG_BAD_SIZE},
        {1, 1000, 0, SWPG_BAD_SIZE},
        {1, 66560 + 1000, 1000, SWPG_OK},
        {1, 66560 + 1001, 1000, SWPG_BAD_SIZE},
        {1, UINT32_MAX, 1000, SWPG_BAD_SIZE},
        {1, UINT32_MAX, AREA - 160, SWPG_BAD_SIZE},
};

START_TEST(sizes_that_cannot_be_are_refused)
{
	struct maker_fields fields = maker_defaults(sizes[_i].software);

	fields.compression = sizes[_i].compression;
	fields.payload_size = sizes[_i].payload;
	ck_assert_int_eq(check_fields(&fields, AREA), sizes[_i].status);
}
END_TEST

START_TEST(any_area_is_safe)
{
	struct maker_fields fields = maker_defaults(1);

	for (uint32_t area = 0; area < 161; area++)
		ck_assert_int_eq(check_fields(&fields, area), SWPG_BAD_SIZE);
	ck_assert_int_eq(check_fields(&fields, 161), SWPG_OK);
	fields = maker_defaults(UINT32_MAX);
	ck_assert_int_eq(check_fields(&fields, UINT32_MAX), SWPG_BAD_SIZE);
}
END_TEST

START_TEST(version_and_serial_agree)
{
	for (unsigned bit = 0; bit < 32; bit++) {
		struct maker_fields serial = maker_defaults(1000), version = maker_defaults(1000);

		serial.serial ^= 1u << bit;
		ck_assert_int_eq(check_fields(&serial, AREA), SWPG_BAD_VERSION);
		version.version[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(check_fields(&version, AREA), SWPG_BAD_VERSION);
	}
	struct maker_fields highest = maker_defaults(1000);

	memset(highest.version, 0xFF, 4);
	highest.serial = UINT32_MAX;
	ck_assert_int_eq(check_fields(&highest, AREA), SWPG_OK);
}
END_TEST

START_TEST(time_counter_and_sequence_have_a_least_value)
{
	struct maker_fields fields = maker_defaults(1000);

	fields.timestamp = 1577836799;
	ck_assert_int_eq(check_fields(&fields, AREA), SWPG_BAD_TIME);
	fields.timestamp = 0;
	ck_assert_int_eq(check_fields(&fields, AREA), SWPG_BAD_TIME);
	fields.timestamp = 1577836800;
	ck_assert_int_eq(check_fields(&fields, AREA), SWPG_OK);
	fields.timestamp = UINT32_MAX; /* the board has no clock */
	ck_assert_int_eq(check_fields(&fields, AREA), SWPG_OK);
	fields.security_counter = 0;
	ck_assert_int_eq(check_fields(&fields, AREA), SWPG_BAD_COUNTER);
	fields.security_counter = UINT32_MAX;
	ck_assert_int_eq(check_fields(&fields, AREA), SWPG_OK);
	fields.sequence = 0;
	ck_assert_int_eq(check_fields(&fields, AREA), SWPG_BAD_SEQUENCE);
}
END_TEST

START_TEST(reserved_bytes_are_zero)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		struct maker_fields fields = maker_defaults(1000);

		fields.reserved[bit / 8] = (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(check_fields(&fields, AREA), SWPG_BAD_RESERVED);
	}
}
END_TEST

START_TEST(kinds_are_known_and_have_their_length)
{
	static const uint32_t lengths[] = {0, 63, 64, 95, 97, 128, 0xFFFFFFFF};

	ck_assert_uint_eq(swpg_trailer_length(SWPG_UNSIGNED), 0);
	ck_assert_uint_eq(swpg_trailer_length(SWPG_ECDSA_P256), 96);
	ck_assert_uint_eq(swpg_trailer_length(2), 0);
	ck_assert_uint_eq(swpg_trailer_length(UINT32_MAX), 0);
	for (unsigned kind = 0; kind < 300; kind++) {
		struct maker_fields own = maker_defaults(1000), none = maker_defaults(1000);

		own.kind = none.kind = kind;
		none.trailer_length = 0; /* "unsigned, and so without a trailer" */
		ck_assert_int_eq(check_fields(&own, AREA), kind == 1 ? SWPG_OK : SWPG_BAD_KIND);
		ck_assert_int_eq(check_fields(&none, AREA), SWPG_BAD_KIND);
	}
	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct maker_fields fields = maker_defaults(1000);

		fields.trailer_length = lengths[i];
		ck_assert_int_eq(check_fields(&fields, AREA), SWPG_BAD_KIND);
	}
}
END_TEST

START_TEST(canonical_form_has_no_hops)
{
	uint8_t bytes[SWPG_HEADER_SIZE], canonical[SWPG_HEADER_SIZE];

	memset(bytes, 0xA5, sizeof(bytes));
	for (int for_crc = 0; for_crc < 2; for_crc++) {
		swpg_canonical(bytes, for_crc != 0, canonical);
		for (unsigned i = 0; i < sizeof(bytes); i++)
			ck_assert_uint_eq(canonical[i], i == 46 || i == 47 || (for_crc && i >= 28 && i < 32) ? 0 : 0xA5);
	}
	swpg_canonical(bytes, true, bytes); /* in place */
	ck_assert_mem_eq(bytes, canonical, sizeof(bytes));
}
END_TEST

START_TEST(versions_are_compared_by_part)
{
	static const uint8_t rising[][4] = {{0, 0, 0, 0}, {0, 0, 0, 1},   {0, 0, 0, 255}, {0, 0, 1, 0},         {0, 1, 0, 0},
	                                    {1, 0, 0, 0}, {1, 0, 255, 0}, {1, 1, 0, 0},   {127, 255, 255, 255}, {128, 0, 0, 0}};
	const int count = sizeof(rising) / sizeof(rising[0]);

	for (int a = 0; a < count; a++)
		for (int b = 0; b < count; b++)
			ck_assert_int_eq(swpg_compare_versions(rising[a], rising[b]), (a > b) - (a < b));
}
END_TEST

START_TEST(crc_is_that_of_the_standard)
{
	static uint8_t data[4096 + 16];

	ck_assert_uint_eq(swpg_crc32(0, (const uint8_t *)"123456789", 9), 0xCBF43926); /* the check value of every catalogue */
	ck_assert_uint_eq(swpg_crc32(0, NULL, 0), 0);
	ck_assert_uint_eq(swpg_crc32(0x12345678, NULL, 0), 0x12345678);
	maker_software(3, data, sizeof(data));
	for (size_t offset = 0; offset < 9; offset++)
		for (size_t length = 0; length < 200; length++)
			ck_assert_uint_eq(swpg_crc32(0, data + offset, length), crc32_z(0, data + offset, length));
	for (size_t split = 0; split <= sizeof(data); split += 7)
		ck_assert_uint_eq(swpg_crc32(swpg_crc32(0, data, split), data + split, sizeof(data) - split),
		                  crc32_z(0, data, sizeof(data)));
	for (unsigned byte = 0; byte < 256; byte++)
		for (size_t place = 0; place < 8; place++) {
			uint8_t one[8] = {0};

			one[place] = (uint8_t)byte;
			ck_assert_uint_eq(swpg_crc32(0, one, sizeof(one)), crc32_z(0, one, sizeof(one)));
		}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("swpg");
	TCase *cases = tcase_create("header");
	SRunner *runner;
	int failed;

	tcase_add_test(cases, fields_lie_where_the_format_says);
	tcase_add_test(cases, magic_is_47_50_57_53);
	tcase_add_test(cases, small_fields_have_no_unknown_values);
	tcase_add_loop_test(cases, sizes_that_cannot_be_are_refused, 0, sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_test(cases, any_area_is_safe);
	tcase_add_test(cases, version_and_serial_agree);
	tcase_add_test(cases, time_counter_and_sequence_have_a_least_value);
	tcase_add_test(cases, reserved_bytes_are_zero);
	tcase_add_test(cases, kinds_are_known_and_have_their_length);
	tcase_add_test(cases, canonical_form_has_no_hops);
	tcase_add_test(cases, versions_are_compared_by_part);
	tcase_add_test(cases, crc_is_that_of_the_standard);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
