/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of a stream: OpenSSL between two memory BIOs, so that every byte on the wire passes through our hands. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "stream_private.h"
#include "tls_name.h"

#define LINGER_US  500000 /* for a peer that was sent an alert to close too */
#define RECORD_MAX 16384  /* RFC 8446 clause 5.1 */

void stream_on_key_log(const SSL *ssl, const char *line)
{
	const struct stream *stream = SSL_get_app_data(ssl);
	const struct stream_environment *environment = &stream->context.environment;

	capture_secret(environment->capture, line);
	if (environment->on_secret)
		environment->on_secret(line, environment->secret_context);
}

void stream_on_tls_info(const SSL *ssl, int where, int value)
{
	struct stream *stream = SSL_get_app_data(ssl);

	if (!(where & SSL_CB_ALERT) || (value & 0xff) == SSL_AD_CLOSE_NOTIFY)
		return;
	stream->alert = value & 0xff;
	stream->alert_received = (where & SSL_CB_READ) != 0;
}

/* The name that the peer's certificate must have; an address is compared with its IP names and is no SNI. */
static int expect_name(SSL *ssl, const char *name)
{
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1)
		return 1;
	return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

int stream_tls_init(struct stream *stream, SSL_CTX *context, const char *peer_name, struct error *err)
{
	SSL *ssl = SSL_new(context);
	BIO *from = BIO_new(BIO_s_mem()), *to = BIO_new(BIO_s_mem());

	if (!ssl || !from || !to) {
		SSL_free(ssl);
		BIO_free(from);
		BIO_free(to);
		return error_set(err, ERROR_BENCH, ENOMEM, "cannot make a TLS connection");
	}
	SSL_set_bio(ssl, from, to);
	(void)SSL_set_app_data(ssl, stream);
	if (peer_name && expect_name(ssl, peer_name) != 1) {
		SSL_free(ssl);
		ERR_clear_error();
		return error_set(err, ERROR_TESTCASE, EINVAL, "'%s' cannot be the name of a TLS peer", peer_name);
	}
	if (stream->server)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	stream->ssl = ssl;
	stream->from_network = from;
	stream->to_network = to;
	return 0;
}

/* What OpenSSL wants to send goes to the queue. */
static void take_output(struct stream *stream)
{
	char *data;
	long length = BIO_get_mem_data(stream->to_network, &data);

	if (length <= 0)
		return;
	if (stream_queue(stream, data, (size_t)length) < 0)
		stream->send_error = ENOMEM;
	(void)BIO_reset(stream->to_network);
	stream_flush(stream);
}

static int on_linger_timer(sd_event_source *source, uint64_t usec, void *context)
{
	stream_close(context, STREAM_END_TLS, NULL);
	return 0;
}

/*
 * Our alert is on its way. Were the socket closed now, bytes that still come would be answered with RST, and the peer's
 * system would throw the alert away before the peer has read it.
 */
static void linger(struct stream *stream)
{
	int r;

	stream->lingering = stream->finishing = true;
	stream_flush(stream);
	r = sd_event_add_time_relative(loop_event(stream->context.environment.loop), &stream->timer, CLOCK_MONOTONIC, LINGER_US, 1000,
	                               on_linger_timer, stream);
	if (r < 0)
		stream_close(stream, STREAM_END_TLS, NULL);
	else
		stream_update_io(stream);
}

static void describe_failure(struct stream *stream)
{
	unsigned long code = ERR_get_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	long verify = SSL_get_verify_result(stream->ssl);

	ERR_clear_error();
	if (stream->alert >= 0 && stream->alert_received)
		(void)snprintf(stream->reason, sizeof(stream->reason), "the peer sent the alert %s",
		               tls_alert_name((uint8_t)stream->alert));
	else if (verify != X509_V_OK)
		(void)snprintf(stream->reason, sizeof(stream->reason), "%s: %s", reason ? reason : "TLS failed",
		               X509_verify_cert_error_string(verify));
	else
		(void)snprintf(stream->reason, sizeof(stream->reason), "%s", reason ? reason : "TLS failed");
}

static void fail(struct stream *stream)
{
	if (stream->tls_failed)
		return;
	stream->tls_failed = true;
	describe_failure(stream);
	take_output(stream);
	stream_emit(stream, instant_now(), "tls.failed", stream_tls_info(stream));
	if (stream->alert_received)
		stream_close(stream, STREAM_END_TLS, NULL);
	else
		linger(stream);
}

void stream_tls_broken(struct stream *stream, const char *reason)
{
	if (!stream->ssl || stream->tls_failed)
		return;
	stream->tls_failed = true;
	(void)snprintf(stream->reason, sizeof(stream->reason), "%s", reason);
	stream_emit(stream, instant_now(), "tls.failed", stream_tls_info(stream));
}

/* Whether OpenSSL only waits for more bytes. */
static bool wants_more(const struct stream *stream, int result)
{
	int what = SSL_get_error(stream->ssl, result);

	return what == SSL_ERROR_WANT_READ || what == SSL_ERROR_WANT_WRITE;
}

static void handshake(struct stream *stream)
{
	int r;

	ERR_clear_error();
	r = SSL_do_handshake(stream->ssl);
	if (r != 1) {
		if (wants_more(stream, r))
			take_output(stream);
		else
			fail(stream);
		return;
	}
	take_output(stream);
	stream->state = STREAM_OPEN;
	stream_emit(stream, instant_now(), "tls.opened", stream_tls_info(stream));
	if (stream->handlers.opened)
		stream->handlers.opened(stream, stream->handlers.context);
}

static void read_records(struct stream *stream)
{
	static uint8_t buffer[RECORD_MAX];

	while (stream->state == STREAM_OPEN && !stream->paused && !stream->tls_failed && !stream->close_notify_received) {
		size_t length = 0;
		int r;

		ERR_clear_error();
		r = SSL_read_ex(stream->ssl, buffer, sizeof(buffer), &length);
		if (r == 1) {
			if (stream->handlers.received)
				stream->handlers.received(stream, buffer, length, stream->received_at, stream->handlers.context);
			continue;
		}
		if (SSL_get_error(stream->ssl, r) == SSL_ERROR_ZERO_RETURN) {
			stream->close_notify_received = true;
			stream_shutdown(stream);
		} else if (!wants_more(stream, r)) {
			fail(stream);
		}
		break;
	}
}

void stream_tls_pump(struct stream *stream)
{
	if (stream->tls_failed)
		return;
	if (stream->state == STREAM_HANDSHAKING)
		handshake(stream);
	read_records(stream);
	/* Answers that TLS itself gives, such as KeyUpdate. */
	if (stream->state == STREAM_OPEN && !stream->tls_failed)
		take_output(stream);
}

void stream_tls_feed(struct stream *stream, const uint8_t *data, size_t length)
{
	if (stream->tls_failed)
		return;
	if (BIO_write(stream->from_network, data, (int)length) != (int)length)
		fail(stream);
	else
		stream_tls_pump(stream);
}

int stream_tls_send(struct stream *stream, const void *data, size_t length, struct error *err)
{
	size_t written = 0;

	if (length == 0)
		return 0;
	ERR_clear_error();
	if (SSL_write_ex(stream->ssl, data, length, &written) != 1 || written != length) {
		ERR_clear_error();
		return error_set(err, ERROR_BENCH, EIO, "cannot send over TLS to %s", stream->peer);
	}
	take_output(stream);
	return 0;
}

void stream_tls_close_notify(struct stream *stream)
{
	if (!stream->ssl || stream->state != STREAM_OPEN || stream->tls_failed || stream->close_notify_sent)
		return;
	stream->close_notify_sent = true;
	ERR_clear_error();
	(void)SSL_shutdown(stream->ssl);
	ERR_clear_error();
	take_output(stream);
}

/* ---- what is known ----------------------------------------------------------------------------------------- */

static void add_text(json_t *info, const char *key, const char *text)
{
	if (text && *text)
		(void)json_object_set_new(info, key, json_string(text));
}

static void add_common_name(json_t *info, const X509 *certificate)
{
	const X509_NAME *subject = certificate ? X509_get_subject_name(certificate) : NULL;
	int place = subject ? X509_NAME_get_index_by_NID(subject, NID_commonName, -1) : -1;
	unsigned char *text = NULL;

	if (place < 0 || ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, place))) < 0)
		return;
	add_text(info, "peer_name", (const char *)text);
	OPENSSL_free(text);
}

json_t *stream_tls_info(const struct stream *stream)
{
	json_t *info = json_object();
	const SSL_CIPHER *cipher = stream->ssl ? SSL_get_current_cipher(stream->ssl) : NULL;
	const X509 *certificate = stream->ssl ? SSL_get0_peer_certificate(stream->ssl) : NULL;

	if (!info || !stream->ssl)
		return info;
	if (cipher) {
		add_text(info, "version", SSL_get_version(stream->ssl));
		add_text(info, "cipher", SSL_CIPHER_standard_name(cipher));
		add_text(info, "group", SSL_get0_group_name((SSL *)stream->ssl));
	}
	add_common_name(info, certificate);
	if (SSL_get_verify_result(stream->ssl) != X509_V_OK)
		add_text(info, "verify", X509_verify_cert_error_string(SSL_get_verify_result(stream->ssl)));
	if (stream->alert >= 0) {
		add_text(info, "alert", tls_alert_name((uint8_t)stream->alert));
		add_text(info, "alert_side", stream->alert_received ? "received" : "sent");
	}
	add_text(info, "reason", stream->reason);
	return info;
}
