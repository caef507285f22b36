/* SPDX-License-Identifier: Apache-2.0 */
#include "explore.h"

#include "oracle.h"
#include "replay.h"
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_LOG      UINT32_C(65536)
#define MAX_LOG_DATA UINT32_C(8388608)

/* One cut after the other: what lies before cut n, and what follows it. */
struct level {
	struct flash *start, *base;
	struct oplog *log; /* of what followed */
	struct walk walk;
};

struct explorer {
	const struct setup *setup;
	const struct selection *selection;
	const struct base *base;
	struct totals *totals;
	struct visited *cuts, *settled;
	struct board *board;
	struct flash *scratch;
	struct level levels[SWEEP_MAX_CUTS + 1];
	struct point point; /* that is being played */
	unsigned group;     /* of its first cut */
	unsigned remaining; /* further cuts that will be tried: states are only the same with as many */
	uint32_t struck;    /* operations that are cut: in all, and before the one at hand */
	uint32_t ordinal;
};

/* ---- the selection -------------------------------------------------------------------------------------------------- */

bool selection_has(const struct selection *selection, uint32_t operation)
{
	for (unsigned i = 0; i < selection->range_count; i++) {
		if (operation >= selection->ranges[i].first && operation <= selection->ranges[i].last)
			return true;
	}
	return selection->range_count == 0;
}

/* Nothing is left to chance where nothing happens. */
static unsigned samples_of(const struct selection *selection, unsigned torn)
{
	return torn == 0 ? 1 : selection->samples;
}

static bool cut_first(const struct selection *selection, const struct operation *operation, struct cut *cut);

/* The next one of the operation; false: that was the last. */
static bool cut_next(const struct selection *selection, struct cut *cut)
{
	unsigned classes = cut->erase ? selection->erases : selection->programs;

	if (cut->phase == FLASH_DURING && !cut->reset && cut->sample < samples_of(selection, cut->torn)) {
		cut->sample++;
		return true;
	}
	for (;;) {
		if (cut->phase == FLASH_DURING && !cut->reset && cut->torn < (cut->erase ? FLASH_E3 : FLASH_T4)) {
			cut->torn++;
		} else if (cut->phase != FLASH_AFTER) {
			cut->phase++;
			cut->torn = 0;
		} else {
			return false;
		}
		cut->sample = 1;
		if ((selection->phases >> cut->phase & 1u) && (cut->phase != FLASH_DURING || cut->reset || classes >> cut->torn & 1u))
			return true;
	}
}

static bool cut_first(const struct selection *selection, const struct operation *operation, struct cut *cut)
{
	*cut = (struct cut){.phase = FLASH_BEFORE, .erase = operation->kind == FLASH_ERASE, .sample = 1, .reset = selection->reset};
	return (selection->phases & 1u << FLASH_BEFORE) ? true : cut_next(selection, cut);
}

unsigned selection_cuts(const struct selection *selection, const struct operation *operation)
{
	struct cut cut;
	unsigned count = 0;

	for (bool more = cut_first(selection, operation, &cut); more; more = cut_next(selection, &cut))
		count++;
	return count;
}

bool selection_strikes(const struct selection *selection, const struct oplog *log, uint32_t operation)
{
	return selection_has(selection, operation) && selection_cuts(selection, &log->operations[operation]) > 0;
}

/* ---- what was seen before -------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
	return hash ^ hash >> 29;
}

/* All that decides what comes next, but for the flash. The stage only names things. */
static uint64_t context_hash(const struct knowledge *know, unsigned remaining)
{
	uint64_t flags = know->check | know->activation << 1 | know->confirmation << 2 | know->confirmed << 3 | know->rolled_back << 4;

	return mix(mix(mix(remaining + 1u, flags), know->trials), know->counter);
}

static bool settled_before(struct board *board, void *context)
{
	struct explorer *e = context;
	uint64_t hash = mix(flash_hash(board->flash), context_hash(&board->shared->know, e->remaining));

	return !visited_add(e->settled, mix(hash, board->active));
}

/* ---- points ------------------------------------------------------------------------------------------------------------ */

static void tell_findings(struct explorer *e)
{
	char id[SWEEP_ID_SIZE];

	point_id(e->setup, &e->point, id);
	for (unsigned i = 0; i < e->board->shared->finding_count; i++)
		totals_violation(e->totals, e->group, id, &e->board->shared->findings[i]);
}

static void measure_wear(struct explorer *e)
{
	struct wear wear;

	oracle_wear_measure(e->board->flash, e->base->origin, &wear);
	totals_wear(e->totals, REGION_BANK, wear.bank);
	totals_wear(e->totals, REGION_DATA, wear.data);
	totals_wear(e->totals, REGION_UCB, wear.ucb);
}

static void count_cut(struct explorer *e, const struct cut *cut)
{
	atomic_fetch_add(&e->totals->points, 1);
	atomic_fetch_add(&e->totals->groups[e->group].points, 1);
	atomic_fetch_add(&e->totals->phases[cut->phase], 1);
	if (cut->phase == FLASH_DURING && !cut->reset)
		atomic_fetch_add(&e->totals->classes[cut->erase][cut->torn], 1);
}

/* Makes the cut at walk->at. True: it gave a flash that was not seen yet; it is in e->scratch. */
static bool make_cut(struct explorer *e, const struct walk *walk, const struct cut *cut)
{
	const struct operation *operation = walk_operation(walk);
	uint64_t hash;

	if (cut->reset)
		walk_reset(walk, cut, e->scratch);
	else
		walk_cut(walk, cut, e->scratch);
	hash = mix(flash_hash(e->scratch), context_hash(&operation->know, e->remaining));
	if (cut->reset) /* what is under way is not in the flash yet */
		hash = mix(hash, (uint64_t)walk->at << 2 | cut->phase);
	return visited_add(e->cuts, hash);
}

/* The board from the cut on. */
static enum script_result play(struct explorer *e, const struct walk *walk, const struct cut *cut, script_known known)
{
	const struct operation *operation = walk_operation(walk);
	struct level *level = &e->levels[e->point.count];

	board_set(e->board, e->scratch, e->base->nvm, &operation->know);
	if (cut->reset)
		walk_pending(walk, cut, e->board);
	if (level->log) {
		flash_copy(level->start, e->scratch);
		oplog_clear(level->log);
	}
	e->board->log = level->log;
	return script_run(e->board, cut->reset ? RELEASE_WATCHDOG : RELEASE_POWER_ON, e->base->origin, e->base->cuts + e->point.count,
	                  known, e);
}

static void judge(struct explorer *e, enum script_result result)
{
	atomic_fetch_add(&e->totals->boots, e->board->boots);
	if (result == SCRIPT_KNOWN) {
		atomic_fetch_add(&e->totals->settled, 1);
		return;
	}
	atomic_fetch_add(&e->totals->played, 1);
	if (result == SCRIPT_FOUND)
		tell_findings(e);
	else
		measure_wear(e);
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool over(const struct explorer *e)
{
	return e->selection->deadline_ns != 0 && clock_ns() >= e->selection->deadline_ns;
}

/* A block that loses its entry by a program; a full one is on its way to be erased. */
static bool loses_entry(int before, int after)
{
	return before >= 0 && before < (int)SSW_SWAP_ENTRIES - 1 && after < 0;
}

/* A program that takes the last valid entry from a swap block leaves one block between the board and its end: seen in the
 * states between the operations, whether or not the boot mends it. */
static void check_swap_entries(struct explorer *e, const struct walk *walk)
{
	const struct operation *operation = walk_operation(walk);
	uint32_t block = operation->address & ~(uint32_t)0x1FFu;
	struct ssw_result before, after;
	struct finding finding = {.invariant = 1};

	if (operation->kind != FLASH_PROGRAM || (block != FLASH_UCB_SWAP_ORIG && block != FLASH_UCB_SWAP_COPY))
		return;
	flash_copy(e->scratch, walk->base);
	ssw_evaluate(e->scratch, e->setup->policy, &before);
	walk_whole(walk, e->scratch);
	ssw_evaluate(e->scratch, e->setup->policy, &after);
	bool orig = loses_entry(before.orig_entry, after.orig_entry);
	if (!orig && !loses_entry(before.copy_entry, after.copy_entry))
		return;
	snprintf(finding.text, sizeof(finding.text), "UCB_SWAP_%s has no valid entry left: one block is all that says which bank runs",
	         orig ? "ORIG" : "COPY");
	e->point.cuts[e->point.count++] = (struct cut){.operation = walk->at, .phase = FLASH_AFTER};
	char id[SWEEP_ID_SIZE];
	point_id(e->setup, &e->point, id);
	e->point.count--;
	totals_violation(e->totals, e->group, id, &finding);
}

static void explore_log(struct explorer *e);

static void explore_cut(struct explorer *e, const struct walk *walk, struct cut *cut)
{
	enum script_result result;

	cut->operation = walk->at;
	count_cut(e, cut);
	if (!make_cut(e, walk, cut)) {
		atomic_fetch_add(&e->totals->same, 1);
		return;
	}
	e->point.cuts[e->point.count++] = *cut;
	result = play(e, walk, cut, settled_before);
	judge(e, result);
	if (e->remaining > 0 && result != SCRIPT_FOUND) {
		e->remaining--;
		explore_log(e);
		e->remaining++;
	}
	e->point.count--;
}

static void explore_operation(struct explorer *e, const struct walk *walk)
{
	struct cut cut;

	check_swap_entries(e, walk);
	for (bool more = cut_first(e->selection, walk_operation(walk), &cut); more && !over(e); more = cut_next(e->selection, &cut))
		explore_cut(e, walk, &cut);
}

/* Every operation of what followed the newest cut. */
static void explore_log(struct explorer *e)
{
	struct level *level = &e->levels[e->point.count];

	flash_copy(level->base, level->start);
	walk_begin(&level->walk, e->setup, level->log, level->base);
	for (uint32_t at = 0; at < level->log->count; at++) {
		walk_to(&level->walk, at);
		explore_operation(e, &level->walk);
	}
}

/* ---- triples ------------------------------------------------------------------------------------------------------------ */

static uint64_t draw(uint64_t *state)
{
	*state += 0x9E3779B97F4A7C15u;
	return mix(*state, *state >> 31);
}

static void random_cut(struct explorer *e, const struct operation *operation, uint64_t *state, struct cut *ret_cut)
{
	unsigned nth = (unsigned)(draw(state) % selection_cuts(e->selection, operation));

	(void)cut_first(e->selection, operation, ret_cut);
	while (nth-- > 0)
		(void)cut_next(e->selection, ret_cut);
	if (ret_cut->phase == FLASH_DURING && !ret_cut->reset)
		ret_cut->sample = 1 + (unsigned)(draw(state) % 1000u);
}

/* From the cut at walk->at on: two further ones in what follows. */
static void random_triple(struct explorer *e, struct walk *walk, uint64_t *state)
{
	enum script_result result = SCRIPT_REACHED;
	struct cut cut;

	while (e->point.count < SWEEP_MAX_CUTS && result == SCRIPT_REACHED && selection_cuts(e->selection, walk_operation(walk)) > 0) {
		random_cut(e, walk_operation(walk), state, &cut);
		cut.operation = walk->at;
		count_cut(e, &cut);
		(void)make_cut(e, walk, &cut);
		e->point.cuts[e->point.count++] = cut;
		result = play(e, walk, &cut, NULL);
		judge(e, result);
		struct level *level = &e->levels[e->point.count];
		if (e->point.count == SWEEP_MAX_CUTS || level->log->count == 0)
			break;
		flash_copy(level->base, level->start);
		walk_begin(&level->walk, e->setup, level->log, level->base);
		walk_to(&level->walk, (uint32_t)(draw(state) % level->log->count));
		walk = &level->walk;
	}
	e->point.count = 0;
}

/* True: a triple began here. */
static bool random_operation(struct explorer *e, struct walk *walk)
{
	bool struck = false;

	for (uint32_t i = 0; i < e->selection->random && !over(e); i++) {
		uint64_t state = e->setup->seed * 0x5851F42D4C957F2Du + i;
		if (draw(&state) % e->struck != e->ordinal)
			continue;
		struck = true;
		atomic_fetch_add(&e->totals->triples, 1);
		random_triple(e, walk, &state);
	}
	return struck;
}

/* ---- a worker -------------------------------------------------------------------------------------------------------------- */

static bool level_new(struct explorer *e, unsigned number)
{
	struct level *level = &e->levels[number];
	const struct flash_geometry *geometry = flash_geometry(e->base->start);

	level->start = flash_new(geometry, &flash_cost_tc375);
	level->base = flash_new(geometry, &flash_cost_tc375);
	if (number > 0)
		level->log = oplog_new(MAX_LOG, MAX_LOG_DATA);
	return level->start && level->base && (number == 0 || level->log);
}

struct explorer *explorer_new(const struct setup *setup, const struct selection *selection, const struct base *base, struct totals *totals,
                              struct visited *cuts, struct visited *settled)
{
	struct explorer *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->setup = setup;
	e->selection = selection;
	e->base = base;
	e->totals = totals;
	e->cuts = cuts;
	e->settled = settled;
	e->remaining = selection->depth - 1;
	e->board = board_new(setup);
	e->scratch = flash_new(flash_geometry(base->start), &flash_cost_tc375);
	unsigned levels = selection->random > 0 ? SWEEP_MAX_CUTS : selection->depth;
	bool whole = e->board && e->scratch;
	for (unsigned i = 0; i < levels && whole; i++)
		whole = level_new(e, i);
	if (whole)
		return e;
	explorer_free(e);
	return NULL;
}

void explorer_free(struct explorer *e)
{
	for (unsigned i = 0; i <= SWEEP_MAX_CUTS; i++) {
		flash_free(e->levels[i].start);
		flash_free(e->levels[i].base);
	}
	flash_free(e->scratch);
	board_free(e->board);
	free(e);
}

static void run_operation(struct explorer *e, struct walk *walk)
{
	struct group *group = &e->totals->groups[e->group];
	uint64_t begin_ns = clock_ns();
	bool struck = true;

	if (e->selection->random > 0)
		struck = random_operation(e, walk);
	else
		explore_operation(e, walk);
	atomic_fetch_add(&group->time_ns, clock_ns() - begin_ns);
	if (over(e))
		return;
	if (struck) {
		atomic_fetch_add(&group->operations, 1);
		atomic_fetch_add(&e->totals->struck, 1);
	}
	atomic_fetch_add(&group->done, 1);
	atomic_fetch_add(&e->totals->done, 1);
}

void explorer_run(struct explorer *e)
{
	struct level *level = &e->levels[0];
	const struct oplog *log = e->base->log;
	uint32_t at, seen = 0;

	for (uint32_t i = 0; i < log->count; i++)
		e->struck += selection_strikes(e->selection, log, i);
	flash_copy(level->base, e->base->start);
	walk_begin(&level->walk, e->setup, log, level->base);
	while ((at = atomic_fetch_add(&e->totals->next, 1)) < log->count && !over(e)) {
		for (; seen < at; seen++)
			e->ordinal += selection_strikes(e->selection, log, seen);
		if (!selection_strikes(e->selection, log, at))
			continue;
		walk_to(&level->walk, at);
		e->group = group_of(walk_operation(&level->walk));
		run_operation(e, &level->walk);
	}
}

bool explorer_fits(const struct cut *cut, const struct oplog *log)
{
	if (cut->operation >= log->count)
		return false;
	return (log->operations[cut->operation].kind == FLASH_ERASE) == cut->erase || cut->phase != FLASH_DURING || cut->reset;
}

bool explorer_replay(struct explorer *e, const struct point *point)
{
	struct walk *walk = &e->levels[0].walk;

	flash_copy(e->levels[0].base, e->base->start);
	walk_begin(walk, e->setup, e->base->log, e->levels[0].base);
	for (unsigned i = 0; i < point->count; i++) {
		const struct cut *cut = &point->cuts[i];
		if (!explorer_fits(cut, walk->log))
			return false;
		walk_to(walk, cut->operation);
		check_swap_entries(e, walk);
		(void)make_cut(e, walk, cut);
		e->point.cuts[e->point.count++] = *cut;
		e->board->trace = true;
		replay_cut(e->board, walk, cut, e->scratch);
		judge(e, play(e, walk, cut, NULL));
		if (i + 1 == point->count)
			break;
		struct level *level = &e->levels[e->point.count];
		flash_copy(level->base, level->start);
		walk_begin(&level->walk, e->setup, level->log, level->base);
		walk = &level->walk;
	}
	return true;
}
