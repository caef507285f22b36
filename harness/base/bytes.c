/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){0};
}

void bytes_clear(struct bytes *bytes)
{
	bytes->length = 0;
}

int bytes_append(struct bytes *bytes, const void *data, size_t length)
{
	size_t capacity = bytes->capacity ? bytes->capacity : 64;
	uint8_t *grown;

	if (length > SIZE_MAX / 4 - bytes->length)
		return -ENOMEM;
	while (capacity < bytes->length + length)
		capacity *= 2;
	if (capacity != bytes->capacity) {
		grown = realloc(bytes->data, capacity);
		if (!grown)
			return -ENOMEM;
		bytes->data = grown;
		bytes->capacity = capacity;
	}
	if (length > 0)
		memcpy(bytes->data + bytes->length, data, length);
	bytes->length += length;
	return 0;
}

int bytes_append_u8(struct bytes *bytes, uint8_t value)
{
	return bytes_append(bytes, &value, 1);
}

int bytes_append_be16(struct bytes *bytes, uint16_t value)
{
	uint8_t wire[2];

	be16_write(wire, value);
	return bytes_append(bytes, wire, sizeof(wire));
}

int bytes_append_be32(struct bytes *bytes, uint32_t value)
{
	uint8_t wire[4];

	be32_write(wire, value);
	return bytes_append(bytes, wire, sizeof(wire));
}

void bytes_drop_front(struct bytes *bytes, size_t length)
{
	if (length >= bytes->length) {
		bytes->length = 0;
		return;
	}
	if (length > 0)
		memmove(bytes->data, bytes->data + length, bytes->length - length);
	bytes->length -= length;
}

int bytes_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int bytes_parse_hex(const char *text, struct bytes *ret_bytes)
{
	struct bytes parsed = {0};
	int high, low, r = 0;

	while (*text) {
		if (*text == ' ' || *text == '\n') {
			text++;
			continue;
		}
		high = bytes_hex_digit(text[0]);
		low = high < 0 ? -1 : bytes_hex_digit(text[1]);
		if (low < 0) {
			r = -EINVAL;
			break;
		}
		r = bytes_append_u8(&parsed, (uint8_t)(high << 4 | low));
		if (r < 0)
			break;
		text += 2;
	}
	if (r < 0) {
		bytes_free(&parsed);
		return r;
	}
	*ret_bytes = parsed;
	return 0;
}

char *bytes_to_hex(const void *data, size_t length, size_t limit)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *from = data;
	size_t shown = limit > 0 && length > limit ? limit : length;
	char *text = malloc(shown * 3 + 48), *out = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < shown; i++) {
		if (i > 0)
			*out++ = ' ';
		*out++ = digits[from[i] >> 4];
		*out++ = digits[from[i] & 15];
	}
	*out = '\0';
	if (shown < length)
		(void)snprintf(out, 48, " … (+%zu)", length - shown);
	return text;
}
