/* SPDX-License-Identifier: Apache-2.0 */
/* The flash operations of a run, in the order in which they began, with what it takes to do them again. */
#ifndef FIRMWARE_SWEEP_OPLOG_H
#define FIRMWARE_SWEEP_OPLOG_H

#include "../silicon/flash.h"

/* What the tester was about when something happened. */
enum stage {
	STAGE_BOOT,
	STAGE_INSPECT,
	STAGE_SESSION,
	STAGE_OFFER,
	STAGE_ERASE,
	STAGE_TRANSFER,
	STAGE_END,
	STAGE_CHECK,
	STAGE_ACTIVATE,
	STAGE_RESET,
	STAGE_TRIAL, /* boots of the new image before it is confirmed */
	STAGE_CONFIRM,
	STAGE_AFTER, /* boots after the confirmation, or after the rollback */
	STAGES,
};
const char *stage_name(enum stage stage);

/* What the world outside the board knows; it survives a cut. */
struct knowledge {
	uint8_t stage;     /* enum stage */
	bool check;        /* was requested (perhaps without an answer) */
	bool activation;   /* was requested */
	bool confirmation; /* was requested */
	bool confirmed;    /* and answered: durable */
	bool rolled_back;  /* the old image was seen again after trials */
	uint8_t trials;    /* how often the new image ran unconfirmed */
	uint32_t counter;  /* highest security counter seen */
};

enum region { REGION_BANK, REGION_DATA, REGION_UCB, REGIONS };
const char *region_name(enum region region);

struct operation {
	uint8_t kind; /* enum flash_kind */
	uint32_t address, length;
	uint32_t data; /* offset into the log's data, programs only */
	uint64_t begin_ns, end_ns;
	uint8_t active; /* the map */
	struct knowledge know;
};
enum region operation_region(const struct operation *operation);

struct oplog {
	uint32_t count, size, data_used, data_size;
	bool overflow;
	struct operation *operations;
	uint8_t *data;
};
/* In memory that forked processes share. NULL: no memory. */
struct oplog *oplog_new(uint32_t size, uint32_t data_size);
void oplog_clear(struct oplog *log);
void oplog_add(struct oplog *log, const struct flash_operation *operation, uint8_t active, const struct knowledge *know);

#endif
