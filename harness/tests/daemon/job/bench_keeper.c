/* SPDX-License-Identifier: Apache-2.0 */
/* How much later a command runs, and its end is known, with a keeper around it than without; beside posix_spawn(3) and wait(2) alone. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../../daemon/job/keeper.h"

#define ROUNDS 40

static double now_ms(int clock_id)
{
	struct timespec now;
	clock_gettime(clock_id, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

struct round {
	sd_event *event;
	struct keeper_exit exit;
};

static void on_ended(const struct keeper_exit *exit, void *context)
{
	struct round *round = context;
	round->exit = *exit;
	(void)sd_event_exit(round->event, 0);
}

static int by_value(const void *a, const void *b)
{
	const double one = *(const double *)a, other = *(const double *)b;
	return (one > other) - (one < other);
}

static bool spawn_alone(const char *program, double *ret_ms)
{
	char *const argv[] = {(char *)program, "quit", "0", NULL}, *const environment[] = {NULL};
	const double begin = now_ms(CLOCK_MONOTONIC);
	int status;
	pid_t pid;
	if (posix_spawn(&pid, program, NULL, NULL, argv, environment) != 0 || waitpid(pid, &status, 0) != pid)
		return false;
	*ret_ms = now_ms(CLOCK_MONOTONIC) - begin;
	return status == 0;
}

/* Until the command begins (as the keeper stamps it, some µs before), and until its end is known. */
static bool keep_one(const char *root, unsigned n, const char *program, double *ret_begin_ms, double *ret_end_ms)
{
	static const char *const folders[] = {"", "/files", "/out"};
	const char *const argv[] = {program, "quit", "0", NULL}, *const environment[] = {NULL};
	const struct keeper_order order = {.argv = argv, .environment = environment, .time_limit_ns = INT64_C(60000000000)};
	char path[200], name[220];
	struct round round = {0};
	struct kept *kept;
	(void)snprintf(path, sizeof(path), "%s/%u", root, n);
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, folders[i]);
		if (mkdir(name, 0755) < 0)
			return false;
	}
	if (sd_event_new(&round.event) < 0)
		return false;
	const double begin = now_ms(CLOCK_MONOTONIC), utc = now_ms(CLOCK_REALTIME);
	if (kept_start(&kept, round.event, program, path, &order, on_ended, &round, NULL) < 0)
		return false;
	(void)sd_event_loop(round.event);
	*ret_end_ms = now_ms(CLOCK_MONOTONIC) - begin;
	*ret_begin_ms = (double)round.exit.started_utc_ns / 1e6 - utc;
	kept_free(kept);
	sd_event_unref(round.event);
	return round.exit.exit_status == 0;
}

static void clear(const char *root, unsigned n)
{
	static const char *const names[] = {"/files", "/out", "/order.json", "/exit.json", "/lock", "/output.log", ""};
	char name[220];
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		(void)snprintf(name, sizeof(name), "%s/%u%s", root, n, names[i]);
		(void)remove(name);
	}
}

int main(void)
{
	const char *program = getenv("TEST_STAND_IN");
	char root[] = "/tmp/hilbench-bench-keeper-XXXXXX";
	double alone[ROUNDS], begin[ROUNDS], end[ROUNDS];
	bool fine = program && mkdtemp(root);
	for (unsigned i = 0; fine && i < ROUNDS; i++) {
		fine = spawn_alone(program, &alone[i]) && keep_one(root, i, program, &begin[i], &end[i]);
		clear(root, i);
	}
	(void)rmdir(root);
	if (!fine) {
		(void)fputs("it does not run\n", stderr);
		return 1;
	}
	qsort(alone, ROUNDS, sizeof(*alone), by_value);
	qsort(begin, ROUNDS, sizeof(*begin), by_value);
	qsort(end, ROUNDS, sizeof(*end), by_value);
	(void)printf("the keeper is there after %.2f ms (median), %.2f ms (longest of %d)\n", begin[ROUNDS / 2], begin[ROUNDS - 1], ROUNDS);
	(void)printf("a command that ends at once: its end is known after %.2f ms, longest %.2f; without a keeper %.2f ms, longest %.2f\n",
	             end[ROUNDS / 2], end[ROUNDS - 1], alone[ROUNDS / 2], alone[ROUNDS - 1]);
	return 0;
}
