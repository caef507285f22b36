/* SPDX-License-Identifier: Apache-2.0 */
/* Frames as cannelloni writes them: identifier with SocketCAN's flags (big-endian), length, flags of an FD frame, data. */
#ifndef HARNESS_LINK_CAN_CANNELLONI_FRAME_H
#define HARNESS_LINK_CAN_CANNELLONI_FRAME_H

#include "can.h"

#define CANNELLONI_FRAME_MAX (4 + 1 + 1 + CAN_MESSAGE_MAX)

/* Returns the number of bytes. */
size_t cannelloni_frame_encode(const struct can_message *, uint8_t buffer[static CANNELLONI_FRAME_MAX]);
/* The number of bytes read; 0: not yet a whole frame; -EINVAL: never one. *ret_error: it is an error frame (the message
 * then holds its class bits as identifier). The frame is not checked: can_message_check(). */
int cannelloni_frame_decode(const uint8_t *data, size_t length, struct can_message *ret, bool *ret_error);

#endif
