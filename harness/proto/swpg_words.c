/* SPDX-License-Identifier: Apache-2.0 */
/* The words that say what is made wrong, and numbers in them. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "swpg_private.h"

static uint32_t widest(unsigned width)
{
	return width >= 4 ? UINT32_MAX : (UINT32_C(1) << width * 8) - 1;
}

int swpg_number(const char *text, unsigned width, const uint32_t *now, uint32_t *ret, struct error *err)
{
	bool relative = now && (text[0] == '+' || text[0] == '-');
	const char *digits = text + relative;
	unsigned long long value;
	char *end;

	if (digits[0] < '0' || digits[0] > '9')
		return error_set(err, ERROR_USAGE, EINVAL, "\"%s\" is no number", text);
	errno = 0;
	/* Base 0 would read 010 as eight. */
	value = strtoull(digits, &end, digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X') ? 16 : 10);
	if (*end)
		return error_set(err, ERROR_USAGE, EINVAL, "\"%s\" is no number", text);
	if (errno == ERANGE || value > widest(width))
		return error_set(err, ERROR_USAGE, ERANGE, "%s is more than %" PRIu32 ", the most that fits", text, widest(width));
	if (relative)
		value = text[0] == '+' ? *now + value : *now - value;
	*ret = (uint32_t)value & widest(width);
	return 0;
}

static int take(const char *from, size_t length, char *to, size_t size, struct error *err)
{
	if (length >= size)
		return error_set(err, ERROR_USAGE, EINVAL, "\"%.*s\" is too long", (int)(length > 40 ? 40 : length), from);
	memcpy(to, from, length);
	to[length] = '\0';
	return 0;
}

int swpg_word_next(const char **at, struct swpg_word *ret, struct error *err)
{
	const char *begin = *at + strspn(*at, " "), *equals;
	size_t length = strcspn(begin, ","), name;

	*ret = (struct swpg_word){0};
	if (!*begin && **at == '\0')
		return 0;
	*at = begin + length + (begin[length] == ',');
	while (length > 0 && begin[length - 1] == ' ')
		length--;
	if (length == 0)
		return error_set(err, ERROR_USAGE, EINVAL, "an empty word among the mutations");
	equals = memchr(begin, '=', length);
	name = equals ? (size_t)(equals - begin) : length;
	if (take(begin, name, ret->name, sizeof(ret->name), err) < 0)
		return -EINVAL;
	if (!equals)
		return 1;
	ret->has_value = true;
	return take(equals + 1, length - name - 1, ret->value, sizeof(ret->value), err) < 0 ? -EINVAL : 1;
}

int swpg_flip(uint8_t *data, size_t length, const struct swpg_word *word, struct error *err)
{
	uint32_t bit;

	if (swpg_number(word->value, 4, NULL, &bit, err) < 0)
		return -EINVAL;
	if (bit / 8 >= length)
		return error_set(err, ERROR_USAGE, ERANGE, "there are %zu bits, from 0", length * 8);
	data[bit / 8] ^= (uint8_t)(0x80u >> bit % 8);
	return 0;
}

int swpg_length(const struct swpg_word *word, size_t most, size_t *ret, struct error *err)
{
	uint32_t length;

	if (swpg_number(word->value, 4, NULL, &length, err) < 0)
		return -EINVAL;
	if (length > most)
		return error_set(err, ERROR_USAGE, ERANGE, "%" PRIu32 " bytes, at most %zu can be", length, most);
	*ret = length;
	return 0;
}

int swpg_pad(struct bytes *bytes, const struct swpg_word *word, struct error *err)
{
	size_t count;

	if (swpg_length(word, SWPG_WRONG_MAX - bytes->length, &count, err) < 0)
		return -EINVAL;
	if (swpg_reserve(bytes, count) < 0)
		return swpg_no_memory(err);
	if (count > 0)
		memset(bytes->data + bytes->length, 0xa5, count);
	bytes->length += count;
	return 0;
}
