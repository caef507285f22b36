/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of bytes: serial port (8N1, up to 3 Mbit/s, RTS and DTR), TCP (raw or RFC 2217-less terminal servers) or a pseudo-terminal.
 * Binary-safe; read bytes come with the stamp of the read. One writer, several readers are the caller's business (harness/rig/console.h).
 */
#ifndef HARNESS_LINK_SERIAL_H
#define HARNESS_LINK_SERIAL_H

#include "../base/loop.h"
#include "../base/timeline.h"

struct serial;
enum serial_kind { SERIAL_TTY, SERIAL_TCP, SERIAL_PTY };
struct serial_options {
	enum serial_kind kind;
	const char *address; /* device path; HOST:PORT; path of the pty's slave (or of a link to it) */
	uint32_t baud;       /* tty; 0: 115200 */
	bool rts, dtr;       /* tty: their state while open */
	void (*received)(const void *data, size_t length, struct instant at, void *context);
	/* The line is gone (unplugged, connection closed): once. Writing fails from then on. */
	void (*gone)(const char *reason, void *context);
	void *context;
};
/* ERROR_BENCH with the path or address and what to do about it (no such device, permission: which group, in use: by whom). */
int serial_open(struct serial **ret, struct loop *, const struct serial_options *, struct error *err) WARN_UNUSED;
void serial_close(struct serial *);
/* Queues; at most 64 KiB wait (-ENOBUFS). */
int serial_write(struct serial *, const void *data, size_t length, struct error *err) WARN_UNUSED;
/* tty only: lines that may reset a board. */
int serial_set_lines(struct serial *, bool rts, bool dtr, struct error *err) WARN_UNUSED;
/* What it is and how it is, for `rig check`: "ttyUSB0 at 921600 8N1", framing errors counted by the kernel. */
struct serial_state {
	char text[96];
	unsigned frame_errors, overruns, breaks; /* 0 where not known */
};
void serial_state_read(struct serial *, struct serial_state *ret);

#endif
