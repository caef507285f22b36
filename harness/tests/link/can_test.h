/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of link/can share: a loop, a channel and what happened to it. */
#ifndef HARNESS_TESTS_CAN_TEST_H
#define HARNESS_TESTS_CAN_TEST_H

#include <check.h>
#include <errno.h>
#include <string.h>

#include "../../link/can.h"

#define SEEN_MAX 16

struct seen {
	struct can *can;
	unsigned received, sent, not_sent, errors, states, nodes, lost, closed;
	struct can_message last, sent_last, first[SEEN_MAX];
	enum can_error_kind error;
	enum can_bus_state state, node_state;
	unsigned node, tec, rec;
	uint64_t lost_count;
	char reason[128];
	bool close_when_received, echo_when_sent;
};

extern struct loop *loop;
extern struct timeline *timeline;

void can_setup(void);
void can_teardown(void);
struct can_handlers seen_handlers(struct seen *);
void open_can(struct seen *, const char *driver, const char *address);
/* Pumps until *count >= wanted; fails after 10 s. */
void wait_count(const unsigned *count, unsigned wanted);
void pump_ms(unsigned ms);
unsigned notes(void); /* events of kind note so far */
struct can_message classic(uint32_t id, unsigned length);
struct can_message fd_frame(uint32_t id, unsigned length);
void send_can(struct seen *, const struct can_message *);
/* A free UDP or TCP port of 127.0.0.1, as far as one can know. */
unsigned free_port(int type);

Suite *can_codec_suite(void);
Suite *can_virtual_suite(void);
Suite *can_ip_suite(void);

#endif
