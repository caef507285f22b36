/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor of a TLS handshake: both ends in one process and in memory, without sockets, ports or consoles. What a
 * handshake through the harness and the firmware takes more than this is theirs.
 *
 * One line a figure: NAME version=… p50_us=… p95_us=… n=…
 *
 * With --each: for every line of standard input one mbedTLS-OpenSSL handshake of TLS 1.3 and its microseconds in a
 * line, so that another benchmark can take turns with this floor.
 */
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <openssl/ssl.h>
#include <psa/crypto.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define ROUNDS  300
#define WARM_UP 20

static const uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
static const uint16_t signatures[] = {MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, MBEDTLS_TLS1_3_SIG_NONE};

/* One direction of the wire. */
struct wire {
	unsigned char data[65536];
	size_t length, taken;
};

static struct wire to_server, to_client;

static void die(const char *what)
{
	fprintf(stderr, "bench_tls_memory: %s\n", what);
	exit(1);
}

static const char *path_of(const char *name)
{
	static char path[512];
	snprintf(path, sizeof path, "%s/%s", getenv("TEST_CERTIFICATES"), name);
	return path;
}

static size_t wire_put(struct wire *wire, const void *data, size_t length)
{
	if (length > sizeof wire->data - wire->length)
		die("the wire is full");
	memcpy(wire->data + wire->length, data, length);
	wire->length += length;
	return length;
}

static size_t wire_take(struct wire *wire, void *data, size_t size)
{
	size_t n = wire->length - wire->taken < size ? wire->length - wire->taken : size;
	memcpy(data, wire->data + wire->taken, n);
	wire->taken += n;
	if (wire->taken == wire->length)
		wire->taken = wire->length = 0;
	return n;
}

/* ---- mbedTLS ---- */

struct credentials {
	mbedtls_x509_crt authority, certificate;
	mbedtls_pk_context key;
	mbedtls_ssl_config config;
};

static int draw(void *context, unsigned char *buffer, size_t length)
{
	return getrandom(buffer, length, 0) == (ssize_t)length ? 0 : -1;
}

static void mbed_load(struct credentials *c, const char *certificate, const char *key, int endpoint, mbedtls_ssl_protocol_version version)
{
	mbedtls_x509_crt_init(&c->authority);
	mbedtls_x509_crt_init(&c->certificate);
	mbedtls_pk_init(&c->key);
	mbedtls_ssl_config_init(&c->config);
	if (mbedtls_x509_crt_parse_file(&c->authority, path_of("ca.pem")) ||
	    mbedtls_x509_crt_parse_file(&c->certificate, path_of(certificate)) ||
	    mbedtls_pk_parse_keyfile(&c->key, path_of(key), NULL, draw, NULL) ||
	    mbedtls_ssl_config_defaults(&c->config, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT))
		die("mbedTLS credentials");
	mbedtls_ssl_conf_rng(&c->config, draw, NULL);
	mbedtls_ssl_conf_ca_chain(&c->config, &c->authority, NULL);
	mbedtls_ssl_conf_own_cert(&c->config, &c->certificate, &c->key);
	mbedtls_ssl_conf_authmode(&c->config, MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_min_tls_version(&c->config, version);
	mbedtls_ssl_conf_max_tls_version(&c->config, version);
	mbedtls_ssl_conf_groups(&c->config, groups);
	mbedtls_ssl_conf_sig_algs(&c->config, signatures);
	mbedtls_ssl_conf_tls13_key_exchange_modes(&c->config, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL);
	mbedtls_ssl_conf_new_session_tickets(&c->config, 0);
}

static void mbed_unload(struct credentials *c)
{
	mbedtls_x509_crt_free(&c->authority);
	mbedtls_x509_crt_free(&c->certificate);
	mbedtls_pk_free(&c->key);
	mbedtls_ssl_config_free(&c->config);
}

static int server_put(void *context, const unsigned char *data, size_t length)
{
	return (int)wire_put(&to_client, data, length);
}
static int client_put(void *context, const unsigned char *data, size_t length)
{
	return (int)wire_put(&to_server, data, length);
}

static int server_take(void *context, unsigned char *data, size_t size)
{
	int n = (int)wire_take(&to_server, data, size);
	return n ? n : MBEDTLS_ERR_SSL_WANT_READ;
}

static int client_take(void *context, unsigned char *data, size_t size)
{
	int n = (int)wire_take(&to_client, data, size);
	return n ? n : MBEDTLS_ERR_SSL_WANT_READ;
}

/* true when complete */
static bool mbed_turn(mbedtls_ssl_context *ssl)
{
	int r = mbedtls_ssl_handshake(ssl);
	if (r != 0 && r != MBEDTLS_ERR_SSL_WANT_READ)
		die("an mbedTLS handshake failed");
	return r == 0;
}

static void mbed_open(mbedtls_ssl_context *ssl, const struct credentials *c)
{
	bool server = c->config.MBEDTLS_PRIVATE(endpoint) == MBEDTLS_SSL_IS_SERVER;
	mbedtls_ssl_init(ssl);
	if (mbedtls_ssl_setup(ssl, &c->config) || (!server && mbedtls_ssl_set_hostname(ssl, "vmg.hilbench.test")))
		die("mbedTLS session");
	mbedtls_ssl_set_bio(ssl, NULL, server ? server_put : client_put, server ? server_take : client_take, NULL);
}

/* ---- OpenSSL ---- */

static SSL_CTX *open_load(int version)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(context, version);
	SSL_CTX_set_max_proto_version(context, version);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_load_verify_file(context, path_of("ca.pem")) != 1 || SSL_CTX_set1_groups_list(context, "P-256:X25519") != 1)
		die("OpenSSL configuration");
	if (SSL_CTX_use_certificate_file(context, path_of("zgw.pem"), SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context, path_of("zgw.key"), SSL_FILETYPE_PEM) != 1)
		die("OpenSSL credentials");
	return context;
}

static SSL *open_open(SSL_CTX *context)
{
	SSL *ssl = SSL_new(context);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set1_host(ssl, "vmg.hilbench.test");
	SSL_set_tlsext_host_name(ssl, "vmg.hilbench.test");
	SSL_set_connect_state(ssl);
	return ssl;
}

static bool open_turn(SSL *ssl)
{
	char *data;
	size_t length = to_client.length - to_client.taken;
	if (length) {
		BIO_write(SSL_get_rbio(ssl), to_client.data + to_client.taken, (int)length);
		to_client.length = to_client.taken = 0;
	}
	int r = SSL_do_handshake(ssl);
	if (r != 1 && SSL_get_error(ssl, r) != SSL_ERROR_WANT_READ)
		die("an OpenSSL handshake failed");
	long n = BIO_get_mem_data(SSL_get_wbio(ssl), &data);
	if (n > 0) {
		wire_put(&to_server, data, (size_t)n);
		(void)BIO_reset(SSL_get_wbio(ssl));
	}
	return r == 1;
}

/* ---- measuring ---- */

static double now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double mbed_round(const struct credentials *server, const struct credentials *client)
{
	mbedtls_ssl_context s, c;
	bool server_done = false, client_done = false;
	double from_us = now_us();
	mbed_open(&s, server);
	mbed_open(&c, client);
	while (!server_done || !client_done) {
		client_done = client_done || mbed_turn(&c);
		server_done = server_done || mbed_turn(&s);
	}
	double took_us = now_us() - from_us;
	mbedtls_ssl_free(&s);
	mbedtls_ssl_free(&c);
	return took_us;
}

static double open_round(const struct credentials *server, SSL_CTX *client)
{
	mbedtls_ssl_context s;
	bool server_done = false, client_done = false;
	double from_us = now_us();
	mbed_open(&s, server);
	SSL *c = open_open(client);
	while (!server_done || !client_done) {
		client_done = client_done || open_turn(c);
		server_done = server_done || mbed_turn(&s);
	}
	double took_us = now_us() - from_us;
	mbedtls_ssl_free(&s);
	SSL_free(c);
	return took_us;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void report(const char *name, const char *version, double *samples)
{
	qsort(samples, ROUNDS, sizeof *samples, ascending);
	printf("%s version=%s p50_us=%.1f p95_us=%.1f n=%d\n", name, version, samples[ROUNDS / 2], samples[ROUNDS * 95 / 100], ROUNDS);
}

static void measure(const char *name, mbedtls_ssl_protocol_version mbed_version, int open_version)
{
	static struct credentials server, client;
	double mbed[ROUNDS], open[ROUNDS];
	mbed_load(&server, "vmg.pem", "vmg.key", MBEDTLS_SSL_IS_SERVER, mbed_version);
	mbed_load(&client, "zgw.pem", "zgw.key", MBEDTLS_SSL_IS_CLIENT, mbed_version);
	SSL_CTX *context = open_load(open_version);
	/* In turns, so that a busy machine disturbs both alike. */
	for (int i = -WARM_UP; i < ROUNDS; i++) {
		double a = mbed_round(&server, &client), b = open_round(&server, context);
		if (i >= 0) {
			mbed[i] = a;
			open[i] = b;
		}
	}
	report("mbedtls-mbedtls", name, mbed);
	report("mbedtls-openssl", name, open);
	SSL_CTX_free(context);
	mbed_unload(&server);
	mbed_unload(&client);
}

static void serve_each(void)
{
	static struct credentials server;
	char line[16];
	mbed_load(&server, "vmg.pem", "vmg.key", MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_VERSION_TLS1_3);
	SSL_CTX *context = open_load(TLS1_3_VERSION);
	while (fgets(line, sizeof line, stdin)) {
		printf("%.1f\n", open_round(&server, context));
		fflush(stdout);
	}
	SSL_CTX_free(context);
	mbed_unload(&server);
}

int main(int argc, char **argv)
{
	if (!getenv("TEST_CERTIFICATES"))
		die("TEST_CERTIFICATES is not set");
	if (psa_crypto_init() != PSA_SUCCESS)
		die("psa_crypto_init");
	if (argc > 1 && strcmp(argv[1], "--each") == 0) {
		serve_each();
		return 0;
	}
	measure("TLSv1.2", MBEDTLS_SSL_VERSION_TLS1_2, TLS1_2_VERSION);
	measure("TLSv1.3", MBEDTLS_SSL_VERSION_TLS1_3, TLS1_3_VERSION);
	return 0;
}
