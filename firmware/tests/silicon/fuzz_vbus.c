/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a bus takes from strangers. The first byte chooses: a datagram of cannelloni, a stream of it, a message of
 * python-can, or a node's messages (each with a length byte before it) for a bus in virtual time.
 */
#include "../../silicon/vbus_cannelloni.h"
#include "../../silicon/vbus_message.h"
#include "../../silicon/vbus_msgpack.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
	if (!right)
		__builtin_trap();
}

static void try_datagram(const uint8_t *data, size_t size)
{
	static struct canbus_frame frames[64];
	uint8_t bytes[CANNELLONI_PACKET_MAX];
	const int n = cannelloni_packet_decode(data, size, frames, 64);
	check(n >= -1 && n <= 64);
	for (int i = 0; i < n; i++) {
		struct canbus_frame again;
		size_t length = cannelloni_packet_encode(bytes, 0, &frames[i]);
		check(cannelloni_packet_decode(bytes, length, &again, 1) == 1 && memcmp(&again, &frames[i], sizeof again) == 0);
	}
}

static void try_stream(const uint8_t *data, size_t size)
{
	struct canbus_frame frame;
	bool error_frame;
	int n;
	while ((n = cannelloni_frame_decode(data, size, &frame, &error_frame)) > 0) {
		check((size_t)n <= size);
		data += n;
		size -= (size_t)n;
	}
}

static void try_map(const uint8_t *data, size_t size)
{
	struct canbus_frame frame, again;
	uint8_t bytes[VBUS_MSGPACK_MAX];
	bool error_frame;
	if (!vbus_msgpack_decode(data, size, &frame, &error_frame))
		return;
	size_t length = vbus_msgpack_encode(bytes, &frame, 0);
	check(length <= sizeof bytes && vbus_msgpack_decode(bytes, length, &again, &error_frame));
	check(memcmp(&again, &frame, sizeof again) == 0);
}

struct tally {
	unsigned queued, answered;
};

static void count_answers(void *context, const struct canbus_event *event)
{
	struct tally *tally = context;
	uint8_t message[VBUS_MESSAGE_MAX];
	tally->answered += event->kind == CANBUS_CONFIRMED || event->kind == CANBUS_NOT_SENT;
	if (event->kind == CANBUS_RECEIVED)
		check(vbus_put_received(message, event) <= sizeof message);
}

static void obey(struct canbus *bus, uint64_t now_ns, const struct vbus_request *request, struct tally *tally)
{
	const unsigned node = request->ticket % 2;
	if (request->kind == 'T') {
		tally->queued++;
		canbus_transmit(bus, now_ns, node, &request->frame, request->ticket);
	} else if (request->kind == 'X' && request->one) {
		canbus_cancel_one(bus, now_ns, node, request->ticket);
	} else if (request->kind == 'X') {
		canbus_cancel(bus, now_ns, node);
	} else if (request->kind == 'B') {
		canbus_recover(bus, now_ns, node);
	} else if (request->flags & 1) {
		canbus_silence(bus, now_ns, node, request->flags & 2);
	} else if (request->flags & 4) {
		const struct canbus_corruption what = {.id = 1, .nth = 1, .count = 40, .damage = request->flags >> 1 & 1};
		canbus_corrupt(bus, now_ns, &what);
	} else {
		canbus_short(bus, now_ns, request->flags & 2);
	}
}

/* Every frame is answered once, whatever was done to the bus. */
static void try_node(const uint8_t *data, size_t size)
{
	struct tally tally = {0};
	struct canbus *bus =
	        canbus_new(&(struct canbus_config){.nominal = 500000, .data = 2000000, .sink = count_answers, .context = &tally});
	uint64_t now_ns = 0;
	check(bus != NULL);
	for (int i = 0; i < 3; i++)
		check(canbus_attach(bus, 0, false) == i);
	while (size > 0) {
		struct vbus_request request;
		const size_t length = data[0] < size - 1 ? data[0] : size - 1;
		if (vbus_request_decode(data + 1, length, &request))
			obey(bus, now_ns, &request, &tally);
		data += 1 + length;
		size -= 1 + length;
		now_ns += 40000;
	}
	canbus_advance(bus, now_ns);
	for (unsigned node = 0; node < 3; node++)
		canbus_cancel(bus, now_ns, node);
	canbus_advance(bus, now_ns + 1000000000);
	check(tally.queued == tally.answered);
	canbus_free(bus);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % 4) {
	case 0:
		try_datagram(data + 1, size - 1);
		break;
	case 1:
		try_stream(data + 1, size - 1);
		break;
	case 2:
		try_map(data + 1, size - 1);
		break;
	default:
		try_node(data + 1, size - 1);
	}
	return 0;
}
