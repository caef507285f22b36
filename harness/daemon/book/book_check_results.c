/* SPDX-License-Identifier: Apache-2.0 */
/* The check of the books: results, what they add up to, and the files that are named. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blobs_private.h"
#include "book_private.h"
#include "results_private.h"

#define NAMED                                                                                                                              \
	"SELECT sha256, size FROM job_files UNION ALL SELECT sha256, size FROM job_reports UNION ALL SELECT sha256, size FROM artefacts"

const struct book_rule book_rules_results[] = {
        {"every name of a file is counted",
         "SELECT ifnull(b.sha256, u.sha256) || ' is counted ' || ifnull(b.names, 0) || ' times with ' || ifnull(b.size, 0) || ' bytes, and "
         "named ' || "
         "ifnull(u.names, 0) || ' times with ' || ifnull(u.least, 0) || ' to ' || ifnull(u.most, 0) FROM (SELECT sha256, count(*) AS "
         "names, min(size) AS "
         "least, max(size) AS most FROM (" NAMED
         ") GROUP BY sha256) u FULL JOIN blobs b ON b.sha256 = u.sha256 WHERE b.names IS NOT u.names OR b.size IS "
         "NOT u.least OR b.size IS NOT u.most"},
        {"the bytes of all files are added up",
         "SELECT 'the files have ' || (SELECT ifnull(sum(size), 0) FROM blobs) || ' bytes, the book says ' || ifnull((SELECT bytes FROM "
         "blob_bytes), "
         "'nothing') WHERE (SELECT ifnull(sum(size), 0) FROM blobs) IS NOT (SELECT bytes FROM blob_bytes)"},
        {"results are of runs that are over", "SELECT 'run ' || r.id || ' is ' || r.state || ' and has cases' FROM runs r WHERE r.state IN "
                                              "('starting', 'running') AND EXISTS (SELECT 1 FROM "
                                              "cases WHERE run = r.id)"},
        /* Older daemons left cases that the run did not come to out of total and skipped: both are right. */
        {"counts of a run are those of its cases",
         "SELECT 'run ' || r.id || ' counts ' || ifnull(r.counts, 'nothing') || ', its cases ' || k.planned || ' planned, ' || k.pass || ' "
         "passed, ' || k.fail || ' failed, ' || k.error || ' errors, ' || k.skipped || ' skipped' FROM (SELECT run, count(*) AS planned, "
         "sum(turn = 'missed') AS missed, sum(verdict = 'pass') AS pass, sum(verdict = 'fail') AS fail, sum(verdict = 'error') AS error, "
         "sum(verdict = 'inconclusive') AS inconclusive, sum(verdict = 'skipped') AS skipped, sum(flaky) AS flaky FROM cases GROUP BY "
         "run) k JOIN runs r ON r.id = k.run WHERE json_extract(r.counts, '$.planned') IS NOT k.planned OR json_extract(r.counts, "
         "'$.total') NOT IN (k.planned, k.planned - k.missed) OR json_extract(r.counts, '$.total') - json_extract(r.counts, '$.skipped') "
         "IS NOT k.planned - k.skipped OR json_extract(r.counts, '$.pass') IS NOT k.pass OR json_extract(r.counts, '$.fail') IS NOT "
         "k.fail OR json_extract(r.counts, '$.error') IS NOT k.error OR json_extract(r.counts, '$.inconclusive') IS NOT k.inconclusive "
         "OR json_extract(r.counts, '$.flaky') IS NOT k.flaky"},
        {"every case has its title", "SELECT 'case ' || n.name || ' of run ' || c.run || ' has text ' || c.text || ', which is not its "
                                     "own' FROM cases c LEFT JOIN case_texts t ON t.id "
                                     "= c.text LEFT JOIN case_names n ON n.id = c.name WHERE t.name IS NOT c.name"},
        {"runs and samples of a measurement are added up", "SELECT 'series ' || s.id || ' has ' || s.runs || ' runs with ' || s.n || ' "
                                                           "samples, its runs are ' || ifnull(k.runs, 0) || ' with ' || ifnull(k.n, "
                                                           "0) FROM measurement_series s LEFT JOIN (SELECT series, count(*) AS runs, "
                                                           "sum(n) AS n FROM measured WHERE min_ns IS NOT NULL GROUP BY series) k ON "
                                                           "k.series = s.id WHERE s.runs <> ifnull(k.runs, 0) OR s.n <> ifnull(k.n, 0)"},
        {"an hour is the sum of its runs",
         "SELECT 'series ' || ifnull(h.series, k.series) || ' on ' || ifnull(h.rig, k.rig) || ', hour ' || ifnull(h.begin, k.begin) || ': "
         "' || ifnull(h.runs, "
         "0) || ' runs instead of ' || ifnull(k.runs, 0) FROM (SELECT series, rig, at - at % 3600000000000 AS begin, count(*) AS runs, "
         "sum(n) AS n, "
         "min(min_ns) AS min_ns, max(max_ns) AS max_ns, min(at) AS first, max(at) AS last FROM measured WHERE min_ns IS NOT NULL GROUP BY "
         "1, 2, 3) k FULL "
         "JOIN (SELECT * FROM measured_spans WHERE level = 'hour') h ON h.series = k.series AND h.rig = k.rig AND h.begin = k.begin WHERE "
         "h.runs IS NOT k.runs "
         "OR h.n IS NOT k.n OR h.min_ns IS NOT k.min_ns OR h.max_ns IS NOT k.max_ns OR h.first IS NOT k.first OR h.last IS NOT k.last"},
        {"a day is the sum of its hours", "SELECT 'series ' || ifnull(d.series, k.series) || ' on ' || ifnull(d.rig, k.rig) || ', day ' || "
                                          "ifnull(d.begin, k.day) || ': ' || ifnull(d.runs, 0) "
                                          "|| ' runs instead of ' || ifnull(k.runs, 0) FROM (SELECT series, rig, begin - begin % "
                                          "86400000000000 AS day, sum(runs) AS runs, sum(n) AS n, "
                                          "min(min_ns) AS min_ns, max(max_ns) AS max_ns, min(first) AS first, max(last) AS last FROM "
                                          "measured_spans WHERE level = 'hour' GROUP BY 1, 2, 3) k "
                                          "FULL JOIN (SELECT * FROM measured_spans WHERE level = 'day') d ON d.series = k.series AND d.rig "
                                          "= k.rig AND d.begin = k.day WHERE d.runs IS NOT "
                                          "k.runs OR d.n IS NOT k.n OR d.min_ns IS NOT k.min_ns OR d.max_ns IS NOT k.max_ns OR d.first IS "
                                          "NOT k.first OR d.last IS NOT k.last"},
        {"a job whose artefacts went has none",
         "SELECT 'job ' || j.id || ' still has artefacts or reports' FROM jobs j WHERE j.stripped = 1 AND (EXISTS (SELECT 1 FROM "
         "job_reports WHERE job = "
         "j.id) OR EXISTS (SELECT 1 FROM runs r JOIN artefacts a ON a.run = r.id WHERE r.job = j.id))"},
        {NULL, NULL},
};

/* ---- files ---- */
static int check_digest(struct book_breaches *breaches, int fd, const char *name, struct error *err)
{
	char is[BLOB_NAME_SIZE];
	int r = blob_digest_of(fd, name, is, err);
	if (r == -EIO)
		book_breach(breaches, "every file that is named is there: %s cannot be read: %s", name, strerror(EIO));
	else if (r < 0)
		return r;
	else if (strcmp(is, name) != 0)
		book_breach(breaches, "every file that is named is there: %s is damaged: the digest of its bytes is %s", name, is);
	return 0;
}

static int check_blob(struct book_breaches *breaches, const char *name, int64_t size, struct error *err)
{
	char path[PATH_SIZE];
	struct stat st;
	int r = 0;
	if (blob_path(name, path, NULL) < 0) {
		book_breach(breaches, "every file that is named is there: %.80s is no name of a file", name);
		return 0;
	}
	int fd = openat(breaches->book->directory_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) {
		book_breach(breaches, "every file that is named is there: %s: %s", path, strerror(errno));
		return 0;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		book_breach(breaches, "every file that is named is there: %s is no regular file", path);
	else if (st.st_size != size)
		book_breach(breaches, "every file that is named is there: %s has %lld bytes instead of %lld", path, (long long)st.st_size,
		            (long long)size);
	else if (breaches->deep)
		r = check_digest(breaches, fd, name, err);
	close(fd);
	return r;
}

int book_check_blobs(struct book_breaches *breaches, struct error *err)
{
	sqlite3_stmt *rows = NULL;
	/* What is named, not what is counted: the rules say when these differ. */
	int r = book_select(breaches->book, &rows, err, "SELECT sha256, max(size) FROM (" NAMED ") GROUP BY sha256", NO_VALUES);
	while (r >= 0 && (r = book_next(breaches->book, rows, err)) > 0)
		if ((r = check_blob(breaches, (const char *)sqlite3_column_text(rows, 0), sqlite3_column_int64(rows, 1), err)) < 0)
			break;
	book_select_end(breaches->book, rows);
	return r < 0 ? r : 0;
}

/* ---- figures ---- */
static json_int_t count_of(const json_t *counts, const char *name)
{
	return json_integer_value(json_object_get(counts, name));
}

/* Older daemons counted a case that was not begun as an error, or not at all when the job was cancelled. */
static bool counted_as_before(const json_t *says, const json_t *counts)
{
	static const char *const same[] = {"planned", "pass", "fail", "inconclusive", "flaky"};
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (!json_equal(json_object_get(says, same[i]), json_object_get(counts, same[i])))
			return false;
	json_int_t missed = count_of(counts, "skipped") - count_of(says, "skipped");
	json_int_t errors = count_of(says, "error") - count_of(counts, "error");
	return missed >= 0 && (errors == missed || errors == 0) && count_of(counts, "total") - count_of(says, "total") == missed - errors;
}

static int check_counts(struct book_breaches *breaches, int64_t job, const char *stored, struct error *err)
{
	json_t *counts = NULL, *says = json_loads(stored, 0, NULL);
	enum job_outcome outcome;
	int r = book_job_counts(breaches->book, job, &counts, &outcome, err);
	if (r >= 0 && !json_equal(counts, says) && !counted_as_before(says, counts)) {
		char *text = json_dumps(counts, JSON_COMPACT);
		book_breach(breaches, "counts of a job are those of its cases: job %lld says %s, its runs %s", (long long)job, stored,
		            text ? text : "something else");
		free(text);
	}
	json_decref(says);
	json_decref(counts);
	return r;
}

/* Both come ordered by series, level, begin and rig: the histogram of each span is made again of what is below it. */
static int check_histogram(struct book_breaches *breaches, sqlite3_stmt *span, struct histogram *h, struct bytes *encoded,
                           struct error *err)
{
	bool hour = strcmp((const char *)sqlite3_column_text(span, 1), "hour") == 0;
	int64_t begin = sqlite3_column_int64(span, 2), series = sqlite3_column_int64(span, 0);
	sqlite3_stmt *rows = NULL;
	histogram_clear(h);
	int r = book_select(
	        breaches->book, &rows, err,
	        hour ? "SELECT histogram FROM measured WHERE series = ?1 AND at >= ?2 AND at < ?3 AND rig = ?4 AND min_ns IS NOT NULL"
	             : "SELECT histogram FROM measured_spans WHERE series = ?1 AND level = 'hour' AND begin >= ?2 AND begin < ?3 AND rig = "
	               "?4",
	        VALUES(INTEGER(series), INTEGER(begin), INTEGER(begin + (hour ? HOUR_NS : DAY_NS)),
	               TEXT((const char *)sqlite3_column_text(span, 3))));
	bool broken = false;
	while (r >= 0 && (r = book_next(breaches->book, rows, err)) > 0)
		broken |= histogram_merge(h, sqlite3_column_blob(rows, 0), (size_t)sqlite3_column_bytes(rows, 0)) < 0;
	book_select_end(breaches->book, rows);
	if (r >= 0 && histogram_encode(h, encoded) < 0)
		r = book_no_memory(err);
	if (r >= 0 && (broken || encoded->length != (size_t)sqlite3_column_bytes(span, 4) ||
	               memcmp(encoded->data, sqlite3_column_blob(span, 4), encoded->length) != 0))
		book_breach(breaches, "the histogram of a span is that of its runs: series %lld, %s %lld", (long long)series,
		            hour ? "hour" : "day", (long long)begin);
	return r;
}

static int check_histograms(struct book_breaches *breaches, struct error *err)
{
	sqlite3_stmt *spans = NULL;
	struct bytes encoded = {0};
	struct histogram *h = malloc(sizeof(*h));
	int r = h ? book_select(breaches->book, &spans, err, "SELECT series, level, begin, rig, histogram FROM measured_spans", NO_VALUES)
	          : book_no_memory(err);
	while (r >= 0 && (r = book_next(breaches->book, spans, err)) > 0)
		if ((r = check_histogram(breaches, spans, h, &encoded, err)) < 0)
			break;
	book_select_end(breaches->book, spans);
	bytes_free(&encoded);
	free(h);
	return r;
}

int book_check_figures(struct book_breaches *breaches, struct error *err)
{
	sqlite3_stmt *rows = NULL;
	int r = book_select(breaches->book, &rows, err, "SELECT id, counts FROM jobs WHERE state = 'done' AND counts IS NOT NULL",
	                    NO_VALUES);
	while (r >= 0 && (r = book_next(breaches->book, rows, err)) > 0)
		if ((r = check_counts(breaches, sqlite3_column_int64(rows, 0), (const char *)sqlite3_column_text(rows, 1), err)) < 0)
			break;
	book_select_end(breaches->book, rows);
	if (r >= 0 && breaches->deep)
		r = check_histograms(breaches, err);
	return r < 0 ? r : 0;
}
