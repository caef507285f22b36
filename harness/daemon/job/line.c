/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include <string.h>

#define HEAD_MAX 512 /* bytes in which the kind is looked for first: what is before it is short */

/* What follows the key up to the next quote. A quote within a JSON string is escaped, so `"kind":"` cannot stand inside of one. */
static bool text_after(const char *line, size_t length, const char *key, const char **ret, size_t *ret_length)
{
	const size_t key_length = strlen(key);
	const char *found = memmem(line, length < HEAD_MAX ? length : HEAD_MAX, key, key_length), *end;
	if (!found && length > HEAD_MAX)
		found = memmem(line, length, key, key_length);
	if (!found)
		return false;
	found += key_length;
	end = memchr(found, '"', length - (size_t)(found - line));
	if (!end)
		return false;
	*ret = found;
	*ret_length = (size_t)(end - found);
	return true;
}

bool line_kind(const char *line, size_t length, const char **ret, size_t *ret_length)
{
	return text_after(line, length, "\"kind\":\"", ret, ret_length);
}

static int64_t number_at(const char *text, const char *end)
{
	bool negative = text < end && *text == '-';
	uint64_t value = 0;
	for (text += negative; text < end && *text >= '0' && *text <= '9'; text++)
		if (value < UINT64_C(1) << 58) /* a mad one stays below what sums can bear */
			value = value * 10 + (uint64_t)(*text - '0');
	if (value > UINT64_C(1) << 61)
		value = UINT64_C(1) << 61;
	return negative ? -(int64_t)value : (int64_t)value;
}

bool line_head(const char *line, size_t length, struct line_head *ret)
{
	const char *t;
	if (!line_kind(line, length, &ret->kind, &ret->kind_length))
		return false;
	/* Both stand before the kind. */
	const size_t before = (size_t)(ret->kind - line);
	if (!text_after(line, before, "\"ch\":\"", &ret->channel, &ret->channel_length))
		return false;
	t = memmem(line, before, "\"t\":", 4);
	if (!t)
		return false;
	ret->t_ns = number_at(t + 4, line + length);
	return true;
}

static bool equals(const char *kind, size_t length, const char *name)
{
	return strlen(name) == length && memcmp(kind, name, length) == 0;
}

static bool begins(const char *kind, size_t length, const char *prefix)
{
	const size_t prefix_length = strlen(prefix);
	return length >= prefix_length && memcmp(kind, prefix, prefix_length) == 0;
}

bool line_kind_is(const struct line_head *head, const char *kind)
{
	return equals(head->kind, head->kind_length, kind);
}

bool line_kind_begins(const struct line_head *head, const char *prefix)
{
	return begins(head->kind, head->kind_length, prefix);
}

bool line_is_traffic(const char *kind, size_t length)
{
	static const char *const kinds[] = {"can.rx",
	                                    "can.tx",
	                                    "can.error",
	                                    "console.line",
	                                    "doip",
	                                    "tls.client_hello",
	                                    "tls.server_hello",
	                                    "tls.client_finished",
	                                    "tls.open",
	                                    "flash",
	                                    "supply.measure",
	                                    "secoc.tx",
	                                    "secoc.rx",
	                                    "probe.read",
	                                    "probe.write"};
	static const char *const prefixes[] = {"doip.", "uds.", "isotp.", "message.", "tcp."};
	if (length == 0)
		return false;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (begins(kind, length, prefixes[i]))
			return true;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (equals(kind, length, kinds[i]))
			return true;
	return false;
}
