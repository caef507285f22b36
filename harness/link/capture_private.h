/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_LINK_CAPTURE_PRIVATE_H
#define HARNESS_LINK_CAPTURE_PRIVATE_H

#include <sys/types.h>

#include "../base/bytes.h"
#include "address.h"
#include "capture.h"

#define CAPTURE_TAP 0U /* number of the interface "tap" */

struct capture_device;
struct capture_bus;

/* Where in the file something is that a rewritten file has in front instead (section, interfaces, secrets). */
struct capture_range {
	off_t offset;
	size_t length;
};

struct capture {
	struct loop *loop;
	char *path;
	int fd;
	bool allow_secrets, failed;
	struct error failure;
	off_t written;        /* the file is whole up to here */
	struct bytes pending; /* whole blocks that are not written yet */
	struct bytes header;  /* section and interfaces, as a rewritten file begins */
	sd_event_source *flush_timer;
	struct capture_range *moved;
	unsigned moved_count;
	char *secrets; /* every line once, each with its newline */
	size_t secrets_length, secrets_capacity;
	off_t first_packet; /* -1: none yet */
	bool late_secrets;  /* some came after the first packet */
	unsigned interfaces;
	struct capture_flow *flows;
	struct capture_device *devices;
	struct capture_bus *buses;
};

/* Whether a device capture of our own namespace shows every IPv4 packet between these two: it is real and has the
 * kernel's stamps, and the same connection rebuilt beside it would look to a reader like a repetition. */
bool capture_device_shows(const struct capture *, const struct address *, const struct address *);

/* The file is broken off: nothing more is written. */
void capture_fail(struct capture *, int code, const char *what);
/* Appends an Enhanced Packet Block; at: CLOCK_MONOTONIC as everywhere. */
void capture_packet(struct capture *, unsigned interface, const void *data, size_t length, size_t original, struct instant at);
/* A new interface; its number, or -errno. */
int capture_interface(struct capture *, uint16_t linktype, const char *name, const char *description) WARN_UNUSED;
void capture_statistics(struct capture *, unsigned interface, uint64_t received, uint64_t dropped);
/* Writes what is pending. */
void capture_flush(struct capture *);
/* Writes the file anew with all secrets in front of all packets. The old file stays as it is if that fails. */
int capture_rewrite(struct capture *, struct error *) WARN_UNUSED;
void capture_flows_free(struct capture *);
void capture_buses_free(struct capture *);
/* Reads what the kernel still holds, writes the statistics, closes the devices. */
void capture_devices_close(struct capture *);

#endif
