/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: the process between the daemon and one run. It outlives the daemon, so that a run does too, and it ends everything that the
 * run started, whatever happens. `hilbenchd --keep DIRECTORY` is its command line; the directory (jobs/JOB/RUN) holds:
 * - order.json: what to do (struct keeper_order)
 * - files.list: which files of the job the keeper copies into files/ (given.h)
 * - lock: flock as long as the keeper lives; its content is "PID\n"
 * - output.log: standard output and error of the command
 * - files/: the working directory
 * - out/: the run directory (events.jsonl …)
 * - exit.json: {"exit_status" or null, "signal" or null,
 *   "reason": "exited"|"time_limit"|"silence"|"output"|"memory"|"disk"|"cancelled"|"start", "message", "started_utc_ns", "ended_utc_ns",
 *   "max_rss_bytes", "strays": n}: written last (temporary name, fsync, rename)
 *
 * The keeper is a child subreaper in a session of its own and has no connection to the daemon: it is told to stop by SIGTERM (cancel: the
 * command gets SIGINT, after grace_ns SIGKILL). Every process below it that is left when the command ended is killed and counted in
 * "strays". Signals to a keeper are sent through a pidfd that was opened and then checked against the lock.
 */
#ifndef HARNESS_DAEMON_JOB_KEEPER_H
#define HARNESS_DAEMON_JOB_KEEPER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "../../base/error.h"

struct keeper_order {
	const char *const *argv;        /* NULL-terminated; argv[0] is a path */
	const char *const *environment; /* "NAME=VALUE", NULL-terminated: what the command gets, besides HILBENCH_KEEPER */
	int64_t time_limit_ns;          /* CLOCK_BOOTTIME from its start */
	int64_t silence_limit_ns;       /* neither out/events.jsonl nor output.log grows; 0: no limit */
	int64_t grace_ns;
	uint64_t output_bytes; /* of what comes into the directory; 0: no limit */
	uint64_t memory_bytes; /* resident, of everything below the keeper together; 0: no limit */
	uint64_t free_bytes;   /* less free on the directory's disk: reason "disk"; 0: no limit */
	const char *store; /* absolute: the files of files.list are copied from there before the command starts, and are no output; NULL:
	                      none */
};
struct keeper_exit {
	int exit_status, signal; /* -1: none */
	char reason[16];         /* as in exit.json; "lost": the keeper itself is gone without a word (killed, power) */
	char message[512];
	int64_t started_utc_ns, ended_utc_ns;
	uint64_t max_rss_bytes;
	unsigned strays;
};

/* The keeper's main. Returns its exit status. */
int keeper_main(const char *directory);

/* ---- the daemon's side ---- */
struct kept;
/* Called once, from the loop: the keeper is gone. */
typedef void (*kept_ended)(const struct keeper_exit *, void *context);
/* Writes order.json and starts the keeper (program: path of hilbenchd). The directory must hold files/ and out/. */
int kept_start(struct kept **ret, sd_event *, const char *program, const char *directory, const struct keeper_order *, kept_ended,
               void *context, struct error *err) WARN_UNUSED;
/* A keeper that an earlier daemon started, or what is left of it: ended() follows from the loop also when it is gone already. */
int kept_adopt(struct kept **ret, sd_event *, const char *directory, kept_ended, void *context, struct error *err) WARN_UNUSED;
/* Asks it to end the command; ended() follows. After `within_ns` more than the grace the keeper itself is killed. */
void kept_cancel(struct kept *);
bool kept_adopted(const struct kept *);
void kept_free(struct kept *); /* the keeper goes on */

/* ---- errands: commands that the daemon runs for itself (clean-up, self-test, list) ---- */
struct errand;
struct errand_result {
	int exit_status, signal; /* -1: none */
	bool timed_out;
	char *output, *errors; /* at most 1 MiB each, NUL-terminated, valid as long as the callback runs */
	size_t output_length;
};
typedef void (*errand_done)(const struct errand_result *, void *context);
/* Starts it in a process group of its own; at the deadline everything below it is killed (it is a subreaper's child: `hilbenchd --errand`).
 * It dies with the daemon. */
int errand_start(struct errand **ret, sd_event *, const char *program, const char *directory, const char *const *argv,
                 const char *const *environment, int64_t limit_ns, errand_done, void *context, struct error *err) WARN_UNUSED;
/* The same with the files of a job: the command of the order, with its environment, in directory/files after these were copied there. */
int errand_start_order(struct errand **ret, sd_event *, const char *program, const char *directory, const struct keeper_order *,
                       int64_t limit_ns, errand_done, void *context, struct error *err) WARN_UNUSED;
/* Always, also in the callback or after it. Kills it when it still runs; no callback then. */
void errand_free(struct errand *);
int errand_main(int argc, char **argv);

#endif
