/* SPDX-License-Identifier: Apache-2.0 */
/* Text for reports: locale-free numbers, escaping, and cleaning of what devices sent. */
#ifndef HARNESS_REPORT_TEXT_H
#define HARNESS_REPORT_TEXT_H

#include <stdbool.h>

#include "../base/bytes.h"

/* A growing text; the first allocation that fails is remembered and ends the growth. Release with text_free(). */
struct text {
	struct bytes bytes;
	bool failed;
};
void text_free(struct text *);
void text_put(struct text *, const char *);
void text_printf(struct text *, const char *format, ...) PRINTF_LIKE(2, 3); /* integers and strings only: no locale */
void text_put_html(struct text *, const char *);                            /* escaped for content and quoted attributes; NULL is empty */
void text_put_ms(struct text *, int64_t ns);                                /* "12.345" */
void text_put_seconds(struct text *, int64_t ns);
const char *text_end(struct text *); /* NUL-terminated; "" when it failed */

/* Valid UTF-8 of characters that XML 1.0 allows: everything else, and what reorders text, becomes U+FFFD. At most limit bytes (0: no
 * limit), then "…". New string, NULL when out of memory. */
char *text_clean(const char *data, size_t length, size_t limit);

#define TEXT_NUMBER_SIZE 40
/* Into buffer (TEXT_NUMBER_SIZE), which is returned: "12.345" (rounded to us); "1.234567"; "2026-01-31T12:00:00.123Z". */
const char *text_ms(int64_t ns, char *buffer);
const char *text_seconds(int64_t ns, char *buffer);
/* Four digits, "3", "0.00153" or "1.876e-05". */
const char *text_real(double, char *buffer);
const char *text_utc(int64_t realtime_ns, char *buffer);

#endif
