/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of the daemon's configuration: one table for reading, for defaults and for the schema. */
#ifndef HARNESS_DAEMON_CONFIG_KEYS_H
#define HARNESS_DAEMON_CONFIG_KEYS_H

#include "../base/value.h"
#include "config.h"

enum config_kind {
	CONFIG_TEXT,     /* char * */
	CONFIG_PATH,     /* char *, made absolute */
	CONFIG_DURATION, /* int64_t, ns */
	CONFIG_SIZE,     /* uint64_t, bytes */
	CONFIG_COUNT,    /* unsigned */
	CONFIG_ROLE,     /* enum token_role */
	CONFIG_TEXTS,    /* char **, NULL-terminated */
	CONFIG_MAP,      /* keys */
};
struct config_key {
	const char *name;
	enum config_kind kind;
	size_t offset; /* in struct daemon_config */
	int64_t minimum, maximum, standard;
	const char *doc;
	const struct config_key *keys;
};
/* Ends with a key without a name. `rigs` is not in it. */
extern const struct config_key config_keys[];

/* Standard values of every number. */
void config_keys_set_standard(const struct config_key *, struct daemon_config *);
/* Reads a map; `rigs` of the topmost one is left to the caller. directory: where relative paths begin. */
int config_keys_read(const struct config_key *, const struct value *map, const char *directory, struct daemon_config *,
                     struct error *err) WARN_UNUSED;
/* A file name relative to a directory; newly allocated, NULL when out of memory. */
char *config_path(const char *directory, const char *name);

#endif
