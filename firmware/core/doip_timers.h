/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inactivity of TCP_DATA sockets (ISO 13400-2:2019, 3.DoIP-080 ff.): initial from the accept to a routing activation,
 * general since the last message in either direction, and a peer that has stopped reading for good.
 */
#ifndef FIRMWARE_CORE_DOIP_TIMERS_H
#define FIRMWARE_CORE_DOIP_TIMERS_H

#include "doip_socket.h"

/* Closes the sockets whose time is over. */
void doip_timers_poll(struct doip_context *context);
/* When the next one is over; UINT64_MAX: no socket is open. */
uint64_t doip_timers_deadline(const struct doip_context *context);

#endif
