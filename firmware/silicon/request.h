/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of the control channel's commands. */
#ifndef FIRMWARE_SILICON_REQUEST_H
#define FIRMWARE_SILICON_REQUEST_H

#include "board.h"

struct request_command {
	const char *name; /* NULL ends a table */
	void (*run)(struct board *board, json_t *request);
};
extern const struct request_command request_flash[];

/* Decodes hex: bytes, or -1. */
int request_hex(const char *text, uint8_t *data, size_t size);

#endif
