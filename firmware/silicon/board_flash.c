/* SPDX-License-Identifier: Apache-2.0 */
#include "board.h"

#include "board_factory.h"
#include "board_wire.h"
#include "instant.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAGIC      0x53575047u
#define TYPE_BOOT  2
#define LATENCY_NS UINT64_C(50000000) /* more than this machine can have taken */

/* ---- the factory ---------------------------------------------------------------------------------------------- */

static int no_room(const char *what, size_t length, size_t room, char *error, size_t error_size)
{
	snprintf(error, error_size, "%s: %zu bytes do not fit into the %zu of the flash", what, length, room);
	return -1;
}

static int write_bootloader(struct board *board, struct flash *flash, char *error, size_t error_size)
{
	const struct flash_geometry *g = board->flash.geometry;
	struct factory_bytes bytes;
	if (factory_program(board->boot_path, TYPE_BOOT, &bytes, error, error_size) < 0)
		return -1;
	int r = bytes.length > g->boot_size ? no_room(board->boot_path, bytes.length, g->boot_size, error, error_size) : 0;
	for (int bank = 0; bank < 2 && r == 0; bank++)
		flash_factory_write(flash, g->bank_address[bank], bytes.data, bytes.length);
	free(bytes.data);
	return r;
}

static int write_bank(struct board *board, struct flash *flash, unsigned bank, struct factory_bytes *bytes, const char *path, char *error,
                      size_t error_size)
{
	const struct flash_geometry *g = board->flash.geometry;
	const uint32_t size = g->bank_size - g->boot_size, address = g->bank_address[bank] + g->boot_size;
	int r = bytes->length > size ? no_room(path, bytes->length, size, error, error_size) : 0;
	if (r == 0) {
		flash_factory_erase(flash, address, size);
		flash_factory_write(flash, address, bytes->data, bytes->length);
	}
	free(bytes->data);
	return r;
}

static int write_package(struct board *board, struct flash *flash, unsigned bank, const char *path, char *error, size_t error_size)
{
	struct factory_bytes bytes;
	const struct flash_geometry *g = board->flash.geometry;
	if (factory_package(path, g->bank_size - g->boot_size, &bytes, error, error_size) < 0)
		return -1;
	return write_bank(board, flash, bank, &bytes, path, error, error_size);
}

static int write_application(struct board *board, struct flash *flash, char *error, size_t error_size)
{
	struct factory_bytes bytes;
	if (!board->flash.application_path)
		return 0;
	if (factory_program(board->flash.application_path, 1, &bytes, error, error_size) < 0)
		return -1;
	return write_bank(board, flash, 0, &bytes, board->flash.application_path, error, error_size);
}

/* Into an erased flash. */
static int provision(struct board *board, struct flash *flash, char *error, size_t error_size)
{
	ssw_factory(flash, board->flash.password);
	int r = write_bootloader(board, flash, error, error_size);
	if (r == 0)
		r = write_application(board, flash, error, error_size);
	for (unsigned bank = 0; bank < 2 && r == 0; bank++) {
		if (board->flash.package_path[bank])
			r = write_package(board, flash, bank, board->flash.package_path[bank], error, error_size);
	}
	return r;
}

/* A file appears whole or not at all: whoever is killed while it is written leaves no board that was never finished. */
static struct flash *make_file(struct board *board, char *error, size_t error_size)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof path, "%s.%d.new", board->flash.path, (int)getpid()) >= (int)sizeof path) {
		snprintf(error, error_size, "%s: %s", board->flash.path, strerror(ENAMETOOLONG));
		return NULL;
	}
	unlink(path);
	struct flash *flash = flash_open(path, board->flash.geometry, &flash_cost_tc375, error, error_size);
	int r = flash ? provision(board, flash, error, error_size) : -1;
	if (r == 0 && link(path, board->flash.path) < 0) {
		snprintf(error, error_size, "%s: %s", board->flash.path, errno == EEXIST ? "in use by another board" : strerror(errno));
		r = -1;
	}
	unlink(path);
	if (r == 0)
		return flash;
	flash_free(flash);
	return NULL;
}

static struct flash *make_memory(struct board *board, char *error, size_t error_size)
{
	struct flash *flash = flash_new(board->flash.geometry, &flash_cost_tc375);
	if (!flash) {
		snprintf(error, error_size, "flash: %s", strerror(ENOMEM));
		return NULL;
	}
	if (provision(board, flash, error, error_size) == 0)
		return flash;
	flash_free(flash);
	return NULL;
}

static void watch_flash(struct board *board)
{
	flash_watch_set(board->flash.flash, board_flash_watch, board);
	flash_watch_end_set(board->flash.flash, board_flash_watch_end, board);
	flash_power_off(board->flash.flash, 0, 0, instant_ns());
	ssw_evaluate(board->flash.flash, board->flash.policy, &board->flash.ssw);
}

int board_flash_open(struct board *board, char *error, size_t error_size)
{
	struct board_flash *f = &board->flash;
	f->supply_mv = BOARD_SUPPLY_MV;
	f->next_ns = INSTANT_NEVER;
	if (!f->path)
		f->flash = make_memory(board, error, error_size);
	else if (access(f->path, F_OK) == 0)
		f->flash = flash_open(f->path, f->geometry, &flash_cost_tc375, error, error_size);
	else
		f->flash = make_file(board, error, error_size);
	if (!f->flash)
		return -1;
	watch_flash(board);
	return 0;
}

void board_flash_close(struct board *board)
{
	flash_free(board->flash.flash);
	board->flash.flash = NULL;
}

int board_flash_factory(struct board *board, char *error, size_t error_size)
{
	struct flash *fresh = make_memory(board, error, error_size);
	if (!fresh)
		return -1;
	board_flash_settle(board);
	board_cut_disarm(board);
	flash_defects_clear(board->flash.flash);
	flash_copy(board->flash.flash, fresh);
	flash_free(fresh);
	if (!board->powered)
		flash_power_off(board->flash.flash, 0, 0, instant_ns());
	board->flash.changed = false;
	return 0;
}

int board_flash_install(struct board *board, unsigned bank, const char *path, char *error, size_t error_size)
{
	return write_package(board, board->flash.flash, bank, path, error, error_size);
}

/* ---- power and reset ------------------------------------------------------------------------------------------- */

void board_flash_power_on(struct board *board)
{
	flash_power_on(board->flash.flash);
	flash_reset(board->flash.flash);
	board->flash.next_ns = INSTANT_NEVER;
}

/* What a loss of power leaves is chance; it is the same chance whenever the same board is run the same way. */
static uint64_t chance(const struct board *board)
{
	uint64_t x = straps_get_u32(&board->straps, "flash.seed", 1) * UINT64_C(0x9E3779B97F4A7C15);
	x ^= board->boots * UINT64_C(0xBF58476D1CE4E5B9) ^ flash_operations(board->flash.flash);
	x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
	return x ^ x >> 31;
}

void board_flash_power_off(struct board *board)
{
	uint64_t now_ns = instant_ns(), seed = chance(board);
	flash_arm(board->flash.flash, NULL, NULL, NULL);
	board->flash.cut.chosen = false;
	if (!board->flash.cut.hit)
		flash_power_off(board->flash.flash, (unsigned)(seed % 5), seed >> 8, now_ns);
	for (unsigned area = 0; area < BOARD_FLASH_AREAS; area++) {
		if (board->flash.work[area].busy)
			board_flash_ended(board, area, "cut", now_ns);
	}
	board_flash_tell(board);
	board->flash.next_ns = INSTANT_NEVER;
}

void board_flash_reset(struct board *board)
{
	flash_reset(board->flash.flash);
	board->flash.application = false;
}

void board_flash_map(struct board *board)
{
	uint8_t before = board->flash.ssw.active;
	ssw_evaluate(board->flash.flash, board->flash.policy, &board->flash.ssw);
	if (board->flash.ssw.active != before)
		control_event(&board->control, json_pack("{s:s, s:I, s:i}", "event", "map", "t", (json_int_t)instant_ns(), "active",
		                                         (int)board->flash.ssw.active));
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* Side by side in one map, the banks lie the other way round in the other. */
static uint32_t piece_of(const struct flash_geometry *g, uint32_t address, uint32_t length)
{
	for (int i = 0; i < 2; i++) {
		uint32_t offset = address - g->bank_address[i];
		if (address >= g->bank_address[i] && offset < g->bank_size)
			return length < g->bank_size - offset ? length : g->bank_size - offset;
	}
	return length;
}

enum flash_status board_flash_read(struct board *board, uint32_t address, uint8_t *buffer, size_t length)
{
	const struct flash_geometry *g = board->flash.geometry;
	for (size_t done = 0; done < length;) {
		uint32_t at = address + (uint32_t)done;
		uint32_t piece = piece_of(g, at, (uint32_t)(length - done));
		enum flash_status status =
		        flash_read(board->flash.flash, ssw_physical(g, board->flash.ssw.active, at), buffer + done, piece);
		if (status != FLASH_OK)
			return status;
		done += piece;
	}
	return FLASH_OK;
}

enum flash_status board_flash_fetch(struct board *board, uint32_t address, uint32_t length, int *ret_fd)
{
	static uint8_t bytes[65536];
	if (length == 0 || length > 2 * board->flash.geometry->bank_size)
		return FLASH_NOWHERE;
	int fd = image_create("program");
	if (fd < 0)
		return FLASH_NOWHERE;
	enum flash_status status = FLASH_OK;
	for (uint32_t done = 0; done < length && status == FLASH_OK;) {
		uint32_t part = length - done < sizeof bytes ? length - done : (uint32_t)sizeof bytes;
		status = board_flash_read(board, address + done, bytes, part);
		if (status == FLASH_OK && write(fd, bytes, part) != (ssize_t)part)
			status = FLASH_NOWHERE;
		done += part;
	}
	if (status == FLASH_OK && image_seal(fd) == 0) {
		*ret_fd = fd;
		return FLASH_OK;
	}
	close(fd);
	return status == FLASH_OK ? FLASH_NOWHERE : status;
}

/* What the installed package in the running bank says its software is. */
static enum flash_status fetch_installed(struct board *board, int *ret_fd)
{
	const uint32_t at = board->flash.geometry->bank_address[0] + board->flash.geometry->boot_size;
	uint8_t header[BOARD_HEADER];
	uint32_t length;
	enum flash_status status = board_flash_read(board, at, header, sizeof header);
	memcpy(&length, header + 12, sizeof length);
	return status == FLASH_OK ? board_flash_fetch(board, at + BOARD_HEADER, length, ret_fd) : status;
}

int board_flash_bootloader(struct board *board, char *error, size_t error_size)
{
	const struct ssw_result *ssw = &board->flash.ssw;
	uint8_t header[BOARD_HEADER];
	uint32_t magic, length;
	int fd = -1;
	if (!ssw->bootable) {
		snprintf(error, error_size, "no boot mode header: %s", ssw->reason);
		return -1;
	}
	enum flash_status status = board_flash_read(board, ssw->start, header, sizeof header);
	memcpy(&magic, header, sizeof magic);
	memcpy(&length, header + 8, sizeof length);
	if (status == FLASH_OK && (magic != MAGIC || header[6] != TYPE_BOOT || length > board->flash.geometry->boot_size - BOARD_HEADER)) {
		snprintf(error, error_size, "no bootloader at %08Xh", (unsigned)ssw->start);
		return -1;
	}
	if (status == FLASH_OK)
		status = board_flash_fetch(board, ssw->start + BOARD_HEADER, length, &fd);
	if (status != FLASH_OK)
		snprintf(error, error_size, "the bootloader at %08Xh does not read: %s", (unsigned)ssw->start,
		         board_flash_status_name(status));
	return fd;
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

unsigned board_flash_area(const struct board *board, uint32_t address)
{
	for (unsigned i = 0; i < 2; i++) {
		if (address >= board->flash.geometry->bank_address[i] &&
		    address - board->flash.geometry->bank_address[i] < board->flash.geometry->bank_size)
			return i;
	}
	return 2;
}

static uint32_t sector_of(const struct board *board, uint32_t address)
{
	const struct flash_geometry *g = board->flash.geometry;
	if (board_flash_area(board, address) < 2)
		return g->bank_sector;
	return address >= g->ucb_address && address - g->ucb_address < g->ucb_count * g->ucb_size ? g->ucb_size : g->data_sector;
}

/* Time goes on for the flash. false: the power went away at it. */
static bool advance(struct board *board, uint64_t now_ns)
{
	struct board_flash *f = &board->flash;
	bool ended = false;
	f->next_ns = flash_poll(f->flash, now_ns);
	if (board_cut_after(board))
		return false;
	for (unsigned area = 0; area < BOARD_FLASH_AREAS; area++) {
		enum flash_status status = f->work[area].busy ? flash_result(f->flash, f->work[area].address) : FLASH_BUSY;
		if (status == FLASH_BUSY)
			continue;
		board_flash_ended(board, area, board_flash_status_name(status), now_ns);
		f->told_ns = ended && f->told_ns > f->work[area].end_ns ? f->told_ns : f->work[area].end_ns;
		ended = true;
	}
	if (ended && board->cpu.flash >= 0) {
		struct board_wire_answer notice = {.request = BOARD_WIRE_NOTICE};
		send(board->cpu.flash, &notice, BOARD_WIRE_ANSWER_HEAD, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	return true;
}

void board_flash_settle(struct board *board)
{
	while (board->flash.next_ns != INSTANT_NEVER && advance(board, board->flash.next_ns))
		;
	for (unsigned area = 0; area < BOARD_FLASH_AREAS; area++) {
		if (board->flash.work[area].busy) /* it would never end */
			board_flash_ended(board, area, "busy", instant_ns());
	}
	board_flash_tell(board);
}

/* When a command was asked for, had this machine taken no time of its own: docs/reference/virtual-board.md. Not before the end
 * of the one before it on the bank, nor in the future; and a CPU that tells nonsense is not believed. */
static uint64_t begin_of(const struct board *board, const struct board_flash_work *work, const struct board_wire_ask *ask)
{
	const struct board_wire_time *time = &ask->time;
	const uint64_t told_ns = board->flash.told_ns, now_ns = instant_ns();
	uint64_t begin_ns = time->sent_ns;
	if (ask->since == BOARD_WIRE_SINCE_NOTICE)
		begin_ns = (told_ns > time->asleep_ns ? told_ns : time->asleep_ns) + time->elapsed_ns;
	else if (ask->since == BOARD_WIRE_SINCE_COMMAND)
		begin_ns = board->flash.begun_ns + time->elapsed_ns;
	if (begin_ns < work->end_ns)
		begin_ns = work->end_ns;
	return begin_ns > now_ns || now_ns - begin_ns > LATENCY_NS ? now_ns : begin_ns;
}

static bool in_data(const struct board *board, uint32_t address)
{
	const struct flash_geometry *g = board->flash.geometry;
	return address >= g->data_address && address - g->data_address < g->data_size;
}

static enum flash_status command(struct board *board, enum board_flash_user user, const struct board_wire_ask *ask)
{
	struct board_flash *f = &board->flash;
	const bool erase = ask->request == BOARD_WIRE_ERASE;
	const enum flash_kind kind = erase ? FLASH_ERASE : FLASH_PROGRAM;
	const uint32_t step = erase ? sector_of(board, ask->address) : ask->length;
	const uint64_t length = erase ? (uint64_t)ask->length * step : ask->length;
	struct board_flash_work *work = &f->work[board_flash_area(board, ask->address)];
	if (work->busy)
		return FLASH_BUSY;
	struct board_flash_work before = *work;
	uint64_t begin_ns = begin_of(board, work, ask);
	*work = (struct board_flash_work){true,     user,    kind, ask->address, (uint32_t)length, ask->length, flash_operations(f->flash),
	                                  begin_ns, begin_ns};
	board_cut_command(board, kind, ask->address);
	enum flash_status status = erase ? flash_erase(f->flash, ask->address, ask->length, begin_ns)
	                                 : flash_program(f->flash, ask->address, ask->data, ask->length, begin_ns);
	if (status == FLASH_OK || f->cut.hit) {
		if (user != BOARD_FLASH_DEBUGGER) /* which is nothing that the CPU reckons from */
			f->begun_ns = begin_ns;
		f->changed = f->changed || user != BOARD_FLASH_BOOTLOADER || !in_data(board, ask->address);
		return status;
	}
	*work = before;
	board_cut_refused(board);
	board_flash_refused(board, user, kind, ask->address, (uint32_t)length, status);
	return status;
}

enum flash_status board_flash_debug(struct board *board, const struct board_wire_ask *ask)
{
	if (!advance(board, instant_ns()))
		return FLASH_BUSY;
	enum flash_status status = command(board, BOARD_FLASH_DEBUGGER, ask);
	if (!board_cut_after(board))
		advance(board, instant_ns());
	return status;
}

/* ---- the CPU's requests ------------------------------------------------------------------------------------------ */

static void give(struct board *board, struct board_wire_answer *answer, size_t length, int fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	struct iovec part = {answer, BOARD_WIRE_ANSWER_HEAD + length};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
		message.msg_control = &control;
		message.msg_controllen = CMSG_LEN(sizeof(int));
	}
	sendmsg(board->cpu.flash, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (fd >= 0)
		close(fd);
}

static size_t facts(const struct board *board, uint8_t *data)
{
	const struct flash_geometry *g = board->flash.geometry;
	const struct board_wire_facts f = {.bank = {g->bank_address[0], g->bank_address[1]},
	                                   .bank_size = g->bank_size,
	                                   .sector_size = g->bank_sector,
	                                   .boot_size = g->boot_size,
	                                   .data = g->data_address,
	                                   .data_size = g->data_size,
	                                   .data_sector_size = g->data_sector,
	                                   .swap_orig = FLASH_UCB_SWAP_ORIG,
	                                   .swap_copy = FLASH_UCB_SWAP_COPY,
	                                   .ucb_size = g->ucb_size,
	                                   .active = board->flash.ssw.active};
	memcpy(data, &f, sizeof f);
	return sizeof f;
}

/* Fills in the answer; bytes of its data. */
static size_t obey(struct board *board, const struct board_wire_ask *ask, struct board_wire_answer *answer, int *ret_fd)
{
	uint32_t password[8];
	answer->status = FLASH_OK;
	switch (ask->request) {
	case BOARD_WIRE_FACTS:
		return facts(board, answer->data);
	case BOARD_WIRE_READ:
		answer->status = ask->length > BOARD_WIRE_READ_MAX ? FLASH_SEQUENCE
		                                                   : board_flash_read(board, ask->address, answer->data, ask->length);
		return answer->status == FLASH_OK ? ask->length : 0;
	case BOARD_WIRE_ERASE:
	case BOARD_WIRE_PROGRAM:
		answer->status = command(board, board->flash.application ? BOARD_FLASH_APPLICATION : BOARD_FLASH_BOOTLOADER, ask);
		return 0;
	case BOARD_WIRE_RESULT:
		answer->status = flash_result(board->flash.flash, ask->address);
		return 0;
	case BOARD_WIRE_UNLOCK:
		memcpy(password, ask->data, sizeof password);
		answer->status = flash_unlock(board->flash.flash, password);
		return 0;
	case BOARD_WIRE_LOCK:
		flash_lock(board->flash.flash);
		return 0;
	case BOARD_WIRE_SUPPLY:
		memcpy(answer->data, &board->flash.supply_mv, sizeof board->flash.supply_mv);
		return sizeof board->flash.supply_mv;
	case BOARD_WIRE_EXECUTE:
		answer->status = ask->length ? board_flash_fetch(board, ask->address, ask->length, ret_fd) : fetch_installed(board, ret_fd);
		board->flash.application = board->flash.application || answer->status == FLASH_OK;
		return 0;
	default:
		answer->status = FLASH_SEQUENCE;
		return 0;
	}
}

static bool whole(const struct board_wire_ask *ask, ssize_t n)
{
	size_t data = (size_t)n - BOARD_WIRE_ASK_HEAD;
	if (ask->request == BOARD_WIRE_PROGRAM)
		return data == ask->length;
	return data == (ask->request == BOARD_WIRE_UNLOCK ? 32 : 0);
}

void board_flash_serve(struct board *board)
{
	static struct board_wire_answer answer;
	struct board_wire_ask ask;
	int fd = -1;
	ssize_t n = recv(board->cpu.flash, &ask, sizeof ask, MSG_DONTWAIT | MSG_TRUNC);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		close(board->cpu.flash); /* the CPU's end is told by the process's own descriptor */
		board->cpu.flash = -1;
	}
	if (n <= 0 || !advance(board, instant_ns()))
		return;
	answer.request = n < (ssize_t)BOARD_WIRE_ASK_HEAD ? 0 : ask.request;
	answer.status = FLASH_SEQUENCE;
	size_t length = 0;
	if (n >= (ssize_t)BOARD_WIRE_ASK_HEAD && n <= (ssize_t)sizeof ask && whole(&ask, n))
		length = obey(board, &ask, &answer, &fd);
	/* A short command may have ended already. */
	if (!board_cut_after(board) && advance(board, instant_ns()))
		give(board, &answer, length, fd);
	else if (fd >= 0)
		close(fd);
}

uint64_t board_flash_deadline_ns(const struct board *board)
{
	uint64_t tell_ns = board_flash_tell_ns(board);
	return board->flash.next_ns < tell_ns ? board->flash.next_ns : tell_ns;
}

void board_flash_tick(struct board *board, uint64_t now_ns)
{
	if (now_ns >= board->flash.next_ns && !advance(board, now_ns))
		return;
	if (now_ns >= board_flash_tell_ns(board))
		board_flash_tell(board);
}
