/* SPDX-License-Identifier: Apache-2.0 */
#include "probe_check.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "can_check.h"

#define MEMORY_END UINT64_C(0x100000000)

/* ret: 0 where it is not known. */
static int check_width(const struct step_call *call, const struct value *known, unsigned *ret, struct error *err)
{
	int64_t width;

	*ret = 0;
	if (!known_integer(known, "width", &width))
		return 0;
	if (width != 1 && width != 2 && width != 4 && width != 8)
		return call_refuse(call, "width", err, "`width` is 1, 2, 4 or 8 bytes, not %" PRId64, width);
	*ret = (unsigned)width;
	return 0;
}

/* `name`: the argument that gives the length. width 0: any. */
static int check_range(const struct step_call *call, const struct value *known, unsigned width, const char *name, size_t length,
                       struct error *err)
{
	int64_t address;

	if (length == 0)
		return call_refuse(call, name, err, "`%s` is empty", name);
	if (width && length % width)
		return call_refuse(call, name, err, "`%s` has %zu bytes, no multiple of the width %u", name, length, width);
	if (!known_integer(known, "address", &address))
		return 0;
	if (width && address % width)
		return call_refuse(call, "address", err, "`address` %08" PRIX64 "h is no multiple of the width %u", (uint64_t)address,
		                   width);
	if (length > MEMORY_END - (uint64_t)address)
		return call_refuse(call, "address", err, "%zu bytes at %08" PRIX64 "h go over the end of the memory", length,
		                   (uint64_t)address);
	return 0;
}

int64_t probe_read_standard(int64_t width)
{
	return width == 8 ? 8 : 4;
}

int probe_check_read(const struct step_call *call, const struct value *known, struct error *err)
{
	int64_t length;
	unsigned width;
	int r = check_width(call, known, &width, err);

	if (r < 0 || !known_integer(known, "length", &length))
		return r;
	if (!value_get(call->args, "length"))
		length = probe_read_standard(width);
	if (length > PROBE_READ_MAX)
		return call_refuse(call, "length", err, "`length` is at most 1 MiB: probe.dump takes more");
	return check_range(call, known, width, "length", (size_t)length, err);
}

/* Exactly one of the three ways to say what is written; ret: its name. */
static int check_content(const struct step_call *call, const char **ret, struct error *err)
{
	static const char *const ways[] = {"data", "word", "text"};

	*ret = NULL;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		if (!value_get(call->args, ways[i]))
			continue;
		if (*ret)
			return call_refuse(call, ways[i], err, "`%s` does not go with `%s`: give one of `data`, `word` and `text`", ways[i],
			                   *ret);
		*ret = ways[i];
	}
	return *ret ? 0 : call_refuse(call, "data", err, "there is nothing to write: give one of `data`, `word` and `text`");
}

static int check_word(const struct step_call *call, const struct value *known, unsigned width, struct error *err)
{
	int64_t word;

	bool any = !width && value_get(call->args, "width");
	unsigned bytes = width ? width : any ? 8 : 4;
	if (known_integer(known, "word", &word) && bytes < 8 && word >> 8 * bytes)
		return call_refuse(call, "word", err, "`word` 0x%" PRIx64 " does not fit into %u byte%s", (uint64_t)word, bytes,
		                   bytes == 1 ? "" : "s");
	if (!width && value_get(call->args, "width"))
		return 0;
	return check_range(call, known, width, "word", width ? width : 4, err);
}

int probe_check_write(const struct step_call *call, const struct value *known, struct error *err)
{
	const struct bytes *data = known_bytes(known, "data");
	const char *text = known_text(known, "text"), *content;
	unsigned width;
	int r = check_content(call, &content, err);

	if (r == 0)
		r = check_width(call, known, &width, err);
	if (r < 0)
		return r;
	if (!strcmp(content, "word"))
		return check_word(call, known, width, err);
	if (data || text)
		return check_range(call, known, width, content, data ? data->length : strlen(text), err);
	return 0;
}
