/* SPDX-License-Identifier: Apache-2.0 */
/* Times of the API: RFC 3339, UTC, milliseconds, Z. */
#ifndef HARNESS_DAEMON_API_UTC_H
#define HARNESS_DAEMON_API_UTC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTC_SIZE 32
/* Into text (UTC_SIZE bytes), which is returned. Years 1970 to 2262. */
const char *utc_format(int64_t utc_ns, char text[UTC_SIZE]);
/* "2026-11-21", "2026-11-21T21:53:15Z", with up to nine decimals of a second, and with an offset ("+01:00"). False: it is none. */
bool utc_parse(const char *text, int64_t *ret_utc_ns);

#endif
