/* SPDX-License-Identifier: Apache-2.0 */
/* Campaigns: several packages behind a table. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#include "swpg_private.h"

#define HEAD_BYTES  8u
#define ENTRY_BYTES 16u
#define VERSION     1u

static size_t table_bytes(size_t count)
{
	return HEAD_BYTES + count * ENTRY_BYTES + 4;
}

static uint32_t crc_of(const uint8_t *data, size_t length)
{
	return (uint32_t)crc32_z(0, data, length);
}

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

static int parse_head(const uint8_t *data, size_t length, size_t *ret_count, struct error *err)
{
	if (length < table_bytes(1))
		return error_set(err, ERROR_USAGE, EBADMSG, "offset %zu: ends within the table, at least %zu bytes are needed", length,
		                 table_bytes(1));
	if (le32_read(data) != SWPG_CAMPAIGN_MAGIC)
		return error_set(err, ERROR_USAGE, EBADMSG, "offset 0, magic: 0x%08" PRIx32 ", a campaign has 0x%08x%s", le32_read(data),
		                 SWPG_CAMPAIGN_MAGIC, le32_read(data) == SWPG_MAGIC_WORD ? " (this is a package)" : "");
	if (le16_read(data + 4) != VERSION)
		return error_set(err, ERROR_USAGE, EBADMSG, "offset 4, version: %u, known is %u", le16_read(data + 4), VERSION);
	*ret_count = le16_read(data + 6);
	if (*ret_count == 0 || *ret_count > SWPG_CAMPAIGN_MAX)
		return error_set(err, ERROR_USAGE, EBADMSG, "offset 6, count: %zu, it is 1 to %u", *ret_count, SWPG_CAMPAIGN_MAX);
	if (length < table_bytes(*ret_count))
		return error_set(err, ERROR_USAGE, EBADMSG, "offset %zu: ends within the table of %zu entries", length, *ret_count);
	if (le32_read(data + table_bytes(*ret_count) - 4) != crc_of(data, table_bytes(*ret_count) - 4))
		return error_set(err, ERROR_USAGE, EBADMSG, "offset %zu, crc32 of the table: %08" PRIx32 ", computed %08" PRIx32,
		                 table_bytes(*ret_count) - 4, le32_read(data + table_bytes(*ret_count) - 4),
		                 crc_of(data, table_bytes(*ret_count) - 4));
	return 0;
}

#define AT(number, field) (HEAD_BYTES + (number) * (size_t)ENTRY_BYTES + (field)), (number)

static int parse_entry(const uint8_t *data, size_t length, size_t number, size_t *at, struct swpg_campaign_entry *ret, struct error *err)
{
	const uint8_t *entry = data + HEAD_BYTES + number * ENTRY_BYTES;
	uint32_t offset = le32_read(entry + 4), size = le32_read(entry + 8);

	*ret = (struct swpg_campaign_entry){.target = le16_read(entry), .length = size};
	if (ret->target == 0 || ret->target == 0xffff)
		return error_set(err, ERROR_USAGE, EBADMSG, "offset %zu, entry %zu, target_ecu_id: 0x%04x is never a target", AT(number, 0),
		                 ret->target);
	if (le16_read(entry + 2) != 0)
		return error_set(err, ERROR_USAGE, EBADMSG, "offset %zu, entry %zu, reserved: not zero", AT(number, 2));
	if (offset != *at)
		return error_set(err, ERROR_USAGE, EBADMSG, "offset %zu, entry %zu, offset: %" PRIu32 ", the one before ends at %zu",
		                 AT(number, 4), offset, *at);
	if (size < SWPG_HEADER_BYTES || size > length - *at)
		return error_set(err, ERROR_USAGE, EBADMSG, "offset %zu, entry %zu, length: %" PRIu32 ", there are %zu bytes",
		                 AT(number, 8), size, length - *at);
	ret->package = data + offset;
	if (le32_read(entry + 12) != crc_of(ret->package, size))
		return error_set(err, ERROR_USAGE, EBADMSG, "offset %zu, entry %zu, crc32: %08" PRIx32 ", computed %08" PRIx32,
		                 AT(number, 12), le32_read(entry + 12), crc_of(ret->package, size));
	if (le32_read(ret->package) == SWPG_MAGIC_WORD && le16_read(ret->package + SWPG_AT_TARGET) != ret->target)
		return error_set(err, ERROR_USAGE, EBADMSG, "offset %zu, entry %zu, target_ecu_id: 0x%04x, its package is for 0x%04x",
		                 AT(number, 0), ret->target, le16_read(ret->package + SWPG_AT_TARGET));
	*at += size;
	return 0;
}

static int parse_entries(const uint8_t *data, size_t length, size_t count, struct swpg_campaign_entry *entries, struct error *err)
{
	size_t at = table_bytes(count);

	for (size_t i = 0; i < count; i++) {
		if (parse_entry(data, length, i, &at, &entries[i], err) < 0)
			return -EBADMSG;
		for (size_t j = 0; j < i; j++)
			if (entries[j].target == entries[i].target)
				return error_set(err, ERROR_USAGE, EBADMSG, "offset %zu, entry %zu, target_ecu_id: 0x%04x is there twice",
				                 AT(i, 0), entries[i].target);
	}
	if (at != length)
		return error_set(err, ERROR_USAGE, EBADMSG, "offset %zu: %zu bytes behind the last package", at, length - at);
	return 0;
}

int swpg_campaign_parse(const void *campaign, size_t length, struct swpg_campaign_entry *ret_entries, size_t max, size_t *ret_count,
                        struct error *err)
{
	struct swpg_campaign_entry entries[SWPG_CAMPAIGN_MAX];
	size_t count = 0;
	int r = parse_head(campaign, length, &count, err);

	if (r == 0)
		r = parse_entries(campaign, length, count, entries, err);
	if (r == 0 && count > max)
		r = error_set(err, ERROR_USAGE, E2BIG, "offset 6, count: %zu, at most %zu are taken here", count, max);
	if (r < 0)
		return r;
	memcpy(ret_entries, entries, count * sizeof(*entries));
	*ret_count = count;
	return 0;
}

/* ---- making ------------------------------------------------------------------------------------------------------------- */

/* Table and packages, whatever they are: targets are those of the table given. */
static int lay_out(const struct swpg_campaign_entry *entries, size_t count, struct bytes *out, struct error *err)
{
	uint8_t table[HEAD_BYTES + (SWPG_CAMPAIGN_MAX + 1) * ENTRY_BYTES + 4] = {0};
	size_t at = table_bytes(count);

	le32_write(table, SWPG_CAMPAIGN_MAGIC);
	le16_write(table + 4, VERSION);
	le16_write(table + 6, (uint16_t)count);
	for (size_t i = 0; i < count; i++) {
		uint8_t *entry = table + HEAD_BYTES + i * ENTRY_BYTES;

		if (at + entries[i].length > UINT32_MAX)
			return error_set(err, ERROR_USAGE, EFBIG, "the packages are too big for one campaign");
		le16_write(entry, entries[i].target);
		le32_write(entry + 4, (uint32_t)at);
		le32_write(entry + 8, (uint32_t)entries[i].length);
		le32_write(entry + 12, crc_of(entries[i].package, entries[i].length));
		at += entries[i].length;
	}
	le32_write(table + table_bytes(count) - 4, crc_of(table, table_bytes(count) - 4));
	if (swpg_reserve(out, at) < 0 || bytes_append(out, table, table_bytes(count)) < 0)
		return swpg_no_memory(err);
	for (size_t i = 0; i < count; i++)
		if (bytes_append(out, entries[i].package, entries[i].length) < 0)
			return swpg_no_memory(err);
	return 0;
}

int swpg_campaign_build(const struct bytes *packages, size_t count, struct bytes *ret_campaign, struct error *err)
{
	struct swpg_campaign_entry entries[SWPG_CAMPAIGN_MAX], reread[SWPG_CAMPAIGN_MAX];
	struct bytes campaign = {0};
	struct swpg_view view;
	int r = 0;

	if (count == 0 || count > SWPG_CAMPAIGN_MAX)
		return error_set(err, ERROR_USAGE, ERANGE, "a campaign has 1 to %u packages, not %zu", SWPG_CAMPAIGN_MAX, count);
	for (size_t i = 0; i < count; i++) {
		if (swpg_parse(packages[i].data, packages[i].length, &view, err) < 0) {
			error_prefix(err, "package %zu", i);
			return -EBADMSG;
		}
		entries[i] = (struct swpg_campaign_entry){view.fields.target, packages[i].data, packages[i].length};
	}
	r = lay_out(entries, count, &campaign, err);
	if (r == 0)
		r = swpg_campaign_parse(campaign.data, campaign.length, reread, SWPG_CAMPAIGN_MAX, &count, err);
	if (r < 0) {
		bytes_free(&campaign);
		return r;
	}
	bytes_free(ret_campaign);
	*ret_campaign = campaign;
	return 0;
}

/* ---- wrong ones --------------------------------------------------------------------------------------------------------- */

struct campaign_mutation {
	struct bytes data;
	size_t count; /* entries of the table, whatever its head says */
};

static int entry_number(const struct campaign_mutation *m, const char *text, size_t *ret, struct error *err)
{
	uint32_t number;

	if (swpg_number(text, 2, NULL, &number, err) < 0)
		return -EINVAL;
	if (number >= m->count)
		return error_set(err, ERROR_USAGE, ERANGE, "there are %zu entries, from 0", m->count);
	*ret = number;
	return 0;
}

/* Lays the campaign out anew from entries that `edit` has changed. */
typedef void edit(struct swpg_campaign_entry *entries, size_t *count, size_t number);

static void edit_drop(struct swpg_campaign_entry *entries, size_t *count, size_t number)
{
	memmove(entries + number, entries + number + 1, (*count - number - 1) * sizeof(*entries));
	(*count)--;
}

static void edit_duplicate(struct swpg_campaign_entry *entries, size_t *count, size_t number)
{
	memmove(entries + number + 1, entries + number, (*count - number) * sizeof(*entries));
	(*count)++;
}

static int relay(struct campaign_mutation *m, const char *value, edit *change, struct error *err)
{
	struct swpg_campaign_entry entries[SWPG_CAMPAIGN_MAX + 1];
	struct bytes made = {0};
	size_t number, count;
	int r = entry_number(m, value, &number, err);

	if (r == 0)
		r = swpg_campaign_parse(m->data.data, m->data.length, entries, SWPG_CAMPAIGN_MAX, &count, err);
	if (r < 0)
		return r;
	change(entries, &count, number);
	if (count == 0 || count > SWPG_CAMPAIGN_MAX)
		return error_set(err, ERROR_USAGE, ERANGE, "a campaign has 1 to %u packages", SWPG_CAMPAIGN_MAX);
	r = lay_out(entries, count, &made, err);
	if (r < 0) {
		bytes_free(&made);
		return r;
	}
	bytes_free(&m->data);
	*m = (struct campaign_mutation){made, count};
	return 0;
}

static int drop(struct campaign_mutation *m, const struct swpg_word *word, struct error *err)
{
	return relay(m, word->value, edit_drop, err);
}

static int duplicate(struct campaign_mutation *m, const struct swpg_word *word, struct error *err)
{
	return relay(m, word->value, edit_duplicate, err);
}

/* The bytes go, the table stays as it was. */
static int missing(struct campaign_mutation *m, const struct swpg_word *word, struct error *err)
{
	struct swpg_campaign_entry entries[SWPG_CAMPAIGN_MAX];
	size_t number, count, at;
	int r = entry_number(m, word->value, &number, err);

	if (r == 0)
		r = swpg_campaign_parse(m->data.data, m->data.length, entries, SWPG_CAMPAIGN_MAX, &count, err);
	if (r < 0)
		return r;
	at = (size_t)(entries[number].package - m->data.data);
	memmove(m->data.data + at, m->data.data + at + entries[number].length, m->data.length - at - entries[number].length);
	m->data.length -= entries[number].length;
	return 0;
}

static int reversed(struct campaign_mutation *m, const struct swpg_word *word, struct error *err)
{
	struct swpg_campaign_entry entries[SWPG_CAMPAIGN_MAX];
	struct bytes made = {0};
	size_t count;
	int r = swpg_campaign_parse(m->data.data, m->data.length, entries, SWPG_CAMPAIGN_MAX, &count, err);

	if (r < 0)
		return r;
	if (bytes_append(&made, m->data.data, table_bytes(count)) < 0)
		r = swpg_no_memory(err);
	for (size_t i = count; r == 0 && i-- > 0;) {
		le32_write(made.data + HEAD_BYTES + i * ENTRY_BYTES + 4, (uint32_t)made.length);
		if (bytes_append(&made, entries[i].package, entries[i].length) < 0)
			r = swpg_no_memory(err);
	}
	if (r < 0) {
		bytes_free(&made);
		return r;
	}
	le32_write(made.data + table_bytes(count) - 4, crc_of(made.data, table_bytes(count) - 4));
	bytes_free(&m->data);
	m->data = made;
	return 0;
}

/* Of packages whose place lies within the file, then of the table. */
static int crcs_anew(struct campaign_mutation *m, const struct swpg_word *word, struct error *err)
{
	if (m->data.length < table_bytes(m->count))
		return error_set(err, ERROR_USAGE, EINVAL, "the table is not whole any more");
	for (size_t i = 0; i < m->count; i++) {
		uint8_t *entry = m->data.data + HEAD_BYTES + i * ENTRY_BYTES;
		uint32_t offset = le32_read(entry + 4), length = le32_read(entry + 8);

		if (offset <= m->data.length && length <= m->data.length - offset)
			le32_write(entry + 12, crc_of(m->data.data + offset, length));
	}
	le32_write(m->data.data + table_bytes(m->count) - 4, crc_of(m->data.data, table_bytes(m->count) - 4));
	return 0;
}

static int campaign_flip(struct campaign_mutation *m, const struct swpg_word *word, struct error *err)
{
	return swpg_flip(m->data.data, m->data.length, word, err);
}

static int campaign_cut(struct campaign_mutation *m, const struct swpg_word *word, struct error *err)
{
	size_t count;

	if (swpg_length(word, m->data.length, &count, err) < 0)
		return -EINVAL;
	m->data.length -= count;
	return 0;
}

static int campaign_pad(struct campaign_mutation *m, const struct swpg_word *word, struct error *err)
{
	return swpg_pad(&m->data, word, err);
}

/* "magic", or "target.N": the field's place and width; width 0 when there is none of that name. */
static int field_place(const struct campaign_mutation *m, const char *name, size_t *ret_at, unsigned *ret_width, struct error *err)
{
	static const struct swpg_field head[] = {{"magic", 0, 4}, {"version", 4, 2}, {"count", 6, 2}};
	static const struct swpg_field entry[] = {
	        {"target", 0, 2}, {"reserved", 2, 2}, {"offset", 4, 4}, {"length", 8, 4}, {"crc32", 12, 4}};
	const char *dot = strchr(name, '.');
	size_t number, length = dot ? (size_t)(dot - name) : strlen(name);
	const struct swpg_field *fields = dot ? entry : head, *end = dot ? entry + 5 : head + 3;

	*ret_width = 0;
	for (; fields < end; fields++) {
		if (strncmp(fields->name, name, length) != 0 || fields->name[length])
			continue;
		if (dot && entry_number(m, dot + 1, &number, err) < 0)
			return -EINVAL;
		*ret_at = fields->offset + (dot ? HEAD_BYTES + number * ENTRY_BYTES : 0);
		*ret_width = fields->width;
	}
	return 0;
}

static int campaign_field(struct campaign_mutation *m, const struct swpg_word *word, struct error *err)
{
	uint32_t now = 0, value;
	unsigned width;
	size_t at;

	if (field_place(m, word->name, &at, &width, err) < 0)
		return -EINVAL;
	if (width == 0 || !word->has_value)
		return error_set(err, ERROR_USAGE, EINVAL, width == 0 ? "is neither a field nor a mutation" : "needs a value");
	if (m->data.length < table_bytes(m->count))
		return error_set(err, ERROR_USAGE, EINVAL, "the table is not whole any more");
	for (unsigned i = 0; i < width; i++)
		now |= (uint32_t)m->data.data[at + i] << i * 8;
	if (swpg_number(word->value, width, &now, &value, err) < 0)
		return -EINVAL;
	for (unsigned i = 0; i < width; i++)
		m->data.data[at + i] = (uint8_t)(value >> i * 8);
	return 0;
}

static int campaign_change(struct campaign_mutation *m, const struct swpg_word *word, struct error *err)
{
	static const struct {
		const char *name;
		bool has_value;
		int (*change)(struct campaign_mutation *, const struct swpg_word *, struct error *);
	} changes[] = {
	        {"+crc", false, crcs_anew},    {"missing", true, missing},    {"dropped", true, drop},     {"duplicate", true, duplicate},
	        {"reversed", false, reversed}, {"flip", true, campaign_flip}, {"cut", true, campaign_cut}, {"pad", true, campaign_pad},
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		if (strcmp(changes[i].name, word->name) != 0)
			continue;
		if (changes[i].has_value != word->has_value)
			return error_set(err, ERROR_USAGE, EINVAL, word->has_value ? "takes no value" : "needs a value");
		return changes[i].change(m, word, err);
	}
	return campaign_field(m, word, err);
}

int swpg_campaign_mutate(struct bytes *campaign, const char *mutations, struct error *err)
{
	struct swpg_campaign_entry entries[SWPG_CAMPAIGN_MAX];
	struct campaign_mutation m = {0};
	struct swpg_word word;
	int r = swpg_campaign_parse(campaign->data, campaign->length, entries, SWPG_CAMPAIGN_MAX, &m.count, err), more = 0;

	if (r == 0 && bytes_append(&m.data, campaign->data, campaign->length) < 0)
		r = swpg_no_memory(err);
	while (r == 0 && (more = swpg_word_next(&mutations, &word, err)) > 0) {
		r = campaign_change(&m, &word, err);
		if (r < 0)
			error_prefix(err, "%s%s%s", word.name, word.has_value ? "=" : "", word.value);
	}
	if (r == 0)
		r = more;
	if (r < 0) {
		bytes_free(&m.data);
		return r;
	}
	bytes_free(campaign);
	*campaign = m.data;
	return 0;
}
