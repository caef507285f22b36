/* SPDX-License-Identifier: Apache-2.0 */
/* What every USB device answers (USB 2.0, chapter 9), for the devices of usbip.h. */
#ifndef HARNESS_TESTS_VM_USB_CHAPTER9_H
#define HARNESS_TESTS_VM_USB_CHAPTER9_H

#include "usbip.h"

struct usb_description {
	const uint8_t *device; /* descriptor, 18 bytes */
	const uint8_t *configuration;
	size_t configuration_length;
	const char *strings[4]; /* by the indices that the descriptors name; 0 is not used; ASCII, at most 30 characters */
};
/* As `control` of struct usbip_device, for requests of the type "standard". */
int usb_standard_request(const struct usb_description *, const struct usbip_setup *, uint8_t *data);
/* Copies as much of an answer as the host asks for; its length. */
int usb_reply(uint8_t *data, const struct usbip_setup *, const void *source, size_t length);

#endif
