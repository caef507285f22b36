/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIRMWARE_APP_BOOT_STAGES_H
#define FIRMWARE_APP_BOOT_STAGES_H

/* The modelled stages "application" and "rtos": lets each last as long as its parameter says
 * (boot.application_ms, boot.rtos_ms) and writes its marker at its end. */
void boot_stages_run(void);

#endif
