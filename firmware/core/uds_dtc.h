/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostic trouble codes: a static list with the status bits of ISO 14229-1:2020 annex D.2. The application reports
 * test results; CommunicationControl-like freezing (85) and clearing (14) come from the UDS server.
 */
#ifndef FIRMWARE_CORE_UDS_DTC_H
#define FIRMWARE_CORE_UDS_DTC_H

#include <stdbool.h>
#include <stdint.h>

enum uds_dtc_status { /* bits of statusOfDTC */
	              UDS_DTC_TEST_FAILED = 0x01,
	              UDS_DTC_FAILED_THIS_CYCLE = 0x02,
	              UDS_DTC_PENDING = 0x04,
	              UDS_DTC_CONFIRMED = 0x08,
	              UDS_DTC_NOT_COMPLETED_SINCE_CLEAR = 0x10,
	              UDS_DTC_FAILED_SINCE_CLEAR = 0x20,
	              UDS_DTC_NOT_COMPLETED_THIS_CYCLE = 0x40,
	              UDS_DTC_WARNING = 0x80,
};

/* The bits this server supports (DTCStatusAvailabilityMask): those that say that something failed. */
#define UDS_DTC_AVAILABILITY                                                                                                               \
	(UDS_DTC_TEST_FAILED | UDS_DTC_FAILED_THIS_CYCLE | UDS_DTC_PENDING | UDS_DTC_CONFIRMED | UDS_DTC_FAILED_SINCE_CLEAR)

#define UDS_DTC_SELF_TEST 0x060600u /* internal control module */
#define UDS_DTC_NO_VIN    0x063000u /* VIN not programmed */
#define UDS_DTC_LOST_PEER 0xC14600u /* lost communication with the gateway above this node */
#define UDS_DTC_COUNT     3u
/* Cycles without a failed test after which a confirmed code ages out. */
#define UDS_DTC_AGING_CYCLES 40u

/* Loads the stored status; begins a new operation cycle (one a start of the application). */
void uds_dtc_load(void);
/* Begins a new operation cycle: pending codes whose test ran and passed heal, confirmed ones age. */
void uds_dtc_new_cycle(void);
/* The result of a test; no effect while frozen. False: unknown code. */
bool uds_dtc_report(uint32_t code, bool failed);
/* Clears one code or, with 0xFFFFFF, all. 0 or an NRC (0x31 unknown, 0x72 not stored). */
uint8_t uds_dtc_clear(uint32_t group);
void uds_dtc_freeze(bool frozen);
bool uds_dtc_frozen(void);
uint32_t uds_dtc_code(uint8_t index);
uint8_t uds_dtc_status(uint8_t index); /* all eight bits */

#endif
