/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passive observer of one TCP connection between two others: finds TLS records and handshake messages, the moment the
 * handshake is complete, alerts, and DoIP messages (plain, or decrypted when the key log lines of the session are
 * known: TLS 1.2 and 1.3 AEAD suites). Emits the tls.* and doip events of docs/reference/journal.md. Bytes in, events
 * out; never fails on rubbish (it stops looking and says so once).
 */
#ifndef HARNESS_LINK_WATCH_H
#define HARNESS_LINK_WATCH_H

#include "../base/bytes.h"
#include "../base/timeline.h"

/* `conn` of the events. timeline may be NULL (callbacks only). NULL: out of memory. */
struct watch;
struct watch *watch_new(struct timeline *, const char *channel, uint64_t connection);
void watch_free(struct watch *); /* settles first (see below); NULL allowed */
void watch_bytes(struct watch *, bool from_client, const uint8_t *data, size_t length, struct instant at);
/* Secrets may come before or after the bytes: encrypted records wait (at most 512 KiB a direction) with their stamps,
 * so that an event may be emitted late but carries the time of its segment. Lines of other connections are ignored. */
void watch_secret(struct watch *, const char *line);
/* Called at each TLS event by name: "client_hello", "server_hello", "client_finished", "finished", "alert"; may be NULL.
 * "client_finished" is told as soon as a record has the size of one, before it is decrypted. Must not free the watch. */
void watch_on_tls(struct watch *, void (*callback)(const char *event, void *), void *context);
/*
 * Gives the decoded fields of one whole DoIP message (header included) as a new object, or NULL. They are merged into
 * the data of the doip event; conn, side, type, length and hex stay those of the watch. Without it the event has
 * these alone. A message of more than 64 KiB is given cut off.
 */
typedef json_t *(*watch_doip_describe)(const uint8_t *message, size_t length, void *context);
void watch_on_doip(struct watch *, watch_doip_describe, void *context);
/*
 * TLS 1.3 without secrets: the client's Finished is told by the size of its record (4 + hash + 17 bytes), and the
 * events have `"inferred":true`. That waits WATCH_SECRET_DELAY_NS for secrets; watch_deadline_ns() is the
 * CLOCK_MONOTONIC time at which watch_settle() has something to do, INT64_MAX when nothing waits. INT64_MAX as the time
 * gives up all waiting.
 */
#define WATCH_SECRET_DELAY_NS 250000000LL
int64_t watch_deadline_ns(const struct watch *);
void watch_settle(struct watch *, int64_t now_ns);

#endif
