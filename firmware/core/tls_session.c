/* SPDX-License-Identifier: Apache-2.0 */
/* One TLS session over one socket: the stream operations. */
#include "tls_private.h"

#include "../faults/fault.h"

#include <string.h>

#define SLOW_HANDSHAKE_US 300000u

/* A port in memory may do without: then the delayed handshake begins with the next poll that comes. */
#pragma weak port_wake_at

static struct tls_session sessions[TLS_MAX_SESSIONS];

static bool retry(int r)
{
	return r == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE || r == MBEDTLS_ERR_SSL_ASYNC_IN_PROGRESS ||
	       r == MBEDTLS_ERR_SSL_CRYPTO_IN_PROGRESS;
}

static enum port_status session_fail(struct tls_session *session, const char *what, int error)
{
	tls_transport_flush(session); /* the alert that says why */
	tls_report_failure(session, what, error);
	session->state = TLS_FAILED;
	return PORT_FAILED;
}

static enum port_status connect_step(struct tls_session *session)
{
	enum port_status status = port_tcp_connected(session->socket);
	if (status == PORT_WOULD_BLOCK)
		return status;
	if (status != PORT_OK) {
		session->state = TLS_FAILED;
		return PORT_FAILED;
	}
	session->state = TLS_HANDSHAKING;
	if (fault_active(FAULT_SLOW_HANDSHAKE)) {
		session->state = TLS_DELAYED;
		session->start_us = port_time_us() + SLOW_HANDSHAKE_US;
	}
	return PORT_OK;
}

static enum port_status delay_step(struct tls_session *session)
{
	if (port_time_us() < session->start_us) {
		if (port_wake_at)
			port_wake_at(session->start_us);
		return PORT_WOULD_BLOCK;
	}
	session->state = TLS_HANDSHAKING;
	return PORT_OK;
}

static enum port_status handshake_step(struct tls_session *session)
{
	int r = tls_handshake(session);
	if (retry(r)) {
		/* Blocked or not: what waits in the flight buffer goes out when there is room. */
		enum port_status flushed = tls_transport_flush(session);
		return flushed == PORT_OK || flushed == PORT_WOULD_BLOCK ? PORT_WOULD_BLOCK : PORT_FAILED;
	}
	if (r != 0)
		return session_fail(session, " handshake", r);
	session->state = TLS_FLUSHING;
	return PORT_OK;
}

static enum port_status flush_step(struct tls_session *session)
{
	enum port_status status = tls_transport_flush(session);
	if (status == PORT_WOULD_BLOCK)
		return status;
	if (status != PORT_OK) {
		session->state = TLS_FAILED;
		return PORT_FAILED;
	}
	session->state = TLS_OPEN;
	tls_report_handshake(session);
	return PORT_OK;
}

static enum port_status tls_establish(struct stream *stream)
{
	struct tls_session *session = stream->tls;
	enum port_status status = PORT_OK;
	if (session->state == TLS_CONNECTING)
		status = connect_step(session);
	if (status == PORT_OK && session->state == TLS_DELAYED)
		status = delay_step(session);
	if (status == PORT_OK && session->state == TLS_HANDSHAKING)
		status = handshake_step(session);
	if (status == PORT_OK && session->state == TLS_FLUSHING)
		status = flush_step(session);
	if (status == PORT_OK && session->state != TLS_OPEN)
		status = PORT_FAILED;
	return status;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* After a refusal mbedTLS holds the record of that call. Once it is out, the library counts the bytes of the call that
 * found it so; the caller may offer more or fewer of them then, and is told the truth in either case. */
static enum port_status tls_send(struct stream *stream, const uint8_t *data, size_t length, size_t *ret_sent)
{
	struct tls_session *session = stream->tls;
	if (session->state != TLS_OPEN)
		return PORT_FAILED;
	if (length == 0)
		return PORT_INVALID;
	if (session->write_ahead) {
		*ret_sent = smaller(length, session->write_ahead);
		session->write_ahead -= *ret_sent;
		return PORT_OK;
	}
	int most = mbedtls_ssl_get_max_out_record_payload(&session->ssl);
	length = smaller(length, session->write_pending ? session->write_pending : most > 0 ? (size_t)most : length);
	int r = mbedtls_ssl_write(&session->ssl, data, length);
	if (retry(r)) {
		session->write_pending = session->write_pending ? session->write_pending : length;
		return PORT_WOULD_BLOCK;
	}
	if (r <= 0)
		return session_fail(session, " session", r);
	if (session->write_pending)
		session->write_ahead = session->write_pending - (size_t)r;
	session->write_pending = 0;
	*ret_sent = (size_t)r;
	return PORT_OK;
}

static enum port_status tls_receive(struct stream *stream, uint8_t *buffer, size_t size, size_t *ret_received)
{
	struct tls_session *session = stream->tls;
	int r;
	if (session->state != TLS_OPEN)
		return PORT_FAILED;
	if (size == 0)
		return PORT_INVALID;
	do {
		/* A ticket is no data, and is not used. */
		r = mbedtls_ssl_read(&session->ssl, buffer, size);
	} while (r == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET);
	if (r > 0) {
		*ret_received = (size_t)r;
		return PORT_OK;
	}
	if (retry(r))
		return PORT_WOULD_BLOCK;
	if (r == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
		return PORT_CLOSED;
	/* 0: the connection ended without close_notify, so what came may be cut short (RFC 8446 6.1). */
	return session_fail(session, " session", r == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : r);
}

static void session_free(struct stream *stream)
{
	mbedtls_ssl_free(&stream->tls->ssl);
	stream->tls->state = TLS_FREE;
	stream->tls = NULL;
}

static void tls_close(struct stream *stream)
{
	if (stream->tls->state == TLS_OPEN)
		mbedtls_ssl_close_notify(&stream->tls->ssl);
	session_free(stream);
	port_tcp_close(stream->socket);
	stream->socket = PORT_NO_SOCKET;
}

static void tls_abort(struct stream *stream)
{
	session_free(stream);
	port_tcp_abort(stream->socket);
	stream->socket = PORT_NO_SOCKET;
}

static const struct stream_ops tls_operations = {
        .establish = tls_establish,
        .send = tls_send,
        .receive = tls_receive,
        .close = tls_close,
        .abort = tls_abort,
};

static int session_setup(struct tls_session *session, struct tls_config *config)
{
	mbedtls_ssl_init(&session->ssl);
	int r = mbedtls_ssl_setup(&session->ssl, &config->ssl);
	if (r == 0 && config->role == TLS_CLIENT && config->peer_name[0] != '\0')
		r = mbedtls_ssl_set_hostname(&session->ssl, config->peer_name);
	if (r != 0)
		mbedtls_ssl_free(&session->ssl);
	return r;
}

enum port_status tls_stream(struct stream *ret_stream, struct tls_config *config, port_socket socket)
{
	struct tls_session *session = sessions;
	while (session < sessions + TLS_MAX_SESSIONS && session->state != TLS_FREE)
		session++;
	if (session == sessions + TLS_MAX_SESSIONS || session_setup(session, config) != 0)
		return PORT_FULL;
	session->state = TLS_CONNECTING;
	session->socket = socket;
	session->config = config;
	session->write_pending = session->write_ahead = 0;
	tls_transport_attach(session);
	tls_verify_attach(session);
	tls_key_log_attach(session);
	*ret_stream = (struct stream){.ops = &tls_operations, .socket = socket, .tls = session, .secured = true};
	return PORT_OK;
}

const char *tls_version_name(const struct stream *stream)
{
	if (!stream->tls || stream->tls->state != TLS_OPEN)
		return "none";
	return mbedtls_ssl_get_version_number(&stream->tls->ssl) == MBEDTLS_SSL_VERSION_TLS1_3 ? "TLSv1.3" : "TLSv1.2";
}
