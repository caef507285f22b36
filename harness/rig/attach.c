/* SPDX-License-Identifier: Apache-2.0 */
#include "attach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/board_parts.h"
#include "probe_private.h"
#include "rig_private.h"

struct rig_attached {
	struct rig rig;
	struct rig_board board;
	struct board_line *line;
	struct board_reset *reset;
	char *channel;
};

int rig_attach(struct rig_attached **ret, const struct rig_file *file, struct loop *loop, struct timeline *timeline, const char *role,
               const char *directory, struct error *err)
{
	const struct value *map = value_get(value_get(rig_file_root(file), "roles"), role);
	const struct board_driver *driver = map ? board_driver_find(map_text(map, "driver")) : NULL;
	if (!driver)
		return error_set(err, ERROR_USAGE, ENOENT, "the rig has no role \"%s\"", role);
	if (!driver->external)
		return error_set(err, ERROR_USAGE, EINVAL, "%s is a virtual board: it is there only while its rig is", role);
	struct rig_attached *attached = calloc(1, sizeof(*attached));
	if (!attached || asprintf(&attached->channel, "board:%s", role) < 0) {
		free(attached);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	attached->rig = (struct rig){.file = file,
	                             .loop = loop,
	                             .timeline = timeline,
	                             .root = file->root,
	                             .directory = directory,
	                             .number_fd = -1,
	                             .can_log = -1};
	attached->board = (struct rig_board){.rig = &attached->rig,
	                                     .role = strdup(role),
	                                     .channel = attached->channel,
	                                     .map = map,
	                                     .driver = driver,
	                                     .powered = true}; /* as far as anybody knows */
	int r = attached->board.role
	                ? console_new(&attached->board.console, timeline, NULL, attached->board.role, attached->channel, NULL, NULL, err)
	                : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (r < 0) {
		rig_detach(attached);
		return r;
	}
	*ret = attached;
	return 0;
}

void rig_detach(struct rig_attached *attached)
{
	if (!attached)
		return;
	board_reset_close(attached->reset);
	probe_close(&attached->board);
	board_line_close(attached->line);
	console_free(attached->board.console);
	supply_close(attached->board.supply);
	free(attached->board.role);
	free(attached->channel);
	free(attached);
}

int rig_attached_supply(struct rig_attached *attached, struct supply **ret, struct error *err)
{
	struct rig_board *board = &attached->board;
	int r = 0;
	if (!board->supply)
		r = supply_open(&board->supply, &attached->rig, value_get(board->map, "power"), attached->channel, err);
	/* By hand: what was switched on stays on. */
	if (r == 0)
		supply_keep(board->supply);
	*ret = board->supply;
	return r;
}

int rig_attached_probe(struct rig_attached *attached, struct probe **ret, struct error *err)
{
	struct rig_board *board = &attached->board;
	if (!value_get(board->map, "probe"))
		return error_set_place(err, ERROR_USAGE, ENOENT, board->map->place, "%s has no `probe` in the rig file", board->role);
	int r = board->probe ? 0 : probe_open(board, err);
	*ret = board->probe;
	return r;
}

static int open_line(struct rig_attached *attached, struct error *err)
{
	return attached->line ? 0 : board_line_open(&attached->line, &attached->board, err);
}

int rig_attached_console(struct rig_attached *attached, struct console **ret, struct error *err)
{
	int r = open_line(attached, err);
	*ret = attached->board.console;
	return r;
}

int rig_attached_input(struct rig_attached *attached, const void *data, size_t length, struct error *err)
{
	return board_line_write(attached->line, data, length, err);
}

int rig_attached_alive(const struct rig_attached *attached, struct error *err)
{
	return attached->line ? board_line_alive(attached->line, err) : 0;
}

int rig_attached_reset(struct rig_attached *attached, int64_t deadline_ns, struct error *err)
{
	struct rig_board *board = &attached->board;
	const struct value *map = value_get(board->map, "reset");
	const char *driver = map ? map_text(map, "driver") : NULL;
	struct instant at;
	int r = 0;
	if (!map)
		return error_set_place(err, ERROR_BENCH, EOPNOTSUPP, board->map->place,
		                       "%s has no `reset` in the rig file: use `rig power %s cycle`", board->role, board->role);
	if (driver && !strcmp(driver, "serial"))
		r = open_line(attached, err);
	if (r == 0 && driver && !strcmp(driver, "probe") && !board->probe)
		r = probe_open(board, err);
	if (r == 0 && !attached->reset)
		r = board_reset_open(&attached->reset, board, attached->line, err);
	return r < 0 ? r : board_reset_pulse(attached->reset, deadline_ns, &at, err);
}

int rig_attached_release(struct rig_attached *attached, int64_t deadline_ns, struct error *err)
{
	const struct value *map = value_get(attached->board.map, "reset");
	const char *driver = map ? map_text(map, "driver") : NULL;
	int r = 0;
	if (!driver || !strcmp(driver, "probe"))
		return error_set(err, ERROR_BENCH, EOPNOTSUPP, "nothing holds %s in reset while nobody uses it", attached->board.role);
	if (!strcmp(driver, "serial"))
		r = open_line(attached, err);
	if (r == 0 && !attached->reset)
		r = board_reset_open(&attached->reset, &attached->board, attached->line, err);
	return r < 0 ? r : board_reset_hold(attached->reset, false, deadline_ns, err);
}
