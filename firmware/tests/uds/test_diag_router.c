/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's routing of diagnostic messages, over links and nodes that the test plays. */
#include "../../app/diag_router.h"
#include "uds_bench.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZGW    0x0091u
#define ECU    0x0011u
#define TESTER 0x0E80u
#define VMG    0x0E00u

static struct {
	char sent[2048]; /* "S via source>target hex" or "C …", one after the other */
	uint16_t connected[4];
	uint8_t connected_count;
	unsigned full; /* refuse this many sends */
	unsigned room; /* take this many, then refuse two; 0: no such limit */
	bool client_down;
	bool has_can;
	enum port_status can_status;
} net;

void port_console_write(const char *text, size_t length)
{
	(void)fwrite(text, 1, length, stdout);
}

static enum port_status note(char link, uint16_t via, uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	size_t at = strlen(net.sent);

	if (net.full > 0) {
		net.full--;
		return PORT_FULL;
	}
	if (net.room > 0 && --net.room == 0)
		net.full = 2; /* a poll asks a second time after it sent something */
	at += (size_t)snprintf(net.sent + at, sizeof(net.sent) - at, "%s%c%04X %04X>%04X ", at > 0 ? " | " : "", link, via, source, target);
	for (size_t i = 0; i < length && i < 8; i++)
		at += (size_t)snprintf(net.sent + at, sizeof(net.sent) - at, "%02X", data[i]);
	return PORT_OK;
}

static enum port_status send_below(uint16_t via, uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	for (uint8_t i = 0; i < net.connected_count; i++) {
		if (net.connected[i] == via)
			return note('S', via, source, target, data, length);
	}
	return PORT_ABSENT;
}

static enum port_status send_above(uint16_t via, uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	return net.client_down ? PORT_FAILED : note('C', via, source, target, data, length);
}

static uint8_t nodes(uint16_t *addresses, uint8_t limit)
{
	ck_assert_uint_ge(limit, net.connected_count);
	memcpy(addresses, net.connected, sizeof(net.connected));
	return net.connected_count;
}

static enum port_status send_can(uint16_t via, uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	return net.can_status != PORT_OK ? net.can_status : note('B', via, source, target, data, length);
}

static uint8_t can_nodes(uint16_t *addresses, uint8_t limit)
{
	ck_assert_uint_ge(limit, 1);
	addresses[0] = ECU;
	return net.has_can ? 1 : 0;
}

static void start(void)
{
	static const struct diag_link server = {.send = send_below, .nodes = nodes}, client = {.send = send_above};
	static const struct diag_link can = {.send = send_can, .nodes = can_nodes};
	struct diag_router_config config = {
	        .own_address = ZGW, .server = &server, .client = &client, .can = &can, .default_routes = "0x0011,0x0012"};

	memset(&net, 0, sizeof(net));
	net.connected[0] = TESTER;
	net.connected[1] = ECU;
	net.connected_count = 2;
	diag_router_start(&config);
}

static void setup(void)
{
	struct uds_application application = {.respond = diag_router_respond};
	struct uds_server_config uds;

	bench_setup();
	uds_server_config_load(&uds);
	uds_server_start(&uds, &application);
	start();
}

/* Sends from below ('S') or above ('C') and gives the NACK code and what left: "00 S0E80 …". */
static const char *route(char from, uint16_t source, uint16_t target, const char *hex)
{
	static char text[sizeof(net.sent) + 8];
	uint8_t data[4200];
	size_t length = bench_bytes(hex, data, sizeof(data));
	uint8_t nack;

	net.sent[0] = '\0';
	nack = from == 'S' ? diag_router_from_server(source, target, data, length) : diag_router_from_client(source, target, data, length);
	snprintf(text, sizeof(text), "%02X %s", nack, net.sent);
	return text;
}

#define ROUTE(from, source, target, hex, expected) ck_assert_str_eq(route(from, source, target, hex), expected)

START_TEST(own_address)
{
	ROUTE('S', TESTER, ZGW, "3E 00", "00 S0E80 0091>0E80 7E00");
	ROUTE('C', VMG, ZGW, "3E 00", "00 C0E00 0091>0E00 7E00");
	/* the same tester by the other way: the answer follows the latest request */
	ROUTE('C', TESTER, ZGW, "3E 00", "00 C0E80 0091>0E80 7E00");
	ROUTE('S', TESTER, ZGW, "3E 00", "00 S0E80 0091>0E80 7E00");
}
END_TEST

START_TEST(node_below)
{
	ROUTE('S', TESTER, ECU, "22 F1 90", "00 S0011 0E80>0011 22F190");
	ROUTE('S', ECU, TESTER, "62 F1 90", "00 S0E80 0011>0E80 62F190");
	ROUTE('C', VMG, ECU, "22 F1 90", "00 S0011 0E00>0011 22F190");
	ROUTE('S', ECU, VMG, "62 F1 90", "00 C0E00 0011>0E00 62F190");
	net.client_down = true;
	ROUTE('S', ECU, VMG, "62 F1 90", "06 ");
}
END_TEST

START_TEST(unknown_and_unreachable)
{
	ROUTE('S', TESTER, 0x0012, "3E 00", "06 ");
	ROUTE('S', TESTER, 0x0013, "3E 00", "03 ");
	ROUTE('S', TESTER, 0x0E81, "3E 00", "03 ");
	ROUTE('S', TESTER, TESTER, "3E 00", "03 ");
	ROUTE('S', TESTER, 0xE401, "3E 00", "03 ");
	ROUTE('S', ECU, 0x0E81, "7E 00", "06 ");
	net.connected[2] = 0x0013;
	net.connected_count = 3;
	ROUTE('S', TESTER, 0x0013, "3E 00", "00 S0013 0E80>0013 3E00");
}
END_TEST

START_TEST(functional)
{
	/* Nodes see that they are asked functionally, and leave out themselves what is then not wanted. */
	ROUTE('S', TESTER, DIAG_FUNCTIONAL, "3E 00", "00 S0E80 0091>0E80 7E00 | S0011 0E80>E400 3E00");
	ROUTE('S', ECU, TESTER, "7E 00", "00 S0E80 0011>0E80 7E00");
	ROUTE('S', TESTER, DIAG_FUNCTIONAL, "BA", "00 S0011 0E80>E400 BA");
	ROUTE('S', ECU, TESTER, "7F BA 11", "00 S0E80 0011>0E80 7FBA11"); /* an answer is carried whatever it is */
	ROUTE('S', TESTER, ECU, "BA", "00 S0011 0E80>0011 BA");
	ROUTE('S', TESTER, DIAG_FUNCTIONAL, "22", "00 S0E80 0091>0E80 7F2213 | S0011 0E80>E400 22");
	ROUTE('C', VMG, DIAG_FUNCTIONAL, "3E 00", "00 C0E00 0091>0E00 7E00");
}
END_TEST

/* A functional request that found the node's connection full keeps its target while it waits. */
START_TEST(functional_waits)
{
	uint64_t deadline_us = 0;

	net.full = 2;
	ROUTE('S', TESTER, DIAG_FUNCTIONAL, "3E 00", "00 ");
	diag_router_poll(1000, &deadline_us);
	ck_assert_str_eq(net.sent, "S0E80 0091>0E80 7E00 | S0011 0E80>E400 3E00");
}
END_TEST

START_TEST(asked_functionally_from_above)
{
	ROUTE('C', TESTER, DIAG_FUNCTIONAL, "BA", "00 ");
	ROUTE('C', TESTER, ZGW, "BA", "00 C0E80 0091>0E80 7FBA11");
}
END_TEST

START_TEST(length_by_parameter)
{
	static uint8_t data[DIAG_MAX_LENGTH + 1] = {0x36};

	bench.route_max = 16;
	start();
	ck_assert_uint_eq(diag_router_from_server(TESTER, ECU, data, 16), 0x00);
	ck_assert_uint_eq(diag_router_from_server(TESTER, ECU, data, 17), 0x04);
	bench.route_max = 70000; /* more than a connection takes */
	start();
	ck_assert_uint_eq(diag_router_from_server(TESTER, ECU, data, DIAG_MAX_LENGTH + 1), 0x04);
}
END_TEST

START_TEST(full_buffers)
{
	uint64_t deadline_us = 0;

	net.full = 1;
	ROUTE('S', TESTER, ZGW, "3E 00", "00 ");
	ck_assert(diag_router_take_activity());
	/* what waits is not overtaken */
	ROUTE('S', ECU, TESTER, "7E 00", "00 ");
	ROUTE('S', TESTER, ZGW, "3E 00", "05 ");
	ROUTE('S', ECU, TESTER, "7E 00", "05 ");
	net.full = 1;
	diag_router_poll(1000, &deadline_us);
	ck_assert_str_eq(net.sent, "");
	ck_assert_uint_eq(deadline_us, 2000);
	diag_router_poll(2000, &deadline_us);
	ck_assert_str_eq(net.sent, "S0E80 0091>0E80 7E00 | S0E80 0011>0E80 7E00");
	ck_assert_uint_eq(deadline_us, UINT64_MAX);
	ROUTE('S', TESTER, ZGW, "3E 00", "00 S0E80 0091>0E80 7E00");
}
END_TEST

/* A node that takes nothing is busy (0x05) for itself alone: this node and others are reached all the same. */
START_TEST(busy_node)
{
	uint64_t deadline_us = 0;

	net.connected[2] = 0x0012;
	net.connected_count = 3;
	net.full = 1;
	ROUTE('S', TESTER, ECU, "22 00 01", "00 ");
	ROUTE('S', TESTER, ECU, "22 00 02", "00 ");
	ROUTE('S', TESTER, ECU, "22 00 03", "05 ");
	ROUTE('S', TESTER, ZGW, "3E 00", "00 S0E80 0091>0E80 7E00");
	ROUTE('S', TESTER, 0x0012, "3E 00", "00 S0012 0E80>0012 3E00");
	net.full = 1;
	ROUTE('S', TESTER, 0x0012, "3E 00", "00 ");
	ROUTE('S', TESTER, ZGW, "3E 00", "05 "); /* no room at all to keep an answer in */
	net.sent[0] = '\0';
	diag_router_poll(1000, &deadline_us);
	ck_assert_str_eq(net.sent, "S0011 0E80>0011 220001 | S0011 0E80>0011 220002 | S0012 0E80>0012 3E00");
	ROUTE('S', TESTER, ECU, "22 00 04", "00 S0011 0E80>0011 220004");
}
END_TEST

/* The order of a connection holds while messages come and go between its waiting ones. */
START_TEST(order_is_kept)
{
	uint64_t deadline_us = 0;

	net.full = 1;
	ROUTE('S', TESTER, ECU, "22 00 01", "00 ");
	ROUTE('S', TESTER, ECU, "22 00 02", "00 ");
	net.room = 1;
	diag_router_poll(1000, &deadline_us);
	ck_assert_str_eq(net.sent, "S0011 0E80>0011 220001");
	ck_assert_uint_eq(deadline_us, 2000);
	ROUTE('S', TESTER, ECU, "22 00 03", "00 ");
	net.sent[0] = '\0';
	diag_router_poll(2000, &deadline_us);
	ck_assert_str_eq(net.sent, "S0011 0E80>0011 220002 | S0011 0E80>0011 220003");
}
END_TEST

START_TEST(too_large)
{
	static uint8_t data[DIAG_MAX_LENGTH + 1] = {0x36};

	ck_assert_uint_eq(diag_router_from_server(TESTER, ECU, data, DIAG_MAX_LENGTH), 0x00);
	ck_assert_uint_eq(diag_router_from_server(TESTER, ECU, data, DIAG_MAX_LENGTH + 1), 0x04);
}
END_TEST

/* A node is reached over CAN when it is not connected, and is asked once when all are. */
START_TEST(node_on_can)
{
	net.has_can = true;
	ROUTE('S', TESTER, ECU, "22 F1 90", "00 S0011 0E80>0011 22F190");
	ROUTE('S', TESTER, DIAG_FUNCTIONAL, "3E 80", "00 S0011 0E80>E400 3E80");
	net.connected_count = 1;
	ROUTE('S', TESTER, ECU, "22 F1 90", "00 B0011 0E80>0011 22F190");
	ROUTE('C', VMG, ECU, "22 F1 90", "00 B0011 0E00>0011 22F190");
	ROUTE('S', TESTER, DIAG_FUNCTIONAL, "3E 80", "00 BE400 0E80>E400 3E80");
	net.can_status = PORT_FULL;
	ROUTE('S', TESTER, ECU, "22 F1 90", "05 ");
	net.can_status = PORT_INVALID;
	ROUTE('S', TESTER, ECU, "22 F1 90", "04 ");
	net.can_status = PORT_ABSENT;
	ROUTE('S', TESTER, ECU, "22 F1 90", "06 ");
	net.can_status = PORT_FAILED;
	ROUTE('S', TESTER, ECU, "22 F1 90", "08 ");
	net.can_status = PORT_OK;
	net.sent[0] = '\0';
	ck_assert_uint_eq(diag_router_answer_from_can(ECU, TESTER, (const uint8_t *)"\x7E", 1), 0);
	ck_assert_uint_eq(diag_router_answer_from_can(ECU, VMG, (const uint8_t *)"\x7E", 1), 0);
	ck_assert_str_eq(net.sent, "S0E80 0011>0E80 7E | C0E00 0011>0E00 7E");
	net.sent[0] = '\0';
	ck_assert_uint_eq(diag_router_from_can(DIAG_CAN_TESTER, false, (const uint8_t *)"\x3E\x00", 2), 0);
	ck_assert_uint_eq(diag_router_from_can(DIAG_CAN_TESTER, true, (const uint8_t *)"\xBB", 1), 0);
	ck_assert_str_eq(net.sent, "BF000 0091>F000 7E00");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {own_address,         node_below,       unknown_and_unreachable,
	                              functional,          functional_waits, asked_functionally_from_above,
	                              length_by_parameter, full_buffers,     busy_node,
	                              order_is_kept,       too_large,        node_on_can};
	Suite *suite = suite_create("diag router");
	TCase *tc = tcase_create("routing");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
