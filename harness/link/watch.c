/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "watch_private.h"

struct watch *watch_new(struct timeline *timeline, const char *channel, uint64_t connection)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->timeline = timeline;
	watch->connection = connection;
	watch->channel = strdup(channel);
	if (!watch->channel) {
		free(watch);
		return NULL;
	}
	return watch;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	watch_settle(watch, INT64_MAX);
	watch_tls_clear(watch);
	for (unsigned i = 0; i < 2; i++) {
		bytes_free(&watch->sides[i].raw);
		bytes_free(&watch->sides[i].handshake);
		bytes_free(&watch->sides[i].doip.message);
	}
	OPENSSL_cleanse(watch->secrets, sizeof(watch->secrets));
	free(watch->channel);
	free(watch);
}

void watch_emit(struct watch *watch, bool from_client, struct instant at, const char *kind, json_t *data)
{
	json_t *whole;

	if (!watch->timeline) {
		json_decref(data);
		return;
	}
	whole = json_pack("{s:I, s:s}", "conn", (json_int_t)watch->connection, "side", from_client ? "client" : "server");
	if (whole && data)
		(void)json_object_update_missing(whole, data);
	json_decref(data);
	timeline_emit(watch->timeline, at, watch->channel, kind, whole);
}

void watch_tell(struct watch *watch, const char *event)
{
	if (watch->on_tls)
		watch->on_tls(event, watch->tls_context);
}

void watch_stop(struct watch *watch, bool from_client, struct instant at, const char *why)
{
	watch->mode = WATCH_STOPPED;
	if (watch->noted)
		return;
	watch->noted = true;
	watch_emit(watch, from_client, at, "note", json_pack("{s:s}", "text", why));
}

void watch_on_tls(struct watch *watch, void (*callback)(const char *event, void *), void *context)
{
	watch->on_tls = callback;
	watch->tls_context = context;
}

void watch_on_doip(struct watch *watch, watch_doip_describe describe, void *context)
{
	watch->describe = describe;
	watch->describe_context = context;
}

/* What the first two bytes of a direction say: a handshake record, a DoIP header (version and its inverse), neither. */
static enum watch_mode recognise(const uint8_t *data)
{
	if (data[0] == 0x16 && data[1] == 0x03)
		return WATCH_TLS;
	if ((data[0] ^ data[1]) == 0xff)
		return WATCH_DOIP;
	return WATCH_STOPPED;
}

/* Until it is known what this is, bytes are kept; false: not known yet, or nothing known. */
static bool find_mode(struct watch *watch, bool from_client, const uint8_t *data, size_t length, struct instant at)
{
	struct bytes *raw = &watch->sides[from_client ? 0 : 1].raw;

	if (bytes_append(raw, data, length) < 0) {
		watch_stop(watch, from_client, at, "out of memory: this connection is not watched");
		return false;
	}
	if (raw->length < 2)
		return false;
	watch->mode = recognise(raw->data);
	if (watch->mode == WATCH_STOPPED)
		watch_stop(watch, from_client, at, "neither TLS nor DoIP: this connection is not watched");
	return watch->mode != WATCH_STOPPED;
}

void watch_bytes(struct watch *watch, bool from_client, const uint8_t *data, size_t length, struct instant at)
{
	struct bytes first[2] = {{0}};
	bool order[2] = {from_client, !from_client};

	if (watch->mode == WATCH_STOPPED || length == 0)
		return;
	if (watch->mode == WATCH_TLS) {
		watch_tls_bytes(watch, from_client, data, length, at);
		return;
	}
	if (watch->mode == WATCH_DOIP) {
		watch_doip_bytes(watch, from_client, data, length, at);
		return;
	}
	if (!find_mode(watch, from_client, data, length, at))
		return;
	/* What was kept goes in as if it had come now; the other direction may have had a single byte. */
	for (unsigned i = 0; i < 2; i++) {
		struct bytes *raw = &watch->sides[order[i] ? 0 : 1].raw;

		first[i] = *raw;
		*raw = (struct bytes){0};
	}
	for (unsigned i = 0; i < 2; i++) {
		watch_bytes(watch, order[i], first[i].data, first[i].length, at);
		bytes_free(&first[i]);
	}
}

void watch_secret(struct watch *watch, const char *line)
{
	if (watch->mode == WATCH_STOPPED || watch->mode == WATCH_DOIP)
		return;
	watch_take_line(watch, line);
	if (watch->client_hello)
		watch_drain_both(watch);
}

int64_t watch_deadline_ns(const struct watch *watch)
{
	const struct watch_side *client = &watch->sides[0];

	if (watch->mode != WATCH_TLS || !watch->candidate || watch->finished)
		return INT64_MAX;
	/* It was decrypted, and was something else of the same size. */
	if (!client->first && !client->blind)
		return INT64_MAX;
	return watch->candidate_at.ns + WATCH_SECRET_DELAY_NS;
}

void watch_settle(struct watch *watch, int64_t now_ns)
{
	int64_t deadline_ns = watch_deadline_ns(watch);

	if (deadline_ns != INT64_MAX && deadline_ns <= now_ns)
		watch_tls_finished(watch, true, watch->candidate_at, true);
	if (now_ns != INT64_MAX)
		return;
	if (watch->mode == WATCH_TLS)
		watch_tls_give_up(watch);
	if (watch->mode == WATCH_TLS || watch->mode == WATCH_DOIP) {
		watch_doip_end(watch, true, instant_now());
		watch_doip_end(watch, false, instant_now());
	}
}
