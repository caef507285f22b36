/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks of the timeline: see timeline.h. */
#include <stddef.h>
#include <time.h>

#include "timeline.h"

#define USER_UNCERTAINTY_NS 1000 /* from reading the clock to the instruction that asked for it */
#define BRACKET_TRIES       5    /* the narrowest is kept: one of several is rarely interrupted */

static struct {
	int64_t offset_ns, half_width_ns;
	bool known;
} bracket;

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

const char *clock_source_name(enum clock_source source)
{
	static const char *const names[] = {
	        [CLOCK_SOURCE_USER] = "user", [CLOCK_SOURCE_KERNEL] = "kernel", [CLOCK_SOURCE_HARDWARE] = "hardware"};

	return names[source];
}

struct instant instant_now(void)
{
	return (struct instant){.ns = clock_ns(CLOCK_MONOTONIC), .source = CLOCK_SOURCE_USER, .uncertainty_ns = USER_UNCERTAINTY_NS};
}

void clock_bracket(void)
{
	int64_t before_ns, real_ns, after_ns, best_ns = INT64_MAX;

	for (unsigned i = 0; i < BRACKET_TRIES; i++) {
		before_ns = clock_ns(CLOCK_MONOTONIC);
		real_ns = clock_ns(CLOCK_REALTIME);
		after_ns = clock_ns(CLOCK_MONOTONIC);
		if (after_ns - before_ns >= best_ns)
			continue;
		best_ns = after_ns - before_ns;
		bracket.offset_ns = real_ns - (before_ns + best_ns / 2);
		bracket.half_width_ns = (best_ns + 1) / 2;
	}
	bracket.known = true;
}

int64_t clock_realtime_offset_ns(void)
{
	if (!bracket.known)
		clock_bracket();
	return bracket.offset_ns;
}

int64_t clock_run_offset_ns(void)
{
	static int64_t offset_ns;
	static bool known;

	if (!known)
		offset_ns = clock_realtime_offset_ns();
	known = true;
	return offset_ns;
}

struct instant instant_from_realtime(int64_t realtime_ns)
{
	int64_t offset_ns = clock_realtime_offset_ns();

	return (struct instant){.ns = realtime_ns - offset_ns, .source = CLOCK_SOURCE_KERNEL, .uncertainty_ns = bracket.half_width_ns};
}
