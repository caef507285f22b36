/* SPDX-License-Identifier: Apache-2.0 */
/* The bits of a frame against a slow construction of their own, and the table of frame times. */
#include "../../silicon/canbus_wire.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BITS 1024

/* ---- an independent construction: texts of '0' and '1', division of polynomials on paper -------------------- */

/* All texts that are added to have room for BITS characters, the terminating NUL among them. */
static void add_text(char *bits, const char *text)
{
	const size_t at = strlen(bits), n = strlen(text);
	ck_assert_uint_lt(at + n, BITS);
	memcpy(bits + at, text, n + 1);
}

static void add_number(char *bits, uint32_t value, int width)
{
	char text[33];
	for (int i = 0; i < width; i++)
		text[i] = value >> (width - 1 - i) & 1 ? '1' : '0';
	text[width] = '\0';
	add_text(bits, text);
}

/* Remainder of bits * x^degree by the polynomial (a text that begins with its leading one). */
static void remainder_of(const char *bits, const char *polynomial, char *ret_remainder)
{
	char work[BITS];
	const size_t n = strlen(bits), degree = strlen(polynomial) - 1;
	memcpy(work, bits, n);
	memset(work + n, '0', degree);
	for (size_t i = 0; i < n; i++) {
		if (work[i] == '0')
			continue;
		for (size_t k = 0; k <= degree; k++)
			work[i + k] = work[i + k] == polynomial[k] ? '0' : '1';
	}
	memcpy(ret_remainder, work + n, degree);
	ret_remainder[degree] = '\0';
}

static unsigned stuff_text(const char *bits, bool at_end, char *ret_stuffed)
{
	unsigned inserted = 0;
	size_t n = 0;
	for (const char *b = bits; *b; b++) {
		ret_stuffed[n++] = *b;
		bool five = n >= 5 && (b[1] || at_end);
		for (size_t i = 1; five && i < 5; i++)
			five = ret_stuffed[n - 1 - i] == ret_stuffed[n - 1];
		if (five) {
			ret_stuffed[n] = ret_stuffed[n - 1] == '0' ? '1' : '0';
			n++;
			inserted++;
		}
	}
	ret_stuffed[n] = '\0';
	return inserted;
}

static void slow_head(const struct canbus_frame *f, char *bits)
{
	static const uint8_t lengths[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64};
	const bool extended = f->flags & CANBUS_EXTENDED, fd = f->flags & CANBUS_FD;
	bits[0] = '\0';
	add_text(bits, "0");
	add_number(bits, extended ? f->id >> 18 : f->id, 11);
	if (extended) {
		add_text(bits, "11");
		add_number(bits, f->id & 0x3FFFF, 18);
	}
	add_text(bits, f->flags & CANBUS_REMOTE ? "1" : "0");
	if (!extended)
		add_text(bits, "0");
	if (fd) {
		add_text(bits, "10");
		add_text(bits, f->flags & CANBUS_BRS ? "1" : "0");
		add_text(bits, f->flags & CANBUS_ESI ? "1" : "0");
	} else {
		add_text(bits, extended ? "00" : "0");
	}
	for (uint32_t dlc = 0; dlc < 16; dlc++) {
		if (lengths[dlc] == f->length)
			add_number(bits, dlc, 4);
	}
	for (int i = 0; i < f->length && !(f->flags & CANBUS_REMOTE); i++)
		add_number(bits, f->data[i], 8);
}

static unsigned slow_fd(const char *head, const char *polynomial, char *ret_wire)
{
	static const char *const gray[] = {"0000", "0011", "0110", "0101", "1100", "1111", "1010", "1001"};
	char covered[BITS], crc[32], field[64];
	const unsigned stuffed = stuff_text(head, false, ret_wire);
	covered[0] = '\0';
	add_text(covered, ret_wire);
	add_text(covered, gray[stuffed % 8]);
	/* The register begins with its highest bit set, which turns the first bit of the message over. */
	covered[0] = covered[0] == '0' ? '1' : '0';
	remainder_of(covered, polynomial, crc);
	snprintf(field, sizeof field, "%s%s", gray[stuffed % 8], crc);
	for (size_t i = 0; field[i]; i++) {
		size_t n = strlen(ret_wire);
		if (i % 4 == 0)
			ret_wire[n] = ret_wire[n - 1] == '0' ? '1' : '0', n++;
		ret_wire[n] = field[i];
		ret_wire[n + 1] = '\0';
	}
	return stuffed;
}

static unsigned slow_wire(const struct canbus_frame *f, char *ret_wire)
{
	char head[BITS], crc[32];
	unsigned stuffed;
	slow_head(f, head);
	if (f->flags & CANBUS_FD) {
		/* x17+x16+x14+x13+x11+x6+x4+x3+x+1 and x21+x20+x13+x11+x7+x4+x3+1 */
		stuffed = slow_fd(head, f->length <= 16 ? "110110100001011011" : "1100000010100010011001", ret_wire);
	} else {
		remainder_of(head, "1100010110011001", crc); /* x15+x14+x10+x8+x7+x4+x3+1 */
		add_text(head, crc);
		stuffed = stuff_text(head, true, ret_wire);
	}
	add_text(ret_wire, "1");
	return stuffed;
}

static void compare(const struct canbus_frame *frame)
{
	static struct canbus_wire wire;
	char slow[BITS], fast[BITS];
	const unsigned stuffed = slow_wire(frame, slow);
	canbus_wire_encode(&wire, frame);
	for (unsigned i = 0; i < wire.count; i++)
		fast[i] = (char)('0' + wire.bits[i]);
	fast[wire.count] = '\0';
	ck_assert_str_eq(fast, slow);
	ck_assert_uint_eq(wire.stuff, stuffed);
}

static uint32_t noise(void)
{
	static uint64_t state = 88172645463325252u;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

/* Frames with long runs: stuff bits are many and often the last bits of a field. */
static void random_frame(struct canbus_frame *frame)
{
	static const uint8_t lengths[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64};
	static const uint8_t kinds[] = {0, CANBUS_REMOTE, CANBUS_FD, CANBUS_FD | CANBUS_BRS, CANBUS_FD | CANBUS_BRS | CANBUS_ESI};
	const uint8_t kind = kinds[noise() % sizeof kinds];
	*frame = (struct canbus_frame){.flags = kind | (uint8_t)(noise() & 1), .id = noise()};
	frame->id &= noise() % 3 ? 0x1FFFFFFF : 0x3;
	frame->id &= frame->flags & CANBUS_EXTENDED ? 0x1FFFFFFF : 0x7FF;
	frame->length = lengths[noise() % (kind & CANBUS_FD ? 16 : 9)];
	const uint32_t style = noise() % 4;
	for (int i = 0; i < frame->length; i++)
		frame->data[i] = (uint8_t)(style == 0 ? 0u : style == 1 ? 0xFFu : style == 2 ? 0xC1u >> (noise() % 8) : noise());
}

START_TEST(bits_of_many_frames)
{
	struct canbus_frame frame;
	for (int i = 0; i < 20000; i++) {
		random_frame(&frame);
		compare(&frame);
	}
}
END_TEST

/* ---- frame times --------------------------------------------------------------------------------------------- */

/* Bits before the stuff count that the pattern may choose (-1) or not, with the ns of each. */
struct choice {
	int bit[700];
	double ns[700];
	int count;
};

static void choose(struct choice *c, int bit, double ns)
{
	c->bit[c->count] = bit;
	c->ns[c->count++] = ns;
}

static void fd_choices(struct choice *c, double nominal_ns, double data_ns, int dlc, int bytes)
{
	static const int control[] = {0, 0, 1, 0, 1}; /* RRS, IDE, FDF, res, BRS */
	c->count = 0;
	choose(c, 0, nominal_ns);
	for (int i = 0; i < 11; i++)
		choose(c, -1, nominal_ns);
	for (int i = 0; i < 5; i++)
		choose(c, control[i], nominal_ns);
	choose(c, 0, data_ns); /* ESI */
	for (int i = 3; i >= 0; i--)
		choose(c, dlc >> i & 1, data_ns);
	for (int i = 0; i < 8 * bytes; i++)
		choose(c, -1, data_ns);
}

static double cost[701][2][6];

/* The extreme time from bit `at` on behind a run of `run` bits of value `last`. sign 1: most, -1: least. */
static double step_cost(const struct choice *c, int at, int last, int run, int bit, int *ret_last, int *ret_run)
{
	double ns = c->ns[at];
	if (run == 5) {
		ns += c->ns[at];
		last = !last;
		run = 1;
	}
	*ret_run = bit == last ? run + 1 : 1;
	*ret_last = bit;
	return ns;
}

static int best_bit(const struct choice *c, int at, int last, int run, int sign, double *ret_cost)
{
	int best = -1;
	for (int bit = 0; bit < 2; bit++) {
		int next_last, next_run;
		if (c->bit[at] >= 0 && c->bit[at] != bit)
			continue;
		double total = step_cost(c, at, last, run, bit, &next_last, &next_run);
		total += cost[at + 1][next_last][next_run];
		if (best < 0 || sign * (total - *ret_cost) > 0) {
			best = bit;
			*ret_cost = total;
		}
	}
	return best;
}

/* Searches all patterns (dynamic programming over runs) and writes an extreme one into the frame. */
static void extreme_frame(const struct choice *c, int sign, struct canbus_frame *frame)
{
	double total = 0;
	memset(cost[c->count], 0, sizeof cost[0]);
	for (int at = c->count - 1; at > 0; at--) {
		for (int last = 0; last < 2; last++) {
			for (int run = 1; run < 6; run++)
				best_bit(c, at, last, run, sign, &cost[at][last][run]);
		}
	}
	int last = 0, run = 1;
	frame->id = 0;
	for (int at = 1; at < c->count; at++) {
		int bit = best_bit(c, at, last, run, sign, &total);
		step_cost(c, at, last, run, bit, &last, &run);
		if (at <= 11)
			frame->id = frame->id << 1 | (uint32_t)bit;
		if (at >= 22)
			frame->data[(at - 22) / 8] = (uint8_t)(frame->data[(at - 22) / 8] << 1 | bit);
	}
}

static void check_cell(uint32_t nominal, uint32_t data, int bytes, int dlc, const double *expected_us)
{
	struct choice c;
	struct canbus *bus = canbus_new(&(struct canbus_config){.nominal = nominal, .data = data});
	fd_choices(&c, 1e9 / nominal, 1e9 / data, dlc, bytes);
	for (int i = 0; i < 2; i++) {
		struct canbus_frame frame = {.flags = CANBUS_FD | CANBUS_BRS, .length = (uint8_t)bytes};
		extreme_frame(&c, i ? 1 : -1, &frame);
		double us = (double)canbus_frame_ns(bus, &frame) / 1000;
		double error = us / expected_us[i] - 1;
		ck_assert_msg(error < 0.01 && error > -0.01, "%u/%u %d bytes: %.3f us instead of %.3f us", nominal, data, bytes, us,
		              expected_us[i]);
		compare(&frame);
	}
	/* No pattern lies outside. */
	for (int i = 0; i < 300; i++) {
		struct canbus_frame frame;
		random_frame(&frame);
		frame.id &= 0x7FF;
		frame.flags = CANBUS_FD | CANBUS_BRS;
		frame.length = (uint8_t)bytes;
		double us = (double)canbus_frame_ns(bus, &frame) / 1000;
		ck_assert(us > expected_us[0] * 0.999 && us < expected_us[1] * 1.001);
	}
	canbus_free(bus);
}

START_TEST(table_of_frame_times)
{
	static const struct {
		uint32_t nominal, data;
		double us[3][2];
	} rows[] = {{500000, 2000000, {{106.5, 120.5}, {138.5, 160.0}, {333.0, 403.0}}},
	            {500000, 5000000, {{77.4, 86.6}, {90.2, 102.4}, {168.0, 199.6}}},
	            {1000000, 8000000, {{41.1, 46.1}, {49.1, 56.0}, {97.8, 116.8}}}};
	static const int bytes[] = {8, 16, 64}, dlcs[] = {8, 10, 15};
	for (size_t row = 0; row < 3; row++) {
		for (size_t column = 0; column < 3; column++)
			check_cell(rows[row].nominal, rows[row].data, bytes[column], dlcs[column], rows[row].us[column]);
	}
}
END_TEST

/* A classic frame of 8 bytes with an 11-bit identifier has 111 bits without stuff bits, intermission included. */
START_TEST(classic_times)
{
	struct canbus *bus = canbus_new(&(struct canbus_config){.nominal = 500000});
	struct canbus_frame frame = {.id = 0x2AA, .length = 8, .data = {0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55}};
	struct canbus_wire wire;
	canbus_wire_encode(&wire, &frame);
	ck_assert_uint_eq(canbus_frame_ns(bus, &frame), (111 + wire.stuff) * 2000u);
	frame = (struct canbus_frame){.id = 0x123, .flags = CANBUS_REMOTE, .length = 8};
	canbus_wire_encode(&wire, &frame);
	ck_assert_uint_eq(canbus_frame_ns(bus, &frame), (47 + wire.stuff) * 2000u);
	frame.flags |= CANBUS_FD;
	ck_assert(!canbus_frame_legal(bus, &frame));
	frame = (struct canbus_frame){.id = 1, .flags = CANBUS_FD, .length = 8};
	ck_assert(!canbus_frame_legal(bus, &frame)); /* a classic bus */
	canbus_free(bus);
	ck_assert_ptr_null(canbus_new(&(struct canbus_config){.nominal = 999}));
	ck_assert_ptr_null(canbus_new(&(struct canbus_config){.nominal = 500000, .data = 20000001}));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("canbus-wire");
	TCase *tests = tcase_create("wire");
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, bits_of_many_frames);
	tcase_add_test(tests, table_of_frame_times);
	tcase_add_test(tests, classic_times);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
