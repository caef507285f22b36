/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as segments and key log lines of a watched connection. Each piece: what it is (bit 0: from the client,
 * bit 1: a key log line, bit 2: the time for secrets is up), its length in two bytes, its bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "../link/watch.h"

#define LINE_MAX_LENGTH 600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *describe(const uint8_t *message, size_t length, void *context)
{
	if (length < 8)
		abort();
	return json_pack("{s:i}", "last", message[length - 1]);
}

static void give_line(struct watch *watch, const uint8_t *data, size_t length)
{
	char line[LINE_MAX_LENGTH + 1];

	if (length > LINE_MAX_LENGTH)
		length = LINE_MAX_LENGTH;
	memcpy(line, data, length);
	line[length] = '\0';
	watch_secret(watch, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct timeline *timeline;
	struct watch *watch;
	struct instant at = {.ns = 1000};

	if (timeline_new(&timeline, NULL, 16, NULL) < 0)
		return 0;
	watch = watch_new(timeline, "link:fuzz", 1);
	if (watch)
		watch_on_doip(watch, describe, NULL);
	while (watch && size >= 3) {
		size_t length = (size_t)data[1] << 8 | data[2];
		uint8_t what = data[0];

		data += 3;
		size -= 3;
		if (length > size)
			length = size;
		at.ns += 1000;
		if (what & 2)
			give_line(watch, data, length);
		else
			watch_bytes(watch, what & 1, data, length, at);
		if (what & 4)
			watch_settle(watch, at.ns + WATCH_SECRET_DELAY_NS);
		data += length;
		size -= length;
	}
	watch_free(watch);
	timeline_free(timeline);
	return 0;
}
