/* SPDX-License-Identifier: Apache-2.0 */
/* ReadDataByIdentifier 22 and WriteDataByIdentifier 2E (ISO 14229-1:2020 clauses 11.2 and 11.7). */
#include "uds_did.h"
#include "uds_services.h"

#define DID_LENGTH       2u
#define MAX_DIDS         16u /* in one request; more are 0x13 */
#define WRITE_DATA_BEGIN 3u

/* Known and readable now; a DID that the session does not offer is as good as unknown. */
static const struct uds_did *readable(uint16_t id)
{
	const struct uds_did *did = uds_did_find(id);

	return did != NULL && did->read != NULL && uds_session_in(did->read_sessions) ? did : NULL;
}

static uint8_t append(struct uds_call *call, const struct uds_did *did)
{
	size_t room, length;

	if (!uds_put_u16(call, did->id))
		return UDS_RESPONSE_TOO_LONG;
	room = call->out_size - call->out_length;
	if (did->length > room)
		return UDS_RESPONSE_TOO_LONG;
	length = did->read(did->context, call->out + call->out_length, room);
	/* A variable one that fills the room may have been cut. */
	if (did->length == 0 && length == room)
		return UDS_RESPONSE_TOO_LONG;
	call->out_length += length;
	return UDS_POSITIVE;
}

/* Support and security of all come before the length of the answer: figure 15 of the standard. */
static uint8_t check_list(const struct uds_call *call)
{
	bool any = false;

	for (size_t at = 1; at < call->length; at += DID_LENGTH) {
		const struct uds_did *did = readable(uds_get_u16(call->data + at));

		if (did == NULL)
			continue;
		if (!uds_security_unlocked(did->read_security))
			return UDS_ACCESS_DENIED;
		any = true;
	}
	return any ? UDS_POSITIVE : UDS_OUT_OF_RANGE;
}

uint8_t uds_data_read_run(struct uds_call *call)
{
	uint8_t nrc;

	if (call->length % DID_LENGTH != 1 || call->length > 1 + MAX_DIDS * DID_LENGTH)
		return UDS_INCORRECT_LENGTH;
	nrc = check_list(call);
	for (size_t at = 1; at < call->length && nrc == UDS_POSITIVE; at += DID_LENGTH) {
		const struct uds_did *did = readable(uds_get_u16(call->data + at));

		if (did != NULL)
			nrc = append(call, did);
	}
	return nrc;
}

uint8_t uds_data_write_run(struct uds_call *call)
{
	const struct uds_did *did = uds_did_find(uds_get_u16(call->data + 1));
	size_t length = call->length - WRITE_DATA_BEGIN;
	uint8_t nrc;

	if (did == NULL || did->write == NULL || !uds_session_in(did->write_sessions))
		return UDS_OUT_OF_RANGE;
	if (!uds_security_unlocked(did->write_security))
		return UDS_ACCESS_DENIED;
	if (did->length != 0 && length != did->length)
		return UDS_INCORRECT_LENGTH;
	nrc = did->write(did->context, call->data + WRITE_DATA_BEGIN, length);
	if (nrc == UDS_POSITIVE)
		(void)uds_put_u16(call, did->id);
	return nrc;
}
