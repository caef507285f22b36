/* SPDX-License-Identifier: Apache-2.0 */
/* Suites of images: what is accepted and how it is read (here), what is refused (test_image_refused.c). */
#include "image_bench.h"

#include <stdlib.h>
#include <string.h>

#define READ_LIMIT 16384u

static struct ota_image image;

START_TEST(a_good_image_is_approved_in_either_bank)
{
	uint8_t digest[32];

	bench_install(BANK_A);
	bench_install(BANK_B);
	maker_digest(bench.image, bench.software, BENCH_SIZE, digest);
	for (int bank = 0; bank < 2; bank++) {
		uint32_t address = bank == 0 ? BANK_A : BANK_B;

		memset(&image, 0, sizeof(image));
		ck_assert_int_eq(ota_image_verify(address, 5, &image), OTA_IMAGE_OK);
		ck_assert_uint_eq(image.software, address + 64);
		ck_assert_uint_eq(image.header.uncompressed_size, BENCH_SIZE);
		ck_assert_uint_eq(image.header.security_counter, 5);
		ck_assert_mem_eq(image.header.version, "\x01\x01\x00\x07", 4);
		ck_assert_mem_eq(image.digest, digest, 32);
	}
}
END_TEST

START_TEST(a_good_offer_is_approved)
{
	uint8_t digest[32];

	maker_digest(bench.image, bench.software, BENCH_SIZE, digest);
	ck_assert_int_eq(ota_image_check_offer(bench.image, bench_trailer(), MAKER_TRAILER, 5, &image), OTA_IMAGE_OK);
	ck_assert_uint_eq(image.software, BANK_B + 64);
	ck_assert_mem_eq(image.digest, digest, 32);
	ck_assert_uint_eq(image.header.sequence, 42);
}
END_TEST

/* The header in the bank is the one that travelled: compressed there, not here. */
START_TEST(a_package_that_travelled_compressed_is_approved)
{
	bench.fields.compression = 1;
	bench.fields.payload_size = 3000;
	bench_make();
	ck_assert_int_eq(bench_offer(0), OTA_IMAGE_OK);
	ck_assert_int_eq(bench_verify(0), OTA_IMAGE_OK);
}
END_TEST

START_TEST(every_length_is_read_to_its_end)
{
	static const uint32_t lengths[] = {1, 31, 32, 33, 4095, 4096, 4097, 8192, 16383, 16384, 16385, BENCH_SIZE, BENCH_LARGE};

	bench.fields = maker_defaults(lengths[_i % 13]);
	bench_make();
	ck_assert_int_eq(bench_verify(0), OTA_IMAGE_OK);
	bench.image[64 + lengths[_i % 13] - 1] ^= 0x80;
	ck_assert_int_eq(bench_verify(0), OTA_IMAGE_CRC);
}
END_TEST

START_TEST(an_image_may_fill_the_area_and_not_more)
{
	bench.fields = maker_defaults(BANK_AREA - 160);
	bench_make();
	ck_assert_int_eq(bench_offer(0), OTA_IMAGE_OK);
	ck_assert_int_eq(bench_verify(0), OTA_IMAGE_OK);
	bench.fields = maker_defaults(BANK_AREA - 159);
	bench_make();
	ck_assert_int_eq(bench_offer(0), OTA_IMAGE_MALFORMED);
	bank_clear();
	bank_put(BANK_B, bench.image, BANK_AREA); /* its last byte has no place */
	ck_assert_int_eq(ota_image_verify(BANK_B, 0, &image), OTA_IMAGE_MALFORMED);
}
END_TEST

START_TEST(a_step_reads_16_kib_at_most)
{
	enum ota_image_status status = OTA_IMAGE_ABSENT;
	unsigned steps = 0;
	uint64_t before;

	bench.fields = maker_defaults(BENCH_LARGE);
	bench_make();
	bench_install(BANK_B);
	ota_image_verify_begin(BANK_B, 0);
	ck_assert_uint_eq(bank_read_bytes(), 0);
	do {
		before = bank_read_bytes();
		steps++;
		if (ota_image_verify_step(&status, &image) == PORT_OK)
			break;
		ck_assert_uint_le(bank_read_bytes() - before, READ_LIMIT);
		ck_assert_int_eq(status, OTA_IMAGE_ABSENT); /* untouched until the end */
	} while (steps < 1000);
	ck_assert_int_eq(status, OTA_IMAGE_OK);
	ck_assert_uint_eq(bank_read_bytes(), 64 + BENCH_LARGE + 96);
	ck_assert_uint_ge(steps, BENCH_LARGE / READ_LIMIT);
	status = OTA_IMAGE_CRC;
	ck_assert_int_eq(ota_image_verify_step(&status, &image), PORT_OK); /* the verdict stays */
	ck_assert_int_eq(status, OTA_IMAGE_OK);
}
END_TEST

START_TEST(a_busy_bank_is_asked_again)
{
	enum ota_image_status status;

	bench_install(BANK_B);
	for (uint32_t every = 2; every < 6; every++) {
		bank_busy_every(every);
		ota_image_verify_begin(BANK_B, 0);
		while (ota_image_verify_step(&status, &image) == PORT_WOULD_BLOCK) {}
		ck_assert_int_eq(status, OTA_IMAGE_OK);
		ck_assert_int_eq(ota_image_verify(BANK_B, 0, &image), OTA_IMAGE_OK);
	}
}
END_TEST

START_TEST(a_bank_that_stays_busy_ends)
{
	uint64_t begin_us = port_time_us();

	bench_install(BANK_B);
	bank_busy(UINT32_MAX);
	ck_assert_int_eq(ota_image_verify(BANK_B, 0, &image), OTA_IMAGE_UNREADABLE);
	ck_assert_uint_ge(port_time_us() - begin_us, 3000000);
	ck_assert_uint_le(port_time_us() - begin_us, 3100000);
	bank_busy(1500); /* 1.5 s: an erase that ends */
	ck_assert_int_eq(ota_image_verify(BANK_B, 0, &image), OTA_IMAGE_OK);
}
END_TEST

START_TEST(begin_forgets_what_was_under_way)
{
	enum ota_image_status status;

	bench_install(BANK_B);
	ota_image_verify_begin(BANK_B, 0);
	for (int i = 0; i < 3; i++)
		(void)ota_image_verify_step(&status, &image);
	ck_assert_int_eq(ota_image_verify(BANK_A, 0, &image), OTA_IMAGE_ABSENT);
	ck_assert_int_eq(ota_image_verify(BANK_B, 0, &image), OTA_IMAGE_OK);
}
END_TEST

START_TEST(without_begin_there_is_no_image)
{
	enum ota_image_status status = OTA_IMAGE_OK;

	ck_assert_int_eq(ota_image_verify_step(&status, &image), PORT_OK);
	ck_assert_int_eq(status, OTA_IMAGE_ABSENT);
}
END_TEST

START_TEST(nothing_there_is_absent)
{
	static const uint8_t elf[64] = "\x7F"
	                               "ELF\x01\x01\x01";

	ck_assert_int_eq(ota_image_verify(BANK_B, 0, &image), OTA_IMAGE_ABSENT); /* erased */
	bank_put(BANK_B, elf, sizeof(elf));
	ck_assert_int_eq(ota_image_verify(BANK_B, 0, &image), OTA_IMAGE_ABSENT);
	ck_assert(!ota_image_peek(BANK_B, &image));
	ck_assert_int_eq(ota_image_check_offer(elf, bench_trailer(), MAKER_TRAILER, 0, &image), OTA_IMAGE_MALFORMED);
	ck_assert_int_eq(ota_image_verify(0xA0000000 + BANK_SIZE - 63, 0, &image), OTA_IMAGE_ABSENT);
	ck_assert_int_eq(ota_image_verify(0xA0000000 + BANK_SIZE, 0, &image), OTA_IMAGE_ABSENT);
	ck_assert_int_eq(ota_image_verify(0, 0, &image), OTA_IMAGE_ABSENT);
	ck_assert_int_eq(ota_image_verify(UINT32_MAX, 0, &image), OTA_IMAGE_ABSENT);
	ck_assert(!ota_image_peek(UINT32_MAX, &image));
	bank_absent(); /* a board without flash */
	ck_assert_int_eq(ota_image_verify(BANK_B, 0, &image), OTA_IMAGE_ABSENT);
	ck_assert_int_eq(ota_image_check_offer(bench.image, bench_trailer(), MAKER_TRAILER, 0, &image), OTA_IMAGE_MALFORMED);
	ck_assert(!ota_image_peek(BANK_B, &image));
}
END_TEST

START_TEST(peek_tells_what_a_header_says)
{
	static const uint8_t zero[32];

	bench_install(BANK_B);
	ck_assert(ota_image_peek(BANK_B, &image));
	ck_assert_uint_eq(image.software, BANK_B + 64);
	ck_assert_mem_eq(image.digest, bench_trailer(), 32);
	ck_assert_mem_eq(image.header.version, "\x01\x01\x00\x07", 4);
	bank_ecc(BANK_B + 64 + BENCH_SIZE, true);
	ck_assert(ota_image_peek(BANK_B, &image));
	ck_assert_mem_eq(image.digest, zero, 32);
	bank_ecc(BANK_B + 32, true);
	ck_assert(!ota_image_peek(BANK_B, &image));
	bank_ecc(BANK_B + 32, false);
	bank_bytes(BANK_B)[60] = 1;
	ck_assert(!ota_image_peek(BANK_B, &image));
}
END_TEST

START_TEST(keys_may_be_pem_or_der)
{
	uint8_t der[MAKER_KEY_SIZE];

	fake_object_set("ota.key.1", der, maker_public_der(bench.keys[0], der));
	ck_assert_int_eq(bench_offer(0), OTA_IMAGE_OK);
}
END_TEST

START_TEST(every_key_of_the_ring_counts)
{
	uint8_t text[MAKER_KEY_SIZE];
	size_t length = maker_public_pem(bench.keys[1], text);

	for (uint32_t id = 1; id <= 8; id++) {
		char name[] = "ota.key.N";

		name[8] = (char)('0' + id);
		fake_object_set("ota.key.1", NULL, 0);
		fake_object_set(name, text, length);
		bench.fields.key_id = id;
		bench_make_with(bench.keys[1]);
		ck_assert_int_eq(bench_offer(0), OTA_IMAGE_OK);
		fake_object_set(name, NULL, 0);
	}
}
END_TEST

START_TEST(sources_are_a_list)
{
	static const struct {
		const char *list;
		uint16_t source;
		enum ota_image_status status;
	} rows[] = {
	        {NULL, 0x0000, OTA_IMAGE_OK},
	        {NULL, 0x0E00, OTA_IMAGE_FOREIGN},
	        {"", 0x0E00, OTA_IMAGE_FOREIGN},
	        {"0x0e00", 0x0E00, OTA_IMAGE_OK},
	        {"0x0E00,17", 0x0011, OTA_IMAGE_OK},
	        {"0x0e00,0x0011", 0x0E01, OTA_IMAGE_FOREIGN},
	        {"0x0e00", 0xFFFF, OTA_IMAGE_FOREIGN},
	        {"0x0091", 0x0091, OTA_IMAGE_FOREIGN}, /* this board: a loop, whatever the list says */
	        {"0x0e00,", 0x0E00, OTA_IMAGE_FOREIGN},
	        {"0x10e00", 0x0E00, OTA_IMAGE_FOREIGN},
	        {"0x0e00;0x0011", 0x0E00, OTA_IMAGE_FOREIGN},
	        {"0x", 0x0000, OTA_IMAGE_OK},
	        {"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", 0x0010, OTA_IMAGE_OK},
	        {"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", 0x0001, OTA_IMAGE_FOREIGN},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fake_param_set("ota.sources", rows[i].list);
		ota_image_start(MAKER_TARGET);
		bench.fields.source = rows[i].source;
		bench_make();
		ck_assert_msg(bench_offer(0) == rows[i].status, "row %u", i);
	}
	ck_assert_ptr_nonnull(strstr(fake_console(), "! parameter ota.sources"));
}
END_TEST

static TCase *accepted_case(void)
{
	TCase *cases = tcase_create("accepted");

	tcase_set_timeout(cases, 60);
	tcase_add_checked_fixture(cases, bench_setup, NULL);
	tcase_add_test(cases, a_good_image_is_approved_in_either_bank);
	tcase_add_test(cases, a_good_offer_is_approved);
	tcase_add_test(cases, a_package_that_travelled_compressed_is_approved);
	tcase_add_loop_test(cases, every_length_is_read_to_its_end, 0, 13);
	tcase_add_test(cases, an_image_may_fill_the_area_and_not_more);
	tcase_add_test(cases, a_step_reads_16_kib_at_most);
	tcase_add_test(cases, a_busy_bank_is_asked_again);
	tcase_add_test(cases, a_bank_that_stays_busy_ends);
	tcase_add_test(cases, begin_forgets_what_was_under_way);
	tcase_add_test(cases, without_begin_there_is_no_image);
	tcase_add_test(cases, nothing_there_is_absent);
	tcase_add_test(cases, peek_tells_what_a_header_says);
	tcase_add_test(cases, keys_may_be_pem_or_der);
	tcase_add_test(cases, every_key_of_the_ring_counts);
	tcase_add_test(cases, sources_are_a_list);
	return cases;
}

int main(void)
{
	Suite *suite = suite_create("ota_image");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, accepted_case());
	suite_add_tcase(suite, image_field_case());
	suite_add_tcase(suite, image_trailer_case());
	suite_add_tcase(suite, image_flash_case());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
