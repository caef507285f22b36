/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the CPU of a virtual board and its flash say to each other on descriptor 5 (SOCK_SEQPACKET, one request, one answer;
 * native byte order, as both run on one machine). A notice is not an answer: it tells that a command has ended.
 */
#ifndef FIRMWARE_SILICON_BOARD_WIRE_H
#define FIRMWARE_SILICON_BOARD_WIRE_H

#include <stdint.h>

#define BOARD_WIRE_READ_MAX 16384u /* bytes of one read */
#define BOARD_WIRE_DATA_MAX 256u   /* bytes of one program */

enum board_wire_request {
	BOARD_WIRE_FACTS = 1, /* answer: struct board_wire_facts */
	BOARD_WIRE_READ,      /* mapped address, length; answer: the bytes when FLASH_OK */
	BOARD_WIRE_ERASE,     /* physical address, length: sectors */
	BOARD_WIRE_PROGRAM,   /* physical address, length, data */
	BOARD_WIRE_RESULT,    /* physical address */
	BOARD_WIRE_UNLOCK,    /* data: eight password words */
	BOARD_WIRE_LOCK,
	BOARD_WIRE_SUPPLY,  /* answer: uint32_t, mV */
	BOARD_WIRE_EXECUTE, /* mapped address, length; answer: a program in a descriptor (SCM_RIGHTS) when FLASH_OK */
	BOARD_WIRE_NOTICE,  /* unasked, to the CPU */
};

/* When a command was asked for on the board's own clock: what this machine takes to wake the CPU, to run others meanwhile and to
 * bring answers is no time of the board's. So a CPU that did not sleep for another reason tells its processor time since then. */
enum board_wire_since {
	BOARD_WIRE_SINCE_NOTHING, /* sent_ns counts */
	BOARD_WIRE_SINCE_NOTICE,  /* it slept, and was woken by the newest notice */
	BOARD_WIRE_SINCE_COMMAND, /* its newest command that began */
};
struct board_wire_time {
	uint64_t sent_ns;   /* CLOCK_MONOTONIC */
	uint64_t asleep_ns; /* SINCE_NOTICE: when it lay down */
	uint64_t elapsed_ns;
};

struct board_wire_ask {
	uint32_t request, address, length;
	uint32_t since; /* enum board_wire_since */
	struct board_wire_time time;
	uint8_t data[BOARD_WIRE_DATA_MAX]; /* as much as the request has */
};
#define BOARD_WIRE_ASK_HEAD 40u

struct board_wire_answer {
	uint32_t request; /* the one it answers, or BOARD_WIRE_NOTICE */
	uint32_t status;  /* enum flash_status */
	uint8_t data[BOARD_WIRE_READ_MAX];
};
#define BOARD_WIRE_ANSWER_HEAD 8u

struct board_wire_facts {
	uint32_t bank[2], bank_size, sector_size, boot_size;
	uint32_t data, data_size, data_sector_size;
	uint32_t swap_orig, swap_copy, ucb_size;
	uint32_t active;
};

#endif
