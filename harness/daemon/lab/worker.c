/* SPDX-License-Identifier: Apache-2.0 */
/* A thread whose end comes back by the loop. */
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct worker {
	sd_event_source *ready;
	int fd; /* eventfd: the work is over */
	pthread_t thread;
	bool runs; /* the thread is to be joined */
	atomic_bool stopped;
	worker_work work;
	worker_done done;
	void *context;
	int r;
	struct error error;
};

bool worker_stopped(const struct worker *worker)
{
	return atomic_load(&worker->stopped);
}

static void *work(void *context)
{
	struct worker *worker = context;
	const uint64_t one = 1;
	worker->r = worker->work(worker->context, worker, &worker->error);
	(void)!write(worker->fd, &one, sizeof(one)); /* a counter of 0 takes it */
	return NULL;
}

static void join(struct worker *worker)
{
	if (worker->runs)
		(void)pthread_join(worker->thread, NULL);
	worker->runs = false;
}

static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct worker *worker = context;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	join(worker);
	const struct error error = worker->error;                     /* outlives the worker */
	worker->done(worker->r < 0 ? &error : NULL, worker->context); /* may free it */
	return 0;
}

/* Signals are the loop's. A positive errno. */
static int start(struct worker *worker)
{
	sigset_t all, old;
	sigfillset(&all);
	int code = pthread_sigmask(SIG_SETMASK, &all, &old);
	if (code != 0)
		return code;
	code = pthread_create(&worker->thread, NULL, work, worker);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	worker->runs = code == 0;
	return code;
}

int worker_start(struct worker **ret, sd_event *event, worker_work to_do, worker_done done, void *context, struct error *err)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	if (!worker)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	worker->work = to_do;
	worker->done = done;
	worker->context = context;
	worker->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r = worker->fd < 0 ? -errno : sd_event_add_io(event, &worker->ready, worker->fd, EPOLLIN, on_ready, worker);
	if (r >= 0)
		r = -start(worker);
	if (r < 0) {
		worker_free(worker);
		return error_set(err, ERROR_BENCH, -r, "cannot start a thread: %s", strerror(-r));
	}
	*ret = worker;
	return 0;
}

void worker_free(struct worker *worker)
{
	if (!worker)
		return;
	atomic_store(&worker->stopped, true);
	join(worker);
	sd_event_source_disable_unref(worker->ready);
	if (worker->fd >= 0)
		close(worker->fd);
	free(worker);
}
