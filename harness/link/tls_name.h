/* SPDX-License-Identifier: Apache-2.0 */
/* Names of TLS numbers, as journals and reports show them. */
#ifndef HARNESS_LINK_TLS_NAME_H
#define HARNESS_LINK_TLS_NAME_H

#include <stdint.h>

#define TLS_VERSION_1_2 0x0303
#define TLS_VERSION_1_3 0x0304

/* "TLSv1.3"; NULL when unknown. */
const char *tls_version_name(uint16_t version);
/* "bad_certificate": RFC 8446 appendix B.2, RFC 5246 clause 7.2; "unknown" otherwise. */
const char *tls_alert_name(uint8_t description);
/* "warning", "fatal", "unknown". */
const char *tls_alert_level_name(uint8_t level);

#endif
