/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of the control channel that are about the flash and the supply. */
#include "request.h"

#include "board_flash.h"
#include "instant.h"

#include <errno.h>
#include <mbedtls/sha256.h>
#include <stdlib.h>
#include <string.h>

#define READ_MAX 65536u

static void done(struct board *board, json_t *request)
{
	control_answer(&board->control, request, instant_ns(), json_object());
}

/* A number of the request; refuses it when it is none. */
static bool number(struct board *board, json_t *request, const char *name, uint64_t limit, uint32_t *ret)
{
	json_t *value = json_object_get(request, name);
	if (json_is_integer(value) && json_integer_value(value) >= 0 && (uint64_t)json_integer_value(value) <= limit) {
		*ret = (uint32_t)json_integer_value(value);
		return true;
	}
	control_refuse(&board->control, request, "\"%s\" has to be a number from 0 to %llu", name, (unsigned long long)limit);
	return false;
}

static bool at_rest(struct board *board, json_t *request)
{
	if (board->state == BOARD_OFF || board->state == BOARD_HELD)
		return true;
	control_refuse(&board->control, request, "the board has to be off, or held in reset");
	return false;
}

static void refuse_status(struct board *board, json_t *request, uint32_t address, enum flash_status status)
{
	if (status == FLASH_NOWHERE)
		control_refuse(&board->control, request, "there is no flash at %08Xh", (unsigned)address);
	else
		control_refuse(&board->control, request, "the flash at %08Xh: %s", (unsigned)address, board_flash_status_name(status));
}

/* ---- status ---- */

static void do_flash(struct board *board, json_t *request)
{
	const struct flash_geometry *g = board->flash.geometry;
	struct ssw_result now = board->flash.ssw;
	if (board->flash.next_ns == INSTANT_NEVER) /* else the UCBs may be busy */
		ssw_evaluate(board->flash.flash, board->flash.policy, &now);
	json_t *answer =
	        json_pack("{s:s, s:[I,I], s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "geometry", g->name, "bank",
	                  (json_int_t)g->bank_address[0], (json_int_t)g->bank_address[1], "bank_size", (json_int_t)g->bank_size,
	                  "sector_size", (json_int_t)g->bank_sector, "boot_size", (json_int_t)g->boot_size, "data",
	                  (json_int_t)g->data_address, "data_size", (json_int_t)g->data_size, "data_sector", (json_int_t)g->data_sector,
	                  "ucb", (json_int_t)g->ucb_address, "ucb_size", (json_int_t)g->ucb_size, "ucb_count", (json_int_t)g->ucb_count);
	json_t *state =
	        json_pack("{s:i, s:I, s:I, s:b, s:i, s:i, s:s, s:b, s:I}", "active", (int)board->flash.ssw.active, "operations",
	                  (json_int_t)flash_operations(board->flash.flash), "corrected", (json_int_t)flash_corrected(board->flash.flash),
	                  "contradiction", (int)now.contradiction, "orig_entry", now.orig_entry, "copy_entry", now.copy_entry, "boot",
	                  now.reason, "changed", (int)board->flash.changed, "supply", (json_int_t)board->flash.supply_mv);
	json_object_update(answer, state);
	json_decref(state);
	control_answer(&board->control, request, instant_ns(), answer);
}

/* ---- contents ---- */

/* The first page of a range that does not read. */
static uint32_t first_bad(struct board *board, uint32_t address, uint32_t length)
{
	uint8_t page[FLASH_PAGE];
	const uint32_t step = board_flash_area(board, address) < 2 ? FLASH_PAGE : FLASH_DATA_PAGE;
	for (uint32_t at = address; at < address + length; at += step - at % step) {
		uint32_t part = step - at % step;
		if (part > address + length - at)
			part = address + length - at;
		if (flash_read(board->flash.flash, at, page, part) != FLASH_OK)
			return at;
	}
	return address;
}

static void do_read(struct board *board, json_t *request)
{
	static uint8_t data[READ_MAX];
	static char hex[2 * READ_MAX + 1];
	static const char digits[] = "0123456789abcdef";
	uint32_t address, length;
	if (!number(board, request, "address", UINT32_MAX, &address) || !number(board, request, "length", READ_MAX, &length))
		return;
	enum flash_status status = flash_read(board->flash.flash, address, data, length);
	if (status == FLASH_ECC) {
		control_answer(&board->control, request, instant_ns(),
		               json_pack("{s:I}", "ecc", (json_int_t)first_bad(board, address, length)));
		return;
	}
	if (status != FLASH_OK) {
		refuse_status(board, request, address, status);
		return;
	}
	for (uint32_t i = 0; i < length; i++) {
		hex[2 * i] = digits[data[i] >> 4];
		hex[2 * i + 1] = digits[data[i] & 15];
	}
	hex[2 * length] = '\0';
	control_answer(&board->control, request, instant_ns(), json_pack("{s:s}", "data", hex));
}

static void do_write(struct board *board, json_t *request)
{
	static uint8_t data[CONTROL_LINE_LIMIT / 2];
	uint32_t address;
	const char *text = json_string_value(json_object_get(request, "data"));
	int length = text ? request_hex(text, data, sizeof data) : -1;
	if (!number(board, request, "address", UINT32_MAX, &address))
		return;
	if (length < 0) {
		control_refuse(&board->control, request, "\"data\" has to be hex");
		return;
	}
	enum flash_status status = flash_factory_write(board->flash.flash, address, data, (size_t)length);
	board->flash.changed = true;
	if (status != FLASH_OK)
		refuse_status(board, request, address, status);
	else
		done(board, request);
}

static void do_erase(struct board *board, json_t *request)
{
	uint32_t address, length;
	if (!number(board, request, "address", UINT32_MAX, &address) || !number(board, request, "length", UINT32_MAX, &length))
		return;
	enum flash_status status = flash_factory_erase(board->flash.flash, address, length);
	board->flash.changed = true;
	if (status != FLASH_OK)
		refuse_status(board, request, address, status);
	else
		done(board, request);
}

/* Pages that are not simply good count as their state. */
static enum flash_status digest(struct board *board, uint32_t address, uint32_t length, uint8_t *ret)
{
	mbedtls_sha256_context sha;
	enum flash_status status = FLASH_OK;
	mbedtls_sha256_init(&sha);
	mbedtls_sha256_starts(&sha, 0);
	for (uint32_t at = 0, part; at < length && status == FLASH_OK; at += part) {
		const uint32_t step = board_flash_area(board, address + at) < 2 ? FLASH_PAGE : FLASH_DATA_PAGE;
		uint8_t page[FLASH_PAGE + 1];
		part = step - (address + at) % step < length - at ? step - (address + at) % step : length - at;
		enum flash_page_state state = flash_page_state(board->flash.flash, address + at);
		page[0] = (uint8_t)state;
		const bool reads = state == FLASH_GOOD || state == FLASH_TORN;
		if (reads)
			status = flash_read(board->flash.flash, address + at, page + 1, part);
		if (status == FLASH_ECC)
			page[0] = FLASH_BAD;
		mbedtls_sha256_update(&sha, page, reads && status == FLASH_OK ? part + 1 : 1);
		if (status == FLASH_ECC)
			status = FLASH_OK;
	}
	mbedtls_sha256_finish(&sha, ret);
	mbedtls_sha256_free(&sha);
	return status;
}

static bool inside(struct board *board, uint32_t address, uint32_t length)
{
	const struct flash_geometry *g = board->flash.geometry;
	const struct {
		uint32_t address, size;
	} areas[] = {{g->bank_address[0], g->bank_size},
	             {g->bank_address[1], g->bank_size},
	             {g->data_address, g->data_size},
	             {g->ucb_address, g->ucb_count * g->ucb_size}};
	for (size_t i = 0; i < sizeof areas / sizeof *areas; i++) {
		if (address >= areas[i].address && address - areas[i].address < areas[i].size)
			return length <= areas[i].size - (address - areas[i].address);
	}
	return false;
}

static void do_digest(struct board *board, json_t *request)
{
	uint32_t address, length;
	uint8_t bytes[32];
	char hex[65];
	if (!number(board, request, "address", UINT32_MAX, &address) || !number(board, request, "length", UINT32_MAX, &length))
		return;
	enum flash_status status = inside(board, address, length) ? digest(board, address, length, bytes) : FLASH_NOWHERE;
	if (status != FLASH_OK) {
		refuse_status(board, request, address, status);
		return;
	}
	for (int i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	control_answer(&board->control, request, instant_ns(), json_pack("{s:s}", "digest", hex));
}

static void do_erases(struct board *board, json_t *request)
{
	uint32_t address;
	if (!number(board, request, "address", UINT32_MAX, &address))
		return;
	if (!inside(board, address, 1))
		refuse_status(board, request, address, FLASH_NOWHERE);
	else
		control_answer(&board->control, request, instant_ns(),
		               json_pack("{s:I}", "count", (json_int_t)flash_erases(board->flash.flash, address)));
}

/* ---- defects, cuts, supply ---- */

static void do_defect(struct board *board, json_t *request)
{
	static const char *const names[] = {"pver", "ever", "single-bit", "double-bit", "stuck-bit", "busy", "worn", "flip"};
	const char *name = json_string_value(json_object_get(request, "defect"));
	uint32_t address, bit = 0;
	size_t i = 0;
	if (!name && json_is_null(json_object_get(request, "defect"))) {
		flash_defects_clear(board->flash.flash);
		done(board, request);
		return;
	}
	while (name && i < sizeof names / sizeof *names && strcmp(name, names[i]) != 0)
		i++;
	if (!name || i == sizeof names / sizeof *names) {
		control_refuse(&board->control, request,
		               "\"defect\" has to be pver, ever, single-bit, double-bit, stuck-bit, busy, worn, flip or null");
		return;
	}
	if (!number(board, request, "address", UINT32_MAX, &address))
		return;
	if (json_object_get(request, "bit") && !number(board, request, "bit", 255, &bit))
		return;
	enum flash_status status = flash_defect_set(board->flash.flash, (enum flash_defect)i, address, bit);
	board->flash.changed = true;
	if (status != FLASH_OK)
		refuse_status(board, request, address, status);
	else
		done(board, request);
}

static void do_cut(struct board *board, json_t *request)
{
	char error[160];
	if (!json_object_get(request, "operation"))
		board_cut_disarm(board);
	else if (board_cut_arm(board, request, error, sizeof error) < 0) {
		control_refuse(&board->control, request, "%s", error);
		return;
	}
	done(board, request);
}

static void do_supply(struct board *board, json_t *request)
{
	uint32_t millivolts;
	if (!number(board, request, "mv", 100000, &millivolts))
		return;
	board->flash.supply_mv = millivolts;
	done(board, request);
}

/* ---- files ---- */

static void do_save(struct board *board, json_t *request)
{
	const char *path = json_string_value(json_object_get(request, "path"));
	int r = path ? flash_save(board->flash.flash, path) : -EINVAL;
	if (r < 0)
		control_refuse(&board->control, request, "%s: %s", path ? path : "\"path\"", strerror(-r));
	else
		done(board, request);
}

static void do_load(struct board *board, json_t *request)
{
	const char *path = json_string_value(json_object_get(request, "path"));
	if (!at_rest(board, request))
		return;
	board_flash_settle(board);
	int r = path ? flash_load(board->flash.flash, path) : -EINVAL;
	if (r < 0) {
		const char *why = r == -EDOM     ? "a snapshot of another geometry"
		                  : r == -EPROTO ? "no snapshot of a flash, or damaged"
		                                 : strerror(-r);
		control_refuse(&board->control, request, "%s: %s", path ? path : "\"path\"", why);
		return;
	}
	board->flash.changed = true;
	done(board, request);
}

static void do_factory(struct board *board, json_t *request)
{
	char error[512];
	if (!at_rest(board, request))
		return;
	if (board_flash_factory(board, error, sizeof error) < 0)
		control_refuse(&board->control, request, "%s", error);
	else
		done(board, request);
}

static void do_install(struct board *board, json_t *request)
{
	char error[512];
	uint32_t bank;
	const char *path = json_string_value(json_object_get(request, "path"));
	if (!number(board, request, "bank", 1, &bank))
		return;
	if (!path)
		control_refuse(&board->control, request, "\"path\" has to be a file");
	else if (board_flash_install(board, bank, path, error, sizeof error) < 0)
		control_refuse(&board->control, request, "%s", error);
	else {
		board->flash.changed = true;
		done(board, request);
	}
}

const struct request_command request_flash[] = {
        {"flash", do_flash},           {"flash-read", do_read},
        {"flash-write", do_write},     {"flash-erase", do_erase},
        {"flash-defect", do_defect},   {"flash-erases", do_erases},
        {"flash-digest", do_digest},   {"flash-save", do_save},
        {"flash-load", do_load},       {"flash-factory", do_factory},
        {"flash-install", do_install}, {"cut", do_cut},
        {"supply", do_supply},         {NULL, NULL},
};
