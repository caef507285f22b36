/* SPDX-License-Identifier: Apache-2.0 */
#include "isotp_private.h"

#include <string.h>

#define MAX_ID_11 0x7FFu
#define MAX_ID_29 0x1FFFFFFFu

static struct isotp_channel channels[ISOTP_MAX_CHANNELS];
static uint8_t channel_count;

/* ---- set-up ------------------------------------------------------------------------------------------------- */

static bool frames_possible(const struct isotp_config *config)
{
	if (config->can_node >= PORT_CAN_NODES || config->tx_dl < 8 || config->tx_dl > PORT_CAN_MAX_DATA)
		return false;
	if (!config->fd && (config->tx_dl != 8 || config->brs))
		return false;
	return isotp_round_up(config->tx_dl) == config->tx_dl;
}

/* Normal fixed addressing has its addresses in the identifier: 0x18DA.... physical, 0x18DB.... functional. */
static bool is_fixed(uint32_t id)
{
	uint8_t format = (uint8_t)(id >> 16);

	return format == 0xDA || format == 0xDB;
}

static bool ids_possible(const struct isotp_config *config)
{
	uint32_t limit = config->extended_id ? MAX_ID_29 : MAX_ID_11;

	if (config->tx_id > limit || config->rx_id > limit)
		return false;
	return config->addressing != ISOTP_NORMAL_FIXED || (config->extended_id && is_fixed(config->tx_id) && is_fixed(config->rx_id));
}

enum port_status isotp_open(const struct isotp_config *config, const struct isotp_handlers *handlers, uint8_t *ret_channel)
{
	struct isotp_channel *channel;

	if (!frames_possible(config) || !ids_possible(config))
		return PORT_INVALID;
	if (config->n_as_ms == 0 || config->n_ar_ms == 0 || config->n_bs_ms == 0 || config->n_cr_ms == 0)
		return PORT_INVALID;
	if (channel_count == ISOTP_MAX_CHANNELS)
		return PORT_FULL;
	channel = &channels[channel_count];
	memset(channel, 0, sizeof(*channel));
	channel->open = true;
	channel->config = *config;
	channel->handlers = *handlers;
	*ret_channel = channel_count++;
	return PORT_OK;
}

void isotp_reset(void)
{
	memset(channels, 0, sizeof(channels));
	channel_count = 0;
}

/* ---- use ---------------------------------------------------------------------------------------------------- */

enum port_status isotp_send(uint8_t index, const uint8_t *data, size_t length)
{
	struct isotp_channel *channel = &channels[index];

	if (index >= channel_count || length == 0 || length > ISOTP_MAX_MESSAGE)
		return PORT_INVALID;
	if (channel->config.functional && length > isotp_single_max(&channel->config, channel->config.tx_dl))
		return PORT_INVALID;
	if (channel->sender.state != ISOTP_SEND_IDLE)
		return PORT_WOULD_BLOCK;
	return isotp_sender_start(channel, data, length, port_time_us());
}

static bool is_for(const struct isotp_config *config, const struct port_can_frame *frame)
{
	bool extended = (frame->flags & PORT_CAN_EXTENDED) != 0, fd = (frame->flags & PORT_CAN_FD) != 0;

	if (frame->id != config->rx_id || extended != config->extended_id || fd != config->fd || (frame->flags & PORT_CAN_REMOTE) != 0)
		return false;
	if (frame->length > (fd ? PORT_CAN_MAX_DATA : 8u) || isotp_round_up(frame->length) != frame->length)
		return false;
	if (frame->length <= isotp_offset(config))
		return false;
	return isotp_offset(config) == 0 || frame->data[0] == config->address_extension_rx;
}

static void take(struct isotp_channel *channel, const struct port_can_frame *frame, uint64_t now_us)
{
	uint8_t offset = isotp_offset(&channel->config), length = (uint8_t)(frame->length - offset);
	const uint8_t *pci = frame->data + offset;

	switch (pci[0] >> 4) {
	case ISOTP_SF:
		isotp_receiver_single(channel, pci, length, frame->length);
		break;
	case ISOTP_FF:
		isotp_receiver_first(channel, pci, length, frame->length, now_us);
		break;
	case ISOTP_CF:
		isotp_receiver_consecutive(channel, pci, length, frame->length, now_us);
		break;
	case ISOTP_FC:
		isotp_sender_flow(channel, pci, length, now_us);
		break;
	default: /* reserved: ignored, 9.6.1 */
		break;
	}
}

bool isotp_frame(const struct port_can_frame *frame, uint64_t now_us)
{
	uint64_t at_us = frame->time_us != 0 && frame->time_us < now_us ? frame->time_us : now_us;
	bool taken = false;

	for (uint8_t i = 0; i < channel_count; i++) {
		if (!is_for(&channels[i].config, frame))
			continue;
		taken = true;
		/* What was over when the frame came is over. */
		isotp_sender_expire(&channels[i], at_us);
		isotp_receiver_expire(&channels[i], at_us);
		take(&channels[i], frame, now_us);
	}
	return taken;
}

void isotp_poll(uint64_t now_us, uint64_t *ret_deadline_us)
{
	*ret_deadline_us = ISOTP_NEVER;
	for (uint8_t i = 0; i < channel_count; i++) {
		uint64_t sender_us = isotp_sender_poll(&channels[i], now_us), receiver_us = isotp_receiver_poll(&channels[i], now_us);

		if (sender_us < *ret_deadline_us)
			*ret_deadline_us = sender_us;
		if (receiver_us < *ret_deadline_us)
			*ret_deadline_us = receiver_us;
	}
}
