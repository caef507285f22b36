/* SPDX-License-Identifier: Apache-2.0 */
/* What the console says about TLS sessions. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS /* the code of a received alert has no accessor */
#include "tls_private.h"

#include "console.h"

#include <mbedtls/net_sockets.h>
#include <mbedtls/oid.h>
#include <string.h>

static const char *role_of(const struct tls_session *session)
{
	return session->config->role == TLS_SERVER ? "server" : "client";
}

/* The subject's common name; characters that do not print become dots, for it is the peer who chose them. */
static void put_common_name(struct console_line *line, const mbedtls_x509_crt *certificate)
{
	char name[65];
	size_t length = 0;
	for (const mbedtls_x509_name *part = &certificate->subject; part; part = part->next) {
		if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &part->oid) != 0)
			continue;
		for (; length < part->val.len && length < sizeof name - 1; length++) {
			unsigned char c = part->val.p[length];
			name[length] = c > ' ' && c < 0x7f ? (char)c : '.';
		}
		break;
	}
	name[length] = '\0';
	console_text(line, " CN=");
	console_text(line, name);
}

void tls_report_handshake(struct tls_session *session)
{
	struct console_line line;
	const mbedtls_x509_crt *peer = mbedtls_ssl_get_peer_cert(&session->ssl);
	console_begin(&line);
	console_text(&line, "tls: ");
	console_text(&line, role_of(session));
	console_text(&line, " handshake ok ");
	console_text(&line, mbedtls_ssl_get_version(&session->ssl));
	if (peer)
		put_common_name(&line, peer);
	else
		console_text(&line, " without certificate");
	console_end(&line);
}

static const char *refusal_of(uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *text;
	} refusals[] = {
	        {MBEDTLS_X509_BADCERT_EXPIRED, "certificate expired"},
	        {MBEDTLS_X509_BADCERT_FUTURE, "certificate not yet valid"},
	        {MBEDTLS_X509_BADCERT_NOT_TRUSTED, "certificate of an unknown issuer"},
	        {MBEDTLS_X509_BADCERT_CN_MISMATCH, "certificate of another name"},
	        {MBEDTLS_X509_BADCERT_EXT_KEY_USAGE, "certificate not for this use"},
	        {MBEDTLS_X509_BADCERT_KEY_USAGE, "certificate not for this use"},
	};
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		if (flags & refusals[i].flag)
			return refusals[i].text;
	}
	return "bad certificate";
}

static void put_reason(struct console_line *line, const struct tls_session *session, int error)
{
	switch (error) {
	case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
		console_text(line, "alert ");
		console_decimal(line, session->ssl.in_msg[1]);
		console_text(line, " from the peer");
		break;
	case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
	case MBEDTLS_ERR_X509_FATAL_ERROR:
	case MBEDTLS_ERR_SSL_BAD_CERTIFICATE:
		console_text(line, refusal_of(mbedtls_ssl_get_verify_result(&session->ssl)));
		break;
	case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE:
		console_text(line, "no certificate");
		break;
	case MBEDTLS_ERR_SSL_CONN_EOF:
	case MBEDTLS_ERR_NET_RECV_FAILED:
	case MBEDTLS_ERR_NET_SEND_FAILED:
		console_text(line, "connection lost");
		break;
	default:
		console_text(line, "mbedtls -0x");
		console_hexadecimal(line, (uint32_t)-error, 4);
		break;
	}
}

void tls_report_failure(struct tls_session *session, const char *what, int error)
{
	struct console_line line;
	console_begin(&line);
	console_text(&line, "tls: ");
	console_text(&line, role_of(session));
	console_text(&line, what);
	console_text(&line, " failed: ");
	put_reason(&line, session, error);
	console_end(&line);
}
