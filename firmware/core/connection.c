/* SPDX-License-Identifier: Apache-2.0 */
#include "connection.h"

#include <string.h>

#include "console.h"

#define STEP_LIMIT 64u /* of a turn: other modules want theirs too */

/* ---- begin and end ------------------------------------------------------------------------------------------ */

enum port_status connection_start(struct connection *connection, const struct connection_config *config)
{
	if (connection->state != CONNECTION_IDLE || config->remote.port == 0)
		return PORT_INVALID;
	memset(connection, 0, sizeof *connection);
	connection->config = *config;
	connection->socket = PORT_NO_SOCKET;
	connection->link_up = port_link_up();
	connection->backoff = (struct doip_backoff){.first_ms = config->backoff_first_ms, .limit_ms = config->backoff_limit_ms};
	connection->state = CONNECTION_BACKOFF; /* retry_us is 0 */
	return PORT_OK;
}

static void release(struct connection *connection, bool orderly)
{
	if (connection->socket != PORT_NO_SOCKET)
		port_tcp_abort(connection->socket);
	connection->socket = PORT_NO_SOCKET;
	if (orderly)
		stream_close(&connection->stream);
	else
		stream_abort(&connection->stream);
}

void connection_lose(struct connection *connection, const char *reason, bool orderly)
{
	struct console_line line;
	release(connection, orderly);
	uint64_t wait_us = doip_backoff_failed(&connection->backoff);
	connection->retry_us = connection->now_us + wait_us;
	connection->state = CONNECTION_BACKOFF;
	console_begin(&line);
	console_text(&line, connection->config.owner);
	console_text(&line, ": ");
	console_text(&line, reason);
	console_text(&line, ", next attempt in ");
	console_decimal(&line, wait_us / 1000);
	console_text(&line, " ms");
	console_end(&line);
}

void connection_stop(struct connection *connection)
{
	if (connection->state == CONNECTION_IDLE)
		return;
	release(connection, true);
	connection->state = CONNECTION_IDLE;
}

/* ---- the way to a connection -------------------------------------------------------------------------------- */

static void attempt(struct connection *connection)
{
	connection->limit_us = connection->now_us + (uint64_t)connection->config.attempt_ms * 1000;
	connection->broken = false;
	connection->due = false; /* one attempt a turn, however short the wait */
	connection->state = CONNECTION_CONNECTING;
}

static void wrap(struct connection *connection)
{
	struct console_line line;
	console_begin_boot(&line, "connected");
	console_end(&line);
	if (connection->config.tls == NULL) {
		stream_plain(&connection->stream, connection->socket);
	} else if (tls_stream(&connection->stream, connection->config.tls, connection->socket) != PORT_OK) {
		connection_lose(connection, "no TLS session free", false);
		return;
	}
	connection->socket = PORT_NO_SOCKET;
	connection->state = CONNECTION_HANDSHAKING;
}

static void connect(struct connection *connection)
{
	if (connection->socket == PORT_NO_SOCKET && port_tcp_connect(NULL, &connection->config.remote, &connection->socket) != PORT_OK) {
		connection_lose(connection, "cannot connect", false);
		return;
	}
	enum port_status status = port_tcp_connected(connection->socket);
	if (status == PORT_OK)
		wrap(connection);
	else if (status != PORT_WOULD_BLOCK)
		connection_lose(connection, "connection refused", false);
}

static void secured(const struct connection *connection)
{
	struct console_line line;
	console_begin_boot(&line, "tls");
	console_text(&line, " version=");
	console_text(&line, tls_version_name(&connection->stream));
	if (connection->config.verify != NULL) {
		console_text(&line, " verify=");
		console_text(&line, connection->config.verify);
	}
	console_end(&line);
}

static void shake_hands(struct connection *connection)
{
	enum port_status status = stream_establish(&connection->stream);
	if (status == PORT_WOULD_BLOCK)
		return;
	if (status != PORT_OK) {
		connection_lose(connection, "handshake failed", true); /* orderly: the alert has to arrive */
		return;
	}
	if (connection->config.tls != NULL)
		secured(connection);
	connection->state = CONNECTION_INTRODUCING;
}

bool connection_advance(struct connection *connection)
{
	enum connection_state before = connection->state;
	if (before == CONNECTION_BACKOFF && connection->due)
		attempt(connection);
	else if (before == CONNECTION_CONNECTING)
		connect(connection);
	else if (before == CONNECTION_HANDSHAKING)
		shake_hands(connection);
	return connection->state != before;
}

void connection_agreed(struct connection *connection)
{
	doip_backoff_succeeded(&connection->backoff);
	connection->state = CONNECTION_UP;
}

/* ---- turns -------------------------------------------------------------------------------------------------- */

void connection_turn(struct connection *connection, uint64_t now_us)
{
	bool up = port_link_up();
	/* A link that comes back is tried at once: the wait was for the server, not for the cable. */
	if (up && !connection->link_up && connection->state == CONNECTION_BACKOFF)
		connection->retry_us = now_us;
	connection->link_up = up;
	connection->now_us = now_us;
	connection->due = connection->state == CONNECTION_BACKOFF && now_us >= connection->retry_us;
	connection->again = false;
	connection->steps = 0;
}

bool connection_talks(const struct connection *connection)
{
	return connection->state == CONNECTION_INTRODUCING || connection->state == CONNECTION_UP;
}

bool connection_goes_on(struct connection *connection)
{
	connection->again = connection->steps == STEP_LIMIT;
	if (!connection->again)
		connection->steps++;
	return !connection->again;
}

bool connection_is_late(const struct connection *connection)
{
	return connection->state >= CONNECTION_CONNECTING && connection->state <= CONNECTION_INTRODUCING &&
	       connection->now_us >= connection->limit_us;
}

uint64_t connection_deadline_us(const struct connection *connection, uint64_t own_us)
{
	if (connection->again)
		return connection->now_us;
	switch (connection->state) {
	case CONNECTION_IDLE:
		return UINT64_MAX;
	case CONNECTION_BACKOFF:
		return connection->retry_us;
	case CONNECTION_INTRODUCING:
		return connection->limit_us < own_us ? connection->limit_us : own_us;
	case CONNECTION_UP:
		return own_us;
	default:
		return connection->limit_us;
	}
}
