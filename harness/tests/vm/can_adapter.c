/* SPDX-License-Identifier: Apache-2.0 */
/*
 * can_adapter FROM TO CONTROL [unplug]: link/can on the two interfaces of a CAN-FD adapter that gs_usb_emulator plays; CONTROL is
 * the emulator's FIFO. Bit rates of both phases, hardware stamps, error states up to bus-off and back, bit rates that do
 * not agree; with "unplug" the adapter pulled out in mid test.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "can_end.h"
#include "lines.h"

enum { NOMINAL = 500000, DATA = 2000000, BURST = 200 };
#define LIMIT_NS INT64_C(30000000000)
/* Both channels' clocks are set by a question over USB each: so far their stamps of one instant may be apart. */
#define CLOCKS_APART_NS INT64_C(1000000000)

struct bench {
	struct loop *loop;
	struct can_end from, to;
	const char *control;
};

static bool reopen(struct bench *bench, uint32_t from_data, uint32_t to_data, const char *name)
{
	struct error err = {0};
	can_end_close(&bench->from);
	can_end_close(&bench->to);
	int result = can_end_open(&bench->from, bench->loop, NOMINAL, from_data, &err);
	if (result == 0)
		result = can_end_open(&bench->to, bench->loop, NOMINAL, to_data, &err);
	return line_check(result == 0, name, "%s", err.message);
}

static void tell(struct bench *bench, const char *command)
{
	int fd = open(bench->control, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, command, strlen(command)) < 0)
		perror(bench->control);
	if (fd >= 0)
		close(fd);
}

static bool is_off(void *context)
{
	const struct can_end *end = &((const struct bench *)context)->from;
	return end->state_count > 0 && end->states[end->state_count - 1] == CAN_BUS_OFF;
}

static bool is_closed(void *context)
{
	const struct bench *bench = context;
	return bench->from.closed && bench->to.closed;
}

static bool passes(struct bench *bench, unsigned length, uint8_t flags, struct error *err)
{
	return can_end_passes(bench->loop, &bench->from, &bench->to, length, flags, err);
}

static void rates(struct bench *bench)
{
	struct can_counters from, to;
	can_counters_read(bench->from.can, &from);
	can_counters_read(bench->to.can, &to);
	line_check(from.nominal_bit_rate == NOMINAL && to.nominal_bit_rate == NOMINAL && from.data_bit_rate == DATA &&
	                   to.data_bit_rate == DATA,
	           "adapter: the bit rates of both phases are read back", "%u/%u and %u/%u", from.nominal_bit_rate, from.data_bit_rate,
	           to.nominal_bit_rate, to.data_bit_rate);
	line_check(from.state == CAN_BUS_ACTIVE && to.state == CAN_BUS_ACTIVE, "adapter: both controllers are error-active", "%s and %s",
	           can_state_name(from.state), can_state_name(to.state));
}

static void every_length(struct bench *bench)
{
	static const uint8_t lengths[] = {0, 1, 7, 8, 12, 16, 20, 24, 32, 48, 64};
	struct error err = {0};
	bool right = true;
	for (size_t i = 0; i < sizeof(lengths) && right; i++) {
		right = passes(bench, lengths[i], CAN_MESSAGE_FD | CAN_MESSAGE_BRS, &err) &&
		        passes(bench, lengths[i], CAN_MESSAGE_FD, &err);
		if (right && lengths[i] <= 8)
			right = passes(bench, lengths[i], 0, &err);
	}
	line_check(right, "adapter: frames of every length, classic, FD, and FD with BRS", "%s",
	           err.code != 0 ? err.message : "a frame came changed");
}

static void burst(struct bench *bench)
{
	struct error err = {0};
	struct can_message message;
	unsigned begin = bench->to.received;
	int result = 0;
	bench->from.not_hardware = bench->to.not_hardware = bench->from.out_of_order = bench->to.out_of_order = 0;
	for (unsigned i = 0; i < BURST && result == 0; i++) {
		can_end_fill(&message, begin + i, 64, CAN_MESSAGE_FD | CAN_MESSAGE_BRS);
		result = can_send(bench->from.can, &message, NULL, &err);
	}
	if (result == 0)
		result = can_end_wait(bench->loop, &bench->from, &bench->to, begin + BURST, LIMIT_NS, &err);
	line_check(result == 0 && bench->to.received == begin + BURST && bench->to.wrong_data == 0 && bench->to.lost == 0,
	           "adapter: 200 FD frames in a burst come whole and in order", "%u of %u came, %u wrong, %" PRIu64 " lost: %s",
	           bench->to.received - begin, (unsigned)BURST, bench->to.wrong_data, bench->to.lost, err.message);
	line_check(bench->from.not_hardware + bench->to.not_hardware == 0, "adapter: stamps of sent and received frames are the hardware's",
	           "%u and %u are not", bench->from.not_hardware, bench->to.not_hardware);
	line_check(bench->from.out_of_order + bench->to.out_of_order == 0, "adapter: stamps follow the order of the frames",
	           "%u and %u do not", bench->from.out_of_order, bench->to.out_of_order);
	int64_t apart_ns = llabs(bench->to.newest.at.ns - bench->from.newest_sent.at.ns), age_ns = loop_now_ns() - bench->to.newest.at.ns;
	line_check(apart_ns < CLOCKS_APART_NS && age_ns >= 0 && age_ns < LIMIT_NS,
	           "adapter: both ends stamp one frame alike, on the bench's clock", "%" PRId64 " ns apart, %" PRId64 " ns old", apart_ns,
	           age_ns);
}

static void corrected(struct bench *bench)
{
	struct error err = {0};
	tell(bench, "corrupt 3\n");
	line_check(passes(bench, 8, 0, &err), "adapter: a frame whose first 3 attempts fail arrives", "%s", err.message);
}

static bool went_through(const struct can_end *end, enum can_bus_state first, enum can_bus_state second, enum can_bus_state third)
{
	const enum can_bus_state wanted[3] = {first, second, third};
	unsigned matched = 0;
	for (unsigned i = 0; i < end->state_count && matched < 3; i++)
		matched += end->states[i] == wanted[matched];
	return matched == 3;
}

/* One frame that can never be sent drives its sender off the bus. */
static bool driven_off(struct bench *bench, const char *name, uint8_t flags)
{
	struct can_message message;
	struct error err = {0};
	bench->from.state_count = bench->from.not_sent = 0;
	can_end_fill(&message, 0, 8, flags);
	int result = can_send(bench->from.can, &message, NULL, &err);
	if (result == 0)
		result = loop_until(bench->loop, is_off, bench, loop_now_ns() + LIMIT_NS);
	return line_check(
	        result == 0 && went_through(&bench->from, CAN_BUS_WARNING, CAN_BUS_PASSIVE, CAN_BUS_OFF) && bench->from.not_sent == 1, name,
	        "%u states, %u frames said to be not sent, the last state is %s %s", bench->from.state_count, bench->from.not_sent,
	        bench->from.state_count > 0 ? can_state_name(bench->from.states[bench->from.state_count - 1]) : "unknown", err.message);
}

static void bus_off(struct bench *bench)
{
	struct error err = {0};
	struct can_message message;
	tell(bench, "corrupt 40\n");
	if (!driven_off(bench, "adapter: warning, passive, bus-off are told in this order, and the frame as not sent", 0))
		return;
	struct can_counters counters;
	can_counters_read(bench->from.can, &counters);
	line_check(counters.state == CAN_BUS_OFF, "adapter: the counters say bus-off", "%s", can_state_name(counters.state));
	can_end_fill(&message, 0, 8, 0);
	int result = can_send(bench->from.can, &message, NULL, &err);
	line_check(result == -ENETDOWN, "adapter: a frame for a controller that is bus-off is refused", "result %d %s", result,
	           err.message);
	tell(bench, "corrupt 0\n");
	err = (struct error){0};
	result = can_recover(bench->from.can, &err);
	line_check(result == 0 && passes(bench, 8, 0, &err), "adapter: after the recovery frames pass again", "result %d %s%s", result,
	           err.message, bench->from.closed ? bench->from.reason : "");
}

static void other_data_rate(struct bench *bench)
{
	if (!reopen(bench, DATA, 2 * DATA, "adapter: one end is set to another data bit rate"))
		return;
	struct error err = {0};
	line_check(passes(bench, 16, CAN_MESSAGE_FD, &err), "adapter: an FD frame without BRS passes between different data bit rates",
	           "%s", err.message);
	(void)driven_off(bench, "adapter: a frame with BRS does not, and its sender goes bus-off", CAN_MESSAGE_FD | CAN_MESSAGE_BRS);
}

static void pulled_out(struct bench *bench)
{
	if (!reopen(bench, DATA, DATA, "adapter: both ends are set to equal rates again"))
		return;
	struct error err = {0};
	struct can_counters counters;
	can_counters_read(bench->from.can, &counters);
	if (counters.state == CAN_BUS_OFF)
		line_check(can_recover(bench->from.can, &err) == 0, "adapter: a bus-off from before is left", "%s", err.message);
	line_check(passes(bench, 64, CAN_MESSAGE_FD | CAN_MESSAGE_BRS, &err), "adapter: frames with BRS pass between equal rates", "%s",
	           err.message);
	tell(bench, "unplug\n");
	int result = loop_until(bench->loop, is_closed, bench, loop_now_ns() + LIMIT_NS);
	line_check(result == 0 && bench->from.reason[0] != '\0', "adapter: pulled out in mid test, both ends are told closed with a reason",
	           "\"%s\", \"%s\"", bench->from.reason, bench->to.reason);
	struct can_message message;
	can_end_fill(&message, 0, 8, 0);
	result = can_send(bench->from.can, &message, NULL, &err);
	line_check(result < 0, "adapter: a frame for an adapter that is gone is refused", "it was taken");
}

int main(int argc, char **argv)
{
	bool unplug = argc == 5 && strcmp(argv[4], "unplug") == 0;
	if (argc != 4 && !unplug) {
		fprintf(stderr, "usage: can_adapter FROM TO CONTROL [unplug]\n");
		return 2;
	}
	struct bench bench = {.from.interface = argv[1], .to.interface = argv[2], .control = argv[3]};
	struct error err = {0};
	if (loop_new(&bench.loop, &err) < 0) {
		line_check(false, "adapter: loop", "%s", err.message);
		return 1;
	}
	if (unplug) {
		pulled_out(&bench);
	} else if (reopen(&bench, DATA, DATA, "adapter: 500 kbit/s and 2 Mbit/s are set through netlink")) {
		rates(&bench);
		every_length(&bench);
		burst(&bench);
		corrected(&bench);
		bus_off(&bench);
		other_data_rate(&bench);
	}
	can_end_close(&bench.from);
	can_end_close(&bench.to);
	loop_free(bench.loop);
	return lines_status();
}
