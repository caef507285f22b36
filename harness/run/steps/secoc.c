/* SPDX-License-Identifier: Apache-2.0 */
/* Secured PDUs, right ones and wrong ones, and what the receiver says of them. Rules: docs/reference/secoc.md. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "can_check.h"
#include "secoc_bench.h"
#include "steps.h"

#define VERDICT_WITHIN_NS INT64_C(1000000000)
#define SILENCE_NS        INT64_C(100000000) /* how long a verdict is waited for where none need come */
#define RECORD_POLL_NS    INT64_C(20000000)

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

/* ---- secoc.pdu --------------------------------------------------------------------------------------------- */

static const char *const layouts[] = {"profile1", "profile2", "profile3", "demo", "demo-b", "free", NULL};

static const struct arg_def pdu_args[] = {
        ARG_BUS,
        {"id", VALUE_INTEGER, ARG_REQUIRED, NULL, NULL, 0, 0x1fffffff, "Identifier of the frame."},
        {"layout", VALUE_TEXT, ARG_REQUIRED, NULL, layouts, 0, 0, "A preset, or \"free\" with the fields below."},
        {"data_id", VALUE_INTEGER, 0, NULL, NULL, 0, 0xffff, "DataId."},
        {"data_id_in_mac", VALUE_BOOL, 0, NULL, NULL, 0, 0, "The MAC covers the DataId."},
        {"authentic_bytes", VALUE_INTEGER, 0, NULL, NULL, 0, 64, "Length of the authentic PDU."},
        {"mac_from", VALUE_INTEGER, 0, NULL, NULL, 0, 64, "First byte under the MAC."},
        {"mac_bytes", VALUE_INTEGER, 0, NULL, NULL, 0, 64, "Bytes under the MAC (default: all)."},
        {"freshness_bits", VALUE_INTEGER, 0, NULL, NULL, 0, 64, "Complete freshness value."},
        {"freshness_sent_bits", VALUE_INTEGER, 0, NULL, NULL, 0, 64, "Its low bits in the PDU."},
        {"mac_bits", VALUE_INTEGER, 0, NULL, NULL, 1, 128, "High bits of the MAC in the PDU."},
        {"trip_bits", VALUE_INTEGER, 0, NULL, NULL, 0, 24, "Trip counter."},
        {"reset_bits", VALUE_INTEGER, 0, NULL, NULL, 0, 24, "Reset counter."},
        {"counter_bits", VALUE_INTEGER, 0, NULL, NULL, 0, 48, "Message counter."},
        {"flag_bits", VALUE_INTEGER, 0, NULL, NULL, 0, 2, "Reset flag."},
        {"fd", VALUE_BOOL, 0, "true", NULL, 0, 0, "CAN FD with bit rate switch."},
        {"key", VALUE_BYTES, 0, NULL, NULL, 0, 0, "16 bytes (default: `secoc_key` of the rig's ecu, else the published test key)."},
        {"last", VALUE_INTEGER, 0, NULL, NULL, 0, 0, "Freshness that the receiver holds (default: read from DID FD40 at need)."},
        {"verdicts", VALUE_TEXT, 0, "frame", (const char *const[]){"frame", "did", NULL}, 0, 0,
         "How the receiver's verdicts come: frame 0x1FF, or the counters of DID FD40."},
        {NULL},
};

/* The arguments that are fields of a layout, with a preset's values as their defaults. */
static const struct {
	const char *name;
	size_t at;
} layout_fields[] = {{"mac_from", offsetof(struct secoc_layout, mac_from)},
                     {"mac_bytes", offsetof(struct secoc_layout, mac_bytes)},
                     {"freshness_bits", offsetof(struct secoc_layout, freshness_bits)},
                     {"freshness_sent_bits", offsetof(struct secoc_layout, freshness_sent_bits)},
                     {"mac_bits", offsetof(struct secoc_layout, mac_bits)},
                     {"trip_bits", offsetof(struct secoc_layout, trip_bits)},
                     {"reset_bits", offsetof(struct secoc_layout, reset_bits)},
                     {"counter_bits", offsetof(struct secoc_layout, counter_bits)},
                     {"flag_bits", offsetof(struct secoc_layout, flag_bits)}};
#define LAYOUT_FIELDS (sizeof(layout_fields) / sizeof(*layout_fields))

static unsigned *layout_field(struct secoc_layout *layout, unsigned i)
{
	return (unsigned *)((char *)layout + layout_fields[i].at);
}

static int layout_numbers(struct step_context *context, const struct step_call *call, struct secoc_layout *layout, struct error *err)
{
	int64_t value;
	int r = step_arg_bool(context, call, "data_id_in_mac", layout->data_id_in_mac, &layout->data_id_in_mac, err);

	for (unsigned i = 0; r == 0 && i < LAYOUT_FIELDS; i++) {
		r = step_arg_integer(context, call, layout_fields[i].name, *layout_field(layout, i), &value, err);
		if (r == 0)
			*layout_field(layout, i) = (unsigned)value;
	}
	return r;
}

static int layout_of_call(struct step_context *context, const struct step_call *call, struct secoc_layout *layout, struct error *err)
{
	int64_t data_id, authentic;
	const char *name;
	int r;

	if ((r = step_arg_text(context, call, "layout", &name, err)) < 0 ||
	    (r = step_arg_integer(context, call, "data_id", 0, &data_id, err)) < 0 ||
	    (r = step_arg_integer(context, call, "authentic_bytes", 0, &authentic, err)) < 0)
		return r;
	layout->data_id = (uint16_t)data_id;
	layout->authentic_bytes = (unsigned)authentic;
	if (strcmp(name, "free") == 0)
		layout->mac_bytes = layout->authentic_bytes;
	else if (secoc_layout_preset(name, layout) < 0)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, call->place, "no layout \"%s\"", name);
	r = layout_numbers(context, call, layout, err);
	if (r == 0 && secoc_layout_check(layout, err) < 0) {
		err->domain = ERROR_TESTCASE;
		err->place = call->place;
		return -EINVAL;
	}
	return r;
}

static bool is_open(const struct step_call *call, const struct value *known, const char *name)
{
	return value_get(call->args, name) && !value_get(known, name);
}

/* Of a written call whose numbers are all known. False: not all are. */
static bool layout_known(const struct step_call *call, const struct value *known, struct secoc_layout *layout)
{
	const char *name = known_text(known, "layout");
	bool open = !name || is_open(call, known, "data_id_in_mac") || is_open(call, known, "authentic_bytes");
	int64_t value;

	for (unsigned i = 0; i < LAYOUT_FIELDS; i++)
		open = open || is_open(call, known, layout_fields[i].name);
	if (open)
		return false;
	if (known_integer(known, "authentic_bytes", &value))
		layout->authentic_bytes = (unsigned)value;
	if (strcmp(name, "free") == 0)
		layout->mac_bytes = layout->authentic_bytes;
	else if (secoc_layout_preset(name, layout) < 0)
		return false;
	(void)known_bool(known, "data_id_in_mac", &layout->data_id_in_mac);
	for (unsigned i = 0; i < LAYOUT_FIELDS; i++)
		if (known_integer(known, layout_fields[i].name, &value))
			*layout_field(layout, i) = (unsigned)value;
	return true;
}

/* A forgotten number would count as zero, and every PDU as a wrong one. */
static int pdu_check(const struct step_call *call, const struct value *known, struct error *err)
{
	const char *name = known_text(known, "layout");
	struct secoc_layout layout = {0};
	struct error why = {0};
	int r = secoc_check_key(call, known, err);

	if (r < 0 || !layout_known(call, known, &layout))
		return r;
	if (layout.authentic_bytes == 0 && !value_get(call->args, "authentic_bytes"))
		return call_refuse(call, "layout", err, "layout %s needs `authentic_bytes`: the length of the authentic PDU", name);
	if (layout.data_id_in_mac && !value_get(call->args, "data_id"))
		return call_refuse(call, "layout", err, "layout %s needs `data_id`: its MAC covers it", name);
	return secoc_layout_check(&layout, &why) < 0 ? call_refuse(call, "layout", err, "%s", why.message) : 0;
}

/* The secoc.pdu that describes the identifier, NULL when that hangs on the run. */
static const struct step_call *pdu_before(const struct step_call *call, int64_t id)
{
	for (const struct step_call *before = call->previous; before; before = before->previous) {
		const struct value *own = before->def == &step_secoc_pdu ? value_get(before->args, "id") : NULL;

		if (own && (own->type != VALUE_INTEGER || value_get(before->args, "bus")))
			return NULL;
		if (own && own->integer == id)
			return before;
	}
	return NULL;
}

static bool is_literal(const struct step_call *pdu)
{
	for (unsigned i = 0; i < pdu->args->map.count; i++) {
		const struct value *value = pdu->args->map.entries[i].value;

		if (value->type == VALUE_TEXT && strstr(value->text, "${"))
			return false;
	}
	return true;
}

int secoc_check_data(const struct step_call *call, const struct value *known, struct error *err)
{
	const struct bytes *data = known_bytes(known, "data");
	const struct step_call *pdu;
	struct secoc_layout layout = {0};
	int64_t id;

	if (!data || !known_integer(known, "id", &id) || value_get(call->args, "bus"))
		return 0;
	pdu = pdu_before(call, id);
	if (!pdu || !is_literal(pdu) || !layout_known(pdu, pdu->args, &layout) || data->length <= layout.authentic_bytes)
		return 0;
	return call_refuse(call, "data", err, "`data` has %zu bytes, the authentic PDU of 0x%03llx has %u", data->length,
	                   (unsigned long long)id, layout.authentic_bytes);
}

static struct secoc_pdu_state *pdu_slot(struct secoc_bench *bench, uint32_t id)
{
	for (unsigned i = 0; i < bench->count; i++)
		if (bench->pdus[i].id == id)
			return &bench->pdus[i];
	return bench->count < SECOC_BENCH_PDUS ? &bench->pdus[bench->count++] : NULL;
}

static int secoc_pdu_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct secoc_pdu_state state = {.id = 0}, *slot;
	struct secoc_bench *bench;
	const char *verdicts;
	int64_t id, last;
	int r;

	if ((r = secoc_bench_of_call(context, call, &bench, err)) < 0 || (r = step_arg_integer(context, call, "id", 0, &id, err)) < 0 ||
	    (r = layout_of_call(context, call, &state.layout, err)) < 0 ||
	    (r = step_arg_bool(context, call, "fd", true, &state.fd, err)) < 0 ||
	    (r = step_arg_integer(context, call, "last", 0, &last, err)) < 0 ||
	    (r = step_arg_text(context, call, "verdicts", &verdicts, err)) < 0 ||
	    (r = secoc_key_of_call(context, call, &state.key, err)) < 0)
		return r;
	state.id = (uint32_t)id;
	state.last = (uint64_t)last;
	state.knows_last = step_has_arg(call, "last");
	state.by_diagnostics = strcmp(verdicts, "did") == 0;
	slot = pdu_slot(bench, state.id);
	if (!slot) {
		secoc_key_free(state.key);
		return error_set_place(err, ERROR_TESTCASE, E2BIG, call->place, "a case has at most %u secured PDUs", SECOC_BENCH_PDUS);
	}
	secoc_key_free(slot->key);
	*slot = state;
	return 0;
}

const struct step_def step_secoc_pdu = {
        .name = "secoc.pdu",
        .doc = "Says what a secured PDU looks like, for the secoc steps that follow in this case.",
        .example = "- secoc.pdu: {id: 0x110, layout: profile1, data_id: 0x0101, authentic_bytes: 4}",
        .args = pdu_args,
        .run = secoc_pdu_run,
        .check = pdu_check,
};

/* ---- secoc.send: what is sent ------------------------------------------------------------------------------ */

static const char *const mac_fills[] = {"zero", "ones", "random", NULL};

static const struct arg_def send_args[] = {
        ARG_BUS,
        {"id", VALUE_INTEGER, ARG_REQUIRED, NULL, NULL, 0, 0x1fffffff, "Identifier that a secoc.pdu step has named."},
        {"data", VALUE_BYTES, 0, NULL, NULL, 0, 0, "Authentic PDU, or its begin (rest: zeros)."},
        {"freshness", VALUE_INTEGER, 0, NULL, NULL, 0, 0, "Complete freshness value."},
        {"jump", VALUE_INTEGER, 0, NULL, NULL, 0, 0, "Freshness relative to what the receiver holds (default: 1)."},
        {"pdu", VALUE_BYTES, 0, NULL, NULL, 0, 0, "These bytes instead: a replay."},
        {"flip_bit", VALUE_INTEGER, 0, NULL, NULL, 0, 511, "Flip this bit of the PDU, MSB first from 0."},
        {"mac", VALUE_BYTES, 0, NULL, NULL, 0, 0, "This MAC (filled with zeros)."},
        {"mac_bits_right", VALUE_INTEGER, 0, NULL, NULL, 0, 128, "The first bits of the MAC right, the others inverted."},
        {"mac_is", VALUE_TEXT, 0, NULL, mac_fills, 0, 0, "A MAC of zeros, ones or random bits."},
        {"little_endian", VALUE_BOOL, 0, NULL, NULL, 0, 0, "Freshness little-endian under the MAC."},
        {"without_data_id", VALUE_BOOL, 0, NULL, NULL, 0, 0, "MAC without the DataId."},
        {"data_id", VALUE_INTEGER, 0, NULL, NULL, 0, 0xffff, "MAC with this DataId."},
        {"key", VALUE_BYTES, 0, NULL, NULL, 0, 0, "MAC with this key."},
        {"as_id", VALUE_INTEGER, 0, NULL, NULL, 0, 0x1fffffff, "Send the PDU with this identifier."},
        {"extended", VALUE_BOOL, 0, NULL, NULL, 0, 0, "Extended identifier of equal value."},
        {"remote", VALUE_BOOL, 0, NULL, NULL, 0, 0, "As a remote frame."},
        {"classic", VALUE_BOOL, 0, NULL, NULL, 0, 0, "As a classic frame, cut to 8 bytes."},
        {"length", VALUE_INTEGER, 0, NULL, NULL, 0, 64, "Cut or filled with zeros to this length."},
        {"verdict", VALUE_TEXT, 0, "accepted", secoc_expectations, 0, 0,
         "What the receiver must say; \"refused\": anything but acceptance, silence too; \"rejected\": a verdict that rejects."},
        {"within", VALUE_DURATION, ARG_POSITIVE, NULL, NULL, 0, 0,
         "How long to wait for the verdict (default 1 s; where silence is right 100 ms)."},
        {NULL},
};
static const struct result_def send_results[] = {
        SECOC_FRAME_RESULTS,
        {"freshness", VALUE_INTEGER, "Complete freshness value that was sent."},
        {NULL},
};

/* What contradicts each other, or says nothing beside something else. */
static int send_check_together(const struct step_call *call, struct error *err)
{
	static const struct {
		const char *name;
		const char *const others[12];
		const char *why;
	} groups[] = {
	        {"pdu",
	         {"data", "freshness", "jump", "flip_bit", "mac", "mac_bits_right", "mac_is", "little_endian", "without_data_id", "data_id",
	          "key", NULL},
	         "those bytes are sent as they are"},
	        {"freshness", {"jump", NULL}, "both say the freshness"},
	        {"mac", {"mac_bits_right", "mac_is", "little_endian", "without_data_id", "data_id", "key", NULL}, "no MAC is computed"},
	        {"mac_is", {"mac_bits_right", "little_endian", "without_data_id", "data_id", "key", NULL}, "no MAC is computed"},
	        {"without_data_id", {"data_id", NULL}, "the MAC is made with it or without it"},
	};
	int r = 0;

	for (unsigned i = 0; r == 0 && i < sizeof(groups) / sizeof(*groups); i++)
		r = call_check_alone(call, groups[i].name, groups[i].others, groups[i].why, err);
	return r;
}

static int send_check(const struct step_call *call, const struct value *known, struct error *err)
{
	bool classic = false, remote = false;
	int r;

	if ((r = send_check_together(call, err)) < 0 || (r = secoc_check_key(call, known, err)) < 0 ||
	    (r = can_check_id(call, known, value_get(call->args, "as_id") ? "as_id" : "id", err)) < 0 ||
	    (r = can_check_bytes(call, known, "data", CAN_MESSAGE_MAX, "a frame", err)) < 0 ||
	    (r = secoc_check_data(call, known, err)) < 0 ||
	    (r = can_check_bytes(call, known, "pdu", CAN_MESSAGE_MAX, "a frame", err)) < 0 ||
	    (r = can_check_bytes(call, known, "mac", 16, "a MAC", err)) < 0)
		return r;
	(void)known_bool(known, "classic", &classic);
	(void)known_bool(known, "remote", &remote);
	return can_check_length(call, known, "length", !classic && !remote, err);
}

struct attempt {
	struct secoc_bench *bench;
	struct secoc_pdu_state *state;
	uint64_t freshness;
	uint8_t authentic[64], mac[16];
	struct secoc_mutation mutation;
	struct secoc_key *other_key;
	bool raw; /* the bytes were given */
	struct bytes pdu;
	struct can_message frame;
	char what[96];
	const char *expectation;
	int64_t within_ns;
	bool silence_allowed;
};

static void attempt_clear(struct attempt *attempt)
{
	secoc_key_free(attempt->other_key);
	bytes_free(&attempt->pdu);
}

static uint64_t low_bits(uint64_t value, unsigned bits)
{
	return bits >= 64 ? value : value & ((UINT64_C(1) << bits) - 1);
}

/* Under trip and reset the message counter goes on within one (trip, reset) and begins anew after it. */
static uint64_t trip_freshness(const struct secoc_bench *bench, const struct secoc_pdu_state *state, int64_t jump)
{
	const struct secoc_layout *layout = &state->layout;
	unsigned below = layout->counter_bits + layout->flag_bits;
	uint64_t base = secoc_trip_reset(layout, bench->trip, bench->reset, 0) >> below, counter = 0;

	if (!bench->knows_trip)
		base = state->last >> below;
	if (base == state->last >> below)
		counter = low_bits(state->last >> layout->flag_bits, layout->counter_bits);
	return secoc_trip_reset(layout, (uint32_t)(base >> layout->reset_bits), (uint32_t)base, counter + (uint64_t)jump);
}

static int freshness_of_call(struct step_context *context, const struct step_call *call, struct attempt *attempt, struct error *err)
{
	const struct secoc_layout *layout = &attempt->state->layout;
	int64_t absolute, jump;
	int r;

	if ((r = step_arg_integer(context, call, "freshness", 0, &absolute, err)) < 0 ||
	    (r = step_arg_integer(context, call, "jump", 1, &jump, err)) < 0 ||
	    (r = secoc_pdu_learn(context, attempt->bench, attempt->state, err)) < 0)
		return r;
	if (step_has_arg(call, "freshness"))
		attempt->freshness = (uint64_t)absolute;
	else if (layout->trip_bits)
		attempt->freshness = trip_freshness(attempt->bench, attempt->state, jump);
	else
		attempt->freshness = low_bits(attempt->state->last + (uint64_t)jump, layout->freshness_bits);
	return 0;
}

static int mac_of_call(struct step_context *context, const struct step_call *call, struct attempt *attempt, struct error *err)
{
	struct secoc_mutation *mutation = &attempt->mutation;
	const struct bytes *mac;
	const char *fill;
	int64_t bits;
	int r;

	if ((r = step_arg_bytes(context, call, "mac", &mac, err)) < 0 ||
	    (r = step_arg_integer(context, call, "mac_bits_right", 0, &bits, err)) < 0 ||
	    (r = step_arg_text(context, call, "mac_is", &fill, err)) < 0)
		return r;
	if (mac) {
		memcpy(attempt->mac, mac->data, mac->length < 16 ? mac->length : 16);
		mutation->mac = attempt->mac;
	}
	mutation->has_mac_bits_right = step_has_arg(call, "mac_bits_right");
	mutation->mac_bits_right = (unsigned)bits;
	mutation->zero_mac = fill && strcmp(fill, "zero") == 0;
	mutation->ones_mac = fill && strcmp(fill, "ones") == 0;
	mutation->random_mac = fill && strcmp(fill, "random") == 0;
	mutation->seed = context->seed ^ attempt->freshness;
	return 0;
}

static int mutation_of_call(struct step_context *context, const struct step_call *call, struct attempt *attempt, struct error *err)
{
	struct secoc_mutation *mutation = &attempt->mutation;
	int64_t flip, data_id;
	int r = mac_of_call(context, call, attempt, err);

	if (r < 0 || (r = step_arg_integer(context, call, "flip_bit", 0, &flip, err)) < 0 ||
	    (r = step_arg_integer(context, call, "data_id", 0, &data_id, err)) < 0 ||
	    (r = step_arg_bool(context, call, "little_endian", false, &mutation->little_endian_freshness, err)) < 0 ||
	    (r = step_arg_bool(context, call, "without_data_id", false, &mutation->without_data_id, err)) < 0)
		return r;
	mutation->has_flip_bit = step_has_arg(call, "flip_bit");
	mutation->flip_bit = (unsigned)flip;
	mutation->has_data_id = step_has_arg(call, "data_id");
	mutation->data_id = (uint16_t)data_id;
	return step_has_arg(call, "key") ? secoc_key_of_call(context, call, &attempt->other_key, err) : 0;
}

/* For messages and the journal: the arguments that make the frame wrong. */
static void describe(const struct step_call *call, struct attempt *attempt)
{
	static const char *const names[] = {"pdu",           "freshness",       "jump",    "flip_bit", "mac",   "mac_bits_right", "mac_is",
	                                    "little_endian", "without_data_id", "data_id", "key",      "as_id", "extended",       "remote",
	                                    "classic",       "length"};
	size_t length = 0;

	attempt->what[0] = '\0';
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char *text;

		if (!step_has_arg(call, names[i]) || length >= sizeof(attempt->what) - 1)
			continue;
		text = value_describe(value_get(call->args, names[i]));
		length += (size_t)snprintf(attempt->what + length, sizeof(attempt->what) - length, "%s%s %s", length ? ", " : "", names[i],
		                           text ? text : "");
		free(text);
	}
	if (length == 0)
		snprintf(attempt->what, sizeof(attempt->what), "a right PDU");
}

static int pdu_of_call(struct step_context *context, const struct step_call *call, struct attempt *attempt, struct error *err)
{
	const struct secoc_layout *layout = &attempt->state->layout;
	const struct bytes *data, *raw;
	int r;

	if ((r = step_arg_bytes(context, call, "data", &data, err)) < 0 || (r = step_arg_bytes(context, call, "pdu", &raw, err)) < 0 ||
	    (r = freshness_of_call(context, call, attempt, err)) < 0 || (r = mutation_of_call(context, call, attempt, err)) < 0)
		return r;
	if (raw) {
		attempt->raw = true;
		attempt->freshness = secoc_candidate(layout, raw->data, raw->length, attempt->state->last);
		return raw->length <= 64 && bytes_append(&attempt->pdu, raw->data, raw->length) == 0 ? 0 : out_of_memory(err);
	}
	if (data && data->length > layout->authentic_bytes)
		return call_refuse(call, "data", err, "`data` has %zu bytes, the authentic PDU of 0x%03x has %u", data->length,
		                   attempt->state->id, layout->authentic_bytes);
	if (data && data->length > 0)
		memcpy(attempt->authentic, data->data, data->length);
	r = secoc_make(attempt->other_key ? attempt->other_key : attempt->state->key, layout, attempt->authentic, attempt->freshness,
	               &attempt->mutation, &attempt->pdu);
	if (r == -EINVAL)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, call->place, "the PDU has no such bit");
	return r < 0 ? out_of_memory(err) : 0;
}

static int format_of_call(struct step_context *context, const struct step_call *call, struct attempt *attempt, struct error *err)
{
	struct can_message *frame = &attempt->frame;
	bool extended, remote, classic;
	int64_t as_id, length;
	int r;

	secoc_frame(attempt->state, &attempt->pdu, frame);
	if ((r = step_arg_integer(context, call, "as_id", frame->id, &as_id, err)) < 0 ||
	    (r = step_arg_integer(context, call, "length", frame->length, &length, err)) < 0 ||
	    (r = step_arg_bool(context, call, "extended", as_id > 0x7ff, &extended, err)) < 0 ||
	    (r = step_arg_bool(context, call, "remote", false, &remote, err)) < 0 ||
	    (r = step_arg_bool(context, call, "classic", false, &classic, err)) < 0)
		return r;
	frame->id = (uint32_t)as_id;
	frame->length = (uint8_t)length;
	if (classic || remote)
		frame->flags &= (uint8_t)~(CAN_MESSAGE_FD | CAN_MESSAGE_BRS);
	if ((classic || remote) && frame->length > 8)
		frame->length = 8;
	frame->flags |= (uint8_t)((extended ? CAN_MESSAGE_EXTENDED : 0) | (remote ? CAN_MESSAGE_REMOTE : 0));
	if (can_message_check(frame, err) < 0) {
		err->domain = ERROR_TESTCASE;
		err->place = call->place;
		return -EINVAL;
	}
	return 0;
}

static int attempt_of_call(struct step_context *context, const struct step_call *call, struct attempt *attempt, struct error *err)
{
	int r;

	if ((r = secoc_pdu_of_call(context, call, &attempt->bench, &attempt->state, err)) < 0 ||
	    (r = step_arg_text(context, call, "verdict", &attempt->expectation, err)) < 0)
		return r;
	attempt->silence_allowed = strcmp(attempt->expectation, "refused") == 0 || strcmp(attempt->expectation, "ignored") == 0 ||
	                           strcmp(attempt->expectation, "any") == 0;
	if ((r = step_arg_integer(context, call, "within", attempt->silence_allowed ? SILENCE_NS : VERDICT_WITHIN_NS, &attempt->within_ns,
	                          err)) < 0 ||
	    (r = pdu_of_call(context, call, attempt, err)) < 0 || (r = format_of_call(context, call, attempt, err)) < 0)
		return r;
	describe(call, attempt);
	return 0;
}

/* ---- secoc.send: what comes of it -------------------------------------------------------------------------- */

/* The verdict from the counters: one of them goes up by one. */
static int verdict_by_record(struct step_context *context, const struct attempt *attempt, const struct secoc_record *before,
                             struct secoc_verdict *ret, struct error *err)
{
	int64_t until_ns = loop_now_ns() + attempt->within_ns;
	struct secoc_record now;
	int r;

	*ret = (struct secoc_verdict){.result = SECOC_RESULT_NONE};
	do {
		r = step_wait(context, NULL, NULL, RECORD_POLL_NS, err);
		if (r < 0 && r != -ETIMEDOUT)
			return r;
		r = secoc_record_read(context, attempt->bench, (uint16_t)attempt->frame.id, &now, err);
		if (r < 0)
			return r;
		if (now.accepted + now.rejected != before->accepted + before->rejected) {
			*ret = (struct secoc_verdict){now.result, now.freshness, instant_now()};
			return 0;
		}
	} while (loop_now_ns() < until_ns);
	return 0;
}

static int attempt_send(struct step_context *context, struct attempt *attempt, struct secoc_verdict *ret, struct can_message *ret_sent,
                        struct error *err)
{
	struct secoc_record before = {0};
	uint64_t from;
	int r = 0;

	if (attempt->state->by_diagnostics)
		r = secoc_record_read(context, attempt->bench, (uint16_t)attempt->state->id, &before, err);
	from = attempt->bench->watch->next;
	if (r < 0 || (r = bus_transmit(context, attempt->bench->watch, &attempt->frame, ret_sent, err)) < 0)
		return r;
	secoc_note(attempt->bench, "secoc.tx", ret_sent->at, attempt->frame.id, attempt->freshness, attempt->what, NULL, &attempt->pdu);
	if (attempt->state->by_diagnostics)
		return verdict_by_record(context, attempt, &before, ret, err);
	return secoc_verdict_wait(context, attempt->bench, attempt->frame.id, from, attempt->within_ns, ret, err);
}

/* An accepted PDU moves the receiver's freshness to its own; a refused one must not move it. */
static int attempt_follow(struct step_context *context, struct attempt *attempt, const struct secoc_verdict *verdict, struct error *err)
{
	struct secoc_pdu_state *state = attempt->state;
	char expected[32], actual[32];
	uint64_t wanted;

	if (attempt->frame.id != state->id)
		return 0;
	if (verdict->result == 0) {
		state->last = attempt->freshness;
	} else if (verdict->result > 3) {
		state->knows_last = false; /* overridden: what it holds now is read anew */
		return 0;
	}
	if (verdict->result == SECOC_RESULT_NONE)
		return 0;
	wanted = low_bits(state->last, SECOC_VERDICT_BITS);
	if (low_bits(verdict->freshness, SECOC_VERDICT_BITS) == wanted)
		return 0;
	snprintf(expected, sizeof(expected), "freshness %" PRIu64, wanted);
	snprintf(actual, sizeof(actual), "%" PRIu64, low_bits(verdict->freshness, SECOC_VERDICT_BITS));
	state->knows_last = false;
	return step_check_failed(context, err, expected, actual,
	                         verdict->result == 0 ? "the receiver accepted, but took another freshness"
	                                              : "the receiver's freshness moved by a PDU that it refused");
}

static int secoc_send_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct attempt attempt = {.bench = NULL};
	struct secoc_verdict verdict;
	struct can_message sent;
	int r = attempt_of_call(context, call, &attempt, err);

	if (r < 0 && err && err->domain == ERROR_USAGE)
		err->domain = ERROR_TESTCASE;
	if (r == 0)
		r = attempt_send(context, &attempt, &verdict, &sent, err);
	/* Silence that was not waited out is nobody's fault but the case's. */
	if (r == -ETIME && attempt.silence_allowed && err && err->domain == ERROR_DUT)
		err->domain = ERROR_TESTCASE;
	if (r == 0)
		r = secoc_verdict_judge(context, attempt.expectation, &verdict, attempt.what, err);
	if (r == 0)
		r = attempt_follow(context, &attempt, &verdict, err);
	if (r == 0 && (secoc_verdict_results(context, &verdict, sent.at.ns, &attempt.pdu) < 0 ||
	               step_result_integer(context, "freshness", (int64_t)attempt.freshness) < 0))
		r = out_of_memory(err);
	attempt_clear(&attempt);
	return r;
}

const struct step_def step_secoc_send = {
        .name = "secoc.send",
        .doc = "Sends a secured PDU, right or made wrong, and waits for the receiver's verdict. An accepted PDU must have moved the "
               "receiver's freshness to its own, a refused one must not have moved it.",
        .example = "- secoc.send: {id: 0x101, data: \"00 01 02\", mac_is: zero, verdict: rejected}",
        .flags = STEP_ACTION,
        .args = send_args,
        .results = send_results,
        .run = secoc_send_run,
        .check = send_check,
};

/* ---- secoc.verdict, secoc.read ----------------------------------------------------------------------------- */

static const struct arg_def verdict_args[] = {
        ARG_BUS,
        {"id", VALUE_INTEGER, ARG_REQUIRED | ARG_SCALAR, NULL, NULL, 0, 0x1fffffff, "Identifier of the PDU."},
        {"verdict", VALUE_TEXT, 0, "accepted", secoc_expectations, 0, 0, "What the receiver must say."},
        {"within", VALUE_DURATION, ARG_POSITIVE, "1s", NULL, 0, 0, "How long to wait."},
        {NULL},
};
static const struct result_def verdict_results[] = {SECOC_FRAME_RESULTS, {NULL}};

static int secoc_verdict_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	int64_t id, within_ns, begin_ns = context->executor->action_begin_ns;
	struct secoc_verdict verdict;
	struct secoc_bench *bench;
	const char *expectation;
	int r;

	if ((r = secoc_bench_of_call(context, call, &bench, err)) < 0 || (r = step_arg_integer(context, call, "id", 0, &id, err)) < 0 ||
	    (r = step_arg_text(context, call, "verdict", &expectation, err)) < 0 ||
	    (r = step_arg_integer(context, call, "within", VERDICT_WITHIN_NS, &within_ns, err)) < 0 ||
	    (r = secoc_verdict_wait(context, bench, (uint32_t)id, bus_watch_since(bench->watch, begin_ns), within_ns, &verdict, err)) < 0)
		return r;
	for (unsigned i = 0; i < bench->count; i++)
		if (bench->pdus[i].id == (uint32_t)id)
			bench->pdus[i].knows_last = false; /* whoever sent it: what the receiver holds is read anew */
	r = secoc_verdict_judge(context, expectation, &verdict, "verdict", err);
	if (r == 0 && secoc_verdict_results(context, &verdict, begin_ns, NULL) < 0)
		r = out_of_memory(err);
	return r;
}

const struct step_def step_secoc_verdict = {
        .name = "secoc.verdict",
        .doc = "Waits for the receiver's verdict on a PDU that another step, or somebody else, has sent.",
        .example = "- secoc.verdict: {id: 0x101, verdict: accepted}",
        .args = verdict_args,
        .results = verdict_results,
        .run = secoc_verdict_run,
};

static const struct arg_def read_args[] = {
        ARG_BUS,
        {"id", VALUE_INTEGER, ARG_REQUIRED | ARG_SCALAR, NULL, NULL, 0, 0x7ff, "Identifier of the PDU."},
        {"sent", VALUE_BOOL, 0, "false", NULL, 0, 0, "The PDU that the node itself sends under this identifier."},
        {NULL},
};
static const struct result_def read_results[] = {
        {"accepted", VALUE_INTEGER, "Accepted PDUs (of a sent one: sent)."},
        {"rejected", VALUE_INTEGER, "Rejected PDUs."},
        {"result", VALUE_INTEGER, "Result code of the last one."},
        {"freshness", VALUE_INTEGER, "Freshness that it holds."},
        {NULL},
};

static int secoc_read_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct secoc_record record;
	struct secoc_bench *bench;
	int64_t id;
	bool sent;
	int r;

	if ((r = secoc_bench_of_call(context, call, &bench, err)) < 0 || (r = step_arg_integer(context, call, "id", 0, &id, err)) < 0 ||
	    (r = step_arg_bool(context, call, "sent", false, &sent, err)) < 0 ||
	    (r = secoc_record_read(context, bench, (uint16_t)((uint16_t)id | (sent ? SECOC_SENT_FLAG : 0)), &record, err)) < 0)
		return r;
	for (unsigned i = 0; i < bench->count && !sent; i++)
		if (bench->pdus[i].id == (uint32_t)id) {
			bench->pdus[i].last = record.freshness;
			bench->pdus[i].knows_last = true;
		}
	if (step_result_integer(context, "accepted", record.accepted) < 0 ||
	    step_result_integer(context, "rejected", record.rejected) < 0 || step_result_integer(context, "result", record.result) < 0 ||
	    step_result_integer(context, "freshness", (int64_t)record.freshness) < 0)
		return out_of_memory(err);
	return 0;
}

const struct step_def step_secoc_read = {
        .name = "secoc.read",
        .doc = "Reads a PDU's record by UDS over ISO-TP (DID FD40): counters, last result, freshness. The following steps go on from it.",
        .example = "- secoc.read: {id: 0x101, save: {before: freshness}}",
        .flags = STEP_ACTION,
        .args = read_args,
        .results = read_results,
        .run = secoc_read_run,
};

/* ---- secoc.sync -------------------------------------------------------------------------------------------- */

#define SYNC_TRIP_BITS  24
#define SYNC_RESET_BITS 16
#define SYNC_MAC_BITS   24

static const struct arg_def sync_args[] = {
        ARG_BUS,
        {"id", VALUE_INTEGER, 0, "0x0ff", NULL, 0, 0x7ff, "Identifier of the sync message."},
        {"message_id", VALUE_INTEGER, 0, "0x0100", NULL, 0, 0xffff, "Message id under its MAC."},
        {"trip", VALUE_INTEGER, 0, NULL, NULL, 0, 0xffffff, "Trip counter."},
        {"reset", VALUE_INTEGER, 0, NULL, NULL, 0, 0xffff, "Reset counter."},
        {"trip_step", VALUE_INTEGER, 0, NULL, NULL, 0, 0, "Trip counter relative to the latest (reset begins at 1 where it grows)."},
        {"reset_step", VALUE_INTEGER, 0, NULL, NULL, 0, 0, "Reset counter relative to the latest (default 1, without the others)."},
        {"flip_bit", VALUE_INTEGER, 0, NULL, NULL, 0, 63, "Flip this bit of the message."},
        {"pdu", VALUE_BYTES, 0, NULL, NULL, 0, 0, "These bytes instead: a replay."},
        {"key", VALUE_BYTES, 0, NULL, NULL, 0, 0, "Another key."},
        {"verdict", VALUE_TEXT, 0, "accepted", secoc_expectations, 0, 0, "What the receiver must say."},
        {NULL},
};
static const struct result_def sync_results[] = {
        SECOC_FRAME_RESULTS,
        {"trip", VALUE_INTEGER, "Trip counter that was sent."},
        {"reset", VALUE_INTEGER, "Reset counter that was sent."},
        {NULL},
};

struct sync {
	struct secoc_bench *bench;
	struct secoc_key *key;
	uint32_t id, trip, reset;
	uint16_t message_id;
	struct bytes pdu;
};

static int sync_transmit(struct step_context *context, struct sync *sync, const char *what, struct secoc_verdict *ret,
                         struct can_message *ret_sent, struct error *err)
{
	struct can_message message = {.id = sync->id};
	uint64_t from = sync->bench->watch->next;
	int r;

	bus_message_set_data(&message, sync->pdu.data, sync->pdu.length, 0);
	r = bus_transmit(context, sync->bench->watch, &message, ret_sent, err);
	if (r < 0)
		return r;
	secoc_note(sync->bench, "secoc.tx", ret_sent->at, sync->id, (uint64_t)sync->trip << SYNC_RESET_BITS | sync->reset, what, NULL,
	           &sync->pdu);
	return secoc_verdict_wait(context, sync->bench, sync->id, from, VERDICT_WITHIN_NS, ret, err);
}

/* The verdict on a sync message tells the latest trip and reset, also when it was refused: a message with a MAC of zeros
 * asks for them. */
static int sync_learn(struct step_context *context, struct sync *sync, struct error *err)
{
	static const uint8_t nothing[8];
	struct secoc_verdict verdict;
	struct can_message sent;
	int r;

	if (sync->bench->knows_trip)
		return 0;
	if (bytes_append(&sync->pdu, nothing, sizeof(nothing)) < 0)
		return out_of_memory(err);
	r = sync_transmit(context, sync, "asks for the latest", &verdict, &sent, err);
	bytes_clear(&sync->pdu);
	if (r < 0)
		return r;
	if (verdict.result == SECOC_RESULT_NONE)
		return step_check_failed(context, err, "a verdict", "none", "the receiver says nothing to sync messages");
	sync->bench->trip = (uint32_t)(verdict.freshness >> SYNC_RESET_BITS);
	sync->bench->reset = (uint32_t)verdict.freshness & 0xffff;
	sync->bench->knows_trip = true;
	return 0;
}

static int sync_check(const struct step_call *call, const struct value *known, struct error *err)
{
	static const struct {
		const char *name;
		const char *const others[8];
		const char *why;
	} groups[] = {
	        {"pdu",
	         {"trip", "reset", "trip_step", "reset_step", "flip_bit", "key", "message_id", NULL},
	         "those bytes are sent as they are"},
	        {"trip", {"trip_step", NULL}, "both say the trip counter"},
	        {"reset", {"reset_step", NULL}, "both say the reset counter"},
	};
	int r = secoc_check_key(call, known, err);

	for (unsigned i = 0; r == 0 && i < sizeof(groups) / sizeof(*groups); i++)
		r = call_check_alone(call, groups[i].name, groups[i].others, groups[i].why, err);
	return r < 0 ? r : can_check_bytes(call, known, "pdu", 8, "a classic CAN frame", err);
}

static int sync_numbers(struct step_context *context, const struct step_call *call, struct sync *sync, struct error *err)
{
	bool stepped = step_has_arg(call, "trip_step") || step_has_arg(call, "trip") || step_has_arg(call, "reset");
	int64_t trip, reset, trip_step, reset_step;
	int r;

	if ((r = step_arg_integer(context, call, "trip_step", 0, &trip_step, err)) < 0 ||
	    (r = step_arg_integer(context, call, "reset_step", stepped ? 0 : 1, &reset_step, err)) < 0)
		return r;
	/* Nothing was ever synchronised: trips count from 1. */
	if (sync->bench->trip == 0 && !stepped)
		trip_step = 1;
	trip = sync->bench->trip + trip_step;
	reset = trip_step > 0 ? 1 : sync->bench->reset + reset_step;
	if ((r = step_arg_integer(context, call, "trip", trip, &trip, err)) < 0 ||
	    (r = step_arg_integer(context, call, "reset", reset, &reset, err)) < 0)
		return r;
	sync->trip = (uint32_t)trip & 0xffffff;
	sync->reset = (uint32_t)reset & 0xffff;
	return 0;
}

static int sync_message(struct step_context *context, const struct step_call *call, struct sync *sync, struct error *err)
{
	const struct bytes *raw;
	int64_t flip;
	int r;

	if ((r = sync_numbers(context, call, sync, err)) < 0 || (r = step_arg_bytes(context, call, "pdu", &raw, err)) < 0 ||
	    (r = step_arg_integer(context, call, "flip_bit", 0, &flip, err)) < 0)
		return r;
	if (raw)
		return raw->length <= 8 && bytes_append(&sync->pdu, raw->data, raw->length) == 0 ? 0 : out_of_memory(err);
	if (secoc_make_sync(sync->key, sync->message_id, SYNC_TRIP_BITS, SYNC_RESET_BITS, SYNC_MAC_BITS, sync->trip, sync->reset,
	                    &sync->pdu) < 0)
		return out_of_memory(err);
	if (step_has_arg(call, "flip_bit"))
		sync->pdu.data[flip / 8] ^= (uint8_t)(0x80 >> flip % 8);
	return 0;
}

static int sync_results_set(struct step_context *context, const struct sync *sync, const struct secoc_verdict *verdict, int64_t end_ns)
{
	if (secoc_verdict_results(context, verdict, end_ns, &sync->pdu) < 0 || step_result_integer(context, "trip", sync->trip) < 0)
		return -ENOMEM;
	return step_result_integer(context, "reset", sync->reset);
}

static int sync_run(struct step_context *context, const struct step_call *call, struct sync *sync, struct error *err)
{
	struct secoc_verdict verdict;
	struct can_message sent;
	const char *expectation;
	int r;

	if ((r = step_arg_text(context, call, "verdict", &expectation, err)) < 0 || (r = sync_learn(context, sync, err)) < 0 ||
	    (r = sync_message(context, call, sync, err)) < 0 || (r = sync_transmit(context, sync, "sync", &verdict, &sent, err)) < 0 ||
	    (r = secoc_verdict_judge(context, expectation, &verdict, "sync message", err)) < 0)
		return r;
	if (verdict.result == 0) {
		sync->bench->trip = sync->trip;
		sync->bench->reset = sync->reset;
	} else if (verdict.result != SECOC_RESULT_NONE &&
	           verdict.freshness != ((uint64_t)sync->bench->trip << SYNC_RESET_BITS | sync->bench->reset)) {
		return step_check_failed(context, err, "trip and reset as before", "others",
		                         "the receiver's trip or reset moved by a sync message that it refused");
	}
	return sync_results_set(context, sync, &verdict, sent.at.ns) < 0 ? out_of_memory(err) : 0;
}

static int secoc_sync_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct sync sync = {.bench = NULL};
	int64_t id, message_id;
	int r;

	if ((r = secoc_bench_of_call(context, call, &sync.bench, err)) < 0 ||
	    (r = step_arg_integer(context, call, "id", 0xff, &id, err)) < 0 ||
	    (r = step_arg_integer(context, call, "message_id", 0x100, &message_id, err)) < 0 ||
	    (r = secoc_key_of_call(context, call, &sync.key, err)) < 0)
		return r;
	sync.id = (uint32_t)id;
	sync.message_id = (uint16_t)message_id;
	r = sync_run(context, call, &sync, err);
	secoc_key_free(sync.key);
	bytes_free(&sync.pdu);
	return r;
}

const struct step_def step_secoc_sync = {
        .name = "secoc.sync",
        .doc = "Sends a trip and reset synchronisation message and waits for the verdict. A refused one must not have moved the receiver.",
        .example = "- secoc.sync: {reset_step: 1}",
        .flags = STEP_ACTION,
        .args = sync_args,
        .results = sync_results,
        .run = secoc_sync_run,
        .check = sync_check,
};
