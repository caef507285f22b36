/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of harness/link share. */
#ifndef HARNESS_TESTS_LINK_TEST_H
#define HARNESS_TESTS_LINK_TEST_H

#include <check.h>
#include <string.h>

#include "../../base/bytes.h"
#include "../../base/loop.h"
#include "../../base/timeline.h"
#include "../../link/capture.h"
#include "../../link/stream.h"

#define SECOND_NS 1000000000LL

Suite *stream_suite(void);
Suite *tls_suite(void);
Suite *capture_suite(void);
Suite *relay_suite(void);
Suite *watch_suite(void);
Suite *datagram_suite(void);

/* ---- one bench: a loop, a timeline in memory, a folder of its own ---- */
struct bench {
	struct loop *loop;
	struct timeline *timeline;
	struct capture *capture; /* NULL unless opened */
	char folder[64], path[96];
};
extern struct bench bench;
void bench_setup(void);
void bench_teardown(void);
void bench_open_capture(bool secrets);
void bench_close_capture(void);
struct stream_environment bench_environment(const char *channel);
/* Pumps until *flag. */
void wait_for(bool *flag);
void wait_until(bool (*done)(void *), void *context);
void pump_ms(unsigned ms); /* only where it must be shown that nothing happens */
/* The nth (from 0) event of a kind, NULL when there is none; valid until the next emit. */
const struct event *event_of(const char *kind, unsigned nth);
unsigned events_of(const char *kind);
const char *event_text(const struct event *, const char *key); /* "" when absent */

/* ---- a stream and what happened to it ---- */
struct party {
	struct stream *stream;
	bool opened, closed, echo, free_when_closed;
	enum stream_end end;
	struct bytes received;
	struct instant last;
	size_t wanted; /* `enough` is set when so much came */
	bool enough;
};
struct stream_handlers party_handlers(struct party *);
void party_accept(struct stream *, void *party); /* for stream_listen() */
void party_free(struct party *);
void party_wait(struct party *, size_t bytes);
void party_send(struct party *, const void *data, size_t length);

/* ---- identities ---- */
struct tls_identity identity(const char *name, const char *peer_name); /* "vmg", "zgw-expired": both versions, verifying */

/* Runs a program; its standard output (NUL terminated) in out. -ENOENT: there is no such program. Else its status. */
int run_program(const char *const argv[], struct bytes *out);

/* ---- bytes of a DoIP conversation ---- */
extern const uint8_t activation_request[15], activation_response[17];

#endif
