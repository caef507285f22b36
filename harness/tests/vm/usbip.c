/* SPDX-License-Identifier: Apache-2.0 */
#include "usbip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../base/bytes.h"

#define ATTACH_FILE "/sys/devices/platform/vhci_hcd.0/attach"
enum { HEADER = 48 };
enum { CMD_SUBMIT = 1, CMD_UNLINK = 2, RET_SUBMIT = 3, RET_UNLINK = 4 };
enum { DIRECTION_OUT = 0, DIRECTION_IN = 1 };
enum { SPEED_FULL = 2, DEVICE_ID = 1 << 16 | 2 };

int usbip_attach(struct usbip *usbip, const struct usbip_device *device)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	char text[64];
	int length = snprintf(text, sizeof(text), "%u %d %u %d", device->port, pair[1], DEVICE_ID + device->port, SPEED_FULL);
	int result = 0;
	int attach = open(ATTACH_FILE, O_WRONLY | O_CLOEXEC);
	if (attach < 0 || write(attach, text, (size_t)length) != length)
		result = -errno;
	if (attach >= 0)
		close(attach);
	close(pair[1]); /* the kernel holds its own reference */
	if (result < 0) {
		close(pair[0]);
		return result;
	}
	*usbip = (struct usbip){.fd = pair[0], .device = device};
	return 0;
}

void usbip_detach(struct usbip *usbip)
{
	if (usbip->fd >= 0)
		close(usbip->fd);
	usbip->fd = -1;
	usbip->waiting_count = 0;
}

static int read_whole(int fd, void *data, size_t length)
{
	uint8_t *at = data;
	while (length > 0) {
		ssize_t got = read(fd, at, length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0 ? -EPIPE : -errno;
		at += got;
		length -= (size_t)got;
	}
	return 0;
}

/* One answer in one write, so that its header and data are not torn apart. */
static int answer(struct usbip *usbip, uint32_t command, uint32_t sequence, int32_t status, const void *data, size_t length, size_t actual)
{
	uint8_t message[HEADER + USBIP_TRANSFER_MAX] = {0};
	be32_write(message, command);
	be32_write(message + 4, sequence);
	be32_write(message + 20, (uint32_t)status);
	if (command == RET_SUBMIT)
		be32_write(message + 24, (uint32_t)actual);
	if (length > 0)
		memcpy(message + HEADER, data, length);
	ssize_t put = send(usbip->fd, message, HEADER + length, MSG_NOSIGNAL);
	return put == (ssize_t)(HEADER + length) ? 0 : -EPIPE;
}

static int serve_control(struct usbip *usbip, uint32_t sequence, const uint8_t *setup, uint8_t *data)
{
	struct usbip_setup request = {
	        .request_type = setup[0],
	        .request = setup[1],
	        /* USB is little-endian, unlike the rest of the header. */
	        .value = (uint16_t)(setup[2] | setup[3] << 8),
	        .index = (uint16_t)(setup[4] | setup[5] << 8),
	        .length = (uint16_t)(setup[6] | setup[7] << 8),
	};
	if (request.length > USBIP_TRANSFER_MAX)
		return answer(usbip, RET_SUBMIT, sequence, -EPIPE, NULL, 0, 0);
	int done = usbip->device->control(usbip->device->context, &request, data);
	if (done < 0)
		return answer(usbip, RET_SUBMIT, sequence, -EPIPE, NULL, 0, 0);
	bool in = request.request_type & 0x80;
	return answer(usbip, RET_SUBMIT, sequence, 0, data, in ? (size_t)done : 0, in ? (size_t)done : request.length);
}

static void forget(struct usbip *usbip, unsigned index)
{
	size_t after = (--usbip->waiting_count - index) * sizeof(usbip->waiting[0]);
	memmove(usbip->waiting + index, usbip->waiting + index + 1, after);
	memmove(usbip->room + index, usbip->room + index + 1, after);
}

static int serve_unlink(struct usbip *usbip, uint32_t sequence, uint32_t unlinked)
{
	for (unsigned i = 0; i < usbip->waiting_count; i++) {
		if (usbip->waiting[i] != unlinked)
			continue;
		forget(usbip, i);
		return answer(usbip, RET_UNLINK, sequence, -ECONNRESET, NULL, 0, 0);
	}
	return answer(usbip, RET_UNLINK, sequence, 0, NULL, 0, 0);
}

int usbip_serve(struct usbip *usbip)
{
	uint8_t header[HEADER], data[USBIP_TRANSFER_MAX] = {0};
	int result = read_whole(usbip->fd, header, sizeof(header));
	if (result < 0)
		return result;
	uint32_t command = be32_read(header), sequence = be32_read(header + 4);
	uint32_t direction = be32_read(header + 12), endpoint = be32_read(header + 16);
	if (command == CMD_UNLINK)
		return serve_unlink(usbip, sequence, be32_read(header + 20));
	if (command != CMD_SUBMIT)
		return -EPROTO;
	uint32_t length = be32_read(header + 24);
	if (direction == DIRECTION_OUT && length > 0) {
		if (length > sizeof(data))
			return -EMSGSIZE;
		result = read_whole(usbip->fd, data, length);
		if (result < 0)
			return result;
	}
	if (endpoint == 0)
		return serve_control(usbip, sequence, header + 40, data);
	if (direction == DIRECTION_OUT) {
		result = answer(usbip, RET_SUBMIT, sequence, 0, NULL, 0, length);
		usbip->device->bulk_out(usbip->device->context, data, length);
		return result;
	}
	if (usbip->waiting_count == USBIP_WAITING_MAX)
		return answer(usbip, RET_SUBMIT, sequence, -ENOSR, NULL, 0, 0);
	usbip->room[usbip->waiting_count] = length;
	usbip->waiting[usbip->waiting_count++] = sequence;
	return 0;
}

size_t usbip_bulk_in_room(const struct usbip *usbip)
{
	return usbip->waiting_count > 0 ? usbip->room[0] : 0;
}

bool usbip_bulk_in(struct usbip *usbip, const void *data, size_t length)
{
	if (usbip->waiting_count == 0)
		return false;
	uint32_t sequence = usbip->waiting[0];
	forget(usbip, 0);
	return answer(usbip, RET_SUBMIT, sequence, 0, data, length, length) == 0;
}
