/* SPDX-License-Identifier: Apache-2.0 */
/* With the faces that the applications have: who reaches a board in its normal life reaches it here in the same way. */
#include "recovery.h"

#include "../app/node.h"
#include "recovery_can.h"

void recovery_run(uint16_t address)
{
	static struct node_options options = {
	        .name = "BOOT",
	        .part_number = "HB-BOOT-01",
	        .routes = "",
	        .server = &server_side,
	        .can = &recovery_can,
	        .recovery = true,
	};

	options.address = address;
	(void)node_recover(&options);
}
