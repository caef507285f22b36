/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIRMWARE_CORE_UDS_COMMUNICATION_H
#define FIRMWARE_CORE_UDS_COMMUNICATION_H

#include <stdbool.h>
#include <stdint.h>

/* CommunicationControl as a state the application asks. Index: 0 normal communication, 1 network management. */
enum uds_communication_kind { UDS_NORMAL_COMMUNICATION, UDS_NETWORK_MANAGEMENT, UDS_COMMUNICATION_KINDS };
bool uds_transmission_enabled(enum uds_communication_kind kind);
bool uds_reception_enabled(enum uds_communication_kind kind);
/* The controlType in force (0..3) for this node, and for the subnode behind it. */
uint8_t uds_communication_state(enum uds_communication_kind kind);
uint8_t uds_communication_subnode_state(void);

#endif
