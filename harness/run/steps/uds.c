/* SPDX-License-Identifier: Apache-2.0 */
/* UDS over an activated DoIP connection. */
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../executor_private.h"
#include "journal_hex.h"
#include "steps.h"
#include "uds_link.h"

#define ACK_WITHIN_NS     2000000000 /* A_DoIP_Diagnostic_Message, ISO 13400-2:2019 */
#define MARGIN_NS         150000000
#define VIRTUAL_MARGIN_NS 2000000000

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

static void note_uds(const struct tester *t, const char *kind, struct instant at, uint16_t source, uint16_t target, const uint8_t *data,
                     size_t length)
{
	const char *service = length ? uds_service_name(data[0] == 0x7f && length > 1 ? data[1] : data[0] & (uint8_t)~0x40) : NULL;
	json_t *object = json_pack("{s:i, s:i, s:s}", "source", source, "target", target, "service", service ? service : "?");

	tester_put_hex(t, object, data, length);
	if (length > 2 && data[0] == 0x7f)
		json_object_set_new(object, "nrc", json_integer(data[2]));
	timeline_emit(t->timeline, at, t->channel, kind, object);
}

/* ---- one exchange over DoIP -------------------------------------------------------------------------------- */

static int wait_ack(struct step_context *context, struct tester *t, struct uds_link_request *request, struct error *err)
{
	struct tester_message message;
	char actual[96], word[8];
	int r = tester_receive(context, t, ACK_WITHIN_NS, &message, err);

	if (r == -ETIMEDOUT || r == -EPIPE) {
		request->lost = true;
		tester_describe_absence(t, r, ACK_WITHIN_NS, actual, sizeof actual);
		return step_check_failed(context, err, "diagnostic_ack", actual, "the request was not acknowledged");
	}
	if (r < 0)
		return r;
	if (message.decoded.type != DOIP_DIAGNOSTIC_ACK) {
		snprintf(actual, sizeof actual, "%s (code 0x%02x)", doip_type_word(message.decoded.type, word), message.decoded.code);
		if (message.decoded.type == DOIP_DIAGNOSTIC_NACK)
			request->refused = message.decoded.code;
		r = step_check_failed(context, err, "diagnostic_ack", actual, "the request was not acknowledged");
	}
	request->ack_ns = message.at.ns;
	tester_message_free(&message);
	return r;
}

/* Feeds one message into the exchange; a message that is no diagnostic one is a failed check. */
static int take_answer(struct step_context *context, struct tester *t, struct uds_link_request *request, struct uds_exchange *exchange,
                       const struct tester_message *message, struct error *err)
{
	const struct doip_message *m = &message->decoded;
	char actual[64], word[8];

	if (m->type != DOIP_DIAGNOSTIC) {
		snprintf(actual, sizeof actual, "%s (code 0x%02x)", doip_type_word(m->type, word), m->code);
		return step_check_failed(context, err, "diagnostic", actual, "another DoIP message came in place of the response");
	}
	note_uds(t, "uds.rx", message->at, m->source, m->target, m->data, m->data_length);
	request->answered_ns = message->at.ns;
	request->responder = m->source;
	uds_exchange_receive(exchange, m->data, m->data_length, message->at.ns);
	return 0;
}

static int wait_answer(struct step_context *context, struct tester *t, struct uds_link_request *request, struct uds_exchange *exchange,
                       struct error *err)
{
	while (exchange->outcome == UDS_WAITING) {
		struct tester_message message;
		int64_t left = exchange->deadline_ns - loop_now_ns();
		int r = tester_receive(context, t, left > 0 ? left : 0, &message, err);

		if (r == -ETIMEDOUT) {
			uds_exchange_expire(exchange, loop_now_ns());
			/* The case's own deadline may lie before the exchange's. */
			if (exchange->outcome == UDS_WAITING)
				return step_check_failed(context, err, "a response", "none before the case's deadline", "no response");
			continue;
		}
		if (r == -EPIPE) {
			char actual[96];

			request->lost = true;
			tester_describe_absence(t, r, 0, actual, sizeof actual);
			return step_check_failed(context, err, "a response", actual, "the connection ended before the response");
		}
		if (r < 0)
			return r;
		r = take_answer(context, t, request, exchange, &message, err);
		tester_message_free(&message);
		if (r < 0)
			return r;
	}
	return 0;
}

int uds_link_run(struct step_context *context, struct tester *t, struct uds_link_request *request, struct uds_exchange *exchange,
                 struct error *err)
{
	struct bytes payload = {0};
	int r = tester_check_open(context, t, err);

	request->lost = r < 0;
	request->refused = 0;
	request->sent_ns = loop_now_ns();
	if (r < 0)
		return r;
	if (doip_encode_diagnostic(&payload, t->source, request->target, request->data, request->length) < 0)
		return out_of_memory(err);
	note_uds(t, "uds.tx", instant_now(), t->source, request->target, request->data, request->length);
	r = tester_send(t, DOIP_DIAGNOSTIC, payload.data, payload.length, NULL, err);
	bytes_free(&payload);
	if (r < 0)
		return r;
	r = wait_ack(context, t, request, err);
	if (r < 0)
		return r;
	request->answered_ns = request->ack_ns;
	uds_exchange_begin(exchange, request->data, request->length, &request->timing, request->expect_silence, request->ack_ns);
	return wait_answer(context, t, request, exchange, err);
}

/* ---- uds.request ------------------------------------------------------------------------------------------- */

static const struct arg_def request_args[] = {
        ARG_CONNECTION,
        {"role", VALUE_TEXT, ARG_ROLE, NULL, NULL, 0, 0, "The node whose logical address is the target."},
        {"target", VALUE_INTEGER, 0, NULL, NULL, 0, 0xffff, "Target address, in place of `role` (a functional one too)."},
        {"data", VALUE_BYTES, ARG_REQUIRED, NULL, NULL, 0, 0, "The request."},
        {"p2", VALUE_DURATION, ARG_POSITIVE, "50ms", NULL, 0, 0, "P2server_max from acknowledgement to first answer."},
        {"p2_star", VALUE_DURATION, ARG_POSITIVE, "5s", NULL, 0, 0, "P2*server_max after each 0x78."},
        {"margin", VALUE_DURATION, 0, "150ms", NULL, 0, 0,
         "Allowance for the links between; the measured time is in `after`. On a virtual rack 2 s where an answer is due: its "
         "boards share a machine."},
        {"silent", VALUE_BOOL, 0, "false", NULL, 0, 0, "No answer is expected (suppressed, or functional): an answer fails the step."},
        {NULL},
};
static const struct result_def request_results[] = {
        {"positive", VALUE_BOOL, "A positive response came."},
        {"nrc", VALUE_INTEGER, "Negative response code; 0 when positive or silent."},
        {"response", VALUE_BYTES, "The whole response."},
        {"data", VALUE_BYTES, "The response without its service id."},
        {"source", VALUE_INTEGER, "Logical address that answered."},
        {"pending", VALUE_INTEGER, "How many 0x78 came first."},
        {"after", VALUE_DURATION, "From acknowledgement to the final answer."},
        {NULL},
};

static int target_of_call(struct step_context *context, const struct step_call *call, uint16_t *ret, struct error *err)
{
	const struct value *address;
	const char *role;
	int64_t target;
	int r;

	if ((r = step_arg_text(context, call, "role", &role, err)) < 0 ||
	    (r = step_arg_integer(context, call, "target", 0, &target, err)) < 0)
		return r;
	if (step_has_arg(call, "target")) {
		*ret = (uint16_t)target;
		return 0;
	}
	address = role ? rig_value(context->rig, role, "logical_address") : NULL;
	if (!address || address->type != VALUE_INTEGER)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, call->place,
		                       "the step needs `target`, or a `role` that has a logical address");
	*ret = (uint16_t)address->integer;
	return 0;
}

/* Without a rig file nothing is virtual. */
static bool on_virtual_rack(const struct step_context *context)
{
	const struct rig_file *file = context->executor->options->rig_file;
	return file && rig_file_is_virtual(file);
}

static int request_of_call(struct step_context *context, const struct step_call *call, struct uds_link_request *ret, struct error *err)
{
	const struct bytes *data;
	int64_t margin_ns = MARGIN_NS;
	int r = step_arg_bool(context, call, "silent", false, &ret->expect_silence, err);

	if (r < 0)
		return r;
	if (!ret->expect_silence && on_virtual_rack(context))
		margin_ns = VIRTUAL_MARGIN_NS;
	if ((r = target_of_call(context, call, &ret->target, err)) < 0 || (r = step_arg_bytes(context, call, "data", &data, err)) < 0 ||
	    (r = step_arg_integer(context, call, "p2", 50000000, &ret->timing.p2_ns, err)) < 0 ||
	    (r = step_arg_integer(context, call, "p2_star", 5000000000, &ret->timing.p2_star_ns, err)) < 0 ||
	    (r = step_arg_integer(context, call, "margin", margin_ns, &ret->timing.margin_ns, err)) < 0)
		return r;
	ret->timing.max_pending = 50;
	ret->data = data->data;
	ret->length = data->length;
	return 0;
}

static int exchange_results_set(struct step_context *context, const struct uds_link_request *request, const struct uds_exchange *exchange)
{
	const struct bytes *response = &exchange->response;

	if (step_result_bool(context, "positive", exchange->outcome == UDS_POSITIVE) < 0 ||
	    step_result_integer(context, "nrc", exchange->outcome == UDS_NEGATIVE ? exchange->nrc : 0) < 0 ||
	    step_result_bytes(context, "response", response->data, response->length) < 0 ||
	    step_result_bytes(context, "data", response->length ? response->data + 1 : NULL, response->length ? response->length - 1 : 0) <
	            0 ||
	    step_result_integer(context, "source", request->responder) < 0 ||
	    step_result_integer(context, "pending", exchange->pending) < 0)
		return -ENOMEM;
	return step_result_duration(context, "after", request->answered_ns - request->ack_ns);
}

/* What must hold without any `expect`: an answer where one is due, a positive one; none where none is due. */
static int default_check(struct step_context *context, const struct step_call *call, const struct uds_link_request *request,
                         const struct uds_exchange *exchange, struct error *err)
{
	const char *name;
	char actual[96];

	switch (exchange->outcome) {
	case UDS_TIMEOUT:
		snprintf(actual, sizeof actual, "nothing within %lld ms",
		         (long long)((request->timing.p2_ns + request->timing.margin_ns) / 1000000));
		return step_check_failed(context, err, "a response", actual,
		                         exchange->pending ? "the server stopped answering after 0x78" : "the server did not answer");
	case UDS_NEGATIVE:
		if (call->expect && !request->expect_silence)
			return 0;
		name = uds_nrc_name(exchange->nrc);
		snprintf(actual, sizeof actual, "NRC 0x%02x (%s)", exchange->nrc, name ? name : "unknown");
		return step_check_failed(context, err, request->expect_silence ? "silence" : "a positive response", actual,
		                         "a negative response came");
	case UDS_POSITIVE:
		if (!request->expect_silence)
			return 0;
		return step_check_failed(context, err, "silence", "a positive response", "a response came, though it must be suppressed");
	default:
		return 0;
	}
}

static int uds_request_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct uds_exchange exchange = {0};
	struct uds_link_request request = {0};
	struct tester *t;
	int r;

	if ((r = tester_of_call(context, call, &t, err)) < 0 || (r = request_of_call(context, call, &request, err)) < 0)
		return r;
	r = uds_link_run(context, t, &request, &exchange, err);
	if (r == 0)
		r = default_check(context, call, &request, &exchange, err);
	if (r == 0 && exchange_results_set(context, &request, &exchange) < 0)
		r = out_of_memory(err);
	uds_exchange_clear(&exchange);
	return r;
}

const struct step_def step_uds_request = {
        .name = "uds.request",
        .doc = "Sends a UDS request over an activated connection, waits for the DoIP acknowledgement and for the answer, 0x78 included. "
               "Without `expect` the answer must be positive; with it, negative answers are results to be judged.",
        .example = "- uds.request: {role: zgw, data: \"22 f1 90\", expect: {response: \"62 f1 90 ..\"}}",
        .flags = STEP_ACTION,
        .args = request_args,
        .results = request_results,
        .run = uds_request_run,
};

/* ---- uds.unlock -------------------------------------------------------------------------------------------- */

static const struct arg_def unlock_args[] = {
        ARG_CONNECTION,
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE | ARG_SCALAR, NULL, NULL, 0, 0, "The node to unlock."},
        {"target", VALUE_INTEGER, 0, NULL, NULL, 0, 0xffff, "Target address, in place of the role's own."},
        {"level", VALUE_INTEGER, 0, "1", NULL, 1, 0x41, "Security level (odd: the requestSeed sub-function)."},
        {NULL},
};

int uds_key_of_seed(const struct value *secret_hex, const uint8_t *seed, size_t length, uint8_t key[4], struct error *err)
{
	struct bytes secret = {0};
	uint8_t tag[16];
	size_t tag_length = 0;
	bool ok = secret_hex && secret_hex->type == VALUE_TEXT && bytes_parse_hex(secret_hex->text, &secret) == 0 && secret.length == 16 &&
	          EVP_Q_mac(NULL, "CMAC", NULL, "AES-128-CBC", NULL, secret.data, secret.length, seed, length, tag, sizeof tag,
	                    &tag_length) != NULL;

	bytes_free(&secret);
	if (!ok)
		return error_set(err, ERROR_TESTCASE, EINVAL, "the rig's role has no usable `security_key` (32 hex digits) in its profile");
	memcpy(key, tag, 4);
	return 0;
}

static int unlock_exchange(struct step_context *context, struct tester *t, uint16_t target, const uint8_t *data, size_t length,
                           struct uds_exchange *exchange, struct error *err)
{
	struct uds_link_request request = {
	        .target = target, .data = data, .length = length, .timing = {50000000, 5000000000, 150000000, 50}};
	int r = uds_link_run(context, t, &request, exchange, err);
	char actual[64];

	if (r < 0 || exchange->outcome == UDS_POSITIVE)
		return r;
	snprintf(actual, sizeof actual, exchange->outcome == UDS_NEGATIVE ? "NRC 0x%02x" : "no answer", exchange->nrc);
	return step_check_failed(context, err, "a positive response", actual, "SecurityAccess 27 %02x was refused", data[1]);
}

static int unlock_with_key(struct step_context *context, struct tester *t, uint16_t target, const char *role, int64_t level,
                           const struct bytes *seed, struct error *err)
{
	uint8_t request[6] = {0x27, (uint8_t)(level + 1)};
	struct uds_exchange exchange = {0};
	bool already = true;
	int r;

	for (size_t i = 2; i < seed->length; i++)
		already = already && seed->data[i] == 0;
	if (already)
		return 0;
	r = uds_key_of_seed(rig_value(context->rig, role, "security_key"), seed->data + 2, seed->length - 2, request + 2, err);
	if (r == 0)
		r = unlock_exchange(context, t, target, request, sizeof request, &exchange, err);
	uds_exchange_clear(&exchange);
	return r;
}

static int uds_unlock_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct uds_exchange exchange = {0};
	uint8_t seed_request[2] = {0x27};
	struct tester *t;
	const char *role;
	uint16_t target;
	int64_t level;
	int r;

	if ((r = tester_of_call(context, call, &t, err)) < 0 || (r = step_arg_text(context, call, "role", &role, err)) < 0 ||
	    (r = target_of_call(context, call, &target, err)) < 0 || (r = step_arg_integer(context, call, "level", 1, &level, err)) < 0)
		return r;
	seed_request[1] = (uint8_t)level;
	r = unlock_exchange(context, t, target, seed_request, sizeof seed_request, &exchange, err);
	if (r == 0)
		r = unlock_with_key(context, t, target, role, level, &exchange.response, err);
	uds_exchange_clear(&exchange);
	return r;
}

const struct step_def step_uds_unlock = {
        .name = "uds.unlock",
        .doc = "SecurityAccess: requests a seed, computes the key with the role's `security_key`, and sends it. An all-zero seed means "
               "already unlocked.",
        .example = "- uds.unlock: {role: zgw, level: 1}",
        .flags = STEP_ACTION,
        .args = unlock_args,
        .run = uds_unlock_run,
};
