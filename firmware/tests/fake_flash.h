/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flash section of firmware/port.h on the real model (firmware/silicon), in the virtual time of fake_port.h. Optional: a
 * program that does not link fake_flash.c has a port without flash. It needs the library fw_flash.
 *
 * The flash outlives fake_port_clear() (which is a new power-on of the CPU): fake_flash_clear() makes a new one.
 */
#ifndef FIRMWARE_TESTS_FAKE_FLASH_H
#define FIRMWARE_TESTS_FAKE_FLASH_H

#include "../silicon/flash.h"
#include "../silicon/ssw.h"
#include "fake_port.h"

/* The UCB password of every fake flash; also the text of its parameter "flash.password". */
extern const uint32_t fake_flash_password[8];
#define FAKE_FLASH_PASSWORD_TEXT "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210"

/* A new flash in the factory's state (UCBs provisioned, banks erased), bank A mapped; the standard cost table. Sets the
 * parameter flash.password. NULL: the port has no flash (and nothing is held any more: for leak checks). */
void fake_flash_clear(const struct flash_geometry *geometry);
/* The same with other costs; NULL: the standard ones. */
void fake_flash_clear_cost(const struct flash_geometry *geometry, const struct flash_cost *cost);
struct flash *fake_flash(void);

/* A system reset or power-on: the power is back if it was cut, the UCB locks, UCB_SWAP is evaluated and the map may change.
 * The parameter flash.password is set if it is not. Time and sockets are fake_port_clear()'s. */
void fake_flash_reset(void);
/* Of the newest fake_flash_reset(). */
const struct ssw_result *fake_flash_ssw(void);
void fake_flash_policy(enum ssw_policy policy); /* default SSW_ORIG_WINS, kept by fake_flash_reset() */

/* Arms a cut: fake_run() ends with FAKE_POWER_LOST at it (NULL disarms). Outside fake_run() a cut traps. */
void fake_flash_cut(const struct flash_cut *cut);

/* The model's time, ns: goes on over resets and fake_port_clear(). */
uint64_t fake_flash_now_ns(void);
/* Commands under way end, whatever the CPU does. */
void fake_flash_settle(void);

#endif
