/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of the driver vboard. */
#ifndef HARNESS_RIG_DRIVERS_VBOARD_H
#define HARNESS_RIG_DRIVERS_VBOARD_H

#include "../rig_private.h"

/* vboard reads the clock right at what it does; a console byte waits for vboard to be scheduled. */
#define VBOARD_ACTION_UNCERTAINTY_NS  20000
#define VBOARD_CONSOLE_UNCERTAINTY_NS 200000

extern const struct board_flash_driver vboard_flash;
/* An event of the flash: true when it was one. */
bool vboard_flash_event(struct rig_board *, const char *event, json_t *message);

#endif
