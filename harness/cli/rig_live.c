/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "../rig/log_keep.h"
#include "rig.h"

#define BOOT_NS  (20 * RIG_SECOND_NS)
#define POWER_NS (10 * RIG_SECOND_NS)

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	(void)source;
	(void)info;
	loop_cancel(context);
	return 0;
}

/* Ctrl-C ends the command in order, not in the middle of something. */
void rig_catch_signals(struct loop *loop)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	sigset_t set;
	(void)sigemptyset(&set);
	for (unsigned i = 0; i < 3; i++)
		(void)sigaddset(&set, signals[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	for (unsigned i = 0; i < 3; i++)
		(void)sd_event_add_signal(loop_event(loop), NULL, signals[i], on_signal, loop);
}

static int start_parts(struct rig_live *live, const struct rig_call *call, const char *role, struct error *err)
{
	char command[100];
	(void)snprintf(command, sizeof(command), "hilbench rig %s", call->verb);
	int r = rig_lock_take(&live->lock, call->file, command, err);
	if (r == 0)
		r = bus_folder_new(&live->folder, "/tmp", "hilbench-rig", err);
	if (r == 0)
		r = loop_new(&live->loop, err);
	if (r == 0)
		r = timeline_new(&live->timeline, NULL, 1000, err);
	if (r < 0)
		return r;
	rig_catch_signals(live->loop);
	if (!rig_file_is_virtual(call->file))
		return role ? rig_attach(&live->attached, call->file, live->loop, live->timeline, role, bus_folder_path(live->folder), err)
		            : 0;
	const struct rig_options options = {.run_directory = bus_folder_path(live->folder)};
	r = rig_file_check_files(call->file, err);
	if (r == 0)
		r = rig_start(call->file, live->loop, live->timeline, &options, &live->rig, err);
	live->board = r == 0 && role ? rig_board_find(live->rig, role) : NULL;
	return r;
}

int rig_live_start(struct rig_live *ret, const struct rig_call *call, const char *role)
{
	struct error error = {0};
	*ret = (struct rig_live){.file = call->file};
	if (start_parts(ret, call, role, &error) == 0)
		return 0;
	rig_live_stop(ret);
	return rig_fail(&error);
}

void rig_live_stop(struct rig_live *live)
{
	if (live->loop)
		loop_rearm(live->loop);
	rig_detach(live->attached);
	rig_stop(live->rig);
	timeline_free(live->timeline);
	loop_free(live->loop);
	bus_folder_free(live->folder);
	rig_lock_release(live->lock);
	*live = (struct rig_live){0};
}

void rig_live_keep_log(struct rig_live *live, struct error *error)
{
	if (live->folder)
		log_keep(bus_folder_path(live->folder), error);
}

int rig_live_power_all(struct rig_live *live, struct error *err)
{
	int r = 0;
	for (unsigned i = 0; live->rig && r == 0 && i < rig_board_count(live->rig); i++) {
		struct rig_board *board = rig_board_at(live->rig, i);
		if (board == live->board || !rig_board_on_demand(board))
			r = rig_board_power(board, true, loop_now_ns() + POWER_NS, err);
	}
	return r;
}

static bool is_ready(void *context)
{
	const struct rig_board *board = context;
	return rig_board_ready(board) || rig_board_dead(board) || rig_board_halted(board);
}

int rig_live_boot(struct rig_live *live, struct error *err)
{
	int r = rig_live_power_all(live, err);
	if (r < 0 || !live->board)
		return r;
	/* On demand means that nobody knows when it is ready. */
	if (rig_board_on_demand(live->board))
		return 0;
	r = loop_until(live->loop, is_ready, live->board, loop_now_ns() + BOOT_NS);
	if (r == -ECANCELED)
		return error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled");
	if (r == 0 && rig_board_ready(live->board))
		return 0;
	return error_set(err, ERROR_DUT, ETIMEDOUT, "%s did not boot: its last stage is \"%s\"%s%s", rig_board_role(live->board),
	                 rig_board_stage(live->board), rig_board_fault(live->board)[0] ? ", it said " : "", rig_board_fault(live->board));
}

int rig_live_probe(struct rig_live *live, struct probe **ret, struct error *err)
{
	if (live->attached)
		return rig_attached_probe(live->attached, ret, err);
	*ret = rig_board_probe(live->board);
	return *ret ? 0 : error_set(err, ERROR_USAGE, ENOENT, "%s has no `probe` in the rig file", rig_board_role(live->board));
}
