/* SPDX-License-Identifier: Apache-2.0 */
/* A CAN bus of the rig: the harness's channel on it, its events and its part of can.log. */
#ifndef HARNESS_RIG_BUS_H
#define HARNESS_RIG_BUS_H

#include "rig.h"

/* Checks `buses:` beyond the tables of keys: drivers' needs, addresses, boards and their nodes. ERROR_USAGE with place. */
int bus_check_all(const struct value *buses, const struct value *roles, struct error *err) WARN_UNUSED;
/* Whether the bus of this map carries FD frames. */
bool bus_map_is_fd(const struct value *map);

int bus_open(struct rig *, struct rig_bus *, const struct value_entry *, struct error *err) WARN_UNUSED;
void bus_close(struct rig_bus *);
/* Where a board's node connects to a virtual bus; NULL: a bus of other make. */
const char *bus_socket(const struct rig_bus *);
/* The driver learned the names of the nodes: what waited for them is told. */
void bus_names_known(struct rig_bus *);
/* The board's CAN node on this bus, -1: the board is not on it. */
int bus_node_of(const struct rig_bus *, const char *role);

#endif
