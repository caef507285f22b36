/* SPDX-License-Identifier: Apache-2.0 */
/* D030-D058: discovery, announcement, status. */
#include <string.h>

#include "bench.h"

#define ASKER "10.0.0.9:50000"

static struct fake_datagram got;

static void start(void)
{
	bench_prepare();
	bench_start();
}

static void ask(const char *from, const char *to, uint8_t version, uint16_t type, const void *payload, size_t length)
{
	uint8_t bytes[256];
	ck_assert(fake_udp_send(from, to, bytes, compose(bytes, version, type, payload, length)));
	settle();
}

static uint16_t type_of(const struct fake_datagram *d)
{
	return (uint16_t)(d->data[2] << 8 | d->data[3]);
}

static void expect_udp_nack(uint8_t code)
{
	ck_assert(fake_udp_take(&got));
	ck_assert_uint_eq(got.length, 9);
	ck_assert_uint_eq(type_of(&got), 0x0000);
	ck_assert_uint_eq(got.data[8], code);
}

static void expect_silence(void)
{
	run_for(600 * MS);
	ck_assert(!fake_udp_take(&got));
}

static void expect_identity(uint8_t version)
{
	run_for(500 * MS);
	ck_assert(fake_udp_take(&got));
	ck_assert_uint_eq(got.length, 8 + 33);
	ck_assert_uint_eq(got.data[0], version);
	ck_assert_uint_eq(type_of(&got), 0x0004);
	ck_assert_uint_eq(got.to.port, 50000);
	ck_assert(!fake_udp_take(&got) || got.length == 0);
}

START_TEST(announces_three_times)
{
	static const char *const targets[] = {UDP_ALL, "[ff02::1%2]:13400"};
	bench_prepare();
	if (_i == 1)
		fake_param_set("doip.udp", "[fe80::2%2]:13400");
	fake_param_set("doip.announce_to", targets[_i]);
	bench_start();
	uint64_t first = 0;
	for (int i = 0; i < 3; i++) {
		while (!fake_udp_take(&got)) {
			run_for(1 * MS);
			ck_assert_uint_le(port_time_us(), 2 * SECOND);
		}
		ck_assert_uint_eq(got.to.port, 13400);
		ck_assert_uint_eq(got.to.family, _i == 1 ? 6 : 4);
		ck_assert_uint_eq(got.to.scope_id, _i == 1 ? 2 : 0);
		ck_assert_uint_eq(type_of(&got), 0x0004);
		if (i == 0)
			first = port_time_us();
		ck_assert_uint_le(first, 501 * MS);
		ck_assert_uint_le(port_time_us() - first, (unsigned)i * 500 * MS + 1 * MS);
		ck_assert_uint_ge(port_time_us() - first + 1 * MS, (unsigned)i * 500 * MS);
	}
	run_for(5 * SECOND);
	ck_assert(!fake_udp_take(&got));
	fake_link_set(false);
	run_for(1 * SECOND);
	fake_link_set(true);
	run_for(2 * SECOND);
	for (int i = 0; i < 3; i++)
		ck_assert(fake_udp_take(&got));
	ck_assert(!fake_udp_take(&got));
	bench_end();
}
END_TEST

START_TEST(the_announce_wait_is_random)
{
	uint64_t times[20];
	bool different = false;
	for (unsigned i = 0; i < 20; i++) {
		bench_prepare();
		fake_random_seed(i + 1);
		fake_param_set("doip.announce_to", UDP_ALL);
		bench_start();
		while (!fake_udp_take(&got))
			run_for(1 * MS);
		times[i] = port_time_us();
		ck_assert_uint_le(times[i], 501 * MS);
		different = different || times[i] != times[0];
		bench_end();
	}
	ck_assert(different);
}
END_TEST

START_TEST(answers_identification)
{
	static const uint8_t versions[][2] = {{0x02, 0x02}, {0x03, 0x03}, {0xFF, 0x03}};
	ask(ASKER, _i < 3 ? UDP : UDP_ALL, versions[_i % 3][0], 0x0001, "", 0);
	expect_identity(versions[_i % 3][1]);
	ck_assert_mem_eq(got.data + 8, "WDB00000000000001", 17);
	ck_assert_mem_eq(got.data + 25, "\x00\x91\x02\0\0\0\0\xa1\0\0\0\0\0\0\0\0", 16);
	ask(ASKER, UDP, versions[_i % 3][0], 0x0002, "\x02\0\0\0\0\xa1", 6);
	expect_identity(versions[_i % 3][1]);
	ask(ASKER, UDP, versions[_i % 3][0], 0x0002, "\x02\0\0\0\0\xa2", 6);
	expect_silence();
	ask(ASKER, UDP, versions[_i % 3][0], 0x0003, "WDB00000000000001", 17);
	expect_identity(versions[_i % 3][1]);
	ask(ASKER, UDP, versions[_i % 3][0], 0x0003, "WDB00000000000002", 17);
	expect_silence();
}
END_TEST

START_TEST(an_unset_vin_never_matches)
{
	bench_prepare();
	fake_param_set("doip.vin", "");
	bench_start();
	ask(ASKER, UDP, 3, 0x0003, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 17);
	expect_silence();
	ask(ASKER, UDP, 3, 0x0001, "", 0);
	expect_identity(3);
	ck_assert_mem_eq(got.data + 8, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 17);
	ck_assert_uint_eq(got.data[40], 0x10); /* not synchronized */
	bench_end();
}
END_TEST

static void expect_status(uint8_t open)
{
	ask(ASKER, UDP, 2, 0x4001, "", 0);
	ck_assert(fake_udp_take(&got));
	ck_assert_uint_eq(got.length, 15);
	ck_assert_uint_eq(got.data[0], 2);
	ck_assert_uint_eq(type_of(&got), 0x4002);
	const uint8_t expected[7] = {0, 4, open, 0, 0, 0x10, 0x08};
	ck_assert_mem_eq(got.data + 8, expected, 7);
}

START_TEST(status_counts_sockets)
{
	int peers[4];
	expect_status(0);
	for (uint8_t i = 0; i < 4; i++) {
		peers[i] = tester();
		expect_status((uint8_t)(i + 1));
	}
	for (uint8_t i = 0; i < 4; i++) {
		fake_peer_close(peers[i]);
		settle();
		expect_status((uint8_t)(3 - i));
	}
}
END_TEST

START_TEST(tells_the_power_mode)
{
	bench_prepare();
	fake_param_set("doip.power_mode", "2");
	bench_start();
	ask(ASKER, UDP, 3, 0x4003, "", 0);
	ck_assert(fake_udp_take(&got));
	ck_assert_uint_eq(got.length, 9);
	ck_assert_uint_eq(type_of(&got), 0x4004);
	ck_assert_uint_eq(got.data[8], 2);
	bench_end();
}
END_TEST

START_TEST(refuses_types)
{
	static const uint16_t types[] = {0x0005, 0x0006, 0x0007, 0x0008, 0x8001, 0x8002, 0x0009, 0x4000, 0x4005, 0xEFFF, 0xF000, 0xFFFF};
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		ask(ASKER, UDP, 3, types[i], "abcdefg", 7);
		expect_udp_nack(0x01);
	}
	expect_status(0);
}
END_TEST

START_TEST(refuses_patterns)
{
	static const struct {
		uint8_t version;
		uint16_t type;
	} cases[] = {{0x01, 0x0001}, {0x04, 0x0001}, {0xFF, 0x4001}, {0xFF, 0x4003}, {0x00, 0x0001}, {0xFF, 0x0005}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		ask(ASKER, UDP, cases[i].version, cases[i].type, "", 0);
		expect_udp_nack(0x00);
	}
	ck_assert(fake_udp_send(ASKER, UDP, "\x03\xFD\0\1\0\0\0\0", 8));
	settle();
	expect_udp_nack(0x00);
	expect_status(0);
}
END_TEST

START_TEST(refuses_lengths)
{
	static const struct {
		uint16_t type;
		size_t length;
	} cases[] = {{0x0001, 1}, {0x0002, 5}, {0x0002, 7}, {0x0003, 16}, {0x0003, 18}, {0x4001, 1}, {0x4003, 1}, {0x0001, 200}};
	static const uint8_t payload[200];
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		ask(ASKER, UDP, 3, cases[i].type, payload, cases[i].length);
		expect_udp_nack(0x04);
	}
	static const char *const mismatched[] = {"\x03\xFC\0\1\0\0\0\0x", "\x03\xFC\0\2\0\0\0\6abc",
	                                         "\x03\xFC\0\1\0\0\0\0\x03\xFC\0\1\0\0\0\0"};
	static const size_t sizes[] = {9, 11, 16};
	for (int i = 0; i < 3; i++) {
		ck_assert(fake_udp_send(ASKER, UDP, mismatched[i], sizes[i]));
		settle();
		expect_udp_nack(0x04);
	}
	ck_assert(fake_udp_send(ASKER, UDP, "\x03\xFC\0\1\0\0\x10\x09", 8));
	settle();
	expect_udp_nack(0x02);
	expect_silence();
}
END_TEST

START_TEST(is_silent)
{
	for (size_t length = 0; length < 8; length++)
		ck_assert(fake_udp_send(ASKER, UDP, "\x03\xFC\0\1\0\0\0", length));
	settle();
	static const uint16_t types[] = {0x0000, 0x0004, 0x4002, 0x4004};
	static const uint8_t payload[33];
	for (int i = 0; i < 4; i++) {
		ask(ASKER, UDP, 3, types[i], payload, 33);
		ask(ASKER, UDP, 4, types[i], payload, 33);
	}
	ask("255.255.255.255:50000", UDP, 3, 0x4001, "", 0);
	ask("224.0.0.1:50000", UDP, 3, 0x4001, "", 0);
	ask("239.1.2.3:50000", UDP, 0x07, 0x4001, "", 0);
	expect_silence();
	expect_status(0);
}
END_TEST

START_TEST(five_requests_and_another_tester)
{
	unsigned answers = 0;
	for (int i = 0; i < 5; i++)
		ask(ASKER, UDP, 3, 0x0001, "", 0);
	ask("10.0.0.8:51000", UDP, 3, 0x4003, "", 0);
	bool power = false;
	unsigned early = 0; /* the random wait may be very short */
	while (fake_udp_take(&got)) {
		power = power || (type_of(&got) == 0x4004 && got.to.port == 51000);
		early += type_of(&got) == 0x0004;
	}
	ck_assert(power);
	run_for(500 * MS);
	while (fake_udp_take(&got))
		answers += type_of(&got) == 0x0004;
	ck_assert_uint_eq(answers, 5 - early);
	for (int i = 0; i < 40; i++) /* more than can wait */
		ask("10.0.0.9:1024", UDP, 3, 0x0001, "", 0);
	run_for(500 * MS);
	for (answers = 0; fake_udp_take(&got);)
		answers += got.to.port == 1024;
	ck_assert_uint_eq(answers, 40);
}
END_TEST

START_TEST(speaks_ipv6)
{
	bench_prepare();
	fake_param_set("doip.udp", "[fe80::2%2]:13400");
	fake_param_set("doip.udp_broadcast", "[ff02::1%2]:13400");
	bench_start();
	ck_assert(fake_udp_joined("[ff02::1%2]:13400"));
	ask("[fe80::9%2]:50000", "[ff02::1%2]:13400", 3, 0x0001, "", 0);
	expect_identity(3);
	ck_assert_uint_eq(got.to.scope_id, 2);
	ask("[fe80::9%2]:50000", "[fe80::2%2]:13400", 3, 0x0002, "\x02\0\0\0\0\xa1", 6);
	expect_identity(3);
	ask("[ff02::1%2]:50000", "[fe80::2%2]:13400", 3, 0x4001, "", 0);
	expect_silence();
	bench_end();
}
END_TEST

START_TEST(serves_udp_while_all_sockets_are_registered)
{
	static const uint16_t sources[] = {TESTER_1, TESTER_2, TESTER_3, TESTER_4};
	for (int i = 0; i < 4; i++)
		active_tester(sources[i]);
	expect_status(4);
}
END_TEST

Suite *suite_udp(void)
{
	Suite *suite = suite_create("udp");
	TCase *tcase = tcase_create("own start");
	tcase_add_loop_test(tcase, announces_three_times, 0, 2);
	tcase_add_test(tcase, the_announce_wait_is_random);
	tcase_add_test(tcase, an_unset_vin_never_matches);
	tcase_add_test(tcase, tells_the_power_mode);
	tcase_add_test(tcase, speaks_ipv6);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("started");
	tcase_add_checked_fixture(tcase, start, bench_end);
	tcase_add_loop_test(tcase, answers_identification, 0, 6);
	tcase_add_test(tcase, status_counts_sockets);
	tcase_add_test(tcase, refuses_types);
	tcase_add_test(tcase, refuses_patterns);
	tcase_add_test(tcase, refuses_lengths);
	tcase_add_test(tcase, is_silent);
	tcase_add_test(tcase, five_requests_and_another_tester);
	tcase_add_test(tcase, serves_udp_while_all_sockets_are_registered);
	suite_add_tcase(suite, tcase);
	return suite;
}
