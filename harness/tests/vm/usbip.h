/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A USB device that exists only in this process: it is handed to the kernel's virtual host controller (vhci-hcd) as one
 * end of a socket pair and answers the USB/IP protocol, version 1.1.1 (kernel documentation, usb/usbip_protocol), on the
 * other. Control requests are answered at once, bulk IN requests wait until there is data. For tests only.
 */
#ifndef HARNESS_TESTS_VM_USBIP_H
#define HARNESS_TESTS_VM_USBIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct usbip_setup {
	uint8_t request_type, request;
	uint16_t value, index, length;
};
struct usbip_device {
	void *context;
	unsigned port; /* of the host controller: each device has its own */
	/* A control request. IN: fills data (setup->length bytes at most) and returns how many; OUT: data holds
	 * setup->length bytes. A negative result stalls the request. */
	int (*control)(void *context, const struct usbip_setup *, uint8_t *data);
	/* Bulk data of the host. */
	void (*bulk_out)(void *context, const uint8_t *data, size_t length);
};

enum { USBIP_WAITING_MAX = 128, USBIP_TRANSFER_MAX = 4096 };
struct usbip {
	int fd; /* stream socket to the host controller */
	const struct usbip_device *device;
	uint32_t waiting[USBIP_WAITING_MAX]; /* sequence numbers of bulk IN requests, oldest first */
	uint32_t room[USBIP_WAITING_MAX];    /* and how many bytes each takes */
	unsigned waiting_count;
};

/* Makes the socket pair and gives one end to the device's port of the host controller. 0 or -errno. */
int usbip_attach(struct usbip *, const struct usbip_device *);
/* Pulls the device out; it may be attached again. */
void usbip_detach(struct usbip *);
/* Takes one request from the socket; blocks until it is whole. 0, or -errno: -EPIPE when the host controller let go. */
int usbip_serve(struct usbip *);
/* How many bytes the oldest waiting bulk IN request takes; 0: none waits. */
size_t usbip_bulk_in_room(const struct usbip *);
/* Answers the oldest waiting bulk IN request. false: none waits, or the host controller is gone. */
bool usbip_bulk_in(struct usbip *, const void *data, size_t length);

#endif
