/* SPDX-License-Identifier: Apache-2.0 */
/* What the requests of docs/reference/api.md mean. */
#ifndef HARNESS_DAEMON_API_API_H
#define HARNESS_DAEMON_API_API_H

#include "../http/http.h"
#include "../lab/lab.h"

struct api;
struct api_options {
	uint64_t upload_limit;
	const char *state_directory;
	unsigned retries;         /* of a job that names none */
	uint64_t retention_bytes; /* of all stored files; 0: no limit */
};
/* Borrowed lab, book, loop and state_directory outlive it. */
int api_new(struct api **ret, sd_event *, struct book *, struct lab *, const struct api_options *, struct error *err) WARN_UNUSED;
/* After http_server_free(): no request and no stream is left. */
void api_free(struct api *);
/* For http_server_new(); the context of the handlers and of api_token() is the api. */
const struct http_route *api_routes(size_t *ret_count);
enum token_role api_token(const char *token, bool cookie, char *name, void *api);
/* Requests that come from now on are answered with shutting_down. Streams end. */
void api_stop(struct api *);

#endif
