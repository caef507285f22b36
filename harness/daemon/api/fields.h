/* SPDX-License-Identifier: Apache-2.0 */
/* Strict reading of JSON objects that a client sent: unknown keys, wrong types and values out of range are errors that name the key. */
#ifndef HARNESS_DAEMON_API_FIELDS_H
#define HARNESS_DAEMON_API_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../base/error.h"

enum field_kind {
	FIELD_TEXT,     /* const char *, borrowed from the JSON; least and most: bytes. No control characters */
	FIELD_BOOL,     /* bool */
	FIELD_INTEGER,  /* int64_t within least and most */
	FIELD_DURATION, /* int64_t ns, written as text with a unit ("2h", "90d"); least and most: ns */
	FIELD_TEXTS,    /* const json_t *, an array of texts that are not empty; least and most: how many */
	FIELD_ARRAY,    /* const json_t *; least and most: how many */
	FIELD_OBJECT,   /* const json_t * */
};
struct field {
	const char *name;
	enum field_kind kind;
	bool needed; /* else it may be absent or null, and *into is left as it was */
	void *into;
	int64_t least, most;
};
/* where: what the object is, for messages ("submission"). -EINVAL (ERROR_USAGE). */
int fields_read(const json_t *object, const char *where, const struct field *, size_t count, struct error *err) WARN_UNUSED;

/* "1ns", "90s", "8760h": in the largest unit of the language that it is a whole number of. Returns text. */
#define DURATION_SIZE 32
const char *duration_write(int64_t ns, char text[DURATION_SIZE]);
/* "250ms", "1.5h", "90d"; -EINVAL with a message that names the units. */
int duration_read(const char *text, int64_t *ret_ns, struct error *err) WARN_UNUSED;

#endif
