/* SPDX-License-Identifier: Apache-2.0 */
/* The handshake, step by step. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS /* see switch_keys() */
#include "tls_private.h"

#include <string.h>

#define ALERT_CERTIFICATE_REQUIRED 116 /* RFC 8446 6; mbedTLS does not name it */

/* From its Finished on, a TLS 1.3 server writes under the application keys (RFC 8446 4.4.4 and appendix A.2). mbedTLS
 * changes to them only when the client's flight was good, so a client that is refused for its certificate could not
 * decipher the alert that says why. The library changes once more at the end, which is the same again: nothing but an
 * alert is written in between. */
static void switch_keys(mbedtls_ssl_context *ssl)
{
	const bool waits = ssl->state == MBEDTLS_SSL_CLIENT_CERTIFICATE || ssl->state == MBEDTLS_SSL_CLIENT_CERTIFICATE_VERIFY ||
	                   ssl->state == MBEDTLS_SSL_CLIENT_FINISHED;
	if (!waits || mbedtls_ssl_get_version_number(ssl) != MBEDTLS_SSL_VERSION_TLS1_3)
		return;
	if (ssl->transform_application == NULL || ssl->transform_out == ssl->transform_application)
		return;
	ssl->transform_out = ssl->transform_application;
	memset(ssl->cur_out_ctr, 0, sizeof ssl->cur_out_ctr);
}

static void send_alert(mbedtls_ssl_context *ssl, unsigned char description)
{
	mbedtls_ssl_send_alert_message(ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, description);
}

/* The alert for a missing client certificate. In TLS 1.3 it is certificate_required (RFC 8446 4.4.2.4), where mbedTLS
 * says no_certificate, which TLS has reserved since 1.0: that record is still in the flight buffer and is replaced by
 * one of the same sequence number. In TLS 1.2 it is handshake_failure (RFC 5246 7.4.6). */
static void refuse_missing(struct tls_session *session, const unsigned char *counter)
{
	mbedtls_ssl_context *ssl = &session->ssl;
	if (session->flight_last) {
		session->flight_length -= session->flight_last;
		session->flight_last = 0;
		memcpy(ssl->cur_out_ctr, counter, sizeof ssl->cur_out_ctr);
	}
	bool recent = mbedtls_ssl_get_version_number(ssl) == MBEDTLS_SSL_VERSION_TLS1_3;
	send_alert(ssl, recent ? ALERT_CERTIFICATE_REQUIRED : MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
}

int tls_handshake(struct tls_session *session)
{
	mbedtls_ssl_context *ssl = &session->ssl;
	while (!mbedtls_ssl_is_handshake_over(ssl)) {
		unsigned char counter[sizeof ssl->cur_out_ctr];
		memcpy(counter, ssl->cur_out_ctr, sizeof counter);
		session->flight_last = 0;
		int r = mbedtls_ssl_handshake_step(ssl);
		if (r == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE)
			refuse_missing(session, counter);
		if (r != 0)
			return r;
		if (session->config->role == TLS_SERVER)
			switch_keys(ssl);
	}
	return 0;
}
