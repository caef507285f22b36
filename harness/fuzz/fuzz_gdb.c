/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes, in pieces, into the decoder of GDB packets; what it gives, encoded again, is the same packet. */
#include "../rig/drivers/probe_gdb_packet.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static void round_trip(const struct gdb_decoder *first)
{
	struct gdb_decoder *again = calloc(1, sizeof(*again));
	struct bytes packet = {0};

	if (!again || gdb_encode(&packet, first->data, first->length) < 0)
		abort();
	const uint8_t *data = packet.data;
	size_t left = packet.length;
	enum gdb_item item = gdb_decode(again, &data, &left);
	/* Escapes make it longer than what was packed by run lengths. */
	if (item != GDB_TOO_LONG &&
	    (item != GDB_PACKET || left || again->length != first->length || memcmp(again->data, first->data, first->length) != 0))
		abort();
	bytes_free(&packet);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gdb_decoder *decoder = calloc(1, sizeof(*decoder));
	const size_t step = size ? data[0] % 16 + 1U : 1;

	for (size_t done = size ? 1 : 0; decoder && done < size;) {
		const uint8_t *at = data + done;
		size_t left = size - done < step ? size - done : step, given = left;
		while (left > 0) {
			size_t before = left;
			enum gdb_item item = gdb_decode(decoder, &at, &left);
			if (left >= before || (item == GDB_MORE && left))
				abort();
			if (item == GDB_PACKET || item == GDB_NOTIFICATION)
				round_trip(decoder);
		}
		done += given;
	}
	free(decoder);
	return 0;
}
