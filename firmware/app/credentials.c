/* SPDX-License-Identifier: Apache-2.0 */
#include "credentials.h"

#include "../core/console.h"

#include <string.h>

#define NAME_SIZE    128u
#define VERSION_SIZE 8u
#define TLS_1_2      0x0303u
#define TLS_1_3      0x0304u

static enum port_status fail(const char *what, enum port_status status)
{
	struct console_line line;

	console_begin(&line);
	console_text(&line, "! tls: ");
	console_text(&line, what);
	console_end(&line);
	return status;
}

static bool read_version(const char *parameter, uint16_t *version)
{
	char text[VERSION_SIZE];
	enum port_status status = port_param_text(parameter, text, sizeof(text));

	if (status == PORT_ABSENT)
		return true;
	if (status == PORT_OK && strcmp(text, "1.2") == 0)
		*version = TLS_1_2;
	else if (status == PORT_OK && strcmp(text, "1.3") == 0)
		*version = TLS_1_3;
	else
		return false;
	return true;
}

static enum port_status start_once(void)
{
	static bool started;
	enum port_status status;

	if (started)
		return PORT_OK;
	status = tls_start();
	started = status == PORT_OK;
	return status;
}

static enum port_status make(struct tls_config_options *options, struct tls_config **ret_config)
{
	enum port_status status;

	options->minimum_version = TLS_1_2;
	options->maximum_version = TLS_1_3;
	if (!read_version("tls.minimum", &options->minimum_version) || !read_version("tls.maximum", &options->maximum_version))
		return fail("tls.minimum and tls.maximum are 1.2 or 1.3", PORT_INVALID);
	status = start_once();
	if (status != PORT_OK)
		return fail(status == PORT_ABSENT ? "a credential is missing" : "a credential cannot be used", status);
	status = tls_config_make(options, ret_config);
	return status == PORT_OK ? PORT_OK : fail("no configuration", status);
}

enum port_status credentials_client(bool unverified, struct tls_config **ret_config)
{
	static char name[NAME_SIZE]; /* referred to for the life of the configuration */
	struct tls_config_options options = {.role = TLS_CLIENT, .unverified = unverified};

	if (port_param_text("client.name", name, sizeof(name)) != PORT_OK)
		name[0] = '\0';
	if (name[0] == '\0' && !unverified)
		return fail("client.name is needed, the name that the server must carry", PORT_ABSENT);
	options.peer_name = name[0] == '\0' ? NULL : name;
	return make(&options, ret_config);
}

enum port_status credentials_config(enum tls_role role, struct tls_config **ret_config)
{
	struct tls_config_options options = {.role = role};

	return role == TLS_CLIENT ? credentials_client(false, ret_config) : make(&options, ret_config);
}
