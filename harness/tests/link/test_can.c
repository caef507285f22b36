/* SPDX-License-Identifier: Apache-2.0 */
#include "can_test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct loop *loop;
struct timeline *timeline;

void can_setup(void)
{
	struct error err = {0};
	ck_assert_msg(loop_new(&loop, &err) == 0, "%s", err.message);
	ck_assert_msg(timeline_new(&timeline, NULL, 4096, &err) == 0, "%s", err.message);
}

void can_teardown(void)
{
	timeline_free(timeline);
	loop_free(loop);
}

static void on_received(struct can *can, const struct can_message *message, void *context)
{
	struct seen *seen = context;
	if (seen->received < SEEN_MAX)
		seen->first[seen->received] = *message;
	seen->received++;
	seen->last = *message;
	if (seen->close_when_received) {
		can_close(can);
		seen->can = NULL;
	}
}

static void on_sent(struct can *can, const struct can_message *message, void *context)
{
	struct seen *seen = context;
	seen->sent++;
	seen->sent_last = *message;
	if (seen->echo_when_sent && seen->sent < 5)
		ck_assert_int_eq(can_send(can, message, NULL, NULL), 0);
}

static void on_not_sent(struct can *can, uint64_t ticket, const char *reason, void *context)
{
	struct seen *seen = context;
	seen->not_sent++;
	(void)snprintf(seen->reason, sizeof(seen->reason), "%s", reason);
}

static void on_error(struct can *can, enum can_error_kind kind, uint32_t id, struct instant at, void *context)
{
	struct seen *seen = context;
	seen->errors++;
	seen->error = kind;
}

static void on_state(struct can *can, enum can_bus_state state, struct instant at, void *context)
{
	struct seen *seen = context;
	seen->states++;
	seen->state = state;
}

static void on_lost(struct can *can, uint64_t count, void *context)
{
	struct seen *seen = context;
	seen->lost++;
	seen->lost_count += count;
}

static void on_closed(struct can *can, const char *reason, void *context)
{
	struct seen *seen = context;
	seen->closed++;
	(void)snprintf(seen->reason, sizeof(seen->reason), "%s", reason);
}

static void on_node_state(struct can *can, unsigned node, enum can_bus_state state, unsigned tec, unsigned rec, struct instant at,
                          void *context)
{
	struct seen *seen = context;
	seen->nodes++;
	seen->node = node;
	seen->node_state = state;
	seen->tec = tec;
	seen->rec = rec;
}

struct can_handlers seen_handlers(struct seen *seen)
{
	return (struct can_handlers){seen, on_received, on_sent, on_not_sent, on_error, on_state, on_lost, on_closed, on_node_state};
}

void open_can(struct seen *seen, const char *driver, const char *address)
{
	struct error err = {0};
	const struct can_handlers handlers = seen_handlers(seen);
	const struct can_options options = {
	        .driver = driver, .address = address, .name = "test", .fd = true, .nominal_bit_rate = 500000, .data_bit_rate = 2000000};
	ck_assert_msg(can_open(&seen->can, loop, timeline, &options, &handlers, &err) == 0, "%s", err.message);
}

struct wait {
	const unsigned *count;
	unsigned wanted;
};

static bool reached(void *context)
{
	const struct wait *wait = context;
	return *wait->count >= wait->wanted;
}

void wait_count(const unsigned *count, unsigned wanted)
{
	struct wait wait = {count, wanted};
	int r = loop_until(loop, reached, &wait, loop_now_ns() + 40000000000LL);
	ck_assert_msg(r == 0, "%u of %u came", *count, wanted);
}

void pump_ms(unsigned ms)
{
	ck_assert_int_eq(loop_until(loop, NULL, NULL, loop_now_ns() + ms * 1000000LL), -ETIMEDOUT);
}

static bool is_note(const struct event *event, void *context)
{
	if (!strcmp(event->kind, "note"))
		++*(unsigned *)context;
	return false;
}

unsigned notes(void)
{
	unsigned count = 0;
	(void)timeline_find(timeline, 0, is_note, &count);
	return count;
}

struct can_message classic(uint32_t id, unsigned length)
{
	struct can_message message = {.id = id, .length = (uint8_t)length};
	for (unsigned i = 0; i < length; i++)
		message.data[i] = (uint8_t)i;
	return message;
}

struct can_message fd_frame(uint32_t id, unsigned length)
{
	struct can_message message = classic(id, length);
	message.flags = CAN_MESSAGE_FD | CAN_MESSAGE_BRS;
	return message;
}

void send_can(struct seen *seen, const struct can_message *message)
{
	struct error err = {0};
	ck_assert_msg(can_send(seen->can, message, NULL, &err) == 0, "%s", err.message);
}

unsigned free_port(int type)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, type, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	(void)close(fd);
	return ntohs(address.sin_port);
}

int main(void)
{
	SRunner *runner = srunner_create(can_codec_suite());
	srunner_add_suite(runner, can_virtual_suite());
	srunner_add_suite(runner, can_ip_suite());
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
