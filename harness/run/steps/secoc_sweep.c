/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many forged PDUs, counted. The bench knows the key: of each forgery it knows whether a right receiver would accept it by
 * chance. What is accepted beyond that is judged with the Clopper-Pearson interval.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "can_check.h"
#include "secoc_bench.h"
#include "steps.h"

#define WINDOW_MAX   48u
#define STALL_NS     INT64_C(3000000000)
#define CONFIDENCE   0.95
#define PROGRESS_MIN 1
#define COLLISIONS   4 /* error frames of the swept identifier that are more than a disturbance */

static const char *const modes[] = {"bits", "forgeries", NULL};

static const struct arg_def sweep_args[] = {
        ARG_BUS,
        {"id", VALUE_INTEGER, ARG_REQUIRED, NULL, NULL, 0, 0x7ff, "Identifier that a secoc.pdu step has named."},
        {"mode", VALUE_TEXT, ARG_REQUIRED, NULL, modes, 0, 0, "Flip each bit of a right PDU, or random MACs."},
        {"count", VALUE_INTEGER, ARG_POSITIVE, "1000", NULL, 1, 100000000, "Random MACs: how many."},
        {"attempts", VALUE_INTEGER, ARG_POSITIVE, "1", NULL, 1, 64, "Verification attempts a PDU that the receiver may make."},
        {"window", VALUE_INTEGER, ARG_POSITIVE, "12", NULL, 1, WINDOW_MAX, "PDUs that wait for their verdict at a time."},
        {"data", VALUE_BYTES, 0, NULL, NULL, 0, 0, "Authentic PDU, or its begin (rest: zeros)."},
        {NULL},
};
static const struct result_def sweep_results[] = {
        {"sent", VALUE_INTEGER, "Forged PDUs."},
        {"accepted", VALUE_INTEGER, "Accepted."},
        {"rejected", VALUE_INTEGER, "Rejected."},
        {"by_chance", VALUE_INTEGER, "Accepted ones that were right by chance: a right receiver accepts them too."},
        {"unexplained", VALUE_INTEGER, "Accepted ones that were wrong."},
        {"expected", VALUE_TEXT, "Acceptances that the truncated MAC makes expected: count x attempts x 2^-bits."},
        {"interval", VALUE_TEXT, "Clopper-Pearson interval of the acceptance probability at 95 %."},
        {"upper", VALUE_TEXT, "Its upper limit."},
        {"rate", VALUE_INTEGER, "PDUs a second."},
        {"receiver_freshness", VALUE_INTEGER, "After the right PDU at the end."},
        {NULL},
};

struct forgery {
	uint64_t ticket;
	uint8_t length, pdu[64];
};
struct sweep {
	struct secoc_bench *bench;
	struct secoc_pdu_state *state;
	struct can *can;
	bool bits;
	uint8_t authentic[64];
	uint64_t seed;
	int64_t count, begun, done, accepted, by_chance;
	int64_t window, attempts;
	struct forgery queue[WINDOW_MAX]; /* sent, without verdict; the oldest at head */
	unsigned head, queued;
	unsigned foreign;    /* frames of this identifier that another node sent */
	unsigned collisions; /* error frames of this identifier */
	int64_t begin_ns, end_ns;
	int failure;
	struct error error;
};

/* ---- making and sending ------------------------------------------------------------------------------------ */

static int forgery_make(struct sweep *sweep, struct bytes *pdu)
{
	struct secoc_mutation mutation = {.seed = sweep->seed + (uint64_t)sweep->begun};
	uint64_t freshness = sweep->state->last + 1;

	mutation.has_flip_bit = sweep->bits;
	mutation.flip_bit = (unsigned)sweep->begun;
	mutation.random_mac = !sweep->bits;
	return secoc_make(sweep->state->key, &sweep->state->layout, sweep->authentic, freshness, &mutation, pdu);
}

/* 0, or -ENOBUFS: the channel is full. */
static int forgery_send(struct sweep *sweep)
{
	struct forgery *forgery = &sweep->queue[(sweep->head + sweep->queued) % WINDOW_MAX];
	struct can_message message;
	struct bytes pdu = {0};
	int r = forgery_make(sweep, &pdu);

	if (r < 0)
		r = error_set(&sweep->error, ERROR_BENCH, -r, "a forgery could not be made");
	if (r == 0) {
		secoc_frame(sweep->state, &pdu, &message);
		forgery->length = (uint8_t)pdu.length;
		memcpy(forgery->pdu, pdu.data, pdu.length);
		r = can_send(sweep->can, &message, &forgery->ticket, &sweep->error);
	}
	bytes_free(&pdu);
	if (r < 0)
		return r;
	sweep->queued++;
	sweep->begun++;
	return 0;
}

static void sweep_fill(struct sweep *sweep)
{
	while (sweep->failure == 0 && sweep->begun < sweep->count && sweep->queued < (unsigned)sweep->window) {
		int r = forgery_send(sweep);

		if (r == -ENOBUFS)
			return;
		sweep->failure = r;
	}
}

/* ---- verdicts ---------------------------------------------------------------------------------------------- */

static void forgery_accepted(struct sweep *sweep, const struct forgery *forgery, const struct secoc_verdict *verdict)
{
	struct secoc_pdu_state *state = sweep->state;
	uint64_t candidate = secoc_candidate(&state->layout, forgery->pdu, forgery->length, state->last);
	uint64_t mask = (UINT64_C(1) << SECOC_VERDICT_BITS) - 1;

	sweep->accepted++;
	if (secoc_is_right(state->key, &state->layout, forgery->pdu, forgery->length, candidate)) {
		sweep->by_chance++;
		state->last = candidate;
		return;
	}
	/* The receiver goes on from wherever it says it is. */
	state->last = (state->last & ~mask) | verdict->freshness;
}

static bool is_foreign(const struct sweep *sweep, const struct can_message *message, bool transmitted)
{
	return !transmitted && message->id == sweep->state->id && !(message->flags & CAN_MESSAGE_EXTENDED);
}

static void sweep_on_event(const struct event *event, void *context)
{
	struct sweep *sweep = context;

	if (strcmp(event->kind, "can.error") == 0 && strcmp(event->channel, sweep->bench->watch->channel) == 0 &&
	    json_integer_value(json_object_get(event->data, "id")) == sweep->state->id)
		sweep->collisions++;
}

static void sweep_on_frame(const struct can_message *message, bool transmitted, void *context)
{
	struct sweep *sweep = context;
	struct secoc_verdict verdict;

	if (is_foreign(sweep, message, transmitted))
		sweep->foreign++;
	if (!transmitted && sweep->queued > 0 && secoc_verdict_read(message, sweep->state->id, &verdict)) {
		const struct forgery *forgery = &sweep->queue[sweep->head];

		if (verdict.result == 0)
			forgery_accepted(sweep, forgery, &verdict);
		sweep->head = (sweep->head + 1) % WINDOW_MAX;
		sweep->queued--;
		sweep->done++;
	}
	sweep_fill(sweep);
}

struct progress {
	struct sweep *sweep;
	int64_t before;
};

static bool sweep_progress(void *context)
{
	const struct progress *progress = context;

	return progress->sweep->failure || progress->sweep->foreign || progress->sweep->done >= progress->sweep->count ||
	       progress->sweep->done >= progress->before + 4096;
}

/* Two senders of one identifier destroy each other's frames: nothing that comes of it is the device's fault. */
static int sweep_shared(const struct sweep *sweep, struct error *err)
{
	return error_set(
	        err, ERROR_TESTCASE, EADDRINUSE,
	        "another node sends 0x%03x too (%u of its frames, %u error frames): a sweep needs the identifier for itself. If it is "
	        "the ecu's own periodic frame, set its parameter secoc.send_ms to 0 before (board.param and board.restart, or --param "
	        "ecu:secoc.send_ms=0)",
	        sweep->state->id, sweep->foreign, sweep->collisions);
}

static bool is_shared(const struct sweep *sweep)
{
	return sweep->foreign > 0 || sweep->collisions >= COLLISIONS;
}

/* Already before it begins: what the device sent in this case. */
static int sweep_check_before(struct sweep *sweep, struct error *err)
{
	struct bus_watch *watch = sweep->bench->watch;

	for (uint64_t n = bus_watch_since(watch, 0); n < watch->next; n++) {
		const struct bus_frame *frame = bus_watch_frame(watch, n);

		if (is_foreign(sweep, &frame->message, frame->transmitted))
			sweep->foreign++;
	}
	return sweep->foreign ? sweep_shared(sweep, err) : 0;
}

static int sweep_wait(struct step_context *context, struct sweep *sweep, struct error *err)
{
	int r = 0;

	sweep_fill(sweep);
	while (r == 0 && sweep->failure == 0 && sweep->foreign == 0 && sweep->done < sweep->count) {
		struct progress progress = {sweep, sweep->done};

		r = step_wait(context, sweep_progress, &progress, STALL_NS, err);
		if (r == -ETIMEDOUT && sweep->done >= progress.before + PROGRESS_MIN && loop_now_ns() < context->deadline_ns)
			r = 0;
	}
	return r;
}

static int sweep_pump(struct step_context *context, struct sweep *sweep, struct error *err)
{
	int r = rig_bus_observe(sweep->bench->watch->bus, sweep_on_frame, sweep, err);

	if (r < 0)
		return r;
	if (timeline_observe(context->timeline, sweep_on_event, sweep) < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	sweep->begin_ns = loop_now_ns();
	if (r == 0)
		r = sweep_wait(context, sweep, err);
	sweep->end_ns = loop_now_ns();
	timeline_unobserve(context->timeline, sweep_on_event, sweep);
	rig_bus_unobserve(sweep->bench->watch->bus, sweep_on_frame, sweep);
	if (is_shared(sweep) && sweep->done < sweep->count)
		return sweep_shared(sweep, err);
	if (sweep->failure) {
		*err = sweep->error;
		return sweep->failure;
	}
	if (r == -ETIMEDOUT)
		r = bus_listened(&(struct bus_listening){sweep->bench->watch, sweep->begin_ns}, r, err);
	if (r == -ETIMEDOUT)
		return step_check_failed(context, err, "a verdict", "none",
		                         "after %" PRId64 " of %" PRId64 " forged PDUs no more verdicts came", sweep->done, sweep->count);
	return r;
}

/* ---- the judgement ----------------------------------------------------------------------------------------- */

struct figures {
	double expected, low, high; /* of the acceptance probability, two-sided */
	int64_t rate;               /* PDUs a second */
};

static struct figures sweep_figures(const struct sweep *sweep)
{
	int64_t time_ns = sweep->end_ns - sweep->begin_ns;
	struct figures figures = {.expected = (double)(sweep->done * sweep->attempts) * exp2(-(double)sweep->state->layout.mac_bits),
	                          .rate = time_ns > 0 ? sweep->done * INT64_C(1000000000) / time_ns : 0};

	secoc_interval((uint64_t)sweep->accepted, (uint64_t)sweep->done, CONFIDENCE, &figures.low, &figures.high);
	return figures;
}

/* For the reports; also of a sweep that broke off. */
static void sweep_tell(struct step_context *context, const struct sweep *sweep, const struct figures *figures)
{
	json_t *data = json_pack("{s:I,s:s,s:i,s:I,s:b,s:I,s:I,s:I,s:I,s:I,s:I}", "id", (json_int_t)sweep->state->id, "mode",
	                         modes[sweep->bits ? 0 : 1], "mac_bits", (int)sweep->state->layout.mac_bits, "attempts",
	                         (json_int_t)sweep->attempts, "complete", sweep->done == sweep->count, "sent", (json_int_t)sweep->done,
	                         "accepted", (json_int_t)sweep->accepted, "rejected", (json_int_t)(sweep->done - sweep->accepted),
	                         "by_chance", (json_int_t)sweep->by_chance, "unexplained", (json_int_t)(sweep->accepted - sweep->by_chance),
	                         "rate", (json_int_t)figures->rate);

	if (data && json_object_update_new(data, json_pack("{s:f,s:f,s:f,s:f}", "expected", figures->expected, "confidence", CONFIDENCE,
	                                                   "lower", figures->low, "upper", figures->high)) == 0)
		timeline_emit_now(context->timeline, sweep->bench->watch->channel, "secoc.sweep", data);
	else
		json_decref(data);
}

static int sweep_results_set(struct step_context *context, const struct sweep *sweep, const struct figures *figures)
{
	char text[128], number[32], upper[32];

	snprintf(text, sizeof(text), "%" PRId64 " of %" PRId64 ": %.3e .. %.3e", sweep->accepted, sweep->count, figures->low,
	         figures->high);
	snprintf(number, sizeof(number), "%.3g", figures->expected);
	snprintf(upper, sizeof(upper), "%.3e", figures->high);
	if (step_result_integer(context, "sent", sweep->count) < 0 || step_result_integer(context, "accepted", sweep->accepted) < 0 ||
	    step_result_integer(context, "rejected", sweep->count - sweep->accepted) < 0 ||
	    step_result_integer(context, "by_chance", sweep->by_chance) < 0 ||
	    step_result_integer(context, "unexplained", sweep->accepted - sweep->by_chance) < 0 ||
	    step_result_text(context, "expected", number) < 0 || step_result_text(context, "interval", text) < 0 ||
	    step_result_text(context, "upper", upper) < 0)
		return -ENOMEM;
	return step_result_integer(context, "rate", figures->rate);
}

static int sweep_judge(struct step_context *context, const struct sweep *sweep, struct error *err)
{
	int64_t unexplained = sweep->accepted - sweep->by_chance;
	double low, high, nominal = (double)sweep->attempts * exp2(-(double)sweep->state->layout.mac_bits);
	char expected[64], actual[128];

	secoc_interval((uint64_t)unexplained, (uint64_t)sweep->count, CONFIDENCE, &low, &high);
	if (low <= nominal)
		return 0;
	snprintf(expected, sizeof(expected), "acceptance probability %.3e", nominal);
	snprintf(actual, sizeof(actual), "%" PRId64 " of %" PRId64 ", at least %.3e", unexplained, sweep->count, low);
	return step_check_failed(context, err, expected, actual, "forged PDUs are accepted more often than chance allows");
}

/* A right PDU: the state did not move, and nothing got stuck. */
static int sweep_control(struct step_context *context, struct sweep *sweep, struct error *err)
{
	struct secoc_pdu_state *state = sweep->state;
	struct secoc_verdict verdict;
	struct can_message message;
	struct bytes pdu = {0};
	uint64_t from = sweep->bench->watch->next;
	int r = secoc_make(state->key, &state->layout, sweep->authentic, state->last + 1, NULL, &pdu);

	if (r < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	secoc_frame(state, &pdu, &message);
	bytes_free(&pdu);
	if ((r = bus_transmit(context, sweep->bench->watch, &message, NULL, err)) < 0 ||
	    (r = secoc_verdict_wait(context, sweep->bench, state->id, from, 1000000000, &verdict, err)) < 0 ||
	    (r = secoc_verdict_judge(context, "accepted", &verdict, "the right PDU after the sweep", err)) < 0)
		return r;
	state->last++;
	return step_result_integer(context, "receiver_freshness", (int64_t)verdict.freshness);
}

static int sweep_check(const struct step_call *call, const struct value *known, struct error *err)
{
	const char *mode = known_text(known, "mode");

	if (mode && strcmp(mode, "bits") == 0 && value_get(call->args, "count"))
		return call_refuse(call, "count", err, "`count` says nothing to mode bits: it flips each bit once");
	return secoc_check_data(call, known, err);
}

static int sweep_of_call(struct step_context *context, const struct step_call *call, struct sweep *sweep, struct error *err)
{
	const struct secoc_layout *layout;
	const struct bytes *data;
	const char *mode;
	int r;

	if ((r = secoc_pdu_of_call(context, call, &sweep->bench, &sweep->state, err)) < 0 ||
	    (r = step_arg_text(context, call, "mode", &mode, err)) < 0 ||
	    (r = step_arg_integer(context, call, "count", 1000, &sweep->count, err)) < 0 ||
	    (r = step_arg_integer(context, call, "attempts", 1, &sweep->attempts, err)) < 0 ||
	    (r = step_arg_integer(context, call, "window", 12, &sweep->window, err)) < 0 ||
	    (r = step_arg_bytes(context, call, "data", &data, err)) < 0)
		return r;
	layout = &sweep->state->layout;
	if (layout->trip_bits || sweep->state->by_diagnostics)
		return error_set_place(err, ERROR_TESTCASE, ENOTSUP, call->place, "a sweep needs a counter, and verdicts by frames");
	if (data && data->length > layout->authentic_bytes)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, call->place,
		                       "secoc.sweep: `data` has %zu bytes, the authentic PDU of 0x%03x has %u", data->length,
		                       sweep->state->id, layout->authentic_bytes);
	if (data && data->length > 0)
		memcpy(sweep->authentic, data->data, data->length);
	sweep->bits = strcmp(mode, "bits") == 0;
	if (sweep->bits)
		sweep->count = (layout->authentic_bytes * 8 + layout->freshness_sent_bits + layout->mac_bits + 7) / 8 * 8;
	sweep->seed = context->seed;
	if ((r = secoc_pdu_learn(context, sweep->bench, sweep->state, err)) < 0)
		return r;
	return bus_channel(sweep->bench->watch, &sweep->can, err);
}

static int secoc_sweep_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct sweep sweep = {.bench = NULL};
	struct figures figures;
	int r;

	if ((r = sweep_of_call(context, call, &sweep, err)) < 0 || (r = sweep_check_before(&sweep, err)) < 0)
		return r;
	r = sweep_pump(context, &sweep, err);
	figures = sweep_figures(&sweep);
	if (sweep.done > 0)
		sweep_tell(context, &sweep, &figures);
	if (r < 0)
		return r;
	if (sweep_results_set(context, &sweep, &figures) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if ((r = sweep_judge(context, &sweep, err)) < 0)
		return r;
	return sweep_control(context, &sweep, err);
}

const struct step_def step_secoc_sweep = {
        .name = "secoc.sweep",
        .doc = "Sends forged PDUs as fast as bus and receiver take them, counts the verdicts, and ends with a right PDU that must be "
               "accepted. Fails when more are accepted than the truncated MAC makes likely: when the lower limit of the Clopper-Pearson "
               "interval of those that are not right by chance exceeds attempts x 2^-bits. The figures stand in results.json, report.html "
               "and "
               "junit.xml. The identifier must be the bench's alone: where the device sends it too (the ecu its 0x101, unless its "
               "parameter "
               "secoc.send_ms is 0), both destroy each other's frames and the step ends as an error of the test case.",
        .example = "- secoc.sweep: {id: 0x110, mode: forgeries, count: 2000}",
        .flags = STEP_ACTION,
        .args = sweep_args,
        .results = sweep_results,
        .run = secoc_sweep_run,
        .check = sweep_check,
};
