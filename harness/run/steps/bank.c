/* SPDX-License-Identifier: Apache-2.0 */
/* What really lies in the banks, and whether the board tells the truth about it (invariants I2, I5, I7). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flash_area.h"
#include "generic.h"
#include "ota_check.h"
#include "ota_state.h"
#include "ota_step.h"
#include "steps.h"

#define BANK_KIND  "bank"
#define READ_CHUNK 32768u

/* An image as it lies in a bank. */
struct lying {
	bool there, whole; /* a header, and all of what it announces with the digest right */
	struct bytes bytes;
	uint8_t digest[SWPG_DIGEST_BYTES];
	uint8_t version[4];
	uint32_t counter, software;
};

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

/* ---- reading ------------------------------------------------------------------------------------------------ */

/* -EBADMSG without err: a page does not read. */
static int read_part(struct rig_board *board, uint32_t address, size_t length, struct bytes *bytes, struct error *err)
{
	uint8_t chunk[READ_CHUNK];

	for (size_t done = 0; done < length;) {
		size_t part = length - done < sizeof chunk ? length - done : sizeof chunk;
		int r = rig_flash_read(board, address + (uint32_t)done, chunk, part, err);

		if (r < 0)
			return r;
		if (bytes_append(bytes, chunk, part) < 0)
			return out_of_memory(err);
		done += part;
	}
	return 0;
}

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static int read_lying(struct rig_board *board, const struct flash_area *area, struct lying *lying, struct error *err)
{
	const uint8_t *header;
	int r = read_part(board, area->address, SWPG_HEADER_BYTES, &lying->bytes, err);

	if (r < 0)
		return r == -EBADMSG ? 0 : r;
	header = lying->bytes.data;
	lying->there = memcmp(header, "GPWS", 4) == 0;
	lying->software = le32(header + 12);
	lying->counter = le32(header + 52);
	memcpy(lying->version, header + 16, sizeof lying->version);
	if (!lying->there || lying->software > area->length - SWPG_HEADER_BYTES - SWPG_TRAILER_BYTES)
		return 0;
	r = read_part(board, area->address + SWPG_HEADER_BYTES, lying->software + SWPG_TRAILER_BYTES, &lying->bytes, err);
	if (r < 0)
		return r == -EBADMSG ? 0 : r;
	header = lying->bytes.data;
	swpg_digest(header, header + SWPG_HEADER_BYTES, lying->software, lying->digest);
	lying->whole = memcmp(lying->digest, header + SWPG_HEADER_BYTES + lying->software, SWPG_DIGEST_BYTES) == 0;
	return 0;
}

/* ---- bank.expect -------------------------------------------------------------------------------------------- */

static const struct arg_def expect_args[] = {
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE, NULL, NULL, 0, 0, "The board."},
        {"bank", VALUE_TEXT, 0, "running", (const char *const[]){"A", "B", "running", "other", NULL}, 0, 0, "Which bank is looked at."},
        {"active", VALUE_TEXT, 0, NULL, (const char *const[]){"A", "B", NULL}, 0, 0, "Bank that runs, by the silicon."},
        {"version", VALUE_TEXT, 0, NULL, NULL, 0, 0, "Version of the image in the bank."},
        {"package", VALUE_TEXT, ARG_PACKAGE, NULL, NULL, 0, 0,
         "The image in the bank is exactly that of this package (named as in ota.install)."},
        {"whole", VALUE_BOOL, 0, NULL, NULL, 0, 0,
         "An image whose digest is right lies there (default with `version` or `package`: true)."},
        {"untouched", VALUE_TEXT, 0, NULL, NULL, 0, 0, "The bank that bank.remember took under this name is as it was."},
        {"reported", VALUE_BOOL, 0, "false", NULL, 0, 0,
         "The board itself reports what is true: active bank, version and digest of what runs (I7)."},
        ARG_CONNECTION,
        {NULL},
};
static const struct result_def expect_results[] = {
        {"active", VALUE_TEXT, "Bank that runs, by the silicon.", ota_bank_words},
        {"there", VALUE_BOOL, "A package header lies in the bank."},
        {"whole", VALUE_BOOL, "All of it, with the digest right."},
        {"version", VALUE_TEXT, "Its version."},
        {"counter", VALUE_INTEGER, "Its security counter."},
        {"digest", VALUE_BYTES, "The digest over what lies there."},
        {NULL},
};

struct remembered {
	struct flash_area area;
	uint8_t digest[32];
};

struct expectation {
	struct rig_board *board;
	const char *role, *bank, *active, *version, *package, *untouched;
	bool whole, has_whole, reported;
	int running;
	struct flash_area area;
	struct lying lying;
	char actual_version[20];
};

static int check_package(struct step_context *context, struct expectation *e, struct error *err)
{
	struct bytes package = {0}, image = {0};
	struct swpg_view view;
	int r = ota_package_read(e->package, &package, err);

	if (r == 0 && ((r = swpg_parse(package.data, package.length, &view, err)) < 0 || (r = swpg_installed(&view, &image, err)) < 0) &&
	    err && err->domain == ERROR_USAGE)
		err->domain = ERROR_TESTCASE;
	if (r == 0 && (image.length != e->lying.bytes.length || memcmp(image.data, e->lying.bytes.data, image.length) != 0))
		r = step_check_failed(context, err, e->package, e->lying.whole ? e->actual_version : "no whole image",
		                      "%s: bank %s does not hold exactly the image of %s", e->role, e->bank, e->package);
	bytes_free(&package);
	bytes_free(&image);
	return r;
}

static int check_lying(struct step_context *context, struct expectation *e, struct error *err)
{
	const struct lying *lying = &e->lying;

	if ((e->has_whole || e->version || e->package) && lying->whole != e->whole)
		return step_check_failed(context, err, e->whole ? "a whole image" : "no whole image",
		                         lying->whole   ? "a whole image"
		                         : lying->there ? "a header, but its image is not whole"
		                                        : "no package header",
		                         "%s: bank %s", e->role, e->bank);
	if (e->version && strcmp(e->version, e->actual_version) != 0)
		return step_check_failed(context, err, e->version, e->actual_version, "%s: bank %s holds another version", e->role,
		                         e->bank);
	return e->package ? check_package(context, e, err) : 0;
}

static int check_untouched(struct step_context *context, const struct expectation *e, struct error *err)
{
	const struct remembered *before = step_object_find(context, BANK_KIND, e->untouched);
	uint8_t digest[32];
	int r;

	if (!before)
		return error_set(err, ERROR_TESTCASE, ENOENT, "no bank was remembered as \"%s\": bank.remember does", e->untouched);
	r = rig_flash_digest(e->board, before->area.address, before->area.length, digest, err);
	if (r < 0 || memcmp(digest, before->digest, sizeof digest) == 0)
		return r;
	return step_check_failed(context, err, "as remembered", "other content", "%s: bank %s is not as it was at \"%s\"", e->role,
	                         before->area.bank ? "B" : "A", e->untouched);
}

static int running_of(const struct expectation *e, struct lying *lying, struct error *err)
{
	struct flash_area area;
	int r = flash_area_find(e->board, "running-application", &area, err);

	return r < 0 ? r : read_lying(e->board, &area, lying, err);
}

/* What the board says, against the silicon. */
static int check_reported(struct step_context *context, const struct step_call *call, struct expectation *e, struct error *err)
{
	struct ota_client client;
	struct ota_state state = {0};
	struct lying lying = {0};
	char version[20];
	int r = ota_client_begin(&client, context, call, err);

	client.stage = OTA_STAGE_READ;
	if (r == 0)
		r = ota_state_read_all(&client, &state, err);
	if (r == 0 && client.outcome != OTA_DONE)
		r = ota_client_failed(&client, err);
	if (r == 0)
		r = running_of(e, &lying, err);
	ota_version_text(lying.version, version);
	if (r == 0 && state.active != e->running)
		r = step_check_failed(context, err, ota_bank_name((uint8_t)e->running), ota_bank_name(state.active),
		                      "%s reports another active bank than the silicon", e->role);
	else if (r == 0 && strcmp(state.version, version) != 0)
		r = step_check_failed(context, err, version, state.version, "%s reports another version than lies in the running bank",
		                      e->role);
	else if (r == 0 && memcmp(state.digest, lying.digest, sizeof lying.digest) != 0)
		r = step_check_failed(context, err, "the digest of the running bank", "another",
		                      "%s reports another digest than the running bank has", e->role);
	ota_client_end(&client);
	bytes_free(&lying.bytes);
	return r;
}

static int expectation_of_call(struct step_context *context, const struct step_call *call, struct expectation *e, struct error *err)
{
	struct rig_flash_status status;
	char area[32];
	int r;

	if ((r = step_board(context, call, &e->board, err)) < 0 || (r = step_arg_text(context, call, "bank", &e->bank, err)) < 0 ||
	    (r = step_arg_text(context, call, "active", &e->active, err)) < 0 ||
	    (r = step_arg_text(context, call, "version", &e->version, err)) < 0 ||
	    (r = step_arg_text(context, call, "package", &e->package, err)) < 0 ||
	    (r = step_arg_text(context, call, "untouched", &e->untouched, err)) < 0 ||
	    (r = step_arg_bool(context, call, "whole", true, &e->whole, err)) < 0 ||
	    (r = step_arg_bool(context, call, "reported", false, &e->reported, err)) < 0 ||
	    (r = rig_flash_status(e->board, &status, err)) < 0)
		return r;
	e->role = rig_board_role(e->board);
	e->has_whole = step_has_arg(call, "whole");
	e->running = status.active;
	if (strcmp(e->bank, "A") == 0 || strcmp(e->bank, "B") == 0)
		snprintf(area, sizeof area, "%s-application", (e->bank[0] == 'B') == status.active ? "running" : "other");
	else
		snprintf(area, sizeof area, "%s-application", e->bank);
	return flash_area_find(e->board, area, &e->area, err);
}

static int expect_results_set(struct step_context *context, const struct expectation *e)
{
	if (step_result_text(context, "active", ota_bank_name((uint8_t)e->running)) < 0 ||
	    step_result_bool(context, "there", e->lying.there) < 0 || step_result_bool(context, "whole", e->lying.whole) < 0)
		return -ENOMEM;
	if (!e->lying.there)
		return 0;
	if (step_result_text(context, "version", e->actual_version) < 0 || step_result_integer(context, "counter", e->lying.counter) < 0)
		return -ENOMEM;
	return step_result_bytes(context, "digest", e->lying.digest, sizeof e->lying.digest);
}

static int bank_expect_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct expectation e = {0};
	int r = expectation_of_call(context, call, &e, err);

	if (r == 0)
		r = read_lying(e.board, &e.area, &e.lying, err);
	ota_version_text(e.lying.version, e.actual_version);
	if (r == 0 && e.active && strcmp(e.active, ota_bank_name((uint8_t)e.running)) != 0)
		r = step_check_failed(context, err, e.active, ota_bank_name((uint8_t)e.running), "%s runs from the other bank", e.role);
	if (r == 0)
		r = check_lying(context, &e, err);
	if (r == 0 && e.untouched)
		r = check_untouched(context, &e, err);
	if (r == 0 && e.reported)
		r = check_reported(context, call, &e, err);
	if (r == 0 && expect_results_set(context, &e) < 0)
		r = out_of_memory(err);
	bytes_free(&e.lying.bytes);
	return r;
}

static int bank_expect_check(const struct step_call *call, const struct value *known, struct error *err)
{
	static const char *const judged[] = {"active", "version", "package", "whole", "untouched", "reported", NULL};
	static const char *const only_reported[] = {"active", "version", "package", "whole", "untouched", NULL};
	static const char list[] = "`active`, `version`, `package`, `whole`, `untouched`, `reported: true` or `expect`";
	bool reported = true;
	int r = ota_check_version(call, known, err);

	(void)known_bool(known, "reported", &reported);
	if (r == 0)
		r = ota_check_judges(call, reported || !value_get(call->args, "reported") ? judged : only_reported, list, err);
	return r < 0 ? r : ota_check_remembered(call, known, "bank.remember", "as", err);
}

const struct step_def step_bank_expect = {
        .name = "bank.expect",
        .doc = "What the silicon says about a board's banks: which one runs, and which image lies in one, compared byte by byte with a "
               "package; whether a "
               "bank is untouched; whether the board's own report is true.",
        .example = "- bank.expect: {role: zgw, active: B, package: zgw-1.1.0, reported: true}\n- bank.remember: {role: zgw, as: old}\n"
                   "- bank.expect: {role: zgw, untouched: old}",
        .args = expect_args,
        .results = expect_results,
        .capabilities = flash_capability,
        .run = bank_expect_run,
        .check = bank_expect_check,
};

/* ---- bank.remember ------------------------------------------------------------------------------------------ */

static const struct arg_def remember_args[] = {
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE, NULL, NULL, 0, 0, "The board."},
        {"bank", VALUE_TEXT, 0, "running", (const char *const[]){"A", "B", "running", "other", NULL}, 0, 0, "Which bank."},
        {"as", VALUE_TEXT, ARG_REQUIRED, NULL, NULL, 0, 0, "Name for bank.expect."},
        {NULL},
};
static const struct result_def remember_results[] = {{"digest", VALUE_BYTES, "SHA-256 of the whole bank."}, {NULL}};

static int bank_remember_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct remembered *remembered = calloc(1, sizeof *remembered);
	struct rig_board *board;
	const char *bank, *name;
	int r = remembered ? step_board(context, call, &board, err) : out_of_memory(err);

	if (r == 0)
		r = step_arg_text(context, call, "bank", &bank, err);
	if (r == 0)
		r = step_arg_text(context, call, "as", &name, err);
	if (r == 0)
		r = flash_area_find(board, bank, &remembered->area, err);
	if (r == 0)
		r = rig_flash_digest(board, remembered->area.address, remembered->area.length, remembered->digest, err);
	if (r == 0 && step_result_bytes(context, "digest", remembered->digest, sizeof remembered->digest) < 0)
		r = out_of_memory(err);
	if (r == 0) {
		step_object_remove(context, BANK_KIND, name);
		r = step_object_add(context, BANK_KIND, name, remembered, free) < 0 ? out_of_memory(err) : 0;
	}
	if (r < 0)
		free(remembered);
	return r;
}

const struct step_def step_bank_remember = {
        .name = "bank.remember",
        .doc = "Remembers the state of a whole bank, for `untouched` of bank.expect (invariant I5). The bank is the one that has this role "
               "now: a swap "
               "does not change which one is meant.",
        .example = "- bank.remember: {role: zgw, as: old}",
        .args = remember_args,
        .results = remember_results,
        .capabilities = flash_capability,
        .run = bank_remember_run,
};
