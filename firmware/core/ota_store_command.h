/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands on DFLASH and UCB that are waited for. A bank that stays busy is given up after OTA_COMMAND_LIMIT_US; from then
 * on it is asked once a call, so that a defect costs that time once and not once a page.
 */
#ifndef FIRMWARE_CORE_OTA_STORE_COMMAND_H
#define FIRMWARE_CORE_OTA_STORE_COMMAND_H

#include "../port.h"

#define OTA_COMMAND_LIMIT_US 2000000u

/* All three: PORT_OK; PORT_FAILED refused, verify error or not what was to be written; PORT_WOULD_BLOCK the bank stays busy. */
enum port_status ota_command_wait(uint32_t address); /* until the bank that holds the physical address is idle */
enum port_status ota_command_erase(uint32_t address);
enum port_status ota_command_program(uint32_t address, const uint8_t page[PORT_FLASH_DATA_PAGE]); /* and reads back, once */

/* Reads pages one by one where the whole cannot be read: unreadable ones become 0 and are told in bits of `ret_bad`
 * (page n: bit n % 8 of byte n / 8; the array is cleared first). length: whole pages. */
void ota_command_read(uint32_t address, uint8_t *buffer, size_t length, uint8_t *ret_bad);
/* Reads often what was just written, at most 256 bytes: false when one of the reads differs. Half of the reads of a weak page
 * are right, so once is not enough. */
bool ota_command_steady(uint32_t address, const uint8_t *expected, size_t length);
bool ota_command_is(const uint8_t *bytes, size_t length, uint8_t value); /* all of them */

#endif
