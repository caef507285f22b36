/* SPDX-License-Identifier: Apache-2.0 */
/* Zonal gateway: DoIP server for testers and ECUs, client of the vehicle gateway. */
#include "can_bus.h"
#include "node.h"
#include "zgw_can.h"

#define ZGW_ADDRESS 0x0091u
#define ECU_ADDRESS 0x0011u

int application_main(void)
{
	static const struct uds_did dids[] = {
	        {.id = 0xFD41, .length = CAN_BUS_STATE_LENGTH, .read_sessions = 7, .read = can_bus_state_read},
	};
	static const struct node_options options = {
	        .name = "ZGW",
	        .part_number = "HB-ZGW-01",
	        .address = ZGW_ADDRESS,
	        .routes = "0x0011",
	        .subnode = ECU_ADDRESS,
	        .server = &server_side,
	        .client = &client_side,
	        .can = &zgw_can,
	        .dids = dids,
	        .did_count = sizeof(dids) / sizeof(*dids),
	};

	return node_main(&options);
}
