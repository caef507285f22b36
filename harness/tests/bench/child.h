/* SPDX-License-Identifier: Apache-2.0 */
/* A program of ours started for a benchmark; it dies with us. */
#ifndef HARNESS_TESTS_BENCH_CHILD_H
#define HARNESS_TESTS_BENCH_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct child {
	pid_t pid;
	FILE *input, *output; /* its standard input and output */
};

/* program as program_find() knows it; argv[0] is put in by this function, argv ends with NULL. Exits on failure. */
void child_start(struct child *, const char *program, const char *const *arguments);
/* Reads lines until one holds the text. false at the end of the output. */
bool child_wait_line(struct child *, const char *text, char *line, size_t size);
/* Ends it (if it still runs), returns its exit status or -1. */
int child_stop(struct child *);

#endif
