/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP server on libmicrohttpd inside the event loop: a UNIX socket, TCP sockets (TLS by GnuTLS where asked for), routes, bounded
 * bodies, streams. It decides who asks and refuses what may not be; it knows nothing of what is asked. Slow or silent clients are cut off
 * after 30 s without a byte of a request (headers and body), 60 s idle; at most 32 KiB of headers; at most 192 connections by the UNIX
 * socket and 512 by TCP, more wait; 256 from one address, one more is closed without an answer. A handler answers exactly once: before it
 * returns, or later. A request that its handler leaves unanswered is kept, also when its client goes away (the answer then goes nowhere)
 * and when the server ends (the client gets 503); it is gone with its answer.
 */
#ifndef HARNESS_DAEMON_HTTP_HTTP_H
#define HARNESS_DAEMON_HTTP_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "../../base/error.h"
#include "../role.h"

struct http_server;
struct http_request;

typedef void (*http_handler)(struct http_request *, void *context);
struct http_route {
	const char *method;  /* "GET" serves HEAD too */
	const char *pattern; /* "/api/v1/jobs/{id}/files/{path*}": {name} one segment, {name*} the rest; segments are percent-decoded; "..",
	                        "." and NUL never get here (400) */
	enum token_role least;
	uint64_t body_limit; /* bytes; 0: no body is taken */
	http_handler handler;
	/* A body as it comes, for uploads; NULL: it is collected. Called with data NULL and length 0 once at the beginning (return the
	 * state), and drop() if the client is gone before the handler was called. Negative -errno from body(): the request is answered with
	 * the error. drop() is called once in each case in which body() began with 0 and the handler is not reached (also after a later
	 * error of body() itself), and never when the beginning failed. */
	int (*body)(struct http_request *, const void *data, size_t length, void *context, struct error *err);
	void (*drop)(struct http_request *, void *context);
};
struct http_listen {
	int socket_fd, tcp_fd;   /* listening sockets that were handed over (socket activation), -1: none */
	const char *socket_path; /* NULL: none; made with mode 0660, a stale one is replaced, one that somebody serves is -EADDRINUSE */
	const char *address; /* "127.0.0.1:8480", "[::1]:8480"; NULL: none. Beyond loopback only with certificate and key (-EPERM else) */
	const char *certificate, *key; /* PEM files */
	const char *const *names;      /* further host names in Host, NULL-terminated; may be NULL */
	enum token_role loopback_role;
};
/* Who a bearer token or the cookie is; ROLE_NOBODY: nobody. name: 65 bytes. */
typedef enum token_role (*http_token)(const char *token, bool cookie, char *name, void *context);

int http_server_new(struct http_server **ret, sd_event *, const struct http_listen *, const struct http_route *routes, size_t route_count,
                    http_token, void *context, struct error *err) WARN_UNUSED;
void http_server_free(struct http_server *);
unsigned http_server_port(const struct http_server *); /* of the TCP socket, 0: none ("127.0.0.1:0" asks for any) */
unsigned http_server_connections(const struct http_server *);

/* ---- the request ---- */
const char *http_parameter(struct http_request *, const char *name); /* of the pattern; never NULL for those it has */
/* A number of the pattern, > 0; 404 was answered when it is none: returns false. */
bool http_parameter_id(struct http_request *, const char *name, int64_t *ret);
const char *http_query(struct http_request *, const char *name); /* decoded; NULL: not given */
/* A number of the query within bounds, `absent` when not given; 400 was answered when it is none: returns false. */
bool http_query_number(struct http_request *, const char *name, int64_t least, int64_t most, int64_t absent, int64_t *ret);
const char *http_header(struct http_request *, const char *name);
const void *http_body(struct http_request *, size_t *ret_length);
/* The body as a JSON object: Content-Type application/json (415), valid (400 with line and column), no duplicate keys. Borrowed; NULL:
 * answered. An absent body is {}. */
json_t *http_body_json(struct http_request *);
const char *http_user(struct http_request *); /* "ada", name of the token, "loopback" */
enum token_role http_role(struct http_request *);
bool http_is_local(struct http_request *);               /* by the UNIX socket */
bool http_is_gone(struct http_request *);                /* the client is: an answer that is due later goes nowhere */
void http_set_state(struct http_request *, void *state); /* for body() and the handler */
void *http_state(struct http_request *);

/* ---- the answer ---- */
enum http_error {
	HTTP_BAD_REQUEST,
	HTTP_UNAUTHORIZED,
	HTTP_FORBIDDEN,
	HTTP_NOT_FOUND,
	HTTP_METHOD_NOT_ALLOWED,
	HTTP_CONFLICT,
	HTTP_GONE,
	HTTP_TOO_LARGE,
	HTTP_RANGE_OUT, /* with Content-Range: http_answer_file() alone */
	HTTP_UNSUPPORTED_MEDIA_TYPE,
	HTTP_RIG_REFUSED,
	HTTP_TOO_MANY,
	HTTP_INTERNAL,
	HTTP_SHUTTING_DOWN,
	HTTP_NO_SPACE,
};
void http_answer_json(struct http_request *, unsigned status, json_t *stolen);
void http_answer_empty(struct http_request *, unsigned status);
void http_answer_error(struct http_request *, enum http_error, const char *format, ...) PRINTF_LIKE(3, 4);
/* The code that fits -errno (lab.h) and the message with its place. */
void http_answer_failure(struct http_request *, int r, const struct error *);
/* text: copied. immutable: may be cached for ever; else no-cache with an ETag. */
void http_answer_text(struct http_request *, const char *content_type, const char *text, size_t length, bool immutable);
/* The file from the descriptor (owned from here on), with Range. download: name for Content-Disposition, NULL: shown. Content that was made
 * by a run gets Content-Security-Policy: sandbox; a page may run its own scripts, with an origin of its own and without the network. */
void http_answer_file(struct http_request *, int fd, uint64_t size, const char *content_type, const char *download, const char *etag);
void http_set_cookie(struct http_request *, const char *value, int64_t max_age_s); /* before the answer; max_age 0 removes */

/* A body of unknown length. fill(): bytes written (> 0), 0: nothing now (http_stream_wake() later), -ENODATA: the end, other -errno: cut
 * off. closed(): once, the stream is gone. */
struct http_stream;
struct http_stream_calls {
	ssize_t (*fill)(void *context, char *buffer, size_t size);
	void (*closed)(void *context);
};
/* events: text/event-stream, with a comment every 15 s of silence. NULL: it could not be, answered and closed() was called. */
struct http_stream *http_answer_stream(struct http_request *, const char *content_type, const struct http_stream_calls *, void *context);
void http_stream_wake(struct http_stream *);

#endif
