/* SPDX-License-Identifier: Apache-2.0 */
/* What two roles of a rig file cannot share: copied lines, whose mistake would show as a failure of a board. */
#ifndef HARNESS_RIG_RIG_UNIQUE_H
#define HARNESS_RIG_RIG_UNIQUE_H

#include <stdbool.h>

#include "../base/value.h"

/* By the texts of the file: addresses, consoles, outputs of supplies, GPIO lines, adapters, GDB servers. ERROR_USAGE with the place of the
 * second one; the first one's is in the message. */
int rig_unique_check(const struct value *roles, struct error *err) WARN_UNUSED;
/* By this machine's devices: two names of one serial port. ERROR_USAGE likewise. */
int rig_unique_check_devices(const struct value *roles, struct error *err) WARN_UNUSED;
/* Two `console:`s are there, and one character device: a link of /dev/serial/by-id, and the port that it is. */
bool rig_unique_same_device(const struct value *console, const struct value *other);

#endif
