/* SPDX-License-Identifier: Apache-2.0 */
/* The decision of the bootloader at every boot: settle, verify, count trials, roll back (docs/reference/update.md). */
#ifndef FIRMWARE_CORE_OTA_BOOT_H
#define FIRMWARE_CORE_OTA_BOOT_H

#include "ota_image.h"
#include "ota_store.h"

enum ota_boot_decision {
	OTA_BOOT_RUN,      /* start the program at `address`, `length` */
	OTA_BOOT_SWAPPED,  /* the swap blocks were written: make a system reset */
	OTA_BOOT_RECOVERY, /* no approved image: stay, reachable by UDS */
};
struct ota_boot_result {
	enum ota_boot_decision decision;
	uint32_t address, length;
	bool trial, rolled_back;
	enum ota_image_status active, other; /* other: OTA_IMAGE_ABSENT when it was not looked at */
	struct ota_image image;              /* of OTA_BOOT_RUN */
};
/* Trial boots come from the parameter "ota.trial_boots" (1..15, default 3). Counts this boot. */
void ota_boot(struct ota_boot_result *ret_result);

#endif
