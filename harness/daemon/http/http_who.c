/* SPDX-License-Identifier: Apache-2.0 */
#include "http_who.h"

#include <arpa/inet.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_private.h"

#define COOKIE     "hilbench_session"
#define TOKEN_SIZE 256

/* ---- where from ---- */

static bool is_digits(const char *text)
{
	return *text != '\0' && strspn(text, "0123456789") == strlen(text) && strlen(text) <= 5;
}

static bool is_address(const char *name)
{
	struct in_addr v4;

	return inet_pton(AF_INET, name, &v4) == 1;
}

/* "[::1]:80" */
static bool is_v6(const char *host)
{
	const char *end = strchr(host, ']');
	struct in6_addr v6;
	char name[64];

	if (host[0] != '[' || !end || (size_t)(end - host) > sizeof(name) || (end[1] != '\0' && (end[1] != ':' || !is_digits(end + 2))))
		return false;
	memcpy(name, host + 1, (size_t)(end - host) - 1);
	name[end - host - 1] = '\0';
	return inet_pton(AF_INET6, name, &v6) == 1;
}

bool http_host_allowed(const char *host, const char *const *names)
{
	char name[256];
	size_t length;

	if (host[0] == '[')
		return is_v6(host);
	length = strcspn(host, ":");
	if (length == 0 || length >= sizeof(name) || (host[length] == ':' && !is_digits(host + length + 1)))
		return false;
	memcpy(name, host, length);
	name[length - (length > 1 && name[length - 1] == '.')] = '\0';
	if (is_address(name) || strcasecmp(name, "localhost") == 0)
		return true;
	for (size_t i = 0; names && names[i]; i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

bool http_cross_site(const char *fetch_site, const char *origin, const char *host, bool tls)
{
	const char *scheme = tls ? "https://" : "http://";

	/* "same-site" is another port or name of this host, and no less another site. */
	if (fetch_site)
		return strcmp(fetch_site, "same-origin") != 0 && strcmp(fetch_site, "none") != 0;
	if (!origin)
		return false; /* no browser */
	return !host || strncasecmp(origin, scheme, strlen(scheme)) != 0 || strcasecmp(origin + strlen(scheme), host) != 0;
}

bool http_cookie_value(const char *header, const char *name, char *value, size_t size)
{
	size_t name_length = strlen(name);

	while (header && *header) {
		size_t length;

		header += strspn(header, " ;\t");
		length = strcspn(header, ";");
		if (length > name_length && strncmp(header, name, name_length) == 0 && header[name_length] == '=') {
			header += name_length + 1;
			length -= name_length + 1;
			while (length > 0 && (header[length - 1] == ' ' || header[length - 1] == '\t'))
				length--;
			if (length == 0 || length >= size)
				return false;
			memcpy(value, header, length);
			value[length] = '\0';
			return true;
		}
		header += length;
	}
	return false;
}

/* ---- who ---- */

void http_user_name(uid_t uid, char *name, size_t size)
{
	struct passwd entry, *found = NULL;
	char buffer[4096];

	if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) == 0 && found && found->pw_name[0] &&
	    http_is_utf8(found->pw_name, strlen(found->pw_name)))
		(void)snprintf(name, size, "%s", found->pw_name);
	else
		(void)snprintf(name, size, "uid %u", (unsigned)uid);
}

bool http_peer_of(int fd, uid_t *ret)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || length != sizeof(peer))
		return false;
	*ret = peer.uid;
	return true;
}

/* Asked once a connection: a directory service behind the names may be slow. */
static bool who_local(struct http_request *request)
{
	struct http_connection *connection = request->connection;

	if (!connection->user_known) {
		if (!http_peer_of(connection->fd, &connection->uid)) {
			http_answer_error(request, HTTP_UNAUTHORIZED, "the socket does not say who is there");
			return false;
		}
		http_user_name(connection->uid, connection->user, sizeof(connection->user));
		connection->role = connection->uid == 0 || connection->uid == geteuid() ? ROLE_ADMIN : ROLE_OPERATOR;
		connection->user_known = true;
	}
	memcpy(request->user, connection->user, sizeof(request->user));
	request->role = connection->role;
	return true;
}

/* A token in a header that is none is a mistake, and told; nobody falls back to less than was asked for. */
static bool who_bearer(struct http_request *request, const char *authorization)
{
	const char *token = authorization + 6;

	if (strncasecmp(authorization, "Bearer", 6) == 0 && *token == ' ') {
		token += strspn(token, " ");
		if (strlen(token) < TOKEN_SIZE && request->server->token)
			request->role = request->server->token(token, false, request->user, request->server->context);
	}
	request->bearer = request->credentials = true;
	if (request->role != ROLE_NOBODY)
		return true;
	http_answer_error(request, HTTP_UNAUTHORIZED, "this token is not known, or over");
	return false;
}

static void who_cookie(struct http_request *request)
{
	char token[TOKEN_SIZE];

	if (!request->server->token || !http_cookie_value(http_header(request, "Cookie"), COOKIE, token, sizeof(token)))
		return;
	request->role = request->server->token(token, true, request->user, request->server->context);
	request->credentials = request->role != ROLE_NOBODY;
	explicit_bzero(token, sizeof(token));
}

bool http_who(struct http_request *request)
{
	const char *const *names = (const char *const *)request->server->names;
	const char *host = http_header(request, "Host"), *authorization = http_header(request, "Authorization");

	if (request->connection->endpoint->local)
		return who_local(request);
	const char *asked = host && !http_host_allowed(host, names) ? host : request->target.authority;

	if (asked && (asked == host || !http_host_allowed(asked, names))) {
		http_answer_error(request, HTTP_FORBIDDEN, "this server does not go by the name '%.200s'", asked);
		return false;
	}
	if (authorization)
		return who_bearer(request, authorization);
	who_cookie(request);
	/* A session that is over is no session: the loopback role is what is left. */
	if (request->role == ROLE_NOBODY && request->connection->loopback && request->server->loopback_role != ROLE_NOBODY) {
		request->role = request->server->loopback_role;
		memcpy(request->user, "loopback", sizeof("loopback"));
	}
	return true;
}

static bool changes_something(const char *method)
{
	return strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0 && strcmp(method, "OPTIONS") != 0;
}

bool http_may(struct http_request *request)
{
	static const char *const names[] = {"nobody", "a viewer", "an operator", "an admin"};
	const struct http_endpoint *endpoint = request->connection->endpoint;
	enum token_role least = request->match.route->least;

	if (request->role < least) {
		if (request->role == ROLE_NOBODY)
			http_answer_error(request, HTTP_UNAUTHORIZED, "a token is needed");
		else
			http_answer_error(request, HTTP_FORBIDDEN, "this is for %s, and %s is %s", names[least], request->user,
			                  names[request->role]);
		return false;
	}
	if (!endpoint->local && !request->bearer && changes_something(request->method) &&
	    http_cross_site(http_header(request, "Sec-Fetch-Site"), http_header(request, "Origin"), http_header(request, "Host"),
	                    endpoint->tls)) {
		http_answer_error(request, HTTP_FORBIDDEN, "this comes from another site");
		return false;
	}
	return true;
}
