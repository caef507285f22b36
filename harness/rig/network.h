/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network of namespaces: every node in one of its own, joined by veth pairs to bridges in the bench's namespace
 * (docs/reference/rig-file.md). The runner moves itself into a fresh namespace first, so nothing of it is seen by, or
 * left to, the machine: the kernel takes all of it away with the last process.
 */
#ifndef HARNESS_RIG_NETWORK_H
#define HARNESS_RIG_NETWORK_H

#include "../base/value.h"

struct network;
/* Reads the expanded rig file. ERROR_BENCH with EPERM where namespaces are not allowed. */
int network_open(struct network **ret, const struct value *root, struct error *err) WARN_UNUSED;
void network_close(struct network *); /* NULL allowed */
/* Path of the node's namespace for setns(2), NULL: the bench's own. */
const char *network_path(const struct network *, const char *role);
/* Name of the bench-side device of a link's client. */
const char *network_device(const struct network *, const char *link);
/* Cable in or out. */
int network_set_link(struct network *, const char *link, bool up, struct error *err) WARN_UNUSED;

#endif
