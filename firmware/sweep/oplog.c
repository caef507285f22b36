/* SPDX-License-Identifier: Apache-2.0 */
#include "oplog.h"

#include "shared.h"

#include <string.h>

const char *stage_name(enum stage stage)
{
	static const char *const names[STAGES] = {"boot",  "inspect",  "session", "offer", "erase",   "transfer", "end",
	                                          "check", "activate", "reset",   "trial", "confirm", "after"};

	return stage < STAGES ? names[stage] : "?";
}

const char *region_name(enum region region)
{
	static const char *const names[REGIONS] = {"bank", "dflash", "ucb"};

	return region < REGIONS ? names[region] : "?";
}

enum region operation_region(const struct operation *operation)
{
	if (operation->address >= flash_sweep.ucb_address)
		return REGION_UCB;
	return operation->address >= flash_sweep.data_address ? REGION_DATA : REGION_BANK;
}

struct oplog *oplog_new(uint32_t size, uint32_t data_size)
{
	struct oplog *log = shared_memory(sizeof(*log));
	struct operation *operations = shared_memory(size * sizeof(*operations));
	uint8_t *data = shared_memory(data_size);

	if (!log || !operations || !data)
		return NULL;
	*log = (struct oplog){.size = size, .data_size = data_size, .operations = operations, .data = data};
	return log;
}

void oplog_clear(struct oplog *log)
{
	log->count = 0;
	log->data_used = 0;
	log->overflow = false;
}

void oplog_add(struct oplog *log, const struct flash_operation *operation, uint8_t active, const struct knowledge *know)
{
	uint32_t data = operation->kind == FLASH_PROGRAM ? operation->length : 0;

	if (log->count == log->size || data > log->data_size - log->data_used) {
		log->overflow = true;
		return;
	}
	log->operations[log->count++] = (struct operation){
	        .kind = (uint8_t)operation->kind,
	        .address = operation->address,
	        .length = operation->length,
	        .data = log->data_used,
	        .begin_ns = operation->begin_ns,
	        .end_ns = operation->end_ns,
	        .active = active,
	        .know = *know,
	};
	if (data > 0)
		memcpy(log->data + log->data_used, operation->data, data);
	log->data_used += data;
}
