/* SPDX-License-Identifier: Apache-2.0 */
/* YAML of any bytes: a tree whose every value can be copied, described, converted; or an error with its place. */
#include <errno.h>
#include <stdlib.h>

#include "../base/value.h"
#include "fuzz.h"

static void use(const struct value *value)
{
	static const enum value_type types[] = {VALUE_BOOL,     VALUE_INTEGER, VALUE_TEXT,  VALUE_BYTES,
	                                        VALUE_DURATION, VALUE_SIZE,    VALUE_NUMBER};
	unsigned count = value->type == VALUE_LIST ? value->list.count : value->type == VALUE_MAP ? value->map.count : 0;
	struct value *converted;
	struct error err;

	if (value->place.line == 0)
		abort();
	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (value_convert(value, types[i], &converted, &err) == 0)
			value_free(converted);
	for (unsigned i = 0; i < count; i++)
		use(value->type == VALUE_LIST ? value->list.items[i] : value->map.entries[i].value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct value *value, *copy;
	struct error err = {0};

	if (value_parse_text("fuzz.yaml", (const char *)data, size, &value, &err) < 0) {
		if (err.message[0] == '\0' || (err.place.line == 0 && err.code != EFBIG /* of the whole file */))
			abort();
		return 0;
	}
	use(value);
	copy = value_copy(value);
	free(value_describe(copy));
	json_decref(value_to_json(copy));
	value_free(copy);
	value_free(value);
	return 0;
}
