/* SPDX-License-Identifier: Apache-2.0 */
/* length | request | (length | answer)*: any answers to any request; an exchange that ended stays as it is. */
#include <stdlib.h>

#include "../proto/uds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next piece: a copy of its own size, so that a sanitizer sees an overread. */
static uint8_t *piece(const uint8_t **data, size_t *size, size_t *length)
{
	*length = *size > 0 ? **data : 0;
	if (*size > 0) {
		++*data;
		--*size;
	}
	if (*length > *size)
		*length = *size;
	uint8_t *copy = calloc(1, *length > 0 ? *length : 1);
	for (size_t i = 0; copy && i < *length; i++)
		copy[i] = (*data)[i];
	*data += *length;
	*size -= *length;
	return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t request_length;
	uint8_t *request = piece(&data, &size, &request_length);
	struct uds_exchange exchange;
	uds_exchange_begin(&exchange, request, request_length, NULL, request_length > 1 && (request[1] & 0x80), 0);
	for (int64_t now_ns = 1; size > 0 && request; now_ns++) {
		size_t length;
		uint8_t *answer = piece(&data, &size, &length);
		enum uds_outcome before = exchange.outcome;
		bool ended = answer && uds_exchange_receive(&exchange, answer, length, now_ns);
		if (ended != (exchange.outcome != UDS_WAITING) || (before != UDS_WAITING && exchange.outcome != before))
			abort();
		free(answer);
	}
	uds_exchange_expire(&exchange, exchange.deadline_ns);
	if (exchange.outcome == UDS_WAITING)
		abort();
	uds_exchange_clear(&exchange);
	free(request);
	return 0;
}
