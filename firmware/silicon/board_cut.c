/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts of the power at an operation of the flash. The model counts all operations; a cut of the board counts those that it
 * was asked for, so it is armed in the model when that operation begins, or is the next one to begin.
 */
#include "board.h"

#include "instant.h"

#include <stdio.h>
#include <string.h>

static const char *const phases[] = {"before", "during", "after"};

static void on_cut(void *context)
{
	((struct board *)context)->flash.cut.hit = true;
}

static bool matches(const struct board_flash_cut *cut, enum flash_kind kind, uint32_t address)
{
	if (!cut->any_kind && cut->kind != kind)
		return false;
	return (cut->from == 0 && cut->to == 0) || (address >= cut->from && address < cut->to);
}

/* The next operation to begin is that one, if it is to be cut before it begins. */
static void arm_next(struct board *board, enum flash_kind kind, uint32_t address)
{
	struct board_flash_cut *cut = &board->flash.cut;
	if (!cut->armed || cut->cut.phase != FLASH_BEFORE || cut->left > 0 || !matches(cut, kind, address))
		return;
	cut->cut.operation = flash_operations(board->flash.flash);
	flash_arm(board->flash.flash, &cut->cut, on_cut, board);
}

void board_cut_command(struct board *board, enum flash_kind kind, uint32_t address)
{
	arm_next(board, kind, address);
}

void board_cut_refused(struct board *board)
{
	if (board->flash.cut.armed)
		flash_arm(board->flash.flash, NULL, NULL, NULL);
}

void board_cut_began(struct board *board, const struct flash_operation *operation)
{
	struct board_flash_cut *cut = &board->flash.cut;
	if (!cut->armed || cut->chosen || !matches(cut, operation->kind, operation->address))
		return;
	if (cut->left > 0) {
		cut->left--;
		return;
	}
	cut->chosen = true;
	cut->cut.operation = operation->number;
	flash_arm(board->flash.flash, &cut->cut, on_cut, board);
}

void board_cut_ended(struct board *board, const struct flash_operation *operation)
{
	const struct board_flash_work *work = &board->flash.work[board_flash_area(board, operation->address)];
	uint32_t next = operation->address + operation->length;
	if (work->busy && next - work->address < work->length)
		arm_next(board, operation->kind, next);
}

void board_cut_disarm(struct board *board)
{
	board->flash.cut = (struct board_flash_cut){0};
	flash_arm(board->flash.flash, NULL, NULL, NULL);
}

static void torn_name(const struct board_flash_cut *cut, enum flash_kind kind, char name[4])
{
	unsigned last = kind == FLASH_ERASE ? 3 : 4;
	snprintf(name, 4, "%c%u", kind == FLASH_ERASE ? 'E' : 'T', cut->cut.torn < last ? cut->cut.torn : last);
}

/* The command that was cut: the one that holds the operation, or that was about to. */
static const struct board_flash_work *work_of(const struct board *board)
{
	const struct board_flash_work *found = NULL;
	for (unsigned area = 0; area < BOARD_FLASH_AREAS; area++) {
		const struct board_flash_work *work = &board->flash.work[area];
		if (work->busy && matches(&board->flash.cut, work->kind, work->address) && (!found || work->operation > found->operation))
			found = work;
	}
	return found;
}

static json_t *event_of(const struct board *board)
{
	const struct board_flash_cut *cut = &board->flash.cut;
	const struct board_flash_work *work = work_of(board);
	char torn[4] = "";
	json_t *event = json_pack("{s:s, s:I, s:I, s:s}", "event", "cut", "t", (json_int_t)instant_ns(), "op",
	                          (json_int_t)cut->cut.operation, "phase", phases[cut->cut.phase]);
	if (!work)
		return event;
	json_object_set_new(event, "kind", json_string(work->kind == FLASH_ERASE ? "erase" : "program"));
	json_object_set_new(event, "address", json_integer(work->address));
	if (cut->cut.phase == FLASH_DURING) {
		torn_name(cut, work->kind, torn);
		json_object_set_new(event, "torn", json_string(torn));
	}
	return event;
}

bool board_cut_after(struct board *board)
{
	if (!board->flash.cut.hit)
		return false;
	json_t *event = event_of(board);
	board->flash.cut.armed = false;
	board_power_lost(board);
	board->flash.cut.hit = false;
	control_event(&board->control, event);
	return true;
}

/* ---- {"cmd":"cut",…} ------------------------------------------------------------------------------------------- */

static int read_number(json_t *request, const char *name, uint64_t limit, uint64_t *ret, char *error, size_t error_size)
{
	json_t *value = json_object_get(request, name);
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > limit) {
		snprintf(error, error_size, "\"%s\" has to be a number from 0 to %llu", name, (unsigned long long)limit);
		return -1;
	}
	*ret = (uint64_t)json_integer_value(value);
	return 0;
}

static int read_phase(json_t *request, struct board_flash_cut *cut, char *error, size_t error_size)
{
	const char *phase = json_string_value(json_object_get(request, "phase"));
	for (unsigned i = 0; phase && i < sizeof phases / sizeof *phases; i++) {
		if (strcmp(phase, phases[i]) == 0) {
			cut->cut.phase = (enum flash_phase)i;
			return 0;
		}
	}
	snprintf(error, error_size, "\"phase\" has to be before, during or after");
	return -1;
}

static int read_torn(json_t *request, struct board_flash_cut *cut, char *error, size_t error_size)
{
	const char *torn = json_string_value(json_object_get(request, "torn"));
	if (!torn || cut->cut.phase != FLASH_DURING)
		return 0;
	char last = torn[0] == 'T' ? '4' : '3';
	if ((torn[0] != 'T' && torn[0] != 'E') || torn[1] < '0' || torn[1] > last || torn[2]) {
		snprintf(error, error_size, "\"torn\" has to be T0 to T4 or E0 to E3");
		return -1;
	}
	cut->cut.torn = (unsigned)(torn[1] - '0');
	return 0;
}

static int read_kind(json_t *request, struct board_flash_cut *cut, char *error, size_t error_size)
{
	json_t *value = json_object_get(request, "kind");
	const char *kind = json_string_value(value);
	cut->any_kind = !value || json_is_null(value);
	cut->kind = kind && strcmp(kind, "erase") == 0 ? FLASH_ERASE : FLASH_PROGRAM;
	if (cut->any_kind || (kind && (strcmp(kind, "erase") == 0 || strcmp(kind, "program") == 0)))
		return 0;
	snprintf(error, error_size, "\"kind\" has to be erase or program");
	return -1;
}

int board_cut_arm(struct board *board, json_t *request, char *error, size_t error_size)
{
	struct board_flash_cut cut = {.armed = true};
	uint64_t from = 0, to = 0;
	if (read_number(request, "operation", INT64_MAX, &cut.left, error, error_size) < 0 ||
	    read_number(request, "seed", INT64_MAX, &cut.cut.seed, error, error_size) < 0 ||
	    read_number(request, "from", UINT32_MAX, &from, error, error_size) < 0 ||
	    read_number(request, "to", UINT32_MAX, &to, error, error_size) < 0 || read_phase(request, &cut, error, error_size) < 0 ||
	    read_torn(request, &cut, error, error_size) < 0 || read_kind(request, &cut, error, error_size) < 0)
		return -1;
	cut.from = (uint32_t)from;
	cut.to = (uint32_t)to;
	board_cut_disarm(board);
	board->flash.cut = cut;
	return 0;
}
