/* SPDX-License-Identifier: Apache-2.0 */
#include "tester.h"

#include "../core/cmac.h"
#include "node.h"
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_SIZE    64u
#define TRAILER_SIZE   96u
#define MAX_BLOCK      4093u
#define BLOCKS_WANTED  300u /* so that the block counter wraps */
#define SMALLEST_BLOCK 100u
#define MAX_ATTEMPTS   2u
#define NRC_CONDITIONS 0x22u

enum { STATE_IDLE, STATE_OFFERED, STATE_WRITING, STATE_WRITTEN, STATE_VERIFIED, STATE_ACTIVATED, STATE_TRIAL, STATE_ROLLED_BACK };

static struct board *board;
static uint8_t request[NODE_MAX_REQUEST], answer[NODE_MAX_REQUEST];
static size_t answer_length;

static void be32(uint8_t *at, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t read_be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void at_stage(enum stage stage)
{
	board->shared->know.stage = (uint8_t)stage;
}

/* 0 positive, else the NRC, 0xFF no answer. */
static uint8_t ask(size_t length)
{
	answer_length = node_exchange(request, length, answer, sizeof(answer));
	if (answer_length == 0)
		return 0xFF;
	if (answer[0] == 0x7F)
		return answer_length == 3 ? answer[2] : 0xFF;
	return answer[0] == request[0] + 0x40u ? 0 : 0xFF;
}

static void note(const char *what, uint8_t nrc)
{
	if (nrc == 0)
		board_trace(board, "tester: %s: done", what);
	else
		board_trace(board, "tester: %s: NRC %02X", what, nrc);
}

/* ---- reading --------------------------------------------------------------------------------------------------------- */

static bool read_did(uint16_t did, uint8_t *buffer, size_t length)
{
	request[0] = 0x22;
	request[1] = (uint8_t)(did >> 8);
	request[2] = (uint8_t)did;
	if (ask(3) != 0 || answer_length != 3 + length) {
		board_find(board, 7, "DID %04X cannot be read (%zu bytes)", did, answer_length);
		return false;
	}
	memcpy(buffer, answer + 3, length);
	return true;
}

static bool read_version(char *version, size_t size)
{
	request[0] = 0x22;
	request[1] = 0xF1;
	request[2] = 0x95;
	if (ask(3) != 0 || answer_length - 3 >= size) {
		board_find(board, 7, "DID F195 cannot be read");
		return false;
	}
	memcpy(version, answer + 3, answer_length - 3);
	version[answer_length - 3] = '\0';
	return true;
}

static bool inspect(struct report *report)
{
	if (!read_did(0xFD50, report->state, sizeof(report->state)) || !read_did(0xFD51, report->digest, sizeof(report->digest)) ||
	    !read_did(0xFD52, report->resume, sizeof(report->resume)) || !read_version(report->version, sizeof(report->version)))
		return false;
	oracle_report(board, report);
	board_trace(board, "tester: state %u, candidate %02X, trial boots %u of %u, counter %u, bookmark %u, version %s", report->state[0],
	            report->state[2], report->state[3], report->state[4], read_be32(report->state + 8), read_be32(report->resume),
	            report->version);
	return !board_found(board);
}

static bool state_is(uint8_t wanted, const char *after)
{
	uint8_t state[20];

	if (!read_did(0xFD50, state, sizeof(state)))
		return false;
	if (state[0] > STATE_WRITTEN && state[0] <= STATE_ACTIVATED && !board->shared->know.check)
		board_find(board, 6, "state %u after %s: marked bootable before it was verified", state[0], after);
	else if (state[0] != wanted)
		board_find(board, 7, "FD50 tells state %u after %s, not %u", state[0], after, wanted);
	return state[0] == wanted;
}

/* ---- requests ---------------------------------------------------------------------------------------------------------- */

static void secret(uint8_t key[16])
{
	unsigned value;

	for (unsigned i = 0; i < 16; i++) {
		if (sscanf(&SETUP_SECRET[2 * i], "%2x", &value) != 1)
			abort();
		key[i] = (uint8_t)value;
	}
}

static uint8_t unlock(void)
{
	uint8_t key[16], mac[16], nrc;

	at_stage(STAGE_SESSION);
	memcpy(request, "\x10\x02", 2);
	nrc = ask(2);
	if (nrc != 0)
		return nrc;
	memcpy(request, "\x27\x03", 2);
	nrc = ask(2);
	if (nrc != 0 || answer_length != 6)
		return nrc ? nrc : 0xFF;
	secret(key);
	if (!cmac_once(key, answer + 2, 4, mac))
		abort();
	memcpy(request, "\x27\x04", 2);
	memcpy(request + 2, mac, 4);
	return ask(6);
}

static uint8_t routine(uint16_t id, size_t options)
{
	request[0] = 0x31;
	request[1] = 0x01;
	request[2] = (uint8_t)(id >> 8);
	request[3] = (uint8_t)id;
	return ask(4 + options);
}

static uint8_t offer(void)
{
	const struct image *image = &board->setup->new;

	at_stage(STAGE_OFFER);
	memcpy(request + 4, image->bytes, HEADER_SIZE);
	memcpy(request + 4 + HEADER_SIZE, image->bytes + image->length - TRAILER_SIZE, TRAILER_SIZE);
	return routine(0xF010, HEADER_SIZE + TRAILER_SIZE);
}

static uint32_t target_area(void)
{
	const struct flash_geometry *geometry = flash_geometry(board->flash);

	return geometry->bank_address[1] + geometry->boot_size; /* mapped: the bank that does not run */
}

/* Whole sectors, enough for the package. */
static uint8_t erase(void)
{
	uint32_t sector = flash_geometry(board->flash)->bank_sector;

	at_stage(STAGE_ERASE);
	request[4] = 0x44;
	be32(request + 5, target_area());
	be32(request + 9, (board->setup->new.length + sector - 1) / sector * sector);
	return routine(0xFF00, 9);
}

static uint8_t begin(uint32_t offset)
{
	at_stage(STAGE_TRANSFER);
	memcpy(request, "\x34\x00\x44", 3);
	be32(request + 3, target_area() + offset);
	be32(request + 7, board->setup->new.length - offset);
	return ask(11);
}

static uint32_t block_size(void)
{
	uint32_t size = board->setup->new.length / BLOCKS_WANTED;

	if (size < SMALLEST_BLOCK)
		size = SMALLEST_BLOCK;
	return size > MAX_BLOCK ? MAX_BLOCK : size;
}

static uint8_t transfer(uint32_t offset)
{
	const struct image *image = &board->setup->new;
	uint32_t size = block_size();
	uint8_t counter = 0, nrc = 0;

	while (offset < image->length && nrc == 0) {
		uint32_t length = image->length - offset < size ? image->length - offset : size;
		request[0] = 0x36;
		request[1] = ++counter;
		memcpy(request + 2, image->bytes + offset, length);
		nrc = ask(2 + length);
		offset += length;
	}
	return nrc;
}

static uint32_t crc32_of(const uint8_t *bytes, uint32_t length)
{
	uint32_t crc = UINT32_MAX;

	for (uint32_t i = 0; i < length; i++) {
		crc ^= bytes[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1u)));
	}
	return ~crc;
}

/* Sometimes with a CRC, sometimes without: a resumed transfer goes without. */
static uint8_t end(uint32_t offset)
{
	at_stage(STAGE_END);
	request[0] = 0x37;
	if (offset > 0)
		return ask(1);
	be32(request + 1, crc32_of(board->setup->new.bytes, board->setup->new.length));
	return ask(5);
}

static uint8_t check(void)
{
	at_stage(STAGE_CHECK);
	board->shared->know.check = true;
	return routine(0xFF01, 0);
}

static uint8_t activate(void)
{
	at_stage(STAGE_ACTIVATE);
	board->shared->know.activation = true;
	return routine(0xF011, 0);
}

/* ---- the campaign -------------------------------------------------------------------------------------------------------- */

static uint8_t step(const char *name, uint8_t nrc)
{
	note(name, nrc);
	return nrc;
}

static uint8_t load(uint32_t offset)
{
	uint8_t nrc = step("offer", offer());

	if (nrc == 0 && offset == 0)
		nrc = step("erase", erase());
	if (nrc == 0)
		nrc = step(offset ? "request download, resumed" : "request download", begin(offset));
	if (nrc == 0)
		nrc = step("transfer", transfer(offset));
	if (nrc == 0)
		nrc = step("transfer exit", end(offset));
	if (nrc == 0 && !state_is(STATE_WRITTEN, "the transfer's end"))
		nrc = 0xFF;
	return nrc;
}

/* Behind the answer to the reset the process ends. */
static uint8_t switch_over(bool activated)
{
	uint8_t nrc = activated ? 0 : step("activate", activate());

	if (nrc != 0)
		return nrc;
	if (!state_is(STATE_ACTIVATED, "the activation"))
		return 0xFF;
	oracle_activated(board);
	if (board_found(board))
		return 0xFF;
	at_stage(STAGE_RESET);
	memcpy(request, "\x11\x01", 2);
	return ask(2);
}

/* What is there already counts at the first attempt; the second begins anew. */
static uint8_t campaign(const struct report *report, bool anew)
{
	uint8_t state = anew ? STATE_IDLE : report->state[0], nrc = 0;
	uint32_t bookmark = anew ? 0 : read_be32(report->resume);

	if (bookmark > 0 && memcmp(report->resume + 4, image_digest(&board->setup->new), 32) != 0)
		bookmark = 0;
	if (state != STATE_WRITTEN && state != STATE_VERIFIED && state != STATE_ACTIVATED)
		nrc = load(bookmark);
	if (nrc == 0 && state != STATE_VERIFIED && state != STATE_ACTIVATED) {
		nrc = step("check", check());
		if (nrc == 0 && !state_is(STATE_VERIFIED, "the check"))
			nrc = 0xFF;
	}
	return nrc == 0 ? switch_over(state == STATE_ACTIVATED) : nrc;
}

static void update(const struct report *report)
{
	struct board_shared *shared = board->shared;
	uint8_t nrc = 0;

	while (shared->attempts < MAX_ATTEMPTS && !board_found(board)) {
		nrc = unlock();
		if (nrc == 0)
			nrc = campaign(report, shared->attempts > 0);
		shared->attempts++;
	}
	if (!board_found(board))
		board_find(board, 9, "the update fails %u times, at last with NRC %02X at %s", shared->attempts, nrc,
		           stage_name((enum stage)shared->know.stage));
}

static void confirm(const struct report *report)
{
	struct knowledge *know = &board->shared->know;
	uint8_t nrc;

	if (report->state[0] == STATE_IDLE) {
		know->confirmed = true; /* the answer was lost, the confirmation was not */
		board->shared->goal = GOAL_REACHED;
		return;
	}
	nrc = unlock();
	at_stage(STAGE_CONFIRM);
	know->confirmation = true;
	if (nrc == 0)
		nrc = step("confirm", routine(0xF012, 0));
	if (nrc != 0) {
		board_find(board, 9, "image %s is not confirmed: NRC %02X", board->setup->new.name, nrc);
		return;
	}
	know->confirmed = true;
	at_stage(STAGE_AFTER);
	if (state_is(STATE_IDLE, "the confirmation"))
		board->shared->goal = GOAL_REACHED;
}

/* Trials go by until the old image runs; then the new one is not taken again. */
static void wait_for_rollback(const struct report *report, bool new_runs)
{
	struct knowledge *know = &board->shared->know;
	uint8_t nrc;

	board->shared->goal = GOAL_AGAIN;
	if (new_runs) {
		if (know->trials > SETUP_TRIALS)
			board_find(board, 3, "image %s ran %u times without confirmation, %u are allowed", board->setup->new.name,
			           know->trials, SETUP_TRIALS);
		return;
	}
	if (report->state[0] != STATE_ROLLED_BACK)
		board_find(board, 7, "image %s runs after the trials, FD50 tells state %u", board->setup->old.name, report->state[0]);
	know->rolled_back = true;
	nrc = unlock();
	if (nrc == 0)
		nrc = step("offer of what was rolled back", offer());
	at_stage(STAGE_AFTER);
	if (nrc != NRC_CONDITIONS)
		board_find(board, 6, "an image that was rolled back is offered again: NRC %02X, not 22", nrc);
	board->shared->goal = GOAL_REACHED;
}

/* Every boot on trial counts, also one that a cut ended: as many cuts as boots are allowed may use the trial up. */
static bool trial_used_up(const struct report *report)
{
	return board->shared->know.activation && report->state[0] == STATE_ROLLED_BACK && board->shared->cuts >= SETUP_TRIALS;
}

void tester_run(struct board *of)
{
	struct report report;
	bool new_runs = of->active != of->setup->bank;

	board = of;
	board->shared->goal = GOAL_NONE;
	node_start(board);
	if (board->shared->know.stage == STAGE_BOOT)
		at_stage(STAGE_INSPECT);
	if (!inspect(&report))
		return;
	if (new_runs && !board->shared->know.confirmed)
		board->shared->know.trials++;
	if (board->setup->scenario == SCENARIO_ROLLBACK && board->shared->know.activation)
		wait_for_rollback(&report, new_runs);
	else if (new_runs)
		confirm(&report);
	else if (trial_used_up(&report))
		wait_for_rollback(&report, false);
	else
		update(&report);
}
