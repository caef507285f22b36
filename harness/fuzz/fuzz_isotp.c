/* SPDX-License-Identifier: Apache-2.0 */
/* options | operation*: any frames at any times into a link that sends and misbehaves itself; what it puts on the bus must
 * be frames that a bus can carry, and its timers must come to an end. */
#include "../proto/isotp.h"

#include <stdlib.h>

#include "fuzz.h"

struct input {
	const uint8_t *data;
	size_t size;
};

static uint8_t take_byte(struct input *input)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++;
}

static struct isotp *open_link(struct input *input)
{
	static const uint8_t lengths[] = {8, 12, 16, 20, 24, 32, 48, 64};
	uint8_t flags = take_byte(input);
	struct isotp_options options = {
	        .addressing = (enum isotp_addressing)(flags & 3),
	        .extension_rx = 0x10,
	        .fd = (flags & 4) != 0,
	        .tx_dl = (flags & 4) ? lengths[flags >> 5] : 8,
	        .pad = (flags & 8) != 0,
	        .block_size = take_byte(input),
	        .st_min = take_byte(input),
	        .wft_max = flags >> 6,
	        .receive_limit = (flags & 16) ? 300 : 100000,
	};
	const struct isotp_misdeeds misdeeds = {
	        .wrong_sn_at = take_byte(input),
	        .skip_cf_at = take_byte(input),
	        .repeat_cf_at = take_byte(input),
	        .waits_before_flow = take_byte(input) & 7,
	        .flow_status = take_byte(input) & 15,
	        .short_flow_control = take_byte(input) & 3,
	};
	struct isotp *link;

	if (isotp_new(&link, &options) < 0)
		abort();
	isotp_misbehave(link, &misdeeds);
	return link;
}

static void drain(struct isotp *link, int64_t now_ns)
{
	struct isotp_frame frame;

	while (isotp_next(link, now_ns, &frame)) {
		if (frame.length == 0 || frame.length > 64 || isotp_next(link, now_ns, &frame))
			abort();
		isotp_confirmed(link, now_ns);
	}
}

static void operation(struct isotp *link, struct input *input, int64_t *now_ns)
{
	uint8_t code = take_byte(input);
	static const uint8_t message[4200];
	size_t length = code & 0x7f;

	if (code == 0xff) {
		(void)!isotp_send(link, message, (size_t)take_byte(input) * 16 + 1, *now_ns);
	} else if (code & 0x80) {
		*now_ns += (int64_t)length * length * 100000;
		isotp_tick(link, *now_ns);
	} else {
		uint8_t *copy = malloc(length ? length : 1);

		for (size_t i = 0; copy && i < length; i++)
			copy[i] = take_byte(input);
		if (copy)
			isotp_receive(link, copy, length, *now_ns);
		free(copy);
	}
	drain(link, *now_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	struct isotp *link = open_link(&input);
	struct bytes message = {0};
	struct isotp_facts facts;
	int64_t now_ns = 0;

	while (input.size > 0)
		operation(link, &input, &now_ns);
	for (unsigned i = 0; isotp_deadline(link) != INT64_MAX; i++) {
		if (i > 100000)
			abort();
		if (isotp_deadline(link) > now_ns)
			now_ns = isotp_deadline(link);
		isotp_tick(link, now_ns);
		drain(link, now_ns);
	}
	while (isotp_take(link, &message)) {
		bytes_free(&message);
		message = (struct bytes){0};
	}
	isotp_facts_read(link, &facts);
	isotp_free(link);
	return 0;
}
