/* SPDX-License-Identifier: Apache-2.0 */
/* What the end of a run and its results say: whose fault, and how the rig did. */
#include <stdio.h>
#include <string.h>

#include "lab_private.h"

enum status { STATUS_PASSED, STATUS_FAILED, STATUS_TESTCASE, STATUS_BENCH, STATUS_INCONCLUSIVE, STATUS_INTERRUPTED = 130 };

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static void set_error(struct run_verdict *verdict, const char *cause, const char *prefix, const char *reason)
{
	verdict->outcome = OUTCOME_ERROR;
	verdict->cause = cause;
	(void)snprintf(verdict->reason, sizeof(verdict->reason), "%s", prefix);
	size_t length = strlen(verdict->reason);
	health_brief(reason, verdict->reason + length, sizeof(verdict->reason) - length);
}

/* ---- what the results say ---- */

bool verdict_was_ended(const json_t *results, const json_t *broken)
{
	const char *end = text_of(json_object_get(json_object_get(results, "run"), "stopped"), "message");
	return *end && strcmp(text_of(broken, "message"), end) == 0;
}

static const json_t *first_board(const json_t *results)
{
	const json_t *board;
	size_t i;
	json_array_foreach (json_object_get(json_object_get(results, "run"), "boards_given_up"), i, board)
		if (!verdict_was_ended(results, board))
			return board;
	return NULL;
}

static bool is_error(const json_t *results, const json_t *attempt, const char *cause)
{
	return json_is_true(json_object_get(attempt, "complete")) && strcmp(text_of(attempt, "verdict"), "error") == 0 &&
	       strcmp(text_of(attempt, "cause"), cause) == 0 && !verdict_was_ended(results, attempt);
}

/* The message of the first case that ended as an error of this cause; NULL: none. Attempts that the end of the run cut off say nothing
 * about the rig. */
static const char *first_error(const json_t *results, const char *cause, const char **ret_id)
{
	const json_t *one, *attempt;
	size_t i, j;
	json_array_foreach (json_object_get(results, "cases"), i, one)
		json_array_foreach (json_object_get(one, "attempts"), j, attempt)
			if (is_error(results, attempt, cause)) {
				*ret_id = text_of(one, "id");
				return text_of(attempt, "message");
			}
	return NULL;
}

/* ---- boards ---- */

static bool has_board(const struct lost_board *boards, size_t count, const char *role)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(boards[i].role, role) == 0)
			return true;
	return false;
}

static size_t add_board(struct lost_board *boards, size_t count, const char *role, const char *text)
{
	if (count < VERDICT_BOARDS_MAX && *role && !has_board(boards, count, role))
		boards[count++] = (struct lost_board){role, text};
	return count;
}

/* "board ROLE: …", "board ROLE did not …", alone or behind what was done: so what the bench says of a board begins. */
static const char *named_board(const char *text, char *const *roles)
{
	static const char word[] = "board ";
	for (const char *at = text; (at = strstr(at, word)); at += sizeof(word) - 1) {
		const char *name = at + sizeof(word) - 1;
		size_t length = strcspn(name, ": ");
		if (at != text && (at < text + 2 || strncmp(at - 2, ": ", 2) != 0))
			continue;
		for (char *const *role = roles; role && *role; role++)
			if (name[length] && strlen(*role) == length && strncmp(*role, name, length) == 0)
				return *role;
	}
	return NULL;
}

static size_t add_named(struct lost_board *boards, size_t count, char *const *roles, const char *text)
{
	const char *role = named_board(text, roles);
	return role ? add_board(boards, count, role, text) : count;
}

size_t verdict_lost_boards(const json_t *results, char *const *roles, struct lost_board ret[VERDICT_BOARDS_MAX])
{
	const json_t *run = json_object_get(results, "run"), *error = json_object_get(run, "error"), *one, *attempt;
	size_t count = 0, i, j;
	json_array_foreach (json_object_get(run, "boards_given_up"), i, one)
		if (!verdict_was_ended(results, one))
			count = add_board(ret, count, text_of(one, "board"), text_of(one, "message"));
	if (strcmp(text_of(error, "domain"), "bench") == 0 && !verdict_was_ended(results, error))
		count = add_named(ret, count, roles, text_of(error, "message"));
	json_array_foreach (json_object_get(results, "cases"), i, one)
		json_array_foreach (json_object_get(one, "attempts"), j, attempt)
			if (is_error(results, attempt, "bench"))
				count = add_named(ret, count, roles, text_of(attempt, "message"));
	return count;
}

/* ---- what stands against the rig ---- */

/* Nothing but attempts that the bench broke, and that a further attempt of the same run made good, stands against it. *ret: the heaviest of
 * the cases. */
static bool was_mended(const json_t *results, enum job_outcome *ret)
{
	const json_t *run = json_object_get(results, "run"), *one;
	size_t i;
	const char *id;
	if (!results || json_object_get(run, "error") || json_array_size(json_object_get(run, "boards_given_up")) ||
	    !json_is_true(json_object_get(run, "complete")) || !first_error(results, "bench", &id))
		return false;
	*ret = OUTCOME_PASSED;
	json_array_foreach (json_object_get(results, "cases"), i, one) {
		const char *verdict = text_of(one, "verdict");
		if (strcmp(verdict, "error") == 0)
			return false;
		if (strcmp(verdict, "fail") == 0)
			*ret = OUTCOME_FAILED;
		else if (strcmp(verdict, "inconclusive") == 0 && *ret == OUTCOME_PASSED)
			*ret = OUTCOME_INCONCLUSIVE;
	}
	return true;
}

static bool any_attempt(const json_t *results)
{
	const json_t *one, *attempt;
	size_t i, j;
	json_array_foreach (json_object_get(results, "cases"), i, one)
		json_array_foreach (json_object_get(one, "attempts"), j, attempt)
			if (json_is_true(json_object_get(attempt, "complete")) && !json_is_true(json_object_get(one, "not_begun")))
				return true;
	return false;
}

static void look_for_bench(const json_t *results, struct run_verdict *verdict)
{
	const json_t *error = json_object_get(json_object_get(results, "run"), "error"), *board = first_board(results);
	const char *id = "", *message = first_error(results, "bench", &id);
	char name[100], said[280] = "";
	if (error && strcmp(text_of(error, "domain"), "bench") == 0 && !verdict_was_ended(results, error)) {
		health_brief(text_of(error, "message"), said, sizeof(said));
		(void)snprintf(verdict->bench_text, sizeof(verdict->bench_text), "%s%s",
		               json_is_true(json_object_get(error, "at_end")) ? "" : "a run could not start: ", said);
	} else if (board) {
		health_brief(text_of(board, "board"), name, 60);
		health_brief(text_of(board, "message"), said, sizeof(said));
		(void)snprintf(verdict->bench_text, sizeof(verdict->bench_text), "board %s was given up: %s", name, said);
	} else if (message) {
		health_brief(id, name, sizeof(name));
		health_brief(message, said, sizeof(said));
		(void)snprintf(verdict->bench_text, sizeof(verdict->bench_text), "%s: %s", name, said);
	}
	verdict->bench_error = verdict->bench_text[0] != '\0';
}

/* Why status 2 or 3, in the words of the results or else of the output. */
static const char *why(const json_t *results, const char *cause, const char *last_words)
{
	const json_t *run = json_object_get(results, "run"), *error = json_object_get(run, "error");
	const char *id, *message;
	if (error)
		return text_of(error, "message");
	if ((message = first_error(results, cause, &id)))
		return message;
	if (*text_of(run, "status_reason"))
		return text_of(run, "status_reason");
	return *last_words ? last_words : "nothing was said about it";
}

/* ---- how the process ended ---- */

static void by_status(int status, const json_t *results, const char *last_words, struct run_verdict *verdict)
{
	char text[60];
	switch (status) {
	case STATUS_PASSED:
	case STATUS_FAILED:
	case STATUS_INCONCLUSIVE:
		verdict->outcome = status == STATUS_PASSED   ? OUTCOME_PASSED
		                   : status == STATUS_FAILED ? OUTCOME_FAILED
		                                             : OUTCOME_INCONCLUSIVE;
		if (!results)
			set_error(verdict, "bench", "", "the run left no results");
		break;
	case STATUS_TESTCASE:
		set_error(verdict, "testcase", "", why(results, "testcase", last_words));
		break;
	case STATUS_BENCH:
		if (was_mended(results, &verdict->outcome)) {
			(void)snprintf(verdict->reason, sizeof(verdict->reason), "a further attempt made good what the bench broke: %s",
			               verdict->bench_text);
			break;
		}
		set_error(verdict, "bench", "", verdict->bench_error ? verdict->bench_text : why(results, "bench", last_words));
		break;
	case STATUS_INTERRUPTED:
		verdict->outcome = OUTCOME_CANCELLED;
		(void)snprintf(verdict->reason, sizeof(verdict->reason), "the run was interrupted");
		break;
	default:
		(void)snprintf(text, sizeof(text), "the runner ended with status %d: ", status);
		set_error(verdict, "bench", text, *last_words ? last_words : "nothing was said about it");
		verdict->crashed = true;
	}
}

static void by_keeper(const struct keeper_exit *exit, const char *last_words, struct run_verdict *verdict)
{
	static const char *const limits[] = {"time_limit", "silence", "output", "memory", "disk"};
	char text[120];
	for (unsigned i = 0; i < sizeof(limits) / sizeof(*limits); i++)
		if (strcmp(exit->reason, limits[i]) == 0) {
			/* Silence may be a board's fault too: that is tried again. */
			bool again = strcmp(exit->reason, "silence") == 0;
			set_error(verdict, "bench", again ? "" : REASON_LIMIT, exit->message[0] ? exit->message : exit->reason);
			return;
		}
	if (strcmp(exit->reason, "start") == 0) {
		set_error(verdict, "bench", "could not be started: ", exit->message);
	} else if (strcmp(exit->reason, "cancelled") == 0) {
		set_error(verdict, "bench", "", "the run was ended from outside");
	} else if (strcmp(exit->reason, "lost") == 0) {
		set_error(verdict, "bench", "the run was lost: ", exit->message[0] ? exit->message : "its keeper is gone without a word");
		verdict->crashed = true;
	} else {
		const char *name = exit->signal > 0 ? sigabbrev_np(exit->signal) : NULL;
		/* They may be anything, such as the verdict of the case before: no cause. */
		(void)snprintf(text, sizeof(text), "the runner was ended by signal %d%s%s%s%s", exit->signal, name ? " (SIG" : "",
		               name ? name : "", name ? ")" : "", *last_words ? "; the last that it printed: " : "");
		set_error(verdict, "bench", text, last_words);
		verdict->crashed = true;
	}
}

void run_verdict(const struct keeper_exit *exit, const json_t *results, const char *last_words, struct run_verdict *verdict)
{
	*verdict = (struct run_verdict){0};
	if (results)
		look_for_bench(results, verdict);
	bool exited = strcmp(exit->reason, "exited") == 0 && exit->exit_status >= 0;
	if (exited)
		by_status(exit->exit_status, results, last_words, verdict);
	else
		by_keeper(exit, last_words, verdict);
	verdict->good = exited && !verdict->bench_error && !verdict->crashed && verdict->outcome != OUTCOME_CANCELLED &&
	                (verdict->outcome != OUTCOME_ERROR || strcmp(verdict->cause, "testcase") == 0) && results && any_attempt(results);
}
