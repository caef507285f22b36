/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs: a row and the files that came with it. */
#include "jobs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "book_private.h"
#include "jobs_private.h"

static const char *const job_states[] = {"queued", "running", "finishing", "done"};
static const char *const outcomes[] = {NULL, "passed", "failed", "inconclusive", "error", "cancelled"};

const char *job_state_name(enum job_state state)
{
	return job_states[state];
}

const char *job_outcome_name(enum job_outcome outcome)
{
	return outcomes[outcome];
}

int name_index(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; name && i < count; i++)
		if (names[i] && !strcmp(names[i], name))
			return (int)i;
	return 0;
}

enum job_outcome outcome_from_name(const char *name)
{
	return (enum job_outcome)name_index(outcomes, sizeof(outcomes) / sizeof(*outcomes), name);
}

/* ---- records ---- */
static void strings_free(char **strings)
{
	for (size_t i = 0; strings && strings[i]; i++)
		free(strings[i]);
	free(strings);
}

void job_record_free(struct job_record *job)
{
	if (!job)
		return;
	free(job->title);
	free(job->series);
	free(job->submitter);
	free(job->key);
	free(job->rig);
	free(job->pool);
	strings_free(job->requires);
	strings_free(job->paths);
	json_decref(job->options);
	for (size_t i = 0; i < job->file_count; i++) {
		free(job->files[i].path);
		free(job->files[i].sha256);
	}
	free(job->files);
	json_decref(job->only);
	free(job->reason);
	free(job);
}

static char *strings_json(char *const *strings)
{
	json_t *array = json_array();
	char *text;

	for (size_t i = 0; strings && strings[i]; i++)
		if (json_array_append_new(array, json_string(strings[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	text = json_dumps(array, JSON_COMPACT);
	json_decref(array);
	return text;
}

static char **column_strings(sqlite3_stmt *row, int column)
{
	json_t *array = column_json(row, column);
	char **strings = calloc(json_array_size(array) + 1, sizeof(char *));

	for (size_t i = 0; strings && i < json_array_size(array); i++) {
		const char *text = json_string_value(json_array_get(array, i));

		strings[i] = strdup(text ? text : "");
		if (!strings[i]) {
			strings_free(strings);
			strings = NULL;
		}
	}
	json_decref(array);
	return strings;
}

json_t *column_json_or_null(sqlite3_stmt *row, int column)
{
	return sqlite3_column_type(row, column) == SQLITE_NULL ? NULL : column_json(row, column);
}

#define RECORD_COLUMNS                                                                                                                     \
	"id, title, series, submitter, key, rig, pool, requires, paths, priority, spread, retries, options, time_limit_ns, "               \
	"silence_limit_ns, rerun_of, only_cases, state, outcome, reason, cancelled, pinned, submitted, started, ended"

static struct job_record *record_of(sqlite3_stmt *row)
{
	struct job_record *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	*job = (struct job_record){
	        .id = sqlite3_column_int64(row, 0),
	        .title = column_text(row, 1),
	        .series = column_text(row, 2),
	        .submitter = column_text(row, 3),
	        .key = column_text(row, 4),
	        .rig = column_text(row, 5),
	        .pool = column_text(row, 6),
	        .requires = column_strings(row, 7),
	        .paths = column_strings(row, 8),
	        .priority = sqlite3_column_int(row, 9),
	        .spread = (unsigned)sqlite3_column_int(row, 10),
	        .retries = (unsigned)sqlite3_column_int(row, 11),
	        .options = column_json(row, 12),
	        .time_limit_ns = sqlite3_column_int64(row, 13),
	        .silence_limit_ns = sqlite3_column_int64(row, 14),
	        .rerun_of = sqlite3_column_int64(row, 15),
	        .only = column_json_or_null(row, 16),
	        .state = (enum job_state)name_index(job_states, 4, (const char *)sqlite3_column_text(row, 17)),
	        .outcome = outcome_from_name((const char *)sqlite3_column_text(row, 18)),
	        .reason = column_text(row, 19),
	        .cancelled = sqlite3_column_int(row, 20),
	        .pinned = sqlite3_column_int(row, 21),
	        .submitted_utc_ns = sqlite3_column_int64(row, 22),
	        .started_utc_ns = sqlite3_column_int64(row, 23),
	        .ended_utc_ns = sqlite3_column_int64(row, 24),
	};
	if (job->title && job->series && job->submitter && job->requires && job->paths && job->reason)
		return job;
	job_record_free(job);
	return NULL;
}

struct files {
	struct job_record *job;
	size_t room;
};

static int add_file_to_record(struct book *book, sqlite3_stmt *row, void *context, struct error *err)
{
	struct files *files = context;
	struct job_record *job = files->job;
	struct job_file *file;

	if (job->file_count == files->room) {
		size_t wanted = files->room ? files->room * 2 : 16;
		struct job_file *more = realloc(job->files, wanted * sizeof(*more));

		if (!more)
			return book_no_memory(err);
		job->files = more;
		files->room = wanted;
	}
	file = &job->files[job->file_count++];
	*file = (struct job_file){column_text(row, 0), column_text(row, 1), (uint64_t)sqlite3_column_int64(row, 2)};
	return file->path && file->sha256 ? 0 : book_no_memory(err);
}

static int read_record(struct book *book, sqlite3_stmt *row, void *ret, struct error *err)
{
	struct files files = {.job = record_of(row)};
	int r = files.job
	                ? book_each(book, add_file_to_record, &files, err,
	                            "SELECT path, sha256, size FROM job_files WHERE job = ?1 ORDER BY path", VALUES(INTEGER(files.job->id)))
	                : book_no_memory(err);

	if (r < 0) {
		job_record_free(files.job);
		return r;
	}
	*(struct job_record **)ret = files.job;
	return 0;
}

static void drop_record(void *job)
{
	job_record_free(job);
}

int no_such(const char *what, int64_t id, struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOENT, "there is no %s %" PRId64, what, id);
}

int book_job(struct book *book, int64_t id, struct job_record **ret, struct error *err)
{
	return book_by_id(book, "job", id, read_record, ret, err, "SELECT " RECORD_COLUMNS " FROM jobs WHERE id = ?1");
}

int book_jobs_open(struct book *book, struct job_record ***ret, size_t *ret_count, struct error *err)
{
	return book_list(book, read_record, drop_record, ret, ret_count, err,
	                 "SELECT " RECORD_COLUMNS " FROM jobs INDEXED BY jobs_queue WHERE state <> 'done' ORDER BY priority DESC, id",
	                 NO_VALUES);
}

/* ---- adding ---- */
static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static int insert_job(struct book *book, const struct job_record *job, struct error *err)
{
	char *
	        requires
	= strings_json(job->requires), *paths = strings_json(job->paths);
	char *options = job->options ? json_dumps(job->options, JSON_COMPACT) : strdup("{}");
	char *only = job->only ? json_dumps(job->only, JSON_COMPACT) : NULL;
	int r;

	if (!requires || !paths || !options || (job->only && !only))
		r = book_no_memory(err);
	else
		r = book_execute(
		        book, err,
		        "INSERT INTO jobs (title, series, submitter, key, rig, pool, requires, paths, priority, spread, retries, options, "
		        "time_limit_ns, silence_limit_ns, rerun_of, only_cases, pinned, submitted) "
		        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
		        VALUES(TEXT(or_empty(job->title)), TEXT(or_empty(job->series)), TEXT(or_empty(job->submitter)), TEXT(job->key),
		               TEXT(job->rig), TEXT(job->pool), TEXT(requires), TEXT(paths), INTEGER(job->priority),
		               INTEGER(job->spread ? job->spread : 1), INTEGER(job->retries), TEXT(options), INTEGER(job->time_limit_ns),
		               INTEGER(job->silence_limit_ns), INTEGER_OR_NULL(job->rerun_of), TEXT(only), INTEGER(job->pinned),
		               INTEGER(job->submitted_utc_ns)));
	free(requires);
	free(paths);
	free(options);
	free(only);
	return r;
}

static int insert_files(struct book *book, const struct job_record *job, int64_t id, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < job->file_count && r >= 0; i++)
		r = book_execute(book, err, "INSERT INTO job_files (job, path, sha256, size) VALUES (?1, ?2, ?3, ?4)",
		                 VALUES(INTEGER(id), TEXT(job->files[i].path), TEXT(job->files[i].sha256), INTEGER(job->files[i].size)));
	return r;
}

/* -EEXIST: the key is there. */
static int find_key(struct book *book, const char *key, int64_t *ret_id, struct error *err)
{
	int r = key ? book_integer(book, ret_id, NULL, "SELECT id FROM jobs WHERE key = ?1", VALUES(TEXT(key))) : -ENOENT;

	if (r == 0)
		return error_set(err, ERROR_BENCH, EEXIST, "job %" PRId64 " was submitted with the key %s", *ret_id, key);
	return r == -ENOENT ? 0 : error_set(err, ERROR_BENCH, -r, "the key of the job cannot be looked up");
}

int book_job_add(struct book *book, struct job_record *job, int64_t *ret_id, struct error *err)
{
	int64_t id = 0;
	int r = book_begin(book, err);

	if (r < 0)
		return r;
	job->submitted_utc_ns = book_now_utc_ns();
	r = find_key(book, job->key, ret_id, err);
	if (r >= 0)
		r = insert_job(book, job, err);
	if (r >= 0) {
		id = book_last_id(book);
		r = insert_files(book, job, id, err);
	}
	if (r < 0) {
		book_roll_back(book);
		return r;
	}
	r = book_commit(book, err);
	if (r < 0)
		return r;
	job->id = *ret_id = id;
	job->state = JOB_QUEUED;
	return 0;
}

/* ---- the way of a job ---- */
/* What an UPDATE that matched no row means. */
static int not_changed(struct book *book, int64_t id, struct error *err)
{
	int64_t done;
	int r = book_integer(book, &done, err, "SELECT state = 'done' FROM jobs WHERE id = ?1", VALUES(INTEGER(id)));

	if (r == -ENOENT)
		return no_such("job", id, err);
	if (r < 0)
		return r;
	return done ? error_set(err, ERROR_BENCH, EALREADY, "job %" PRId64 " is done", id) : 0;
}

static int changed(struct book *book, int r, int64_t id, struct error *err)
{
	if (r > 0)
		return 0;
	return r < 0 ? r : not_changed(book, id, err);
}

static int64_t or_now(int64_t utc_ns)
{
	return utc_ns ? utc_ns : book_now_utc_ns();
}

int book_job_started(struct book *book, int64_t id, int64_t utc_ns, struct error *err)
{
	int r = book_execute(book, err, "UPDATE jobs SET state = 'running', started = ?2, reason = '' WHERE id = ?1 AND state = 'queued'",
	                     VALUES(INTEGER(id), INTEGER(or_now(utc_ns))));

	return changed(book, r, id, err);
}

int book_job_cancelled(struct book *book, int64_t id, const char *by, struct error *err)
{
	int r = book_execute(
	        book, err,
	        "UPDATE jobs SET cancelled = 1, reason = 'cancelled by ' || ?2 WHERE id = ?1 AND state <> 'done' AND cancelled = 0",
	        VALUES(INTEGER(id), TEXT(by ? by : "somebody")));

	return changed(book, r, id, err);
}

int book_job_requeued(struct book *book, int64_t id, const char *reason, struct error *err)
{
	int r = book_execute(
	        book, err,
	        "UPDATE jobs SET state = 'queued', started = NULL, reason = iif(cancelled, reason, ?2) WHERE id = ?1 AND state <> 'done'",
	        VALUES(INTEGER(id), TEXT(or_empty(reason))));

	return changed(book, r, id, err);
}

int book_job_finishing(struct book *book, int64_t id, struct error *err)
{
	int r = book_execute(
	        book, err,
	        "UPDATE jobs SET state = 'finishing', started = coalesce(started, ?2) WHERE id = ?1 AND state IN ('queued', 'running')",
	        VALUES(INTEGER(id), INTEGER(book_now_utc_ns())));

	return changed(book, r, id, err);
}

int book_job_done(struct book *book, int64_t id, enum job_outcome outcome, const char *reason, const json_t *counts, int64_t utc_ns,
                  struct error *err)
{
	char *text = counts ? json_dumps(counts, JSON_COMPACT) : NULL;
	int r;

	if (counts && !text)
		return book_no_memory(err);
	r = book_execute(book, err,
	                 "UPDATE jobs SET state = 'done', outcome = ?2, reason = iif(?3 = '', reason, ?3), counts = ?4, ended = ?5 "
	                 "WHERE id = ?1 AND state <> 'done'",
	                 VALUES(INTEGER(id), TEXT(job_outcome_name(outcome)), TEXT(or_empty(reason)), TEXT(text), INTEGER(or_now(utc_ns))));
	free(text);
	return changed(book, r, id, err);
}

int book_job_pin(struct book *book, int64_t id, bool pinned, struct error *err)
{
	int r = book_execute(book, err, "UPDATE jobs SET pinned = ?2 WHERE id = ?1", VALUES(INTEGER(id), INTEGER(pinned)));

	return r == 0 ? no_such("job", id, err) : r < 0 ? r : 0;
}

/* ---- files of a job ---- */
int book_job_report(struct book *book, int64_t id, const char *name, const char *sha256, uint64_t size, struct error *err)
{
	int r = book_execute(book, err,
	                     "INSERT INTO job_reports (job, name, sha256, size) VALUES (?1, ?2, ?3, ?4) "
	                     "ON CONFLICT DO UPDATE SET sha256 = excluded.sha256, size = excluded.size",
	                     VALUES(INTEGER(id), TEXT(name), TEXT(sha256), INTEGER(size)));

	return r < 0 ? r : 0;
}

struct blob_place {
	char *sha256; /* room for 65 */
	uint64_t *size;
};

static int read_blob_place(struct book *book, sqlite3_stmt *row, void *ret, struct error *err)
{
	const struct blob_place *place = ret;

	/* The table takes 64 hexadecimal digits and nothing else; a damaged file might give another length. */
	(void)memset(place->sha256, 0, 65);
	if (sqlite3_column_bytes(row, 0) == 64)
		memcpy(place->sha256, sqlite3_column_text(row, 0), 64);
	*place->size = (uint64_t)sqlite3_column_int64(row, 1);
	return 0;
}

static int find_blob(struct book *book, const char *sql, int64_t id, const char *name, char sha256[65], uint64_t *ret_size,
                     struct error *err)
{
	struct blob_place place = {.sha256 = sha256, .size = ret_size};
	int r = book_one(book, read_blob_place, &place, err, sql, VALUES(INTEGER(id), TEXT(name)));

	if (r == 0)
		return error_set(err, ERROR_BENCH, ENOENT, "job %" PRId64 " has no file %s", id, name);
	return r < 0 ? r : 0;
}

int book_job_report_find(struct book *book, int64_t id, const char *name, char sha256[65], uint64_t *ret_size, struct error *err)
{
	return find_blob(book, "SELECT sha256, size FROM job_reports WHERE job = ?1 AND name = ?2", id, name, sha256, ret_size, err);
}

int book_job_file(struct book *book, int64_t id, const char *path, char sha256[65], uint64_t *ret_size, struct error *err)
{
	return find_blob(book, "SELECT sha256, size FROM job_files WHERE job = ?1 AND path = ?2", id, path, sha256, ret_size, err);
}

int book_queue_counts(struct book *book, unsigned *ret_queued, unsigned *ret_running, struct error *err)
{
	int64_t queued = 0, active = 0;
	int r = book_integer(book, &queued, err, "SELECT count(*) FROM jobs INDEXED BY jobs_state WHERE state = 'queued'", NO_VALUES);

	if (r >= 0)
		r = book_integer(book, &active, err, "SELECT count(*) FROM jobs INDEXED BY jobs_active WHERE state <> 'done'", NO_VALUES);
	if (r < 0)
		return r;
	*ret_queued = (unsigned)queued;
	*ret_running = (unsigned)(active - queued);
	return 0;
}
