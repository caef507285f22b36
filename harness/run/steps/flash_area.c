/* SPDX-License-Identifier: Apache-2.0 */
#include "flash_area.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Numbers of the user configuration blocks (TC3xx: docs/reference/flash.md). */
#define UCB_BMHD_ORIG 0u
#define UCB_BMHD_COPY 8u
#define UCB_SWAP_ORIG 23u
#define UCB_SWAP_COPY 31u
/* Bytes of TC3xx (docs/reference/flash.md). */
#define PAGE        32u
#define DATA_PAGE   8u
#define DATA_SECTOR 4096u

const char *const flash_area_names[] = {"A",    "B",   "running",   "other",     "running-application", "other-application",
                                        "data", "ucb", "swap-orig", "swap-copy", "bmhd-orig",           "bmhd-copy",
                                        NULL};

static bool bank_of_name(const char *name, int active, struct flash_area *ret)
{
	if (strcmp(name, "A") == 0 || strcmp(name, "B") == 0)
		ret->bank = name[0] == 'B';
	else if (strncmp(name, "running", 7) == 0)
		ret->bank = active;
	else if (strncmp(name, "other", 5) == 0)
		ret->bank = !active;
	else
		return false;
	return true;
}

static struct flash_area ucb_of_name(const char *name, const struct rig_flash_geometry *geometry)
{
	static const struct {
		const char *name;
		uint32_t number;
	} blocks[] = {
	        {"swap-orig", UCB_SWAP_ORIG}, {"swap-copy", UCB_SWAP_COPY}, {"bmhd-orig", UCB_BMHD_ORIG}, {"bmhd-copy", UCB_BMHD_COPY}};
	struct flash_area area = {geometry->ucb, geometry->ucb_size * geometry->ucb_count, -1};

	for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
		if (strcmp(name, blocks[i].name) == 0) {
			area.address += blocks[i].number * geometry->ucb_size;
			area.length = geometry->ucb_size;
		}
	}
	return area;
}

int flash_area_find(struct rig_board *board, const char *name, struct flash_area *ret, struct error *err)
{
	struct rig_flash_geometry geometry;
	struct rig_flash_status status;
	struct flash_area area = {.bank = -1};
	int r = rig_flash_geometry(board, &geometry, err);

	if (r == 0)
		r = rig_flash_status(board, &status, err);
	if (r < 0)
		return r;
	if (bank_of_name(name, status.active, &area)) {
		uint32_t skip = strstr(name, "-application") ? geometry.boot_size : 0;

		area.address = geometry.bank[area.bank] + skip;
		area.length = geometry.bank_size - skip;
	} else if (strcmp(name, "data") == 0) {
		area = (struct flash_area){geometry.data, geometry.data_size, -1};
	} else {
		area = ucb_of_name(name, &geometry);
	}
	*ret = area;
	return 0;
}

bool flash_area_at(const struct rig_flash_geometry *geometry, uint32_t address, struct flash_area *ret)
{
	const struct flash_area all[] = {{geometry->bank[0], geometry->bank_size, 0},
	                                 {geometry->bank[1], geometry->bank_size, 1},
	                                 {geometry->data, geometry->data_size, -1},
	                                 {geometry->ucb, geometry->ucb_size * geometry->ucb_count, -1}};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (address < all[i].address || address - all[i].address >= all[i].length)
			continue;
		*ret = (struct flash_area){address, all[i].length - (address - all[i].address), all[i].bank};
		return true;
	}
	return false;
}

uint32_t flash_area_unit(const struct rig_flash_geometry *geometry, uint32_t address, bool erase)
{
	struct flash_area area;
	bool known = flash_area_at(geometry, address, &area);

	if (known && area.bank >= 0)
		return erase ? geometry->sector_size : PAGE;
	if (!erase)
		return DATA_PAGE;
	return address - geometry->ucb < geometry->ucb_size * geometry->ucb_count ? geometry->ucb_size : DATA_SECTOR;
}

int flash_area_aligned(struct rig_board *board, const struct flash_area *area, uint64_t length, bool erase, struct place place,
                       struct error *err)
{
	struct rig_flash_geometry geometry;
	uint32_t unit;
	int r = rig_flash_geometry(board, &geometry, err);

	if (r < 0)
		return r;
	unit = flash_area_unit(&geometry, area->address, erase);
	if (length > area->length)
		return error_set_place(err, ERROR_TESTCASE, ERANGE, place,
		                       "%" PRIu64 " bytes from 0x%08" PRIx32 " go over the end of the area", length, area->address);
	if (length == 0 || area->address % unit || length % unit)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, place,
		                       "%" PRIu64 " bytes from 0x%08" PRIx32 " are not whole %s: those have %" PRIu32 " bytes there",
		                       length, area->address, erase ? "sectors" : "pages", unit);
	return 0;
}

int flash_area_of_call(struct step_context *context, const struct step_call *call, struct rig_board *board, struct flash_area *ret,
                       struct error *err)
{
	struct rig_flash_geometry geometry;
	const char *name;
	int64_t address, offset;
	int r;

	if ((r = step_arg_text(context, call, "area", &name, err)) < 0 ||
	    (r = step_arg_integer(context, call, "offset", 0, &offset, err)) < 0 ||
	    (r = step_arg_integer(context, call, "address", -1, &address, err)) < 0)
		return r;
	if (address >= 0) {
		r = rig_flash_geometry(board, &geometry, err);
		if (r == 0 && !flash_area_at(&geometry, (uint32_t)address, ret))
			r = error_set_place(err, ERROR_TESTCASE, ERANGE, call->place,
			                    "no flash of %s lies at 0x%" PRIx64 ": addresses are physical", rig_board_role(board),
			                    (uint64_t)address);
		return r;
	}
	if (!name)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, call->place, "the step needs `area` or `address`");
	r = flash_area_find(board, name, ret, err);
	if (r < 0)
		return r;
	if (offset >= ret->length)
		return error_set_place(err, ERROR_TESTCASE, ERANGE, call->place, "`offset` is outside area %s (0x%x bytes)", name,
		                       ret->length);
	ret->address += (uint32_t)offset;
	ret->length -= (uint32_t)offset;
	return 0;
}
