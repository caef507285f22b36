/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otasweep: an update in virtual time, cut at every flash operation. Started by `hilbench sweep ota`, which makes the images
 * and reads the JSON lines on standard output (docs/reference/sweep.md).
 */
#include "options.h"
#include "prepare.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STATUS_CLEAN      0
#define STATUS_VIOLATIONS 1
#define STATUS_USAGE      2
#define STATUS_BROKEN     3

#define TICK_NS       UINT64_C(200000000)
#define VISITED_BITS  21u
#define VISITED_LARGE 25u

struct sweep {
	struct options options;
	struct base base;
	struct totals *totals;
	struct visited *cuts, *settled;
	pid_t workers[256];
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void put(json_t *line)
{
	if (!line || json_dumpf(line, stdout, JSON_COMPACT) < 0 || putchar('\n') < 0 || fflush(stdout) != 0) {
		fprintf(stderr, "otasweep: cannot write\n");
		exit(STATUS_BROKEN);
	}
	json_decref(line);
}

/* ---- what is told ------------------------------------------------------------------------------------------------------- */

static void put_violations(struct totals *totals, unsigned *told)
{
	char group[64];

	while (*told < TOTALS_VIOLATIONS && atomic_load(&totals->list[*told].ready)) {
		const struct violation *v = &totals->list[(*told)++];
		group_name(v->group, group, sizeof(group));
		put(json_pack("{ss, ss, si, ss, ss}", "kind", "violation", "id", v->id, "invariant", (int)v->invariant, "group", group,
		              "text", v->text));
	}
}

static void put_progress(const struct totals *totals)
{
	put(json_pack("{ss, sI, sI, sI, sI}", "kind", "progress", "operations", (json_int_t)atomic_load(&totals->done), "points",
	              (json_int_t)atomic_load(&totals->points), "played", (json_int_t)atomic_load(&totals->played), "violations",
	              (json_int_t)atomic_load(&totals->violations)));
}

static unsigned selected_of_group(const struct sweep *sweep, unsigned group)
{
	const struct oplog *log = sweep->base.log;
	unsigned count = 0;

	for (uint32_t i = 0; i < log->count; i++)
		count += group_of(&log->operations[i]) == group && selection_strikes(&sweep->options.selection, log, i);
	return count;
}

/* selected, done: a group is finished when they are the same. nothing: there was nothing to cut. */
static void put_groups(struct sweep *sweep, bool nothing)
{
	struct totals *totals = sweep->totals;
	char name[64];

	for (unsigned i = 0; i < TOTALS_GROUPS; i++) {
		struct group *group = &totals->groups[i];
		unsigned first = atomic_load(&group->first);
		unsigned selected = nothing ? 0 : selected_of_group(sweep, i), done = atomic_load(&group->done);
		if (done == selected && atomic_load(&group->points) == 0 && atomic_load(&group->violations) == 0)
			continue;
		group_name(i, name, sizeof(name));
		put(json_pack("{ss, ss, sI, sI, sI, sI, sI, sI, ss, ss}", "kind", "group", "name", name, "operations",
		              (json_int_t)atomic_load(&group->operations), "selected", (json_int_t)selected, "done", (json_int_t)done,
		              "time_ns", (json_int_t)atomic_load(&group->time_ns), "points", (json_int_t)atomic_load(&group->points),
		              "violations", (json_int_t)atomic_load(&group->violations), "first", first ? totals->list[first - 1].id : "",
		              "text", first ? totals->list[first - 1].text : ""));
	}
}

static json_t *classes_of(const struct totals *totals)
{
	json_t *classes = json_object();
	char name[16];

	for (unsigned erase = 0; erase < 2; erase++) {
		for (unsigned torn = 0; torn < 5u - erase; torn++) {
			snprintf(name, sizeof(name), "%c%u", erase ? 'E' : 'T', torn);
			json_object_set_new(classes, name, json_integer((json_int_t)atomic_load(&totals->classes[erase][torn])));
		}
	}
	return classes;
}

static json_t *invariants_of(const struct totals *totals)
{
	json_t *invariants = json_object();
	char name[4];

	for (unsigned i = 1; i < TOTALS_INVARIANTS; i++) {
		snprintf(name, sizeof(name), "I%u", i);
		json_object_set_new(invariants, name, json_integer((json_int_t)atomic_load(&totals->by_invariant[i])));
	}
	return invariants;
}

static void put_end(const struct totals *totals, const struct visited *cuts, uint32_t selected, uint64_t begin_ns)
{
	json_t *phases = json_pack("{sI, sI, sI}", "before", (json_int_t)atomic_load(&totals->phases[0]), "during",
	                           (json_int_t)atomic_load(&totals->phases[1]), "after", (json_int_t)atomic_load(&totals->phases[2]));
	json_t *wear = json_pack("{si, si, si}", "bank", atomic_load(&totals->wear[0]), "dflash", atomic_load(&totals->wear[1]), "ucb",
	                         atomic_load(&totals->wear[2]));

	put(json_pack("{ss, sI, sI, sI, sb, sI, sI, sI, sI, sI, sI, sI, sf, so, so, so, so}", "kind", "end", "operations",
	              (json_int_t)atomic_load(&totals->struck), "done", (json_int_t)atomic_load(&totals->done), "triples",
	              (json_int_t)atomic_load(&totals->triples), "complete", atomic_load(&totals->done) == selected, "points",
	              (json_int_t)atomic_load(&totals->points), "played", (json_int_t)atomic_load(&totals->played), "settled",
	              (json_int_t)atomic_load(&totals->settled), "same", (json_int_t)atomic_load(&totals->same), "states",
	              (json_int_t)visited_count(cuts), "boots", (json_int_t)atomic_load(&totals->boots), "violations",
	              (json_int_t)atomic_load(&totals->violations), "seconds", (double)(now_ns() - begin_ns) / 1e9, "phases", phases,
	              "classes", classes_of(totals), "invariants", invariants_of(totals), "wear", wear));
}

/* ---- workers --------------------------------------------------------------------------------------------------------------- */

static _Noreturn void work(struct sweep *sweep, pid_t parent)
{
	struct explorer *explorer;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(STATUS_BROKEN);
	explorer = explorer_new(&sweep->options.setup, &sweep->options.selection, &sweep->base, sweep->totals, sweep->cuts, sweep->settled);
	if (!explorer) {
		fprintf(stderr, "otasweep: out of memory\n");
		_exit(STATUS_BROKEN);
	}
	explorer_run(explorer);
	_exit(STATUS_CLEAN);
}

static int start_workers(struct sweep *sweep)
{
	pid_t parent = getpid();

	for (unsigned i = 0; i < sweep->options.jobs; i++) {
		pid_t child = fork();
		if (child == 0)
			work(sweep, parent);
		if (child < 0) {
			perror("otasweep: cannot start a worker");
			return STATUS_BROKEN;
		}
		sweep->workers[i] = child;
	}
	return STATUS_CLEAN;
}

static int watch_workers(struct sweep *sweep)
{
	unsigned left = sweep->options.jobs, told = 0, ticks = 0;
	int result = STATUS_CLEAN, status;

	while (left > 0) {
		pid_t child = waitpid(-1, &status, WNOHANG);
		if (child < 0 && errno != EINTR)
			return STATUS_BROKEN;
		if (child > 0) {
			left--;
			if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
				fprintf(stderr, "otasweep: a worker ended with wait status %d\n", status);
				result = STATUS_BROKEN;
			}
			continue;
		}
		put_violations(sweep->totals, &told);
		if (ticks++ % 5 == 0)
			put_progress(sweep->totals);
		nanosleep(&(struct timespec){.tv_nsec = (long)TICK_NS}, NULL);
	}
	put_violations(sweep->totals, &told);
	return result;
}

/* ---- the whole --------------------------------------------------------------------------------------------------------------- */

static void tell_base(struct sweep *sweep, struct board *board)
{
	const struct point none = {0};
	char id[SWEEP_ID_SIZE];

	point_id(&sweep->options.setup, &none, id);
	for (unsigned i = 0; i < board->shared->finding_count; i++)
		totals_violation(sweep->totals, board->shared->know.stage * REGIONS * 2u, id, &board->shared->findings[i]);
}

static uint32_t put_begin(const struct sweep *sweep)
{
	const struct oplog *log = sweep->base.log;
	uint32_t selected = 0;
	uint64_t points = 0;

	for (uint32_t i = 0; i < log->count; i++) {
		unsigned cuts =
		        selection_has(&sweep->options.selection, i) ? selection_cuts(&sweep->options.selection, &log->operations[i]) : 0;
		selected += cuts > 0;
		points += cuts;
	}
	put(json_pack("{ss, sI, sI, sI}", "kind", "begin", "total", (json_int_t)log->count, "selected", (json_int_t)selected, "points",
	              (json_int_t)points));
	return selected;
}

/* A sweep that cuts nothing shows nothing: it is refused. */
static bool strikes_something(const struct sweep *sweep)
{
	const struct selection *selection = &sweep->options.selection;
	const struct oplog *log = sweep->base.log;
	uint32_t kinds[2] = {0}, all[2] = {0};

	for (unsigned i = 0; i < selection->range_count; i++) {
		if (selection->ranges[i].last < log->count)
			continue;
		fprintf(stderr, "otasweep: --ops: there is no operation %u; there are operations 0 to %u\n", selection->ranges[i].last,
		        log->count - 1u);
		return false;
	}
	for (uint32_t i = 0; i < log->count; i++) {
		bool erase = log->operations[i].kind == FLASH_ERASE;
		if (selection_strikes(selection, log, i))
			return true;
		all[erase]++;
		kinds[erase] += selection_has(selection, i);
	}
	fprintf(stderr,
	        "otasweep: nothing would be cut: %u programs (T0 to T4) and %u erases (E0 to E3) are selected, and no phase and class fits "
	        "them; there are operations 0 to %u, %u programs and %u erases\n",
	        kinds[FLASH_PROGRAM], kinds[FLASH_ERASE], log->count - 1u, all[FLASH_PROGRAM], all[FLASH_ERASE]);
	return false;
}

static int run(struct sweep *sweep, struct board *board)
{
	uint64_t begin_ns = now_ns();
	uint32_t selected;
	int status = STATUS_CLEAN;

	if (!board_found(board) && !strikes_something(sweep))
		return STATUS_USAGE;
	selected = put_begin(sweep);

	if (board_found(board)) { /* nothing to cut: the update does not work at all */
		unsigned told = 0;
		tell_base(sweep, board);
		put_violations(sweep->totals, &told);
	} else {
		status = start_workers(sweep);
		if (status == STATUS_CLEAN)
			status = watch_workers(sweep);
	}
	put_groups(sweep, board_found(board));
	put_end(sweep->totals, sweep->cuts, board_found(board) ? 0 : selected, begin_ns);
	if (status != STATUS_CLEAN)
		return status;
	return atomic_load(&sweep->totals->violations) > 0 ? STATUS_VIOLATIONS : STATUS_CLEAN;
}

static void tell_missing(const struct sweep *sweep)
{
	char cuts[64];

	point_format(&sweep->options.point, cuts, sizeof(cuts));
	fprintf(stderr,
	        "otasweep: there is no such operation in %s; the scenario has operations 0 to %u; T classes are of programs, E classes of "
	        "erases\n",
	        cuts, sweep->base.log->count - 1u);
}

static int replay(struct sweep *sweep, struct board *board)
{
	struct explorer *explorer;
	bool there;

	if (board_found(board))
		return STATUS_VIOLATIONS;
	if (sweep->options.point.count == 0)
		return STATUS_CLEAN;
	if (!explorer_fits(&sweep->options.point.cuts[0], sweep->base.log)) {
		tell_missing(sweep);
		return STATUS_USAGE;
	}
	printf("\n");
	sweep->options.selection.depth = sweep->options.point.count;
	explorer = explorer_new(&sweep->options.setup, &sweep->options.selection, &sweep->base, sweep->totals, sweep->cuts, sweep->settled);
	if (!explorer)
		return STATUS_BROKEN;
	there = explorer_replay(explorer, &sweep->options.point);
	explorer_free(explorer);
	if (!there) {
		tell_missing(sweep);
		return STATUS_USAGE;
	}
	for (unsigned i = 0; i < TOTALS_VIOLATIONS && atomic_load(&sweep->totals->list[i].ready); i++)
		printf("violated: I%u %s\n", sweep->totals->list[i].invariant, sweep->totals->list[i].text);
	if (atomic_load(&sweep->totals->violations) > 0)
		return STATUS_VIOLATIONS;
	printf("no violation\n");
	return STATUS_CLEAN;
}

int main(int argc, char **argv)
{
	static struct sweep sweep;
	struct board *board;
	bool large;
	int status = STATUS_BROKEN;

	if (!options_read(&sweep.options, argc, argv))
		return STATUS_USAGE;
	large = sweep.options.selection.depth > 1 || sweep.options.selection.random > 0;
	sweep.totals = shared_memory(sizeof(*sweep.totals));
	sweep.cuts = visited_new(large ? VISITED_LARGE : VISITED_BITS);
	sweep.settled = visited_new(large ? VISITED_LARGE : VISITED_BITS);
	board = board_new(&sweep.options.setup);
	if (!sweep.totals || !sweep.cuts || !sweep.settled || !board) {
		fprintf(stderr, "otasweep: out of memory\n");
		return STATUS_BROKEN;
	}
	board->trace = sweep.options.replay && sweep.options.point.count == 0;
	if (base_prepare(&sweep.base, board))
		status = sweep.options.replay ? replay(&sweep, board) : run(&sweep, board);
	board_free(board);
	return status;
}
