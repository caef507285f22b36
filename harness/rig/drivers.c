/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers.h"

#include <string.h>

static const struct board_driver *const drivers[] = {
        &driver_vboard,
};
const char *const board_driver_names[] = {"vboard", NULL};
/* `relay`: the tap of the virtual rack. `veth`: watched on a device of a network namespace. */
const char *const link_driver_names[] = {"relay", "veth", NULL};

const struct board_driver *board_driver_find(const char *name)
{
	for (size_t i = 0; i < sizeof(drivers) / sizeof(*drivers); i++)
		if (!strcmp(drivers[i]->name, name))
			return drivers[i];
	return NULL;
}
