/* SPDX-License-Identifier: Apache-2.0 */
/* What libsocketcan lacks: the data phase of CAN FD, and what kind of interface it is. */
#ifndef HARNESS_LINK_CAN_NETLINK_H
#define HARNESS_LINK_CAN_NETLINK_H

#include "can.h"

struct can_interface {
	bool up, is_can; /* is_can: a controller ("can"), which has bit timing and error counters; vcan and vxcan have none */
	bool fd;         /* its MTU takes FD frames */
	uint32_t nominal_bit_rate, data_bit_rate; /* 0: none */
	bool fd_mode;                             /* CAN_CTRLMODE_FD is on */
};
/* 0, -ENODEV, or another -errno. */
int can_netlink_read(const char *interface, struct can_interface *ret) WARN_UNUSED;
/* Sets nominal and data bit rate and switches FD on; the interface must be down. Sample points are the kernel's choice. */
int can_netlink_set_fd(const char *interface, uint32_t nominal_bit_rate, uint32_t data_bit_rate) WARN_UNUSED;

#endif
