/* SPDX-License-Identifier: Apache-2.0 */
/* The link: dispatch, timers, frames. Sender and receiver stand in files of their own. */
#include "isotp_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT_NS INT64_C(1000000000) /* N_As, N_Bs, N_Cr of ISO 15765-2:2016, 9.7 */
#define DEFAULT_LIMIT      (64u << 20)

const char *isotp_result_name(enum isotp_result result)
{
	static const char *const names[] = {"pending",    "N_OK",         "N_TIMEOUT_A", "N_TIMEOUT_Bs", "N_TIMEOUT_Cr",
	                                    "N_WRONG_SN", "N_INVALID_FS", "N_UNEXP_PDU", "N_WFT_OVRN",   "N_BUFFER_OVFLW"};

	return (unsigned)result < sizeof(names) / sizeof(*names) ? names[result] : "?";
}

int64_t isotp_st_min_ns(uint8_t coded)
{
	if (coded <= 0x7f)
		return coded * INT64_C(1000000);
	if (coded >= 0xf1 && coded <= 0xf9)
		return (coded - 0xf0) * INT64_C(100000);
	return INT64_C(127000000);
}

unsigned isotp_frame_fit(unsigned length, unsigned minimum)
{
	static const uint8_t steps[] = {12, 16, 20, 24, 32, 48, 64};

	if (length < minimum)
		length = minimum;
	if (length <= 8)
		return length;
	for (unsigned i = 0; i < sizeof(steps); i++)
		if (length <= steps[i])
			return steps[i];
	return 64;
}

unsigned isotp_single_max(const struct isotp *link, unsigned frame_length)
{
	unsigned head = link->prefix + (frame_length > 8 ? 2 : 1);

	return frame_length > head ? frame_length - head : 0;
}

void isotp_frame_begin(const struct isotp *link, struct isotp_frame *frame)
{
	memset(frame, 0, sizeof(*frame));
	if (link->prefix)
		frame->data[frame->length++] = link->options.extension_tx;
}

void isotp_frame_end(const struct isotp *link, struct isotp_frame *frame)
{
	/* Above eight bytes there is a DLC for few lengths only: what is between must be filled in any case. */
	unsigned whole = isotp_frame_fit(frame->length, link->options.pad ? 8 : 0);

	memset(frame->data + frame->length, link->options.padding, whole - frame->length);
	frame->length = (uint8_t)whole;
}

/* ---- life -------------------------------------------------------------------------------------------------- */

static bool options_are_right(const struct isotp_options *options)
{
	if (options->addressing > ISOTP_MIXED || options->tx_dl < 8 || options->tx_dl > 64)
		return false;
	if (!options->fd && options->tx_dl != 8)
		return false;
	return isotp_frame_fit(options->tx_dl, 0) == options->tx_dl && options->n_as_ns >= 0 && options->n_bs_ns >= 0 &&
	       options->n_cr_ns >= 0;
}

int isotp_new(struct isotp **ret, const struct isotp_options *options)
{
	struct isotp *link;

	if (!options_are_right(options))
		return -EINVAL;
	link = calloc(1, sizeof(*link));
	if (!link)
		return -ENOMEM;
	link->options = *options;
	link->prefix = options->addressing == ISOTP_EXTENDED || options->addressing == ISOTP_MIXED;
	if (!link->options.n_as_ns)
		link->options.n_as_ns = DEFAULT_TIMEOUT_NS;
	if (!link->options.n_bs_ns)
		link->options.n_bs_ns = DEFAULT_TIMEOUT_NS;
	if (!link->options.n_cr_ns)
		link->options.n_cr_ns = DEFAULT_TIMEOUT_NS;
	if (!link->options.receive_limit)
		link->options.receive_limit = DEFAULT_LIMIT;
	link->confirm_by_ns = link->sender.timeout_ns = link->receiver.timeout_ns = INT64_MAX;
	*ret = link;
	return 0;
}

void isotp_free(struct isotp *link)
{
	if (!link)
		return;
	bytes_free(&link->sender.message);
	bytes_free(&link->receiver.message);
	for (unsigned i = 0; i < link->receiver.done_count; i++)
		bytes_free(&link->receiver.done[i]);
	free(link->receiver.done);
	free(link);
}

void isotp_misbehave(struct isotp *link, const struct isotp_misdeeds *misdeeds)
{
	link->misdeeds = *misdeeds;
}

int isotp_send(struct isotp *link, const uint8_t *data, size_t length, int64_t now_ns)
{
	struct isotp_sender *sender = &link->sender;

	if (sender->state != SENDER_IDLE)
		return -EBUSY;
	if (length == 0 || length > UINT32_MAX)
		return -EMSGSIZE;
	bytes_clear(&sender->message);
	if (bytes_append(&sender->message, data, length) < 0)
		return -ENOMEM;
	sender->state = SENDER_BEGIN;
	sender->offset = 0;
	sender->sequence = sender->number = 1;
	sender->repeated = false;
	sender->waits = 0;
	sender->ready_ns = now_ns;
	sender->timeout_ns = INT64_MAX;
	sender->result = ISOTP_PENDING;
	memset(&link->facts, 0, sizeof(link->facts));
	return 0;
}

/* ---- frames ------------------------------------------------------------------------------------------------ */

void isotp_receive(struct isotp *link, const uint8_t *data, size_t length, int64_t now_ns)
{
	const uint8_t *pci = data + link->prefix;
	size_t left;

	if (length <= link->prefix || length > 64 || (length > 8 && !link->options.fd))
		return;
	if (link->prefix && data[0] != link->options.extension_rx)
		return;
	left = length - link->prefix;
	switch (pci[0] >> 4) {
	case PCI_SINGLE:
		isotp_receiver_single(link, pci, left, length);
		break;
	case PCI_FIRST:
		isotp_receiver_first(link, pci, left, length, now_ns);
		break;
	case PCI_CONSECUTIVE:
		isotp_receiver_consecutive(link, pci, left, length, now_ns);
		break;
	case PCI_FLOW:
		isotp_sender_flow(link, pci, left, now_ns);
		break;
	default: /* unknown N_PCI types are ignored, 9.6.4 */
		break;
	}
}

void isotp_confirmed(struct isotp *link, int64_t now_ns)
{
	enum isotp_outstanding outstanding = link->outstanding;

	link->outstanding = OUT_NONE;
	link->confirm_by_ns = INT64_MAX;
	if (outstanding == OUT_FLOW)
		isotp_receiver_confirmed(link, now_ns);
	else if (outstanding != OUT_NONE)
		isotp_sender_confirmed(link, outstanding, now_ns);
}

bool isotp_next(struct isotp *link, int64_t now_ns, struct isotp_frame *ret)
{
	bool given;

	if (link->outstanding != OUT_NONE)
		return false;
	given = isotp_receiver_next(link, now_ns, ret) || isotp_sender_next(link, now_ns, ret);
	if (given)
		link->confirm_by_ns = now_ns + link->options.n_as_ns;
	return given;
}

/* ---- timers ------------------------------------------------------------------------------------------------ */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t isotp_deadline(const struct isotp *link)
{
	int64_t at_ns = earlier(link->sender.timeout_ns, link->receiver.timeout_ns);

	if (link->outstanding != OUT_NONE)
		return earlier(at_ns, link->confirm_by_ns);
	if (link->receiver.flow_due)
		at_ns = earlier(at_ns, link->receiver.flow_at_ns);
	return earlier(at_ns, isotp_sender_ready_ns(link));
}

void isotp_tick(struct isotp *link, int64_t now_ns)
{
	if (link->outstanding != OUT_NONE && now_ns >= link->confirm_by_ns) {
		if (link->outstanding == OUT_FLOW)
			isotp_receiver_abort(link, ISOTP_TIMEOUT_A);
		else
			isotp_sender_finish(link, ISOTP_TIMEOUT_A);
		link->outstanding = OUT_NONE;
		link->confirm_by_ns = INT64_MAX;
	}
	if (now_ns >= link->sender.timeout_ns)
		isotp_sender_finish(link, ISOTP_TIMEOUT_BS);
	if (now_ns >= link->receiver.timeout_ns)
		isotp_receiver_abort(link, ISOTP_TIMEOUT_CR);
}

/* ---- results ----------------------------------------------------------------------------------------------- */

enum isotp_result isotp_send_result(const struct isotp *link)
{
	return link->sender.result;
}

enum isotp_result isotp_receive_result(const struct isotp *link)
{
	return link->receiver.result;
}

bool isotp_take(struct isotp *link, struct bytes *ret)
{
	struct isotp_receiver *receiver = &link->receiver;

	if (receiver->done_count == 0) {
		receiver->result = ISOTP_PENDING;
		return false;
	}
	*ret = receiver->done[0];
	receiver->done_count--;
	memmove(receiver->done, receiver->done + 1, receiver->done_count * sizeof(*receiver->done));
	if (receiver->done_count == 0)
		receiver->result = ISOTP_PENDING;
	return true;
}

void isotp_facts_read(const struct isotp *link, struct isotp_facts *ret)
{
	*ret = link->facts;
}
