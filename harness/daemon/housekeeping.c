/* SPDX-License-Identifier: Apache-2.0 */
#include "housekeeping.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../base/log.h"
#include "book/blobs.h"

#define US_NS        INT64_C(1000)
#define S_NS         INT64_C(1000000000)
#define HOUR_NS      (3600 * S_NS)
#define DAY_NS       (24 * HOUR_NS)
#define IDLE_NS      (60 * S_NS)
#define BUSY_NS      (S_NS / 5) /* between portions while there is more to do */
#define JOBS_A_TIME  4
#define BLOBS_A_TIME 64
#define JUMP_NS      HOUR_NS
#define UNUSED_AFTER DAY_NS /* a submission uploads its files before it names them */

struct housekeeping {
	struct book *book;
	const struct retention *rules;
	sd_event_source *timer;
	int64_t offset_ns;      /* CLOCK_REALTIME - CLOCK_BOOTTIME when last seen */
	int64_t distrust_until; /* CLOCK_BOOTTIME */
};

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * S_NS + now.tv_nsec;
}

static bool clock_is_trusted(struct housekeeping *keeping)
{
	int64_t boot = now_ns(CLOCK_BOOTTIME), offset = now_ns(CLOCK_REALTIME) - boot;
	int64_t moved = offset > keeping->offset_ns ? offset - keeping->offset_ns : keeping->offset_ns - offset;
	keeping->offset_ns = offset;
	if (moved > JUMP_NS) {
		log_warning("the clock moved by %lld s: nothing is removed for an hour", (long long)(moved / S_NS));
		keeping->distrust_until = boot + HOUR_NS;
	}
	return boot >= keeping->distrust_until;
}

/* Returns whether there is more to do. */
static bool remove_old(struct housekeeping *keeping)
{
	struct error error = {0};
	unsigned jobs = 0, blobs = 0;
	bool more_jobs = false, more_blobs = false;
	int64_t now = now_ns(CLOCK_REALTIME);
	int r = book_retain(keeping->book, keeping->rules, now, JOBS_A_TIME, &jobs, &more_jobs, &error);
	if (r == 0)
		r = blobs_sweep(keeping->book, now - UNUSED_AFTER, BLOBS_A_TIME, &blobs, &more_blobs, &error);
	if (r < 0)
		log_warning("old results could not be removed: %s", error.message);
	if (jobs > 0 || blobs > 0)
		log_info("removed the files of %u jobs, and %u files that nothing names", jobs, blobs);
	return r == 0 && (more_jobs || more_blobs);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	struct housekeeping *keeping = context;
	bool more = clock_is_trusted(keeping) && remove_old(keeping);
	if (!more)
		book_tend(keeping->book);
	sd_event_source_set_time_relative(source, (uint64_t)((more ? BUSY_NS : IDLE_NS) / US_NS));
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int housekeeping_new(struct housekeeping **ret, sd_event *event, struct book *book, const struct retention *rules, struct error *err)
{
	struct housekeeping *keeping = calloc(1, sizeof(*keeping));
	if (!keeping)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*keeping = (struct housekeeping){.book = book, .rules = rules, .offset_ns = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_BOOTTIME)};
	int r = sd_event_add_time_relative(event, &keeping->timer, CLOCK_BOOTTIME, (uint64_t)(10 * S_NS / US_NS), (uint64_t)(S_NS / US_NS),
	                                   on_timer, keeping);
	if (r < 0) {
		free(keeping);
		return error_set(err, ERROR_BENCH, -r, "cannot start a timer: %s", strerror(-r));
	}
	sd_event_source_set_priority(keeping->timer, SD_EVENT_PRIORITY_IDLE);
	*ret = keeping;
	return 0;
}

void housekeeping_free(struct housekeeping *keeping)
{
	if (!keeping)
		return;
	sd_event_source_disable_unref(keeping->timer);
	free(keeping);
}
