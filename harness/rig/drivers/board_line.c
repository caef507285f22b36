/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/bytes.h"
#include "../../link/address.h"
#include "../rack.h"
#include "../rig_keys.h"
#include "board_parts.h"

/* At a wrong speed about every second byte is no text; what a board prints on purpose is nearly all text. */
#define RUBBISH_BYTES   24U
#define RUBBISH_PERCENT 20U

struct board_line {
	struct rig_board *board;
	struct serial *serial;
	struct serial_options options;
	bool rts, dtr;
	unsigned frame_errors; /* at the begin */
	char gone[160];
	bool held;
	struct bytes kept;
	struct part {
		size_t length;
		struct instant at;
	} *parts;
	unsigned part_count;
};

static const struct {
	const char *name, *address; /* key of the map */
	enum serial_kind kind;
	const char *keys[5];
} kinds[] = {
        {"serial", "device", SERIAL_TTY, {"device", "baud", "rts", "dtr", NULL}},
        {"tcp", "address", SERIAL_TCP, {"address", NULL}},
        {"pty", "path", SERIAL_PTY, {"path", NULL}},
};

static size_t kind_of(const struct value *map)
{
	const char *driver = map_text(map, "driver");
	size_t i = 0;
	while (i + 1 < sizeof(kinds) / sizeof(*kinds) && strcmp(kinds[i].name, driver))
		i++;
	return i;
}

static bool is_address(const char *text, void *context)
{
	struct address parsed;
	(void)context;
	return address_parse(text, &parsed, NULL) == 0;
}

int board_line_check(const struct value *map, struct error *err)
{
	size_t kind = kind_of(map);
	const struct value *address = value_get(map, kinds[kind].address);
	char where[128];
	int r = rig_keys_of_driver(map, kinds[kind].name, kinds[kind].keys, err);
	if (r < 0)
		return r;
	if (!address)
		return error_set_place(err, ERROR_USAGE, EINVAL, map->place, "console: driver %s lacks `%s`", kinds[kind].name,
		                       kinds[kind].address);
	int bad = kinds[kind].kind == SERIAL_TCP ? rack_first_bad(address->text, is_address, NULL) : 0;
	if (bad <= 0)
		return bad < 0 ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory") : 0;
	return error_set_place(err, ERROR_USAGE, EINVAL, address->place, "`address` must be HOST:PORT in numbers, not \"%s\"%s",
	                       address->text, rack_bad_text(address->text, bad, where, sizeof(where)));
}

static bool flag(const struct value *map, const char *key)
{
	const struct value *value = value_get(map, key);
	return value && value->boolean;
}

void board_line_options(const struct value *map, struct serial_options *ret)
{
	size_t kind = kind_of(map);
	const struct value *baud = value_get(map, "baud");
	*ret = (struct serial_options){.kind = kinds[kind].kind,
	                               .address = map_text(map, kinds[kind].address),
	                               .baud = baud ? (uint32_t)baud->integer : 0,
	                               .rts = flag(map, "rts"),
	                               .dtr = flag(map, "dtr")};
}

/* ---- open, close ---- */

static int keep(struct board_line *line, const void *data, size_t length, struct instant at)
{
	struct part *parts = realloc(line->parts, (line->part_count + 1) * sizeof(*parts));
	if (parts)
		line->parts = parts;
	if (!parts || bytes_append(&line->kept, data, length) < 0)
		return -ENOMEM;
	parts[line->part_count++] = (struct part){length, at};
	return 0;
}

static void on_received(const void *data, size_t length, struct instant at, void *context)
{
	struct board_line *line = context;
	if (!line->held || keep(line, data, length, at) < 0)
		board_console(line->board, data, length, at);
}

void board_line_hold(struct board_line *line, bool on)
{
	size_t done = 0;
	line->held = on;
	for (unsigned i = 0; !on && i < line->part_count; i++) {
		board_console(line->board, line->kept.data + done, line->parts[i].length, line->parts[i].at);
		done += line->parts[i].length;
	}
	bytes_free(&line->kept);
	free(line->parts);
	line->kept = (struct bytes){0};
	line->parts = NULL;
	line->part_count = 0;
}

static void on_gone(const char *reason, void *context)
{
	struct board_line *line = context;
	struct rig_board *board = line->board;
	(void)snprintf(line->gone, sizeof(line->gone), "%s", reason);
	timeline_emit_now(board->rig->timeline, board->channel, "note",
	                  json_pack("{s:o}", "text", json_sprintf("console of %s, %s: %s", board->role, line->options.address, reason)));
}

/* A line that resets the board rests where the board runs: at an active-low one that is asserted, which opening the port has done already.
 */
static void rest_reset_line(struct board_line *line)
{
	const struct value *reset = value_get(line->board->map, "reset"), *low = value_get(reset, "active_low");
	const char *driver = reset ? map_text(reset, "driver") : NULL, *name = reset ? map_text(reset, "line") : NULL;
	if (!driver || strcmp(driver, "serial") != 0 || !name || !low || !low->boolean)
		return;
	if (!strcmp(name, "rts"))
		line->options.rts = true;
	else
		line->options.dtr = true;
}

/* Opening a port raises both lines; a line that resets the board must not stay so. */
static int settle_lines(struct board_line *line, const struct value *map, struct error *err)
{
	const struct value *reset = value_get(line->board->map, "reset");
	bool by_line = reset && map_text(reset, "driver") && !strcmp(map_text(reset, "driver"), "serial");
	if (line->options.kind != SERIAL_TTY || (!by_line && !value_get(map, "rts") && !value_get(map, "dtr")))
		return 0;
	return serial_set_lines(line->serial, line->rts, line->dtr, err);
}

int board_line_open(struct board_line **ret, struct rig_board *board, struct error *err)
{
	const struct value *map = value_get(board->map, "console");
	struct board_line *line = calloc(1, sizeof(*line));
	struct serial_state state;
	if (!line)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	line->board = board;
	board_line_options(map, &line->options);
	line->options.received = on_received;
	line->options.gone = on_gone;
	line->options.context = line;
	rest_reset_line(line);
	line->rts = line->options.rts;
	line->dtr = line->options.dtr;
	int r = serial_open(&line->serial, board->rig->loop, &line->options, err);
	if (r == 0)
		r = settle_lines(line, map, err);
	if (r < 0) {
		error_prefix(err, "console");
		board_line_close(line);
		return r;
	}
	serial_state_read(line->serial, &state);
	line->frame_errors = state.frame_errors;
	*ret = line;
	return 0;
}

void board_line_close(struct board_line *line)
{
	if (!line)
		return;
	serial_close(line->serial);
	if (line->held)
		board_line_hold(line, false);
	free(line);
}

/* ---- verbs ---- */

int board_line_write(struct board_line *line, const void *data, size_t length, struct error *err)
{
	return serial_write(line->serial, data, length, err);
}

int board_line_set(struct board_line *line, int rts, int dtr, struct error *err)
{
	bool new_rts = rts < 0 ? line->rts : rts > 0, new_dtr = dtr < 0 ? line->dtr : dtr > 0;
	int r = serial_set_lines(line->serial, new_rts, new_dtr, err);
	if (r == 0) {
		line->rts = new_rts;
		line->dtr = new_dtr;
	}
	return r;
}

int board_line_alive(const struct board_line *line, struct error *err)
{
	return line->gone[0] ? error_set(err, ERROR_BENCH, EPIPE, "console %s: %s", line->options.address, line->gone) : 0;
}

bool board_line_hint(struct board_line *line, char *ret, size_t size)
{
	struct console_health health;
	struct serial_state state;
	console_health_read(line->board->console, &health);
	serial_state_read(line->serial, &state);
	unsigned framing = state.frame_errors - line->frame_errors;
	bool rubbish = health.bytes >= RUBBISH_BYTES && health.invalid * 100 >= health.bytes * RUBBISH_PERCENT;
	ret[0] = '\0';
	if (health.markers > 0)
		return false;
	if (health.bytes == 0 && framing == 0) {
		(void)snprintf(ret, size, "its console (%s) said nothing at all: is its cable in?", state.text);
		return false;
	}
	if (!rubbish && framing == 0)
		return false;
	(void)snprintf(ret, size,
	               "its console (%s) shows rubbish: %u of %u bytes are no text, %u framing errors: is its baud rate another one?",
	               state.text, (unsigned)health.invalid, (unsigned)health.bytes, framing);
	return true;
}
