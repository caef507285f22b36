/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One user at a time on a rack of real hardware. The lock is on a file named after the rig, in a folder that all users of
 * the machine share (/run/lock, else /tmp; $HILBENCH_LOCKS in place of them), so that two checkouts with a copy of the rig
 * file each cannot use the same rack. It goes with the process that holds it, however that ends.
 */
#ifndef HARNESS_RIG_RIG_LOCK_H
#define HARNESS_RIG_RIG_LOCK_H

#include "rig.h"

struct rig_lock;
/* Takes the rig. command: for whoever finds it taken. A virtual rig is nobody's: *ret is NULL. -EBUSY (ERROR_BENCH): the
 * message tells who holds it (user, process, since when, command). */
int rig_lock_take(struct rig_lock **ret, const struct rig_file *, const char *command, struct error *err) WARN_UNUSED;
void rig_lock_release(struct rig_lock *); /* NULL allowed */

#endif
