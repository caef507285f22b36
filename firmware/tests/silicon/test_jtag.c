/* SPDX-License-Identifier: Apache-2.0 */
/* The test access port, the debug port and the adapter's protocol, bit by bit, on a memory of 64 bytes. */
#include "../../silicon/jtag_bitbang.h"
#include "jtag_wire.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE 0x1000u

static struct {
	uint8_t bytes[64];
	unsigned reads, writes;
} memory;
static struct dap dap;
static struct jtag jtag;

static bool inside(uint32_t address, unsigned size)
{
	ck_assert(size == 1 || size == 2 || size == 4);
	ck_assert_uint_eq(address % size, 0);
	return address >= BASE && address - BASE <= sizeof memory.bytes - size;
}

static bool memory_read(void *context, uint32_t address, unsigned size, uint32_t *ret_value)
{
	memory.reads++;
	if (!inside(address, size))
		return false;
	*ret_value = 0;
	memcpy(ret_value, memory.bytes + (address - BASE), size);
	return true;
}

static bool memory_write(void *context, uint32_t address, unsigned size, uint32_t value)
{
	memory.writes++;
	if (!inside(address, size))
		return false;
	memcpy(memory.bytes + (address - BASE), &value, size);
	return true;
}

static bool edge(void *context, bool tms, bool tdi)
{
	bool tdo = jtag_tdo(&jtag);
	jtag_clock(&jtag, tms, tdi);
	return tdo;
}

static const struct dap_memory bus = {memory_read, memory_write, NULL};
static const struct jtag_wire wire = {edge, NULL};

static void setup(void)
{
	memset(&memory, 0, sizeof memory);
	for (unsigned i = 0; i < sizeof memory.bytes; i++)
		memory.bytes[i] = (uint8_t)(0x10 + i);
	dap_init(&dap, &bus);
	jtag_init(&jtag, JTAG_IDCODE, &dap);
	wire_reset(&wire);
}

/* ---- the test access port --------------------------------------------------------------------------------------- */

/* IEEE 1149.1, figure 6-1, written down anew: for each state the way by TMS 0 and 1. */
static const char *const ways[16] = {"Run-Idle Reset",     "Run-Idle Select-DR", "Capture-DR Select-IR", "Shift-DR Exit1-DR",
                                     "Shift-DR Exit1-DR",  "Pause-DR Update-DR", "Pause-DR Exit2-DR",    "Shift-DR Update-DR",
                                     "Run-Idle Select-DR", "Capture-IR Reset",   "Shift-IR Exit1-IR",    "Shift-IR Exit1-IR",
                                     "Pause-IR Update-IR", "Pause-IR Exit2-IR",  "Shift-IR Update-IR",   "Run-Idle Select-DR"};
static const char *const names[16] = {"Reset",    "Run-Idle", "Select-DR", "Capture-DR", "Shift-DR",   "Exit1-DR",
                                      "Pause-DR", "Exit2-DR", "Update-DR", "Select-IR",  "Capture-IR", "Shift-IR",
                                      "Exit1-IR", "Pause-IR", "Exit2-IR",  "Update-IR"};

START_TEST(every_edge_of_the_states)
{
	for (int state = 0; state < 16; state++) {
		for (int tms = 0; tms < 2; tms++) {
			char way[40];
			jtag_init(&jtag, JTAG_IDCODE, &dap);
			jtag.length = 1;
			jtag.state = (enum jtag_state)state;
			jtag_clock(&jtag, tms, false);
			ck_assert_int_lt(snprintf(way, sizeof way, "%s", ways[state]), (int)sizeof way);
			char *second = strchr(way, ' ');
			*second++ = '\0';
			ck_assert_str_eq(names[jtag.state], tms ? second : way);
		}
	}
}
END_TEST

START_TEST(five_edges_reset_from_everywhere)
{
	for (int state = 0; state < 16; state++) {
		jtag.length = 4;
		jtag.state = (enum jtag_state)state;
		jtag.instruction = JTAG_IR_BYPASS;
		for (int i = 0; i < 5; i++)
			jtag_clock(&jtag, true, false);
		ck_assert_int_eq(jtag.state, JTAG_RESET);
		ck_assert_int_eq(jtag.instruction, JTAG_IR_IDCODE);
	}
}
END_TEST

START_TEST(idcode_and_bypass)
{
	ck_assert_uint_eq(wire_dr(&wire, 0, 32), 0x4ba00477);
	ck_assert_uint_eq(wire_ir(&wire, JTAG_IR_BYPASS), 1);
	/* one register of one bit that is captured as 0 */
	ck_assert_uint_eq(wire_dr(&wire, 0x5A5, 12), 0xB4A);
	wire_ir(&wire, 0x3); /* no instruction: bypass as well */
	ck_assert_uint_eq(wire_dr(&wire, 0x5A5, 12), 0xB4A);
	wire_ir(&wire, JTAG_IR_IDCODE);
	ck_assert_uint_eq(wire_dr(&wire, 0x123456789AB, 44) >> 32, 0x9AB); /* TDI follows the 32 bits */
	jtag.idcode = 0x12345677;
	ck_assert_uint_eq(wire_dr(&wire, 0, 32), 0x12345677);
}
END_TEST

START_TEST(tdo_is_pulled_up_outside_shift)
{
	wire_ir(&wire, JTAG_IR_BYPASS);
	for (int state = 0; state < 16; state++) {
		jtag.state = (enum jtag_state)state;
		jtag.shift = 0;
		ck_assert_int_eq(jtag_tdo(&jtag), state != JTAG_SHIFT_DR && state != JTAG_SHIFT_IR);
	}
}
END_TEST

/* A scan that pauses in the middle gives what one in a row gives. */
START_TEST(a_pause_changes_nothing)
{
	static const bool way[] = {1, 0, 0};
	uint32_t out = 0;
	for (int i = 0; i < 3; i++)
		edge(NULL, way[i], false);
	for (int i = 0; i < 32; i++) {
		bool last = i % 5 == 4;
		out |= (uint32_t)edge(NULL, last, false) << i;
		if (last) { /* Exit1, Pause, Pause, Exit2, Shift */
			edge(NULL, 0, true);
			edge(NULL, 0, true);
			edge(NULL, 1, true);
			edge(NULL, 0, true);
		}
	}
	ck_assert_uint_eq(out, 0x4ba00477);
}
END_TEST

/* ---- the debug port --------------------------------------------------------------------------------------------- */

START_TEST(power_up_is_acknowledged)
{
	ck_assert_uint_eq(wire_dp_read(&wire, 0x4), 0);
	wire_dp_write(&wire, 0x4, 0x50000000);
	ck_assert_uint_eq(wire_dp_read(&wire, 0x4), 0xF0000000);
	wire_dp_write(&wire, 0x4, 0x10000000);
	ck_assert_uint_eq(wire_dp_read(&wire, 0x4), 0x30000000);
	wire_dp_write(&wire, 0x4, 0xFFFFFFFF);
	ck_assert_uint_eq(wire_dp_read(&wire, 0x4), 0xFC3FFF0D);
	wire_dp_write(&wire, 0x8, 0x010000F0);
	ck_assert_uint_eq(wire_dp_read(&wire, 0x8), 0x010000F0);
	ck_assert_uint_eq(wire_dp_read(&wire, 0xC), 0);
}
END_TEST

START_TEST(result_comes_with_the_next_capture)
{
	wire_dp_write(&wire, 0x8, 0xF0);
	wire_ir(&wire, JTAG_IR_APACC);
	wire_dr(&wire, 0xC >> 1 | 1, 35); /* reads IDR, A[3:2] = 3 */
	ck_assert_uint_eq(wire_dr(&wire, 0x8 >> 1 | 1, 35), (uint64_t)DAP_IDR << 3 | 2);
	ck_assert_uint_eq(wire_dr(&wire, 0x8 >> 1 | 1, 35), 0xFFFFFFFFull << 3 | 2);
	/* Another instruction in between loses nothing. */
	wire_ir(&wire, JTAG_IR_DPACC);
	ck_assert_uint_eq(wire_dr(&wire, 0xC >> 1 | 1, 35), 0xFFFFFFFFull << 3 | 2);
	ck_assert_uint_eq(wire_dr(&wire, 0xC >> 1 | 1, 35), 2);
}
END_TEST

START_TEST(registers_of_the_access_port)
{
	ck_assert_uint_eq(wire_ap_read(&wire, 0xFC), 0x24770011);
	ck_assert_uint_eq(wire_ap_read(&wire, 0xF8), 0xFFFFFFFF);
	ck_assert_uint_eq(wire_ap_read(&wire, 0xF4), 0);
	wire_ap_write(&wire, 0x00, 0xFFFFFF92);
	ck_assert_uint_eq(wire_ap_read(&wire, 0x00), 0xFFFFFF52); /* DeviceEn set, TrInProg clear, the rest echoed */
	wire_ap_write(&wire, 0x04, 0xCAFEF00D);
	ck_assert_uint_eq(wire_ap_read(&wire, 0x04), 0xCAFEF00D);
	ck_assert_uint_eq(wire_ap_read(&wire, 0x40), 0);
	/* Another access port is none. */
	wire_dp_write(&wire, 0x8, 0x010000F0);
	wire_ir(&wire, JTAG_IR_APACC);
	wire_dr(&wire, 0xC >> 1 | 1, 35);
	ck_assert_uint_eq(wire_dr(&wire, 0xC >> 1 | 1, 35), 2);
}
END_TEST

static void access(uint32_t csw, uint32_t address)
{
	wire_ap_write(&wire, 0x00, csw);
	wire_ap_write(&wire, 0x04, address);
}

START_TEST(words_with_and_without_increment)
{
	access(0x2, BASE);
	ck_assert_uint_eq(wire_ap_read(&wire, 0x0C), 0x13121110);
	ck_assert_uint_eq(wire_ap_read(&wire, 0x0C), 0x13121110);
	access(0x12, BASE);
	ck_assert_uint_eq(wire_ap_read(&wire, 0x0C), 0x13121110);
	ck_assert_uint_eq(wire_ap_read(&wire, 0x0C), 0x17161514);
	ck_assert_uint_eq(wire_ap_read(&wire, 0x04), BASE + 8);
	wire_ap_write(&wire, 0x0C, 0xAABBCCDD);
	ck_assert_mem_eq(memory.bytes + 8, "\xDD\xCC\xBB\xAA", 4);
	ck_assert_uint_eq(wire_ap_read(&wire, 0x04), BASE + 12);
}
END_TEST

START_TEST(byte_lanes)
{
	for (unsigned i = 0; i < 8; i++) {
		access(0x0, BASE + i);
		ck_assert_uint_eq(wire_ap_read(&wire, 0x0C), (0x10u + i) << 8 * (i & 3));
		wire_ap_write(&wire, 0x0C, 0xA0A1A2A3u);
		ck_assert_uint_eq(memory.bytes[i], 0xA3 - (i & 3));
	}
	access(0x1, BASE + 10);
	ck_assert_uint_eq(wire_ap_read(&wire, 0x0C), 0x1B1A0000);
	wire_ap_write(&wire, 0x0C, 0x55667788);
	ck_assert_mem_eq(memory.bytes + 10, "\x66\x55", 2);
}
END_TEST

START_TEST(packed_transfers)
{
	access(0x20, BASE); /* bytes, packed */
	ck_assert_uint_eq(wire_ap_read(&wire, 0x0C), 0x13121110);
	ck_assert_uint_eq(memory.reads, 4);
	ck_assert_uint_eq(wire_ap_read(&wire, 0x04), BASE + 4);
	wire_ap_write(&wire, 0x0C, 0x01020304);
	ck_assert_mem_eq(memory.bytes + 4, "\x04\x03\x02\x01", 4);
	access(0x21, BASE + 2); /* half words, from the middle of a word on */
	ck_assert_uint_eq(wire_ap_read(&wire, 0x0C), 0x13120304u);
	ck_assert_uint_eq(wire_ap_read(&wire, 0x04), BASE + 6);
}
END_TEST

START_TEST(banked_words)
{
	access(0x2, BASE + 0x14);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(wire_ap_read(&wire, (uint8_t)(0x10 + 4 * i)) & 0xFF, 0x20 + 4 * i);
	wire_ap_write(&wire, 0x1C, 0x44332211);
	ck_assert_mem_eq(memory.bytes + 0x1C, "\x11\x22\x33\x44", 4);
	ck_assert_uint_eq(wire_ap_read(&wire, 0x04), BASE + 0x14);
}
END_TEST

/* What faults sets STICKYERR and leaves TAR; then nothing reaches the memory until it is cleared. */
START_TEST(faults_stick)
{
	static const struct {
		uint32_t csw, address;
	} wrong[] = {{0x12, BASE + 64}, {0x12, BASE - 4},   {0x12, BASE + 1}, {0x11, BASE + 3},
	             {0x13, BASE},      {0x12, 0xFFFFFFFC}, {0x20, BASE + 64}};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		access(wrong[i].csw, wrong[i].address);
		wire_ap_read(&wire, 0x0C);
		ck_assert_uint_eq(wire_dp_read(&wire, 0x4), DAP_STICKYERR);
		unsigned before = memory.reads + memory.writes;
		wire_ap_write(&wire, 0x04, BASE);
		wire_ap_write(&wire, 0x0C, 0);
		ck_assert_uint_eq(memory.reads + memory.writes, before);
		wire_dp_write(&wire, 0x4, 0); /* no one */
		ck_assert_uint_eq(wire_dp_read(&wire, 0x4), DAP_STICKYERR);
		wire_dp_write(&wire, 0x4, DAP_STICKYERR);
		ck_assert_uint_eq(wire_dp_read(&wire, 0x4), 0);
		ck_assert_uint_eq(wire_ap_read(&wire, 0x04), wrong[i].address);
	}
	uint32_t word;
	ck_assert(wire_read(&wire, BASE, &word));
	ck_assert_uint_eq(word, 0x13121110);
}
END_TEST

/* In the middle of a packed transfer TAR stands where it faulted. */
START_TEST(packed_fault)
{
	access(0x20, BASE + 62);
	wire_ap_write(&wire, 0x0C, 0x11223344);
	ck_assert_uint_eq(wire_dp_read(&wire, 0x4), DAP_STICKYERR);
	wire_dp_write(&wire, 0x4, DAP_STICKYERR);
	ck_assert_uint_eq(wire_ap_read(&wire, 0x04), BASE + 64);
	ck_assert_mem_eq(memory.bytes + 62, "\x22\x11", 2);
}
END_TEST

START_TEST(test_logic_reset_keeps_the_debug_port)
{
	wire_ap_write(&wire, 0x04, 0x1234);
	wire_reset(&wire);
	ck_assert_uint_eq(wire_ap_read(&wire, 0x04), 0x1234);
}
END_TEST

/* ---- the adapter ------------------------------------------------------------------------------------------------ */

static char holds[16];

static void note_hold(void *context, bool on)
{
	size_t length = strlen(holds);
	ck_assert_uint_lt(length, sizeof holds - 1);
	holds[length] = on ? '+' : '-';
	holds[length + 1] = '\0';
}

static struct jtag_bitbang bitbang;

static const char *say(const char *text)
{
	static char answer[256];
	size_t length;
	ck_assert(!jtag_bitbang_take(&bitbang, text, strlen(text), answer, &length));
	answer[length] = '\0';
	return answer;
}

static void setup_adapter(void)
{
	setup();
	holds[0] = '\0';
	bitbang = (struct jtag_bitbang){.jtag = &jtag, .hold = note_hold};
	jtag_init(&jtag, JTAG_IDCODE, &dap);
}

START_TEST(only_rising_edges_count)
{
	say("0404");
	ck_assert_int_eq(jtag.state, JTAG_IDLE);
	say("26666666"); /* one edge to Select-DR: the line stays high */
	ck_assert_int_eq(jtag.state, JTAG_SELECT_DR);
	say("2");
	ck_assert_int_eq(jtag.state, JTAG_SELECT_DR);
	say("6");
	ck_assert_int_eq(jtag.state, JTAG_SELECT_IR);
}
END_TEST

START_TEST(idcode_by_characters)
{
	char text[200] = "04260404";
	size_t length = strlen(text);
	for (int i = 0; i < 32; i++)
		length += (size_t)snprintf(text + length, sizeof text - length, "0R4");
	const char *answer = say(text);
	uint32_t id = 0;
	ck_assert_uint_eq(strlen(answer), 32);
	for (int i = 0; i < 32; i++)
		id |= (uint32_t)(answer[i] == '1') << i;
	ck_assert_uint_eq(id, JTAG_IDCODE);
}
END_TEST

START_TEST(reset_lines)
{
	say("sssrsBbr\n?xyz");
	ck_assert_str_eq(holds, "+-+-");
	say("0404u");
	ck_assert_str_eq(holds, "+-+-+");
	ck_assert_int_eq(jtag.state, JTAG_RESET);
	say("t");
	ck_assert_str_eq(holds, "+-+-+-");
	say("s");
	jtag_bitbang_release(&bitbang); /* the cable is unplugged */
	jtag_bitbang_release(&bitbang);
	ck_assert_str_eq(holds, "+-+-+-+-");
}
END_TEST

START_TEST(quit_ends)
{
	char answer[8];
	size_t length = 99;
	ck_assert(jtag_bitbang_take(&bitbang, "RQR", 3, answer, &length));
	ck_assert_uint_eq(length, 1);
	ck_assert_int_eq(answer[0], '1');
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("jtag");
	TCase *port = tcase_create("port"), *adapter = tcase_create("adapter");
	tcase_add_checked_fixture(port, setup, NULL);
	tcase_add_test(port, every_edge_of_the_states);
	tcase_add_test(port, five_edges_reset_from_everywhere);
	tcase_add_test(port, idcode_and_bypass);
	tcase_add_test(port, tdo_is_pulled_up_outside_shift);
	tcase_add_test(port, a_pause_changes_nothing);
	tcase_add_test(port, power_up_is_acknowledged);
	tcase_add_test(port, result_comes_with_the_next_capture);
	tcase_add_test(port, registers_of_the_access_port);
	tcase_add_test(port, words_with_and_without_increment);
	tcase_add_test(port, byte_lanes);
	tcase_add_test(port, packed_transfers);
	tcase_add_test(port, banked_words);
	tcase_add_test(port, faults_stick);
	tcase_add_test(port, packed_fault);
	tcase_add_test(port, test_logic_reset_keeps_the_debug_port);
	tcase_add_checked_fixture(adapter, setup_adapter, NULL);
	tcase_add_test(adapter, only_rising_edges_count);
	tcase_add_test(adapter, idcode_by_characters);
	tcase_add_test(adapter, reset_lines);
	tcase_add_test(adapter, quit_ends);
	suite_add_tcase(suite, port);
	suite_add_tcase(suite, adapter);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
