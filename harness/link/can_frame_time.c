/* SPDX-License-Identifier: Apache-2.0 */
/* How long a frame occupies the bus: its bits are written out as ISO 11898-1 does and the stuff bits counted. */
#include <string.h>

#include "can.h"

/* After the CRC sequence: its delimiter, ACK slot and delimiter, 7 bits end of frame, 3 bits intermission. */
#define TAIL_BITS            13
#define SAMPLE_POINT_PERCENT 80

struct bits {
	uint8_t bit[1024]; /* the longest, FD with 64 bytes and a 29-bit identifier, has 554 before the CRC */
	unsigned count;
	unsigned fast_from; /* index of the first bit after BRS; count when there is no faster phase */
};

static void put(struct bits *bits, uint32_t value, unsigned width)
{
	while (width-- > 0)
		bits->bit[bits->count++] = (value >> width) & 1;
}

static unsigned dlc_of(unsigned length)
{
	static const uint8_t lengths[] = {12, 16, 20, 24, 32, 48, 64};
	unsigned dlc = 9;
	if (length <= 8)
		return length;
	while (dlc < 15 && lengths[dlc - 9] < length)
		dlc++;
	return dlc;
}

static void put_identifier(struct bits *bits, const struct can_message *message)
{
	bool fd = message->flags & CAN_MESSAGE_FD, remote = message->flags & CAN_MESSAGE_REMOTE;
	put(bits, 0, 1); /* start of frame */
	if (message->flags & CAN_MESSAGE_EXTENDED) {
		put(bits, message->id >> 18, 11);
		put(bits, 3, 2); /* SRR, IDE */
		put(bits, message->id & 0x3FFFF, 18);
		put(bits, remote, 1); /* RTR or RRS */
		if (!fd)
			put(bits, 0, 1); /* r1 */
	} else {
		put(bits, message->id, 11);
		put(bits, remote, 1);
		put(bits, 0, 1); /* IDE */
	}
	put(bits, fd, 1); /* FDF, or r0 of a classic frame */
}

static void put_frame(struct bits *bits, const struct can_message *message)
{
	put_identifier(bits, message);
	bool fast = message->flags & CAN_MESSAGE_BRS;
	if (message->flags & CAN_MESSAGE_FD) {
		put(bits, 0, 1); /* res */
		put(bits, fast, 1);
		bits->fast_from = bits->count;
		put(bits, message->flags & CAN_MESSAGE_ESI ? 1 : 0, 1);
	}
	put(bits, dlc_of(message->length), 4);
	for (unsigned i = 0; i < message->length && !(message->flags & CAN_MESSAGE_REMOTE); i++)
		put(bits, message->data[i], 8);
	if (!fast)
		bits->fast_from = bits->count;
}

/* The CRC of a classic frame is stuffed like the bits before it, so its value matters. */
static void put_crc15(struct bits *bits)
{
	uint16_t crc = 0;
	for (unsigned i = 0; i < bits->count; i++) {
		bool next = bits->bit[i] ^ ((crc >> 14) & 1);
		crc = (uint16_t)((crc << 1) & 0x7FFF);
		if (next)
			crc ^= 0x4599;
	}
	put(bits, crc, 15);
}

/* Stuff bits before and in the faster phase: a complement after five equal bits, stuff bits counted among them. */
static void count_stuff(const struct bits *bits, bool after_last, unsigned *slow, unsigned *fast)
{
	unsigned run = 0;
	uint8_t last = 2;
	for (unsigned i = 0; i < bits->count; i++) {
		run = bits->bit[i] == last ? run + 1 : 1;
		last = bits->bit[i];
		if (run < 5 || (i + 1 == bits->count && !after_last))
			continue;
		if (i + 1 < bits->fast_from || bits->fast_from == bits->count)
			++*slow;
		else
			++*fast;
		last = !last;
		run = 1;
	}
}

static int64_t percent_ns(uint64_t percent_bits, uint32_t bit_rate)
{
	return (int64_t)(percent_bits * 10000000 / bit_rate);
}

int64_t can_frame_time_ns(const struct can_message *message, uint32_t nominal, uint32_t data)
{
	struct bits bits = {.count = 0};
	unsigned slow = 0, fast = 0;
	bool fd = message->flags & CAN_MESSAGE_FD;
	put_frame(&bits, message);
	if (!fd) {
		put_crc15(&bits);
		bits.fast_from = bits.count;
	}
	count_stuff(&bits, !fd, &slow, &fast);
	if (!(message->flags & CAN_MESSAGE_BRS) || data == 0)
		data = nominal;
	/* Stuff count, CRC and the fixed stuff bits before every four of them. */
	unsigned crc = !fd ? 0 : message->length <= 16 ? 4 + 17 + 6 : 4 + 21 + 7;
	if (bits.fast_from == bits.count)
		return percent_ns(100 * (bits.count + slow + fast + crc + TAIL_BITS), nominal);
	/* The rate changes at the sample points of BRS and of the CRC delimiter. */
	uint64_t nominal_percent = 100 * (bits.fast_from - 1 + slow + TAIL_BITS - 1) + SAMPLE_POINT_PERCENT + (100 - SAMPLE_POINT_PERCENT);
	uint64_t data_percent = 100 * (bits.count - bits.fast_from + fast + crc) + (100 - SAMPLE_POINT_PERCENT) + SAMPLE_POINT_PERCENT;
	return percent_ns(nominal_percent, nominal) + percent_ns(data_percent, data);
}
