/* SPDX-License-Identifier: Apache-2.0 */
/* ClientHello and ServerHello: RFC 8446 clauses 4.1.2 and 4.1.3, RFC 5246 clauses 7.4.1.2 and 7.4.1.3. */
#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "watch_private.h"

enum { EXTENSION_SERVER_NAME = 0, EXTENSION_SUPPORTED_VERSIONS = 43 };

/* Reads from the front; after a read past the end everything is empty and `bad` stays. */
struct reader {
	const uint8_t *at;
	size_t left;
	bool bad;
};

static const uint8_t *take(struct reader *reader, size_t length)
{
	const uint8_t *at = reader->at;

	if (length > reader->left) {
		reader->bad = true;
		reader->left = 0;
		return NULL;
	}
	reader->at += length;
	reader->left -= length;
	return at;
}

static unsigned take_number(struct reader *reader, size_t bytes)
{
	const uint8_t *p = take(reader, bytes);
	unsigned value = 0;

	for (size_t i = 0; p && i < bytes; i++)
		value = value << 8 | p[i];
	return value;
}

static struct reader take_vector(struct reader *reader, size_t length_bytes)
{
	size_t length = take_number(reader, length_bytes);
	const uint8_t *at = take(reader, length);

	return (struct reader){.at = at, .left = at ? length : 0, .bad = reader->bad};
}

static uint16_t highest_version(struct reader list)
{
	uint16_t best = 0;

	while (list.left >= 2) {
		uint16_t version = (uint16_t)take_number(&list, 2);

		/* Values that are no version are offered on purpose to keep servers tolerant (RFC 8701). */
		if (version > best && version <= TLS_VERSION_1_3)
			best = version;
	}
	return best;
}

struct extensions {
	uint16_t version; /* 0: no such extension */
	const uint8_t *name;
	size_t name_length;
};

static void read_extension(struct extensions *out, unsigned type, struct reader body, bool server)
{
	struct reader list;

	if (type == EXTENSION_SUPPORTED_VERSIONS && server) {
		out->version = (uint16_t)take_number(&body, 2);
	} else if (type == EXTENSION_SUPPORTED_VERSIONS) {
		out->version = highest_version(take_vector(&body, 1));
	} else if (type == EXTENSION_SERVER_NAME && !server) {
		list = take_vector(&body, 2);
		if (take_number(&list, 1) == 0) {
			struct reader name = take_vector(&list, 2);

			out->name = name.at;
			out->name_length = name.left;
		}
	}
}

static int read_extensions(struct reader *message, bool server, struct extensions *out)
{
	struct reader list;

	*out = (struct extensions){0};
	if (message->left == 0)
		return message->bad ? -EBADMSG : 0;
	list = take_vector(message, 2);
	while (list.left > 0) {
		unsigned type = take_number(&list, 2);
		struct reader body = take_vector(&list, 2);

		if (list.bad)
			return -EBADMSG;
		read_extension(out, type, body, server);
	}
	return list.bad || message->bad ? -EBADMSG : 0;
}

static void set_version(json_t *data, uint16_t version)
{
	const char *name = tls_version_name(version);
	char number[8];

	(void)snprintf(number, sizeof(number), "0x%04x", version);
	(void)json_object_set_new(data, "version", json_string(name ? name : number));
}

int watch_client_hello(struct watch *watch, const uint8_t *body, size_t length, struct instant at)
{
	struct reader message = {.at = body, .left = length};
	uint16_t version = (uint16_t)take_number(&message, 2);
	const uint8_t *random = take(&message, 32);
	struct extensions extensions;
	json_t *data;

	(void)take_vector(&message, 1); /* session */
	(void)take_vector(&message, 2); /* suites */
	(void)take_vector(&message, 1); /* compression */
	if (!random || message.bad || read_extensions(&message, false, &extensions) < 0)
		return -EBADMSG;
	data = json_object();
	set_version(data, extensions.version ? extensions.version : version);
	if (extensions.name_length > 0)
		(void)json_object_set_new(data, "server_name", json_stringn((const char *)extensions.name, extensions.name_length));
	if (watch->client_hello)
		(void)json_object_set_new(data, "retry", json_true());
	memcpy(watch->client_random, random, sizeof(watch->client_random));
	watch->client_hello = true;
	watch_sort_lines(watch);
	watch_emit(watch, true, at, "tls.client_hello", data);
	watch_tell(watch, "client_hello");
	return 0;
}

/* A HelloRetryRequest is a ServerHello whose random is the hash of that name. */
static bool is_retry(const uint8_t *random)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];

	(void)SHA256((const uint8_t *)"HelloRetryRequest", strlen("HelloRetryRequest"), hash);
	return memcmp(random, hash, sizeof(hash)) == 0;
}

static void server_hello_accepted(struct watch *watch, const uint8_t *random, struct instant at)
{
	json_t *data = json_object();
	char number[8];

	memcpy(watch->server_random, random, sizeof(watch->server_random));
	watch->server_hello = true;
	watch->suite = tls_suite_find(watch->cipher);
	(void)snprintf(number, sizeof(number), "0x%04x", watch->cipher);
	set_version(data, watch->version);
	(void)json_object_set_new(data, "cipher", json_string(watch->suite ? watch->suite->name : number));
	watch_emit(watch, false, at, "tls.server_hello", data);
	watch_tell(watch, "server_hello");
}

int watch_server_hello(struct watch *watch, const uint8_t *body, size_t length, struct instant at)
{
	struct reader message = {.at = body, .left = length};
	uint16_t version = (uint16_t)take_number(&message, 2);
	const uint8_t *random = take(&message, 32);
	struct extensions extensions;
	uint16_t cipher;

	(void)take_vector(&message, 1); /* session */
	cipher = (uint16_t)take_number(&message, 2);
	(void)take_number(&message, 1); /* compression */
	if (!random || message.bad || watch->server_hello || read_extensions(&message, true, &extensions) < 0)
		return -EBADMSG;
	if (is_retry(random))
		return 0; /* the client begins anew: tls.client_hello with "retry" tells */
	watch->version = extensions.version ? extensions.version : version;
	watch->cipher = cipher;
	server_hello_accepted(watch, random, at);
	if (watch->version >= TLS_VERSION_1_3) {
		watch_side_rekey(watch, true, EPOCH_HANDSHAKE);
		watch_side_rekey(watch, false, EPOCH_HANDSHAKE);
	}
	return 0;
}
