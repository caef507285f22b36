/* SPDX-License-Identifier: Apache-2.0 */
#include "flash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rig_private.h"

/* What the driver has of it; err is set where it has nothing. */
#define HAS(board, member) ((board)->driver->flash && (board)->driver->flash->member)

static int cannot(const struct rig_board *board, const char *what, struct error *err)
{
	return error_set(err, ERROR_BENCH, EOPNOTSUPP, "%s: the driver %s cannot %s", board->role, board->driver->name, what);
}

static int of_board(const struct rig_board *board, int r, struct error *err)
{
	if (r < 0)
		error_prefix(err, "%s", board->role);
	return r;
}

/* Something was changed beside the product. */
static int changing(struct rig_board *board, int r, struct error *err)
{
	board->flash_changed = true;
	return of_board(board, r, err);
}

int rig_flash_geometry(struct rig_board *board, struct rig_flash_geometry *ret, struct error *err)
{
	return HAS(board, geometry) ? of_board(board, board->driver->flash->geometry(board, ret, err), err)
	                            : cannot(board, "tell the geometry of its flash", err);
}

int rig_flash_status(struct rig_board *board, struct rig_flash_status *ret, struct error *err)
{
	bool changed = false;
	if (!HAS(board, status))
		return cannot(board, "tell the state of its flash", err);
	int r = board->driver->flash->status(board, ret, &changed, err);
	if (r == 0 && changed)
		board->flash_changed = true;
	return of_board(board, r, err);
}

int rig_flash_read(struct rig_board *board, uint32_t address, void *buffer, size_t length, struct error *err)
{
	return HAS(board, read) ? of_board(board, board->driver->flash->read(board, address, buffer, length, err), err)
	                        : cannot(board, "read its flash", err);
}

int rig_flash_write(struct rig_board *board, uint32_t address, const void *data, size_t length, struct error *err)
{
	return HAS(board, write) ? changing(board, board->driver->flash->write(board, address, data, length, err), err)
	                         : cannot(board, "write its flash", err);
}

int rig_flash_erase(struct rig_board *board, uint32_t address, uint32_t length, struct error *err)
{
	return HAS(board, erase) ? changing(board, board->driver->flash->erase(board, address, length, err), err)
	                         : cannot(board, "erase its flash", err);
}

int rig_flash_defect(struct rig_board *board, const char *defect, uint32_t address, unsigned bit, struct error *err)
{
	return HAS(board, defect) ? changing(board, board->driver->flash->defect(board, defect, address, bit, err), err)
	                          : cannot(board, "make defects in its flash", err);
}

int rig_flash_heal(struct rig_board *board, struct error *err)
{
	return HAS(board, defect) ? of_board(board, board->driver->flash->defect(board, NULL, 0, 0, err), err)
	                          : cannot(board, "make defects in its flash", err);
}

int rig_flash_erases(struct rig_board *board, uint32_t address, uint32_t *ret_count, struct error *err)
{
	return HAS(board, erases) ? of_board(board, board->driver->flash->erases(board, address, ret_count, err), err)
	                          : cannot(board, "count the erases of its flash", err);
}

int rig_flash_digest(struct rig_board *board, uint32_t address, uint32_t length, uint8_t ret_digest[32], struct error *err)
{
	return HAS(board, digest) ? of_board(board, board->driver->flash->digest(board, address, length, ret_digest, err), err)
	                          : cannot(board, "digest its flash", err);
}

int rig_flash_save(struct rig_board *board, const char *path, struct error *err)
{
	return HAS(board, save) ? of_board(board, board->driver->flash->save(board, path, err), err) : cannot(board, "save its flash", err);
}

int rig_flash_load(struct rig_board *board, const char *path, struct error *err)
{
	return HAS(board, load) ? changing(board, board->driver->flash->load(board, path, err), err) : cannot(board, "load its flash", err);
}

int rig_flash_factory(struct rig_board *board, struct error *err)
{
	if (!HAS(board, factory))
		return cannot(board, "bring its flash back to the factory's state", err);
	int r = board->driver->flash->factory(board, err);
	if (r == 0)
		board->flash_changed = false;
	return of_board(board, r, err);
}

static int write_all(int fd, const uint8_t *data, size_t length)
{
	while (length) {
		ssize_t n = write(fd, data, length);
		if (n < 0 && errno != EINTR)
			return -errno;
		data += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int rig_flash_install(struct rig_board *board, int bank, const void *package, size_t length, struct error *err)
{
	char path[PATH_MAX];
	if (!HAS(board, install))
		return cannot(board, "install packages", err);
	snprintf(path, sizeof(path), "%s/install-%s-XXXXXX", board->rig->directory, board->role);
	int fd = mkostemp(path, O_CLOEXEC), r = fd < 0 ? -errno : write_all(fd, package, length);
	if (fd >= 0)
		close(fd);
	if (r < 0)
		error_set(err, ERROR_BENCH, -r, "cannot write %s: %s", path, strerror(-r));
	else
		r = board->driver->flash->install(board, bank, path, err);
	if (fd >= 0)
		unlink(path);
	return changing(board, r, err);
}

int rig_flash_cut(struct rig_board *board, const struct rig_cut *cut, struct error *err)
{
	if (!HAS(board, cut))
		return cannot(board, "cut the power at an operation of its flash", err);
	board->cut_armed = cut != NULL;
	return of_board(board, board->driver->flash->cut(board, cut, err), err);
}

int rig_board_supply(struct rig_board *board, uint32_t millivolts, struct error *err)
{
	if (!HAS(board, supply))
		return cannot(board, "change its supply's voltage", err);
	board->supply_changed = millivolts != RIG_SUPPLY_MV;
	return of_board(board, board->driver->flash->supply(board, millivolts, err), err);
}

bool rig_flash_changed(const struct rig_board *board)
{
	return board->flash_changed;
}

/* ---- what drivers tell ---- */

void board_flash_done(struct rig_board *board, json_t *stolen, struct instant at)
{
	const char *by = json_string_value(json_object_get(stolen, "by"));
	/* A bootloader keeps its book at every boot; whatever an application does to the flash is part of an update. */
	if (by && !strcmp(by, "application"))
		board->flash_changed = true;
	timeline_emit(board->rig->timeline, at, board->channel, "flash", stolen);
}

void board_flash_mapped(struct rig_board *board, int active, struct instant at)
{
	timeline_emit(board->rig->timeline, at, board->channel, "flash.map", json_pack("{s:s}", "active", active ? "B" : "A"));
}

/* ---- between cases ---- */

/* Whether the driver knows of a change that no event told yet. */
static int look(struct rig_board *board, struct error *err)
{
	struct rig_flash_status status;
	return board->flash_changed || !HAS(board, status) ? 0 : rig_flash_status(board, &status, err);
}

int board_flash_look(struct rig_board *board, struct error *err)
{
	int r = 0;
	if (board->cut_armed)
		r = rig_flash_cut(board, NULL, err);
	if (r == 0 && board->supply_changed)
		r = rig_board_supply(board, RIG_SUPPLY_MV, err);
	return r == 0 ? look(board, err) : r;
}
