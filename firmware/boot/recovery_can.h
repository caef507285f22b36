/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIRMWARE_BOOT_RECOVERY_CAN_H
#define FIRMWARE_BOOT_RECOVERY_CAN_H

#include "../app/node.h"

/* UDS over ISO-TP with the identifiers of an end node, on boards without a DoIP server: a gateway's bus has others' identifiers. */
extern const struct node_side recovery_can;

#endif
