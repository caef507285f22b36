/* SPDX-License-Identifier: Apache-2.0 */
#include "event.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define TEXT_LIMIT 400 /* bytes of one event's line */
#define HEX_LIMIT  48  /* bytes of a payload shown */

char *event_text(const json_t *object, const char *key, bool *failed)
{
	const json_t *member = json_object_get(object, key);
	if (!json_is_string(member))
		return NULL;
	char *copy = text_clean(json_string_value(member), json_string_length(member), 0);
	if (!copy)
		*failed = true;
	return copy;
}

int64_t event_integer(const json_t *object, const char *key, int64_t fallback)
{
	const json_t *member = json_object_get(object, key);
	if (!json_is_integer(member))
		return fallback;
	int64_t value = json_integer_value(member);
	return value > EVENT_INTEGER_LIMIT ? EVENT_INTEGER_LIMIT : value < -EVENT_INTEGER_LIMIT ? -EVENT_INTEGER_LIMIT : value;
}

static void hex_put(struct text *line, const char *hex)
{
	size_t digits = strlen(hex);
	for (size_t i = 0; i + 1 < digits && i < 2 * HEX_LIMIT; i += 2)
		text_printf(line, "%s%.2s", i > 0 || line->bytes.length > 0 ? " " : "", hex + i);
	if (digits > 2 * HEX_LIMIT)
		text_printf(line, " … (+%zu)", digits / 2 - HEX_LIMIT);
}

static void value_put(struct text *line, const json_t *value)
{
	if (json_is_string(value)) {
		text_put(line, json_string_value(value));
		return;
	}
	char *dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	text_put(line, dump);
	free(dump);
}

/* Identifiers, addresses and codes are read in hexadecimal. */
static void member_put(struct text *line, const char *key, const json_t *value)
{
	static const struct {
		const char *key;
		int digits;
	} hexadecimal[] = {{"id", 3},     {"address", 4},    {"logical_address", 4}, {"source", 4}, {"target", 4},
	                   {"entity", 4}, {"request_id", 3}, {"response_id", 3},     {"did", 4},    {"idcode", 8},
	                   {"nrc", 2},    {"code", 2},       {"service", 2},         {"type", 4}};
	for (size_t i = 0; json_is_integer(value) && i < sizeof(hexadecimal) / sizeof(*hexadecimal); i++)
		if (strcmp(hexadecimal[i].key, key) == 0 && json_integer_value(value) >= 0) {
			text_printf(line, "0x%0*" PRIx64, hexadecimal[i].digits, (uint64_t)json_integer_value(value));
			return;
		}
	value_put(line, value);
}

/* Everything the event says, as it is: for kinds that have no wording of their own. */
static void members_put(struct text *line, json_t *data)
{
	const char *key;
	json_t *value;
	json_object_foreach (data, key, value) {
		text_printf(line, "%s%s=", line->bytes.length > 0 ? " " : "", key);
		member_put(line, key, value);
	}
}

static void address_put(struct text *line, const json_t *data, const char *key, const char *before)
{
	if (json_is_integer(json_object_get(data, key)))
		text_printf(line, " %s0x%04" PRIx64, before, (uint64_t)event_integer(data, key, 0));
}

static void code_put(struct text *line, const json_t *data, const char *key)
{
	if (!json_is_integer(json_object_get(data, key)))
		return;
	text_printf(line, " %s 0x%02" PRIx64, key, (uint64_t)event_integer(data, key, 0));
	const char *name = json_string_value(json_object_get(data, "code_name"));
	if (name)
		text_printf(line, " (%s)", name);
}

static void doip_put(struct text *line, const json_t *data)
{
	const char *name = json_string_value(json_object_get(data, "name"));
	if (name)
		text_put(line, name);
	else
		text_printf(line, "type 0x%04" PRIx64, (uint64_t)event_integer(data, "type", 0));
	address_put(line, data, "source", "");
	address_put(line, data, "target", "→ ");
	code_put(line, data, "code");
	if (json_is_true(json_object_get(data, "malformed")))
		text_put(line, " malformed");
	const char *hex = json_string_value(json_object_get(data, "hex"));
	if (!hex)
		return;
	text_put(line, ":");
	hex_put(line, hex);
}

static void uds_put(struct text *line, const json_t *data)
{
	const json_t *service = json_object_get(data, "service");
	if (service)
		member_put(line, "service", service);
	address_put(line, data, "source", "");
	address_put(line, data, "target", "→ ");
	if (json_object_get(data, "nrc")) {
		text_put(line, " nrc ");
		member_put(line, "nrc", json_object_get(data, "nrc"));
	}
	const char *hex = json_string_value(json_object_get(data, "hex"));
	if (!hex)
		return;
	text_put(line, ":");
	hex_put(line, hex);
}

static const char *member_text(const json_t *data, const char *key)
{
	const char *text = json_string_value(json_object_get(data, key));
	return text ? text : "";
}

/* "0x1a0 [8] 01 02 … fd brs", as candump shows it. */
static void can_put(struct text *line, const json_t *data)
{
	const json_t *flags = json_object_get(data, "flags"), *flag;
	bool extended = false;
	size_t i;
	json_array_foreach (flags, i, flag)
		extended = extended || (json_is_string(flag) && strcmp(json_string_value(flag), "ext") == 0);
	text_printf(line, extended ? "%08" PRIx64 : "%03" PRIx64, (uint64_t)event_integer(data, "id", 0));
	text_printf(line, " [%" PRId64 "]", event_integer(data, "length", 0));
	hex_put(line, member_text(data, "hex"));
	json_array_foreach (flags, i, flag)
		if (json_is_string(flag))
			text_printf(line, " %s", json_string_value(flag));
}

static void isotp_put(struct text *line, const json_t *data)
{
	text_printf(line, "%03" PRIx64 " %" PRId64 " bytes %s:", (uint64_t)event_integer(data, "id", 0), event_integer(data, "length", 0),
	            member_text(data, "result"));
	hex_put(line, member_text(data, "hex"));
}

/* Who did it, then everything else the event says. */
static void link_put(struct text *line, json_t *data)
{
	const char *key;
	json_t *value;
	text_put(line, member_text(data, "side"));
	json_object_foreach (data, key, value) {
		if (strcmp(key, "side") == 0 || strcmp(key, "conn") == 0)
			continue;
		text_printf(line, "%s%s=", line->bytes.length > 0 ? " " : "", key);
		value_put(line, value);
	}
	if (json_is_integer(json_object_get(data, "conn")))
		text_printf(line, " (connection %" PRId64 ")", event_integer(data, "conn", 0));
}

static void step_put(struct text *line, const json_t *data, bool begins)
{
	const char *text = json_string_value(json_object_get(data, begins ? "text" : "verdict"));
	const char *name = json_string_value(json_object_get(data, begins ? "name" : "id"));
	text_put(line, begins && text ? text : name);
	if (!begins && text)
		text_printf(line, ": %s", text);
	const char *message = json_string_value(json_object_get(data, "message"));
	if (message && *message != '\0')
		text_printf(line, ", %s", message);
}

static void stage_put(struct text *line, const json_t *data)
{
	text_put(line, json_string_value(json_object_get(data, "stage")));
	int64_t at_us = event_integer(data, "t_us", -1);
	if (at_us >= 0) {
		text_put(line, " at ");
		text_put_ms(line, at_us * 1000);
		text_put(line, " ms of the board's clock");
	}
}

/* "1.0.0 → 1.1.0 on bank B after 287.155 ms, outage 252.001 ms" */
static void ota_switch_put(struct text *line, const json_t *data)
{
	text_printf(line, "%s → %s on bank %s after ", member_text(data, "before"), member_text(data, "version"),
	            member_text(data, "active"));
	text_put_ms(line, event_integer(data, "ns", 0));
	text_put(line, " ms, outage ");
	text_put_ms(line, event_integer(data, "outage_ns", 0));
	text_put(line, " ms");
}

/* "refused at offer, nrc 0x72, 0 bytes in 2.370 ms" */
static void ota_end_put(struct text *line, const json_t *data)
{
	text_put(line, member_text(data, "outcome"));
	if (strcmp(member_text(data, "at"), "done") != 0)
		text_printf(line, " at %s", member_text(data, "at"));
	if (event_integer(data, "nrc", 0) != 0)
		text_printf(line, ", nrc 0x%02" PRIx64, (uint64_t)event_integer(data, "nrc", 0));
	text_printf(line, ", %" PRId64 " bytes in ", event_integer(data, "bytes", 0));
	text_put_ms(line, event_integer(data, "duration_ns", 0));
	text_put(line, " ms");
}

/* What stands in the members, with addresses as one reads them. */
static void flash_put(struct text *line, const json_t *data)
{
	static const char *const words[] = {"phase", "torn", "kind"};
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (*member_text(data, words[i]))
			text_printf(line, "%s%s", line->bytes.length > 0 ? " " : "", member_text(data, words[i]));
	text_printf(line, " at 0x%08" PRIx64, (uint64_t)event_integer(data, "address", 0));
	if (json_object_get(data, "length"))
		text_printf(line, ", %" PRId64 " bytes", event_integer(data, "length", 0));
	if (json_object_get(data, "sectors"))
		text_printf(line, ", %" PRId64 " sectors", event_integer(data, "sectors", 0));
	if (*member_text(data, "status"))
		text_printf(line, ": %s", member_text(data, "status"));
	text_printf(line, " (operation %" PRId64 ")", event_integer(data, "op", 0));
}

static void wording_put(struct text *line, const char *kind, json_t *data)
{
	const char *text = json_string_value(json_object_get(data, "text"));
	if (strcmp(kind, "doip") == 0 || strncmp(kind, "doip.", 5) == 0)
		doip_put(line, data);
	else if (strncmp(kind, "uds.", 4) == 0)
		uds_put(line, data);
	else if (strcmp(kind, "step.begin") == 0 || strcmp(kind, "step.end") == 0)
		step_put(line, data, kind[5] == 'b');
	else if (strcmp(kind, "boot.stage") == 0)
		stage_put(line, data);
	else if (strcmp(kind, "can.rx") == 0 || strcmp(kind, "can.tx") == 0)
		can_put(line, data);
	else if (strncmp(kind, "isotp.", 6) == 0)
		isotp_put(line, data);
	else if (strcmp(kind, "ota.switch") == 0)
		ota_switch_put(line, data);
	else if (strcmp(kind, "ota.end") == 0)
		ota_end_put(line, data);
	else if (strcmp(kind, "flash") == 0 || strcmp(kind, "power.cut") == 0)
		flash_put(line, data);
	else if (strncmp(kind, "tcp.", 4) == 0 || strncmp(kind, "tls.", 4) == 0)
		link_put(line, data);
	else if (text)
		text_put(line, text);
	else
		members_put(line, data);
}

int report_event_describe(const json_t *event, struct report_event *ret)
{
	bool failed = false;
	struct report_event row = {.at_ns = event_integer(event, "t", 0)};
	row.channel = event_text(event, "ch", &failed);
	row.kind = event_text(event, "kind", &failed);
	struct text line = {0};
	if (row.kind)
		wording_put(&line, row.kind, json_object_get(event, "data"));
	text_end(&line);
	if (!line.failed)
		row.text = text_clean((const char *)line.bytes.data, line.bytes.length, TEXT_LIMIT);
	for (char *c = row.text; c && (c = strpbrk(c, "\r\n\t"));)
		*c = ' '; /* a line stays one */
	failed = failed || line.failed || !row.text;
	text_free(&line);
	if (failed) {
		report_event_clear(&row);
		return -ENOMEM;
	}
	*ret = row;
	return 0;
}

void report_event_clear(struct report_event *row)
{
	free(row->channel);
	free(row->kind);
	free(row->text);
	*row = (struct report_event){0};
}
