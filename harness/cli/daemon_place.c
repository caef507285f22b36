/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon_place.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../base/log.h"

#define TOKEN_MAX 512

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

static const char *environment(const char *name)
{
	const char *text = getenv(name);
	return text && *text ? text : NULL;
}

static int set_socket(struct daemon_place *place, const char *path, struct error *err)
{
	if (*path != '/' || strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return error_set(err, ERROR_USAGE, EINVAL, "\"%s\" is no path of a UNIX socket: it begins with / and has at most %zu bytes",
		                 path, sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
	place->socket = strdup(path);
	place->base = strdup("http://localhost");
	place->name = strdup(path);
	place->is_local = 1;
	return place->socket && place->base && place->name ? 0 : no_memory(err);
}

static int is_loopback(const char *host)
{
	return !strcasecmp(host, "localhost") || !strncmp(host, "127.", 4) || !strcmp(host, "[::1]");
}

/* What stands in a URL besides scheme, host and port must not be there. */
static int has_more(CURLU *url)
{
	static const CURLUPart parts[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT};
	char *text = NULL;
	int more = curl_url_get(url, CURLUPART_PATH, &text, 0) != CURLUE_OK || strcmp(text, "/") != 0;
	curl_free(text);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		text = NULL;
		more = more || curl_url_get(url, parts[i], &text, 0) == CURLUE_OK;
		curl_free(text);
	}
	return more;
}

static int take_url(struct daemon_place *place, CURLU *url, const char *text)
{
	char *scheme = NULL, *host = NULL, *port = NULL;
	int r = -EINVAL;
	if (curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK && !has_more(url) &&
	    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK && curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
	    (!strcmp(scheme, "http") || !strcmp(scheme, "https"))) {
		place->is_local = is_loopback(host);
		r = asprintf(&place->base, "%s://%s:%s", scheme, host, port) < 0 ? -ENOMEM : 0;
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	return r;
}

static int set_url(struct daemon_place *place, const char *text, struct error *err)
{
	if (!strncmp(text, "unix:", 5))
		return set_socket(place, text + 5, err);
	CURLU *url = curl_url();
	int r = url ? take_url(place, url, text) : -ENOMEM;
	curl_url_cleanup(url);
	if (r == 0 && !(place->name = strdup(place->base)))
		r = -ENOMEM;
	if (r == -EINVAL)
		return error_set(err, ERROR_USAGE, EINVAL,
		                 "this is no URL of a daemon: it is http://HOST:PORT, https://HOST:PORT or unix:/PATH%s",
		                 strchr(text, '@') ? ", without a user: the token goes by HILBENCH_TOKEN" : "");
	return r < 0 ? no_memory(err) : 0;
}

/* ---- the token ---- */

static int take_token(struct daemon_place *place, const char *text, const char *from, struct error *err)
{
	size_t begin = strspn(text, " \t\r\n"), length = strcspn(text + begin, " \t\r\n");
	const char *token = text + begin;
	int clean = length > 0 && length <= TOKEN_MAX && token[length + strspn(token + length, " \t\r\n")] == '\0';
	for (size_t i = 0; clean && i < length; i++)
		clean = (unsigned char)token[i] > ' ' && (unsigned char)token[i] < 0x7f;
	if (!clean)
		return error_set(err, ERROR_USAGE, EINVAL, "what %s holds is no token", from);
	place->token = strndup(token, length);
	return place->token ? 0 : no_memory(err);
}

static int read_token(struct daemon_place *place, const char *path, struct error *err)
{
	char text[TOKEN_MAX + 64];
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0) {
		int code = errno;
		if (fd >= 0)
			(void)close(fd);
		return error_set(err, ERROR_USAGE, code, "cannot read the token from %s: %s", path, strerror(code));
	}
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 077))
		log_warning("others can read the token in %s (mode %03o)", path, (unsigned)status.st_mode & 0777);
	(void)close(fd);
	text[n] = '\0';
	int r = take_token(place, text, path, err);
	explicit_bzero(text, sizeof(text));
	return r;
}

static int find_token(struct daemon_place *place, const struct daemon_where *where, struct error *err)
{
	const char *given = environment("HILBENCH_TOKEN");
	int r = 0;
	if (where->token_file)
		r = read_token(place, where->token_file, err);
	else if (given)
		r = take_token(place, given, "HILBENCH_TOKEN", err);
	if (r == 0 && place->token && !place->is_local && strncmp(place->base, "https:", 6) != 0)
		return error_set(err, ERROR_USAGE, EINVAL, "a token does not go to %s in the clear: use https", place->name);
	return r;
}

int daemon_place_find(const struct daemon_where *where, struct daemon_place *ret, struct error *err)
{
	const char *url = where->url ? where->url : environment("HILBENCH_URL"), *socket = environment("HILBENCH_SOCKET");
	const char *ca_file = where->ca_file ? where->ca_file : environment("HILBENCH_CA");
	struct daemon_place place = {0};
	int r = url ? set_url(&place, url, err) : set_socket(&place, socket ? socket : DAEMON_SOCKET, err);
	if (r == 0)
		r = find_token(&place, where, err);
	if (r == 0 && ca_file && access(ca_file, R_OK) < 0)
		r = error_set(err, ERROR_USAGE, errno, "cannot read %s: %s", ca_file, strerror(errno));
	if (r == 0 && ca_file && !(place.ca_file = strdup(ca_file)))
		r = no_memory(err);
	if (r < 0)
		daemon_place_clear(&place);
	else
		*ret = place;
	return r;
}

void daemon_place_clear(struct daemon_place *place)
{
	if (place->token)
		explicit_bzero(place->token, strlen(place->token));
	free(place->base);
	free(place->socket);
	free(place->name);
	free(place->token);
	free(place->ca_file);
	*place = (struct daemon_place){0};
}
