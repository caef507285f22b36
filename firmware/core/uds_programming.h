/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programming by UDS: RequestDownload 34, TransferData 36, RequestTransferExit 37 (ISO 14229-1:2020 clauses 15.2, 15.4, 15.5)
 * and the routines of an update (docs/reference/update.md), in front of ota_update.h. Only uds_*.c include this.
 */
#ifndef FIRMWARE_CORE_UDS_PROGRAMMING_H
#define FIRMWARE_CORE_UDS_PROGRAMMING_H

#include "uds_private.h"

/* Routines: the security was not looked at yet. */
uint8_t uds_programming_offer(struct uds_call *call);    /* F010 */
uint8_t uds_programming_erase(struct uds_call *call);    /* FF00 */
uint8_t uds_programming_check(struct uds_call *call);    /* FF01 */
uint8_t uds_programming_activate(struct uds_call *call); /* F011 */
uint8_t uds_programming_confirm(struct uds_call *call);  /* F012 */
uint8_t uds_programming_cancel(struct uds_call *call);   /* F013 */

#endif
