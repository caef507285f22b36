/* SPDX-License-Identifier: Apache-2.0 */
/* The program: from its boot stages to the network, or to its end without one. */
#include <string.h>

#include "../../app/device_client.h"
#include "../fake_port.h"
#include "test_device.h"

static void setup(void)
{
	fake_port_clear();
	fake_wait_hook(NULL, NULL);
}

static void teardown(void)
{
	device_client_stop();
}

static void program(void *context)
{
	(void)context;
	(void)application_main();
}

static int incoming;

/* A connection attempt is all that is waited for. */
static void stop_at_connection(void *context)
{
	(void)context;
	incoming = fake_peer_incoming();
	if (incoming >= 0)
		port_reset(PORT_RESET_SYSTEM);
}

static void expect_no_network(const char *line)
{
	ck_assert_int_eq(fake_run(program, NULL), FAKE_HALTED);
	ck_assert_msg(strstr(fake_console(), line), "console: %s", fake_console());
	ck_assert_ptr_null(strstr(fake_console(), "stage=endpoint"));
	ck_assert_uint_eq(fake_sockets_open(), 0);
	ck_assert_int_eq(fake_peer_incoming(), -1);
}

START_TEST(connects)
{
	inject(ENDPOINT_TEST_ADDRESS, 15, "10.42.0.12:8081");
	fake_param_set("client.tls", "0");
	fake_wait_hook(stop_at_connection, NULL);
	ck_assert_int_eq(fake_run(program, NULL), FAKE_RESET_SYSTEM);
	ck_assert_int_ge(incoming, 0);
	ck_assert_ptr_nonnull(strstr(fake_console(), "@boot stage=rtos t_us=150000\r\n@boot stage=endpoint t_us=150000 "
	                                             "remote=10.42.0.12:8081 verify=plain\r\n"
	                                             "device: plain TCP, nothing is verified\r\n"));
}
END_TEST

START_TEST(address_of_parameters)
{
	inject(0x20000400, 15, "10.42.0.12:8081");
	fake_param_set("client.tls", "0");
	fake_param_set("endpoint.address", "0x20000400");
	fake_param_set("endpoint.size", "16");
	fake_wait_hook(stop_at_connection, NULL);
	ck_assert_int_eq(fake_run(program, NULL), FAKE_RESET_SYSTEM);
	ck_assert_ptr_nonnull(strstr(fake_console(), "remote=10.42.0.12:8081"));
}
END_TEST

START_TEST(no_endpoint)
{
	expect_no_network("! endpoint: length 0 is not 1..63, read at 0x20001000\r\n");
}
END_TEST

START_TEST(garbage)
{
	inject(ENDPOINT_TEST_ADDRESS, 7, "\x7f\x45\x4c\x46\x02\x01\x01");
	expect_no_network("! endpoint: byte 0x7f at 0 is no character of an address");
}
END_TEST

START_TEST(unknown_mode)
{
	inject(ENDPOINT_TEST_ADDRESS, 15, "10.42.0.12:8081");
	fake_param_set("device.mode", "lenient");
	expect_no_network("! device: device.mode is development or production\r\n");
}
END_TEST

static void expect_silent(const char *line)
{
	ck_assert_int_eq(fake_run(program, NULL), FAKE_HALTED);
	ck_assert_msg(strstr(fake_console(), line), "console: %s", fake_console());
	ck_assert_int_eq(fake_peer_incoming(), -1);
}

/* Never without TLS because a credential is missing. */
START_TEST(production_needs_a_name)
{
	inject(ENDPOINT_TEST_ADDRESS, 15, "10.42.0.12:8081");
	expect_silent("! tls: client.name is needed");
	ck_assert_ptr_nonnull(strstr(fake_console(), " verify=required\r\n"));
}
END_TEST

START_TEST(development_needs_credentials)
{
	inject(ENDPOINT_TEST_ADDRESS, 15, "10.42.0.12:8081");
	fake_param_set("device.mode", "development");
	expect_silent("! tls: a credential is missing");
	ck_assert_ptr_nonnull(strstr(fake_console(), "device: development mode, the gateway is NOT verified\r\n"));
}
END_TEST

TCase *program_cases(void)
{
	TCase *cases = tcase_create("program");
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, connects);
	tcase_add_test(cases, address_of_parameters);
	tcase_add_test(cases, no_endpoint);
	tcase_add_test(cases, garbage);
	tcase_add_test(cases, unknown_mode);
	tcase_add_test(cases, production_needs_a_name);
	tcase_add_test(cases, development_needs_credentials);
	return cases;
}
