/* SPDX-License-Identifier: Apache-2.0 */
/* The node as a client of the DoIP entity above it. */
#include "../core/doip_client.h"
#include "../core/uds_dtc.h"
#include "credentials.h"
#include "node.h"

static bool was_active;

static enum port_status send_above(uint16_t via, uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	(void)via; /* there is one connection */
	return doip_client_send(source, target, data, length);
}

static uint8_t on_diagnostic(void *context, uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	(void)context;
	return diag_router_from_client(source, target, data, length);
}

static void on_state(void *context, enum doip_client_state state)
{
	(void)context;
	if (state == DOIP_CLIENT_ACTIVE)
		(void)uds_dtc_report(UDS_DTC_LOST_PEER, false);
	else if (was_active)
		(void)uds_dtc_report(UDS_DTC_LOST_PEER, true);
	was_active = state == DOIP_CLIENT_ACTIVE;
}

static enum port_status start(uint16_t address)
{
	/* The client may keep the pointers. */
	static struct doip_client_config config;
	static const struct doip_client_handlers handlers = {.diagnostic = on_diagnostic, .state_changed = on_state};
	struct tls_config *tls = NULL;
	uint32_t secured = 1;

	was_active = false;
	doip_client_config_load(&config);
	config.source_address = address;
	if (config.remote.port == 0)
		return PORT_ABSENT;
	(void)port_param_u32("client.tls", &secured);
	/* Never plain instead of TLS: a client without credentials stays silent. */
	if (secured != 0 && credentials_config(TLS_CLIENT, &tls) != PORT_OK)
		return PORT_ABSENT;
	return doip_client_start(&config, &handlers, tls);
}

static const struct diag_link link = {.send = send_above};

const struct node_side client_side = {.link = &link, .start = start, .poll = doip_client_poll, .stop = doip_client_stop};
