/* SPDX-License-Identifier: Apache-2.0 */
/* What each service's file gives to the table in uds_services.c. */
#ifndef FIRMWARE_CORE_UDS_SERVICES_H
#define FIRMWARE_CORE_UDS_SERVICES_H

#include "uds_private.h"

/* uds_session.c: 10, 11, 3E */
extern const struct uds_sub_function uds_session_sub_functions[3];
extern const struct uds_sub_function uds_reset_sub_functions[3];
extern const struct uds_sub_function uds_tester_present_sub_functions[1];

/* uds_dtc_services.c: 14, 19, 85 */
extern const struct uds_sub_function uds_dtc_read_sub_functions[3];
extern const struct uds_sub_function uds_dtc_setting_sub_functions[2];
uint8_t uds_dtc_clear_run(struct uds_call *call);
void uds_dtc_start(uint64_t now_us);
void uds_dtc_session_changed(enum uds_session from, enum uds_session to);

/* uds_data.c: 22, 2E */
uint8_t uds_data_read_run(struct uds_call *call);
uint8_t uds_data_write_run(struct uds_call *call);
void uds_did_start(uint64_t now_us);

/* uds_security.c: 27 */
extern const struct uds_sub_function uds_security_sub_functions[4];
void uds_security_start(uint64_t now_us);
void uds_security_session_changed(enum uds_session from, enum uds_session to);

/* uds_communication.c: 28 */
extern const struct uds_sub_function uds_communication_sub_functions[6];
void uds_communication_start(uint64_t now_us);
void uds_communication_session_changed(enum uds_session from, enum uds_session to);

/* uds_programming.c: 34, 36, 37 */
bool uds_programming_available(void); /* the port has flash */
uint8_t uds_programming_download_run(struct uds_call *call);
uint8_t uds_programming_transfer_run(struct uds_call *call);
uint8_t uds_programming_exit_run(struct uds_call *call);
uint8_t uds_programming_resume(struct uds_call *call, uint64_t *ret_deadline_us);
void uds_programming_start(uint64_t now_us);
void uds_programming_session_changed(enum uds_session from, enum uds_session to);

/* uds_routine.c: 31 */
extern const struct uds_sub_function uds_routine_sub_functions[3];
uint8_t uds_routine_resume(struct uds_call *call, uint64_t *ret_deadline_us);
void uds_routine_start(uint64_t now_us);
void uds_routine_session_changed(enum uds_session from, enum uds_session to);

#endif
