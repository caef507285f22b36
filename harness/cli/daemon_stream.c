/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon_stream.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/bytes.h"
#include "../base/loop.h"

#define MS_NS          INT64_C(1000000)
#define PAUSE_LEAST_NS (100 * MS_NS)
#define PAUSE_MOST_NS  (2000 * MS_NS)
#define SILENCE_NS     (45000 * MS_NS) /* of events: the daemon sends a comment every 15 s */
#define EVENT_MAX      (16u << 20)
#define NAME_MAX_BYTES 64

struct daemon_stream {
	struct daemon_streams *streams;
	struct daemon_stream *next;
	struct daemon_stream_calls calls;
	void *context;
	char *path;
	CURL *transfer; /* NULL: it pauses, or was refused */
	struct curl_slist *headers;
	int64_t again_ns, pause_ns, begun_ns, heard_ns;
	uint64_t received, skip; /* of a text: bytes that were passed on, and that come once more */
	struct bytes refusal;
	struct bytes line, data;                       /* of an event that is not whole yet */
	char name[NAME_MAX_BYTES], id[NAME_MAX_BYTES]; /* id: of what was passed on last */
	char next_id[NAME_MAX_BYTES];
	bool live, refused, closed, broken;
};

struct daemon_streams {
	struct daemon_client *client;
	CURLM *multi;
	struct daemon_stream *first;
	bool came;
};

/* ---- server-sent events ---- */

static void dispatch(struct daemon_stream *stream)
{
	memcpy(stream->id, stream->next_id, sizeof(stream->id));
	if (stream->data.length > 0 && bytes_append_u8(&stream->data, 0) == 0) {
		size_t length = stream->data.length - 2; /* without the last newline and the 0 */
		stream->data.data[length] = '\0';
		stream->calls.event(*stream->name ? stream->name : "message", (const char *)stream->data.data, length, stream->context);
	}
	bytes_clear(&stream->data);
	stream->name[0] = '\0';
}

static void take_field(struct daemon_stream *stream, const char *line, size_t length)
{
	const char *colon = memchr(line, ':', length);
	size_t name = colon ? (size_t)(colon - line) : length;
	const char *value = colon ? colon + 1 : line + length;
	size_t rest = length - (size_t)(value - line);
	if (rest > 0 && *value == ' ')
		value++, rest--;
	if (name == 4 && !memcmp(line, "data", 4)) {
		stream->broken |= stream->data.length + rest > EVENT_MAX || bytes_append(&stream->data, value, rest) < 0 ||
		                  bytes_append_u8(&stream->data, '\n') < 0;
	} else if (name == 5 && !memcmp(line, "event", 5)) {
		(void)snprintf(stream->name, sizeof(stream->name), "%.*s", (int)rest, value);
	} else if (name == 2 && !memcmp(line, "id", 2) && rest < sizeof(stream->next_id)) {
		(void)snprintf(stream->next_id, sizeof(stream->next_id), "%.*s", (int)rest, value);
	}
}

static void take_line(struct daemon_stream *stream, const char *line, size_t length)
{
	if (length > 0 && line[length - 1] == '\r')
		length--;
	if (length == 0)
		dispatch(stream);
	else
		take_field(stream, line, length);
}

/* Lines come in any pieces. */
static void take_events(struct daemon_stream *stream, const char *data, size_t length)
{
	for (const char *newline; length > 0 && !stream->closed && (newline = memchr(data, '\n', length));) {
		size_t part = (size_t)(newline - data);
		if (stream->line.length == 0) {
			take_line(stream, data, part);
		} else {
			stream->broken |= bytes_append(&stream->line, data, part) < 0;
			take_line(stream, (const char *)stream->line.data, stream->line.length);
			bytes_clear(&stream->line);
		}
		data += part + 1;
		length -= part + 1;
	}
	if (length > 0 && (stream->line.length + length > EVENT_MAX || bytes_append(&stream->line, data, length) < 0))
		stream->broken = true;
}

static void take_text(struct daemon_stream *stream, const char *data, size_t length)
{
	size_t known = stream->skip < length ? (size_t)stream->skip : length;
	stream->skip -= known;
	if (length > known) {
		stream->received += length - known;
		stream->calls.text(data + known, length - known, stream->context);
	}
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
	struct daemon_stream *stream = context;
	size_t length = size * count;
	long status = 0;
	(void)curl_easy_getinfo(stream->transfer, CURLINFO_RESPONSE_CODE, &status);
	stream->heard_ns = loop_now_ns();
	stream->streams->came = true;
	if (status != 200)
		stream->broken = bytes_append(&stream->refusal, data, length) < 0 || stream->refusal.length > 65536;
	else if (stream->closed)
		return CURL_WRITEFUNC_ERROR;
	else if (stream->calls.event)
		take_events(stream, data, length);
	else
		take_text(stream, data, length);
	stream->live = status == 200;
	return stream->broken || stream->closed ? CURL_WRITEFUNC_ERROR : length;
}

/* ---- connections ---- */

static int begin(struct daemon_stream *stream)
{
	char header[NAME_MAX_BYTES + 32];
	CURL *transfer = daemon_client_transfer(stream->streams->client, stream->path);
	if (!transfer)
		return -ENOMEM;
	bytes_clear(&stream->line);
	bytes_clear(&stream->data);
	bytes_clear(&stream->refusal);
	stream->name[0] = '\0';
	memcpy(stream->next_id, stream->id, sizeof(stream->id));
	stream->skip = stream->received;
	stream->broken = false;
	stream->begun_ns = stream->heard_ns = loop_now_ns();
	if (stream->calls.event && *stream->id) {
		(void)snprintf(header, sizeof(header), "Last-Event-ID: %s", stream->id);
		curl_slist_free_all(stream->headers);
		stream->headers = daemon_client_headers(stream->streams->client, header);
		if (stream->headers)
			(void)curl_easy_setopt(transfer, CURLOPT_HTTPHEADER, stream->headers);
	}
	(void)curl_easy_setopt(transfer, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(transfer, CURLOPT_WRITEDATA, stream);
	(void)curl_easy_setopt(transfer, CURLOPT_PRIVATE, stream);
	if (curl_multi_add_handle(stream->streams->multi, transfer) != CURLM_OK) {
		curl_easy_cleanup(transfer);
		return -ENOMEM;
	}
	stream->transfer = transfer;
	return 0;
}

static void end(struct daemon_stream *stream)
{
	if (stream->transfer) {
		(void)curl_multi_remove_handle(stream->streams->multi, stream->transfer);
		curl_easy_cleanup(stream->transfer);
	}
	stream->transfer = NULL;
	stream->live = false;
}

static void pause_stream(struct daemon_stream *stream)
{
	int64_t now_ns = loop_now_ns();
	end(stream);
	if (now_ns - stream->begun_ns > PAUSE_MOST_NS) /* it went well for a while */
		stream->pause_ns = PAUSE_LEAST_NS;
	stream->again_ns = now_ns + stream->pause_ns;
	stream->pause_ns = 2 * stream->pause_ns < PAUSE_MOST_NS ? 2 * stream->pause_ns : PAUSE_MOST_NS;
	if (stream->calls.ended && !stream->closed)
		stream->calls.ended(stream->context);
}

static void on_done(struct daemon_stream *stream, CURLcode code)
{
	struct error error = {0};
	long status = 0;
	(void)curl_easy_getinfo(stream->transfer, CURLINFO_RESPONSE_CODE, &status);
	stream->streams->came = true;
	if (code == CURLE_OK && status != 200) {
		int r = daemon_refused(stream->streams->client, status, (const char *)stream->refusal.data, stream->refusal.length, &error);
		if (!daemon_is_away(r)) {
			end(stream);
			stream->refused = true;
			if (stream->calls.refused && !stream->closed)
				stream->calls.refused(r, &error, stream->context);
			return;
		}
	}
	pause_stream(stream);
}

/* Closed streams go away here, where nothing of curl's is under way. */
static void sweep(struct daemon_streams *streams)
{
	for (struct daemon_stream **at = &streams->first, *stream; (stream = *at);) {
		if (!stream->closed) {
			at = &stream->next;
			continue;
		}
		*at = stream->next;
		end(stream);
		curl_slist_free_all(stream->headers);
		bytes_free(&stream->line);
		bytes_free(&stream->data);
		bytes_free(&stream->refusal);
		free(stream->path);
		free(stream);
	}
}

/* Begins what is due; the time of what comes next. */
static int64_t tend(struct daemon_streams *streams, int64_t until_ns)
{
	int64_t now_ns = loop_now_ns();
	for (struct daemon_stream *stream = streams->first; stream; stream = stream->next) {
		if (stream->refused || stream->closed)
			continue;
		if (!stream->transfer && (stream->again_ns > now_ns || begin(stream) < 0)) {
			if (stream->again_ns <= now_ns)
				stream->again_ns = now_ns + PAUSE_MOST_NS;
			until_ns = stream->again_ns < until_ns ? stream->again_ns : until_ns;
		} else if (stream->calls.event && now_ns - stream->heard_ns > SILENCE_NS) {
			pause_stream(stream);
		}
	}
	return until_ns;
}

static void collect(struct daemon_streams *streams)
{
	int left;
	for (CURLMsg *message; (message = curl_multi_info_read(streams->multi, &left));) {
		struct daemon_stream *stream = NULL;
		CURLcode code = message->data.result;
		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &stream);
		on_done(stream, code);
	}
}

int daemon_streams_wait(struct daemon_streams *streams, int64_t deadline_ns)
{
	int running, fd = daemon_client_signal_fd(streams->client);
	streams->came = false;
	for (;;) {
		struct pollfd signals = {fd, POLLIN, 0};
		sweep(streams);
		int64_t until_ns = tend(streams, deadline_ns), now_ns = loop_now_ns();
		(void)curl_multi_perform(streams->multi, &running);
		collect(streams);
		sweep(streams);
		if (fd >= 0 && poll(&signals, 1, 0) > 0)
			return -ECANCELED;
		if (streams->came)
			return 0;
		if (now_ns >= deadline_ns)
			return -ETIMEDOUT;
		int64_t left_ms = (until_ns - now_ns) / MS_NS + 1;
		struct curl_waitfd extra = {.fd = fd, .events = CURL_WAIT_POLLIN};
		(void)curl_multi_poll(streams->multi, &extra, fd >= 0, left_ms < 1 ? 1 : left_ms > 5000 ? 5000 : (int)left_ms, NULL);
	}
}

/* ---- life ---- */

int daemon_streams_new(struct daemon_streams **ret, struct daemon_client *client, struct error *err)
{
	struct daemon_streams *streams = calloc(1, sizeof(*streams));
	if (streams)
		*streams = (struct daemon_streams){.client = client, .multi = curl_multi_init()};
	if (!streams || !streams->multi) {
		free(streams);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	*ret = streams;
	return 0;
}

void daemon_streams_free(struct daemon_streams *streams)
{
	if (!streams)
		return;
	for (struct daemon_stream *stream = streams->first; stream; stream = stream->next)
		stream->closed = true;
	sweep(streams);
	curl_multi_cleanup(streams->multi);
	free(streams);
}

struct daemon_stream *daemon_stream_open(struct daemon_streams *streams, const char *path, const struct daemon_stream_calls *calls,
                                         void *context, struct error *err)
{
	struct daemon_stream *stream = calloc(1, sizeof(*stream));
	char *copy = strdup(path);
	if (!stream || !copy) {
		free(stream);
		free(copy);
		(void)error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
		return NULL;
	}
	*stream = (struct daemon_stream){
	        .streams = streams, .next = streams->first, .calls = *calls, .context = context, .path = copy, .pause_ns = PAUSE_LEAST_NS};
	streams->first = stream;
	return stream;
}

void daemon_stream_close(struct daemon_stream *stream)
{
	if (stream)
		stream->closed = true;
}

const char *daemon_stream_id(const struct daemon_stream *stream)
{
	return stream->id;
}

bool daemon_stream_live(const struct daemon_stream *stream)
{
	return stream && stream->live;
}
