/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include "../../faults/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct isotp_bench bench;

static void on_received(void *context, const uint8_t *data, size_t length)
{
	(void)context;
	bench.received++;
	bench.length = length;
	memcpy(bench.data, data, length);
}

static void on_first_frame(void *context, size_t length)
{
	(void)context;
	bench.first_frames++;
	bench.announced = length;
}

static void on_failed(void *context, enum isotp_result result)
{
	(void)context;
	bench.failed++;
	bench.failure = result;
}

static void on_sent(void *context, enum isotp_result result)
{
	(void)context;
	bench.sent++;
	bench.confirmation = result;
}

struct isotp_config isotp_bench_config(bool fd)
{
	return (struct isotp_config){
	        .tx_id = 0x7E8,
	        .rx_id = 0x7E0,
	        .fd = fd,
	        .brs = fd,
	        .tx_dl = fd ? 64 : 8,
	        .wft_max = 2,
	        .padding = 0xCC,
	        .pad = true,
	        .n_as_ms = 1000,
	        .n_ar_ms = 1000,
	        .n_bs_ms = 1000,
	        .n_cr_ms = 1000,
	};
}

void isotp_bench_open(const struct isotp_config *config, const char *faults)
{
	static const struct isotp_handlers handlers = {
	        .received = on_received, .first_frame = on_first_frame, .receive_failed = on_failed, .sent = on_sent};

	fake_port_clear();
	fake_can_wire(0);
	fake_time_set(5 * MS);
	if (port_can_open(0) != PORT_OK)
		abort();
	fake_param_set("fault", faults);
	fault_load();
	memset(&bench, 0, sizeof(bench));
	bench.frame_id = config->rx_id;
	bench.frame_flags = (uint8_t)((config->fd ? PORT_CAN_FD : 0) | (config->extended_id ? PORT_CAN_EXTENDED : 0));
	isotp_reset();
	if (isotp_open(config, &handlers, &bench.channel) != PORT_OK)
		abort();
}

bool isotp_bench_rx_bytes(const uint8_t *bytes, uint8_t length)
{
	struct port_can_frame frame = {.id = bench.frame_id, .flags = bench.frame_flags, .length = length, .time_us = port_time_us()};

	memcpy(frame.data, bytes, length);
	return isotp_frame(&frame, port_time_us());
}

bool isotp_bench_rx(const char *hex)
{
	uint8_t bytes[PORT_CAN_MAX_DATA], length = 0;

	for (unsigned value; sscanf(hex, "%2x", &value) == 1; length++) {
		bytes[length] = (uint8_t)value;
		hex += 2;
		hex += *hex == ' ';
	}
	return isotp_bench_rx_bytes(bytes, length);
}

const char *isotp_bench_tx(void)
{
	static char text[3 * PORT_CAN_MAX_DATA + 1];
	struct port_can_frame frame;

	text[0] = '\0';
	if (!fake_can_take(0, &frame, NULL))
		return text;
	for (unsigned i = 0; i < frame.length; i++)
		snprintf(text + 3 * i, 4, "%02X ", frame.data[i]);
	text[3 * frame.length - 1] = '\0';
	return text;
}

/* The fake bus acknowledges at once, which on a board would end port_wait(). */
static uint64_t settle(void)
{
	uint64_t deadline_us, last_us;

	isotp_poll(port_time_us(), &deadline_us);
	do {
		last_us = deadline_us;
		isotp_poll(port_time_us(), &deadline_us);
	} while (deadline_us != last_us);
	return deadline_us;
}

void isotp_bench_run(uint64_t us)
{
	uint64_t end_us = port_time_us() + us, deadline_us;

	for (;;) {
		deadline_us = settle();
		if (deadline_us > end_us)
			break;
		if (deadline_us > port_time_us())
			fake_time_set(deadline_us);
	}
	fake_time_set(end_us);
	(void)settle();
}

void isotp_bench_pattern(uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		data[i] = (uint8_t)(i % 251);
}

enum port_status isotp_bench_send(size_t length)
{
	static uint8_t data[ISOTP_MAX_MESSAGE + 1];

	isotp_bench_pattern(data, length);
	return isotp_send(bench.channel, data, length);
}
