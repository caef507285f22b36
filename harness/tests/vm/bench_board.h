/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A board that is nothing but a console: while it has power and is not held in reset it tells its boot stages, repeats lines that it is
 * told and answers bytes. For tests only.
 */
#ifndef HARNESS_TESTS_VM_BENCH_BOARD_H
#define HARNESS_TESTS_VM_BENCH_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench_board {
	void *context;
	void (*print)(void *context, const void *data, size_t length);
	/* "power on", "held", "boot 3", "heard …": what happens to it. */
	void (*tell)(void *context, const char *text);
	bool powered, held, echo;
	unsigned boots;
	char line[256];
	size_t length;
};

void bench_board_power(struct bench_board *, bool on);
void bench_board_hold(struct bench_board *, bool on);
/* From its console. With `echo` every byte comes back as it is, else whole lines are repeated. */
void bench_board_hear(struct bench_board *, const uint8_t *data, size_t length);
void bench_board_print(struct bench_board *, const void *data, size_t length);

#endif
