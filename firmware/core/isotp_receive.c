/* SPDX-License-Identifier: Apache-2.0 */
/* The receiver of a channel: ISO 15765-2:2016 clauses 9.5 (segmentation), 9.6 (PCI, ignored values) and 9.8 (errors). */
#include "isotp_private.h"

#include "../faults/fault.h"

#include <string.h>

#define SHORT_FF_MAX   4095u
#define CLASSIC_LENGTH 8u

static void fail(struct isotp_channel *channel, enum isotp_result result)
{
	channel->receiver.state = ISOTP_RECEIVE_IDLE;
	channel->receiver.out.state = ISOTP_FRAME_NONE;
	if (channel->handlers.receive_failed != NULL)
		channel->handlers.receive_failed(channel->handlers.context, result);
}

static void deliver(struct isotp_channel *channel, const uint8_t *data, size_t length)
{
	channel->receiver.state = ISOTP_RECEIVE_IDLE;
	channel->receiver.out.state = ISOTP_FRAME_NONE;
	if (channel->handlers.received != NULL)
		channel->handlers.received(channel->handlers.context, data, length);
}

/* A new message ends the one that is being received: 9.8.3, N_UNEXP_PDU. */
static void give_up_old(struct isotp_channel *channel)
{
	if (channel->receiver.state == ISOTP_RECEIVE_REFUSE) /* that one was not taken */
		channel->receiver.state = ISOTP_RECEIVE_IDLE;
	else if (channel->receiver.state != ISOTP_RECEIVE_IDLE)
		fail(channel, ISOTP_UNEXP_PDU);
}

void isotp_receiver_single(struct isotp_channel *channel, const uint8_t *pci, uint8_t length, uint8_t frame_length)
{
	uint8_t count = pci[0] & 0xF, header = 1;

	if (frame_length > CLASSIC_LENGTH) {
		/* Escape: the length is in the second byte and must need a frame of this length. */
		if (count != 0)
			return;
		count = pci[1];
		header = 2;
		if (count <= isotp_single_max(&channel->config, CLASSIC_LENGTH) || count > length - header ||
		    isotp_round_up((uint8_t)(frame_length - length + header + count)) != frame_length)
			return;
	} else if (count == 0 || count > length - header) {
		return;
	}
	give_up_old(channel);
	deliver(channel, pci + header, count);
}

/* ---- flow control ------------------------------------------------------------------------------------------- */

static void begin_block(struct isotp_channel *channel, uint64_t now_us)
{
	channel->receiver.state = ISOTP_RECEIVE_CF;
	channel->receiver.block_left = channel->config.block_size;
	channel->receiver.deadline_us = now_us + (uint64_t)channel->config.n_cr_ms * ISOTP_US_PER_MS;
}

static void send_flow(struct isotp_channel *channel, enum isotp_flow flow, uint64_t now_us)
{
	struct isotp_receiver *receiver = &channel->receiver;
	struct port_can_frame *frame = &receiver->out.frame;

	isotp_frame_begin(&channel->config, frame);
	frame->data[frame->length++] = (uint8_t)(ISOTP_FC << 4 | flow);
	frame->data[frame->length++] = flow == ISOTP_CTS ? channel->config.block_size : 0;
	frame->data[frame->length++] = flow == ISOTP_CTS ? channel->config.st_min : 0;
	isotp_frame_end(&channel->config, frame);
	receiver->state = flow == ISOTP_CTS ? ISOTP_RECEIVE_FC : ISOTP_RECEIVE_REFUSE;
	if (isotp_out_start(&receiver->out, channel->config.can_node, now_us, (uint64_t)channel->config.n_ar_ms * ISOTP_US_PER_MS) !=
	    PORT_OK)
		fail(channel, ISOTP_TIMEOUT_A);
}

static void ask_for_block(struct isotp_channel *channel, uint64_t now_us)
{
	if (channel->config.n_br_ms == 0) {
		send_flow(channel, ISOTP_CTS, now_us);
		return;
	}
	channel->receiver.state = ISOTP_RECEIVE_DELAY;
	channel->receiver.deadline_us = now_us + (uint64_t)channel->config.n_br_ms * ISOTP_US_PER_MS;
}

/* ---- segmented messages ------------------------------------------------------------------------------------- */

/* FF_DL and where the data begins; false: a first frame to be ignored. */
static bool read_first(const struct isotp_config *config, const uint8_t *pci, uint8_t frame_length, uint32_t *ret_length,
                       uint8_t *ret_header)
{
	uint32_t length = (uint32_t)(pci[0] & 0xF) << 8 | pci[1];
	uint8_t header = 2;

	if (length == 0) {
		length = (uint32_t)pci[2] << 24 | (uint32_t)pci[3] << 16 | (uint32_t)pci[4] << 8 | pci[5];
		header = 6;
		if (length <= SHORT_FF_MAX)
			return false;
	} else if (length <= isotp_single_max(config, frame_length)) {
		return false;
	}
	*ret_length = length;
	*ret_header = header;
	return true;
}

void isotp_receiver_first(struct isotp_channel *channel, const uint8_t *pci, uint8_t length, uint8_t frame_length, uint64_t now_us)
{
	struct isotp_receiver *receiver = &channel->receiver;
	uint32_t total;
	uint8_t header;

	if (channel->config.functional || frame_length < CLASSIC_LENGTH ||
	    !read_first(&channel->config, pci, frame_length, &total, &header))
		return;
	give_up_old(channel);
	if (total > ISOTP_MAX_MESSAGE) {
		send_flow(channel, ISOTP_OVFLW, now_us);
		return;
	}
	receiver->length = total;
	receiver->frame_length = frame_length;
	receiver->sequence = 1;
	receiver->got = (size_t)(length - header);
	memcpy(receiver->data, pci + header, receiver->got);
	if (channel->handlers.first_frame != NULL)
		channel->handlers.first_frame(channel->handlers.context, total);
	ask_for_block(channel, now_us);
}

/* A consecutive frame has the first frame's length, but for the last, which may be as short as its data. */
static bool length_fits(const struct isotp_receiver *receiver, uint8_t length, uint8_t frame_length)
{
	size_t left = receiver->length - receiver->got;
	size_t full = (size_t)(receiver->frame_length - (frame_length - length)) - 1;

	if (left > full)
		return frame_length == receiver->frame_length;
	return frame_length <= receiver->frame_length && (size_t)length - 1 >= left;
}

void isotp_receiver_consecutive(struct isotp_channel *channel, const uint8_t *pci, uint8_t length, uint8_t frame_length, uint64_t now_us)
{
	struct isotp_receiver *receiver = &channel->receiver;
	size_t count = (size_t)length - 1;

	/* The sender has the flow control, though its confirmation was not seen yet. */
	if (receiver->state == ISOTP_RECEIVE_FC && receiver->out.state == ISOTP_FRAME_SENDING)
		begin_block(channel, now_us);
	if (receiver->state != ISOTP_RECEIVE_CF || !length_fits(receiver, length, frame_length))
		return;
	if ((pci[0] & 0xF) != receiver->sequence && !fault_active(FAULT_ISOTP_WRONG_SN)) {
		fail(channel, ISOTP_WRONG_SN);
		return;
	}
	receiver->sequence = (receiver->sequence + 1) & 0xFu;
	if (count > receiver->length - receiver->got)
		count = receiver->length - receiver->got;
	memcpy(receiver->data + receiver->got, pci + 1, count);
	receiver->got += count;
	if (receiver->got == receiver->length) {
		deliver(channel, receiver->data, receiver->length);
		return;
	}
	receiver->deadline_us = now_us + (uint64_t)channel->config.n_cr_ms * ISOTP_US_PER_MS;
	if (channel->config.block_size != 0 && --receiver->block_left == 0)
		ask_for_block(channel, now_us);
}

void isotp_receiver_expire(struct isotp_channel *channel, uint64_t now_us)
{
	if (channel->receiver.state == ISOTP_RECEIVE_CF && now_us >= channel->receiver.deadline_us)
		fail(channel, ISOTP_TIMEOUT_CR);
}

static void step_flow(struct isotp_channel *channel, uint64_t now_us)
{
	struct isotp_receiver *receiver = &channel->receiver;
	enum port_status status = isotp_out_poll(&receiver->out, channel->config.can_node, now_us);

	if (status == PORT_WOULD_BLOCK)
		return;
	if (receiver->state == ISOTP_RECEIVE_REFUSE)
		receiver->state = ISOTP_RECEIVE_IDLE;
	else if (status == PORT_OK)
		begin_block(channel, now_us);
	else
		fail(channel, ISOTP_TIMEOUT_A);
}

static bool flow_under_way(const struct isotp_receiver *receiver)
{
	return receiver->state == ISOTP_RECEIVE_FC || receiver->state == ISOTP_RECEIVE_REFUSE;
}

uint64_t isotp_receiver_poll(struct isotp_channel *channel, uint64_t now_us)
{
	struct isotp_receiver *receiver = &channel->receiver;

	if (receiver->state == ISOTP_RECEIVE_DELAY && now_us >= receiver->deadline_us)
		send_flow(channel, ISOTP_CTS, now_us);
	if (flow_under_way(receiver))
		step_flow(channel, now_us);
	isotp_receiver_expire(channel, now_us);
	if (receiver->state == ISOTP_RECEIVE_IDLE)
		return ISOTP_NEVER;
	return flow_under_way(receiver) ? receiver->out.deadline_us : receiver->deadline_us;
}
