/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that were damaged: the input is patches of a right snapshot (offset u32, byte; the first byte chooses whether the
 * checksums are mended, the next three shorten the file). What is taken has to be a flash that works and saves the same.
 */
#include "../../silicon/flash_private.h"
#include "../../silicon/ssw.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEADER 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct flash_geometry geometry;
static uint8_t *right, *file;
static size_t length;

static void check(bool well)
{
	if (!well)
		__builtin_trap();
}

/* A small flash with a page of every state. */
static struct flash *make(void)
{
	static const uint32_t password[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	static const uint8_t page[FLASH_PAGE] = {0x5A, 1, 2, 3};
	geometry = flash_sweep;
	geometry.bank_size = 2048;
	geometry.bank_sector = geometry.boot_size = geometry.data_sector = 512;
	geometry.data_size = 1024;
	struct flash *flash = flash_new(&geometry, &flash_cost_tc375);
	check(flash != NULL);
	ssw_factory(flash, password);
	for (unsigned torn = FLASH_T0; torn <= FLASH_T4; torn++) {
		flash_program(flash, geometry.bank_address[1] + 512 + 32 * torn, page, sizeof page, 0);
		flash_power_off(flash, torn, torn, 1);
		flash_power_on(flash);
	}
	return flash;
}

static void begin(void)
{
	char name[64];
	struct flash *flash = make();
	const int fd = memfd_create("flash", MFD_CLOEXEC);
	snprintf(name, sizeof name, "%s/fuzz-flash-%d", P_tmpdir, (int)getpid());
	check(fd >= 0 && flash_save(flash, name) == 0);
	const int saved = open(name, O_RDONLY | O_CLOEXEC);
	unlink(name);
	length = (size_t)lseek(saved, 0, SEEK_END);
	right = malloc(length);
	file = malloc(length);
	check(right && file && pread(saved, right, length, 0) == (ssize_t)length);
	close(saved);
	close(fd);
	flash_free(flash);
}

/* Uses what was taken. */
static void use(struct flash *flash)
{
	uint8_t bytes[2048];
	struct ssw_result result;
	for (unsigned i = 0; i < 4; i++) {
		flash_read(flash, geometry.bank_address[i % 2], bytes, geometry.bank_size);
		flash_read(flash, geometry.data_address, bytes, geometry.data_size);
		ssw_evaluate(flash, SSW_ORIG_WINS, &result);
	}
	const uint64_t hash = flash_hash(flash);
	struct flash *copy = flash_new(&geometry, &flash_cost_tc375);
	flash_copy(copy, flash);
	check(flash_equal(copy, flash) && flash_hash(copy) == hash);
	flash_erase(flash, geometry.bank_address[1] + 512, 3, 0);
	flash_program(flash, geometry.data_address, bytes, FLASH_DATA_PAGE, 0);
	flash_poll(flash, UINT64_C(1) << 40);
	check(flash_page_state(flash, geometry.bank_address[1] + 512) == FLASH_ERASED);
	flash_free(copy);
}

/* The header's checksum and no seal, so that what is behind them is reached. */
static void mend(void)
{
	const size_t checksum = 8 + 8 + sizeof(struct flash_geometry) + 8;
	const uint64_t sum = flash_digest(1, file, checksum);
	memcpy(file + checksum, &sum, sizeof sum);
	memset(file + checksum + 8, 0, 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[64];
	if (!right)
		begin();
	if (size < 4)
		return 0;
	memcpy(file, right, length);
	const uint32_t shorter = data[1] | (uint32_t)data[2] << 8 | (uint32_t)data[3] << 16;
	for (size_t at = 4; at + 5 <= size; at += 5) {
		const uint32_t offset =
		        data[at] | (uint32_t)data[at + 1] << 8 | (uint32_t)data[at + 2] << 16 | (uint32_t)data[at + 3] << 24;
		file[offset % length] = data[at + 4];
	}
	if (data[0] & 1)
		mend();
	const int fd = memfd_create("flash", MFD_CLOEXEC);
	const size_t left = shorter < length ? length - shorter : 0;
	check(fd >= 0 && write(fd, file, left) == (ssize_t)left);
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	struct flash *flash = flash_new(&geometry, &flash_cost_tc375);
	check(flash != NULL);
	const uint64_t untouched = flash_hash(flash);
	const int r = flash_load(flash, name);
	check(r == 0 || r == -EPROTO || r == -EDOM);
	check(r == 0 || flash_hash(flash) == untouched);
	check(shorter == 0 || r != 0);
	if (r == 0)
		use(flash);
	flash_free(flash);
	close(fd);
	return 0;
}
