/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the daemon can listen as its configuration says, as far as that can be told without listening. */
#ifndef HARNESS_DAEMON_CONFIG_LISTEN_H
#define HARNESS_DAEMON_CONFIG_LISTEN_H

#include "../base/value.h"
#include "config.h"

/* The socket's path fits into an address, the TCP address is one, beyond loopback there is TLS, its files are a certificate in PEM and the
 * key that fits. ERROR_USAGE at the key that is wrong. config has its standard values. */
int config_listen_check(const struct daemon_config *config, const struct value *root, struct error *err) WARN_UNUSED;

#endif
