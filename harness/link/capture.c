/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture_private.h"
#include "pcapng.h"

#define FLUSH_SIZE     (64U * 1024)
#define FLUSH_DELAY_US 100000
#define SECRET_MAX     512 /* the longest key log line has 13 + 64 + 128 characters and a label */

static const char comment[] = "DoIP inside TLS on port 13400: tshark -o tcp.try_heuristic_first:TRUE -d tls.port==13400,doip";

void capture_fail(struct capture *capture, int code, const char *what)
{
	if (capture->failed)
		return;
	capture->failed = true;
	(void)error_set(&capture->failure, ERROR_BENCH, code, "%s: %s: %s", capture->path, what, strerror(code));
	bytes_clear(&capture->pending);
}

bool capture_failed(const struct capture *capture, struct error *err)
{
	if (!capture || !capture->failed)
		return false;
	if (err)
		*err = capture->failure;
	return true;
}

/* Of length bytes of whole blocks, how many are whole blocks within the first `done` bytes. */
static size_t whole_blocks(const uint8_t *data, size_t length, size_t done)
{
	size_t whole = 0;
	uint32_t total;

	while (whole + 8 <= length) {
		memcpy(&total, data + whole + 4, sizeof(total));
		if (whole + total > done)
			break;
		whole += total;
	}
	return whole;
}

/* Writes whole blocks; what a failed write left of a block is cut off again. */
static void write_blocks(struct capture *capture, const uint8_t *data, size_t length)
{
	size_t done = 0;
	int code = 0;

	while (done < length && code == 0) {
		ssize_t n = pwrite(capture->fd, data + done, length - done, capture->written + (off_t)done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			code = errno;
		if (n == 0)
			code = ENOSPC;
	}
	if (code == 0) {
		capture->written += (off_t)length;
		return;
	}
	capture->written += (off_t)whole_blocks(data, length, done);
	if (ftruncate(capture->fd, capture->written) < 0 && errno != EINVAL)
		capture_fail(capture, errno, "cannot cut off a partial block");
	capture_fail(capture, code, "cannot write");
}

void capture_flush(struct capture *capture)
{
	if (capture->failed || capture->pending.length == 0)
		return;
	write_blocks(capture, capture->pending.data, capture->pending.length);
	bytes_clear(&capture->pending);
}

static int on_flush_timer(sd_event_source *source, uint64_t usec, void *context)
{
	capture_flush(context);
	return 0;
}

/* A block was appended to pending: sees to it that it gets written. */
static void appended(struct capture *capture)
{
	uint64_t now_us = (uint64_t)loop_now_ns() / 1000;
	int enabled = SD_EVENT_ON;

	if (capture->pending.length >= FLUSH_SIZE) {
		capture_flush(capture);
		return;
	}
	if (!capture->flush_timer || sd_event_source_get_enabled(capture->flush_timer, &enabled) < 0 || enabled != SD_EVENT_OFF)
		return;
	if (sd_event_source_set_time(capture->flush_timer, now_us + FLUSH_DELAY_US) < 0 ||
	    sd_event_source_set_enabled(capture->flush_timer, SD_EVENT_ONESHOT) < 0)
		capture_flush(capture);
}

void capture_packet(struct capture *capture, unsigned interface, const void *data, size_t length, size_t original, struct instant at)
{
	if (capture->failed)
		return;
	if (capture->first_packet < 0)
		capture->first_packet = capture->written + (off_t)capture->pending.length;
	if (pcapng_packet(&capture->pending, interface, at.ns + clock_realtime_offset_ns(), data, length, original) < 0)
		capture_fail(capture, ENOMEM, "cannot take a packet");
	else
		appended(capture);
}

void capture_statistics(struct capture *capture, unsigned interface, uint64_t received, uint64_t dropped)
{
	if (capture->failed)
		return;
	if (pcapng_statistics(&capture->pending, interface, loop_now_ns() + clock_realtime_offset_ns(), received, dropped) < 0)
		capture_fail(capture, ENOMEM, "cannot write the statistics");
}

/* Remembers that a rewritten file has the next `length` bytes in front instead. */
static int mark_moved(struct capture *capture, off_t offset, size_t length)
{
	struct capture_range *grown = realloc(capture->moved, (capture->moved_count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	capture->moved = grown;
	grown[capture->moved_count++] = (struct capture_range){offset, length};
	return 0;
}

/* Appends header bytes (from `start` on) to the file too. */
static int header_appended(struct capture *capture, size_t start)
{
	size_t length = capture->header.length - start;

	if (mark_moved(capture, capture->written + (off_t)capture->pending.length, length) < 0 ||
	    bytes_append(&capture->pending, capture->header.data + start, length) < 0)
		return -ENOMEM;
	return 0;
}

int capture_interface(struct capture *capture, uint16_t linktype, const char *name, const char *description)
{
	size_t start = capture->header.length;

	if (pcapng_interface(&capture->header, linktype, name, description) < 0 || header_appended(capture, start) < 0)
		return -ENOMEM;
	return (int)capture->interfaces++;
}

static int write_header(struct capture *capture, struct error *err)
{
	if (pcapng_section(&capture->header, "hilbench", comment) < 0 || header_appended(capture, 0) < 0 ||
	    capture_interface(capture, PCAPNG_LINKTYPE_RAW, "tap", "rebuilt from what the bench relayed, sent and received") < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	capture_flush(capture);
	if (capture->failed) {
		if (err)
			*err = capture->failure;
		return -capture->failure.code;
	}
	return 0;
}

static void capture_free(struct capture *capture)
{
	sd_event_source_disable_unref(capture->flush_timer);
	if (capture->fd >= 0)
		(void)close(capture->fd);
	OPENSSL_clear_free(capture->secrets, capture->secrets_capacity);
	bytes_free(&capture->pending);
	bytes_free(&capture->header);
	free(capture->moved);
	free(capture->path);
	free(capture);
}

int capture_open(struct capture **ret, struct loop *loop, const char *path, bool allow_secrets, struct error *err)
{
	struct capture *capture = calloc(1, sizeof(*capture));
	int r = 0;

	if (!capture)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*capture = (struct capture){.loop = loop, .fd = -1, .allow_secrets = allow_secrets, .first_packet = -1, .path = strdup(path)};
	if (!capture->path)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (r == 0) {
		capture->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, allow_secrets ? 0600 : 0644);
		if (capture->fd < 0)
			r = error_set(err, ERROR_BENCH, errno, "cannot create %s: %s", path, strerror(errno));
	}
	if (r == 0 && loop) {
		r = sd_event_add_time(loop_event(loop), &capture->flush_timer, CLOCK_MONOTONIC, UINT64_MAX, 1000, on_flush_timer, capture);
		if (r >= 0)
			r = sd_event_source_set_enabled(capture->flush_timer, SD_EVENT_OFF);
		if (r < 0)
			r = error_set(err, ERROR_BENCH, -r, "cannot arm the capture's timer: %s", strerror(-r));
	}
	if (r == 0)
		r = write_header(capture, err);
	if (r < 0) {
		capture_free(capture);
		return r;
	}
	*ret = capture;
	return 0;
}

int capture_close(struct capture *capture, struct error *err)
{
	int r = 0;

	if (!capture)
		return 0;
	capture_devices_close(capture);
	capture_flows_free(capture);
	capture_buses_free(capture);
	capture_flush(capture);
	if (capture->failed) {
		if (err)
			*err = capture->failure;
		r = -capture->failure.code;
	} else if (capture->late_secrets) {
		r = capture_rewrite(capture, err);
	}
	capture_free(capture);
	return r;
}

/* "LABEL <hex> <hex>": what may go into the file. Returns the length without the end of the line, 0 if it is none. */
static size_t secret_length(const char *line)
{
	size_t length = strcspn(line, "\r\n"), words = 0;

	if (length == 0 || length > SECRET_MAX || line[0] == '#')
		return 0;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)line[i];

		if (c == ' ')
			words++;
		else if (words == 0 ? !(isupper(c) || isdigit(c) || c == '_') : !isxdigit(c))
			return 0;
	}
	return words == 2 ? length : 0;
}

static int keep_secret(struct capture *capture, const char *line, size_t length)
{
	size_t needed = capture->secrets_length + length + 1, capacity = capture->secrets_capacity;
	char *grown;

	if (needed > capacity) {
		capacity = needed + capacity + 4096;
		grown = OPENSSL_clear_realloc(capture->secrets, capture->secrets_capacity, capacity); /* wipes the old place */
		if (!grown)
			return -ENOMEM;
		capture->secrets = grown;
		capture->secrets_capacity = capacity;
	}
	memcpy(capture->secrets + capture->secrets_length, line, length);
	capture->secrets[needed - 1] = '\n';
	capture->secrets_length = needed;
	return 0;
}

void capture_secret(struct capture *capture, const char *line)
{
	struct bytes block = {0};
	size_t length, start;

	if (!capture || !capture->allow_secrets || capture->failed)
		return;
	length = secret_length(line);
	if (length == 0 || (capture->secrets && memmem(capture->secrets, capture->secrets_length, line, length)))
		return;
	start = capture->secrets_length;
	if (keep_secret(capture, line, length) < 0 || pcapng_tls_secrets(&block, capture->secrets + start, length + 1) < 0) {
		capture_fail(capture, ENOMEM, "cannot take a secret");
		return;
	}
	/* Past the pending buffer, so that no copy stays behind in it. */
	capture_flush(capture);
	capture->late_secrets |= capture->first_packet >= 0;
	if (mark_moved(capture, capture->written, block.length) < 0)
		capture_fail(capture, ENOMEM, "cannot take a secret");
	else if (!capture->failed)
		write_blocks(capture, block.data, block.length);
	OPENSSL_cleanse(block.data, block.length);
	bytes_free(&block);
}
