/* SPDX-License-Identifier: Apache-2.0 */
/* DoIP over TCP_DATA: messages as they should be, and as they should not. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steps.h"
#include "tester.h"

#define HEADER_ARGS                                                                                                                        \
	{"version", VALUE_INTEGER, 0, NULL, NULL, 0, 255, "Protocol version of the header (default: the connection's)."},                  \
	        {"inverse", VALUE_INTEGER, 0, NULL, NULL, 0, 255, "Inverse protocol version (default: the right one)."},                   \
	        {"length", VALUE_INTEGER, 0, NULL, NULL, 0, 4294967295, "Payload length that the header claims (default: the true one)."}

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

int header_options_of_call(struct step_context *context, const struct step_call *call, struct doip_header_options *ret, struct error *err)
{
	int64_t version, inverse, length;
	int r;

	if ((r = step_arg_integer(context, call, "version", 0, &version, err)) < 0 ||
	    (r = step_arg_integer(context, call, "inverse", 0, &inverse, err)) < 0 ||
	    (r = step_arg_integer(context, call, "length", 0, &length, err)) < 0)
		return r;
	*ret = (struct doip_header_options){
	        .has_version = step_has_arg(call, "version"),
	        .has_inverse = step_has_arg(call, "inverse"),
	        .has_length = step_has_arg(call, "length"),
	        .version = (uint8_t)version,
	        .inverse = (uint8_t)inverse,
	        .length = (uint32_t)length,
	};
	return 0;
}

int doip_type_of_call(struct step_context *context, const struct step_call *call, uint16_t *ret, struct error *err)
{
	const char *text;
	char *end;
	unsigned long number;
	int r = step_arg_text(context, call, "type", &text, err);

	if (r < 0)
		return r;
	if (doip_type_parse(text, ret) == 0)
		return 0;
	number = strtoul(text, &end, 0);
	if (*end || end == text || number > 0xffff)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, call->place,
		                       "\"%s\" is no payload type: a name such as activation_request, or 0x0000..0xFFFF", text);
	*ret = (uint16_t)number;
	return 0;
}

/* ---- doip.send --------------------------------------------------------------------------------------------- */

static const struct arg_def send_args[] = {
        ARG_CONNECTION,
        {"type", VALUE_TEXT, ARG_REQUIRED, NULL, NULL, 0, 0, "Payload type, by name or number."},
        {"payload", VALUE_BYTES, 0, NULL, NULL, 0, 0, "Payload bytes (default: none)."},
        {"fill", VALUE_INTEGER, 0, NULL, NULL, 0, 16777216, "Append this many zero bytes to the payload."},
        HEADER_ARGS,
        {"times", VALUE_INTEGER, ARG_POSITIVE, "1", NULL, 1, 1000, "Send it so often, back to back in one piece."},
        {"chunk", VALUE_INTEGER, ARG_POSITIVE, NULL, NULL, 1, 65536, "Send in pieces of so many bytes."},
        {"gap", VALUE_DURATION, 0, "2ms", NULL, 0, 0, "Pause between the pieces."},
        {"cut", VALUE_INTEGER, 0, NULL, NULL, 0, 65536, "Send only so many bytes of the message."},
        {NULL},
};

static int build_message(struct step_context *context, const struct step_call *call, const struct tester *t, struct bytes *message,
                         struct error *err)
{
	struct doip_header_options header;
	const struct bytes *payload;
	struct bytes body = {0};
	uint16_t type;
	int64_t fill, times;
	int r;

	if ((r = doip_type_of_call(context, call, &type, err)) < 0 || (r = header_options_of_call(context, call, &header, err)) < 0 ||
	    (r = step_arg_bytes(context, call, "payload", &payload, err)) < 0 ||
	    (r = step_arg_integer(context, call, "fill", 0, &fill, err)) < 0 ||
	    (r = step_arg_integer(context, call, "times", 1, &times, err)) < 0)
		return r;
	if (!header.has_version) {
		header.has_version = true;
		header.version = t->version;
	}
	if (payload)
		r = bytes_append(&body, payload->data, payload->length);
	for (int64_t i = 0; i < fill && r == 0; i++)
		r = bytes_append_u8(&body, 0);
	for (int64_t i = 0; i < times && r == 0; i++)
		r = doip_encode(message, type, body.data, body.length, &header);
	bytes_free(&body);
	return r < 0 ? out_of_memory(err) : 0;
}

/* Pieces with pauses between them: a peer may have enough of them and close, which is for later steps to judge. */
static int send_in_chunks(struct step_context *context, struct tester *t, const struct bytes *message, int64_t chunk, int64_t gap_ns,
                          struct error *err)
{
	for (size_t sent = 0; sent < message->length;) {
		size_t piece = message->length - sent < (size_t)chunk ? message->length - sent : (size_t)chunk;
		int r = stream_send(t->stream, message->data + sent, piece, err);

		if (r < 0)
			return r;
		sent += piece;
		if (sent == message->length)
			return 0;
		r = step_wait(context, NULL, NULL, gap_ns, err);
		if (r < 0 && r != -ETIMEDOUT)
			return r;
		if (t->ended)
			return 0;
	}
	return 0;
}

static int doip_send_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct bytes message = {0};
	struct tester *t;
	int64_t chunk, gap, cut;
	int r;

	if ((r = tester_of_call(context, call, &t, err)) < 0 ||
	    (r = step_arg_integer(context, call, "chunk", INT64_MAX, &chunk, err)) < 0 ||
	    (r = step_arg_integer(context, call, "gap", 2000000, &gap, err)) < 0 ||
	    (r = step_arg_integer(context, call, "cut", INT64_MAX, &cut, err)) < 0)
		return r;
	r = tester_check_open(context, t, err);
	if (r == 0)
		r = build_message(context, call, t, &message, err);
	if (r == 0) {
		if ((uint64_t)cut < message.length)
			message.length = (size_t)cut;
		tester_note_raw(t, message.data, message.length);
		r = send_in_chunks(context, t, &message, chunk, gap, err);
		t->sent_at = instant_now();
	}
	bytes_free(&message);
	return r;
}

const struct step_def step_doip_send = {
        .name = "doip.send",
        .doc = "Sends one DoIP message over a connection. Header fields can be forged, the message can be repeated, cut short, or sent in "
               "pieces.",
        .example = "- doip.send: {type: activation_request, payload: \"0e 80 00 00 00 00 00\", inverse: 0xfd}",
        .flags = STEP_ACTION,
        .args = send_args,
        .run = doip_send_run,
};

/* ---- doip.send_raw ----------------------------------------------------------------------------------------- */

static const struct arg_def raw_args[] = {
        ARG_CONNECTION,
        {"bytes", VALUE_BYTES, ARG_REQUIRED, NULL, NULL, 0, 0, "What to send."},
        {"beneath_tls", VALUE_BOOL, 0, "false", NULL, 0, 0, "Write the bytes to TCP itself, past TLS."},
        {"chunk", VALUE_INTEGER, ARG_POSITIVE, NULL, NULL, 1, 65536, "Send in pieces of so many bytes."},
        {"gap", VALUE_DURATION, 0, "2ms", NULL, 0, 0, "Pause between the pieces."},
        {NULL},
};

static int doip_send_raw_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const struct bytes *bytes;
	struct tester *t;
	int64_t chunk, gap;
	bool beneath;
	int r;

	if ((r = tester_of_call(context, call, &t, err)) < 0 || (r = step_arg_bytes(context, call, "bytes", &bytes, err)) < 0 ||
	    (r = step_arg_bool(context, call, "beneath_tls", false, &beneath, err)) < 0 ||
	    (r = step_arg_integer(context, call, "chunk", INT64_MAX, &chunk, err)) < 0 ||
	    (r = step_arg_integer(context, call, "gap", 2000000, &gap, err)) < 0 || (r = tester_check_open(context, t, err)) < 0)
		return r;
	tester_note_raw(t, bytes->data, bytes->length);
	if (beneath)
		return stream_send_raw(t->stream, bytes->data, bytes->length, err);
	return send_in_chunks(context, t, bytes, chunk, gap, err);
}

const struct step_def step_doip_send_raw = {
        .name = "doip.send_raw",
        .doc = "Sends bytes as they are.",
        .example = "- doip.send_raw: {bytes: \"03 fc 00 05\"}",
        .flags = STEP_ACTION,
        .args = raw_args,
        .run = doip_send_raw_run,
};

/* ---- doip.expect ------------------------------------------------------------------------------------------- */

static const struct arg_def expect_args[] = {
        ARG_CONNECTION,
        {"type", VALUE_TEXT, ARG_REQUIRED | ARG_SCALAR, NULL, NULL, 0, 0, "Payload type that must come next."},
        {"within", VALUE_DURATION, ARG_POSITIVE, "2s", NULL, 0, 0, "How long to wait."},
        {"skip_others", VALUE_BOOL, 0, "false", NULL, 0, 0, "Pass over messages of other types."},
        {NULL},
};
static const struct result_def expect_results[] = {DOIP_RESULTS, {NULL}};

static int wrong_type(struct step_context *context, struct error *err, uint16_t wanted, const struct tester_message *got)
{
	char a[8], b[8], actual[64];

	snprintf(actual, sizeof actual, "%s (code 0x%02x)", doip_type_word(got->decoded.type, b), got->decoded.code);
	return step_check_failed(context, err, doip_type_word(wanted, a), actual, "another message came than %s",
	                         doip_type_word(wanted, a));
}

/* Receives the next message of the type; *ret is the caller's on 0. */
static int expect_type(struct step_context *context, struct tester *t, uint16_t type, bool skip_others, int64_t within_ns,
                       struct tester_message *ret, struct error *err)
{
	int64_t deadline = loop_now_ns() + within_ns;

	for (;;) {
		struct tester_message message;
		int64_t left = deadline - loop_now_ns();
		int r = tester_receive(context, t, left > 0 ? left : 0, &message, err);

		if (r == -ETIMEDOUT || r == -EPIPE) {
			char wanted[8], actual[96];

			tester_describe_absence(t, r, within_ns, actual, sizeof actual);
			return step_check_failed(context, err, doip_type_word(type, wanted), actual, "no %s came",
			                         doip_type_word(type, wanted));
		}
		if (r < 0)
			return r;
		if (message.decoded.type == type) {
			*ret = message;
			return 0;
		}
		r = skip_others ? 0 : wrong_type(context, err, type, &message);
		tester_message_free(&message);
		if (r < 0)
			return r;
	}
}

static int expect_and_set(struct step_context *context, struct tester *t, uint16_t type, bool skip_others, int64_t within_ns,
                          struct instant reference, struct error *err)
{
	struct tester_message message;
	int r = expect_type(context, t, type, skip_others, within_ns, &message, err);

	if (r < 0)
		return r;
	r = doip_results_set(context, &message, reference) < 0 ? out_of_memory(err) : 0;
	tester_message_free(&message);
	return r;
}

static int doip_expect_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct tester *t;
	uint16_t type;
	int64_t within;
	bool skip;
	int r;

	if ((r = tester_of_call(context, call, &t, err)) < 0 || (r = doip_type_of_call(context, call, &type, err)) < 0 ||
	    (r = step_arg_integer(context, call, "within", 2000000000, &within, err)) < 0 ||
	    (r = step_arg_bool(context, call, "skip_others", false, &skip, err)) < 0)
		return r;
	return expect_and_set(context, t, type, skip, within, t->sent_at, err);
}

const struct step_def step_doip_expect = {
        .name = "doip.expect",
        .doc = "The next message on a connection must be of this type.",
        .example = "- doip.expect: {type: header_nack, expect: {code: 0x01}}",
        .args = expect_args,
        .results = expect_results,
        .run = doip_expect_run,
};

/* ---- doip.absent ------------------------------------------------------------------------------------------- */

static const struct arg_def absent_args[] = {
        ARG_CONNECTION,
        {"for", VALUE_DURATION, ARG_POSITIVE | ARG_SCALAR, "100ms", NULL, 0, 0, "How long nothing may come."},
        {NULL},
};

static int doip_absent_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct tester_message message;
	struct tester *t;
	char word[8], actual[64];
	int64_t duration;
	int r;

	if ((r = tester_of_call(context, call, &t, err)) < 0 || (r = step_arg_integer(context, call, "for", 100000000, &duration, err)) < 0)
		return r;
	r = tester_receive(context, t, duration, &message, err);
	if (r == -ETIMEDOUT || r == -EPIPE)
		return 0;
	if (r < 0)
		return r;
	snprintf(actual, sizeof actual, "%s (code 0x%02x)", doip_type_word(message.decoded.type, word), message.decoded.code);
	tester_message_free(&message);
	return step_check_failed(context, err, "no message", actual, "a message came, though none may");
}

const struct step_def step_doip_absent = {
        .name = "doip.absent",
        .doc = "No DoIP message may come on a connection for a time (its end is not an error here: see tester.expect_open).",
        .example = "- doip.absent: 300ms",
        .args = absent_args,
        .run = doip_absent_run,
};

/* ---- doip.activate ----------------------------------------------------------------------------------------- */

static const struct arg_def activate_args[] = {
        ARG_CONNECTION,
        {"source", VALUE_INTEGER, 0, NULL, NULL, 0, 0xffff, "Source address (default: the connection's)."},
        {"activation_type", VALUE_INTEGER, 0, "0", NULL, 0, 255, "Activation type."},
        {"reserved", VALUE_BYTES, 0, NULL, NULL, 0, 0, "The four reserved bytes (default: zero)."},
        {"oem", VALUE_BYTES, 0, NULL, NULL, 0, 0, "The four OEM bytes (default: not sent)."},
        HEADER_ARGS,
        {"within", VALUE_DURATION, ARG_POSITIVE, "2s", NULL, 0, 0, "How long to wait for the answer."},
        {NULL},
};

static int activation_payload(struct step_context *context, const struct step_call *call, struct tester *t, struct bytes *payload,
                              struct error *err)
{
	const struct bytes *oem, *reserved;
	int64_t source, type;
	int r;

	if ((r = step_arg_integer(context, call, "source", t->source, &source, err)) < 0 ||
	    (r = step_arg_integer(context, call, "activation_type", 0, &type, err)) < 0 ||
	    (r = step_arg_bytes(context, call, "oem", &oem, err)) < 0 ||
	    (r = step_arg_bytes(context, call, "reserved", &reserved, err)) < 0)
		return r;
	t->source = (uint16_t)source;
	if (doip_encode_activation(payload, t->source, (uint8_t)type, oem ? oem->data : NULL, oem ? oem->length : 0) < 0)
		return out_of_memory(err);
	if (reserved && reserved->length == 4 && payload->length >= 7)
		memcpy(payload->data + 3, reserved->data, 4);
	return 0;
}

static int doip_activate_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct doip_header_options header;
	struct tester_message message;
	struct bytes payload = {0};
	struct tester *t;
	int64_t within;
	int r;

	if ((r = tester_of_call(context, call, &t, err)) < 0 || (r = header_options_of_call(context, call, &header, err)) < 0 ||
	    (r = step_arg_integer(context, call, "within", 2000000000, &within, err)) < 0)
		return r;
	r = activation_payload(context, call, t, &payload, err);
	if (r == 0)
		r = tester_check_open(context, t, err);
	if (r == 0)
		r = tester_send(t, DOIP_ACTIVATION_REQUEST, payload.data, payload.length, &header, err);
	bytes_free(&payload);
	if (r < 0)
		return r;
	r = expect_type(context, t, DOIP_ACTIVATION_RESPONSE, false, within, &message, err);
	if (r < 0)
		return r;
	r = doip_results_set(context, &message, t->sent_at) < 0 ? out_of_memory(err) : 0;
	if (r == 0 && !call->expect && message.decoded.code != 0x10) {
		const char *name = doip_activation_code_name(message.decoded.code);
		char actual[96];

		snprintf(actual, sizeof actual, "0x%02x (%s)", message.decoded.code, name ? name : "unknown");
		r = step_check_failed(context, err, "0x10", actual, "routing activation was refused");
	}
	tester_message_free(&message);
	return r;
}

const struct step_def step_doip_activate = {
        .name = "doip.activate",
        .doc = "Sends a routing activation request and waits for the response. Without `expect` the code must be 0x10.",
        .example = "- doip.activate: {source: 0x0e80, expect: {code: 0x10, length: 9}}",
        .flags = STEP_ACTION,
        .args = activate_args,
        .results = expect_results,
        .run = doip_activate_run,
};

/* ---- doip.diagnostic --------------------------------------------------------------------------------------- */

static const struct arg_def diagnostic_args[] = {
        ARG_CONNECTION,
        {"source", VALUE_INTEGER, 0, NULL, NULL, 0, 0xffff, "Source address (default: the connection's)."},
        {"target", VALUE_INTEGER, ARG_REQUIRED, NULL, NULL, 0, 0xffff, "Target address."},
        {"data", VALUE_BYTES, 0, NULL, NULL, 0, 0, "User data (default: none)."},
        {"fill", VALUE_INTEGER, 0, NULL, NULL, 0, 1048576, "Append this many zero bytes to the data."},
        HEADER_ARGS,
        {"within", VALUE_DURATION, ARG_POSITIVE, "2s", NULL, 0, 0, "How long to wait for the acknowledgement (A_DoIP_Diagnostic_Message)."},
        {NULL},
};
static const struct result_def diagnostic_results[] = {{"acknowledged", VALUE_BOOL, "0x8002 came (false: 0x8003)."}, DOIP_RESULTS, {NULL}};

static int diagnostic_payload(struct step_context *context, const struct step_call *call, const struct tester *t, struct bytes *payload,
                              struct error *err)
{
	const struct bytes *data;
	int64_t source, target, fill;
	int r;

	if ((r = step_arg_integer(context, call, "source", t->source, &source, err)) < 0 ||
	    (r = step_arg_integer(context, call, "target", 0, &target, err)) < 0 ||
	    (r = step_arg_bytes(context, call, "data", &data, err)) < 0 || (r = step_arg_integer(context, call, "fill", 0, &fill, err)) < 0)
		return r;
	if (doip_encode_diagnostic(payload, (uint16_t)source, (uint16_t)target, data ? data->data : NULL, data ? data->length : 0) < 0)
		return out_of_memory(err);
	for (int64_t i = 0; i < fill; i++)
		if (bytes_append_u8(payload, 0) < 0)
			return out_of_memory(err);
	return 0;
}

static int acknowledgement(struct step_context *context, const struct step_call *call, struct tester *t, int64_t within, struct error *err)
{
	struct tester_message message;
	bool positive;
	char actual[96];
	int r = tester_receive(context, t, within, &message, err);

	if (r == -ETIMEDOUT || r == -EPIPE) {
		tester_describe_absence(t, r, within, actual, sizeof actual);
		return step_check_failed(context, err, "an acknowledgement (0x8002 or 0x8003)", actual,
		                         "the diagnostic message was not acknowledged");
	}
	if (r < 0)
		return r;
	positive = message.decoded.type == DOIP_DIAGNOSTIC_ACK;
	if (!positive && message.decoded.type != DOIP_DIAGNOSTIC_NACK)
		r = wrong_type(context, err, DOIP_DIAGNOSTIC_ACK, &message);
	else if (step_result_bool(context, "acknowledged", positive) < 0 || doip_results_set(context, &message, t->sent_at) < 0)
		r = out_of_memory(err);
	else if (!call->expect && !positive) {
		const char *name = doip_diagnostic_nack_name(message.decoded.code);

		snprintf(actual, sizeof actual, "NACK 0x%02x (%s)", message.decoded.code, name ? name : "unknown");
		r = step_check_failed(context, err, "ACK 0x00", actual, "the diagnostic message was refused");
	}
	tester_message_free(&message);
	return r;
}

static int doip_diagnostic_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct doip_header_options header;
	struct bytes payload = {0};
	struct tester *t;
	int64_t within;
	int r;

	if ((r = tester_of_call(context, call, &t, err)) < 0 || (r = header_options_of_call(context, call, &header, err)) < 0 ||
	    (r = step_arg_integer(context, call, "within", 2000000000, &within, err)) < 0)
		return r;
	r = diagnostic_payload(context, call, t, &payload, err);
	if (r == 0)
		r = tester_check_open(context, t, err);
	if (r == 0)
		r = tester_send(t, DOIP_DIAGNOSTIC, payload.data, payload.length, &header, err);
	bytes_free(&payload);
	return r < 0 ? r : acknowledgement(context, call, t, within, err);
}

const struct step_def step_doip_diagnostic = {
        .name = "doip.diagnostic",
        .doc = "Sends a diagnostic message and waits for its acknowledgement, positive or negative; the UDS response, if any, stays in the "
               "queue. "
               "Without `expect` the acknowledgement must be positive.",
        .example = "- doip.diagnostic: {target: 0x4711, data: \"3e 00\", expect: {acknowledged: false, code: 0x03}}",
        .flags = STEP_ACTION,
        .args = diagnostic_args,
        .results = diagnostic_results,
        .run = doip_diagnostic_run,
};
