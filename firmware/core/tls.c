/* SPDX-License-Identifier: Apache-2.0 */
/* Library, credentials and configurations; a session's life is in tls_session.c. */
#include "tls_private.h"

#include "../faults/fault.h"

#include <psa/crypto.h>
#include <string.h>

#if defined(MBEDTLS_MEMORY_BUFFER_ALLOC_C)
#include <mbedtls/memory_buffer_alloc.h>
/* On the target mbedTLS has this arena and no heap. */
#ifndef TLS_ARENA_SIZE
#define TLS_ARENA_SIZE 131072u
#endif
static unsigned char arena[TLS_ARENA_SIZE];
#endif

static mbedtls_x509_crt authorities, own_certificate;
static mbedtls_pk_context own_key;
static struct tls_config configs[TLS_MAX_CONFIGS];
static size_t config_count;
static bool started;

/* AEAD with forward secrecy only; what a P-256 certificate can authenticate. */
static const int suites[] = {
        MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
        MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
        MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        0,
};
/* P-256 first: the certificates need it anyway, and the library is quicker with it. */
static const uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
static const uint16_t signatures[] = {MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, MBEDTLS_TLS1_3_SIG_NONE};

static int draw_random(void *context, unsigned char *buffer, size_t length)
{
	port_random(buffer, length);
	return 0;
}

static enum port_status load_certificate(const char *name, mbedtls_x509_crt *certificate)
{
	const uint8_t *data;
	size_t length;
	if (port_object(name, &data, &length) != PORT_OK)
		return PORT_ABSENT;
	return mbedtls_x509_crt_parse(certificate, data, length) == 0 ? PORT_OK : PORT_INVALID;
}

static enum port_status load_key(void)
{
	const uint8_t *data;
	size_t length;
	if (port_object("tls.key", &data, &length) != PORT_OK)
		return PORT_ABSENT;
	if (mbedtls_pk_parse_key(&own_key, data, length, NULL, 0, draw_random, NULL) != 0)
		return PORT_INVALID;
	/* A key that is another certificate's would only be noticed by the peers. */
	return mbedtls_pk_check_pair(&own_certificate.pk, &own_key, draw_random, NULL) == 0 ? PORT_OK : PORT_INVALID;
}

static enum port_status load_credentials(void)
{
	mbedtls_x509_crt_init(&authorities);
	mbedtls_x509_crt_init(&own_certificate);
	mbedtls_pk_init(&own_key);
	enum port_status status = load_certificate("tls.ca", &authorities);
	if (status == PORT_OK)
		status = load_certificate("tls.certificate", &own_certificate);
	if (status == PORT_OK)
		status = load_key();
	if (status != PORT_OK) {
		mbedtls_x509_crt_free(&authorities);
		mbedtls_x509_crt_free(&own_certificate);
		mbedtls_pk_free(&own_key);
	}
	return status;
}

enum port_status tls_start(void)
{
	if (started)
		return PORT_OK;
#if defined(MBEDTLS_MEMORY_BUFFER_ALLOC_C)
	mbedtls_memory_buffer_alloc_init(arena, sizeof arena);
#endif
	if (psa_crypto_init() != PSA_SUCCESS)
		return PORT_FAILED;
	enum port_status status = load_credentials();
	started = status == PORT_OK;
	return status;
}

static int authmode_of(const struct tls_config_options *options)
{
	if (options->role == TLS_CLIENT && options->unverified)
		return MBEDTLS_SSL_VERIFY_NONE;
	bool lenient = options->role == TLS_SERVER && fault_active(FAULT_NO_CLIENT_CERTIFICATE);
	return lenient ? MBEDTLS_SSL_VERIFY_OPTIONAL : MBEDTLS_SSL_VERIFY_REQUIRED;
}

static enum port_status configure(struct tls_config *config, const struct tls_config_options *options)
{
	mbedtls_ssl_config *ssl = &config->ssl;
	int endpoint = options->role == TLS_SERVER ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT;
	if (mbedtls_ssl_config_defaults(ssl, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) != 0)
		return PORT_FAILED;
	mbedtls_ssl_conf_rng(ssl, draw_random, NULL);
	mbedtls_ssl_conf_ca_chain(ssl, &authorities, NULL);
	if (mbedtls_ssl_conf_own_cert(ssl, &own_certificate, &own_key) != 0)
		return PORT_FAILED;
	mbedtls_ssl_conf_authmode(ssl, authmode_of(options));
	mbedtls_ssl_conf_min_tls_version(ssl, (mbedtls_ssl_protocol_version)options->minimum_version);
	mbedtls_ssl_conf_max_tls_version(ssl, (mbedtls_ssl_protocol_version)options->maximum_version);
	mbedtls_ssl_conf_ciphersuites(ssl, suites);
	mbedtls_ssl_conf_groups(ssl, groups);
	mbedtls_ssl_conf_sig_algs(ssl, signatures);
	/* Every connection proves both identities afresh: no resumption. */
	mbedtls_ssl_conf_tls13_key_exchange_modes(ssl, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL);
	if (options->role == TLS_SERVER)
		mbedtls_ssl_conf_new_session_tickets(ssl, 0);
	else
		mbedtls_ssl_conf_session_tickets(ssl, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
	return PORT_OK;
}

static bool options_sound(const struct tls_config_options *options)
{
	size_t name_length = options->peer_name ? strlen(options->peer_name) : 0;
	bool named = options->role == TLS_SERVER || options->unverified || name_length > 0;
	return options->minimum_version >= 0x0303 && options->minimum_version <= options->maximum_version &&
	       options->maximum_version <= 0x0304 && name_length < TLS_NAME_SIZE && named;
}

enum port_status tls_config_make(const struct tls_config_options *options, struct tls_config **ret_config)
{
	if (!started || !options_sound(options))
		return PORT_INVALID;
	if (config_count == TLS_MAX_CONFIGS)
		return PORT_FULL;
	struct tls_config *config = &configs[config_count];
	mbedtls_ssl_config_init(&config->ssl);
	enum port_status status = configure(config, options);
	if (status != PORT_OK) {
		mbedtls_ssl_config_free(&config->ssl);
		return status;
	}
	config->role = options->role;
	config->peer_name[0] = '\0';
	if (options->role == TLS_CLIENT && options->peer_name)
		memcpy(config->peer_name, options->peer_name, strlen(options->peer_name) + 1);
	config_count++;
	*ret_config = config;
	return PORT_OK;
}
