/* SPDX-License-Identifier: Apache-2.0 */
/* Buses that are there without the rig: it only opens its channel. */
#include "../drivers.h"

const struct bus_driver driver_socketcan = {.name = "socketcan", .channel = "socketcan", .address = "interface"};
const struct bus_driver driver_cannelloni_udp = {.name = "cannelloni-udp", .channel = "cannelloni-udp", .address = "address"};
const struct bus_driver driver_cannelloni_tcp = {.name = "cannelloni-tcp", .channel = "cannelloni-tcp", .address = "address"};
const struct bus_driver driver_udp_multicast = {.name = "udp-multicast", .channel = "udp-multicast", .address = "address"};
