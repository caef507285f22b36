/* SPDX-License-Identifier: Apache-2.0 */
/* Packages that are wrong on purpose. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "swpg_private.h"

#define DER_TRIES 20000 /* a random signature's DER has each of 70..72 bytes at least every fourth time */

enum form { FORM_RAW, FORM_DER, FORM_SHORT, FORM_LONG };

/* A package under change: where its trailer lies is known whatever the header says by now. */
struct mutation {
	struct bytes package;
	size_t trailer_at, trailer_end;
	struct bytes software; /* of the package as it came; empty when its payload did not decompress */
	const struct swpg_key *key;
	enum form form; /* of the signature, kept through +sign */
};

static int need_header(const struct mutation *m, struct error *err)
{
	return m->trailer_at >= SWPG_HEADER_BYTES ? 0 : error_set(err, ERROR_USAGE, EINVAL, "the package has no whole header any more");
}

static int need_software(const struct mutation *m, struct error *err)
{
	return m->software.length > 0 ? 0 : error_set(err, ERROR_USAGE, EINVAL, "the package's payload did not decompress");
}

/* Replaces `removed` bytes at an offset; where the trailer lies is the caller's business. */
static int splice(struct mutation *m, size_t at, size_t removed, const void *data, size_t length, struct error *err)
{
	struct bytes *package = &m->package;

	if (swpg_reserve(package, length) < 0)
		return swpg_no_memory(err);
	memmove(package->data + at + length, package->data + at + removed, package->length - at - removed);
	if (length > 0)
		memcpy(package->data + at, data, length);
	package->length = package->length - removed + length;
	return 0;
}

static int payload_replace(struct mutation *m, const void *data, size_t length, struct error *err)
{
	int r = splice(m, SWPG_HEADER_BYTES, m->trailer_at - SWPG_HEADER_BYTES, data, length, err);

	if (r < 0)
		return r;
	m->trailer_end = m->trailer_end - m->trailer_at + SWPG_HEADER_BYTES + length;
	m->trailer_at = SWPG_HEADER_BYTES + length;
	le32_write(m->package.data + SWPG_AT_PAYLOAD_SIZE, (uint32_t)length);
	return 0;
}

static int trailer_replace(struct mutation *m, const void *data, size_t length, struct error *err)
{
	int r = splice(m, m->trailer_at, m->trailer_end - m->trailer_at, data, length, err);

	if (r < 0)
		return r;
	m->trailer_end = m->trailer_at + length;
	le32_write(m->package.data + SWPG_AT_TRAILER_LENGTH, (uint32_t)length);
	return 0;
}

/* ---- fields -------------------------------------------------------------------------------------------------------- */

static int field_version(uint8_t *at, const char *text, struct error *err)
{
	unsigned part[4];
	char behind;

	if (sscanf(text, "%u.%u.%u.%u%c", &part[0], &part[1], &part[2], &part[3], &behind) != 4)
		return error_set(err, ERROR_USAGE, EINVAL, "\"%s\" is no version; it has the form 1.2.3.4", text);
	for (int i = 0; i < 4; i++) {
		if (part[i] > 255)
			return error_set(err, ERROR_USAGE, ERANGE, "%u is more than 255", part[i]);
		at[i] = (uint8_t)part[i];
	}
	return 0;
}

static int field_bytes(uint8_t *at, size_t width, const char *text, struct error *err)
{
	struct bytes bytes = {0};
	int r = bytes_parse_hex(text, &bytes);

	if (r == 0 && bytes.length == width)
		memcpy(at, bytes.data, width);
	else
		r = error_set(err, ERROR_USAGE, EINVAL, "\"%s\" is not %zu bytes in hexadecimal digits", text, width);
	bytes_free(&bytes);
	return r;
}

static int field_set(struct mutation *m, const struct swpg_field *field, const char *text, struct error *err)
{
	uint8_t *at = m->package.data + field->offset;
	uint32_t now = 0, value;

	if (need_header(m, err) < 0)
		return -EINVAL;
	if (field->width > 4)
		return field_bytes(at, field->width, text, err);
	if (strchr(text, '.'))
		return field->width == 4 && !strcmp(field->name, "version")
		               ? field_version(at, text, err)
		               : error_set(err, ERROR_USAGE, EINVAL, "\"%s\" is no number", text);
	for (unsigned i = 0; i < field->width; i++)
		now |= (uint32_t)at[i] << i * 8;
	if (swpg_number(text, field->width, &now, &value, err) < 0)
		return -EINVAL;
	for (unsigned i = 0; i < field->width; i++)
		at[i] = (uint8_t)(value >> i * 8);
	return 0;
}

/* ---- what is computed anew ------------------------------------------------------------------------------------------- */

/* The software as a verifier of the changed package would see it, else the original one. */
static int software_now(const struct mutation *m, struct bytes *ret, struct error *err)
{
	struct swpg_view view = {
	        .payload = m->package.data + SWPG_HEADER_BYTES,
	        .payload_length = m->trailer_at - SWPG_HEADER_BYTES,
	};
	struct error ignored;

	swpg_header_read(m->package.data, &view.fields);
	if (view.fields.compression == 0 ||
	    swpg_gunzip(view.payload, view.payload_length, view.fields.uncompressed_size, ret, &ignored) < 0) {
		const uint8_t *data = view.fields.compression == 0 ? view.payload : m->software.data;
		size_t length = view.fields.compression == 0 ? view.payload_length : m->software.length;

		if (view.fields.compression != 0 && need_software(m, err) < 0)
			return -EINVAL;
		bytes_clear(ret);
		if (bytes_append(ret, data, length) < 0)
			return swpg_no_memory(err);
	}
	return 0;
}

/* What is covered: the software, or (a maker who confuses the two) the payload as it travels. */
static int covered_now(const struct mutation *m, bool payload, struct bytes *ret, struct error *err)
{
	if (need_header(m, err) < 0)
		return -EINVAL;
	if (!payload)
		return software_now(m, ret, err);
	return bytes_append(ret, m->package.data + SWPG_HEADER_BYTES, m->trailer_at - SWPG_HEADER_BYTES) < 0 ? swpg_no_memory(err) : 0;
}

static int crc_over(struct mutation *m, bool payload, struct error *err)
{
	struct bytes covered = {0};
	int r = covered_now(m, payload, &covered, err);

	if (r == 0)
		le32_write(m->package.data + SWPG_AT_CRC32, swpg_crc(m->package.data, covered.data, covered.length));
	bytes_free(&covered);
	return r;
}

static int digest_over(struct mutation *m, bool payload, struct error *err)
{
	struct bytes covered = {0};
	int r = covered_now(m, payload, &covered, err);

	if (r == 0 && m->trailer_end - m->trailer_at < SWPG_DIGEST_BYTES)
		r = error_set(err, ERROR_USAGE, EINVAL, "there is no trailer with a digest");
	if (r == 0 && swpg_digest_make(m->package.data, covered.data, covered.length, m->package.data + m->trailer_at) < 0)
		r = swpg_no_memory(err);
	bytes_free(&covered);
	return r;
}

static int crc_anew(struct mutation *m, const struct swpg_word *word, struct error *err)
{
	return crc_over(m, false, err);
}

static int crc_of_payload(struct mutation *m, const struct swpg_word *word, struct error *err)
{
	return crc_over(m, true, err);
}

static int digest_anew(struct mutation *m, const struct swpg_word *word, struct error *err)
{
	return digest_over(m, false, err);
}

static int digest_of_payload(struct mutation *m, const struct swpg_word *word, struct error *err)
{
	return digest_over(m, true, err);
}

/* Its length stands in the header, which is signed: so signatures are made until one has it. */
static int sign_der(const struct swpg_key *key, const uint8_t *digest, uint8_t *at, size_t length, struct error *err)
{
	uint8_t signature[SWPG_SIGNATURE_BYTES], der[80];

	for (int i = 0; i < DER_TRIES; i++) {
		if (swpg_ecdsa_sign(key, digest, true, signature, err) < 0)
			return -EINVAL;
		if (swpg_ecdsa_der(signature, der) == length) {
			memcpy(at, der, length);
			return 0;
		}
	}
	return error_set(err, ERROR_BENCH, EAGAIN, "no signature of %zu bytes in DER came in %d tries", length, DER_TRIES);
}

static int sign_anew(struct mutation *m, const struct swpg_word *word, struct error *err)
{
	size_t length = m->trailer_end - m->trailer_at;
	uint8_t *digest = m->package.data + m->trailer_at, signature[SWPG_SIGNATURE_BYTES];
	int r;

	if (!m->key)
		return error_set(err, ERROR_USAGE, EINVAL, "signing needs a key");
	if (length <= SWPG_DIGEST_BYTES || length > SWPG_TRAILER_BYTES + 16)
		return error_set(err, ERROR_USAGE, EINVAL, "there is no trailer with a signature");
	length -= SWPG_DIGEST_BYTES;
	if (m->form == FORM_DER)
		return sign_der(m->key, digest, digest + SWPG_DIGEST_BYTES, length, err);
	r = swpg_ecdsa_sign(m->key, digest, false, signature, err);
	if (r == 0)
		memcpy(digest + SWPG_DIGEST_BYTES, signature, length < sizeof(signature) ? length : sizeof(signature));
	return r;
}

/* ---- bits and lengths ------------------------------------------------------------------------------------------------ */

static int flip(struct mutation *m, const struct swpg_word *word, struct error *err)
{
	return swpg_flip(m->package.data, m->package.length, word, err);
}

static int flip_header(struct mutation *m, const struct swpg_word *word, struct error *err)
{
	return need_header(m, err) < 0 ? -EINVAL : swpg_flip(m->package.data, SWPG_HEADER_BYTES, word, err);
}

static int flip_payload(struct mutation *m, const struct swpg_word *word, struct error *err)
{
	return need_header(m, err) < 0 ? -EINVAL
	                               : swpg_flip(m->package.data + SWPG_HEADER_BYTES, m->trailer_at - SWPG_HEADER_BYTES, word, err);
}

static int flip_trailer(struct mutation *m, const struct swpg_word *word, struct error *err)
{
	return swpg_flip(m->package.data + m->trailer_at, m->trailer_end - m->trailer_at, word, err);
}

static int cut(struct mutation *m, const struct swpg_word *word, struct error *err)
{
	size_t count;

	if (swpg_length(word, m->package.length, &count, err) < 0)
		return -EINVAL;
	m->package.length -= count;
	if (m->trailer_end > m->package.length)
		m->trailer_end = m->package.length;
	if (m->trailer_at > m->trailer_end)
		m->trailer_at = m->trailer_end;
	return 0;
}

static int pad(struct mutation *m, const struct swpg_word *word, struct error *err)
{
	return swpg_pad(&m->package, word, err);
}

static int truncate_payload(struct mutation *m, const struct swpg_word *word, struct error *err)
{
	size_t count;

	if (need_header(m, err) < 0 || swpg_length(word, m->trailer_at - SWPG_HEADER_BYTES, &count, err) < 0 ||
	    splice(m, m->trailer_at - count, count, NULL, 0, err) < 0)
		return -EINVAL;
	m->trailer_at -= count;
	m->trailer_end -= count;
	le32_write(m->package.data + SWPG_AT_PAYLOAD_SIZE, (uint32_t)(m->trailer_at - SWPG_HEADER_BYTES));
	return 0;
}

/* ---- streams --------------------------------------------------------------------------------------------------------- */

static int take_stream(struct mutation *m, const struct bytes *stream, struct error *err)
{
	int r = payload_replace(m, stream->data, stream->length, err);

	if (r == 0)
		m->package.data[SWPG_AT_COMPRESSION] = 1;
	return r;
}

static int gzip(struct mutation *m, const struct swpg_word *word, struct error *err)
{
	struct bytes stream = {0};
	int r = need_header(m, err);

	if (r == 0)
		r = need_software(m, err);
	if (r == 0)
		r = swpg_gzip_variant(word->value, &m->software, &stream, err);
	if (r == 0)
		r = take_stream(m, &stream, err);
	bytes_free(&stream);
	return r;
}

static int gzip_output(struct mutation *m, const struct swpg_word *word, struct error *err)
{
	struct bytes stream = {0};
	uint8_t *data = NULL;
	size_t length;
	int r = need_header(m, err);

	if (r == 0)
		r = need_software(m, err);
	if (r == 0)
		r = swpg_length(word, SWPG_SOFTWARE_MAX, &length, err);
	if (r == 0) {
		data = calloc(1, length + 1);
		if (data)
			memcpy(data, m->software.data, length < m->software.length ? length : m->software.length);
		r = data ? swpg_gzip(data, length, 9, &stream, err) : swpg_no_memory(err);
	}
	if (r == 0)
		r = take_stream(m, &stream, err);
	free(data);
	bytes_free(&stream);
	return r;
}

/* ---- signatures -------------------------------------------------------------------------------------------------------- */

static int signature_check(const char *how, struct error *err);

static int signature_reform(struct mutation *m, enum form form, struct error *err)
{
	uint8_t trailer[SWPG_DIGEST_BYTES + 80] = {0};
	size_t length = form == FORM_SHORT ? SWPG_TRAILER_BYTES - 1 : SWPG_TRAILER_BYTES + 1;

	memcpy(trailer, m->package.data + m->trailer_at, SWPG_TRAILER_BYTES);
	if (form == FORM_DER) {
		length = swpg_ecdsa_der(m->package.data + m->trailer_at + SWPG_DIGEST_BYTES, trailer + SWPG_DIGEST_BYTES);
		if (length == 0)
			return swpg_no_memory(err);
		length += SWPG_DIGEST_BYTES;
	}
	m->form = form;
	return trailer_replace(m, trailer, length, err);
}

static int signature_absent(struct mutation *m, struct error *err)
{
	int r = trailer_replace(m, NULL, 0, err);

	if (r == 0)
		le32_write(m->package.data + SWPG_AT_KIND, 0);
	return r;
}

static int signature(struct mutation *m, const struct swpg_word *word, struct error *err)
{
	uint8_t *at = m->package.data + m->trailer_at + SWPG_DIGEST_BYTES;
	const char *how = word->value;

	if (need_header(m, err) < 0)
		return -EINVAL;
	if (!strcmp(how, "absent"))
		return signature_absent(m, err);
	if (m->trailer_end - m->trailer_at != SWPG_TRAILER_BYTES)
		return error_set(err, ERROR_USAGE, EINVAL, "the package has no signature of %u bytes", SWPG_SIGNATURE_BYTES);
	if (!strcmp(how, "zero"))
		memset(at, 0, SWPG_SIGNATURE_BYTES);
	else if (!strcmp(how, "r-zero"))
		memset(at, 0, 32);
	else if (!strcmp(how, "s-zero"))
		memset(at + 32, 0, 32);
	else if (!strcmp(how, "r-n"))
		memcpy(at, swpg_p256_order, 32);
	else if (!strcmp(how, "s-n"))
		memcpy(at + 32, swpg_p256_order, 32);
	else if (!strcmp(how, "der"))
		return signature_reform(m, FORM_DER, err);
	else if (!strcmp(how, "short"))
		return signature_reform(m, FORM_SHORT, err);
	else if (!strcmp(how, "long"))
		return signature_reform(m, FORM_LONG, err);
	else
		return signature_check(how, err);
	return 0;
}

/* ---- packages in packages ---------------------------------------------------------------------------------------------- */

static int nested(struct mutation *m, const struct swpg_word *word, struct error *err)
{
	struct bytes inner = {0};
	int r = need_header(m, err);

	if (r == 0 && m->package.length > SWPG_SOFTWARE_MAX)
		r = error_set(err, ERROR_USAGE, EFBIG, "the package is too big to be a payload");
	if (r == 0 && bytes_append(&inner, m->package.data, m->package.length) < 0)
		r = swpg_no_memory(err);
	if (r == 0)
		r = payload_replace(m, inner.data, inner.length, err);
	if (r == 0) {
		m->package.data[SWPG_AT_COMPRESSION] = 0;
		le32_write(m->package.data + SWPG_AT_UNCOMPRESSED_SIZE, (uint32_t)inner.length);
	}
	bytes_free(&inner);
	return r;
}

static int concatenated(struct mutation *m, const struct swpg_word *word, struct error *err)
{
	size_t length = m->package.length;

	if (length > SWPG_WRONG_MAX / 2)
		return error_set(err, ERROR_USAGE, EFBIG, "the package is too big to be there twice");
	if (swpg_reserve(&m->package, length) < 0)
		return swpg_no_memory(err);
	memcpy(m->package.data + length, m->package.data, length);
	m->package.length += length;
	return 0;
}

/* ---- the words --------------------------------------------------------------------------------------------------------- */

static const char *const signature_words[] = {"zero", "r-zero", "s-zero", "r-n", "s-n", "der", "short", "long", "absent", NULL};

enum word_kind { WORD_NONE, WORD_NUMBER, WORD_STREAM, WORD_SIGNATURE };

static const struct change {
	const char *name;
	enum word_kind value;
	int (*change)(struct mutation *, const struct swpg_word *, struct error *);
} changes[] = {
        {"+crc", WORD_NONE, crc_anew},
        {"+digest", WORD_NONE, digest_anew},
        {"+sign", WORD_NONE, sign_anew},
        {"+crc-of-payload", WORD_NONE, crc_of_payload},
        {"+digest-of-payload", WORD_NONE, digest_of_payload},
        {"flip", WORD_NUMBER, flip},
        {"header-flip", WORD_NUMBER, flip_header},
        {"payload-flip", WORD_NUMBER, flip_payload},
        {"trailer-flip", WORD_NUMBER, flip_trailer},
        {"cut", WORD_NUMBER, cut},
        {"pad", WORD_NUMBER, pad},
        {"truncate-payload", WORD_NUMBER, truncate_payload},
        {"gzip", WORD_STREAM, gzip},
        {"gzip-output", WORD_NUMBER, gzip_output},
        {"signature", WORD_SIGNATURE, signature},
        {"nested", WORD_NONE, nested},
        {"concatenated", WORD_NONE, concatenated},
};

/* One of *ret_change and *ret_field is found, and the word has a value when it needs one. */
static int word_find(const struct swpg_word *word, const struct change **ret_change, const struct swpg_field **ret_field, struct error *err)
{
	*ret_change = NULL;
	*ret_field = NULL;
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++)
		if (strcmp(changes[i].name, word->name) == 0)
			*ret_change = &changes[i];
	for (const struct swpg_field *field = swpg_field_table; !*ret_change && field->name; field++)
		if (strcmp(field->name, word->name) == 0)
			*ret_field = field;
	if (!*ret_change && !*ret_field)
		return error_set(err, ERROR_USAGE, EINVAL, "is neither a header field nor a mutation");
	if ((*ret_field || (*ret_change)->value != WORD_NONE) != word->has_value)
		return error_set(err, ERROR_USAGE, EINVAL, word->has_value ? "takes no value" : "needs a value");
	return 0;
}

static int change_named(struct mutation *m, const struct swpg_word *word, struct error *err)
{
	const struct change *change;
	const struct swpg_field *field;
	int r = word_find(word, &change, &field, err);

	if (r < 0)
		return r;
	return change ? change->change(m, word, err) : field_set(m, field, word->value, err);
}

/* ---- the words alone --------------------------------------------------------------------------------------------------- */

static int signature_check(const char *how, struct error *err)
{
	for (const char *const *word = signature_words; *word; word++)
		if (strcmp(*word, how) == 0)
			return 0;
	return error_set(err, ERROR_USAGE, EINVAL, "there are zero, r-zero, s-zero, r-n, s-n, der, short, long, absent");
}

/* Parts have their own length: a bit behind it is in no package. */
static int number_check(const struct swpg_word *word, struct error *err)
{
	size_t bytes = strcmp(word->name, "header-flip") == 0    ? SWPG_HEADER_BYTES
	               : strcmp(word->name, "trailer-flip") == 0 ? SWPG_TRAILER_BYTES
	                                                         : 0;
	uint32_t number;
	int r = swpg_number(word->value, 4, NULL, &number, err);

	if (r == 0 && bytes > 0 && number / 8 >= bytes)
		r = error_set(err, ERROR_USAGE, ERANGE, "there are %zu bits, from 0", bytes * 8);
	return r;
}

static int word_check(const struct swpg_word *word, struct error *err)
{
	uint8_t header[SWPG_HEADER_BYTES] = {0};
	struct mutation blank = {.package = {.data = header, .length = sizeof(header)}, .trailer_at = sizeof(header)};
	const struct change *change;
	const struct swpg_field *field;
	int r = word_find(word, &change, &field, err);

	if (r < 0 || field)
		return r < 0 ? r : field_set(&blank, field, word->value, err);
	switch (change->value) {
	case WORD_NUMBER:
		return number_check(word, err);
	case WORD_STREAM:
		return swpg_gzip_variant(word->value, NULL, NULL, err);
	case WORD_SIGNATURE:
		return signature_check(word->value, err);
	case WORD_NONE:
		break;
	}
	return 0;
}

int swpg_mutation_check(const char *mutations, struct error *err)
{
	struct swpg_word word;
	int r = 0, more = 0;

	while (r == 0 && (more = swpg_word_next(&mutations, &word, err)) > 0) {
		r = word_check(&word, err);
		if (r < 0)
			error_prefix(err, "%s%s%s", word.name, word.has_value ? "=" : "", word.value);
	}
	return r == 0 ? more : r;
}

static int mutation_begin(struct mutation *m, const struct bytes *package, struct error *err)
{
	struct error ignored;
	struct swpg_view view;

	if (swpg_parse(package->data, package->length, &view, err) < 0)
		return -EINVAL;
	m->trailer_at = SWPG_HEADER_BYTES + view.payload_length;
	m->trailer_end = package->length;
	if (swpg_software(&view, SWPG_SOFTWARE_MAX, &m->software, &ignored) == -ENOMEM ||
	    bytes_append(&m->package, package->data, package->length) < 0)
		return swpg_no_memory(err);
	return 0;
}

int swpg_mutate(struct bytes *package, const char *mutations, const struct swpg_key *key, struct error *err)
{
	struct mutation m = {.key = key};
	struct swpg_word word;
	int r = mutation_begin(&m, package, err), more = 0;

	while (r == 0 && (more = swpg_word_next(&mutations, &word, err)) > 0) {
		r = change_named(&m, &word, err);
		if (r < 0)
			error_prefix(err, "%s%s%s", word.name, word.has_value ? "=" : "", word.value);
	}
	if (r == 0)
		r = more;
	bytes_free(&m.software);
	if (r < 0) {
		bytes_free(&m.package);
		return r;
	}
	bytes_free(package);
	*package = m.package;
	return 0;
}
