/* SPDX-License-Identifier: Apache-2.0 */
#include "config_keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/suggest.h"

#define S_NS      INT64_C(1000000000)
#define MIN_NS    (60 * S_NS)
#define HOUR_NS   (60 * MIN_NS)
#define DAY_NS    (24 * HOUR_NS)
#define MIB       (INT64_C(1) << 20)
#define GIB       (INT64_C(1) << 30)
#define AT(field) offsetof(struct daemon_config, field)

static const struct config_key tls_keys[] = {{"certificate", CONFIG_PATH, AT(certificate), .doc = "PEM file of the certificate chain."},
                                             {"key", CONFIG_PATH, AT(key), .doc = "PEM file of its private key."},
                                             {NULL}};
static const struct config_key listen_keys[] = {
        {"socket", CONFIG_PATH, AT(socket), .doc = "UNIX socket; standard hilbenchd.sock in the state directory."},
        {"address", CONFIG_TEXT, AT(address),
         .doc = "TCP address and port, e.g. 127.0.0.1:8480. Without it there is no TCP. Beyond loopback only with tls."},
        {"names", CONFIG_TEXTS, AT(names),
         .doc = "Host names by which the daemon may be asked for over TCP, beside its address and localhost."},
        {"loopback_role", CONFIG_ROLE, AT(loopback_role), .standard = ROLE_VIEWER,
         .doc = "What somebody without a token may do over loopback: nobody, viewer, operator or admin."},
        {"tls", CONFIG_MAP, .doc = "Certificate and key of the TCP socket.", .keys = tls_keys},
        {NULL}};
static const struct config_key jobs_keys[] = {
        {"time_limit", CONFIG_DURATION, AT(lab.time_limit_ns), S_NS, 30 * DAY_NS, 2 * HOUR_NS,
         .doc = "Of a run, where the job says nothing."},
        {"silence_limit", CONFIG_DURATION, AT(lab.silence_limit_ns), S_NS, 30 * DAY_NS, 10 * MIN_NS,
         .doc = "A run that neither prints nor writes to its journal for so long is ended."},
        {"grace", CONFIG_DURATION, AT(lab.grace_ns), 0, HOUR_NS, 20 * S_NS, .doc = "Between asking a run to end and ending it."},
        {"retries", CONFIG_COUNT, AT(lab.retries), 0, 10, 1,
         .doc = "Further runs of the cases that the bench broke, where the job says nothing."},
        {"queue_limit", CONFIG_COUNT, AT(lab.queue_limit), 1, 1000000, 10000, .doc = "Jobs that wait at most."},
        {"upload_limit", CONFIG_SIZE, AT(upload_limit), 1024, 16 * GIB, 256 * MIB, .doc = "Largest file of a submission."},
        {"output_limit", CONFIG_SIZE, AT(lab.output_bytes), MIB, 1024 * GIB, 2 * GIB, .doc = "What a run may write."},
        {"memory_limit", CONFIG_SIZE, AT(lab.memory_bytes), 16 * MIB, 1024 * GIB, 4 * GIB,
         .doc = "Resident memory of a run with everything it starts."},
        {"free_space", CONFIG_SIZE, AT(lab.free_bytes), 0, 1024 * GIB, GIB,
         .doc = "With less free on the disk no new job is taken and no run starts; with less than a quarter of it running ones are ended."},
        {NULL}};
static const struct config_key health_keys[] = {
        {"quarantine_after", CONFIG_COUNT, AT(lab.health.quarantine_after), 1, 100, 3,
         .doc = "Bench errors in a row after which a rig is quarantined."},
        {"recovery_after", CONFIG_DURATION, AT(lab.health.recovery_after_ns), 0, 30 * DAY_NS, 5 * MIN_NS,
         .doc = "From the quarantine to the first self-test; doubled after each that failed. 0s: only when asked."},
        {"check_interval", CONFIG_DURATION, AT(lab.check_interval_ns), S_NS, DAY_NS, 5 * MIN_NS, .doc = "Between checks of an idle rig."},
        {"cleanup_limit", CONFIG_DURATION, AT(lab.cleanup_limit_ns), S_NS, HOUR_NS, MIN_NS, .doc = "Time for the clean-up after a lease."},
        {"recovery_limit", CONFIG_DURATION, AT(lab.recovery_limit_ns), S_NS, HOUR_NS, 3 * MIN_NS, .doc = "Time for a self-test."},
        {NULL}};
static const struct config_key lease_keys[] = {
        {"limit", CONFIG_DURATION, AT(lab.lease_limit_ns), S_NS, 30 * DAY_NS, 8 * HOUR_NS, .doc = "Longest lock of a rig by a person."},
        {"heartbeat", CONFIG_DURATION, AT(lab.heartbeat_ns), S_NS / 10, HOUR_NS, 5 * S_NS,
         .doc = "Interval; a lease is over after three without one."},
        {NULL}};
static const struct config_key retention_keys[] = {{"age", CONFIG_DURATION, AT(lab.retention.age_ns), 0, 36500 * DAY_NS, 90 * DAY_NS,
                                                    .doc = "Of captures, logs and journals. 0s: for ever."},
                                                   {"results_age", CONFIG_DURATION, AT(lab.retention.results_age_ns), 0, 36500 * DAY_NS, 0,
                                                    .doc = "Of verdicts and measurements. 0s: as long as the rest."},
                                                   {"size", CONFIG_SIZE, AT(lab.retention.bytes), 0, INT64_C(1) << 50, 50 * GIB,
                                                    .doc = "Of all files of runs together; the oldest go first. 0B: no limit."},
                                                   {NULL}};
const struct config_key config_keys[] = {
        {"state", CONFIG_PATH, AT(state), .doc = "Directory for everything that is kept."},
        {"listen", CONFIG_MAP, .doc = "Where the daemon is asked.", .keys = listen_keys},
        {"jobs", CONFIG_MAP, .doc = "Limits of jobs.", .keys = jobs_keys},
        {"health", CONFIG_MAP, .doc = "When a rig is kept apart, and how it comes back.", .keys = health_keys},
        {"leases", CONFIG_MAP, .doc = "Rigs in the hands of people.", .keys = lease_keys},
        {"retention", CONFIG_MAP, .doc = "How long results stay.", .keys = retention_keys},
        {NULL}};

void config_keys_set_standard(const struct config_key *keys, struct daemon_config *config)
{
	for (; keys->name; keys++) {
		char *field = (char *)config + keys->offset;
		if (keys->kind == CONFIG_MAP)
			config_keys_set_standard(keys->keys, config);
		else if (keys->kind == CONFIG_DURATION || keys->kind == CONFIG_SIZE)
			memcpy(field, &keys->standard, sizeof(keys->standard));
		else if (keys->kind == CONFIG_COUNT)
			*(unsigned *)(void *)field = (unsigned)keys->standard;
		else if (keys->kind == CONFIG_ROLE)
			*(enum token_role *)(void *)field = (enum token_role)keys->standard;
	}
}

char *config_path(const char *directory, const char *name)
{
	char *path = NULL;
	if (*name == '/')
		return strdup(name);
	return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

static int read_text(const struct value *value, const char *name, const char **ret, struct error *err)
{
	if (value->type != VALUE_TEXT || !*value->text)
		return error_set_place(err, ERROR_USAGE, EINVAL, value->place, "%s must be text, not %s", name,
		                       value_type_name(value->type));
	*ret = value->text;
	return 0;
}

static int read_owned(const struct config_key *key, const struct value *value, const char *directory, char **ret, struct error *err)
{
	const char *text = NULL;
	int r = read_text(value, key->name, &text, err);
	if (r < 0)
		return r;
	char *copy = key->kind == CONFIG_PATH ? config_path(directory, text) : strdup(text);
	if (!copy)
		return out_of_memory(err);
	free(*ret);
	*ret = copy;
	return 0;
}

struct amount {
	char text[32];
};
/* As the file writes it: in the largest unit that leaves a whole number. */
static struct amount amount_of(enum config_kind kind, int64_t number)
{
	static const struct unit {
		int64_t factor;
		const char *name;
	} durations[] = {{HOUR_NS, "h"}, {MIN_NS, "min"}, {S_NS, "s"}, {1000000, "ms"}, {1000, "us"}, {1, "ns"}},
	  sizes[] = {{GIB, "GiB"}, {MIB, "MiB"}, {1024, "KiB"}, {1, "B"}}, counts[] = {{1, ""}};
	const struct unit *unit = kind == CONFIG_DURATION ? durations : kind == CONFIG_SIZE ? sizes : counts;
	struct amount amount;
	if (number == 0 && kind == CONFIG_DURATION)
		return (struct amount){"0s"};
	while (unit->factor > 1 && (number == 0 || number % unit->factor != 0))
		unit++;
	(void)snprintf(amount.text, sizeof(amount.text), "%" PRId64 "%s", number / unit->factor, unit->name);
	return amount;
}

static int out_of_range(const struct config_key *key, struct place place, struct error *err)
{
	struct amount least = amount_of(key->kind, key->minimum), most = amount_of(key->kind, key->maximum);
	return error_set_place(err, ERROR_USAGE, EINVAL, place, "%s must be from %s to %s", key->name, least.text, most.text);
}

static int read_number(const struct config_key *key, const struct value *value, int64_t *ret, struct error *err)
{
	static const enum value_type types[] = {
	        [CONFIG_DURATION] = VALUE_DURATION, [CONFIG_SIZE] = VALUE_SIZE, [CONFIG_COUNT] = VALUE_INTEGER};
	struct value *converted;
	int r = value_convert(value, types[key->kind], &converted, err);
	if (r < 0) {
		error_prefix(err, "%s", key->name);
		return r;
	}
	int64_t number = converted->integer;
	value_free(converted);
	if (number < key->minimum || number > key->maximum)
		return out_of_range(key, value->place, err);
	*ret = number;
	return 0;
}

static int read_role(const struct config_key *key, const struct value *value, enum token_role *ret, struct error *err)
{
	static const char *const names[] = {"nobody", "viewer", "operator", "admin", NULL};
	const char *text = NULL;
	char similar[80];
	int r = read_text(value, key->name, &text, err);
	if (r < 0)
		return r;
	for (unsigned i = 0; names[i]; i++)
		if (strcmp(names[i], text) == 0) {
			*ret = (enum token_role)i;
			return 0;
		}
	return error_set_place(err, ERROR_USAGE, EINVAL, value->place, "%s must be nobody, viewer, operator or admin, not \"%s\"%s",
	                       key->name, text, suggest_text(text, names, similar, sizeof(similar)));
}

static int read_texts(const struct config_key *key, const struct value *value, char ***ret, struct error *err)
{
	if (value->type != VALUE_LIST)
		return error_set_place(err, ERROR_USAGE, EINVAL, value->place, "%s must be a list, not %s", key->name,
		                       value_type_name(value->type));
	char **list = calloc(value->list.count + 1, sizeof(*list));
	int r = list ? 0 : out_of_memory(err);
	for (unsigned i = 0; r == 0 && i < value->list.count; i++) {
		const char *text = NULL;
		r = read_text(value->list.items[i], key->name, &text, err);
		if (r == 0 && !(list[i] = strdup(text)))
			r = out_of_memory(err);
	}
	if (r == 0) {
		*ret = list;
		return 0;
	}
	for (unsigned i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
	return r;
}

static int read_value(const struct config_key *key, const struct value *value, const char *directory, struct daemon_config *config,
                      struct error *err)
{
	void *field = (char *)config + key->offset;
	int64_t number = 0;
	int r;
	switch (key->kind) {
	case CONFIG_MAP:
		return config_keys_read(key->keys, value, directory, config, err);
	case CONFIG_TEXT:
	case CONFIG_PATH:
		return read_owned(key, value, directory, field, err);
	case CONFIG_ROLE:
		return read_role(key, value, field, err);
	case CONFIG_TEXTS:
		return read_texts(key, value, field, err);
	default:
		r = read_number(key, value, &number, err);
		if (r == 0 && key->kind == CONFIG_COUNT)
			*(unsigned *)field = (unsigned)number;
		else if (r == 0)
			memcpy(field, &number, sizeof(number));
		return r;
	}
}

static int unknown_key(const struct config_key *keys, const struct value_entry *entry, struct error *err)
{
	struct suggestion near = {.word = entry->key};
	char similar[80];
	for (; keys->name; keys++)
		suggestion_offer(&near, keys->name);
	return error_set_place(err, ERROR_USAGE, EINVAL, entry->key_place, "unknown key \"%s\"%s", entry->key,
	                       suggestion_text(&near, similar, sizeof(similar)));
}

int config_keys_read(const struct config_key *keys, const struct value *map, const char *directory, struct daemon_config *config,
                     struct error *err)
{
	if (map->type != VALUE_MAP)
		return error_set_place(err, ERROR_USAGE, EINVAL, map->place, "a map is needed here, not %s", value_type_name(map->type));
	for (unsigned i = 0; i < map->map.count; i++) {
		const struct value_entry *entry = &map->map.entries[i];
		const struct config_key *key = keys;
		if (keys == config_keys && strcmp(entry->key, "rigs") == 0)
			continue;
		while (key->name && strcmp(key->name, entry->key) != 0)
			key++;
		int r = key->name ? read_value(key, entry->value, directory, config, err) : unknown_key(keys, entry, err);
		if (r < 0)
			return r;
	}
	return 0;
}
