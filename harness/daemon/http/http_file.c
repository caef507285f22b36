/* SPDX-License-Identifier: Apache-2.0 */
/* Files as answers: the part that is asked for, read as the client takes it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "http_private.h"
#include "http_range.h"

#define BLOCK (64u << 10)

struct file_part {
	int fd;
	uint64_t first;
};

static ssize_t read_part(void *context, uint64_t position, char *buffer, size_t size)
{
	struct file_part *part = context;
	ssize_t n;

	do
		n = pread(part->fd, buffer, size, (off_t)(part->first + position));
	while (n < 0 && errno == EINTR);
	/* A file that became shorter: the length is promised already, so the connection ends. */
	return n > 0 ? n : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void close_part(void *context)
{
	struct file_part *part = context;

	close(part->fd);
	free(part);
}

static struct MHD_Response *part_response(int fd, uint64_t first, uint64_t length)
{
	struct file_part *part = malloc(sizeof(*part));
	struct MHD_Response *response;

	if (!part) {
		close(fd);
		return NULL;
	}
	*part = (struct file_part){.fd = fd, .first = first};
	response = MHD_create_response_from_callback(length, length < BLOCK ? (size_t)(length ? length : 1) : BLOCK, read_part, part,
	                                             close_part);
	if (!response)
		close_part(part);
	return response;
}

/* A name as RFC 6266 has it: plain for old clients, in UTF-8 for the others. */
static void add_disposition(struct MHD_Response *response, const char *name)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
	char simple[128], escaped[400], header[640];
	size_t used = 0, at = 0;

	for (const char *p = name; *p; p++) {
		bool safe = strchr(plain, *p);

		if (used + 1 < sizeof(simple))
			simple[used++] = safe ? *p : '_';
		if (at + 4 < sizeof(escaped))
			at += (size_t)snprintf(escaped + at, 4, safe ? "%c" : "%%%02X", (unsigned char)*p);
	}
	simple[used] = escaped[at] = '\0';
	(void)snprintf(header, sizeof(header), "attachment; filename=\"%s\"; filename*=UTF-8''%s", simple, escaped);
	(void)MHD_add_response_header(response, "Content-Disposition", header);
}

static void add_headers(struct MHD_Response *response, const char *type, const char *download, const char *tag)
{
	if (type)
		(void)MHD_add_response_header(response, "Content-Type", type);
	if (download)
		add_disposition(response, download);
	else
		(void)MHD_add_response_header(response, "Content-Disposition", "inline");
	if (tag)
		(void)MHD_add_response_header(response, "ETag", tag);
	(void)MHD_add_response_header(response, "Accept-Ranges", "bytes");
	(void)MHD_add_response_header(response, "Cache-Control", tag ? "private, no-cache" : "no-store");
}

static enum http_policy policy_of(const char *content_type)
{
	return content_type && strncmp(content_type, "text/html", 9) == 0 ? HTTP_POLICY_RUN_PAGE : HTTP_POLICY_RUN_CONTENT;
}

static void answer_unchanged(struct http_request *request, int fd, const char *tag, const char *content_type)
{
	static char nothing[1];
	struct MHD_Response *response = MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);

	close(fd);
	if (response)
		(void)MHD_add_response_header(response, "ETag", tag);
	http_answer_queue(request, 304, response, policy_of(content_type));
}

void http_answer_file(struct http_request *request, int fd, uint64_t size, const char *content_type, const char *download, const char *etag)
{
	const char *condition = http_header(request, "If-Range");
	uint64_t first = 0, length = size;
	enum http_range range = HTTP_RANGE_WHOLE;
	struct MHD_Response *response;
	char tag[160] = "", text[80];

	if (etag)
		(void)snprintf(tag, sizeof(tag), etag[0] == '"' || strncmp(etag, "W/", 2) == 0 ? "%s" : "\"%s\"", etag);
	if (http_tag_matches(http_header(request, "If-None-Match"), etag ? tag : NULL)) {
		answer_unchanged(request, fd, tag, content_type);
		return;
	}
	if (!condition || (etag && strcmp(condition, tag) == 0))
		range = http_range_parse(http_header(request, "Range"), size, &first, &length);
	if (range == HTTP_RANGE_OUTSIDE) {
		close(fd);
		http_answer_outside(request, size);
		return;
	}
	response = part_response(fd, first, length);
	if (response) {
		add_headers(response, content_type, download, etag ? tag : NULL);
		if (range == HTTP_RANGE_PART) {
			(void)snprintf(text, sizeof(text), "bytes %llu-%llu/%llu", (unsigned long long)first,
			               (unsigned long long)(first + length - 1), (unsigned long long)size);
			(void)MHD_add_response_header(response, "Content-Range", text);
		}
	}
	http_answer_queue(request, range == HTTP_RANGE_PART ? 206 : 200, response, policy_of(content_type));
}
