/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../base/log.h"
#include "http_private.h"

/* What one connection may hold in memory: its header (at most half of it) and one block of its answer. */
#define CONNECTION_MEMORY (64u << 10)
#define PEM_LIMIT         (1u << 20)

const struct http_limits http_limits_default = {
        .quiet_s = 30,
        .idle_s = 60,
        .header_ms = 60000,
        .window_ms = 30000,
        .window_bytes = 4096,
        .comment_ms = 15000,
        .linger_ms = 2000,
        .tick_ms = 1000,
        .connections_local = 192,
        .connections_tcp = 512,
        .connections_address = 256,
        .header_bytes = 32u << 10,
};

uint64_t http_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void http_list_add(struct http_link *head, struct http_link *link)
{
	link->next = head->next;
	link->previous = head;
	head->next->previous = link;
	head->next = link;
}

void http_list_remove(struct http_link *link)
{
	if (!link->next)
		return;
	link->next->previous = link->previous;
	link->previous->next = link->next;
	link->next = link->previous = NULL;
}

static void list_init(struct http_link *head)
{
	head->next = head->previous = head;
}

/* ---- the library in the event loop ---- */

/* MHD tells when it wants to run again without an event of a descriptor. */
static void endpoint_arm(struct http_endpoint *endpoint)
{
	MHD_UNSIGNED_LONG_LONG ms = 0;
	bool again = endpoint->again;

	endpoint->again = false;
	if (!again && MHD_get_timeout(endpoint->mhd, &ms) != MHD_YES) {
		(void)sd_event_source_set_enabled(endpoint->timer, SD_EVENT_OFF);
		return;
	}
	(void)sd_event_source_set_time(endpoint->timer, ms == 0 ? 0 : (http_now_ms() + (ms < 3600000 ? ms : 3600000)) * 1000);
	(void)sd_event_source_set_enabled(endpoint->timer, SD_EVENT_ONESHOT);
}

static int on_ready(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct http_endpoint *endpoint = context;

	(void)MHD_run(endpoint->mhd);
	endpoint_arm(endpoint);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t now_us, void *context)
{
	return on_ready(source, -1, 0, context);
}

void http_endpoint_kick(struct http_endpoint *endpoint)
{
	if (endpoint->server->closing)
		return;
	(void)sd_event_source_set_time(endpoint->timer, 0);
	(void)sd_event_source_set_enabled(endpoint->timer, SD_EVENT_ONESHOT);
}

static int on_tick(sd_event_source *source, uint64_t now_us, void *context)
{
	struct http_server *server = context;
	uint64_t now_ms = http_now_ms();

	for (struct http_link *link = server->connections.next, *next; link != &server->connections; link = next) {
		struct http_connection *connection = (struct http_connection *)link;

		next = link->next;
		if (connection->deadline_ms == 0 || now_ms < connection->deadline_ms)
			continue;
		if (connection->in_body && connection->window_bytes >= server->limits.window_bytes) {
			connection->window_bytes = 0;
			connection->deadline_ms = now_ms + server->limits.window_ms;
			continue;
		}
		http_connection_cut(connection);
	}
	http_streams_tick(server, now_ms);
	http_lingers_tick(server, now_ms);
	(void)sd_event_source_set_time_relative(source, (uint64_t)server->limits.tick_ms * 1000);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

/* ---- start ---- */

__attribute__((format(printf, 2, 0))) static void on_complaint(void *context, const char *format, va_list arguments)
{
	struct http_endpoint *endpoint = context;
	size_t length;

	(void)vsnprintf(endpoint->complaint, sizeof(endpoint->complaint), format, arguments);
	length = strlen(endpoint->complaint);
	while (length > 0 && endpoint->complaint[length - 1] == '\n')
		endpoint->complaint[--length] = '\0';
	log_debug("http: %s", endpoint->complaint);
}

/* Escapes are left alone: http_route.c takes the target apart itself. */
static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *text)
{
	return strlen(text);
}

static int read_pem(char **ret, const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	size_t size;
	char *text;
	ssize_t n;

	if (fd < 0)
		return error_set(err, ERROR_USAGE, errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size == 0 || status.st_size > PEM_LIMIT) {
		close(fd);
		return error_set(err, ERROR_USAGE, EINVAL, "%s: is no PEM file", path);
	}
	size = (size_t)status.st_size;
	text = calloc(1, size + 1);
	n = text ? read(fd, text, size) : -1;
	close(fd);
	if (n < 0) {
		free(text);
		return error_set(err, ERROR_BENCH, EIO, "%s: cannot be read", path);
	}
	*ret = text;
	return 0;
}

static void on_connection(void *context, struct MHD_Connection *, void **, enum MHD_ConnectionNotificationCode);

static int endpoint_start(struct http_endpoint *endpoint, struct error *err)
{
	const struct http_limits *limits = &endpoint->server->limits;
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (endpoint->tls ? MHD_USE_TLS : 0);
	struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_KEY, 0, endpoint->key},
	                               {MHD_OPTION_HTTPS_MEM_CERT, 0, endpoint->certificate},
	                               {MHD_OPTION_HTTPS_PRIORITIES, 0, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
	                               {MHD_OPTION_END, 0, NULL}};
	struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
	/* The library closes the descriptor it was given, though not on every way out of a failing start: it gets its own. */
	int listening = fcntl(endpoint->socket.fd, F_DUPFD_CLOEXEC, 3);

	if (listening < 0)
		return error_set(err, ERROR_BENCH, errno, "dup: %s", strerror(errno));
	endpoint->mhd = MHD_start_daemon(
	        flags, 0, NULL, NULL, http_on_access, endpoint, MHD_OPTION_EXTERNAL_LOGGER, on_complaint, endpoint,
	        MHD_OPTION_LISTEN_SOCKET, listening,
#if MHD_VERSION >= 0x00097701
	        MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1,
#else
	        MHD_OPTION_STRICT_FOR_CLIENT, 1,
#endif
	        MHD_OPTION_CONNECTION_LIMIT, endpoint->local ? limits->connections_local : limits->connections_tcp,
	        MHD_OPTION_PER_IP_CONNECTION_LIMIT, endpoint->local ? 0u : limits->connections_address, MHD_OPTION_CONNECTION_TIMEOUT,
	        limits->quiet_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes,
	        NULL, MHD_OPTION_URI_LOG_CALLBACK, http_on_target, endpoint, MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, endpoint,
	        MHD_OPTION_NOTIFY_CONNECTION, on_connection, endpoint, MHD_OPTION_ARRAY, endpoint->tls ? tls : none, MHD_OPTION_END);
	if (!endpoint->mhd)
		return error_set(err, ERROR_BENCH, EINVAL, "the HTTP server does not start: %s",
		                 endpoint->complaint[0] ? endpoint->complaint : "no reason given");
	return 0;
}

static int endpoint_attach(struct http_endpoint *endpoint, struct error *err)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(endpoint->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	sd_event *event = endpoint->server->event;
	int r;

	if (!info)
		return error_set(err, ERROR_BENCH, ENOTSUP, "the HTTP library has no epoll");
	r = sd_event_add_io(event, &endpoint->io, info->epoll_fd, EPOLLIN, on_ready, endpoint);
	if (r >= 0)
		r = sd_event_add_time(event, &endpoint->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, endpoint);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "event loop: %s", strerror(-r)) : 0;
}

static int open_sockets(struct http_server *server, const struct http_listen *listen, struct error *err)
{
	struct http_endpoint *local = &server->endpoints[HTTP_LOCAL], *tcp = &server->endpoints[HTTP_TCP];
	int r = 0;

	local->local = true;
	if (!listen->certificate != !listen->key)
		return error_set(err, ERROR_USAGE, EINVAL, "a certificate needs its key, and a key its certificate");
	if (listen->certificate) {
		tcp->tls = true;
		r = read_pem(&tcp->certificate, listen->certificate, err);
		if (r == 0)
			r = read_pem(&tcp->key, listen->key, err);
	}
	if (r == 0 && listen->socket_fd >= 0)
		r = http_socket_given(&local->socket, listen->socket_fd, true, false, err);
	else if (r == 0 && listen->socket_path)
		r = http_socket_unix(&local->socket, listen->socket_path, err);
	if (r == 0 && listen->tcp_fd >= 0)
		r = http_socket_given(&tcp->socket, listen->tcp_fd, false, tcp->tls, err);
	else if (r == 0 && listen->address)
		r = http_socket_tcp(&tcp->socket, listen->address, tcp->tls, err);
	if (r == 0 && local->socket.fd < 0 && tcp->socket.fd < 0)
		r = error_set(err, ERROR_USAGE, EINVAL, "there is nothing to listen on");
	return r;
}

static int copy_names(struct http_server *server, const char *const *names)
{
	size_t count = 0;

	while (names && names[count])
		count++;
	server->names = calloc(count + 1, sizeof(*server->names));
	for (size_t i = 0; server->names && i < count; i++) {
		server->names[i] = strdup(names[i]);
		if (!server->names[i])
			return -ENOMEM;
	}
	return server->names ? 0 : -ENOMEM;
}

static int start(struct http_server *server, const struct http_listen *listen, struct error *err)
{
	int r = open_sockets(server, listen, err);

	if (r == 0 && copy_names(server, listen->names) < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	for (size_t i = 0; i < HTTP_ENDPOINTS && r == 0; i++)
		if (server->endpoints[i].socket.fd >= 0) {
			r = endpoint_start(&server->endpoints[i], err);
			if (r == 0)
				r = endpoint_attach(&server->endpoints[i], err);
		}
	if (r < 0)
		return r;
	r = sd_event_add_time_relative(server->event, &server->tick, CLOCK_MONOTONIC, (uint64_t)server->limits.tick_ms * 1000, 0, on_tick,
	                               server);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "event loop: %s", strerror(-r)) : 0;
}

int http_server_new_limited(struct http_server **ret, sd_event *event, const struct http_listen *listen, const struct http_route *routes,
                            size_t route_count, http_token token, void *context, const struct http_limits *limits, struct error *err)
{
	struct http_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	server->event = sd_event_ref(event);
	server->limits = *limits;
	server->routes = routes;
	server->route_count = route_count;
	server->token = token;
	server->context = context;
	server->loopback_role = listen->loopback_role;
	list_init(&server->connections);
	list_init(&server->streams);
	list_init(&server->lingers);
	list_init(&server->kept);
	for (size_t i = 0; i < HTTP_ENDPOINTS; i++) {
		server->endpoints[i].server = server;
		server->endpoints[i].socket.fd = -1;
	}
	r = start(server, listen, err);
	if (r < 0) {
		http_server_free(server);
		return r;
	}
	*ret = server;
	return 0;
}

int http_server_new(struct http_server **ret, sd_event *event, const struct http_listen *listen, const struct http_route *routes,
                    size_t route_count, http_token token, void *context, struct error *err)
{
	return http_server_new_limited(ret, event, listen, routes, route_count, token, context, &http_limits_default, err);
}

/* ---- end ---- */

static void endpoint_stop(struct http_endpoint *endpoint)
{
	if (endpoint->mhd) {
		/* What was suspended must run once more before the library may be stopped; and what was answered gets out. */
		for (int i = 0; i < 3; i++)
			(void)MHD_run(endpoint->mhd);
		MHD_stop_daemon(endpoint->mhd);
	}
	endpoint->mhd = NULL;
	sd_event_source_disable_unref(endpoint->io);
	sd_event_source_disable_unref(endpoint->timer);
	http_socket_close(&endpoint->socket);
	if (endpoint->key)
		explicit_bzero(endpoint->key, strlen(endpoint->key));
	free(endpoint->key);
	free(endpoint->certificate);
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	server->closing = true;
	http_streams_end(server);
	for (struct http_link *link = server->connections.next, *next; link != &server->connections; link = next) {
		struct http_connection *connection = (struct http_connection *)link;

		next = link->next;
		if (connection->request)
			http_request_gone(connection->request);
	}
	for (size_t i = 0; i < HTTP_ENDPOINTS; i++)
		endpoint_stop(&server->endpoints[i]);
	/* Their handlers still hold them, and answer some day. */
	for (struct http_link *link = server->kept.next, *next; link != &server->kept; link = next) {
		next = link->next;
		((struct http_request *)link)->server = NULL;
		http_list_remove(link);
	}
	http_lingers_end(server);
	sd_event_source_disable_unref(server->tick);
	for (size_t i = 0; server->names && server->names[i]; i++)
		free(server->names[i]);
	free(server->names);
	sd_event_unref(server->event);
	free(server);
}

unsigned http_server_port(const struct http_server *server)
{
	return http_socket_port(server->endpoints[HTTP_TCP].socket.fd);
}

unsigned http_server_connections(const struct http_server *server)
{
	return server->connection_count;
}

/* ---- connections ---- */

static void connection_opened(struct http_endpoint *endpoint, struct MHD_Connection *mhd, void **ret)
{
	const union MHD_ConnectionInfo *info; /* one place for all answers: each is used before the next question */
	struct http_connection *connection = calloc(1, sizeof(*connection));

	*ret = connection;
	if (!connection)
		return; /* its first request is refused */
	connection->endpoint = endpoint;
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	connection->fd = info ? info->connect_fd : -1;
	info = endpoint->local ? NULL : MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	connection->loopback = info && info->client_addr && http_is_loopback(info->client_addr);
	connection->deadline_ms = http_now_ms() + endpoint->server->limits.header_ms;
	http_list_add(&endpoint->server->connections, &connection->link);
	endpoint->server->connection_count++;
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	struct http_endpoint *endpoint = context;
	struct http_connection *connection = *socket_context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		connection_opened(endpoint, mhd, socket_context);
		return;
	}
	*socket_context = NULL;
	if (!connection)
		return;
	http_connection_unwatch(connection);
	http_list_remove(&connection->link);
	endpoint->server->connection_count--;
	/* At its limit the library stops to listen, and begins again in the run after the one that closed a connection. */
	endpoint->again = true;
	free(connection);
}

static int on_client_end(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct http_connection *connection = context;

	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	connection->gone = true;
	if (connection->stream)
		http_stream_gone(connection->stream);
	else if (connection->request)
		http_request_gone(connection->request);
	return 0;
}

void http_connection_watch(struct http_connection *connection)
{
	if (connection->watch)
		(void)sd_event_source_set_enabled(connection->watch, SD_EVENT_ON);
	else if (connection->fd >= 0)
		(void)sd_event_add_io(connection->endpoint->server->event, &connection->watch, connection->fd, EPOLLRDHUP, on_client_end,
		                      connection);
}

void http_connection_unwatch(struct http_connection *connection)
{
	connection->watch = sd_event_source_disable_unref(connection->watch);
}

void http_connection_cut(struct http_connection *connection)
{
	connection->deadline_ms = 0;
	if (connection->fd >= 0)
		(void)shutdown(connection->fd, SHUT_RDWR);
}
