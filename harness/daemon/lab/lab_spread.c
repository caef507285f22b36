/* SPDX-License-Identifier: Apache-2.0 */
/* A job begins: on one rig, or in parts on several that are equal. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab_private.h"
#include "words.h"

#define LIST_LIMIT_NS (60 * LAB_SECOND_NS)

/* ---- parts ---- */

struct portion {
	size_t index;
	int64_t expected_ns;
};

static int longer_first(const void *a, const void *b)
{
	const struct portion *one = a, *other = b;
	if (one->expected_ns != other->expected_ns)
		return one->expected_ns > other->expected_ns ? -1 : 1;
	return one->index < other->index ? -1 : one->index > other->index;
}

/* The median of the known ones; 1 when none is known: then numbers are split. */
static int64_t median_ns(const struct portion *sorted, size_t count)
{
	size_t known = 0;
	while (known < count && sorted[known].expected_ns >= 0)
		known++;
	int64_t median = known ? sorted[known / 2].expected_ns : 1;
	return median > 0 ? median : 1;
}

static int by_place(const void *a, const void *b)
{
	const struct portion *one = a, *other = b;
	return one->index < other->index ? -1 : one->index > other->index;
}

/* Cases of a part stay in the order of the suite. part[i] of each id is chosen by the least load so far. */
static bool deal(struct portion *portions, size_t count, size_t parts, size_t *part)
{
	int64_t *load = calloc(parts, sizeof(*load));
	if (!load)
		return false;
	qsort(portions, count, sizeof(*portions), longer_first);
	int64_t median = median_ns(portions, count);
	for (size_t i = 0; i < count; i++)
		if (portions[i].expected_ns < 0)
			portions[i].expected_ns = median;
	qsort(portions, count, sizeof(*portions), longer_first);
	for (size_t i = 0; i < count; i++) {
		size_t least = 0;
		for (size_t j = 1; j < parts; j++)
			if (load[j] < load[least])
				least = j;
		/* A case of no time at all takes a place all the same. */
		load[least] += portions[i].expected_ns > 0 ? portions[i].expected_ns : 1;
		part[portions[i].index] = least;
	}
	free(load);
	qsort(portions, count, sizeof(*portions), by_place);
	return true;
}

size_t spread_split(const json_t *ids, const int64_t *expected_ns, size_t count, json_t **ret)
{
	size_t total = json_array_size(ids), parts = count < total ? count : total;
	struct portion *portions = calloc(total + 1, sizeof(*portions));
	size_t *part = calloc(total + 1, sizeof(*part));
	bool good = portions && part && parts;
	for (size_t i = 0; good && i < total; i++)
		portions[i] = (struct portion){.index = i, .expected_ns = expected_ns[i]};
	good = good && deal(portions, total, parts, part);
	for (size_t i = 0; good && i < parts; i++)
		ret[i] = json_array();
	for (size_t i = 0; good && i < total; i++)
		json_array_append(ret[part[i]], json_array_get(ids, i));
	free(portions);
	free(part);
	return good ? parts : 0;
}

/* ---- beginning ---- */

static void give_back(struct lab_job *job)
{
	struct lab *lab = job->lab;
	for (size_t i = 0; i < job->granted_count; i++)
		lab->rigs[job->granted[i]].reserved = NULL;
	free(job->granted);
	job->granted = NULL;
	job->granted_count = 0;
}

static size_t split(const struct lab_job *job, size_t count, json_t **parts)
{
	size_t total = json_array_size(job->ids);
	int64_t *expected_ns = calloc(total + 1, sizeof(*expected_ns));
	struct error ignored = {0};
	size_t made = 0;
	for (size_t i = 0; expected_ns && i < total; i++)
		if (book_case_expected_ns(job->lab->book, json_string_value(json_array_get(job->ids, i)), &expected_ns[i], &ignored) < 0)
			expected_ns[i] = -1;
	if (expected_ns)
		made = spread_split(job->ids, expected_ns, count, parts);
	free(expected_ns);
	return made;
}

/* All parts at once: after a crash there are all or none. */
static int add_runs(struct lab_job *job, const size_t *rigs, json_t **parts, size_t count, struct lab_run **runs, struct error *err)
{
	struct lab *lab = job->lab;
	int64_t now_utc_ns = lab_utc_ns();
	int r = book_begin(lab->book, err);
	if (r < 0)
		return r;
	r = book_job_started(lab->book, job->record->id, now_utc_ns, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = lab_run_add(job, &lab->rigs[rigs[i]], (unsigned)i, parts[i], job->requeued, &runs[i], err);
	if (r == 0)
		r = book_commit(lab->book, err);
	if (r == 0) {
		job->record->state = JOB_RUNNING;
		job->record->started_utc_ns = now_utc_ns;
		job->fresh = false;
		return 0;
	}
	book_roll_back(lab->book);
	lab_job_forget_runs(job);
	return r;
}

/* A job without runs began: all of these are new. */
void lab_job_forget_runs(struct lab_job *job)
{
	while (job->open_count > 0) {
		struct lab_run *run = job->runs[--job->run_count];
		job->open_count--;
		if (run->rig)
			run->rig->judging--;
		lab_run_free(run);
	}
}

int lab_job_add_run(struct lab_job *job, size_t rig, struct lab_run **ret, struct error *err)
{
	json_t *only = job->record->only;
	return add_runs(job, &rig, &only, 1, ret, err);
}

static int lease_it(struct lab_run *run, struct error *err)
{
	struct lease_record *lease;
	struct lease_times times = {0}; /* its keeper holds it, and ends it at the limit */
	int r = book_lease(run->job->lab->book, run->record->lease, &lease, err);
	if (r < 0)
		return r;
	lease->run = run->record->id;
	lease->job = run->record->job;
	lab_rig_leased(run->rig, lease, &times);
	lease_record_free(lease);
	return 0;
}

void lab_run_begin(struct lab_run *run)
{
	struct error error = {0};
	if (lease_it(run, &error) < 0)
		lab_again(run->job->lab, &error);
	lab_run_start(run);
}

static void begin_parts(struct lab_job *job, const size_t *rigs, size_t count)
{
	struct lab *lab = job->lab;
	struct error error = {0};
	struct lab_run *runs[16] = {NULL};
	json_t *parts[16] = {NULL};
	if (count > 16)
		count = 16;
	if (job->ids)
		count = split(job, count, parts);
	else
		parts[0] = json_incref(job->record->only);
	if (!job->ids)
		count = 1;
	int r = count ? add_runs(job, rigs, parts, count, runs, &error) : error_set(&error, ERROR_BENCH, ENOMEM, "out of memory");
	for (size_t i = 0; i < 16; i++)
		json_decref(parts[i]);
	give_back(job);
	if (r < 0) {
		lab_again(lab, &error);
		return;
	}
	lab_tell_job(lab, job->record->id);
	for (size_t i = 0; i < count; i++)
		lab_run_begin(runs[i]);
}

/* ---- asking for the cases ---- */

static json_t *ids_of(const struct errand_result *result)
{
	json_t *list = result->exit_status == 0 ? json_loadb(result->output, result->output_length, 0, NULL) : NULL, *ids = json_array();
	const json_t *one;
	size_t i;
	json_array_foreach (list, i, one)
		if (json_is_string(json_object_get(one, "id")))
			json_array_append(ids, json_object_get(one, "id"));
	json_decref(list);
	if (json_array_size(ids))
		return ids;
	json_decref(ids);
	return NULL;
}

static void remove_list_directory(struct lab_job *job)
{
	char path[PATH_MAX];
	struct error error = {0};
	(void)snprintf(path, sizeof(path), "%.3800s/jobs/%" PRId64 "/list", book_directory(job->lab->book), job->record->id);
	if (folder_remove(job->lab->remover, path, &error) < 0)
		lab_again(job->lab, &error);
}

/* A suite whose cases cannot be told is not split: its run will say what is wrong. */
static void on_list(const struct errand_result *result, void *context)
{
	struct lab_job *job = context;
	errand_free(job->errand);
	job->errand = NULL;
	job->asked = true;
	job->ids = ids_of(result);
	remove_list_directory(job);
	if (job->record->cancelled || job->lab->stopping || !lab_has_space(job->lab)) {
		give_back(job);
		lab_job_advance(job);
		lab_turn_soon(job->lab);
		return;
	}
	size_t count = job->granted_count, *rigs = job->granted;
	job->granted = NULL;
	job->granted_count = 0;
	for (size_t i = 0; i < count; i++)
		job->lab->rigs[rigs[i]].reserved = NULL;
	begin_parts(job, rigs, count);
	free(rigs);
	lab_turn_soon(job->lab); /* rigs that were not needed */
}

static void list_command(const struct lab *lab, const struct job_record *whole, struct words *words)
{
	words_add(words, lab->config->bench_program);
	words_add(words, "list");
	words_add(words, "--json");
	words_add_list(words, "--tag", json_object_get(whole->options, "tags"));
	words_add_list(words, "--case", json_object_get(whole->options, "cases"));
	words_add(words, "--");
	for (char **path = whole->paths; path && *path; path++)
		words_add(words, *path);
}

static int start_list(struct lab_job *job, const struct job_record *whole, struct error *err)
{
	const struct lab *lab = job->lab;
	const char *environment[10];
	char directory[PATH_MAX];
	(void)snprintf(directory, sizeof(directory), "%.3600s/jobs/%" PRId64 "/list", book_directory(lab->book), job->record->id);
	int r = lab_job_files(job->lab, whole, directory, true, err);
	if (r < 0)
		return r;
	struct words *words = calloc(1, sizeof(*words));
	if (words)
		list_command(lab, whole, words);
	lab_environment(lab, NULL, environment);
	if (!words || words->failed) {
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	} else {
		const struct keeper_order order = {.argv = words->word,
		                                   .environment = environment,
		                                   .free_bytes = lab->config->free_bytes / 4,
		                                   .store = book_directory(lab->book)};
		r = errand_start_order(&job->errand, lab->event, lab->config->daemon_program, directory, &order, LIST_LIMIT_NS, on_list,
		                       job, err);
	}
	words_free(words);
	return r;
}

static int ask(struct lab_job *job, const size_t *rigs, size_t count, struct error *err)
{
	struct job_record *whole;
	int r = book_job(job->lab->book, job->record->id, &whole, err);
	if (r < 0)
		return r;
	job->granted = calloc(count, sizeof(*job->granted));
	if (job->granted)
		r = start_list(job, whole, err);
	else
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	job_record_free(whole);
	if (r < 0) {
		give_back(job);
		return r;
	}
	for (size_t i = 0; i < count; i++) {
		job->granted[i] = rigs[i];
		job->lab->rigs[rigs[i]].reserved = job;
	}
	job->granted_count = count;
	return 0;
}

void lab_job_begin(struct lab_job *job, const size_t *rigs, size_t count)
{
	struct error error = {0};
	if (count > 1 && !job->asked && job->record->only) {
		job->ids = json_incref(job->record->only);
		job->asked = true;
	}
	if (count > 1 && !job->asked && ask(job, rigs, count, &error) == 0)
		return;
	if (error.domain != ERROR_NONE)
		lab_again(job->lab, &error); /* not spread, then: it runs as one */
	begin_parts(job, rigs, count);
}
