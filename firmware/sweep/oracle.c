/* SPDX-License-Identifier: Apache-2.0 */
#include "oracle.h"

#include <stdio.h>
#include <string.h>

#define HEADER_SIZE 64u
#define CHUNK       16384u

enum { STATE_IDLE, STATE_OFFERED, STATE_WRITING, STATE_WRITTEN, STATE_VERIFIED, STATE_ACTIVATED, STATE_TRIAL, STATE_ROLLED_BACK };

static uint32_t area(const struct board *board, unsigned bank)
{
	const struct flash_geometry *geometry = flash_geometry(board->flash);

	return geometry->bank_address[bank] + geometry->boot_size;
}

/* ---- what lies in a bank ------------------------------------------------------------------------------------------- */

/* Offset of the first byte that differs, `length` when none does. Cells as they are: a weak page is another matter. */
static uint32_t first_difference(const struct board *board, unsigned bank, const struct image *image, uint32_t length)
{
	static uint8_t buffer[CHUNK];

	for (uint32_t at = 0; at < length; at += CHUNK) {
		uint32_t part = length - at < CHUNK ? length - at : CHUNK;
		if (flash_peek(board->flash, area(board, bank) + at, buffer, part) != FLASH_OK)
			return at;
		if (memcmp(buffer, image->bytes + at, part) == 0)
			continue;
		for (uint32_t i = 0; i < part; i++) {
			if (buffer[i] != image->bytes[at + i])
				return at + i;
		}
	}
	return length;
}

/* Address of the first page that is not good, 0 when all are. */
static uint32_t first_unsure(const struct board *board, unsigned bank, uint32_t length, enum flash_page_state *ret_state)
{
	uint32_t begin = area(board, bank);

	for (uint32_t at = 0; at < length; at += FLASH_PAGE) {
		*ret_state = flash_page_state(board->flash, begin + at);
		if (*ret_state != FLASH_GOOD)
			return begin + at;
	}
	return 0;
}

bool oracle_bank_holds(struct board *board, unsigned bank, const struct image *image, uint32_t length)
{
	enum flash_page_state state;

	return first_difference(board, bank, image, length) == length && first_unsure(board, bank, length, &state) == 0;
}

static const char *page_name(enum flash_page_state state)
{
	static const char *const names[] = {"erased", "good", "torn", "weak", "bad"};

	return names[state];
}

/* ---- what runs ------------------------------------------------------------------------------------------------------ */

static const struct image *identify(struct board *board)
{
	const struct setup *setup = board->setup;
	const struct image *images[] = {&setup->old, &setup->new, &setup->older};
	const struct ota_boot_result *boot = &board->shared->boot;
	uint32_t begin = flash_geometry(board->flash)->bank_address[0] + flash_geometry(board->flash)->boot_size + HEADER_SIZE;

	for (unsigned i = 0; i < 3; i++) {
		uint32_t size = image_software_size(images[i]);
		if (boot->address == begin && boot->length == size &&
		    first_difference(board, board->active, images[i], images[i]->length) == images[i]->length)
			return images[i];
	}
	return NULL;
}

/* I3 and I6: which of the two it may be is decided by what was asked for and answered. */
static void judge_choice(struct board *board, const struct image *image)
{
	const struct setup *setup = board->setup;
	struct knowledge *know = &board->shared->know;

	if (image == &setup->older)
		board_find(board, 2, "image %s of before runs", image->name);
	else if (image == &setup->new && !know->activation)
		board_find(board, 6, "image %s runs and nobody asked for its activation", image->name);
	else if (image == &setup->new && know->rolled_back)
		board_find(board, 3, "image %s runs again after it was rolled back", image->name);
	else if (image == &setup->old && know->confirmed)
		board_find(board, 3, "image %s runs though %s was confirmed", image->name, setup->new.name);
}

const struct image *oracle_running(struct board *board)
{
	enum flash_page_state state;
	const struct image *image = identify(board);
	uint32_t unsure;

	if (!image) {
		board_find(board, 2, "what runs (%u bytes at %08X, bank %c) is none of the images", board->shared->boot.length,
		           board->shared->boot.address, "AB"[board->active]);
		return NULL;
	}
	unsure = first_unsure(board, board->active, image->length, &state);
	if (unsure != 0)
		board_find(board, 1, "image %s runs with a page that is %s at %08X", image->name, page_name(state), unsure);
	judge_choice(board, image);
	board_trace(board, "image %s runs from bank %c%s", image->name, "AB"[board->active],
	            board -> shared -> boot.trial ? " on trial" : "");
	return board_found(board) ? NULL : image;
}

/* ---- swap blocks ------------------------------------------------------------------------------------------------------ */

static bool block_sure(struct board *board, uint32_t block, uint32_t *ret_address, enum flash_page_state *ret_state)
{
	uint32_t size = SSW_SWAP_ENTRIES * SSW_SWAP_ENTRY_SIZE;

	for (*ret_address = block; *ret_address < block + size; *ret_address += FLASH_DATA_PAGE) {
		*ret_state = flash_page_state(board->flash, *ret_address);
		if (*ret_state == FLASH_WEAK)
			return false;
	}
	return true;
}

/* A watchdog's reset is no system reset: an activation goes on waiting for one. */
static bool activation_waits(const struct board *board)
{
	return board->reason == PORT_REASON_WATCHDOG && board->shared->know.activation;
}

bool oracle_swap_settled(struct board *board)
{
	static const uint32_t blocks[] = {FLASH_UCB_SWAP_ORIG, FLASH_UCB_SWAP_COPY};
	enum flash_page_state state;
	struct ssw_result result;
	uint32_t address;

	for (unsigned i = 0; i < 2; i++) {
		if (!block_sure(board, blocks[i], &address, &state))
			board_find(board, 3, "after the boot UCB_SWAP_%s has a page that is %s at %08X", i ? "COPY" : "ORIG",
			           page_name(state), address);
	}
	ssw_evaluate(board->flash, SSW_STOP, &result);
	if (result.orig_entry < 0 || result.copy_entry < 0)
		board_find(board, 3, "after the boot UCB_SWAP_%s has no valid entry", result.orig_entry < 0 ? "ORIG" : "COPY");
	else if (result.contradiction)
		board_find(board, 3, "after the boot UCB_SWAP ORIG and COPY contradict each other");
	else if (result.active != board->active && !activation_waits(board))
		board_find(board, 3, "after the boot UCB_SWAP names bank %c, bank %c runs", "AB"[result.active], "AB"[board->active]);
	return !board_found(board);
}

void oracle_activated(struct board *board)
{
	const struct image *candidate = &board->setup->new;
	unsigned bank = board->active ^ 1u;
	struct ssw_result result;

	ssw_evaluate(board->flash, SSW_STOP, &result);
	if (result.orig_entry < 0 || result.copy_entry < 0 || result.contradiction || result.active != bank)
		board_find(board, 3, "activation was answered, but UCB_SWAP does not name bank %c in both blocks (entries %d, %d)",
		           "AB"[bank], result.orig_entry, result.copy_entry);
	if (!oracle_bank_holds(board, bank, candidate, candidate->length))
		board_find(board, 6, "activated, but bank %c does not hold image %s whole", "AB"[bank], candidate -> name);
}

/* ---- what the board tells ------------------------------------------------------------------------------------------------ */

static uint32_t big_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static const struct image *running_image(const struct board *board)
{
	return board->active == board->setup->bank ? &board->setup->old : &board->setup->new;
}

static void judge_identity(struct board *board, const struct report *report)
{
	const struct image *image = running_image(board);
	const uint8_t *v = image_version(image);
	char version[24];

	snprintf(version, sizeof(version), "%u.%u.%u.%u", v[0], v[1], v[2], v[3]);
	if (strcmp(version, report->version) != 0)
		board_find(board, 7, "F195 tells %s, what runs is %s", report->version, version);
	if (memcmp(report->digest, image_digest(image), sizeof(report->digest)) != 0)
		board_find(board, 7, "FD51 is not the digest of image %s, which runs", image->name);
	if (report->state[1] != board->active)
		board_find(board, 7, "FD50 tells bank %u, bank %u is mapped", report->state[1], board->active);
}

/* Which states fit what runs and what was asked for. */
static bool state_possible(const struct board *board, uint8_t state)
{
	const struct knowledge *know = &board->shared->know;

	if (running_image(board) == &board->setup->new)
		return state == (know->confirmed ? STATE_IDLE : STATE_TRIAL) || (know->confirmation && state == STATE_IDLE);
	if ((know->activation && state == STATE_ROLLED_BACK) || (state == STATE_ACTIVATED && activation_waits(board)))
		return true;
	return state == STATE_IDLE || (state >= STATE_WRITING && state <= STATE_VERIFIED);
}

static void judge_state(struct board *board, const struct report *report)
{
	const struct image *candidate = &board->setup->new;
	uint8_t state = report->state[0];
	unsigned other = board->active ^ 1u;

	if (!state_possible(board, state))
		board_find(board, 7, "FD50 tells state %u while image %s runs (activation %s, confirmation %s)", state,
		           running_image(board)->name, board->shared->know.activation ? "asked for" : "not asked for",
		           board->shared->know.confirmed ? "answered" : "not answered");
	else if ((state == STATE_WRITTEN || state == STATE_VERIFIED) && !oracle_bank_holds(board, other, candidate, candidate->length))
		board_find(board, state == STATE_VERIFIED ? 6 : 7, "FD50 tells state %u, but bank %c does not hold image %s whole", state,
		           "AB"[other], candidate -> name);
	else if (state == STATE_VERIFIED && !board->shared->know.check)
		board_find(board, 6, "FD50 tells state 4 (verified), nobody asked for a check");
}

static void judge_bookmark(struct board *board, uint32_t bookmark, const char *did)
{
	const struct image *candidate = &board->setup->new;
	unsigned other = board->active ^ 1u;

	if (bookmark > candidate->length || !oracle_bank_holds(board, other, candidate, bookmark))
		board_find(board, 7, "%s tells that %u bytes are surely in bank %c, they are not", did, bookmark, "AB"[other]);
}

static void judge_resume(struct board *board, const struct report *report)
{
	static const uint8_t none[36];

	judge_bookmark(board, big_u32(report->state + 12), "FD50");
	if (memcmp(report->resume, none, sizeof(none)) == 0)
		return;
	if (memcmp(report->resume + 4, image_digest(&board->setup->new), 32) != 0)
		board_find(board, 7, "FD52 tells of a download that was never offered");
	else
		judge_bookmark(board, big_u32(report->resume), "FD52");
}

static void judge_counter(struct board *board, const struct report *report)
{
	struct knowledge *know = &board->shared->know;
	uint32_t counter = big_u32(report->state + 8);

	if (counter < know->counter)
		board_find(board, 4, "the security counter fell from %u to %u", know->counter, counter);
	if (counter > image_counter(&board->setup->old) && !know->confirmation)
		board_find(board, 4, "the security counter is %u and nobody asked for a confirmation", counter);
	if (counter > image_counter(running_image(board)))
		board_find(board, 4, "image %s runs with counter %u, the board's is %u", running_image(board)->name,
		           image_counter(running_image(board)), counter);
	if (know->confirmed && counter != image_counter(&board->setup->new))
		board_find(board, 4, "image %s is confirmed, the security counter is %u", board->setup->new.name, counter);
	know->counter = counter;
}

void oracle_report(struct board *board, const struct report *report)
{
	judge_identity(board, report);
	judge_state(board, report);
	judge_resume(board, report);
	judge_counter(board, report);
}

/* ---- wear ------------------------------------------------------------------------------------------------------------------ */

static uint32_t most(const struct flash *flash, const struct flash *before, uint32_t address, uint32_t size, uint32_t sector)
{
	uint32_t result = 0;

	for (uint32_t at = address; at < address + size; at += sector) {
		uint32_t erases = flash_erases(flash, at) - flash_erases(before, at);
		if (erases > result)
			result = erases;
	}
	return result;
}

void oracle_wear_measure(const struct flash *flash, const struct flash *before, struct wear *ret_wear)
{
	const struct flash_geometry *g = flash_geometry(flash);
	uint32_t a = most(flash, before, g->bank_address[0], g->bank_size, g->bank_sector);
	uint32_t b = most(flash, before, g->bank_address[1], g->bank_size, g->bank_sector);

	ret_wear->bank = a > b ? a : b;
	ret_wear->data = most(flash, before, g->data_address, g->data_size, g->data_sector);
	ret_wear->ucb = most(flash, before, g->ucb_address, g->ucb_count * g->ucb_size, g->ucb_size);
}

/* The budget of an update without a cut, and what each cut may add (docs/reference/sweep.md). */
void oracle_wear(struct board *board, const struct flash *before, unsigned cuts)
{
	struct wear wear;

	oracle_wear_measure(board->flash, before, &wear);
	if (wear.bank > 1 + 2 * cuts)
		board_find(board, 8, "a sector of a bank was erased %u times, %u are allowed", wear.bank, 1 + 2 * cuts);
	if (wear.data > 4 + 4 * cuts)
		board_find(board, 8, "a sector of DFLASH was erased %u times, %u are allowed", wear.data, 4 + 4 * cuts);
	if (wear.ucb > 1 + 2 * cuts)
		board_find(board, 8, "a UCB was erased %u times, %u are allowed", wear.ucb, 1 + 2 * cuts);
}
