/* SPDX-License-Identifier: Apache-2.0 */
/* A typed tree read from YAML. Every node knows its place. Scalars are typed by their text: true/false, integers
 * (decimal, 0x…), null; everything else stays text and is parsed to a type where an argument asks for one. */
#ifndef HARNESS_BASE_VALUE_H
#define HARNESS_BASE_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "error.h"

enum value_type {
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_INTEGER,
	VALUE_TEXT,
	VALUE_BYTES,
	VALUE_DURATION,
	VALUE_SIZE,
	VALUE_NUMBER,
	VALUE_LIST,
	VALUE_MAP
};

struct value {
	enum value_type type;
	struct place place;
	bool quoted; /* a quoted scalar is text, whatever it looks like */
	bool hex;    /* an integer that was written as 0x…: shown so again */
	union {
		bool boolean;
		int64_t integer;    /* VALUE_INTEGER; VALUE_DURATION in ns; VALUE_SIZE in bytes */
		double number;      /* VALUE_NUMBER */
		char *text;         /* VALUE_TEXT, owned, UTF-8 */
		struct bytes bytes; /* VALUE_BYTES */
		struct {
			struct value **items;
			unsigned count;
		} list;
		struct {
			struct value_entry *entries;
			unsigned count;
		} map;
	};
};
struct value_entry {
	char *key;
	struct place key_place;
	struct value *value;
};

/* Parses one YAML document with libyaml: duplicate keys, anchors/aliases/tags, several documents, non-scalar keys,
 * invalid UTF-8, nesting over 64 and files over 4 MiB are errors with their place. */
int value_parse_file(const char *path, struct value **ret, struct error *err) WARN_UNUSED;
int value_parse_text(const char *name, const char *text, size_t length, struct value **ret, struct error *err) WARN_UNUSED;
void value_free(struct value *);
struct value *value_copy(const struct value *); /* NULL: out of memory */

/* Makers of run-time values (variables); place is zero. NULL: out of memory. */
struct value *value_new_integer(int64_t);
struct value *value_new_text(const char *);
struct value *value_new_bytes(const void *, size_t);
struct value *value_new_bool(bool);
struct value *value_new_duration(int64_t ns);
struct value *value_new_list(void);
struct value *value_new_map(void);
/* Both take `stolen` in any case (it may be NULL: -ENOMEM, so that makers can be nested). 0 or -ENOMEM. */
int value_list_add(struct value *list, struct value *stolen) WARN_UNUSED;
int value_map_set(struct value *map, const char *key, struct value *stolen) WARN_UNUSED; /* replaces a key that is there */

const struct value *value_get(const struct value *map, const char *key); /* NULL when absent or not a map */
const char *value_type_name(enum value_type);                            /* "a duration", "a map", … for messages */
/* The value as one line of text, for messages and journals; newly allocated. */
char *value_describe(const struct value *);
json_t *value_to_json(const struct value *);

/* Converts a scalar to the asked type ("250ms" -> VALUE_DURATION; "02 10 03" -> VALUE_BYTES; …) into a new value with
 * the same place. Durations: ns, us, ms, s, min, h; sizes: B, KiB, MiB, GiB and kB, MB, GB (thousands); both take a
 * decimal fraction when the whole is exact ("1.5s"). A missing or wrong unit is an error that names the units.
 * -EINVAL (ERROR_USAGE at the value's place) or -ENOMEM. */
int value_convert(const struct value *, enum value_type, struct value **ret, struct error *err) WARN_UNUSED;

#endif
