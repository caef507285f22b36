/* SPDX-License-Identifier: Apache-2.0 */
/* The few requests to the kernel's routing socket that a network of namespaces needs. Each returns 0 or -errno. */
#ifndef HARNESS_RIG_RTNETLINK_H
#define HARNESS_RIG_RTNETLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/error.h"

/* A routing socket of the namespace the caller is in; close(2) it. -errno on failure. */
int rtnetlink_open(void) WARN_UNUSED;
int rtnetlink_bridge_add(int fd, const char *name) WARN_UNUSED;
/* A veth pair: `name` here, `peer` in the namespace peer_netns. */
int rtnetlink_veth_add(int fd, const char *name, const char *peer, int peer_netns) WARN_UNUSED;
/* Up or down, and into a bridge when master is not NULL. */
int rtnetlink_device_set(int fd, const char *name, bool up, const char *master) WARN_UNUSED;
int rtnetlink_device_delete(int fd, const char *name) WARN_UNUSED;
/* IPv4 address (host order) with its prefix length and broadcast address. */
int rtnetlink_address_add(int fd, const char *device, uint32_t address, unsigned prefix_length) WARN_UNUSED;

#endif
