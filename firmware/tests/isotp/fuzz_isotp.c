/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: a channel under arbitrary frames. The input is a row of records: one byte of flags (bits 0..1 which
 * addressing, taken from the first record; bit 2 send something first; bits 3..7 time that passes, in 64 ms), one byte of
 * length, the frame's data.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void open_by(uint8_t flags)
{
	struct isotp_config config = isotp_bench_config((flags & 1) != 0);

	config.addressing = (flags & 2) != 0 ? ISOTP_EXTENDED : ISOTP_NORMAL;
	config.block_size = 2;
	isotp_bench_open(&config, NULL);
}

static void drain(void)
{
	struct port_can_frame frame;

	while (fake_can_take(0, &frame, NULL)) {
		if (frame.id != 0x7E8 || frame.length > PORT_CAN_MAX_DATA)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	open_by(size > 0 ? data[0] : 0);
	while (size > 2) {
		size_t length = data[1] < size - 2 ? data[1] : size - 2;
		uint8_t frame[PORT_CAN_MAX_DATA] = {0};

		if (length > PORT_CAN_MAX_DATA)
			length = PORT_CAN_MAX_DATA;
		memcpy(frame, data + 2, length);
		if ((data[0] & 4) != 0)
			(void)isotp_bench_send(100);
		(void)isotp_bench_rx_bytes(frame, (uint8_t)length);
		drain();
		for (unsigned step = data[0] >> 3; step > 0; step--) {
			isotp_bench_run(64 * MS);
			drain();
		}
		data += 2 + length;
		size -= 2 + length;
	}
	return 0;
}
