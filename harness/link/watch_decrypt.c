/* SPDX-License-Identifier: Apache-2.0 */
/* Encrypted records wait for their secret, then are opened in order. Key log lines: SSLKEYLOGFILE (RFC 9850). */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "watch_private.h"

#define QUEUE_MAX       (512U * 1024) /* a direction */
#define LINES_MAX       64            /* that wait for the ClientHello */
#define LINE_MAX_LENGTH 512

enum { CONTENT_ALERT = 21 };

static struct watch_side *side_of(struct watch *watch, bool from_client)
{
	return &watch->sides[from_client ? 0 : 1];
}

/* ---- key log lines ----------------------------------------------------------------------------------------- */

static bool parse_hex(const char *text, size_t digits, uint8_t *out)
{
	for (size_t i = 0; i < digits; i++) {
		char c = text[i];
		int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (value < 0)
			return false;
		out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | value : value << 4);
	}
	return true;
}

static int kind_of(const char *label, size_t length)
{
	static const char *const labels[SECRET_KINDS] = {
	        [SECRET_MASTER] = "CLIENT_RANDOM",
	        [SECRET_CLIENT_HANDSHAKE] = "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
	        [SECRET_SERVER_HANDSHAKE] = "SERVER_HANDSHAKE_TRAFFIC_SECRET",
	        [SECRET_CLIENT_TRAFFIC] = "CLIENT_TRAFFIC_SECRET_0",
	        [SECRET_SERVER_TRAFFIC] = "SERVER_TRAFFIC_SECRET_0",
	};

	for (int i = 0; i < SECRET_KINDS; i++) {
		if (strlen(labels[i]) == length && memcmp(labels[i], label, length) == 0)
			return i;
	}
	return -1;
}

/* Keeps the secret of a line of this connection. */
static void use_line(struct watch *watch, const char *line)
{
	size_t label = strcspn(line, " "), digits;
	int kind = kind_of(line, label);
	uint8_t random[32];
	const char *p = line + label + 1;

	if (kind < 0 || line[label] != ' ' || strlen(p) < 65 || !parse_hex(p, 64, random) || p[64] != ' ')
		return;
	if (memcmp(random, watch->client_random, sizeof(random)) != 0 || watch->secret_length[kind])
		return;
	p += 65;
	digits = strcspn(p, " \r\n");
	if ((digits != 64 && digits != 96) || !parse_hex(p, digits, watch->secrets[kind]))
		return;
	watch->secret_length[kind] = (uint8_t)(digits / 2);
}

static void line_free(struct watch_line *line)
{
	OPENSSL_cleanse(line->text, strlen(line->text));
	free(line);
}

void watch_take_line(struct watch *watch, const char *text)
{
	size_t length = strnlen(text, LINE_MAX_LENGTH + 1);
	struct watch_line *line, **end = &watch->lines;

	if (watch->client_hello) {
		use_line(watch, text);
		return;
	}
	if (length > LINE_MAX_LENGTH)
		return;
	line = malloc(sizeof(*line) + length + 1);
	if (!line)
		return;
	line->next = NULL;
	memcpy(line->text, text, length);
	line->text[length] = '\0';
	while (*end)
		end = &(*end)->next;
	*end = line;
	/* They may be of other connections of the same link: the newest are the likeliest to be ours. */
	if (++watch->line_count > LINES_MAX) {
		line = watch->lines;
		watch->lines = line->next;
		watch->line_count--;
		line_free(line);
	}
}

void watch_sort_lines(struct watch *watch)
{
	while (watch->lines) {
		struct watch_line *line = watch->lines;

		watch->lines = line->next;
		use_line(watch, line->text);
		line_free(line);
	}
	watch->line_count = 0;
}

/* ---- keys -------------------------------------------------------------------------------------------------- */

void watch_side_rekey(struct watch *watch, bool from_client, enum watch_epoch epoch)
{
	struct watch_side *side = side_of(watch, from_client);

	tls_keys_free(side->keys);
	side->keys = NULL;
	side->epoch = epoch;
}

static enum watch_secret_kind kind_needed(const struct watch *watch, bool from_client)
{
	enum watch_epoch epoch = watch->sides[from_client ? 0 : 1].epoch;

	if (watch->version < TLS_VERSION_1_3)
		return SECRET_MASTER;
	if (epoch == EPOCH_HANDSHAKE)
		return from_client ? SECRET_CLIENT_HANDSHAKE : SECRET_SERVER_HANDSHAKE;
	return from_client ? SECRET_CLIENT_TRAFFIC : SECRET_SERVER_TRAFFIC;
}

void watch_key_update(struct watch *watch, bool from_client)
{
	enum watch_secret_kind kind = kind_needed(watch, from_client);

	if (!watch->suite || tls_secret_update(watch->suite, watch->secrets[kind]) < 0)
		watch_side_blind(watch, from_client);
	else
		watch_side_rekey(watch, from_client, EPOCH_APPLICATION);
}

/* Keys of this direction's epoch; false: not (yet) to be had. */
static bool have_keys(struct watch *watch, bool from_client)
{
	struct watch_side *side = side_of(watch, from_client);
	enum watch_secret_kind kind = kind_needed(watch, from_client);
	const uint8_t *secret = watch->secrets[kind];
	size_t needed = kind == SECRET_MASTER ? TLS_MASTER_SECRET_SIZE : tls_suite_hash_size(watch->suite);

	if (side->keys)
		return true;
	if (watch->secret_length[kind] != needed)
		return false;
	if (kind == SECRET_MASTER)
		side->keys = tls_keys_new_12(watch->suite, secret, watch->client_random, watch->server_random, from_client);
	else
		side->keys = tls_keys_new_13(watch->suite, secret);
	return side->keys != NULL;
}

/* ---- the queue --------------------------------------------------------------------------------------------- */

static void pop(struct watch_side *side)
{
	struct watch_record *record = side->first;

	side->first = record->next;
	if (!side->first)
		side->last = NULL;
	side->queued -= record->length;
	free(record);
}

void watch_side_blind(struct watch *watch, bool from_client)
{
	struct watch_side *side = side_of(watch, from_client);

	side->blind = true;
	while (side->first) {
		/* TLS 1.2 tells that it is an alert, though not which. */
		if (side->first->type == CONTENT_ALERT) {
			watch_emit(watch, from_client, side->first->at, "tls.alert",
			           json_pack("{s:s, s:s}", "level", "unknown", "description", "encrypted"));
			watch_tell(watch, "alert");
		}
		pop(side);
	}
}

void watch_queue(struct watch *watch, bool from_client, uint8_t type, const uint8_t *data, size_t length, struct instant at)
{
	struct watch_side *side = side_of(watch, from_client);
	struct watch_record *record;

	if (side->blind)
		return;
	record = side->queued + length <= QUEUE_MAX && watch->suite ? malloc(sizeof(*record) + length) : NULL;
	if (!record) {
		watch_side_blind(watch, from_client);
		return;
	}
	record->next = NULL;
	record->number = watch->records++;
	record->at = at;
	record->type = type;
	record->length = length;
	memcpy(record->data, data, length);
	if (side->last)
		side->last->next = record;
	else
		side->first = record;
	side->last = record;
	side->queued += length;
}

static bool can_open(struct watch *watch, bool from_client)
{
	const struct watch_side *side = side_of(watch, from_client);

	return side->first && watch->mode == WATCH_TLS && !side->blind && have_keys(watch, from_client);
}

/* Opens the first record of a direction, for which there are keys. */
static void open_first(struct watch *watch, bool from_client)
{
	struct watch_side *side = side_of(watch, from_client);
	uint8_t plain[TLS_RECORD_MAX], type;
	struct instant at = side->first->at;
	size_t length;

	if (tls_keys_open(side->keys, side->first->type, side->first->data, side->first->length, plain, &length, &type) < 0) {
		if (!watch->noted)
			watch_emit(watch, from_client, at, "note",
			           json_pack("{s:s}", "text",
			                     "a TLS record that the known secrets do not open: this direction is not decrypted further"));
		watch->noted = true;
		watch_side_blind(watch, from_client);
		return;
	}
	pop(side);
	watch_tls_content(watch, from_client, type, plain, length, at);
}

void watch_drain(struct watch *watch, bool from_client)
{
	while (can_open(watch, from_client))
		open_first(watch, from_client);
}

void watch_drain_both(struct watch *watch)
{
	if (!watch->server_hello)
		return;
	for (;;) {
		bool client = can_open(watch, true), server = can_open(watch, false);

		if (!client && !server)
			return;
		/* In the order in which they came, so that the events tell the conversation. */
		if (client && server)
			client = watch->sides[0].first->number < watch->sides[1].first->number;
		open_first(watch, client);
	}
}
