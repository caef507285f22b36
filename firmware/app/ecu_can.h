/* SPDX-License-Identifier: Apache-2.0 */
/* The end node on CAN: UDS over ISO-TP, and secured PDUs. */
#ifndef FIRMWARE_APP_ECU_CAN_H
#define FIRMWARE_APP_ECU_CAN_H

#include "node.h"

extern const struct node_side ecu_can;

#endif
