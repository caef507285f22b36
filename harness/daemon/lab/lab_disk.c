/* SPDX-License-Identifier: Apache-2.0 */
/* Whether there is room on the disk: for new jobs, for runs that are to start, and whether a run failed for want of it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "../../base/log.h"
#include "../../base/size.h"
#include "lab_private.h"

#define SPACE_NS LAB_SECOND_NS

/* ---- room ---- */

static int disk_free(const struct lab *lab, uint64_t *ret)
{
	struct statvfs disk;
	if (statvfs(book_directory(lab->book), &disk) < 0)
		return -errno;
	*ret = (uint64_t)disk.f_bavail * disk.f_frsize;
	return 0;
}

static void describe_lack(struct lab *lab, int r, uint64_t left)
{
	char is[SIZE_TEXT_MAX], needed[SIZE_TEXT_MAX];
	if (r < 0)
		(void)snprintf(lab->space_reason, sizeof(lab->space_reason), "the disk does not say what is free: %s", strerror(-r));
	else
		(void)snprintf(lab->space_reason, sizeof(lab->space_reason), "only %s are free on the disk, and new jobs need %s",
		               size_text(left, is, sizeof(is)), size_text(lab->config->free_bytes, needed, sizeof(needed)));
}

void lab_look_at_disk(struct lab *lab)
{
	uint64_t left = 0;
	lab->space_due_ns = lab_now_ns() + SPACE_NS;
	int r = disk_free(lab, &left);
	bool before = lab->space, space = r == 0 && left >= lab->config->free_bytes;
	if (!space) {
		describe_lack(lab, r, left);
		lab->short_utc_ns = lab_utc_ns();
	}
	lab->space = space;
	if (space == before)
		return;
	log_warning("%s", space ? "the disk has room again: new jobs are taken" : lab->space_reason);
	if (space)
		lab_turn_soon(lab);
	else if (lab->no_space)
		lab->no_space(lab->no_space_context);
}

bool lab_has_space(struct lab *lab)
{
	lab_look_at_disk(lab);
	return lab->space;
}

void lab_on_no_space(struct lab *lab, void (*told)(void *context), void *context)
{
	lab->no_space = told;
	lab->no_space_context = context;
	if (lab->started && !lab->space && told)
		told(context);
}

bool lab_accepts(struct lab *lab, char *reason, size_t size)
{
	const char *why_not = lab->stopping ? "the daemon is ending" : book_damage(lab->book);
	if (!why_not && !lab_has_space(lab))
		why_not = lab->space_reason;
	(void)snprintf(reason, size, "%s", why_not ? why_not : "");
	return !why_not;
}

/* ---- runs that failed for want of it ---- */

/* Only texts of programs that have no other way to say it: what the runner's children write, the last words of what crashed. In nobody's
 * language: that is how such texts have it. */
static bool words_name_lack(const char *text)
{
	return text && (strstr(text, strerrordesc_np(ENOSPC)) || strstr(text, strerrordesc_np(EDQUOT)));
}

static bool is_one_of(const char *name, const int *codes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(name, strerrorname_np(codes[i])) == 0)
			return true;
	return false;
}

/* Errors of the system are told by their names (docs/reference/journal.md). What a child of the runner had, that is gone or refused, is in
 * the words that it left. */
static bool error_names_lack(const json_t *error)
{
	static const int lack[] = {ENOSPC, EDQUOT}, of_child[] = {EPIPE, EREMOTEIO};
	const char *name = json_string_value(json_object_get(error, "errno"));
	if (name && !is_one_of(name, of_child, sizeof(of_child) / sizeof(*of_child)))
		return is_one_of(name, lack, sizeof(lack) / sizeof(*lack));
	return words_name_lack(json_string_value(json_object_get(error, "message")));
}

static bool case_names_lack(const json_t *one)
{
	const json_t *attempt;
	size_t i;
	json_array_foreach (json_object_get(one, "attempts"), i, attempt) {
		const char *cause = json_string_value(json_object_get(attempt, "cause"));
		if (cause && strcmp(cause, "bench") == 0 && error_names_lack(attempt))
			return true;
	}
	return false;
}

static bool results_name_lack(const json_t *results)
{
	const json_t *run = json_object_get(results, "run"), *one;
	size_t i;
	if (error_names_lack(json_object_get(run, "error")))
		return true;
	json_array_foreach (json_object_get(run, "boards_given_up"), i, one)
		if (error_names_lack(one))
			return true;
	json_array_foreach (json_object_get(results, "cases"), i, one)
		if (case_names_lack(one))
			return true;
	return false;
}

/* Then whatever broke may have broken by that, whatever its words are: the log that would tell had no space either, and a page of a mapped
 * file that gets no block ends a process by a signal. What breaks gives space back, so what was seen while it ran counts too. */
static bool was_short(const struct lab_run *run)
{
	struct lab *lab = run->job->lab;
	const int64_t started_utc_ns = run->record->started_utc_ns;
	return !lab_has_space(lab) || (started_utc_ns > 0 && lab->short_utc_ns >= started_utc_ns);
}

void lab_disk_excuse(const struct lab_run *run, const json_t *results, struct run_verdict *verdict)
{
	bool broke = verdict->outcome == OUTCOME_ERROR && verdict->cause && strcmp(verdict->cause, "bench") == 0;
	char text[sizeof(verdict->reason)];
	if (!broke && !verdict->bench_error)
		return;
	if (strcmp(run->exit.reason, "time_limit") == 0 || strcmp(run->exit.reason, "output") == 0 ||
	    strcmp(run->exit.reason, "memory") == 0)
		return; /* a limit of its own */
	/* Where the results blame nothing, the reason has the last words of the runner. */
	bool said = !verdict->bench_error && words_name_lack(verdict->reason);
	if (strcmp(run->exit.reason, "disk") != 0 && !said && !results_name_lack(results) && !was_short(run))
		return;
	verdict->no_space = true;
	verdict->bench_error = verdict->crashed = verdict->good = false;
	if (!broke)
		return;
	const char *why = strncmp(verdict->reason, REASON_LIMIT, strlen(REASON_LIMIT)) == 0 ? verdict->reason + strlen(REASON_LIMIT)
	                                                                                    : verdict->reason;
	(void)snprintf(text, sizeof(text), REASON_NO_SPACE "%.700s", why);
	memcpy(verdict->reason, text, sizeof(text));
}
