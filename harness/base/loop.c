/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct loop {
	sd_event *event;
	bool cancelled;
};

int loop_new(struct loop **ret, struct error *err)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	r = sd_event_new(&loop->event);
	if (r < 0) {
		free(loop);
		return error_set(err, ERROR_BENCH, -r, "cannot make an event loop: %s", strerror(-r));
	}
	*ret = loop;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	sd_event_unref(loop->event);
	free(loop);
}

sd_event *loop_event(struct loop *loop)
{
	return loop->event;
}

int64_t loop_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Microseconds to sleep at most, rounded up so that a wake-up is never just before the deadline. */
static uint64_t time_left_us(int64_t deadline_ns, int64_t now_ns)
{
	if (deadline_ns == INT64_MAX)
		return UINT64_MAX;
	if (deadline_ns <= now_ns)
		return 0;
	return ((uint64_t)deadline_ns - (uint64_t)now_ns + 999) / 1000;
}

/* Handles what is ready already, for at most 1 ms: a loaded machine must not turn an answer that is here into a
 * timeout, and a source that is always ready must not keep the caller here. */
static int drain(struct loop *loop, bool (*done)(void *), void *context)
{
	int64_t begin_ns = loop_now_ns();
	int r;

	do {
		r = sd_event_run(loop->event, 0);
		if (r < 0)
			return r;
		if (loop->cancelled)
			return -ECANCELED;
		if (done && done(context))
			return 0;
	} while (r > 0 && loop_now_ns() - begin_ns < 1000000);
	return -ETIMEDOUT;
}

int loop_until(struct loop *loop, bool (*done)(void *), void *context, int64_t deadline_ns)
{
	int64_t now_ns;
	int r;

	for (;;) {
		if (loop->cancelled)
			return -ECANCELED;
		if (done && done(context))
			return 0;
		now_ns = loop_now_ns();
		if (now_ns >= deadline_ns)
			return drain(loop, done, context);
		r = sd_event_run(loop->event, time_left_us(deadline_ns, now_ns));
		if (r < 0)
			return r;
	}
}

void loop_cancel(struct loop *loop)
{
	loop->cancelled = true;
}

void loop_rearm(struct loop *loop)
{
	loop->cancelled = false;
}

bool loop_cancelled(const struct loop *loop)
{
	return loop->cancelled;
}
