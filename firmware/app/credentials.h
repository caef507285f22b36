/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIRMWARE_APP_CREDENTIALS_H
#define FIRMWARE_APP_CREDENTIALS_H

#include "../core/tls.h"

/* A TLS configuration with this board's certificates and the versions of tls.minimum and tls.maximum. Starts the TLS
 * library at the first call. Client: the name that the server must carry is the parameter client.name.
 * What is wrong is written to the console. */
enum port_status credentials_config(enum tls_role role, struct tls_config **ret_config);
/* A client's as above, or, unverified, one that takes any server: client.name is then only asked for, where it is set. */
enum port_status credentials_client(bool unverified, struct tls_config **ret_config);

#endif
