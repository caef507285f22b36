/* SPDX-License-Identifier: Apache-2.0 */
/*
 * can_classic FROM TO: link/can on the two interfaces of controllers that know classic CAN only. Bit rates by
 * libsocketcan, every kind of frame, the kernel's stamps, FD refused with its reason, and an interface that goes down.
 */
#include <errno.h>
#include <inttypes.h>
#include <libsocketcan.h>
#include <stdio.h>
#include <string.h>

#include "can_end.h"
#include "lines.h"

enum { FIRST_RATE = 250000, RATE = 500000, BURST = 200 };
#define LIMIT_NS INT64_C(30000000000)

struct bench {
	struct loop *loop;
	struct can_end from, to;
};

static bool opened(struct bench *bench, uint32_t rate, const char *name)
{
	struct error err = {0};
	char read_back[160];
	snprintf(read_back, sizeof(read_back), "%s; the rate is read back and the controller is error-active", name);
	can_end_close(&bench->from);
	can_end_close(&bench->to);
	int result = can_end_open(&bench->from, bench->loop, rate, 0, &err);
	if (result == 0)
		result = can_end_open(&bench->to, bench->loop, rate, 0, &err);
	if (result < 0)
		return line_check(false, read_back, "%s", err.message);
	struct can_counters from, to;
	can_counters_read(bench->from.can, &from);
	can_counters_read(bench->to.can, &to);
	return line_check(from.nominal_bit_rate == rate && to.nominal_bit_rate == rate && from.data_bit_rate == 0 &&
	                          from.state == CAN_BUS_ACTIVE,
	                  read_back, "%u and %u bit/s, %s", from.nominal_bit_rate, to.nominal_bit_rate, can_state_name(from.state));
}

static void every_kind(struct bench *bench)
{
	/* A remote frame with a length above 0 would shift the data of the frames after it: a fault of qemu's controller. */
	static const uint8_t flags[] = {0, CAN_MESSAGE_EXTENDED};
	struct error err = {0};
	bool right = true;
	for (unsigned length = 0; length <= 8 && right; length++) {
		for (unsigned i = 0; i < sizeof(flags) && right; i++)
			right = can_end_passes(bench->loop, &bench->from, &bench->to, length, flags[i], &err);
	}
	right = right && can_end_passes(bench->loop, &bench->from, &bench->to, 0, CAN_MESSAGE_REMOTE, &err);
	right = right && can_end_passes(bench->loop, &bench->from, &bench->to, 8, 0, &err);
	line_check(right, "classic: frames of every length, extended, and remote", "%s", err.message);
}

static void burst(struct bench *bench)
{
	struct error err = {0};
	struct can_message message;
	unsigned begin = bench->to.received;
	int result = 0;
	for (unsigned i = 0; i < BURST && result == 0; i++) {
		can_end_fill(&message, begin + i, 8, 0);
		result = can_send(bench->from.can, &message, NULL, &err);
	}
	if (result == 0)
		result = can_end_wait(bench->loop, &bench->from, &bench->to, begin + BURST, LIMIT_NS, &err);
	line_check(result == 0 && bench->to.received == begin + BURST && bench->to.wrong_data == 0 && bench->to.lost == 0,
	           "classic: 200 frames in a burst, more than the interface queues, come whole and in order",
	           "%s, %u wrong, %" PRIu64 " lost", err.message, bench->to.wrong_data, bench->to.lost);
	line_check(bench->to.newest.at.source == CLOCK_SOURCE_KERNEL && bench->from.newest_sent.at.source == CLOCK_SOURCE_KERNEL &&
	                   bench->from.out_of_order + bench->to.out_of_order == 0,
	           "classic: stamps are the kernel's, in the order of the frames", "%s and %s, %u out of order",
	           clock_source_name(bench->to.newest.at.source), clock_source_name(bench->from.newest_sent.at.source),
	           bench->from.out_of_order + bench->to.out_of_order);
}

static void no_fd(struct bench *bench)
{
	struct error err = {0};
	struct can_message message;
	can_end_fill(&message, 0, 12, CAN_MESSAGE_FD);
	int result = can_send(bench->from.can, &message, NULL, &err);
	line_check(result == -EINVAL && err.message[0] != '\0', "classic: an FD frame is refused as invalid, with a reason",
	           "result %d, \"%s\"", result, err.message);
	struct can_end other = {.interface = bench->from.interface};
	err = (struct error){0};
	can_end_close(&bench->from);
	result = can_end_open(&other, bench->loop, RATE, 4 * RATE, &err);
	line_check(result < 0 && strstr(err.message, other.interface) != NULL,
	           "classic: a data bit rate is refused, and the reason names the interface", "result %d, \"%s\"", result, err.message);
	can_end_close(&other);
}

static bool is_closed(void *context)
{
	return ((const struct can_end *)context)->closed;
}

static void goes_down(struct bench *bench)
{
	if (!opened(bench, RATE, "classic: opened again after the refusal"))
		return;
	struct error err = {0};
	line_check(can_end_passes(bench->loop, &bench->from, &bench->to, 8, 0, &err), "classic: frames pass after the refusal", "%s",
	           err.message);
	int result = can_do_stop(bench->to.interface);
	if (result == 0)
		result = loop_until(bench->loop, is_closed, &bench->to, loop_now_ns() + LIMIT_NS);
	line_check(result == 0 && strstr(bench->to.reason, bench->to.interface) != NULL,
	           "classic: an interface that goes down in mid test is told, and the reason names it", "result %d, \"%s\"", result,
	           bench->to.reason);
	if (opened(bench, RATE, "classic: the interface that went down is opened again"))
		line_check(can_end_passes(bench->loop, &bench->from, &bench->to, 8, 0, &err), "classic: and frames pass", "%s",
		           err.message);
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: can_classic FROM TO\n");
		return 2;
	}
	struct bench bench = {.from.interface = argv[1], .to.interface = argv[2]};
	struct error err = {0};
	if (loop_new(&bench.loop, &err) < 0) {
		line_check(false, "classic: loop", "%s", err.message);
		return 1;
	}
	if (opened(&bench, FIRST_RATE, "classic: 250 kbit/s is set") &&
	    opened(&bench, RATE, "classic: 500 kbit/s is set on interfaces that are up")) {
		every_kind(&bench);
		burst(&bench);
		no_fd(&bench);
		goes_down(&bench);
	}
	can_end_close(&bench.from);
	can_end_close(&bench.to);
	loop_free(bench.loop);
	return lines_status();
}
