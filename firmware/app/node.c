/* SPDX-License-Identifier: Apache-2.0 */
#include "node.h"

#include "../core/console.h"
#include "../core/doip_entity.h"
#include "../core/ota_update.h"
#include "../core/uds_dtc.h"
#include "../core/uds_server.h"
#include "../faults/fault.h"
#include "boot_record.h"
#include "boot_stages.h"
#include "identity.h"
#include "node_list.h"

#define SIDES          3u
#define COMMON_DIDS    2u
#define RESET_DELAY_US 50000u /* for the answer to leave */
#define FLOOD_US       1000u
#define FLOOD_LENGTH   256u
#define UDS_SOFT_RESET 3u
#define CRASH_AFTER_US 5000u

/* Images made for tests: one that never confirms, one that never gets through its first stage. */
#ifndef FIRMWARE_NEVER_CONFIRMS
#define FIRMWARE_NEVER_CONFIRMS false
#endif
#ifndef FIRMWARE_CRASHES
#define FIRMWARE_CRASHES false
#endif

static struct {
	const struct node_side *sides[SIDES];
	unsigned side_count;
	uint64_t reset_at_us; /* UINT64_MAX: none is due */
	enum port_reset reset_kind;
} node;

static void on_reset(void *context, uint8_t type)
{
	(void)context;
	node.reset_kind = type == UDS_SOFT_RESET ? PORT_RESET_APPLICATION : PORT_RESET_SYSTEM;
	node.reset_at_us = port_time_us() + RESET_DELAY_US;
}

/* Data of one diagnostic message in the transport's largest: its payload less source and target address. */
static uint16_t max_response(void)
{
	uint32_t payload = DOIP_MAX_MESSAGE;

	(void)port_param_u32("doip.max_data_size", &payload);
	if (payload > DOIP_MAX_MESSAGE || payload < 16)
		payload = DOIP_MAX_MESSAGE;
	return (uint16_t)(payload - 4);
}

static void start_uds(const struct node_options *options, uint16_t address)
{
	static struct uds_did dids[COMMON_DIDS + NODE_MAX_DIDS];
	struct uds_application application = {
	        .dids = dids,
	        .respond = diag_router_respond,
	        .reset = on_reset,
	        .identity = identity_make(options->name, options->part_number, address),
	        .max_response = max_response(),
	        .subnode = options->subnode,
	};
	struct uds_server_config config;
	uint8_t vin[UDS_VIN_LENGTH];

	dids[application.did_count++] =
	        (struct uds_did){.id = 0xFD02, .length = BOOT_RECORD_LENGTH, .read_sessions = 7, .read = boot_record_read};
	if (options->server != NULL) {
		dids[application.did_count++] = (struct uds_did){
		        .id = 0xFD01, .read_sessions = 7, .read = node_list_read, .context = (void *)(uintptr_t)options->server->link};
	}
	for (size_t i = 0; i < options->did_count && i < NODE_MAX_DIDS; i++)
		dids[application.did_count++] = options->dids[i];
	uds_server_config_load(&config);
	uds_server_start(&config, &application);
	(void)uds_dtc_report(UDS_DTC_NO_VIN, !identity_vin(vin));
}

static void start_side(const struct node_side *side, const char *what, uint16_t address)
{
	struct console_line line;
	enum port_status status = side == NULL ? PORT_ABSENT : side->start(address);

	if (status == PORT_OK)
		node.sides[node.side_count++] = side;
	if (status == PORT_OK || status == PORT_ABSENT)
		return;
	console_begin(&line);
	console_text(&line, "! cannot start: ");
	console_text(&line, what);
	console_end(&line);
}

static void start(const struct node_options *options)
{
	struct diag_router_config config = {.default_routes = options->routes};
	uint32_t address = options->address;

	(void)port_param_u32("doip.logical_address", &address);
	config.own_address = (uint16_t)address;
	config.server = options->server == NULL ? NULL : options->server->link;
	config.client = options->client == NULL ? NULL : options->client->link;
	config.can = options->can == NULL ? NULL : options->can->link;
	node.side_count = 0;
	node.reset_at_us = UINT64_MAX;
	ota_update_start(config.own_address, options->recovery);
	if (FIRMWARE_NEVER_CONFIRMS)
		ota_update_refuse_confirm();
	start_uds(options, config.own_address);
	diag_router_start(&config);
	start_side(options->server, "DoIP server (an endpoint is in use, or its configuration is wrong)", config.own_address);
	start_side(options->client, "DoIP client", config.own_address);
	start_side(options->can, "CAN (an identifier, tx_dl or key cannot be)", config.own_address);
	ota_update_ready(port_time_us());
}

static void flood_console(void)
{
	uint8_t rubbish[FLOOD_LENGTH];

	port_random(rubbish, sizeof(rubbish));
	port_console_write((const char *)rubbish, sizeof(rubbish));
}

static void take_reset(uint64_t now_us)
{
	if (now_us < node.reset_at_us)
		return;
	for (unsigned i = 0; i < node.side_count; i++)
		node.sides[i]->stop();
	port_reset(node.reset_kind);
}

static void earlier(uint64_t *deadline_us, uint64_t other_us)
{
	if (other_us < *deadline_us)
		*deadline_us = other_us;
}

/* Everything that can be done now; the time at which there is something again. */
static uint64_t turn(void)
{
	uint64_t deadline_us = node.reset_at_us, wanted_us = UINT64_MAX, now_us = port_time_us();

	/* First, so that the flash has its next command before anything else is looked at. */
	ota_update_poll(now_us, &wanted_us);
	earlier(&deadline_us, wanted_us);
	for (unsigned i = 0; i < node.side_count; i++) {
		node.sides[i]->poll(now_us, &wanted_us);
		earlier(&deadline_us, wanted_us);
	}
	uds_server_poll(now_us, &wanted_us);
	earlier(&deadline_us, wanted_us);
	diag_router_poll(now_us, &wanted_us);
	earlier(&deadline_us, wanted_us);
	take_reset(now_us);
	/* A message that moved may have filled the buffer of a side that was polled before. */
	if (diag_router_take_activity())
		return now_us;
	earlier(&deadline_us, node.reset_at_us);
	return deadline_us;
}

static _Noreturn void run(const struct node_options *options)
{
	start(options);
	for (;;) {
		uint64_t deadline_us = turn();

		if (fault_active(FAULT_CONSOLE_FLOOD)) {
			flood_console();
			earlier(&deadline_us, port_time_us() + FLOOD_US);
		}
		port_wait(deadline_us);
	}
}

static _Noreturn void crash(void)
{
	port_delay_until_us(port_time_us() + CRASH_AFTER_US);
	port_reset(PORT_RESET_APPLICATION);
}

int node_main(const struct node_options *options)
{
	fault_load();
	if (FIRMWARE_CRASHES)
		crash();
	boot_stages_run();
	boot_record_begin();
	run(options);
}

int node_recover(const struct node_options *options)
{
	run(options);
}
