/* SPDX-License-Identifier: Apache-2.0 */
/* The node as a DoIP entity. */
#include "../core/doip_entity.h"
#include "consent.h"
#include "credentials.h"
#include "identity.h"
#include "node.h"

static enum port_status send_below(uint16_t via, uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	return doip_entity_send_via(via, source, target, data, length);
}

static enum doip_diag_nack on_diagnostic(void *context, uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	(void)context;
	return (enum doip_diag_nack)diag_router_from_server(source, target, data, length);
}

static void on_node_changed(void *context, uint16_t address, bool connected)
{
	(void)context;
	if (!connected)
		consent_forget(address);
}

/* The VIN may have been written by diagnostics, which the entity's own parameters do not know. */
static void take_vin(struct doip_entity_config *config)
{
	uint32_t given;

	config->vin_programmed = identity_vin(config->vin);
	if (port_param_u32("doip.sync_status", &given) == PORT_ABSENT)
		config->sync_status = config->vin_programmed ? 0x00 : 0x10;
}

static enum port_status start(uint16_t address)
{
	/* The entity may keep the pointers. */
	static struct doip_entity_config config;
	static const struct doip_entity_handlers handlers = {.diagnostic = on_diagnostic,
	                                                     .node_changed = on_node_changed,
	                                                     .authenticate = consent_authenticate,
	                                                     .confirm = consent_confirm};
	struct tls_config *tls = NULL;

	doip_entity_config_load(&config);
	config.logical_address = address;
	take_vin(&config);
	consent_start();
	/* Without credentials nothing is offered over TLS; what is offered plain goes on. */
	if (config.tcp_tls.port != 0 && credentials_config(TLS_SERVER, &tls) != PORT_OK)
		config.tcp_tls.port = 0;
	return doip_entity_start(&config, &handlers, tls);
}

static const struct diag_link link = {.send = send_below, .nodes = doip_entity_nodes};

const struct node_side server_side = {.link = &link, .start = start, .poll = doip_entity_poll, .stop = doip_entity_stop};
