/* SPDX-License-Identifier: Apache-2.0 */
/* The sending side: single frame, or first frame, flow control and consecutive frames (ISO 15765-2:2016, 9.6 and 9.8). */
#include <string.h>

#include "isotp_private.h"

void isotp_sender_finish(struct isotp *link, enum isotp_result result)
{
	struct isotp_sender *sender = &link->sender;

	sender->state = SENDER_IDLE;
	sender->timeout_ns = INT64_MAX;
	sender->result = result;
	bytes_clear(&sender->message);
}

/* ---- flow control of the peer ------------------------------------------------------------------------------ */

static void flow_note(struct isotp *link, const uint8_t *pci, size_t length)
{
	struct isotp_facts *facts = &link->facts;

	facts->flow_controls++;
	facts->waits += (pci[0] & 15) == FLOW_WAIT;
	facts->overflows += (pci[0] & 15) == FLOW_OVERFLOW;
	facts->last_fc_length = (uint8_t)(length < sizeof(facts->last_fc) ? length : sizeof(facts->last_fc));
	memcpy(facts->last_fc, pci, facts->last_fc_length);
	if (length >= 3) {
		facts->block_size = pci[1];
		facts->st_min = pci[2];
	}
}

static void flow_continue(struct isotp *link, const uint8_t *pci, int64_t now_ns)
{
	struct isotp_sender *sender = &link->sender;

	/* Block size and STmin of every flow control count, not of the first alone: 9.6.5.3 and 9.6.5.4 of 2016. */
	sender->block_left = link->misdeeds.ignore_block_size ? 0 : pci[1];
	sender->gap_ns = link->misdeeds.ignore_st_min ? 0 : isotp_st_min_ns(pci[2]);
	sender->waits = 0;
	sender->timeout_ns = INT64_MAX;
	sender->state = SENDER_CONSECUTIVE;
	sender->ready_ns = now_ns + link->misdeeds.delay_cf_ns;
}

void isotp_sender_flow(struct isotp *link, const uint8_t *pci, size_t length, int64_t now_ns)
{
	struct isotp_sender *sender = &link->sender;

	flow_note(link, pci, length);
	/* A flow control may be seen before the confirmation of the first frame that it answers. */
	if (sender->state == SENDER_BEGIN && link->outstanding == OUT_FIRST)
		isotp_confirmed(link, now_ns);
	if (sender->state != SENDER_WAIT_FLOW || length < 3)
		return;
	switch (pci[0] & 15) {
	case FLOW_CONTINUE:
		flow_continue(link, pci, now_ns);
		break;
	case FLOW_WAIT:
		sender->timeout_ns = now_ns + link->options.n_bs_ns;
		if (++sender->waits > link->options.wft_max)
			isotp_sender_finish(link, ISOTP_WFT_OVRN);
		break;
	case FLOW_OVERFLOW:
		isotp_sender_finish(link, ISOTP_BUFFER_OVFLW);
		break;
	default:
		isotp_sender_finish(link, ISOTP_INVALID_FS);
	}
}

/* ---- frames ------------------------------------------------------------------------------------------------ */

static void frame_append(struct isotp_frame *frame, const void *data, size_t length)
{
	memcpy(frame->data + frame->length, data, length);
	frame->length = (uint8_t)(frame->length + length);
}

static void frame_byte(struct isotp_frame *frame, uint8_t byte)
{
	frame->data[frame->length++] = byte;
}

static void single_frame(struct isotp *link, struct isotp_frame *ret)
{
	const struct bytes *message = &link->sender.message;
	uint32_t claimed = link->misdeeds.announce_length ? link->misdeeds.announce_length : (uint32_t)message->length;

	isotp_frame_begin(link, ret);
	if (message->length > isotp_single_max(link, 8)) {
		frame_byte(ret, PCI_SINGLE << 4);
		frame_byte(ret, (uint8_t)claimed);
	} else {
		frame_byte(ret, (uint8_t)(PCI_SINGLE << 4 | (claimed & 15)));
	}
	frame_append(ret, message->data, message->length);
	isotp_frame_end(link, ret);
	link->outstanding = OUT_SINGLE;
}

static void first_frame(struct isotp *link, struct isotp_frame *ret)
{
	struct isotp_sender *sender = &link->sender;
	uint32_t length = link->misdeeds.announce_length ? link->misdeeds.announce_length : (uint32_t)sender->message.length;
	uint8_t word[4];
	size_t room;

	isotp_frame_begin(link, ret);
	if (length > 4095 || link->misdeeds.escape_small) {
		frame_byte(ret, PCI_FIRST << 4);
		frame_byte(ret, 0);
		be32_write(word, length);
		frame_append(ret, word, sizeof(word));
	} else {
		frame_byte(ret, (uint8_t)(PCI_FIRST << 4 | length >> 8));
		frame_byte(ret, (uint8_t)length);
	}
	room = (size_t)(link->options.tx_dl - ret->length);
	if (room > sender->message.length)
		room = sender->message.length;
	frame_append(ret, sender->message.data, room);
	sender->offset = room;
	isotp_frame_end(link, ret);
	link->outstanding = OUT_FIRST;
}

/* Whether this consecutive frame is left out, or sent once more. */
static bool skip_due(struct isotp *link)
{
	return link->misdeeds.skip_cf_at && link->sender.number == link->misdeeds.skip_cf_at;
}

static size_t cf_room(const struct isotp *link)
{
	size_t room = link->options.tx_dl - link->prefix - 1, left = link->sender.message.length - link->sender.offset;

	return room < left ? room : left;
}

static void cf_advance(struct isotp *link, size_t length)
{
	struct isotp_sender *sender = &link->sender;

	sender->offset += length;
	sender->sequence = (sender->sequence + 1) & 15;
	sender->number++;
}

static void consecutive_frame(struct isotp *link, struct isotp_frame *ret)
{
	struct isotp_sender *sender = &link->sender;
	unsigned sequence = sender->sequence;
	size_t room;

	if (skip_due(link) && cf_room(link) < sender->message.length - sender->offset)
		cf_advance(link, cf_room(link));
	sequence = sender->sequence;
	if (link->misdeeds.wrong_sn_at == sender->number)
		sequence = (sequence + 1) & 15;
	room = cf_room(link);
	isotp_frame_begin(link, ret);
	frame_byte(ret, (uint8_t)(PCI_CONSECUTIVE << 4 | sequence));
	frame_append(ret, sender->message.data + sender->offset, room);
	isotp_frame_end(link, ret);
	link->outstanding = OUT_CONSECUTIVE;
	if (link->misdeeds.repeat_cf_at == sender->number && !sender->repeated)
		sender->repeated = true;
	else
		cf_advance(link, room);
}

static bool is_single(const struct isotp *link)
{
	return link->sender.message.length <= isotp_single_max(link, link->options.tx_dl) && !link->misdeeds.first_frame_fits_single;
}

int64_t isotp_sender_ready_ns(const struct isotp *link)
{
	const struct isotp_sender *sender = &link->sender;

	return sender->state == SENDER_BEGIN || sender->state == SENDER_CONSECUTIVE ? sender->ready_ns : INT64_MAX;
}

bool isotp_sender_next(struct isotp *link, int64_t now_ns, struct isotp_frame *ret)
{
	if (now_ns < isotp_sender_ready_ns(link))
		return false;
	if (link->sender.state == SENDER_CONSECUTIVE)
		consecutive_frame(link, ret);
	else if (is_single(link))
		single_frame(link, ret);
	else
		first_frame(link, ret);
	return true;
}

/* ---- confirmations ----------------------------------------------------------------------------------------- */

static void wait_flow(struct isotp *link, int64_t now_ns)
{
	link->sender.state = SENDER_WAIT_FLOW;
	link->sender.timeout_ns = now_ns + link->options.n_bs_ns;
}

static void consecutive_confirmed(struct isotp *link, int64_t now_ns)
{
	struct isotp_sender *sender = &link->sender;

	if (sender->offset >= sender->message.length) {
		isotp_sender_finish(link, ISOTP_OK);
		return;
	}
	sender->ready_ns = now_ns + sender->gap_ns + link->misdeeds.delay_cf_ns;
	if (sender->block_left && --sender->block_left == 0 && !link->misdeeds.no_flow_control)
		wait_flow(link, now_ns);
}

void isotp_sender_confirmed(struct isotp *link, enum isotp_outstanding outstanding, int64_t now_ns)
{
	static const uint8_t no_limits[3] = {PCI_FLOW << 4, 0, 0};

	if (link->sender.state == SENDER_IDLE)
		return;
	if (outstanding == OUT_SINGLE) {
		isotp_sender_finish(link, ISOTP_OK);
	} else if (outstanding == OUT_CONSECUTIVE) {
		consecutive_confirmed(link, now_ns);
	} else if (link->sender.offset >= link->sender.message.length) {
		/* Only a first frame that ought to have been a single one has no consecutive frame after it. */
		isotp_sender_finish(link, ISOTP_OK);
	} else if (link->misdeeds.no_flow_control) {
		flow_continue(link, no_limits, now_ns);
	} else {
		wait_flow(link, now_ns);
	}
}
