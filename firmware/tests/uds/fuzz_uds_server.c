/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: a conversation with the UDS server. The input is a row of records: one byte of flags (bit 0 functional,
 * bits 1..7 time that passes afterwards, in 64 ms), one byte of length, the request.
 */
#include "uds_bench.h"

#include <stdlib.h>
#include <string.h>

#define LATE_SERVICE 0x31 /* the only one that answers later than within the request */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(uint8_t service)
{
	for (unsigned i = 0; i < bench.answer_count; i++) {
		const uint8_t *answer = bench.answers[i].data;

		if (answer[0] == 0x7F ? bench.answers[i].length != 3 || answer[1] != service : answer[0] != (uint8_t)(service + 0x40))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bench_setup();
	while (size > 2) {
		size_t length = data[1] < size - 2 ? data[1] : size - 2;
		uint8_t *request = malloc(length == 0 ? 1 : length);

		if (request == NULL)
			abort();
		memcpy(request, data + 2, length);
		bench_request((data[0] & 1) != 0, request, length);
		if (length > 0)
			check(request[0]);
		free(request);
		bench.answer_count = 0;
		bench_run_ms((uint64_t)(data[0] >> 1) * 64);
		check(LATE_SERVICE);
		if (bench.resets > 0) {
			bench.resets = 0;
			bench_restart();
		}
		data += 2 + length;
		size -= 2 + length;
	}
	return 0;
}
