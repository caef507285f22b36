/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of people and programs that come by TCP. Only SHA-256 of a token is kept; it has 256 bits of its own, so a slow hash would add
 * nothing. */
#ifndef HARNESS_DAEMON_BOOK_TOKENS_H
#define HARNESS_DAEMON_BOOK_TOKENS_H

#include "../role.h"
#include "book.h"

const char *token_role_name(enum token_role);
bool token_role_from_name(const char *name, enum token_role *ret);

#define TOKEN_SIZE 64 /* "hb_" and 43 characters base64url, NUL */
/* Makes one; token is filled and known to nobody else. expires_utc_ns 0: never. -EEXIST: the name is taken. */
int book_token_add(struct book *, const char *name, enum token_role, int64_t expires_utc_ns, int64_t *ret_id, char token[TOKEN_SIZE],
                   struct error *err) WARN_UNUSED;
/* Whose token this is, in constant time per token; -ENOENT (ERROR_USAGE): nobody's, or expired. name is filled. */
int book_token_find(struct book *, const char *token, int64_t now_utc_ns, enum token_role *ret, char name[65],
                    struct error *err) WARN_UNUSED;
int book_token_remove(struct book *, int64_t id, struct error *err) WARN_UNUSED;
int book_tokens_json(struct book *, json_t **ret, struct error *err) WARN_UNUSED; /* [{"id","name","role","made","expires","used"}] */

#endif
