/* SPDX-License-Identifier: Apache-2.0 */
/* Leases: who has a rig. That a rig has one at most is an index of the table. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "jobs_private.h"

static const char *const kinds[] = {"job", "person", "recovery"};
static const char *const states[] = {"active", "cleaning", "over"};

const char *lease_kind_name(enum lease_kind kind)
{
	return kinds[kind];
}

const char *lease_state_name(enum lease_state state)
{
	return states[state];
}

void lease_record_free(struct lease_record *lease)
{
	if (!lease)
		return;
	free(lease->rig);
	free(lease->holder);
	free(lease->note);
	free(lease->secret_hash);
	free(lease->end_reason);
	free(lease);
}

/* The run is the one that names the lease. */
#define COLUMNS                                                                                                                            \
	"leases.id, leases.job, (SELECT runs.id FROM runs WHERE runs.lease = leases.id), leases.rig, leases.holder, leases.note, "         \
	"leases.kind, leases.state, leases.secret_hash, leases.granted, leases.expires, leases.deadline, leases.ended, leases.end_reason"

static struct lease_record *record_of(sqlite3_stmt *row)
{
	struct lease_record *lease = calloc(1, sizeof(*lease));

	if (!lease)
		return NULL;
	*lease = (struct lease_record){
	        .id = sqlite3_column_int64(row, 0),
	        .job = sqlite3_column_int64(row, 1),
	        .run = sqlite3_column_int64(row, 2),
	        .rig = column_text(row, 3),
	        .holder = column_text(row, 4),
	        .note = column_text(row, 5),
	        .kind = (enum lease_kind)name_index(kinds, 3, (const char *)sqlite3_column_text(row, 6)),
	        .state = (enum lease_state)name_index(states, 3, (const char *)sqlite3_column_text(row, 7)),
	        .secret_hash = column_text(row, 8),
	        .granted_utc_ns = sqlite3_column_int64(row, 9),
	        .expires_utc_ns = sqlite3_column_int64(row, 10),
	        .deadline_utc_ns = sqlite3_column_int64(row, 11),
	        .ended_utc_ns = sqlite3_column_int64(row, 12),
	        .end_reason = column_text(row, 13),
	};
	if (lease->rig && lease->holder && lease->note)
		return lease;
	lease_record_free(lease);
	return NULL;
}

static int read_record(struct book *book, sqlite3_stmt *row, void *ret, struct error *err)
{
	struct lease_record *lease = record_of(row);

	if (!lease)
		return book_no_memory(err);
	*(struct lease_record **)ret = lease;
	return 0;
}

static void drop_record(void *lease)
{
	lease_record_free(lease);
}

int book_lease(struct book *book, int64_t id, struct lease_record **ret, struct error *err)
{
	return book_by_id(book, "lease", id, read_record, ret, err, "SELECT " COLUMNS " FROM leases WHERE id = ?1");
}

int book_leases_open(struct book *book, struct lease_record ***ret, size_t *ret_count, struct error *err)
{
	return book_list(book, read_record, drop_record, ret, ret_count, err,
	                 "SELECT " COLUMNS " FROM leases INDEXED BY leases_open WHERE state <> 'over' ORDER BY id", NO_VALUES);
}

/* ---- the way of a lease ---- */
static int insert_lease(struct book *book, const struct lease_record *lease, int64_t granted, struct error *err)
{
	const char *secret = lease->kind == LEASE_PERSON ? lease->secret_hash : NULL;
	int r = book_execute(book, err,
	                     "INSERT INTO leases (rig, kind, job, holder, note, secret_hash, granted, expires, deadline) "
	                     "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	                     VALUES(TEXT(lease->rig), TEXT(lease_kind_name(lease->kind)),
	                            INTEGER_OR_NULL(lease->kind == LEASE_JOB ? lease->job : 0), TEXT(lease->holder ? lease->holder : ""),
	                            TEXT(lease->note ? lease->note : ""), TEXT(secret), INTEGER(granted),
	                            INTEGER_OR_NULL(lease->expires_utc_ns), INTEGER_OR_NULL(lease->deadline_utc_ns)));

	if (r == -EEXIST)
		return error_set(err, ERROR_BENCH, EBUSY, "%s has a lease that is not over", lease->rig);
	return r;
}

int book_lease_add(struct book *book, struct lease_record *lease, struct error *err)
{
	int64_t granted = book_now_utc_ns();
	int r = insert_lease(book, lease, granted, err);

	if (r < 0)
		return r;
	lease->id = book_last_id(book);
	lease->granted_utc_ns = granted;
	lease->state = LEASE_ACTIVE;
	return 0;
}

/* An UPDATE that matched no row: no such lease, or it is further already. */
static int changed(struct book *book, int r, int64_t id, const char *what, struct error *err)
{
	int64_t found;

	if (r != 0)
		return r < 0 ? r : 0;
	r = book_integer(book, &found, err, "SELECT id FROM leases WHERE id = ?1", VALUES(INTEGER(id)));
	if (r == -ENOENT)
		return no_such("lease", id, err);
	return r < 0 ? r : error_set(err, ERROR_BENCH, EALREADY, "lease %" PRId64 " is %s", id, what);
}

int book_lease_renewed(struct book *book, int64_t id, int64_t expires_utc_ns, struct error *err)
{
	int r = book_execute(book, err, "UPDATE leases SET expires = ?2 WHERE id = ?1 AND state = 'active'",
	                     VALUES(INTEGER(id), INTEGER_OR_NULL(expires_utc_ns)));

	return changed(book, r, id, "no longer active", err);
}

int book_lease_moved(struct book *book, int64_t id, int64_t by_ns, struct error *err)
{
	int r = book_execute(book, err,
	                     "UPDATE leases SET granted = granted + ?2, deadline = deadline + ?2 WHERE id = ?1 AND state = 'active'",
	                     VALUES(INTEGER(id), INTEGER(by_ns)));

	return changed(book, r, id, "no longer active", err);
}

int book_lease_cleaning(struct book *book, int64_t id, const char *why, struct error *err)
{
	int r = book_execute(book, err, "UPDATE leases SET state = 'cleaning', end_reason = ?2 WHERE id = ?1 AND state = 'active'",
	                     VALUES(INTEGER(id), TEXT(why ? why : "")));

	return changed(book, r, id, "no longer active", err);
}

int book_lease_over(struct book *book, int64_t id, struct error *err)
{
	int r = book_execute(
	        book, err,
	        "UPDATE leases SET state = 'over', ended = ?2, end_reason = ifnull(end_reason, '') WHERE id = ?1 AND state <> 'over'",
	        VALUES(INTEGER(id), INTEGER(book_now_utc_ns())));

	return changed(book, r, id, "over", err);
}

/* ---- what the API shows ---- */
static int lease_json(struct book *book, sqlite3_stmt *row, void *ret, struct error *err)
{
	json_t *lease = json_pack("{so so so so so so so so so so}", "id", column_integer_json(row, 0), "kind", column_text_json(row, 6),
	                          "holder", column_text_json(row, 4), "note", column_text_json(row, 5), "job", column_integer_json(row, 1),
	                          "run", column_integer_json(row, 2), "granted", column_time_json(row, 9), "expires",
	                          column_time_json(row, 10), "deadline", column_time_json(row, 11), "state", column_text_json(row, 7));

	if (!lease)
		return book_no_memory(err);
	*(json_t **)ret = lease;
	return 0;
}

int book_lease_json(struct book *book, int64_t id, json_t **ret, struct error *err)
{
	return book_by_id(book, "lease", id, lease_json, ret, err, "SELECT " COLUMNS " FROM leases WHERE id = ?1");
}

int lease_of_rig_json(struct book *book, const char *rig, json_t **ret, struct error *err)
{
	int r = book_one(book, lease_json, ret, err,
	                 "SELECT " COLUMNS " FROM leases INDEXED BY leases_rig_open WHERE rig = ?1 AND state <> 'over'", VALUES(TEXT(rig)));

	if (r == 0)
		*ret = json_null();
	return r < 0 ? r : 0;
}
