/* SPDX-License-Identifier: Apache-2.0 */
/*
 * End device: knows no gateway of its own. A debugger leaves the endpoint in RAM while the board is held in reset; it is read
 * once a start, before the network begins. Without a sound one there is no network until the next reset.
 */
#include <string.h>

#include "../core/console.h"
#include "../core/endpoint.h"
#include "../core/message.h"
#include "../faults/fault.h"
#include "boot_stages.h"
#include "credentials.h"
#include "device_client.h"

#define MODE_SIZE 16u

enum device_mode { DEVICE_DEVELOPMENT, DEVICE_PRODUCTION, DEVICE_PLAIN, DEVICE_UNKNOWN };

static const char *const verify_names[] = {[DEVICE_DEVELOPMENT] = "none", [DEVICE_PRODUCTION] = "required", [DEVICE_PLAIN] = "plain"};
static char serial[MESSAGE_SERIAL_MAX + 1] = "HB-DEVICE-0001";

static void say(const char *text)
{
	struct console_line line;

	console_begin(&line);
	console_text(&line, text);
	console_end(&line);
}

static enum device_mode read_mode(void)
{
	char mode[MODE_SIZE] = "production";
	uint32_t secured = 1;

	(void)port_param_u32("client.tls", &secured);
	if (secured == 0)
		return DEVICE_PLAIN;
	if (port_param_text("device.mode", mode, sizeof(mode)) == PORT_INVALID)
		return DEVICE_UNKNOWN;
	if (strcmp(mode, "production") == 0)
		return DEVICE_PRODUCTION;
	return strcmp(mode, "development") == 0 ? DEVICE_DEVELOPMENT : DEVICE_UNKNOWN;
}

static enum port_status make_tls(enum device_mode mode, struct tls_config **ret_tls)
{
	bool unverified = mode == DEVICE_DEVELOPMENT || fault_active(FAULT_DEVICE_NO_VERIFY);

	return mode == DEVICE_PLAIN ? PORT_OK : credentials_client(unverified, ret_tls);
}

static bool read_endpoint(struct port_endpoint *ret_remote, enum device_mode mode)
{
	uint32_t address = ENDPOINT_ADDRESS, size = ENDPOINT_SIZE;
	struct endpoint endpoint;
	struct console_line line;
	enum endpoint_status status;

	(void)port_param_u32("endpoint.address", &address);
	(void)port_param_u32("endpoint.size", &size);
	status = endpoint_read(address, size, &endpoint);
	if (status != ENDPOINT_OK) {
		endpoint_report(status, &endpoint);
		return false;
	}
	console_begin_boot(&line, "endpoint");
	console_text(&line, " remote=");
	console_endpoint(&line, &endpoint.remote);
	console_text(&line, " verify=");
	console_text(&line, verify_names[mode]);
	console_end(&line);
	*ret_remote = endpoint.remote;
	return true;
}

static bool start(void)
{
	struct device_client_config config = {.serial = serial};
	struct tls_config *tls = NULL;
	enum device_mode mode = read_mode();

	if (mode == DEVICE_UNKNOWN) {
		say("! device: device.mode is development or production");
		return false;
	}
	(void)port_param_text("device.serial", serial, sizeof(serial));
	config.verify = verify_names[mode];
	device_client_config_load(&config);
	if (!read_endpoint(&config.remote, mode))
		return false;
	if (mode == DEVICE_DEVELOPMENT)
		say("device: development mode, the gateway is NOT verified");
	else
		say(mode == DEVICE_PLAIN ? "device: plain TCP, nothing is verified" : "device: production mode, the gateway is verified");
	/* Never plain instead of TLS: a device without credentials stays silent. */
	if (make_tls(mode, &tls) != PORT_OK)
		return false;
	return device_client_start(&config, tls) == PORT_OK;
}

int application_main(void)
{
	uint64_t deadline_us = UINT64_MAX;
	bool running;

	fault_load();
	boot_stages_run();
	running = start();
	for (;;) {
		if (running)
			device_client_poll(port_time_us(), &deadline_us);
		port_wait(deadline_us);
	}
}
