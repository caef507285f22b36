/* SPDX-License-Identifier: Apache-2.0 */
/* What became of the flash's commands, as events: an erase is one, programs of consecutive addresses are told together. */
#include "board.h"

#include "instant.h"

#include <string.h>

#define RUN_BYTES 65536u
#define QUIET_NS  UINT64_C(100000000) /* a run that nothing was added to for so long has ended */

const char *board_flash_status_name(enum flash_status status)
{
	static const char *const names[] = {"ok", "busy", "ecc", "sequence", "protected", "verify", "nowhere"};
	return (size_t)status < sizeof names / sizeof *names ? names[status] : "?";
}

static const char *who(enum board_flash_user user)
{
	static const char *const names[] = {"bootloader", "application", "debugger"};
	return names[user];
}

static void tell_run(struct board *board, struct board_flash_run *run, const char *status)
{
	if (run->count)
		control_event(&board->control,
		              json_pack("{s:s, s:I, s:I, s:s, s:I, s:I, s:i, s:s, s:I, s:s}", "event", "flash", "t",
		                        (json_int_t)run->begin_ns, "op", (json_int_t)run->operation, "kind", "program", "address",
		                        (json_int_t)run->address, "length", (json_int_t)run->length, "count", (int)run->count, "status",
		                        status, "duration", (json_int_t)(run->end_ns - run->begin_ns), "by", who(run->user)));
	run->count = 0;
}

static void tell_erase(struct board *board, const struct board_flash_work *work, const char *status)
{
	control_event(&board->control, json_pack("{s:s, s:I, s:I, s:s, s:I, s:I, s:s, s:I, s:s}", "event", "flash", "t",
	                                         (json_int_t)work->begin_ns, "op", (json_int_t)work->operation, "kind", "erase", "address",
	                                         (json_int_t)work->address, "sectors", (json_int_t)work->sectors, "status", status,
	                                         "duration", (json_int_t)(work->end_ns - work->begin_ns), "by", who(work->user)));
}

static void add_program(struct board *board, unsigned area, const struct board_flash_work *work, const char *status)
{
	struct board_flash_run *run = &board->flash.run[area];
	bool good = strcmp(status, "ok") == 0;
	if (run->count && (work->address != run->address + run->length || work->user != run->user || run->length >= RUN_BYTES || !good))
		tell_run(board, run, "ok");
	if (run->count == 0)
		*run = (struct board_flash_run){.user = work->user,
		                                .address = work->address,
		                                .operation = work->operation,
		                                .begin_ns = work->begin_ns,
		                                .end_ns = work->begin_ns};
	run->length = work->address + work->length - run->address;
	run->count++;
	run->end_ns = work->end_ns;
	if (!good)
		tell_run(board, run, status);
}

void board_flash_ended(struct board *board, unsigned area, const char *status, uint64_t now_ns)
{
	struct board_flash_work *work = &board->flash.work[area];
	work->busy = false;
	if (work->end_ns > now_ns || work->end_ns <= work->begin_ns)
		work->end_ns = now_ns > work->begin_ns ? now_ns : work->begin_ns;
	if (work->kind == FLASH_PROGRAM) {
		add_program(board, area, work, status);
		return;
	}
	tell_run(board, &board->flash.run[area], "ok");
	tell_erase(board, work, status);
}

void board_flash_refused(struct board *board, enum board_flash_user user, enum flash_kind kind, uint32_t address, uint32_t length,
                         enum flash_status status)
{
	if (status == FLASH_BUSY)
		return; /* who asks again and again is not news */
	uint64_t now_ns = instant_ns();
	json_t *event = json_pack("{s:s, s:I, s:I, s:s, s:I, s:I, s:s, s:i, s:s}", "event", "flash", "t", (json_int_t)now_ns, "op",
	                          (json_int_t)flash_operations(board->flash.flash), "kind", kind == FLASH_ERASE ? "erase" : "program",
	                          "address", (json_int_t)address, "length", (json_int_t)length, "status", board_flash_status_name(status),
	                          "duration", 0, "by", who(user));
	control_event(&board->control, event);
}

/* The model knows when an operation will have ended. */
void board_flash_watch(void *context, const struct flash_operation *operation)
{
	struct board *board = context;
	struct board_flash_work *work = &board->flash.work[board_flash_area(board, operation->address)];
	if (work->busy && operation->end_ns != FLASH_NEVER && operation->end_ns > work->end_ns)
		work->end_ns = operation->end_ns;
	board_cut_began(board, operation);
}

void board_flash_watch_end(void *context, const struct flash_operation *operation)
{
	board_cut_ended(context, operation);
}

uint64_t board_flash_tell_ns(const struct board *board)
{
	uint64_t first_ns = INSTANT_NEVER;
	for (unsigned area = 0; area < BOARD_FLASH_AREAS; area++) {
		const struct board_flash_run *run = &board->flash.run[area];
		if (run->count && !board->flash.work[area].busy && run->end_ns + QUIET_NS < first_ns)
			first_ns = run->end_ns + QUIET_NS;
	}
	return first_ns;
}

void board_flash_tell(struct board *board)
{
	for (unsigned area = 0; area < BOARD_FLASH_AREAS; area++)
		tell_run(board, &board->flash.run[area], "ok");
}
