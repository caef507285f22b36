/* SPDX-License-Identifier: Apache-2.0 */
/* ClearDiagnosticInformation 14, ReadDTCInformation 19 (01, 02, 0A), ControlDTCSetting 85 (ISO 14229-1:2020 clauses
 * 12.2, 12.3, 10.8). */
#include "uds_dtc.h"
#include "uds_services.h"

#define CLEAR_LENGTH      4u
#define FORMAT_ISO14229_1 0x01u
#define SETTING_ON        0x01u
#define ALL_DTCS          0xFFFFFFu

uint8_t uds_dtc_clear_run(struct uds_call *call)
{
	if (call->length != CLEAR_LENGTH)
		return UDS_INCORRECT_LENGTH;
	return uds_dtc_clear(uds_get_u24(call->data + 1));
}

void uds_dtc_start(uint64_t now_us)
{
	(void)now_us;
	uds_dtc_load();
}

void uds_dtc_session_changed(enum uds_session from, enum uds_session to)
{
	(void)from;
	if (to == UDS_DEFAULT)
		uds_dtc_freeze(false);
}

static bool matches(uint8_t index, uint8_t mask)
{
	return (uds_dtc_status(index) & UDS_DTC_AVAILABILITY & mask) != 0;
}

static uint8_t count_run(struct uds_call *call)
{
	uint16_t count = 0;

	for (uint8_t i = 0; i < UDS_DTC_COUNT; i++)
		count += matches(i, call->data[2]);
	(void)uds_put_u8(call, UDS_DTC_AVAILABILITY);
	(void)uds_put_u8(call, FORMAT_ISO14229_1);
	(void)uds_put_u16(call, count);
	return UDS_POSITIVE;
}

static uint8_t put_dtc(struct uds_call *call, uint8_t index)
{
	bool fits = uds_put_u8(call, (uint8_t)(uds_dtc_code(index) >> 16)) && uds_put_u16(call, (uint16_t)uds_dtc_code(index)) &&
	            uds_put_u8(call, uds_dtc_status(index) & UDS_DTC_AVAILABILITY);

	return fits ? UDS_POSITIVE : UDS_RESPONSE_TOO_LONG;
}

static uint8_t list(struct uds_call *call, bool all, uint8_t mask)
{
	uint8_t nrc = UDS_POSITIVE;

	(void)uds_put_u8(call, UDS_DTC_AVAILABILITY);
	for (uint8_t i = 0; i < UDS_DTC_COUNT && nrc == UDS_POSITIVE; i++) {
		if (all || matches(i, mask))
			nrc = put_dtc(call, i);
	}
	return nrc;
}

static uint8_t by_mask_run(struct uds_call *call)
{
	return list(call, false, call->data[2]);
}
static uint8_t supported_run(struct uds_call *call)
{
	return list(call, true, 0);
}

static uint8_t setting_run(struct uds_call *call)
{
	/* The option record names the codes it is meant for; this server knows "all" only. */
	if (call->length != 2 && call->length != 5)
		return UDS_INCORRECT_LENGTH;
	if (call->length == 5 && uds_get_u24(call->data + 2) != ALL_DTCS)
		return UDS_OUT_OF_RANGE;
	uds_dtc_freeze(call->sub_function != SETTING_ON);
	return UDS_POSITIVE;
}

const struct uds_sub_function uds_dtc_read_sub_functions[3] = {
        {0x01, UDS_IN_ALL, 0, 3, NULL, count_run},
        {0x02, UDS_IN_ALL, 0, 3, NULL, by_mask_run},
        {0x0A, UDS_IN_ALL, 0, 2, NULL, supported_run},
};

const struct uds_sub_function uds_dtc_setting_sub_functions[2] = {
        {SETTING_ON, UDS_IN_EXTENDED, 0, UDS_ANY_LENGTH, NULL, setting_run},
        {0x02, UDS_IN_EXTENDED, 0, UDS_ANY_LENGTH, NULL, setting_run},
};
