/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks, and from where: what the headers of a request and its connection say. */
#ifndef HARNESS_DAEMON_HTTP_HTTP_WHO_H
#define HARNESS_DAEMON_HTTP_HTTP_WHO_H

#include "http.h"

struct http_request;

/* Host, or the authority of a target: an address, "localhost" or one of names, with or without a port. */
bool http_host_allowed(const char *host, const char *const *names);
/* Whether what a browser says of the request's origin makes it another site's. Arguments may be NULL. */
bool http_cross_site(const char *fetch_site, const char *origin, const char *host, bool tls);
/* The value of the cookie `name` in a Cookie header, into value; false: none, or longer than size. */
bool http_cookie_value(const char *header, const char *name, char *value, size_t size);
/* The name of a user of the system, or "uid 1234". */
void http_user_name(uid_t, char *name, size_t size);
bool http_peer_of(int fd, uid_t *ret);

/* Fills in user and role, or answers (403, 401) and returns false. */
bool http_who(struct http_request *);
/* Whether the role is enough and no other site is behind it; answers otherwise. */
bool http_may(struct http_request *);

#endif
