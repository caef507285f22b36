/* SPDX-License-Identifier: Apache-2.0 */
#include "test_boot_cuts.h"

#include "../../faults/fault.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define CLASSES 5u

const struct flash_geometry cuts_geometry = {.name = "cuts",
                                             .bank_address = {0xA0000000, 0xA0300000},
                                             .bank_size = 0x8000,
                                             .bank_sector = 0x4000,
                                             .boot_size = 0x4000,
                                             .data_address = 0xAF000000,
                                             .data_size = 0x4000,
                                             .data_sector = 0x1000,
                                             .ucb_address = 0xAF400000,
                                             .ucb_count = 48,
                                             .ucb_size = 0x200,
                                             .bank_endurance = 1000,
                                             .data_endurance = 125000,
                                             .ucb_endurance = 100};

static const char *faults;
static enum port_reset_reason reset_reason;
static struct flash_cut present[2];
static unsigned depth;

void cuts_fault(const char *names)
{
	faults = names;
}

void cuts_reason(enum port_reset_reason reason)
{
	reset_reason = reason;
}

void cuts_reboot(void)
{
	fake_port_clear();
	fake_reset_reason_set(reset_reason);
	fake_flash_reset();
	fake_param_set("fault", faults);
	fault_load();
}

static void call(void *context)
{
	void (**function)(void) = context;

	(*function)();
}

bool cuts_run(void (*function)(void))
{
	enum fake_end end = fake_run(call, &function);

	ck_assert(end == FAKE_RETURNED || end == FAKE_POWER_LOST);
	return end == FAKE_RETURNED;
}

uint64_t cuts_operations(void)
{
	return flash_operations(fake_flash());
}

void cuts_print(void)
{
	for (unsigned i = 0; i < depth; i++)
		printf("cut %u: operation %llu phase %d class %u seed %llu\n", i, (unsigned long long)present[i].operation,
		       present[i].phase, present[i].torn, (unsigned long long)present[i].seed);
	fflush(stdout);
}

void cuts_note(const struct flash_cut *cut)
{
	if (depth < sizeof present / sizeof *present)
		present[depth++] = *cut;
}

void cuts_forget(void)
{
	depth = 0;
}

static void restore(const struct flash *snapshot)
{
	fake_flash_cut(NULL);
	flash_copy(fake_flash(), snapshot);
	cuts_reboot();
}

/* Number n of the ways to cut one operation: before it, during it in each class, after it. */
#define WAYS (CLASSES + 2)
static void cut_way(struct flash_cut *cut, unsigned n)
{
	cut->phase = n == 0 ? FLASH_BEFORE : n <= CLASSES ? FLASH_DURING : FLASH_AFTER;
	cut->torn = n >= 1 && n <= CLASSES ? n - 1 : 0;
}

static uint64_t count(const struct flash *snapshot, void (*function)(void))
{
	restore(snapshot);
	uint64_t before = cuts_operations();
	ck_assert(cuts_run(function));
	return cuts_operations() - before;
}

/* operate or recover until the cut, then a reset. */
static void run_into(void (*function)(void), const struct cuts *cuts)
{
	present[depth].operation = cuts_operations() + present[depth].operation;
	fake_flash_cut(&present[depth]);
	bool finished = cuts_run(function);
	fake_flash_cut(NULL);
	ck_assert(!finished);
	cuts_reboot();
	if (cuts->lost)
		cuts->lost();
}

unsigned cuts_stride(unsigned stride)
{
	return getenv("OTA_ALL_PAIRS") && stride > 0 ? 1 : stride;
}

static unsigned second_cuts(const struct cuts *cuts, const struct flash *snapshot, struct flash *scratch, unsigned runs)
{
	flash_copy(scratch, snapshot);
	const uint64_t operations = count(scratch, cuts->recover);
	const unsigned stride = cuts_stride(cuts->stride);
	unsigned done = 0;
	for (uint64_t n = 0; n < operations; n++) {
		for (unsigned way = 0; way < WAYS; way++) {
			if (stride == 0 || (runs + n * WAYS + way) % stride != 0)
				continue;
			restore(scratch);
			depth = 1;
			present[1] = (struct flash_cut){.operation = n, .seed = present[0].seed + n + way};
			cut_way(&present[1], way);
			run_into(cuts->recover, cuts);
			depth = 2;
			ck_assert(cuts_run(cuts->recover));
			cuts->check(false, true);
			done++;
		}
	}
	return done;
}

static unsigned first_cut(const struct cuts *cuts, const struct flash *start, struct flash *after, struct flash *scratch, unsigned runs)
{
	restore(start);
	depth = 0;
	run_into(cuts->operate, cuts);
	depth = 1;
	flash_copy(after, fake_flash());
	ck_assert(cuts_run(cuts->recover));
	cuts->check(false, true);
	return 1 + second_cuts(cuts, after, scratch, runs);
}

unsigned cuts_sweep(const struct cuts *cuts)
{
	struct flash *start = flash_new(&cuts_geometry, &flash_cost_tc375), *after = flash_new(&cuts_geometry, &flash_cost_tc375);
	struct flash *scratch = flash_new(&cuts_geometry, &flash_cost_tc375);
	unsigned runs = 0;
	flash_copy(start, fake_flash());
	const uint64_t operations = count(start, cuts->operate);
	for (uint64_t n = 0; n < operations; n++) {
		for (unsigned way = 0; way < WAYS; way++) {
			for (uint64_t seed = 1; seed <= cuts->seeds; seed++) {
				present[0] = (struct flash_cut){.operation = n, .seed = seed * 7919};
				cut_way(&present[0], way);
				runs += first_cut(cuts, start, after, scratch, runs);
			}
		}
	}
	depth = 0;
	restore(start);
	ck_assert(cuts_run(cuts->operate));
	cuts->check(true, false);
	flash_free(start);
	flash_free(after);
	flash_free(scratch);
	return runs;
}
