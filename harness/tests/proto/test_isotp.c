/* SPDX-License-Identifier: Apache-2.0 */
/* Two links joined by a bus of virtual time, and one link beside frames written by hand. */
#include "../../proto/isotp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "test_proto.h"

#define FRAME_NS 100000
#define MS       INT64_C(1000000)

static struct isotp *a, *b;
static int64_t now_ns;
static unsigned dropped_frame; /* number of the frame on the bus that gets lost; 0 none */
static unsigned frames;

static struct isotp_options classic(void)
{
	return (struct isotp_options){.tx_dl = 8, .pad = true, .padding = 0xcc, .wft_max = 3};
}

static void teardown(void)
{
	isotp_free(a);
	isotp_free(b);
	a = b = NULL;
	now_ns = 0;
	dropped_frame = frames = 0;
}

static void open_both(const struct isotp_options *of_a, const struct isotp_options *of_b)
{
	teardown();
	ck_assert_int_eq(isotp_new(&a, of_a), 0);
	ck_assert_int_eq(isotp_new(&b, of_b), 0);
}

/* One frame of either side, or the next timer; false: nothing is to come. */
static bool advance(void)
{
	struct isotp *links[2] = {a, b};
	struct isotp_frame frame;
	int64_t deadline_ns;

	for (int i = 0; i < 2; i++)
		if (isotp_next(links[i], now_ns, &frame)) {
			now_ns += FRAME_NS;
			isotp_confirmed(links[i], now_ns);
			if (++frames != dropped_frame)
				isotp_receive(links[1 - i], frame.data, frame.length, now_ns);
			return true;
		}
	deadline_ns = isotp_deadline(a) < isotp_deadline(b) ? isotp_deadline(a) : isotp_deadline(b);
	if (deadline_ns == INT64_MAX)
		return false;
	if (deadline_ns > now_ns)
		now_ns = deadline_ns;
	isotp_tick(a, now_ns);
	isotp_tick(b, now_ns);
	return true;
}

static void transfer(size_t length, enum isotp_result sent, enum isotp_result received)
{
	uint8_t *data = malloc(length);
	struct bytes message = {0};

	ck_assert_ptr_nonnull(data);
	for (size_t i = 0; i < length; i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	ck_assert_int_eq(isotp_send(a, data, length, now_ns), 0);
	ck_assert_int_eq(isotp_send(a, data, length, now_ns), -EBUSY);
	while (advance())
		;
	ck_assert_str_eq(isotp_result_name(isotp_send_result(a)), isotp_result_name(sent));
	ck_assert_str_eq(isotp_result_name(isotp_receive_result(b)), isotp_result_name(received));
	ck_assert_int_eq(isotp_take(b, &message), received == ISOTP_OK);
	if (received == ISOTP_OK) {
		ck_assert_uint_eq(message.length, length);
		ck_assert_mem_eq(message.data, data, length);
	}
	bytes_free(&message);
	free(data);
}

/* ---- transfers --------------------------------------------------------------------------------------------- */

static const size_t lengths[] = {1, 6, 7, 8, 9, 10, 61, 62, 63, 64, 100, 4094, 4095, 4096, 65536, 1048576};

START_TEST(every_length_arrives)
{
	static const uint8_t tx_dl[] = {8, 12, 16, 20, 24, 32, 48, 64};
	struct isotp_options options = classic();

	for (unsigned i = 0; i < sizeof(tx_dl); i++)
		for (int addressing = ISOTP_NORMAL; addressing <= ISOTP_MIXED; addressing++) {
			if (lengths[_i] > 4096 && (i != 7 || addressing != ISOTP_NORMAL))
				continue;
			options.addressing = (enum isotp_addressing)addressing;
			options.extension_tx = options.extension_rx = 0x55;
			options.tx_dl = tx_dl[i];
			options.fd = tx_dl[i] > 8;
			open_both(&options, &options);
			transfer(lengths[_i], ISOTP_OK, ISOTP_OK);
		}
}
END_TEST

START_TEST(block_sizes_and_gaps)
{
	static const uint8_t st_mins[] = {0, 1, 5, 0x7f, 0xf1, 0xf9, 0x80, 0xfa};
	static const int64_t gaps_ns[] = {0, MS, 5 * MS, 127 * MS, 100000, 900000, 127 * MS, 127 * MS};
	static const unsigned sizes[] = {0, 1, 2, 15, 255};
	struct isotp_options options = classic(), receiver = options;
	struct isotp_facts facts;

	for (unsigned s = 0; s < 5; s++) {
		receiver.block_size = (uint8_t)sizes[s];
		receiver.st_min = st_mins[_i];
		open_both(&options, &receiver);
		transfer(6 + 7 * 30, ISOTP_OK, ISOTP_OK); /* FF and 30 CF */
		isotp_facts_read(a, &facts);
		ck_assert_uint_eq(facts.flow_controls, sizes[s] == 0 ? 1 : (30 + sizes[s] - 1) / sizes[s]);
		ck_assert_uint_eq(facts.block_size, sizes[s]);
		ck_assert_uint_eq(facts.st_min, st_mins[_i]);
		isotp_facts_read(b, &facts);
		ck_assert_uint_eq(facts.consecutive_frames, 30);
		if (sizes[s] != 1) {
			ck_assert_int_eq(facts.smallest_cf_gap_ns, gaps_ns[_i] + FRAME_NS);
			ck_assert_int_eq(facts.largest_cf_gap_ns, gaps_ns[_i] + FRAME_NS);
		}
	}
}
END_TEST

START_TEST(lost_frames_end_by_timer_and_the_next_message_arrives)
{
	struct isotp_options options = classic();
	static const struct {
		unsigned lost;
		enum isotp_result sent, received;
	} cases[] = {
	        {1, ISOTP_TIMEOUT_BS, ISOTP_PENDING},    /* FF */
	        {2, ISOTP_TIMEOUT_BS, ISOTP_TIMEOUT_CR}, /* FC */
	        {4, ISOTP_OK, ISOTP_WRONG_SN},           /* a CF in the middle */
	        {7, ISOTP_OK, ISOTP_TIMEOUT_CR},         /* the last CF */
	};

	open_both(&options, &options);
	dropped_frame = cases[_i].lost;
	transfer(6 + 7 * 5, cases[_i].sent, cases[_i].received);
	transfer(6 + 7 * 5, ISOTP_OK, ISOTP_OK);
}
END_TEST

/* ---- misdeeds ---------------------------------------------------------------------------------------------- */

START_TEST(misdeeds_of_a_sender)
{
	static const struct {
		struct isotp_misdeeds misdeeds;
		enum isotp_result sent, received;
	} cases[] = {
	        {{.wrong_sn_at = 3}, ISOTP_OK, ISOTP_WRONG_SN},
	        {{.skip_cf_at = 2}, ISOTP_OK, ISOTP_WRONG_SN},
	        {{.repeat_cf_at = 2}, ISOTP_OK, ISOTP_WRONG_SN},
	        {{.ignore_block_size = true}, ISOTP_OK, ISOTP_OK},
	        {{.escape_small = true}, ISOTP_TIMEOUT_BS, ISOTP_PENDING},
	        {{.delay_cf_ns = 1100 * MS}, ISOTP_OK, ISOTP_TIMEOUT_CR},
	        {{.delay_cf_ns = 900 * MS}, ISOTP_OK, ISOTP_OK},
	        {{.announce_length = 200}, ISOTP_OK, ISOTP_TIMEOUT_CR},
	};
	struct isotp_options options = classic(), receiver = options;
	const struct isotp_misdeeds none = {0};

	/* With blocks a sender would learn of the abort by the flow control that does not come. */
	receiver.block_size = cases[_i].misdeeds.ignore_block_size ? 2 : 0;
	open_both(&options, &receiver);
	isotp_misbehave(a, &cases[_i].misdeeds);
	transfer(50, cases[_i].sent, cases[_i].received);
	isotp_misbehave(a, &none);
	transfer(50, ISOTP_OK, ISOTP_OK);
}
END_TEST

START_TEST(first_frame_that_fits_a_single_one_is_ignored)
{
	struct isotp_options options = classic();
	const struct isotp_misdeeds misdeeds = {.first_frame_fits_single = true};

	open_both(&options, &options);
	isotp_misbehave(a, &misdeeds);
	transfer(5, ISOTP_OK, ISOTP_PENDING);
}
END_TEST

START_TEST(misdeeds_of_a_receiver)
{
	static const struct {
		struct isotp_misdeeds misdeeds;
		enum isotp_result sent;
	} cases[] = {
	        {{.no_flow_control = true}, ISOTP_TIMEOUT_BS},
	        {{.waits_before_flow = 3}, ISOTP_OK},
	        {{.waits_before_flow = 4}, ISOTP_WFT_OVRN},
	        {{.flow_status = 2}, ISOTP_BUFFER_OVFLW},
	        {{.flow_status = 3}, ISOTP_INVALID_FS},
	        {{.flow_status = 15}, ISOTP_INVALID_FS},
	        {{.short_flow_control = 2}, ISOTP_TIMEOUT_BS},
	        {{.delay_flow_control_ns = 990 * MS}, ISOTP_OK},
	        {{.delay_flow_control_ns = 1010 * MS}, ISOTP_TIMEOUT_BS},
	        {{.waits_before_flow = 2, .wait_gap_ns = 900 * MS}, ISOTP_OK},
	};
	struct isotp_options options = classic();
	uint8_t data[60] = {0};

	open_both(&options, &options);
	isotp_misbehave(b, &cases[_i].misdeeds);
	ck_assert_int_eq(isotp_send(a, data, sizeof(data), 0), 0);
	while (advance())
		;
	ck_assert_str_eq(isotp_result_name(isotp_send_result(a)), isotp_result_name(cases[_i].sent));
}
END_TEST

START_TEST(too_large_is_refused_by_flow_control)
{
	struct isotp_options options = classic(), receiver = options;

	receiver.receive_limit = 99;
	open_both(&options, &receiver);
	transfer(100, ISOTP_BUFFER_OVFLW, ISOTP_BUFFER_OVFLW);
	transfer(99, ISOTP_OK, ISOTP_OK);
}
END_TEST

START_TEST(not_confirmed_is_a_timeout)
{
	struct isotp_options options = classic();
	struct isotp_frame frame;
	uint8_t data[60] = {0};

	open_both(&options, &options);
	ck_assert_int_eq(isotp_send(a, data, sizeof(data), 0), 0);
	ck_assert(isotp_next(a, 0, &frame));
	ck_assert(!isotp_next(a, 0, &frame));
	isotp_tick(a, 999 * MS);
	ck_assert_int_eq(isotp_send_result(a), ISOTP_PENDING);
	isotp_tick(a, 1000 * MS);
	ck_assert_int_eq(isotp_send_result(a), ISOTP_TIMEOUT_A);
}
END_TEST

START_TEST(both_directions_at_once)
{
	struct isotp_options options = classic();
	uint8_t data[300];
	struct bytes message = {0};

	memset(data, 0x5a, sizeof(data));
	options.block_size = 3;
	open_both(&options, &options);
	ck_assert_int_eq(isotp_send(a, data, sizeof(data), 0), 0);
	ck_assert_int_eq(isotp_send(b, data, 200, 0), 0);
	while (advance())
		;
	ck_assert_int_eq(isotp_send_result(a), ISOTP_OK);
	ck_assert_int_eq(isotp_send_result(b), ISOTP_OK);
	ck_assert(isotp_take(a, &message));
	ck_assert_uint_eq(message.length, 200);
	bytes_free(&message);
	memset(&message, 0, sizeof(message));
	ck_assert(isotp_take(b, &message));
	ck_assert_uint_eq(message.length, 300);
	bytes_free(&message);
}
END_TEST

/* ---- frames by hand ---------------------------------------------------------------------------------------- */

static void give(const char *hex)
{
	struct bytes frame = {0};

	ck_assert_int_eq(bytes_parse_hex(hex, &frame), 0);
	isotp_receive(b, frame.data, frame.length, now_ns);
	bytes_free(&frame);
}

static bool taken(const char *hex)
{
	struct bytes message = {0}, wanted = {0};
	bool same;

	if (!isotp_take(b, &message))
		return false;
	ck_assert_int_eq(bytes_parse_hex(hex, &wanted), 0);
	same = message.length == wanted.length && memcmp(message.data, wanted.data, wanted.length) == 0;
	bytes_free(&message);
	bytes_free(&wanted);
	return same;
}

START_TEST(single_frames)
{
	static const struct {
		const char *frame, *message; /* NULL: ignored */
	} cases[] = {
	        {"03 22 f1 90", "22 f1 90"},
	        {"03 22 f1 90 cc cc cc cc", "22 f1 90"},
	        {"07 01 02 03 04 05 06 07", "01 02 03 04 05 06 07"},
	        {"00 01 02 03 04 05 06 07", NULL},
	        {"08 01 02 03 04 05 06 07", NULL},
	        {"0f 01 02 03 04 05 06 07", NULL},
	        {"04 22 f1 90", NULL},
	        {"00 03 22 f1 90 00 00 00", NULL},
	        {"00 08 01 02 03 04 05 06 07 08 cc cc", "01 02 03 04 05 06 07 08"},
	        {"00 0a 01 02 03 04 05 06 07 08 09 0a", "01 02 03 04 05 06 07 08 09 0a"},
	        {"00 07 01 02 03 04 05 06 07 cc cc cc", NULL},
	        {"00 0b 01 02 03 04 05 06 07 08 09 0a", NULL},
	        {"00 08 01 02 03 04 05 06 07 08 cc cc cc cc cc cc", NULL},
	        {"07 01 02 03 04 05 06 07 cc cc cc cc", NULL},
	        {"40 01 02 03", NULL},
	        {"f0 01 02 03", NULL},
	        {"21 01 02 03 04 05 06 07", NULL},
	        {"30 00 00", NULL},
	        {"", NULL},
	};
	struct isotp_options options = classic();

	options.fd = true;
	options.tx_dl = 64;
	open_both(&options, &options);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		give(cases[i].frame);
		ck_assert_msg(cases[i].message ? taken(cases[i].message) : !taken(""), "frame %s", cases[i].frame);
	}
}
END_TEST

START_TEST(first_frames_that_are_ignored)
{
	static const char *const cases[] = {
	        "10 07 01 02 03 04 05 06", "10 00 00 00 0f ff 01 02", "10 00 00 00 00 08 01 02", "10 0a 01 02 03", "10 0a", "10"};
	struct isotp_options options = classic();
	struct isotp_frame frame;

	open_both(&options, &options);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		give(cases[i]);
		ck_assert_msg(!isotp_next(b, now_ns, &frame), "frame %s", cases[i]);
	}
	give("10 08 01 02 03 04 05 06");
	ck_assert(isotp_next(b, now_ns, &frame));
	ck_assert_mem_eq(frame.data, "\x30\x00\x00\xcc\xcc\xcc\xcc\xcc", 8);
	isotp_confirmed(b, now_ns);
	give("21 07 08");
	ck_assert(taken("01 02 03 04 05 06 07 08"));
	give("10 00 ff ff ff ff 01 02");
	ck_assert(isotp_next(b, now_ns, &frame));
	ck_assert_uint_eq(frame.data[0], 0x32);
}
END_TEST

START_TEST(new_message_ends_the_old_one)
{
	struct isotp_options options = classic();
	struct isotp_frame frame;

	open_both(&options, &options);
	give("10 14 01 02 03 04 05 06");
	ck_assert(isotp_next(b, now_ns, &frame));
	isotp_confirmed(b, now_ns);
	give("02 3e 00");
	ck_assert(taken("3e 00"));
	give("21 07 08 09 0a 0b 0c 0d");
	ck_assert(!taken(""));
	give("10 14 01 02 03 04 05 06");
	give("10 08 11 12 13 14 15 16");
	ck_assert(isotp_next(b, now_ns, &frame));
	isotp_confirmed(b, now_ns);
	give("21 17 18 aa aa aa aa aa");
	ck_assert(taken("11 12 13 14 15 16 17 18"));
}
END_TEST

START_TEST(frame_length_of_an_fd_message_is_the_first_one)
{
	struct isotp_options options = classic();
	struct isotp_frame frame;

	options.fd = true;
	options.tx_dl = 64;
	open_both(&options, &options);
	give("10 1e 01 02 03 04 05 06 07 08 09 0a");
	ck_assert(isotp_next(b, now_ns, &frame));
	isotp_confirmed(b, now_ns);
	give("21 aa aa aa aa aa aa aa"); /* shorter and not the last: ignored */
	give("21 0b 0c 0d 0e 0f 10 11 12 13 14 15");
	give("22 16 17 18 19 1a 1b 1c 1d 1e cc cc");
	ck_assert(taken("01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e"));
}
END_TEST

START_TEST(address_extension_is_checked)
{
	struct isotp_options options = classic();

	options.addressing = ISOTP_EXTENDED;
	options.extension_rx = 0xf1;
	open_both(&options, &options);
	give("f2 02 3e 00");
	ck_assert(!taken(""));
	give("f1 02 3e 00");
	ck_assert(taken("3e 00"));
	give("f1 07 01 02 03 04 05 06");
	ck_assert(!taken(""));
	give("f1");
	ck_assert(!taken(""));
}
END_TEST

START_TEST(options_that_cannot_be)
{
	static const struct isotp_options wrong[] = {{.tx_dl = 0},
	                                             {.tx_dl = 7},
	                                             {.tx_dl = 12},
	                                             {.fd = true, .tx_dl = 13},
	                                             {.fd = true, .tx_dl = 65},
	                                             {.tx_dl = 8, .n_bs_ns = -1}};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		ck_assert_int_eq(isotp_new(&a, &wrong[i]), -EINVAL);
	ck_assert_ptr_null(a);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof(*(a))))

Suite *isotp_suite(void)
{
	Suite *suite = suite_create("isotp");
	TCase *cases = tcase_create("isotp");

	tcase_add_checked_fixture(cases, NULL, teardown);
	tcase_add_loop_test(cases, every_length_arrives, 0, COUNT(lengths));
	tcase_add_loop_test(cases, block_sizes_and_gaps, 0, 8);
	tcase_add_loop_test(cases, lost_frames_end_by_timer_and_the_next_message_arrives, 0, 4);
	tcase_add_loop_test(cases, misdeeds_of_a_sender, 0, 8);
	tcase_add_test(cases, first_frame_that_fits_a_single_one_is_ignored);
	tcase_add_loop_test(cases, misdeeds_of_a_receiver, 0, 10);
	tcase_add_test(cases, too_large_is_refused_by_flow_control);
	tcase_add_test(cases, not_confirmed_is_a_timeout);
	tcase_add_test(cases, both_directions_at_once);
	tcase_add_test(cases, single_frames);
	tcase_add_test(cases, first_frames_that_are_ignored);
	tcase_add_test(cases, new_message_ends_the_old_one);
	tcase_add_test(cases, frame_length_of_an_fd_message_is_the_first_one);
	tcase_add_test(cases, address_extension_is_checked);
	tcase_add_test(cases, options_that_cannot_be);
	suite_add_tcase(suite, cases);
	return suite;
}
