/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the update server share. Only ota_update*.c include this. Offsets count from the begin of an application area. */
#ifndef FIRMWARE_CORE_OTA_UPDATE_PRIVATE_H
#define FIRMWARE_CORE_OTA_UPDATE_PRIVATE_H

#include "ota_update.h"

/* ISO 14229-1:2020 annex A.1. */
enum ota_nrc {
	OTA_DONE = 0x00,
	OTA_INCORRECT_LENGTH = 0x13,
	OTA_CONDITIONS = 0x22,
	OTA_SEQUENCE = 0x24,
	OTA_OUT_OF_RANGE = 0x31,
	OTA_NOT_ACCEPTED = 0x70,
	OTA_SUSPENDED = 0x71,
	OTA_PROGRAMMING_FAILURE = 0x72,
	OTA_VOLTAGE_HIGH = 0x92,
	OTA_VOLTAGE_LOW = 0x93,
};

/* What a call that answered OTA_PENDING waits for. */
enum ota_task { OTA_TASK_NONE, OTA_TASK_DEFERRED, OTA_TASK_ERASE, OTA_TASK_RESUME, OTA_TASK_ROOM, OTA_TASK_END, OTA_TASK_CHECK };

struct ota_update {
	const struct port_flash_geometry *flash; /* NULL: the port has none */
	bool recovery;
	bool never_confirms;
	bool trial;        /* what runs is the candidate and not confirmed */
	bool swap_pending; /* the swap blocks name the other bank: the next system reset swaps */
	bool has_running;
	struct ota_image running;
	bool offered; /* an accepted offer is in force */
	bool erased;  /* for it, and nothing was written since */
	struct ota_image offer;
	uint8_t header[SWPG_HEADER_SIZE]; /* as offered */
	enum ota_task task;
	uint8_t (*deferred)(void); /* of OTA_TASK_DEFERRED */
	uint64_t not_before_us;    /* likewise */
	uint8_t result;            /* of the last task */
	uint8_t last_result;       /* of the last call */
};
extern struct ota_update ota;

/* ---- ota_update.c ---- */
/* A task or a call is over: its NRC is what the tester and FD50 are told. Returns it. */
uint8_t ota_update_finish(uint8_t nrc);
/* For what waits for DFLASH or UCB, at times longer than an answer may take: it runs in a later turn, so that the tester is told
 * before that it takes longer. OTA_PENDING. */
uint8_t ota_update_defer(uint8_t (*run)(void));
uint8_t ota_update_other(void); /* the bank that is not mapped first */
uint32_t ota_update_area(void); /* mapped address of the other bank's application area */
uint32_t ota_update_area_size(void);
/* Where flash commands for an offset into the other bank's area go. */
uint32_t ota_update_command_address(uint32_t offset);
/* Bytes in the bank, and as the package travels. */
uint32_t ota_update_bank_length(const struct swpg_header *header);
uint32_t ota_update_travel_length(const struct swpg_header *header);
bool ota_update_moving(void);
/* 0, OTA_VOLTAGE_HIGH or OTA_VOLTAGE_LOW: no flash operation may begin. */
uint8_t ota_update_supply(void);
/* The record speaks of what is in the other bank, in one of the states up to VERIFIED (an activation that a cut undid is that). */
bool ota_update_record_is_candidate(void);
enum ota_state ota_update_record_state(void);
/* The record's image is the offered one, or nothing is offered. */
bool ota_update_record_fits_offer(void);
uint8_t ota_update_put(const struct ota_record *record);

/* ---- ota_update_erase.c ---- */
uint8_t ota_update_erase_begin(uint32_t offset, uint32_t sectors);         /* OTA_PENDING */
uint8_t ota_update_erase_poll(uint64_t now_us, uint64_t *ret_deadline_us); /* OTA_PENDING, OTA_DONE, OTA_PROGRAMMING_FAILURE */

/* ---- ota_update_transfer.c ---- */
bool ota_update_transferring(void);
void ota_update_transfer_stop(void);
void ota_update_transfer_poll(uint64_t now_us, uint64_t *ret_deadline_us);
/* The sectors in which a resume at `bookmark` cannot trust what it finds. */
uint32_t ota_update_unsure_sectors(uint32_t bookmark);

/* ---- ota_update_writer.c: bytes into bursts, bursts into the flash ---- */
/* bookmark_step: bytes between bookmarks, a multiple of the sector, 0 none. Below trusted_end a defect trusts what is there. */
void ota_update_writer_begin(uint32_t offset, uint32_t bookmark_step, uint32_t trusted_end);
/* Room in the burst under construction, and taking it. */
uint8_t *ota_update_writer_room(size_t *ret_room);
void ota_update_writer_filled(size_t length);
/* Begins and ends flash commands; flush: a burst that is not full goes too. OTA_PENDING: one is under way or cannot begin yet,
 * OTA_DONE: none is. */
uint8_t ota_update_writer_poll(bool flush, uint64_t now_us, uint64_t *ret_deadline_us);
bool ota_update_writer_empty(void);

/* ---- ota_update_check.c ---- */
void ota_update_check_poll(uint64_t *ret_deadline_us);
void ota_update_installed_clear(void);

/* ---- ota_update_activation.c ---- */
uint8_t ota_update_make_bootable(void); /* record and swap, whatever was verified */
void ota_update_self_confirm_start(void);
void ota_update_self_confirm_poll(uint64_t now_us, uint64_t *ret_deadline_us);

/* ---- ota_update_status.c ---- */
void ota_update_status_start(void);
enum ota_state ota_update_state(void);
/* "@ota …" on the console whenever the state is another one than last time. */
void ota_update_report(void);

static inline void ota_update_earlier(uint64_t *deadline_us, uint64_t other_us)
{
	if (other_us < *deadline_us)
		*deadline_us = other_us;
}

#endif
