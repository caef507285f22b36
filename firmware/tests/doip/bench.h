/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A DoIP entity on the fake port, and testers that speak to it. Messages are put together here by hand, not with the
 * firmware's own encoder.
 */
#ifndef FIRMWARE_TESTS_DOIP_BENCH_H
#define FIRMWARE_TESTS_DOIP_BENCH_H

#include <check.h>

#include "../../core/doip_entity.h"
#include "../fake_port.h"
#include "fake_tls.h"

#define MS       1000ull
#define SECOND   1000000ull
#define ENTITY   0x0091
#define TESTER_1 0x0e80
#define TESTER_2 0x0e81
#define TESTER_3 0x0e82
#define TESTER_4 0x0e83
#define TESTER_5 0x0e84
#define NODE     0x0011
#define PLAIN    "10.0.0.2:13400"
#define SECURE   "10.0.0.2:3496"
#define UDP      "10.0.0.2:13400"
#define UDP_ALL  "255.255.255.255:13400"

struct message {
	uint8_t version, inverse;
	uint16_t type;
	uint32_t length;
	uint8_t payload[4200];
};

/* What the application behind the entity does and has seen. */
struct application {
	unsigned requests;
	uint16_t last_source, last_target;
	size_t last_length;
	enum doip_diag_nack answer;
	bool respond; /* answers from inside the handler */
	size_t response_length;
	uint16_t response_to; /* 0: to the requester */
	int authenticated, confirmed;
	size_t oem_length;
	unsigned node_up, node_down;
	uint64_t takes_us; /* the handler keeps the CPU for so long */
	bool stop;         /* stops the entity from inside the handler */
};
extern struct application app;

/* Default parameters with the given ones set; not started. */
void bench_prepare(void);
void bench_start(void);
/* Stops it and fails when a socket leaked. */
void bench_end(void);
/* Runs the main loop up to a moment (absolute) or for a while; fails when the entity keeps the CPU busy. */
void run_until(uint64_t time_us);
void run_for(uint64_t us);
void settle(void); /* all that can be done now */

int tester(void); /* a plain connection, already seen by the entity */
int tester_tls(void);
size_t compose(uint8_t *out, uint8_t version, uint16_t type, const void *payload, size_t length);
void send_raw(int peer, const void *data, size_t length);
void send_message(int peer, uint16_t type, const void *payload, size_t length);
void send_activation(int peer, uint16_t source, uint8_t type);
void send_alive(int peer, uint16_t source);
void send_diagnostic(int peer, uint16_t source, uint16_t target, const void *data, size_t length);
/* Takes the next whole message; false when there is none. */
bool next_message(int peer, struct message *ret_message);
struct message expect_message(int peer, uint16_t type);
void expect_nothing(int peer);
void expect_header_nack(int peer, uint8_t code);
void expect_activation(int peer, uint8_t code);
void expect_ack(int peer, uint16_t type, uint8_t code);
void expect_open(int peer);
/* Closed in an orderly way, after the short drain. */
void expect_closed(int peer);
int active_tester(uint16_t source);
/* A diagnostic exchange that must work: nothing was broken by what went before. */
void expect_alive_exchange(int peer, uint16_t source);

Suite *suite_header(void);
Suite *suite_udp(void);
Suite *suite_activation(void);
Suite *suite_timers(void);
Suite *suite_diagnostic(void);

#endif
