/* SPDX-License-Identifier: Apache-2.0 */
/* The check of the books. A rule is a query that gives no row, whatever the moment at which a daemon was killed. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "book_private.h"

/* NOT INDEXED where the rule is what an index enforces: a damaged index must not hide it. */
static const struct book_rule rules_jobs[] = {
        {"a job that is done has no open run",
         "SELECT 'job ' || jobs.id || ' is done, its run ' || runs.id || ' is ' || runs.state FROM runs INDEXED BY runs_open "
         "CROSS JOIN jobs ON jobs.id = runs.job WHERE runs.state <> 'done' AND jobs.state = 'done'"},
        {"a job with an open run is not queued",
         "SELECT 'job ' || jobs.id || ' is queued, its run ' || runs.id || ' is ' || runs.state FROM runs INDEXED BY runs_open "
         "CROSS JOIN jobs ON jobs.id = runs.job WHERE runs.state <> 'done' AND jobs.state = 'queued'"},
        {"a job is done when it has an outcome and an end",
         "SELECT 'job ' || id || ' is ' || state || ' with outcome ' || ifnull(outcome, 'none') FROM jobs "
         "WHERE (state = 'done') <> (outcome IS NOT NULL) OR (state = 'done') <> (ended IS NOT NULL)"},
        {"a job that runs was begun", "SELECT 'job ' || id || ' is ' || state || ' but was not begun' FROM jobs WHERE state IN ('running', "
                                      "'finishing') AND started IS NULL"},
        {"a job that passed has runs, and none that failed",
         "SELECT 'job ' || id || ' passed, ' || (SELECT count(*) FROM runs WHERE job = jobs.id) || ' runs of it, failed: ' || "
         "(SELECT count(*) FROM runs WHERE job = jobs.id AND outcome = 'failed') FROM jobs WHERE state = 'done' AND outcome = 'passed' "
         "AND (NOT EXISTS (SELECT 1 FROM runs WHERE job = jobs.id AND outcome = 'passed') "
         "OR EXISTS (SELECT 1 FROM runs WHERE job = jobs.id AND outcome = 'failed'))"},
        {"a key is one job's",
         "SELECT 'the key ' || key || ' is that of ' || count(*) || ' jobs' FROM jobs NOT INDEXED WHERE key IS NOT NULL GROUP BY key "
         "HAVING count(*) > 1"},
        {"a job reruns an earlier one", "SELECT 'job ' || id || ' is a rerun of job ' || rerun_of FROM jobs WHERE rerun_of >= id"},
        {"runs of a job are numbered from 1 without gaps",
         "SELECT 'job ' || job || ' has ' || count(*) || ' runs, the last has number ' || max(number) FROM runs GROUP BY job "
         "HAVING count(*) <> max(number) OR min(number) <> 1 OR count(DISTINCT number) <> count(*)"},
        {"a run is done when it has an outcome and an end",
         "SELECT 'run ' || id || ' is ' || state || ' with outcome ' || ifnull(outcome, 'none') FROM runs WHERE (state = 'done') <> "
         "(outcome IS NOT NULL) OR (state IN ('ended', 'done')) <> (ended IS NOT NULL) OR (state = 'running' AND started IS NULL)"},
        {"a run that is an error has a cause, and no other has",
         "SELECT 'run ' || id || ' is ' || ifnull(outcome, state) || ' with cause ' || ifnull(cause, 'none') FROM runs "
         "WHERE (outcome IS 'error') <> (cause IS NOT NULL)"},
        {"a run has a lease of its rig for its job",
         "SELECT 'run ' || runs.id || ' of job ' || runs.job || ' on ' || runs.rig || ' has lease ' || runs.lease || ' of ' || "
         "ifnull(leases.rig, 'nothing') || ' for job ' || ifnull(leases.job, 'none') FROM runs LEFT JOIN leases ON leases.id = runs.lease "
         "WHERE leases.rig IS NOT runs.rig OR leases.job IS NOT runs.job"},
        {"a lease serves one run",
         "SELECT 'lease ' || lease || ' serves ' || count(*) || ' runs' FROM runs NOT INDEXED GROUP BY lease HAVING count(*) > 1"},
        {"the lease of a run that runs is not over",
         "SELECT 'run ' || runs.id || ' is ' || runs.state || ', its lease ' || leases.id || ' is over' FROM runs INDEXED BY runs_open "
         "CROSS JOIN leases ON leases.id = runs.lease WHERE runs.state <> 'done' AND runs.state <> 'ended' AND leases.state = 'over'"},
        {"an active lease of a job has a run that is not done",
         "SELECT 'lease ' || id || ' of ' || rig || ' for job ' || job || ' is active, and no run of it is open' FROM leases "
         "WHERE state = 'active' AND kind = 'job' AND NOT EXISTS (SELECT 1 FROM runs WHERE lease = leases.id AND state <> 'done')"},
        {"a rig has one lease at a time",
         "SELECT rig || ' has ' || count(*) || ' leases that are not over' FROM leases NOT INDEXED WHERE state <> 'over' GROUP BY rig "
         "HAVING count(*) > 1"},
        {"a lease that is over has an end",
         "SELECT 'lease ' || id || ' is ' || state || ', its end ' || ifnull(ended, 'is missing') FROM leases WHERE (state = 'over') <> "
         "(ended IS NOT NULL)"},
        {"a lease has a holder that fits its kind",
         "SELECT 'lease ' || id || ' is for a ' || kind FROM leases WHERE (kind = 'job') <> (job IS NOT NULL) OR (kind = 'person') <> "
         "(secret_hash IS NOT NULL)"},
        {"a rig that is not healthy has a reason",
         "SELECT name || ' is ' || health || ' without a reason' FROM rigs WHERE health <> 'healthy' AND reason = ''"},
        {"ids are not given twice",
         "SELECT newest.name || ' has id ' || newest.id || ' above its counter' FROM (SELECT 'jobs' AS name, max(id) AS id FROM jobs "
         "UNION ALL SELECT 'runs', max(id) FROM runs UNION ALL SELECT 'leases', max(id) FROM leases) AS newest "
         "WHERE newest.id > ifnull((SELECT seq FROM sqlite_sequence WHERE sqlite_sequence.name = newest.name), 0)"},
        {NULL, NULL},
};

void book_breach(struct book_breaches *breaches, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = ' ';
	breaches->count++;
	if (breaches->tell)
		breaches->tell(text, breaches->context);
}

/* Damage is a breach like others: the check goes on with what can be read. Anything else that goes wrong is not an answer. */
static int or_breach(struct book_breaches *breaches, int r, const char *name, struct error *err)
{
	if (r != -EUCLEAN)
		return r < 0 ? r : 0;
	book_breach(breaches, "%s: cannot be told: %s", name, err->message);
	return 0;
}

static int check_rule(struct book_breaches *breaches, const struct book_rule *rule, struct error *err)
{
	sqlite3_stmt *rows;
	int r = book_select(breaches->book, &rows, err, rule->sql, NO_VALUES);

	while (r >= 0 && (r = book_next(breaches->book, rows, err)) > 0) {
		const char *text = (const char *)sqlite3_column_text(rows, 0);

		book_breach(breaches, "%s: %s", rule->name, text ? text : "(no text)");
	}
	book_select_end(breaches->book, rows);
	return or_breach(breaches, r, rule->name, err);
}

static int check_rules(struct book_breaches *breaches, const struct book_rule *rules, struct error *err)
{
	int r = 0;

	for (; rules->name && r >= 0; rules++)
		r = check_rule(breaches, rules, err);
	return r;
}

static int check_structure(struct book_breaches *breaches, struct error *err)
{
	static const char name[] = "the database is whole";
	sqlite3_stmt *rows;
	int r = book_select(breaches->book, &rows, err, breaches->deep ? "PRAGMA integrity_check(50)" : "PRAGMA quick_check(50)",
	                    NO_VALUES);

	while (r >= 0 && (r = book_next(breaches->book, rows, err)) > 0) {
		const char *text = (const char *)sqlite3_column_text(rows, 0);

		if (text && strcmp(text, "ok") != 0)
			book_breach(breaches, "%s: %s", name, text);
	}
	book_select_end(breaches->book, rows);
	return or_breach(breaches, r, name, err);
}

static int check_references(struct book_breaches *breaches, struct error *err)
{
	static const char name[] = "what is named is there";
	sqlite3_stmt *rows;
	int r = book_select(breaches->book, &rows, err, "PRAGMA foreign_key_check", NO_VALUES);

	while (r >= 0 && (r = book_next(breaches->book, rows, err)) > 0)
		book_breach(breaches, "%s: row %lld of %s names a row of %s that is not there", name, sqlite3_column_int64(rows, 1),
		            (const char *)sqlite3_column_text(rows, 0), (const char *)sqlite3_column_text(rows, 2));
	book_select_end(breaches->book, rows);
	return or_breach(breaches, r, name, err);
}

static void check_modes(struct book_breaches *breaches)
{
	struct stat stat;

	if (fstatat(breaches->book->directory_fd, BOOK_FILE, &stat, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(stat.st_mode))
		book_breach(breaches, BOOK_FILE " is no longer a file");
	else if (stat.st_mode & (S_IWOTH | S_IROTH))
		book_breach(breaches, BOOK_FILE " may be read by everybody (mode %o)", (unsigned)stat.st_mode & 07777);
}

int book_check(struct book *book, bool deep, void (*tell)(const char *breach, void *context), void *context, unsigned *ret_breaches,
               struct error *err)
{
	struct book_breaches breaches = {.book = book, .deep = deep, .tell = tell, .context = context};
	struct error own = {0};
	int r;

	if (!err)
		err = &own;
	check_modes(&breaches);
	r = check_structure(&breaches, err);
	if (r >= 0)
		r = check_references(&breaches, err);
	if (r >= 0)
		r = check_rules(&breaches, rules_jobs, err);
	if (r >= 0)
		r = check_rules(&breaches, book_rules_results, err);
	if (r >= 0)
		r = or_breach(&breaches, book_check_blobs(&breaches, err), "files", err);
	if (r >= 0)
		r = or_breach(&breaches, book_check_figures(&breaches, err), "figures", err);
	if (r < 0)
		return r;
	*ret_breaches = breaches.count;
	return 0;
}
