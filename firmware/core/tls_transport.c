/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_private.h"

#include <mbedtls/net_sockets.h> /* its error codes */
#include <string.h>

static int error_of(enum port_status status, int failed)
{
	if (status != PORT_WOULD_BLOCK)
		return failed;
	return failed == MBEDTLS_ERR_NET_SEND_FAILED ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_WANT_READ;
}

enum port_status tls_transport_flush(struct tls_session *session)
{
	while (session->flight_sent < session->flight_length) {
		size_t sent;
		enum port_status status = port_tcp_send(session->socket, session->flight + session->flight_sent,
		                                        session->flight_length - session->flight_sent, &sent);
		if (status != PORT_OK)
			return status;
		session->flight_sent += sent;
	}
	session->flight_length = session->flight_sent = session->flight_last = 0;
	return PORT_OK;
}

/* mbedTLS hands over record by record. A flight sent so would be as many segments, each of which wakes the peer. */
static int transport_send(void *context, const unsigned char *data, size_t length)
{
	struct tls_session *session = context;
	size_t sent;
	enum port_status status;
	if (session->state == TLS_HANDSHAKING && length <= TLS_FLIGHT_SIZE - session->flight_length) {
		memcpy(session->flight + session->flight_length, data, length);
		session->flight_length += length;
		session->flight_last = length;
		return (int)length;
	}
	status = tls_transport_flush(session);
	if (status == PORT_OK)
		status = port_tcp_send(session->socket, data, length, &sent);
	return status == PORT_OK ? (int)sent : error_of(status, MBEDTLS_ERR_NET_SEND_FAILED);
}

static int transport_receive(void *context, unsigned char *buffer, size_t size)
{
	struct tls_session *session = context;
	/* The peer answers only to what it has got. */
	enum port_status status = tls_transport_flush(session);
	if (status != PORT_OK && status != PORT_WOULD_BLOCK)
		return MBEDTLS_ERR_NET_SEND_FAILED;
	size_t received;
	status = port_tcp_receive(session->socket, buffer, size, &received);
	if (status == PORT_CLOSED)
		return 0;
	return status == PORT_OK ? (int)received : error_of(status, MBEDTLS_ERR_NET_RECV_FAILED);
}

void tls_transport_attach(struct tls_session *session)
{
	session->flight_length = session->flight_sent = session->flight_last = 0;
	mbedtls_ssl_set_bio(&session->ssl, session, transport_send, transport_receive, NULL);
}
