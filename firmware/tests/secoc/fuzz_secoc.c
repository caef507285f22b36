/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: received PDUs and sync messages. The input is a row of records: one byte (bits 0..1 which PDU, bit 2 a sync
 * message, bit 3 a reset's tick), one byte of length, the data.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(uint8_t pdu, uint64_t before, enum secoc_result result)
{
	struct secoc_counters counters;

	secoc_counters_read(pdu, &counters);
	if (result == SECOC_OK ? counters.freshness <= before : counters.freshness != before)
		abort();
}

static void offer(uint8_t pdu, const uint8_t *data, size_t length)
{
	uint8_t *exact = malloc(length == 0 ? 1 : length); /* so that a read beyond the end is seen */
	struct secoc_counters counters;

	if (exact == NULL)
		abort();
	memcpy(exact, data, length);
	secoc_counters_read(pdu, &counters);
	check(pdu, counters.freshness, secoc_verify(pdu, exact, length));
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct secoc_pdu_config configs[4] = {secoc_bench_profile_1(4), secoc_bench_profile_2(), secoc_bench_profile_3(),
	                                            secoc_bench_demo(false)};

	secoc_bench_setup(NULL);
	for (unsigned i = 0; i < 4; i++)
		(void)secoc_bench_open(&configs[i], i);
	while (size > 2) {
		size_t length = data[1] < size - 2 ? data[1] : size - 2;

		if ((data[0] & 8) != 0)
			secoc_reset_tick();
		if ((data[0] & 4) != 0)
			(void)secoc_verify_sync(secoc_bench_key, 0x0100, 24, data + 2, length);
		else
			offer(data[0] & 3, data + 2, length);
		data += 2 + length;
		size -= 2 + length;
	}
	return 0;
}
