/* SPDX-License-Identifier: Apache-2.0 */
#include "housekeeping.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../base/log.h"
#include "book/blobs.h"
#include "lab/worker.h"

#define US_NS            INT64_C(1000)
#define S_NS             INT64_C(1000000000)
#define HOUR_NS          (3600 * S_NS)
#define DAY_NS           (24 * HOUR_NS)
#define FIRST_NS         (10 * S_NS)
#define IDLE_NS          (60 * S_NS)
#define BUSY_NS          (S_NS / 5) /* between portions while there is more to do */
#define JOBS_A_TIME      4
#define BLOBS_A_TIME     64
#define JUMP_NS          HOUR_NS
#define UNUSED_AFTER     DAY_NS /* a submission uploads its files before it names them */
#define EXAMINE_FIRST_NS (3 * S_NS)
#define EXAMINE_AGAIN_NS DAY_NS
#define EXAMINE_RETRY_NS HOUR_NS /* when it could not be read */

struct housekeeping {
	struct book *book;
	const struct retention *rules;
	sd_event *event;
	sd_event_source *timer, *examine_timer;
	struct worker *examiner; /* while the book is examined */
	int64_t examine_begin_ns;
	int64_t offset_ns;      /* CLOCK_REALTIME - CLOCK_BOOTTIME when last seen */
	int64_t distrust_until; /* CLOCK_BOOTTIME */
	int64_t keys_due_ns;    /* the same */
	bool over_told;         /* that pinned jobs alone are more than the rules allow */
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

/* ---- old results ---- */

static const char *plural(unsigned count)
{
	return count == 1 ? "" : "s";
}

/* blobs: files of the store; each of them may have been a file of several jobs. */
static void tell_removed(const struct retained *jobs, unsigned blobs)
{
	if (jobs->whole > 0)
		log_info("retention: removed %u job%s with verdicts, measurements and files", jobs->whole, plural(jobs->whole));
	if (jobs->files > 0)
		log_info("retention: removed captures, logs and reports of %u job%s; the verdicts stay", jobs->files, plural(jobs->files));
	if (jobs->given > 0)
		log_info("retention: removed the files that %u job%s came with; the verdicts stay", jobs->given, plural(jobs->given));
	if (blobs > 0)
		log_info("retention: removed %u stored file%s that nothing names", blobs, plural(blobs));
}

/* Once, until it is below the limit again. */
static void tell_over(struct housekeeping *keeping)
{
	uint64_t over = book_retention_over(keeping->book);
	if (over > 0 && !keeping->over_told)
		log_warning(
		        "retention.size (%llu bytes) is exceeded by %llu bytes: that much more is of pinned jobs and of such that are not "
		        "done, which stay; unpin some, or raise it",
		        (unsigned long long)keeping->rules->bytes, (unsigned long long)over);
	else if (over == 0 && keeping->over_told)
		log_info("what is stored is within retention.size again");
	keeping->over_told = over > 0;
}

/* Returns whether there is more to do. */
static bool remove_old(struct housekeeping *keeping)
{
	struct error error = {0};
	struct retained jobs = {0};
	unsigned blobs = 0;
	bool more_blobs = false;
	int64_t now = now_ns(CLOCK_REALTIME);
	int r = book_retain(keeping->book, keeping->rules, now, JOBS_A_TIME, &jobs, &error);
	if (r == 0)
		r = blobs_sweep(keeping->book, now - UNUSED_AFTER, BLOBS_A_TIME, &blobs, &more_blobs, &error);
	if (r < 0)
		log_warning("old results could not be removed: %s", error.message);
	tell_removed(&jobs, blobs);
	tell_over(keeping);
	return r == 0 && (jobs.more || more_blobs);
}

/* ---- keys that older daemons took ---- */

/* Once a day, also for what a restored state directory brings back. Returns whether there is more to do. */
static bool remove_keys(struct housekeeping *keeping)
{
	struct error error = {0};
	unsigned removed;
	bool more;
	int64_t now = now_ns(CLOCK_BOOTTIME);
	if (now < keeping->keys_due_ns)
		return false;
	int r = blobs_remove_keys(keeping->book, &removed, &more, &error);
	if (r < 0)
		log_warning("private keys among the files of jobs could not be looked for: %s", error.message);
	if (!more)
		keeping->keys_due_ns = now + (r < 0 ? HOUR_NS : DAY_NS);
	return more;
}

/* ---- the timer ---- */

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	struct housekeeping *keeping = context;
	/* A damaged book may not know any more which files it names. */
	bool trusted = clock_is_trusted(keeping), good = !book_damage(keeping->book);
	bool more = good && trusted && remove_old(keeping);
	if (good && remove_keys(keeping))
		more = true;
	if (!more)
		book_tend(keeping->book);
	sd_event_source_set_time_relative(source, (uint64_t)((more ? BUSY_NS : IDLE_NS) / US_NS));
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* ---- the examination of the book ---- */

static bool examiner_stopped(void *context)
{
	const struct worker *const *worker = context;
	return worker_stopped(*worker);
}

/* In the thread. The directory's name does not change while the book is open. */
static int examine(void *context, const struct worker *worker, struct error *err)
{
	const struct housekeeping *keeping = context;
	return book_examine(book_directory(keeping->book), examiner_stopped, &worker, err);
}

static void examine_in(struct housekeeping *keeping, int64_t wait_ns)
{
	(void)sd_event_source_set_time_relative(keeping->examine_timer, (uint64_t)(wait_ns / US_NS));
	(void)sd_event_source_set_enabled(keeping->examine_timer, SD_EVENT_ONESHOT);
}

static void on_examined(const struct error *error, void *context)
{
	struct housekeeping *keeping = context;
	double seconds = (double)(now_ns(CLOCK_BOOTTIME) - keeping->examine_begin_ns) / S_NS;
	worker_free(keeping->examiner);
	keeping->examiner = NULL;
	if (!error) {
		log_info("the book was examined whole in %.1f s: no damage", seconds);
		examine_in(keeping, EXAMINE_AGAIN_NS);
	} else if (error->code == EUCLEAN) {
		/* There is nothing more to find out: what was seen stays so until another file is there. */
		book_set_damaged(keeping->book, error->message);
		log_error("%s; nothing more is written to it, and no new job is taken", error->message);
	} else {
		log_warning("the book could not be examined: %s", error->message);
		examine_in(keeping, EXAMINE_RETRY_NS);
	}
}

static int on_examine(sd_event_source *source, uint64_t usec, void *context)
{
	struct housekeeping *keeping = context;
	struct error error = {0};
	keeping->examine_begin_ns = now_ns(CLOCK_BOOTTIME);
	if (!book_damage(keeping->book) && worker_start(&keeping->examiner, keeping->event, examine, on_examined, keeping, &error) < 0) {
		log_warning("the book could not be examined: %s", error.message);
		examine_in(keeping, EXAMINE_RETRY_NS);
	}
	return 0;
}

/* ---- its life ---- */

static int add_timer(struct housekeeping *keeping, sd_event_source **ret, int64_t first_ns, sd_event_time_handler_t handler)
{
	int r = sd_event_add_time_relative(keeping->event, ret, CLOCK_BOOTTIME, (uint64_t)(first_ns / US_NS), (uint64_t)(S_NS / US_NS),
	                                   handler, keeping);
	return r < 0 ? r : sd_event_source_set_priority(*ret, SD_EVENT_PRIORITY_IDLE);
}

int housekeeping_new(struct housekeeping **ret, sd_event *event, struct book *book, const struct retention *rules, struct error *err)
{
	struct housekeeping *keeping = calloc(1, sizeof(*keeping));
	if (!keeping)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*keeping = (struct housekeeping){
	        .book = book, .rules = rules, .event = event, .offset_ns = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_BOOTTIME)};
	int r = add_timer(keeping, &keeping->timer, FIRST_NS, on_timer);
	if (r >= 0)
		r = add_timer(keeping, &keeping->examine_timer, EXAMINE_FIRST_NS, on_examine);
	if (r < 0) {
		housekeeping_free(keeping);
		return error_set(err, ERROR_BENCH, -r, "cannot start a timer: %s", strerror(-r));
	}
	*ret = keeping;
	return 0;
}

void housekeeping_hurry(void *housekeeping)
{
	struct housekeeping *keeping = housekeeping;
	(void)sd_event_source_set_time_relative(keeping->timer, 0);
	(void)sd_event_source_set_enabled(keeping->timer, SD_EVENT_ONESHOT);
}

void housekeeping_free(struct housekeeping *keeping)
{
	if (!keeping)
		return;
	worker_free(keeping->examiner);
	sd_event_source_disable_unref(keeping->examine_timer);
	sd_event_source_disable_unref(keeping->timer);
	free(keeping);
}
