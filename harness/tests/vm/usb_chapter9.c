/* SPDX-License-Identifier: Apache-2.0 */
#include "usb_chapter9.h"

#include <errno.h>
#include <string.h>

enum { GET_STATUS = 0, CLEAR_FEATURE = 1, GET_DESCRIPTOR = 6, SET_CONFIGURATION = 9, SET_INTERFACE = 11 };
enum { DESCRIPTOR_DEVICE = 1, DESCRIPTOR_CONFIGURATION = 2, DESCRIPTOR_STRING = 3 };

int usb_reply(uint8_t *data, const struct usbip_setup *setup, const void *source, size_t length)
{
	if (length > setup->length)
		length = setup->length;
	memcpy(data, source, length);
	return (int)length;
}

static int string_descriptor(const struct usb_description *description, const struct usbip_setup *setup, uint8_t *data)
{
	unsigned index = setup->value & 0xff;
	uint8_t text[64] = {4, DESCRIPTOR_STRING, 0x09, 0x04}; /* index 0: the languages, US English */
	if (index >= sizeof(description->strings) / sizeof(description->strings[0]) || (index > 0 && description->strings[index] == NULL))
		return -EPIPE;
	if (index > 0) {
		size_t length = strlen(description->strings[index]);
		if (length > sizeof(text) / 2 - 1)
			length = sizeof(text) / 2 - 1;
		text[0] = (uint8_t)(2 + 2 * length);
		for (size_t i = 0; i < length; i++) {
			text[2 + 2 * i] = (uint8_t)description->strings[index][i];
			text[3 + 2 * i] = 0;
		}
	}
	return usb_reply(data, setup, text, text[0]);
}

int usb_standard_request(const struct usb_description *description, const struct usbip_setup *setup, uint8_t *data)
{
	static const uint8_t nothing[2];
	if (setup->request == GET_STATUS)
		return usb_reply(data, setup, nothing, sizeof(nothing));
	if (setup->request == SET_CONFIGURATION || setup->request == SET_INTERFACE || setup->request == CLEAR_FEATURE)
		return 0;
	if (setup->request != GET_DESCRIPTOR)
		return -EPIPE;
	switch (setup->value >> 8) {
	case DESCRIPTOR_DEVICE:
		return usb_reply(data, setup, description->device, 18);
	case DESCRIPTOR_CONFIGURATION:
		return usb_reply(data, setup, description->configuration, description->configuration_length);
	case DESCRIPTOR_STRING:
		return string_descriptor(description, setup, data);
	default:
		return -EPIPE;
	}
}
