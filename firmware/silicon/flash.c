/* SPDX-License-Identifier: Apache-2.0 */
#include "flash.h"

#include "flash_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct flash *flash_prepare(const struct flash_geometry *geometry, const struct flash_cost *cost)
{
	struct flash *flash = calloc(1, sizeof *flash);
	if (!flash)
		return NULL;
	flash->geometry = *geometry;
	flash->cost = *cost;
	flash->fd = -1;
	flash->powered = true;
	flash->mapping = MAP_FAILED;
	if (flash_lay_out(flash) > 0) {
		flash->version = calloc(flash->sectors, sizeof *flash->version);
		flash->hash = calloc(flash->sectors, sizeof *flash->hash);
		if (flash->version && flash->hash)
			return flash;
	}
	flash_free(flash);
	return NULL;
}

struct flash *flash_new(const struct flash_geometry *geometry, const struct flash_cost *cost)
{
	struct flash *flash = flash_prepare(geometry, cost);
	if (!flash)
		return NULL;
	flash->mapping_size = flash->image_size;
	flash->mapping = mmap(NULL, flash->mapping_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (flash->mapping == MAP_FAILED) {
		flash_free(flash);
		return NULL;
	}
	flash_set_image(flash, flash->mapping);
	return flash;
}

void flash_free(struct flash *flash)
{
	if (!flash)
		return;
	flash_file_close(flash);
	if (flash->mapping != MAP_FAILED)
		munmap(flash->mapping, flash->mapping_size);
	free(flash->version);
	free(flash->hash);
	free(flash);
}

const struct flash_geometry *flash_geometry(const struct flash *flash)
{
	return &flash->geometry;
}

/* ---- protection of the UCB ---------------------------------------------------------------------------------------- */

static bool read_password(struct flash *flash, uint32_t words[8])
{
	static const uint32_t places[] = {FLASH_PASSWORD, FLASH_PASSWORD_COPY};
	uint8_t bytes[32];
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		if (flash_read(flash, places[i], bytes, sizeof bytes) != FLASH_OK)
			continue;
		for (size_t k = 0; k < 8; k++) {
			const uint8_t *b = bytes + 4 * k;
			words[k] = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
		}
		return true;
	}
	return false;
}

enum flash_status flash_unlock(struct flash *flash, const uint32_t password[8])
{
	uint32_t words[8];
	if (!flash->powered || flash->commands[2].active)
		return FLASH_BUSY;
	if (flash->locked_out)
		return FLASH_PROTECTED;
	if (!read_password(flash, words) || memcmp(words, password, sizeof words) != 0) {
		flash->unlocked = false;
		flash->locked_out = true;
		return FLASH_PROTECTED;
	}
	flash->unlocked = true;
	return FLASH_OK;
}

void flash_lock(struct flash *flash)
{
	flash->unlocked = false;
}

bool flash_unlocked(const struct flash *flash)
{
	return flash->unlocked;
}

void flash_reset(struct flash *flash)
{
	flash->unlocked = flash->locked_out = false;
}
