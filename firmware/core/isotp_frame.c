/* SPDX-License-Identifier: Apache-2.0 */
#include "isotp_private.h"

#include <string.h>

#define CLASSIC_LENGTH 8u

uint8_t isotp_offset(const struct isotp_config *config)
{
	return config->addressing == ISOTP_EXTENDED || config->addressing == ISOTP_MIXED ? 1 : 0;
}

uint8_t isotp_round_up(uint8_t length)
{
	static const uint8_t lengths[] = {12, 16, 20, 24, 32, 48, 64};

	if (length <= CLASSIC_LENGTH)
		return length;
	for (unsigned i = 0; i < sizeof(lengths); i++) {
		if (length <= lengths[i])
			return lengths[i];
	}
	return PORT_CAN_MAX_DATA;
}

uint8_t isotp_single_max(const struct isotp_config *config, uint8_t frame_length)
{
	uint8_t header = frame_length <= CLASSIC_LENGTH ? 1 : 2;

	return (uint8_t)(frame_length - header - isotp_offset(config));
}

void isotp_frame_begin(const struct isotp_config *config, struct port_can_frame *frame)
{
	*frame = (struct port_can_frame){.id = config->tx_id};
	if (config->extended_id)
		frame->flags |= PORT_CAN_EXTENDED;
	if (config->fd)
		frame->flags |= PORT_CAN_FD;
	if (config->brs)
		frame->flags |= PORT_CAN_BRS;
	if (isotp_offset(config) > 0)
		frame->data[frame->length++] = config->address_extension_tx;
}

void isotp_frame_end(const struct isotp_config *config, struct port_can_frame *frame)
{
	/* Beyond eight bytes the bus itself asks for it: ISO 15765-2:2016 10.4.2.2. */
	uint8_t length = config->pad && frame->length < CLASSIC_LENGTH ? CLASSIC_LENGTH : isotp_round_up(frame->length);

	memset(frame->data + frame->length, config->padding, length - frame->length);
	frame->length = length;
}

static enum port_status hand_over(struct isotp_frame_out *out, uint8_t node)
{
	enum port_status status = port_can_send(node, &out->frame, &out->ticket);

	if (status == PORT_OK)
		out->state = ISOTP_FRAME_SENDING;
	else if (status != PORT_WOULD_BLOCK)
		out->state = ISOTP_FRAME_NONE;
	return status == PORT_OK || status == PORT_WOULD_BLOCK ? PORT_OK : PORT_FAILED;
}

enum port_status isotp_out_start(struct isotp_frame_out *out, uint8_t node, uint64_t now_us, uint64_t timeout_us)
{
	out->state = ISOTP_FRAME_QUEUED;
	out->deadline_us = now_us + timeout_us;
	return hand_over(out, node);
}

enum port_status isotp_out_poll(struct isotp_frame_out *out, uint8_t node, uint64_t now_us)
{
	enum port_status status = PORT_WOULD_BLOCK;

	if (out->state == ISOTP_FRAME_QUEUED && hand_over(out, node) != PORT_OK)
		return PORT_FAILED;
	if (out->state == ISOTP_FRAME_SENDING)
		status = port_can_sent(node, out->ticket);
	if (status == PORT_WOULD_BLOCK && now_us < out->deadline_us)
		return status;
	/* N_As, N_Ar: a frame whose time is over must not come later, into another message. */
	if (status == PORT_WOULD_BLOCK && out->state == ISOTP_FRAME_SENDING)
		(void)port_can_cancel(node, out->ticket);
	out->state = ISOTP_FRAME_NONE;
	return status == PORT_OK ? PORT_OK : PORT_FAILED;
}
