/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The UDP_DISCOVERY side of a DoIP entity: vehicle identification, announcements, entity status, power mode
 * (ISO 13400-2:2019, 8.DoIP-046 ff.).
 */
#ifndef FIRMWARE_CORE_DOIP_UDP_H
#define FIRMWARE_CORE_DOIP_UDP_H

#include "doip_entity.h"

#define DOIP_UDP_ANSWERS 16u /* identification answers that wait for their random delay */

struct doip_udp_answer {
	bool used;
	uint8_t version;
	uint64_t due_us;
	struct port_endpoint to;
};

struct doip_udp {
	const struct doip_entity_config *config; /* the owner's; lives as long */
	port_socket unicast, broadcast;
	bool link_up;
	uint8_t announcements_left;
	uint64_t announce_us;
	struct doip_udp_answer answers[DOIP_UDP_ANSWERS];
};

/* Opens the sockets. After a failure nothing is open. */
enum port_status doip_udp_start(struct doip_udp *udp, const struct doip_entity_config *config);
/* open_sockets: TCP_DATA sockets for the entity status. Returns when it wants to be called again. */
uint64_t doip_udp_poll(struct doip_udp *udp, uint64_t now_us, uint8_t open_sockets);
void doip_udp_stop(struct doip_udp *udp);

#endif
