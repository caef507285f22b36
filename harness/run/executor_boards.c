/* SPDX-License-Identifier: Apache-2.0 */
/* Boards that do not come up: whoever failed twice in a row is not waited for again in this run. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor_private.h"

#define GIVE_UP_AFTER 2
/* A boot that the case's own time cut shorter than this says nothing about the board. */
#define FAIR_WAIT_NS INT64_C(5000000000)

struct board_record {
	struct board_record *next;
	char *role;
	unsigned failures; /* in a row */
	bool given_up, changed;
	char since[160]; /* id of the case */
	char *message, *expected, *actual;
};

static struct board_record *record_find(const struct executor *executor, const char *role)
{
	struct board_record *record = executor->boards;
	while (record && strcmp(record->role, role))
		record = record->next;
	return record;
}

/* NULL when out of memory: the board is then waited for each time. */
static struct board_record *record_get(struct executor *executor, const char *role)
{
	struct board_record *record = record_find(executor, role);
	if (record || !(record = calloc(1, sizeof(*record))))
		return record;
	if (!(record->role = strdup(role))) {
		free(record);
		return NULL;
	}
	record->next = executor->boards;
	executor->boards = record;
	return record;
}

static void record_clear(struct board_record *record)
{
	free(record->message);
	free(record->expected);
	free(record->actual);
	record->message = record->expected = record->actual = NULL;
	record->failures = 0;
	record->given_up = record->changed = false;
}

static void emit_given_up(struct executor *executor, const struct board_record *record)
{
	char channel[160];
	snprintf(channel, sizeof(channel), "board:%s", record->role);
	timeline_emit_now(executor->timeline, channel, "board.given_up",
	                  json_pack("{s:s,s:s}", "case", record->since, "message", record->message ? record->message : ""));
}

int boards_refuse(struct step_context *context, const struct rig_board *board, struct error *err)
{
	struct board_record *record = record_find(context->executor, rig_board_role(board));
	if (!record || !record->given_up)
		return 0;
	if (record->changed) {
		record->changed = false;
		return 0;
	}
	return step_check_failed(context, err, record->expected, record->actual, "%s (since case %s; not tried again)",
	                         record->message ? record->message : rig_board_role(board), record->since);
}

bool boards_failed_before(const struct step_context *context, const struct rig_board *board)
{
	const struct board_record *record = record_find(context->executor, rig_board_role(board));
	return record && record->failures > 0;
}

void boards_failed(struct step_context *context, const struct rig_board *board, int64_t waited_ns, const struct error *error)
{
	struct executor *executor = context->executor;
	bool ended = rig_board_dead(board) || rig_board_halted(board);
	struct board_record *record = NULL;
	if (error->domain == ERROR_DUT && (ended || waited_ns >= FAIR_WAIT_NS || loop_now_ns() < context->deadline_ns))
		record = record_get(executor, rig_board_role(board));
	if (!record || record->given_up)
		return;
	if (record->failures++ == 0)
		snprintf(record->since, sizeof(record->since), "%s", executor->current->id);
	if (record->failures < GIVE_UP_AFTER)
		return;
	record->given_up = true;
	record->changed = false;
	record->message = strdup(error->message);
	record->expected = context->expected ? strdup(context->expected) : NULL;
	record->actual = context->actual ? strdup(context->actual) : NULL;
	emit_given_up(executor, record);
}

void boards_came_up(struct step_context *context, const struct rig_board *board)
{
	struct board_record *record = record_find(context->executor, rig_board_role(board));
	if (!record)
		return;
	if (record->given_up)
		timeline_emit_now(context->timeline, "case", "note",
		                  json_pack("{s:o}", "text",
		                            json_sprintf("board %s, given up since case %s, boots again", record->role, record->since)));
	record_clear(record);
}

void boards_changed(struct executor *executor, const struct rig_board *board_or_null)
{
	for (struct board_record *record = executor->boards; record; record = record->next)
		if (!board_or_null || !strcmp(record->role, rig_board_role(board_or_null)))
			record->changed = true;
}

void boards_free(struct executor *executor)
{
	for (struct board_record *record; (record = executor->boards);) {
		executor->boards = record->next;
		record_clear(record);
		free(record->role);
		free(record);
	}
}
