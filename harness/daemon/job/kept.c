/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's side of a keeper. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "helper.h"
#include "keeper.h"
#include "order.h"
#include "strays.h"

#define PATH_SIZE        4096
#define ADOPT_PAUSE_US   20000
#define ADOPT_TRIES      250 /* 5 s: a keeper that has the lock writes its number at once */
#define SWEEP_PAUSE_US   5000
#define SWEEP_TRIES      2000
#define DEFAULT_GRACE_NS (30 * INT64_C(1000000000))
#define WITHIN_NS        (KEEPER_SWEEP_NS + 5 * INT64_C(1000000000)) /* what a keeper needs beyond the grace, at most */

enum kept_state { KEPT_RUNS, KEPT_LOOKED_FOR, KEPT_SWEPT };

struct kept {
	sd_event *event;
	sd_event_source *gone, *step, *patience;
	enum kept_state state;
	bool adopted, cancelled;
	int keeper; /* pidfd, or -1 */
	int64_t grace_ns;
	char *directory, *mark;
	unsigned tries, killed;
	struct keeper_exit exit;
	kept_ended ended;
	void *context;
};

static int step(sd_event_source *source, uint64_t now_us, void *context);

static int kept_new(struct kept **ret, sd_event *event, const char *directory, kept_ended ended, void *context, struct error *err)
{
	struct kept *kept = calloc(1, sizeof(*kept));
	if (!kept)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*kept = (struct kept){.event = sd_event_ref(event), .keeper = -1, .grace_ns = DEFAULT_GRACE_NS, .ended = ended, .context = context};
	kept->directory = strdup(directory);
	int r = kept->directory ? sd_event_add_time_relative(event, &kept->step, CLOCK_MONOTONIC, 0, 1000, step, kept) : -ENOMEM;
	if (r >= 0)
		r = sd_event_source_set_enabled(kept->step, SD_EVENT_OFF);
	if (r < 0) {
		kept_free(kept);
		return error_set(err, ERROR_BENCH, -r, "cannot look after a job: %s", strerror(-r));
	}
	*ret = kept;
	return 0;
}

void kept_free(struct kept *kept)
{
	if (!kept)
		return;
	sd_event_source_disable_unref(kept->gone);
	sd_event_source_disable_unref(kept->step);
	sd_event_source_disable_unref(kept->patience);
	sd_event_unref(kept->event);
	if (kept->keeper >= 0)
		(void)close(kept->keeper);
	free(kept->directory);
	free(kept->mark);
	free(kept);
}

bool kept_adopted(const struct kept *kept)
{
	return kept->adopted;
}

static void step_in(struct kept *kept, enum kept_state state, uint64_t after_us)
{
	kept->state = state;
	(void)sd_event_source_set_time_relative(kept->step, after_us);
	(void)sd_event_source_set_enabled(kept->step, SD_EVENT_ONESHOT);
}

/* ---- the end ---- */

static void tell(struct kept *kept)
{
	const struct keeper_exit exit = kept->exit;
	sd_event_source_disable_unref(kept->patience);
	kept->patience = NULL;
	kept->ended(&exit, kept->context); /* may free it */
}

static void lost(struct kept *kept, const char *message)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	kept->exit = (struct keeper_exit){
	        .exit_status = -1, .signal = -1, .reason = "lost", .ended_utc_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec};
	(void)snprintf(kept->exit.message, sizeof(kept->exit.message), "%s", message);
	kept->tries = 0;
	step_in(kept, KEPT_SWEPT, 0);
}

/* The keeper is gone: what did it say? */
static void settle(struct kept *kept)
{
	int r = exit_read(kept->directory, &kept->exit);
	if (r == 0)
		tell(kept);
	else
		lost(kept, r == -ENOENT ? "the job's keeper ended without a word" : "the job's exit.json is damaged");
}

static void sweep(struct kept *kept)
{
	size_t length;
	unsigned left = kept->mark ? strays_round(kept->mark, &kept->killed) : 0;
	if (left > 0 && ++kept->tries < SWEEP_TRIES) {
		step_in(kept, KEPT_SWEPT, SWEEP_PAUSE_US);
		return;
	}
	length = strlen(kept->exit.message);
	kept->exit.strays = kept->killed;
	if (left > 0)
		(void)snprintf(kept->exit.message + length, sizeof(kept->exit.message) - length, "; %u processes of it could not be ended",
		               left);
	tell(kept);
}

/* ---- a keeper that runs ---- */

static int on_gone(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct kept *kept = context;
	siginfo_t ended;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	(void)waitid(P_PIDFD, (id_t)fd, &ended, WEXITED | WNOHANG); /* ECHILD when an earlier daemon started it */
	settle(kept);
	return 0;
}

static int watch_keeper(struct kept *kept)
{
	int r = sd_event_add_io(kept->event, &kept->gone, kept->keeper, EPOLLIN, on_gone, kept);
	if (r >= 0)
		kept->state = KEPT_RUNS;
	return r;
}

static void take_order(struct kept *kept)
{
	struct order_file file;
	if (order_read(kept->directory, &file, NULL) < 0)
		return;
	const char *mark = order_mark(&file.order);
	kept->grace_ns = file.order.grace_ns;
	kept->mark = mark && mark[strlen(KEEPER_MARK)] ? strdup(mark) : NULL;
	order_clear(&file);
}

/* The file, locked; every other descriptor of it is the keeper's. At least 10, so that no standard stream is in the way. */
static int lock_new(const char *directory, struct error *err)
{
	char path[PATH_SIZE];
	if (snprintf(path, sizeof(path), "%s/lock", directory) >= (int)sizeof(path))
		return error_set(err, ERROR_BENCH, ENAMETOOLONG, "%s: the name is too long", directory);
	int low = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644), fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, 10);
	int code = errno;
	if (low >= 0)
		(void)close(low);
	if (fd < 0)
		return error_set(err, ERROR_BENCH, code, "cannot make %s: %s", path, strerror(code));
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	code = errno;
	(void)close(fd);
	return error_set(err, ERROR_BENCH, code == EWOULDBLOCK ? EBUSY : code, "%s: %s", path,
	                 code == EWOULDBLOCK ? "another keeper has it" : strerror(code));
}

static int spawn_keeper(struct kept *kept, const char *program, struct error *err)
{
	const char *const argv[] = {program, "--keep", kept->directory, NULL};
	int lock = lock_new(kept->directory, err);
	if (lock < 0)
		return lock;
	const struct spawn spawn = {
	        .argv = argv, .environment = (const char *const *)environ, .input = -1, .output = -1, .errors = -1, .extra = lock};
	int r = spawn_session(&spawn, &kept->keeper, err);
	(void)close(lock); /* the keeper has it now, and nobody else */
	return r;
}

int kept_start(struct kept **ret, sd_event *event, const char *program, const char *directory, const struct keeper_order *order,
               kept_ended ended, void *context, struct error *err)
{
	struct keeper_exit old;
	struct kept *kept;
	if (!order->argv || !order->argv[0])
		return error_set(err, ERROR_BENCH, EINVAL, "no command");
	if (exit_read(directory, &old) != -ENOENT)
		return error_set(err, ERROR_BENCH, EEXIST, "%s: there was a keeper here before", directory);
	int r = kept_new(&kept, event, directory, ended, context, err);
	if (r < 0)
		return r;
	r = order_write(directory, order, err);
	if (r == 0) {
		take_order(kept);
		r = spawn_keeper(kept, program, err);
	}
	if (r == 0) {
		r = watch_keeper(kept);
		if (r < 0) {
			(void)pidfd_send_signal(kept->keeper, SIGTERM, NULL, 0);
			(void)error_set(err, ERROR_BENCH, -r, "cannot watch the keeper: %s", strerror(-r));
		}
	}
	if (r < 0) {
		kept_free(kept);
		return r;
	}
	*ret = kept;
	return 0;
}

/* ---- a keeper of an earlier daemon ---- */

/* Descriptor of the process that wrote its number into the file and has it open where a keeper has it; -1: there is none (yet). */
static int keeper_of(int lock)
{
	char text[24], path[64];
	struct stat named, held;
	ssize_t length = pread(lock, text, sizeof(text) - 1, 0);
	text[length > 0 ? length : 0] = '\0';
	long pid = strtol(text, NULL, 10);
	int keeper = pid > 0 && strchr(text, '\n') ? pidfd_open((pid_t)pid, 0) : -1;
	if (keeper < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/%ld/fd/%d", pid, KEEPER_LOCK_FD);
	bool same = fstat(lock, &named) == 0 && stat(path, &held) == 0 && named.st_dev == held.st_dev && named.st_ino == held.st_ino;
	/* The look was at the process of the descriptor only if that one still lives. */
	if (same && pidfd_send_signal(keeper, 0, NULL, 0) == 0)
		return keeper;
	(void)close(keeper);
	return -1;
}

/* 1: found, 0: not yet, -ESRCH: nobody holds the lock. */
static int look(struct kept *kept)
{
	char path[PATH_SIZE];
	(void)snprintf(path, sizeof(path), "%s/lock", kept->directory);
	int lock = open(path, O_RDWR | O_CLOEXEC);
	if (lock < 0)
		return -ESRCH;
	kept->keeper = keeper_of(lock);
	bool held = flock(lock, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	(void)close(lock);
	if (held && kept->keeper >= 0)
		return 1;
	if (kept->keeper >= 0)
		(void)close(kept->keeper);
	kept->keeper = -1;
	return held ? 0 : -ESRCH;
}

static void look_again(struct kept *kept)
{
	int found = look(kept);
	if (found > 0 && watch_keeper(kept) >= 0) {
		if (kept->cancelled)
			(void)pidfd_send_signal(kept->keeper, SIGTERM, NULL, 0);
	} else if (found == 0 && ++kept->tries < ADOPT_TRIES) {
		step_in(kept, KEPT_LOOKED_FOR, ADOPT_PAUSE_US);
	} else {
		settle(kept);
	}
}

static int step(sd_event_source *source, uint64_t now_us, void *context)
{
	struct kept *kept = context;
	if (kept->state == KEPT_LOOKED_FOR)
		look_again(kept);
	else if (kept->state == KEPT_SWEPT)
		sweep(kept);
	return 0;
}

int kept_adopt(struct kept **ret, sd_event *event, const char *directory, kept_ended ended, void *context, struct error *err)
{
	struct kept *kept;
	int r = kept_new(&kept, event, directory, ended, context, err);
	if (r < 0)
		return r;
	kept->adopted = true;
	take_order(kept);
	step_in(kept, KEPT_LOOKED_FOR, 0);
	*ret = kept;
	return 0;
}

/* ---- cancel ---- */

static int on_patience(sd_event_source *source, uint64_t now_us, void *context)
{
	const struct kept *kept = context;
	if (kept->state == KEPT_RUNS && kept->keeper >= 0)
		(void)pidfd_send_signal(kept->keeper, SIGKILL, NULL, 0);
	return 0;
}

void kept_cancel(struct kept *kept)
{
	if (kept->cancelled)
		return;
	kept->cancelled = true;
	if (kept->keeper >= 0)
		(void)pidfd_send_signal(kept->keeper, SIGTERM, NULL, 0);
	(void)sd_event_add_time_relative(kept->event, &kept->patience, CLOCK_MONOTONIC, (uint64_t)(kept->grace_ns + WITHIN_NS) / 1000, 0,
	                                 on_patience, kept);
}
