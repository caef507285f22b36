/* SPDX-License-Identifier: Apache-2.0 */
/*
 * can_plain FROM TO [FOREIGN]: link/can on a pair of interfaces without a controller (vcan, vxcan), where everything FD
 * can be had without bit rates. A third name is an interface that is removed while a channel is open on it.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/can.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "can_end.h"
#include "lines.h"

enum { FLOOD = 30000 };
#define LIMIT_NS INT64_C(30000000000)

struct bench {
	struct loop *loop;
	struct can_end from, to;
	char label[40];
};

static bool check(struct bench *bench, bool condition, const char *what, const char *reason)
{
	char name[160];
	snprintf(name, sizeof(name), "%s: %s", bench->label, what);
	return line_check(condition, name, "%s", reason);
}

static bool reopen(struct bench *bench, struct error *err)
{
	can_end_close(&bench->from);
	can_end_close(&bench->to);
	return can_end_open(&bench->from, bench->loop, 0, 0, err) == 0 && can_end_open(&bench->to, bench->loop, 0, 0, err) == 0;
}

static void every_kind(struct bench *bench)
{
	static const uint8_t lengths[] = {0, 1, 7, 8, 12, 16, 20, 24, 32, 48, 64};
	static const uint8_t kinds[] = {0, CAN_MESSAGE_FD, CAN_MESSAGE_FD | CAN_MESSAGE_BRS,
	                                CAN_MESSAGE_FD | CAN_MESSAGE_BRS | CAN_MESSAGE_ESI};
	struct error err = {0};
	bool right = true;
	for (size_t i = 0; i < sizeof(lengths) && right; i++) {
		for (size_t k = 0; k < sizeof(kinds) && right; k++) {
			uint8_t extended = kinds[k] | CAN_MESSAGE_EXTENDED;
			if (lengths[i] > 8 && !(kinds[k] & CAN_MESSAGE_FD))
				continue;
			right = can_end_passes(bench->loop, &bench->from, &bench->to, lengths[i], kinds[k], &err) &&
			        can_end_passes(bench->loop, &bench->from, &bench->to, lengths[i], extended, &err);
		}
	}
	check(bench, right, "frames of every length and kind, classic and FD with BRS and ESI, both identifier lengths", err.message);
	right = bench->to.newest.at.source == CLOCK_SOURCE_KERNEL && bench->from.newest_sent.at.source == CLOCK_SOURCE_KERNEL &&
	        bench->from.out_of_order + bench->to.out_of_order == 0;
	check(bench, right, "stamps are the kernel's, in the order of the frames", "another clock, or another order");
	struct can_message message;
	can_end_fill(&message, 0, 9, CAN_MESSAGE_FD);
	check(bench, can_send(bench->from.can, &message, NULL, &err) == -EINVAL, "9 bytes, a length that no DLC has, are refused",
	      "another result");
}

/* Far more frames than any queue holds, from a socket that waits for nobody. 0 or -errno. */
static int flood(const char *interface)
{
	struct sockaddr_can address = {.can_family = AF_CAN, .can_ifindex = (int)if_nametoindex(interface)};
	int fd = socket(PF_CAN, SOCK_RAW | SOCK_CLOEXEC, CAN_RAW);
	int result = fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	for (unsigned i = 0; i < FLOOD && result == 0; i++) {
		struct can_frame frame = {.can_id = 0x123, .len = 8};
		memcpy(frame.data, &i, sizeof(i));
		if (write(fd, &frame, sizeof(frame)) != (ssize_t)sizeof(frame))
			result = -errno;
	}
	if (fd >= 0)
		close(fd);
	return result;
}

/* What was lost behind the last frame that came is told when the counters are asked. */
static bool all_told(void *context)
{
	const struct bench *bench = context;
	struct can_counters counters;
	can_counters_read(bench->to.can, &counters);
	return bench->to.received + bench->to.lost >= FLOOD;
}

static void overflow(struct bench *bench)
{
	struct error err = {0};
	char reason[1200];
	bool open = reopen(bench, &err);
	can_end_close(&bench->from);
	int result = open ? flood(bench->from.interface) : -EIO;
	if (result == 0)
		result = loop_until(bench->loop, all_told, bench, loop_now_ns() + LIMIT_NS);
	struct can_counters counters = {0};
	if (open)
		can_counters_read(bench->to.can, &counters);
	snprintf(reason, sizeof(reason), "result %d, %u received, %" PRIu64 " told as lost, %" PRIu64 " counted, of %u %s", result,
	         bench->to.received, bench->to.lost, counters.lost, (unsigned)FLOOD, err.message);
	check(bench, result == 0 && bench->to.lost > 0, "a queue that overflows is told", reason);
	check(bench, bench->to.received + bench->to.lost == FLOOD && counters.lost == bench->to.lost,
	      "received and lost frames are all that were sent", reason);
}

/* ip link delete INTERFACE */
static int delete_interface(const char *interface)
{
	char *const command[] = {"ip", "link", "delete", (char *)(uintptr_t)interface, NULL};
	char *const environment[] = {NULL};
	pid_t child;
	int status = -1;
	int result = posix_spawn(&child, "/sbin/ip", NULL, NULL, command, environment);
	if (result == 0)
		(void)waitpid(child, &status, 0);
	return result == 0 && status == 0 ? 0 : -1;
}

static bool is_closed(void *context)
{
	return ((const struct can_end *)context)->closed;
}

static void removed(struct bench *bench, const char *interface)
{
	struct can_end end = {.interface = interface};
	struct error err = {0};
	int result = can_end_open(&end, bench->loop, 0, 0, &err);
	if (result == 0)
		result = delete_interface(interface);
	if (result == 0)
		result = loop_until(bench->loop, is_closed, &end, loop_now_ns() + LIMIT_NS);
	check(bench, result == 0 && strstr(end.reason, interface) != NULL,
	      "an interface that is removed in mid test is told, and the reason names it",
	      end.reason[0] != '\0' ? end.reason : err.message);
	can_end_close(&end);
	result = can_end_open(&end, bench->loop, 0, 0, &err);
	check(bench, result == -ENODEV && strstr(err.message, interface) != NULL,
	      "an interface that is not there is refused, and the reason names it", err.message);
	can_end_close(&end);
}

int main(int argc, char **argv)
{
	if (argc != 3 && argc != 4) {
		fprintf(stderr, "usage: can_plain FROM TO [FOREIGN]\n");
		return 2;
	}
	struct bench bench = {.from.interface = argv[1], .to.interface = argv[2]};
	struct error err = {0};
	snprintf(bench.label, sizeof(bench.label), "%s to %s", argv[1], argv[2]);
	bool right = loop_new(&bench.loop, &err) == 0 && reopen(&bench, &err);
	if (check(&bench, right, "opened without bit rates", err.message)) {
		every_kind(&bench);
		overflow(&bench);
		if (argc == 4)
			removed(&bench, argv[3]);
	}
	can_end_close(&bench.from);
	can_end_close(&bench.to);
	loop_free(bench.loop);
	return lines_status();
}
