/* SPDX-License-Identifier: Apache-2.0 */
/* A frame as python-can's udp_multicast interface writes it: one msgpack map. */
#ifndef HARNESS_LINK_CAN_PYTHON_FRAME_H
#define HARNESS_LINK_CAN_PYTHON_FRAME_H

#include "can.h"

#define PYTHON_FRAME_MAX 256

/* realtime_ns: for the field `timestamp`. Returns the number of bytes. */
size_t python_frame_encode(const struct can_message *, int64_t realtime_ns, uint8_t buffer[static PYTHON_FRAME_MAX]);
/* 0 or -EINVAL: no msgpack map with an arbitration_id and what python-can needs. Unknown keys are passed over. The frame is
 * not checked: can_message_check(). *ret_error: an error frame. */
int python_frame_decode(const uint8_t *data, size_t length, struct can_message *ret, bool *ret_error);

#endif
