/* SPDX-License-Identifier: Apache-2.0 */
/* The device's connection; the test is the gateway. */
#include <string.h>

#include "../../app/device_client.h"
#include "../../core/message.h"
#include "../../faults/fault.h"
#include "../fake_port.h"
#include "test_device.h"

#define GATEWAY "10.42.0.12:8081"

static int peer;
static uint8_t inbound[4 * MESSAGE_SIZE_MAX];
static size_t inbound_length;

static void setup(void)
{
	fake_port_clear();
	fault_load();
	inbound_length = 0;
}

static void teardown(void)
{
	device_client_stop();
	ck_assert_uint_eq(fake_sockets_open(), 0);
}

static void start(void)
{
	struct device_client_config config = {.serial = "SN1", .verify = "plain"};
	device_client_config_load(&config);
	ck_assert_int_eq(port_endpoint_parse(GATEWAY, &config.remote), PORT_OK);
	ck_assert_int_eq(device_client_start(&config, NULL), PORT_OK);
}

static uint64_t poll(void)
{
	uint64_t deadline_us;
	for (unsigned i = 0; i < 4; i++)
		device_client_poll(port_time_us(), &deadline_us);
	return deadline_us;
}

/* Time goes from deadline to deadline, as port_wait() has it. */
static void run_ms(uint64_t ms)
{
	uint64_t end_us = port_time_us() + ms * 1000;
	for (;;) {
		uint64_t next_us = poll();
		if (next_us >= end_us)
			break;
		fake_time_set(next_us);
	}
	fake_time_set(end_us);
	(void)poll();
}

/* The next message of the device; 0 when there is none. */
static uint8_t take(uint8_t *payload, size_t *ret_length)
{
	inbound_length += fake_peer_take(peer, inbound + inbound_length, sizeof inbound - inbound_length);
	if (inbound_length < MESSAGE_HEAD)
		return 0;
	size_t length = message_get_number(inbound);
	ck_assert_uint_le(MESSAGE_HEAD + length, inbound_length);
	uint8_t type = inbound[MESSAGE_HEAD];
	memcpy(payload, inbound + MESSAGE_HEAD + 1, length - 1);
	*ret_length = length - 1;
	inbound_length -= MESSAGE_HEAD + length;
	memmove(inbound, inbound + MESSAGE_HEAD + length, inbound_length);
	return type;
}

static void tell(enum message_type type, const void *payload, size_t length)
{
	uint8_t out[MESSAGE_SIZE_MAX];
	size_t size = message_encode(type, payload, length, out);
	ck_assert_uint_eq(fake_peer_send(peer, out, size), size);
	(void)poll();
}

static void acknowledge(uint8_t type, uint32_t number)
{
	uint8_t payload[5] = {type};
	message_put_number(payload + 1, number);
	tell(MESSAGE_ACKNOWLEDGEMENT, payload, sizeof payload);
}

static void accept_one(void)
{
	(void)poll();
	peer = fake_peer_incoming();
	ck_assert_int_ge(peer, 0);
	inbound_length = 0;
	fake_peer_accept(peer);
	(void)poll();
}

static void come_up(void)
{
	uint8_t payload[MESSAGE_SIZE_MAX];
	size_t length;
	accept_one();
	ck_assert_uint_eq(take(payload, &length), MESSAGE_HELLO);
	ck_assert_uint_eq(length, 3);
	ck_assert_mem_eq(payload, "SN1", 3);
	ck_assert_int_eq(device_client_state(), DEVICE_CLIENT_GREETING);
	acknowledge(MESSAGE_HELLO, 0);
	ck_assert_int_eq(device_client_state(), DEVICE_CLIENT_UP);
}

START_TEST(greets)
{
	start();
	come_up();
	ck_assert_ptr_nonnull(strstr(fake_console(), "@boot stage=connected t_us=0\r\n@boot stage=message t_us=0 verify=plain\r\n"));
}
END_TEST

START_TEST(hello_unanswered)
{
	start();
	accept_one();
	run_ms(1999);
	ck_assert_int_eq(device_client_state(), DEVICE_CLIENT_GREETING);
	run_ms(2);
	ck_assert_int_eq(device_client_state(), DEVICE_CLIENT_BACKOFF);
	ck_assert_ptr_nonnull(strstr(fake_console(), "device: connect timeout, next attempt in "));
	run_ms(100);
	come_up();
}
END_TEST

START_TEST(nobody_listens)
{
	unsigned attempts = 0;
	start();
	for (unsigned ms = 0; ms < 10000; ms++) {
		run_ms(1);
		peer = fake_peer_incoming();
		if (peer >= 0) {
			fake_peer_refuse(peer);
			attempts++;
		}
	}
	/* 100 ms doubled up to 3.2 s, each between its half and its whole. */
	ck_assert_uint_ge(attempts, 7);
	ck_assert_uint_le(attempts, 11);
	while ((peer = fake_peer_incoming()) < 0)
		run_ms(1);
	fake_peer_accept(peer);
	(void)poll();
	acknowledge(MESSAGE_HELLO, 0);
	ck_assert_int_eq(device_client_state(), DEVICE_CLIENT_UP);
}
END_TEST

START_TEST(heartbeats)
{
	uint8_t payload[MESSAGE_SIZE_MAX];
	size_t length;
	start();
	come_up();
	for (uint32_t number = 1; number <= 5; number++) {
		run_ms(999);
		ck_assert_uint_eq(take(payload, &length), 0);
		run_ms(1);
		ck_assert_uint_eq(take(payload, &length), MESSAGE_HEARTBEAT);
		ck_assert_uint_eq(message_get_number(payload), number);
		acknowledge(MESSAGE_HEARTBEAT, number);
	}
	ck_assert_int_eq(device_client_state(), DEVICE_CLIENT_UP);
}
END_TEST

/* Three in a row, not three altogether. */
START_TEST(gateway_silent)
{
	start();
	come_up();
	run_ms(2500);
	acknowledge(MESSAGE_HEARTBEAT, 2);
	run_ms(3000); /* numbers 3, 4, 5 */
	ck_assert_int_eq(device_client_state(), DEVICE_CLIENT_UP);
	run_ms(500);
	ck_assert_int_eq(device_client_state(), DEVICE_CLIENT_BACKOFF);
	ck_assert_ptr_nonnull(strstr(fake_console(), "device: gateway silent, next attempt in "));
	ck_assert_int_eq(fake_peer_state(peer), FAKE_PEER_RESET);
	run_ms(100);
	come_up();
}
END_TEST

START_TEST(forged_acknowledgements)
{
	start();
	come_up();
	run_ms(1500);
	acknowledge(MESSAGE_HEARTBEAT, 77); /* never sent */
	acknowledge(MESSAGE_ECHO_REQUEST, 1);
	acknowledge(MESSAGE_HELLO, 0);
	run_ms(2510);
	ck_assert_int_eq(device_client_state(), DEVICE_CLIENT_BACKOFF);
}
END_TEST

START_TEST(echo)
{
	static const size_t sizes[] = {0, 1, 64, MESSAGE_PAYLOAD_MAX};
	uint8_t sent[MESSAGE_SIZE_MAX], got[MESSAGE_SIZE_MAX];
	size_t length;
	start();
	come_up();
	fake_peer_segment(peer, 7); /* every call moves a few bytes */
	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		memset(sent, 0x30 + (int)i, sizeof sent);
		tell(MESSAGE_ECHO_REQUEST, sent, sizes[i]);
		run_ms(1);
		ck_assert_uint_eq(take(got, &length), MESSAGE_ECHO_ANSWER);
		ck_assert_uint_eq(length, sizes[i]);
		ck_assert_mem_eq(got, sent, length);
	}
}
END_TEST

/* A gateway that asks and does not read is not served without end, and nothing is lost once it reads. */
START_TEST(gateway_that_does_not_read)
{
	uint8_t payload[MESSAGE_SIZE_MAX] = {0};
	unsigned answers = 0;
	size_t length;
	start();
	come_up();
	fake_peer_window(peer, 0);
	for (unsigned i = 0; i < 20; i++)
		tell(MESSAGE_ECHO_REQUEST, payload, 1000);
	run_ms(100);
	fake_peer_window(peer, FAKE_PIPE_SIZE);
	for (unsigned i = 0; i < 40; i++) {
		(void)poll();
		while (take(payload, &length) == MESSAGE_ECHO_ANSWER)
			answers++;
	}
	ck_assert_uint_eq(answers, 20);
	ck_assert_int_eq(device_client_state(), DEVICE_CLIENT_UP);
}
END_TEST

START_TEST(malformed)
{
	static const struct {
		const char *bytes;
		size_t length;
	} bad[] = {{"\xff\xff\xff\xff", 4},
	           {"\x00\x00\x00\x01\x09", 5},
	           {"\x00\x00\x00\x02\x01x", 6},
	           {"\x00\x00\x00\x05\x03\x00\x00\x00\x01", 9}};
	start();
	come_up();
	fake_peer_send(peer, bad[_i].bytes, bad[_i].length);
	(void)poll();
	ck_assert_int_eq(device_client_state(), DEVICE_CLIENT_BACKOFF);
	ck_assert_ptr_nonnull(strstr(fake_console(), "device: malformed message, next attempt in "));
	run_ms(100);
	come_up();
}
END_TEST

START_TEST(gateway_ends)
{
	start();
	come_up();
	fake_peer_close(peer);
	(void)poll();
	ck_assert_ptr_nonnull(strstr(fake_console(), "device: closed by the gateway"));
	run_ms(100);
	come_up();
	fake_peer_abort(peer);
	(void)poll();
	ck_assert_ptr_nonnull(strstr(fake_console(), "device: connection broken"));
	run_ms(100);
	come_up();
}
END_TEST

START_TEST(cable)
{
	start();
	(void)poll();
	peer = fake_peer_incoming();
	fake_peer_refuse(peer);
	(void)poll();
	ck_assert_int_eq(device_client_state(), DEVICE_CLIENT_BACKOFF);
	fake_link_set(false);
	(void)poll();
	fake_link_set(true);
	come_up(); /* at once */
}
END_TEST

START_TEST(refuses_to_start)
{
	struct device_client_config config = {.serial = "SN1", .verify = "plain"};
	ck_assert_int_eq(device_client_start(&config, NULL), PORT_INVALID); /* no port */
	ck_assert_int_eq(port_endpoint_parse(GATEWAY, &config.remote), PORT_OK);
	config.serial = "";
	ck_assert_int_eq(device_client_start(&config, NULL), PORT_INVALID);
	config.serial = "123456789012345678901234567890123";
	ck_assert_int_eq(device_client_start(&config, NULL), PORT_INVALID);
	start();
	config.serial = "1";
	ck_assert_int_eq(device_client_start(&config, NULL), PORT_INVALID); /* twice */
}
END_TEST

/* Whatever fails of the port, the client comes up when it no longer does. */
START_TEST(every_nth_fails)
{
	static const enum fake_operation operations[] = {FAKE_OPEN, FAKE_SEND, FAKE_RECEIVE};
	uint8_t payload[MESSAGE_SIZE_MAX];
	size_t length;
	start();
	fake_fail_every(operations[_i % 3], 1 + (unsigned)_i / 3, PORT_FAILED);
	for (unsigned i = 0; i < 2000; i++) {
		run_ms(5);
		int incoming = fake_peer_incoming();
		if (incoming >= 0) {
			peer = incoming;
			inbound_length = 0;
			fake_peer_accept(peer);
		}
	}
	fake_fail_every(operations[_i % 3], 0, PORT_OK);
	device_client_stop();
	while (fake_peer_incoming() >= 0)
		fake_peer_refuse(fake_peer_incoming());
	start();
	come_up();
	tell(MESSAGE_ECHO_REQUEST, "x", 1);
	ck_assert_uint_eq(take(payload, &length), MESSAGE_ECHO_ANSWER);
}
END_TEST

TCase *client_cases(void)
{
	TCase *cases = tcase_create("client");
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, greets);
	tcase_add_test(cases, hello_unanswered);
	tcase_add_test(cases, nobody_listens);
	tcase_add_test(cases, heartbeats);
	tcase_add_test(cases, gateway_silent);
	tcase_add_test(cases, forged_acknowledgements);
	tcase_add_test(cases, echo);
	tcase_add_test(cases, gateway_that_does_not_read);
	tcase_add_loop_test(cases, malformed, 0, 4);
	tcase_add_test(cases, gateway_ends);
	tcase_add_test(cases, cable);
	tcase_add_test(cases, refuses_to_start);
	tcase_add_loop_test(cases, every_nth_fails, 0, 9);
	return cases;
}
