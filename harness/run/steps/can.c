/* SPDX-License-Identifier: Apache-2.0 */
/* Raw frames on a bus of the rig: sending, expecting, absence, counting, and the faults of the wire. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "can_check.h"
#include "can_load.h"
#include "steps.h"

#define WINDOW        16u
#define QUEUE_FULL_NS 1000000

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

/* ---- can.send ---------------------------------------------------------------------------------------------- */

static const struct arg_def send_args[] = {
        ARG_BUS,
        {"id", VALUE_INTEGER, ARG_REQUIRED, NULL, NULL, 0, 0x1fffffff, "Identifier."},
        {"data", VALUE_BYTES, 0, NULL, NULL, 0, 0, "The data; filled up with `padding` to a length that a DLC has."},
        {"length", VALUE_INTEGER, 0, NULL, NULL, 0, 64,
         "Length of the frame (default: as short as the data allows); of a remote frame: the length asked for."},
        {"padding", VALUE_INTEGER, 0, "0", NULL, 0, 255, "What fills up."},
        ARG_FRAME_FORMAT,
        {"times", VALUE_INTEGER, ARG_POSITIVE, "1", NULL, 1, 1000000, "How often."},
        {"every", VALUE_DURATION, 0, "0ms", NULL, 0, 0, "Period; 0: as fast as the bus takes them."},
        {"within", VALUE_DURATION, ARG_POSITIVE, "1s", NULL, 0, 0, "How long the bus may take for a frame that waits."},
        {NULL},
};
static const struct result_def send_results[] = {
        {"sent", VALUE_INTEGER, "Frames that were on the bus."},
        {"duration", VALUE_DURATION, "From the first frame's end to the last one's."},
        {"smallest_gap", VALUE_DURATION, "Shortest time between the ends of two of these frames."},
        {"largest_gap", VALUE_DURATION, "Longest time between the ends of two of these frames."},
        {NULL},
};

struct sending {
	struct can *can;
	struct can_message message;
	uint64_t tickets[WINDOW]; /* queued, not on the bus yet */
	unsigned outstanding;
	int64_t begun, done, times;
	int64_t every_ns, next_ns;
	int64_t done_before, begun_before; /* when the wait began */
	int64_t progress_ns;               /* when the bus last took one, or the first of those that wait was queued */
	int64_t first_ns, last_ns, smallest_ns, largest_ns;
	int failure;
	struct error error;
};

static void sending_note(struct sending *sending, int64_t at_ns)
{
	sending->progress_ns = loop_now_ns();
	if (sending->done++ == 0) {
		sending->first_ns = at_ns;
	} else {
		int64_t gap_ns = at_ns - sending->last_ns;

		if (sending->done == 2 || gap_ns < sending->smallest_ns)
			sending->smallest_ns = gap_ns;
		if (gap_ns > sending->largest_ns)
			sending->largest_ns = gap_ns;
	}
	sending->last_ns = at_ns;
}

static void sending_on_frame(const struct can_message *message, bool transmitted, void *context)
{
	struct sending *sending = context;

	for (unsigned i = 0; transmitted && i < sending->outstanding; i++)
		if (sending->tickets[i] == message->ticket) {
			sending->tickets[i] = sending->tickets[--sending->outstanding];
			sending_note(sending, message->at.ns);
			return;
		}
}

/* Queues what is due; a step_wait() predicate that is true when something was begun or done, or has failed. */
static bool sending_step(void *context)
{
	struct sending *sending = context;
	int r;

	while (sending->begun < sending->times && sending->outstanding < WINDOW && loop_now_ns() >= sending->next_ns) {
		r = can_send(sending->can, &sending->message, &sending->tickets[sending->outstanding], &sending->error);
		if (r == -ENOBUFS)
			break;
		if (r < 0) {
			sending->failure = r;
			return true;
		}
		if (sending->outstanding++ == 0)
			sending->progress_ns = loop_now_ns();
		sending->begun++;
		sending->next_ns += sending->every_ns;
	}
	return sending->done != sending->done_before || sending->begun != sending->begun_before;
}

/* Until the next frame is due, or the bus has had its time for one of those that wait. */
static int64_t sending_limit(const struct sending *sending, int64_t within_ns)
{
	int64_t now_ns = loop_now_ns(), limit_ns = INT64_MAX;

	if (sending->outstanding > 0)
		limit_ns = sending->progress_ns + within_ns - now_ns;
	if (sending->begun < sending->times && sending->outstanding < WINDOW && sending->next_ns - now_ns < limit_ns)
		limit_ns = sending->next_ns - now_ns;
	/* A frame that is due and not queued found a full queue: asked again soon, not at once and without end. */
	return limit_ns > 0 ? limit_ns : QUEUE_FULL_NS;
}

static int sending_run(struct step_context *context, struct sending *sending, int64_t within_ns, struct error *err)
{
	int r = 0;

	while (r == 0 && sending->done < sending->times && sending->failure == 0) {
		sending->done_before = sending->done;
		sending->begun_before = sending->begun;
		r = step_wait(context, sending_step, sending, sending_limit(sending, within_ns), err);
		if (r == -ETIMEDOUT && (sending->outstanding == 0 || loop_now_ns() - sending->progress_ns < within_ns))
			r = 0; /* only a period was over */
	}
	return r;
}

static int send_of_call(struct step_context *context, const struct step_call *call, struct sending *ret, int64_t *ret_within_ns,
                        struct error *err)
{
	const struct bytes *data;
	int64_t padding, length;
	int r = bus_message_of_call(context, call, &ret->message, err);

	if (r < 0 || (r = step_arg_bytes(context, call, "data", &data, err)) < 0 ||
	    (r = step_arg_integer(context, call, "padding", 0, &padding, err)) < 0 ||
	    (r = step_arg_integer(context, call, "length", 0, &length, err)) < 0 ||
	    (r = step_arg_integer(context, call, "times", 1, &ret->times, err)) < 0 ||
	    (r = step_arg_integer(context, call, "every", 0, &ret->every_ns, err)) < 0 ||
	    (r = step_arg_integer(context, call, "within", BUS_TRANSMIT_WITHIN_NS, ret_within_ns, err)) < 0)
		return r;
	memset(ret->message.data, (int)padding, sizeof(ret->message.data));
	if (data)
		bus_message_set_data(&ret->message, data->data, data->length, (uint8_t)padding);
	if (step_has_arg(call, "length"))
		ret->message.length = (uint8_t)length;
	ret->next_ns = loop_now_ns();
	if (can_message_check(&ret->message, err) < 0) {
		err->domain = ERROR_TESTCASE;
		err->place = call->place;
		return -EINVAL;
	}
	return 0;
}

static int can_send_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct sending sending = {0};
	struct bus_watch *watch;
	int64_t within_ns;
	int r;

	if ((r = bus_watch_of_call(context, call, &watch, err)) < 0 || (r = send_of_call(context, call, &sending, &within_ns, err)) < 0 ||
	    (r = bus_channel(watch, &sending.can, err)) < 0 || (r = rig_bus_observe(watch->bus, sending_on_frame, &sending, err)) < 0)
		return r;
	r = sending_run(context, &sending, within_ns, err);
	rig_bus_unobserve(watch->bus, sending_on_frame, &sending);
	if (r < 0 && r != -ETIMEDOUT)
		return r;
	if (step_result_integer(context, "sent", sending.done) < 0 ||
	    step_result_duration(context, "duration", sending.last_ns - sending.first_ns) < 0 ||
	    step_result_duration(context, "smallest_gap", sending.smallest_ns) < 0 ||
	    step_result_duration(context, "largest_gap", sending.largest_ns) < 0)
		return out_of_memory(err);
	/* With `expect` it is the case that judges how far it came: a bus that is off, say. */
	if (sending.done == sending.times || call->expect)
		return 0;
	if (sending.failure) {
		*err = sending.error;
		return sending.failure;
	}
	return error_set(err, ERROR_BENCH, ETIMEDOUT, "%lld of %lld frames were on the bus", (long long)sending.done,
	                 (long long)sending.times);
}

const struct step_def step_can_send = {
        .name = "can.send",
        .doc = "Sends a frame, once or many times, and waits until the bus has taken it. Without `expect` every frame must get on the bus.",
        .example = "- can.send: {id: 0x123, data: \"11 22 33\", fd: true, times: 10, every: 20ms}",
        .flags = STEP_ACTION,
        .args = send_args,
        .results = send_results,
        .run = can_send_run,
        .check = can_check_frame,
};

/* ---- can.expect -------------------------------------------------------------------------------------------- */

static const char *const since_choices[] = {"action", "case", "now", NULL};

#define WANTED_ARGS                                                                                                                        \
	ARG_BUS, {"id", VALUE_INTEGER, ARG_REQUIRED, NULL, NULL, 0, 0x1fffffff, "Identifier."},                                            \
	        {"extended", VALUE_BOOL, 0, NULL, NULL, 0, 0, "29-bit identifier."},                                                       \
	        {"begins", VALUE_BYTES, 0, NULL, NULL, 0, 0, "Only frames whose data begins so."},                                         \
	        {"since", VALUE_TEXT, 0, "action", since_choices, 0, 0, "Where to begin: at the last step that acted, the case, or now."}

static const struct arg_def expect_args[] = {
        WANTED_ARGS,
        {"within", VALUE_DURATION, ARG_POSITIVE, "1s", NULL, 0, 0, "How long to wait."},
        {"count", VALUE_INTEGER, ARG_POSITIVE, "1", NULL, 1, 100000, "Number of frames; the last one is the result."},
        {NULL},
};
static const struct result_def frame_results[] = {
        {"data", VALUE_BYTES, "The data."},
        {"length", VALUE_INTEGER, "Its length."},
        {"flags", VALUE_TEXT, "Of \"ext rtr fd brs esi\", those that are set."},
        {"after", VALUE_DURATION, "From the begin of the last step that acted to the frame's end."},
        {"smallest_period", VALUE_DURATION, "Shortest time between two of these frames."},
        {"largest_period", VALUE_DURATION, "Longest time between two of these frames."},
        {NULL},
};

struct wanted {
	struct bus_watch *watch;
	uint32_t id;
	bool extended;
	const struct bytes *begins;
	uint64_t number;  /* frames before it were looked at */
	int64_t since_ns; /* where the looking began */
	int64_t count, found, last_ns, smallest_ns, largest_ns;
	struct can_message message;
};

static bool wanted_matches(const struct wanted *wanted, const struct bus_frame *frame)
{
	const struct can_message *message = &frame->message;
	const struct bytes *begins = wanted->begins;

	if (frame->transmitted || frame->taken || message->id != wanted->id ||
	    ((message->flags & CAN_MESSAGE_EXTENDED) != 0) != wanted->extended)
		return false;
	return !begins || (message->length >= begins->length && memcmp(message->data, begins->data, begins->length) == 0);
}

static void wanted_note(struct wanted *wanted, const struct can_message *message)
{
	int64_t gap_ns = message->at.ns - wanted->last_ns;

	if (wanted->found++ > 0) {
		if (wanted->found == 2 || gap_ns < wanted->smallest_ns)
			wanted->smallest_ns = gap_ns;
		if (gap_ns > wanted->largest_ns)
			wanted->largest_ns = gap_ns;
	}
	wanted->last_ns = message->at.ns;
	wanted->message = *message;
}

static bool wanted_step(void *context)
{
	struct wanted *wanted = context;

	while (wanted->found < wanted->count && wanted->number < wanted->watch->next) {
		struct bus_frame *frame = bus_watch_frame(wanted->watch, wanted->number++);

		if (!wanted_matches(wanted, frame))
			continue;
		frame->taken = true;
		wanted_note(wanted, &frame->message);
	}
	return wanted->found >= wanted->count;
}

static int wanted_check(const struct step_call *call, const struct value *known, struct error *err)
{
	int r = can_check_id(call, known, "id", err);

	return r < 0 ? r : can_check_bytes(call, known, "begins", CAN_MESSAGE_MAX, "a frame", err);
}

static int wanted_of_call(struct step_context *context, const struct step_call *call, struct wanted *ret, struct error *err)
{
	const char *since;
	int64_t id, since_ns = context->executor->action_begin_ns;
	int r;

	memset(ret, 0, sizeof(*ret));
	if ((r = bus_watch_of_call(context, call, &ret->watch, err)) < 0 || (r = step_arg_integer(context, call, "id", 0, &id, err)) < 0 ||
	    (r = step_arg_bool(context, call, "extended", id > 0x7ff, &ret->extended, err)) < 0 ||
	    (r = step_arg_bytes(context, call, "begins", &ret->begins, err)) < 0 ||
	    (r = step_arg_text(context, call, "since", &since, err)) < 0)
		return r;
	if (strcmp(since, "case") == 0)
		since_ns = 0;
	else if (strcmp(since, "now") == 0)
		since_ns = loop_now_ns();
	ret->id = (uint32_t)id;
	ret->count = 1;
	/* Of what was before the case the watch knows nothing. */
	ret->since_ns = since_ns > context->executor->case_begin_ns ? since_ns : context->executor->case_begin_ns;
	ret->number = bus_watch_since(ret->watch, since_ns);
	return 0;
}

static void flags_text(uint8_t flags, char *buffer, size_t size)
{
	static const char *const names[] = {"ext", "rtr", "fd", "brs", "esi"};
	size_t length = 0;

	buffer[0] = '\0';
	for (unsigned i = 0; i < 5; i++)
		if (flags & 1u << i && length < size)
			length += (size_t)snprintf(buffer + length, size - length, "%s%s", length ? " " : "", names[i]);
}

static int frame_results_set(struct step_context *context, const struct wanted *wanted, struct error *err)
{
	const struct can_message *message = &wanted->message;
	bool remote = message->flags & CAN_MESSAGE_REMOTE;
	char flags[32];

	flags_text(message->flags, flags, sizeof(flags));
	if (step_result_bytes(context, "data", message->data, remote ? 0 : message->length) < 0 ||
	    step_result_integer(context, "length", message->length) < 0 || step_result_text(context, "flags", flags) < 0 ||
	    step_result_duration(context, "after", message->at.ns - context->executor->action_begin_ns) < 0 ||
	    step_result_duration(context, "smallest_period", wanted->smallest_ns) < 0 ||
	    step_result_duration(context, "largest_period", wanted->largest_ns) < 0)
		return out_of_memory(err);
	return 0;
}

static int can_expect_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct bus_listening listening;
	struct wanted wanted;
	int64_t within_ns;
	char actual[64];
	int r;

	if ((r = wanted_of_call(context, call, &wanted, err)) < 0 ||
	    (r = step_arg_integer(context, call, "within", 1000000000, &within_ns, err)) < 0 ||
	    (r = step_arg_integer(context, call, "count", 1, &wanted.count, err)) < 0)
		return r;
	listening = (struct bus_listening){wanted.watch, wanted.since_ns};
	r = step_wait(context, wanted_step, &wanted, within_ns, err);
	if (r == 0)
		return frame_results_set(context, &wanted, err);
	if ((r = bus_listened(&listening, r, err)) != -ETIMEDOUT)
		return r;
	snprintf(actual, sizeof(actual), "%lld within %lld ms", (long long)wanted.found, (long long)(within_ns / 1000000));
	return step_check_failed(context, err, "the frame", actual, "frame 0x%03x did not come on %s", wanted.id, wanted.watch->channel);
}

const struct step_def step_can_expect = {
        .name = "can.expect",
        .doc = "Waits for a frame of another node. Frames since the last step that acted count too; each is given out once.",
        .example = "- can.expect: {id: 0x101, within: 1500ms, expect: {length: 16}}",
        .args = expect_args,
        .results = frame_results,
        .run = can_expect_run,
        .check = wanted_check,
};

/* ---- can.absent -------------------------------------------------------------------------------------------- */

static const struct arg_def absent_args[] = {
        WANTED_ARGS,
        {"for", VALUE_DURATION, ARG_REQUIRED | ARG_POSITIVE, NULL, NULL, 0, 0, "How long it must not come."},
        {NULL},
};

static int can_absent_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct bus_listening listening;
	struct wanted wanted;
	int64_t for_ns;
	char *hex;
	int r;

	if ((r = wanted_of_call(context, call, &wanted, err)) < 0 || (r = step_arg_integer(context, call, "for", 0, &for_ns, err)) < 0)
		return r;
	if ((r = bus_hears(wanted.watch, err)) < 0)
		return r;
	listening = (struct bus_listening){wanted.watch, wanted.since_ns};
	r = step_wait(context, wanted_step, &wanted, for_ns, err);
	if (r < 0) {
		r = bus_heard_nothing(&listening, r, err);
		return r == -ETIMEDOUT ? 0 : r;
	}
	hex = bytes_to_hex(wanted.message.data, wanted.message.length, 0);
	r = step_check_failed(context, err, "no such frame", hex, "frame 0x%03x came on %s", wanted.id, wanted.watch->channel);
	free(hex);
	return r;
}

const struct step_def step_can_absent = {
        .name = "can.absent",
        .doc = "Passes when a frame does not come for a time. Put a positive control beside it. A bench whose own node cannot hear "
               "(bus-off, "
               "interface down) is a bench error, never a pass.",
        .example = "- can.absent: {id: 0x7e8, for: 200ms}",
        .args = absent_args,
        .run = can_absent_run,
        .check = wanted_check,
};

/* ---- can.monitor ------------------------------------------------------------------------------------------- */

static const struct arg_def monitor_args[] = {
        ARG_BUS,
        {"for", VALUE_DURATION, ARG_REQUIRED | ARG_POSITIVE, NULL, NULL, 0, 0, "How long."},
        {"id", VALUE_INTEGER, 0, NULL, NULL, 0, 0x1fffffff, "Count and time this identifier."},
        {NULL},
};
static const struct result_def monitor_results[] = {
        {"frames", VALUE_INTEGER, "All frames on the bus."},
        {"count", VALUE_INTEGER, "Frames of `id` (without it: all)."},
        {"smallest_period", VALUE_DURATION, "Shortest time between two frames of `id`."},
        {"largest_period", VALUE_DURATION, "Longest time between two frames of `id`."},
        {"load", VALUE_INTEGER, "Bus load in percent, by the frames' own times; 0 where the bit rates are unknown."},
        {"errors", VALUE_INTEGER, "Error frames meanwhile."},
        {"lost", VALUE_INTEGER, "Frames that were lost to a full queue meanwhile."},
        {NULL},
};

static int64_t frames_time_ns(struct bus_watch *watch, uint64_t from, const struct can_counters *rates)
{
	int64_t sum_ns = 0;

	for (uint64_t n = from; rates->nominal_bit_rate && n < watch->next; n++)
		sum_ns += can_frame_time_ns(&bus_watch_frame(watch, n)->message, rates->nominal_bit_rate, rates->data_bit_rate);
	return sum_ns;
}

static int monitor_results_set(struct step_context *context, struct wanted *wanted, bool has_id, uint64_t from, int64_t time_ns,
                               const struct can_counters *before, const struct can_counters *after)
{
	uint64_t all = wanted->watch->next - from;

	for (uint64_t n = from; n < wanted->watch->next; n++) {
		const struct can_message *message = &bus_watch_frame(wanted->watch, n)->message;

		if (!has_id || message->id == wanted->id)
			wanted_note(wanted, message);
	}
	if (step_result_integer(context, "frames", (int64_t)all) < 0 || step_result_integer(context, "count", wanted->found) < 0 ||
	    step_result_duration(context, "smallest_period", wanted->smallest_ns) < 0 ||
	    step_result_duration(context, "largest_period", wanted->largest_ns) < 0 ||
	    step_result_integer(context, "load", (frames_time_ns(wanted->watch, from, after) * 100 + time_ns / 2) / time_ns) < 0 ||
	    step_result_integer(context, "errors", (int64_t)(after->errors - before->errors)) < 0)
		return -ENOMEM;
	return step_result_integer(context, "lost", (int64_t)(after->lost - before->lost));
}

static int can_monitor_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct can_counters before, after;
	struct bus_listening listening;
	struct wanted wanted = {0};
	int64_t for_ns, id, begin_ns;
	struct can *can;
	uint64_t from;
	int r;

	if ((r = bus_watch_of_call(context, call, &wanted.watch, err)) < 0 ||
	    (r = step_arg_integer(context, call, "for", 0, &for_ns, err)) < 0 ||
	    (r = step_arg_integer(context, call, "id", 0, &id, err)) < 0 || (r = bus_channel(wanted.watch, &can, err)) < 0)
		return r;
	wanted.id = (uint32_t)id;
	can_counters_read(can, &before);
	from = wanted.watch->next;
	begin_ns = loop_now_ns();
	listening = (struct bus_listening){wanted.watch, begin_ns};
	r = step_wait(context, NULL, NULL, for_ns, err);
	if ((r = bus_listened(&listening, r, err)) != -ETIMEDOUT)
		return r;
	if ((r = bus_channel(wanted.watch, &can, err)) < 0)
		return r;
	can_counters_read(can, &after);
	if (wanted.watch->next - from > wanted.watch->capacity)
		return error_set(err, ERROR_TESTCASE, EOVERFLOW, "more than %u frames: monitor for a shorter time", BUS_RECORD);
	r = monitor_results_set(context, &wanted, step_has_arg(call, "id"), from, loop_now_ns() - begin_ns, &before, &after);
	return r < 0 ? out_of_memory(err) : 0;
}

const struct step_def step_can_monitor = {
        .name = "can.monitor",
        .doc = "Watches a bus for a time: frames, load, periods, errors, losses.",
        .example = "- can.monitor: {for: 3s, id: 0x101, expect: {count: {in_range: [2, 4]}, lost: 0}}",
        .args = monitor_args,
        .results = monitor_results,
        .run = can_monitor_run,
};

/* ---- can.load ---------------------------------------------------------------------------------------------- */

static const struct arg_def load_args[] = {
        ARG_BUS,
        {"percent", VALUE_INTEGER, ARG_REQUIRED | ARG_SCALAR, NULL, NULL, 0, 100, "Share of the bus's time; 0 ends it."},
        {"id", VALUE_INTEGER, 0, "0x7ff", NULL, 0, 0x7ff, "Identifier of the frames."},
        {"length", VALUE_INTEGER, 0, "64", NULL, 0, 64, "Their length; above 8 they are CAN FD frames."},
        {NULL},
};

static int load_check(const struct step_call *call, const struct value *known, struct error *err)
{
	return can_check_length(call, known, "length", true, err);
}

static int can_load_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct can_message message = {.length = 0};
	uint8_t data[CAN_MESSAGE_MAX];
	int64_t percent, id, length;
	struct bus_watch *watch;
	int r;

	if ((r = bus_watch_of_call(context, call, &watch, err)) < 0 ||
	    (r = step_arg_integer(context, call, "percent", 0, &percent, err)) < 0 ||
	    (r = step_arg_integer(context, call, "id", 0x7ff, &id, err)) < 0 ||
	    (r = step_arg_integer(context, call, "length", 64, &length, err)) < 0)
		return r;
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 0x35);
	message.id = (uint32_t)id;
	message.flags = length > 8 ? CAN_MESSAGE_FD | CAN_MESSAGE_BRS : 0;
	bus_message_set_data(&message, data, (size_t)length, 0);
	return can_load_set(context, watch, (unsigned)percent, &message, err);
}

const struct step_def step_can_load = {
        .name = "can.load",
        .doc = "Loads a bus with frames of low priority while the following steps run; ends with the case.",
        .example = "- can.load: 90",
        .args = load_args,
        .run = can_load_run,
        .check = load_check,
};

/* ---- can.error, can.restore, can.status, can.recover ------------------------------------------------------- */

static const char *const actions[] = {"corrupt", "ack", "short", "silence", NULL};

static const struct arg_def error_args[] = {
        ARG_BUS,
        {"action", VALUE_TEXT, ARG_REQUIRED, NULL, actions, 0, 0,
         "Destroy a frame, leave it without acknowledgement, short the bus, or cut off a node."},
        {"id", VALUE_INTEGER, 0, NULL, NULL, 0, 0x1fffffff, "corrupt, ack: identifier of the frame."},
        {"nth", VALUE_INTEGER, ARG_POSITIVE, "1", NULL, 1, 1000000, "corrupt, ack: the how many-th from now."},
        {"count", VALUE_INTEGER, ARG_POSITIVE, "1", NULL, 1, 1000000, "corrupt, ack: how many in a row."},
        {"kind", VALUE_TEXT, 0, "bit", (const char *const[]){"bit", "crc", NULL}, 0, 0, "corrupt: what is seen to be wrong."},
        {"node", VALUE_TEXT, ARG_ROLE, NULL, NULL, 0, 0, "silence: the node."},
        {"on", VALUE_BOOL, 0, "true", NULL, 0, 0, "short, silence: begin or end."},
        {NULL},
};

/* What an action needs, and what says nothing beside it. */
static int error_check(const struct step_call *call, const struct value *known, struct error *err)
{
	static const char *const of_frames[] = {"id", "nth", "count", "kind", NULL}, *const of_all[] = {"node", "on", NULL};
	const char *action = known_text(known, "action");
	bool frames = action && (strcmp(action, "corrupt") == 0 || strcmp(action, "ack") == 0);

	if (!action)
		return 0;
	for (const char *const *name = frames ? of_all : of_frames; *name; name++)
		if (value_get(call->args, *name))
			return call_refuse(call, *name, err, "`%s` says nothing to action %s", *name, action);
	if (frames && !value_get(call->args, "id"))
		return call_refuse(call, "action", err, "action %s needs `id`: the identifier of the frame", action);
	if (strcmp(action, "silence") == 0 && !value_get(call->args, "node"))
		return call_refuse(call, "action", err, "action silence needs `node`: the board that is cut off");
	if (strcmp(action, "short") == 0 && value_get(call->args, "node"))
		return call_refuse(call, "node", err, "`node` says nothing to action short: it is the whole bus");
	return strcmp(action, "ack") == 0 && value_get(call->args, "kind")
	               ? call_refuse(call, "kind", err, "`kind` says nothing to action ack")
	               : 0;
}

static json_t *corrupt_command(int64_t id, int64_t nth, int64_t count, const char *kind)
{
	return json_pack("{s:s,s:I,s:I,s:I,s:s}", "cmd", "corrupt", "id", (json_int_t)id, "nth", (json_int_t)nth, "count",
	                 (json_int_t)count, "kind", kind);
}

static int can_error_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const char *action, *kind, *node;
	int64_t id, nth, count;
	struct bus_watch *watch;
	json_t *command;
	bool on;
	int r;

	if ((r = bus_watch_of_call(context, call, &watch, err)) < 0 || (r = step_arg_text(context, call, "action", &action, err)) < 0 ||
	    (r = step_arg_integer(context, call, "id", 0, &id, err)) < 0 ||
	    (r = step_arg_integer(context, call, "nth", 1, &nth, err)) < 0 ||
	    (r = step_arg_integer(context, call, "count", 1, &count, err)) < 0 ||
	    (r = step_arg_text(context, call, "kind", &kind, err)) < 0 || (r = step_arg_text(context, call, "node", &node, err)) < 0 ||
	    (r = step_arg_bool(context, call, "on", true, &on, err)) < 0)
		return r;
	if (strcmp(action, "short") == 0)
		command = json_pack("{s:s,s:b}", "cmd", "short", "on", on);
	else if (strcmp(action, "silence") == 0)
		command = json_pack("{s:s,s:s,s:b}", "cmd", "silence", "node", node ? node : "", "on", on);
	else
		command = corrupt_command(id, nth, count, strcmp(action, "ack") == 0 ? "ack" : kind);
	return command ? rig_bus_inject(watch->bus, command, err) : out_of_memory(err);
}

const struct step_def step_can_error = {
        .name = "can.error",
        .doc = "Makes a virtual bus fail on purpose. Taken back by can.restore and after the case.",
        .example = "- can.error: {action: corrupt, id: 0x101, nth: 1, count: 2}",
        .flags = STEP_ACTION,
        .args = error_args,
        .run = can_error_run,
        .check = error_check,
};

static const struct arg_def bus_args[] = {ARG_BUS, {NULL}};

static int can_restore_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct bus_watch *watch;
	int r = bus_watch_of_call(context, call, &watch, err);

	if (r == 0)
		rig_bus_restore(watch->bus);
	return r;
}

const struct step_def step_can_restore = {
        .name = "can.restore",
        .doc = "Takes back every fault of can.error.",
        .example = "- can.restore:",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = bus_args,
        .run = can_restore_run,
};

static int can_recover_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct bus_watch *watch;
	struct can *can;
	int r = bus_watch_of_call(context, call, &watch, err);

	if (r == 0)
		r = bus_channel(watch, &can, err);
	return r < 0 ? r : can_recover(can, err);
}

const struct step_def step_can_recover = {
        .name = "can.recover",
        .doc = "Asks the harness's own node to leave bus-off now; it is back 128 x 11 recessive bits later (poll can.status for it), and a "
               "node that is not bus-off stays as it is. After can.restore it is not needed: that asks for it too, and the node comes back "
               "by itself.",
        .example = "- can.recover:",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = bus_args,
        .run = can_recover_run,
};

static const struct arg_def status_args[] = {
        ARG_BUS,
        {"node", VALUE_TEXT, ARG_ROLE, NULL, NULL, 0, 0, "A board on a virtual bus; without it the harness's own node."},
        {NULL},
};
static const struct result_def status_results[] = {
        {"state", VALUE_TEXT, "error-active, error-warning, error-passive, bus-off, stopped; absent: no such node is attached."},
        {"tec", VALUE_INTEGER, "Transmit error counter."},
        {"rec", VALUE_INTEGER, "Receive error counter."},
        {"lost", VALUE_INTEGER, "Frames that its queue did not take."},
        {NULL},
};

static int status_set(struct step_context *context, const char *state, int64_t tec, int64_t rec, int64_t lost, struct error *err)
{
	if (step_result_text(context, "state", state) < 0 || step_result_integer(context, "tec", tec) < 0 ||
	    step_result_integer(context, "rec", rec) < 0 || step_result_integer(context, "lost", lost) < 0)
		return out_of_memory(err);
	return 0;
}

/* vbus says "active", "warning", "passive", "bus-off". */
static const char *state_text(const json_t *state)
{
	static const char *const names[][2] = {{"active", "error-active"}, {"warning", "error-warning"}, {"passive", "error-passive"}};
	const char *text = json_string_value(state);

	for (unsigned i = 0; text && i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i][0], text) == 0)
			return names[i][1];
	return text ? text : "absent";
}

static int node_status(struct step_context *context, struct bus_watch *watch, const char *node, struct error *err)
{
	json_t *answer = NULL, *item;
	size_t i;
	int r = rig_bus_inject_answer(watch->bus, json_pack("{s:s}", "cmd", "status"), &answer, err);

	if (r < 0)
		return r;
	json_array_foreach (json_object_get(answer, "nodes"), i, item) {
		const char *name = json_string_value(json_object_get(item, "name"));

		if (!name || strcmp(name, node) != 0)
			continue;
		r = status_set(context, state_text(json_object_get(item, "state")), json_integer_value(json_object_get(item, "tec")),
		               json_integer_value(json_object_get(item, "rec")), json_integer_value(json_object_get(item, "lost")), err);
		json_decref(answer);
		return r;
	}
	json_decref(answer);
	return status_set(context, "absent", 0, 0, 0, err);
}

static int can_status_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct can_counters counters;
	struct bus_watch *watch;
	struct can *can;
	const char *node;
	int r;

	if ((r = bus_watch_of_call(context, call, &watch, err)) < 0 || (r = step_arg_text(context, call, "node", &node, err)) < 0)
		return r;
	if (node)
		return node_status(context, watch, node, err);
	if ((r = bus_channel(watch, &can, err)) < 0)
		return r;
	can_counters_read(can, &counters);
	return status_set(context, can_state_name(counters.state), counters.tec, counters.rec, (int64_t)counters.lost, err);
}

const struct step_def step_can_status = {
        .name = "can.status",
        .doc = "State and error counters of a node.",
        .example = "- can.status: {node: ecu, expect: {state: error-active}}",
        .flags = STEP_ALWAYS_OK,
        .args = status_args,
        .results = status_results,
        .run = can_status_run,
};
