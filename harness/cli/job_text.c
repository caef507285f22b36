/* SPDX-License-Identifier: Apache-2.0 */
#include "job_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon_command.h"

#define TEXT_SIZE 400

/* "2026-01-02T03:04:05.678Z" to the second. */
static const char *when(const json_t *object, const char *key)
{
	static char text[2][24];
	static unsigned turn;
	char *to = text[turn++ % 2];
	(void)snprintf(to, sizeof(text[0]), "%.19s", daemon_text(object, key));
	for (char *c = to; *c; c++)
		*c = *c == 'T' ? ' ' : *c;
	return *to ? to : "-";
}

/* The outcome when it is over, else the state; of a job, not of a run, that was begun and waits for its next try: that it waits. */
static const char *standing(const json_t *job)
{
	const char *outcome = daemon_text(job, "outcome"), *state = daemon_text(job, "state");
	if (*outcome)
		return outcome;
	return !strcmp(state, "running") && *daemon_text(job, "waiting_for") ? "waiting" : state;
}

static void print_counts(const json_t *counts, char *ret, size_t size)
{
	static const char *const names[] = {"pass", "fail", "error", "inconclusive", "skipped", "flaky"};
	size_t used = 0;
	ret[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int64_t n = daemon_integer(counts, names[i]);
		if (n > 0 && used < size)
			used += (size_t)snprintf(ret + used, size - used, "%s%" PRId64 " %s", used ? ", " : "", n, names[i]);
	}
}

void job_print_header(void)
{
	(void)printf("%6s  %-12s  %-19s  %-12s  %-16s  %s\n", "job", "state", "submitted (UTC)", "by", "rig", "title");
}

static const char *place_of(const json_t *job)
{
	const char *rig = daemon_text(job, "rig"), *pool = daemon_text(job, "pool");
	return *rig ? rig : *pool ? pool : "any";
}

void job_print_line(const json_t *job)
{
	char title[TEXT_SIZE], by[32], place[40], counts[200], reason[TEXT_SIZE];
	char so_far[60] = "";
	const json_t *all = json_object_get(job, "counts");
	int64_t planned = daemon_integer(all, "planned");
	print_counts(all, counts, sizeof(counts));
	(void)daemon_plain(daemon_text(job, "waiting_for"), reason, sizeof(reason));
	if (!*daemon_text(job, "outcome") && planned > 0)
		(void)snprintf(so_far, sizeof(so_far), "  [%" PRId64 "/%" PRId64 "]", daemon_integer(all, "total"), planned);
	(void)printf("%6" PRId64 "  %-12s  %-19s  %-12s  %-16s  %s%s%s%s%s%s%s\n", daemon_integer(job, "id"), standing(job),
	             when(job, "submitted"), daemon_plain(daemon_text(job, "submitter"), by, sizeof(by)),
	             daemon_plain(place_of(job), place, sizeof(place)), daemon_plain(daemon_text(job, "title"), title, sizeof(title)),
	             so_far, *counts ? "  (" : "", counts, *counts ? ")" : "", *reason ? "  waits for " : "", reason);
}

static void print_line(const char *name, const char *text)
{
	char plain[TEXT_SIZE];
	if (*text)
		(void)printf("  %-10s %s\n", name, daemon_plain(text, plain, sizeof(plain)));
}

static void print_run(const json_t *run)
{
	const json_t *progress = json_object_get(run, "progress");
	char reason[TEXT_SIZE], at[TEXT_SIZE] = "", name[100], step[100];
	if (json_is_object(progress) && strcmp(daemon_text(run, "state"), "done") != 0)
		(void)snprintf(at, sizeof(at), "  [%" PRId64 "/%" PRId64 "] %s  %s", daemon_integer(progress, "done"),
		               daemon_integer(progress, "of"), daemon_plain(daemon_text(progress, "case"), name, sizeof(name)),
		               daemon_plain(daemon_text(progress, "step"), step, sizeof(step)));
	(void)printf("  run %-6" PRId64 " %-12s on %s%s%s%s%s%s\n", daemon_integer(run, "id"), standing(run), daemon_text(run, "rig"), at,
	             *daemon_text(run, "cause") ? "  cause " : "", daemon_text(run, "cause"), *daemon_text(run, "reason") ? ": " : "",
	             daemon_plain(daemon_text(run, "reason"), reason, sizeof(reason)));
}

void job_print(const json_t *job)
{
	char title[TEXT_SIZE], counts[200];
	size_t i;
	json_t *run;
	(void)printf("job %" PRId64 "  %s  %s\n", daemon_integer(job, "id"), standing(job),
	             daemon_plain(daemon_text(job, "title"), title, sizeof(title)));
	print_line("reason", daemon_text(job, "reason"));
	print_line("waits for", daemon_text(job, "waiting_for"));
	print_line("series", daemon_text(job, "series"));
	print_line("by", daemon_text(job, "submitter"));
	print_line("rig", place_of(job));
	print_line("submitted", when(job, "submitted"));
	print_line("started", when(job, "started"));
	print_line("ended", when(job, "ended"));
	print_counts(json_object_get(job, "counts"), counts, sizeof(counts));
	print_line("cases", counts);
	json_array_foreach (json_object_get(job, "runs"), i, run)
		print_run(run);
}

/* ---- rigs ---- */

void job_rig_print_header(void)
{
	(void)printf("%-16s  %-12s  %-12s  %-30s  %s\n", "rig", "pool", "health", "used by", "queue");
}

/* " until 14:05 UTC", with the day when it is another one; nothing when it has no end. */
static void put_until(const json_t *lease, char *ret, size_t size)
{
	const char *deadline = daemon_text(lease, "deadline");
	char today[11] = "";
	time_t now = time(NULL);
	struct tm parts;
	ret[0] = '\0';
	if (strlen(deadline) < 16)
		return;
	if (gmtime_r(&now, &parts))
		(void)strftime(today, sizeof(today), "%Y-%m-%d", &parts);
	if (!strncmp(today, deadline, 10))
		(void)snprintf(ret, size, " until %.5s UTC", deadline + 11);
	else
		(void)snprintf(ret, size, " until %.10s %.5s UTC", deadline, deadline + 11);
}

static void put_lock(const json_t *lease, char *ret, size_t size)
{
	char holder[100], until[40], note[200];
	put_until(lease, until, sizeof(until));
	(void)daemon_plain(daemon_text(lease, "note"), note, sizeof(note));
	(void)snprintf(ret, size, "locked by %s%s%s%s%s", daemon_plain(daemon_text(lease, "holder"), holder, sizeof(holder)), until,
	               *note ? " (" : "", note, *note ? ")" : "");
}

static void put_lease(const json_t *lease, char *ret, size_t size)
{
	char holder[100];
	if (!json_is_object(lease))
		(void)snprintf(ret, size, "-");
	else if (!strcmp(daemon_text(lease, "kind"), "person") && !strcmp(daemon_text(lease, "state"), "active"))
		put_lock(lease, ret, size);
	else if (!strcmp(daemon_text(lease, "kind"), "job"))
		(void)snprintf(ret, size, "job %" PRId64 "%s", daemon_integer(lease, "job"),
		               !strcmp(daemon_text(lease, "state"), "cleaning") ? " (cleaning up)" : "");
	else
		(void)snprintf(ret, size, "%s%s", daemon_plain(daemon_text(lease, "holder"), holder, sizeof(holder)),
		               !strcmp(daemon_text(lease, "state"), "cleaning") ? " (cleaning up)" : "");
}

void job_rig_print_line(const json_t *rig)
{
	char lease[400], name[64], pool[64], reason[TEXT_SIZE];
	bool offline = json_is_false(json_object_get(rig, "online"));
	put_lease(json_object_get(rig, "lease"), lease, sizeof(lease));
	(void)printf("%-16s  %-12s  %-12s  %-30s  %" PRId64 "%s%s\n", daemon_plain(daemon_text(rig, "name"), name, sizeof(name)),
	             daemon_plain(daemon_text(rig, "pool"), pool, sizeof(pool)), offline ? "offline" : daemon_text(rig, "health"), lease,
	             daemon_integer(rig, "queue"), *daemon_text(rig, "reason") ? "  " : "",
	             daemon_plain(daemon_text(rig, "reason"), reason, sizeof(reason)));
}
