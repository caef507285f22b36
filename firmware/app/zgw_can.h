/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway on CAN: carries diagnostics to a node that is reached over ISO-TP. */
#ifndef FIRMWARE_APP_ZGW_CAN_H
#define FIRMWARE_APP_ZGW_CAN_H

#include "node.h"

extern const struct node_side zgw_can;

#endif
