/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: made here, known here by their digest only. */
#include "tokens.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "../../base/hex.h"
#include "book_private.h"
#include "jobs_private.h"

#define RANDOM_SIZE   32
#define HASH_SIZE     65 /* hexadecimal and NUL */
#define TOKEN_PREFIX  "hb_"
#define TOKEN_LENGTH  (sizeof(TOKEN_PREFIX) - 1 + 43)
#define USED_EVERY_NS INT64_C(600000000000) /* "used" is as exact as this: not every request is worth a write */

static const char *const roles[] = {"nobody", "viewer", "operator", "admin"};

const char *token_role_name(enum token_role role)
{
	return roles[role];
}

bool token_role_from_name(const char *name, enum token_role *ret)
{
	int index = name_index(roles, sizeof(roles) / sizeof(*roles), name);

	if (index == ROLE_NOBODY)
		return false;
	*ret = (enum token_role)index;
	return true;
}

static int hash_of(const char *token, char hash[HASH_SIZE], struct error *err)
{
	unsigned char digest[32];

	if (!EVP_Digest(token, strlen(token), digest, NULL, EVP_sha256(), NULL))
		return error_set(err, ERROR_BENCH, EIO, "the token cannot be hashed");
	(void)hex_text(digest, sizeof(digest), hash);
	return 0;
}

/* RFC 4648, 5 (base64url), without padding. */
static void to_base64url(const unsigned char *bytes, size_t size, char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned held = 0, bits = 0;

	for (size_t i = 0; i < size; i++) {
		held = (held << 8 | bytes[i]) & 0xffff;
		for (bits += 8; bits >= 6; bits -= 6)
			*text++ = digits[held >> (bits - 6) & 63];
	}
	if (bits)
		*text++ = digits[held << (6 - bits) & 63];
	*text = '\0';
}

int book_token_add(struct book *book, const char *name, enum token_role role, int64_t expires_utc_ns, int64_t *ret_id,
                   char token[TOKEN_SIZE], struct error *err)
{
	unsigned char random[RANDOM_SIZE];
	char text[TOKEN_SIZE] = TOKEN_PREFIX, hash[HASH_SIZE];
	int r;

	if (RAND_priv_bytes(random, sizeof(random)) != 1)
		return error_set(err, ERROR_BENCH, EIO, "there are no random bytes for a token");
	to_base64url(random, sizeof(random), text + strlen(TOKEN_PREFIX));
	OPENSSL_cleanse(random, sizeof(random));
	r = hash_of(text, hash, err);
	/* One that has expired lets nobody in: its name is free. */
	if (r >= 0)
		r = book_execute(book, err, "DELETE FROM tokens WHERE name = ?1 AND expires <= ?2",
		                 VALUES(TEXT(name), INTEGER(book_now_utc_ns())));
	if (r >= 0)
		r = book_execute(book, err, "INSERT INTO tokens (name, role, hash, made, expires) VALUES (?1, ?2, ?3, ?4, ?5)",
		                 VALUES(TEXT(name), TEXT(token_role_name(role)), TEXT(hash), INTEGER(book_now_utc_ns()),
		                        INTEGER_OR_NULL(expires_utc_ns)));
	if (r == -EEXIST)
		r = error_set(err, ERROR_USAGE, EEXIST, "there is a token \"%.64s\" already", name);
	if (r >= 0) {
		*ret_id = book_last_id(book);
		memcpy(token, text, sizeof(text));
	}
	OPENSSL_cleanse(text, sizeof(text));
	return r < 0 ? r : 0;
}

struct found {
	int64_t id, used;
	enum token_role role;
	char name[65];
};

/* Every row is compared whole, so the time says nothing about the digests that are kept. */
static int look_up(struct book *book, const char hash[HASH_SIZE], int64_t now_utc_ns, struct found *found, struct error *err)
{
	sqlite3_stmt *rows;
	int r = book_select(book, &rows, err, "SELECT id, name, role, hash, expires, ifnull(used, 0) FROM tokens", NO_VALUES);

	while (r >= 0 && (r = book_next(book, rows, err)) > 0) {
		const char *kept = (const char *)sqlite3_column_text(rows, 3), *name = (const char *)sqlite3_column_text(rows, 1);
		bool same = sqlite3_column_bytes(rows, 3) == HASH_SIZE - 1 && !CRYPTO_memcmp(kept, hash, HASH_SIZE - 1);
		bool expired = sqlite3_column_type(rows, 4) != SQLITE_NULL && sqlite3_column_int64(rows, 4) <= now_utc_ns;
		enum token_role role = ROLE_NOBODY;

		if (!same || expired || !token_role_from_name((const char *)sqlite3_column_text(rows, 2), &role))
			continue;
		*found = (struct found){.id = sqlite3_column_int64(rows, 0), .used = sqlite3_column_int64(rows, 5), .role = role};
		strncat(found->name, name, sizeof(found->name) - 1);
	}
	book_select_end(book, rows);
	return r;
}

int book_token_find(struct book *book, const char *token, int64_t now_utc_ns, enum token_role *ret, char name[65], struct error *err)
{
	struct found found = {0};
	char hash[HASH_SIZE];
	int r = 0;

	if (strnlen(token, TOKEN_SIZE) == TOKEN_LENGTH)
		r = hash_of(token, hash, err);
	if (r >= 0 && strnlen(token, TOKEN_SIZE) == TOKEN_LENGTH)
		r = look_up(book, hash, now_utc_ns, &found, err);
	if (r < 0)
		return r;
	if (!found.id)
		return error_set(err, ERROR_USAGE, ENOENT, "the token is not valid, or no longer");
	/* A clock that was set back gives a negative distance: then it is written too. A disk that is full lets nobody out. */
	if (!book->only_read && (now_utc_ns - found.used >= USED_EVERY_NS || now_utc_ns < found.used))
		(void)!book_execute(book, NULL, "UPDATE tokens SET used = ?2 WHERE id = ?1",
		                    VALUES(INTEGER(found.id), INTEGER(now_utc_ns)));
	*ret = found.role;
	memcpy(name, found.name, sizeof(found.name));
	return 0;
}

int book_token_remove(struct book *book, int64_t id, struct error *err)
{
	int r = book_execute(book, err, "DELETE FROM tokens WHERE id = ?1", VALUES(INTEGER(id)));

	return r == 0 ? no_such("token", id, err) : r < 0 ? r : 0;
}

static json_t *token_json(sqlite3_stmt *row)
{
	return json_pack("{so so so so so so}", "id", column_integer_json(row, 0), "name", column_text_json(row, 1), "role",
	                 column_text_json(row, 2), "made", column_time_json(row, 3), "expires", column_time_json(row, 4), "used",
	                 column_time_json(row, 5));
}

int book_tokens_json(struct book *book, json_t **ret, struct error *err)
{
	json_t *tokens = json_array();
	int r = book_json_list(book, token_json, tokens, err, "SELECT id, name, role, made, expires, used FROM tokens ORDER BY id DESC",
	                       NO_VALUES);

	if (r < 0) {
		json_decref(tokens);
		return r;
	}
	*ret = tokens;
	return 0;
}
