/* SPDX-License-Identifier: Apache-2.0 */
/* Secured PDUs that the device itself sends. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "secoc_bench.h"
#include "steps.h"

static const struct arg_def expect_args[] = {
        ARG_BUS,
        {"id", VALUE_INTEGER, ARG_REQUIRED, NULL, NULL, 0, 0x1fffffff, "Identifier that a secoc.pdu step has named."},
        {"count", VALUE_INTEGER, ARG_POSITIVE, "1", NULL, 1, 100000, "Number of frames."},
        {"within", VALUE_DURATION, ARG_POSITIVE, "3s", NULL, 0, 0, "How long to wait for each."},
        {"freshness", VALUE_INTEGER, 0, NULL, NULL, 0, 0, "Freshness before the first frame (default: read from DID FD40)."},
        {NULL},
};
static const struct result_def expect_results[] = {
        {"freshness", VALUE_INTEGER, "Of the last frame."},
        {"largest_step", VALUE_INTEGER, "Largest growth of the freshness between two frames."},
        {"smallest_period", VALUE_DURATION, "Shortest time between two frames."},
        {"largest_period", VALUE_DURATION, "Longest time between two frames."},
        {"pdu", VALUE_BYTES, "The last secured PDU."},
        {NULL},
};

struct reception {
	struct secoc_bench *bench;
	struct secoc_pdu_state *state;
	uint64_t number;
	struct can_message message;
	int64_t seen, last_ns, smallest_ns, largest_ns;
	uint64_t largest_step;
};

static bool reception_step(void *context)
{
	struct reception *reception = context;
	struct bus_watch *watch = reception->bench->watch;

	while (reception->number < watch->next) {
		const struct bus_frame *frame = bus_watch_frame(watch, reception->number++);

		if (frame->transmitted || frame->message.id != reception->state->id ||
		    ((frame->message.flags & CAN_MESSAGE_EXTENDED) != 0) != (reception->state->id > 0x7ff))
			continue;
		reception->message = frame->message;
		return true;
	}
	return false;
}

static void reception_time(struct reception *reception)
{
	int64_t gap_ns = reception->message.at.ns - reception->last_ns;

	if (reception->seen++ > 0) {
		if (reception->seen == 2 || gap_ns < reception->smallest_ns)
			reception->smallest_ns = gap_ns;
		if (gap_ns > reception->largest_ns)
			reception->largest_ns = gap_ns;
	}
	reception->last_ns = reception->message.at.ns;
}

static int reception_check(struct step_context *context, struct reception *reception, struct error *err)
{
	struct secoc_pdu_state *state = reception->state;
	const struct can_message *message = &reception->message;
	uint64_t freshness = secoc_candidate(&state->layout, message->data, message->length, state->sent);
	struct bytes pdu = {.data = (uint8_t *)message->data, .length = message->length};
	bool right = secoc_is_right(state->key, &state->layout, message->data, message->length, freshness);

	secoc_note(reception->bench, "secoc.rx", message->at, state->id, freshness, NULL, right ? "right" : "wrong", &pdu);
	if (!right) {
		char *hex = bytes_to_hex(message->data, message->length, 0), expected[64];
		int r;

		snprintf(expected, sizeof(expected), "a right MAC at freshness %" PRIu64, freshness);
		r = step_check_failed(context, err, expected, hex, "the device sent a secured PDU that does not verify");
		free(hex);
		return r;
	}
	if (reception->seen > 0 && freshness - state->sent > reception->largest_step)
		reception->largest_step = freshness - state->sent;
	state->sent = freshness;
	reception_time(reception);
	return 0;
}

static int reception_learn(struct step_context *context, const struct step_call *call, struct reception *reception, struct error *err)
{
	struct secoc_record record = {0};
	int64_t freshness;
	int r = step_arg_integer(context, call, "freshness", 0, &freshness, err);

	if (r < 0)
		return r;
	if (step_has_arg(call, "freshness")) {
		reception->state->sent = (uint64_t)freshness;
	} else if (!reception->state->knows_sent) {
		r = secoc_record_read(context, reception->bench, (uint16_t)(reception->state->id | SECOC_SENT_FLAG), &record, err);
		/* The record may be of a frame that still waits for the bus. */
		reception->state->sent = record.freshness > 0 ? record.freshness - 1 : 0;
	}
	reception->state->knows_sent = r == 0;
	reception->number = reception->bench->watch->next;
	return r;
}

static int reception_results(struct step_context *context, const struct reception *reception)
{
	if (step_result_integer(context, "freshness", (int64_t)reception->state->sent) < 0 ||
	    step_result_integer(context, "largest_step", (int64_t)reception->largest_step) < 0 ||
	    step_result_duration(context, "smallest_period", reception->smallest_ns) < 0 ||
	    step_result_duration(context, "largest_period", reception->largest_ns) < 0)
		return -ENOMEM;
	return step_result_bytes(context, "pdu", reception->message.data, reception->message.length);
}

static int secoc_expect_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct reception reception = {.bench = NULL};
	int64_t count, within_ns;
	int r;

	if ((r = secoc_pdu_of_call(context, call, &reception.bench, &reception.state, err)) < 0 ||
	    (r = step_arg_integer(context, call, "count", 1, &count, err)) < 0 ||
	    (r = step_arg_integer(context, call, "within", 3000000000, &within_ns, err)) < 0 ||
	    (r = reception_learn(context, call, &reception, err)) < 0)
		return r;
	for (int64_t i = 0; r == 0 && i < count; i++) {
		struct bus_listening listening = {reception.bench->watch, loop_now_ns()};

		r = step_wait(context, reception_step, &reception, within_ns, err);
		if (r == -ETIMEDOUT && (r = bus_listened(&listening, r, err)) == -ETIMEDOUT)
			return step_check_failed(context, err, "a secured PDU", "none", "no frame 0x%03x came within %" PRId64 " ms",
			                         reception.state->id, within_ns / 1000000);
		if (r == 0)
			r = reception_check(context, &reception, err);
	}
	if (r == 0 && reception_results(context, &reception) < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	return r;
}

const struct step_def step_secoc_expect = {
        .name = "secoc.expect",
        .doc = "Waits for secured PDUs of the device: each must have a right MAC and a freshness that advanced.",
        .example = "- secoc.expect: {id: 0x101, count: 3, expect: {largest_step: 1}}",
        .args = expect_args,
        .results = expect_results,
        .run = secoc_expect_run,
};
