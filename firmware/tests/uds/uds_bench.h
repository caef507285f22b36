/* SPDX-License-Identifier: Apache-2.0 */
/* A UDS server on a fake port: virtual time, NVM in memory, parameters by name, answers kept for looking at. */
#ifndef FIRMWARE_TESTS_UDS_BENCH_H
#define FIRMWARE_TESTS_UDS_BENCH_H

#include "../../core/uds_server.h"
#include "../../faults/fault.h"

#define BENCH_MAX_ANSWERS 64
#define BENCH_TESTER      0x0E80u

struct bench {
	uint64_t now_us;
	uint16_t tester; /* who asks; BENCH_TESTER unless set */
	uint8_t nvm[PORT_NVM_SIZE];
	bool nvm_broken;    /* writes fail */
	uint32_t random;    /* state of the generator */
	bool no_secret;     /* uds.security_key is not set */
	bool from_extended; /* uds.programming_from_extended */
	uint32_t route_max; /* route.max_length; 0: not set */
	enum fault fault;   /* active one; FAULT_COUNT: none */
	uint16_t max_response;

	struct {
		uint16_t tester;
		uint64_t at_us;
		size_t length;
		uint8_t data[UDS_MAX_RESPONSE];
	} answers[BENCH_MAX_ANSWERS];
	unsigned answer_count;
	unsigned resets;
	uint8_t reset_type;
	bool reset_after_answer; /* the answer was there when the reset was asked for */
};
extern struct bench bench;

/* Blank memory, time 0, default parameters; then a start of the server. */
void bench_setup(void);
/* Restart: RAM gone, NVM kept, time 0. */
void bench_restart(void);
/* Lets time pass, polling at every deadline. */
void bench_run_ms(uint64_t duration_ms);
void bench_request(bool functional, const uint8_t *data, size_t length);
/* Hex text in, hex text out: the last request's answers, joined by " | "; "" = silence. */
const char *bench_ask(bool functional, const char *hex);
const char *bench_answers(void);
/* Unlocks level 1 or 3 by seed and key; returns the answer to the key. */
const char *bench_unlock(uint8_t level, bool right_key);
size_t bench_bytes(const char *hex, uint8_t *buffer, size_t size);

#endif
