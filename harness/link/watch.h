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

struct watch;
struct watch *watch_new(struct timeline *, const char *channel, uint64_t connection); /* NULL: out of memory */
void watch_free(struct watch *);
void watch_bytes(struct watch *, bool from_client, const uint8_t *data, size_t length, struct instant at);
void watch_secret(struct watch *, const char *line);
/* Called at each TLS event by name ("client_hello", …); may be NULL. */
void watch_on_tls(struct watch *, void (*callback)(const char *event, void *), void *context);

#endif
