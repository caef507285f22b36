/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused: fields (signed by the right key all the same), integrity, flash that cannot be read. */
#include "../../faults/fault.h"
#include "image_bench.h"

#include <string.h>

#define HOP_COUNT 46u

/* Every bit of a header whose CRC and signature stay as they were. */
START_TEST(no_flipped_header_bit_is_accepted)
{
	unsigned refused = 0, at_offer = 0;

	for (unsigned bit = 0; bit < 512; bit++) {
		bool policy = bit / 8 == HOP_COUNT && bit % 8 < 4; /* 1, 2, 4 and 8 hops: on the way, not signed */
		enum ota_image_status status;

		bench.image[bit / 8] ^= (uint8_t)(1u << bit % 8);
		at_offer += bench_offer(5) != OTA_IMAGE_OK;
		status = bench_verify(5);
		ck_assert_msg((status == OTA_IMAGE_OK) == policy, "bit %u: %d", bit, status);
		refused += status != OTA_IMAGE_OK;
		bench.image[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_uint_eq(refused, 508);
	ck_assert_uint_ge(at_offer, 300); /* before anything is erased */
}
END_TEST

START_TEST(no_truncated_header_is_accepted)
{
	for (unsigned length = 0; length < MAKER_HEADER; length++) {
		uint8_t cut[MAKER_HEADER];
		enum ota_image_status status;
		struct ota_image image;

		memset(cut, 0xA5, sizeof(cut)); /* whatever follows a header that breaks off */
		memcpy(cut, bench.image, length);
		ck_assert_int_ne(ota_image_check_offer(cut, bench_trailer(), MAKER_TRAILER, 0, &image), OTA_IMAGE_OK);
		bank_clear();
		bank_put(BANK_B, bench.image, length); /* the pages behind are erased */
		status = ota_image_verify(BANK_B, 0, &image);
		if (length < 4)
			ck_assert_int_eq(status, OTA_IMAGE_ABSENT);
		else if (length <= BANK_PAGE || length > 52) /* the second page, or all that follows the header */
			ck_assert_int_eq(status, OTA_IMAGE_UNREADABLE);
		else
			ck_assert_int_eq(status, OTA_IMAGE_MALFORMED);
	}
}
END_TEST

#define FIELD(what, change, status, refused)                                                                                               \
	{what, offsetof(struct maker_fields, change), sizeof(((struct maker_fields *)0)->change), status, refused}
static const struct field_row {
	const char *what;
	size_t offset, size;
	uint32_t value;
	enum ota_image_status status;
} field_rows[] = {
        FIELD("another board", target, 0x0011, OTA_IMAGE_FOREIGN),
        FIELD("the vehicle gateway", target, 0x0E00, OTA_IMAGE_FOREIGN),
        FIELD("no target", target, 0x0000, OTA_IMAGE_MALFORMED),
        FIELD("all targets", target, 0xFFFF, OTA_IMAGE_MALFORMED),
        FIELD("type 0", type, 0, OTA_IMAGE_MALFORMED),
        FIELD("a bootloader", type, 2, OTA_IMAGE_FOREIGN),
        FIELD("calibration", type, 3, OTA_IMAGE_FOREIGN),
        FIELD("type 4", type, 4, OTA_IMAGE_MALFORMED),
        FIELD("type 255", type, 255, OTA_IMAGE_MALFORMED),
        FIELD("compression 2", compression, 2, OTA_IMAGE_MALFORMED),
        FIELD("compression 255", compression, 255, OTA_IMAGE_MALFORMED),
        FIELD("payload 0", payload_size, 0, OTA_IMAGE_MALFORMED),
        FIELD("payload 1", payload_size, 1, OTA_IMAGE_MALFORMED),
        FIELD("payload too short", payload_size, BENCH_SIZE - 1, OTA_IMAGE_MALFORMED),
        FIELD("payload too long", payload_size, BENCH_SIZE + 1, OTA_IMAGE_MALFORMED),
        FIELD("payload of all", payload_size, UINT32_MAX, OTA_IMAGE_MALFORMED),
        FIELD("software 0", uncompressed_size, 0, OTA_IMAGE_MALFORMED),
        FIELD("software of all", uncompressed_size, UINT32_MAX, OTA_IMAGE_MALFORMED),
        FIELD("software wraps", uncompressed_size, UINT32_MAX - 159, OTA_IMAGE_MALFORMED),
        FIELD("serial", serial, 0x01010008, OTA_IMAGE_MALFORMED),
        FIELD("time 0", timestamp, 0, OTA_IMAGE_MALFORMED),
        FIELD("a second too early", timestamp, 1577836799, OTA_IMAGE_MALFORMED),
        FIELD("unsigned", kind, 0, OTA_IMAGE_MALFORMED),
        FIELD("kind 2", kind, 2, OTA_IMAGE_MALFORMED),
        FIELD("kind 257", kind, 257, OTA_IMAGE_MALFORMED),
        FIELD("kind 0xFFFFFFFF", kind, UINT32_MAX, OTA_IMAGE_MALFORMED),
        FIELD("trailer 0", trailer_length, 0, OTA_IMAGE_MALFORMED),
        FIELD("trailer 63", trailer_length, 63, OTA_IMAGE_MALFORMED),
        FIELD("trailer 65", trailer_length, 65, OTA_IMAGE_MALFORMED),
        FIELD("trailer 97", trailer_length, 97, OTA_IMAGE_MALFORMED),
        FIELD("trailer of all", trailer_length, UINT32_MAX, OTA_IMAGE_MALFORMED),
        FIELD("key 0", key_id, 0, OTA_IMAGE_KEY),
        FIELD("a key that is not there", key_id, 2, OTA_IMAGE_KEY),
        FIELD("key 9", key_id, 9, OTA_IMAGE_KEY),
        FIELD("key 257", key_id, 257, OTA_IMAGE_KEY),
        FIELD("key 0xFFFFFFFF", key_id, UINT32_MAX, OTA_IMAGE_KEY),
        FIELD("source", source, 0x0E00, OTA_IMAGE_FOREIGN),
        FIELD("itself", source, 0x0091, OTA_IMAGE_FOREIGN),
        FIELD("8 hops", hop_count, 8, OTA_IMAGE_OK),
        FIELD("9 hops", hop_count, 9, OTA_IMAGE_MALFORMED),
        FIELD("256 hops", hop_count, 256, OTA_IMAGE_MALFORMED),
        FIELD("sequence 0", sequence, 0, OTA_IMAGE_MALFORMED),
        FIELD("counter absent", security_counter, 0, OTA_IMAGE_MALFORMED),
        FIELD("counter too low", security_counter, 4, OTA_IMAGE_OLD),
        FIELD("counter as now", security_counter, 5, OTA_IMAGE_OK),
        FIELD("counter at its end", security_counter, UINT32_MAX, OTA_IMAGE_OK),
        FIELD("reserved", reserved[0], 1, OTA_IMAGE_MALFORMED),
        FIELD("reserved", reserved[7], 0x80, OTA_IMAGE_MALFORMED),
};

START_TEST(a_signed_package_with_a_wrong_field_is_refused)
{
	const struct field_row *row = &field_rows[_i];

	memcpy((uint8_t *)&bench.fields + row->offset, &row->value, row->size);
	bench_make();
	ck_assert_msg(bench_offer(5) == row->status, "%s at the offer", row->what);
	ck_assert_msg(bench_verify(5) == row->status, "%s in the bank", row->what);
}
END_TEST

/* The CRC covers the header; a CRC over the software alone is none. */
START_TEST(crc_is_over_the_header_too)
{
	static const uint8_t empty[MAKER_HEADER];
	uint32_t crc = maker_crc(empty, bench.software, BENCH_SIZE);

	for (unsigned i = 0; i < 4; i++)
		bench.image[28 + i] = (uint8_t)(crc >> 8 * i);
	bench_seal_trailer(bench.keys[0]);
	ck_assert_int_eq(bench_verify(0), OTA_IMAGE_CRC);
}
END_TEST

START_TEST(a_wrong_crc_is_refused_though_signed)
{
	for (unsigned bit = 0; bit < 34; bit++) {
		uint32_t crc = bit == 32 ? 0 : bit == 33 ? UINT32_MAX : maker_crc(bench.image, bench.software, BENCH_SIZE) ^ 1u << bit;

		for (unsigned i = 0; i < 4; i++)
			bench.image[28 + i] = (uint8_t)(crc >> 8 * i);
		bench_seal_trailer(bench.keys[0]);
		ck_assert_int_eq(bench_verify(0), OTA_IMAGE_CRC);
	}
}
END_TEST

START_TEST(a_right_crc_does_not_help_changed_software)
{
	for (size_t i = 0; i < BENCH_SIZE; i += 97) {
		bench.image[MAKER_HEADER + i] ^= 1;
		bench_seal_crc();
		ck_assert_int_eq(bench_verify(0), OTA_IMAGE_DIGEST);
		bench.image[MAKER_HEADER + i] ^= 1;
	}
	bench_seal_crc();
	ck_assert_int_eq(bench_verify(0), OTA_IMAGE_OK);
}
END_TEST

START_TEST(every_byte_of_the_software_counts)
{
	bench.fields = maker_defaults(300);
	bench_make();
	for (size_t bit = 0; bit < 300 * 8; bit += 3) {
		bench.image[MAKER_HEADER + bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(bench_verify(0), OTA_IMAGE_CRC);
		bench.image[MAKER_HEADER + bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
END_TEST

/* Two packages, both rightly signed: no header, software or trailer of one goes with the rest of the other. */
START_TEST(parts_of_two_packages_do_not_mix)
{
	static uint8_t first[BENCH_SIZE + 160], second[BENCH_SIZE + 160];
	static const struct {
		bool header, software, trailer;
	} from_second[] = {{true, false, false}, {false, true, false}, {false, false, true},
	                   {true, true, false},  {true, false, true},  {false, true, true}};

	memcpy(first, bench.image, bench.length);
	bench.fields.security_counter = 9;
	maker_software(99, bench.software, BENCH_SIZE);
	bench_make();
	ck_assert_int_eq(bench_verify(9), OTA_IMAGE_OK);
	memcpy(second, bench.image, bench.length);
	for (unsigned i = 0; i < 6; i++) {
		memcpy(bench.image, from_second[i].header ? second : first, MAKER_HEADER);
		memcpy(bench.image + 64, (from_second[i].software ? second : first) + 64, BENCH_SIZE);
		memcpy(bench_trailer(), (from_second[i].trailer ? second : first) + 64 + BENCH_SIZE, MAKER_TRAILER);
		ck_assert_int_ne(bench_verify(0), OTA_IMAGE_OK);
		bench_seal_crc();
		ck_assert_int_eq(bench_verify(0), OTA_IMAGE_DIGEST);
	}
}
END_TEST

/* The signature is over the digest of the software, not of what travelled; and two packages in one are not one. */
START_TEST(what_was_signed_is_the_software)
{
	uint8_t travelled[BENCH_SIZE / 2];

	maker_software(5, travelled, sizeof(travelled));
	bench.fields.compression = 1;
	bench.fields.payload_size = sizeof(travelled);
	bench_make();
	maker_trailer(bench.keys[0], bench.image, travelled, sizeof(travelled), bench_trailer());
	ck_assert_int_eq(bench_offer(0), OTA_IMAGE_OK);
	ck_assert_int_eq(bench_verify(0), OTA_IMAGE_DIGEST);
	bench.fields = maker_defaults(BENCH_SIZE);
	bench_make();
	memmove(bench.image + 64, bench.image, BENCH_SIZE); /* a header in front of a package */
	ck_assert_int_eq(bench_verify(0), OTA_IMAGE_CRC);
}
END_TEST

START_TEST(planted_faults_change_one_thing_each)
{
	static const struct {
		const char *fault;
		enum ota_image_status target, counter, signature;
	} rows[] = {{NULL, OTA_IMAGE_FOREIGN, OTA_IMAGE_OLD, OTA_IMAGE_SIGNATURE},
	            {"ota-target-ignored", OTA_IMAGE_OK, OTA_IMAGE_OLD, OTA_IMAGE_SIGNATURE},
	            {"ota-counter-ignored", OTA_IMAGE_FOREIGN, OTA_IMAGE_OK, OTA_IMAGE_SIGNATURE},
	            {"ota-signature-ignored", OTA_IMAGE_FOREIGN, OTA_IMAGE_OLD, OTA_IMAGE_OK}};

	fake_param_set("fault", rows[_i].fault);
	fault_load();
	bench.fields.target = 0x0011;
	bench_make();
	ck_assert_int_eq(bench_verify(0), rows[_i].target);
	bench.fields = maker_defaults(BENCH_SIZE);
	bench_make();
	ck_assert_int_eq(bench_verify(6), rows[_i].counter);
	bench_make_with(bench.keys[1]);
	ck_assert_int_eq(bench_verify(0), rows[_i].signature);
	ck_assert_int_eq(bench_offer(0), rows[_i].signature);
	bench.image[64] ^= 1; /* CRC and digest are looked at all the same */
	ck_assert_int_ne(bench_verify(0), OTA_IMAGE_OK);
}
END_TEST

TCase *image_field_case(void)
{
	TCase *cases = tcase_create("refused");

	tcase_set_timeout(cases, 60);
	tcase_add_checked_fixture(cases, bench_setup, NULL);
	tcase_add_test(cases, no_flipped_header_bit_is_accepted);
	tcase_add_test(cases, no_truncated_header_is_accepted);
	tcase_add_loop_test(cases, a_signed_package_with_a_wrong_field_is_refused, 0, sizeof(field_rows) / sizeof(field_rows[0]));
	tcase_add_test(cases, crc_is_over_the_header_too);
	tcase_add_test(cases, a_wrong_crc_is_refused_though_signed);
	tcase_add_test(cases, a_right_crc_does_not_help_changed_software);
	tcase_add_test(cases, every_byte_of_the_software_counts);
	tcase_add_test(cases, parts_of_two_packages_do_not_mix);
	tcase_add_test(cases, what_was_signed_is_the_software);
	tcase_add_loop_test(cases, planted_faults_change_one_thing_each, 0, 4);
	return cases;
}

/* ---- flash that cannot be read ------------------------------------------------------------------------------------ */

START_TEST(an_ecc_error_in_any_page_is_told)
{
	uint32_t end = BANK_PAGE_UP((uint32_t)bench.length);
	struct ota_image image;

	bench_install(BANK_B);
	for (uint32_t page = 0; page < end; page += BANK_PAGE) {
		bank_ecc(BANK_B + page, true);
		ck_assert_int_eq(ota_image_verify(BANK_B, 0, &image), page == 0 ? OTA_IMAGE_ABSENT : OTA_IMAGE_UNREADABLE);
		bank_ecc(BANK_B + page, false);
	}
	bank_ecc(BANK_B + end, true); /* behind the image nothing is read */
	ck_assert_int_eq(ota_image_verify(BANK_B, 0, &image), OTA_IMAGE_OK);
}
END_TEST

START_TEST(an_image_that_breaks_off_is_refused)
{
	struct ota_image image;

	for (uint32_t length = BANK_PAGE; length < bench.length; length += 7 * BANK_PAGE) {
		bank_clear();
		bank_put(BANK_B, bench.image, length);
		ck_assert_int_eq(ota_image_verify(BANK_B, 0, &image), OTA_IMAGE_UNREADABLE);
	}
}
END_TEST

/* What changes between two verifications is seen by the second. */
START_TEST(nothing_is_remembered_from_a_verification)
{
	struct ota_image image;

	bench_install(BANK_B);
	ck_assert_int_eq(ota_image_verify(BANK_B, 0, &image), OTA_IMAGE_OK);
	bank_bytes(BANK_B)[64 + BENCH_SIZE / 2] ^= 4;
	ck_assert_int_eq(ota_image_verify(BANK_B, 0, &image), OTA_IMAGE_CRC);
}
END_TEST

TCase *image_flash_case(void)
{
	TCase *cases = tcase_create("unreadable");

	tcase_set_timeout(cases, 60);
	tcase_add_checked_fixture(cases, bench_setup, NULL);
	tcase_add_test(cases, an_ecc_error_in_any_page_is_told);
	tcase_add_test(cases, an_image_that_breaks_off_is_refused);
	tcase_add_test(cases, nothing_is_remembered_from_a_verification);
	return cases;
}
