/* SPDX-License-Identifier: Apache-2.0 */
#include "diag_router.h"

#include "../core/console.h"
#include "../core/uds_server.h"

#include <string.h>

#define SLOTS        3u
#define MAX_WAITING  2u /* for one connection: one that takes nothing leaves room for the others */
#define MAX_NODES    16u
#define MAX_UPSTREAM 8u
#define RETRY_US     1000u
#define ROUTES_SIZE  96u

#define PREFERENCE_SIZE 8u

/* ISO 13400-2 diagnostic message NACK codes, as this file gives them. */
enum { ACCEPTED = 0x00, UNKNOWN_TARGET = 0x03, TOO_LARGE = 0x04, OUT_OF_MEMORY = 0x05, UNREACHABLE = 0x06, TRANSPORT_ERROR = 0x08 };

/* A message that found its link's buffer full. */
struct slot {
	const struct diag_link *link; /* NULL: free */
	uint16_t via, source, target;
	uint32_t order; /* of arrival */
	size_t length;
	uint8_t data[DIAG_MAX_LENGTH];
};

static struct {
	struct diag_router_config config;
	uint16_t routes[DIAG_MAX_ROUTES];
	uint8_t route_count;
	uint32_t max_length;
	bool prefer_can;
	/* Addresses whose last request came from above: their answers go there. */
	uint16_t upstream[MAX_UPSTREAM];
	uint8_t upstream_count, upstream_next;
	struct slot slots[SLOTS];
	uint32_t order;
	bool activity;
} router;

/* ---- set-up ---------------------------------------------------------------------------------------------- */

static uint16_t parse_address(const char *text, size_t length)
{
	uint32_t value = 0;

	if (length < 3 || length > 6 || text[0] != '0' || (text[1] != 'x' && text[1] != 'X'))
		return 0;
	for (size_t i = 2; i < length; i++) {
		char c = text[i];

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value = value << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return 0;
	}
	return (uint16_t)value;
}

static void refuse_route(void)
{
	struct console_line line;

	console_begin(&line);
	console_text(&line, "! route.nodes: wants addresses like 0x0011, separated by commas");
	console_end(&line);
}

static void load_routes(const char *text)
{
	while (*text != '\0') {
		size_t length = 0;
		uint16_t address;

		while (text[length] != '\0' && text[length] != ',')
			length++;
		address = parse_address(text, length);
		if (address == 0 || router.route_count == DIAG_MAX_ROUTES) {
			refuse_route();
			return;
		}
		router.routes[router.route_count++] = address;
		text += length + (text[length] == ',');
	}
}

static void load_preference(void)
{
	char text[PREFERENCE_SIZE];
	struct console_line line;
	enum port_status status = port_param_text("route.prefer", text, sizeof(text));

	router.prefer_can = status == PORT_OK && strcmp(text, "isotp") == 0;
	if (status == PORT_ABSENT || (status == PORT_OK && (router.prefer_can || strcmp(text, "doip") == 0)))
		return;
	console_begin(&line);
	console_text(&line, "! route.prefer: wants doip or isotp");
	console_end(&line);
}

void diag_router_start(const struct diag_router_config *config)
{
	char text[ROUTES_SIZE];
	enum port_status status;

	memset(&router, 0, sizeof(router));
	router.config = *config;
	router.max_length = DIAG_MAX_LENGTH;
	if (port_param_u32("route.max_length", &router.max_length) == PORT_OK && router.max_length > DIAG_MAX_LENGTH)
		router.max_length = DIAG_MAX_LENGTH;
	load_preference();
	status = port_param_text("route.nodes", text, sizeof(text));
	if (status == PORT_INVALID)
		refuse_route();
	load_routes(status == PORT_OK ? text : config->default_routes);
}

/* ---- where an address is --------------------------------------------------------------------------------- */

static bool is_route(uint16_t address)
{
	for (uint8_t i = 0; i < router.route_count; i++) {
		if (router.routes[i] == address)
			return true;
	}
	return false;
}

static bool has_node(const struct diag_link *link, uint16_t address)
{
	uint16_t nodes[MAX_NODES];
	uint8_t count = link == NULL || link->nodes == NULL ? 0 : link->nodes(nodes, MAX_NODES);

	for (uint8_t i = 0; i < count; i++) {
		if (nodes[i] == address)
			return true;
	}
	return false;
}

static bool is_connected(uint16_t address)
{
	return has_node(router.config.server, address);
}

static bool is_over_can(uint16_t address)
{
	return has_node(router.config.can, address) && (router.prefer_can || !is_connected(address));
}

/* Index, or -1. */
static int find_upstream(uint16_t address)
{
	for (int i = 0; i < router.upstream_count; i++) {
		if (router.upstream[i] == address)
			return i;
	}
	return -1;
}

static bool is_upstream(uint16_t address)
{
	return find_upstream(address) >= 0;
}

static void remember_upstream(uint16_t address)
{
	if (is_upstream(address))
		return;
	router.upstream[router.upstream_next] = address;
	router.upstream_next = (uint8_t)((router.upstream_next + 1) % MAX_UPSTREAM);
	if (router.upstream_count < MAX_UPSTREAM)
		router.upstream_count++;
}

/* The address asked from below last: its answers go below. */
static void forget_upstream(uint16_t address)
{
	int index = find_upstream(address);

	if (index >= 0)
		router.upstream[index] = 0;
}

/* ---- sending --------------------------------------------------------------------------------------------- */

static struct slot *free_slot(void)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		if (router.slots[i].link == NULL)
			return &router.slots[i];
	}
	return NULL;
}

/* What waits for this connection already and must not be overtaken. */
static unsigned count_waiting(const struct diag_link *link, uint16_t via)
{
	unsigned count = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		count += router.slots[i].link == link && router.slots[i].via == via;
	return count;
}

static bool has_room(const struct diag_link *link, uint16_t via)
{
	return free_slot() != NULL && count_waiting(link, via) < MAX_WAITING;
}

static enum port_status keep(const struct diag_link *link, uint16_t via, uint16_t source, uint16_t target, const uint8_t *data,
                             size_t length)
{
	struct slot *slot = free_slot();

	if (!has_room(link, via) || length > sizeof(slot->data))
		return PORT_FULL;
	slot->link = link;
	slot->order = ++router.order;
	slot->via = via;
	slot->source = source;
	slot->target = target;
	slot->length = length;
	memcpy(slot->data, data, length);
	return PORT_OK;
}

/* PORT_OK: left or kept. PORT_FULL: neither. */
static enum port_status send(const struct diag_link *link, uint16_t via, uint16_t source, uint16_t target, const uint8_t *data,
                             size_t length)
{
	enum port_status status = PORT_FULL;

	if (link == NULL)
		return PORT_ABSENT;
	router.activity = true;
	if (count_waiting(link, via) == 0)
		status = link->send(via, source, target, data, length);
	return status == PORT_FULL ? keep(link, via, source, target, data, length) : status;
}

static uint8_t nack_of(enum port_status status)
{
	if (status == PORT_OK)
		return ACCEPTED;
	return status == PORT_FULL ? OUT_OF_MEMORY : UNREACHABLE;
}

static const struct diag_link *link_of(uint16_t tester)
{
	if (tester == DIAG_CAN_TESTER && router.config.can != NULL)
		return router.config.can;
	return router.config.server == NULL || is_upstream(tester) ? router.config.client : router.config.server;
}

static enum port_status send_to_tester(uint16_t source, uint16_t tester, const uint8_t *data, size_t length)
{
	return send(link_of(tester), tester, source, tester, data, length);
}

void diag_router_respond(void *context, uint16_t tester, const uint8_t *data, size_t length)
{
	struct console_line line;

	(void)context;
	if (send_to_tester(router.config.own_address, tester, data, length) != PORT_FULL)
		return; /* sent, or the tester is gone and with it who wanted the answer */
	console_begin(&line);
	console_text(&line, "diagnostics: an answer was dropped, the tester does not read: 0x");
	console_hexadecimal(&line, tester, 4);
	console_end(&line);
}

/* ---- routing --------------------------------------------------------------------------------------------- */

/* Beginning nothing while there is no room to keep its answer. */
static uint8_t to_own_server(uint16_t source, bool functional, const uint8_t *data, size_t length)
{
	if (!has_room(link_of(source), source))
		return OUT_OF_MEMORY;
	router.activity = true;
	uds_server_request(source, functional, data, length, port_time_us());
	return ACCEPTED;
}

/* Not kept when it cannot go at once: a tester that hears "busy" can tell its own timers. */
static uint8_t to_can(uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	if (length > router.max_length)
		return TOO_LARGE;
	router.activity = true;
	switch (router.config.can->send(target, source, target, data, length)) {
	case PORT_OK:
		return ACCEPTED;
	case PORT_FULL:
		return OUT_OF_MEMORY;
	case PORT_INVALID:
		return TOO_LARGE;
	case PORT_ABSENT:
		return UNREACHABLE;
	default:
		return TRANSPORT_ERROR;
	}
}

static uint8_t to_node(uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	if (is_over_can(target))
		return to_can(source, target, data, length);
	if (!is_connected(target))
		return is_route(target) ? UNREACHABLE : UNKNOWN_TARGET;
	if (!is_route(target) && !diag_is_node(target))
		return UNKNOWN_TARGET;
	if (length > router.max_length)
		return TOO_LARGE;
	return nack_of(send(router.config.server, target, source, target, data, length));
}

/* To this node and to every node below; one that cannot take it is left out, as on a bus. The target stays the
 * functional one: each node leaves out the answers that ISO 14229-1:2020 8.7.2 does not want. */
static void to_nodes_on_can(uint16_t source, const uint8_t *data, size_t length)
{
	uint16_t nodes[MAX_NODES];
	uint8_t count = router.config.can == NULL || router.config.can->nodes == NULL ? 0 : router.config.can->nodes(nodes, MAX_NODES);

	for (uint8_t i = 0; i < count; i++) {
		if (!is_over_can(nodes[i]))
			continue;
		(void)to_can(source, DIAG_FUNCTIONAL, data, length); /* one frame reaches them all */
		return;
	}
}

static uint8_t to_all(uint16_t source, const uint8_t *data, size_t length)
{
	uint16_t nodes[MAX_NODES];
	uint8_t count = router.config.server == NULL ? 0 : router.config.server->nodes(nodes, MAX_NODES);
	uint8_t nack = to_own_server(source, true, data, length);

	for (uint8_t i = 0; i < count && nack == ACCEPTED; i++) {
		if (!diag_is_node(nodes[i]) || nodes[i] == source || length > router.max_length || is_over_can(nodes[i]))
			continue;
		(void)send(router.config.server, nodes[i], source, DIAG_FUNCTIONAL, data, length);
	}
	if (nack == ACCEPTED)
		to_nodes_on_can(source, data, length);
	return nack;
}

uint8_t diag_router_from_server(uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	/* An answer of a node below to who asked from above. */
	if (diag_is_node(source) && is_upstream(target))
		return nack_of(send(router.config.client, target, source, target, data, length));
	/* An answer of a node below to a tester beside it. */
	if (diag_is_node(source) && !diag_is_node(target))
		return nack_of(send(router.config.server, target, source, target, data, length));
	forget_upstream(source);
	if (target == router.config.own_address)
		return to_own_server(source, false, data, length);
	if (target == DIAG_FUNCTIONAL)
		return to_all(source, data, length);
	return to_node(source, target, data, length);
}

uint8_t diag_router_from_client(uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	remember_upstream(source);
	if (target == router.config.own_address)
		return to_own_server(source, false, data, length);
	/* Only for this node: what is above knows this connection by one address and would refuse others' answers
	 * that it did not ask for. */
	if (target == DIAG_FUNCTIONAL)
		return to_own_server(source, true, data, length);
	return to_node(source, target, data, length);
}

uint8_t diag_router_from_can(uint16_t source, bool functional, const uint8_t *data, size_t length)
{
	return to_own_server(source, functional, data, length);
}

uint8_t diag_router_answer_from_can(uint16_t node, uint16_t tester, const uint8_t *data, size_t length)
{
	return nack_of(send_to_tester(node, tester, data, length));
}

/* A message goes only when nothing older waits for its connection: a short one would find room before a long one. */
static bool is_next(const struct slot *slot)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		const struct slot *other = &router.slots[i];

		if (other->link == slot->link && other->via == slot->via && (int32_t)(other->order - slot->order) < 0)
			return false;
	}
	return slot->link != NULL;
}

static enum port_status send_slot(struct slot *slot)
{
	enum port_status status = slot->link->send(slot->via, slot->source, slot->target, slot->data, slot->length);

	if (status == PORT_FULL)
		return status;
	slot->link = NULL;
	router.activity = true;
	return PORT_OK;
}

void diag_router_poll(uint64_t now_us, uint64_t *ret_deadline_us)
{
	bool sent;

	do {
		sent = false;
		*ret_deadline_us = UINT64_MAX;
		for (unsigned i = 0; i < SLOTS; i++) {
			if (!is_next(&router.slots[i]))
				continue;
			if (send_slot(&router.slots[i]) == PORT_OK)
				sent = true;
			else
				*ret_deadline_us = now_us + RETRY_US;
		}
	} while (sent);
}

bool diag_router_take_activity(void)
{
	bool activity = router.activity;

	router.activity = false;
	return activity;
}
