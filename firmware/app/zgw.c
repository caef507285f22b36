/* SPDX-License-Identifier: Apache-2.0 */
/* Zonal gateway: DoIP server for testers and ECUs, client of the vehicle gateway. */
#include "node.h"

#define ZGW_ADDRESS 0x0091u
#define ECU_ADDRESS 0x0011u

int application_main(void)
{
	static const struct node_options options = {
	        .name = "ZGW",
	        .part_number = "HB-ZGW-01",
	        .address = ZGW_ADDRESS,
	        .routes = "0x0011",
	        .subnode = ECU_ADDRESS,
	        .server = &server_side,
	        .client = &client_side,
	};

	return node_main(&options);
}
