/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link_tap.h"
#include "probe_private.h"
#include "rig_private.h"
#include "supply.h"

/* Role keys that are parameters of the board under another name. */
static const struct {
	const char *key, *param;
} implied[] = {
        {"address", "net.address"},
        {"logical_address", "doip.logical_address"},
        {"vin", "doip.vin"},
        {"eid", "doip.eid"},
        {"gid", "doip.gid"},
        {"udp", "doip.udp"},
        {"broadcast", "doip.udp_broadcast"},
        {"announce_to", "doip.announce_to"},
        {"plain", "doip.plain"},
        {"tls", "doip.tls"},
};

/* A scalar as the text that a parameter takes. */
static struct value *param_text(const struct value *value, bool hex6)
{
	char text[64], *described;
	if (value->type == VALUE_BYTES || hex6) {
		struct value *bytes = NULL;
		if (value_convert(value, VALUE_BYTES, &bytes, NULL) < 0)
			return NULL;
		for (size_t i = 0; i < bytes->bytes.length && i < 31; i++)
			snprintf(text + 2 * i, 3, "%02x", bytes->bytes.data[i]);
		value_free(bytes);
		return value_new_text(text);
	}
	if (value->type == VALUE_TEXT)
		return value_new_text(value->text);
	if (value->type == VALUE_BOOL)
		return value_new_text(value->boolean ? "1" : "0");
	if (value->type == VALUE_INTEGER) {
		snprintf(text, sizeof(text), "%" PRId64, value->integer);
		return value_new_text(text);
	}
	described = value_describe(value);
	struct value *result = described ? value_new_text(described) : NULL;
	free(described);
	return result;
}

/* The client of a link connects to the link's address unless the file says otherwise. */
static int add_remote(struct rig_board *board)
{
	const struct value *links = value_get(board->rig->root, "links");
	for (unsigned i = 0; links && i < links->map.count; i++) {
		const struct value *link = links->map.entries[i].value;
		const char *to = map_text(link, "listen") ? map_text(link, "listen") : map_text(link, "target");
		if (strcmp(map_text(link, "client"), board->role))
			continue;
		snprintf(board->last_stage, sizeof(board->last_stage), "activated");
		int r = map_put(board->params, "client.remote", value_new_text(to));
		if (r < 0)
			return r;
	}
	return 0;
}

static int collect_params(struct rig_board *board)
{
	const struct value *params = value_get(board->map, "params");
	int r = 0;
	if (!(board->params = map_new()))
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < sizeof(implied) / sizeof(*implied); i++) {
		const struct value *value = value_get(board->map, implied[i].key);
		bool hex6 = !strcmp(implied[i].key, "eid") || !strcmp(implied[i].key, "gid");
		if (value)
			r = map_put(board->params, implied[i].param, param_text(value, hex6));
	}
	if (r == 0)
		r = add_remote(board);
	for (unsigned i = 0; r == 0 && params && i < params->map.count; i++)
		r = map_put(board->params, params->map.entries[i].key, param_text(params->map.entries[i].value, false));
	return r;
}

static bool stages_have(const struct board_stages *stages, const char *stage)
{
	for (unsigned i = 0; i < stages->count; i++)
		if (!strcmp(stages->names[i], stage))
			return true;
	return false;
}

static void stages_add(struct board_stages *stages, const char *stage)
{
	if (!stages_have(stages, stage) && stages->count < sizeof(stages->names) / sizeof(*stages->names))
		snprintf(stages->names[stages->count++], sizeof(stages->names[0]), "%s", stage);
}

static void forget_stages(struct rig_board *board);

/* A board of which only the console is seen: the first stage after others is a reset that nobody of the bench made. */
static void see_reset(struct rig_board *board, const char *stage)
{
	if (!board->driver->external || board->stages.count == 0 || strcmp(stage, rig_stage_names[0]))
		return;
	forget_stages(board);
	timeline_emit_now(board->rig->timeline, board->channel, "reset", json_pack("{s:s}", "kind", "unknown"));
}

static void on_stage(const char *stage, void *context)
{
	struct rig_board *board = context;
	see_reset(board, stage);
	snprintf(board->stage, sizeof(board->stage), "%s", stage);
	stages_add(&board->stages, stage);
	stages_add(&board->shown, stage);
}

int board_open(struct rig *rig, struct rig_board *board, const struct value_entry *entry, struct error *err)
{
	board->rig = rig;
	board->map = entry->value;
	board->role = strdup(entry->key);
	snprintf(board->last_stage, sizeof(board->last_stage), "server");
	if (!board->role || asprintf(&board->channel, "board:%s", entry->key) < 0 || collect_params(board) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (map_text(board->map, "last_stage"))
		snprintf(board->last_stage, sizeof(board->last_stage), "%s", map_text(board->map, "last_stage"));
	int r = console_new(&board->console, rig->timeline, rig->directory, board->role, board->channel, on_stage, board, err);
	if (r < 0)
		return r;
	board->driver = board_driver_find(map_text(board->map, "driver"));
	r = board->driver->open(board, err);
	return r < 0 ? r : probe_open(board, err);
}

void board_close(struct rig_board *board)
{
	probe_close(board); /* before the board, whose socket it may hold */
	if (board->driver)
		board->driver->close(board);
	console_free(board->console);
	value_free(board->params);
	free(board->role);
	free(board->channel);
	memset(board, 0, sizeof(*board));
}

/* ---- what drivers tell ---- */

void board_console(struct rig_board *board, const void *data, size_t length, struct instant at)
{
	console_bytes(board->console, data, length, at);
}

void board_secret(struct rig_board *board, const char *line)
{
	const struct value *capture = value_get(board->rig->root, "capture"), *allowed = capture ? value_get(capture, "secrets") : NULL;
	if (board->rig->capture && allowed && allowed->boolean)
		capture_secret(board->rig->capture, line);
	for (unsigned i = 0; i < board->rig->link_count; i++) {
		struct rig_link *link = &board->rig->links[i];
		if (link->client != board && link->server != board)
			continue;
		if (link->relay)
			relay_secret(link->relay, line);
		if (link->tap)
			link_tap_secret(link->tap, line);
	}
}

static void forget_stages(struct rig_board *board)
{
	console_calm(board->console);
	board->stages.count = 0;
	board->stage[0] = '\0';
	board->fault[0] = '\0';
	board->dead = board->halted = false;
}

void board_fault(struct rig_board *board, const char *line)
{
	static const char *const last_words[] = {"! fault:", "! bootloader:"};
	size_t used = strlen(board->fault);
	snprintf(board->fault + used, sizeof(board->fault) - used, "%s\"%.200s\"", used ? ", " : "", line);
	for (unsigned i = 0; i < sizeof(last_words) / sizeof(*last_words); i++)
		if (!strncmp(line, last_words[i], strlen(last_words[i])))
			board->halted = true;
}

void board_was_reset(struct rig_board *board, const char *kind, int64_t boot, struct instant at)
{
	forget_stages(board);
	timeline_emit(board->rig->timeline, at, board->channel, "reset", json_pack("{s:s,s:I}", "kind", kind, "boot", (json_int_t)boot));
}

void board_died(struct rig_board *board, const char *exit, struct instant at)
{
	board->dead = true;
	timeline_emit(board->rig->timeline, at, board->channel, "board.dead", json_pack("{s:s}", "exit", exit));
}

/* ---- what steps ask ---- */

/* Whoever loses power says nothing: neither FIN nor RST may reach the other side. */
static void silence_links(struct rig_board *board)
{
	for (unsigned i = 0; i < board->rig->link_count; i++) {
		struct rig_link *link = &board->rig->links[i];
		if ((link->client == board || link->server == board) && link->relay)
			relay_silence(link->relay);
	}
}

void board_power_cut(struct rig_board *board, json_t *stolen, struct instant at)
{
	silence_links(board);
	board->powered = board->cut_armed = false;
	forget_stages(board);
	timeline_emit(board->rig->timeline, at, board->channel, "power.cut", stolen);
	timeline_emit(board->rig->timeline, at, board->channel, "power.off", NULL);
}

int rig_board_power(struct rig_board *board, bool on, int64_t deadline_ns, struct error *err)
{
	struct instant at;
	if (board->powered == on)
		return 0;
	if (on) {
		forget_stages(board);
		board->powered = true;
	} else {
		silence_links(board);
		board->powered = false;
	}
	int r = board->driver->power(board, on, deadline_ns, &at, err);
	if (r < 0) {
		board->powered = !on;
		error_prefix(err, "%s", board->role);
		return r;
	}
	if (!on) {
		board->debugged = false;
		forget_stages(board);
	}
	timeline_emit(board->rig->timeline, at, board->channel, on ? "power.on" : "power.off", NULL);
	r = on && board->driver->settle ? board->driver->settle(board, at, deadline_ns, err) : 0;
	if (r < 0)
		error_prefix(err, "%s", board->role);
	return r;
}

int rig_board_end(struct rig_board *board, struct error *err)
{
	int r = board->supply ? supply_end(board->supply, err) : 0;
	if (r < 0)
		error_prefix(err, "%s", board->role);
	return r;
}

void rig_board_keep(struct rig_board *board)
{
	if (board->supply)
		supply_keep(board->supply);
}

void board_resets(struct rig_board *board)
{
	silence_links(board);
	forget_stages(board);
}

int rig_board_reset(struct rig_board *board, int64_t deadline_ns, struct error *err)
{
	board_resets(board);
	int r = board->driver->reset(board, deadline_ns, err);
	if (r < 0)
		error_prefix(err, "%s", board->role);
	return r;
}

int rig_board_hold(struct rig_board *board, bool on, int64_t deadline_ns, struct error *err)
{
	if (on)
		silence_links(board);
	int r = board->driver->hold(board, on, deadline_ns, err);
	if (r < 0) {
		error_prefix(err, "%s", board->role);
		return r;
	}
	board->held = on;
	if (on)
		forget_stages(board);
	return 0;
}

int rig_board_set_param(struct rig_board *board, const char *name, const char *value, struct error *err)
{
	int r = board_param_check(board->driver->params, name, (struct place){0}, value, (struct place){0}, err);
	if (r < 0 && err && err->domain == ERROR_USAGE)
		err->domain = ERROR_TESTCASE;
	if (r == 0)
		r = board->driver->set_param(board, name, value, err);
	if (r < 0) {
		error_prefix(err, "%s", board->role);
		return r;
	}
	board->altered = true;
	const struct value *original = value_get(board->params, name);
	if (original)
		return 0;
	/* Remembered as "was not set", so that rig_board_restore_params() removes it. */
	struct value *none = calloc(1, sizeof(*none));
	return map_put(board->params, name, none) < 0 ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory") : 0;
}

int rig_board_restore_params(struct rig_board *board, struct error *err)
{
	for (unsigned i = 0; i < board->params->map.count; i++) {
		const struct value_entry *entry = &board->params->map.entries[i];
		const char *text = entry->value->type == VALUE_TEXT ? entry->value->text : NULL;
		int r = board->driver->set_param(board, entry->key, text, err);
		if (r < 0) {
			error_prefix(err, "%s", board->role);
			return r;
		}
	}
	return 0;
}

int rig_board_input(struct rig_board *board, const void *data, size_t length, struct error *err)
{
	return rig_board_input_as(board, NULL, data, length, err);
}

int rig_board_input_as(struct rig_board *board, const void *owner, const void *data, size_t length, struct error *err)
{
	int r = console_may_write(board->console, owner, err);
	if (r == 0)
		r = board->driver->input(board, data, length, err);
	if (r < 0)
		error_prefix(err, "%s", board->role);
	return r;
}

int rig_board_set_lines(struct rig_board *board, int rts, int dtr, struct error *err)
{
	int r = board->driver->lines ? board->driver->lines(board, rts, dtr, err)
	                             : error_set(err, ERROR_BENCH, EOPNOTSUPP, "the driver %s has no RTS and DTR", board->driver->name);
	if (r < 0)
		error_prefix(err, "%s", board->role);
	return r;
}

bool rig_board_hint(struct rig_board *board, char *ret, size_t size)
{
	ret[0] = '\0';
	return board->driver->hint && board->driver->hint(board, ret, size);
}

struct console *rig_board_console(struct rig_board *board)
{
	return board->console;
}

bool rig_board_powered(const struct rig_board *board)
{
	return board->powered;
}

int rig_board_check(const struct rig_board *board, struct error *err)
{
	return board->driver->alive(board, err);
}

const char *rig_board_role(const struct rig_board *board)
{
	return board->role;
}

const char *rig_board_stage(const struct rig_board *board)
{
	return board->stage;
}

const char *rig_board_last_stage(const struct rig_board *board)
{
	return board->last_stage;
}

bool rig_board_on_demand(const struct rig_board *board)
{
	const struct value *value = value_get(board->map, "on_demand");
	return value && value->type == VALUE_BOOL && value->boolean;
}

bool rig_board_dead(const struct rig_board *board)
{
	return board->dead;
}

bool rig_board_reached(const struct rig_board *board, const char *stage)
{
	return stages_have(&board->stages, stage);
}

const char *rig_board_fault(const struct rig_board *board)
{
	return board->fault;
}

unsigned rig_board_flood(const struct rig_board *board)
{
	return console_flood(board->console);
}

bool rig_board_halted(const struct rig_board *board)
{
	return board->halted;
}

const char *const rig_stage_names[] = {"ssw", "bootloader", "application", "rtos",    "server",   "client", "connected",
                                       "tls", "activated",  "endpoint",    "message", "recovery", NULL};

bool rig_board_knows_stage(const struct rig_board *board, const char *stage)
{
	for (const char *const *name = rig_stage_names; *name; name++)
		if (!strcmp(*name, stage))
			return true;
	return stages_have(&board->shown, stage);
}

/* By stamps, not by the order of learning: a marker of the last connection says nothing about the one that begins now. */
static bool link_stands(const struct rig_link *link)
{
	if (link->activated_ns <= link->syn_ns)
		return false;
	if (link->relay)
		return relay_connections(link->relay) > 0;
	return !link->tap || link_tap_connections(link->tap) > 0;
}

bool rig_board_ready(const struct rig_board *board)
{
	if (!board->powered || board->dead || board->halted || board->held || !rig_board_reached(board, board->last_stage))
		return false;
	for (unsigned i = 0; i < board->rig->link_count; i++)
		if (board->rig->links[i].client == board && !link_stands(&board->rig->links[i]))
			return false;
	return true;
}
