/* SPDX-License-Identifier: Apache-2.0 */
#include "sessions.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "../../base/hex.h"

#define NAME_BYTES 32
#define LIFE_NS    (SESSION_LIFE_S * INT64_C(1000000000))

struct session {
	char name[SESSION_NAME_SIZE];
	char token[128];
	int64_t end_ns;
};
/* Oldest first: all live equally long. */
struct sessions {
	size_t count;
	struct session list[SESSIONS_MAX];
};

struct sessions *sessions_new(void)
{
	return calloc(1, sizeof(struct sessions));
}

void sessions_free(struct sessions *sessions)
{
	if (!sessions)
		return;
	OPENSSL_cleanse(sessions, sizeof(*sessions));
	free(sessions);
}

static void remove_at(struct sessions *sessions, size_t i)
{
	memmove(&sessions->list[i], &sessions->list[i + 1], (sessions->count - i - 1) * sizeof(sessions->list[0]));
	OPENSSL_cleanse(&sessions->list[--sessions->count], sizeof(sessions->list[0]));
}

static void expire(struct sessions *sessions, int64_t now_ns)
{
	while (sessions->count > 0 && sessions->list[0].end_ns <= now_ns)
		remove_at(sessions, 0);
}

int sessions_add(struct sessions *sessions, const char *token, int64_t now_ns, char name[SESSION_NAME_SIZE], struct error *err)
{
	unsigned char random[NAME_BYTES];
	if (strlen(token) >= sizeof(sessions->list[0].token))
		return error_set(err, ERROR_USAGE, EINVAL, "the token is too long");
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return error_set(err, ERROR_BENCH, errno, "no random numbers: %s", strerror(errno));
	expire(sessions, now_ns);
	if (sessions->count == SESSIONS_MAX)
		remove_at(sessions, 0);
	struct session *session = &sessions->list[sessions->count++];
	(void)hex_text(random, sizeof(random), session->name);
	memcpy(session->token, token, strlen(token) + 1);
	session->end_ns = now_ns + LIFE_NS;
	memcpy(name, session->name, SESSION_NAME_SIZE);
	return 0;
}

/* Every name is compared, each in constant time. */
static size_t find(const struct sessions *sessions, const char *name)
{
	size_t found = SIZE_MAX;
	if (strlen(name) != SESSION_NAME_SIZE - 1)
		return SIZE_MAX;
	for (size_t i = 0; i < sessions->count; i++)
		if (CRYPTO_memcmp(sessions->list[i].name, name, SESSION_NAME_SIZE) == 0)
			found = i;
	return found;
}

const char *sessions_find(struct sessions *sessions, const char *name, int64_t now_ns)
{
	expire(sessions, now_ns);
	size_t i = find(sessions, name);
	return i == SIZE_MAX ? NULL : sessions->list[i].token;
}

void sessions_remove(struct sessions *sessions, const char *name)
{
	size_t i = find(sessions, name);
	if (i != SIZE_MAX)
		remove_at(sessions, i);
}

size_t sessions_count(struct sessions *sessions, int64_t now_ns)
{
	expire(sessions, now_ns);
	return sessions->count;
}
