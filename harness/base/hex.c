/* SPDX-License-Identifier: Apache-2.0 */
#include "hex.h"

#include <stdint.h>

char *hex_text(const void *bytes, size_t length, char *text)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *from = bytes;
	for (size_t i = 0; i < length; i++) {
		text[2 * i] = digits[from[i] >> 4];
		text[2 * i + 1] = digits[from[i] & 15];
	}
	text[2 * length] = '\0';
	return text;
}
