/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIRMWARE_TESTS_SILICON_BOARD_APPLICATION_FLASH_H
#define FIRMWARE_TESTS_SILICON_BOARD_APPLICATION_FLASH_H

#include <stdbool.h>

/* What the test application does with the flash when a capital letter is typed; false: nothing. */
bool board_application_flash(char command);

#endif
