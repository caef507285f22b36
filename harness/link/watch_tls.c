/* SPDX-License-Identifier: Apache-2.0 */
/* Records and handshake messages: RFC 8446 clauses 4 and 5, RFC 5246 clauses 6 and 7. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "watch_private.h"

#define RECORD_HEADER  5
#define MESSAGE_HEADER 4
#define MESSAGE_MAX    (128U * 1024)             /* a certificate chain of any sense is far smaller */
#define FINISHED_EXTRA (MESSAGE_HEADER + 1 + 16) /* around the hash: header, inner type, tag */

enum content {
	CONTENT_CHANGE_CIPHER_SPEC = 20,
	CONTENT_ALERT = 21,
	CONTENT_HANDSHAKE = 22,
	CONTENT_APPLICATION = 23,
	CONTENT_HEARTBEAT = 24
};
enum message { MESSAGE_CLIENT_HELLO = 1, MESSAGE_SERVER_HELLO = 2, MESSAGE_FINISHED = 20, MESSAGE_KEY_UPDATE = 24 };

static struct watch_side *side_of(struct watch *watch, bool from_client)
{
	return &watch->sides[from_client ? 0 : 1];
}

static json_t *finished_data(const struct watch *watch, bool inferred)
{
	const char *version = tls_version_name(watch->version);
	json_t *data = json_pack("{s:s}", "version", version ? version : "unknown");

	if (data && inferred)
		(void)json_object_set_new(data, "inferred", json_true());
	return data;
}

void watch_tls_finished(struct watch *watch, bool from_client, struct instant at, bool inferred)
{
	struct watch_side *side = side_of(watch, from_client), *other = side_of(watch, !from_client);

	if (side->finished)
		return;
	side->finished = true;
	if (from_client) {
		watch_emit(watch, true, at, "tls.client_finished", finished_data(watch, inferred));
		if (!watch->told_client_finished)
			watch_tell(watch, "client_finished");
		watch->told_client_finished = true;
	}
	/* The client's is always the last of TLS 1.3; of 1.2 it depends on whether a session was resumed. */
	if (watch->finished || (watch->version >= TLS_VERSION_1_3 ? !from_client : !other->finished))
		return;
	watch->finished = true;
	watch_emit(watch, from_client, at, "tls.finished", finished_data(watch, inferred));
	watch_tell(watch, "finished");
}

static void alert(struct watch *watch, bool from_client, const uint8_t *data, size_t length, struct instant at)
{
	if (length != 2)
		return;
	watch_emit(watch, from_client, at, "tls.alert",
	           json_pack("{s:s, s:s}", "level", tls_alert_level_name(data[0]), "description", tls_alert_name(data[1])));
	watch_tell(watch, "alert");
}

/* ---- handshake messages ------------------------------------------------------------------------------------ */

static void finished_message(struct watch *watch, bool from_client, struct instant at)
{
	watch_tls_finished(watch, from_client, at, false);
	if (watch->version >= TLS_VERSION_1_3)
		watch_side_rekey(watch, from_client, EPOCH_APPLICATION);
}

static int message(struct watch *watch, bool from_client, uint8_t type, const uint8_t *body, size_t length, struct instant at)
{
	const struct watch_side *side = side_of(watch, from_client);

	if (side->epoch == EPOCH_PLAIN && from_client && type == MESSAGE_CLIENT_HELLO)
		return watch_client_hello(watch, body, length, at);
	if (side->epoch == EPOCH_PLAIN && !from_client && type == MESSAGE_SERVER_HELLO)
		return watch_server_hello(watch, body, length, at);
	if (side->epoch == EPOCH_HANDSHAKE && type == MESSAGE_FINISHED)
		finished_message(watch, from_client, at);
	else if (side->epoch == EPOCH_APPLICATION && type == MESSAGE_KEY_UPDATE)
		watch_key_update(watch, from_client);
	return 0;
}

/* Whole messages out of what has come of them. */
static void handshake_bytes(struct watch *watch, bool from_client, const uint8_t *data, size_t length, struct instant at)
{
	struct bytes *buffer = &side_of(watch, from_client)->handshake;
	size_t used = 0;

	if (bytes_append(buffer, data, length) < 0) {
		watch_stop(watch, from_client, at, "out of memory: this connection is not watched further");
		return;
	}
	while (buffer->length - used >= MESSAGE_HEADER && watch->mode == WATCH_TLS) {
		const uint8_t *p = buffer->data + used;
		size_t body = be32_read(p) & 0xffffff;

		if (body > MESSAGE_MAX) {
			watch_stop(watch, from_client, at,
			           "a TLS handshake message of nonsensical length: this connection is not watched further");
			return;
		}
		if (buffer->length - used < MESSAGE_HEADER + body)
			break;
		if (message(watch, from_client, p[0], p + MESSAGE_HEADER, body, at) < 0)
			watch_stop(watch, from_client, at, "a malformed TLS hello: this connection is not watched further");
		used += MESSAGE_HEADER + body;
	}
	bytes_drop_front(buffer, used);
}

void watch_tls_content(struct watch *watch, bool from_client, uint8_t type, const uint8_t *data, size_t length, struct instant at)
{
	if (type == CONTENT_HANDSHAKE)
		handshake_bytes(watch, from_client, data, length, at);
	else if (type == CONTENT_ALERT)
		alert(watch, from_client, data, length, at);
	else if (type == CONTENT_APPLICATION)
		watch_doip_bytes(watch, from_client, data, length, at);
}

/* ---- records ----------------------------------------------------------------------------------------------- */

static size_t hash_size(const struct watch *watch)
{
	return watch->suite ? tls_suite_hash_size(watch->suite) : 32;
}

static void record_13(struct watch *watch, bool from_client, uint8_t type, const uint8_t *data, size_t length, struct instant at)
{
	/* Encrypted records call themselves application data; others are in the clear. */
	if (type == CONTENT_ALERT) {
		alert(watch, from_client, data, length, at);
		return;
	}
	if (type != CONTENT_APPLICATION)
		return;
	if (from_client && !watch->candidate && !side_of(watch, true)->finished && length == hash_size(watch) + FINISHED_EXTRA) {
		watch->candidate = true;
		watch->candidate_at = at;
		watch_queue(watch, from_client, type, data, length, at);
		watch_drain(watch, from_client);
		/* Who wants to cut the connection at this very moment cannot wait for secrets. */
		if (!watch->told_client_finished) {
			watch->told_client_finished = true;
			watch_tell(watch, "client_finished");
		}
		return;
	}
	watch_queue(watch, from_client, type, data, length, at);
	watch_drain(watch, from_client);
}

static void record_12(struct watch *watch, bool from_client, uint8_t type, const uint8_t *data, size_t length, struct instant at)
{
	struct watch_side *side = side_of(watch, from_client);

	/* The first encrypted handshake record is Finished: nothing else may follow ChangeCipherSpec. */
	if (type == CONTENT_HANDSHAKE && !side->finished)
		watch_tls_finished(watch, from_client, at, false);
	if (side->blind && type == CONTENT_ALERT) {
		watch_emit(watch, from_client, at, "tls.alert", json_pack("{s:s, s:s}", "level", "unknown", "description", "encrypted"));
		watch_tell(watch, "alert");
		return;
	}
	watch_queue(watch, from_client, type, data, length, at);
	watch_drain(watch, from_client);
}

static void record(struct watch *watch, bool from_client, uint8_t type, const uint8_t *data, size_t length, struct instant at)
{
	struct watch_side *side = side_of(watch, from_client);

	if (side->epoch == EPOCH_PLAIN) {
		if (type == CONTENT_CHANGE_CIPHER_SPEC && watch->server_hello && watch->version < TLS_VERSION_1_3)
			watch_side_rekey(watch, from_client, EPOCH_HANDSHAKE);
		else if (type != CONTENT_APPLICATION) /* early data cannot be read */
			watch_tls_content(watch, from_client, type, data, length, at);
	} else if (watch->version >= TLS_VERSION_1_3) {
		record_13(watch, from_client, type, data, length, at);
	} else {
		record_12(watch, from_client, type, data, length, at);
	}
}

/* Length of the record at data; 0: not whole yet; -EBADMSG: no record. */
static ssize_t record_size(const uint8_t *data, size_t length)
{
	size_t body;

	if (length >= 1 && (data[0] < CONTENT_CHANGE_CIPHER_SPEC || data[0] > CONTENT_HEARTBEAT))
		return -EBADMSG;
	if (length >= 2 && data[1] != 3)
		return -EBADMSG;
	if (length < RECORD_HEADER)
		return 0;
	body = be16_read(data + 3);
	if (body > TLS_RECORD_MAX)
		return -EBADMSG;
	return length < RECORD_HEADER + body ? 0 : (ssize_t)(RECORD_HEADER + body);
}

void watch_tls_bytes(struct watch *watch, bool from_client, const uint8_t *data, size_t length, struct instant at)
{
	struct bytes *raw = &side_of(watch, from_client)->raw;
	size_t used = 0;
	ssize_t size;

	if (bytes_append(raw, data, length) < 0) {
		watch_stop(watch, from_client, at, "out of memory: this connection is not watched further");
		return;
	}
	while (watch->mode == WATCH_TLS && used < raw->length) {
		const uint8_t *p = raw->data + used;

		size = record_size(p, raw->length - used);
		if (size == 0)
			break;
		if (size < 0) {
			watch_stop(watch, from_client, at, "bytes that are no TLS record: this connection is not watched further");
			break;
		}
		record(watch, from_client, p[0], p + RECORD_HEADER, (size_t)size - RECORD_HEADER, at);
		used += (size_t)size;
	}
	bytes_drop_front(raw, used);
}

void watch_tls_give_up(struct watch *watch)
{
	watch_side_blind(watch, true);
	watch_side_blind(watch, false);
}

void watch_tls_clear(struct watch *watch)
{
	for (unsigned i = 0; i < 2; i++) {
		struct watch_side *side = &watch->sides[i];

		while (side->first) {
			struct watch_record *next = side->first->next;

			free(side->first);
			side->first = next;
		}
		tls_keys_free(side->keys);
		side->keys = NULL;
	}
	while (watch->lines) {
		struct watch_line *next = watch->lines->next;

		OPENSSL_cleanse(watch->lines->text, strlen(watch->lines->text));
		free(watch->lines);
		watch->lines = next;
	}
}
