/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_name.h"

#include <stddef.h>

const char *tls_version_name(uint16_t version)
{
	static const char *const names[] = {"SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"};

	return version >= 0x0300 && version <= TLS_VERSION_1_3 ? names[version - 0x0300] : NULL;
}

const char *tls_alert_name(uint8_t description)
{
	static const char *const names[] = {
	        [0] = "close_notify",
	        [10] = "unexpected_message",
	        [20] = "bad_record_mac",
	        [21] = "decryption_failed",
	        [22] = "record_overflow",
	        [30] = "decompression_failure",
	        [40] = "handshake_failure",
	        [41] = "no_certificate",
	        [42] = "bad_certificate",
	        [43] = "unsupported_certificate",
	        [44] = "certificate_revoked",
	        [45] = "certificate_expired",
	        [46] = "certificate_unknown",
	        [47] = "illegal_parameter",
	        [48] = "unknown_ca",
	        [49] = "access_denied",
	        [50] = "decode_error",
	        [51] = "decrypt_error",
	        [60] = "export_restriction",
	        [70] = "protocol_version",
	        [71] = "insufficient_security",
	        [80] = "internal_error",
	        [86] = "inappropriate_fallback",
	        [90] = "user_canceled",
	        [100] = "no_renegotiation",
	        [109] = "missing_extension",
	        [110] = "unsupported_extension",
	        [112] = "unrecognized_name",
	        [113] = "bad_certificate_status_response",
	        [115] = "unknown_psk_identity",
	        [116] = "certificate_required",
	        [120] = "no_application_protocol",
	};

	return description < sizeof(names) / sizeof(names[0]) && names[description] ? names[description] : "unknown";
}

const char *tls_alert_level_name(uint8_t level)
{
	return level == 1 ? "warning" : level == 2 ? "fatal" : "unknown";
}
