/* SPDX-License-Identifier: Apache-2.0 */
#include "node.h"

#include "../core/ota_image.h"
#include "../core/ota_update.h"
#include "../core/uds_server.h"
#include "../faults/fault.h"

#include <stdio.h>
#include <string.h>

#define TESTER      0x0E80u
#define LIMIT_US    30000000u
#define NRC_PENDING 0x78u

static struct {
	uint8_t answer[UDS_MAX_RESPONSE];
	size_t length;
	bool answered;
} line;

static void on_response(void *context, uint16_t tester, const uint8_t *data, size_t length)
{
	(void)context;
	if (tester != TESTER || (length == 3 && data[0] == 0x7F && data[2] == NRC_PENDING))
		return;
	memcpy(line.answer, data, length);
	line.length = length;
	line.answered = true;
}

static void on_reset(void *context, uint8_t type)
{
	(void)context;
	port_reset(type == 3 ? PORT_RESET_APPLICATION : PORT_RESET_SYSTEM);
}

static const char *running_version(void)
{
	static char text[20] = "none";
	const struct port_flash_geometry *geometry = port_flash_geometry();
	struct ota_image image;

	if (ota_image_peek(geometry->bank[0] + geometry->boot_size, &image)) {
		const uint8_t *v = image.header.version;
		snprintf(text, sizeof(text), "%u.%u.%u.%u", v[0], v[1], v[2], v[3]);
	}
	return text;
}

void node_start(struct board *board)
{
	static struct uds_identity identity = {.serial_number = "SWEEP", .part_number = "SWEEP"};
	static const struct uds_application application = {.respond = on_response, .reset = on_reset, .identity = &identity};
	struct uds_server_config config;

	fault_load();
	ota_update_start(board->setup->target, false);
	identity.software_version = running_version();
	uds_server_config_load(&config);
	uds_server_start(&config, &application);
	ota_update_ready(port_time_us());
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t poll(void)
{
	uint64_t update_us = UINT64_MAX, server_us = UINT64_MAX;

	ota_update_poll(port_time_us(), &update_us);
	uds_server_poll(port_time_us(), &server_us);
	return earlier(update_us, server_us);
}

size_t node_exchange(const uint8_t *request, size_t length, uint8_t *answer, size_t size)
{
	uint64_t limit_us = port_time_us() + LIMIT_US;

	line.answered = false;
	uds_server_request(TESTER, false, request, length, port_time_us());
	for (;;) {
		uint64_t next_us = poll();
		if (line.answered)
			break;
		if (port_time_us() >= limit_us)
			return 0;
		port_wait(earlier(next_us, limit_us));
	}
	if (line.length > size)
		return 0;
	memcpy(answer, line.answer, line.length);
	return line.length;
}
