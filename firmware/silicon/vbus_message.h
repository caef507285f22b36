/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of a node's socket (docs/reference/virtual-bus.md): bytes only. */
#ifndef FIRMWARE_SILICON_VBUS_MESSAGE_H
#define FIRMWARE_SILICON_VBUS_MESSAGE_H

#include "canbus.h"

#define VBUS_MESSAGE_MAX 96u /* the longest message */
#define VBUS_NAME_MAX    63u

enum vbus_attach_flag { VBUS_LISTEN_ONLY = 1, VBUS_RECEIVE_OWN = 2, VBUS_OBSERVER = 4 };

struct vbus_request {
	char kind;     /* 'A', 'T', 'X' or 'B' */
	uint8_t flags; /* A */
	char name[VBUS_NAME_MAX + 1];
	bool one;        /* X: only the frame with this ticket */
	uint32_t ticket; /* T, X */
	struct canbus_frame frame;
};

/* False for anything that is no request; nothing is left of it then. */
bool vbus_request_decode(const uint8_t *message, size_t length, struct vbus_request *ret_request);

/* Each writes one message (VBUS_MESSAGE_MAX bytes are enough) and returns its length. */
size_t vbus_put_received(uint8_t *message, const struct canbus_event *event);
size_t vbus_put_confirmed(uint8_t *message, const struct canbus_event *event);
size_t vbus_put_not_sent(uint8_t *message, const struct canbus_event *event);
size_t vbus_put_failed(uint8_t *message, const struct canbus_event *event);
size_t vbus_put_state(uint8_t *message, const struct canbus_event *event);
size_t vbus_put_load(uint8_t *message, uint64_t at_ns, uint16_t load_permille, uint32_t frames, uint32_t errors);
size_t vbus_put_overflow(uint8_t *message, uint32_t lost);

#endif
