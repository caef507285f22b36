/* SPDX-License-Identifier: Apache-2.0 */
/* Who interrupted the run: a person, or the keeper that it runs under (docs/reference/daemon.md), which leaves the reason in a file. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "executor_private.h"

#define FILE_SIZE_MAX 4096 /* of the file; anything longer is not the keeper's */

static json_t *stop_load(const char *directory)
{
	char path[PATH_MAX], text[FILE_SIZE_MAX];
	if (snprintf(path, sizeof(path), "%s/stop", directory) >= (int)sizeof(path))
		return NULL;
	/* Not to wait for ever where somebody put a pipe. */
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	ssize_t length = read(fd, text, sizeof(text));
	(void)close(fd);
	return length > 0 ? json_loadb(text, (size_t)length, 0, NULL) : NULL;
}

bool executor_was_stopped(struct executor *executor)
{
	struct run_stop *stop = &executor->stop;
	const char *directory = getenv("HILBENCH_KEEPER");
	if (stop->reason[0] || !directory)
		return stop->reason[0] != '\0';
	json_t *file = stop_load(directory);
	const char *reason = json_string_value(json_object_get(file, "reason"));
	const char *message = json_string_value(json_object_get(file, "message"));
	if (reason) {
		(void)snprintf(stop->reason, sizeof(stop->reason), "%s", reason);
		(void)snprintf(stop->message, sizeof(stop->message), "the run was ended: %.480s", message && *message ? message : reason);
	}
	json_decref(file);
	return stop->reason[0] != '\0';
}

void executor_blame_stop(struct executor *executor, struct outcome *outcome)
{
	if (outcome->cause != CAUSE_OPERATOR || !executor_was_stopped(executor))
		return;
	outcome->cause = CAUSE_BENCH;
	outcome->error.domain = ERROR_BENCH;
	(void)snprintf(outcome->error.message, sizeof(outcome->error.message), "%s", executor->stop.message);
}

/* A limit is a matter of the bench, whoever sent the signal. */
void executor_judge_stop(struct executor *executor, int r, struct verdict_tally *tally, struct error *err)
{
	const bool early = r < 0 && err->domain == ERROR_OPERATOR;
	if (!executor->interrupted && !early)
		return;
	if (!executor_was_stopped(executor)) {
		if (executor->interrupted && !tally->operator_)
			verdict_tally_add(tally, VERDICT_ERROR, CAUSE_OPERATOR);
		return;
	}
	if (early)
		(void)error_set(err, ERROR_BENCH, ECANCELED, "%s", executor->stop.message);
	if (!tally->bench)
		verdict_tally_add(tally, VERDICT_ERROR, CAUSE_BENCH);
}
