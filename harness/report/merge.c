/* SPDX-License-Identifier: Apache-2.0 */
#include "merge.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_private.h"
#include "text.h"

/* What broke at the end of a part, such as a board that stayed on: it counts until a later part has a case of that part again. */
struct end_failure {
	struct report_failure failure; /* owned */
	json_t *cases;                 /* {id: true} */
};

struct merger {
	struct report_run *whole;     /* NULL before the first part */
	json_t *index;                /* case id -> position in whole */
	struct text rigs;             /* labels, each once, with commas */
	struct report_lost_run *lost; /* the parts that left no journal */
	size_t lost_count;
	struct end_failure *ends;
	size_t end_count;
};

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

/* ---- one part before it is joined ---- */

/* Another run's monotonic times on the clock of the first. */
static void shift(struct report_run *run, int64_t by_ns)
{
	run->begin_ns += by_ns;
	run->end_ns += by_ns;
	for (size_t i = 0; i < run->lost_board_count; i++)
		run->lost_boards[i].at_ns += by_ns;
	for (size_t i = 0; i < run->case_count; i++) {
		for (size_t k = 0; k < run->cases[i].attempt_count; k++) {
			struct report_attempt *attempt = &run->cases[i].attempts[k];
			attempt->begin_ns += by_ns;
			attempt->end_ns += by_ns;
			for (size_t n = 0; n < attempt->event_count; n++)
				attempt->events[n].at_ns += by_ns;
		}
	}
}

/* Who reads an attempt wants to know where it was, and how to have it again. */
static int mark_attempts(struct report_run *run, const char *label)
{
	for (size_t i = 0; i < run->case_count; i++) {
		for (size_t k = 0; k < run->cases[i].attempt_count; k++) {
			struct report_attempt *attempt = &run->cases[i].attempts[k];
			if (run->cases[i].not_begun)
				continue;
			attempt->rig = text_clean(label, strlen(label), 0);
			attempt->seed = json_incref(run->seed);
			if (!attempt->rig)
				return -ENOMEM;
		}
	}
	return 0;
}

static void add_rig(struct text *rigs, const char *label)
{
	const char *all = text_end(rigs);
	size_t length = strlen(label);
	for (const char *at = all; (at = strstr(at, label)); at += length)
		if ((at == all || at[-1] == ' ') && (at[length] == '\0' || at[length] == ','))
			return;
	text_printf(rigs, "%s%s", *all ? ", " : "", label);
}

/* ---- joining ---- */

static void drop_measurements(struct report_run *run, const char *case_id)
{
	size_t kept = 0;
	for (size_t i = 0; i < run->measurement_count; i++) {
		if (strcmp(run->measurements[i].case_id, case_id) == 0)
			report_measurement_free(&run->measurements[i]);
		else
			run->measurements[kept++] = run->measurements[i];
	}
	run->measurement_count = kept;
	report_run_drop_sweeps(run, case_id);
}

/* The attempts of `later` behind those of `c`; *later is left without them. */
static int join_attempts(struct report_case *c, struct report_case *later)
{
	struct report_attempt *grown = reallocarray(c->attempts, c->attempt_count + later->attempt_count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	c->attempts = grown;
	for (size_t i = 0; i < later->attempt_count; i++) {
		later->attempts[i].number = (int64_t)(c->attempt_count + 1);
		c->attempts[c->attempt_count++] = later->attempts[i];
	}
	later->attempt_count = 0;
	return 0;
}

static int join_case(struct merger *merger, struct report_case *later)
{
	struct report_run *whole = merger->whole;
	const json_t *position = json_object_get(merger->index, later->id);
	if (!position) {
		struct report_case *grown = reallocarray(whole->cases, whole->case_count + 1, sizeof(*grown));
		whole->cases = grown ? grown : whole->cases;
		if (!grown || json_object_set_new(merger->index, later->id, json_integer((json_int_t)whole->case_count)) < 0)
			return -ENOMEM;
		whole->cases[whole->case_count++] = *later;
		*later = (struct report_case){0};
		return 0;
	}
	struct report_case *c = &whole->cases[json_integer_value(position)];
	if (later->not_begun)
		return 0;
	drop_measurements(whole, c->id);
	if (!c->not_begun)
		return join_attempts(c, later);
	report_case_clear(c);
	*c = *later;
	*later = (struct report_case){0};
	return 0;
}

static int join_measurements(struct report_run *whole, struct report_run *part)
{
	struct report_measurement *measurements =
	        reallocarray(whole->measurements, whole->measurement_count + part->measurement_count + 1, sizeof(*measurements));
	whole->measurements = measurements ? measurements : whole->measurements;
	struct report_sweep *sweeps = reallocarray(whole->sweeps, whole->sweep_count + part->sweep_count + 1, sizeof(*sweeps));
	whole->sweeps = sweeps ? sweeps : whole->sweeps;
	if (!measurements || !sweeps)
		return -ENOMEM;
	for (size_t i = 0; i < part->measurement_count; i++)
		whole->measurements[whole->measurement_count++] = part->measurements[i];
	for (size_t i = 0; i < part->sweep_count; i++)
		whole->sweeps[whole->sweep_count++] = part->sweeps[i];
	part->measurement_count = part->sweep_count = 0;
	return 0;
}

static int join_boards(struct report_run *whole, struct report_run *part)
{
	struct report_lost_board *boards =
	        reallocarray(whole->lost_boards, whole->lost_board_count + part->lost_board_count + 1, sizeof(*boards));
	if (!boards)
		return -ENOMEM;
	whole->lost_boards = boards;
	for (size_t i = 0; i < part->lost_board_count; i++)
		boards[whole->lost_board_count++] = part->lost_boards[i];
	part->lost_board_count = 0;
	return 0;
}

/* Of the whole is said only what holds for all of its runs. */
static void join_text(char **whole, const char *part)
{
	if (*whole && part && strcmp(*whole, part) == 0)
		return;
	free(*whole);
	*whole = NULL;
}

static void join_value(json_t **whole, const json_t *part)
{
	if (*whole && part && json_equal(*whole, part))
		return;
	json_decref(*whole);
	*whole = NULL;
}

static void join_identity(struct report_run *whole, const struct report_run *part)
{
	join_text(&whole->rig_file, part->rig_file);
	join_text(&whole->host, part->host);
	join_text(&whole->version, part->version);
	join_value(&whole->seed, part->seed);
	join_value(&whole->arguments, part->arguments);
}

static void join_frame(struct report_run *whole, struct report_run *part)
{
	if (part->begin_ns < whole->begin_ns)
		whole->begin_ns = part->begin_ns;
	if (part->end_ns > whole->end_ns)
		whole->end_ns = part->end_ns;
	whole->events += part->events;
	whole->begun += part->begun;
	whole->interrupted |= part->interrupted;
	whole->journal_cut |= part->journal_cut;
	whole->virtual_rack |= part->virtual_rack;
	whole->stop_at_failure |= part->stop_at_failure;
	if (!whole->failure.message) {
		struct report_failure failure = whole->failure;
		whole->failure = part->failure;
		part->failure = failure;
	}
	if (!whole->stop.message) {
		struct report_stop stop = whole->stop;
		whole->stop = part->stop;
		part->stop = stop;
	}
}

static int join(struct merger *merger, struct report_run *part)
{
	struct report_run *whole = merger->whole;
	if (whole->has_offset && part->has_offset)
		shift(part, part->realtime_offset_ns - whole->realtime_offset_ns);
	int r = 0;
	for (size_t i = 0; r == 0 && i < part->case_count; i++)
		r = join_case(merger, &part->cases[i]);
	if (r == 0)
		r = join_measurements(whole, part);
	if (r == 0)
		r = join_boards(whole, part);
	join_frame(whole, part);
	join_identity(whole, part);
	return r;
}

/* ---- the whole ---- */

/* The cases of the first part are those to begin with. */
static int begin_with(struct merger *merger, struct report_run *part)
{
	merger->whole = part;
	for (size_t i = 0; i < part->case_count; i++)
		if (json_object_set_new(merger->index, part->cases[i].id, json_integer((json_int_t)i)) < 0)
			return -ENOMEM;
	return 0;
}

static int keep_lost(struct merger *merger, const struct merge_part *part, struct error *err)
{
	struct report_lost_run *grown = reallocarray(merger->lost, merger->lost_count + 1, sizeof(*grown));
	if (!grown)
		return out_of_memory(err);
	merger->lost = grown;
	struct report_lost_run *lost = &grown[merger->lost_count++];
	if (report_lost_run_read(part->label, part->directory, lost) < 0)
		return out_of_memory(err);
	if (lost->message)
		add_rig(&merger->rigs, lost->label);
	return 0;
}

/* ---- what broke at the end of parts ---- */

static void failure_clear(struct report_failure *failure)
{
	free(failure->domain);
	free(failure->message);
	free(failure->errno_name);
	*failure = (struct report_failure){0};
}

static bool has_again(const struct report_run *part, const json_t *cases)
{
	for (size_t i = 0; i < part->case_count; i++)
		if (!part->cases[i].not_begun && json_object_get(cases, part->cases[i].id))
			return true;
	return false;
}

static void forget_ends(struct merger *merger, const struct report_run *later)
{
	size_t kept = 0;
	for (size_t i = 0; i < merger->end_count; i++) {
		struct end_failure *end = &merger->ends[i];
		if (later && !has_again(later, end->cases)) {
			merger->ends[kept++] = *end;
			continue;
		}
		failure_clear(&end->failure);
		json_decref(end->cases);
	}
	merger->end_count = kept;
}

static int keep_end(struct merger *merger, struct report_run *part, const char *label)
{
	struct end_failure *grown = reallocarray(merger->ends, merger->end_count + 1, sizeof(*grown));
	char *message = NULL;
	if (!grown)
		return -ENOMEM;
	merger->ends = grown;
	struct end_failure *end = &grown[merger->end_count];
	if (asprintf(&message, "%s: %s", label, part->failure.message) < 0)
		return -ENOMEM;
	*end = (struct end_failure){part->failure, json_object()};
	part->failure = (struct report_failure){0};
	merger->end_count++;
	free(end->failure.message);
	end->failure.message = message;
	for (size_t i = 0; i < part->case_count; i++)
		if (json_object_set_new(end->cases, part->cases[i].id, json_true()) < 0)
			return -ENOMEM;
	return 0;
}

static int tell_ends(struct merger *merger)
{
	struct report_failure *told = &merger->whole->failure;
	for (size_t i = 0; i < merger->end_count; i++) {
		struct report_failure *failure = &merger->ends[i].failure;
		char *both;
		if (!told->message) {
			*told = *failure;
			*failure = (struct report_failure){0};
			continue;
		}
		if (asprintf(&both, "%s; %s", told->message, failure->message) < 0)
			return -ENOMEM;
		free(told->message);
		told->message = both;
	}
	return 0;
}

static int take_part(struct merger *merger, const struct merge_part *part, struct error *err)
{
	char path[PATH_MAX];
	struct report_run *run;
	if (snprintf(path, sizeof(path), "%s/events.jsonl", part->directory) >= (int)sizeof(path))
		return error_set(err, ERROR_BENCH, ENAMETOOLONG, "the path of a run's directory is too long");
	int r = report_run_read(path, &run, err);
	if (r == -ENOENT || r == -ENODATA)
		return keep_lost(merger, part, err);
	if (r < 0)
		return r;
	add_rig(&merger->rigs, part->label);
	r = mark_attempts(run, part->label);
	forget_ends(merger, run);
	if (r == 0 && run->failure.at_end)
		r = keep_end(merger, run, part->label);
	if (r == 0 && !merger->whole) {
		r = begin_with(merger, run);
		run = NULL;
	} else if (r == 0) {
		r = join(merger, run);
	}
	report_run_free(run);
	return r < 0 ? out_of_memory(err) : 0;
}

/* Every case that was to be came to its end. */
static bool came_to_an_end(const struct report_run *run)
{
	for (size_t i = 0; i < run->case_count; i++) {
		const struct report_case *c = &run->cases[i];
		if (c->not_begun || !c->attempts[c->attempt_count - 1].ended)
			return false;
	}
	return run->case_count > 0;
}

/* A case of a run without a journal: selected, and not begun. */
static int add_lost_case(struct merger *merger, const char *id, const struct report_lost_run *lost)
{
	struct report_run *whole = merger->whole;
	struct report_case *grown = reallocarray(whole->cases, whole->case_count + 1, sizeof(*grown));
	whole->cases = grown ? grown : whole->cases;
	if (!grown || json_object_set_new(merger->index, id, json_integer((json_int_t)whole->case_count)) < 0)
		return -ENOMEM;
	struct report_case *c = &grown[whole->case_count++];
	*c = (struct report_case){.id = strdup(id), .not_begun = true, .attempts = calloc(1, sizeof(*c->attempts))};
	if (!c->id || !c->attempts)
		return -ENOMEM;
	c->attempt_count = 1;
	*c->attempts = (struct report_attempt){.number = 1, .verdict = VERDICT_SKIPPED, .begin_ns = whole->end_ns, .end_ns = whole->end_ns};
	const char *why = lost->message ? lost->message : "the run left no journal";
	return asprintf(&c->attempts->message, "not begun: %s", why) < 0 ? -ENOMEM : 0;
}

/* What those without a journal were to have, and no other run had. */
static int add_lost_cases(struct merger *merger)
{
	const json_t *id;
	size_t k;
	int r = 0;
	for (size_t i = 0; i < merger->lost_count; i++) {
		json_array_foreach (merger->lost[i].cases, k, id)
			if (r == 0 && !json_object_get(merger->index, json_string_value(id)))
				r = add_lost_case(merger, json_string_value(id), &merger->lost[i]);
	}
	return r;
}

/* When there is no journal at all: what was said of the runs is the whole. */
static bool begin_with_lost(struct merger *merger)
{
	for (size_t i = 0; !merger->whole && i < merger->lost_count; i++)
		if (merger->lost[i].message)
			merger->whole = calloc(1, sizeof(*merger->whole));
	return merger->whole;
}

static int conclude(struct merger *merger)
{
	struct report_run *run = merger->whole;
	char *rig = strdup(text_end(&merger->rigs));
	if (!rig || merger->rigs.failed) {
		free(rig);
		return -ENOMEM;
	}
	free(run->rig);
	run->rig = rig;
	run->has_status = false; /* each part has its own */
	if (add_lost_cases(merger) < 0)
		return -ENOMEM;
	run->planned = (unsigned)run->case_count;
	run->lost_runs = merger->lost;
	run->lost_run_count = merger->lost_count;
	merger->lost = NULL;
	merger->lost_count = 0;
	const bool ended = came_to_an_end(run);
	/* What a run without a journal was to have it did not have. */
	run->complete = ended && run->lost_run_count == 0;
	if (ended) {
		free(run->stop.reason);
		free(run->stop.message);
		run->stop = (struct report_stop){0};
		failure_clear(&run->failure);
		run->interrupted = false;
	}
	const int r = tell_ends(merger);
	report_run_judge(run);
	return r;
}

int report_run_merge(const struct merge_part *parts, size_t count, struct report_run **ret, struct error *err)
{
	struct merger merger = {.index = json_object()};
	int r = merger.index ? 0 : out_of_memory(err);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = take_part(&merger, &parts[i], err);
	if (r == 0 && !merger.whole && !begin_with_lost(&merger))
		r = error_set(err, ERROR_BENCH, ENODATA, "no run left a journal");
	if (r == 0 && conclude(&merger) < 0)
		r = out_of_memory(err);
	if (r == 0)
		*ret = merger.whole;
	else
		report_run_free(merger.whole);
	for (size_t i = 0; i < merger.lost_count; i++)
		report_lost_run_clear(&merger.lost[i]);
	free(merger.lost);
	forget_ends(&merger, NULL);
	free(merger.ends);
	json_decref(merger.index);
	text_free(&merger.rigs);
	return r;
}
