/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of the pcapng file format (IETF draft-ietf-opsawg-pcapng), in the byte order of the machine. Each function
 * appends one whole block: 0 or -ENOMEM, and then nothing was appended.
 */
#ifndef HARNESS_LINK_PCAPNG_H
#define HARNESS_LINK_PCAPNG_H

#include "../base/bytes.h"

#define PCAPNG_LINKTYPE_ETHERNET 1
#define PCAPNG_LINKTYPE_CAN      227 /* CAN_SOCKETCAN */
#define PCAPNG_LINKTYPE_RAW      101 /* an IPv4 or IPv6 header comes first */

int pcapng_section(struct bytes *, const char *application, const char *comment) WARN_UNUSED;
/* Time stamps of the interface are in nanoseconds. */
int pcapng_interface(struct bytes *, uint16_t linktype, const char *name, const char *description) WARN_UNUSED;
/* Enhanced Packet Block; realtime_ns since 1970-01-01 UTC; original: length on the wire (>= length). */
int pcapng_packet(struct bytes *, uint32_t interface, int64_t realtime_ns, const void *data, size_t length, size_t original) WARN_UNUSED;
int pcapng_statistics(struct bytes *, uint32_t interface, int64_t realtime_ns, uint64_t received, uint64_t dropped) WARN_UNUSED;
/* Decryption Secrets Block of TLS key log lines (section 4.7). The bytes are grown once: no copy is left behind. */
int pcapng_tls_secrets(struct bytes *, const void *lines, size_t length) WARN_UNUSED;

#endif
