/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of a rig file as tables: the one source of the checker and of the JSON Schema. */
#ifndef HARNESS_RIG_RIG_KEYS_H
#define HARNESS_RIG_RIG_KEYS_H

#include <stdbool.h>

#include "../base/value.h"

enum rig_key_kind {
	RIG_KEY_TEXT,
	RIG_KEY_INTEGER,
	RIG_KEY_BOOL,
	RIG_KEY_ADDRESS,   /* IPv4 address */
	RIG_KEY_ENDPOINT,  /* IPv4 address:port */
	RIG_KEY_HEX6,      /* six bytes */
	RIG_KEY_VIN,       /* vehicle identification number */
	RIG_KEY_NAME,      /* text, or a number */
	RIG_KEY_LIST,      /* of texts */
	RIG_KEY_SCALARS,   /* map of free names to scalars */
	RIG_KEY_VARIABLES, /* the same, where ${jtag} is known as well */
	RIG_KEY_MAP,       /* map with the keys of `keys` */
	RIG_KEY_NAMED,     /* map of free names to maps with the keys of `keys` */
};
struct rig_key {
	const char *name; /* NULL ends a table */
	enum rig_key_kind kind;
	bool required;
	const struct rig_key *keys;
	const char *const *choices; /* RIG_KEY_TEXT */
	int64_t minimum, maximum;   /* RIG_KEY_INTEGER */
	const char *doc;
};

/* The table of the whole file. */
const struct rig_key *rig_keys(void);

/* Checks a map against a table: unknown keys (with a suggestion), missing ones, types, ranges. ERROR_USAGE with place.
 * Texts are checked as if `${rack}` were 1. */
int rig_keys_check(const struct value *map, const struct rig_key *keys, const char *what, struct error *err) WARN_UNUSED;
/* That a map has `driver` and else only the keys (NULL-terminated) that this driver knows. ERROR_USAGE with place. */
int rig_keys_of_driver(const struct value *map, const char *driver, const char *const *keys, struct error *err) WARN_UNUSED;
/* A role's `power:`, `console:` and `reset:`. */
extern const struct rig_key rig_power_keys[], rig_console_keys[], rig_reset_keys[];
/* Its `probe:`. */
extern const struct rig_key rig_probe_keys[];
/* JSON Schema of a map with these keys. New reference. */
json_t *rig_keys_schema(const struct rig_key *keys);

/* Whether it is a vehicle identification number: 17 digits and capital letters but for I, O and Q (ISO 3779:2009, 4). */
bool rig_vin_ok(const char *text);
/* "127.0.0.1:80" -> parts; 0 or -EINVAL. ret_address: at least 16 bytes. */
int rig_parse_endpoint(const char *text, char *ret_address, unsigned *ret_port) WARN_UNUSED;

#endif
