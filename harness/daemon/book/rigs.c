/* SPDX-License-Identifier: Apache-2.0 */
/* Rigs, their boards and their health log. */
#include "rigs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "jobs_private.h"

static const char *const healths[] = {"healthy", "suspect", "quarantined"};

const char *rig_health_name(enum rig_health health)
{
	return healths[health];
}

void rig_record_free(struct rig_record *rig)
{
	if (!rig)
		return;
	free(rig->name);
	free(rig->reason);
	free(rig);
}

static int no_rig(const char *name, struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOENT, "there is no rig \"%.64s\"", name);
}

int book_rig_known(struct book *book, const char *name, const char *pool, const char *file, struct error *err)
{
	int r = book_execute(book, err,
	                     "INSERT INTO rigs (name, pool, file, since) VALUES (?1, ?2, ?3, ?4) "
	                     "ON CONFLICT (name) DO UPDATE SET pool = excluded.pool, file = excluded.file",
	                     VALUES(TEXT(name), TEXT(pool), TEXT(file), INTEGER(book_now_utc_ns())));

	return r < 0 ? r : 0;
}

static int read_record(struct book *book, sqlite3_stmt *row, void *ret, struct error *err)
{
	struct rig_record *rig = calloc(1, sizeof(*rig));

	if (!rig)
		return book_no_memory(err);
	*rig = (struct rig_record){
	        .name = column_text(row, 0),
	        .health = (enum rig_health)name_index(healths, 3, (const char *)sqlite3_column_text(row, 1)),
	        .reason = column_text(row, 2),
	        .since_utc_ns = sqlite3_column_int64(row, 3),
	        .bench_errors = (unsigned)sqlite3_column_int(row, 4),
	        .recoveries = (unsigned)sqlite3_column_int(row, 5),
	        .online = sqlite3_column_int(row, 6),
	};
	if (!rig->name || !rig->reason) {
		rig_record_free(rig);
		return book_no_memory(err);
	}
	*(struct rig_record **)ret = rig;
	return 0;
}

int book_rig(struct book *book, const char *name, struct rig_record **ret, struct error *err)
{
	int r = book_one(book, read_record, ret, err,
	                 "SELECT name, health, reason, since, bench_errors, recoveries, online FROM rigs WHERE name = ?1",
	                 VALUES(TEXT(name)));

	return r == 0 ? no_rig(name, err) : r < 0 ? r : 0;
}

static int update_rig(struct book *book, const struct rig_record *rig, struct error *err)
{
	int r = book_execute(
	        book, err,
	        "UPDATE rigs SET health = ?2, reason = ?3, since = ?4, bench_errors = ?5, recoveries = ?6, online = ?7 WHERE name = ?1",
	        VALUES(TEXT(rig->name), TEXT(rig_health_name(rig->health)), TEXT(rig->reason ? rig->reason : ""),
	               INTEGER(rig->since_utc_ns), INTEGER(rig->bench_errors), INTEGER(rig->recoveries), INTEGER(rig->online)));

	return r == 0 ? no_rig(rig->name, err) : r;
}

int book_rig_changed(struct book *book, const struct rig_record *rig, const char *entry_kind, const char *text, int64_t job, int64_t run,
                     struct error *err)
{
	int r = book_begin(book, err);

	if (r < 0)
		return r;
	r = update_rig(book, rig, err);
	if (r >= 0 && entry_kind && text)
		r = book_health_entry(book, rig->name, entry_kind, text, job, run, err);
	if (r < 0) {
		book_roll_back(book);
		return r;
	}
	return book_commit(book, err);
}

int book_board_error(struct book *book, const char *rig, const char *role, const char *text, struct error *err)
{
	int r = book_execute(
	        book, err,
	        "INSERT INTO boards (rig, role, bench_errors, last_error, last_at) VALUES (?1, ?2, 1, ?3, ?4) "
	        "ON CONFLICT DO UPDATE SET bench_errors = bench_errors + 1, last_error = excluded.last_error, last_at = excluded.last_at",
	        VALUES(TEXT(rig), TEXT(role), TEXT(text ? text : ""), INTEGER(book_now_utc_ns())));

	return r < 0 ? r : 0;
}

int book_health_entry(struct book *book, const char *rig, const char *kind, const char *text, int64_t job, int64_t run, struct error *err)
{
	int r = book_execute(book, err, "INSERT INTO health_entries (rig, at, kind, text, job, run) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	                     VALUES(TEXT(rig), INTEGER(book_now_utc_ns()), TEXT(kind), TEXT(text ? text : ""), INTEGER_OR_NULL(job),
	                            INTEGER_OR_NULL(run)));

	return r < 0 ? r : 0;
}

/* ---- what the API shows ---- */
static json_t *board_json(sqlite3_stmt *row)
{
	return json_pack("{so so so}", "role", column_text_json(row, 0), "bench_errors", column_integer_json(row, 1), "last_error",
	                 column_text_json(row, 2));
}

static int boards_json(struct book *book, const char *rig, json_t **ret, struct error *err)
{
	*ret = json_array();
	return book_json_list(book, board_json, *ret, err, "SELECT role, bench_errors, last_error FROM boards WHERE rig = ?1 ORDER BY role",
	                      VALUES(TEXT(rig)));
}

int book_rig_json(struct book *book, const char *name, json_t **ret, struct error *err)
{
	json_t *lease = NULL, *boards = NULL;
	struct rig_record *rig = NULL;
	int r = book_rig(book, name, &rig, err);

	if (r >= 0)
		r = lease_of_rig_json(book, name, &lease, err);
	if (r >= 0)
		r = boards_json(book, name, &boards, err);
	if (r >= 0) {
		*ret = json_pack("{ss ss so si sb so so}", "health", rig_health_name(rig->health), "reason", rig->reason, "since",
		                 book_time_json(rig->since_utc_ns), "bench_errors", (int)rig->bench_errors, "online", rig->online, "lease",
		                 lease, "boards", boards);
		r = *ret ? 0 : book_no_memory(err);
	} else {
		json_decref(lease);
		json_decref(boards);
	}
	rig_record_free(rig);
	return r;
}

static json_t *entry_json(sqlite3_stmt *row)
{
	return json_pack("{so so so so so so}", "id", column_integer_json(row, 0), "at", column_time_json(row, 1), "kind",
	                 column_text_json(row, 2), "text", column_text_json(row, 3), "job", column_integer_json(row, 4), "run",
	                 column_integer_json(row, 5));
}

static int read_entries(struct book *book, const char *rig, unsigned limit, int64_t before, json_t *entries, json_t **ret_next,
                        struct error *err)
{
	sqlite3_stmt *rows;
	int64_t last = 0;
	int r = book_select(
	        book, &rows, err,
	        "SELECT id, at, kind, text, job, run FROM health_entries INDEXED BY health_entries_rig WHERE rig = ?1 AND id < ?2 "
	        "ORDER BY id DESC LIMIT ?3",
	        VALUES(TEXT(rig), INTEGER(before > 0 ? before : INT64_MAX), INTEGER(limit + 1)));

	*ret_next = NULL;
	while (r >= 0 && !*ret_next && (r = book_next(book, rows, err)) > 0) {
		if (json_array_size(entries) == limit)
			*ret_next = json_integer(last);
		else if (json_array_append_new(entries, entry_json(rows)) < 0)
			r = book_no_memory(err);
		last = sqlite3_column_int64(rows, 0);
	}
	book_select_end(book, rows);
	return r;
}

int book_health_json(struct book *book, const char *rig, unsigned limit, int64_t before, json_t **ret, struct error *err)
{
	json_t *entries = json_array(), *next = NULL;
	struct rig_record *record = NULL;
	int r = entries ? book_rig(book, rig, &record, err) : book_no_memory(err);

	rig_record_free(record);
	if (!limit)
		limit = 100;
	if (r >= 0)
		r = read_entries(book, rig, limit > 1000 ? 1000 : limit, before, entries, &next, err);
	if (r < 0) {
		json_decref(entries);
		json_decref(next);
		return r;
	}
	*ret = json_pack("{so so}", "entries", entries, "next", next ? next : json_null());
	return *ret ? 0 : book_no_memory(err);
}
