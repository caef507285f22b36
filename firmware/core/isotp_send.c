/* SPDX-License-Identifier: Apache-2.0 */
/* The sender of a channel: ISO 15765-2:2016 clauses 9.6 (flow control) and 9.8 (timing). */
#include "isotp_private.h"

#include "../faults/fault.h"

#include <string.h>

#define SHORT_FF_MAX 4095u /* longer ones have the length in 32 bits */
#define FC_LENGTH    3u
#define STMIN_MAX_MS 127u

static void finish(struct isotp_channel *channel, enum isotp_result result)
{
	channel->sender.state = ISOTP_SEND_IDLE;
	channel->sender.out.state = ISOTP_FRAME_NONE;
	if (channel->handlers.sent != NULL)
		channel->handlers.sent(channel->handlers.context, result);
}

static void put(struct port_can_frame *frame, uint8_t byte)
{
	frame->data[frame->length++] = byte;
}

/* The next bytes of the message, as many as are left and the frame takes. */
static void put_data(struct isotp_sender *sender, struct port_can_frame *frame, uint8_t frame_length)
{
	size_t count = frame_length - frame->length;

	if (count > sender->length - sender->sent)
		count = sender->length - sender->sent;
	memcpy(frame->data + frame->length, sender->data + sender->sent, count);
	frame->length = (uint8_t)(frame->length + count);
	sender->sent += count;
}

static enum port_status transmit(struct isotp_channel *channel, enum isotp_send_state state, uint64_t now_us)
{
	struct isotp_sender *sender = &channel->sender;

	isotp_frame_end(&channel->config, &sender->out.frame);
	sender->state = state;
	return isotp_out_start(&sender->out, channel->config.can_node, now_us, (uint64_t)channel->config.n_as_ms * ISOTP_US_PER_MS);
}

static enum port_status send_single(struct isotp_channel *channel, uint64_t now_us)
{
	struct isotp_sender *sender = &channel->sender;
	struct port_can_frame *frame = &sender->out.frame;

	isotp_frame_begin(&channel->config, frame);
	if (sender->length <= isotp_single_max(&channel->config, 8)) {
		put(frame, (uint8_t)sender->length);
	} else {
		put(frame, 0);
		put(frame, (uint8_t)sender->length);
	}
	put_data(sender, frame, channel->config.tx_dl);
	return transmit(channel, ISOTP_SEND_SINGLE, now_us);
}

static enum port_status send_first(struct isotp_channel *channel, uint64_t now_us)
{
	struct isotp_sender *sender = &channel->sender;
	struct port_can_frame *frame = &sender->out.frame;
	size_t length = sender->length;

	isotp_frame_begin(&channel->config, frame);
	if (length <= SHORT_FF_MAX) {
		put(frame, (uint8_t)(ISOTP_FF << 4 | length >> 8));
		put(frame, (uint8_t)length);
	} else {
		put(frame, ISOTP_FF << 4);
		put(frame, 0);
		for (int shift = 24; shift >= 0; shift -= 8)
			put(frame, (uint8_t)((uint32_t)length >> shift));
	}
	put_data(sender, frame, channel->config.tx_dl);
	sender->sequence = 1;
	sender->waits = 0;
	return transmit(channel, ISOTP_SEND_FIRST, now_us);
}

enum port_status isotp_sender_start(struct isotp_channel *channel, const uint8_t *data, size_t length, uint64_t now_us)
{
	struct isotp_sender *sender = &channel->sender;
	enum port_status status;

	memcpy(sender->data, data, length);
	sender->length = length;
	sender->sent = 0;
	status = length <= isotp_single_max(&channel->config, channel->config.tx_dl) ? send_single(channel, now_us)
	                                                                             : send_first(channel, now_us);
	if (status != PORT_OK)
		sender->state = ISOTP_SEND_IDLE;
	return status;
}

static void send_consecutive(struct isotp_channel *channel, uint64_t now_us)
{
	struct isotp_sender *sender = &channel->sender;
	struct port_can_frame *frame = &sender->out.frame;

	isotp_frame_begin(&channel->config, frame);
	put(frame, (uint8_t)(ISOTP_CF << 4 | sender->sequence));
	sender->sequence = (sender->sequence + 1) & 0xFu;
	put_data(sender, frame, channel->config.tx_dl);
	if (sender->limited_block)
		sender->block_left--;
	if (transmit(channel, ISOTP_SEND_CONSECUTIVE, now_us) != PORT_OK)
		finish(channel, ISOTP_TIMEOUT_A);
}

static void wait_for_flow(struct isotp_channel *channel, uint64_t now_us)
{
	channel->sender.state = ISOTP_SEND_WAIT_FC;
	channel->sender.deadline_us = now_us + (uint64_t)channel->config.n_bs_ms * ISOTP_US_PER_MS;
}

/* The frame under way is on the bus. */
static void confirmed(struct isotp_channel *channel, uint64_t now_us)
{
	struct isotp_sender *sender = &channel->sender;

	sender->out.state = ISOTP_FRAME_NONE;
	if (sender->sent == sender->length) {
		finish(channel, ISOTP_OK);
		return;
	}
	if (sender->state == ISOTP_SEND_FIRST || (sender->limited_block && sender->block_left == 0)) {
		wait_for_flow(channel, now_us);
		return;
	}
	sender->state = ISOTP_SEND_GAP;
	sender->deadline_us = now_us + sender->gap_us;
}

/* STmin in microseconds; reserved values are the longest of the range: ISO 15765-2:2016 9.6.5.5. */
static uint64_t separation_us(uint8_t st_min)
{
	if (fault_active(FAULT_ISOTP_STMIN_IGNORED))
		return 0;
	if (st_min >= 0xF1 && st_min <= 0xF9)
		return (st_min - 0xF0u) * 100u;
	return (st_min <= STMIN_MAX_MS ? st_min : STMIN_MAX_MS) * (uint64_t)ISOTP_US_PER_MS;
}

static void go_on(struct isotp_channel *channel, uint8_t block_size, uint8_t st_min, uint64_t now_us)
{
	struct isotp_sender *sender = &channel->sender;
	uint64_t n_cs_us = (uint64_t)channel->config.n_cs_ms * ISOTP_US_PER_MS;

	/* 2016: each flow control's values count, not only the first one's. */
	sender->gap_us = separation_us(st_min);
	if (sender->gap_us < n_cs_us)
		sender->gap_us = n_cs_us;
	sender->limited_block = block_size != 0;
	sender->block_left = block_size;
	sender->waits = 0;
	/* STmin is between consecutive frames; the first of a block need not wait for it. */
	sender->state = ISOTP_SEND_GAP;
	sender->deadline_us = now_us + n_cs_us;
	if (n_cs_us == 0)
		send_consecutive(channel, now_us);
}

/* A flow control that overtakes the confirmation of the frame that it answers proves that frame. */
static bool expects_flow(struct isotp_channel *channel, uint64_t now_us)
{
	struct isotp_sender *sender = &channel->sender;
	bool asked = sender->state == ISOTP_SEND_FIRST || (sender->state == ISOTP_SEND_CONSECUTIVE && sender->limited_block &&
	                                                   sender->block_left == 0 && sender->sent < sender->length);

	if (asked && sender->out.state == ISOTP_FRAME_SENDING)
		confirmed(channel, now_us);
	return sender->state == ISOTP_SEND_WAIT_FC;
}

void isotp_sender_flow(struct isotp_channel *channel, const uint8_t *pci, uint8_t length, uint64_t now_us)
{
	struct isotp_sender *sender = &channel->sender;

	if (length < FC_LENGTH || !expects_flow(channel, now_us))
		return;
	switch (pci[0] & 0xF) {
	case ISOTP_CTS:
		go_on(channel, pci[1], pci[2], now_us);
		break;
	case ISOTP_WAIT:
		if (sender->waits == channel->config.wft_max) {
			finish(channel, ISOTP_WFT_OVRN);
			break;
		}
		sender->waits++;
		wait_for_flow(channel, now_us);
		break;
	case ISOTP_OVFLW:
		finish(channel, ISOTP_BUFFER_OVFLW);
		break;
	default:
		finish(channel, ISOTP_INVALID_FS);
		break;
	}
}

void isotp_sender_expire(struct isotp_channel *channel, uint64_t now_us)
{
	if (channel->sender.state == ISOTP_SEND_WAIT_FC && now_us >= channel->sender.deadline_us)
		finish(channel, ISOTP_TIMEOUT_BS);
}

static bool frame_under_way(const struct isotp_sender *sender)
{
	return sender->state == ISOTP_SEND_SINGLE || sender->state == ISOTP_SEND_FIRST || sender->state == ISOTP_SEND_CONSECUTIVE;
}

static void step(struct isotp_channel *channel, uint64_t now_us)
{
	struct isotp_sender *sender = &channel->sender;

	if (frame_under_way(sender)) {
		enum port_status status = isotp_out_poll(&sender->out, channel->config.can_node, now_us);

		if (status == PORT_OK)
			confirmed(channel, now_us);
		else if (status != PORT_WOULD_BLOCK)
			finish(channel, ISOTP_TIMEOUT_A);
	}
	isotp_sender_expire(channel, now_us);
	if (sender->state == ISOTP_SEND_GAP && now_us >= sender->deadline_us)
		send_consecutive(channel, now_us);
}

uint64_t isotp_sender_poll(struct isotp_channel *channel, uint64_t now_us)
{
	struct isotp_sender *sender = &channel->sender;

	step(channel, now_us);
	if (sender->state == ISOTP_SEND_IDLE)
		return ISOTP_NEVER;
	return frame_under_way(sender) ? sender->out.deadline_us : sender->deadline_us;
}
