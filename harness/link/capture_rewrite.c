/* SPDX-License-Identifier: Apache-2.0 */
/* The final form of a capture: section, interfaces, all secrets, packets. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture_private.h"
#include "pcapng.h"

#define COPY_SIZE (64U * 1024)

static int write_all(int fd, const uint8_t *data, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, data, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		data += n;
		length -= (size_t)n;
	}
	return 0;
}

static int copy_range(int from, int to, off_t offset, off_t end, uint8_t *buffer)
{
	while (offset < end) {
		size_t want = end - offset < (off_t)COPY_SIZE ? (size_t)(end - offset) : COPY_SIZE;
		ssize_t n = pread(from, buffer, want, offset);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		r = write_all(to, buffer, (size_t)n);
		if (r < 0)
			return r;
		offset += n;
	}
	return 0;
}

/* All packets: what lies between the ranges that go in front. They are in the order of the file. */
static int copy_packets(struct capture *capture, int fd)
{
	uint8_t *buffer = malloc(COPY_SIZE);
	off_t offset = 0;
	int r = 0;

	if (!buffer)
		return -ENOMEM;
	for (unsigned i = 0; i < capture->moved_count && r == 0; i++) {
		r = copy_range(capture->fd, fd, offset, capture->moved[i].offset, buffer);
		offset = capture->moved[i].offset + (off_t)capture->moved[i].length;
	}
	if (r == 0)
		r = copy_range(capture->fd, fd, offset, capture->written, buffer);
	free(buffer);
	return r;
}

static int write_file(struct capture *capture, int fd)
{
	struct bytes secrets = {0};
	int r = write_all(fd, capture->header.data, capture->header.length);

	if (r == 0)
		r = pcapng_tls_secrets(&secrets, capture->secrets, capture->secrets_length);
	if (r == 0)
		r = write_all(fd, secrets.data, secrets.length);
	OPENSSL_cleanse(secrets.data, secrets.length);
	bytes_free(&secrets);
	return r == 0 ? copy_packets(capture, fd) : r;
}

int capture_rewrite(struct capture *capture, struct error *err)
{
	char *path = NULL;
	int fd, r;

	if (asprintf(&path, "%s.part", capture->path) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		r = -errno;
	} else {
		r = write_file(capture, fd);
		if (close(fd) < 0 && r == 0)
			r = -errno;
		if (r == 0 && rename(path, capture->path) < 0)
			r = -errno;
		if (r < 0)
			(void)unlink(path);
	}
	if (r < 0)
		r = error_set(err, ERROR_BENCH, -r, "%s: cannot put the TLS secrets in front: %s", capture->path, strerror(-r));
	free(path);
	return r;
}
