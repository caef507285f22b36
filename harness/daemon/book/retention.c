/* SPDX-License-Identifier: Apache-2.0 */
/* What goes when: artefacts and reports of a job first, then the job as a whole. Too many bytes are no reason to forget verdicts: they only
 * take files, at last those that jobs came with. The files themselves go by blobs_sweep(). */
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

enum due { DUE_NOTHING, DUE_WHOLE, DUE_FILES, DUE_GIVEN };

static int due_by_age(const struct keeping *k, int64_t *ret_job, enum due *ret, struct error *err)
{
	const struct retention *rules = k->rules;
	int64_t whole_ns = rules->results_age_ns > rules->age_ns ? rules->results_age_ns : rules->age_ns;
	if (rules->age_ns <= 0)
		return -ENOENT;
	*ret = DUE_WHOLE;
	int r = book_integer(k->book, ret_job, err,
	                     "SELECT id FROM jobs INDEXED BY jobs_aged WHERE state = 'done' AND pinned = 0 AND ended < ?1 ORDER BY "
	                     "ended LIMIT 1",
	                     VALUES(INTEGER(k->now_ns - whole_ns)));
	if (r != -ENOENT)
		return r;
	*ret = DUE_FILES;
	return book_integer(k->book, ret_job, err,
	                    "SELECT id FROM jobs INDEXED BY jobs_unstripped WHERE state = 'done' AND pinned = 0 AND stripped = 0 AND "
	                    "ended < ?1 ORDER BY "
	                    "ended LIMIT 1",
	                    VALUES(INTEGER(k->now_ns - rules->age_ns)));
}

/* *ret_over: by how much there is more than the limit when nothing is due for it. */
static int due_by_size(const struct keeping *k, int64_t *ret_job, enum due *ret, uint64_t *ret_over, struct error *err)
{
	uint64_t used = 0;
	int r = k->rules->bytes ? blobs_used(k->book, &used, err) : -ENOENT;
	if (r < 0 || used <= k->rules->bytes)
		return r < 0 ? r : -ENOENT;
	*ret = DUE_FILES;
	r = book_integer(
	        k->book, ret_job, err,
	        "SELECT id FROM jobs INDEXED BY jobs_strippable WHERE state = 'done' AND pinned = 0 AND stripped = 0 ORDER BY id LIMIT 1",
	        NO_VALUES);
	if (r != -ENOENT)
		return r;
	*ret = DUE_GIVEN;
	r = book_integer(k->book, ret_job, err,
	                 "SELECT f.job FROM job_files f CROSS JOIN jobs j ON j.id = f.job WHERE j.state = 'done' AND j.pinned = 0 ORDER BY "
	                 "f.job LIMIT 1",
	                 NO_VALUES);
	if (r == -ENOENT)
		*ret_over = used - k->rules->bytes;
	return r;
}

static int find_due(const struct keeping *k, int64_t *ret_job, enum due *ret, uint64_t *ret_over, struct error *err)
{
	*ret_over = 0;
	int r = due_by_age(k, ret_job, ret, err);
	if (r == -ENOENT)
		r = due_by_size(k, ret_job, ret, ret_over, err);
	if (r == -ENOENT)
		*ret = DUE_NOTHING;
	return r == -ENOENT ? 0 : r;
}

static int remove_one(struct book *book, int64_t job, enum due due, struct error *err)
{
	int r = book_begin(book, err);
	if (r < 0)
		return r;
	if (due == DUE_WHOLE)
		r = remove_whole(book, job, err);
	else if (due == DUE_FILES)
		r = strip(book, job, err);
	else
		r = book_execute(book, err, "DELETE FROM job_files WHERE job = ?1", VALUES(INTEGER(job)));
	if (r >= 0)
		return book_commit(book, err);
	book_roll_back(book);
	return r;
}

int book_retain(struct book *book, const struct retention *rules, int64_t now_utc_ns, unsigned at_most, struct retained *ret,
                struct error *err)
{
	struct keeping k = {book, rules, now_utc_ns};
	int64_t begun_ns = book_monotonic_ns(), job;
	enum due due;
	*ret = (struct retained){0};
	for (unsigned removed = 0;; removed++) {
		int r = find_due(&k, &job, &due, &ret->over_bytes, err);
		if (r == 0 && due == DUE_NOTHING)
			book->over_bytes = ret->over_bytes;
		if (r < 0 || due == DUE_NOTHING)
			return r;
		/* At least one a call, whatever it takes. */
		if (removed >= at_most || (removed > 0 && book_monotonic_ns() - begun_ns > BUDGET_NS)) {
			ret->more = true;
			return 0;
		}
		if ((r = remove_one(book, job, due, err)) < 0)
			return r;
		ret->whole += due == DUE_WHOLE;
		ret->files += due == DUE_FILES;
		ret->given += due == DUE_GIVEN;
	}
}

uint64_t book_retention_over(const struct book *book)
{
	return book->over_bytes;
}

/* Of those that are done two indices tell which are not among the pinned; the others are few. */
#define PINNED                                                                                                                             \
	"(SELECT id FROM jobs INDEXED BY jobs_state WHERE state = 'done' EXCEPT SELECT id FROM jobs INDEXED BY jobs_removable WHERE "      \
	"state "                                                                                                                           \
	"= 'done' AND pinned = 0 UNION ALL SELECT id FROM jobs INDEXED BY jobs_active WHERE state <> 'done' AND pinned = 1)"

int book_pinned_bytes(struct book *book, uint64_t *ret, struct error *err)
{
	int64_t bytes = 0;
	int r = book_integer(book, &bytes, err,
	                     "WITH pinned (job) AS MATERIALIZED " PINNED
	                     " SELECT coalesce(sum(size), 0) FROM (SELECT f.sha256, f.size FROM pinned p CROSS JOIN job_files f ON f.job = "
	                     "p.job UNION SELECT f.sha256, f.size FROM pinned p CROSS JOIN job_reports f ON f.job = p.job UNION SELECT "
	                     "a.sha256, a.size FROM pinned p CROSS JOIN runs r ON r.job = p.job CROSS JOIN artefacts a ON a.run = r.id)",
	                     NO_VALUES);
	*ret = (uint64_t)bytes;
	return r;
}
