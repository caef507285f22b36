/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters, named faults, and the console lines that tell of both. */
#include <stdlib.h>
#include <string.h>

#include "../../core/console.h"
#include "../../core/doip_client.h"
#include "../../faults/fault.h"
#include "bench.h"

static struct doip_entity_config config;

static void load(void)
{
	memset(&config, 0xA5, sizeof config);
	config.logical_address = ENTITY;
	doip_entity_config_load(&config);
}

START_TEST(defaults)
{
	load();
	ck_assert_uint_eq(config.logical_address, ENTITY);
	ck_assert(!config.vin_programmed);
	ck_assert_uint_eq(config.max_sockets, 4);
	ck_assert_uint_eq(config.max_data_size, 4104);
	ck_assert_uint_eq(config.tester_count, 8);
	ck_assert_uint_eq(config.testers[2], TESTER_3);
	ck_assert_uint_eq(config.activation_count, 5);
	ck_assert_uint_eq(config.activations[2].type, 0xE0);
	ck_assert_uint_eq(config.activations[2].needs, DOIP_NEEDS_TLS);
	ck_assert_uint_eq(config.udp.port, 0);
	ck_assert_uint_eq(config.general_inactivity_ms, 300000);
	ck_assert_uint_eq(config.announce_count, 3);
	ck_assert_uint_eq(config.power_mode, 1);
	ck_assert_str_eq(fake_console(), "");
}
END_TEST

START_TEST(values)
{
	fake_param_set("doip.logical_address", "0x0E00");
	fake_param_set("doip.testers", "0x11,145");
	fake_param_set("doip.activations", "0x00,0xe3:tls+auth+confirm");
	fake_param_set("doip.gid", "0123456789aB");
	fake_param_set("doip.max_sockets", "8");
	fake_param_set("doip.tls", "[fe80::1%3]:3496");
	load();
	ck_assert_uint_eq(config.logical_address, 0x0E00);
	ck_assert_uint_eq(config.tester_count, 2);
	ck_assert_uint_eq(config.testers[1], 0x0091);
	ck_assert_uint_eq(config.activation_count, 2);
	ck_assert_uint_eq(config.activations[1].needs, 7);
	ck_assert_mem_eq(config.gid, "\x01\x23\x45\x67\x89\xab", 6);
	ck_assert_uint_eq(config.max_sockets, 8);
	ck_assert_uint_eq(config.tcp_tls.family, 6);
	ck_assert_uint_eq(config.tcp_tls.scope_id, 3);
	ck_assert_str_eq(fake_console(), "");
}
END_TEST

START_TEST(what_is_not_understood_is_told)
{
	static const char *const wrong[][2] = {{"doip.testers", "0x11;0x12"},  {"doip.testers", "1,2,3,4,5,6,7,8,9"},
	                                       {"doip.testers", "0x10000"},    {"doip.activations", "0x00:tsl"},
	                                       {"doip.activations", "0x100"},  {"doip.activations", "0x00:tls+"},
	                                       {"doip.vin", "SHORT"},          {"doip.vin", "WDB000000000000012"},
	                                       {"doip.eid", "0200000000a"},    {"doip.gid", "0200000000xx"},
	                                       {"doip.max_sockets", "9"},      {"doip.max_sockets", "0"},
	                                       {"doip.max_data_size", "4105"}, {"doip.power_mode", "256"},
	                                       {"doip.plain", "10.0.0.1"},     {"doip.udp", "10.0.0.256:1"}};
	fake_param_set(wrong[_i][0], wrong[_i][1]);
	load();
	ck_assert_uint_eq(fake_console()[0], '!');
	ck_assert_ptr_nonnull(strstr(fake_console(), wrong[_i][0]));
	ck_assert_uint_eq(config.max_sockets, 4);
	ck_assert_uint_eq(config.tester_count, 8);
	ck_assert_uint_eq(config.activation_count, 5);
	ck_assert_uint_eq(config.tcp_plain.port, 0);
}
END_TEST

START_TEST(client_values)
{
	struct doip_client_config client = {.source_address = NODE};
	doip_client_config_load(&client);
	ck_assert_uint_eq(client.source_address, NODE);
	ck_assert_uint_eq(client.remote.port, 0);
	ck_assert_uint_eq(client.backoff_limit_ms, 3200);
	fake_param_set("client.remote", "10.0.0.1:13400");
	fake_param_set("client.keep_alive_ms", "0");
	doip_client_config_load(&client);
	ck_assert_uint_eq(client.remote.port, 13400);
	ck_assert_uint_eq(client.keep_alive_ms, 0);
}
END_TEST

START_TEST(server_marker)
{
	fake_time_set(210392);
	bench_prepare();
	fake_time_set(210392);
	bench_start();
	ck_assert_str_eq(fake_console(), "@boot stage=server t_us=210392 udp=10.0.0.2:13400 plain=10.0.0.2:13400 tls=10.0.0.2:3496\r\n");
	bench_end();
}
END_TEST

START_TEST(console_lines)
{
	struct console_line line;
	struct port_endpoint endpoint;
	console_begin(&line);
	console_decimal(&line, 0);
	console_text(&line, " ");
	console_decimal(&line, UINT64_MAX);
	console_text(&line, " ");
	console_hexadecimal(&line, 0xE0, 4);
	console_text(&line, " ");
	ck_assert_int_eq(port_endpoint_parse("[fe80::10:0%12]:65535", &endpoint), PORT_OK);
	console_endpoint(&line, &endpoint);
	console_end(&line);
	ck_assert_str_eq(fake_console(), "0 18446744073709551615 00e0 [fe80:0:0:0:0:0:10:0%12]:65535\r\n");
	fake_console_clear();
	console_begin(&line);
	for (int i = 0; i < 100; i++)
		console_text(&line, "0123456789");
	console_end(&line);
	ck_assert_uint_eq(strlen(fake_console()), CONSOLE_LINE_SIZE);
	ck_assert_str_eq(fake_console() + CONSOLE_LINE_SIZE - 2, "\r\n");
}
END_TEST

static void load_faults(void *context)
{
	fault_load();
}

START_TEST(faults)
{
	fake_param_set("fault", "activation-code,console-flood");
	ck_assert_int_eq(fake_run(load_faults, NULL), FAKE_RETURNED);
	for (int i = 0; i < FAULT_COUNT; i++)
		ck_assert_int_eq(fault_active((enum fault)i), i == FAULT_ACTIVATION_CODE || i == FAULT_CONSOLE_FLOOD);
	fake_param_set("fault", "");
	ck_assert_int_eq(fake_run(load_faults, NULL), FAKE_RETURNED);
	ck_assert(!fault_active(FAULT_ACTIVATION_CODE));
	fake_param_set("fault", "no-boot,activation");
	ck_assert_int_eq(fake_run(load_faults, NULL), FAKE_HALTED);
	ck_assert_str_eq(fake_console(), "! fault: unknown name activation\r\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *tcase = tcase_create("config");
	tcase_add_checked_fixture(tcase, fake_port_clear, NULL);
	tcase_add_test(tcase, defaults);
	tcase_add_test(tcase, values);
	tcase_add_loop_test(tcase, what_is_not_understood_is_told, 0, 16);
	tcase_add_test(tcase, client_values);
	tcase_add_test(tcase, server_marker);
	tcase_add_test(tcase, console_lines);
	tcase_add_test(tcase, faults);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
