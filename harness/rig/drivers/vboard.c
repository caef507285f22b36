/* SPDX-License-Identifier: Apache-2.0 */
/* The virtual board: one vboard process a board, JSON lines over a socket pair (docs/reference/virtual-board.md). */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../base/paths.h"
#include "../bus.h"
#include "../bus_folder.h"
#include "../child.h"
#include "../network.h"
#include "../words.h"
#include "vboard.h"
#include "vboard_image.h"

static void on_console(struct rig_board *board, json_t *message)
{
	struct bytes data = {0};
	const char *hex = json_string_value(json_object_get(message, "data"));
	if (hex && bytes_parse_hex(hex, &data) == 0)
		board_console(board, data.data, data.length, child_stamp(message, VBOARD_CONSOLE_UNCERTAINTY_NS));
	bytes_free(&data);
}

static void on_event(const char *event, json_t *message, void *context)
{
	struct rig_board *board = context;
	const char *text;
	if (vboard_flash_event(board, event, message))
		return;
	if (!strcmp(event, "console")) {
		on_console(board, message);
	} else if (!strcmp(event, "secret")) {
		text = json_string_value(json_object_get(message, "line"));
		if (text)
			board_secret(board, text);
	} else if (!strcmp(event, "reset")) {
		text = json_string_value(json_object_get(message, "kind"));
		board_was_reset(board, text ? text : "unknown", json_integer_value(json_object_get(message, "boot")),
		                child_stamp(message, VBOARD_ACTION_UNCERTAINTY_NS));
	} else if (!strcmp(event, "cpu")) {
		text = json_string_value(json_object_get(message, "exit"));
		if (board->powered)
			board_died(board, text ? text : "unknown", child_stamp(message, VBOARD_ACTION_UNCERTAINTY_NS));
	}
}

/* ---- requests ---- */

static int vboard_alive(const struct rig_board *board, struct error *err)
{
	return child_alive(board->state, err);
}

static bool vboard_going(const struct rig_board *board)
{
	return child_going(board->state);
}

/* Sends {"cmd":…} (stolen) and waits for its answer. */
static int request(struct rig_board *board, json_t *message, int64_t deadline_ns, struct instant *ret_at, struct error *err)
{
	json_t *answer = NULL;
	int r = child_request(board->state, message, deadline_ns, &answer, err);
	if (r == 0 && ret_at)
		*ret_at = child_stamp(answer, VBOARD_ACTION_UNCERTAINTY_NS);
	json_decref(answer);
	return r;
}

static int vboard_power(struct rig_board *board, bool on, int64_t deadline_ns, struct instant *ret_at, struct error *err)
{
	return request(board, json_pack("{s:s,s:b}", "cmd", "power", "on", on), deadline_ns, ret_at, err);
}

static int vboard_reset(struct rig_board *board, int64_t deadline_ns, struct error *err)
{
	return request(board, json_pack("{s:s,s:s}", "cmd", "reset", "kind", "external"), deadline_ns, NULL, err);
}

static int vboard_hold(struct rig_board *board, bool on, int64_t deadline_ns, struct error *err)
{
	return request(board, json_pack("{s:s,s:b}", "cmd", "hold", "on", on), deadline_ns, NULL, err);
}

static int vboard_set_param(struct rig_board *board, const char *name, const char *value, struct error *err)
{
	return request(board, json_pack("{s:s,s:s,s:s?}", "cmd", "set", "param", name, "value", value), INT64_MAX, NULL, err);
}

static int vboard_input(struct rig_board *board, const void *data, size_t length, struct error *err)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;
	char *hex = malloc(length * 2 + 1);
	if (!hex)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	for (size_t i = 0; i < length; i++) {
		hex[2 * i] = digits[p[i] >> 4];
		hex[2 * i + 1] = digits[p[i] & 15];
	}
	hex[2 * length] = '\0';
	int r = request(board, json_pack("{s:s,s:s}", "cmd", "input", "data", hex), INT64_MAX, NULL, err);
	free(hex);
	return r;
}

/* ---- start and end ---- */

static bool has_package_key(const struct value *role)
{
	const struct value *objects = value_get(role, "objects");
	for (unsigned i = 0; objects && i < objects->map.count; i++)
		if (!strncmp(objects->map.entries[i].key, "ota.key.", strlen("ota.key.")))
			return true;
	return false;
}

static int vboard_check(const struct value *role, struct error *err)
{
	static const char *const needed[] = {"bootloader", "application", NULL};
	for (unsigned i = 0; needed[i]; i++)
		if (!value_get(role, needed[i]))
			return error_set_place(err, ERROR_USAGE, EINVAL, role->place, "a role with driver vboard lacks `%s`", needed[i]);
	const struct value *signing = value_get(role, "signing_key");
	if (signing && !has_package_key(role))
		return error_set_place(err, ERROR_USAGE, EINVAL, signing->place,
		                       "`signing_key` without its public key: the board needs an object `ota.key.1`");
	return 0;
}

static int word_bootloader(struct words *words, const struct rig_board *board, struct error *err)
{
	const struct value *value = value_get(board->map, "bootloader");
	char path[PATH_MAX];
	int r = program_find(value->text, path, sizeof(path), err);
	if (r < 0) {
		if (err)
			err->place = value->place;
		error_prefix(err, "bootloader of %s", board->role);
		return r;
	}
	words_add(words, "--boot");
	words_add(words, "%s", path);
	return 0;
}

static int word_flash(struct words *words, const struct rig_board *board, struct error *err)
{
	char path[PATH_MAX];
	int r = vboard_image(board, path, sizeof(path), err);
	if (r < 0)
		return r;
	words_add(words, "--bank-a");
	words_add(words, "%s", path);
	words_add(words, "--flash");
	words_add(words, "%s/flash-%s.bin", board->rig->directory, board->role);
	if (map_text(board->map, "geometry")) {
		words_add(words, "--geometry");
		words_add(words, "%s", map_text(board->map, "geometry"));
	}
	return 0;
}

static int word_standard_key(struct words *words, struct error *err)
{
	char path[PATH_MAX];
	int r = vboard_standard_key(path, sizeof(path), err);
	if (r < 0)
		return r;
	words_add(words, "--object");
	words_add(words, "ota.key.1=%s", path);
	return 0;
}

static int word_objects(struct words *words, const struct rig_board *board, struct error *err)
{
	const struct value *objects = value_get(board->map, "objects");
	for (unsigned i = 0; objects && i < objects->map.count; i++) {
		const struct value_entry *entry = &objects->map.entries[i];
		char path[PATH_MAX];
		int r = entry->value->type == VALUE_TEXT ? rig_file_find(board->rig->file, entry->value, path, sizeof(path), err)
		                                         : error_set_place(err, ERROR_USAGE, EINVAL, entry->value->place,
		                                                           "`%s` must be the path of a file", entry->key);
		if (r < 0)
			return r;
		words_add(words, "--object");
		words_add(words, "%s=%s", entry->key, path);
	}
	return has_package_key(board->map) ? 0 : word_standard_key(words, err);
}

static void word_params(struct words *words, const struct rig_board *board)
{
	/* The bootloader does not know whose board it is on: it judges packages by this. */
	if (!value_get(board->params, "doip.logical_address")) {
		words_add(words, "--param");
		words_add(words, "doip.logical_address=0x%04x", vboard_target(board->map));
	}
	for (unsigned i = 0; i < board->params->map.count; i++) {
		words_add(words, "--param");
		words_add(words, "%s=%s", board->params->map.entries[i].key, board->params->map.entries[i].value->text);
	}
}

/* The CAN controllers of the board that are wired to a virtual bus. */
static void word_buses(struct words *words, const struct rig_board *board)
{
	for (unsigned i = 0; i < rig_bus_count(board->rig); i++) {
		const struct rig_bus *bus = rig_bus_at(board->rig, i);
		int node = bus_node_of(bus, board->role);
		const char *path = bus_socket(bus);
		if (node < 0 || !path)
			continue;
		words_add(words, "--can");
		words_add(words, "%d=%s", node, path);
	}
}

/* The socket of the debug connector: in the run's directory, or in a folder of its own when that one's name is too long. */
static int choose_jtag(struct rig_board *board, struct error *err)
{
	const size_t limit = sizeof(((struct sockaddr_un *)NULL)->sun_path);
	if (!value_get(board->map, "probe"))
		return 0;
	if (asprintf(&board->jtag, "%s/jtag-%s.sock", board->rig->directory, board->role) < 0)
		board->jtag = NULL;
	if (board->jtag && board->jtag[0] == '/' && strlen(board->jtag) < limit) {
		unlink(board->jtag); /* of an earlier rack in this run */
		return 0;
	}
	free(board->jtag);
	board->jtag = NULL;
	int r = bus_folder_new(&board->jtag_folder, "/tmp", "hilbench-jtag", err);
	if (r == 0 && asprintf(&board->jtag, "%s/%s.sock", bus_folder_path(board->jtag_folder), board->role) < 0) {
		board->jtag = NULL;
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	return r;
}

static int build_words(struct words *words, const struct rig_board *board, struct error *err)
{
	char path[PATH_MAX];
	int r = program_find("vboard", path, sizeof(path), err);
	if (r < 0)
		return r;
	words_add(words, "%s", path);
	words_add(words, "--name");
	words_add(words, "%s", board->role);
	words_add(words, "--control-fd");
	words_add(words, "%d", CHILD_CONTROL_FD);
	words_add(words, "--nvm");
	words_add(words, "%s/nvm-%s.bin", board->rig->directory, board->role);
	r = word_bootloader(words, board, err);
	if (r == 0)
		r = word_flash(words, board, err);
	if (r == 0)
		r = word_objects(words, board, err);
	if (r < 0)
		return r;
	word_params(words, board);
	word_buses(words, board);
	const char *netns = network_path(board->rig->network, board->role);
	if (board->jtag) {
		words_add(words, "--jtag");
		words_add(words, "%s", board->jtag);
	}
	if (netns) {
		words_add(words, "--netns");
		words_add(words, "%s", netns);
	}
	return words->failed ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory") : 0;
}

static int start(struct rig_board *board, char *const *arguments, struct error *err)
{
	char title[96], log[PATH_MAX];
	struct child *child = NULL;
	snprintf(title, sizeof(title), "board %s", board->role);
	snprintf(log, sizeof(log), "%s/vboard-%s.log", board->rig->directory, board->role);
	const struct child_options options = {
	        .title = title, .program = "vboard", .arguments = arguments, .log = log, .event = on_event, .context = board};
	int r = child_start(&child, board->rig->loop, board->rig->timeline, &options, err);
	board->state = child;
	return r;
}

static int vboard_open(struct rig_board *board, struct error *err)
{
	struct words words = {0};
	int r = choose_jtag(board, err);
	if (r == 0)
		r = build_words(&words, board, err);
	if (r == 0)
		r = start(board, words.items, err);
	words_free(&words);
	if (r < 0)
		error_prefix(err, "%s", board->role);
	return r;
}

/* Large, and a step saves what is worth keeping. */
static void remove_files(const struct rig_board *board)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof(path), "%s/flash-%s.bin", board->rig->directory, board->role) < (int)sizeof(path))
		(void)unlink(path);
	if (snprintf(path, sizeof(path), "%s/package-%s.swpg", board->rig->directory, board->role) < (int)sizeof(path))
		(void)unlink(path);
}

static void vboard_close(struct rig_board *board)
{
	child_end(board->state);
	board->state = NULL;
	if (board->jtag)
		unlink(board->jtag);
	free(board->jtag);
	bus_folder_free(board->jtag_folder);
	board->jtag = NULL;
	board->jtag_folder = NULL;
	remove_files(board);
}

const struct board_driver driver_vboard = {
        .name = "vboard",
        .params = vboard_params,
        .check = vboard_check,
        .open = vboard_open,
        .close = vboard_close,
        .power = vboard_power,
        .reset = vboard_reset,
        .hold = vboard_hold,
        .set_param = vboard_set_param,
        .input = vboard_input,
        .alive = vboard_alive,
        .going = vboard_going,
        .flash = &vboard_flash,
};
