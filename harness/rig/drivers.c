/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers.h"

#include <string.h>

static const struct board_driver *const drivers[] = {
        &driver_vboard,
        &driver_board,
};
const char *const board_driver_names[] = {"vboard", "board", NULL};
/* `relay`: the tap of the virtual rack. `veth`: watched on a device of a network namespace. */
const char *const link_driver_names[] = {"relay", "veth", NULL};
static const struct bus_driver *const bus_drivers[] = {
        &driver_vbus, &driver_socketcan, &driver_cannelloni_udp, &driver_cannelloni_tcp, &driver_udp_multicast,
};
const char *const bus_driver_names[] = {"vbus", "socketcan", "cannelloni-udp", "cannelloni-tcp", "udp-multicast", NULL};

const struct bus_driver *bus_driver_find(const char *name)
{
	for (size_t i = 0; i < sizeof(bus_drivers) / sizeof(*bus_drivers); i++)
		if (!strcmp(bus_drivers[i]->name, name))
			return bus_drivers[i];
	return NULL;
}

const struct board_driver *board_driver_find(const char *name)
{
	for (size_t i = 0; i < sizeof(drivers) / sizeof(*drivers); i++)
		if (!strcmp(drivers[i]->name, name))
			return drivers[i];
	return NULL;
}
