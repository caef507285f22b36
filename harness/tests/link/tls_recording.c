/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_recording.h"

#include <check.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "link_test.h"

static void on_line(const SSL *ssl, const char *line)
{
	struct tls_recording *recording = SSL_get_app_data(ssl);

	ck_assert_uint_lt(recording->line_count, RECORDING_LINES);
	recording->lines[recording->line_count++] = strdup(line);
}

static SSL *make_end(struct tls_recording *recording, bool server, int version, const char *suite, bool retry)
{
	SSL_CTX *context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	struct tls_identity who = identity(server ? "vmg" : "tester", NULL);
	SSL *ssl;

	ck_assert_int_eq(SSL_CTX_use_certificate_file(context, who.certificate, SSL_FILETYPE_PEM), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(context, who.key, SSL_FILETYPE_PEM), 1);
	ck_assert_int_eq(SSL_CTX_load_verify_file(context, who.ca), 1);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	ck_assert_int_eq(SSL_CTX_set_min_proto_version(context, version), 1);
	ck_assert_int_eq(SSL_CTX_set_max_proto_version(context, version), 1);
	if (version == TLS1_3_VERSION)
		ck_assert_int_eq(SSL_CTX_set_ciphersuites(context, suite), 1);
	else
		ck_assert_int_eq(SSL_CTX_set_cipher_list(context, suite), 1);
	ck_assert_int_eq(SSL_CTX_set1_groups_list(context, server && retry ? "P-384" : "P-256:P-384"), 1);
	if (!server)
		SSL_CTX_set_keylog_callback(context, on_line);
	ssl = SSL_new(context);
	SSL_CTX_free(context);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	(void)SSL_set_app_data(ssl, recording);
	if (server)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	return ssl;
}

/* What one end has to say goes to the other, and onto the record; false when it had nothing. */
static bool carry(struct tls_recording *recording, SSL *from, SSL *to, bool from_client)
{
	char *data;
	long length = BIO_get_mem_data(SSL_get_wbio(from), &data);

	if (length <= 0)
		return false;
	ck_assert_uint_lt(recording->flight_count, RECORDING_FLIGHTS);
	recording->flights[recording->flight_count].from_client = from_client;
	ck_assert_int_eq(bytes_append(&recording->flights[recording->flight_count].bytes, data, (size_t)length), 0);
	recording->flight_count++;
	ck_assert_int_eq(BIO_write(SSL_get_rbio(to), data, (int)length), (int)length);
	(void)BIO_reset(SSL_get_wbio(from));
	return true;
}

static void say(struct tls_recording *recording, SSL *from, SSL *to, bool from_client, const uint8_t *data, size_t length)
{
	uint8_t buffer[64];
	size_t n;

	ck_assert_int_eq(SSL_write_ex(from, data, length, &n), 1);
	ck_assert(carry(recording, from, to, from_client));
	ck_assert_int_eq(SSL_read_ex(to, buffer, sizeof(buffer), &n), 1);
	ck_assert_mem_eq(buffer, data, length);
}

static void shake_hands(struct tls_recording *recording, SSL *client, SSL *server)
{
	bool client_done = false, server_done = false, any = true;

	while (any && !(client_done && server_done)) {
		client_done = SSL_do_handshake(client) == 1;
		any = carry(recording, client, server, true);
		if (any)
			recording->client_finished = recording->flight_count - 1; /* the last of the handshake has it */
		server_done = SSL_do_handshake(server) == 1;
		any |= carry(recording, server, client, false);
	}
	ck_assert(SSL_is_init_finished(client) && SSL_is_init_finished(server));
	recording->finished = recording->client_finished;
}

void tls_record(struct tls_recording *recording, int version, const char *suite, bool retry, bool key_update)
{
	SSL *client, *server;

	*recording = (struct tls_recording){0};
	client = make_end(recording, false, version, suite, retry);
	server = make_end(recording, true, version, suite, retry);
	(void)SSL_set_num_tickets(server, 1); /* a message after the handshake that is none of ours */
	shake_hands(recording, client, server);
	if (version == TLS1_2_VERSION)
		recording->finished = recording->flight_count - 1;
	if (key_update) {
		ck_assert_int_eq(SSL_key_update(client, SSL_KEY_UPDATE_REQUESTED), 1);
		ck_assert_int_eq(SSL_do_handshake(client), 1);
	}
	say(recording, client, server, true, activation_request, sizeof(activation_request));
	say(recording, server, client, false, activation_response, sizeof(activation_response));
	(void)SSL_shutdown(client);
	ck_assert(carry(recording, client, server, true));
	(void)SSL_shutdown(server);
	ck_assert(carry(recording, server, client, false));
	SSL_free(client);
	SSL_free(server);
}

void tls_recording_free(struct tls_recording *recording)
{
	for (unsigned i = 0; i < recording->flight_count; i++)
		bytes_free(&recording->flights[i].bytes);
	for (unsigned i = 0; i < recording->line_count; i++)
		free(recording->lines[i]);
	*recording = (struct tls_recording){0};
}
