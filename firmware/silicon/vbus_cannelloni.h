/* SPDX-License-Identifier: Apache-2.0 */
/* Frames as cannelloni (version 2) carries them, in datagrams and in streams. */
#ifndef FIRMWARE_SILICON_VBUS_CANNELLONI_H
#define FIRMWARE_SILICON_VBUS_CANNELLONI_H

#include "canbus.h"

#define CANNELLONI_FRAME_MAX  70u /* one frame */
#define CANNELLONI_PACKET_MAX (5u + CANNELLONI_FRAME_MAX)
#define CANNELLONI_GREETING   "CANNELLONIv1" /* both sides of a stream begin with it */

size_t cannelloni_frame_encode(uint8_t *bytes, const struct canbus_frame *frame);
/* Bytes of the frame at the begin; 0: it is not complete; -1: it is none. *ret_error_frame: SocketCAN's notice of an
 * error, no frame of a bus. */
int cannelloni_frame_decode(const uint8_t *bytes, size_t length, struct canbus_frame *ret_frame, bool *ret_error_frame);

/* A datagram with one frame. */
size_t cannelloni_packet_encode(uint8_t *bytes, uint8_t sequence, const struct canbus_frame *frame);
/* Number of frames; -1: the datagram is not entirely good, or has more than `most`. */
int cannelloni_packet_decode(const uint8_t *bytes, size_t length, struct canbus_frame *ret_frames, size_t most);

#endif
