/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../../core/endpoint.h"
#include "../../faults/fault.h"
#include "../fake_port.h"
#include "test_device.h"

static struct endpoint got;

static enum endpoint_status read_at(uint32_t address, uint32_t size)
{
	return endpoint_read(address, size, &got);
}

static enum endpoint_status read_it(void)
{
	return read_at(ENDPOINT_ADDRESS, ENDPOINT_SIZE);
}

static void setup(void)
{
	fake_port_clear();
	fault_load();
}

/* The words that a debugger writes for "10.42.0.12:8081". */
START_TEST(known_words)
{
	static const uint32_t words[] = {0x0000000f, 0x342e3031, 0x2e302e32, 0x383a3231, 0x00313830};
	for (unsigned i = 0; i < 5; i++)
		for (unsigned k = 0; k < 4; k++)
			fake_ram()[0x1000 + 4 * i + k] = (uint8_t)(words[i] >> (8 * k));
	ck_assert_int_eq(read_it(), ENDPOINT_OK);
	ck_assert_str_eq(got.text, "10.42.0.12:8081");
	ck_assert_uint_eq(got.remote.port, 8081);
	ck_assert_mem_eq(got.remote.address, "\x0a\x2a\x00\x0c", 4);
}
END_TEST

START_TEST(wrong_lengths)
{
	static const uint32_t wrong[] = {0, 64, 65, 80, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 0x0f000000};
	inject(ENDPOINT_ADDRESS, wrong[_i], "10.42.0.12:8081");
	ck_assert_int_eq(read_it(), ENDPOINT_LENGTH);
	ck_assert_uint_eq(got.length, wrong[_i]);
	ck_assert_uint_eq(got.remote.port, 0);
}
END_TEST

START_TEST(longest_length)
{
	char text[64];
	memset(text, '0', sizeof text);
	memcpy(text, "10.42.0.12:", 11);
	text[63] = '\0';
	inject(ENDPOINT_ADDRESS, 63, text);
	/* Taken as a text, though no port is that long. */
	ck_assert_int_eq(read_it(), ENDPOINT_SYNTAX);
	ck_assert_uint_eq(strlen(got.text), 63);
}
END_TEST

START_TEST(only_the_length_counts)
{
	inject(ENDPOINT_ADDRESS, 14, "10.42.0.12:8081");
	ck_assert_int_eq(read_it(), ENDPOINT_OK);
	ck_assert_uint_eq(got.remote.port, 808);
}
END_TEST

START_TEST(bytes_of_no_address)
{
	static const char bad[] = {0, 1, ' ', '\n', '/', '"', '\\', 0x7f, (char)0x80, (char)0xff};
	inject(ENDPOINT_ADDRESS, 15, "10.42.0.12:8081");
	fake_ram()[0x1004 + 5] = (uint8_t)bad[_i];
	ck_assert_int_eq(read_it(), ENDPOINT_TEXT);
	ck_assert_uint_eq(got.at, 5);
}
END_TEST

START_TEST(texts_of_no_endpoint)
{
	static const char *const texts[] = {
	        "10.42.0.12",       ":8081", "10.42.0.12:", "10.42.0.12:0", "10.42.0.12:65536", "gateway:8081", "10.42.0.256:1",
	        "10.42.0.12:80:81", "::"};
	inject(ENDPOINT_ADDRESS, (uint32_t)strlen(texts[_i]), texts[_i]);
	ck_assert_int_eq(read_it(), ENDPOINT_SYNTAX);
}
END_TEST

START_TEST(other_places)
{
	inject(0x20000003, 9, "1.2.3.4:5");
	ck_assert_int_eq(read_at(0x20000003, 10), ENDPOINT_OK);
	ck_assert_int_eq(read_at(0x20000003, 9), ENDPOINT_LENGTH);
	inject(PORT_RAM_BEGIN + PORT_RAM_SIZE - 4 - 64, 9, "1.2.3.4:5");
	ck_assert_int_eq(read_at(PORT_RAM_BEGIN + PORT_RAM_SIZE - 4 - 64, 64), ENDPOINT_OK);
	ck_assert_int_eq(read_at(PORT_RAM_BEGIN + PORT_RAM_SIZE - 4 - 63, 64), ENDPOINT_NO_MEMORY);
	ck_assert_int_eq(read_at(0x1fffffff, 64), ENDPOINT_NO_MEMORY);
	ck_assert_int_eq(read_at(0xfffffff0, 64), ENDPOINT_NO_MEMORY);
	ck_assert_int_eq(read_at(ENDPOINT_ADDRESS, 0), ENDPOINT_NO_MEMORY);
	ck_assert_int_eq(read_at(ENDPOINT_ADDRESS, ENDPOINT_SIZE_MAX + 1), ENDPOINT_NO_MEMORY);
}
END_TEST

static void expect_report(const char *line)
{
	fake_console_clear();
	endpoint_report(read_it(), &got);
	ck_assert_str_eq(fake_console(), line);
}

START_TEST(reports)
{
	expect_report("! endpoint: length 0 is not 1..63, read at 0x20001000\r\n");
	inject(ENDPOINT_ADDRESS, 80, "");
	expect_report("! endpoint: length 80 is not 1..63, read at 0x20001000\r\n");
	inject(ENDPOINT_ADDRESS, 3,
	       "a\x01"
	       "c");
	expect_report("! endpoint: byte 0x01 at 1 is no character of an address, read at 0x20001000\r\n");
	inject(ENDPOINT_ADDRESS, 3, "abc");
	expect_report("! endpoint: \"abc\" is no HOST:PORT, read at 0x20001000\r\n");
	inject(ENDPOINT_ADDRESS, 9, "1.2.3.4:5");
	expect_report("");
}
END_TEST

/* The planted defect has to look like one, and stay in its memory. */
START_TEST(no_bound)
{
	fake_param_set("fault", "endpoint-no-bound");
	fault_load();
	inject(ENDPOINT_ADDRESS, 0xffffffff, "10.42.0.12:8081");
	ck_assert_int_eq(read_it(), ENDPOINT_OK);
	memset(fake_ram(), '1', PORT_RAM_SIZE);
	ck_assert_int_eq(read_it(), ENDPOINT_SYNTAX);
	fake_param_set("fault", NULL);
	fault_load();
}
END_TEST

TCase *endpoint_cases(void)
{
	TCase *cases = tcase_create("endpoint");
	tcase_add_checked_fixture(cases, setup, NULL);
	tcase_add_test(cases, known_words);
	tcase_add_loop_test(cases, wrong_lengths, 0, 9);
	tcase_add_test(cases, longest_length);
	tcase_add_test(cases, only_the_length_counts);
	tcase_add_loop_test(cases, bytes_of_no_address, 0, 10);
	tcase_add_loop_test(cases, texts_of_no_endpoint, 0, 9);
	tcase_add_test(cases, other_places);
	tcase_add_test(cases, reports);
	tcase_add_test(cases, no_bound);
	return cases;
}
