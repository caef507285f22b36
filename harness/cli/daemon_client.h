/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to hilbenchd (docs/reference/api.md) on libcurl: bounded answers, time limits, errors worded for people. Errors: ERROR_USAGE for
 * what the daemon refuses (-EINVAL 400, -EACCES 401, -EPERM 403, -ENOENT 404, -EBUSY 409, -ESTALE 410, -EFBIG 413, -EHOSTDOWN 422),
 * ERROR_BENCH for what it cannot do (-EAGAIN 429, -EIO 500, -ESHUTDOWN 503, -ENOSPC 507) and for a daemon that is not there (-ECONNREFUSED,
 * -ECONNRESET, -ETIMEDOUT), ERROR_OPERATOR with -ECANCELED when a signal came.
 */
#ifndef HARNESS_CLI_DAEMON_CLIENT_H
#define HARNESS_CLI_DAEMON_CLIENT_H

#include <curl/curl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon_place.h"

struct daemon_client;
int daemon_client_new(struct daemon_client **ret, const struct daemon_where *, struct error *err) WARN_UNUSED;
/* Another one of the same daemon, for another process. */
int daemon_client_again(struct daemon_client **ret, const struct daemon_client *, struct error *err) WARN_UNUSED;
void daemon_client_free(struct daemon_client *); /* NULL allowed */
const char *daemon_client_name(const struct daemon_client *);

/* SIGINT, SIGTERM and SIGHUP are kept from then on, and end a request that is under way with -ECANCELED until they are taken. */
int daemon_client_catch_signals(struct daemon_client *, struct error *err) WARN_UNUSED;
/* Takes a signal that came; 0: none did. */
int daemon_client_signal(struct daemon_client *);
int daemon_client_signal_fd(const struct daemon_client *); /* readable when one came; -1: they are not caught */

struct daemon_request {
	const char *method; /* NULL: GET */
	const char *path;   /* "/api/v1/jobs"; words of others escaped by daemon_escape() */
	const json_t *json; /* body, or NULL */
	const void *bytes;  /* body that is no JSON, or NULL */
	size_t length;      /* of bytes */
	bool from_file;     /* the body is what `file` holds from its beginning, `file_size` bytes of it, read as it is sent */
	int file;
	uint64_t file_size;
	int64_t patience_ns; /* asks again for so long while the daemon is not there: only for what may be asked twice */
	long limit_ms;       /* 0: 30 s */
	bool whole;          /* a signal does not end it: it waits */
	/* Takes the body of a good answer in place of *ret; negative -errno ends the request. NULL: it is JSON, of at most 64 MiB. */
	int (*sink)(const void *data, size_t length, void *context);
	void *context;
};
/* *ret: new reference, NULL when the answer is empty. ret, ret_status may be NULL. */
int daemon_ask(struct daemon_client *, const struct daemon_request *, long *ret_status, json_t **ret, struct error *err) WARN_UNUSED;
/* GET of a path by its format. */
int daemon_get(struct daemon_client *, json_t **ret, struct error *err, const char *format, ...) PRINTF_LIKE(4, 5) WARN_UNUSED;
/* POST of a body (stolen, may be NULL); ret may be NULL. */
int daemon_post(struct daemon_client *, json_t *stolen, json_t **ret, struct error *err, const char *format, ...)
        PRINTF_LIKE(5, 6) WARN_UNUSED;
/* Into a file, which is replaced as a whole or not touched; sha256: what it must be, or NULL. */
int daemon_save(struct daemon_client *, const char *file, const char *sha256, struct error *err, const char *format, ...)
        PRINTF_LIKE(5, 6) WARN_UNUSED;
/* The daemon is not there now, and may be again: not a refusal. */
bool daemon_is_away(int r);
/* A word for a path or query; slashes: they stay. Newly allocated, NULL: out of memory. */
char *daemon_escape(const char *word, bool slashes);

/* ---- for daemon_stream.c ---- */
/* A transfer of a path with the daemon's address, token and TLS set; the caller's from then on. NULL: out of memory. */
CURL *daemon_client_transfer(struct daemon_client *, const char *path);
/* The client's headers and one more; newly allocated, NULL: out of memory. */
struct curl_slist *daemon_client_headers(const struct daemon_client *, const char *more);
/* What an answer that is no success means. */
int daemon_refused(const struct daemon_client *, long status, const char *body, size_t length, struct error *err);

#endif
