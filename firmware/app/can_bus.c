/* SPDX-License-Identifier: Apache-2.0 */
#include "can_bus.h"

#include "../core/console.h"

#include <string.h>

#define FRAMES_A_TURN 32u /* the other sides want their turn under a flood too */
#define RECOVER_US    100000u
#define MAX_ID        0x7FFu
#define MAX_ID_29     0x1FFFFFFFu
#define TIMER_MS      1000u
#define PADDING       0xCCu

static struct {
	bool running, off;
	void (*take)(const struct port_can_frame *frame);
	uint64_t recover_us; /* when to ask (again) to leave bus-off */
	uint32_t lost;
} bus;

enum port_status can_bus_start(void (*take)(const struct port_can_frame *frame))
{
	enum port_status status = port_can_open(CAN_BUS_NODE);

	bus.running = status == PORT_OK;
	bus.off = false;
	bus.take = take;
	bus.lost = 0;
	isotp_reset();
	return status;
}

static void say(const char *what)
{
	struct console_line line;

	console_begin(&line);
	console_text(&line, "can: ");
	console_text(&line, what);
	console_end(&line);
}

static void check_lost(void)
{
	struct console_line line;
	uint32_t lost = port_can_lost(CAN_BUS_NODE);

	if (lost == bus.lost)
		return;
	console_begin(&line);
	console_text(&line, "! can: frames lost: ");
	console_decimal(&line, lost - bus.lost);
	console_end(&line);
	bus.lost = lost;
}

static uint64_t check_state(uint64_t now_us)
{
	uint8_t transmit_errors, receive_errors;
	bool off = port_can_state(CAN_BUS_NODE, &transmit_errors, &receive_errors) == PORT_CAN_BUS_OFF;

	if (off != bus.off) {
		say(off ? "bus-off" : "on the bus again");
		bus.recover_us = now_us + RECOVER_US;
	}
	bus.off = off;
	if (!off)
		return UINT64_MAX;
	if (now_us >= bus.recover_us) {
		(void)port_can_recover(CAN_BUS_NODE);
		bus.recover_us = now_us + RECOVER_US;
	}
	return bus.recover_us;
}

void can_bus_poll(uint64_t now_us, uint64_t *ret_deadline_us)
{
	struct port_can_frame frame;
	unsigned count = 0;
	uint64_t state_us;

	*ret_deadline_us = UINT64_MAX;
	if (!bus.running)
		return;
	while (count < FRAMES_A_TURN && port_can_receive(CAN_BUS_NODE, &frame) == PORT_OK) {
		count++;
		if (!isotp_frame(&frame, port_time_us()) && bus.take != NULL)
			bus.take(&frame);
	}
	check_lost();
	isotp_poll(port_time_us(), ret_deadline_us);
	state_us = check_state(now_us);
	if (state_us < *ret_deadline_us)
		*ret_deadline_us = state_us;
	if (count == FRAMES_A_TURN)
		*ret_deadline_us = now_us;
}

size_t can_bus_state_read(void *context, uint8_t *buffer, size_t size)
{
	uint32_t lost;

	(void)context;
	if (size < CAN_BUS_STATE_LENGTH)
		return size;
	buffer[0] = (uint8_t)port_can_state(CAN_BUS_NODE, &buffer[1], &buffer[2]);
	lost = port_can_lost(CAN_BUS_NODE);
	for (unsigned i = 0; i < 4; i++)
		buffer[3 + i] = (uint8_t)(lost >> (24 - 8 * i));
	return CAN_BUS_STATE_LENGTH;
}

static uint32_t read_number(const char *parameter, uint32_t preset, uint32_t maximum)
{
	struct console_line line;
	uint32_t value = preset;
	enum port_status status = port_param_u32(parameter, &value);

	if (status == PORT_ABSENT || (status == PORT_OK && value <= maximum))
		return value;
	console_begin(&line);
	console_text(&line, "! parameter not understood, its default is used: ");
	console_text(&line, parameter);
	console_end(&line);
	return preset;
}

uint32_t can_bus_id(const char *parameter, uint32_t preset)
{
	return read_number(parameter, preset, MAX_ID);
}

static void load_addressing(struct isotp_config *config)
{
	static const char *const names[] = {"normal", "normal-fixed", "extended", "mixed"}; /* by enum isotp_addressing */
	char text[16];
	struct console_line line;
	enum port_status status = port_param_text("isotp.addressing", text, sizeof(text));

	if (status == PORT_ABSENT)
		return;
	for (unsigned i = 0; status == PORT_OK && i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) != 0)
			continue;
		config->addressing = (enum isotp_addressing)i;
		return;
	}
	console_begin(&line);
	console_text(&line, "! isotp.addressing: wants normal, normal-fixed, extended or mixed");
	console_end(&line);
}

void can_bus_isotp_ids(struct isotp_config *config, enum can_bus_isotp_id tx, enum can_bus_isotp_id rx)
{
	/* Normal fixed: the node is 0x11, its tester 0xF1, all nodes 0x33. */
	static const struct {
		const char *parameter;
		uint32_t normal, fixed;
	} ids[] = {[CAN_BUS_REQUEST] = {"isotp.request_id", 0x7E0, 0x18DA11F1},
	           [CAN_BUS_RESPONSE] = {"isotp.response_id", 0x7E8, 0x18DAF111},
	           [CAN_BUS_FUNCTIONAL] = {"isotp.functional_id", 0x7DF, 0x18DB33F1}};
	bool fixed = config->addressing == ISOTP_NORMAL_FIXED;

	config->tx_id = read_number(ids[tx].parameter, fixed ? ids[tx].fixed : ids[tx].normal, MAX_ID_29);
	config->rx_id = read_number(ids[rx].parameter, fixed ? ids[rx].fixed : ids[rx].normal, MAX_ID_29);
	config->extended_id = config->tx_id > MAX_ID || config->rx_id > MAX_ID;
}

enum port_status can_bus_isotp_open(const struct isotp_config *config, const struct isotp_handlers *handlers, uint8_t *ret_channel)
{
	struct console_line line;
	enum port_status status = isotp_open(config, handlers, ret_channel);

	if (status != PORT_INVALID)
		return status;
	console_begin(&line);
	console_text(&line, "! isotp: addressing, identifiers and frame length do not fit each other");
	console_end(&line);
	return status;
}

void can_bus_isotp_config(struct isotp_config *config)
{
	*config = (struct isotp_config){
	        .can_node = CAN_BUS_NODE,
	        .padding = PADDING,
	        .pad = true,
	        .n_as_ms = TIMER_MS,
	        .n_ar_ms = TIMER_MS,
	        .n_bs_ms = TIMER_MS,
	        .n_cr_ms = TIMER_MS,
	};
	config->fd = read_number("isotp.fd", 1, 1) != 0;
	config->brs = config->fd;
	config->tx_dl = config->fd ? (uint8_t)read_number("isotp.tx_dl", PORT_CAN_MAX_DATA, PORT_CAN_MAX_DATA) : 8;
	config->block_size = (uint8_t)read_number("isotp.block_size", 0, UINT8_MAX);
	config->st_min = (uint8_t)read_number("isotp.st_min", 0, UINT8_MAX);
	config->wft_max = (uint8_t)read_number("isotp.wft_max", 8, UINT8_MAX);
	load_addressing(config);
	config->address_extension_tx = (uint8_t)read_number("isotp.extension_tx", 0, UINT8_MAX);
	config->address_extension_rx = (uint8_t)read_number("isotp.extension_rx", 0, UINT8_MAX);
}
