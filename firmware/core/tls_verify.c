/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_private.h"

#include "../faults/fault.h"

/* The flags that a fault of a test build makes the board blind to. */
static uint32_t overlooked(void)
{
	uint32_t flags = 0;
	if (fault_active(FAULT_ACCEPT_EXPIRED))
		flags |= MBEDTLS_X509_BADCERT_EXPIRED;
	if (fault_active(FAULT_ACCEPT_ANY_CA))
		flags |= MBEDTLS_X509_BADCERT_NOT_TRUSTED;
	if (fault_active(FAULT_ACCEPT_ANY_NAME))
		flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
	return flags;
}

static int verify(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
	const struct tls_session *session = context;
	*flags &= ~overlooked();
	/* That fault lets a client come without a certificate, by asking for none; a bad one must still be refused. */
	if (session->config->role == TLS_SERVER && fault_active(FAULT_NO_CLIENT_CERTIFICATE) && *flags)
		return MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
	return 0;
}

void tls_verify_attach(struct tls_session *session)
{
	mbedtls_ssl_set_verify(&session->ssl, verify, session);
}
