/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board's flash: requests to vboard and their answers (firmware/silicon/board_wire.h). Without a board there is none.
 */
#include "port_posix.h"

#include "../../silicon/board_wire.h"
#include "../../silicon/flash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Bytes that are fetched along with the second of two reads that follow each other. Each is given out once, and soon: whoever
 * reads an address again asks the flash again, as a page that is weak answers differently. */
#define AHEAD_NS UINT64_C(2000000)

static struct {
	bool present, notice, told; /* told: the sleep that has just ended was ended by a notice */
	struct port_flash_geometry geometry;
	uint8_t active;
	uint32_t next;               /* address behind the last read */
	enum board_wire_since since; /* what the time of the next command is told by */
	uint64_t asleep_ns;          /* begin of the sleep that a notice ended */
	uint64_t used_ns;            /* this program's processor time then */
	struct {
		uint8_t data[BOARD_WIRE_READ_MAX];
		uint32_t used, length;
		uint64_t until_ns;
	} ahead;
} flash;

static struct board_wire_answer answer;

/* One packet of the board's, with a descriptor if it carries one. Bytes, or -1. */
static ssize_t receive(int flags, int *ret_fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {&answer, sizeof answer};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	ssize_t n;
	do
		n = recvmsg(PORT_FD_FLASH, &message, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	*ret_fd = -1;
	struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(header), sizeof *ret_fd);
	return n;
}

static uint64_t processor_ns(void)
{
	struct timespec used;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

/* Sends a request and waits for its answer, which the board gives at once; a board that is gone ends this program as the end
 * of its power would. Returns the bytes of data in the answer. */
static size_t ask_fd(uint32_t request, uint32_t address, uint32_t length, const void *data, size_t data_length, int *ret_fd)
{
	struct board_wire_ask ask = {.request = request, .address = address, .length = length, .time = {.sent_ns = port_posix_now_ns()}};
	ask.since = flash.since;
	ask.time.asleep_ns = flash.asleep_ns;
	if (flash.since != BOARD_WIRE_SINCE_NOTHING)
		ask.time.elapsed_ns = processor_ns() - flash.used_ns;
	if (data_length)
		memcpy(ask.data, data, data_length);
	if (send(PORT_FD_FLASH, &ask, BOARD_WIRE_ASK_HEAD + data_length, MSG_NOSIGNAL) < 0)
		_exit(2);
	for (;;) {
		ssize_t n = receive(0, ret_fd);
		if (n < (ssize_t)BOARD_WIRE_ANSWER_HEAD)
			_exit(2);
		if (answer.request == BOARD_WIRE_NOTICE) {
			flash.notice = true;
			continue;
		}
		return (size_t)n - BOARD_WIRE_ANSWER_HEAD;
	}
}

static size_t ask(uint32_t request, uint32_t address, uint32_t length, const void *data, size_t data_length)
{
	int fd;
	size_t size = ask_fd(request, address, length, data, data_length, &fd);
	if (fd >= 0)
		close(fd);
	return size;
}

int port_posix_flash_fd(void)
{
	return flash.present ? PORT_FD_FLASH : -1;
}

void port_posix_flash_slept(uint64_t asleep_ns)
{
	if (!flash.present)
		return;
	flash.since = flash.told ? BOARD_WIRE_SINCE_NOTICE : BOARD_WIRE_SINCE_NOTHING;
	flash.asleep_ns = asleep_ns;
	flash.used_ns = processor_ns();
	flash.told = false;
}

bool port_posix_flash_ready(void)
{
	int fd;
	ssize_t n = receive(MSG_DONTWAIT, &fd);
	if (fd >= 0)
		close(fd);
	if (n == 0)
		_exit(2);
	flash.told = n > 0;
	return n > 0;
}

bool port_posix_flash_waiting(void)
{
	bool notice = flash.notice;
	flash.notice = false;
	return notice;
}

bool port_posix_flash_open(void)
{
	struct board_wire_facts facts;
	int type;
	socklen_t length = sizeof type;
	if (getsockopt(PORT_FD_FLASH, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || type != SOCK_SEQPACKET)
		return false;
	if (ask(BOARD_WIRE_FACTS, 0, 0, NULL, 0) != sizeof facts)
		return false;
	memcpy(&facts, answer.data, sizeof facts);
	flash.geometry = (struct port_flash_geometry){.bank = {facts.bank[0], facts.bank[1]},
	                                              .bank_size = facts.bank_size,
	                                              .sector_size = facts.sector_size,
	                                              .boot_size = facts.boot_size,
	                                              .data = facts.data,
	                                              .data_size = facts.data_size,
	                                              .data_sector_size = facts.data_sector_size,
	                                              .swap_orig = facts.swap_orig,
	                                              .swap_copy = facts.swap_copy,
	                                              .ucb_size = facts.ucb_size};
	flash.active = (uint8_t)facts.active;
	flash.present = true;
	return true;
}

const struct port_flash_geometry *port_flash_geometry(void)
{
	return flash.present ? &flash.geometry : NULL;
}

uint8_t port_flash_active(void)
{
	return flash.active;
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

static enum port_status read_status(void)
{
	switch (answer.status) {
	case FLASH_OK:
		return PORT_OK;
	case FLASH_BUSY:
		return PORT_WOULD_BLOCK;
	case FLASH_ECC:
		return PORT_FAILED;
	default:
		return PORT_INVALID;
	}
}

static bool take_ahead(uint32_t address, uint8_t *buffer, size_t length)
{
	if (address != flash.next || length > flash.ahead.length - flash.ahead.used || port_posix_now_ns() > flash.ahead.until_ns)
		return false;
	memcpy(buffer, flash.ahead.data + flash.ahead.used, length);
	flash.ahead.used += (uint32_t)length;
	return true;
}

static void forget_ahead(void)
{
	flash.ahead.used = flash.ahead.length = 0;
}

/* More than was asked for, where that reads too. */
static bool read_ahead(uint32_t address, uint8_t *buffer, size_t length)
{
	if (ask(BOARD_WIRE_READ, address, BOARD_WIRE_READ_MAX, NULL, 0) != BOARD_WIRE_READ_MAX || answer.status != FLASH_OK)
		return false;
	memcpy(buffer, answer.data, length);
	memcpy(flash.ahead.data, answer.data + length, BOARD_WIRE_READ_MAX - length);
	flash.ahead.length = BOARD_WIRE_READ_MAX - (uint32_t)length;
	flash.ahead.used = 0;
	flash.ahead.until_ns = port_posix_now_ns() + AHEAD_NS;
	return true;
}

static enum port_status read_piece(uint32_t address, uint8_t *buffer, size_t length)
{
	bool follows = address == flash.next;
	if (take_ahead(address, buffer, length))
		return PORT_OK;
	forget_ahead();
	if (follows && length < BOARD_WIRE_READ_MAX && read_ahead(address, buffer, length))
		return PORT_OK;
	size_t got = ask(BOARD_WIRE_READ, address, (uint32_t)length, NULL, 0);
	enum port_status status = read_status();
	if (status != PORT_OK || got != length)
		return status == PORT_OK ? PORT_INVALID : status;
	memcpy(buffer, answer.data, length);
	return PORT_OK;
}

static enum port_status read_whole(uint32_t address, uint8_t *buffer, size_t length)
{
	for (size_t done = 0; done < length;) {
		size_t part = length - done < BOARD_WIRE_READ_MAX ? length - done : BOARD_WIRE_READ_MAX;
		enum port_status status = read_piece(address + (uint32_t)done, buffer + done, part);
		if (status != PORT_OK)
			return status;
		done += part;
		flash.next = address + (uint32_t)done;
	}
	return PORT_OK;
}

enum port_status port_flash_read(uint32_t address, uint8_t *buffer, size_t length)
{
	static uint8_t large[2 * BOARD_WIRE_READ_MAX]; /* so that the buffer is untouched when a later part does not read */
	if (!flash.present || length > UINT32_MAX - address)
		return PORT_INVALID;
	if (length <= BOARD_WIRE_READ_MAX || length > sizeof large)
		return read_whole(address, buffer, length);
	enum port_status status = read_whole(address, large, length);
	if (status == PORT_OK)
		memcpy(buffer, large, length);
	return status;
}

/* ---- commands ------------------------------------------------------------------------------------------------------ */

static enum port_status command_status(void)
{
	switch (answer.status) {
	case FLASH_OK:
		flash.since = BOARD_WIRE_SINCE_COMMAND;
		flash.used_ns = processor_ns();
		return PORT_OK;
	case FLASH_BUSY:
		return PORT_WOULD_BLOCK;
	case FLASH_SEQUENCE:
		return PORT_INVALID;
	default:
		return PORT_FAILED;
	}
}

enum port_status port_flash_erase(uint32_t address, uint32_t sectors)
{
	if (!flash.present)
		return PORT_FAILED;
	forget_ahead();
	ask(BOARD_WIRE_ERASE, address, sectors, NULL, 0);
	return command_status();
}

enum port_status port_flash_program(uint32_t address, const uint8_t *data, size_t length)
{
	if (!flash.present)
		return PORT_FAILED;
	if (length > BOARD_WIRE_DATA_MAX)
		return PORT_INVALID;
	forget_ahead();
	ask(BOARD_WIRE_PROGRAM, address, (uint32_t)length, data, length);
	return command_status();
}

enum port_status port_flash_result(uint32_t address)
{
	if (!flash.present)
		return PORT_FAILED;
	ask(BOARD_WIRE_RESULT, address, 0, NULL, 0);
	return answer.status == FLASH_BUSY ? PORT_WOULD_BLOCK : answer.status == FLASH_OK ? PORT_OK : PORT_FAILED;
}

enum port_status port_flash_unlock(const uint32_t password[8])
{
	if (!flash.present)
		return PORT_FAILED;
	ask(BOARD_WIRE_UNLOCK, 0, 0, password, 32);
	return answer.status == FLASH_OK ? PORT_OK : PORT_FAILED;
}

void port_flash_lock(void)
{
	if (flash.present)
		ask(BOARD_WIRE_LOCK, 0, 0, NULL, 0);
}

uint32_t port_supply_mv(void)
{
	uint32_t millivolts = 12000;
	if (flash.present && ask(BOARD_WIRE_SUPPLY, 0, 0, NULL, 0) == sizeof millivolts)
		memcpy(&millivolts, answer.data, sizeof millivolts);
	return millivolts;
}

enum port_status port_posix_flash_program(uint32_t address, uint32_t length, int *ret_fd)
{
	int fd;
	ask_fd(BOARD_WIRE_EXECUTE, address, length, NULL, 0, &fd);
	if (answer.status == FLASH_OK && fd >= 0) {
		*ret_fd = fd;
		return PORT_OK;
	}
	if (fd >= 0)
		close(fd);
	return PORT_INVALID;
}
