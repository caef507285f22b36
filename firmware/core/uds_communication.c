/* SPDX-License-Identifier: Apache-2.0 */
/* CommunicationControl 28 (ISO 14229-1:2020 clause 10.5). */
#include "uds_communication.h"

#include "uds_services.h"

#define TYPE_MASK         0x03u
#define TYPE_RESERVED     0x0Cu
#define SUBNET_ALL        0x00u
#define SUBNET_RECEIVING  0xF0u
#define DISABLE_TX        0x01u /* controlType bit 0: no transmission; bit 1: no reception */
#define DISABLE_RX        0x02u
#define PLAIN_LENGTH      3u
#define ADDRESSED_LENGTH  5u
#define ADDRESSED_DISABLE 0x04u

static struct {
	uint8_t state[UDS_COMMUNICATION_KINDS];
	uint8_t subnode;
} communication;

bool uds_transmission_enabled(enum uds_communication_kind kind)
{
	return (communication.state[kind] & DISABLE_TX) == 0;
}
bool uds_reception_enabled(enum uds_communication_kind kind)
{
	return (communication.state[kind] & DISABLE_RX) == 0;
}
uint8_t uds_communication_state(enum uds_communication_kind kind)
{
	return communication.state[kind];
}
uint8_t uds_communication_subnode_state(void)
{
	return communication.subnode;
}

void uds_communication_start(uint64_t now_us)
{
	(void)now_us;
	communication.state[UDS_NORMAL_COMMUNICATION] = 0;
	communication.state[UDS_NETWORK_MANAGEMENT] = 0;
	communication.subnode = 0;
}

/* Back to normal in the default session; a change among the others keeps what was set. */
void uds_communication_session_changed(enum uds_session from, enum uds_session to)
{
	(void)from;
	if (to == UDS_DEFAULT)
		uds_communication_start(0);
}

static bool type_valid(uint8_t type)
{
	uint8_t subnet = type & 0xF0u;

	return (type & TYPE_MASK) != 0 && (type & TYPE_RESERVED) == 0 && (subnet == SUBNET_ALL || subnet == SUBNET_RECEIVING);
}

/* controlType values: 0 enable both, 1 enable Rx and disable Tx, 2 disable Rx and enable Tx, 3 disable both. */
static uint8_t control_run(struct uds_call *call)
{
	uint8_t type = call->data[2];

	if (!type_valid(type))
		return UDS_OUT_OF_RANGE;
	for (int kind = 0; kind < UDS_COMMUNICATION_KINDS; kind++) {
		if ((type >> kind & 1u) != 0)
			communication.state[kind] = call->sub_function;
	}
	return UDS_POSITIVE;
}

static uint8_t addressed_run(struct uds_call *call)
{
	uint16_t node = uds_get_u16(call->data + 3);

	if (!type_valid(call->data[2]) || node == 0 || node != uds_application.subnode)
		return UDS_OUT_OF_RANGE;
	communication.subnode = call->sub_function == ADDRESSED_DISABLE ? DISABLE_TX : 0;
	return UDS_POSITIVE;
}

const struct uds_sub_function uds_communication_sub_functions[6] = {
        {0x00, UDS_IN_EXTENDED, 0, PLAIN_LENGTH, NULL, control_run},
        {0x01, UDS_IN_EXTENDED, 0, PLAIN_LENGTH, NULL, control_run},
        {0x02, UDS_IN_EXTENDED, 0, PLAIN_LENGTH, NULL, control_run},
        {0x03, UDS_IN_EXTENDED, 0, PLAIN_LENGTH, NULL, control_run},
        {ADDRESSED_DISABLE, UDS_IN_EXTENDED, 0, ADDRESSED_LENGTH, NULL, addressed_run},
        {0x05, UDS_IN_EXTENDED, 0, ADDRESSED_LENGTH, NULL, addressed_run},
};
