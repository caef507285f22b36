/* SPDX-License-Identifier: Apache-2.0 */
#include "lag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK_US   UINT64_C(250000)
#define MINUTE_US UINT64_C(60000000)

struct lag {
	sd_event_source *timer;
	uint64_t due_us, minute_us;
	uint64_t most_us, before_us; /* of this minute and of the one before */
};

static uint64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *context)
{
	struct lag *lag = context;
	uint64_t now = now_us(), late = now > lag->due_us ? now - lag->due_us : 0;
	if (now - lag->minute_us >= MINUTE_US) {
		lag->before_us = lag->most_us;
		lag->most_us = 0;
		lag->minute_us = now;
	}
	if (late > lag->most_us)
		lag->most_us = late;
	lag->due_us = now + TICK_US;
	sd_event_source_set_time(source, lag->due_us);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int lag_new(struct lag **ret, sd_event *event, struct error *err)
{
	struct lag *lag = calloc(1, sizeof(*lag));
	if (!lag)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	lag->minute_us = now_us();
	lag->due_us = lag->minute_us + TICK_US;
	int r = sd_event_add_time(event, &lag->timer, CLOCK_MONOTONIC, lag->due_us, 1, on_tick, lag);
	if (r < 0) {
		free(lag);
		return error_set(err, ERROR_BENCH, -r, "cannot start a timer: %s", strerror(-r));
	}
	*ret = lag;
	return 0;
}

void lag_free(struct lag *lag)
{
	if (!lag)
		return;
	sd_event_source_disable_unref(lag->timer);
	free(lag);
}

int64_t lag_most_ns(const struct lag *lag)
{
	uint64_t most = lag->most_us > lag->before_us ? lag->most_us : lag->before_us;
	return (int64_t)most * 1000;
}
