/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of a board: from whom it takes software and which keys it no longer believes. */
#include "../faults/fault.h"
#include "console.h"
#include "ota_image_private.h"

#define TEXT_SIZE   192u
#define MAX_SOURCES 16u
#define MAX_REVOKED 64u
#define OEM         0x0000u

static struct {
	uint16_t target, sources[MAX_SOURCES];
	uint32_t revoked[MAX_REVOKED];
	size_t source_count, revoked_count;
	bool all_revoked;
} policy;

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decimal, or hexadecimal with 0x. Gives what follows it, NULL when there is no number up to `maximum`. */
static const char *read_number(const char *text, uint32_t maximum, uint32_t *ret_value)
{
	uint32_t base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
	uint64_t value = 0;
	const char *begin = text += base == 16 ? 2 : 0;

	for (int digit = digit_of(*text); digit >= 0 && (uint32_t)digit < base; digit = digit_of(*++text)) {
		value = value * base + (uint32_t)digit;
		if (value > maximum)
			return NULL;
	}
	*ret_value = (uint32_t)value;
	return text == begin ? NULL : text;
}

/* "a,b,c" of at most `limit` numbers; false when it is anything else. An empty text is an empty list. */
static bool read_list(const char *text, uint32_t maximum, uint32_t *list, size_t limit, size_t *ret_count)
{
	size_t count = 0;

	if (*text == '\0') {
		*ret_count = 0;
		return true;
	}
	for (;; text++) {
		uint32_t value = 0;

		text = read_number(text, maximum, &value);
		if (text == NULL || count == limit || (*text != ',' && *text != '\0'))
			return false;
		list[count++] = value;
		if (*text == '\0')
			break;
	}
	*ret_count = count;
	return true;
}

static bool load_list(const char *name, uint32_t maximum, uint32_t *list, size_t limit, size_t *ret_count)
{
	struct console_line line;
	char text[TEXT_SIZE];
	enum port_status status = port_param_text(name, text, sizeof(text));

	*ret_count = 0;
	if (status == PORT_ABSENT || (status == PORT_OK && read_list(text, maximum, list, limit, ret_count)))
		return true;
	console_begin(&line);
	console_text(&line, "! parameter ");
	console_text(&line, name);
	console_text(&line, " cannot be used");
	console_end(&line);
	return false;
}

void ota_image_policy_load(uint16_t target)
{
	uint32_t sources[MAX_SOURCES];

	policy.target = target;
	(void)load_list("ota.sources", UINT16_MAX, sources, MAX_SOURCES, &policy.source_count);
	for (size_t i = 0; i < policy.source_count; i++)
		policy.sources[i] = (uint16_t)sources[i];
	policy.all_revoked = !load_list("ota.revoked", UINT32_MAX, policy.revoked, MAX_REVOKED, &policy.revoked_count);
}

static bool source_allowed(uint16_t source)
{
	if (source == OEM)
		return true;
	if (source == policy.target)
		return false; /* what this board has sent came back: a loop */
	for (size_t i = 0; i < policy.source_count; i++)
		if (policy.sources[i] == source)
			return true;
	return false;
}

bool ota_image_is_for_us(const struct swpg_header *header)
{
	if (header->target != policy.target && !fault_active(FAULT_OTA_NO_TARGET))
		return false;
	return header->type == SWPG_APPLICATION && source_allowed(header->source);
}

bool ota_image_key_revoked(uint32_t key_id)
{
	for (size_t i = 0; i < policy.revoked_count; i++)
		if (policy.revoked[i] == key_id)
			return true;
	return policy.all_revoked;
}
