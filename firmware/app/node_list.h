/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIRMWARE_APP_NODE_LIST_H
#define FIRMWARE_APP_NODE_LIST_H

#include <stddef.h>
#include <stdint.h>

/* DID FD01: the logical addresses (2 bytes each, ascending) of the nodes, not testers, that are connected to the link
 * given as context (struct diag_link). */
size_t node_list_read(void *context, uint8_t *buffer, size_t size);

#endif
