/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of browsers: a random name of 256 bits for a token, in memory only, so that the token itself is not in the browser. The token is
 * asked again at every request: who loses it loses its sessions. Time is a parameter. */
#ifndef HARNESS_DAEMON_API_SESSIONS_H
#define HARNESS_DAEMON_API_SESSIONS_H

#include <stddef.h>
#include <stdint.h>

#include "../../base/error.h"

#define SESSION_NAME_SIZE 65 /* hexadecimal digits and NUL */
#define SESSION_LIFE_S    (12 * 3600)
#define SESSIONS_MAX      1024 /* the oldest ends when there is one more */

struct sessions;
struct sessions *sessions_new(void);   /* NULL: out of memory */
void sessions_free(struct sessions *); /* NULL allowed */
/* token: less than 128 bytes. */
int sessions_add(struct sessions *, const char *token, int64_t now_ns, char name[SESSION_NAME_SIZE], struct error *err) WARN_UNUSED;
/* The token, borrowed until the next call; NULL: no such session, or over. */
const char *sessions_find(struct sessions *, const char *name, int64_t now_ns);
void sessions_remove(struct sessions *, const char *name);
size_t sessions_count(struct sessions *, int64_t now_ns);

#endif
