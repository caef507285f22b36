/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_hex.h"

#include <stdint.h>
#include <stdlib.h>

#define SHOWN_LIMIT 4096

void journal_put_hex(json_t *object, const void *data, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;
	size_t shown = length < SHOWN_LIMIT ? length : SHOWN_LIMIT;
	char *text = calloc(1, 2 * shown + 1);

	if (!text)
		return;
	for (size_t i = 0; i < shown; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	json_object_set_new(object, "hex", json_stringn(text, 2 * shown));
	if (shown < length)
		json_object_set_new(object, "truncated", json_integer((json_int_t)(length - shown)));
	free(text);
}
