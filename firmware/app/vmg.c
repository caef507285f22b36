/* SPDX-License-Identifier: Apache-2.0 */
/* Vehicle gateway: the DoIP server that the zonal gateways connect to; keeps the list of connected nodes (DID FD01). */
#include "node.h"

#define VMG_ADDRESS 0x0E00u

int application_main(void)
{
	static const struct node_options options = {
	        .name = "VMG",
	        .part_number = "HB-VMG-01",
	        .address = VMG_ADDRESS,
	        .routes = "0x0091",
	        .server = &server_side,
	};

	return node_main(&options);
}
