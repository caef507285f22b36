/* SPDX-License-Identifier: Apache-2.0 */
#include "script.h"

#include "oracle.h"
#include "tester.h"

#define MAX_ROUNDS    12u
#define BOOT_LIMIT_NS UINT64_C(4000000000) /* I1: settling may erase, then the image is verified */

/* Which stage a boot belongs to is decided by what was asked for before. */
static void set_boot_stage(struct board *board)
{
	struct knowledge *know = &board->shared->know;

	if (know->confirmed || know->rolled_back)
		know->stage = STAGE_AFTER;
	else if (know->activation)
		know->stage = STAGE_TRIAL;
	else
		know->stage = STAGE_BOOT;
}

static const struct image *boot(struct board *board, enum board_release release)
{
	uint64_t begin_ns = board->now_ns;
	const struct image *image;

	set_boot_stage(board);
	if (!board_start(board, release))
		return NULL;
	if (board->now_ns - begin_ns > BOOT_LIMIT_NS)
		board_find(board, 1, "the boot takes %llu ms of flash time", (unsigned long long)((board->now_ns - begin_ns) / 1000000u));
	image = oracle_running(board);
	return image && oracle_swap_settled(board) ? image : NULL;
}

static enum script_result judge_end(struct board *board, enum cpu_end end)
{
	static const char *const names[] = {"ended",   "made a system reset",    "made an application reset", "waits for ever",
	                                    "crashed", "does not come to an end"};

	if (!board_found(board))
		board_find(board, 1, "the application %s (%s)", names[end], stage_name((enum stage)board->shared->know.stage));
	return SCRIPT_FOUND;
}

/* The goal holds over one more power cycle (I3). */
static enum script_result look_again(struct board *board, const struct flash *before, unsigned cuts)
{
	const struct image *image = boot(board, RELEASE_POWER_ON);
	enum cpu_end end = image ? board_run(board, tester_run) : CPU_DONE;

	if (board_found(board))
		return SCRIPT_FOUND;
	if (end != CPU_DONE)
		return judge_end(board, end);
	oracle_wear(board, before, cuts);
	return board_found(board) ? SCRIPT_FOUND : SCRIPT_REACHED;
}

enum script_result script_run(struct board *board, enum board_release release, const struct flash *before, unsigned cuts,
                              script_known known, void *context)
{
	board->shared->cuts = cuts;
	for (unsigned round = 0; round < MAX_ROUNDS; round++) {
		enum cpu_end end;

		if (!boot(board, release))
			return SCRIPT_FOUND;
		if (round == 0 && known && known(board, context))
			return SCRIPT_KNOWN;
		end = board_run(board, tester_run);
		if (board_found(board) || (end != CPU_DONE && end != CPU_SYSTEM_RESET))
			return judge_end(board, end);
		if (end == CPU_SYSTEM_RESET && board->stop_at_reset)
			return SCRIPT_RESET;
		if (end == CPU_DONE && board->shared->goal == GOAL_REACHED)
			return look_again(board, before, cuts);
		release = end == CPU_SYSTEM_RESET ? RELEASE_SYSTEM : RELEASE_POWER_ON;
	}
	board_find(board, 9, "not at the goal after %u rounds and %u boots", MAX_ROUNDS, board->boots);
	return SCRIPT_FOUND;
}
