/* SPDX-License-Identifier: Apache-2.0 */
/* End node: reached through the zonal gateway whose client it is, and over CAN. */
#include "can_bus.h"
#include "ecu_can.h"
#include "secoc_node.h"

#define ECU_ADDRESS 0x0011u

int application_main(void)
{
	/* The override opens or closes the gate for secured PDUs: as protected as writing the VIN. */
	static const struct uds_did dids[] = {
	        {.id = 0xFD40, .length = SECOC_NODE_RECORDS_LENGTH, .read_sessions = 7, .read = secoc_node_records_read},
	        {.id = 0xFD41, .length = CAN_BUS_STATE_LENGTH, .read_sessions = 7, .read = can_bus_state_read},
	        {.id = 0xFD42,
	         .length = SECOC_NODE_OVERRIDE_LENGTH,
	         .write_sessions = 4,
	         .write_security = 1,
	         .write = secoc_node_override_write},
	};
	static const struct node_options options = {
	        .name = "ECU",
	        .part_number = "HB-ECU-01",
	        .address = ECU_ADDRESS,
	        .routes = "",
	        .client = &client_side,
	        .can = &ecu_can,
	        .dids = dids,
	        .did_count = sizeof(dids) / sizeof(*dids),
	};

	return node_main(&options);
}
