/* SPDX-License-Identifier: Apache-2.0 */
#include "canbus_wire.h"

#define STUFF_RUN 5u

struct encoder {
	struct canbus_wire *wire;
	uint32_t crc, polynomial;
	unsigned crc_width, run;
	uint8_t last;
	bool fd;
};

static void crc_add(struct encoder *e, uint8_t bit)
{
	uint32_t top = e->crc >> (e->crc_width - 1) & 1;
	e->crc = e->crc << 1 & ((UINT32_C(1) << e->crc_width) - 1);
	if (top ^ bit)
		e->crc ^= e->polynomial;
}

static void append(struct encoder *e, uint8_t bit)
{
	e->run = bit == e->last ? e->run + 1 : 1;
	e->last = bit;
	e->wire->bits[e->wire->count++] = bit;
}

/* Inserts the stuff bit that is due. The CRC of FD frames covers it, that of classic frames does not. */
static void stuff(struct encoder *e)
{
	if (e->run < STUFF_RUN)
		return;
	append(e, !e->last);
	e->wire->stuff++;
	if (e->fd)
		crc_add(e, e->last);
}

static void put(struct encoder *e, uint32_t value, unsigned width)
{
	while (width-- > 0) {
		uint8_t bit = value >> width & 1;
		stuff(e);
		append(e, bit);
		crc_add(e, bit);
	}
}

static uint8_t dlc_of(uint8_t length)
{
	uint8_t dlc = length;
	if (length > 32)
		dlc = length == 48 ? 14 : 15;
	else if (length > 24)
		dlc = 13;
	else if (length > 8)
		dlc = (uint8_t)(9 + (length - 12) / 4);
	return dlc;
}

static void put_arbitration(struct encoder *e, const struct canbus_frame *frame)
{
	const bool remote = frame->flags & CANBUS_REMOTE;
	put(e, 0, 1); /* start of frame */
	if (frame->flags & CANBUS_EXTENDED) {
		put(e, frame->id >> 18, 11);
		put(e, 3, 2); /* SRR, IDE */
		put(e, frame->id & 0x3FFFF, 18);
		put(e, remote, 1);
		e->wire->arbitration_end = e->wire->count;
	} else {
		put(e, frame->id, 11);
		put(e, remote, 1);
		e->wire->arbitration_end = e->wire->count;
		put(e, 0, 1); /* IDE */
	}
}

static void put_control(struct encoder *e, const struct canbus_frame *frame)
{
	struct canbus_wire *wire = e->wire;
	if (e->fd) {
		put(e, 2, 2); /* FDF, res */
		put(e, (frame->flags & CANBUS_BRS) != 0, 1);
		wire->fast_begin = wire->count;
		put(e, (frame->flags & CANBUS_ESI) != 0, 1);
	} else {
		put(e, 0, frame->flags & CANBUS_EXTENDED ? 2 : 1);
	}
	put(e, dlc_of(frame->length), 4);
	wire->payload = wire->count;
}

/* Stuff count (Gray code, even parity) and CRC, with a stuff bit before every fourth of their bits. */
static void put_fd_check(struct encoder *e)
{
	const uint32_t low = e->wire->stuff & 7u, gray = low ^ low >> 1;
	const uint32_t count = gray << 1 | (uint32_t)(__builtin_popcount(gray) & 1);
	for (int i = 3; i >= 0; i--)
		crc_add(e, count >> i & 1);
	const uint32_t field = count << e->crc_width | e->crc;
	const unsigned width = 4 + e->crc_width;
	for (unsigned i = 0; i < width; i++) {
		if (i % 4 == 0)
			append(e, !e->last);
		append(e, field >> (width - 1 - i) & 1);
	}
}

static void put_classic_check(struct encoder *e)
{
	const uint32_t crc = e->crc;
	put(e, crc, e->crc_width);
	stuff(e);
}

static void select_crc(struct encoder *e, uint8_t length)
{
	e->crc_width = !e->fd ? 15 : length <= 16 ? 17 : 21;
	e->polynomial = !e->fd ? 0x4599 : length <= 16 ? 0x1685B : 0x102899;
	e->crc = e->fd ? UINT32_C(1) << (e->crc_width - 1) : 0;
}

void canbus_wire_encode(struct canbus_wire *wire, const struct canbus_frame *frame)
{
	struct encoder e = {.wire = wire, .last = 1, .fd = frame->flags & CANBUS_FD};
	wire->count = wire->stuff = 0;
	wire->fast_begin = CANBUS_WIRE_MAX;
	select_crc(&e, frame->length);
	put_arbitration(&e, frame);
	put_control(&e, frame);
	for (uint8_t i = 0; i < frame->length && !(frame->flags & CANBUS_REMOTE); i++)
		put(&e, frame->data[i], 8);
	if (e.fd)
		put_fd_check(&e);
	else
		put_classic_check(&e);
	append(&e, 1); /* CRC delimiter */
	wire->fast_end = wire->count;
	if (!(frame->flags & CANBUS_BRS))
		wire->fast_begin = wire->fast_end;
}
