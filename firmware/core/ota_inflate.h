/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streaming gzip (RFC 1952, one member) in static memory: zlib's inflate with an arena of its own. One stream at a time.
 * Extra, name and comment fields are passed over as long as the member's header has at most 66 KiB; reserved flags, other
 * methods than deflate and a wrong header CRC are refused. gzip has no preset dictionary.
 */
#ifndef FIRMWARE_CORE_OTA_INFLATE_H
#define FIRMWARE_CORE_OTA_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ota_inflate_status { OTA_INFLATE_MORE, OTA_INFLATE_END, OTA_INFLATE_BROKEN };

void ota_inflate_begin(void);
/* Takes from input what it can, gives at most out_size bytes. MORE: call again with more input or more room.
 * END: the stream's CRC-32 and ISIZE are right; input that is left is not of the stream. END and BROKEN stay until the next
 * ota_inflate_begin(). With out_size 0 the end of a stream is still found; to see that a stream is longer than it should be,
 * offer room for one byte. */
enum ota_inflate_status ota_inflate(const uint8_t *input, size_t length, size_t *ret_taken, uint8_t *out, size_t out_size,
                                    size_t *ret_given);
/* Peak of the arena in bytes since the start of the program, and its size. */
size_t ota_inflate_peak(void);
size_t ota_inflate_arena(void);

#endif
