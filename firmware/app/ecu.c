/* SPDX-License-Identifier: Apache-2.0 */
/* End node: reached through the zonal gateway whose client it is. */
#include "node.h"

#define ECU_ADDRESS 0x0011u

int application_main(void)
{
	static const struct node_options options = {
	        .name = "ECU",
	        .part_number = "HB-ECU-01",
	        .address = ECU_ADDRESS,
	        .routes = "",
	        .client = &client_side,
	};

	return node_main(&options);
}
