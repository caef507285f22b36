/* SPDX-License-Identifier: Apache-2.0 */
/* bytes: a stream from a device. What is decoded encodes to the same bytes again, and its journal form can be made. */
#include "../run/steps/message_frame.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static void check_frame(const uint8_t *data, size_t used, const struct message_frame *frame)
{
	struct bytes again = {0};
	if (message_frame_encode(&again, frame->type, frame->payload, frame->length) < 0 || again.length != used ||
	    memcmp(again.data, data, used) != 0)
		abort();
	bytes_free(&again);
	json_t *shown = message_frame_to_json(frame);
	if (!shown)
		abort();
	json_decref(shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message_frame frame;
	const char *why = NULL;
	ssize_t used;
	while ((used = message_frame_decode(data, size, &frame, &why)) > 0) {
		if ((size_t)used > size)
			abort();
		check_frame(data, (size_t)used, &frame);
		data += used;
		size -= (size_t)used;
	}
	if (used < 0 && !why)
		abort();
	return 0;
}
