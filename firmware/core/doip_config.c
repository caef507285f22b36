/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters of docs/reference/virtual-board.md that concern DoIP. */
#include <string.h>

#include "console.h"
#include "doip_client.h"
#include "doip_entity.h"

#define TEXT_SIZE      192u
#define VIN_LENGTH     17u
#define SMALLEST_MAX   64u
#define ENDPOINT_TEXTS 80u

static void complain(const char *name)
{
	struct console_line line;
	console_begin(&line);
	console_text(&line, "! parameter not understood, default used: ");
	console_text(&line, name);
	console_end(&line);
}

static void load_u32(const char *name, uint32_t minimum, uint32_t maximum, uint32_t *value)
{
	uint32_t read;
	enum port_status status = port_param_u32(name, &read);
	if (status == PORT_OK && read >= minimum && read <= maximum)
		*value = read;
	else if (status != PORT_ABSENT)
		complain(name);
}

static void load_u8(const char *name, uint8_t minimum, uint8_t maximum, uint8_t *value)
{
	uint32_t wide = *value;
	load_u32(name, minimum, maximum, &wide);
	*value = (uint8_t)wide;
}

static void load_u16(const char *name, uint16_t *value)
{
	uint32_t wide = *value;
	load_u32(name, 0, UINT16_MAX, &wide);
	*value = (uint16_t)wide;
}

static void load_endpoint(const char *name, struct port_endpoint *endpoint)
{
	char text[ENDPOINT_TEXTS];
	memset(endpoint, 0, sizeof *endpoint);
	enum port_status status = port_param_text(name, text, sizeof text);
	if (status == PORT_ABSENT || (status == PORT_OK && text[0] == '\0'))
		return;
	if (status != PORT_OK || port_endpoint_parse(text, endpoint) != PORT_OK)
		complain(name);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Reads a number up to `maximum`, decimal or with 0x; NULL when there is none. Gives what follows it. */
static const char *read_number(const char *text, uint32_t maximum, uint32_t *ret_value)
{
	int base = 10;
	uint32_t value = 0;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	const char *begin = text;
	for (int digit = hex_digit(*text); digit >= 0 && digit < base; digit = hex_digit(*++text)) {
		value = value * (uint32_t)base + (uint32_t)digit;
		if (value > maximum)
			return NULL;
	}
	*ret_value = value;
	return text == begin ? NULL : text;
}

static bool read_id(const char *text, uint8_t id[6])
{
	uint8_t bytes[6];
	if (strlen(text) != 12)
		return false;
	for (unsigned i = 0; i < 6; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(id, bytes, sizeof bytes);
	return true;
}

static void load_id(const char *name, uint8_t id[6])
{
	char text[16];
	memset(id, 0, 6);
	enum port_status status = port_param_text(name, text, sizeof text);
	if (status == PORT_ABSENT || (status == PORT_OK && text[0] == '\0'))
		return;
	if (status != PORT_OK || !read_id(text, id))
		complain(name);
}

static void load_vin(struct doip_entity_config *config)
{
	char text[VIN_LENGTH + 1];
	memset(config->vin, 0, sizeof config->vin);
	config->vin_programmed = false;
	enum port_status status = port_param_text("doip.vin", text, sizeof text);
	if (status == PORT_ABSENT || (status == PORT_OK && text[0] == '\0'))
		return;
	if (status != PORT_OK || strlen(text) != VIN_LENGTH) {
		complain("doip.vin");
		return;
	}
	memcpy(config->vin, text, VIN_LENGTH);
	config->vin_programmed = true;
}

static bool read_testers(struct doip_entity_config *config, const char *text)
{
	config->tester_count = 0;
	while (*text != '\0') {
		uint32_t address;
		text = read_number(text, UINT16_MAX, &address);
		if (text == NULL || config->tester_count == DOIP_MAX_TESTERS || (*text != ',' && *text != '\0'))
			return false;
		config->testers[config->tester_count++] = (uint16_t)address;
		text += *text == ',';
	}
	return true;
}

static void load_testers(struct doip_entity_config *config)
{
	static const char defaults[] = "0x0e80,0x0e81,0x0e82,0x0e83,0x0e84,0x0e85,0x0091,0x0011";
	char text[TEXT_SIZE];
	enum port_status status = port_param_text("doip.testers", text, sizeof text);
	if (status == PORT_OK && read_testers(config, text))
		return;
	if (status != PORT_ABSENT)
		complain("doip.testers");
	(void)read_testers(config, defaults);
}

static const char *read_need(const char *text, uint8_t *needs)
{
	static const struct {
		const char *name;
		uint8_t need;
	} names[] = {{"tls", DOIP_NEEDS_TLS}, {"auth", DOIP_NEEDS_AUTHENTICATION}, {"confirm", DOIP_NEEDS_CONFIRMATION}};
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
		size_t length = strlen(names[i].name);
		if (strncmp(text, names[i].name, length) != 0)
			continue;
		*needs |= names[i].need;
		return text + length;
	}
	return NULL;
}

/* "0xe0:tls+auth"; gives what follows it, NULL when it is malformed. */
static const char *read_activation(const char *text, uint8_t *ret_type, uint8_t *ret_needs)
{
	uint32_t type = 0;
	uint8_t needs = 0;
	text = read_number(text, UINT8_MAX, &type);
	if (text != NULL && *text == ':') {
		do
			text = read_need(text + 1, &needs);
		while (text != NULL && *text == '+');
	}
	*ret_type = (uint8_t)type;
	*ret_needs = needs;
	return text != NULL && (*text == ',' || *text == '\0') ? text : NULL;
}

static bool read_activations(struct doip_entity_config *config, const char *text)
{
	config->activation_count = 0;
	while (*text != '\0') {
		uint8_t type = 0, needs = 0;
		text = read_activation(text, &type, &needs);
		if (text == NULL || config->activation_count == DOIP_MAX_ACTIVATIONS)
			return false;
		config->activations[config->activation_count].type = type;
		config->activations[config->activation_count].needs = needs;
		config->activation_count++;
		text += *text == ',';
	}
	return true;
}

static void load_activations(struct doip_entity_config *config)
{
	static const char defaults[] = "0x00,0x01,0xe0:tls,0xe1:auth,0xe2:confirm";
	char text[TEXT_SIZE];
	enum port_status status = port_param_text("doip.activations", text, sizeof text);
	if (status == PORT_OK && read_activations(config, text))
		return;
	if (status != PORT_ABSENT)
		complain("doip.activations");
	(void)read_activations(config, defaults);
}

static void load_timers(struct doip_entity_config *config)
{
	config->initial_inactivity_ms = 2000;
	config->general_inactivity_ms = 300000;
	config->alive_check_ms = 500;
	config->announce_wait_max_ms = 500;
	config->announce_interval_ms = 500;
	config->announce_count = 3;
	load_u32("doip.initial_inactivity_ms", 1, UINT32_MAX, &config->initial_inactivity_ms);
	load_u32("doip.general_inactivity_ms", 1, UINT32_MAX, &config->general_inactivity_ms);
	load_u32("doip.alive_check_ms", 1, UINT32_MAX, &config->alive_check_ms);
	load_u32("doip.announce_wait_max_ms", 0, UINT32_MAX, &config->announce_wait_max_ms);
	load_u32("doip.announce_interval_ms", 1, UINT32_MAX, &config->announce_interval_ms);
	load_u8("doip.announce_count", 0, UINT8_MAX, &config->announce_count);
}

static void load_identity(struct doip_entity_config *config)
{
	load_u16("doip.logical_address", &config->logical_address);
	load_vin(config);
	load_id("doip.eid", config->eid);
	load_id("doip.gid", config->gid);
	config->further_action = 0;
	/* Without a VIN the vehicle is not synchronized, unless the parameter says otherwise. */
	config->sync_status = config->vin_programmed ? 0x00 : 0x10;
	config->node_type = 0;
	config->power_mode = 1;
	load_u8("doip.further_action", 0, UINT8_MAX, &config->further_action);
	load_u8("doip.sync_status", 0, UINT8_MAX, &config->sync_status);
	load_u8("doip.node_type", 0, UINT8_MAX, &config->node_type);
	load_u8("doip.power_mode", 0, UINT8_MAX, &config->power_mode);
}

void doip_entity_config_load(struct doip_entity_config *config)
{
	load_identity(config);
	config->max_sockets = DOIP_MAX_SOCKETS < 4 ? DOIP_MAX_SOCKETS : 4;
	config->max_data_size = DOIP_MAX_MESSAGE;
	load_u8("doip.max_sockets", 1, DOIP_MAX_SOCKETS, &config->max_sockets);
	load_u32("doip.max_data_size", SMALLEST_MAX, DOIP_MAX_MESSAGE, &config->max_data_size);
	load_testers(config);
	load_activations(config);
	load_endpoint("doip.udp", &config->udp);
	load_endpoint("doip.udp_broadcast", &config->udp_broadcast);
	load_endpoint("doip.announce_to", &config->announce_to);
	load_endpoint("doip.plain", &config->tcp_plain);
	load_endpoint("doip.tls", &config->tcp_tls);
	load_timers(config);
}

void doip_client_config_load(struct doip_client_config *config)
{
	load_u16("doip.logical_address", &config->source_address);
	load_endpoint("client.remote", &config->remote);
	config->activation_type = 0x00;
	config->connect_timeout_ms = 2000;
	config->backoff_first_ms = 100;
	config->backoff_limit_ms = 3200;
	config->keep_alive_ms = 2000;
	load_u32("client.connect_timeout_ms", 1, UINT32_MAX, &config->connect_timeout_ms);
	load_u32("client.backoff_first_ms", 1, UINT32_MAX, &config->backoff_first_ms);
	load_u32("client.backoff_limit_ms", 1, UINT32_MAX, &config->backoff_limit_ms);
	load_u32("client.keep_alive_ms", 0, UINT32_MAX, &config->keep_alive_ms);
}
