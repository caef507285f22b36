/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoint injection: a debug probe leaves in a held board's RAM where it has to connect to. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../rig/probe.h"
#include "endpoint_check.h"
#include "generic.h"
#include "steps.h"

#define ADDRESS   0x20001000
#define HEAD      4 /* the length, little-endian */
#define ACTION_NS SECONDS_NS(5)
#define U32_MAX   INT64_C(0xffffffff)

static const struct arg_def inject_args[] = {
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE, NULL, NULL, 0, 0, "The device."},
        {"endpoint", VALUE_TEXT, ARG_ENDPOINT, NULL, NULL, 0, 0, "HOST:PORT of its gateway."},
        {"bytes", VALUE_BYTES, 0, NULL, NULL, 0, 0, "Instead of `endpoint`: any bytes, to see what the device makes of them."},
        {"length", VALUE_INTEGER, 0, NULL, NULL, 0, U32_MAX, "Instead of the true length: a wrong one."},
        {"address", VALUE_INTEGER, 0, "0x20001000", NULL, 0, U32_MAX, "Where the length stands; the text is right behind it."},
        {"by", VALUE_TEXT, 0, "reset", (const char *const[]){"reset", "power", NULL}, 0, 0,
         "How the board comes into reset: by its line alone, so that RAM is kept, or by a power cycle before."},
        {"via", VALUE_TEXT, 0, "probe", (const char *const[]){"probe", NULL}, 0, 0, "What writes."},
        {"within", VALUE_DURATION, ARG_POSITIVE, "10s", NULL, 0, 0, "How long the probe may take altogether."},
        {NULL},
};
static const struct result_def inject_results[] = {
        {"took", VALUE_DURATION, "Time of the probe: writing and reading back."},
        {"length", VALUE_INTEGER, "The length that was written."},
        {NULL},
};

struct injection {
	struct rig_board *board;
	struct probe *probe;
	const char *role;
	uint32_t address, length;
	bool by_power;
	int64_t within_ns;
	size_t size; /* of memory */
	uint8_t memory[HEAD + ENDPOINT_TEXT_MAX + 4];
};

/* Whole words: the gaps of the last one are zero. */
static void fill_memory(struct injection *injection, const void *text, size_t length)
{
	if (length > 0)
		memcpy(injection->memory + HEAD, text, length);
	injection->size = HEAD + (length + 3) / 4 * 4;
	injection->length = (uint32_t)length;
}

/* The rig file may say how large the device's buffer is. */
static int check_size(struct step_context *context, const struct step_call *call, const struct injection *injection, const char *endpoint,
                      struct error *err)
{
	const struct value *size = rig_value(context->rig, rig_board_role(injection->board), "endpoint_size");
	if (!size || size->type != VALUE_INTEGER || (int64_t)strlen(endpoint) < size->integer)
		return 0;
	return error_set_place(err, ERROR_TESTCASE, EMSGSIZE, value_get(call->args, "endpoint")->place,
	                       "the endpoint \"%.80s\" has %zu characters, %s takes at most %" PRId64, endpoint, strlen(endpoint),
	                       rig_board_role(injection->board), size->integer - 1);
}

static int read_text(struct step_context *context, const struct step_call *call, struct injection *injection, struct error *err)
{
	const struct bytes *bytes;
	const char *endpoint;
	int r = step_arg_text(context, call, "endpoint", &endpoint, err);
	if (r == 0)
		r = step_arg_bytes(context, call, "bytes", &bytes, err);
	if (r < 0)
		return r;
	fill_memory(injection, endpoint ? (const void *)endpoint : bytes->data, endpoint ? strlen(endpoint) : bytes->length);
	return endpoint ? check_size(context, call, injection, endpoint, err) : 0;
}

static int read_call(struct step_context *context, const struct step_call *call, struct injection *injection, struct error *err)
{
	int64_t address, length;
	const char *by;
	int r = step_board(context, call, &injection->board, err);
	if (r == 0)
		r = step_arg_integer(context, call, "address", ADDRESS, &address, err);
	if (r == 0)
		r = step_arg_text(context, call, "by", &by, err);
	if (r == 0)
		r = step_arg_integer(context, call, "within", SECONDS_NS(10), &injection->within_ns, err);
	if (r == 0)
		r = read_text(context, call, injection, err);
	if (r == 0)
		r = step_arg_integer(context, call, "length", injection->length, &length, err);
	if (r < 0)
		return r;
	injection->role = rig_board_role(injection->board);
	injection->address = (uint32_t)address;
	injection->by_power = !strcmp(by, "power");
	injection->length = (uint32_t)length;
	for (unsigned i = 0; i < HEAD; i++)
		injection->memory[i] = (uint8_t)(injection->length >> (8 * i));
	injection->probe = rig_board_probe(injection->board);
	if (!injection->probe)
		return error_set_place(err, ERROR_TESTCASE, ENOTSUP, call->place, "board %s has no probe in the rig file", injection->role);
	return 0;
}

/* In reset, with power: the CPU cannot read what is half written. */
static int hold_board(struct step_context *context, const struct injection *injection, struct error *err)
{
	int64_t deadline_ns = loop_now_ns() + ACTION_NS;
	int r = 0;
	boards_changed(context->executor, injection->board);
	if (injection->by_power)
		r = rig_board_power(injection->board, false, deadline_ns, err);
	if (r == 0)
		r = rig_board_hold(injection->board, true, deadline_ns, err);
	return r < 0 ? r : rig_board_power(injection->board, true, deadline_ns, err);
}

static int write_memory(const struct injection *injection, struct error *err)
{
	uint8_t back[sizeof(injection->memory)];
	int64_t deadline_ns = loop_now_ns() + injection->within_ns;
	unsigned width = injection->address % 4 ? 1 : 4;
	int r = probe_write(injection->probe, injection->address, width, injection->memory, injection->size, deadline_ns, err);
	if (r == 0)
		r = probe_read(injection->probe, injection->address, width, back, injection->size, deadline_ns, err);
	for (size_t i = 0; r == 0 && i < injection->size; i++)
		if (back[i] != injection->memory[i])
			r = error_set(err, ERROR_BENCH, EIO, "board %s: at 0x%08x the probe wrote %02x and read back %02x", injection->role,
			              (unsigned)(injection->address + i), injection->memory[i], back[i]);
	return r;
}

static void note(struct step_context *context, const struct injection *injection)
{
	char channel[80];
	size_t length = injection->size - HEAD;
	const char *text = (const char *)injection->memory + HEAD;
	while (length > 0 && text[length - 1] == '\0')
		length--;
	json_t *shown = json_stringn(text, length); /* NULL for bytes that are no text */
	json_t *data = json_pack("{s:I,s:I,s:s}", "address", (json_int_t)injection->address, "length", (json_int_t)injection->length, "by",
	                         injection->by_power ? "power" : "reset");
	json_object_set_new(data, "endpoint", shown ? shown : json_string("(no text)"));
	snprintf(channel, sizeof(channel), "board:%s", injection->role);
	timeline_emit_now(context->timeline, channel, "endpoint.injected", data);
}

static int inject_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct injection injection = {0};
	int r = read_call(context, call, &injection, err);
	if (r == 0)
		r = hold_board(context, &injection, err);
	if (r < 0)
		return r;
	int64_t begin_ns = loop_now_ns();
	r = write_memory(&injection, err);
	int64_t took_ns = loop_now_ns() - begin_ns;
	if (r < 0)
		return r; /* it stays held: without its endpoint there is nothing it could do; the end of the case lets go of it */
	note(context, &injection);
	r = rig_board_hold(injection.board, false, loop_now_ns() + ACTION_NS, err);
	if (r == 0 && (step_result_duration(context, "took", took_ns) < 0 || step_result_integer(context, "length", injection.length) < 0))
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	return r;
}

const struct step_def step_endpoint_inject = {
        .name = "endpoint.inject",
        .doc = "Holds a board in reset, has the debug probe write the endpoint of its gateway into RAM (length, then the characters of "
               "HOST:PORT), reads it back and releases the board. Does not wait for its boot. After a power-off the RAM is empty: inject "
               "again after every such restart. The board's event `reset` is the moment of the release.",
        .example = "- endpoint.inject: {role: device, endpoint: 10.42.0.12:8081}",
        .flags = STEP_ACTION,
        .args = inject_args,
        .results = inject_results,
        .run = inject_run,
        .check = endpoint_check_call,
};
