/* SPDX-License-Identifier: Apache-2.0 */
#include "results.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blobs.h"
#include "book_private.h"
#include "results_private.h"

#define MESSAGE_LIMIT 16384 /* bytes; longer ones are cut: results.json has the whole */
#define NAME_LIMIT    255

/* ---- what a run found ---- */
int case_name_key(struct book *book, const char *name, int64_t *ret, struct error *err)
{
	int r = book_execute(book, err, "INSERT INTO case_names (name) VALUES (?1) ON CONFLICT (name) DO NOTHING", VALUES(TEXT(name)));
	if (r >= 0)
		r = book_integer(book, ret, err, "SELECT id FROM case_names WHERE name = ?1", VALUES(TEXT(name)));
	return r < 0 ? r : 0;
}

/* Files of a job are told by where they were submitted, not by the directory of one run. */
static const char *file_of_job(const char *file, const char *directory)
{
	const char *within = file ? strstr(file, directory) : NULL;
	return within ? within + strlen(directory) : file ? file : "";
}

static char *message_cut(const char *message)
{
	size_t length = strlen(message);
	if (length <= MESSAGE_LIMIT)
		return strdup(message);
	length = MESSAGE_LIMIT;
	while (length > 0 && ((unsigned char)message[length] & 0xc0) == 0x80) /* not within a character */
		length--;
	char *cut = NULL;
	return asprintf(&cut, "%.*s…", (int)length, message) < 0 ? NULL : cut;
}

static int text_key(struct book *book, int64_t name, const char *title, const char *file, int64_t *ret, struct error *err)
{
	int r = book_execute(book, err, "INSERT INTO case_texts (name, title, file) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
	                     VALUES(INTEGER(name), TEXT(title), TEXT(file)));
	if (r < 0)
		return r;
	return book_integer(book, ret, err, "SELECT id FROM case_texts WHERE name = ?1 AND title = ?2 AND file = ?3",
	                    VALUES(INTEGER(name), TEXT(title), TEXT(file)));
}

static int case_add(struct book *book, int64_t run, unsigned position, const struct case_result *c, const char *directory,
                    struct error *err)
{
	int64_t name, text;
	int r = case_name_key(book, c->id, &name, err);
	if (r < 0 || (r = text_key(book, name, c->title ? c->title : "", file_of_job(c->file, directory), &text, err)) < 0)
		return r;
	char *message = c->message ? message_cut(c->message) : NULL;
	if (c->message && !message)
		return book_no_memory(err);
	bool placed = c->place_file != NULL;
	r = book_execute(
	        book, err,
	        "INSERT INTO cases (run, name, position, text, line, turn, verdict, cause, message, place_file, place_line, place_column, "
	        "duration_ns, attempts, flaky, started) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, nullif(?8, ''), ?9, ?10, ?11, ?12, ?13, ?14, "
	        "?15, ?16)",
	        VALUES(INTEGER(run), INTEGER(name), INTEGER(position), INTEGER(text), INTEGER(c->line), TEXT(case_turn_name(c->turn)),
	               TEXT(verdict_name(c->verdict)), TEXT(cause_name(c->cause)), TEXT(message),
	               TEXT(placed ? file_of_job(c->place_file, directory) : NULL), placed ? INTEGER(c->place_line) : TEXT(NULL),
	               placed ? INTEGER(c->place_column) : TEXT(NULL), INTEGER(c->duration_ns), INTEGER(c->attempts), INTEGER(c->flaky),
	               INTEGER_OR_NULL(c->started_utc_ns)));
	free(message);
	return r < 0 ? r : 0;
}

/* As the report of the run has them: a case that was not begun is a skipped one. */
static json_t *run_counts(const struct results *results)
{
	unsigned by_verdict[VERDICT_ERROR + 1] = {0}, flaky = 0;
	for (size_t i = 0; i < results->case_count; i++) {
		const struct case_result *c = &results->cases[i];
		by_verdict[c->verdict]++;
		flaky += c->flaky;
	}
	return json_pack("{s:I,s:I,s:i,s:i,s:i,s:i,s:i,s:i}", "planned", (json_int_t)results->case_count, "total",
	                 (json_int_t)results->case_count, "pass", (int)by_verdict[VERDICT_PASS], "fail", (int)by_verdict[VERDICT_FAIL],
	                 "inconclusive", (int)by_verdict[VERDICT_INCONCLUSIVE], "error", (int)by_verdict[VERDICT_ERROR], "skipped",
	                 (int)by_verdict[VERDICT_SKIPPED], "flaky", (int)flaky);
}

static int run_note(struct book *book, int64_t run, const struct results *results, struct error *err)
{
	json_t *counts = run_counts(results);
	char *text = counts ? json_dumps(counts, JSON_COMPACT) : NULL;
	int r = text ? book_execute(book, err, "UPDATE runs SET virtual = ?2, counts = ?3 WHERE id = ?1",
	                            VALUES(INTEGER(run), INTEGER(results->virtual_rack), TEXT(text)))
	             : book_no_memory(err);
	free(text);
	json_decref(counts);
	return r < 0 ? r : 0;
}

int results_remove(struct book *book, int64_t run, struct error *err)
{
	int r = measured_remove(book, run, err);
	if (r >= 0)
		r = book_execute(book, err, "DELETE FROM cases WHERE run = ?1", VALUES(INTEGER(run)));
	return r < 0 ? r : 0;
}

static int results_store(struct book *book, int64_t run, int64_t job, const struct results *results, struct error *err)
{
	char directory[64];
	(void)snprintf(directory, sizeof(directory), "/jobs/%lld/%lld/files/", (long long)job, (long long)run);
	int r = results_remove(book, run, err);
	for (size_t i = 0; i < results->case_count && r >= 0; i++)
		r = case_add(book, run, (unsigned)i, &results->cases[i], directory, err);
	for (size_t i = 0; i < results->measurement_count && r >= 0; i++)
		r = measured_add(book, run, (unsigned)i, &results->measurements[i], err);
	return r < 0 ? r : run_note(book, run, results, err);
}

int book_results_add(struct book *book, int64_t run, const json_t *json, struct error *err)
{
	struct results *results = NULL;
	int64_t job;
	int r = book_integer(book, &job, err, "SELECT job FROM runs WHERE id = ?1", VALUES(INTEGER(run)));
	if (r == -ENOENT)
		return error_set(err, ERROR_BENCH, ENOENT, "there is no run %lld", (long long)run);
	if (r < 0 || (r = results_read(json, &results, err)) < 0)
		return r;
	r = book_begin(book, err);
	if (r >= 0 && (r = results_store(book, run, job, results, err)) < 0)
		book_roll_back(book);
	else if (r >= 0)
		r = book_commit(book, err);
	results_free(results);
	return r;
}

/* ---- artefacts ---- */
/* A path below the run's directory: no way out of it, nothing that a terminal or a header would take for something else. */
static bool artefact_name_valid(const char *name)
{
	size_t length = strlen(name);
	if (length == 0 || length > NAME_LIMIT || name[0] == '/' || name[length - 1] == '/')
		return false;
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '\\')
			return false;
	for (const char *p = name; p; p = strchr(p, '/')) {
		p += *p == '/';
		size_t part = strcspn(p, "/");
		if (part == 0 || (part == 1 && p[0] == '.') || (part == 2 && p[0] == '.' && p[1] == '.'))
			return false;
	}
	json_t *text = json_string(name);
	json_decref(text);
	return text != NULL;
}

int book_artefact_add(struct book *book, int64_t run, const char *name, const char *sha256, uint64_t size, struct error *err)
{
	uint64_t is = 0;
	if (!artefact_name_valid(name))
		return error_set(err, ERROR_BENCH, EINVAL, "an artefact cannot have this name");
	int r = blob_find(book, sha256, &is, err);
	if (r < 0)
		return r;
	if (is != size)
		return error_set(err, ERROR_BENCH, EINVAL, "artefact %s has %llu bytes, not %llu", name, (unsigned long long)is,
		                 (unsigned long long)size);
	r = book_execute(
	        book, err,
	        "INSERT INTO artefacts (run, name, sha256, size) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (run, name) DO UPDATE SET sha256 = "
	        "excluded.sha256, size = excluded.size",
	        VALUES(INTEGER(run), TEXT(name), TEXT(sha256), INTEGER(size)));
	return r < 0 ? r : 0;
}

int book_artefact_find(struct book *book, int64_t run, const char *name, char sha256[BLOB_NAME_SIZE], uint64_t *ret_size, struct error *err)
{
	sqlite3_stmt *rows = NULL;
	int r = book_select(book, &rows, err, "SELECT sha256, size FROM artefacts WHERE run = ?1 AND name = ?2",
	                    VALUES(INTEGER(run), TEXT(name)));
	if (r >= 0)
		r = book_next(book, rows, err);
	if (r > 0) {
		(void)snprintf(sha256, BLOB_NAME_SIZE, "%s", (const char *)sqlite3_column_text(rows, 0));
		*ret_size = (uint64_t)sqlite3_column_int64(rows, 1);
	}
	book_select_end(book, rows);
	if (r == 0)
		return error_set(err, ERROR_BENCH, ENOENT, "run %lld has no artefact of this name", (long long)run);
	return r < 0 ? r : 0;
}

/* ---- as the API shows a run ---- */
static json_t *case_json(sqlite3_stmt *row)
{
	json_t *place = sqlite3_column_type(row, 7) == SQLITE_NULL
	                        ? json_null()
	                        : json_pack("{s:o,s:o,s:o}", "file", column_text_json(row, 7), "line", column_integer_json(row, 8),
	                                    "column", column_integer_json(row, 9));
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:b,s:o}", "id", column_text_json(row, 0), "title",
	                 column_text_json(row, 1), "file", column_text_json(row, 2), "line", column_integer_json(row, 3), "verdict",
	                 column_text_json(row, 4), "cause", column_text_json(row, 5), "message", column_text_json(row, 6), "place", place,
	                 "duration_ns", column_integer_json(row, 10), "attempts", column_integer_json(row, 11), "flaky",
	                 sqlite3_column_int(row, 12), "started", column_time_json(row, 13));
}

static json_t *measurement_json(sqlite3_stmt *row)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:b,s:b,s:o,s:o,s:o,s:o,s:o,s:o}", "series", column_integer_json(row, 0), "case",
	                 column_text_json(row, 1), "id", column_text_json(row, 2), "title", column_text_json(row, 3), "unit",
	                 column_text_json(row, 4), "virtual", sqlite3_column_int(row, 5), "complete", sqlite3_column_int(row, 6), "n",
	                 column_integer_json(row, 7), "min_ns", column_integer_json(row, 8), "p50_ns", column_integer_json(row, 9),
	                 "p95_ns", column_integer_json(row, 10), "max_ns", column_integer_json(row, 11), "limits", column_json(row, 12));
}

static const char *media_type(const char *name)
{
	static const char *const types[][2] = {
	        {".json", "application/json"},
	        {".jsonl", "application/x-ndjson"},
	        {".xml", "application/xml"},
	        {".html", "text/html"},
	        {".log", "text/plain"},
	        {".txt", "text/plain"},
	        {".yaml", "text/plain"},
	        {".svg", "image/svg+xml"},
	        {".png", "image/png"},
	        {".pcapng", "application/x-pcapng"},
	        {".pcap", "application/vnd.tcpdump.pcap"},
	};
	const char *suffix = name ? strrchr(name, '.') : NULL;
	for (size_t i = 0; suffix && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(suffix, types[i][0]) == 0)
			return types[i][1];
	return "application/octet-stream";
}

static json_t *artefact_json(sqlite3_stmt *row)
{
	return json_pack("{s:o,s:o,s:o,s:s}", "name", column_text_json(row, 0), "size", column_integer_json(row, 1), "sha256",
	                 column_text_json(row, 2), "type", media_type((const char *)sqlite3_column_text(row, 0)));
}

static int put_rows(struct book *book, int64_t run, const char *sql, book_json_reader read, json_t *into, const char *member,
                    struct error *err)
{
	json_t *list = json_array();
	int r = book_json_list(book, read, list, err, sql, VALUES(INTEGER(run)));
	if (r >= 0 && json_object_set(into, member, list) < 0)
		r = book_no_memory(err);
	json_decref(list);
	return r;
}

int results_of_run_json(struct book *book, int64_t run, json_t *into, struct error *err)
{
	int r = put_rows(
	        book, run,
	        "SELECT n.name, t.title, t.file, c.line, c.verdict, c.cause, c.message, c.place_file, c.place_line, c.place_column, "
	        "c.duration_ns, c.attempts, c.flaky, c.started FROM cases c JOIN case_names n ON n.id = c.name LEFT JOIN case_texts t ON "
	        "t.id = c.text WHERE c.run = ?1 ORDER BY c.position",
	        case_json, into, "cases", err);
	if (r >= 0)
		r = put_rows(
		        book, run,
		        "SELECT s.id, n.name, s.measurement, s.title, s.unit, s.virtual, m.complete, m.n, m.min_ns, m.p50_ns, m.p95_ns, "
		        "m.max_ns, m.limits FROM measured m JOIN measurement_series s ON s.id = m.series JOIN case_names n ON n.id = "
		        "s.name "
		        "WHERE m.run = ?1 ORDER BY m.position",
		        measurement_json, into, "measurements", err);
	if (r >= 0)
		r = put_rows(book, run, "SELECT name, size, sha256 FROM artefacts WHERE run = ?1 ORDER BY name", artefact_json, into,
		             "artefacts", err);
	return r < 0 ? r : 0;
}
