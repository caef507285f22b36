/* SPDX-License-Identifier: Apache-2.0 */
/* Frames as python-can's udp_multicast interface carries them: one msgpack map a datagram. */
#ifndef FIRMWARE_SILICON_VBUS_MSGPACK_H
#define FIRMWARE_SILICON_VBUS_MSGPACK_H

#include "canbus.h"

#define VBUS_MSGPACK_MAX 256u /* what one frame takes */

size_t vbus_msgpack_encode(uint8_t *bytes, const struct canbus_frame *frame, double timestamp_s);
/* Keys that it does not know are skipped. False: no map, no frame, or bytes behind it. *ret_error_frame: a notice of an
 * error, no frame of a bus. */
bool vbus_msgpack_decode(const uint8_t *bytes, size_t length, struct canbus_frame *ret_frame, bool *ret_error_frame);

#endif
