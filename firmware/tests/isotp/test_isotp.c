/* SPDX-License-Identifier: Apache-2.0 */
/* ISO-TP of the target, line by line of ISO 15765-2:2016 (numbers T… of the conformance list). */
#include "bench.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RX(hex)       ck_assert(isotp_bench_rx(hex))
#define TX(hex)       ck_assert_str_eq(isotp_bench_tx(), hex)
#define NOTHING       TX("")
#define RANDOM_FRAMES 100000u

static struct isotp_config config;

static void open_channel(bool fd)
{
	config = isotp_bench_config(fd);
	isotp_bench_open(&config, NULL);
}

static void expect(unsigned received, unsigned failed)
{
	ck_assert_uint_eq(bench.received, received);
	ck_assert_uint_eq(bench.failed, failed);
}

static void expect_failure(enum isotp_result result)
{
	ck_assert_uint_eq(bench.failed, 1);
	ck_assert_int_eq(bench.failure, result);
	bench.failed = 0;
}

static void expect_confirmation(enum isotp_result result)
{
	ck_assert_uint_eq(bench.sent, 1);
	ck_assert_int_eq(bench.confirmation, result);
	bench.sent = 0;
}

static void expect_pattern(size_t length)
{
	uint8_t data[ISOTP_MAX_MESSAGE];

	isotp_bench_pattern(data, length);
	ck_assert_uint_eq(bench.length, length);
	ck_assert_mem_eq(bench.data, data, length);
}

/* ---- single frames ------------------------------------------------------------------------------------------ */

START_TEST(t001_single_frames_classic)
{
	open_channel(false);
	RX("00 11 22 33 44 55 66 77");
	RX("08 11 22 33 44 55 66 77");
	RX("0F 11 22 33 44 55 66 77");
	RX("03 3E 00");
	expect(0, 0);
	RX("01 3E");
	expect(1, 0);
	RX("07 01 02 03 04 05 06 07");
	expect(2, 0);
	ck_assert_uint_eq(bench.length, 7);
	RX("02 3E 00 CC CC CC CC CC"); /* T025: padding is not data */
	expect(3, 0);
	ck_assert_uint_eq(bench.length, 2);
	NOTHING; /* T006: no flow control for a single frame */
}
END_TEST

START_TEST(t002_single_frames_fd)
{
	static const uint8_t lengths[] = {12, 16, 20, 24, 32, 48, 64};
	uint8_t bytes[64];

	open_channel(true);
	for (unsigned n = 0, below = 8; n < sizeof(lengths); below = lengths[n++]) {
		for (unsigned length = 0; length < 64; length++) {
			bool fits = length + 2 > below && length + 2 <= lengths[n] && length > 7;

			bench.received = 0;
			bytes[0] = 0;
			bytes[1] = (uint8_t)length;
			isotp_bench_pattern(bytes + 2, 62);
			ck_assert(isotp_bench_rx_bytes(bytes, lengths[n]));
			ck_assert_msg(bench.received == fits, "length %u in a frame of %u", length, lengths[n]);
			if (fits)
				expect_pattern(length);
		}
	}
	bench.received = 0;
	RX("00 05 01 02 03 04 05 06");             /* escape in eight bytes */
	RX("05 01 02 03 04 05 06 07 08 09 0A 0B"); /* no escape in twelve */
	expect(0, 0);
	RX("05 01 02 03 04 05 CC CC");
	expect(1, 0);
}
END_TEST

/* ---- receiving segmented messages ---------------------------------------------------------------------------- */

START_TEST(t003_t004_first_frame_lengths)
{
	open_channel(false);
	RX("10 00 00 00 0F FF 01 02"); /* escape with 4095 */
	RX("10 07 01 02 03 04 05 06"); /* fits a single frame */
	RX("10 08 01 02 03 04 05");    /* a first frame is full */
	RX("10 00 FF FF FF FF 01 02"); /* 4 GiB - 1 */
	TX("32 00 00 CC CC CC CC CC");
	RX("10 00 00 00 10 01 01 02"); /* one more than there is room for */
	TX("32 00 00 CC CC CC CC CC");
	NOTHING;
	RX("21 07 08");
	expect(0, 0);
	ck_assert_uint_eq(bench.first_frames, 0);
	RX("10 08 01 02 03 04 05 06");
	TX("30 00 00 CC CC CC CC CC");
	ck_assert_uint_eq(bench.announced, 8);
	RX("21 07 08");
	expect(1, 0);
	ck_assert_mem_eq(bench.data, "\1\2\3\4\5\6\7\10", 8);
	open_channel(true);
	RX("10 08 01 02 03 04 05 06");
	TX("30 00 00 CC CC CC CC CC");
	/* A first frame of twelve bytes announces more than a single frame of twelve takes. */
	RX("10 0A 01 02 03 04 05 06 07 08 09 0A");
	NOTHING;
	RX("10 0B 01 02 03 04 05 06 07 08 09 0A");
	TX("30 00 00 CC CC CC CC CC");
	expect_failure(ISOTP_UNEXP_PDU);
}
END_TEST

START_TEST(t005_frame_length_is_fixed_by_the_first)
{
	open_channel(true);
	RX("10 20 00 01 02 03 04 05 06 07 08 09");
	TX("30 00 00 CC CC CC CC CC");
	RX("21 0A 0B 0C 0D 0E 0F 10");                         /* shorter, not the last */
	RX("21 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 16 17 18"); /* longer */
	RX("21 0A 0B 0C 0D 0E 0F 10 11 12 13 14");
	ck_assert(!isotp_bench_rx("22 15 16 17 18 19 1A 1B 1C 1D 1E")); /* not a length of the bus */
	RX("22 15 16 17 18 19 1A 1B 1C 1D 1E 1F");
	expect(1, 0);
	expect_pattern(0x20);
	/* the last may be short */
	RX("10 0C 00 01 02 03 04 05 06 07 08 09");
	RX("21 0A");
	expect(1, 0);
	RX("21 0A 0B");
	expect(2, 0);
	expect_pattern(12);
}
END_TEST

static void put_consecutive(unsigned number, size_t *at, size_t length)
{
	uint8_t bytes[8] = {(uint8_t)(0x20 | (number & 0xF))};

	for (unsigned i = 1; i < 8; i++, (*at)++)
		bytes[i] = *at < length ? (uint8_t)(*at % 251) : 0xCC;
	ck_assert(isotp_bench_rx_bytes(bytes, 8));
}

START_TEST(t006_t007_t009_blocks)
{
	static const uint8_t sizes[] = {0, 1, 2, 15, 255};

	config = isotp_bench_config(false);
	config.block_size = sizes[_i];
	config.st_min = 0xF5;
	isotp_bench_open(&config, NULL);
	unsigned frames = 2 * 255, flows = 1;
	size_t at = 6, length = 6 + frames * 7;
	char flow[32];
	uint8_t first[8] = {(uint8_t)(0x10 | length >> 8), (uint8_t)length, 0, 1, 2, 3, 4, 5};

	snprintf(flow, sizeof(flow), "30 %02X F5 CC CC CC CC CC", sizes[_i]);
	ck_assert(isotp_bench_rx_bytes(first, 8));
	TX(flow);
	for (unsigned i = 1; i <= frames; i++) {
		put_consecutive(i, &at, length);
		if (sizes[_i] == 0 || i % sizes[_i] != 0 || i == frames)
			continue;
		TX(flow);
		flows++;
	}
	NOTHING;
	ck_assert_uint_eq(flows, sizes[_i] == 0 ? 1 : (frames + sizes[_i] - 1) / sizes[_i]);
	expect(1, 0);
	expect_pattern(length);
}
END_TEST

START_TEST(t009_wrong_sequence)
{
	open_channel(false);
	for (unsigned wrong = 0; wrong < 16; wrong++) {
		char frame[32];

		if (wrong == 2)
			continue;
		RX("10 14 00 01 02 03 04 05");
		TX("30 00 00 CC CC CC CC CC");
		RX("21 06 07 08 09 0A 0B 0C");
		snprintf(frame, sizeof(frame), "2%X 0D 0E 0F 10 11 12 13", wrong); /* 1: a duplicate */
		RX(frame);
		expect_failure(ISOTP_WRONG_SN);
		NOTHING;
		RX("22 0D 0E 0F 10 11 12 13"); /* too late */
		expect(0, 0);
		RX("10 14 00 01 02 03 04 05");
		TX("30 00 00 CC CC CC CC CC");
		RX("21 06 07 08 09 0A 0B 0C");
		RX("22 0D 0E 0F 10 11 12 13");
		expect(1, 0);
		expect_pattern(20);
		bench.received = 0;
	}
}
END_TEST

START_TEST(t010_n_cr)
{
	open_channel(false);
	RX("10 14 00 01 02 03 04 05");
	isotp_bench_run(999 * MS + 999);
	expect(0, 0);
	RX("21 06 07 08 09 0A 0B 0C");
	isotp_bench_run(999 * MS + 999);
	expect(0, 0);
	isotp_bench_run(1);
	expect_failure(ISOTP_TIMEOUT_CR);
	RX("22 0D 0E 0F 10 11 12 13");
	expect(0, 0);
	/* A frame that came too late is late even when the timer was not looked at before it. */
	RX("10 14 00 01 02 03 04 05");
	isotp_bench_run(0);
	fake_time_advance(1000 * MS);
	RX("21 06 07 08 09 0A 0B 0C");
	expect_failure(ISOTP_TIMEOUT_CR);
}
END_TEST

START_TEST(t016_unexpected)
{
	open_channel(false);
	RX("21 06 07 08 09 0A 0B 0C");
	expect(0, 0);
	RX("10 14 00 01 02 03 04 05");
	RX("02 3E 00");
	expect_failure(ISOTP_UNEXP_PDU);
	expect(1, 0);
	RX("10 14 FF FF FF FF FF FF");
	RX("10 14 00 01 02 03 04 05");
	expect_failure(ISOTP_UNEXP_PDU);
	RX("21 06 07 08 09 0A 0B 0C");
	RX("22 0D 0E 0F 10 11 12 13");
	expect(2, 0);
	expect_pattern(20);
	for (unsigned i = 0; i < 3; i++)
		TX("30 00 00 CC CC CC CC CC");
	for (unsigned type = 4; type < 16; type++) { /* T018 */
		char frame[32];

		snprintf(frame, sizeof(frame), "%X2 3E 00 00 00 00 00 00", type);
		RX(frame);
	}
	expect(2, 0);
	NOTHING;
}
END_TEST

START_TEST(t019_functional)
{
	config = isotp_bench_config(true);
	config.functional = true;
	isotp_bench_open(&config, NULL);
	RX("10 14 00 01 02 03 04 05");
	NOTHING;
	RX("21 06 07 08 09 0A 0B 0C");
	expect(0, 0);
	RX("02 3E 80");
	expect(1, 0);
	ck_assert_int_eq(isotp_bench_send(63), PORT_INVALID);
	ck_assert_int_eq(isotp_bench_send(62), PORT_OK);
}
END_TEST

/* ---- addressing --------------------------------------------------------------------------------------------- */

START_TEST(t020_extension_byte)
{
	config = isotp_bench_config(false);
	config.addressing = _i == 0 ? ISOTP_EXTENDED : ISOTP_MIXED;
	config.address_extension_tx = 0xF1;
	config.address_extension_rx = 0x55;
	isotp_bench_open(&config, NULL);
	ck_assert(!isotp_bench_rx("56 02 3E 00"));
	ck_assert(!isotp_bench_rx("55"));
	expect(0, 0);
	RX("55 07 01 02 03 04 05 06");
	expect(0, 0);
	RX("55 06 01 02 03 04 05 06");
	expect(1, 0);
	RX("55 10 06 01 02 03 04 05");
	NOTHING;
	RX("55 10 07 01 02 03 04 05");
	TX("F1 30 00 00 CC CC CC CC");
	RX("55 21 06 07");
	expect(2, 0);
	ck_assert_uint_eq(bench.length, 7);
	ck_assert_int_eq(isotp_bench_send(6), PORT_OK);
	TX("F1 06 00 01 02 03 04 05");
	isotp_bench_run(0);
	ck_assert_int_eq(isotp_bench_send(7), PORT_OK);
	TX("F1 10 07 00 01 02 03 04");
	isotp_bench_run(0);
	RX("55 30 00 00");
	TX("F1 21 05 06 CC CC CC CC");
	/* In FD: eight or more bytes that are not for a short frame need the escape. */
	config.fd = config.brs = true;
	config.tx_dl = 64;
	isotp_bench_open(&config, NULL);
	RX("55 00 06 01 02 03 04 05 06 CC CC CC");
	expect(0, 0);
	RX("55 00 07 01 02 03 04 05 06 07 CC CC");
	expect(1, 0);
	RX("55 00 09 01 02 03 04 05 06 07 08 09");
	expect(2, 0);
}
END_TEST

START_TEST(t020_identifiers)
{
	struct port_can_frame frame = {.id = 0x18DA11F1, .flags = PORT_CAN_EXTENDED, .length = 3, .data = {2, 0x3E, 0}};
	uint8_t channel;

	config = isotp_bench_config(false);
	config.addressing = ISOTP_NORMAL_FIXED;
	ck_assert_int_eq(isotp_open(&config, &(struct isotp_handlers){0}, &channel), PORT_INVALID);
	config.extended_id = true;
	config.rx_id = 0x18DA11F1;
	config.tx_id = 0x18DAF111;
	isotp_bench_open(&config, NULL);
	ck_assert(isotp_frame(&frame, port_time_us()));
	frame.flags = 0;
	ck_assert(!isotp_frame(&frame, port_time_us()));
	frame.flags = PORT_CAN_EXTENDED | PORT_CAN_REMOTE;
	ck_assert(!isotp_frame(&frame, port_time_us()));
	frame.flags = PORT_CAN_EXTENDED | PORT_CAN_FD; /* T024 */
	ck_assert(!isotp_frame(&frame, port_time_us()));
	frame.flags = PORT_CAN_EXTENDED;
	frame.id++;
	ck_assert(!isotp_frame(&frame, port_time_us()));
	expect(1, 0);
	ck_assert_int_eq(isotp_bench_send(3), PORT_OK);
	ck_assert(fake_can_take(0, &frame, NULL));
	ck_assert_uint_eq(frame.id, 0x18DAF111);
	ck_assert_uint_eq(frame.flags, PORT_CAN_EXTENDED);
	open_channel(true);
	ck_assert_int_eq(isotp_bench_send(3), PORT_OK);
	ck_assert(fake_can_take(0, &frame, NULL));
	ck_assert_uint_eq(frame.flags, PORT_CAN_FD | PORT_CAN_BRS);
}
END_TEST

START_TEST(impossible_configurations)
{
	struct isotp_config wrong[10];
	uint8_t channel;

	for (unsigned i = 0; i < 10; i++)
		wrong[i] = isotp_bench_config(true);
	wrong[0].tx_dl = 9;
	wrong[1].tx_dl = 72;
	wrong[2].tx_dl = 4;
	wrong[3].fd = false;
	wrong[4].rx_id = 0x800;
	wrong[5].n_as_ms = 0;
	wrong[6].n_cr_ms = 0;
	wrong[7].can_node = PORT_CAN_NODES;
	wrong[8].tx_id = 0xFFFFFFFF;
	wrong[8].extended_id = true;
	wrong[9].addressing = ISOTP_NORMAL_FIXED;
	wrong[9].extended_id = true;
	open_channel(true);
	for (unsigned i = 0; i < 10; i++)
		ck_assert_msg(isotp_open(&wrong[i], &(struct isotp_handlers){0}, &channel) == PORT_INVALID, "configuration %u", i);
	for (unsigned i = 1; i < ISOTP_MAX_CHANNELS; i++)
		ck_assert_int_eq(isotp_open(&config, &(struct isotp_handlers){0}, &channel), PORT_OK);
	ck_assert_int_eq(isotp_open(&config, &(struct isotp_handlers){0}, &channel), PORT_FULL);
	ck_assert_int_eq(isotp_send(ISOTP_MAX_CHANNELS, (const uint8_t *)"", 1), PORT_INVALID);
	ck_assert_int_eq(isotp_bench_send(0), PORT_INVALID);
	ck_assert_int_eq(isotp_bench_send(ISOTP_MAX_MESSAGE + 1), PORT_INVALID);
}
END_TEST

/* ---- sending ------------------------------------------------------------------------------------------------ */

START_TEST(sending_formats)
{
	open_channel(false);
	ck_assert_int_eq(isotp_bench_send(7), PORT_OK);
	TX("07 00 01 02 03 04 05 06");
	isotp_bench_run(0);
	expect_confirmation(ISOTP_OK);
	ck_assert_int_eq(isotp_bench_send(8), PORT_OK);
	TX("10 08 00 01 02 03 04 05");
	ck_assert_int_eq(isotp_bench_send(1), PORT_WOULD_BLOCK);
	isotp_bench_run(0);
	RX("30 00 00");
	TX("21 06 07 CC CC CC CC CC");
	isotp_bench_run(0);
	expect_confirmation(ISOTP_OK);
	ck_assert_int_eq(isotp_bench_send(4095), PORT_OK);
	TX("1F FF 00 01 02 03 04 05");
	open_channel(false);
	ck_assert_int_eq(isotp_bench_send(4096), PORT_OK);
	TX("10 00 00 00 10 00 00 01");
	config.pad = false;
	isotp_bench_open(&config, NULL);
	ck_assert_int_eq(isotp_bench_send(2), PORT_OK);
	TX("02 00 01");
	open_channel(true);
	ck_assert_int_eq(isotp_bench_send(7), PORT_OK);
	TX("07 00 01 02 03 04 05 06");
	isotp_bench_run(0);
	ck_assert_int_eq(isotp_bench_send(8), PORT_OK);
	TX("00 08 00 01 02 03 04 05 06 07 CC CC");
	isotp_bench_run(0);
	ck_assert_int_eq(isotp_bench_send(62), PORT_OK);
	ck_assert_int_eq(strncmp(isotp_bench_tx(), "00 3E 00 01", 11), 0);
	isotp_bench_run(0);
	ck_assert_int_eq(isotp_bench_send(63), PORT_OK);
	ck_assert_int_eq(strncmp(isotp_bench_tx(), "10 3F 00 01", 11), 0);
	isotp_bench_run(0);
	RX("30 00 00 CC CC CC CC CC");
	TX("21 3E CC CC CC CC CC CC");
	config.tx_dl = 8;
	isotp_bench_open(&config, NULL);
	ck_assert_int_eq(isotp_bench_send(8), PORT_OK);
	TX("10 08 00 01 02 03 04 05");
}
END_TEST

/* The time from flow control or frame to the next consecutive frame. */
static uint64_t gap_us(void)
{
	uint64_t begin_us = port_time_us(), deadline_us;
	struct port_can_frame frame;

	for (;;) {
		isotp_poll(port_time_us(), &deadline_us);
		if (fake_can_take(0, &frame, NULL))
			return port_time_us() - begin_us;
		ck_assert_uint_ne(deadline_us, UINT64_MAX);
		fake_time_set(deadline_us);
	}
}

static void start_with_flow(uint8_t block_size, uint8_t st_min)
{
	uint8_t flow[3] = {0x30, block_size, st_min};

	ck_assert_int_eq(isotp_bench_send(6 + 7 * 4), PORT_OK);
	ck_assert_str_ne(isotp_bench_tx(), "");
	isotp_bench_run(0);
	ck_assert(isotp_bench_rx_bytes(flow, 3));
	ck_assert_str_ne(isotp_bench_tx(), "");
}

START_TEST(t008_separation_time)
{
	for (unsigned st_min = 0; st_min < 256; st_min++) {
		uint64_t us = st_min <= 0x7F ? st_min * MS : st_min >= 0xF1 && st_min <= 0xF9 ? (st_min - 0xF0) * 100 : 127 * MS;

		open_channel(false);
		start_with_flow(0, (uint8_t)st_min);
		for (unsigned i = 0; i < 3; i++)
			ck_assert_uint_eq(gap_us(), us);
	}
	/* From the frame's end, not from when it was handed over. */
	open_channel(false);
	start_with_flow(0, 10);
	fake_can_automatic(0, false);
	ck_assert_uint_eq(gap_us(), 10 * MS);
	isotp_bench_run(7 * MS);
	NOTHING;
}
END_TEST

START_TEST(fault_stmin_ignored)
{
	open_channel(false);
	isotp_bench_open(&config, "isotp-stmin-ignored");
	start_with_flow(0, 100);
	ck_assert_uint_eq(gap_us(), 0);
}
END_TEST

START_TEST(fault_wrong_sequence_accepted)
{
	open_channel(false);
	isotp_bench_open(&config, "isotp-wrong-sn-accepted");
	RX("10 14 00 01 02 03 04 05");
	RX("21 06 07 08 09 0A 0B 0C");
	RX("2F 0D 0E 0F 10 11 12 13");
	expect(1, 0);
}
END_TEST

START_TEST(t011_n_bs)
{
	open_channel(false);
	ck_assert_int_eq(isotp_bench_send(20), PORT_OK);
	isotp_bench_run(999 * MS + 999);
	ck_assert_uint_eq(bench.sent, 0);
	isotp_bench_run(1);
	expect_confirmation(ISOTP_TIMEOUT_BS);
	RX("30 00 00");
	TX("10 14 00 01 02 03 04 05");
	NOTHING;
	ck_assert_int_eq(isotp_bench_send(20), PORT_OK);
	isotp_bench_run(999 * MS);
	RX("30 02 00");
	isotp_bench_run(0);
	expect_confirmation(ISOTP_OK);
}
END_TEST

START_TEST(t012_wait)
{
	open_channel(false);
	ck_assert_int_eq(isotp_bench_send(20), PORT_OK);
	for (unsigned i = 0; i < 2; i++) {
		isotp_bench_run(999 * MS);
		RX("31 00 00");
	}
	isotp_bench_run(999 * MS);
	ck_assert_uint_eq(bench.sent, 0);
	RX("31 00 00");
	expect_confirmation(ISOTP_WFT_OVRN);
	/* A flow control that lets go on begins the count anew. */
	ck_assert_int_eq(isotp_bench_send(27), PORT_OK);
	isotp_bench_run(0);
	RX("31 00 00");
	RX("31 00 00");
	RX("30 01 00");
	isotp_bench_run(0);
	RX("31 00 00");
	RX("31 00 00");
	ck_assert_uint_eq(bench.sent, 0);
	config.wft_max = 0;
	isotp_bench_open(&config, NULL);
	ck_assert_int_eq(isotp_bench_send(20), PORT_OK);
	isotp_bench_run(0);
	RX("31 00 00");
	expect_confirmation(ISOTP_WFT_OVRN);
}
END_TEST

START_TEST(t013_t014_t015_flow_control)
{
	open_channel(false);
	RX("30 00 00");
	RX("32 00 00");
	ck_assert_int_eq(isotp_bench_send(20), PORT_OK);
	isotp_bench_run(0);
	RX("32 00 00");
	expect_confirmation(ISOTP_BUFFER_OVFLW);
	for (unsigned status = 3; status < 16; status++) {
		uint8_t flow[3] = {(uint8_t)(0x30 | status)};

		ck_assert_int_eq(isotp_bench_send(20), PORT_OK);
		isotp_bench_run(0);
		ck_assert(isotp_bench_rx_bytes(flow, 2)); /* too short: not there */
		ck_assert_uint_eq(bench.sent, 0);
		ck_assert(isotp_bench_rx_bytes(flow, 3));
		expect_confirmation(ISOTP_INVALID_FS);
	}
	/* In the middle of a block nobody asked for one. */
	ck_assert_int_eq(isotp_bench_send(34), PORT_OK);
	isotp_bench_run(0);
	RX("30 00 0A");
	isotp_bench_run(0);
	RX("32 00 00");
	RX("3F 00 00");
	isotp_bench_run(31 * MS);
	expect_confirmation(ISOTP_OK);
}
END_TEST

START_TEST(t017_later_flow_control_counts)
{
	open_channel(false);
	start_with_flow(1, 0);
	isotp_bench_run(0);
	NOTHING;
	RX("30 00 14");
	TX("22 0D 0E 0F 10 11 12 13");
	ck_assert_uint_eq(gap_us(), 20 * MS);
}
END_TEST

START_TEST(t022_n_as)
{
	uint32_t ticket;
	struct port_can_frame frame;

	open_channel(false);
	fake_can_automatic(0, false);
	ck_assert_int_eq(isotp_bench_send(3), PORT_OK);
	isotp_bench_run(999 * MS + 999);
	ck_assert_uint_eq(bench.sent, 0);
	ck_assert_uint_eq(fake_can_cancelled(0), 0);
	isotp_bench_run(1);
	expect_confirmation(ISOTP_TIMEOUT_A);
	ck_assert_uint_eq(fake_can_cancelled(0), 1); /* nothing of it comes late */
	/* N_Bs begins with the first frame's confirmation, and every consecutive frame has its own N_As. */
	ck_assert(fake_can_take(0, &frame, NULL));
	ck_assert_int_eq(isotp_bench_send(34), PORT_OK);
	isotp_bench_run(900 * MS);
	ck_assert(fake_can_take(0, &frame, &ticket));
	fake_can_confirm(0, ticket, true);
	isotp_bench_run(900 * MS);
	ck_assert_uint_eq(bench.sent, 0);
	RX("30 00 00");
	isotp_bench_run(999 * MS);
	ck_assert(fake_can_take(0, &frame, &ticket));
	ck_assert_uint_eq(frame.data[0], 0x21);
	fake_can_confirm(0, ticket, true);
	isotp_bench_run(999 * MS);
	ck_assert_uint_eq(bench.sent, 0);
	isotp_bench_run(1 * MS);
	expect_confirmation(ISOTP_TIMEOUT_A);
}
END_TEST

START_TEST(t022_n_ar)
{
	open_channel(false);
	fake_can_automatic(0, false);
	RX("10 14 00 01 02 03 04 05");
	isotp_bench_run(999 * MS + 999);
	expect(0, 0);
	isotp_bench_run(1);
	expect_failure(ISOTP_TIMEOUT_A);
	ck_assert_uint_eq(fake_can_cancelled(0), 1);
	/* A consecutive frame proves the flow control, seen confirmed or not. */
	RX("10 14 00 01 02 03 04 05");
	RX("21 06 07 08 09 0A 0B 0C");
	RX("22 0D 0E 0F 10 11 12 13");
	expect(1, 0);
	expect_pattern(20);
	open_channel(false);
	RX("10 14 00 01 02 03 04 05");
	isotp_bench_run(10 * MS);
	RX("02 3E 00");
	expect_failure(ISOTP_UNEXP_PDU);
}
END_TEST

START_TEST(t022_bus_off)
{
	open_channel(false);
	fake_can_state_set(0, PORT_CAN_BUS_OFF, 255, 0);
	ck_assert_int_eq(isotp_bench_send(3), PORT_FAILED);
	ck_assert_int_eq(isotp_bench_send(20), PORT_FAILED);
	ck_assert_uint_eq(bench.sent, 0);
	RX("10 14 00 01 02 03 04 05");
	expect_failure(ISOTP_TIMEOUT_A);
	fake_can_state_set(0, PORT_CAN_ACTIVE, 0, 0);
	fake_can_automatic(0, false);
	ck_assert_int_eq(isotp_bench_send(20), PORT_OK);
	fake_can_state_set(0, PORT_CAN_BUS_OFF, 255, 0);
	isotp_bench_run(0);
	expect_confirmation(ISOTP_TIMEOUT_A);
	fake_can_state_set(0, PORT_CAN_ACTIVE, 0, 0);
	fake_can_automatic(0, true);
	ck_assert_int_eq(isotp_bench_send(2), PORT_OK);
	isotp_bench_run(0);
	expect_confirmation(ISOTP_OK);
}
END_TEST

/* A full controller is waited for, within N_As. */
START_TEST(full_controller)
{
	struct port_can_frame frame = {.id = 1};
	uint32_t ticket;

	open_channel(false);
	fake_can_automatic(0, false);
	while (port_can_send(0, &frame, NULL) == PORT_OK)
		;
	ck_assert_int_eq(isotp_bench_send(3), PORT_OK);
	isotp_bench_run(500 * MS);
	ck_assert(fake_can_take(0, &frame, &ticket));
	fake_can_confirm(0, ticket, true);
	isotp_bench_run(0);
	for (unsigned i = 0; i < 16; i++)
		ck_assert(fake_can_take(0, &frame, &ticket));
	ck_assert_uint_eq(frame.id, 0x7E8);
	fake_can_confirm(0, ticket, true);
	isotp_bench_run(0);
	expect_confirmation(ISOTP_OK);
}
END_TEST

START_TEST(t023_performance_times)
{
	config = isotp_bench_config(false);
	config.n_br_ms = 50;
	config.n_cs_ms = 20;
	isotp_bench_open(&config, NULL);
	RX("10 14 00 01 02 03 04 05");
	isotp_bench_run(49 * MS + 999);
	NOTHING;
	isotp_bench_run(1);
	TX("30 00 00 CC CC CC CC CC");
	isotp_bench_run(999 * MS + 999);
	expect(0, 0);
	isotp_bench_run(1);
	expect_failure(ISOTP_TIMEOUT_CR);
	ck_assert_int_eq(isotp_bench_send(20), PORT_OK);
	TX("10 14 00 01 02 03 04 05");
	isotp_bench_run(0);
	RX("30 00 00");
	ck_assert_uint_eq(gap_us(), 20 * MS);
	ck_assert_uint_eq(gap_us(), 20 * MS);
}
END_TEST

/* ---- both ends of the channel -------------------------------------------------------------------------------- */

static struct peer {
	uint8_t channel;
	unsigned received, failed;
	size_t length;
	uint8_t data[ISOTP_MAX_MESSAGE];
} peer;

static void on_peer_received(void *context, const uint8_t *data, size_t length)
{
	struct peer *p = context;

	p->received++;
	p->length = length;
	memcpy(p->data, data, length);
}

static void on_peer_failed(void *context, enum isotp_result result)
{
	struct peer *p = context;

	(void)result;
	p->failed++;
}

static void open_peer(void)
{
	static const struct isotp_handlers handlers = {.context = &peer, .received = on_peer_received, .receive_failed = on_peer_failed};
	struct isotp_config other = config;

	memset(&peer, 0, sizeof(peer));
	other.tx_id = config.rx_id;
	other.rx_id = config.tx_id;
	ck_assert_int_eq(isotp_open(&other, &handlers, &peer.channel), PORT_OK);
}

/* Hands every frame to the other end, but the one of this number (0: all), until nothing moves any more. */
static void pump(unsigned lost)
{
	struct port_can_frame frame;
	uint64_t deadline_us;

	for (unsigned number = 0;;) {
		isotp_poll(port_time_us(), &deadline_us);
		if (fake_can_take(0, &frame, NULL)) {
			if (++number != lost)
				ck_assert(isotp_frame(&frame, port_time_us()));
		} else if (deadline_us == UINT64_MAX) {
			return;
		} else if (deadline_us > port_time_us()) {
			fake_time_set(deadline_us);
		}
	}
}

START_TEST(t026_every_corner)
{
	static const size_t lengths[] = {1, 7, 8, 62, 63, 64, 111, 4094, 4095, 4096};
	static const uint8_t blocks[] = {0, 1, 2, 15, 255}, times[] = {0, 1, 0xF1, 0xF9};
	uint8_t data[ISOTP_MAX_MESSAGE];

	isotp_bench_pattern(data, sizeof(data));
	for (unsigned n = 0; n < 10 * 5 * 4; n++) {
		config = isotp_bench_config(_i != 0);
		config.block_size = blocks[n / 10 % 5];
		config.st_min = times[n / 50];
		isotp_bench_open(&config, NULL);
		open_peer();
		/* Full duplex: T021 */
		ck_assert_int_eq(isotp_bench_send(lengths[n % 10]), PORT_OK);
		ck_assert_int_eq(isotp_send(peer.channel, data, lengths[9 - n % 10]), PORT_OK);
		pump(0);
		ck_assert_uint_eq(peer.received, 1);
		ck_assert_uint_eq(peer.length, lengths[n % 10]);
		ck_assert_mem_eq(peer.data, data, peer.length);
		expect(1, 0);
		expect_pattern(lengths[9 - n % 10]);
		expect_confirmation(ISOTP_OK);
	}
}
END_TEST

START_TEST(t026_one_lost)
{
	config = isotp_bench_config(false);
	config.block_size = 5;
	isotp_bench_open(&config, NULL);
	open_peer();
	for (unsigned lost = 1; lost <= 18; lost++) {
		ck_assert_int_eq(isotp_bench_send(100), PORT_OK);
		pump(lost);
		ck_assert_uint_eq(peer.received, 0);
		ck_assert_int_eq(isotp_bench_send(100), PORT_OK);
		pump(0);
		ck_assert_uint_eq(peer.received, 1);
		ck_assert_uint_eq(peer.length, 100);
		peer.received = 0;
	}
}
END_TEST

/* ---- anything ----------------------------------------------------------------------------------------------- */

static void random_frame(uint8_t mode)
{
	static const uint8_t lengths[] = {0, 1, 2, 3, 7, 8, 8, 8, 12, 16, 64};
	struct port_can_frame frame = {.id = 0x7E0};
	uint8_t dice[4];

	port_random(dice, sizeof(dice));
	port_random(frame.data, sizeof(frame.data));
	frame.length = lengths[dice[0] % sizeof(lengths)];
	frame.flags = frame.length > 8 || mode ? PORT_CAN_FD : 0;
	if (dice[1] < 200)
		frame.data[0] = (uint8_t)((dice[1] & 3) << 4 | (dice[2] & 3));
	(void)isotp_frame(&frame, port_time_us());
	if (dice[3] < 20)
		(void)isotp_bench_send(1 + dice[2] * 4u);
	if (dice[3] > 250)
		isotp_bench_run((uint64_t)dice[2] * 20 * MS);
	while (fake_can_take(0, &frame, NULL))
		ck_assert(frame.id == 0x7E8 && frame.length <= 64);
	isotp_bench_run(0);
	while (fake_can_take(0, &frame, NULL))
		;
}

START_TEST(random_frames)
{
	uint64_t seed = (uint64_t)time(NULL);

	printf("random frames: seed %llu\n", (unsigned long long)seed);
	config = isotp_bench_config(_i != 0);
	config.block_size = 3;
	isotp_bench_open(&config, NULL);
	fake_random_seed(seed);
	for (unsigned i = 0; i < RANDOM_FRAMES / 2; i++) {
		if (i % 64 == 0)
			fake_can_state_set(0, i % 1024 == 0 ? PORT_CAN_BUS_OFF : PORT_CAN_ACTIVE, 0, 0);
		random_frame((uint8_t)_i);
	}
	/* And it still works. */
	fake_can_state_set(0, PORT_CAN_ACTIVE, 0, 0);
	isotp_bench_run(3000000);
	bench.received = 0;
	RX("02 3E 00");
	expect(1, bench.failed);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {t001_single_frames_classic,
	                              t002_single_frames_fd,
	                              t003_t004_first_frame_lengths,
	                              t005_frame_length_is_fixed_by_the_first,
	                              t009_wrong_sequence,
	                              t010_n_cr,
	                              t016_unexpected,
	                              t019_functional,
	                              t020_identifiers,
	                              impossible_configurations,
	                              sending_formats,
	                              t008_separation_time,
	                              fault_stmin_ignored,
	                              fault_wrong_sequence_accepted,
	                              t011_n_bs,
	                              t012_wait,
	                              t013_t014_t015_flow_control,
	                              t017_later_flow_control_counts,
	                              t022_n_as,
	                              t022_n_ar,
	                              t022_bus_off,
	                              full_controller,
	                              t023_performance_times,
	                              t026_one_lost};
	Suite *suite = suite_create("isotp");
	TCase *tc = tcase_create("channel");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		tcase_add_test(tc, tests[i]);
	tcase_add_loop_test(tc, t006_t007_t009_blocks, 0, 5);
	tcase_add_loop_test(tc, t020_extension_byte, 0, 2);
	tcase_add_loop_test(tc, t026_every_corner, 0, 2);
	tcase_add_loop_test(tc, random_frames, 0, 2);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
