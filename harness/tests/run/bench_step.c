/* SPDX-License-Identifier: Apache-2.0 */
/* What the harness itself costs a step, journal included. Fails above 50 us. Beside it the floor: two journal events. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../run/executor.h"

#define ROUNDS   20000
#define LIMIT_NS 50000

static int nothing_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	return 0;
}

extern const struct step_def step_repeat;
static const struct arg_def no_args[] = {{NULL}};
static const struct step_def nothing = {.name = "nothing", .doc = "Does nothing.", .args = no_args, .run = nothing_run};
static const struct step_def *const steps[] = {&nothing, &step_repeat};
static const struct step_registry registry = {steps, 2};

static void fail(const char *what)
{
	fprintf(stderr, "bench_step: %s\n", what);
	exit(1);
}

static int64_t floor_ns(struct timeline *timeline)
{
	int64_t begin_ns = loop_now_ns();
	for (unsigned i = 0; i < ROUNDS; i++) {
		timeline_emit_now(timeline, "case", "step.begin", json_pack("{s:s,s:i}", "id", "a/steps/0/0", "line", 3));
		timeline_emit_now(timeline, "case", "step.end", json_pack("{s:s,s:s}", "id", "a/steps/0/0", "verdict", "pass"));
	}
	return (loop_now_ns() - begin_ns) / ROUNDS;
}

int main(void)
{
	char text[256], directory[] = "/tmp/bench-step-XXXXXX", path[64];
	struct program *program = NULL;
	struct error_list errors = {0};
	struct loop *loop = NULL;
	struct timeline *timeline = NULL;
	struct verdict_tally tally;
	struct error error;
	const struct executor_options options = {0};
	snprintf(text, sizeof(text), "- {id: a, title: A, timeout: 600s, steps: [{repeat: {times: %d, steps: [{nothing: {}}]}}]}\n",
	         ROUNDS);
	if (!mkdtemp(directory) || program_load_text("bench", text, strlen(text), &registry, &program, &errors) < 0 ||
	    loop_new(&loop, &error) < 0 || timeline_new(&timeline, directory, 1000, &error) < 0)
		fail("cannot begin");
	int64_t begin_ns = loop_now_ns();
	if (executor_run(program, loop, timeline, &options, &tally, &error) < 0 || verdict_exit_status(&tally) != 0)
		fail("the run failed");
	int64_t step_ns = (loop_now_ns() - begin_ns) / ROUNDS, base_ns = floor_ns(timeline);
	printf("harness cost of a step: %.1f us (limit %.0f us); its two journal events alone: %.1f us\n", (double)step_ns / 1e3,
	       LIMIT_NS / 1e3, (double)base_ns / 1e3);
	timeline_free(timeline);
	loop_free(loop);
	program_free(program);
	error_list_free(&errors);
	snprintf(path, sizeof(path), "%s/events.jsonl", directory);
	unlink(path);
	rmdir(directory);
	return step_ns > LIMIT_NS;
}
