/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration file of the daemon (docs/reference/daemon.md). */
#ifndef HARNESS_DAEMON_CONFIG_H
#define HARNESS_DAEMON_CONFIG_H

#include "api/api.h"

struct daemon_config {
	char *state;             /* absolute */
	char *socket, *address;  /* address NULL: no TCP */
	char *certificate, *key; /* NULL: no TLS */
	char **names;            /* NULL-terminated */
	enum token_role loopback_role;
	uint64_t upload_limit;
	struct lab_config lab;
};
/* Every error with file:line:column (ERROR_USAGE): unknown and duplicate keys with "did you mean", units, limits, rig files that do not
 * load. Relative paths are relative to the configuration file. */
int daemon_config_load(const char *path, struct daemon_config **ret, struct error *err) WARN_UNUSED;
void daemon_config_free(struct daemon_config *);
json_t *schema_daemon_config(void); /* JSON Schema; new reference */

#endif
