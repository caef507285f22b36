/* SPDX-License-Identifier: Apache-2.0 */
/* What a client has of a representation already, and what part it wants. Pure. */
#ifndef HARNESS_DAEMON_HTTP_HTTP_RANGE_H
#define HARNESS_DAEMON_HTTP_HTTP_RANGE_H

#include <stdbool.h>
#include <stdint.h>

enum http_range { HTTP_RANGE_WHOLE, HTTP_RANGE_PART, HTTP_RANGE_OUTSIDE };
/* A Range header (RFC 9110, 14.2) with one range of bytes; several ranges, other units and what cannot be read count as absent. header may
 * be NULL. */
enum http_range http_range_parse(const char *header, uint64_t size, uint64_t *ret_first, uint64_t *ret_length);
/* If-None-Match: one of the tags (weak comparison), or "*". header may be NULL. */
bool http_tag_matches(const char *header, const char *tag);

#endif
