/* SPDX-License-Identifier: Apache-2.0 */
/* Drives one vboard in a test. Every wait has an end: a test that waits too long fails. */
#ifndef FIRMWARE_TESTS_SILICON_BOARD_DRIVER_H
#define FIRMWARE_TESTS_SILICON_BOARD_DRIVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct board_driver {
	pid_t pid;
	int fd;
	int next_id;
	char folder[64];
	char console[65536]; /* what the console said so far */
	size_t console_length;
	size_t console_seen;   /* up to where driver_expect() has read */
	uint64_t console_t_ns; /* stamp of the last bytes */
	char in[1 << 20];
	size_t in_length;
	json_t *events; /* others than console, oldest first */
};

/* Starts vboard with the test application; extra: further arguments, NULL-terminated, or NULL. */
void driver_start(struct board_driver *driver, const char *const *extra);
/* Closes the channel and waits for the end; returns vboard's exit status, or 128 + the signal. */
int driver_end(struct board_driver *driver);
/* Starts vboard with arguments that it has to refuse (status 2); returns what it wrote to standard error (static). */
const char *driver_refused_start(struct board_driver *driver, const char *const *extra);
/* Sends a request without waiting. */
int driver_send(struct board_driver *driver, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sends a request (without id and braces) and returns its answer (new reference). */
json_t *driver_ask(struct board_driver *driver, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, but the answer has to be ok; returns its t. */
uint64_t driver_do(struct board_driver *driver, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Waits until the console says text; returns a pointer to it. */
const char *driver_expect(struct board_driver *driver, const char *text);
/* Waits for an event of that name (new reference). */
json_t *driver_event(struct board_driver *driver, const char *name);
/* Process id of the CPU, as status tells. */
pid_t driver_cpu(struct board_driver *driver);
/* Reads for so long, at most. */
void driver_read(struct board_driver *driver, int timeout_ms);
/* True once the process is gone, within two seconds. */
bool process_gone(pid_t pid);
/* A file of size bytes in the test's folder; the path is static. */
const char *driver_file(struct board_driver *driver, const char *name, size_t size);

#endif
