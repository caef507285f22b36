/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/paths.h"
#include "sweep.h"

#define MAX_ARGUMENTS 48
#define TEXT_SIZE     16

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

struct words {
	char *list[MAX_ARGUMENTS + 1];
	unsigned count;
	char numbers[8][TEXT_SIZE * 2];
	unsigned number_count;
};

static void add(struct words *words, const char *option, const char *value)
{
	if (!value)
		return;
	words->list[words->count++] = (char *)option;
	words->list[words->count++] = (char *)value;
}

static void add_number(struct words *words, const char *option, uint64_t value)
{
	char *text = words->numbers[words->number_count++];

	snprintf(text, sizeof(words->numbers[0]), "%llu", (unsigned long long)value);
	add(words, option, text);
}

static void fill(struct words *words, const struct sweep_request *request, const struct sweep_images *images)
{
	static const char *const banks[] = {"a", "b"};

	add(words, "--name", request->target);
	add_number(words, "--target", request->address);
	add(words, "--scenario", request->scenario);
	add(words, "--older", images->older);
	add(words, "--old", images->old);
	add(words, "--new", images->new);
	add(words, "--key", images->key);
	add_number(words, "--seed", request->seed);
	add(words, "--bank", banks[request->bank == 'b']);
	add_number(words, "--entry", request->entry);
	add(words, "--policy", request->policy);
	add(words, "--fault", request->fault);
	add(words, "--ops", request->operations);
	add(words, "--classes", request->classes);
	add(words, "--phases", request->phases);
	add(words, "--cuts", request->point);
	add_number(words, "--samples", request->samples);
	add_number(words, "--random", request->random);
	add_number(words, "--jobs", request->jobs);
	if (request->limit_s)
		add_number(words, "--limit", request->limit_s);
	if (request->pairs)
		words->list[words->count++] = (char *)"--pairs";
	if (request->reset)
		words->list[words->count++] = (char *)"--reset";
}

static _Noreturn void become(const char *program, struct words *words, int out)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (out >= 0 && dup2(out, STDOUT_FILENO) < 0)
		_exit(127);
	words->list[0] = (char *)"otasweep";
	execv(program, words->list);
	_exit(127);
}

static void read_lines(FILE *stream, void (*line)(const json_t *, void *), void *context)
{
	char *text = NULL;
	size_t size = 0;

	while (!stopped && getline(&text, &size, stream) >= 0) {
		json_t *value = json_loads(text, 0, NULL);
		if (value)
			line(value, context);
		json_decref(value);
	}
	free(text);
}

static void catch (struct sigaction old[2])
{
	struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART: reading ends */

	stopped = 0;
	sigaction(SIGINT, &action, &old[0]);
	sigaction(SIGTERM, &action, &old[1]);
}

static int wait_for(pid_t child, int *ret_status, struct error *err)
{
	int status = 0;

	if (stopped)
		kill(child, SIGTERM);
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return error_set(err, ERROR_BENCH, errno, "cannot wait for otasweep: %s", strerror(errno));
		kill(child, SIGTERM);
	}
	if (stopped)
		return error_set(err, ERROR_OPERATOR, ECANCELED, "interrupted");
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return error_set(err, ERROR_BENCH, EIO, "otasweep did not run to its end (wait status %d)", status);
	*ret_status = WEXITSTATUS(status);
	return 0;
}

static int run(const char *program, struct words *words, bool piped, void (*line)(const json_t *, void *), void *context, int *ret_status,
               struct error *err)
{
	struct sigaction old[2];
	int ends[2] = {-1, -1};
	FILE *stream = NULL;
	pid_t child;

	fflush(NULL);
	if (piped && pipe2(ends, O_CLOEXEC) < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot make a pipe: %s", strerror(errno));
	catch (old);
	child = fork();
	if (child == 0)
		become(program, words, ends[1]);
	if (piped) {
		close(ends[1]);
		stream = fdopen(ends[0], "r");
	}
	if (stream && child > 0)
		read_lines(stream, line, context);
	int r = child < 0 ? error_set(err, ERROR_BENCH, errno, "cannot start otasweep: %s", strerror(errno))
	                  : wait_for(child, ret_status, err);
	if (stream)
		fclose(stream);
	sigaction(SIGINT, &old[0], NULL);
	sigaction(SIGTERM, &old[1], NULL);
	return r;
}

int sweep_engine_run(const struct sweep_request *request, const struct sweep_images *images, void (*line)(const json_t *, void *),
                     void *context, int *ret_status, struct error *err)
{
	struct words words = {.count = 1};
	char program[4096];
	int r = program_find("otasweep", program, sizeof(program), err);

	if (r < 0)
		return r;
	fill(&words, request, images);
	return run(program, &words, request->point == NULL, line, context, ret_status, err);
}
