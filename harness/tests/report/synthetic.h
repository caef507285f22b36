/* SPDX-License-Identifier: Apache-2.0 */
/* Journals of runs that never were. */
#ifndef HARNESS_TESTS_REPORT_SYNTHETIC_H
#define HARNESS_TESTS_REPORT_SYNTHETIC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct synthetic {
	char directory[64]; /* of the run; removed by synthetic_remove() */
	FILE *file;
	int64_t now_ns;
	unsigned long number;
};
void synthetic_begin(struct synthetic *);                             /* an empty run directory and journal */
void synthetic_run(struct synthetic *, const char *host);             /* run.begin, virtual */
void synthetic_end(struct synthetic *, int status, bool interrupted); /* run.end */
/* One event; data is JSON text or NULL. */
void synthetic_event(struct synthetic *, const char *channel, const char *kind, const char *data_format, ...)
        __attribute__((format(printf, 4, 5)));
void synthetic_raw(struct synthetic *, const void *data, size_t length); /* into the journal as it is */
void synthetic_case_begin(struct synthetic *, const char *id, const char *file, int attempt);
void synthetic_case_end(struct synthetic *, const char *id, int attempt, const char *verdict, const char *cause, const char *message);
void synthetic_samples(struct synthetic *, const char *case_id, unsigned count, bool result);
/* Events secoc.sweep of a case: the first one of a run is that of forgeries, 196,608 of a MAC of 16 bits. */
void synthetic_sweep(struct synthetic *, int accepted, bool complete);
void synthetic_close(struct synthetic *);                         /* the journal is whole */
char *synthetic_read(const struct synthetic *, const char *name); /* a file of the run; test fails if it is not there */
bool synthetic_has(const struct synthetic *, const char *name);
void synthetic_remove(struct synthetic *);

#endif
