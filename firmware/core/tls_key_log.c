/* SPDX-License-Identifier: Apache-2.0 */
/* The TLS key log in the NSS format, which Wireshark reads: LABEL client_random secret. */
#include "tls_private.h"

#ifdef FIRMWARE_TEST_BUILD
#include <string.h>

#define RANDOM_LENGTH 32u
#define SECRET_LIMIT  64u
#define LABEL_LIMIT   40u

static const char *label_of(mbedtls_ssl_key_export_type type)
{
	switch (type) {
	case MBEDTLS_SSL_KEY_EXPORT_TLS12_MASTER_SECRET:
		return "CLIENT_RANDOM ";
	case MBEDTLS_SSL_KEY_EXPORT_TLS1_3_CLIENT_HANDSHAKE_TRAFFIC_SECRET:
		return "CLIENT_HANDSHAKE_TRAFFIC_SECRET ";
	case MBEDTLS_SSL_KEY_EXPORT_TLS1_3_SERVER_HANDSHAKE_TRAFFIC_SECRET:
		return "SERVER_HANDSHAKE_TRAFFIC_SECRET ";
	case MBEDTLS_SSL_KEY_EXPORT_TLS1_3_CLIENT_APPLICATION_TRAFFIC_SECRET:
		return "CLIENT_TRAFFIC_SECRET_0 ";
	case MBEDTLS_SSL_KEY_EXPORT_TLS1_3_SERVER_APPLICATION_TRAFFIC_SECRET:
		return "SERVER_TRAFFIC_SECRET_0 ";
	default:
		return NULL; /* early data is not used */
	}
}

static char *put_hex(char *at, const unsigned char *data, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < length; i++) {
		*at++ = digits[data[i] >> 4];
		*at++ = digits[data[i] & 15];
	}
	return at;
}

static void export_key(void *context, mbedtls_ssl_key_export_type type, const unsigned char *secret, size_t secret_length,
                       const unsigned char client_random[32], const unsigned char server_random[32], mbedtls_tls_prf_types prf)
{
	char line[LABEL_LIMIT + 2 * RANDOM_LENGTH + 1 + 2 * SECRET_LIMIT + 1];
	const char *label = label_of(type);
	if (!label || secret_length > SECRET_LIMIT)
		return;
	size_t label_length = strlen(label);
	memcpy(line, label, label_length);
	char *at = put_hex(line + label_length, client_random, RANDOM_LENGTH);
	*at++ = ' ';
	at = put_hex(at, secret, secret_length);
	*at = '\0';
	port_trace_secret(line);
}

void tls_key_log_attach(struct tls_session *session)
{
	mbedtls_ssl_set_export_keys_cb(&session->ssl, export_key, NULL);
}
#else
void tls_key_log_attach(struct tls_session *session) {}
#endif
