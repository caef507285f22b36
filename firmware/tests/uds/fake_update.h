/* SPDX-License-Identifier: Apache-2.0 */
/* The update server as the UDS services see it, answering what the test says. */
#ifndef FIRMWARE_TESTS_FAKE_UPDATE_H
#define FIRMWARE_TESTS_FAKE_UPDATE_H

#include "../../core/ota_update.h"

struct fake_update {
	bool possible;  /* the port has flash */
	uint8_t answer; /* of every call */
	uint8_t result; /* of ota_update_result() */
	char calls[64]; /* a letter for each: o e b d x c a f n s, i installed */
	uint32_t address, size, crc32;
	uint8_t format;
	bool has_crc;
	size_t length; /* of the last offer or data */
	uint8_t first; /* byte of it */
	uint16_t target;
};
extern struct fake_update fake_update;
void fake_update_clear(void); /* no flash, everything is done at once */

#endif
