/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of the daemon in the text format of Prometheus, version 0.0.4. */
#ifndef HARNESS_DAEMON_API_METRICS_H
#define HARNESS_DAEMON_API_METRICS_H

#include <jansson.h>

#include "../lab/lab.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct metrics_figures {
	struct lab_figures lab;
	const json_t *rigs; /* array of rigs as the API shows them */
	const char *version;
	uint64_t book_bytes, free_bytes, memory_bytes, viewers_dropped;
	unsigned viewers;
	int64_t lag_ns; /* the most that the loop was late within the last minute */
	int64_t started_utc_ns;
	bool accepts_jobs;
};
/* Newly allocated; NULL: out of memory. */
char *metrics_text(const struct metrics_figures *, size_t *ret_length);

#endif
