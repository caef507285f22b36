/* SPDX-License-Identifier: Apache-2.0 */
#include "board_params.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/suggest.h"
#include "rack.h"
#include "rig_keys.h"

#define ITEM_MAX 64

/* The firmware's numbers: digits, or 0x and hex digits; nothing around them. */
static bool number_ok(const struct board_param *param, const char *text)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	if (!*digits || strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789") != strlen(digits))
		return false;
	errno = 0;
	unsigned long long number = strtoull(digits, NULL, hex ? 16 : 10);
	return !errno && number <= INT64_MAX && (int64_t)number >= param->minimum && (int64_t)number <= param->maximum;
}

static bool word_ok(const char *const *words, const char *word)
{
	for (; *words; words++)
		if (!strcmp(*words, word))
			return true;
	return false;
}

/* "0xe0:tls+auth" */
static bool need_ok(const struct board_param *param, char *item)
{
	char *colon = strchr(item, ':'), *rest;
	if (colon)
		*colon = '\0';
	if (!number_ok(param, item))
		return false;
	if (!colon)
		return true;
	for (char *need = colon + 1; need; need = rest) {
		rest = strchr(need, '+');
		if (rest)
			*rest++ = '\0';
		if (!word_ok(param->words, need))
			return false;
	}
	return true;
}

static bool item_ok(const struct board_param *param, char *item)
{
	if (param->kind == PARAM_WORDS)
		return word_ok(param->words, item);
	return param->kind == PARAM_NEEDS ? need_ok(param, item) : number_ok(param, item);
}

/* Every item between commas; ret_item holds the one that is wrong. */
static bool list_ok(const struct board_param *param, const char *text, char ret_item[ITEM_MAX])
{
	char item[ITEM_MAX];
	while (*text) {
		size_t length = strcspn(text, ",");
		snprintf(item, sizeof(item), "%.*s", (int)length, text);
		snprintf(ret_item, ITEM_MAX, "%s", item);
		if (length >= sizeof(item) || !item_ok(param, item))
			return false;
		text += length + (text[length] == ',');
	}
	return true;
}

static bool address_ok(const struct board_param *param, const char *text)
{
	struct in_addr parsed;
	char address[16];
	unsigned port;
	if (param->kind == PARAM_ADDRESS)
		return inet_pton(AF_INET, text, &parsed) == 1;
	return !*text || rig_parse_endpoint(text, address, &port) == 0;
}

static bool value_ok(const struct board_param *param, const char *text, char ret_item[ITEM_MAX])
{
	size_t length = strlen(text);
	switch (param->kind) {
	case PARAM_TEXT:
		return length == 0 || (length >= (size_t)param->minimum && length <= (size_t)param->maximum);
	case PARAM_VIN:
		return length == 0 || rig_vin_ok(text);
	case PARAM_NUMBER:
		return number_ok(param, text);
	case PARAM_FLAG:
		return !strcmp(text, "0") || !strcmp(text, "1");
	case PARAM_HEX:
		return length == 0 || (length == 2 * (size_t)param->maximum && strspn(text, "0123456789abcdefABCDEF") == length);
	case PARAM_ADDRESS:
	case PARAM_ENDPOINT:
		return address_ok(param, text);
	case PARAM_WORD:
		return word_ok(param->words, text);
	case PARAM_WORDS:
	case PARAM_NUMBERS:
	case PARAM_NEEDS:
		return list_ok(param, text, ret_item);
	}
	return false;
}

static void words_text(const char *const *words, char *buffer, size_t size)
{
	size_t length = 0;
	buffer[0] = '\0';
	for (; *words && length < size; words++)
		length += (size_t)snprintf(buffer + length, size - length, "%s%s", length ? ", " : "", *words);
}

/* What the value must be. */
static void wanted_text(const struct board_param *param, char *buffer, size_t size)
{
	char words[640] = "";
	if (param->words)
		words_text(param->words, words, sizeof(words));
	switch (param->kind) {
	case PARAM_TEXT:
		if (param->minimum == param->maximum)
			snprintf(buffer, size, "%" PRId64 " characters, or none", param->maximum);
		else
			snprintf(buffer, size, "at most %" PRId64 " characters", param->maximum);
		break;
	case PARAM_VIN:
		snprintf(buffer, size, "17 characters (digits and capital letters without I, O and Q), or none");
		break;
	case PARAM_NUMBER:
		snprintf(buffer, size, "a number from %" PRId64 " to %" PRId64, param->minimum, param->maximum);
		break;
	case PARAM_NUMBERS:
		snprintf(buffer, size, "numbers from %" PRId64 " to %" PRId64 " with commas", param->minimum, param->maximum);
		break;
	case PARAM_FLAG:
		snprintf(buffer, size, "0 or 1");
		break;
	case PARAM_HEX:
		snprintf(buffer, size, "%" PRId64 " hex digits", 2 * param->maximum);
		break;
	case PARAM_ADDRESS:
		snprintf(buffer, size, "an IPv4 address");
		break;
	case PARAM_ENDPOINT:
		snprintf(buffer, size, "an IPv4 address and port like 127.0.0.1:13400");
		break;
	case PARAM_NEEDS:
		snprintf(buffer, size, "NUMBER or NUMBER:NEED+NEED, with commas; needs are %s", words);
		break;
	case PARAM_WORD:
	case PARAM_WORDS:
		snprintf(buffer, size, "%s of %s", param->kind == PARAM_WORD ? "one" : "any", words);
		break;
	}
}

static int unknown_name(const struct board_param *table, const char *name, struct place place, struct error *err)
{
	struct suggestion suggestion = {.word = name};
	char hint[160];
	for (; table->name; table++)
		suggestion_offer(&suggestion, table->name);
	return error_set_place(err, ERROR_USAGE, EINVAL, place, "unknown parameter \"%s\"%s", name,
	                       suggestion_text(&suggestion, hint, sizeof(hint)));
}

static int wrong_value(const struct board_param *param, const char *text, const char *item, int rack, struct place place, struct error *err)
{
	char wanted[768], hint[160] = "", where[128];
	if (param->kind == PARAM_WORD || param->kind == PARAM_WORDS)
		suggest_text(item, param->words, hint, sizeof(hint));
	wanted_text(param, wanted, sizeof(wanted));
	return error_set_place(err, ERROR_USAGE, EINVAL, place, "the parameter %s cannot be \"%.60s\"%s%s: it must be %s", param->name,
	                       *item ? item : text, hint, rack_bad_text(text, rack, where, sizeof(where)), wanted);
}

struct question {
	const struct board_param *param;
	char *item; /* what of the value is wrong */
};

static bool question_ok(const char *text, void *context)
{
	const struct question *question = context;
	return value_ok(question->param, text, question->item);
}

int board_param_check(const struct board_param *table, const char *name, struct place name_place, const char *value,
                      struct place value_place, struct error *err)
{
	const struct board_param *param = table;
	char item[ITEM_MAX] = "";
	if (!table || !strncmp(name, BOARD_PARAM_FREE, strlen(BOARD_PARAM_FREE)))
		return 0;
	while (param->name && strcmp(param->name, name) != 0)
		param++;
	if (!param->name)
		return unknown_name(table, name, name_place, err);
	if (!value)
		return 0;
	struct question question = {param, item};
	int bad = rack_first_bad(value, question_ok, &question);
	if (bad <= 0)
		return bad < 0 ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory") : 0;
	if (param->kind == PARAM_WORD)
		snprintf(item, sizeof(item), "%s", value);
	return wrong_value(param, value, item, bad, value_place, err);
}

int board_params_check(const struct board_param *table, const struct value *map, struct error *err)
{
	int r = 0;
	for (unsigned i = 0; map && r == 0 && i < map->map.count; i++) {
		const struct value_entry *entry = &map->map.entries[i];
		char *text = entry->value->type == VALUE_BOOL ? strdup(entry->value->boolean ? "1" : "0") : value_describe(entry->value);
		if (!text)
			return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
		r = board_param_check(table, entry->key, entry->key_place, text, entry->value->place, err);
		free(text);
	}
	return r;
}
