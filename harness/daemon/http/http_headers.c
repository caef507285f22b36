/* SPDX-License-Identifier: Apache-2.0 */
/* What every answer says to a browser: nothing from elsewhere, in nobody's frame, to nobody else's page. */
#include <string.h>

#include "http_private.h"

static const struct {
	const char *name, *value;
} always[] = {
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
};
static const char *const policies[] = {
        [HTTP_POLICY_PAGE] = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        /* Made by a run, so by whoever wrote the test: no origin, nothing loaded from anywhere. */
        [HTTP_POLICY_RUN_CONTENT] = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action "
                                    "'none'; frame-ancestors 'none'",
        /* A report folds and filters with a script of its own; that of another page gets no further: its origin is opaque, so it has no
         * cookie, and it may connect to nothing. */
        [HTTP_POLICY_RUN_PAGE] = "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                                 "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
};

void http_headers_add(struct http_request *request, struct MHD_Response *response, enum http_policy policy)
{
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		(void)MHD_add_response_header(response, always[i].name, always[i].value);
	(void)MHD_add_response_header(response, "Content-Security-Policy", policies[policy]);
	if (!MHD_get_response_header(response, "Cache-Control"))
		(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	if (request->cookie)
		(void)MHD_add_response_header(response, "Set-Cookie", request->cookie);
}
