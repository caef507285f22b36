/* SPDX-License-Identifier: Apache-2.0 */
/* The debug probe at a board: identity, run control, reset, memory. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../rig/probe.h"
#include "generic.h"
#include "probe_check.h"
#include "probe_step.h"
#include "steps.h"

const char *const probe_capability[] = {"probe", NULL};

int probe_of_call(struct step_context *context, const struct step_call *call, struct probe_call *ret, struct error *err)
{
	int64_t within_ns;
	int r = step_board(context, call, &ret->board, err);
	if (r < 0)
		return r;
	ret->probe = rig_board_probe(ret->board);
	if (!ret->probe)
		return error_set_place(err, ERROR_TESTCASE, ENODEV, call->place, "the board %s has no probe in the rig file",
		                       rig_board_role(ret->board));
	r = step_arg_integer(context, call, "within", probe_verb_ns(ret->probe), &within_ns, err);
	if (r < 0)
		return r;
	ret->deadline_ns = loop_now_ns() + within_ns;
	if (context->deadline_ns < ret->deadline_ns)
		ret->deadline_ns = context->deadline_ns;
	return 0;
}

/* The same for a step that changes the board. */
static int changing_call(struct step_context *context, const struct step_call *call, struct probe_call *ret, struct error *err)
{
	int r = probe_of_call(context, call, ret, err);
	if (r == 0)
		boards_changed(context->executor, ret->board);
	return r;
}

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

static const struct arg_def role_args[] = {PROBE_ROLE_ONLY, PROBE_WITHIN, {NULL}};

/* ---- identity ---- */

static const struct result_def identify_results[] = {
        {"idcode", VALUE_INTEGER, "IDCODE of the chip's test access port, 0 where the probe has none."},
        {"unique_id", VALUE_TEXT, "Id of the chip, 0x and 16 hex digits; of 0 where the rig file does not say where it is."},
        {"slot", VALUE_TEXT, "The slot that the board says it is in."},
        {NULL},
};

static int identify_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct probe_identity identity;
	struct probe_call probe;
	char id[24];
	int r = probe_of_call(context, call, &probe, err);
	if (r == 0)
		r = probe_identify(probe.probe, &identity, probe.deadline_ns, err);
	if (r < 0)
		return r;
	snprintf(id, sizeof(id), "0x%016" PRIx64, identity.unique_id);
	if (step_result_integer(context, "idcode", identity.idcode) < 0 || step_result_text(context, "unique_id", id) < 0 ||
	    step_result_text(context, "slot", identity.slot) < 0)
		return out_of_memory(err);
	return 0;
}

const struct step_def step_probe_identify = {
        .name = "probe.identify",
        .doc = "Asks the chip at a board's probe who it is and compares that with the rig file. Every other step does so by itself before "
               "it "
               "writes.",
        .example = "- probe.identify: {role: zgw, expect: {idcode: 0x4ba00477, slot: zgw}}",
        .args = role_args,
        .results = identify_results,
        .capabilities = probe_capability,
        .run = identify_run,
};

/* ---- run control ---- */

static int halt_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct probe_call probe;
	int r = changing_call(context, call, &probe, err);
	return r < 0 ? r : probe_halt(probe.probe, probe.deadline_ns, err);
}

const struct step_def step_probe_halt = {
        .name = "probe.halt",
        .doc = "Halts a board's CPU: it stands still, and its watchdog with it. After the case the board is switched off.",
        .example = "- probe.halt: zgw",
        .flags = STEP_ACTION,
        .args = role_args,
        .capabilities = probe_capability,
        .run = halt_run,
};

static int resume_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct probe_call probe;
	int r = changing_call(context, call, &probe, err);
	return r < 0 ? r : probe_resume(probe.probe, probe.deadline_ns, err);
}

const struct step_def step_probe_resume = {
        .name = "probe.resume",
        .doc = "Lets a halted CPU go on.",
        .example = "- probe.resume: zgw",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = role_args,
        .capabilities = probe_capability,
        .run = resume_run,
};

static const struct result_def halted_results[] = {{"halted", VALUE_BOOL, "The CPU stands still because a debugger halted it."}, {NULL}};

static int halted_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct probe_call probe;
	bool halted = false;
	int r = probe_of_call(context, call, &probe, err);
	if (r == 0)
		r = probe_halted(probe.probe, &halted, probe.deadline_ns, err);
	if (r == 0 && step_result_bool(context, "halted", halted) < 0)
		r = out_of_memory(err);
	return r;
}

const struct step_def step_probe_halted = {
        .name = "probe.halted",
        .doc = "Asks whether a board's CPU is halted. A reset that the board makes of itself ends a halt.",
        .example = "- probe.halted: {role: zgw, expect: {halted: true}}",
        .args = role_args,
        .results = halted_results,
        .capabilities = probe_capability,
        .run = halted_run,
};

static const char *const reset_kinds[] = {"system", "application", "halt", NULL};
static const struct arg_def reset_args[] = {
        PROBE_ROLE_ONLY,
        {"kind", VALUE_TEXT, 0, "system", reset_kinds, 0, 0, "halt: a system reset, halted before the first instruction."},
        PROBE_WITHIN,
        {NULL}};

static int reset_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct probe_call probe;
	const char *kind;
	unsigned which = 0;
	int r = changing_call(context, call, &probe, err);
	if (r == 0)
		r = step_arg_text(context, call, "kind", &kind, err);
	if (r < 0)
		return r;
	while (strcmp(reset_kinds[which], kind))
		which++;
	return probe_reset(probe.probe, (enum probe_reset)which, probe.deadline_ns, err);
}

const struct step_def step_probe_reset = {
        .name = "probe.reset",
        .doc = "Resets a board through its probe. Does not wait for its boot.",
        .example = "- probe.reset: {role: zgw, kind: application}",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = reset_args,
        .capabilities = probe_capability,
        .run = reset_run,
};

/* ---- memory ---- */

#define WIDTH_DOC "Bytes of an access: 1, 2, 4 or 8. One of 8 is never made of two: a probe that cannot do it fails the step, cause bench"

static const struct arg_def read_args[] = {
        PROBE_ROLE,
        PROBE_ADDRESS,
        {"length", VALUE_SIZE, ARG_POSITIVE, "4B", NULL, 0, 0, "How much; with width 8 at least and normally 8B."},
        {"width", VALUE_INTEGER, 0, "4", NULL, 1, 8, WIDTH_DOC "."},
        PROBE_WITHIN,
        {NULL}};
static const struct result_def read_results[] = {
        {"data", VALUE_BYTES, "The bytes, as they lie in memory."},
        {"word", VALUE_INTEGER,
         "The first four of them (with width 8: eight; or as many as were read) as a little-endian number; eight bytes above 2^63 - 1 "
         "are a negative one."},
        {NULL},
};

static int read_results_set(struct step_context *context, const uint8_t *data, size_t length, size_t width)
{
	const size_t bytes = width == 8 ? 8 : 4;
	uint64_t word = 0;
	for (size_t i = length < bytes ? length : bytes; i-- > 0;)
		word = word << 8 | data[i];
	return step_result_bytes(context, "data", data, length) < 0 ? -ENOMEM : step_result_integer(context, "word", (int64_t)word);
}

static int read_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct probe_call probe;
	int64_t address = 0, length = 0, width = 4;
	int r = probe_of_call(context, call, &probe, err);
	if (r == 0)
		r = step_arg_integer(context, call, "address", 0, &address, err);
	if (r == 0)
		r = step_arg_integer(context, call, "length", 4, &length, err);
	if (r == 0)
		r = step_arg_integer(context, call, "width", 4, &width, err);
	if (r < 0)
		return r;
	if (!step_has_arg(call, "length"))
		length = probe_read_standard(width);
	uint8_t *data = malloc((size_t)length);
	r = data ? probe_read(probe.probe, (uint32_t)address, (unsigned)width, data, (size_t)length, probe.deadline_ns, err)
	         : out_of_memory(err);
	if (r == 0 && read_results_set(context, data, (size_t)length, (size_t)width) < 0)
		r = out_of_memory(err);
	free(data);
	return r;
}

const struct step_def step_probe_read = {
        .name = "probe.read",
        .doc = "Reads a board's memory. An access that the board refuses fails the step, cause dut.",
        .example = "- probe.read: {role: zgw, address: 0xF0000490, length: 4B, expect: {data: \"7a 67 77 00\"}}",
        .args = read_args,
        .results = read_results,
        .capabilities = probe_capability,
        .run = read_run,
        .check = probe_check_read,
};

static const struct arg_def write_args[] = {
        PROBE_ROLE,
        PROBE_ADDRESS,
        {"data", VALUE_BYTES, 0, NULL, NULL, 0, 0, "The bytes, as they shall lie in memory."},
        {"word", VALUE_INTEGER, 0, NULL, NULL, 0, INT64_MAX,
         "In their place a number of `width` bytes; one of 8 bytes from 2^63 on only as `data`."},
        {"text", VALUE_TEXT, 0, NULL, NULL, 0, 0, "In their place a text, without an end mark."},
        {"width", VALUE_INTEGER, 0, NULL, NULL, 1, 8, WIDTH_DOC "; standard 4 where address and length allow, else 1."},
        PROBE_WITHIN,
        {NULL}};

/* What is written: probe_check_write() has seen to it that there is one. */
static int write_data(struct step_context *context, const struct step_call *call, size_t width, uint8_t *word, const uint8_t **ret,
                      size_t *ret_length, struct error *err)
{
	const struct bytes *data;
	const char *text;
	int64_t number = 0;
	int r = step_arg_bytes(context, call, "data", &data, err);
	if (r == 0)
		r = step_arg_text(context, call, "text", &text, err);
	if (r == 0)
		r = step_arg_integer(context, call, "word", 0, &number, err);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < 8; i++)
		word[i] = (uint8_t)((uint64_t)number >> 8 * i);
	*ret = data ? data->data : text ? (const uint8_t *)text : word;
	*ret_length = data ? data->length : text ? strlen(text) : width;
	return 0;
}

static int write_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct probe_call probe;
	const uint8_t *data = NULL;
	uint8_t word[8];
	size_t length = 0;
	int64_t address = 0, width = 4;
	int r = changing_call(context, call, &probe, err);
	if (r == 0)
		r = step_arg_integer(context, call, "address", 0, &address, err);
	if (r == 0)
		r = step_arg_integer(context, call, "width", 4, &width, err);
	if (r == 0)
		r = write_data(context, call, (size_t)width, word, &data, &length, err);
	if (r < 0)
		return r;
	if (!step_has_arg(call, "width") && ((size_t)address | length) % 4)
		width = 1;
	return probe_write(probe.probe, (uint32_t)address, (unsigned)width, data, length, probe.deadline_ns, err);
}

const struct step_def step_probe_write = {
        .name = "probe.write",
        .doc = "Writes a board's memory, after its probe has shown that it is the right board. After the case the board is switched off.",
        .example = "- probe.write: {role: ecu, address: 0x20001004, text: \"10.42.0.12:8081\"}",
        .flags = STEP_ACTION,
        .args = write_args,
        .capabilities = probe_capability,
        .run = write_run,
        .check = probe_check_write,
};

/* ---- people ---- */

static const struct arg_def command_args[] = {
        PROBE_ROLE,
        {"command", VALUE_TEXT, ARG_REQUIRED, NULL, NULL, 0, 0, "In the language of the probe's program (openocd: Tcl)."},
        PROBE_WITHIN,
        {NULL}};
static const struct result_def command_results[] = {{"answer", VALUE_TEXT, "What it answers."}, {NULL}};

static int command_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct probe_call probe;
	const char *command = NULL;
	char *answer = NULL;
	int r = changing_call(context, call, &probe, err);
	if (r == 0)
		r = step_arg_text(context, call, "command", &command, err);
	if (r == 0)
		r = probe_command(probe.probe, command, &answer, probe.deadline_ns, err);
	if (r == 0 && step_result_text(context, "answer", answer) < 0)
		r = out_of_memory(err);
	free(answer);
	return r;
}

const struct step_def step_probe_command = {
        .name = "probe.command",
        .doc = "A command in the language of the probe's program, for what no other step does. A case with it runs with that program only.",
        .example = "- probe.command: {role: zgw, command: \"mdw 0x20000000 4\", expect: {answer: {matches: \"^0x20000000: \"}}}",
        .flags = STEP_ACTION,
        .args = command_args,
        .results = command_results,
        .capabilities = probe_capability,
        .run = command_run,
};
