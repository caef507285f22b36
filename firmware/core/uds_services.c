/* SPDX-License-Identifier: Apache-2.0 */
/* The services of the server: one line each. A new one is a file and its line here. */
#include "uds_services.h"

const struct uds_service uds_services[] = {
        /* SID, sessions, security, minimum length, then what the service's file gives */
        {0x10, UDS_IN_ALL | UDS_OF_OWNER, 0, 2, uds_session_sub_functions, 3, NULL, NULL, NULL, NULL, NULL},
        {0x11, UDS_IN_ALL | UDS_OF_OWNER, 0, 2, uds_reset_sub_functions, 3, NULL, NULL, NULL, NULL, NULL},
        {0x14, UDS_IN_ALL, 0, 4, NULL, 0, uds_dtc_clear_run, NULL, uds_dtc_start, NULL, NULL},
        {0x19, UDS_IN_ALL, 0, 2, uds_dtc_read_sub_functions, 3, NULL, NULL, NULL, NULL, NULL},
        {0x22, UDS_IN_ALL, 0, 3, NULL, 0, uds_data_read_run, NULL, uds_did_start, NULL, NULL},
        {0x27, UDS_IN_NON_DEFAULT | UDS_OF_OWNER, 0, 2, uds_security_sub_functions, 4, NULL, NULL, uds_security_start,
         uds_security_session_changed, NULL},
        {0x28, UDS_IN_EXTENDED, 0, 3, uds_communication_sub_functions, 6, NULL, NULL, uds_communication_start,
         uds_communication_session_changed, NULL},
        {0x2E, UDS_IN_NON_DEFAULT, 0, 4, NULL, 0, uds_data_write_run, NULL, NULL, NULL, NULL},
        {0x31, UDS_IN_ALL, 0, 4, uds_routine_sub_functions, 3, NULL, uds_routine_resume, uds_routine_start, uds_routine_session_changed,
         NULL},
        /* These look at security and length themselves: who has no access ends the transfer by asking. */
        {0x34, UDS_IN_PROGRAMMING, 0, 1, NULL, 0, uds_programming_download_run, uds_programming_resume, uds_programming_start,
         uds_programming_session_changed, uds_programming_available},
        {0x36, UDS_IN_PROGRAMMING, 0, 1, NULL, 0, uds_programming_transfer_run, uds_programming_resume, NULL, NULL,
         uds_programming_available},
        {0x37, UDS_IN_PROGRAMMING, 0, 1, NULL, 0, uds_programming_exit_run, uds_programming_resume, NULL, NULL, uds_programming_available},
        {0x3E, UDS_IN_ALL, 0, 2, uds_tester_present_sub_functions, 1, NULL, NULL, NULL, NULL, NULL},
        {0x85, UDS_IN_EXTENDED, 0, 2, uds_dtc_setting_sub_functions, 2, NULL, NULL, NULL, uds_dtc_session_changed, NULL},
};

const uint8_t uds_service_count = UDS_ARRAY_SIZE(uds_services);
