/* SPDX-License-Identifier: Apache-2.0 */
/* A board at its debug connector: memory, run control, resets, flash, and an adapter that comes and goes. */
#include "board_driver.h"
#include "jtag_wire.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define RAM      0x20000000u
#define RAM_LAST 0x2000FFFCu
#define DBGCTRL  0xF0000400u
#define RSTREQ   0xF0000404u
#define FCMD     0xF0000500u
#define AREA_B   0xA0380000u /* application area of bank B */

static struct board_driver board;
static char path[96];
static int adapter = -1;

static bool edge(void *context, bool tms, bool tdi)
{
	char text[3], answer;
	text[0] = (char)('0' + tms * 2 + tdi);
	text[1] = 'R';
	text[2] = (char)('4' + tms * 2 + tdi);
	ck_assert_int_eq(send(adapter, text, 3, MSG_NOSIGNAL), 3);
	struct pollfd fd = {.fd = adapter, .events = POLLIN};
	ck_assert_msg(poll(&fd, 1, 10000) == 1, "the board does not answer its debugger");
	ck_assert_int_eq(recv(adapter, &answer, 1, 0), 1);
	return answer == '1';
}

static const struct jtag_wire wire = {edge, NULL};

static int plug_in(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_lt(snprintf(address.sun_path, sizeof address.sun_path, "%s", path), (int)sizeof address.sun_path);
	ck_assert_msg(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "no debug connector at %s", path);
	return fd;
}

static void start(const char *param)
{
	memset(&board, 0, sizeof board);
	ck_assert_int_lt(snprintf(board.folder, sizeof board.folder, "%s", "/tmp/board-test-XXXXXX"), (int)sizeof board.folder);
	ck_assert_ptr_nonnull(mkdtemp(board.folder));
	snprintf(path, sizeof path, "%s/jtag", board.folder);
	driver_start(&board, (const char *const[]){"--jtag", path, "--param", param ? param : "boot.ssw_ms=10", NULL});
	driver_do(&board, "\"cmd\":\"status\""); /* who answers has its connector */
	adapter = plug_in();
	wire_reset(&wire);
	ck_assert_uint_eq(wire_dr(&wire, 0, 32), 0x4ba00477);
}

static void finish(void)
{
	if (adapter >= 0)
		close(adapter);
	adapter = -1;
	ck_assert_int_eq(driver_end(&board), 0);
	unlink(path);
	snprintf(path, sizeof path, "%s/nvm", board.folder);
	unlink(path);
	rmdir(board.folder);
}

static void power(bool on)
{
	driver_do(&board, "\"cmd\":\"power\",\"on\":%s", on ? "true" : "false");
}

static void boot(void)
{
	power(true);
	driver_expect(&board, "@boot stage=rtos");
}

static void type(char character)
{
	driver_do(&board, "\"cmd\":\"input\",\"data\":\"%02x\"", (unsigned)character);
}

static uint32_t word_at(uint32_t address)
{
	uint32_t word = 0;
	ck_assert_msg(wire_read(&wire, address, &word), "%08Xh does not read", address);
	return word;
}

/* Reads it again, as a debugger does, until the bits of the mask are another value; returns the whole word then. */
static uint32_t word_while(uint32_t address, uint32_t mask, uint32_t value)
{
	const time_t end = time(NULL) + 30;
	uint32_t word;
	while (((word = word_at(address)) & mask) == value)
		ck_assert_msg(time(NULL) < end, "%08Xh stays %08X", address, word);
	return word;
}

static void put(uint32_t address, uint32_t word)
{
	ck_assert_msg(wire_write(&wire, address, word), "%08Xh cannot be written", address);
}

static bool faults(uint32_t address)
{
	uint32_t word;
	return !wire_read(&wire, address, &word);
}

static char process_state(pid_t pid)
{
	char name[32], state = '?';
	snprintf(name, sizeof name, "/proc/%d/stat", (int)pid);
	FILE *file = fopen(name, "r");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
	fclose(file);
	return state;
}

/* For times in which nothing may happen; whatever does happen is waited for. */
static void nothing_for_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void expect_reset(const char *kind)
{
	json_t *event = driver_event(&board, "reset");
	ck_assert_str_eq(json_string_value(json_object_get(event, "kind")), kind);
	json_decref(event);
}

static bool halted_by_status(void)
{
	json_t *status = driver_ask(&board, "\"cmd\":\"status\"");
	bool halted = json_is_true(json_object_get(status, "halted"));
	json_decref(status);
	return halted;
}

/* ---- memory ---- */

START_TEST(the_cpu_sees_what_is_written)
{
	start(NULL);
	boot();
	type('m');
	driver_expect(&board, "ram 0\r\n");
	put(RAM_LAST, 0x2A000000);
	ck_assert_uint_eq(word_at(RAM_LAST), 0x2A000000);
	type('m');
	driver_expect(&board, "ram 42\r\n");
	driver_do(&board, "\"cmd\":\"reset\",\"kind\":\"external\"");
	driver_expect(&board, "@boot stage=rtos");
	type('m');
	driver_expect(&board, "ram 42\r\n");
	power(false);
	boot();
	ck_assert_uint_eq(word_at(RAM_LAST), 0);
	type('m');
	driver_expect(&board, "ram 0\r\n");
	finish();
}
END_TEST

START_TEST(every_other_address_faults)
{
	static const uint32_t holes[] = {
	        0,          RAM - 4,    RAM + 0x10000, 0x30000000, 0x9FFFFFFC, 0xAF800000, 0xF00003FC, 0xF000040C,
	        0xF000047C, 0xF0000488, 0xF00004A0,    0xF0000510, 0xF0000720, 0xFFFFFFFC, AREA_B /* erased: bad ECC */};
	start(NULL);
	boot();
	for (size_t i = 0; i < sizeof holes / sizeof *holes; i++)
		ck_assert_msg(faults(holes[i]), "%08Xh answers", holes[i]);
	static const uint32_t fixed[] = {0xA0000000, 0xAF000000, 0xAF400000, 0xF0000408, 0xF0000480, 0xF0000490, 0xF000050C};
	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
		(void)word_at(fixed[i]);
		ck_assert_msg(!wire_write(&wire, fixed[i], 1), "%08Xh was written", fixed[i]);
	}
	ck_assert_uint_eq(word_at(0xF0000490), 0x74736574); /* "test" */
	ck_assert_uint_eq(word_at(0xF0000494), 0);
	ck_assert_uint_eq(word_at(0xF0000408), 0x10000);
	finish();
}
END_TEST

START_TEST(without_power_only_the_control_register_answers)
{
	start(NULL);
	ck_assert_uint_eq(word_at(DBGCTRL), 0);
	ck_assert(faults(RAM));
	ck_assert(faults(0xF0000480));
	ck_assert(!wire_write(&wire, DBGCTRL, 1));
	ck_assert(!wire_write(&wire, RSTREQ, 1));
	boot();
	ck_assert_uint_eq(word_at(DBGCTRL), 0x12);
	put(RAM, 7);
	power(false);
	ck_assert(faults(RAM));
	finish();
}
END_TEST

START_TEST(other_chips)
{
	start("debug.slot=a-slot-of-16-cha");
	boot();
	ck_assert_uint_eq(word_at(0xF000049C), 0x6168632D); /* "-cha" */
	driver_do(&board, "\"cmd\":\"set\",\"param\":\"debug.unique_id\",\"value\":\"0x1122334455667788\"");
	ck_assert_uint_eq(word_at(0xF0000480), 0x55667788);
	ck_assert_uint_eq(word_at(0xF0000484), 0x11223344);
	driver_do(&board, "\"cmd\":\"set\",\"param\":\"debug.idcode\",\"value\":\"0x10001fff\"");
	close(adapter);
	adapter = plug_in();
	wire_reset(&wire);
	ck_assert_uint_eq(wire_dr(&wire, 0, 32), 0x10001fff);
	finish();
}
END_TEST

/* ---- run control ---- */

START_TEST(halt_stops_the_cpu_and_its_watchdog)
{
	start("watchdog.ms=800");
	boot();
	pid_t cpu = driver_cpu(&board);
	put(DBGCTRL, 1);
	ck_assert_int_eq(process_state(cpu), 'T');
	ck_assert_uint_eq(word_at(DBGCTRL), 0x11);
	ck_assert(halted_by_status());
	type('n');
	nothing_for_ms(3200); /* four watchdog times */
	ck_assert_int_eq(driver_cpu(&board), cpu);
	size_t said = board.console_length;
	driver_read(&board, 100);
	ck_assert_uint_eq(board.console_length, said);
	put(DBGCTRL, 0);
	driver_expect(&board, "nvm 1\r\n"); /* what was typed meanwhile */
	ck_assert_uint_eq(word_at(DBGCTRL), 0x12);
	nothing_for_ms(2400); /* three more with the CPU running: what the halt lasted does not count */
	ck_assert_int_eq(driver_cpu(&board), cpu);
	/* The watchdog goes on with the CPU. */
	type('h');
	ck_assert(!halted_by_status());
	driver_expect(&board, "reason=watchdog");
	finish();
}
END_TEST

/* What was left of the watchdog's time is left after the halt. */
START_TEST(watchdog_bites_after_a_halt)
{
	start("watchdog.ms=3000");
	boot();
	type('h');
	nothing_for_ms(100); /* a part of the watchdog's time goes by */
	put(DBGCTRL, 1);
	nothing_for_ms(3500); /* more than what is left of it */
	ck_assert_int_eq(process_state(driver_cpu(&board)), 'T');
	put(DBGCTRL, 0);
	driver_expect(&board, "reason=watchdog");
	finish();
}
END_TEST

START_TEST(resets_by_the_debugger)
{
	start(NULL);
	boot();
	expect_reset("power");
	put(RSTREQ, 1);
	expect_reset("system");
	driver_expect(&board, "boot=2 reason=system");
	put(DBGCTRL, 1);
	put(RSTREQ, 2);
	expect_reset("application");
	ck_assert_uint_eq(word_at(DBGCTRL) & 1, 0);
	driver_expect(&board, "boot=3 reason=application");
	driver_expect(&board, "@boot stage=rtos");
	ck_assert(!wire_write(&wire, RSTREQ, 0));
	ck_assert(!wire_write(&wire, RSTREQ, 4));
	finish();
}
END_TEST

START_TEST(reset_and_halt_before_the_first_instruction)
{
	start(NULL);
	boot();
	put(RSTREQ, 3);
	driver_expect(&board, "boot=2 reason=system");
	(void)word_while(DBGCTRL, 2, 2);
	ck_assert_uint_eq(word_at(DBGCTRL), 0x11);
	ck_assert_int_eq(driver_cpu(&board), 0);
	size_t said = board.console_length;
	put(RAM, 0x01234567);
	driver_read(&board, 200);
	ck_assert_uint_eq(board.console_length, said);
	put(DBGCTRL, 0);
	driver_expect(&board, "@boot stage=bootloader");
	driver_expect(&board, "@boot stage=rtos");
	ck_assert_uint_eq(word_at(RAM), 0x01234567);
	finish();
}
END_TEST

START_TEST(resets_forget_the_halt)
{
	start(NULL);
	boot();
	put(DBGCTRL, 1);
	driver_do(&board, "\"cmd\":\"reset\",\"kind\":\"external\"");
	ck_assert_uint_eq(word_at(DBGCTRL) & 1, 0);
	driver_expect(&board, "boot=2 reason=external");
	driver_expect(&board, "@boot stage=rtos");
	put(DBGCTRL, 1);
	power(false);
	ck_assert_uint_eq(word_at(DBGCTRL), 0);
	boot();
	ck_assert_uint_eq(word_at(DBGCTRL), 0x12);
	finish();
}
END_TEST

START_TEST(halted_at_the_end_of_a_hold)
{
	start(NULL);
	boot();
	driver_do(&board, "\"cmd\":\"hold\",\"on\":true");
	ck_assert_uint_eq(word_at(DBGCTRL), 0x14);
	put(DBGCTRL, 1);
	put(RAM, 0x11);
	driver_do(&board, "\"cmd\":\"hold\",\"on\":false");
	driver_expect(&board, "boot=2 reason=external");
	ck_assert_uint_eq(word_at(DBGCTRL), 0x11);
	put(DBGCTRL, 0);
	driver_expect(&board, "@boot stage=rtos");
	ck_assert_uint_eq(word_at(RAM), 0x11);
	finish();
}
END_TEST

START_TEST(a_cpu_that_dies_is_told)
{
	start(NULL);
	boot();
	type('c');
	json_t *event = driver_event(&board, "cpu");
	json_decref(event);
	ck_assert_uint_eq(word_at(DBGCTRL), 0x18);
	put(DBGCTRL, 1); /* nothing is left to halt */
	put(RSTREQ, 1);
	driver_expect(&board, "boot=2 reason=system");
	driver_expect(&board, "@boot stage=rtos");
	finish();
}
END_TEST

/* ---- the adapter ---- */

START_TEST(srst_holds_the_board)
{
	start(NULL);
	boot();
	ck_assert_int_eq(send(adapter, "s", 1, 0), 1);
	ck_assert_uint_eq(word_at(DBGCTRL), 0x14);
	/* Both hold it: it runs when neither does. */
	driver_do(&board, "\"cmd\":\"hold\",\"on\":true");
	driver_do(&board, "\"cmd\":\"hold\",\"on\":false");
	ck_assert_uint_eq(word_at(DBGCTRL), 0x14);
	ck_assert_int_eq(send(adapter, "r", 1, 0), 1);
	ck_assert_uint_eq(word_at(DBGCTRL) & 4, 0);
	driver_expect(&board, "boot=2 reason=external");
	driver_expect(&board, "@boot stage=rtos");
	finish();
}
END_TEST

START_TEST(an_adapter_that_goes_lets_go)
{
	start(NULL);
	boot();
	ck_assert_int_eq(send(adapter, "s", 1, 0), 1);
	ck_assert_uint_eq(word_at(DBGCTRL), 0x14);
	close(adapter);
	driver_expect(&board, "boot=2 reason=external");
	driver_expect(&board, "@boot stage=rtos");
	adapter = plug_in();
	wire_reset(&wire);
	put(DBGCTRL, 1);
	close(adapter); /* a halted CPU stays halted */
	adapter = plug_in();
	wire_reset(&wire);
	ck_assert_uint_eq(word_at(DBGCTRL), 0x11);
	finish();
}
END_TEST

START_TEST(the_connector_takes_one)
{
	char byte;
	start(NULL);
	int second = plug_in();
	ck_assert_int_eq(recv(second, &byte, 1, 0), 0);
	close(second);
	ck_assert_uint_eq(word_at(DBGCTRL), 0);
	finish();
}
END_TEST

/* Who asks and does not take the answers stops nobody but himself. */
START_TEST(a_deaf_adapter_does_not_stop_the_board)
{
	static char flood[1 << 20];
	start(NULL);
	memset(flood, 'R', sizeof flood);
	for (int i = 0; i < 8; i++)
		(void)!send(adapter, flood, sizeof flood, MSG_DONTWAIT | MSG_NOSIGNAL);
	boot();
	type('n');
	driver_expect(&board, "nvm 1\r\n");
	close(adapter);
	adapter = plug_in();
	wire_reset(&wire);
	ck_assert_uint_eq(word_at(DBGCTRL), 0x12);
	finish();
}
END_TEST

/* ---- flash ---- */

static uint32_t flash_command(uint32_t command, uint32_t address)
{
	put(FCMD + 4, address);
	put(FCMD, command);
	return word_while(FCMD + 12, UINT32_MAX, 1);
}

START_TEST(flash_is_programmed_with_its_time)
{
	start(NULL);
	boot();
	put(DBGCTRL, 1);
	for (unsigned i = 0; i < 64; i++)
		put(0xF0000600 + 4 * i, 0x01010101 * i);
	ck_assert_uint_eq(flash_command(2, AREA_B), 0);
	ck_assert_uint_eq(word_at(AREA_B + 4), 0x01010101);
	ck_assert_uint_eq(word_at(AREA_B + 252), 0x3F3F3F3F);
	json_t *event = driver_event(&board, "flash");
	ck_assert_str_eq(json_string_value(json_object_get(event, "by")), "debugger");
	ck_assert_str_eq(json_string_value(json_object_get(event, "kind")), "program");
	ck_assert_int_ge(json_integer_value(json_object_get(event, "duration")), 100000);
	json_decref(event);
	put(0xF0000508, 1);
	ck_assert_uint_eq(flash_command(1, AREA_B), 0);
	ck_assert(faults(AREA_B));
	event = driver_event(&board, "flash");
	ck_assert_str_eq(json_string_value(json_object_get(event, "kind")), "erase");
	ck_assert_int_ge(json_integer_value(json_object_get(event, "duration")), 1000000);
	json_decref(event);
	json_t *status = driver_ask(&board, "\"cmd\":\"flash\"");
	ck_assert(json_is_true(json_object_get(status, "changed")));
	json_decref(status);
	finish();
}
END_TEST

START_TEST(flash_protection_holds_for_the_debugger)
{
	start("flash.password=0000000100000002000000030000000400000005000000060000000700000008");
	boot();
	put(0xF0000508, 1);
	ck_assert_uint_eq(flash_command(1, 0xA0300000), 3); /* the bootloader's area */
	ck_assert_uint_eq(flash_command(1, 0xAF402E00), 3); /* UCB_SWAP */
	ck_assert_uint_eq(flash_command(2, AREA_B + 1), 2);
	ck_assert_uint_eq(flash_command(2, 0x20000000), 3);
	put(0xF0000508, 33);
	ck_assert_uint_eq(flash_command(1, AREA_B), 2);
	ck_assert_uint_eq(flash_command(9, AREA_B), 2);
	for (unsigned i = 0; i < 8; i++)
		put(0xF0000700 + 4 * i, i + 1);
	ck_assert_uint_eq(flash_command(3, 0), 0);
	put(0xF0000508, 1);
	ck_assert_uint_eq(flash_command(1, 0xAF402E00), 0);
	ck_assert_uint_eq(flash_command(4, 0), 0);
	ck_assert_uint_eq(flash_command(1, 0xAF402E00), 3);
	ck_assert_uint_eq(flash_command(3, 0), 0);
	put(0xF0000700, 99);
	ck_assert_uint_eq(flash_command(3, 0), 3);
	put(0xF0000700, 1);
	ck_assert_uint_eq(flash_command(3, 0), 3); /* no more tries until the next reset */
	finish();
}
END_TEST

START_TEST(power_lost_while_the_flash_is_busy)
{
	start(NULL);
	boot();
	put(0xF0000508, 32);
	put(FCMD + 4, AREA_B);
	put(FCMD, 1);
	ck_assert_uint_eq(word_at(FCMD + 12), 1);
	ck_assert(faults(AREA_B));
	power(false);
	ck_assert(faults(FCMD + 12));
	boot();
	ck_assert_uint_eq(word_at(FCMD + 12), 5);
	finish();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("jtag-board");
	TCase *tests = tcase_create("jtag-board");
	tcase_set_timeout(tests, 100);
	tcase_add_test(tests, the_cpu_sees_what_is_written);
	tcase_add_test(tests, every_other_address_faults);
	tcase_add_test(tests, without_power_only_the_control_register_answers);
	tcase_add_test(tests, other_chips);
	tcase_add_test(tests, halt_stops_the_cpu_and_its_watchdog);
	tcase_add_test(tests, watchdog_bites_after_a_halt);
	tcase_add_test(tests, resets_by_the_debugger);
	tcase_add_test(tests, reset_and_halt_before_the_first_instruction);
	tcase_add_test(tests, resets_forget_the_halt);
	tcase_add_test(tests, halted_at_the_end_of_a_hold);
	tcase_add_test(tests, a_cpu_that_dies_is_told);
	tcase_add_test(tests, srst_holds_the_board);
	tcase_add_test(tests, an_adapter_that_goes_lets_go);
	tcase_add_test(tests, the_connector_takes_one);
	tcase_add_test(tests, a_deaf_adapter_does_not_stop_the_board);
	tcase_add_test(tests, flash_is_programmed_with_its_time);
	tcase_add_test(tests, flash_protection_holds_for_the_debugger);
	tcase_add_test(tests, power_lost_while_the_flash_is_busy);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
