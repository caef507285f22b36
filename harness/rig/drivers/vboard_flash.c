/* SPDX-License-Identifier: Apache-2.0 */
/* The flash of a virtual board: docs/reference/virtual-board.md, section Flash. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../child.h"
#include "vboard.h"

#define READ_MAX  65536u
#define WRITE_MAX 16384u /* a request is a line of at most 64 KiB */

static int ask(struct rig_board *board, json_t *stolen, json_t **ret_answer, struct error *err)
{
	return child_request(board->state, stolen, INT64_MAX, ret_answer, err);
}

static int tell(struct rig_board *board, json_t *stolen, struct error *err)
{
	return ask(board, stolen, NULL, err);
}

static int64_t number(const json_t *answer, const char *name)
{
	return (int64_t)json_integer_value(json_object_get(answer, name));
}

/* ---- events ---- */

/* What vboard tells, but for the name of the event and its stamp. */
static json_t *rest_of(json_t *message)
{
	json_t *data = json_copy(message);
	json_object_del(data, "event");
	json_object_del(data, "t");
	json_t *duration = json_object_get(data, "duration");
	if (duration) {
		json_object_set(data, "duration_ns", duration);
		json_object_del(data, "duration");
	}
	return data;
}

bool vboard_flash_event(struct rig_board *board, const char *event, json_t *message)
{
	struct instant at = child_stamp(message, VBOARD_ACTION_UNCERTAINTY_NS);
	if (!strcmp(event, "flash"))
		board_flash_done(board, rest_of(message), at);
	else if (!strcmp(event, "map"))
		board_flash_mapped(board, (int)number(message, "active"), at);
	else if (!strcmp(event, "cut"))
		board_power_cut(board, rest_of(message), at);
	else
		return false;
	return true;
}

/* ---- what there is ---- */

static int flash_geometry(struct rig_board *board, struct rig_flash_geometry *ret, struct error *err)
{
	json_t *answer = NULL;
	int r = ask(board, json_pack("{s:s}", "cmd", "flash"), &answer, err);
	json_t *banks = json_object_get(answer, "bank");
	if (r == 0)
		*ret = (struct rig_flash_geometry){.bank = {(uint32_t)json_integer_value(json_array_get(banks, 0)),
		                                            (uint32_t)json_integer_value(json_array_get(banks, 1))},
		                                   .bank_size = (uint32_t)number(answer, "bank_size"),
		                                   .sector_size = (uint32_t)number(answer, "sector_size"),
		                                   .boot_size = (uint32_t)number(answer, "boot_size"),
		                                   .data = (uint32_t)number(answer, "data"),
		                                   .data_size = (uint32_t)number(answer, "data_size"),
		                                   .ucb = (uint32_t)number(answer, "ucb"),
		                                   .ucb_size = (uint32_t)number(answer, "ucb_size"),
		                                   .ucb_count = (uint32_t)number(answer, "ucb_count")};
	json_decref(answer);
	return r;
}

static int flash_status(struct rig_board *board, struct rig_flash_status *ret, bool *ret_changed, struct error *err)
{
	json_t *answer = NULL;
	int r = ask(board, json_pack("{s:s}", "cmd", "flash"), &answer, err);
	if (r == 0) {
		const char *boot = json_string_value(json_object_get(answer, "boot"));
		*ret = (struct rig_flash_status){.active = (int)number(answer, "active"),
		                                 .operations = (uint64_t)number(answer, "operations"),
		                                 .corrected = (uint64_t)number(answer, "corrected"),
		                                 .contradiction = json_is_true(json_object_get(answer, "contradiction")),
		                                 .orig_entry = (int)number(answer, "orig_entry"),
		                                 .copy_entry = (int)number(answer, "copy_entry")};
		snprintf(ret->boot, sizeof(ret->boot), "%s", boot ? boot : "");
		*ret_changed = json_is_true(json_object_get(answer, "changed"));
	}
	json_decref(answer);
	return r;
}

/* ---- contents ---- */

static int take_bytes(const char *hex, uint8_t *data, size_t length, struct error *err)
{
	struct bytes bytes = {0};
	int r = hex && bytes_parse_hex(hex, &bytes) == 0 && bytes.length == length ? 0 : -EPROTO;
	if (r == 0)
		memcpy(data, bytes.data, length);
	bytes_free(&bytes);
	return r < 0 ? error_set(err, ERROR_BENCH, EPROTO, "vboard answers with other bytes than were asked for") : 0;
}

static int read_part(struct rig_board *board, uint32_t address, uint8_t *data, size_t length, struct error *err)
{
	json_t *answer = NULL;
	int r = ask(board, json_pack("{s:s,s:I,s:I}", "cmd", "flash-read", "address", (json_int_t)address, "length", (json_int_t)length),
	            &answer, err);
	const json_t *bad = json_object_get(answer, "ecc");
	if (r == 0 && bad)
		r = error_set(err, ERROR_DUT, EBADMSG, "the flash has an ECC error at %08" PRIXFAST32 "h",
		              (uint_fast32_t)json_integer_value(bad));
	else if (r == 0)
		r = take_bytes(json_string_value(json_object_get(answer, "data")), data, length, err);
	json_decref(answer);
	return r;
}

static int flash_read(struct rig_board *board, uint32_t address, void *buffer, size_t length, struct error *err)
{
	int r = 0;
	for (size_t done = 0, part; r == 0 && done < length; done += part) {
		part = length - done < READ_MAX ? length - done : READ_MAX;
		r = read_part(board, address + (uint32_t)done, (uint8_t *)buffer + done, part, err);
	}
	return r;
}

static int write_part(struct rig_board *board, uint32_t address, const uint8_t *data, size_t length, struct error *err)
{
	static const char digits[] = "0123456789abcdef";
	char *hex = malloc(2 * length + 1);
	if (!hex)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	for (size_t i = 0; i < length; i++) {
		hex[2 * i] = digits[data[i] >> 4];
		hex[2 * i + 1] = digits[data[i] & 15];
	}
	hex[2 * length] = '\0';
	int r = tell(board, json_pack("{s:s,s:I,s:s}", "cmd", "flash-write", "address", (json_int_t)address, "data", hex), err);
	free(hex);
	return r;
}

static int flash_write(struct rig_board *board, uint32_t address, const void *data, size_t length, struct error *err)
{
	int r = 0;
	for (size_t done = 0, part; r == 0 && done < length; done += part) {
		part = length - done < WRITE_MAX ? length - done : WRITE_MAX;
		r = write_part(board, address + (uint32_t)done, (const uint8_t *)data + done, part, err);
	}
	return r;
}

static int flash_erase(struct rig_board *board, uint32_t address, uint32_t length, struct error *err)
{
	return tell(board, json_pack("{s:s,s:I,s:I}", "cmd", "flash-erase", "address", (json_int_t)address, "length", (json_int_t)length),
	            err);
}

static int flash_erases(struct rig_board *board, uint32_t address, uint32_t *ret_count, struct error *err)
{
	json_t *answer = NULL;
	int r = ask(board, json_pack("{s:s,s:I}", "cmd", "flash-erases", "address", (json_int_t)address), &answer, err);
	if (r == 0)
		*ret_count = (uint32_t)number(answer, "count");
	json_decref(answer);
	return r;
}

static int flash_digest(struct rig_board *board, uint32_t address, uint32_t length, uint8_t ret_digest[32], struct error *err)
{
	json_t *answer = NULL;
	int r = ask(board, json_pack("{s:s,s:I,s:I}", "cmd", "flash-digest", "address", (json_int_t)address, "length", (json_int_t)length),
	            &answer, err);
	if (r == 0)
		r = take_bytes(json_string_value(json_object_get(answer, "digest")), ret_digest, 32, err);
	json_decref(answer);
	return r;
}

/* ---- defects, cuts, supply ---- */

static int flash_defect(struct rig_board *board, const char *defect, uint32_t address, unsigned bit, struct error *err)
{
	json_t *request = json_pack("{s:s,s:s?}", "cmd", "flash-defect", "defect", defect);
	if (defect) {
		json_object_set_new(request, "address", json_integer(address));
		json_object_set_new(request, "bit", json_integer(bit));
	}
	return tell(board, request, err);
}

static int flash_cut(struct rig_board *board, const struct rig_cut *cut, struct error *err)
{
	if (!cut)
		return tell(board, json_pack("{s:s}", "cmd", "cut"), err);
	return tell(board,
	            json_pack("{s:s,s:I,s:s,s:s?,s:I,s:I,s:I,s:s?}", "cmd", "cut", "operation", (json_int_t)cut->operation, "phase",
	                      cut->phase, "torn", cut->torn, "seed", (json_int_t)(cut->seed & INT64_MAX), "from", (json_int_t)cut->from,
	                      "to", (json_int_t)cut->to, "kind", cut->kind),
	            err);
}

static int board_supply(struct rig_board *board, uint32_t millivolts, struct error *err)
{
	return tell(board, json_pack("{s:s,s:I}", "cmd", "supply", "mv", (json_int_t)millivolts), err);
}

/* ---- files ---- */

static int with_path(struct rig_board *board, const char *command, const char *path, struct error *err)
{
	char whole[PATH_MAX];
	if (!realpath(path, whole)) {
		/* vboard may have to make it: then the folder is what has to be there */
		if (errno != ENOENT || strlen(path) >= sizeof(whole))
			return error_set(err, ERROR_BENCH, errno, "%s: %s", path, strerror(errno));
		memcpy(whole, path, strlen(path) + 1);
	}
	return tell(board, json_pack("{s:s,s:s}", "cmd", command, "path", whole), err);
}

static int flash_save(struct rig_board *board, const char *path, struct error *err)
{
	return with_path(board, "flash-save", path, err);
}

static int flash_load(struct rig_board *board, const char *path, struct error *err)
{
	return with_path(board, "flash-load", path, err);
}

static int flash_factory(struct rig_board *board, struct error *err)
{
	return tell(board, json_pack("{s:s}", "cmd", "flash-factory"), err);
}

static int flash_install(struct rig_board *board, int bank, const char *path, struct error *err)
{
	return tell(board, json_pack("{s:s,s:i,s:s}", "cmd", "flash-install", "bank", bank, "path", path), err);
}

const struct board_flash_driver vboard_flash = {
        .geometry = flash_geometry,
        .status = flash_status,
        .read = flash_read,
        .write = flash_write,
        .erase = flash_erase,
        .defect = flash_defect,
        .erases = flash_erases,
        .digest = flash_digest,
        .save = flash_save,
        .load = flash_load,
        .factory = flash_factory,
        .install = flash_install,
        .cut = flash_cut,
        .supply = board_supply,
};
