/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port in memory: the flash model in virtual time, parameters and objects from tables, no network and no bus. One board a
 * process; nothing sleeps. Who runs firmware on it fills a struct port_model, calls port_model_start(), then the firmware.
 */
#ifndef FIRMWARE_PORT_MODEL_PORT_MODEL_H
#define FIRMWARE_PORT_MODEL_PORT_MODEL_H

#include "../../port.h"
#include "../../silicon/flash.h"

struct port_model_parameter {
	const char *name, *value; /* the last of a table has the name NULL */
};
struct port_model_object {
	const char *name; /* the last of a table has the name NULL */
	const uint8_t *data;
	size_t length;
};

struct port_model {
	struct flash *flash;
	uint8_t active; /* the map, as the SSW chose it */
	enum port_reset_reason reason;
	uint64_t begin_ns; /* on the flash's clock: when the CPU left reset */
	const struct port_model_parameter *parameters;
	const struct port_model_object *objects;
	uint8_t *nvm; /* PORT_NVM_SIZE bytes, writes go there */
	uint64_t seed;
	uint32_t supply_mv;
	/* Neither returns. stuck: port_wait() without a deadline while no flash command is under way. */
	void (*reset)(void *context, enum port_reset kind);
	void (*stuck)(void *context);
	void (*console)(void *context, const char *text, size_t length); /* may be NULL */
	void *context;
};

/* The struct and all that it points to stay the caller's and have to live on. */
void port_model_start(const struct port_model *model);
/* The flash's clock; only once a board was started. */
uint64_t port_model_now_ns(void);
bool port_model_running(void);

#endif
