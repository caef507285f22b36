/* SPDX-License-Identifier: Apache-2.0 */
/* The receiving side (ISO 15765-2:2016, 9.6 to 9.8). A frame that breaks a rule is ignored unless the rule says abort. */
#include <stdlib.h>
#include <string.h>

#include "isotp_private.h"

#define DONE_LIMIT          256u
#define DEFAULT_WAIT_GAP_NS INT64_C(100000000)

void isotp_receiver_abort(struct isotp *link, enum isotp_result result)
{
	struct isotp_receiver *receiver = &link->receiver;

	receiver->active = false;
	receiver->flow_due = false;
	receiver->timeout_ns = INT64_MAX;
	receiver->result = result;
	bytes_clear(&receiver->message);
}

static void message_done(struct isotp *link)
{
	struct isotp_receiver *receiver = &link->receiver;
	struct bytes *grown;

	receiver->active = false;
	receiver->timeout_ns = INT64_MAX;
	receiver->result = ISOTP_BUFFER_OVFLW;
	if (receiver->done_count == DONE_LIMIT)
		return;
	grown = realloc(receiver->done, (receiver->done_count + 1) * sizeof(*grown));
	if (!grown)
		return;
	receiver->done = grown;
	receiver->done[receiver->done_count++] = receiver->message;
	memset(&receiver->message, 0, sizeof(receiver->message));
	receiver->result = ISOTP_OK;
}

/* ---- single frame ------------------------------------------------------------------------------------------ */

void isotp_receiver_single(struct isotp *link, const uint8_t *pci, size_t length, size_t frame_length)
{
	struct isotp_receiver *receiver = &link->receiver;
	bool escape = frame_length > 8;
	unsigned head = escape ? 2 : 1, size = pci[0] & 15, smallest;

	if (escape) {
		if (size != 0 || length < 2)
			return;
		size = pci[1];
	}
	if (size == 0 || size > length - head)
		return;
	/* A long frame must need its DLC: SF_DL of Table 13. */
	smallest = isotp_frame_fit(size + 2 + link->prefix, 0);
	if (escape && (size <= isotp_single_max(link, 8) || smallest != frame_length))
		return;
	if (receiver->active)
		isotp_receiver_abort(link, ISOTP_UNEXP_PDU);
	bytes_clear(&receiver->message);
	if (bytes_append(&receiver->message, pci + head, size) == 0)
		message_done(link);
}

/* ---- first frame ------------------------------------------------------------------------------------------- */

static void flow_plan(struct isotp *link, int status, int64_t now_ns)
{
	struct isotp_receiver *receiver = &link->receiver;

	receiver->flow_due = !link->misdeeds.no_flow_control;
	receiver->flow_status = status;
	receiver->waits_left = status == FLOW_CONTINUE ? link->misdeeds.waits_before_flow : 0;
	receiver->flow_at_ns = now_ns + link->misdeeds.delay_flow_control_ns;
	receiver->block_left = link->options.block_size;
	if (!receiver->flow_due)
		receiver->timeout_ns = now_ns + link->options.n_cr_ns;
}

/* Reads FF_DL; 0: a first frame that must be ignored. */
static uint32_t first_length(const struct isotp *link, const uint8_t *pci, size_t length, size_t frame_length, size_t *ret_head)
{
	uint32_t size = (uint32_t)(pci[0] & 15) << 8 | pci[1];

	*ret_head = 2;
	if (size == 0) {
		if (length < 7)
			return 0;
		*ret_head = 6;
		size = be32_read(pci + 2);
		if (size <= 4095)
			return 0;
	}
	return size > isotp_single_max(link, (unsigned)frame_length) ? size : 0;
}

void isotp_receiver_first(struct isotp *link, const uint8_t *pci, size_t length, size_t frame_length, int64_t now_ns)
{
	struct isotp_receiver *receiver = &link->receiver;
	size_t head;
	uint32_t size;

	if (frame_length < 8 || isotp_frame_fit((unsigned)frame_length, 8) != frame_length)
		return;
	size = first_length(link, pci, length, frame_length, &head);
	if (size == 0)
		return;
	if (receiver->active)
		isotp_receiver_abort(link, ISOTP_UNEXP_PDU);
	bytes_clear(&receiver->message);
	receiver->timeout_ns = INT64_MAX;
	if (size > link->options.receive_limit) {
		receiver->result = ISOTP_BUFFER_OVFLW;
		flow_plan(link, FLOW_OVERFLOW, now_ns);
		receiver->timeout_ns = INT64_MAX;
		return;
	}
	if (bytes_append(&receiver->message, pci + head, length - head) < 0)
		return;
	receiver->active = true;
	receiver->expected = size;
	receiver->frame_length = (unsigned)frame_length;
	receiver->sequence = 1;
	receiver->seen_cf = false;
	link->facts.consecutive_frames = 0;
	link->facts.smallest_cf_gap_ns = link->facts.largest_cf_gap_ns = 0;
	flow_plan(link, FLOW_CONTINUE, now_ns);
}

/* ---- consecutive frame ------------------------------------------------------------------------------------- */

static void gap_note(struct isotp *link, int64_t now_ns)
{
	struct isotp_receiver *receiver = &link->receiver;
	struct isotp_facts *facts = &link->facts;
	int64_t gap_ns = now_ns - receiver->last_cf_ns;

	facts->consecutive_frames++;
	/* The gap across a flow control of ours is not the sender's. */
	if (receiver->seen_cf) {
		if (facts->smallest_cf_gap_ns == 0 || gap_ns < facts->smallest_cf_gap_ns)
			facts->smallest_cf_gap_ns = gap_ns;
		if (gap_ns > facts->largest_cf_gap_ns)
			facts->largest_cf_gap_ns = gap_ns;
	}
	receiver->seen_cf = true;
	receiver->last_cf_ns = now_ns;
}

void isotp_receiver_consecutive(struct isotp *link, const uint8_t *pci, size_t length, size_t frame_length, int64_t now_ns)
{
	struct isotp_receiver *receiver = &link->receiver;
	size_t left = receiver->expected - receiver->message.length, size = length - 1;
	bool last;

	if (!receiver->active)
		return;
	last = left <= receiver->frame_length - link->prefix - 1;
	if (last ? size < left || frame_length > receiver->frame_length : frame_length != receiver->frame_length)
		return;
	if ((pci[0] & 15) != receiver->sequence) {
		isotp_receiver_abort(link, ISOTP_WRONG_SN);
		return;
	}
	gap_note(link, now_ns);
	receiver->sequence = (receiver->sequence + 1) & 15;
	if (bytes_append(&receiver->message, pci + 1, last ? left : size) < 0) {
		isotp_receiver_abort(link, ISOTP_BUFFER_OVFLW);
		return;
	}
	if (last) {
		message_done(link);
		return;
	}
	receiver->timeout_ns = now_ns + link->options.n_cr_ns;
	if (receiver->block_left && --receiver->block_left == 0) {
		receiver->timeout_ns = INT64_MAX;
		receiver->seen_cf = false;
		flow_plan(link, FLOW_CONTINUE, now_ns);
	}
}

/* ---- our flow control -------------------------------------------------------------------------------------- */

static int flow_status_now(const struct isotp *link)
{
	if (link->receiver.waits_left)
		return FLOW_WAIT;
	return link->misdeeds.flow_status > 0 ? link->misdeeds.flow_status : link->receiver.flow_status;
}

bool isotp_receiver_next(struct isotp *link, int64_t now_ns, struct isotp_frame *ret)
{
	struct isotp_receiver *receiver = &link->receiver;

	if (!receiver->flow_due || now_ns < receiver->flow_at_ns)
		return false;
	isotp_frame_begin(link, ret);
	ret->data[ret->length++] = (uint8_t)(PCI_FLOW << 4 | (flow_status_now(link) & 15));
	ret->data[ret->length++] = link->options.block_size;
	ret->data[ret->length++] = link->options.st_min;
	if (link->misdeeds.short_flow_control)
		ret->length = link->misdeeds.short_flow_control < ret->length ? link->misdeeds.short_flow_control : ret->length;
	else
		isotp_frame_end(link, ret);
	link->outstanding = OUT_FLOW;
	return true;
}

void isotp_receiver_confirmed(struct isotp *link, int64_t now_ns)
{
	struct isotp_receiver *receiver = &link->receiver;
	int64_t gap_ns = link->misdeeds.wait_gap_ns ? link->misdeeds.wait_gap_ns : DEFAULT_WAIT_GAP_NS;

	if (receiver->waits_left) {
		receiver->waits_left--;
		receiver->flow_at_ns = now_ns + gap_ns;
		return;
	}
	receiver->flow_due = false;
	if (receiver->active)
		receiver->timeout_ns = now_ns + link->options.n_cr_ns;
}
