/* SPDX-License-Identifier: Apache-2.0 */
/* What a sweep does at every point, copy and hash, and programming; beside memcpy of the same bytes. */
#include "../../silicon/ssw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POINTS  200000u
#define WHOLES  1000u
#define ROUNDS  100u
#define BEGIN_B 0xA0304000u /* application area of bank B, sweep's geometry */
#define BYTES   0x4C000u
#define ALL     (2u * 0x50000u + 0x8000u + 48u * 512u)

static uint64_t sum; /* so that nothing is left out */

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void run_until_idle(struct flash *flash, uint64_t *now_ns)
{
	for (uint64_t next_ns; (next_ns = flash_poll(flash, *now_ns)) != FLASH_NEVER;)
		*now_ns = next_ns;
}

/* A point of a sweep: from a snapshot, an operation is torn; the state is hashed. */
static void measure_points(struct flash *flash, const struct flash *snapshot)
{
	uint8_t burst[FLASH_BURST];
	memset(burst, 0x5A, sizeof burst);
	const double begin_s = now_s();
	for (unsigned i = 0; i < POINTS; i++) {
		flash_copy(flash, snapshot);
		flash_program(flash, BEGIN_B + i * FLASH_BURST % BYTES, burst, FLASH_BURST, 0);
		flash_power_off(flash, i % 5, i, 1);
		sum += flash_hash(flash);
	}
	printf("copy, torn burst, hash:        %10.0f a second\n", POINTS / (now_s() - begin_s));
}

/* The worst that can be: every sector differs. */
static void measure_wholes(struct flash *flash, struct flash *a, struct flash *b)
{
	const double begin_s = now_s();
	for (unsigned i = 0; i < WHOLES; i++) {
		flash_copy(flash, i % 2 ? a : b);
		sum += flash_hash(flash);
	}
	const double copies = WHOLES / (now_s() - begin_s);
	uint8_t *from = malloc(ALL), *to = malloc(ALL);
	if (!from || !to)
		exit(EXIT_FAILURE);
	memset(from, 1, ALL);
	memset(to, 2, ALL);
	const double memory_s = now_s();
	for (unsigned i = 0; i < WHOLES; i++) {
		from[i] ^= 1;
		memcpy(to, from, ALL);
		sum += to[i];
	}
	const double memcpys = WHOLES / (now_s() - memory_s);
	printf("copy and hash, all different:  %10.0f a second, memcpy of the same bytes %10.0f: %.2f of it\n", copies, memcpys,
	       copies / memcpys);
	free(from);
	free(to);
}

static void measure_programs(struct flash *flash)
{
	uint8_t burst[FLASH_BURST];
	uint64_t now_ns = 0;
	double program_s = 0, read_s = 0, erase_s = 0;
	memset(burst, 0x5A, sizeof burst);
	static uint8_t all[BYTES];
	for (unsigned i = 0; i < ROUNDS; i++) {
		double begin_s = now_s();
		flash_erase(flash, BEGIN_B, BYTES / 0x4000, now_ns);
		run_until_idle(flash, &now_ns);
		erase_s += now_s() - begin_s;
		begin_s = now_s();
		for (uint32_t at = 0; at < BYTES; at += FLASH_BURST) {
			flash_program(flash, BEGIN_B + at, burst, FLASH_BURST, now_ns);
			run_until_idle(flash, &now_ns);
		}
		program_s += now_s() - begin_s;
		begin_s = now_s();
		if (flash_read(flash, BEGIN_B, all, BYTES) != FLASH_OK)
			exit(EXIT_FAILURE);
		sum += all[i];
		read_s += now_s() - begin_s;
	}
	const double memory_s = now_s();
	for (unsigned i = 0; i < ROUNDS; i++) {
		for (uint32_t at = 0; at < BYTES; at += FLASH_BURST) {
			burst[0]++;
			memcpy(all + at, burst, FLASH_BURST);
		}
		sum += all[i];
	}
	const double megabytes = (double)BYTES * ROUNDS * 1e-6, copied = megabytes / (now_s() - memory_s);
	const double bursts = (double)ROUNDS * BYTES / FLASH_BURST;
	printf("programs, bursts:              %10.0f a second, %5.0f MB/s, memcpy %5.0f MB/s\n", bursts / program_s, megabytes / program_s,
	       copied);
	printf("reads of a whole area:         %10.0f a second, %5.0f MB/s\n", ROUNDS / read_s, megabytes / read_s);
	printf("erases, sectors:               %10.0f a second\n", ROUNDS * (BYTES / 0x4000) / erase_s);
}

int main(void)
{
	static const uint32_t password[8] = {1};
	static uint8_t image[BYTES];
	struct flash *a = flash_new(&flash_sweep, &flash_cost_tc375), *b = flash_new(&flash_sweep, &flash_cost_tc375);
	struct flash *work = flash_new(&flash_sweep, &flash_cost_tc375);
	if (!a || !b || !work)
		return EXIT_FAILURE;
	ssw_factory(a, password);
	flash_copy(b, a);
	for (unsigned area = 0; area < 2; area++) {
		memset(image, 0x11, sizeof image);
		flash_factory_write(a, area ? BEGIN_B : 0xA0004000u, image, BYTES);
		memset(image, 0x22, sizeof image);
		flash_factory_write(b, area ? BEGIN_B : 0xA0004000u, image, BYTES);
	}
	flash_factory_erase(b, BEGIN_B, BYTES);
	measure_points(work, b);
	flash_factory_write(b, BEGIN_B, image, BYTES);
	measure_wholes(work, a, b);
	flash_power_on(work);
	measure_programs(work);
	printf("sum %llx\n", (unsigned long long)sum);
	flash_free(a);
	flash_free(b);
	flash_free(work);
	return EXIT_SUCCESS;
}
