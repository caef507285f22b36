/* SPDX-License-Identifier: Apache-2.0 */
#include "uds_bench.h"

#include "../../core/cmac.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "000102030405060708090a0b0c0d0e0f"

struct bench bench;

/* ---- the port -------------------------------------------------------------------------------------------- */

uint64_t port_time_us(void)
{
	return bench.now_us;
}

void port_random(uint8_t *buffer, size_t length)
{
	while (length-- > 0) {
		bench.random = bench.random * 1664525u + 1013904223u;
		*buffer++ = (uint8_t)(bench.random >> 24);
	}
}

enum port_status port_param_u32(const char *name, uint32_t *ret_value)
{
	if (strcmp(name, "uds.programming_from_extended") == 0 && bench.from_extended) {
		*ret_value = 1;
		return PORT_OK;
	}
	if (strcmp(name, "route.max_length") == 0 && bench.route_max != 0) {
		*ret_value = bench.route_max;
		return PORT_OK;
	}
	return PORT_ABSENT;
}

enum port_status port_param_text(const char *name, char *buffer, size_t size)
{
	if (strcmp(name, "uds.security_key") != 0 || bench.no_secret)
		return PORT_ABSENT;
	if (size < sizeof(SECRET))
		return PORT_INVALID;
	memcpy(buffer, SECRET, sizeof(SECRET));
	return PORT_OK;
}

enum port_status port_nvm_read(uint32_t offset, uint8_t *buffer, size_t length)
{
	if (offset > PORT_NVM_SIZE || length > PORT_NVM_SIZE - offset)
		return PORT_INVALID;
	memcpy(buffer, bench.nvm + offset, length);
	return PORT_OK;
}

enum port_status port_nvm_write(uint32_t offset, const uint8_t *data, size_t length)
{
	if (offset > PORT_NVM_SIZE || length > PORT_NVM_SIZE - offset)
		return PORT_INVALID;
	if (bench.nvm_broken)
		return PORT_FAILED;
	memcpy(bench.nvm + offset, data, length);
	return PORT_OK;
}

bool fault_active(enum fault fault)
{
	return fault == bench.fault;
}

/* ---- the application ------------------------------------------------------------------------------------- */

static void respond(void *context, uint16_t tester, const uint8_t *data, size_t length)
{
	(void)context;
	if (bench.answer_count == BENCH_MAX_ANSWERS || length > UDS_MAX_RESPONSE)
		abort();
	bench.answers[bench.answer_count].tester = tester;
	bench.answers[bench.answer_count].at_us = bench.now_us;
	bench.answers[bench.answer_count].length = length;
	memcpy(bench.answers[bench.answer_count].data, data, length);
	bench.answer_count++;
}

static void reset(void *context, uint8_t type)
{
	(void)context;
	bench.resets++;
	bench.reset_type = type;
	bench.reset_after_answer = bench.answer_count > 0;
}

static size_t read_list(void *context, uint8_t *buffer, size_t size)
{
	static const uint8_t list[2] = {0x00, 0x11};

	(void)context;
	if (size < sizeof(list))
		return size;
	memcpy(buffer, list, sizeof(list));
	return sizeof(list);
}

static void start(void)
{
	static const struct uds_identity identity = {
	        .vin = "HILBENCHZGW000001", .serial_number = "S1", .software_version = "0.1.0", .part_number = "P1"};
	static const struct uds_did dids[] = {{.id = 0xFD01, .read_sessions = 7, .read = read_list}};
	struct uds_application application = {
	        .dids = dids,
	        .did_count = 1,
	        .respond = respond,
	        .reset = reset,
	        .identity = &identity,
	        .max_response = bench.max_response,
	        .subnode = 0x0011,
	};
	struct uds_server_config config;

	uds_server_config_load(&config);
	uds_server_start(&config, &application);
}

void bench_setup(void)
{
	memset(&bench, 0, sizeof(bench));
	bench.fault = FAULT_COUNT;
	bench.random = 4711;
	bench.tester = BENCH_TESTER;
	start();
}

void bench_restart(void)
{
	bench.now_us = 0;
	bench.answer_count = 0;
	start();
}

void bench_run_ms(uint64_t duration_ms)
{
	uint64_t end_us = bench.now_us + duration_ms * 1000u, deadline_us = 0;

	for (;;) {
		uds_server_poll(bench.now_us, &deadline_us);
		if (deadline_us <= bench.now_us)
			deadline_us = bench.now_us + 1;
		if (deadline_us >= end_us)
			break;
		bench.now_us = deadline_us;
	}
	bench.now_us = end_us;
	uds_server_poll(bench.now_us, &deadline_us);
}

/* ---- asking ---------------------------------------------------------------------------------------------- */

size_t bench_bytes(const char *hex, uint8_t *buffer, size_t size)
{
	size_t length = 0;
	unsigned value;
	int used;

	while (sscanf(hex, " %2x%n", &value, &used) == 1) {
		if (length == size)
			abort();
		buffer[length++] = (uint8_t)value;
		hex += used;
	}
	return length;
}

void bench_request(bool functional, const uint8_t *data, size_t length)
{
	bench.answer_count = 0;
	uds_server_request(bench.tester, functional, data, length, bench.now_us);
}

const char *bench_answers(void)
{
	static char text[3 * UDS_MAX_RESPONSE * 2];
	size_t at = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < bench.answer_count; i++) {
		if (i > 0)
			at += (size_t)snprintf(text + at, sizeof(text) - at, " | ");
		for (size_t k = 0; k < bench.answers[i].length; k++)
			at += (size_t)snprintf(text + at, sizeof(text) - at, k == 0 ? "%02X" : " %02X", bench.answers[i].data[k]);
	}
	return text;
}

const char *bench_ask(bool functional, const char *hex)
{
	uint8_t request[4200];
	uint8_t *exact;
	size_t length = bench_bytes(hex, request, sizeof(request));

	/* A copy of its exact size: a read past the request's end is seen by the sanitizer. */
	exact = malloc(length == 0 ? 1 : length);
	if (exact == NULL)
		abort();
	memcpy(exact, request, length);
	bench_request(functional, exact, length);
	free(exact);
	return bench_answers();
}

const char *bench_unlock(uint8_t level, bool right_key)
{
	uint8_t secret[16], request[6] = {0x27, (uint8_t)(level + 1)}, seed_request[2] = {0x27, level}, mac[16];

	bench_request(false, seed_request, sizeof(seed_request));
	if (bench.answer_count != 1 || bench.answers[0].length != 6)
		return bench_answers();
	bench_bytes(SECRET, secret, sizeof(secret));
	if (!cmac_once(secret, bench.answers[0].data + 2, 4, mac))
		abort();
	memcpy(request + 2, mac, 4);
	request[5] ^= right_key ? 0 : 1;
	bench_request(false, request, sizeof(request));
	return bench_answers();
}
