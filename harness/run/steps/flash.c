/* SPDX-License-Identifier: Apache-2.0 */
/* The flash of a board as the bench reaches it beside the product. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flash_area.h"
#include "generic.h"
#include "ota_check.h"
#include "ota_package.h"
#include "ota_step.h"
#include "steps.h"

#define READ_CHUNK 32768u
#define READ_MAX   (4u << 20)

#define ROLE_ARG  {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE, NULL, NULL, 0, 0, "The board."}
#define ROLE_ONLY {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE | ARG_SCALAR, NULL, NULL, 0, 0, "The board."}

/* Board and place of a call. */
static int place_of_call(struct step_context *context, const struct step_call *call, struct rig_board **board, struct flash_area *area,
                         struct error *err)
{
	int r = step_board(context, call, board, err);

	return r < 0 ? r : flash_area_of_call(context, call, *board, area, err);
}

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

/* What the board refuses (-EREMOTEIO) of what a case asked for is the case's mistake: asking again changes nothing. */
static int of_case(const struct step_call *call, int r, struct error *err)
{
	if (r == -EREMOTEIO && err && err->domain == ERROR_BENCH) {
		err->domain = ERROR_TESTCASE;
		err->place = call->place;
	}
	return r;
}

/* ---- flash.read --------------------------------------------------------------------------------------------- */

static const struct arg_def read_args[] = {
        ROLE_ARG, ARG_FLASH_AREA, {"length", VALUE_SIZE, ARG_REQUIRED | ARG_POSITIVE, NULL, NULL, 0, 0, "How much."}, {NULL}};
static const struct result_def read_results[] = {
        {"data", VALUE_BYTES, "The bytes."},
        {"readable", VALUE_BOOL, "false: the silicon traps on a page (erased program flash, bad ECC)."},
        {"blank", VALUE_BOOL, "Every byte is zero."},
        {NULL},
};

static int read_into(struct rig_board *board, const struct flash_area *area, struct bytes *data, size_t length, bool *ret_readable,
                     struct error *err)
{
	uint8_t chunk[READ_CHUNK];

	*ret_readable = true;
	for (size_t done = 0; done < length;) {
		size_t part = length - done < sizeof chunk ? length - done : sizeof chunk;
		int r = rig_flash_read(board, area->address + (uint32_t)done, chunk, part, err);

		if (r == -EBADMSG) {
			*ret_readable = false;
			return 0;
		}
		if (r < 0)
			return r;
		if (bytes_append(data, chunk, part) < 0)
			return out_of_memory(err);
		done += part;
	}
	return 0;
}

static int read_results_set(struct step_context *context, const struct bytes *data, bool readable)
{
	bool blank = readable;

	for (size_t i = 0; blank && i < data->length; i++)
		blank = data->data[i] == 0;
	if (step_result_bool(context, "readable", readable) < 0 || step_result_bool(context, "blank", blank) < 0)
		return -ENOMEM;
	return readable ? step_result_bytes(context, "data", data->data, data->length) : 0;
}

static int flash_read_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct bytes data = {0};
	struct rig_board *board;
	struct flash_area area;
	int64_t length;
	bool readable;
	int r = place_of_call(context, call, &board, &area, err);

	if (r == 0)
		r = step_arg_integer(context, call, "length", 0, &length, err);
	if (r == 0 && (length > READ_MAX || length > area.length))
		r = error_set_place(err, ERROR_TESTCASE, ERANGE, call->place, "`length` goes over the end of the area or over 4 MiB");
	if (r == 0)
		r = read_into(board, &area, &data, (size_t)length, &readable, err);
	if (r == 0 && read_results_set(context, &data, readable) < 0)
		r = out_of_memory(err);
	bytes_free(&data);
	return r;
}

const struct step_def step_flash_read = {
        .name = "flash.read",
        .doc = "Reads a board's flash beside the product.",
        .example = "- flash.read: {role: zgw, area: running-application, length: 4B, expect: {data: \"47 50 57 53\"}}",
        .args = read_args,
        .results = read_results,
        .capabilities = flash_capability,
        .run = flash_read_run,
        .check = flash_check_place,
};

/* ---- flash.write, flash.erase ------------------------------------------------------------------------------- */

static const struct arg_def write_args[] = {
        ROLE_ARG, ARG_FLASH_AREA, {"data", VALUE_BYTES, ARG_REQUIRED, NULL, NULL, 0, 0, "The bytes (whole pages)."}, {NULL}};

static int flash_write_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const struct bytes *data;
	struct rig_board *board;
	struct flash_area area;
	int r = place_of_call(context, call, &board, &area, err);

	if (r == 0)
		r = step_arg_bytes(context, call, "data", &data, err);
	if (r == 0)
		r = flash_area_aligned(board, &area, data->length, false, call->place, err);
	if (r == 0)
		boards_changed(context->executor, board);
	return r < 0 ? r : rig_flash_write(board, area.address, data->data, data->length, err);
}

const struct step_def step_flash_write = {
        .name = "flash.write",
        .doc = "Writes a board's flash as a factory does, protected areas too. After the case the factory's state is put back.",
        .example = "- flash.write: {role: zgw, area: swap-copy, offset: 0, data: \"55 00 00 00 00 00 00 00\"}",
        .flags = STEP_ACTION,
        .args = write_args,
        .capabilities = flash_capability,
        .run = flash_write_run,
        .check = flash_check_place,
};

static const struct arg_def erase_args[] = {
        ROLE_ARG,
        ARG_FLASH_AREA,
        {"length", VALUE_SIZE, ARG_POSITIVE, NULL, NULL, 0, 0, "How much (default: the rest of the area)."},
        {NULL}};

static int flash_erase_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct rig_board *board;
	struct flash_area area;
	int64_t length = 0;
	int r = place_of_call(context, call, &board, &area, err);

	if (r == 0)
		r = step_arg_integer(context, call, "length", area.length, &length, err);
	if (r == 0)
		r = flash_area_aligned(board, &area, (uint64_t)length, true, call->place, err);
	if (r == 0)
		boards_changed(context->executor, board);
	return r < 0 ? r : rig_flash_erase(board, area.address, (uint32_t)length, err);
}

const struct step_def step_flash_erase = {
        .name = "flash.erase",
        .doc = "Erases a part of a board's flash as a factory does (whole sectors). After the case the factory's state is put back.",
        .example = "- flash.erase: {role: zgw, area: running-application}",
        .flags = STEP_ACTION,
        .args = erase_args,
        .capabilities = flash_capability,
        .run = flash_erase_run,
        .check = flash_check_place,
};

/* ---- flash.defect, flash.heal ------------------------------------------------------------------------------- */

static const char *const defects[] = {"pver", "ever", "single-bit", "double-bit", "stuck-bit", "busy", "worn", "flip", NULL};
static const struct arg_def defect_args[] = {
        ROLE_ARG,
        {"defect", VALUE_TEXT, ARG_REQUIRED, NULL, defects, 0, 0,
         "What is broken: a program or erase that does not verify, bits, a bank that stays busy, …"},
        ARG_FLASH_AREA,
        {"bit", VALUE_INTEGER, 0, "0", NULL, 0, 65535, "Bit of the page, for the defects of bits."},
        {NULL},
};

static int flash_defect_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct rig_board *board;
	struct flash_area area;
	const char *defect;
	int64_t bit;
	int r = place_of_call(context, call, &board, &area, err);

	if (r == 0)
		r = step_arg_text(context, call, "defect", &defect, err);
	if (r == 0)
		r = step_arg_integer(context, call, "bit", 0, &bit, err);
	if (r == 0)
		boards_changed(context->executor, board);
	return r < 0 ? r : rig_flash_defect(board, defect, area.address, (unsigned)bit, err);
}

const struct step_def step_flash_defect = {
        .name = "flash.defect",
        .doc = "Makes a defect in a board's flash, until flash.heal or the end of the case.",
        .example = "- flash.defect: {role: zgw, defect: pver, area: other-application, offset: 0x4000}",
        .flags = STEP_ACTION,
        .args = defect_args,
        .capabilities = flash_capability,
        .run = flash_defect_run,
        .check = flash_check_place,
};

static const struct arg_def role_args[] = {ROLE_ONLY, {NULL}};

static int flash_heal_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct rig_board *board;
	int r = step_board(context, call, &board, err);

	return r < 0 ? r : rig_flash_heal(board, err);
}

const struct step_def step_flash_heal = {
        .name = "flash.heal",
        .doc = "Takes every defect of a board's flash away; what was written through them stays.",
        .example = "- flash.heal: zgw",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = role_args,
        .capabilities = flash_capability,
        .run = flash_heal_run,
};

/* ---- flash.save, flash.load, flash.factory ------------------------------------------------------------------- */

static const struct arg_def file_args[] = {
        ROLE_ARG, {"name", VALUE_TEXT, ARG_REQUIRED, NULL, NULL, 0, 0, "Name of the snapshot, a file in the run's directory."}, {NULL}};

static int snapshot_path(struct step_context *context, const struct step_call *call, const char *role, char *ret, size_t size,
                         struct error *err)
{
	const char *name, *directory = context->executor->options->run_directory;
	char folder[PATH_MAX];
	int r = step_arg_text(context, call, "name", &name, err);

	if (r < 0)
		return r;
	if (strchr(name, '/') || *name == '\0' || *name == '.')
		return error_set_place(err, ERROR_TESTCASE, EINVAL, call->place,
		                       "`name` is the name of a file in the run's directory, not a path");
	if (!directory || !realpath(directory, folder) || (size_t)snprintf(ret, size, "%s/flash-%s-%s.bin", folder, role, name) >= size)
		return error_set(err, ERROR_BENCH, ENOENT, "there is no directory of the run for snapshots, or its name is too long");
	return 0;
}

static int flash_save_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	char path[PATH_MAX + 64];
	struct rig_board *board;
	int r = step_board(context, call, &board, err);

	if (r == 0)
		r = snapshot_path(context, call, rig_board_role(board), path, sizeof path, err);
	return r < 0 ? r : rig_flash_save(board, path, err);
}

static int flash_load_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	char path[PATH_MAX + 64];
	struct rig_board *board;
	int r = step_board(context, call, &board, err);

	if (r == 0)
		r = snapshot_path(context, call, rig_board_role(board), path, sizeof path, err);
	if (r == 0)
		boards_changed(context->executor, board);
	if (r == 0 && access(path, F_OK) < 0)
		r = error_set_place(err, ERROR_TESTCASE, ENOENT, call->place,
		                    "no snapshot of that name was saved in this run: flash.save does");
	return r < 0 ? r : of_case(call, rig_flash_load(board, path, err), err);
}

const struct step_def step_flash_save = {
        .name = "flash.save",
        .doc = "Keeps a snapshot of a board's whole flash in the run's directory.",
        .example = "- flash.save: {role: zgw, name: before}",
        .args = file_args,
        .capabilities = flash_capability,
        .run = flash_save_run,
};

const struct step_def step_flash_load = {
        .name = "flash.load",
        .doc = "Puts a snapshot of the same run back; the board has to be off or held.",
        .example = "- flash.load: {role: zgw, name: before}",
        .flags = STEP_ACTION,
        .args = file_args,
        .capabilities = flash_capability,
        .run = flash_load_run,
};

static int flash_factory_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct rig_board *board;
	int r = step_board(context, call, &board, err);

	if (r == 0)
		boards_changed(context->executor, board);
	if (r < 0)
		return r;
	r = rig_flash_factory(board, err);
	return rig_board_powered(board) ? of_case(call, r, err) : r;
}

const struct step_def step_flash_factory = {
        .name = "flash.factory",
        .doc = "Puts the factory's state back, with the software of the rig file; the board has to be off or held. Every case that changed "
               "a flash ends "
               "with this.",
        .example = "- flash.factory: zgw",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = role_args,
        .capabilities = flash_capability,
        .run = flash_factory_run,
};

/* ---- flash.install ------------------------------------------------------------------------------------------ */

static const struct arg_def install_args[] = {
        ROLE_ARG,
        {"bank", VALUE_TEXT, ARG_REQUIRED, NULL, (const char *const[]){"A", "B", "running", "other", NULL}, 0, 0, "Which bank."},
        {"package", VALUE_TEXT, ARG_REQUIRED | ARG_PACKAGE, NULL, NULL, 0, 0,
         "The package: a file (with a slash; a relative one from where hilbench was started), or a name among the fixtures' packages."},
        {"mutate", VALUE_TEXT, 0, NULL, NULL, 0, 0, "What is made wrong in it first; it still has to decode."},
        {"key", VALUE_TEXT, ARG_KEY, "ota-1", NULL, 0, 0, "Key that `mutate` signs with."},
        {NULL},
};

static int flash_install_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const char *bank, *name, *mutate, *key;
	struct bytes package = {0};
	struct rig_board *board;
	struct flash_area area;
	int r = step_board(context, call, &board, err);

	if (r < 0 || (r = step_arg_text(context, call, "bank", &bank, err)) < 0 ||
	    (r = step_arg_text(context, call, "package", &name, err)) < 0 ||
	    (r = step_arg_text(context, call, "mutate", &mutate, err)) < 0 || (r = step_arg_text(context, call, "key", &key, err)) < 0 ||
	    (r = flash_area_find(board, bank, &area, err)) < 0)
		return r;
	boards_changed(context->executor, board);
	r = ota_package_read(name, &package, err);
	if (r == 0)
		r = ota_package_mutate(&package, mutate, key, err);
	if (r == 0)
		r = of_case(call, rig_flash_install(board, area.bank, package.data, package.length, err), err);
	bytes_free(&package);
	return r;
}

const struct step_def step_flash_install = {
        .name = "flash.install",
        .doc = "Puts the installed form of a package into a bank beside the product, as a factory does.",
        .example = "- flash.install: {role: zgw, bank: other, package: zgw-1.1.0}",
        .flags = STEP_ACTION,
        .args = install_args,
        .capabilities = flash_capability,
        .run = flash_install_run,
        .check = ota_check_mutation,
};

/* ---- flash.erases, flash.status ----------------------------------------------------------------------------- */

static const struct arg_def erases_args[] = {ROLE_ARG, ARG_FLASH_AREA, {NULL}};
static const struct result_def erases_results[] = {{"count", VALUE_INTEGER, "Erases of this sector since the factory."}, {NULL}};

static int flash_erases_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct rig_board *board;
	struct flash_area area;
	uint32_t count;
	int r = place_of_call(context, call, &board, &area, err);

	if (r == 0)
		r = rig_flash_erases(board, area.address, &count, err);
	if (r == 0 && step_result_integer(context, "count", count) < 0)
		r = out_of_memory(err);
	return r;
}

const struct step_def step_flash_erases = {
        .name = "flash.erases",
        .doc = "How often the sector at a place was erased (invariant I8).",
        .example = "- flash.erases: {role: zgw, area: swap-orig, expect: {count: {at_most: 1}}}",
        .args = erases_args,
        .results = erases_results,
        .capabilities = flash_capability,
        .run = flash_erases_run,
        .check = flash_check_place,
};

static const struct result_def status_results[] = {
        {"active", VALUE_TEXT, "Bank that is mapped first: A or B.", ota_bank_words},
        {"operations", VALUE_INTEGER, "Commands so far."},
        {"corrected", VALUE_INTEGER, "Single-bit errors that reads corrected."},
        {"contradiction", VALUE_BOOL, "UCB_SWAP ORIG and COPY do not agree."},
        {"orig_entry", VALUE_INTEGER, "Entry of ORIG in force, -1 none."},
        {"copy_entry", VALUE_INTEGER, "Entry of COPY in force, -1 none."},
        {"boot", VALUE_TEXT, "Why no boot mode header counts, \"\" when one does."},
        {NULL},
};

static int flash_status_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct rig_flash_status status;
	struct rig_board *board;
	int r = step_board(context, call, &board, err);

	if (r == 0)
		r = rig_flash_status(board, &status, err);
	if (r < 0)
		return r;
	if (step_result_text(context, "active", status.active ? "B" : "A") < 0 ||
	    step_result_integer(context, "operations", (int64_t)status.operations) < 0 ||
	    step_result_integer(context, "corrected", (int64_t)status.corrected) < 0 ||
	    step_result_bool(context, "contradiction", status.contradiction) < 0 ||
	    step_result_integer(context, "orig_entry", status.orig_entry) < 0 ||
	    step_result_integer(context, "copy_entry", status.copy_entry) < 0 || step_result_text(context, "boot", status.boot) < 0)
		return out_of_memory(err);
	return 0;
}

const struct step_def step_flash_status = {
        .name = "flash.status",
        .doc = "What the silicon itself says about its flash.",
        .example = "- flash.status: {role: zgw, expect: {active: B, contradiction: false}}",
        .args = role_args,
        .results = status_results,
        .capabilities = flash_capability,
        .run = flash_status_run,
};

/* ---- flash.expect ------------------------------------------------------------------------------------------- */

static const struct arg_def expect_args[] = {
        ROLE_ARG,
        ARG_FLASH_AREA,
        {"length", VALUE_SIZE, ARG_POSITIVE, NULL, NULL, 0, 0,
         "How much `remember` and `untouched` cover (default: the rest of the area)."},
        {"data", VALUE_BYTES, 0, NULL, NULL, 0, 0, "These bytes lie there."},
        {"remember", VALUE_TEXT, 0, NULL, NULL, 0, 0, "Remember the state of the place under this name."},
        {"untouched", VALUE_TEXT, 0, NULL, NULL, 0, 0, "The place is as it was when this name was remembered."},
        {NULL},
};

static int expect_data(struct step_context *context, struct rig_board *board, const struct flash_area *area, const struct bytes *wanted,
                       struct error *err)
{
	struct bytes data = {0};
	char *expected, *actual;
	bool readable;
	int r = read_into(board, area, &data, wanted->length, &readable, err);

	if (r == 0 && (!readable || memcmp(data.data, wanted->data, wanted->length) != 0)) {
		expected = bytes_to_hex(wanted->data, wanted->length, 32);
		actual = readable ? bytes_to_hex(data.data, data.length, 32) : strdup("not readable");
		r = step_check_failed(context, err, expected, actual, "%s: other bytes lie at 0x%08x", rig_board_role(board),
		                      area->address);
		free(expected);
		free(actual);
	}
	bytes_free(&data);
	return r;
}

static int expect_digest(struct step_context *context, struct rig_board *board, const struct flash_area *area, const char *remember,
                         const char *untouched, struct error *err)
{
	uint8_t digest[32], *copy;
	const uint8_t *before = NULL;
	int r;

	if (untouched && !(before = step_object_find(context, "flash", untouched)))
		return error_set(err, ERROR_TESTCASE, ENOENT, "nothing was remembered as \"%s\"", untouched);
	r = rig_flash_digest(board, area->address, area->length, digest, err);
	if (r < 0)
		return r;
	if (before && memcmp(before, digest, sizeof digest) != 0)
		return step_check_failed(context, err, "as remembered", "other content",
		                         "%s: the flash at 0x%08x is not as it was at \"%s\"", rig_board_role(board), area->address,
		                         untouched);
	if (!remember)
		return 0;
	step_object_remove(context, "flash", remember);
	copy = malloc(sizeof digest);
	if (copy)
		memcpy(copy, digest, sizeof digest);
	if (!copy || step_object_add(context, "flash", remember, copy, free) < 0) {
		free(copy);
		return out_of_memory(err);
	}
	return 0;
}

static int flash_expect_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const char *remember, *untouched;
	const struct bytes *data;
	struct rig_board *board;
	struct flash_area area;
	int64_t length;
	int r = place_of_call(context, call, &board, &area, err);

	if (r < 0 || (r = step_arg_bytes(context, call, "data", &data, err)) < 0 ||
	    (r = step_arg_text(context, call, "remember", &remember, err)) < 0 ||
	    (r = step_arg_text(context, call, "untouched", &untouched, err)) < 0 ||
	    (r = step_arg_integer(context, call, "length", area.length, &length, err)) < 0)
		return r;
	if (length > area.length || (data && data->length > area.length))
		return error_set_place(err, ERROR_TESTCASE, ERANGE, call->place, "`%s` goes over the end of the area",
		                       data ? "data" : "length");
	area.length = (uint32_t)length;
	if (data)
		r = expect_data(context, board, &area, data, err);
	return r < 0 || (!remember && !untouched) ? r : expect_digest(context, board, &area, remember, untouched, err);
}

static int flash_expect_check(const struct step_call *call, const struct value *known, struct error *err)
{
	static const char *const judged[] = {"data", "remember", "untouched", NULL};
	int r = flash_check_place(call, known, err);

	if (r == 0)
		r = ota_check_judges(call, judged, "`data`, `remember` or `untouched`", err);
	return r < 0 ? r : ota_check_remembered(call, known, "flash.expect", "remember", err);
}

const struct step_def step_flash_expect = {
        .name = "flash.expect",
        .doc = "What lies in a part of the flash: bytes, or the state that was remembered before (pages that do not read count as their "
               "state).",
        .example = "- flash.expect: {role: zgw, area: other, remember: bank}\n- flash.expect: {role: zgw, area: other, untouched: bank}",
        .args = expect_args,
        .capabilities = flash_capability,
        .run = flash_expect_run,
        .check = flash_expect_check,
};
