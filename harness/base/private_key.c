/* SPDX-License-Identifier: Apache-2.0 */
#include "private_key.h"

#include <ctype.h>
#include <string.h>

#define HEADER     "PRIVATE KEY-----"
#define TRAILS_MAX 8  /* blanks behind the header */
#define INDENT_MAX 32 /* of the line below, as in a YAML text */

#define DER_INTEGER      0x02
#define DER_OCTET_STRING 0x04
#define DER_OID          0x06
#define DER_SEQUENCE     0x30
#define SCALAR_MIN       16 /* octets of a curve's private key; a short string behind a 1 is something else */

_Static_assert(sizeof(HEADER) - 1 + TRAILS_MAX + sizeof("\\r\\n") - 1 + INDENT_MAX + 1 <= PRIVATE_KEY_SIGN_MAX, "a sign fits");

/* ---- texts ---- */

static const char *skip_blanks(const char *at, const char *end, size_t most)
{
	while (at < end && most-- > 0 && (*at == ' ' || *at == '\t'))
		at++;
	return at;
}

/* Behind the end of the line, which JSON and YAML also write with a backslash; NULL: the line goes on. */
static const char *skip_line_end(const char *at, const char *end)
{
	static const char *const ends[] = {"\r\n", "\n", "\r", "\\r\\n", "\\n"};
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		size_t length = strlen(ends[i]);
		if ((size_t)(end - at) >= length && memcmp(at, ends[i], length) == 0)
			return at + length;
	}
	return NULL;
}

static bool text_holds_key(const char *data, size_t length)
{
	const char *end = data + length;
	for (const char *at = data; (at = memmem(at, (size_t)(end - at), HEADER, sizeof(HEADER) - 1));) {
		at += sizeof(HEADER) - 1;
		const char *line = skip_line_end(skip_blanks(at, end, TRAILS_MAX), end);
		if (!line)
			continue;
		line = skip_blanks(line, end, INDENT_MAX);
		if (line < end && (isalnum((unsigned char)*line) || *line == '+' || *line == '/'))
			return true;
	}
	return false;
}

/* What spans two portions. */
static void look_at_seam(struct private_key_search *search, const char *data, size_t length)
{
	char seam[2 * sizeof(search->last)];
	size_t more = length < sizeof(search->last) ? length : sizeof(search->last), whole = search->kept + more;
	memcpy(seam, search->last, search->kept);
	memcpy(seam + search->kept, data, more);
	search->in_text = text_holds_key(seam, whole);
	if (length >= sizeof(search->last)) {
		search->kept = sizeof(search->last);
		memcpy(search->last, data + length - search->kept, search->kept);
	} else {
		search->kept = whole < sizeof(search->last) ? whole : sizeof(search->last);
		memcpy(search->last, seam + whole - search->kept, search->kept);
	}
}

void private_key_look(struct private_key_search *search, const void *data, size_t length)
{
	if (length == 0)
		return;
	if (search->size < sizeof(search->first)) {
		size_t had = (size_t)search->size, room = sizeof(search->first) - had;
		memcpy(search->first + had, data, length < room ? length : room);
	}
	search->size += length;
	if (search->in_text)
		return;
	look_at_seam(search, data, length);
	search->in_text = search->in_text || text_holds_key(data, length);
}

/* ---- DER (X.690) ---- */

struct der {
	const uint8_t *at, *end;
};

/* The head of the next element, when it has this tag: *ret is the length of its contents, of which not all need be here. */
static bool enter(struct der *der, uint8_t tag, uint64_t *ret)
{
	if (der->end - der->at < 2 || der->at[0] != tag)
		return false;
	uint8_t first = der->at[1];
	size_t more = first & 0x80 ? first & 0x7f : 0;
	if (more > 4 || first == 0x80 || (size_t)(der->end - der->at) < 2 + more)
		return false;
	*ret = more ? 0 : first;
	for (size_t i = 0; i < more; i++)
		*ret = *ret << 8 | der->at[2 + i];
	der->at += 2 + more;
	return true;
}

static bool next_is(const struct der *der, uint8_t tag)
{
	return der->at < der->end && *der->at == tag;
}

/* EncryptedPrivateKeyInfo: an algorithm of PKCS#5 or of PKCS#12. */
static bool is_encrypted(struct der der)
{
	static const uint8_t pkcs5[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05};
	static const uint8_t pkcs12[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01};
	uint64_t length;
	if (!enter(&der, DER_SEQUENCE, &length) || !enter(&der, DER_OID, &length))
		return false;
	size_t here = (size_t)(der.end - der.at);
	return (here >= sizeof(pkcs5) && memcmp(der.at, pkcs5, sizeof(pkcs5)) == 0) ||
	       (here >= sizeof(pkcs12) && memcmp(der.at, pkcs12, sizeof(pkcs12)) == 0);
}

static bool is_der_key(const struct private_key_search *search)
{
	size_t here = search->size < sizeof(search->first) ? (size_t)search->size : sizeof(search->first);
	struct der der = {search->first, search->first + here};
	uint64_t length;
	if (!enter(&der, DER_SEQUENCE, &length) || (uint64_t)(der.at - search->first) + length != search->size)
		return false;
	if (is_encrypted(der))
		return true;
	if (!enter(&der, DER_INTEGER, &length) || length != 1 || der.at == der.end)
		return false;
	unsigned version = *der.at++;
	if (version == 0 && next_is(&der, DER_INTEGER)) /* RSAPrivateKey: modulus */
		return true;
	if (version == 1 && enter(&der, DER_OCTET_STRING, &length)) /* ECPrivateKey */
		return length >= SCALAR_MIN;
	return (version <= 1 || version == 3) && enter(&der, DER_SEQUENCE, &length) && next_is(&der, DER_OID);
}

bool private_key_seen(const struct private_key_search *search)
{
	return search->in_text || is_der_key(search);
}
