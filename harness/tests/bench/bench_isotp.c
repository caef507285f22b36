/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 1 MiB over ISO-TP in virtual time, beside what the bus itself can carry: frames of 64 bytes one after the other, their 63
 * payload bytes each. Block size 0, STmin 0.
 *
 *   share of the bus's own limit      wanted: at least 0.97
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/loop.h"
#include "../../link/can.h"
#include "../../proto/isotp.h"

#define LENGTH (1u << 20)

static _Noreturn void give_up(const char *what)
{
	(void)fprintf(stderr, "%s\n", what);
	exit(1);
}

static struct isotp *open_link(bool fd)
{
	const struct isotp_options options = {.fd = fd, .tx_dl = fd ? 64 : 8, .pad = true, .padding = 0xcc};
	struct isotp *link;

	if (isotp_new(&link, &options) < 0)
		give_up("no link");
	return link;
}

static int64_t frame_time_ns(const struct isotp_frame *frame, bool fd)
{
	struct can_message message = {.id = 0x7e0, .flags = fd ? CAN_MESSAGE_FD | CAN_MESSAGE_BRS : 0, .length = frame->length};

	memcpy(message.data, frame->data, frame->length);
	return can_frame_time_ns(&message, 500000, 2000000);
}

/* Hands one frame of a link to the other; false: it has none. */
static bool pass(struct isotp *from, struct isotp *to, bool fd, int64_t *now_ns, struct isotp_frame *ret)
{
	if (!isotp_next(from, *now_ns, ret))
		return false;
	*now_ns += frame_time_ns(ret, fd);
	isotp_confirmed(from, *now_ns);
	isotp_receive(to, ret->data, ret->length, *now_ns);
	return true;
}

static void transfer(bool fd)
{
	struct isotp *sender = open_link(fd), *receiver = open_link(fd);
	int64_t now_ns = 0, data_ns = 0, begin_ns = loop_now_ns(), before_ns;
	uint8_t *data = malloc(LENGTH);
	struct isotp_frame frame;
	struct bytes message = {0};
	uint64_t carried = 0;
	double limit, reached;

	if (!data)
		give_up("memory");
	for (uint32_t i = 0; i < LENGTH; i++)
		data[i] = (uint8_t)(i * 2654435761u >> 13);
	if (isotp_send(sender, data, LENGTH, 0) < 0)
		give_up("send");
	while (isotp_send_result(sender) == ISOTP_PENDING) {
		before_ns = now_ns;
		if (pass(sender, receiver, fd, &now_ns, &frame)) {
			/* The limit counts full frames alone, at the pace at which they went. */
			if (frame.data[0] >> 4 == 2 && frame.length == (fd ? 64 : 8)) {
				data_ns += now_ns - before_ns;
				carried += frame.length - 1u;
			}
		} else if (!pass(receiver, sender, fd, &now_ns, &frame)) {
			give_up("the transfer stands still");
		}
	}
	if (!isotp_take(receiver, &message) || message.length != LENGTH || memcmp(message.data, data, LENGTH) != 0)
		give_up("the message did not arrive");
	limit = (double)carried * 1e9 / (double)data_ns;
	reached = LENGTH * 1e9 / (double)now_ns;
	printf("ISO-TP 1 MiB, %-16s %8.1f kB/s in virtual time   share of the bus's limit %.4f (wanted 0.97)   %.0f ms of real time\n",
	       fd ? "CAN FD 500k/2M" : "classic 500k", reached / 1e3, reached / limit, (double)(loop_now_ns() - begin_ns) / 1e6);
	bytes_free(&message);
	free(data);
	isotp_free(sender);
	isotp_free(receiver);
}

int main(void)
{
	transfer(true);
	transfer(false);
	return 0;
}
