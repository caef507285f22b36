/* SPDX-License-Identifier: Apache-2.0 */
/* DiagnosticSessionControl 10, ECUReset 11, TesterPresent 3E (ISO 14229-1:2020 clauses 10.2, 10.3, 10.7). */
#include "uds_services.h"

static uint8_t session_run(struct uds_call *call)
{
	enum uds_session wanted = (enum uds_session)call->sub_function;

	if (wanted == UDS_PROGRAMMING && uds_config.programming_from_extended && uds_session_active() == UDS_DEFAULT)
		return UDS_CONDITIONS_NOT_CORRECT;
	uds_session_enter(wanted);
	(void)uds_put_u16(call, uds_config.p2_ms);
	(void)uds_put_u16(call, (uint16_t)(uds_config.p2_star_ms / 10u)); /* unit 10 ms */
	return UDS_POSITIVE;
}

static uint8_t reset_run(struct uds_call *call)
{
	uds_server_reset_after_answer(call->sub_function);
	return UDS_POSITIVE;
}

static uint8_t tester_present_run(struct uds_call *call)
{
	(void)call; /* that a request came is all there is to it: the engine restarts S3, if it is the owner's */
	return UDS_POSITIVE;
}

const struct uds_sub_function uds_session_sub_functions[3] = {
        {UDS_DEFAULT, UDS_IN_ALL, 0, 2, NULL, session_run},
        {UDS_PROGRAMMING, UDS_IN_ALL, 0, 2, NULL, session_run},
        {UDS_EXTENDED, UDS_IN_ALL, 0, 2, NULL, session_run},
};

/* hardReset, keyOffOnReset, softReset */
const struct uds_sub_function uds_reset_sub_functions[3] = {
        {0x01, UDS_IN_ALL, 0, 2, NULL, reset_run},
        {0x02, UDS_IN_ALL, 0, 2, NULL, reset_run},
        {0x03, UDS_IN_ALL, 0, 2, NULL, reset_run},
};

const struct uds_sub_function uds_tester_present_sub_functions[1] = {
        {0x00, UDS_IN_ALL, 0, 2, NULL, tester_present_run},
};
