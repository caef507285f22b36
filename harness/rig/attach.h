/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One board of real hardware as it stands: nothing is switched at the begin or at the end, and a part is opened when it is first asked
 * for. For people at the command line; a run starts the whole rig (rig.h).
 */
#ifndef HARNESS_RIG_ATTACH_H
#define HARNESS_RIG_ATTACH_H

#include "console.h"
#include "probe.h"
#include "rig.h"
#include "supply.h"

struct rig_attached;
/* directory: for logs of the probe's program. ERROR_USAGE: no such role, or one of a virtual board. */
int rig_attach(struct rig_attached **ret, const struct rig_file *, struct loop *, struct timeline *, const char *role,
               const char *directory, struct error *err) WARN_UNUSED;
void rig_detach(struct rig_attached *); /* NULL allowed */

/* Each opens what it needs; owned by the attached board. */
int rig_attached_supply(struct rig_attached *, struct supply **ret, struct error *err) WARN_UNUSED;
int rig_attached_probe(struct rig_attached *, struct probe **ret, struct error *err) WARN_UNUSED;
int rig_attached_console(struct rig_attached *, struct console **ret, struct error *err) WARN_UNUSED;
/* To the console, which is open. */
int rig_attached_input(struct rig_attached *, const void *data, size_t length, struct error *err) WARN_UNUSED;
/* Why the console gives nothing any more; 0 while it does. */
int rig_attached_alive(const struct rig_attached *, struct error *err) WARN_UNUSED;
/* The role's `reset:`; -EOPNOTSUPP without one. */
int rig_attached_reset(struct rig_attached *, int64_t deadline_ns, struct error *err) WARN_UNUSED;
/* Lets go of the role's `reset:`; -EOPNOTSUPP where it cannot hold the board while nobody uses it (by the probe, or only pulsed). */
int rig_attached_release(struct rig_attached *, int64_t deadline_ns, struct error *err) WARN_UNUSED;

#endif
