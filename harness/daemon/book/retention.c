/* SPDX-License-Identifier: Apache-2.0 */
/* What goes when: artefacts and reports of a job first, then the job as a whole. The files themselves go by blobs_sweep(). */
#include <errno.h>
#include <stdlib.h>

#include "book_private.h"
#include "results_private.h"

#define BUDGET_NS 30000000L /* of one call: the daemon has one thread */

struct keeping {
	struct book *book;
	const struct retention *rules;
	int64_t now_ns;
};

static int strip(struct book *book, int64_t job, struct error *err)
{
	int r = book_execute(book, err, "DELETE FROM artefacts WHERE run IN (SELECT id FROM runs WHERE job = ?1)", VALUES(INTEGER(job)));
	if (r >= 0)
		r = book_execute(book, err, "DELETE FROM job_reports WHERE job = ?1", VALUES(INTEGER(job)));
	if (r >= 0)
		r = book_execute(book, err, "UPDATE jobs SET stripped = 1 WHERE id = ?1", VALUES(INTEGER(job)));
	return r < 0 ? r : 0;
}

struct ids {
	int64_t *ids;
	size_t count, room;
};

static int read_id(struct book *book, sqlite3_stmt *row, void *ret, struct error *err)
{
	struct ids *ids = ret;
	if (ids->count == ids->room) {
		int64_t *grown = reallocarray(ids->ids, ids->room + 64, sizeof(*grown));
		if (!grown)
			return book_no_memory(err);
		ids->ids = grown;
		ids->room += 64;
	}
	ids->ids[ids->count++] = sqlite3_column_int64(row, 0);
	return 0;
}

/* Names and series that nothing is left of. */
static int forget_names(struct book *book, const struct ids *names, struct error *err)
{
	int r = 0;
	for (size_t i = 0; i < names->count && r >= 0; i++) {
		r = book_execute(book, err,
		                 "DELETE FROM measurement_series WHERE name = ?1 AND NOT EXISTS (SELECT 1 FROM measured WHERE series = "
		                 "measurement_series.id)",
		                 VALUES(INTEGER(names->ids[i])));
		if (r >= 0)
			r = book_execute(
			        book, err,
			        "DELETE FROM case_names WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM cases WHERE name = ?1) AND NOT EXISTS "
			        "(SELECT 1 FROM measurement_series WHERE name = ?1)",
			        VALUES(INTEGER(names->ids[i])));
	}
	return r < 0 ? r : 0;
}

static int remove_whole(struct book *book, int64_t job, struct error *err)
{
	struct ids runs = {0}, names = {0};
	int r = book_each(book, read_id, &runs, err, "SELECT id FROM runs WHERE job = ?1", VALUES(INTEGER(job)));
	if (r >= 0)
		r = book_each(
		        book, read_id, &names, err,
		        "SELECT c.name FROM runs r JOIN cases c ON c.run = r.id WHERE r.job = ?1 UNION SELECT s.name FROM runs r JOIN "
		        "measured m ON m.run "
		        "= r.id JOIN measurement_series s ON s.id = m.series WHERE r.job = ?1",
		        VALUES(INTEGER(job)));
	for (size_t i = 0; i < runs.count && r >= 0; i++)
		r = results_remove(book, runs.ids[i], err);
	if (r >= 0)
		r = book_execute(book, err, "DELETE FROM jobs WHERE id = ?1 AND state = 'done' AND pinned = 0", VALUES(INTEGER(job)));
	if (r >= 0)
		r = forget_names(book, &names, err);
	free(names.ids);
	free(runs.ids);
	return r;
}

/* *ret_job 0: none is due. */
static int find_due(const struct keeping *k, int64_t *ret_job, bool *ret_whole, struct error *err)
{
	const struct retention *rules = k->rules;
	uint64_t used = 0;
	int r = -ENOENT;
	int64_t whole_ns = rules->results_age_ns > rules->age_ns ? rules->results_age_ns : rules->age_ns;
	*ret_job = 0;
	*ret_whole = true;
	if (rules->age_ns > 0)
		r = book_integer(k->book, ret_job, err,
		                 "SELECT id FROM jobs INDEXED BY jobs_aged WHERE state = 'done' AND pinned = 0 AND ended < ?1 ORDER BY "
		                 "ended LIMIT 1",
		                 VALUES(INTEGER(k->now_ns - whole_ns)));
	if (r != -ENOENT)
		return r;
	*ret_whole = false;
	if (rules->age_ns > 0)
		r = book_integer(k->book, ret_job, err,
		                 "SELECT id FROM jobs INDEXED BY jobs_unstripped WHERE state = 'done' AND pinned = 0 AND stripped = 0 AND "
		                 "ended < ?1 ORDER BY "
		                 "ended LIMIT 1",
		                 VALUES(INTEGER(k->now_ns - rules->age_ns)));
	if (r != -ENOENT || rules->bytes == 0)
		return r == -ENOENT ? 0 : r;
	if ((r = blobs_used(k->book, &used, err)) < 0 || used <= rules->bytes)
		return r;
	r = book_integer(
	        k->book, ret_job, err,
	        "SELECT id FROM jobs INDEXED BY jobs_strippable WHERE state = 'done' AND pinned = 0 AND stripped = 0 ORDER BY id LIMIT 1",
	        NO_VALUES);
	if (r != -ENOENT)
		return r;
	*ret_whole = true;
	r = book_integer(k->book, ret_job, err,
	                 "SELECT id FROM jobs INDEXED BY jobs_removable WHERE state = 'done' AND pinned = 0 ORDER BY id LIMIT 1",
	                 NO_VALUES);
	return r == -ENOENT ? 0 : r;
}

static int remove_one(struct book *book, int64_t job, bool whole, struct error *err)
{
	int r = book_begin(book, err);
	if (r < 0)
		return r;
	r = whole ? remove_whole(book, job, err) : strip(book, job, err);
	if (r >= 0)
		return book_commit(book, err);
	book_roll_back(book);
	return r;
}

int book_retain(struct book *book, const struct retention *rules, int64_t now_utc_ns, unsigned at_most, unsigned *ret_removed,
                bool *ret_more, struct error *err)
{
	struct keeping k = {book, rules, now_utc_ns};
	int64_t begun_ns = book_monotonic_ns(), job;
	bool whole;
	*ret_removed = 0;
	*ret_more = false;
	for (;;) {
		int r = find_due(&k, &job, &whole, err);
		if (r < 0 || job == 0)
			return r;
		/* At least one a call, whatever it takes. */
		if (*ret_removed >= at_most || (*ret_removed > 0 && book_monotonic_ns() - begun_ns > BUDGET_NS)) {
			*ret_more = true;
			return 0;
		}
		if ((r = remove_one(book, job, whole, err)) < 0)
			return r;
		++*ret_removed;
	}
}
