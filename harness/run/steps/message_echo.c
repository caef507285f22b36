/* SPDX-License-Identifier: Apache-2.0 */
/* Round trips of messages through a device: step gateway.echo. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/stats.h"
#include "generic.h"
#include "message_gateway.h"
#include "steps.h"

#define ECHO_COUNT_MAX 10000
#define ECHO_SIZE_MAX  1023

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

static const struct arg_def echo_args[] = {
        GATEWAY_ARG(0),
        {"count", VALUE_INTEGER, ARG_SCALAR, "1", NULL, 1, ECHO_COUNT_MAX, "Number of round trips, one after the other."},
        {"size", VALUE_SIZE, 0, "64B", NULL, 0, ECHO_SIZE_MAX, "Bytes of payload, at most 1023."},
        {"measure", VALUE_TEXT, ARG_NAME | ARG_MEASURE | ARG_BEGINS, NULL, NULL, 0, 0,
         "A measurement from message.tx {name: echo_request} to message.rx {name: echo_answer}: each round trip is one sample."},
        {"reference", VALUE_DURATION, 0, NULL, NULL, 0, 0, "The p50 of another run, for the result `difference`."},
        {"within", VALUE_DURATION, ARG_POSITIVE, "2s", NULL, 0, 0, "How long a single answer may take."},
        {NULL},
};
static const struct result_def echo_results[] = {
        {"p50", VALUE_DURATION, "Median of the round trips."},
        {"p95", VALUE_DURATION, "95 % of them are not longer."},
        {"max", VALUE_DURATION, "The longest."},
        {"difference", VALUE_DURATION, "p50 less `reference`; also noted in the journal."},
        {NULL},
};

struct echo {
	struct gateway_connection *connection;
	uint64_t answers;
	const char *measure;
	int64_t within_ns;
	size_t size;
	uint8_t payload[ECHO_SIZE_MAX];
};

static bool answered(void *context)
{
	const struct echo *echo = context;
	return echo->connection->answers > echo->answers || echo->connection->ended;
}

/* Never the same twice: an answer that is late must not pass for the next one. */
static void fill_payload(struct echo *echo, uint64_t seed, unsigned index)
{
	uint64_t state = (seed ^ (index * 0x9e3779b97f4a7c15ULL)) | 1;
	for (size_t i = 0; i < echo->size; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		echo->payload[i] = (uint8_t)state;
	}
}

static int check_answer(struct step_context *context, const struct echo *echo, struct error *err)
{
	const struct gateway_connection *connection = echo->connection;
	if (connection->answers == echo->answers)
		return step_check_failed(context, err, "an answer", gateway_connection_end(connection),
		                         "the connection ended (%s) before the answer", gateway_connection_end(connection));
	if (connection->answer.length == echo->size && (echo->size == 0 || !memcmp(connection->answer.data, echo->payload, echo->size)))
		return 0;
	return step_check_failed(context, err, "the bytes that were sent", "others", "the answer is not what was sent: %zu bytes, not %zu",
	                         connection->answer.length, echo->size);
}

static int round_trip(struct step_context *context, struct echo *echo, int64_t *ret_ns, struct error *err)
{
	struct measurements *measurements = context->executor->measurements;
	struct instant sent_at;
	int64_t value_ns;
	int r = echo->measure ? measurement_begin(measurements, echo->measure, context->scope, err) : 0;
	echo->answers = echo->connection->answers;
	if (r == 0)
		r = gateway_send(echo->connection, MESSAGE_FRAME_ECHO_REQUEST, echo->payload, echo->size, &sent_at, err);
	if (r < 0)
		return r;
	r = step_wait(context, answered, echo, echo->within_ns, err);
	if (r == -ETIMEDOUT)
		return step_check_failed(context, err, "an answer", "none", "no answer to an echo request within %.3f s",
		                         (double)echo->within_ns / 1e9);
	if (r == 0)
		r = check_answer(context, echo, err);
	if (r == 0 && echo->measure)
		r = measurement_end(measurements, echo->measure, &value_ns, err);
	if (r == 0)
		*ret_ns = echo->connection->answer_at.ns - sent_at.ns;
	return r;
}

static int put_difference(struct step_context *context, const struct step_call *call, const struct stats *stats, struct error *err)
{
	int64_t reference_ns;
	int r = step_arg_integer(context, call, "reference", 0, &reference_ns, err);
	if (r < 0 || !step_has_arg(call, "reference"))
		return r;
	timeline_emit_now(
	        context->timeline, "case", "note",
	        json_pack("{s:o,s:I}", "text",
	                  json_sprintf("round trip p50 %.1f us, reference %.1f us, difference %.1f us", (double)stats->p50_ns / 1e3,
	                               (double)reference_ns / 1e3, (double)(stats->p50_ns - reference_ns) / 1e3),
	                  "difference_ns", (json_int_t)(stats->p50_ns - reference_ns)));
	return step_result_duration(context, "difference", stats->p50_ns - reference_ns) < 0 ? no_memory(err) : 0;
}

static int put_echo_results(struct step_context *context, const struct step_call *call, const int64_t *trips_ns, size_t count,
                            struct error *err)
{
	struct stats stats;
	if (stats_of(trips_ns, count, &stats) < 0 || step_result_duration(context, "p50", stats.p50_ns) < 0 ||
	    step_result_duration(context, "p95", stats.p95_ns) < 0 || step_result_duration(context, "max", stats.max_ns) < 0)
		return no_memory(err);
	return put_difference(context, call, &stats, err);
}

static int echo_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct echo echo = {0};
	int64_t count, size;
	int r = gateway_connection_of_call(context, call, &echo.connection, err);
	if (r == 0)
		r = step_arg_integer(context, call, "count", 1, &count, err);
	if (r == 0)
		r = step_arg_integer(context, call, "size", 64, &size, err);
	if (r == 0)
		r = step_arg_text(context, call, "measure", &echo.measure, err);
	if (r == 0)
		r = step_arg_integer(context, call, "within", SECONDS_NS(2), &echo.within_ns, err);
	if (r < 0)
		return r;
	echo.size = (size_t)size;
	int64_t *trips_ns = calloc((size_t)count, sizeof(*trips_ns));
	if (!trips_ns)
		return no_memory(err);
	for (int64_t i = 0; r == 0 && i < count; i++) {
		fill_payload(&echo, context->seed, (unsigned)i);
		r = round_trip(context, &echo, &trips_ns[i], err);
		if (r < 0)
			error_prefix(err, "round trip %" PRId64 " of %" PRId64, i + 1, count);
	}
	if (r == 0)
		r = put_echo_results(context, call, trips_ns, (size_t)count, err);
	free(trips_ns);
	return r;
}

const struct step_def step_gateway_echo = {
        .name = "gateway.echo",
        .doc = "Sends echo requests to the device, each when the one before was answered with the same bytes, and takes the time from a "
               "request to its answer.",
        .example = "- gateway.echo: {count: 100, size: 64B, save: {tls: p50}}",
        .args = echo_args,
        .results = echo_results,
        .run = echo_run,
};
