/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share, and what its tests set. */
#ifndef HARNESS_DAEMON_HTTP_HTTP_PRIVATE_H
#define HARNESS_DAEMON_HTTP_HTTP_PRIVATE_H

#include <microhttpd.h>

#include "../../base/bytes.h"
#include "http.h"
#include "http_route.h"
#include "http_socket.h"

/* ---- limits ---- */
struct http_limits {
	unsigned quiet_s;           /* without a byte of a request, or of an answer taken */
	unsigned idle_s;            /* between two requests */
	unsigned header_ms;         /* for the whole header, however its bytes drip */
	unsigned window_ms;         /* a body must bring window_bytes in every such time */
	unsigned window_bytes;      /* … or its end */
	unsigned comment_ms;        /* silence after which an event stream gets a comment */
	unsigned linger_ms;         /* how long a refused upload is drained, so that its sender sees the answer */
	unsigned tick_ms;           /* how often all these are looked at */
	unsigned connections_local; /* by the UNIX socket */
	unsigned connections_tcp;
	unsigned connections_address; /* from one address */
	unsigned header_bytes;
};
extern const struct http_limits http_limits_default;
/* http_server_new() with other limits. */
int http_server_new_limited(struct http_server **ret, sd_event *, const struct http_listen *, const struct http_route *, size_t, http_token,
                            void *context, const struct http_limits *, struct error *err) WARN_UNUSED;

/* ---- the server ---- */
struct http_link { /* of a list */
	struct http_link *next, *previous;
};
void http_list_add(struct http_link *head, struct http_link *);
void http_list_remove(struct http_link *);

struct http_endpoint {
	struct http_server *server;
	struct MHD_Daemon *mhd; /* NULL: not listened on */
	struct http_socket socket;
	sd_event_source *io, *timer;
	bool local, tls;
	bool again;              /* another run is due, whatever the library says */
	char *certificate, *key; /* PEM */
	char complaint[256];     /* the last that the library said */
};
enum { HTTP_LOCAL, HTTP_TCP, HTTP_ENDPOINTS };
struct http_server {
	sd_event *event;
	struct http_limits limits;
	const struct http_route *routes;
	size_t route_count;
	http_token token;
	void *context;
	char **names;
	enum token_role loopback_role;
	struct http_endpoint endpoints[HTTP_ENDPOINTS];
	struct http_link connections, streams, lingers, kept; /* kept: requests whose client is gone but whose answer is due */
	unsigned connection_count, linger_count;
	sd_event_source *tick;
	bool closing;
};
uint64_t http_now_ms(void); /* CLOCK_MONOTONIC */
/* Lets the library work on what changed outside of it. */
void http_endpoint_kick(struct http_endpoint *);

struct http_connection {
	struct http_link link; /* first */
	struct http_endpoint *endpoint;
	struct http_request *request; /* the one at work */
	struct http_stream *stream;   /* its answer */
	sd_event_source *watch;       /* for the client's end, while the library does not look */
	int fd;
	uint64_t deadline_ms;  /* 0: none */
	uint64_t window_bytes; /* of a body, since the window began */
	bool in_body, served, gone, loopback, user_known;
	uid_t uid;
	char user[65];
	enum token_role role; /* by the UNIX socket */
};
/* Watches for the end of a client whose connection is suspended. A client that only ends its sending counts as gone too. */
void http_connection_watch(struct http_connection *);
void http_connection_unwatch(struct http_connection *);
void http_connection_cut(struct http_connection *);

/* ---- a request ---- */
struct http_request {
	struct http_link link; /* first; of the kept */
	struct http_server *server;
	struct http_connection *connection; /* NULL: the client is gone */
	struct MHD_Connection *mhd;
	const char *method;
	char *raw_target;
	struct http_target target;
	struct http_match match;
	bool in_callback; /* the library or a handler is at work on it: it is not freed now */
	bool seen, began /* body() */, handled, suspended, refused /* its body is not read */;
	uint64_t received, discarded;
	struct bytes body;
	json_t *json;
	void *state;
	char user[65];
	enum token_role role;
	bool bearer, credentials; /* by a token in a header; by any token or cookie */
	char *cookie;
	/* the answer */
	bool answered, queued;
	unsigned status;
	struct MHD_Response *response;
	char *plain; /* its body, while it may have to be written without the library */
};
void *http_on_target(void *context, const char *target, struct MHD_Connection *);
enum MHD_Result http_on_access(void *context, struct MHD_Connection *, const char *url, const char *method, const char *version,
                               const char *data, size_t *size, void **request);
void http_on_completed(void *context, struct MHD_Connection *, void **request, enum MHD_RequestTerminationCode);
/* The client is gone (connection->gone), or the server ends: what waits need not. */
void http_request_gone(struct http_request *);
void http_request_free(struct http_request *);
/* The body that came, checked against the route's limit. */
void http_body_begin(struct http_request *);
void http_body_take(struct http_request *, const char *data, size_t size);

/* ---- its answer ---- */
enum http_policy { HTTP_POLICY_PAGE, HTTP_POLICY_RUN_CONTENT, HTTP_POLICY_RUN_PAGE };
/* 416 with the size of the file. */
void http_answer_outside(struct http_request *, uint64_t size);
/* Headers that every answer has. */
void http_headers_add(struct http_request *, struct MHD_Response *, enum http_policy);
/* Takes the response over (NULL: out of memory, 500 or nothing). */
void http_answer_queue(struct http_request *, unsigned status, struct MHD_Response *, enum http_policy);
/* Writes the answer to the socket itself, where the library would not take it, and is done with it. */
void http_answer_past_library(struct http_request *);
/* 503 for a request whose handler has not answered: it still may, into the void. */
enum MHD_Result http_answer_shutting_down(struct http_request *);
const char *http_status_text(unsigned status);

/* ---- streams, lingering ends ---- */
void http_stream_gone(struct http_stream *);
void http_streams_tick(struct http_server *, uint64_t now_ms);
void http_streams_end(struct http_server *);
/* Keeps what a client still sends from turning into a reset that destroys the answer. */
void http_linger(struct http_server *, int fd, bool tls);
void http_lingers_tick(struct http_server *, uint64_t now_ms);
void http_lingers_end(struct http_server *);

#endif
