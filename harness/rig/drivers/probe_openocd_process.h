/* SPDX-License-Identifier: Apache-2.0 */
/* The program OpenOCD, or a script that starts it: a child that never outlives this process, nor does whatever it started. It has a process
 * group of its own, so that a Ctrl-C at the terminal is for this process. What it says goes to a log file, which tells why something
 * failed.
 */
#ifndef HARNESS_RIG_DRIVERS_PROBE_OPENOCD_PROCESS_H
#define HARNESS_RIG_DRIVERS_PROBE_OPENOCD_PROCESS_H

#include "../../base/loop.h"

struct openocd_process;

/* words[0] is the program's path. *ret only on success. */
int openocd_process_start(struct openocd_process **ret, struct loop *, char *const *words, const char *log, struct error *) WARN_UNUSED;
/* Ends it with all that it started: asked first when it is `well` (it lets go of its adapter then), killed after half a second or at once.
 * NULL allowed. */
void openocd_process_end(struct openocd_process *, bool well);

bool openocd_process_alive(const struct openocd_process *);
int openocd_process_id(const struct openocd_process *); /* 0: it ended */
/* "ended with status 1", "" while it lives. */
const char *openocd_process_reason(const struct openocd_process *);
/* Of the TCL server, 0: not told yet. */
unsigned openocd_process_port(struct openocd_process *);

/* Marks in what it says: where this process began, and now. */
uint64_t openocd_process_begin(const struct openocd_process *);
uint64_t openocd_process_mark(const struct openocd_process *);
/* The first line since the mark that holds the words, without its end; NULL: none. Valid until the next question. */
const char *openocd_process_said(struct openocd_process *, uint64_t mark, const char *words);
/* Its lines of errors since the mark, at most three, joined by "; "; of a program that never listened, its last line. */
void openocd_process_errors(struct openocd_process *, uint64_t mark, char *ret, size_t size);

#endif
